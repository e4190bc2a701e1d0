//! The journal of a transfer at work: what was about to be done, and what came of it.
//!
//! An engine is a straight run of *steps*. Each step is an [`Effect`] with a name that is unique
//! within its item. Before an effect, a line says what it will be; after it, another what came of
//! it. A worker that takes over runs the engine from its beginning: steps that ended give their
//! recorded outcome at once, and one that had begun is done again, which every effect allows.
//!
//! So the state after a crash anywhere is the state of an undisturbed run, and undoing needs
//! nothing but the journal.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::effect::{Effect, Outcome, Part};
use super::site::World;
use super::{Error, Halt};
use crate::dav::client::Retry;
use crate::store::Store;
use crate::store::transfers::{Claim, Line};

/// How often a step is tried before the transfer waits longer.
const TRIES: u32 = 4;
/// The pause after the first failed try; doubled for each other.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a transfer waits once a step has failed [`TRIES`] times.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// Told of every moment at which a process may die; true to die there. Only tests set one.
pub type Fault = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What a person wants, as the heartbeat hears it.
#[derive(Debug, Default)]
pub(crate) struct Wishes(AtomicU8);

/// What is known of a step.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    Begun(Effect),
    Ended(Effect, Outcome),
}

/// What came of beginning a step.
pub(crate) enum Begun {
    /// It had ended before.
    Ended(Outcome),
    /// It is to be done.
    Doing(Box<Doing>),
}

/// A step that was begun, and may be done while others are.
pub(crate) struct Doing {
    item: u32,
    step: String,
    effect: Effect,
    again: bool,
    fault: Option<Fault>,
}

/// A step that was done, and is still to be written down.
pub(crate) struct Done {
    step: String,
    effect: Effect,
    outcome: Outcome,
}

/// The journal of one item, open for writing.
pub(crate) struct Journal {
    store: Store,
    claim: Claim,
    item: u32,
    known: HashMap<String, Known>,
    /// Steps that are being put back, or were.
    undoing: HashMap<String, String>,
    fault: Option<Fault>,
}

// === impl Wishes ===

impl Wishes {
    pub fn set(&self, wish: Option<&str>) {
        let wish = match wish {
            Some("pause") => 1,
            Some("cancel") => 2,
            _ => 0,
        };
        self.0.store(wish, Ordering::Relaxed);
    }

    pub fn halt(&self) -> Option<Halt> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Halt::Pause),
            2 => Some(Halt::Cancel),
            _ => None,
        }
    }
}

// === impl Journal ===

impl Journal {
    /// Opens the journal of an item; of the transfer itself, if it is 0.
    pub async fn open(
        store: &Store,
        claim: &Claim,
        item: u32,
        fault: Option<&Fault>,
    ) -> Result<Self, Error> {
        let lines = store.journal(&claim.id, Some(item)).await?;
        let undoing = lines.iter().filter(|line| matches!(line.phase.as_str(), "undo" | "undone"));
        Ok(Self {
            store: store.clone(),
            claim: claim.clone(),
            item,
            undoing: undoing.map(|line| (line.step.clone(), line.phase.clone())).collect(),
            known: known(&lines)?.into_iter().map(|(_, step, known)| (step, known)).collect(),
            fault: fault.cloned(),
        })
    }

    /// What a step was, if it was begun: it is what it was, whatever it would be now.
    pub fn begun(&self, step: &str) -> Option<&Effect> {
        match self.known.get(step)? {
            Known::Begun(effect) | Known::Ended(effect, _) => Some(effect),
        }
    }

    /// What came of a step, if it has ended.
    pub fn ended(&self, step: &str) -> Option<&Outcome> {
        match self.known.get(step)? {
            Known::Begun(_) => None,
            Known::Ended(_, outcome) => Some(outcome),
        }
    }

    /// Does a step, or says what came of it.
    pub async fn step(
        &mut self,
        world: &World,
        step: &str,
        effect: Effect,
    ) -> Result<Outcome, Error> {
        match self.begin(step, effect).await? {
            Begun::Ended(outcome) => Ok(outcome),
            Begun::Doing(doing) => {
                let done = doing.perform(world).await?;
                self.end(done).await
            }
        }
    }

    /// Begins a step, to be done beside others and then [ended](Journal::end).
    pub async fn begin(&mut self, step: &str, effect: Effect) -> Result<Begun, Error> {
        let (effect, again) = match self.known.get(step) {
            Some(Known::Ended(_, outcome)) => return Ok(Begun::Ended(outcome.clone())),
            Some(Known::Begun(effect)) => (effect.clone(), true),
            None => {
                self.write(step, "before", &serde_json::to_string(&effect)?).await?;
                (effect, false)
            }
        };
        let (item, step, fault) = (self.item, step.to_owned(), self.fault.clone());
        Ok(Begun::Doing(Box::new(Doing { item, step, effect, again, fault })))
    }

