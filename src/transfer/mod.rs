//! Handing over: what one account has goes to others.

mod effect;
mod error;
mod journal;
pub mod model;
mod site;

pub use error::{Error, Halt};
pub use journal::Fault;
pub use site::{Site, Sites};
