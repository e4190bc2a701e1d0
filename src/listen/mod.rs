//! From the socket to the request: sockets, PROXY protocol, TLS accept, strict HTTP/1, HTTP/2,
//! and the graceful stop.
//!
//! Nothing here knows what a site is. Connections are accepted in one place, handed to workers, and
//! end in calls of a [`Gateway`].
//!
//! Invariant: a request that reaches the gateway has exactly one reading, by us and by whoever we
//! send it to; and no client holds a connection without doing something for longer than the limits
//! say.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;

pub mod accept;
pub mod budget;
pub mod connection;
pub mod drain;
mod fragments;
pub mod framing;
mod http1;
mod http2;
pub mod notify;
pub mod proxy_protocol;
pub mod socket;
pub mod stall;
pub mod stream;
pub mod strict;
pub mod workers;

#[cfg(test)]
mod tests;

pub use connection::{Ended, Server};
pub use drain::{Drain, Exchanges, Guard, Kind, Watch};
pub use stream::ClientIo;
pub use workers::Workers;

/// Any error that ends an exchange.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is known about a client connection before its first request.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The client: the socket's peer, or what a trusted PROXY header says; `None` on unix sockets
    /// without one.
    pub peer: Option<SocketAddr>,
    /// Where it arrived.
    pub local: Option<SocketAddr>,
    /// Whether the client spoke TLS with us (or, by a trusted PROXY header, with the hop).
    pub secure: bool,
    /// The server name it asked for in TLS, lower case.
    pub server_name: Option<Arc<str>>,
    /// Whether `peer` and `local` come from a trusted PROXY header.
    pub proxied: bool,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
    /// Where running exchanges are counted, so that a stop waits for them.
    pub exchanges: Exchanges,
}

/// Answers requests. A connection, or each stream of it, calls it once per request; dropping the
/// future means that the client is gone.
pub trait Gateway: Clone + Send + Sync + 'static {
    /// Of answers.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
    /// Of one answer. An error ends the connection (the stream, in HTTP/2) without an answer.
    type Future: Future<Output = Result<Response<Self::Body>, BoxError>> + Send + 'static;

    /// Answers a request.
    fn call(&self, connection: &Arc<Connection>, request: Request<Incoming>) -> Self::Future;

    /// A connection ended; for metrics.
    fn ended(&self, how: &Ended) {
        tracing::debug!(%how, "connection ended");
    }
}
