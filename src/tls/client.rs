//! TLS towards an upstream: the system's authorities, or one private authority of the site.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An open connection.
pub type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

/// What is in use, by the authorities (`None`: the system's) and whether `h2` is offered. One has
/// tens of KiB of its own, and 10,000 sites of a farm differ in neither.
static KNOWN: LazyLock<Mutex<Configs>> = LazyLock::new(Mutex::default);

type Configs = HashMap<(Option<Arc<[u8]>>, bool), Weak<ClientConfig>>;

/// How to speak TLS to the targets of one group.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
}

/// Certificate authorities as their file holds them, so that whoever compares two of them sees
/// that the file changed.
#[derive(Clone, Eq, PartialEq)]
pub struct Authorities {
    path: PathBuf,
    pem: Arc<[u8]>,
}

/// Why no client configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authority file cannot be read, or holds no certificate.
    #[error("failed to read certificate authorities from {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The authority is not one rustls accepts, or the system has none.
    #[error("failed to set up TLS towards upstreams")]
    Setup(#[from] rustls::Error),
}

impl ClientTls {
    /// Trusts `authority` alone, or the system's authorities; offers `h2` if `http2`.
    ///
    /// # Errors
    /// [`Error`] if the authorities cannot be used.
    pub fn new(authority: Option<&Path>, http2: bool) -> Result<Self, Error> {
        let authority = authority.map(Authorities::read).transpose()?;
        Self::trusting(authority.as_ref(), http2)
    }

    /// The same, with an authority that was read before.
    ///
    /// # Errors
    /// [`Error`] if the authorities cannot be used.
    pub fn trusting(authority: Option<&Authorities>, http2: bool) -> Result<Self, Error> {
        let key = (authority.map(|own| Arc::clone(&own.pem)), http2);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(Self { connector: TlsConnector::from(config) });
        }
        let builder = ClientConfig::builder();
        let mut config = match authority {
            Some(own) => builder.with_root_certificates(own.roots()?).with_no_client_auth(),
            None => builder.with_platform_verifier()?.with_no_client_auth(),
        };
        config.alpn_protocols =
            if http2 { vec![b"h2".to_vec()] } else { vec![b"http/1.1".to_vec()] };
        let config = Arc::new(config);
        known.retain(|_, config| config.strong_count() > 0);
        known.insert(key, Arc::downgrade(&config));
        Ok(Self { connector: TlsConnector::from(config) })
    }

    /// Shakes hands over `tcp`; the certificate has to be for `host`.
    ///
    /// # Errors
    /// As the connection, or the handshake, fails.
    pub async fn connect(&self, host: &str, tcp: TcpStream) -> io::Result<ClientStream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.connector.connect(name, tcp).await
    }
}

impl Authorities {
    /// Reads a file; what is in it is not looked at yet.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        match std::fs::read(path) {
            Ok(pem) => Ok(Self { path: path.to_owned(), pem: pem.into() }),
            Err(error) => {
                let source = rustls::pki_types::pem::Error::Io(error);
                Err(Error::Authorities { path: path.to_owned(), source })
            }
        }
    }

    /// A file that nobody looked at.
    pub(crate) fn unread(path: &Path) -> Self {
        Self { path: path.to_owned(), pem: Arc::default() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn roots(&self) -> Result<rustls::RootCertStore, Error> {
        let unreadable = |source| Error::Authorities { path: self.path.clone(), source };
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&self.pem) {
            roots.add(certificate.map_err(unreadable)?)?;
        }
        if roots.is_empty() {
            return Err(unreadable(rustls::pki_types::pem::Error::NoItemsFound));
        }
        Ok(roots)
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorities").field(&self.path).finish()
    }
}
