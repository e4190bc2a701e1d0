//! The command line, and the one place where everything is put together.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads: `say`"
)]

mod check;
mod client;
mod demo;
mod doors;
pub mod exit;
mod proxy;
mod running;
mod say;
mod serve;
mod served;
mod server;
mod sites;
mod token;
mod tours;
mod transfer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use say::remark;
pub use server::{Extras, Server, StartError};

/// A reverse proxy for Nextcloud.
#[derive(Debug, Parser)]
#[command(name = "passeur", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Demo(demo::Demo),
    Proxy(proxy::Proxy),
    Serve(serve::Serve),
    Tours(tours::Command),
    Token(token::Tokens),
    Transfer(transfer::Transfer),
    Sites(sites::Sites),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    log_to_stderr();
    let outcome = match Cli::parse().command {
        Command::Check(check) => check.run(),
        Command::Demo(demo) => demo.run().map(|()| 0),
        Command::Proxy(proxy) => proxy.run().map(|()| 0),
        Command::Serve(serve) => serve.run().map(|()| 0),
        Command::Tours(tours) => tours.run(),
        Command::Token(token) => token.run().map(|()| 0),
        Command::Transfer(transfer) => transfer.run(),
        Command::Sites(sites) => sites.run(),
    };
    match outcome {
        Ok(number) => exit::code(number),
        Err(error) if matches!(error.downcast_ref(), Some(say::Failure::Unread)) => {
            exit::code(exit::UNREAD)
        }
        Err(error) if error.is::<crate::config::Errors>() => {
            remark!("{error}");
            exit::code(exit::CONFIGURATION)
        }
        Err(error) => {
            remark!("passeur: {error:#}");
            exit::code(exit::FAILURE)
        }
    }
}

/// Diagnostics go to standard error; `PASSEUR_LOG` filters them, e.g. `passeur=debug`.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("PASSEUR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It would be told on the same standard error that cannot be written to, by a panic.
    let format = format.log_internal_errors(false);
    // Only fails where a test has set one already.
    let _ = format.with_target(false).try_init();
}
