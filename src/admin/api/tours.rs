//! What happened to tours: counters without anybody in them, and targets that pages did not have.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use crate::admin::caller::{Caller, Door, Scope};
use crate::admin::given::{Asked, At, Given};
use crate::admin::problem::Problem;
use crate::store::{LINK_LIFE, now};
use crate::tours::editing::{LINKS, Place};
use crate::tours::events::{Cell, MissingTarget};

/// What happened to the tours of a site, on all replicas.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counted {
    /// Cells that count fewer than this are left out, so that nobody is found in them.
    shown_from: u64,
    counts: Vec<Count>,
}

/// How often one thing happened.
#[derive(Debug, Serialize, ToSchema)]
struct Count {
    /// The site; for one of many instances, the instance's label in front: `blue.farm`.
    site: String,
    /// The tour.
    tour: String,
    /// Its revision.
    rev: u32,
    /// The step; empty for the tour as a whole.
    step: String,
    /// `offered`, `started`, `shown`, `next`, `back`, `later`, `paused`, `dismissed`, `missing`,
    /// `error` or `done`.
    what: &'static str,
    /// Major version of Nextcloud; 0 if unknown.
    nextcloud: u32,
    /// Language of the page; empty for one in which there are no tours.
    language: String,
    /// `phone` or `desktop`.
    device: &'static str,
    count: u64,
}

/// Targets that pages did not have, the most widespread first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Missing {
    targets: Vec<Target>,
}

/// A target that was not found as it should be, over all sites.
#[derive(Debug, Serialize, ToSchema)]
struct Target {
    /// Its name: `files.new`.
    target: String,
    /// Version of Nextcloud; empty if unknown.
    nextcloud: String,
    /// App and its version, as far as known.
    app: String,
    /// Sites that reported it.
    sites: usize,
    /// Reports (a sample) in which nothing was found.
    absent: u64,
    /// Reports (a sample) in which a later candidate was found, by its index.
    fallbacks: BTreeMap<u32, u64>,
    /// A page on which it happened, with names and ids as `*`.
    route: String,
}

/// What happened to the tours of a site.
#[utoipa::path(get, path = "/sites/{site}/tours", tag = "tours", params(("site" = String, Path)),
    responses((status = 200, body = Counted), (status = "default", body = Problem)))]
pub(super) async fn of_site(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
) -> Result<Json<Counted>, Problem> {
    caller.needs(Scope::Read, Some(&site))?;
    api.cloud(&caller, &site)?;
    // An admin of one of many instances sees nothing of the others.
    let is_host = matches!(caller.door, Door::Host);
    let is_meant = |cell: &Cell| {
        cell.site == site || is_host && cell.instance_of().is_some_and(|of| of == site)
    };
    let cells = match api.ledger() {
        Some(ledger) => ledger.cells(&api.store, &site, is_meant).await?,
        None => Vec::new(),
    };
    let counts = cells.into_iter().map(Count::from).collect();
    Ok(Json(Counted { shown_from: crate::tours::events::SHOWN_FROM, counts }))
}

/// The tours of a site.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tours {
    /// Whether its pages get tours.
    on: bool,
    /// Those of higher priority first.
    tours: Vec<Tour>,
}

/// A tour.
#[derive(Debug, Serialize, ToSchema)]
struct Tour {
    id: String,
    /// Its revision.
    rev: u32,
    /// What it is called, in the wanted language or in English.
    title: String,
    /// What it is about.
    summary: String,
    /// How many steps it has.
    steps: usize,
    /// Whether it is offered without being asked for.
    offered: bool,
    /// False where it is switched off, here or everywhere.
    on: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Wanted {
    /// The language of titles: `fr`, `pt-BR`.
    #[serde(default)]
    language: String,
}

/// The tours of a site.
#[utoipa::path(get, path = "/sites/{site}/tours/catalogue", tag = "tours",
    params(("site" = String, Path), Wanted),
    responses((status = 200, body = Tours), (status = "default", body = Problem)))]
