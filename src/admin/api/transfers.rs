//! Transfers: starting a plan, looking at it, changing its course.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{Api, plans};
use crate::admin::caller::{Caller, Scope};
use crate::admin::given::{Asked, At, Given, Perhaps};
use crate::admin::problem::Problem;
use crate::admin::work::{Action, state};
use crate::store::{self, Repeated};
use crate::transfer::Site;
use crate::transfer::model::{self, Event, Id, Receipt, Summary};

/// The most that is given at a time.
const MOST: usize = 500;
/// How many are read at a time.
const PAGE: u32 = 100;
/// How often a silent stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);
/// The longest `Idempotency-Key`.
const KEY: usize = 255;
/// The longest reason, in characters.
const WHY: usize = 500;

#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Wanted {
    /// Accounts whose name holds this.
    search: Option<String>,
    /// In this state.
    state: Option<String>,
    /// Started before the transfer with this id.
    #[param(value_type = Option<String>)]
    before: Option<Id>,
    /// At most so many; 50 if not said, 500 at most.
    limit: Option<usize>,
}

/// Some transfers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transfers {
    /// The latest first.
    transfers: Vec<Summary>,
    /// Whether there are more.
    more: bool,
}

/// A plan to start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    /// The hash of the plan.
    plan: String,
    /// The password of the account that asks; needed at a space's door.
    #[schema(value_type = Option<String>, write_only)]
    password: Option<model::Secret>,
}

/// What confirms an action.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmed {
    /// The password of the account that asks; needed at a space's door.
    #[schema(value_type = Option<String>, write_only)]
    password: Option<model::Secret>,
    /// Why it is declined, for the one who started it.
    #[serde(default)]
    why: String,
}

/// A transfer that was started.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Started {
    /// Its number.
    #[schema(value_type = String)]
    id: Id,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct From {
    /// Only events after this number; the field `Last-Event-ID` says the same.
    after: Option<u64>,
}

/// Transfers of a site, the latest first.
#[utoipa::path(get, path = "/sites/{site}/transfers", tag = "transfers",
    params(("site" = String, Path), Wanted),
    responses((status = 200, body = Transfers), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Transfers>, Problem> {
    caller.needs(Scope::Read, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    let limit = wanted.limit.unwrap_or(50).clamp(1, MOST);
    let state = wanted.state.as_deref().filter(|word| !word.is_empty()).map(state).transpose()?;
    let search = wanted.search.unwrap_or_default().to_lowercase();
    let is_wanted = |transfer: &Summary| {
        let names = transfer.recipients.iter().chain([&transfer.source]);
        state.is_none_or(|state| transfer.state == state)
            && names.into_iter().any(|name| name.to_lowercase().contains(&search))
    };
    let (mut transfers, mut before) = (Vec::new(), wanted.before);
    loop {
        let page = api.transfers.list(Some(&site), before, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        before = page.last().map(|last| last.id);
        for transfer in page {
            if is_wanted(&transfer) && sees(&api, &caller, &cloud, &transfer).await? {
                transfers.push(transfer);
            }
        }
        let more = transfers.len() > limit;
        if more || is_last {
            transfers.truncate(limit);
            return Ok(Json(Transfers { transfers, more }));
        }
    }
}

/// Starts a plan. With an `Idempotency-Key`, a repeated request gets the answer of the first.
#[utoipa::path(post, path = "/sites/{site}/transfers", tag = "transfers",
    params(("site" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = New,
    responses((status = 202, body = Started), (status = "default", body = Problem)))]
pub(super) async fn start(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    headers: HeaderMap,
    Given(new): Given<New>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Transfer, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    // First: what follows is only for who knows the password, for this very plan.
    let confirmed = confirm(&api, &caller, &cloud, &site, new.password.as_ref()).await;
    if let Err(problem) = confirmed {
        let detail = json!({ "plan": new.plan });
        api.note(&caller, &site, "transfer.start", "", Err(&problem), detail).await?;
        return Err(problem);
    }
    let id = match key(&headers)? {
        None => begin(&api, &caller, &cloud, &site, &new.plan, None).await?,
        Some(key) => once(&api, &caller, &cloud, &site, &new.plan, &key).await?,
    };
    let location = format!("{}/sites/{site}/transfers/{id}", super::PREFIX);
    let answer = (StatusCode::ACCEPTED, [(LOCATION, location)], Json(Started { id }));
    Ok(answer.into_response())
}

/// One transfer, with its plan and where each item stands.
#[utoipa::path(get, path = "/sites/{site}/transfers/{id}", tag = "transfers",
    params(("site" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = model::Transfer), (status = "default", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At((site, id)): At<(String, String)>,
) -> Result<Json<model::Transfer>, Problem> {
    Ok(Json(seen(&api, &caller, &site, &id).await?.1))
}

/// What came of a transfer; as a page for people where `Accept` asks for `text/html`.
#[utoipa::path(get, path = "/sites/{site}/transfers/{id}/receipt", tag = "transfers",
    params(("site" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Receipt), (status = "default", body = Problem)))]
pub(super) async fn receipt(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At((site, id)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, transfer) = seen(&api, &caller, &site, &id).await?;
    let receipt = api.transfers.receipt(&site, transfer.summary.id).await?;
    let accept = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        let page = crate::transfer::page(&receipt);
        let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
        return Ok((headers, page).into_response());
    }
    Ok(Json(receipt).into_response())
}

/// What happens to a transfer, as server-sent events, until it is over.
#[utoipa::path(get, path = "/sites/{site}/transfers/{id}/events", tag = "transfers",
    params(("site" = String, Path), ("id" = String, Path), From,
        ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, body = Event, content_type = "text/event-stream"),
        (status = "default", body = Problem)))]
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At((site, id)): At<(String, String)>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let (_, transfer) = seen(&api, &caller, &site, &id).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let after = last.or(from.after).unwrap_or_default();
    let events = api.transfers.events(&site, transfer.summary.id, after);
    let events = events.map(|event| match event {
        Ok(event) => {
            let message = sse::Event::default().id(event.seq.to_string());
            Ok(message.json_data(&event).unwrap_or_default())
        }
        // The stream ends here; who listens comes back.
        Err(error) => Ok(sse::Event::default().comment(Problem::from(error).code())),
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

macro_rules! action {
    ($name:ident, $action:expr, $path:literal, $doc:literal) => {
        #[doc = $doc]
        #[utoipa::path(post, path = $path, tag = "transfers",
                                            params(("site" = String, Path), ("id" = String, Path)),
                                            request_body = Option<Confirmed>,
                                            responses((status = 202, body = model::Transfer),
                                                (status = "default", body = Problem)))]
        pub(super) async fn $name(
            State(api): State<Arc<Api>>,
            caller: Caller,
            At((site, id)): At<(String, String)>,
            Perhaps(confirmed): Perhaps<Confirmed>,
        ) -> Result<(StatusCode, Json<model::Transfer>), Problem> {
            act(&api, &caller, &site, &id, $action, confirmed).await
        }
    };
}

