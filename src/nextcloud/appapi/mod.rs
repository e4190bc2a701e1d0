//! Passeur as an external app of its sites (AppAPI): the secrets, and what an instance asks of such
//! an app.
//!
//! Nextcloud shows the secret when it wants something (`AUTHORIZATION-APP-API`); whoever does not
//! learns nothing but "ok". There is nothing to initialise and nothing to remember: an app that is
//! switched off is refused by the instance itself.

mod secret;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::Credentials;
use crate::config::SecretError;
use crate::config::checked::{AppApi, Site};

pub use secret::{Secrets, secret};

/// The version that Passeur is registered with. Not its own: an instance takes a higher one over
/// whenever it is shown, and there is nothing to migrate.
pub const VERSION: &str = "1.0.0";

/// The secrets, which a reload exchanges.
pub type Known = Arc<ArcSwap<Secrets>>;

impl Credentials {
    /// What Passeur acts by at a site whose instance is asked by `host`: as an external app.
    /// `None` if the configuration has no secret for it.
    ///
    /// # Errors
    /// If the secret cannot be read.
    pub fn of_site(site: &Site, app: &AppApi, host: &str) -> Result<Option<Self>, SecretError> {
        let (id, version) = (site.access.app.clone(), VERSION.to_owned());
        let secret = secret(site, app, host)?;
        Ok(secret.map(|secret| Credentials::AppApi { id, version, secret }))
    }
}

/// What instances ask.
pub fn router(known: Known) -> Router {
    Router::new()
        .route("/heartbeat", get(async || Json(json!({ "status": "ok" }))))
        .route("/init", post(init))
        .route("/enabled", put(enabled))
        .with_state(known)
}

/// There is nothing to initialise, which 501 says.
async fn init(State(known): State<Known>, fields: HeaderMap) -> Response {
    match site(&known, &fields) {
        Some(site) => {
            tracing::info!(site, "registered as an external app");
            StatusCode::NOT_IMPLEMENTED.into_response()
        }
        None => refusal(),
    }
}

#[derive(serde::Deserialize)]
struct Switch {
    #[serde(default)]
    enabled: u8,
}

async fn enabled(
    State(known): State<Known>,
    fields: HeaderMap,
    Query(Switch { enabled }): Query<Switch>,
) -> Response {
    match site(&known, &fields) {
        Some(site) => {
            tracing::info!(site, on = enabled != 0, "switched as an external app");
            Json(json!({ "error": "" })).into_response()
        }
        None => refusal(),
    }
}

/// The site that shows its secret.
fn site(known: &Known, fields: &HeaderMap) -> Option<String> {
    let shown = BASE64_STANDARD.decode(fields.get("authorization-app-api")?.as_bytes()).ok()?;
    let shown = String::from_utf8(shown).ok()?;
    let (_account, secret) = shown.split_once(':')?;
    known.load().site(secret)
}

fn refusal() -> Response {
    tracing::warn!("an unknown secret was shown to the listener for external apps");
    let error = "this secret is not one that Passeur knows: is it the one of this site?";
    (StatusCode::UNAUTHORIZED, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::config::checked::{Config, SecretSource};

    async fn ask(known: &Known, method: &str, path: &str, secret: Option<&str>) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(secret) = secret {
            let shown = BASE64_STANDARD.encode(format!("admin:{secret}"));
            request = request.header("authorization-app-api", shown);
        }
        let answer = router(Arc::clone(known)).oneshot(request.body(Body::empty()).unwrap()).await;
        let answer = answer.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn only_a_secret_gets_more_than_ok() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "common").unwrap();
        let app = AppApi { listen: None, secret: Some(SecretSource::File(path)) };
        let config = Config { appapi: app.clone(), ..Config::default() };
        let known: Known = Arc::new(ArcSwap::from_pointee(Secrets::of(&config)));
        let nowhere = crate::config::checked::Target {
            tls: false,
            http2: false,
            address: crate::config::checked::TargetAddress::Unix("/".into()),
        };
        let group = crate::config::checked::UpstreamGroup::to(nowhere);
        let site = Site::to("x", Vec::new(), group);
        let Some(Credentials::AppApi { secret, .. }) =
            Credentials::of_site(&site, &app, "cloud.example").unwrap()
        else {
            panic!("no credentials")
        };
        let secret = secrecy::ExposeSecret::expose_secret(&secret).to_owned();
        let secret = Some(secret.as_str());
        let ok = (200, "{\"status\":\"ok\"}".to_owned());
        assert_eq!(ask(&known, "GET", "/heartbeat", None).await, ok);
        assert_eq!(ask(&known, "POST", "/init", secret).await.0, 501);
        let on = ask(&known, "PUT", "/enabled?enabled=1", secret).await;
        assert_eq!(on, (200, "{\"error\":\"\"}".to_owned()));
        for path in ["/init", "/enabled?enabled=0"] {
            let method = if path == "/init" { "POST" } else { "PUT" };
            assert_eq!(ask(&known, method, path, None).await.0, 401);
            assert_eq!(ask(&known, method, path, Some("common")).await.0, 401);
        }
    }
}
