//! Files by the instance's own transfer, where a person asked for it: each is offered by the source
//! and accepted by the recipient, and the instance's background jobs carry it out. File ids and all
//! shares stay; versions do not.
//!
//! Everything is offered before the first item is waited for, so that one run of the background
//! jobs is enough. Release 34.0.1 breaks a share with the recipient silently: such shares are ended
//! before (and are put back by undoing), what others share with the source is never offered, since
//! folders in which something like that lies are taken apart by the plan, and every share is looked
//! at afterwards as the recipient.

use std::collections::HashSet;

use super::{Handed, Task, compare, server_move};
use crate::transfer::Error;
use crate::transfer::effect::{Effect, Handing, Outcome, Over};
use crate::transfer::journal::Journal;
use crate::transfer::model::{Engine, Item};
use crate::transfer::site::Who;

/// How long the instance has to run its background jobs, seconds.
const PATIENCE: i64 = 24 * 3600;

/// Offers everything that can be under way at a time, and accepts.
pub(super) async fn prepare(task: &mut Task<'_>, recipient: &str) -> Result<(), Error> {
    let noted = task.step("shares", Effect::NoteShares { who: task.source() }).await?;
    for record in server_move::to_drop(task, recipient, &noted).await? {
        let (step, owner) = (format!("drop/{}", record.id), task.plan.request.source.clone());
        task.step(&step, Effect::DropShare { record, owner }).await?;
    }
    let mut names = HashSet::new();
    let mut offered = Vec::new();
    for item in items(task, recipient) {
        // The instance puts what it does within one second into one folder, over what is there.
        if names.insert(name(&item).to_lowercase()) {
            offered.push(offer(task, &item, &offered).await?);
        }
    }
    Ok(())
}

/// What is handed over, and the number of its offer.
type Offered = (Handing, String);

/// Offers one thing, and accepts.
async fn offer(task: &mut Task<'_>, item: &Item, earlier: &[Offered]) -> Result<Offered, Error> {
    let step = format!("offer/{}", item.id);
    let handing = match task.journal.begun(&step) {
        Some(Effect::Offer { handing }) => handing.clone(),
        _ => {
            let file_id = item.file_id.ok_or_else(|| {
                Error::Conflict(format!("{:?} has no number by which to find it", item.path))
            })?;
            // What it is before it leaves.
            let before = format!("before/{}", item.id);
            task.look(&before, task.source(), item, &item.path, Over::Ids).await?;
            let who = (task.plan.request.source.as_str(), item.recipient.as_str());
            let helper = format!("/.passeur-{}-{}", task.tag, item.id);
            let (handings, own): (Vec<_>, Vec<_>) = earlier.iter().cloned().unzip();
            let what = (item.path.as_str(), file_id);
            Handing::note(task.world, who, what, helper, &handings, own).await?
        }
    };
    let outcome = task.step(&step, Effect::Offer { handing: handing.clone() }).await?;
    let Outcome::Offered { id: offer } = outcome else { return Err(other_version()) };
    let accept = Effect::Accept { handing: handing.clone(), offer: offer.clone() };
    task.step(&format!("accept/{}", item.id), accept).await?;
    Ok((handing, offer))
}

/// Waits for one thing, and puts it where it belongs. `whole` is the journal of the transfer itself.
pub(super) async fn hand_over(
    task: &mut Task<'_>,
    whole: &Journal,
    item: &Item,
) -> Result<Handed, Error> {
    let (accept, before) = (format!("accept/{}", item.id), format!("before/{}", item.id));
    let (handing, offer) = match whole.begun(&accept) {
        Some(Effect::Accept { handing, offer }) => (handing.clone(), offer.clone()),
        // Another of its name went before.
        _ => {
            let accepts = (1..item.id).filter_map(|id| whole.begun(&format!("accept/{id}")));
            let earlier = accepts.filter_map(|accept| match accept {
                Effect::Accept { handing, offer } => Some((handing.clone(), offer.clone())),
                _ => None,
            });
            self::offer(task, item, &earlier.collect::<Vec<_>>()).await?
        }
    };
    let before = whole.ended(&before).or_else(|| task.journal.ended(&before)).cloned();
    let Some(Outcome::Looked(before)) = before else { return Err(other_version()) };
    let arrive = match task.journal.begun("arrive") {
        Some(begun) => begun.clone(),
        None => Effect::Arrive { handing, offer, until: crate::store::now() / 1000 + PATIENCE },
    };
    let Outcome::Arrived { at } = task.step("arrive", arrive).await? else {
        return Err(other_version());
    };
    let recipient = Who::here(&item.recipient);
    server_move::folders_above(task, &recipient, &item.destination).await?;
    let place = Effect::Move {
        who: recipient.clone(),
        from: at.clone(),
        to: item.destination.clone(),
        file_id: item.file_id,
    };
    task.step("place", place).await?;
    if let Some((folder, _)) = at.rsplit_once('/') {
        let remove = Effect::RemoveFolder { who: recipient.clone(), path: folder.to_owned() };
        task.step("remove", remove).await?;
    }
    server_move::settle_shares(task, item, &item.destination, whole.ended("shares")).await?;
    if !before.favourites.is_empty() {
        let paths = before.favourites.iter().map(|below| match below.as_str() {
            "" => item.destination.clone(),
            below => format!("{}/{below}", item.destination),
        });
        let mark = Effect::Favourites { who: recipient.clone(), paths: paths.collect() };
        task.step("favourites", mark).await?;
    }
    let is_right = |after: super::Print| compare(&before, &after, Over::Ids);
    let check =
        task.verify("after", recipient, item, &item.destination, Over::Ids, is_right).await?;
    Ok(Handed { check, lost: Vec::new(), to: None })
}

/// Takes back what was offered and not carried out, where a person does not want to go on.
pub(super) async fn finish(task: &mut Task<'_>, recipient: &str) -> Result<(), Error> {
    for item in items(task, recipient) {
        withdraw(task, &item).await?;
    }
    Ok(())
}

/// Takes back an offer of one thing, if this journal has one.
pub(super) async fn withdraw(task: &mut Task<'_>, item: &Item) -> Result<(), Error> {
    if let Some(Effect::Accept { handing, offer }) =
        task.journal.begun(&format!("accept/{}", item.id)).cloned()
    {
        let withdraw = Effect::Withdraw { recipient: handing.recipient, offer };
        task.step(&format!("withdraw/{}", item.id), withdraw).await?;
    }
    Ok(())
}

fn name(item: &Item) -> &str {
    item.path.rsplit('/').next().unwrap_or_default()
}

fn other_version() -> Error {
    Error::Conflict("the journal is not of this version".to_owned())
}

fn items(task: &Task<'_>, recipient: &str) -> Vec<Item> {
    let of = |item: &&Item| item.engine == Engine::Native && item.recipient == recipient;
    task.plan.items.iter().filter(of).cloned().collect()
}
