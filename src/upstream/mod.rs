//! Towards the origins: which web server gets a request, over which connection, and what happens
//! when there is none.
//!
//! A [`Group`] is what a site (or a route of it) sends to. It picks one [`Upstream`] by
//! session or load, which admits a bounded number of requests, keeps a pool of idle connections per
//! worker thread, and has a breaker and [`Health`].
//!
//! Invariant: a request is sent at most once, unless no byte of it left, or it is safe, without a
//! body, and met a kept connection that the origin was just closing.

mod breaker;
mod connect;
mod group;
mod health;
mod pool;
mod sticky;
mod target;

use std::io;
use std::time::Duration;

use http::StatusCode;

pub use connect::causes;
pub use group::Group;
pub use health::{Health, State as HealthState};
pub use target::Upstream;

/// Why there is no answer from an origin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The breaker is open after repeated connection failures.
    #[error("upstream is not tried after repeated failures")]
    BreakerOpen {
        /// When it will be tried again.
        retry_after: Duration,
    },
    /// It refused the connection, or could not be resolved.
    #[error("failed to connect to upstream")]
    Connect(#[source] io::Error),
    /// It took too long to connect.
    #[error("upstream did not accept the connection in time")]
    ConnectTimeout,
    /// The connection broke before an answer began.
    #[error("upstream broke off before it answered")]
    Exchange(#[source] hyper::Error),
    /// The HTTP handshake on a new connection failed.
    #[error("failed to start HTTP with upstream")]
    Handshake(#[source] hyper::Error),
    /// Too many requests wait already.
    #[error("too many requests wait for upstream")]
    QueueFull,
    /// No place became free in time.
    #[error("no place at upstream became free in time")]
    QueueTimeout,
    /// The origin did not begin its answer in time.
    #[error("upstream did not answer in time")]
    ResponseTimeout,
    /// The client broke off its upload.
    #[error("client broke off the request")]
    Upload(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The status that a client gets.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Error::BreakerOpen { .. } | Error::QueueFull | Error::QueueTimeout => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Error::ConnectTimeout | Error::ResponseTimeout => StatusCode::GATEWAY_TIMEOUT,
            Error::Connect(_) | Error::Exchange(_) | Error::Handshake(_) => StatusCode::BAD_GATEWAY,
            Error::Upload(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What to put in `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::BreakerOpen { retry_after } => Some(*retry_after),
            Error::QueueFull | Error::QueueTimeout => Some(Duration::from_secs(5)),
            _ => None,
        }
    }

    /// A short stable name for metrics and logs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Error::BreakerOpen { .. } => "breaker_open",
            Error::Connect(_) => "connect",
            Error::ConnectTimeout => "connect_timeout",
            Error::Exchange(_) => "upstream_broke_off",
            Error::Handshake(_) => "handshake",
            Error::QueueFull => "queue_full",
            Error::QueueTimeout => "queue_timeout",
            Error::ResponseTimeout => "response_timeout",
            Error::Upload(_) => "client_broke_off",
        }
    }
}
