//! What calendars and address books have in common: an owner, guests, objects.

use futures_util::{Stream, stream};
use serde::Serialize;

use crate::dav::client::{Client, Depth, Entry, Error, Path, Property};
use crate::nextcloud::properties as p;

/// Somebody whom a collection is shared with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Invitee {
    /// The principal: `principals/users/bob`.
    pub principal: Path,
    /// The name that people see.
    pub name: Option<String>,
    /// Whether it may be changed.
    pub may_write: bool,
}

/// An event, task or card.
#[derive(Clone, Debug, Serialize)]
pub struct Object {
    /// Where it is.
    pub path: Path,
    /// Its entity tag, with quotes.
    pub etag: String,
    /// Bytes, where the instance says.
    pub size: Option<u64>,
}

/// The objects of a collection, as they come.
///
/// # Errors
/// As [`Error`] says; the stream ends after an error.
pub async fn objects(
    client: &Client,
    collection: &Path,
) -> Result<impl Stream<Item = Result<Object, Error>> + Send + use<>, Error> {
    const WANTED: [Property; 3] = [p::RESOURCE_TYPE, p::ETAG, p::CONTENT_LENGTH];
    let entries = client.propfind(collection, Depth::One, &WANTED).await?;
    let itself = collection.clone();
    Ok(stream::try_unfold((entries, itself), |(mut entries, itself)| async move {
        while let Some(entry) = entries.next().await? {
            if entry.path == itself || entry.is_collection() {
                continue;
            }
            let object = Object {
                etag: entry.text(&p::ETAG).unwrap_or_default().to_owned(),
                size: entry.number(&p::CONTENT_LENGTH),
                path: entry.path,
            };
            return Ok(Some((object, (entries, itself))));
        }
        Ok(None)
    }))
}

/// How many objects a collection has, and their bytes.
///
/// # Errors
/// As [`Error`] says.
pub async fn count(client: &Client, collection: &Path) -> Result<(u64, u64), Error> {
    let objects = objects(client, collection).await?;
    futures_util::TryStreamExt::try_fold(objects, (0, 0), async |(count, bytes), object| {
        Ok((count + 1, bytes + object.size.unwrap_or_default()))
    })
    .await
}

/// Whether a collection is the account's own. `d:owner` says so for both kinds; `oc:owner-principal`
/// for calendars, and is empty for one's own.
pub(super) fn is_of(entry: &Entry, uid: &str) -> bool {
    let owner = entry.get(&p::OWNER).and_then(|owner| owner.child("DAV:", "href"));
    let by_address = owner.is_none_or(|href| is_user(href.text.trim(), uid));
    let principal = entry.text(&p::OWNER_PRINCIPAL).unwrap_or_default();
    by_address && (principal.is_empty() || is_user(principal, uid))
}

/// Whether `…/principals/users/UID/` (escaped or not) is that account.
fn is_user(address: &str, uid: &str) -> bool {
    let Some(at) = address.rfind("principals/users/") else { return false };
    let name = address[at + "principals/users/".len()..].trim_end_matches('/');
    name == uid
        || percent_encoding::percent_decode_str(name).decode_utf8().is_ok_and(|name| name == uid)
}

/// Those whom a collection of `uid` is shared with. Nextcloud lists who published a calendar, too.
pub(super) fn invitees(entry: &Entry, uid: &str) -> Vec<Invitee> {
    let Some(invite) = entry.get(&p::INVITE) else { return Vec::new() };
    let invitees = invite.children(p::OC, "user").filter_map(|user| {
        let href = user.child("DAV:", "href")?.text.trim();
        let principal = Path::of_href(href.trim_start_matches("principal:"), "").ok()?;
        if is_user(href, uid) {
            return None;
        }
        let access = user.child(p::OC, "access");
        Some(Invitee {
            principal,
            name: filled(user.child(p::OC, "common-name").map(|name| name.text.trim())),
            may_write: access.is_some_and(|access| access.child(p::OC, "read-write").is_some()),
        })
    });
    invitees.collect()
}

pub(super) fn filled(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_told_by_the_whole_name() {
        assert!(is_user("/remote.php/dav/principals/users/alice/", "alice"));
        assert!(is_user("principals/users/a%20b", "a b"));
        assert!(is_user("principals/users/a%20b", "a%20b"));
        assert!(!is_user("/principals/users/alice2/", "alice"));
        assert!(!is_user("/principals/system/system/", "system"));
        assert!(!is_user("", ""));
    }
}
