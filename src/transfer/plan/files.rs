//! The files of a plan: which folders and files go as a whole, as a [survey] found them, and where
//! to.

use std::collections::{BTreeMap, HashMap};

use super::Draft;
use super::select::Chooser;
use super::survey::{self, Found, Unit};
use crate::nextcloud::inventory;
use crate::transfer::Error;
use crate::transfer::effect::ShareRecord;
use crate::transfer::engines::is_below;
use crate::transfer::model::{
    BlockCode, Conflict, Engine, Item, Kind, ShareOutcome, SharePlan, Shares, Versions, words,
};
use crate::transfer::site::Who;

/// What is named of what stays; the rest is counted.
const MAX_EXCLUDED: usize = 1000;

/// Adds the files that go.
pub(super) async fn plan(draft: &mut Draft<'_>) -> Result<(), Error> {
    let chooser = Chooser::new(draft.request);
    let found = survey::survey(draft, &chooser).await?;
    let shares = shares(draft).await?;
    for (path, obstacle) in found.stays.iter().take(MAX_EXCLUDED) {
        let reason = obstacle.map_or_else(|| words::BY_PATTERN.to_owned(), |o| o.to_string());
        draft.exclude(None, path, reason);
    }
    if found.stays.len() > MAX_EXCLUDED {
        draft.warnings.push(words::with(words::MANY_STAY, found.stays.len()));
    }
    for (path, who) in &found.locked {
        draft.warnings.push(words::with(words::LOCKED, format_args!("{path} ({who})")));
    }
    if found.units.is_empty() && draft.request.selection.has(Kind::Folder) {
        draft.warnings.push(words::NO_FILES.to_owned());
    }
    missing(draft, &found);
    draft.joined.clone_from(&found.joined);
    place(draft, found.units, &shares).await
}

/// Patterns without wildcards that name nothing.
fn missing(draft: &mut Draft<'_>, found: &Found) {
    use crate::transfer::model::Selection;
    let request = draft.request;
    let parts = request.assignments.iter().map(|part| &part.selection);
    for selection in parts.chain([&request.selection]) {
        let Selection::Parts(parts) = selection else { continue };
        for pattern in parts.include.iter().filter(|one| !one.contains(['*', '?', '[', '{'])) {
            let path = format!("/{}", pattern.trim_matches('/'));
            let is_there = found
                .units
                .keys()
                .any(|unit| is_below(unit, &path) || is_below(&path, unit))
                || found.stays.keys().any(|stays| is_below(stays, &path) || is_below(&path, stays));
            if !is_there {
                draft.block(
                    BlockCode::Missing,
                    format!("{path:?} is not among the files of {:?}", request.source),
                );
            }
        }
    }
}

/// The shares of the source, if it can be asked.
async fn shares(draft: &Draft<'_>) -> Result<Vec<ShareRecord>, Error> {
    if !draft.source.enabled {
        return Ok(Vec::new());
    }
    let shares = draft.world.ocs(&Who::here(&draft.request.source))?.shares().await?;
    Ok(shares.iter().map(ShareRecord::from).collect())
}

/// Finds a place for each unit, as the conflict rule says.
async fn place(
    draft: &mut Draft<'_>,
    units: BTreeMap<String, Unit>,
    shares: &[ShareRecord],
) -> Result<(), Error> {
    let folder = destination(draft);
    let mut taken: HashMap<(String, String), BTreeMap<String, bool>> = HashMap::new();
    for (path, unit) in units {
        let wanted = format!("{folder}{path}");
        let (parent, name) = wanted.rsplit_once('/').unwrap_or(("", &wanted));
        let key = (unit.recipient.clone(), parent.to_owned());
        if !taken.contains_key(&key) {
            let names = names(draft, &unit.recipient, parent).await?;
            taken.insert(key.clone(), names);
        }
        let Some(names) = taken.get_mut(&key) else { continue };
        let clash = names.contains_key(name);
        let name = match (clash, draft.request.conflict) {
            (false, _) => name.to_owned(),
            (true, Conflict::Rename | Conflict::Merge) => free(names, name),
            (true, Conflict::Skip) => {
                draft.exclude(None, &path, words::NAME_TAKEN);
                continue;
            }
            (true, Conflict::Fail) => {
                let detail = format!("{:?} has {wanted:?} already", unit.recipient);
                draft.block(BlockCode::NameClash, detail);
                name.to_owned()
            }
        };
        names.insert(name.clone(), unit.is_folder);
        let destination = format!("{parent}/{name}");
        add(draft, &path, destination, unit, shares);
    }
    Ok(())
}

