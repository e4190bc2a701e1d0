//! Things of other apps that have an owner: which are there, which go by their app's own call, and
//! which have to be handed over by hand, and how.
//!
//! What is not asked for is not looked at; apps that are off have nothing. Routes and fields are
//! those of the apps' published sources (`docs/other-apps.md` says of which versions). An app that
//! answers otherwise is named, and is no reason to leave the rest.

use super::Draft;
use crate::nextcloud::ocs::{Client, Owned};
use crate::transfer::Error;
use crate::transfer::model::{Engine, Item, Kind, Selection, words};
use crate::transfer::site::Who;

/// The kinds that apps give away, with the app's name.
const KINDS: [(Kind, &str); 4] =
    [(Kind::Board, "deck"), (Kind::Table, "tables"), (Kind::Form, "forms"), (Kind::Poll, "polls")];

/// Adds the things that go, and names those that stay.
pub(super) async fn plan(draft: &mut Draft<'_>) -> Result<(), Error> {
    let kinds = KINDS.iter().filter(|(kind, _)| draft.wants(*kind)).count();
    // Another instance has things of its own, and a disabled account cannot be asked.
    if kinds == 0 || draft.request.target.is_some() || !draft.source.enabled {
        return Ok(());
    }
    let Some(admin) = draft.world.admin() else { return Ok(()) };
    let apps = admin.apps().await?;
    let is_on = |app: &str| apps.iter().any(|on| on == app);
    let ocs = draft.world.ocs(&Who::here(&draft.request.source))?;
    for (kind, app) in KINDS {
        let Some(recipient) = recipient(draft, kind).filter(|_| is_on(app)) else { continue };
        match things(&ocs, kind, &draft.request.source).await {
            Ok(things) => things.into_iter().for_each(|one| add(draft, kind, one, &recipient)),
            Err(error) => unreadable(draft, Some(kind), app, &error)?,
        }
    }
    if draft.request.selection == Selection::default() {
        by_hand(draft, &ocs, is_on).await?;
    }
    Ok(())
}

/// Who gets things of a kind.
fn recipient(draft: &Draft<'_>, kind: Kind) -> Option<String> {
    let request = draft.request;
    let part = request.assignments.iter().find(|part| part.selection.has(kind));
    match part {
        Some(part) => Some(part.recipient.clone()),
        None if request.selection.has(kind) => request.recipient.clone(),
        None => None,
    }
}

/// What the source owns of a kind.
async fn things(
    ocs: &Client,
    kind: Kind,
    source: &str,
) -> Result<Vec<Owned>, crate::nextcloud::Error> {
    let owned = |id: u64, title: String| Owned { id: id.to_string(), title };
    Ok(match kind {
        Kind::Board => {
            let own = ocs.boards().await?.into_iter().filter(|one| one.owner == source);
            own.map(|one| owned(one.id, one.title)).collect()
        }
        Kind::Table => {
            let own = ocs.tables().await?.into_iter().filter(|one| one.ownership == source);
            own.map(|one| owned(one.id, one.title)).collect()
        }
        Kind::Form => ocs.forms().await?.into_iter().map(|one| owned(one.id, one.title)).collect(),
        Kind::Poll => {
            let own = ocs.polls().await?.into_iter().filter(|one| one.owner == source);
            own.map(|one| owned(one.id, one.title)).collect()
        }
        _ => Vec::new(),
    })
}

fn add(draft: &mut Draft<'_>, kind: Kind, thing: Owned, recipient: &str) {
    let lost = match kind {
        Kind::Board => words::STAYS_MEMBER,
        Kind::Form => words::RESULT_FILE,
        _ => words::SOURCE_CANNOT_SEE,
    };
    draft.add(Item {
        id: 0,
        kind,
        name: thing.title,
        path: thing.id.clone(),
        recipient: recipient.to_owned(),
        destination: thing.id,
        engine: Engine::App,
        reason: words::BY_ITS_APP.to_owned(),
        count: 1,
        size: 0,
        file_id: None,
        mark: String::new(),
        kept: vec![words::NAME.to_owned(), words::EVERYTHING.to_owned(), words::SHARES.to_owned()],
        lost: vec![lost.to_owned()],
        shares: Vec::new(),
    });
}

/// What no call of an app gives away, with how many there are.
async fn by_hand(
    draft: &mut Draft<'_>,
    ocs: &Client,
    is_on: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    for (app, reason) in [
        ("tables", words::APPLICATIONS_BY_HAND),
        ("spreed", words::TALK_BY_HAND),
        ("circles", words::TEAMS_BY_HAND),
    ] {
        if !is_on(app) {
            continue;
        }
        let found = match app {
            "tables" => ocs.applications().await,
            "spreed" => ocs.conversations().await,
            _ => ocs.teams().await,
        };
        match found {
            Ok(found) => found.iter().for_each(|one| draft.exclude(None, &one.title, reason)),
            Err(error) => unreadable(draft, None, app, &error)?,
        }
    }
    Ok(())
}

/// An app that answers otherwise than it should is said to; an instance that does not answer at
/// all is an error as everywhere.
fn unreadable(
    draft: &mut Draft<'_>,
    kind: Option<Kind>,
    app: &str,
    error: &crate::nextcloud::Error,
) -> Result<(), Error> {
    use crate::nextcloud::Error as E;
    let is_the_app = match error {
        E::Ocs { .. } => true,
        E::Http(error) => {
            matches!(error, crate::dav::client::Error::Malformed(_)) || error.is_not_found()
        }
        _ => false,
    };
    if !is_the_app {
        return Err(Error::Conflict(format!("the app {app} could not be asked: {error}")));
    }
    draft.exclude(kind, app, words::APP_UNREADABLE);
    Ok(())
}
