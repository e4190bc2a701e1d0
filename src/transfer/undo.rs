//! Puts a transfer back, from its journal and nothing else: each effect in reverse order, written
//! down before and after, so that undoing may be interrupted, too. Shares come last: they can only
//! be the source's again once the files are.
//!
//! What cannot be put back is left as it is and named, and with it everything of its item that was
//! done before; the rest goes on.

use std::collections::BTreeMap;

use super::effect::{Effect, Part};
use super::journal::{Known, known};
use super::model::{ItemState, Plan, State};
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
    let lines = transfers.lines().journal(&claim.id, None).await?;
    let steps = known(&lines)?;
    let mut stuck: BTreeMap<u32, String> = BTreeMap::new();
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
        if stuck.contains_key(item) {
            continue;
        }
        match journal.revert(world, step, known, part).await {
            Ok(()) => {}
            Err(error) if error.stops_all() => return Err(error),
            Err(error) => {
                stuck.insert(*item, format!("{step}: {error}"));
            }
        }
    }
    for item in &plan.items {
        let touched = steps.iter().any(|(of, ..)| *of == item.id);
        let (state, error) = match (stuck.get(&item.id), touched) {
            (Some(why), _) => (ItemState::Kept, Some(why.as_str())),
            (None, true) => (ItemState::Undone, None),
            (None, false) => continue,
        };
        transfers.set(claim, item, state, None, error).await?;
    }
    match stuck.values().next() {
        None => Ok(State::Undone),
        Some(why) => Err(Error::Conflict(why.clone())),
    }
}

fn effect(known: &Known) -> &Effect {
    match known {
        Known::Begun(effect) | Known::Ended(effect, _) => effect,
    }
}
