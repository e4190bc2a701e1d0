//! (to come) sockets, PROXY protocol, TLS accept, HTTP/1 strictness, drain.

use std::net::SocketAddr;
use std::sync::Arc;

/// What is known about a client connection before its first request.
#[derive(Clone, Debug)]
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
}