fn add(draft: &mut Draft<'_>, path: &str, destination: String, unit: Unit, shares: &[ShareRecord]) {
    let kind = if unit.is_folder { Kind::Folder } else { Kind::File };
    let of = shares.iter().filter(|share| is_below(&share.path, path));
    let (engine, reason) = engine(draft);
    if shares.iter().any(|share| {
        let above = share.path != path && is_below(path, &share.path);
        above && share.kind == 0 && share.with == unit.recipient
    }) {
        draft.warnings.push(words::with(words::SHARE_ABOVE, path));
    }
    let database = draft.world.site.access.database.is_some();
    let keeps = matches!(engine, Engine::ServerMove | Engine::Native);
    // The instance's own transfer keeps them all, as the database does.
    let all_stay = database || engine == Engine::Native;
    let planned: Vec<SharePlan> = of
        .filter(|share| !(share.kind == 0 && share.with == unit.recipient))
        .map(|share| becomes(share, draft.request.shares, keeps, all_stay))
        .collect();
    let mut kept: Vec<&str> = vec![words::NAMES, words::CONTENTS, words::TIMES];
    let mut lost: Vec<&str> = Vec::new();
    match engine {
        Engine::ServerMove => {
            kept.extend([words::FILE_IDS, words::VERSIONS, words::TAGS]);
            kept.extend([words::COMMENTS, words::FAVOURITES]);
            if database {
                kept.push(words::PROPERTIES);
            } else {
                lost.push(words::PROPERTIES_AND_REMINDERS);
            }
            if planned.iter().any(|share| share.becomes == ShareOutcome::Remade) {
                lost.push(words::SHARES_REMADE);
            }
        }
        Engine::Native => {
            kept.extend([words::FILE_IDS, words::TAGS, words::COMMENTS, words::FAVOURITES]);
            lost.extend([words::VERSIONS, words::PROPERTIES_AND_REMINDERS]);
        }
        _ => {
            kept.push(words::FAVOURITES);
            match draft.request.versions {
                Versions::Keep => kept.push(words::VERSIONS_REPLAYED),
                Versions::Latest => lost.push(words::VERSIONS),
            }
            lost.extend([words::FILE_IDS, words::TAGS]);
            lost.extend([words::COMMENTS, words::SHARES_AND_LINKS]);
        }
    }
    draft.add(Item {
        id: 0,
        kind,
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        recipient: unit.recipient,
        destination,
        engine,
        reason,
        count: unit.count,
        size: unit.size,
        file_id: unit.file_id,
        mark: unit.etag,
        kept: kept.into_iter().map(str::to_owned).collect(),
        lost: lost.into_iter().map(str::to_owned).collect(),
        shares: planned,
    });
}

/// What becomes of a share.
fn becomes(share: &ShareRecord, wanted: Shares, keeps: bool, all_stay: bool) -> SharePlan {
    let wanted = match wanted {
        Shares::Keep => true,
        Shares::Drop => false,
        Shares::Links => share.kind == 3,
    };
    let becomes = match (wanted && keeps, all_stay, share.can_be_made()) {
        (false, _, _) | (true, false, false) => ShareOutcome::Lost,
        (true, true, _) => ShareOutcome::Kept,
        // Links keep their old owner after a move, most others do not.
        (true, false, true) if share.kind == 3 => ShareOutcome::Remade,
        (true, false, true) => ShareOutcome::Kept,
    };
    SharePlan {
        id: share.id.parse().ok(),
        path: share.path.clone(),
        kind: share.share_kind(),
        with: share.with.clone(),
        becomes,
    }
}

