//! The calendars and address books of a plan.

use std::collections::BTreeSet;

use super::Draft;
use crate::nextcloud::inventory::{self, Invitee, Obstacle};
use crate::transfer::Error;
use crate::transfer::effect::collection;
use crate::transfer::model::{
    BlockCode, Conflict, Engine, Item, Kind, Meetings, ShareKind, ShareOutcome, SharePlan, Shares,
    words,
};
use crate::transfer::site::Who;

/// As many as an account may have, unless the host changed it: calendars and subscriptions.
const MAX_CALENDARS: usize = 30;
/// As many as an account may have, unless the host changed it.
const MAX_BOOKS: usize = 10;
/// As many as an account may make in an hour.
const PER_HOUR: usize = 10;

/// Future meetings that are counted.
const MAX_MEETINGS: usize = 1000;

/// A collection of the source.
struct Found {
    uri: String,
    name: String,
    mark: String,
    invitees: Vec<Invitee>,
    link: Option<String>,
    obstacle: Option<Obstacle>,
}

/// Adds the collections that go.
pub(super) async fn plan(draft: &mut Draft<'_>, kind: Kind) -> Result<(), Error> {
    let source = Who::here(&draft.request.source);
    let all = list(draft, kind, &source).await?;
    let mut named: BTreeSet<String> = wanted(draft, kind);
    let mut taken = std::collections::HashMap::new();
    let mut new = std::collections::BTreeMap::<String, usize>::new();
    for found in all {
        named.remove(&found.uri);
        let Some(recipient) = recipient(draft, kind, &found.uri) else { continue };
        if let Some(obstacle) = found.obstacle {
            draft.exclude(Some(kind), &found.uri, obstacle.to_string());
            continue;
        }
        if !taken.contains_key(&recipient) {
            let who = match draft.request.target {
                Some(_) => Who::there(&recipient),
                None => Who::here(&recipient),
            };
            let uris: BTreeSet<String> =
                list(draft, kind, &who).await?.into_iter().map(|one| one.uri).collect();
            taken.insert(recipient.clone(), uris);
        }
        let Some(uris) = taken.get_mut(&recipient) else { continue };
        let Some(uri) = place(draft, kind, &found, &recipient, uris) else { continue };
        uris.insert(uri.clone());
        *new.entry(recipient.clone()).or_default() += 1;
        add(draft, kind, &source, found, recipient, uri).await?;
    }
    for uri in named {
        let word = word(kind);
        draft
            .block(BlockCode::Missing, format!("{:?} has no {word} {uri:?}", draft.request.source));
    }
    for (recipient, count) in new {
        let present = taken.get(&recipient).map_or(0, BTreeSet::len);
        limits(draft, kind, &recipient, count, present);
    }
    Ok(())
}

fn word(kind: Kind) -> &'static str {
    if kind == Kind::Calendar { "calendar" } else { "address book" }
}

fn limits(draft: &mut Draft<'_>, kind: Kind, recipient: &str, new: usize, all: usize) {
    let most = if kind == Kind::Calendar { MAX_CALENDARS } else { MAX_BOOKS };
    let word = word(kind);
    if all > most {
        draft.block(
            BlockCode::TooManyCollections,
            format!(
                "{recipient:?} would have {all} {word}s, and Nextcloud allows {most}: hand over fewer, \
                 or to several accounts"
            ),
        );
    } else if new > PER_HOUR {
        let values = format_args!("{new} ({recipient})");
        draft.warnings.push(words::with(words::PER_HOUR, values));
    }
}

async fn list(draft: &Draft<'_>, kind: Kind, who: &Who) -> Result<Vec<Found>, Error> {
    let client = draft.world.dav(who)?;
    if kind == Kind::AddressBook {
        let books = inventory::books(&client, &who.uid).await?;
        return Ok(books
            .into_iter()
            .map(|book| Found {
                uri: book.uri,
                name: book.name,
                mark: book.sync_token.or(book.ctag).unwrap_or_default(),
                invitees: book.invitees,
                link: None,
                obstacle: book.obstacle,
            })
            .collect());
    }
    let calendars = inventory::calendars(&client, &who.uid).await?;
    Ok(calendars
        .into_iter()
        .map(|calendar| Found {
            uri: calendar.uri,
            name: calendar.name,
            mark: calendar.sync_token.or(calendar.ctag).unwrap_or_default(),
            invitees: calendar.invitees,
            link: calendar.link,
            obstacle: calendar.obstacle,
        })
        .collect())
}

