//! The receipt of a transfer: what was handed over, compared, kept, made again and lost; as data,
//! and as a page to print.

use super::effect::{Effect, Outcome};
use super::engines::Handed;
use super::journal::{Known, known};
use super::model::{
    Item, ItemReceipt, ItemState, LinkChange, Plan, Receipt, ShareKind, ShareOutcome, ShareReceipt,
    State, words,
};
use super::plan::stamp;
use super::{Error, state_of};
use crate::store::transfers::{ItemRow, Line, TransferRow};
use crate::store::{self, Store};

/// Puts a receipt together from the plan and the journal.
pub(super) async fn make(store: &Store, row: &TransferRow) -> Result<Receipt, Error> {
    let plan: Plan = serde_json::from_str(&row.plan)?;
    let lines = store.journal(&row.id, None).await?;
    let steps = known(&lines)?;
    let rows = store.transfer_items(&row.id).await?;
    let mut items = Vec::with_capacity(rows.len());
    for (item, row) in plan.items.iter().zip(&rows) {
        let of: Vec<&(u32, String, Known)> =
            steps.iter().filter(|(number, ..)| *number == item.id).collect();
        let mut receipt = item_receipt(item, row, &of)?;
        links_again(&mut receipt, &of, &lines)?;
        items.push(receipt);
    }
    let mut notes: Vec<String> = row.note.iter().cloned().collect();
    notes.extend(gone(&steps));
    notes.extend(plan.excluded.iter().map(|stays| format!("{}: {}", stays.path, stays.reason)));
    Ok(Receipt {
        id: row.id.parse().map_err(|_| store::Error::Row("transfer"))?,
        site: row.site.clone(),
        source: plan.request.source.clone(),
        state: state_of(row)?,
        by: row.by.clone(),
        approved_by: row.approved_by.clone(),
        created_at: stamp(row.created_at / 1000),
        ended_at: row.ended_at.map(|at| stamp(at / 1000)),
        undo_until: row.undo_until.map(|at| stamp(at / 1000)),
        plan: plan.hash,
        items,
        notes,
    })
}

fn item_receipt(
    item: &Item,
    row: &ItemRow,
    steps: &[&(u32, String, Known)],
) -> Result<ItemReceipt, Error> {
    let handed: Option<Handed> = row.outcome.as_deref().map(serde_json::from_str).transpose()?;
    let state = ItemState::of(&row.state).ok_or(store::Error::Row("transfer_item"))?;
    let done = state == ItemState::Done;
    let mut lost = if done { item.lost.clone() } else { Vec::new() };
    lost.extend(handed.iter().flat_map(|handed| handed.lost.clone()));
    Ok(ItemReceipt {
        id: item.id,
        kind: item.kind,
        name: item.name.clone(),
        from: item.path.clone(),
        recipient: item.recipient.clone(),
        to: handed.as_ref().and_then(|h| h.to.clone()).unwrap_or_else(|| item.destination.clone()),
        engine: item.engine,
        state,
        kept: if done { item.kept.clone() } else { Vec::new() },
        lost,
        shares: shares(item, steps, done),
        check: handed.map(|handed| handed.check),
        error: row.error.clone(),
    })
}

fn shares(item: &Item, steps: &[&(u32, String, Known)], done: bool) -> Vec<ShareReceipt> {
    let mut all: Vec<ShareReceipt> =
        steps.iter().filter_map(|(.., known)| settled(known)).collect();
    // With the database, all shares of an item change hands in one step.
    let at_once = steps.iter().any(|(_, step, _)| step == "owners" || step == "rewrite");
    let invited = |with: &str| {
        steps.iter().any(|(_, step, known)| {
            matches!(known, Known::Ended(..))
                && step.starts_with("invite/")
                && step.rsplit('/').next() == Some(with)
        })
    };
    for share in item.shares.iter().filter(|_| done) {
        if all
            .iter()
            .any(|one| one.path == share.path && one.with == share.with && one.kind == share.kind)
        {
            continue;
        }
        let (outcome, link, note) = match share.kind {
            _ if at_once => (ShareOutcome::Kept, None, ""),
            ShareKind::Link if item.kind.is_collection() => {
                let new = steps.iter().find_map(|(.., known)| match known {
                    Known::Ended(Effect::Publish { .. }, Outcome::Published { url }) => url.clone(),
                    _ => None,
                });
                let outcome = if new.is_some() { ShareOutcome::Remade } else { ShareOutcome::Lost };
                let old = words::OLD_ADDRESS.to_owned();
                (outcome, Some(LinkChange { old, new }), "")
            }
            _ if invited(&share.with) => (ShareOutcome::Remade, None, ""),
            _ => (ShareOutcome::Lost, None, words::NOT_REMADE),
        };
        all.push(ShareReceipt {
            path: share.path.clone(),
            kind: share.kind,
            with: share.with.clone(),
            outcome,
            link,
            note: note.to_owned(),
        });
    }
    all
}

fn settled(known: &Known) -> Option<ShareReceipt> {
    let Known::Ended(Effect::SettleShare { record, .. }, outcome) = known else { return None };
    let Outcome::Settled { outcome, url, note, .. } = outcome else { return None };
    let link = record.url.clone().map(|old| LinkChange { old, new: url.clone() });
    Some(ShareReceipt {
        path: record.path.clone(),
        kind: record.share_kind(),
        with: record.with.clone(),
        outcome: *outcome,
        link,
        note: note.clone(),
    })
}

