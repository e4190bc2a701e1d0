//! Things of other apps (Deck, Tables, Forms, Polls): one call of the app, checked before and after.

use super::{Handed, Task};
use crate::transfer::Error;
use crate::transfer::effect::Effect;
use crate::transfer::model::{Check, Item, words};

/// Hands one thing over.
pub(super) async fn hand_over(task: &mut Task<'_>, item: &Item) -> Result<Handed, Error> {
    let id = item.path.parse().map_err(|_| {
        Error::Conflict(format!("{:?} is no number of a thing of an app", item.path))
    })?;
    let (from, to) = (task.plan.request.source.clone(), item.recipient.clone());
    task.step("give", Effect::Give { kind: item.kind, id, from, to }).await?;
    // The step itself asked who owns it now.
    let check = Check {
        count_before: item.count,
        count_after: item.count,
        size_before: 0,
        size_after: 0,
        digest_before: item.path.clone(),
        digest_after: item.path.clone(),
        over: words::CHECKED_OWNER.to_owned(),
    };
    Ok(Handed { check, lost: Vec::new(), to: None })
}