/// Those that are asked for by name.
fn wanted(draft: &Draft<'_>, kind: Kind) -> BTreeSet<String> {
    use crate::transfer::model::Selection;
    let request = draft.request;
    let parts = request.assignments.iter().map(|part| &part.selection);
    let mut names = BTreeSet::new();
    for selection in parts.chain([&request.selection]) {
        if let Selection::Parts(parts) = selection {
            let of = if kind == Kind::Calendar { &parts.calendars } else { &parts.address_books };
            names.extend(of.iter().cloned());
        }
    }
    names
}

fn recipient(draft: &Draft<'_>, kind: Kind, uri: &str) -> Option<String> {
    let request = draft.request;
    let part = request.assignments.iter().find(|part| part.selection.has_collection(kind, uri));
    match part {
        Some(part) => Some(part.recipient.clone()),
        None if request.selection.has_collection(kind, uri) => request.recipient.clone(),
        None => None,
    }
}

/// The last part of its new address.
fn place(
    draft: &mut Draft<'_>,
    kind: Kind,
    found: &Found,
    recipient: &str,
    taken: &BTreeSet<String>,
) -> Option<String> {
    if !taken.contains(&found.uri) {
        return Some(found.uri.clone());
    }
    match draft.request.conflict {
        Conflict::Skip => {
            draft.exclude(Some(kind), &found.uri, words::NAME_TAKEN);
            return None;
        }
        Conflict::Fail if !matches!(found.uri.as_str(), "personal" | "contacts") => {
            let detail = format!("{recipient:?} has a {} {:?} already", word(kind), found.uri);
            draft.block(BlockCode::NameClash, detail);
        }
        // Everybody has these: their names mean nothing.
        Conflict::Fail | Conflict::Rename | Conflict::Merge => {}
    }
    let plain: String = draft
        .request
        .source
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let first = format!("{}-{plain}", found.uri);
    let others = (2_u32..).map(|number| format!("{first}-{number}"));
    [first.clone()].into_iter().chain(others).find(|uri| !taken.contains(uri))
}

async fn add(
    draft: &mut Draft<'_>,
    kind: Kind,
    source: &Who,
    found: Found,
    recipient: String,
    destination: String,
) -> Result<(), Error> {
    let path = collection(kind, &source.uid, &found.uri)?;
    let (count, size) = inventory::count(&draft.world.dav(source)?, &path).await?;
    let (engine, reason) = engine(draft);
    let shares = shares(draft, &found, &recipient, engine);
    let mut kept: Vec<&str> = vec![words::NAME];
    let mut lost: Vec<&str> = Vec::new();
    match engine {
        Engine::Rewrite => {
            kept.extend([words::EVERYTHING, words::SHARES, words::PUBLIC_LINK, words::SYNC_TOKEN]);
        }
        Engine::ObjectMove => {
            kept.extend([words::CONTENTS, words::ETAGS]);
            if kind == Kind::Calendar {
                kept.extend([words::COLOUR, words::REMINDERS]);
                lost.push(words::DELETED_EVENTS);
            } else {
                lost.push(words::BIRTHDAYS);
            }
            if !found.invitees.is_empty() {
                lost.push(words::NEW_ADDRESS);
            }
            if found.link.is_some() {
                lost.push(words::NEW_LINK);
            }
        }
        _ => {
            kept.push(words::CONTENTS);
            lost.extend([words::SHARES, words::PUBLIC_LINK, words::DELETED_EVENTS]);
        }
    }
    if kind == Kind::Calendar {
        let now = draft.now;
        let client = draft.world.dav(source)?;
        let own = inventory::addresses(&client, &source.uid).await?;
        let (meetings, more) =
            inventory::future_meetings(&client, &path, &own, now, MAX_MEETINGS).await?;
        if !meetings.is_empty() {
            let (more, count) = (if more { "more than " } else { "" }, meetings.len());
            let values = format!("{more}{count} ({})", found.name);
            let rehomed = draft.request.meetings == Meetings::Rehome;
            let said = if rehomed { words::MEETINGS_GO } else { words::MEETINGS_STAY };
            draft.warnings.push(words::with(said, values));
            let to = Who::here(&recipient);
            if rehomed && !has_address(draft, &to).await? {
                let detail = format!(
                    "{recipient:?} has no mail address, so that meetings cannot be theirs: set one, or \
                     leave the organiser"
                );
                draft.block(BlockCode::Missing, detail);
            }
        }
    }
    draft.add(Item {
        id: 0,
        kind,
        name: found.name,
        path: found.uri,
        recipient,
        destination,
        engine,
        reason,
        count,
        size,
        file_id: None,
        mark: found.mark,
        kept: kept.into_iter().map(str::to_owned).collect(),
        lost: lost.into_iter().map(str::to_owned).collect(),
        shares,
    });
    Ok(())
}

