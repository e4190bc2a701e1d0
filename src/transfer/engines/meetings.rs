//! Meetings to come: the recipient becomes their organiser, where that was asked for. It comes last,
//! when the calendar was compared, and is put back first.

use super::Task;
use crate::nextcloud::inventory;
use crate::transfer::Error;
use crate::transfer::effect::{Effect, collection, read_object};
use crate::transfer::model::{Item, Kind, Meetings};
use crate::transfer::site::Who;

/// Meetings looked at in one calendar.
const MOST: usize = 10_000;

/// Gives the meetings in the recipient's calendar `uri` a new organiser.
pub(super) async fn rehome(task: &mut Task<'_>, item: &Item, uri: &str) -> Result<(), Error> {
    if item.kind != Kind::Calendar || task.plan.request.meetings != Meetings::Rehome {
        return Ok(());
    }
    let recipient = Who::here(&item.recipient);
    let mut number = 0;
    while let Some(begun) = task.journal.begun(&format!("meeting/{number}")).cloned() {
        task.step(&format!("meeting/{number}"), begun).await?;
        number += 1;
    }
    let source = task.source();
    let own = inventory::addresses(&task.world.dav(&source)?, &source.uid).await?;
    let client = task.world.dav(&recipient)?;
    let theirs = inventory::addresses(&client, &recipient.uid).await?;
    let address = theirs.iter().find(|one| one.starts_with("mailto:"));
    let address = address.ok_or_else(|| {
        Error::Conflict(format!("{:?} has no mail address to organise by", recipient.uid))
    })?;
    let name = task.world.ocs(&recipient)?.me().await?.display_name;
    let path = collection(Kind::Calendar, &recipient.uid, uri)?;
    let now = crate::store::now() / 1000;
    let (meetings, _) = inventory::future_meetings(&client, &path, &own, now, MOST).await?;
    for meeting in meetings {
        let Some(object) = meeting.path.name() else { continue };
        let (old, _) = read_object(&client, &path.join(object)?).await?;
        let Some(new) = inventory::rehomed(&old, &own, address, &name) else { continue };
        let (uri, object) = (uri.to_owned(), object.to_owned());
        let rehome = Effect::Rehome { who: recipient.clone(), uri, object, old, new };
        task.step(&format!("meeting/{number}"), rehome).await?;
        number += 1;
    }
    Ok(())
}
