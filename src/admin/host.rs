//! The host's door: bearer tokens, all sites.
//!
//! What the configuration names as `[admin] token` opens everything; tokens of the store open what
//! their scopes say. Browsers send no bearer token by themselves, so no page can drive this door.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::{ExposeSecret, SecretString};

use super::api;
use super::caller::{Caller, Scope};
use super::problem::Problem;
use super::{Operator, metrics, page, ready};
use crate::gateway::RequestId;

/// The routes.
pub fn router(operator: Arc<Operator>) -> Router {
    let metrics = Router::new()
        .route("/metrics", get(metrics_page))
        .layer(from_fn_with_state(Arc::clone(&operator), metrics_token))
        .with_state(Arc::clone(&operator));
    let api = match &operator.api {
        Some(api) => api::host(Arc::clone(api)),
        None => Router::new().fallback(async || Problem::no_store()),
    };
    let api = api.layer(from_fn_with_state(Arc::clone(&operator), authenticate));
    let page = Arc::new(page::Page::at("/"));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(operator)
        .merge(metrics)
        .nest(api::PREFIX, api)
        .fallback(move |request: Request| {
            let path = request.uri().path().trim_start_matches('/');
            let answer = page.answer(request.method(), path, request.headers());
            async { answer }
        })
        .layer(from_fn(name_request))
}

async fn metrics_page(State(operator): State<Arc<Operator>>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, metrics::page(&operator)).into_response()
}

/// Metrics are open where the configuration names no token, as on a loopback listener.
async fn metrics_token(
    State(operator): State<Arc<Operator>>,
    request: Request,
    next: Next,
) -> Response {
    if operator.token.is_some() {
        let caller = caller(&operator, request.headers()).await;
        let allowed = caller.and_then(|caller| caller.needs(Scope::Metrics, None));
        if let Err(problem) = allowed {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNAUTHORIZED);
            return (status, challenge, "a bearer token is needed\n").into_response();
        }
    }
    next.run(request).await
}

async fn authenticate(
    State(operator): State<Arc<Operator>>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = address.map(|ConnectInfo(address)| address.ip());
    match caller(&operator, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller.from(address));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn caller(operator: &Operator, headers: &HeaderMap) -> Result<Caller, Problem> {
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.and_then(|value| value.strip_prefix(b"Bearer "));
    let Some(shown) = shown else {
        let detail = "A bearer token is needed: `Authorization: Bearer TOKEN`.";
        return Err(Problem::unauthorized(detail));
    };
    if operator.token.as_ref().is_some_and(|token| equal(shown, token)) {
        return Ok(Caller::operator());
    }
    let unknown = || Problem::unauthorized("This token does not open anything (any more).");
    let api = operator.api.as_ref().ok_or_else(unknown)?;
    let shown = std::str::from_utf8(shown).map_err(|_| unknown())?;
    let token = api.store.token(&SecretString::from(shown)).await?;
    token.map(|token| Caller::of_token(&token)).ok_or_else(unknown)
}

/// Gives the request a name, which problems and logs carry.
pub(super) async fn name_request(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().copied().unwrap_or_default();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if problem.status >= 500 {
            tracing::warn!(%id, code = problem.code(), "{}", problem.detail);
        }
        response = Problem { request_id: id.to_string(), ..problem }.into_response();
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// Compares in a time that does not depend on where the difference is.
fn equal(shown: &[u8], token: &SecretString) -> bool {
    let token = token.expose_secret().as_bytes();
    let difference = shown.iter().zip(token).fold(0, |sum, (a, b)| sum | (a ^ b));
    shown.len() == token.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_equal() {
        let token = SecretString::from("abc");
        assert!(equal(b"abc", &token));
        for wrong in ["abd", "ab", "abcd", ""] {
            assert!(!equal(wrong.as_bytes(), &token), "{wrong}");
        }
    }
}