action!(
    pause,
    Action::Pause,
    "/sites/{site}/transfers/{id}/pause",
    "Stops a transfer after the item at work, to go on later."
);
action!(
    resume,
    Action::Resume,
    "/sites/{site}/transfers/{id}/resume",
    "Lets a paused transfer go on, or tries again what failed."
);
action!(
    cancel,
    Action::Cancel,
    "/sites/{site}/transfers/{id}/cancel",
    "Ends a transfer. What was done stays done, and can be undone."
);
action!(
    undo,
    Action::Undo,
    "/sites/{site}/transfers/{id}/undo",
    "Puts everything back that a transfer did."
);
action!(
    approve,
    Action::Approve,
    "/sites/{site}/transfers/{id}/approve",
    "Lets a transfer begin that somebody else started."
);

action!(
    decline,
    Action::Decline,
    "/sites/{site}/transfers/{id}/decline",
    "Ends a transfer that somebody else started and that waits for approval; says why."
);

async fn act(
    api: &Arc<Api>,
    caller: &Caller,
    site: &str,
    id: &str,
    action: Action,
    confirmed: Confirmed,
) -> Result<(StatusCode, Json<model::Transfer>), Problem> {
    let scope = if action.is_of_another() { Scope::Approve } else { Scope::Transfer };
    caller.needs(scope, Some(site))?;
    let (cloud, transfer) = seen(api, caller, site, id).await?;
    let id = transfer.summary.id;
    let acted = async {
        if action.is_of_another() && transfer.summary.by == caller.who {
            let detail = "A second person has to decide this: you started it.";
            return Err(Problem::forbidden("same_person", detail));
        }
        let why = confirmed.why.trim();
        if action == Action::Decline && (why.is_empty() || why.chars().count() > WHY) {
            let detail = "`why` has to say in 1 to 500 characters why it is declined.";
            return Err(Problem::bad("why", detail));
        }
        confirm(api, caller, &cloud, site, confirmed.password.as_ref()).await?;
        Ok(action.carry_out(&api.transfers, site, id, &caller.who, why).await?)
    };
    let acted = acted.await;
    let name = format!("transfer.{}", action.word());
    let detail = json!({ "plan": transfer.plan.hash, "why": short(&confirmed.why) });
    let result = acted.as_ref().copied();
    api.note(caller, site, &name, &id.to_string(), result, detail).await?;
    acted?;
    Ok((StatusCode::ACCEPTED, Json(api.transfers.show(site, id).await?)))
}

