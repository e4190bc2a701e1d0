//! Certificates and handshakes, with rustls on both sides.

use std::fs;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;

use super::*;

const NAME: &str = "cloud.example.org";

fn write(folder: &Path, name: &str, hosts: &[&str]) -> CertificateDer<'static> {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let (certificate, key) = self_signed::generate(&hosts).unwrap();
    fs::write(folder.join(format!("{name}.crt")), &certificate).unwrap();
    fs::write(folder.join(format!("{name}.key")), key).unwrap();
    CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
}

fn load_error(folder: &Path) -> String {
    let errors = Certificates::load(folder).err().unwrap();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn client(root: &CertificateDer<'static>, protocols: &[&str]) -> ClientConfig {
    let mut store = RootCertStore::empty();
    store.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|text| text.as_bytes().to_vec()).collect();
    config
}

type Connected = std::io::Result<tokio_rustls::client::TlsStream<DuplexStream>>;

async fn shake_hands(
    tls: &ServerTls,
    config: &ClientConfig,
    name: &str,
) -> (Connected, Result<Accepted<DuplexStream>, HandshakeError>) {
    let (ours, theirs) = tokio::io::duplex(16 << 10);
    let connector = TlsConnector::from(std::sync::Arc::new(config.clone()));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    tokio::join!(connector.connect(name, theirs), tls.accept(ours))
}

#[test]
fn both_layouts_are_loaded_and_names_come_from_certificates() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", &["a.example", "*.b.example"]);
    write(folder.path(), "two", &["c.example"]);
    let acme = folder.path().join("two.example");
    fs::create_dir(&acme).unwrap();
    fs::rename(folder.path().join("two.crt"), acme.join("fullchain.pem")).unwrap();
    fs::rename(folder.path().join("two.key"), acme.join("privkey.pem")).unwrap();
    let certificates = Certificates::load(folder.path()).unwrap();
    assert!(certificates.covers("a.example"));
    assert!(certificates.covers("x.b.example"));
    assert!(certificates.covers("c.example"));
    assert!(!certificates.covers("b.example"), "a wildcard is one label");
    assert!(!certificates.covers("y.x.b.example"), "a wildcard is one label");
    assert!(!certificates.covers("one"));
    assert!(!certificates.covers("two.example"));
    let mut names: Vec<_> = certificates.expirations().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["*.b.example", "a.example", "c.example"]);
    assert!(certificates.expirations().all(|(_, end)| end > std::time::SystemTime::now()));
}

#[test]
fn errors_name_their_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(load_error(&folder.path().join("none")).contains("/none"));
    write(folder.path(), "one", &["a.example"]);
    fs::remove_file(folder.path().join("one.key")).unwrap();
    assert!(load_error(folder.path()).contains("one.key"));
    write(folder.path(), "one", &["a.example"]);
    fs::write(folder.path().join("two.crt"), "no certificate").unwrap();
    fs::copy(folder.path().join("one.key"), folder.path().join("two.key")).unwrap();
    assert!(load_error(folder.path()).contains("two.crt"));
    fs::write(
        folder.path().join("two.crt"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(load_error(folder.path()).contains("two.crt"));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", &["a.example"]);
    write(folder.path(), "two", &["b.example"]);
    fs::copy(folder.path().join("one.key"), folder.path().join("two.key")).unwrap();
    assert!(load_error(folder.path()).contains("two.crt"));
}

#[test]
fn a_reload_keeps_what_was_good() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", &["a.example"]);
    write(folder.path(), "two", &["b.example"]);
    let certificates = Certificates::load(folder.path()).unwrap();
    fs::write(folder.path().join("one.crt"), "half a cert").unwrap();
    fs::remove_file(folder.path().join("two.crt")).unwrap();
    write(folder.path(), "three", &["c.example"]);
    let errors = certificates.reload();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("one.crt"));
    assert!(certificates.covers("a.example"), "broken: the last good one is kept");
    assert!(!certificates.covers("b.example"), "removed: gone");
    assert!(certificates.covers("c.example"), "added");
    fs::rename(folder.path(), folder.path().with_extension("moved")).unwrap();
    assert_eq!(certificates.reload().len(), 1);
    assert!(certificates.covers("a.example"), "no folder: all are kept");
    fs::rename(folder.path().with_extension("moved"), folder.path()).unwrap();
}

