//! Sites: those of files as they are, those of the store to set and to remove.
//!
//! A site is given as the keys of a site file, as JSON; what is wrong with it is told key by key, all
//! at once. Whoever changes one says which state they have seen (`If-Match`), so that two provisioning
//! systems do not undo each other's work. What is answered with success is served by this replica
//! already; others follow within seconds.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use crate::admin::caller::{Caller, Scope};
use crate::admin::given::{At, Given};
use crate::admin::problem::{Problem, Wrong};
use crate::config::kept::{Secrets, Written};
use crate::config::{self, Errors, Fault};
use crate::store::sites::{Changed, Expected, KeptSite, NewSite};

/// A site, shortly.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Short {
    /// Its name.
    name: String,
    /// Its hosts, the canonical one first; `*` for all.
    hosts: Vec<String>,
    /// `file`, or `api`.
    source: &'static str,
    /// What `If-Match` takes, where the API set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// Why it is not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// The sites that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct All {
    sites: Vec<Short>,
}

/// A site that the API set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whole {
    /// Its name.
    name: String,
    /// Its settings, as in the file of a site. Of secrets that are kept with it, `{"kept": KEY}`,
    /// which can be sent back.
    #[schema(value_type = Object)]
    settings: Value,
    /// What is doubtful about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Wrong>,
}

/// All sites.
#[utoipa::path(get, path = "/sites", tag = "sites",
    responses((status = 200, body = All), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<All>, Problem> {
    caller.needs(Scope::Read, None).or_else(|_| caller.needs(Scope::Sites, None))?;
    let seen = api.keeping.list().into_iter().filter(|site| caller.sees(&site.name));
    let sites = seen.map(|site| Short {
        source: if site.revision.is_some() { "api" } else { "file" },
        etag: site.revision.map(etag),
        name: site.name,
        hosts: site.hosts,
        problem: site.problem,
    });
    Ok(Json(All { sites: sites.collect() }))
}

/// A site that the API set, with its `ETag`.
#[utoipa::path(get, path = "/sites/{site}", tag = "sites", params(("site" = String, Path)),
    responses((status = 200, body = Whole), (status = "default", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(name): At<String>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Sites, Some(&name))?;
    let Some(kept) = api.store.kept_site(&name).await? else {
        return Err(api.absent(&name));
    };
    let KeptSite { text, secrets, revision, .. } = kept;
    let settings = Written { text, secrets }.to_json();
    let whole = Whole { name, settings, warnings: Vec::new() };
    Ok(with_tag(StatusCode::OK, revision, whole))
}

/// Adds a site; its name is the key `name` of its settings.
#[utoipa::path(post, path = "/sites", tag = "sites", request_body = Object,
    responses((status = 201, body = Whole), (status = "default", body = Problem)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(settings): Given<Value>,
) -> Result<Response, Problem> {
    let Some(name) = settings.get("name").and_then(Value::as_str).map(str::to_owned) else {
        let detail = "`name` has to be there, and text: what the site is to be called.";
        return Err(Problem::bad("bad_request", detail));
    };
    caller.needs(Scope::Sites, Some(&name))?;
    let mut answer = api.set_site(&caller, &name, &settings, Expected::Nothing).await?;
    if let Ok(place) = HeaderValue::try_from(format!("{}/sites/{name}", super::PREFIX)) {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    Ok(answer)
}

/// Sets a site. One that is there is changed only with `If-Match`: its `ETag`, or `*`.
#[utoipa::path(put, path = "/sites/{site}", tag = "sites", request_body = Object,
    params(("site" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Whole), (status = 201, body = Whole),
        (status = "default", body = Problem)))]
pub(super) async fn replace(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(name): At<String>,
    fields: HeaderMap,
    Given(settings): Given<Value>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Sites, Some(&name))?;
    let expected = expected(&fields)?.unwrap_or(Expected::Nothing);
    api.set_site(&caller, &name, &settings, expected).await
}

