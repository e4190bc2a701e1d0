//! Address books.

use serde::Serialize;

use super::Obstacle;
use super::collection::{Invitee, filled, invitees, is_of};
use crate::dav::client::{Client, Depth, Entry, Error, Path, Property};
use crate::nextcloud::acting;
use crate::nextcloud::properties as p;

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

const WANTED: [Property; 8] = [
    p::RESOURCE_TYPE,
    p::DISPLAY_NAME,
    p::OWNER,
    p::OWNER_PRINCIPAL,
    p::INVITE,
    p::ADDRESSBOOK_DESCRIPTION,
    p::CTAG,
    p::SYNC_TOKEN,
];
/// Nobody has as many.
const MAX_BOOKS: usize = 10_000;
/// What the books of the core and of apps begin with (`ExternalAddressBook`, `SystemAddressbook`).
const GENERATED: [&str; 2] = ["z-server-generated--", "z-app-generated--"];

/// All address books that an account sees, its own and others', those with an [`Obstacle`]
/// included.
///
/// # Errors
/// As [`Error`] says.
pub async fn books(client: &Client, uid: &str) -> Result<Vec<Book>, Error> {
    let home = acting::addressbooks(uid)?;
    let entries = client.propfind(&home, Depth::One, &WANTED).await?.all(MAX_BOOKS).await?;
    Ok(entries.iter().filter_map(|entry| Book::of(entry, uid)).collect())
}

/// One address book; `None` if there is none.
///
/// # Errors
/// As [`Error`] says.
pub async fn book(client: &Client, uid: &str, uri: &str) -> Result<Option<Book>, Error> {
    let path = acting::addressbooks(uid)?.join(uri)?;
    let entry = client.find(&path, &WANTED).await?;
    Ok(entry.and_then(|entry| Book::of(&entry, uid)))
}

impl Book {
    fn of(entry: &Entry, uid: &str) -> Option<Self> {
        if !entry.is_a(p::CARDDAV, "addressbook") {
            return None;
        }
        let uri = entry.path.name()?.to_owned();
        let obstacle = match () {
            () if GENERATED.iter().any(|prefix| uri.starts_with(prefix)) => {
                Some(Obstacle::Generated)
            }
            () if !is_of(entry, uid) => Some(Obstacle::Received),
            () => None,
        };
        Some(Self {
            path: entry.path.clone(),
            name: filled(entry.text(&p::DISPLAY_NAME)).unwrap_or_else(|| uri.clone()),
            uri,
            description: filled(entry.text(&p::ADDRESSBOOK_DESCRIPTION)),
            invitees: invitees(entry, uid),
            ctag: filled(entry.text(&p::CTAG)),
            sync_token: filled(entry.text(&p::SYNC_TOKEN)),
            obstacle,
        })
    }
}
