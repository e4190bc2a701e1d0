//! Effects on calendars and address books.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::{Error, Kind, Outcome, Who, World};
use crate::dav::client::{Change, Client, Entry, Overwrite, Path, Property, Trash};
use crate::nextcloud::collections::{self, Right};
use crate::nextcloud::inventory;
use crate::nextcloud::properties as p;
use crate::nextcloud::{addressbooks, calendars};

/// What a collection looks like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Looks {
    /// The name that people see.
    pub name: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `#RRGGBB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Its place in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i64>,
    /// Its time zone, as iCalendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The parts it may have: `VEVENT`, `VTODO`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Whether it says nothing about being free or busy.
    #[serde(default)]
    pub transparent: bool,
}

/// Where an account's collections of a kind are.
pub(crate) fn home(kind: Kind, uid: &str) -> Result<Path, Error> {
    Ok(match kind {
        Kind::AddressBook => addressbooks(uid)?,
        _ => calendars(uid)?,
    })
}

/// Where a collection is.
pub(crate) fn collection(kind: Kind, uid: &str, uri: &str) -> Result<Path, Error> {
    Ok(home(kind, uid)?.join(uri)?)
}

/// Makes a collection; one that is there counts as ours only if this was tried before.
pub(super) async fn make(
    world: &World,
    who: &Who,
    kind: Kind,
    uri: &str,
    looks: &Looks,
    again: bool,
) -> Result<Outcome, Error> {
    let client = world.dav(who)?;
    let path = collection(kind, &who.uid, uri)?;
    let made = match kind {
        Kind::AddressBook => client.mkaddressbook(&path, &looks.changes(kind)).await,
        _ => client.mkcalendar(&path, &looks.changes(kind)).await,
    };
    match made {
        Err(error) if error.status().is_some_and(|status| status.as_u16() == 405) && again => {}
        Err(error) if error.status().is_some_and(|status| status.as_u16() == 405) => {
            return Err(Error::Conflict(format!("{uri:?} is there already, for {:?}", who.uid)));
        }
        made => made?,
    }
    Ok(Outcome::Done)
}

/// Removes a collection that a transfer made; what was moved out again is not in it any more.
pub(super) async fn remove(world: &World, who: &Who, kind: Kind, uri: &str) -> Result<(), Error> {
    match world.dav(who)?.delete(&collection(kind, &who.uid, uri)?, Trash::Skip).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Shares a collection with a principal, such as `principals/users/bob`.
pub(super) async fn share(
    world: &World,
    owner: &Who,
    kind: Kind,
    uri: &str,
    principal: &str,
    write: bool,
) -> Result<Outcome, Error> {
    let right = if write { Right::Write } else { Right::Read };
    let path = collection(kind, &owner.uid, uri)?;
    let principal = Path::root().walk(principal)?;
    collections::share(&world.dav(owner)?, &path, &principal, right).await?;
    Ok(Outcome::Done)
}

/// Ends such a share.
pub(super) async fn unshare(
    world: &World,
    owner: &Who,
    kind: Kind,
    uri: &str,
    principal: &str,
) -> Result<Outcome, Error> {
    let path = collection(kind, &owner.uid, uri)?;
    let principal = Path::root().walk(principal)?;
    match collections::unshare(&world.dav(owner)?, &path, &principal).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(Outcome::Done),
    }
}

/// Moves objects into a collection that is shared to the one who moves; those that were moved
/// already are left.
///
/// One after the other: each changes the sync tokens of both collections, and with SQLite those
/// that come at once lock each other out. Nextcloud then copies and deletes instead.
pub(super) async fn move_objects(
    world: &World,
    (who, from): (&Who, &str),
    (owner, to): (&Who, &str),
    kind: Kind,
    names: &[String],
) -> Result<Outcome, Error> {
    let way = Way {
        client: world.dav(who)?,
        from: collection(kind, &who.uid, from)?,
        to: collection(kind, &who.uid, &format!("{to}_shared_by_{}", owner.uid))?,
        owner: world.dav(owner)?,
        seen: collection(kind, &owner.uid, to)?,
    };
    let mut before: Option<HashSet<String>> = None;
    for name in names {
        if let Some(halt) = world.wishes.halt() {
            return Err(Error::Halted(halt));
        }
        if before.as_ref().is_some_and(|before| before.contains(name)) {
            continue;
        }
        // Where one was moved before, others were: they are not asked for one by one.
        if way.take(name).await? == Taken::Before && before.is_none() {
            before = Some(way.taken().await?);
        }
    }
    Ok(Outcome::Done)
}

/// Moves objects back. Private events are seen by nobody but their owner, so that it is the
/// recipient who moves, into the source's collection.
pub(super) async fn move_back(
    world: &World,
    (source, recipient): (&Who, &str),
    kind: Kind,
    (from, to): (&str, &str),
    names: &[String],
    invited: Option<bool>,
) -> Result<(), Error> {
    let principal = format!("principals/users/{recipient}");
    share(world, source, kind, from, &principal, true).await?;
    move_objects(world, (&Who::here(recipient), to), (source, from), kind, names).await?;
    match invited {
        Some(write) => share(world, source, kind, from, &principal, write).await.map(drop),
        None => unshare(world, source, kind, from, &principal).await.map(drop),
    }
}

/// From one collection into another, which belongs to somebody else.
struct Way {
    client: Client,
    from: Path,
    to: Path,
    /// Those who have it shared do not see private events in it: only its owner can tell.
    owner: Client,
    /// Where the owner has it.
    seen: Path,
}

/// When an object went its way.
#[derive(PartialEq)]
enum Taken {
    Now,
    /// It was there already.
    Before,
}

impl Way {
    async fn take(&self, name: &str) -> Result<Taken, Error> {
        let (from, to) = (&self.from.join(name)?, &self.to.join(name)?);
        let Err(refused) = self.client.move_to(from, to, Overwrite::No).await else {
            return Ok(Taken::Now);
        };
        let may_be_done = match refused.status().map(|status| status.as_u16()) {
            None | Some(404 | 408 | 412 | 500..) => true,
            Some(_) => false,
        };
        if !may_be_done {
            return Err(refused.into());
        }
        let left = self.client.find(from, &[p::ETAG]).await?;
        let there = self.owner.find(&self.seen.join(name)?, &[p::ETAG]).await?;
        match (left, there) {
            (None, Some(_)) => Ok(Taken::Before),
            // It was copied, because it could not be moved, and could then not be deleted.
            (Some(left), Some(there)) if is_same(&left, &there) => {
                self.client.delete(from, Trash::Skip).await?;
                Ok(Taken::Now)
            }
            _ => Err(refused.into()),
        }
    }

    /// The names of all that is there, and no more where it was.
    async fn taken(&self) -> Result<HashSet<String>, Error> {
        let mut taken = names(&self.owner, &self.seen).await?;
        for left in names(&self.client, &self.from).await? {
            taken.remove(&left);
        }
        Ok(taken)
    }
}

/// The names of the objects in a collection.
pub(crate) async fn names(client: &Client, collection: &Path) -> Result<HashSet<String>, Error> {
    let mut objects = std::pin::pin!(inventory::objects(client, collection).await?);
    let mut names = HashSet::new();
    while let Some(object) = objects.try_next().await? {
        names.extend(object.path.name().map(str::to_owned));
    }
    Ok(names)
}

fn is_same(one: &Entry, other: &Entry) -> bool {
    let etag = |entry: &Entry| entry.get(&p::ETAG).map(|etag| etag.text.clone());
    etag(one).is_some_and(|one| !one.is_empty() && etag(other) == Some(one))
}

/// Makes a public link to a calendar.
pub(super) async fn publish(world: &World, owner: &Who, uri: &str) -> Result<Outcome, Error> {
    let client = world.dav(owner)?;
    let path = collection(Kind::Calendar, &owner.uid, uri)?;
    if let Some(url) = link(&client, &path).await? {
        return Ok(Outcome::Published { url: Some(url) });
    }
    collections::publish(&client, &path).await?;
    Ok(Outcome::Published { url: link(&client, &path).await? })
}

/// Removes it.
pub(super) async fn unpublish(world: &World, owner: &Who, uri: &str) -> Result<(), Error> {
    let path = collection(Kind::Calendar, &owner.uid, uri)?;
    match collections::unpublish(&world.dav(owner)?, &path).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

async fn link(client: &Client, calendar: &Path) -> Result<Option<String>, Error> {
    let entry = client.find(calendar, &[p::PUBLISH_URL]).await?;
    let url = entry.as_ref().and_then(|entry| entry.get(&p::PUBLISH_URL));
    let href = url.and_then(|url| url.child("DAV:", "href"));
    Ok(href.map(|href| href.text.trim().to_owned()).filter(|url| !url.is_empty()))
}

// === impl Looks ===

impl Looks {
    fn changes(&self, kind: Kind) -> Vec<Change> {
        let mut changes = vec![Change::Set(p::DISPLAY_NAME, self.name.clone())];
        let mut set = |property: Property, value: Option<String>| {
            if let Some(value) = value {
                changes.push(Change::Set(property, value));
            }
        };
        if kind == Kind::AddressBook {
            set(p::ADDRESSBOOK_DESCRIPTION, self.description.clone());
            return changes;
        }
        set(p::CALENDAR_DESCRIPTION, self.description.clone());
        set(p::CALENDAR_COLOR, self.color.clone());
        set(p::CALENDAR_ORDER, self.order.map(|order| order.to_string()));
        set(p::CALENDAR_TIMEZONE, self.timezone.clone());
        if self.transparent {
            let xml = "<c:transparent xmlns:c=\"urn:ietf:params:xml:ns:caldav\"/>";
            changes.push(Change::SetXml(p::TRANSPARENT, xml.to_owned()));
        }
        if !self.components.is_empty() {
            let names = self
                .components
                .iter()
                .filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-'));
            let xml: String = names
                .map(|name| {
                    format!("<c:comp xmlns:c=\"urn:ietf:params:xml:ns:caldav\" name=\"{name}\"/>")
                })
                .collect();
            changes.push(Change::SetXml(p::COMPONENTS, xml));
        }
        changes
    }
}
