//! TLS towards an upstream: the system's authorities, or one private authority of the site.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An open connection.
pub type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

/// How to speak TLS to the targets of one group.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
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
        let builder = ClientConfig::builder();
        let mut config = match authority {
            Some(path) => builder.with_root_certificates(roots(path)?).with_no_client_auth(),
            None => builder.with_platform_verifier()?.with_no_client_auth(),
        };
        config.alpn_protocols =
            if http2 { vec![b"h2".to_vec()] } else { vec![b"http/1.1".to_vec()] };
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
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

fn roots(path: &Path) -> Result<rustls::RootCertStore, Error> {
    let unreadable = |source| Error::Authorities { path: path.to_owned(), source };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?)?;
    }
    if roots.is_empty() {
        return Err(unreadable(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(roots)
}