#[tokio::test]
async fn the_server_name_picks_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "one", &[NAME]);
    let second = write(folder.path(), "two", &["*.example.org"]);
    let certificates = Certificates::load(folder.path()).unwrap();
    let tls = ServerTls::new(certificates, |_| true).unwrap();
    for (name, certificate) in [(NAME, &first), ("other.example.org", &second)] {
        let (connected, accepted) =
            shake_hands(&tls, &client(certificate, &["h2", "http/1.1"]), name).await;
        let accepted = accepted.unwrap();
        assert_eq!(accepted.server_name.as_deref(), Some(name));
        assert!(accepted.http2);
        let session = connected.unwrap();
        assert_eq!(session.get_ref().1.peer_certificates().unwrap()[0], *certificate);
        assert_eq!(session.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    }
}

#[tokio::test]
async fn an_unknown_name_gets_the_alert_for_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", &[NAME]);
    let root = write(folder.path(), "default", &["fallback.example"]);
    let tls = ServerTls::new(Certificates::load(folder.path()).unwrap(), |_| true).unwrap();
    let (connected, accepted) = shake_hands(&tls, &client(&root, &[]), "unknown.example").await;
    assert!(matches!(accepted, Err(HandshakeError::UnknownName(Some(_)))));
    let error = connected.unwrap_err().to_string();
    assert!(error.contains("UnrecognisedName"), "{error}");
}

#[tokio::test]
async fn a_client_without_a_name_gets_the_default_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", &[NAME]);
    let root = write(folder.path(), "default", &["127.0.0.1"]);
    let certificates = Certificates::load(folder.path()).unwrap();
    let tls = ServerTls::new(certificates.clone(), |_| true).unwrap();
    let config = client(&root, &[]);
    let (connected, accepted) = shake_hands(&tls, &config, "127.0.0.1").await;
    assert_eq!(accepted.unwrap().server_name, None);
    connected.unwrap();
    fs::remove_file(folder.path().join("default.crt")).unwrap();
    write(folder.path(), "two", &["b.example"]);
    assert!(certificates.reload().is_empty());
    let (connected, accepted) = shake_hands(&tls, &config, "127.0.0.1").await;
    assert!(matches!(accepted, Err(HandshakeError::UnknownName(None))));
    assert!(connected.is_err());
}

#[tokio::test]
async fn http2_is_offered_where_a_site_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = write(folder.path(), "one", &["a.example", "b.example"]);
    let certificates = Certificates::load(folder.path()).unwrap();
    let tls = ServerTls::new(certificates, |name| name != "b.example").unwrap();
    let both = client(&root, &["h2", "http/1.1"]);
    assert!(shake_hands(&tls, &both, "a.example").await.1.unwrap().http2);
    assert!(!shake_hands(&tls, &both, "b.example").await.1.unwrap().http2);
    let only_h2 = client(&root, &["h2"]);
    assert!(shake_hands(&tls, &only_h2, "b.example").await.1.is_err());
}

#[tokio::test]
async fn sessions_are_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let root = write(folder.path(), "one", &[NAME]);
    let tls = ServerTls::new(Certificates::load(folder.path()).unwrap(), |_| true).unwrap();
    let config = client(&root, &["http/1.1"]);
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let (connected, accepted) = shake_hands(&tls, &config, NAME).await;
        let (mut connected, mut accepted) = (connected.unwrap(), accepted.unwrap().stream);
        // Tickets come with the first bytes.
        accepted.write_all(b"x").await.unwrap();
        accepted.flush().await.unwrap();
        assert_eq!(connected.read_u8().await.unwrap(), b'x');
        assert_eq!(accepted.get_ref().1.handshake_kind(), Some(kind));
    }
}

#[tokio::test]
async fn rsa_and_ecdsa_may_stand_for_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let ecdsa = write(folder.path(), "ecdsa", &[NAME]);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let made =
        rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.path().join("rsa.crt"), made.pem()).unwrap();
    fs::write(folder.path().join("rsa.key"), key.serialize_pem()).unwrap();
    let tls = ServerTls::new(Certificates::load(folder.path()).unwrap(), |_| true).unwrap();
    let modern = client(&ecdsa, &[]);
    let (connected, _) = shake_hands(&tls, &modern, NAME).await;
    assert_eq!(connected.unwrap().get_ref().1.peer_certificates().unwrap()[0], ecdsa);
    let old = only_rsa(made.der());
    let (connected, accepted) = shake_hands(&tls, &old, NAME).await;
    accepted.unwrap();
    assert_eq!(connected.unwrap().get_ref().1.peer_certificates().unwrap()[0], *made.der());
}

/// A client that knows RSA only, in TLS 1.2.
fn only_rsa(root: &CertificateDer<'static>) -> ClientConfig {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| format!("{:?}", suite.suite()).contains("RSA_WITH"));
    provider.cipher_suites.retain(|suite| !format!("{:?}", suite.suite()).contains("ECDSA"));
    let mut store = RootCertStore::empty();
    store.add(root.clone()).unwrap();
    ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth()
}
