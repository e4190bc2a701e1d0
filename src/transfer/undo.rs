//! Puts a transfer back, from its journal and nothing else: each effect in reverse order, written
//! down before and after, so that undoing may be interrupted, too. Shares come last: they can only
//! be the source's again once the files are.
//!
//! What cannot be put back is left as it is and named, and with it everything of its item that was
//! done before; the rest goes on.

use std::collections::BTreeMap;

use super::effect::{Effect, Part};
use super::journal::{Known, known};
use super::model::{Engine, ItemState, Plan, State};
use super::site::World;
use super::{Error, Transfers};
use crate::store::transfers::Claim;

/// Undoes what the journal says was done.
pub(super) async fn undo(
    transfers: &Transfers,
    claim: &Claim,
    world: &World,
    plan: &Plan,
) -> Result<State, Error> {
    let stuck = put_back(transfers, claim, world, |_| true).await?;
    say(transfers, claim, plan, &stuck, |_| true).await?;
    match stuck.values().flatten().next() {
        None => Ok(State::Undone),
        Some(why) => Err(Error::Conflict(why.clone())),
    }
}

/// Puts back what a cancelled transfer had begun of an item and not ended, so that nothing is half
/// here and half there. Copies are left: all of what they are of is where it was. So is what the instance does by itself.
pub(super) async fn halves(
    transfers: &Transfers,
    claim: &Claim,
    world: &World,
    plan: &Plan,
) -> Result<(), Error> {
    let rows = transfers.lines().transfer_items(&claim.id).await?;
    let half = |item: u32| {
        let of = plan.items.iter().find(|one| one.id == item);
        let row = rows.iter().find(|row| row.item == item);
        of.is_some_and(|one| !matches!(one.engine, Engine::Stream | Engine::Native))
            && row.is_some_and(|row| row.state != ItemState::Done.word())
    };
    let stuck = put_back(transfers, claim, world, half).await?;
    say(transfers, claim, plan, &stuck, half).await
}

/// Puts back what the journal says was done of some items. Says of each that it had something to
/// be put back of, and why it could not be.
async fn put_back(
    transfers: &Transfers,
    claim: &Claim,
    world: &World,
    of: impl Fn(u32) -> bool,
) -> Result<BTreeMap<u32, Option<String>>, Error> {
    let lines = transfers.lines().journal(&claim.id, None).await?;
    let steps = known(&lines)?;
    let touched = steps.iter().map(|(item, ..)| *item).filter(|item| of(*item));
    let mut stuck: BTreeMap<u32, Option<String>> = touched.map(|item| (item, None)).collect();
    let mut ways: Vec<(&(u32, String, Known), Part)> = Vec::new();
    for part in [Part::Early, Part::Late] {
        let of = steps.iter().rev().filter(|(.., known)| effect(known).parts().contains(&part));
        ways.extend(of.map(|step| (step, part)));
    }
    let mut journals = BTreeMap::new();
    for ((item, step, known), part) in ways {
        if !journals.contains_key(item) {
            journals.insert(*item, transfers.journal_of(claim, *item).await?);
        }
        let Some(journal) = journals.get(item) else { continue };
        if !matches!(stuck.get(item), Some(None)) {
            continue;
        }
        // What is stuck may lie in the helper folder: it stays within reach, for another try.
        if is_helper(*item, effect(known)) && stuck.values().any(Option::is_some) {
            continue;
        }
        match journal.revert(world, step, known, part).await {
            Ok(()) => {}
            Err(error) if error.stops_all() => return Err(error),
            Err(error) => {
                stuck.insert(*item, Some(format!("{step}: {error}")));
            }
        }
    }
    Ok(stuck)
}

/// Writes down what became of items.
async fn say(
    transfers: &Transfers,
    claim: &Claim,
    plan: &Plan,
    stuck: &BTreeMap<u32, Option<String>>,
    of: impl Fn(u32) -> bool,
) -> Result<(), Error> {
    for item in plan.items.iter().filter(|item| of(item.id)) {
        let (state, error) = match stuck.get(&item.id) {
            Some(Some(why)) => (ItemState::Kept, Some(why.as_str())),
            Some(None) => (ItemState::Undone, None),
            None => continue,
        };
        transfers.set(claim, item, state, None, error).await?;
    }
    Ok(())
}

/// Whether a step of the transfer itself made the way that items take.
fn is_helper(item: u32, effect: &Effect) -> bool {
    item == 0 && matches!(effect, Effect::MakeFolder { .. } | Effect::ShareFolder { .. })
}

fn effect(known: &Known) -> &Effect {
    match known {
        Known::Begun(effect) | Known::Ended(effect, _) => effect,
    }
}