/// Removes a site, with `If-Match`: its `ETag`, or `*`. What is in flight ends as it began.
#[utoipa::path(delete, path = "/sites/{site}", tag = "sites",
    params(("site" = String, Path), ("If-Match" = String, Header)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(name): At<String>,
    fields: HeaderMap,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::Sites, Some(&name))?;
    let expected = expected(&fields)?.ok_or_else(no_precondition)?;
    let done = match api.store.drop_site(&name, expected).await? {
        Changed::Done(_) => Ok(()),
        Changed::Unexpected(None) => Err(api.absent(&name)),
        Changed::Unexpected(Some(_)) | Changed::HostTaken { .. } => Err(other_state()),
    };
    let noted = done.as_ref().copied();
    api.note(&caller, &name, "site.remove", &name, noted, Value::Null).await?;
    done?;
    api.serve_changes().await;
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    async fn set_site(
        &self,
        caller: &Caller,
        name: &str,
        settings: &Value,
        expected: Expected,
    ) -> Result<Response, Problem> {
        let set = self.try_set_site(name, settings, expected).await;
        let detail = match &set {
            Ok((revision, _)) => json!({ "revision": revision }),
            Err(_) => Value::Null,
        };
        let result = set.as_ref().map(drop);
        self.note(caller, name, "site.set", name, result, detail).await?;
        let (revision, whole) = set?;
        self.serve_changes().await;
        let status = match expected {
            Expected::Nothing => StatusCode::CREATED,
            _ => StatusCode::OK,
        };
        Ok(with_tag(status, revision, whole))
    }

    async fn try_set_site(
        &self,
        name: &str,
        settings: &Value,
        expected: Expected,
    ) -> Result<(i64, Whole), Problem> {
        self.keeping.catch_up().await?;
        if self.keeping.is_in_files(name) {
            return Err(of_file());
        }
        let before = self.store.kept_site(name).await?;
        let before = before.map_or_else(Secrets::new, |kept| kept.secrets);
        let written = Written::from_json(settings, &before).map_err(|error| {
            Problem::bad("bad_site", format!("The site cannot be read: {error}."))
        })?;
        let kept = self.keeping.check(name, &written).map_err(|errors| wrong(&errors))?;
        let new =
            NewSite { name, text: &written.text, secrets: &written.secrets, hosts: &kept.hosts };
        match self.store.keep_site(&new, expected).await? {
            Changed::Done(revision) => {
                let warnings = kept.warnings.iter().map(wrong_key).collect();
                let settings = written.to_json();
                Ok((revision, Whole { name: name.to_owned(), settings, warnings }))
            }
            Changed::Unexpected(None) => Err(self.absent(name)),
            Changed::Unexpected(Some(_)) if expected == Expected::Nothing => Err(no_precondition()),
            Changed::Unexpected(Some(_)) => Err(other_state()),
            Changed::HostTaken { host, site } => {
                let detail = format!("Host `{host}` is taken already by the kept site {site}.");
                Err(Problem::new(StatusCode::CONFLICT, "clash", detail))
            }
        }
    }

    /// It is in the store: if it cannot be served just now, it will be.
    async fn serve_changes(&self) {
        if let Err(error) = self.keeping.catch_up().await {
            tracing::warn!(error = crate::upstream::causes(&error), "a site is served later");
        }
    }

    fn absent(&self, name: &str) -> Problem {
        match self.keeping.is_in_files(name) {
            true => of_file(),
            false => Problem::unknown_site(name),
        }
    }
}

fn of_file() -> Problem {
    let detail = "This site is that of a file: change the file.";
    Problem::new(StatusCode::CONFLICT, "site_of_file", detail)
}

fn no_precondition() -> Problem {
    let detail = "The site is there already: say which state of it is meant, by `If-Match` with its \
                  `ETag` (or with `*` for any).";
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "no_precondition", detail)
}

fn other_state() -> Problem {
    let detail = "Somebody changed the site since: read it again, and decide again.";
    Problem::new(StatusCode::PRECONDITION_FAILED, "other_state", detail)
}

/// What is wrong with a site, key by key.
fn wrong(errors: &Errors) -> Problem {
    let clashes = |problem: &config::Problem| {
        matches!(problem.fault, Fault::DoubleHost { .. } | Fault::DoubleName { .. })
    };
    let (status, code) = match errors.problems().iter().all(clashes) {
        true => (StatusCode::CONFLICT, "clash"),
        false => (StatusCode::UNPROCESSABLE_ENTITY, "bad_site"),
    };
    let first = errors.problems().first().map(config::Problem::message).unwrap_or_default();
    let detail = match errors.problems().len() {
        1 => format!("The site was not set: {first}."),
        count => format!("The site was not set, {count} things are wrong (`errors`): {first}."),
    };
    let errors = errors.problems().iter().map(wrong_key).collect();
    Problem { errors, ..Problem::new(status, code, detail) }
}

fn wrong_key(problem: &config::Problem) -> Wrong {
    let help = problem.fault.help().map(|help| format!("; {help}")).unwrap_or_default();
    let detail = format!("{}{help}", problem.fault);
    Wrong { line: None, key: problem.key.clone(), code: "setting".to_owned(), detail }
}

/// What `If-Match` says; `None` if it is not there.
fn expected(fields: &HeaderMap) -> Result<Option<Expected>, Problem> {
    let Some(given) = fields.get(header::IF_MATCH) else { return Ok(None) };
    let given = given.to_str().unwrap_or_default().trim();
    if given == "*" {
        return Ok(Some(Expected::Any));
    }
    let revision = given.strip_prefix("\"r").and_then(|rest| rest.strip_suffix('"'));
    // Another tag is well-formed and matches nothing, which is what 412 says.
    let revision = revision.and_then(|digits| digits.parse().ok()).ok_or_else(other_state)?;
    Ok(Some(Expected::Revision(revision)))
}

fn etag(revision: i64) -> String {
    format!("\"r{revision}\"")
}

fn with_tag(status: StatusCode, revision: i64, whole: Whole) -> Response {
    let tag: [(HeaderName, String); 1] = [(header::ETAG, etag(revision))];
    (status, tag, Json(whole)).into_response()
}