fn engine(draft: &mut Draft<'_>) -> (Engine, String) {
    let says = |text: &str| text.to_owned();
    if draft.request.target.is_some() {
        return (Engine::Stream, says(words::ELSEWHERE));
    }
    match draft.request.engine {
        Some(Engine::Stream) => (Engine::Stream, says(words::ASKED_FOR)),
        Some(Engine::Native) => {
            native(draft);
            (Engine::Native, says(words::ASKED_FOR))
        }
        Some(Engine::ServerMove) | None => (Engine::ServerMove, says(words::BY_THE_INSTANCE)),
        Some(other) => {
            let detail = format!("files cannot be handed over by {other:?}");
            if !draft.blocking.iter().any(|block| block.detail == detail) {
                draft.block(BlockCode::EngineCannot, detail);
            }
            (Engine::ServerMove, says(words::CANNOT))
        }
    }
}

/// What the instance's own transfer needs and brings.
fn native(draft: &mut Draft<'_>) {
    if draft.warnings.iter().any(|one| one == words::NATIVE_WAITS) {
        return;
    }
    draft.warnings.push(words::NATIVE_WAITS.to_owned());
    if !draft.source.enabled {
        let detail = "Nextcloud lets only accounts that are enabled offer files: enable the source, \
                      or choose another engine";
        draft.block(BlockCode::EngineCannot, detail);
    }
}

/// The folder they go to, with its names filled in; empty for the root.
pub(super) fn destination(draft: &Draft<'_>) -> String {
    let template = draft.request.destination.as_deref();
    let template = template.unwrap_or("Transferred from {source_name} on {date}");
    let date = super::stamp(draft.now);
    let display = match draft.source.display_name.as_str() {
        "" => draft.request.source.as_str(),
        name => name,
    };
    // Names come from people: what cannot stand in a name on some system is replaced.
    let plain = |text: &str| text.replace(['/', '\\', ':', '?', '*', '"', '<', '>', '|'], "-");
    let filled = template
        .replace("{source}", &plain(&draft.request.source))
        .replace("{source_name}", &plain(display))
        .replace("{date}", date.get(..10).unwrap_or_default());
    match filled.trim_matches('/') {
        "" => String::new(),
        folder => format!("/{folder}"),
    }
}

/// What the recipient has in a folder.
pub(super) async fn names(
    draft: &Draft<'_>,
    recipient: &str,
    parent: &str,
) -> Result<BTreeMap<String, bool>, Error> {
    let who = match draft.request.target {
        Some(_) => Who::there(recipient),
        None => Who::here(recipient),
    };
    let client = draft.world.dav(&who)?;
    let path = crate::transfer::site::file(recipient, parent)?;
    let mut nodes = match inventory::children(&client, &path).await {
        Err(error) if error.is_not_found() => return Ok(BTreeMap::new()),
        nodes => nodes?,
    };
    let mut names = BTreeMap::new();
    while let Some(node) = nodes.next().await? {
        if let (Some(name), true) = (node.path.name(), node.path != path) {
            names.insert(name.to_owned(), node.is_folder);
        }
    }
    Ok(names)
}

/// `Report (2).odt`.
fn free(names: &BTreeMap<String, bool>, name: &str) -> String {
    let (stem, ending) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    };
    (2_u32..)
        .map(|number| format!("{stem} ({number}){ending}"))
        .find(|name| !names.contains_key(name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_makes_a_name_free() {
        let mut names = BTreeMap::new();
        names.insert("a (2).txt".to_owned(), false);
        assert_eq!(free(&names, "a.txt"), "a (3).txt");
        assert_eq!(free(&names, ".env"), ".env (2)");
        assert_eq!(free(&names, "folder"), "folder (2)");
    }
}