pub(super) async fn catalogue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Tours>, Problem> {
    caller.needs(Scope::Read, Some(&site))?;
    let settings = api.clouds.settings(&site).ok_or_else(|| Problem::unknown_site(&site))?;
    let Some((catalogue, is_off)) = api.tours.as_ref().and_then(|tours| tours.of(&settings)) else {
        return Ok(Json(Tours { on: false, tours: Vec::new() }));
    };
    let language = wanted.language.as_str();
    let base = language.split('-').next().unwrap_or_default();
    let texts = catalogue.texts(&[language, base, "en"]);
    let text = |id: &str, part: &str| {
        texts.get(&format!("tour.{id}.{part}")).and_then(|text| text.as_str()).unwrap_or_default()
    };
    let tours = catalogue.tours().map(|tour| Tour {
        id: tour.id.to_owned(),
        rev: tour.rev,
        title: text(tour.id, "title").to_owned(),
        summary: text(tour.id, "summary").to_owned(),
        steps: tour.steps,
        offered: tour.is_offered,
        on: !is_off(tour.id),
    });
    Ok(Json(Tours { on: true, tours: tours.collect() }))
}

/// A tour to be edited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    /// Its id: one that is there, or a new one.
    tour: String,
    /// One of the site's hosts, where it has many.
    host: Option<String>,
}

/// A link to the editor.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Link {
    /// The host on which it opens; absent if the site takes any.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Its path, which opens once: shown this once.
    path: String,
    /// Until when it opens, milliseconds since 1970.
    opens_until: i64,
}

/// Makes a link that opens the editor of tours once, on the pages of a site.
#[utoipa::path(post, path = "/sites/{site}/tours/edit", tag = "tours",
    params(("site" = String, Path)), request_body = Edit,
    responses((status = 201, body = Link), (status = "default", body = Problem)))]
pub(super) async fn edit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    Given(edit): Given<Edit>,
) -> Result<(StatusCode, Json<Link>), Problem> {
    caller.needs(Scope::Tours, Some(&site))?;
    let settings = api.clouds.settings(&site).ok_or_else(|| Problem::unknown_site(&site))?;
    let place = Place::of(&settings, edit.host.as_deref(), &edit.tour)
        .map_err(|error| Problem::bad("no_editor", format!("{error}.")))?;
    let (id, link) = api.store.invite_tour_editor(&place.tenant, &edit.tour, &caller.who).await?;
    let detail = json!({ "tour": edit.tour, "host": place.host });
    api.note(&caller, &site, "tours.edit", &id, Ok(()), detail).await?;
    let path = format!("{LINKS}{}", link.expose_secret());
    let link = Link { host: place.host, path, opens_until: now() + LINK_LIFE };
    Ok((StatusCode::CREATED, Json(link)))
}

/// Targets that were missing, over all sites.
#[utoipa::path(get, path = "/tours/missing", tag = "tours",
    responses((status = 200, body = Missing), (status = "default", body = Problem)))]
pub(super) async fn missing(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<Missing>, Problem> {
    caller.needs(Scope::Read, None)?;
    if !caller.sees("") {
        let detail = "This is about all sites, and these credentials are for some only.";
        return Err(Problem::forbidden("limited", detail));
    }
    let targets = match api.ledger() {
        Some(ledger) => ledger.missing_anywhere(&api.store).await?,
        None => Vec::new(),
    };
    Ok(Json(Missing { targets: targets.into_iter().map(Target::from).collect() }))
}

impl From<(Cell, u64)> for Count {
    fn from((cell, count): (Cell, u64)) -> Self {
        let what = cell.what.as_str();
        let Cell { site, tour, rev, step, nc, lang, device, .. } = cell;
        Self { site, tour, rev, step, what, nextcloud: nc, language: lang, device, count }
    }
}

impl From<MissingTarget> for Target {
    fn from(missing: MissingTarget) -> Self {
        let MissingTarget { target, nc, app, sites, absent, fallbacks, route } = missing;
        Self { target, nextcloud: nc, app, sites, absent, fallbacks, route }
    }
}
