//! The two doors of those who look after sites.
//!
//! - The **host's door** is the operator's listener, on loopback or a unix socket by default, so that
//!   no script in a Nextcloud page can reach it. `GET /healthz` (the process runs), `/readyz` (it takes
//!   traffic), `/metrics` (numbers for Prometheus), the API at `/api/v1`, the admin page at `/`.
//! - A **space's door** is below `/_passeur/` under each site's own origin: the same API for that site
//!   alone, for accounts of which the instance itself says that they look after others.
//!
//! Invariants: what a door lets through is decided before a handler runs, and in doubt nobody is
//! let in; whatever changes something is in the audit log; an answer that refuses is a
//! [`Problem`] with the request's name.

pub mod api;
pub mod caller;
pub mod ending;
mod given;
mod guesses;
mod host;
mod metrics;
mod page;
pub mod problem;
pub mod sites;
pub mod space;
pub mod work;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use tokio::net::{TcpListener, UnixListener};

use crate::config::Reloads;
use crate::gateway::Shared;
use crate::listen::socket::Bare;

pub use api::Api;
pub use host::router;
pub use problem::Problem;

/// What the operator may see.
pub struct Operator {
    /// The proxy.
    pub shared: Arc<Shared>,
    /// What opens everything, if the configuration names it.
    pub token: Option<SecretString>,
    /// The API; `None` where there is no store.
    pub api: Option<Arc<Api>>,
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
        Bare::Tcp(tcp) => {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(TcpListener::from_std(tcp)?, service).await
        }
        Bare::Unix(unix) => axum::serve(UnixListener::from_std(unix)?, router).await,
    }
}

async fn ready(State(operator): State<Arc<Operator>>) -> (StatusCode, &'static str) {
    if operator.draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    (StatusCode::OK, "ready\n")
}
