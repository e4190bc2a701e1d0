//! The API of both doors, below `/api/v1`. Who asks is known before (`host`, `space`); what they may
//! do is decided here, first thing in each handler.
//!
//! `docs/openapi.json` is made from these handlers, and a test compares it.

mod accounts;
mod audit;
mod bulk;
mod files;
mod me;
mod plans;
mod sites;
mod tokens;
mod tours;
mod transfers;

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Door};
use super::guesses::Guesses;
use super::problem::Problem;
use super::sites::Keeping;
use super::work::{Clouds, admin};
use crate::nextcloud::identity::Role;
use crate::store::{Entry, Store};
use crate::tours::Tours;
use crate::tours::events::Ledger;
use crate::transfer::{Site, Transfers};

/// Where it is, at the host's door.
pub(super) const PREFIX: &str = "/api/v1";

/// What handlers work with.
pub struct Api {
    /// Tokens, audit, answers to repeated requests.
    pub store: Store,
    /// Plans and transfers.
    pub transfers: Arc<Transfers>,
    /// The sites.
    pub clouds: Arc<dyn Clouds>,
    /// How sites that are in no file are set.
    pub keeping: Arc<dyn Keeping>,
    /// The tours, where there are any.
    pub tours: Option<Arc<Tours>>,
    guesses: Guesses,
    listings: files::Listings,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Passeur",
        description = "Hands over what accounts of a Nextcloud have. At the host's door with a \
                       bearer token; at a space's door, below /_passeur, as an admin of it.",
        license(name = "AGPL-3.0-or-later")
    ),
    components(schemas(Problem))
)]
struct Document;

impl Api {
    /// An API on these.
    pub fn new(
        store: Store,
        transfers: Arc<Transfers>,
        clouds: Arc<dyn Clouds>,
        keeping: Arc<dyn Keeping>,
        tours: Option<Arc<Tours>>,
    ) -> Self {
        Self {
            store,
            transfers,
            clouds,
            keeping,
            tours,
            guesses: Guesses::default(),
            listings: files::Listings::default(),
        }
    }

    /// A site that the caller may see.
    fn cloud(&self, caller: &Caller, site: &str) -> Result<Site, Problem> {
        let cloud = caller.sees(site).then(|| self.clouds.site(site)).flatten();
        cloud.ok_or_else(|| Problem::unknown_site(site))
    }

    /// What was counted of tours.
    fn ledger(&self) -> Option<&Ledger> {
        self.tours.as_ref().map(|tours| tours.ledger())
    }

    /// Refuses a sub-admin accounts that it does not look after; an account that is not there
    /// looks the same to it.
    async fn looks_after(
        &self,
        caller: &Caller,
        cloud: &Site,
        accounts: &[&str],
    ) -> Result<(), Problem> {
        let Some(person) = caller.person() else { return Ok(()) };
        if person.identity.role.is_admin() {
            return Ok(());
        }
        let admin = admin(cloud)?.ocs();
        for account in accounts {
            let user = admin.user(account).await?;
            let groups = user.map(|user| user.groups).unwrap_or_default();
            if !person.identity.role.looks_after(&groups) {
                let account: String = account.chars().take(100).collect();
                let detail = format!("You do not look after an account `{account}`.");
                return Err(Problem::forbidden("not_yours", detail));
            }
        }
        Ok(())
    }

    /// Whether a caller sees everything of a site, and not only what it looks after.
    fn sees_all(caller: &Caller) -> bool {
        caller.person().is_none_or(|person| matches!(person.identity.role, Role::Admin))
    }

    /// Writes down what was done, or refused.
    async fn note(
        &self,
        caller: &Caller,
        site: &str,
        action: &str,
        subject: &str,
        result: Result<(), &Problem>,
        detail: serde_json::Value,
    ) -> Result<(), Problem> {
        let door = match caller.door {
            Door::Host => "host's door",
            Door::Space(_) => "space's door",
        };
        let entry = Entry {
            who: caller.who.clone(),
            origin: match caller.address {
                Some(address) => format!("{address}, {door}"),
                None => door.to_owned(),
            },
            site: site.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            result: result.map_or_else(|problem| problem.code().to_owned(), |()| "done".to_owned()),
            detail,
        };
        self.store.audit(&entry).await?;
        Ok(())
    }
}

/// What both doors have.
fn common() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(me::me))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::inventory))
        .routes(routes!(files::list))
        .routes(routes!(plans::make))
        .routes(routes!(plans::show))
        .routes(routes!(transfers::list, transfers::start))
        .routes(routes!(transfers::show))
        .routes(routes!(transfers::receipt))
        .routes(routes!(transfers::events))
        .routes(routes!(transfers::pause))
        .routes(routes!(transfers::resume))
        .routes(routes!(transfers::cancel))
        .routes(routes!(transfers::undo))
        .routes(routes!(transfers::approve))
        .routes(routes!(transfers::decline))
        .routes(routes!(audit::of_site))
        .routes(routes!(tours::of_site))
        .routes(routes!(tours::catalogue))
}

/// What only the host's door has.
fn hosts() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(bulk::start))
        .routes(routes!(audit::all))
        .routes(routes!(tours::missing))
        .routes(routes!(sites::list, sites::create))
        .routes(routes!(sites::show, sites::replace, sites::remove))
        .routes(routes!(tours::edit))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
}

/// The routes of a space's door, and of the host's.
pub(super) fn space(api: Arc<Api>) -> Router {
    finish(common(), api)
}

/// The routes of the host's door.
pub(super) fn host(api: Arc<Api>) -> Router {
    finish(common().merge(hosts()), api)
}

fn finish(routes: OpenApiRouter<Arc<Api>>, api: Arc<Api>) -> Router {
    let (router, _) = routes.split_for_parts();
    router
        .fallback(async || Problem::not_found("not_found", "The API has no such address."))
        .method_not_allowed_fallback(async || {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            Problem::new(status, "method_not_allowed", "This address has other methods.")
        })
        .with_state(api)
}

/// The document of the API.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn document() -> Result<String, serde_json::Error> {
    let mut document = common().merge(hosts()).to_openapi();
    let paths = std::mem::take(&mut document.paths.paths);
    let paths = paths.into_iter().map(|(path, item)| (format!("{PREFIX}{path}"), item));
    document.paths.paths = paths.collect();
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    /// `UPDATE=1 cargo test` writes it anew.
    #[test]
    fn the_document_is_that_of_these_handlers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        let made = super::document().expect("JSON");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &made).expect("a file");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == made, "docs/openapi.json is old: run this test with UPDATE=1");
    }
}
