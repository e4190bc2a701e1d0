//! TLS towards clients.
//!
//! The client's hello is read first; its server name picks the certificate, and whether HTTP/2 is
//! offered. A name without a certificate is answered with the alert made for it
//! (`unrecognized_name`), so that the client's message says what is wrong; rustls by itself would
//! say `access_denied`. Sessions are resumed by tickets, with keys that all workers share and that
//! change every six hours; early data is never accepted, because it can be replayed.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{Acceptor, ServerSessionMemoryCache};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;

use super::certificates::Certificates;

/// An open connection.
pub type ServerStream<S> = tokio_rustls::server::TlsStream<S>;

/// Sessions of clients that know no tickets.
const CACHED_SESSIONS: usize = 4096;
/// The alert for a name without a certificate, as it stands on the wire: fatal, 112.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

type ServesHttp2 = dyn Fn(&str) -> bool + Send + Sync;

/// Shakes hands with clients. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    shared: Arc<Shared>,
}

struct Shared {
    certificates: Certificates,
    both: Arc<ServerConfig>,
    http1: Arc<ServerConfig>,
    serves_http2: Box<ServesHttp2>,
}

/// A client after the handshake.
#[derive(Debug)]
pub struct Accepted<S> {
    /// To speak through.
    pub stream: ServerStream<S>,
    /// The name it asked for, lower case.
    pub server_name: Option<Arc<str>>,
    /// Whether HTTP/2 was agreed on.
    pub http2: bool,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection or the client's side of the handshake broke.
    #[error("handshake broke off")]
    Broken(#[source] io::Error),
    /// No certificate for the name, or none at all for clients without one.
    #[error("found no certificate for {}", .0.as_deref().unwrap_or("a client without a server name"))]
    UnknownName(Option<Arc<str>>),
}

// === impl ServerTls ===

impl ServerTls {
    /// Answers with `certificates`; offers HTTP/2 to those server names for which `serves_http2`
    /// says so, and to clients that send none.
    ///
    /// # Errors
    /// If the system has no randomness, or the cryptography refuses its defaults.
    pub fn new(
        certificates: Certificates,
        serves_http2: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut both = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(certificates.resolver().clone());
        both.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        both.session_storage = ServerSessionMemoryCache::new(CACHED_SESSIONS);
        both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut http1 = both.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        let shared = Shared {
            certificates,
            both: Arc::new(both),
            http1: Arc::new(http1),
            serves_http2: Box::new(serves_http2),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The certificates it answers with.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.shared.certificates
    }

    /// Shakes hands. Takes as long as the client lets it: the caller limits the time.
    ///
    /// # Errors
    /// [`HandshakeError`]
    pub async fn accept<S>(&self, io: S) -> Result<Accepted<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let broken = HandshakeError::Broken;
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), io).await.map_err(broken)?;
        let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
        let server_name: Option<Arc<str>> = name.map(Into::into);
        if !self.knows(server_name.as_deref()) {
            // The client may be gone already.
            let _ = start.io.write_all(&UNRECOGNIZED_NAME).await;
            let _ = start.io.shutdown().await;
            return Err(HandshakeError::UnknownName(server_name));
        }
        let http2 = server_name.as_deref().is_none_or(|name| (self.shared.serves_http2)(name));
        let config = if http2 { &self.shared.both } else { &self.shared.http1 };
        let stream = start.into_stream(config.clone()).await.map_err(broken)?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Accepted { stream, server_name, http2 })
    }

    fn knows(&self, name: Option<&str>) -> bool {
        let table = self.shared.certificates.resolver().table.load();
        name.map_or_else(|| table.has_default(), |name| table.find(name).is_some())
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("names", &self.shared.certificates.len()).finish()
    }
}
