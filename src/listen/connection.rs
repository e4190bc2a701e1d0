//! Serves one client connection, from the accepted socket to its end.
//!
//! The order is PROXY header, TLS, HTTP. The protocol is chosen by ALPN; plain connections speak
//! HTTP/1 only, because telling HTTP/2 from HTTP/1 by its first bytes has no time limit in hyper.
//! Every phase has one of ours: a client that says nothing never keeps a socket.
//!
//! Failure of any phase closes the connection and is reported as [`Ended`]; nothing is answered
//! before HTTP is spoken.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::timeout;

use super::budget::Budget;
use super::drain::{Open, Watch};
use super::framing::Rule;
use super::stall::Stall;
use super::stream::{Socket, Stream, Transport};
use super::{Connection, Gateway, http1, http2, proxy_protocol};
use crate::config::checked::{Config, Limits, Peer};
use crate::tls::{self, ServerTls};

/// Serves connections with a gateway. Cheap to clone.
#[derive(Clone)]
pub struct Server<G> {
    pub(super) gateway: G,
    shared: Arc<Shared>,
}

struct Shared {
    settings: ArcSwap<Settings>,
    tls: Option<ServerTls>,
    watch: Watch,
    budget: Arc<Budget>,
}

/// What a reload may change; connections keep what they began with.
#[derive(Debug)]
struct Settings {
    limits: Limits,
    proxy_protocol_from: Vec<Peer>,
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// As it should.
    #[error("closed")]
    Closed,
    /// It was cut at a deadline of a stop.
    #[error("cut by a stop")]
    Cut,
    /// PROXY header or TLS handshake took too long.
    #[error("handshake took too long")]
    HandshakeTimeout,
    /// HTTP broke off, on either side.
    #[error("http broke off")]
    Http(#[source] hyper::Error),
    /// A trusted peer sent no PROXY header that can be read.
    #[error("failed to read the proxy header")]
    ProxyProtocol(#[from] proxy_protocol::Error),
    /// A request broke a framing rule.
    #[error("refused a request: {}", .0.as_str())]
    Refused(Rule),
    /// The socket could not be used.
    #[error("failed to use the socket")]
    Socket(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("failed to shake hands")]
    Tls(#[source] tls::HandshakeError),
}

// === impl Server ===

impl<G: Gateway> Server<G> {
    /// Serves with `gateway`; `tls` is needed for sockets that are `secure`.
    #[must_use]
    pub fn new(gateway: G, config: &Config, tls: Option<ServerTls>, watch: Watch) -> Self {
        let shared = Shared {
            settings: ArcSwap::from_pointee(Settings::from(config)),
            tls,
            watch,
            budget: Arc::default(),
        };
        Self { gateway, shared: Arc::new(shared) }
    }

    /// Takes over the limits and trusted addresses of another configuration, for new connections.
    pub fn reload(&self, config: &Config) {
        self.shared.settings.store(Arc::new(Settings::from(config)));
    }

    /// Serves one connection to its end; `secure`: it begins with TLS.
    pub async fn serve(&self, socket: Socket, secure: bool) {
        let open = self.shared.watch.open();
        // Boxed, so that tasks of plain idle connections are not as large as a TLS handshake.
        let ended = match Box::pin(self.begin(socket, secure, &open)).await {
            Ok((stream, connection, limits)) => {
                self.speak(stream, connection, &limits, &open).await
            }
            Err(ended) => ended,
        };
        self.gateway.ended(&ended);
    }

    /// PROXY header and TLS.
    async fn begin(
        &self,
        socket: Socket,
        secure: bool,
        open: &Open,
    ) -> Result<(Stream, Connection, Limits), Ended> {
        let settings = self.shared.settings.load_full();
        let limits = &settings.limits;
        let mut connection = Connection {
            peer: socket.peer(),
            local: socket.local(),
            secure,
            exchanges: open.exchanges(),
            ..Connection::default()
        };
        let handshake = async {
            let mut socket = Stall::new(socket, limits.patience());
            let peer = connection.peer.map(|peer| peer.ip());
            let mut surplus = bytes::Bytes::new();
            if settings.proxy_protocol_from.iter().any(|trusted| trusted.is(peer)) {
                let (header, rest) = proxy_protocol::read(&mut socket).await?;
                header.apply(&mut connection);
                surplus = rest;
            }
            let transport = Transport::new(socket, surplus);
            if !secure {
                return Ok::<_, Ended>(Stream::Plain(transport));
            }
            let tls = self.shared.tls.as_ref().ok_or_else(|| {
                Ended::Socket(io::Error::new(io::ErrorKind::Unsupported, "no certificates"))
            })?;
            let accepted = tls.accept(transport).await.map_err(Ended::Tls)?;
            connection.server_name = accepted.server_name;
            connection.http2 = accepted.http2;
            Ok(Stream::Tls(Box::new(accepted.stream)))
        };
        let stream = tokio::select! {
            biased;
            stream = timeout(limits.handshake, handshake) => {
                stream.map_err(|_| Ended::HandshakeTimeout)??
            }
            () = open.stopping() => return Err(Ended::Cut),
        };
        Ok((stream, connection, limits.clone()))
    }

    async fn speak(
        &self,
        stream: Stream,
        connection: Connection,
        limits: &Limits,
        open: &Open,
    ) -> Ended {
        let http2 = connection.http2;
        let connection = Arc::new(connection);
        let gateway = self.gateway.clone();
        if http2 {
            let wanted = limits.h2_connection_window;
            let window = self.shared.budget.window(limits.h2_window_budget, wanted);
            http2::serve(stream, gateway, connection, limits, window, open).await
        } else {
            http1::serve(stream, gateway, connection, limits, open).await
        }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            limits: config.limits.clone(),
            proxy_protocol_from: config.listen.proxy_protocol_from.clone(),
        }
    }
}
