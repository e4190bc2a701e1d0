//! Who asks, for pages that adapt to it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::admin::caller::{Caller, Door, Scope};

/// Who asks, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// `host` or `space`.
    door: &'static str,
    /// `token NAME`, or the display name of the account.
    name: String,
    /// The account, at a space's door.
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// `admin` or `sub_admin`, at a space's door.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// The language the account reads; empty if it chose none.
    language: String,
    /// Sites that may be acted on.
    sites: Vec<SiteOf>,
    /// What may be done.
    scopes: Vec<Scope>,
    /// Whether Passeur runs with tours; sites may have them off.
    tours: bool,
}

/// A site, as far as the page needs it.
#[derive(Debug, Serialize, ToSchema)]
struct SiteOf {
    /// Its name.
    name: String,
    /// Whether a second person has to approve each transfer.
    approval: bool,
    /// Whether Passeur may act for its accounts.
    access: bool,
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, body = Me)))]
pub(super) async fn me(State(api): State<Arc<Api>>, caller: Caller) -> Json<Me> {
    let names = api.clouds.names().into_iter().filter(|name| caller.sees(name));
    let sites = names.filter_map(|name| {
        let cloud = api.clouds.site(&name)?;
        Some(SiteOf { name, approval: cloud.approval, access: cloud.app.is_some() })
    });
    let identity = caller.person().map(|person| &person.identity);
    Json(Me {
        door: match caller.door {
            Door::Host => "host",
            Door::Space(_) => "space",
        },
        name: match identity {
            Some(identity) if !identity.display_name.is_empty() => identity.display_name.clone(),
            Some(identity) => identity.uid.clone(),
            None => caller.who.clone(),
        },
        uid: identity.map(|identity| identity.uid.clone()),
        role: identity.map(|found| if found.role.is_admin() { "admin" } else { "sub_admin" }),
        language: identity.map(|identity| identity.language.clone()).unwrap_or_default(),
        sites: sites.collect(),
        scopes: caller.scopes(),
        tours: api.tours.is_some(),
    })
}
