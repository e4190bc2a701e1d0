//! The configuration: what hosts write (`raw`), what the rest of Passeur works from
//! ([`checked`]), and the way from one to the other.
//!
//! A file is parsed with the place of every value kept, each value is read on its own, and
//! everything that is wrong, in any file, is reported at once with file, line, key and the way
//! out. There is no configuration with errors: [`load`] gives a whole one, or [`Errors`]. A
//! running Passeur keeps what it has when a [`Reloader`] meets errors.
//!
//! `config/passeur.toml` is the manual; tests hold it to the keys and defaults that are here.

mod access;
pub mod checked;
mod checker;
mod clash;
mod fault;
mod given;
pub mod kept;
mod keys;
mod load;
mod problem;
mod raw;
mod reload;
mod secret;
mod settings;
mod site;
#[cfg(test)]
mod tests;
mod tours;
mod values;
mod watch;
mod world;

pub use fault::Fault;
pub use load::{Loaded, Loader, load};
pub use problem::{Errors, Place, Problem};
pub use reload::{Reloader, Reloads, log_problems, reuse};
pub use secret::SecretError;

/// Reads bytes as a main file and as a site file, and throws away what comes out: for fuzzing.
/// Touches no other file, whatever the bytes name.
pub fn read_anything(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let world = world::World::blind();
    let source = || problem::Source { path: "fuzz.toml".as_ref(), text };
    let mut checker = checker::Checker::new(source(), &world);
    let main = keys::parse::<raw::Main>(&checker.source, &mut checker.errors);
    let base = main.map(|main| settings::Settings::of(main, &mut checker).base);
    let site = keys::parse::<raw::Site>(&checker.source, &mut checker.errors);
    if let Some(site) = site {
        site::SiteFile::of(site, "fuzz", &base.unwrap_or_default(), &mut checker);
    }
    for problem in checker.errors.iter().chain(&checker.warnings) {
        let _shown = problem.display("error").to_string();
    }
}