    /// Writes down what came of a step.
    pub async fn end(&mut self, done: Done) -> Result<Outcome, Error> {
        let Done { step, effect, outcome } = done;
        self.write(&step, "after", &serde_json::to_string(&outcome)?).await?;
        self.known.insert(step, Known::Ended(effect, outcome.clone()));
        Ok(outcome)
    }

    /// Puts a step back, once.
    pub async fn revert(
        &self,
        world: &World,
        step: &str,
        known: &Known,
        part: Part,
    ) -> Result<(), Error> {
        let name = match part {
            Part::Early => step.to_owned(),
            Part::Late => format!("{step} (late)"),
        };
        let step = name.as_str();
        let (effect, outcome) = match known {
            Known::Begun(effect) => (effect, None),
            Known::Ended(effect, outcome) => (effect, Some(outcome)),
        };
        if effect.only_looks() {
            return Ok(());
        }
        let phase = self.undoing.get(step).map(String::as_str);
        if phase == Some("undone") {
            return Ok(());
        }
        if phase.is_none() {
            self.write(step, "undo", "null").await?;
        }
        let mut pause = PAUSE;
        let mut tries = 0;
        let link = loop {
            tries += 1;
            self.may_die(step, "undoing")?;
            match effect.put_back(world, outcome, part).boxed().await {
                Ok(link) => break link,
                Err(error) => try_again(error, tries)?,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        };
        self.may_die(step, "undone")?;
        self.write(step, "undone", &serde_json::to_string(&link)?).await
    }

    async fn write(&self, step: &str, phase: &str, body: &str) -> Result<(), Error> {
        self.may_die(step, phase)?;
        self.store.write_line(&self.claim, self.item, step, phase, body).await?;
        self.may_die(step, phase)
    }

    fn may_die(&self, step: &str, moment: &str) -> Result<(), Error> {
        may_die(self.fault.as_ref(), self.item, step, moment)
    }
}

// === impl Done ===

impl Done {
    /// What came of it.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

// === impl Doing ===

impl Doing {
    /// Does it, and tries again where that may help.
    pub async fn perform(self, world: &World) -> Result<Done, Error> {
        let Doing { item, step, effect, mut again, fault } = self;
        let mut pause = PAUSE;
        let mut tries = 0;
        let outcome = loop {
            tries += 1;
            may_die(fault.as_ref(), item, &step, "effect")?;
            match effect.perform(world, again).boxed().await {
                Ok(outcome) => break outcome,
                Err(error) => try_again(error, tries)?,
            }
            again = true;
            tokio::time::sleep(pause).await;
            pause *= 2;
        };
        may_die(fault.as_ref(), item, &step, "done")?;
        Ok(Done { step, effect, outcome })
    }
}

/// Whether to try again, as the error of what comes instead.
fn try_again(error: Error, tries: u32) -> Result<(), Error> {
    if let Some((after, waits)) = error.waits() {
        return Err(Error::Later { after, why: error.to_string(), in_vain: !waits });
    }
    match error.retry() {
        Retry::Never => Err(error),
        Retry::Safe | Retry::LookFirst if tries < TRIES => Ok(()),
        Retry::Safe | Retry::LookFirst => {
            Err(Error::Later { after: LONG_PAUSE, why: error.to_string(), in_vain: true })
        }
    }
}

fn may_die(fault: Option<&Fault>, item: u32, step: &str, moment: &str) -> Result<(), Error> {
    match fault {
        Some(fault) if fault(&format!("{item}/{step}/{moment}")) => Err(Error::Killed),
        _ => Ok(()),
    }
}

/// What lines say of their steps: item, step and what is known, in the order in which they began.
pub(crate) fn known(lines: &[Line]) -> Result<Vec<(u32, String, Known)>, Error> {
    let mut steps: Vec<(u32, String, Known)> = Vec::new();
    let mut places: HashMap<(u32, &str), usize> = HashMap::new();
    for line in lines {
        match line.phase.as_str() {
            "before" => {
                let effect = serde_json::from_str(&line.body)?;
                places.insert((line.item, &line.step), steps.len());
                steps.push((line.item, line.step.clone(), Known::Begun(effect)));
            }
            "after" => {
                let place = places.get(&(line.item, line.step.as_str()));
                if let Some((.., known)) = place.and_then(|&place| steps.get_mut(place))
                    && let Known::Begun(effect) = &*known
                {
                    *known = Known::Ended(effect.clone(), serde_json::from_str(&line.body)?);
                }
            }
            _ => {}
        }
    }
    Ok(steps)
}
