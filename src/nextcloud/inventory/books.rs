//! Address books.

use serde::Serialize;

use super::{Invitee, Obstacle};
use crate::dav::client::{Client, Error, Path};

/// An address book.
#[derive(Clone, Debug, Serialize)]
pub struct Book {
    /// Where it is, from the root of the DAV server.
    pub path: Path,
    /// The last part of its address.
    pub uri: String,
    /// The name that people see.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// With whom it is shared.
    pub invitees: Vec<Invitee>,
    /// What changes with every change in it.
    pub ctag: Option<String>,
    /// What a client synchronises from.
    pub sync_token: Option<String>,
    /// Why it cannot be handed over, if it cannot.
    pub obstacle: Option<Obstacle>,
}

/// All address books that an account sees, its own and others', those with an [`Obstacle`]
/// included.
///
/// # Errors
/// As [`Error`] says.
pub async fn books(client: &Client, uid: &str) -> Result<Vec<Book>, Error> {
    let _ = (client, uid);
    Err(Error::Malformed("not written yet".to_owned()))
}
