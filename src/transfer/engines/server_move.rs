//! Files within one instance, without carrying a byte: the recipient makes a helper folder and
//! shares it to the source; the source moves its things into it, which makes them the recipient's;
//! the recipient moves them to where they belong. File ids, etags, versions, tags and comments
//! stay.
//!
//! Between the two moves a thing is in the recipient's home and still within reach of the source:
//! that is when its shares are settled.

use super::{Handed, Task, compare, rewrite};
use crate::transfer::Error;
use crate::transfer::effect::{Effect, Outcome, Over, Print, ShareRecord};
use crate::transfer::journal::Journal;
use crate::transfer::model::{Check, Engine, Item, Shares, words};
use crate::transfer::site::{Who, file};

/// Drops shares to the recipient, makes the helper folder and shares it.
pub(super) async fn prepare(task: &mut Task<'_>, recipient: &str) -> Result<(), Error> {
    let source = task.plan.request.source.clone();
    let noted = task.step("shares", Effect::NoteShares { who: task.source() }).await?;
    task.step("favourites", Effect::NoteFavourites { who: task.source() }).await?;
    for record in to_drop(task, recipient, &noted).await? {
        let step = format!("drop/{}", record.id);
        task.step(&step, Effect::DropShare { record, owner: source.clone() }).await?;
    }
    for record in to_leave(task, recipient).await? {
        let step = format!("leave/{}", record.id);
        task.step(&step, Effect::LeaveShare { record, who: recipient.to_owned() }).await?;
    }
    let path = helper(task.tag);
    let make =
        Effect::MakeFolder { who: Who::here(recipient), path: path.clone(), may_exist: false };
    task.step(&format!("helper/{recipient}"), make).await?;
    let share = Effect::ShareFolder { owner: recipient.to_owned(), path, with: source };
    task.step(&format!("share/{recipient}"), share).await?;
    Ok(())
}

/// Moves one thing.
pub(super) async fn hand_over(
    task: &mut Task<'_>,
    whole: &Journal,
    item: &Item,
) -> Result<Handed, Error> {
    let (source, recipient) = (task.source(), Who::here(&item.recipient));
    let mount = match whole.ended(&format!("share/{}", item.recipient)) {
        Some(Outcome::Shared { target, .. }) => target.trim_end_matches('/').to_owned(),
        _ => return Err(Error::Conflict("the helper folder is not shared".to_owned())),
    };
    let name = item.path.rsplit('/').next().unwrap_or_default();
    let helped = format!("{}/{name}", helper(task.tag));

    let before = task.look("before", source.clone(), item, &item.path, Over::Top).await?;
    folders_above(task, &recipient, &item.destination).await?;
    let moved = Effect::Move {
        who: source,
        from: item.path.clone(),
        to: format!("{mount}/{name}"),
        file_id: item.file_id,
    };
    task.step("move", moved).await?;
    let by_database = task.world.site.access.database.is_some()
        && task.plan.request.shares == Shares::Keep
        && item.file_id.is_some();
    if !by_database {
        let noted = whole.ended("shares").cloned();
        settle_shares(task, item, &helped, noted.as_ref()).await?;
    }
    let placed = Effect::Move {
        who: recipient.clone(),
        from: helped,
        to: item.destination.clone(),
        file_id: item.file_id,
    };
    task.step("place", placed).await?;
    let mut lost = Vec::new();
    if let (true, Some(file)) = (by_database, item.file_id) {
        let was = [item.path.clone(), format!("{mount}/{name}")];
        lost = rewrite::repair(task, item, file, &was).await?;
    } else if let Some(paths) = liked(whole, item) {
        task.step("favourites", Effect::Favourites { who: recipient.clone(), paths }).await?;
    }
    let check = verify(task, item, recipient, &before).await?;
    Ok(Handed { check, lost, to: None })
}

/// Where the favourites of the source in an item are now; none if there are none.
fn liked(whole: &Journal, item: &Item) -> Option<Vec<String>> {
    let Some(Outcome::Favourites { paths }) = whole.ended("favourites") else { return None };
    let here = paths.iter().filter(|path| is_below(path, &item.path));
    let paths: Vec<String> =
        here.map(|path| format!("{}{}", item.destination, &path[item.path.len()..])).collect();
    (!paths.is_empty()).then_some(paths)
}

/// Compares what was with what is. Some storages copy and give other ids: then all is listed, and
/// is as much as was planned.
async fn verify(
    task: &mut Task<'_>,
    item: &Item,
    recipient: Who,
    before: &Print,
) -> Result<Check, Error> {
    let (who, path) = (recipient.clone(), &item.destination);
    let is_same = |after: Print| compare(before, &after, Over::Top);
    let differs = match task.verify("after", who, item, path, Over::Top, is_same).await {
        Err(error @ Error::Mismatch(_)) => error,
        check => return check,
    };
    let is_as_planned = |all: Print| {
        if (all.count, all.size) != (item.count, item.size) {
            return Err(differs);
        }
        compare(&all, &all, Over::Names)
    };
    let check = task.verify("all", recipient, item, path, Over::Names, is_as_planned).await?;
    Ok(Check { over: words::CHECKED_MUCH.to_owned(), ..check })
}

/// Takes the helper folder away.
pub(super) async fn finish(task: &mut Task<'_>, recipient: &str) -> Result<(), Error> {
    let path = helper(task.tag);
    if task.journal.begun(&format!("helper/{recipient}")).is_none() {
        return Ok(());
    }
    let unshare = Effect::UnshareFolder {
        owner: recipient.to_owned(),
        path: path.clone(),
        with: task.plan.request.source.clone(),
    };
    task.step(&format!("unshare/{recipient}"), unshare).await?;
    let remove = Effect::RemoveFolder { who: Who::here(recipient), path };
    task.step(&format!("remove/{recipient}"), remove).await?;
    let look = Effect::NoteShares { who: Who::here(recipient) };
    task.step(&format!("shares-after/{recipient}"), look).await?;
    Ok(())
}

