//! Plans: what a transfer would do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Api;
use crate::admin::caller::{Caller, Scope};
use crate::admin::given::{At, Given};
use crate::admin::problem::Problem;
use crate::transfer::model::{Plan, Request};

/// What a transfer would do: each item with its engine, what is kept and lost, and what blocks.
/// Changes nothing on the site.
#[utoipa::path(post, path = "/sites/{site}/plans", tag = "transfers",
    params(("site" = String, Path)), request_body = Request,
    responses((status = 200, body = Plan), (status = "default", body = Problem)))]
pub(super) async fn make(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    Given(request): Given<Request>,
) -> Result<Json<Plan>, Problem> {
    caller.needs(Scope::Transfer, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    api.looks_after(&caller, &cloud, &accounts(&request)).await?;
    Ok(Json(api.transfers.plan(&site, request).await?))
}

/// A plan that was made before.
#[utoipa::path(get, path = "/sites/{site}/plans/{hash}", tag = "transfers",
    params(("site" = String, Path), ("hash" = String, Path)),
    responses((status = 200, body = Plan), (status = "default", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At((site, hash)): At<(String, String)>,
) -> Result<Json<Plan>, Problem> {
    caller.needs(Scope::Read, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    let plan = api.transfers.planned(&site, &hash).await?;
    api.looks_after(&caller, &cloud, &accounts(&plan.request)).await?;
    Ok(Json(plan))
}

/// The accounts of the site that a request is about.
pub(super) fn accounts(request: &Request) -> Vec<&str> {
    // Recipients of another instance are no accounts of this site.
    let recipients = match request.target {
        None => request.recipients(),
        Some(_) => Vec::new(),
    };
    std::iter::once(request.source.as_str()).chain(recipients).collect()
}
