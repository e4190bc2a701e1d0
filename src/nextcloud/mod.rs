//! One Nextcloud instance as seen from outside: who is who, what there is, and acting for its
//! accounts over DAV and OCS.
//!
//! An [`Instance`] is a site of ours or a Nextcloud elsewhere; [`Acting`] is an account of it, by
//! some [`Credentials`]. Requests go straight to the instance's web server, on connections of their
//! own, not through the gateway.
//!
//! Invariants:
//! - no secret reaches a log, an error or a `Debug`; a credential that was answered 401 is not
//!   shown again (`credentials`), so that a stale one cannot lock anybody out;
//! - an address elsewhere is only spoken to if the host's configuration lists it, and never if its
//!   name turns out to mean this machine or its network link; redirects are not followed;
//! - who may do what is the instance's word, asked anew each time (`identity`): in doubt, nobody.

mod acting;
pub mod appapi;
pub mod collections;
mod credentials;
pub mod db;
pub mod identity;
mod instance;
pub mod inventory;
pub mod ocs;
pub mod properties;

pub use acting::{Acting, addressbooks, calendars, files, principal, uploads};
pub use credentials::Credentials;
pub use instance::{Instance, Status};

use crate::dav::client;

/// Why an instance does not answer a question, or does not do what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Over DAV or plain HTTP.
    #[error(transparent)]
    Http(#[from] client::Error),
    /// An OCS call was refused.
    #[error("the instance refuses {call}: {code}{}", told(.message))]
    Ocs {
        /// Method and path.
        call: String,
        /// The OCS status code, which resembles an HTTP status.
        code: u16,
        /// What it says, in its language.
        message: String,
    },
    /// It cannot be reached as configured.
    #[error("failed to set up connections to {name}")]
    Setup {
        /// Which one.
        name: String,
        /// Why.
        #[source]
        source: client::Cause,
    },
    /// A Nextcloud elsewhere that nobody allowed.
    #[error(
        "`{}` is not among the Nextclouds that this site may hand over to (access.hand_over_to)",
        .0.escape_debug()
    )]
    NotListed(String),
}

impl Error {
    /// The error of the HTTP exchange, if it is one.
    #[must_use]
    pub fn http(&self) -> Option<&client::Error> {
        match self {
            Error::Http(error) => Some(error),
            _ => None,
        }
    }

    /// Whether to send it again.
    #[must_use]
    pub fn retry(&self) -> client::Retry {
        match self {
            Error::Http(error) => error.retry(),
            Error::Ocs { code: 429 | 503, .. } => client::Retry::Safe,
            Error::Ocs { code: 500.., .. } => client::Retry::LookFirst,
            Error::Ocs { .. } | Error::Setup { .. } | Error::NotListed(_) => client::Retry::Never,
        }
    }

    /// Whether there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Error::Http(error) => error.is_not_found(),
            Error::Ocs { code, .. } => *code == 404,
            _ => false,
        }
    }

    /// Whether the credentials are not (any more) accepted.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Error::Http(client::Error::Refused))
    }
}

impl From<client::PathError> for Error {
    fn from(error: client::PathError) -> Self {
        Error::Http(error.into())
    }
}

fn told(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
