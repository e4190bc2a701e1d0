//! With the site's database at hand: owners are changed where they stand, in one transaction, so
//! that everything stays: shares, links, sync tokens, deleted objects. Ten thousand events cost as
//! much as one.

use super::{Handed, Task, compare, meetings};
use crate::nextcloud::db::{Collection, Handover, Moved, Remark, Root};
use crate::transfer::Error;
use crate::transfer::effect::{Effect, Over};
use crate::transfer::model::{Item, Kind};
use crate::transfer::site::Who;

/// Hands a collection over.
pub(super) async fn hand_over(task: &mut Task<'_>, item: &Item) -> Result<Handed, Error> {
    let before = task.look("before", task.source(), item, &item.path, Over::Ids).await?;
    let wanted = Collection {
        from: task.plan.request.source.clone(),
        to: item.recipient.clone(),
        uri: item.path.clone(),
        name: None,
    };
    let mut lost = Vec::new();
    let effect = match task.journal.begun("rewrite") {
        Some(begun) => begun.clone(),
        None => {
            let database = task.world.database().await?;
            let prepared = match item.kind {
                Kind::AddressBook => database.prepare_address_book(&wanted).await,
                _ => database.prepare_calendar(&wanted).await,
            };
            database.close().await;
            let Handover { record, remarks, .. } = prepared?;
            lost = remarks.iter().map(say).collect();
            Effect::Rewrite { record }
        }
    };
    let uri = uri_of(&effect).unwrap_or_else(|| item.destination.clone());
    task.step("rewrite", effect).await?;
    let recipient = Who::here(&item.recipient);
    let is_right = |after: super::Print| compare(&before, &after, Over::Ids);
    let check = task.verify("after", recipient, item, &uri, Over::Ids, is_right).await?;
    meetings::rehome(task, item, &uri).await?;
    Ok(Handed { check, lost, to: Some(uri) })
}

/// The last part of the new address, as the record has it.
fn uri_of(effect: &Effect) -> Option<String> {
    use crate::nextcloud::db::{Change, Table};
    let Effect::Rewrite { record } = effect else { return None };
    record.changes.iter().find_map(|change| match change {
        Change::Update { table: Table::Calendars | Table::Addressbooks, after, .. } => {
            after.get("uri").cloned().flatten()
        }
        _ => None,
    })
}

/// Gives the shares of a moved file or folder to its new owner, with favourites and properties.
/// Says what a person should know.
pub(super) async fn repair(
    task: &mut Task<'_>,
    item: &Item,
    file: u64,
    was: &[String],
) -> Result<Vec<String>, Error> {
    let moved = Moved {
        from: task.plan.request.source.clone(),
        to: item.recipient.clone(),
        roots: vec![Root {
            file: i64::try_from(file).unwrap_or(i64::MAX),
            was: was.iter().map(|path| path.trim_matches('/').to_owned()).collect(),
        }],
    };
    let mut told = Vec::new();
    for step in ["owners", "personal"] {
        let effect = match task.journal.begun(step) {
            Some(begun) => begun.clone(),
            None => {
                let database = task.world.database().await?;
                let prepared = match step {
                    "owners" => database.prepare_shares(&moved).await,
                    _ => database.prepare_personal(&moved).await,
                };
                database.close().await;
                let Handover { record, remarks, .. } = prepared?;
                told.extend(remarks.iter().map(say));
                Effect::Rewrite { record }
            }
        };
        task.step(step, effect).await?;
    }
    Ok(told)
}

fn say(remark: &Remark) -> String {
    match remark {
        Remark::AppointmentPages { count } => {
            format!(
                "{count} pages for appointments of the source point at a calendar that went away"
            )
        }
        Remark::Birthdays { account, .. } => format!(
            "birthdays in the calendar of {account:?} follow after `occ dav:sync-birthday-calendar`"
        ),
        Remark::DefaultCalendar => {
            "it was where invitations of the source went: Nextcloud picks another".to_owned()
        }
        Remark::ForeignShare { share, owner } => {
            format!("share {share} belongs to {owner:?} and was left alone")
        }
        Remark::Invitations { count } => {
            format!("{count} links in invitations by mail do not work any more")
        }
        Remark::OwnView { count } => {
            format!("{count} settings that the recipient had for it as a shared one")
        }
        Remark::Renamed { uri } => format!("its address ends with {uri:?} now"),
        Remark::NewAddress { principals } => {
            format!("{} accounts or groups see it at a new address", principals.len())
        }
        Remark::ShareAgain { principals } => {
            format!("share it again with those on other servers: {}", principals.join(", "))
        }
        Remark::StillSees { principals } => {
            format!("the source still sees it, as a member of {}", principals.join(", "))
        }
    }
}