/// Removes the source's folders that were joined with ones of the recipient, if nothing is in them
/// any more and nobody has them shared.
pub(super) async fn tidy(task: &mut Task<'_>) -> Result<(), Error> {
    let moved = |path: &str| {
        let mut items = task.plan.items.iter();
        items.any(|item| item.engine == Engine::ServerMove && is_below(&item.path, path))
    };
    let mut empty: Vec<String> =
        task.plan.joined.iter().filter(|path| moved(path)).cloned().collect();
    if let Some(Outcome::Shares { shares: Some(shares) }) = task.journal.ended("shares") {
        empty.retain(|path| shares.iter().all(|share| share.path != *path));
    }
    // What lies deeper comes first.
    empty.sort_unstable();
    for path in empty.into_iter().rev() {
        let step = format!("empty{path}");
        task.step(&step, Effect::RemoveFolder { who: task.source(), path }).await?;
    }
    Ok(())
}

/// Where things stop over, below the recipient's files.
fn helper(tag: &str) -> String {
    format!("/.passeur-{tag}")
}

/// Makes the folders above a path that are not there; says whether the last of them is new.
pub(super) async fn folders_above(
    task: &mut Task<'_>,
    who: &Who,
    path: &str,
) -> Result<bool, Error> {
    let above: Vec<usize> =
        path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).collect();
    let mut is_new = false;
    for at in above {
        is_new = make_folder(task, who, &path[..at]).await?;
    }
    Ok(is_new)
}

/// Makes a folder that is not there; says whether it did. One that is there is nothing of ours, and
/// no step.
pub(super) async fn make_folder(task: &mut Task<'_>, who: &Who, path: &str) -> Result<bool, Error> {
    let step = format!("folder{path}");
    if task.journal.begun(&step).is_none() {
        let asked = [crate::nextcloud::properties::FILE_ID];
        if task.world.dav(who)?.find(&file(&who.uid, path)?, &asked).await?.is_some() {
            return Ok(false);
        }
    }
    let make = Effect::MakeFolder { who: who.clone(), path: path.to_owned(), may_exist: true };
    Ok(task.step(&step, make).await? == Outcome::Done)
}

/// Shares from the source to the recipient on what is handed over.
pub(super) async fn to_drop(
    task: &Task<'_>,
    recipient: &str,
    noted: &Outcome,
) -> Result<Vec<ShareRecord>, Error> {
    let source = task.plan.request.source.as_str();
    let all: Vec<ShareRecord> = match noted {
        Outcome::Shares { shares: Some(shares) } => shares.clone(),
        // The source is disabled: whom it shares with can still be asked.
        _ => {
            let received = task.world.ocs(&Who::here(recipient))?.shared_with_me().await?;
            received.iter().map(ShareRecord::from).collect()
        }
    };
    let known = matches!(noted, Outcome::Shares { shares: Some(_) });
    let of = |share: &ShareRecord| {
        task.plan
            .items
            .iter()
            .filter(|item| matches!(item.engine, Engine::ServerMove | Engine::Native))
            .filter(|item| item.recipient == recipient)
            .any(|item| match known {
                true => is_below(&share.path, &item.path),
                // As the recipient sees it the path says nothing, but the number does.
                false => item.file_id.is_some_and(|id| i64::try_from(id) == Ok(share.file_id)),
            })
    };
    Ok(all
        .into_iter()
        .filter(|share| share.kind == 0 && share.with == recipient && share.owner == source)
        .filter(of)
        .collect())
}

/// Shares of what is handed over that the recipient has as a member of a group, a team or a room.
/// Nextcloud asks where the new owner has a file to know where its versions go, and would be told of
/// the share: they would be lost to sight.
async fn to_leave(task: &Task<'_>, recipient: &str) -> Result<Vec<ShareRecord>, Error> {
    let source = task.plan.request.source.as_str();
    let of = |share: &ShareRecord| {
        let mut items = task.plan.items.iter();
        items.any(|item| {
            item.engine == Engine::ServerMove
                && item.recipient == recipient
                && item.file_id.is_some_and(|id| i64::try_from(id) == Ok(share.file_id))
        })
    };
    let received = task.world.ocs(&Who::here(recipient))?.shared_with_me().await?;
    let records = received.iter().map(ShareRecord::from);
    Ok(records
        .filter(|share| share.kind != 0 && share.owner == source && share.initiator != recipient)
        .filter(of)
        .collect())
}

/// Whether a path is another, or below it.
pub(crate) fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Sees to the shares of an item that lies at `helped` now, as the recipient.
pub(super) async fn settle_shares(
    task: &mut Task<'_>,
    item: &Item,
    helped: &str,
    noted: Option<&Outcome>,
) -> Result<(), Error> {
    let Some(Outcome::Shares { shares: Some(shares) }) = noted else { return Ok(()) };
    let to_keep = task.plan.request.shares;
    for record in shares.iter().filter(|share| is_below(&share.path, &item.path)) {
        if record.kind == 0 && record.with == item.recipient {
            continue;
        }
        let keep = match to_keep {
            Shares::Keep => true,
            Shares::Drop => false,
            Shares::Links => record.kind == 3,
        };
        let settle = Effect::SettleShare {
            record: record.clone(),
            from: task.plan.request.source.clone(),
            to: item.recipient.clone(),
            path: format!("{helped}{}", &record.path[item.path.len()..]),
            keep,
        };
        task.step(&format!("share/{}", record.id), settle).await?;
    }
    Ok(())
}