async fn has_address(draft: &Draft<'_>, who: &Who) -> Result<bool, Error> {
    let all = inventory::addresses(&draft.world.dav(who)?, &who.uid).await?;
    Ok(all.iter().any(|one| one.starts_with("mailto:")))
}

fn engine(draft: &mut Draft<'_>) -> (Engine, String) {
    let says = |text: &str| text.to_owned();
    if draft.request.target.is_some() {
        return (Engine::Stream, says(words::ELSEWHERE));
    }
    match draft.request.engine {
        Some(Engine::Stream) => (Engine::Stream, says(words::ASKED_FOR)),
        Some(Engine::ObjectMove) => (Engine::ObjectMove, says(words::ASKED_FOR)),
        Some(Engine::Rewrite) if draft.world.site.access.database.is_none() => {
            let detail = says("there is no access to the site's database, which this engine needs");
            if !draft.blocking.iter().any(|block| block.detail == detail) {
                draft.block(BlockCode::EngineCannot, detail);
            }
            (Engine::Rewrite, says(words::ASKED_FOR))
        }
        Some(Engine::Rewrite) => (Engine::Rewrite, says(words::ASKED_FOR)),
        _ if draft.world.site.access.database.is_some() => {
            (Engine::Rewrite, says(words::BY_THE_DATABASE))
        }
        _ => (Engine::ObjectMove, says(words::OBJECT_BY_OBJECT)),
    }
}

fn shares(draft: &Draft<'_>, found: &Found, recipient: &str, engine: Engine) -> Vec<SharePlan> {
    let wanted = draft.request.shares;
    let becomes = |is_link: bool| match (engine, wanted) {
        (Engine::Rewrite, _) => ShareOutcome::Kept,
        (Engine::ObjectMove, Shares::Keep) => ShareOutcome::Remade,
        (Engine::ObjectMove, Shares::Links) if is_link => ShareOutcome::Remade,
        _ => ShareOutcome::Lost,
    };
    let own = format!("principals/users/{recipient}");
    let mut planned = Vec::new();
    for invitee in &found.invitees {
        let principal = invitee.principal.to_string();
        if principal == own {
            continue;
        }
        let kind = match invitee.principal.names().get(1).map(String::as_str) {
            Some("users") => ShareKind::User,
            Some("groups") => ShareKind::Group,
            Some("circles") => ShareKind::Team,
            _ => ShareKind::Other,
        };
        let with = invitee.principal.name().unwrap_or_default().to_owned();
        planned.push(SharePlan {
            id: None,
            path: found.uri.clone(),
            kind,
            with,
            becomes: becomes(false),
        });
    }
    if found.link.is_some() {
        planned.push(SharePlan {
            id: None,
            path: found.uri.clone(),
            kind: ShareKind::Link,
            with: String::new(),
            becomes: becomes(true),
        });
    }
    planned
}
