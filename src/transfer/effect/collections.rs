//! Effects on calendars and address books.

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::{Error, Kind, Outcome, Who, World};
use crate::dav::client::{Change, Client, Overwrite, Path, Property, Trash};
use crate::nextcloud::collections::{self, Right};
use crate::nextcloud::properties as p;
use crate::nextcloud::{addressbooks, calendars};

/// Objects moved at a time: more would only wait for the instance's database.
const AT_ONCE: usize = 3;

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

/// Moves objects into a collection of `owner`, shared to who moves; those that were moved already
/// are left.
pub(super) async fn move_objects(
    world: &World,
    (who, owner): (&Who, &Who),
    kind: Kind,
    (from, to): (&str, &str),
    names: &[String],
) -> Result<Outcome, Error> {
    let there = format!("{to}_shared_by_{}", owner.uid);
    let from = &collection(kind, &who.uid, from)?;
    let there = &collection(kind, &who.uid, &there)?;
    let mover = &world.dav(who)?;
    // Private events are seen by nobody but the owner, so that only the owner can say what is there.
    let (keeper, kept) = (&world.dav(owner)?, &collection(kind, &owner.uid, to)?);
    let moves: Vec<BoxFuture<'_, Result<(), Error>>> = names
        .iter()
        .map(|name| move_object(mover, (from, there), (keeper, kept), name).boxed())
        .collect();
    futures_util::stream::iter(moves).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
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
    move_objects(world, (&Who::here(recipient), source), kind, (to, from), names).await?;
    match invited {
        Some(write) => share(world, source, kind, from, &principal, write).await.map(drop),
        None => unshare(world, source, kind, from, &principal).await.map(drop),
    }
}

async fn move_object(
    mover: &Client,
    (from, to): (&Path, &Path),
    (keeper, kept): (&Client, &Path),
    name: &str,
) -> Result<(), Error> {
    let (from, to) = (&from.join(name)?, &to.join(name)?);
    let Err(refused) = mover.move_to(from, to, Overwrite::No).await else { return Ok(()) };
    let lost = match refused.status().map(|status| status.as_u16()) {
        None | Some(404 | 408 | 412 | 500..) => true,
        Some(_) => false,
    };
    let moved = lost
        && mover.find(from, &[p::ETAG]).await?.is_none()
        && keeper.find(&kept.join(name)?, &[p::ETAG]).await?.is_some();
    if moved { Ok(()) } else { Err(refused.into()) }
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
