//! The client side of TLS, the same towards every proxy: TLS 1.3, AES-128-GCM, X25519, one trusted
//! certificate. Only one suite and one group are offered, so that each proxy does the same work and no
//! proxy's own preference (a larger key, a post-quantum share) is counted against it or for it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name in the certificate.
pub const NAME: &str = "localhost";

/// A connector that trusts `ca` and speaks `protocol` (`http/1.1` or `h2`).
pub fn connector(ca: &Path, protocol: &str, resume: bool) -> crate::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let provider = CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config.resumption =
        if resume { Resumption::in_memory_sessions(8) } else { Resumption::disabled() };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Connects and completes the handshake.
pub async fn connect(
    connector: &TlsConnector,
    address: std::net::SocketAddr,
) -> crate::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(connector.connect(ServerName::try_from(NAME)?, socket).await?)
}