/// Says where links are that were made again when the transfer was undone.
fn links_again(
    receipt: &mut ItemReceipt,
    steps: &[&(u32, String, Known)],
    lines: &[Line],
) -> Result<(), Error> {
    for line in lines.iter().filter(|line| line.item == receipt.id && line.phase == "undone") {
        let Some(url) = serde_json::from_str::<Option<String>>(&line.body)? else { continue };
        let settled = steps.iter().find_map(|(_, step, known)| match known {
            Known::Ended(Effect::SettleShare { record, .. }, _)
                if line.step.strip_prefix(step.as_str()) == Some(" (late)") =>
            {
                record.url.clone()
            }
            _ => None,
        });
        let of = |share: &&mut ShareReceipt| {
            share.link.as_ref().is_some_and(|link| Some(&link.old) == settled.as_ref())
        };
        if let Some(share) = receipt.shares.iter_mut().find(of) {
            let same = settled.as_deref() == Some(&url);
            share.note = if same { String::new() } else { words::LINK_AGAIN.to_owned() };
            share.link = settled.map(|old| LinkChange { old, new: Some(url) });
        }
    }
    Ok(())
}

/// Shares that were settled and are not there at the end.
fn gone(steps: &[(u32, String, Known)]) -> Vec<String> {
    let mut notes = Vec::new();
    for (.., known) in steps {
        if let Known::Ended(
            Effect::Reshare { id, owner, .. },
            Outcome::Settled { outcome: ShareOutcome::Lost, note, .. },
        ) = known
        {
            notes.push(words::with(words::NOT_RESHARED, format_args!("{id} ({owner}): {note}")));
        }
    }
    for (_, step, known) in steps {
        let Some(recipient) = step.strip_prefix("shares-after/") else { continue };
        let Known::Ended(_, Outcome::Shares { shares: Some(after) }) = known else { continue };
        for (.., known) in steps {
            let Known::Ended(
                Effect::SettleShare { record, to, .. },
                Outcome::Settled { outcome, id, .. },
            ) = known
            else {
                continue;
            };
            let is_there = after.iter().any(|share| share.id == *id);
            if to == recipient && *outcome != ShareOutcome::Lost && !is_there {
                notes.push(format!(
                    "the share of {:?} with {:?} is not there",
                    record.path, record.with
                ));
            }
        }
    }
    notes
}

/// The receipt as a page of its own, without anything from elsewhere.
#[must_use]
pub fn page(receipt: &Receipt) -> String {
    let mut rows = String::new();
    for item in &receipt.items {
        let check = item.check.as_ref().map_or(String::new(), |check| {
            format!("{} of {} compared ({})", check.count_after, check.count_before, check.over)
        });
        let shares: Vec<String> = item.shares.iter().map(share_text).collect();
        rows.push_str(&format!(
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}\n",
            escape(&item.from),
            escape(&format!("{}: {}", item.recipient, item.to)),
            escape(item.state.word()),
            escape(&check),
            escape(&item.kept.join(", ")),
            escape(&item.lost.iter().chain(&item.error).cloned().collect::<Vec<_>>().join(", ")),
            shares.join("<br>"),
        ));
    }
    let notes: String =
        receipt.notes.iter().map(|note| format!("<li>{}\n", escape(note))).collect();
    let state =
        if receipt.state == State::Done { "done and verified" } else { receipt.state.word() };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Receipt {id}</title>\n\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;margin:2rem}}table{{border-collapse:collapse}}\
         td,th{{border:1px solid #888;padding:.3rem .6rem;text-align:start;vertical-align:top}}</style>\n\
         <h1>Receipt of a hand-over</h1>\n<p>From <b>{source}</b>, on {site}: <b>{state}</b>.\n\
         <p>Number {id}, started by {by} at {created}{ended}{undo}.\n\
         <table><tr><th>From<th>To<th>State<th>Compared<th>Kept<th>Lost<th>Shares\n{rows}</table>\n\
         <ul>{notes}</ul></html>\n",
        id = receipt.id,
        source = escape(&receipt.source),
        site = escape(&receipt.site),
        by = escape(&receipt.by),
        created = escape(&receipt.created_at),
        ended = receipt.ended_at.as_ref().map_or(String::new(), |at| format!(", ended at {at}")),
        undo = receipt
            .undo_until
            .as_ref()
            .map_or(String::new(), |at| format!(", can be undone until {at}")),
    )
}

fn share_text(share: &ShareReceipt) -> String {
    let outcome = match share.outcome {
        ShareOutcome::Kept => "kept",
        ShareOutcome::Remade => "made again",
        ShareOutcome::Lost => "ended",
    };
    let with = if share.with.is_empty() { "a link" } else { &share.with };
    let link = share.link.as_ref().map_or(String::new(), |link| match &link.new {
        Some(new) if *new == link.old => format!(" ({new})"),
        Some(new) => format!(" ({} is now {new})", link.old),
        None => format!(" ({} ended)", link.old),
    });
    let note = if share.note.is_empty() { String::new() } else { format!(": {}", share.note) };
    escape(&format!("{} with {with}: {outcome}{link}{note}", share.path))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
