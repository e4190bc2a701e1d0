//! The operator's listener. Its routes:
//!
//! - `GET /healthz`: 200 while the process runs.
//! - `GET /readyz`: 200 while it takes traffic, 503 while it drains.
//! - `GET /metrics`: numbers in the text format of Prometheus; needs the token, if one is set.
//!
//! It is a listener of its own, on loopback or a unix socket by default, so that no script in a
//! Nextcloud page can reach it.

mod metrics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::{TcpListener, UnixListener};

use crate::config::Reloads;
use crate::gateway::Shared;
use crate::listen::socket::Bare;

/// What the operator may see.
pub struct Operator {
    /// The proxy.
    pub shared: Arc<Shared>,
    /// What has to be shown to see numbers.
    pub token: Option<SecretString>,
    /// Whether a stop has begun.
    pub draining: AtomicBool,
    /// How reloading goes; `None` where there is no file to reload.
    pub reloads: Option<Arc<Reloads>>,
    /// Open client connections.
    pub connections: Box<dyn Fn() -> usize + Send + Sync>,
    /// When each certificate ends: name and seconds since 1970.
    pub certificates: Box<dyn Fn() -> Vec<(String, i64)> + Send + Sync>,
    /// Tours, for their numbers.
    pub tours: Option<Arc<crate::tours::Tours>>,
}

/// Serves for ever.
///
/// # Errors
/// If the runtime cannot watch the socket.
pub async fn serve(listener: Bare, operator: Arc<Operator>) -> std::io::Result<()> {
    let router = router(operator);
    match listener {
        Bare::Tcp(tcp) => axum::serve(TcpListener::from_std(tcp)?, router).await,
        Bare::Unix(unix) => axum::serve(UnixListener::from_std(unix)?, router).await,
    }
}

/// The routes.
pub fn router(operator: Arc<Operator>) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics_page))
        .layer(from_fn_with_state(Arc::clone(&operator), require_token));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(guarded)
        .with_state(operator)
}

async fn ready(State(operator): State<Arc<Operator>>) -> (StatusCode, &'static str) {
    if operator.draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn metrics_page(State(operator): State<Arc<Operator>>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, metrics::page(&operator)).into_response()
}

async fn require_token(
    State(operator): State<Arc<Operator>>,
    request: Request,
    next: Next,
) -> Response {
    match &operator.token {
        Some(token) if !shows(request.headers(), token.expose_secret()) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, challenge, "a bearer token is needed\n").into_response()
        }
        _ => next.run(request).await,
    }
}

/// Compares in a time that does not depend on where the difference is.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let Some(shown) = shown.and_then(|value| value.strip_prefix(b"Bearer ")) else { return false };
    let difference = shown.iter().zip(token.as_bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    shown.len() == token.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: &'static str) -> HeaderMap {
        let value = header::HeaderValue::from_static(authorization);
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    #[test]
    fn only_the_token_opens() {
        assert!(shows(&headers("Bearer abc"), "abc"));
        for wrong in ["Bearer abd", "Bearer ab", "Bearer abcd", "Bearer ", "abc", "Basic abc"] {
            assert!(!shows(&headers(wrong), "abc"), "{wrong}");
        }
        assert!(!shows(&HeaderMap::new(), "abc"));
    }
}
