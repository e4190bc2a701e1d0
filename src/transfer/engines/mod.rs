//! The ways to hand an item over. Each is a straight run of steps in the [`Journal`]; whatever is
//! interrupted is run again from the beginning, and picks up where it was.

mod app;
mod incoming;
mod meetings;
mod native;
mod object_move;
mod rewrite;
mod server_move;
mod stream;

pub(crate) use server_move::is_below;

use super::effect::{Effect, Outcome, Over, Print};
use super::journal::{Begun, Journal, Wishes};
use super::model::{After, Check, Engine, Item, Plan, words};
use super::site::{Who, World};
use super::{Error, Halt};

/// An item, or the transfer itself, at work.
pub(crate) struct Task<'a> {
    pub world: &'a World,
    pub plan: &'a Plan,
    pub journal: Journal,
    pub wishes: &'a Wishes,
    /// Tells this transfer's helpers from others'.
    pub tag: &'a str,
}

/// What came of an item.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Handed {
    pub check: Check,
    /// What the plan did not say.
    pub lost: Vec<String>,
    /// Where it ended, if not where the plan said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What has to be there before the first item of an engine.
pub(crate) async fn prepare(task: &mut Task<'_>) -> Result<(), Error> {
    for recipient in recipients(task.plan, Engine::ServerMove) {
        server_move::prepare(task, &recipient).await?;
    }
    for recipient in recipients(task.plan, Engine::Native) {
        native::prepare(task, &recipient).await?;
    }
    incoming::reshare(task).await
}

/// Hands one item over, and compares. `whole` is the journal of the transfer itself.
pub(crate) async fn hand_over(
    task: &mut Task<'_>,
    whole: &Journal,
    item: &Item,
) -> Result<Handed, Error> {
    match item.engine {
        Engine::ServerMove => server_move::hand_over(task, whole, item).await,
        Engine::ObjectMove => object_move::hand_over(task, item).await,
        Engine::Stream => stream::hand_over(task, item).await,
        Engine::Rewrite => rewrite::hand_over(task, item).await,
        Engine::Native => native::hand_over(task, whole, item).await,
        Engine::App => app::hand_over(task, item).await,
    }
}

/// What an item has set going, and nobody wants any more.
pub(crate) async fn let_go(task: &mut Task<'_>, item: &Item) -> Result<(), Error> {
    match item.engine {
        Engine::Native => native::withdraw(task, item).await,
        _ => Ok(()),
    }
}

/// What has to go after the last item, however it ended.
pub(crate) async fn finish(task: &mut Task<'_>) -> Result<(), Error> {
    for recipient in recipients(task.plan, Engine::ServerMove) {
        server_move::finish(task, &recipient).await?;
    }
    if task.wishes.halt() == Some(Halt::Cancel) {
        for recipient in recipients(task.plan, Engine::Native) {
            native::finish(task, &recipient).await?;
        }
    }
    Ok(())
}

/// What comes once all has been handed over.
pub(crate) async fn close(task: &mut Task<'_>) -> Result<(), Error> {
    if task.plan.request.target.is_none() {
        server_move::tidy(task).await?;
    }
    if task.plan.request.after != After::Disable {
        return Ok(());
    }
    let uid = task.plan.request.source.clone();
    let effect = match task.journal.begun("disable") {
        Some(begun) => begun.clone(),
        None if task.world.confirmed().is_some() => Effect::Disable { uid, record: None },
        None => {
            let database = task.world.database().await?;
            let prepared = database.prepare_disabled(&uid).await;
            database.close().await;
            Effect::Disable { uid, record: Some(prepared?.record) }
        }
    };
    task.step("disable", effect).await.map(drop)
}

/// Who receives by an engine.
fn recipients(plan: &Plan, engine: Engine) -> Vec<String> {
    let by = plan.items.iter().filter(|item| item.engine == engine);
    let mut all: Vec<String> = by.map(|item| item.recipient.clone()).collect();
    all.sort();
    all.dedup();
    all
}

// === impl Task ===

impl<'a> Task<'a> {
    /// Does a step.
    pub async fn step(&mut self, step: &str, effect: Effect) -> Result<Outcome, Error> {
        self.may_go_on(step)?;
        self.journal.step(self.world, step, effect).await
    }

    /// Looks at something; what it looked like is remembered.
    pub async fn look(
        &mut self,
        step: &str,
        who: Who,
        item: &Item,
        path: &str,
        over: Over,
    ) -> Result<Print, Error> {
        let look = Effect::Look { who, kind: item.kind, path: path.to_owned(), over };
        looked(&self.step(step, look).await?)
    }

    /// Looks at what has become of something, and asks whether it is right. It is remembered only
    /// then, so that what was put right by hand is seen when a failed item is tried again.
    pub async fn verify<T>(
        &mut self,
        step: &str,
        who: Who,
        item: &Item,
        path: &str,
        over: Over,
        is_right: impl FnOnce(Print) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.may_go_on(step)?;
        let look = Effect::Look { who, kind: item.kind, path: path.to_owned(), over };
        match self.journal.begin(step, look).await? {
            Begun::Ended(outcome) => is_right(looked(&outcome)?),
            Begun::Doing(doing) => {
                let done = doing.perform(self.world).await?;
                let verdict = is_right(looked(done.outcome())?)?;
                self.journal.end(done).await?;
                Ok(verdict)
            }
        }
    }

    fn may_go_on(&self, step: &str) -> Result<(), Error> {
        if self.wishes.halt() == Some(Halt::Pause) && self.journal.begun(step).is_none() {
            return Err(Error::Halted(Halt::Pause));
        }
        Ok(())
    }

    /// The source.
    pub fn source(&self) -> Who {
        Who::here(&self.plan.request.source)
    }
}

fn looked(outcome: &Outcome) -> Result<Print, Error> {
    match outcome {
        Outcome::Looked(print) => Ok(print.clone()),
        _ => Err(Error::Conflict("the journal is not of this version".to_owned())),
    }
}

/// Compares what was with what is.
fn compare(before: &Print, after: &Print, over: Over) -> Result<Check, Error> {
    let check = Check {
        count_before: before.count,
        count_after: after.count,
        size_before: before.size,
        size_after: after.size,
        digest_before: before.digest.clone(),
        digest_after: after.digest.clone(),
        over: match over {
            Over::Top => words::CHECKED_TOP.to_owned(),
            Over::Ids => "names, ids, sizes and etags".to_owned(),
            Over::Names => "names and sizes".to_owned(),
        },
    };
    if before.digest == after.digest && before.count == after.count {
        return Ok(check);
    }
    Err(Error::Mismatch(format!(
        "{} objects of {} bytes are there where {} of {} were, or they differ",
        after.count, after.size, before.count, before.size
    )))
}
