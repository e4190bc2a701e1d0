//! Calendars and address books within one instance: the recipient makes a fresh collection and
//! shares it to the source; the source moves each object into it. Rows, etags, reminders and
//! private events stay, and nobody is mailed. What cannot be moved is made again: the shares and
//! the public link of the collection.
//!
//! The source keeps the empty collection with its old link, so that undoing brings the link back.

use super::{Handed, Task, compare, meetings};
use crate::nextcloud::inventory;
use crate::transfer::Error;
use crate::transfer::effect::{Effect, Looks, Over, collection, names};
use crate::transfer::model::{Item, Kind, Shares};
use crate::transfer::site::Who;

/// Objects in one step.
const BATCH: usize = 100;

/// Hands a collection over.
pub(super) async fn hand_over(task: &mut Task<'_>, item: &Item) -> Result<Handed, Error> {
    let (source, recipient) = (task.source(), Who::here(&item.recipient));
    let before = task.look("before", source.clone(), item, &item.path, Over::Ids).await?;
    let found = describe(task, item).await?;
    let make = Effect::MakeCollection {
        who: recipient.clone(),
        kind: item.kind,
        uri: item.destination.clone(),
        looks: found.looks.clone(),
    };
    task.step("make", make).await?;
    let to_source = format!("principals/users/{}", source.uid);
    task.step("share", share(item, &recipient, &item.destination, &to_source, true)).await?;
    let own = format!("principals/users/{}", item.recipient);
    let invited = found.invited.iter().find(|(one, _)| *one == own).map(|(_, write)| *write);
    move_objects(task, item, invited).await?;
    task.step("unshare", unshare(item, &recipient, &item.destination, &to_source, true)).await?;
    invite(task, item, &found).await?;
    if found.link && task.plan.request.shares != Shares::Drop {
        let publish = Effect::Publish { owner: recipient.clone(), uri: item.destination.clone() };
        task.step("publish", publish).await?;
    }
    let is_right = |after: super::Print| compare(&before, &after, Over::Ids);
    let check =
        task.verify("after", recipient, item, &item.destination, Over::Ids, is_right).await?;
    meetings::rehome(task, item, &item.destination).await?;
    Ok(Handed { check, lost: Vec::new(), to: None })
}

/// What a collection is besides its objects.
pub(super) struct Found {
    pub looks: Looks,
    /// Principals, and whether they may write.
    pub invited: Vec<(String, bool)>,
    pub link: bool,
}

/// Looks at the source's collection. It stays as it is until its objects are gone, but for its
/// shares, which have steps of their own.
pub(super) async fn describe(task: &Task<'_>, item: &Item) -> Result<Found, Error> {
    let source = task.source();
    let client = task.world.dav(&source)?;
    let gone = || Error::Conflict(format!("{:?} is gone", item.path));
    if item.kind == Kind::AddressBook {
        let books = inventory::books(&client, &source.uid).await?;
        let book = books.into_iter().find(|book| book.uri == item.path).ok_or_else(gone)?;
        let looks = Looks { name: book.name, description: book.description, ..Looks::default() };
        let invited = book.invitees.iter().map(|one| (one.principal.to_string(), one.may_write));
        return Ok(Found { looks, invited: invited.collect(), link: false });
    }
    let calendars = inventory::calendars(&client, &source.uid).await?;
    let calendar = calendars.into_iter().find(|one| one.uri == item.path).ok_or_else(gone)?;
    let invited = calendar.invitees.iter().map(|one| (one.principal.to_string(), one.may_write));
    Ok(Found {
        invited: invited.collect(),
        link: calendar.link.is_some(),
        looks: Looks {
            name: calendar.name,
            description: calendar.description,
            color: calendar.color,
            order: calendar.order,
            timezone: calendar.timezone,
            components: calendar.components,
            transparent: calendar.transparent,
        },
    })
}

async fn move_objects(
    task: &mut Task<'_>,
    item: &Item,
    invited: Option<bool>,
) -> Result<(), Error> {
    let source = task.source();
    let batch = |names: &[String]| Effect::MoveObjects {
        who: source.clone(),
        kind: item.kind,
        from: item.path.clone(),
        recipient: item.recipient.clone(),
        to: item.destination.clone(),
        names: names.to_vec(),
        invited,
    };
    let mut number = 0;
    while let Some(begun) = task.journal.begun(&format!("objects/{number}")).cloned() {
        task.step(&format!("objects/{number}"), begun).await?;
        number += 1;
    }
    // What is left of it; all of it, at first.
    let names = objects(task, &source, item.kind, &item.path).await?;
    for names in names.chunks(BATCH) {
        task.step(&format!("objects/{number}"), batch(names)).await?;
        number += 1;
    }
    Ok(())
}

/// The names of the objects in a collection.
pub(super) async fn objects(
    task: &Task<'_>,
    who: &Who,
    kind: Kind,
    uri: &str,
) -> Result<Vec<String>, Error> {
    let (client, path) = (task.world.dav(who)?, collection(kind, &who.uid, uri)?);
    let mut names: Vec<String> = names(&client, &path).await?.into_iter().collect();
    names.sort_unstable();
    Ok(names)
}

/// Invites those whom the source had invited, and takes the empty collection from them.
async fn invite(task: &mut Task<'_>, item: &Item, found: &Found) -> Result<(), Error> {
    let (source, recipient) = (task.source(), Who::here(&item.recipient));
    let own = format!("principals/users/{}", item.recipient);
    for (principal, write) in found.invited.clone() {
        if task.plan.request.shares == Shares::Keep && principal != own {
            let again = share(item, &recipient, &item.destination, &principal, write);
            task.step(&format!("invite/{principal}"), again).await?;
        }
        let end = unshare(item, &source, &item.path, &principal, write);
        task.step(&format!("disinvite/{principal}"), end).await?;
    }
    Ok(())
}

fn share(item: &Item, owner: &Who, uri: &str, principal: &str, write: bool) -> Effect {
    let (owner, uri, principal) = (owner.clone(), uri.to_owned(), principal.to_owned());
    Effect::ShareCollection { owner, kind: item.kind, uri, principal, write }
}

fn unshare(item: &Item, owner: &Who, uri: &str, principal: &str, write: bool) -> Effect {
    let (owner, uri, principal) = (owner.clone(), uri.to_owned(), principal.to_owned());
    Effect::UnshareCollection { owner, kind: item.kind, uri, principal, write }
}
