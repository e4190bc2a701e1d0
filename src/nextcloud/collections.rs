//! Sharing and publishing of calendars and address books, which is neither CalDAV nor OCS but a
//! POST of Nextcloud's own to the collection.
//!
//! None of it mails anybody.

use bytes::Bytes;

use super::properties::{CALENDARSERVER, OC};
use crate::dav::client::{Client, Error, Path};

/// What somebody may do with a collection that is shared with them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Right {
    /// Look.
    Read,
    /// Change what is in it.
    Write,
}

const KIND: &str = "application/xml; charset=utf-8";

/// Shares a collection with a principal: `principals/users/bob`, `principals/groups/board`,
/// `principals/circles/ID`. Sharing it again changes the right.
///
/// # Errors
/// As [`Error`] says.
pub async fn share(
    client: &Client,
    collection: &Path,
    principal: &Path,
    right: Right,
) -> Result<(), Error> {
    let right = if right == Right::Write { "<o:read-write/>" } else { "" };
    let body = format!(
        "<o:share xmlns:d=\"DAV:\" xmlns:o=\"{OC}\"><o:set><d:href>principal:{}</d:href>{right}\
         </o:set></o:share>",
        href(principal)
    );
    client.post(collection, KIND, Bytes::from(body)).await.map(drop)
}

/// Takes a collection back from a principal; as that principal, leaves it.
///
/// # Errors
/// As [`Error`] says.
pub async fn unshare(client: &Client, collection: &Path, principal: &Path) -> Result<(), Error> {
    let body = format!(
        "<o:share xmlns:d=\"DAV:\" xmlns:o=\"{OC}\"><o:remove><d:href>principal:{}</d:href>\
         </o:remove></o:share>",
        href(principal)
    );
    client.post(collection, KIND, Bytes::from(body)).await.map(drop)
}

/// Makes a public link to a calendar; what it is, the property `publish-url` says.
///
/// # Errors
/// As [`Error`] says.
pub async fn publish(client: &Client, calendar: &Path) -> Result<(), Error> {
    let body = format!("<c:publish-calendar xmlns:c=\"{CALENDARSERVER}\"/>");
    client.post(calendar, KIND, Bytes::from(body)).await.map(drop)
}

/// Removes the public link to a calendar.
///
/// # Errors
/// As [`Error`] says.
pub async fn unpublish(client: &Client, calendar: &Path) -> Result<(), Error> {
    let body = format!("<c:unpublish-calendar xmlns:c=\"{CALENDARSERVER}\"/>");
    client.post(calendar, KIND, Bytes::from(body)).await.map(drop)
}

/// As it stands in such a body: escaped, without a slash at its beginning.
fn href(principal: &Path) -> String {
    principal.escaped().trim_start_matches('/').to_owned()
}
