//! Which certificate answers for a server name.
//!
//! Reading is lock-free: a handshake loads one pointer and looks into one map. A reload builds a
//! new table and swaps it; handshakes that run keep the old one. Exact names win over wildcards,
//! and a wildcard stands for one label. Where a name has certificates of several key types, the
//! client's algorithms decide, ECDSA first.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::SignatureAlgorithm;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The names that can be answered for, and their certificates.
#[derive(Default)]
pub(super) struct Table {
    /// Exact names, and wildcards without their `*`: `.example.org`.
    names: HashMap<Box<str>, Vec<Certificate>>,
    /// For clients that send no name.
    default: Option<Arc<CertifiedKey>>,
}

/// A certificate that is in use.
#[derive(Clone)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// Seconds since 1970.
    pub(super) not_after: i64,
}

/// Answers rustls.
#[derive(Default)]
pub(super) struct Resolver {
    pub(super) table: ArcSwap<Table>,
}

// === impl Table ===

impl Table {
    /// Adds a certificate for a name as it stands in the certificate. Of two with the same
    /// name and key type, the one that is valid for longer is used.
    pub(super) fn insert(&mut self, name: &str, certificate: Certificate) {
        let key = name.strip_prefix('*').unwrap_or(name).to_ascii_lowercase();
        let present = self.names.entry(key.into()).or_default();
        let algorithm = certificate.key.key.algorithm();
        match present.iter_mut().find(|other| other.key.key.algorithm() == algorithm) {
            Some(other) if other.not_after < certificate.not_after => *other = certificate,
            Some(_) => {}
            None => present.push(certificate),
        }
        present.sort_by_key(|one| one.key.key.algorithm() != SignatureAlgorithm::ECDSA);
    }

    pub(super) fn set_default(&mut self, key: Arc<CertifiedKey>) {
        self.default = Some(key);
    }

    /// The certificates for a host name, exact ones first.
    pub(super) fn find(&self, host: &str) -> Option<&[Certificate]> {
        let exact = self.names.get(host);
        let found = exact.or_else(|| {
            let (_label, _) = host.split_once('.')?;
            self.names.get(&host[host.find('.')?..])
        });
        found.map(Vec::as_slice)
    }

    pub(super) fn has_default(&self) -> bool {
        self.default.is_some()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &Certificate)> {
        self.names.iter().flat_map(|(name, all)| all.iter().map(move |one| (name.as_ref(), one)))
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        let Some(name) = hello.server_name() else { return table.default.clone() };
        let found = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            table.find(&name.to_ascii_lowercase())?
        } else {
            table.find(name)?
        };
        let usable =
            |one: &&Certificate| one.key.key.choose_scheme(hello.signature_schemes()).is_some();
        found.iter().find(usable).or(found.first()).map(|one| one.key.clone())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("names", &self.table.load().len()).finish()
    }
}