/// A transfer that the caller may see.
async fn seen(
    api: &Api,
    caller: &Caller,
    site: &str,
    id: &str,
) -> Result<(Site, model::Transfer), Problem> {
    caller.needs(Scope::Read, Some(site))?;
    let cloud = api.cloud(caller, site)?;
    let unknown = || Problem::not_found("unknown_transfer", "There is no such transfer.");
    let id: Id = id.parse().map_err(|_| unknown())?;
    let transfer = api.transfers.show(site, id).await?;
    if !sees(api, caller, &cloud, &transfer.summary).await? {
        return Err(unknown());
    }
    Ok((cloud, transfer))
}

/// Whether a transfer is one that the caller started, or is between accounts that it looks after.
async fn sees(
    api: &Api,
    caller: &Caller,
    cloud: &Site,
    transfer: &Summary,
) -> Result<bool, Problem> {
    if Api::sees_all(caller) || transfer.by == caller.who {
        return Ok(true);
    }
    let recipients = transfer.recipients.iter().map(String::as_str);
    let accounts: Vec<&str> = recipients.chain([transfer.source.as_str()]).collect();
    match api.looks_after(caller, cloud, &accounts).await {
        Ok(()) => Ok(true),
        Err(problem) if problem.code() == "not_yours" => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// Starts a plan for the first request with a key; a later one gets the same answer, also when the
/// site has changed since. Where the first was cut off, the transfer's own key finds what it made.
async fn once(
    api: &Arc<Api>,
    caller: &Caller,
    cloud: &Site,
    site: &str,
    hash: &str,
    key: &str,
) -> Result<Id, Problem> {
    let scope = format!("{} start {site}", caller.who);
    match api.store.begin_once(&scope, key, hash.as_bytes()).await? {
        Repeated::Answered(_, id) => {
            return Ok(id.parse().map_err(|_| store::Error::Row("idempotency"))?);
        }
        Repeated::Other => {
            let detail = "This Idempotency-Key was used for another plan: make a new one.";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Problem::new(status, "idempotency_key", detail));
        }
        Repeated::New | Repeated::Begun => {}
    }
    match begin(api, caller, cloud, site, hash, Some(key)).await {
        Ok(id) => {
            api.store.end_once(&scope, key, 202, &id.to_string()).await?;
            Ok(id)
        }
        Err(problem) => {
            api.store.forget_once(&scope, key).await?;
            Err(problem)
        }
    }
}

/// Starts a plan, and writes it down either way.
pub(super) async fn begin(
    api: &Arc<Api>,
    caller: &Caller,
    cloud: &Site,
    site: &str,
    hash: &str,
    key: Option<&str>,
) -> Result<Id, Problem> {
    let begun = async {
        let plan = api.transfers.planned(site, hash).await?;
        api.looks_after(caller, cloud, &plans::accounts(&plan.request)).await?;
        let id = api.transfers.start(site, hash, key, &caller.who).await?;
        Ok::<_, Problem>((plan, id))
    };
    let begun = begun.await;
    let (subject, detail) = match &begun {
        Ok((plan, id)) => {
            let request = &plan.request;
            let recipients = request.recipients();
            let detail = json!({
                "plan": hash, "source": request.source, "recipients": recipients
            });
            (id.to_string(), detail)
        }
        Err(_) => (String::new(), json!({ "plan": hash.chars().take(64).collect::<String>() })),
    };
    let result = begun.as_ref().map(|_| ());
    api.note(caller, site, "transfer.start", &subject, result, detail).await?;
    begun.map(|(_, id)| id)
}

/// At a space's door, the password of the account that asks: neither a session nor a stored
/// password is enough to change anything.
async fn confirm(
    api: &Api,
    caller: &Caller,
    cloud: &Site,
    site: &str,
    password: Option<&model::Secret>,
) -> Result<(), Problem> {
    let Some(person) = caller.person() else { return Ok(()) };
    let Some(password) = password else {
        let detail = "Your password is needed for this, also while you are logged in.";
        return Err(Problem::forbidden("password_needed", detail));
    };
    let uid = &person.identity.uid;
    api.guesses.count(site, uid)?;
    if !cloud.instance.confirm_password(&person.shown, &password.0).await? {
        return Err(Problem::forbidden("wrong_password", "That is not your password."));
    }
    api.guesses.right(site, uid);
    Ok(())
}

/// A reason as it is written down.
fn short(why: &str) -> Option<String> {
    let why: String = why.trim().chars().take(WHY).collect();
    (!why.is_empty()).then_some(why)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY => Ok(Some(key.to_owned())),
        _ => Err(Problem::bad("idempotency_key", "Idempotency-Key has to be 1 to 255 characters.")),
    }
}
