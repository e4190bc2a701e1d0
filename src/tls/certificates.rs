//! A folder of certificates, kept in memory.
//!
//! A pair is `NAME.crt` with `NAME.key`, or `NAME/fullchain.pem` with `NAME/privkey.pem` as ACME
//! clients leave them. The file names mean nothing: the names a certificate answers for are those
//! in it. A certificate called `default`, or the only one there is, also answers clients that send
//! no name.
//!
//! Loading at the start is all or nothing. A reload keeps, for each pair that became unreadable,
//! what was loaded from it before; a pair that is gone is gone, and one whose files did not change is
//! not read again. All errors name their file.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::resolver::{Certificate, Resolver, Table};
use crate::spread::spread;
use crate::stamp::Stamp;

/// The name of the pair that answers clients without a server name.
const DEFAULT: &str = "default";

/// Certificates to answer with. Cheap to clone; all clones see a reload.
#[derive(Clone)]
pub struct Certificates {
    shared: Arc<Shared>,
}

struct Shared {
    folder: Option<PathBuf>,
    resolver: Arc<Resolver>,
    /// What was loaded from which pair.
    loaded: Mutex<Loaded>,
}

type Loaded = HashMap<PathBuf, Pair>;

/// A certificate with its key.
#[derive(Clone)]
struct Pair {
    names: Vec<String>,
    certificate: Certificate,
    is_default: bool,
    /// Of both files; `None` where they are to be read again in any case.
    stamps: Option<[Stamp; 2]>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate file cannot be read as PEM.
    #[error("failed to read the certificate {}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// The folder cannot be listed.
    #[error("failed to list the certificates in {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key file cannot be read as PEM.
    #[error("failed to read the private key {}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// The certificate has no name that a client could ask for.
    #[error("found no host name in the certificate {}", path.display())]
    Nameless {
        /// The certificate's file.
        path: PathBuf,
    },
    /// It is not an X.509 certificate.
    #[error("failed to understand the certificate {}", path.display())]
    NotX509 {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: x509_parser::nom::Err<x509_parser::error::X509Error>,
    },
    /// Key and certificate do not fit, or rustls takes neither.
    #[error("failed to use the certificate {} with its key", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

// === impl Certificates ===

impl Certificates {
    /// Loads a folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, if anything is.
    pub fn load(folder: &Path) -> Result<Self, Vec<CertificateError>> {
        let (loaded, errors) = load_folder(folder, &Loaded::new());
        if errors.is_empty() { Ok(Self::of(Some(folder.to_owned()), loaded)) } else { Err(errors) }
    }

    /// One certificate from memory, which also answers clients that send no name.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let path = PathBuf::from("(memory)");
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
        let chain =
            chain.map_err(|source| CertificateError::Certificate { path: path.clone(), source })?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|source| CertificateError::Key { path: path.clone(), source })?;
        let pair = Pair::new(&path, chain, key)?;
        Ok(Self::of(None, Loaded::from([(path, pair)])))
    }

    /// Loads the folder again. Gives what is wrong with it; what was right before is kept in its
    /// place. Reads files: not for a runtime's thread.
    pub fn reload(&self) -> Vec<CertificateError> {
        let Some(folder) = &self.shared.folder else { return Vec::new() };
        let mut present = self.shared.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let (loaded, errors) = load_folder(folder, &present);
        self.shared.resolver.table.store(Arc::new(table(&loaded)));
        *present = loaded;
        errors
    }

    /// Whether a host has a certificate.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.shared.resolver.table.load().find(host).is_some()
    }

    /// Each name (wildcards as `*.example.org`) with the end of its certificate's validity.
    pub fn expirations(&self) -> impl Iterator<Item = (String, SystemTime)> + use<> {
        let table = self.shared.resolver.table.load_full();
        let all: Vec<_> = table
            .names()
            .map(|(name, certificate)| {
                let name = if name.starts_with('.') { format!("*{name}") } else { name.to_owned() };
                let seconds = u64::try_from(certificate.not_after).unwrap_or(0);
                (name, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            })
            .collect();
        all.into_iter()
    }

    /// How many names have a certificate.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.resolver.table.load().len()
    }

    /// Whether there is no certificate at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn resolver(&self) -> &Arc<Resolver> {
        &self.shared.resolver
    }

    fn of(folder: Option<PathBuf>, loaded: Loaded) -> Self {
        let resolver = Arc::new(Resolver::default());
        resolver.table.store(Arc::new(table(&loaded)));
        Self { shared: Arc::new(Shared { folder, resolver, loaded: Mutex::new(loaded) }) }
    }
}

// === impl Pair ===

impl Pair {
    fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let stamps = Self::stamps(certificate, key);
        let unreadable =
            |source| CertificateError::Certificate { path: certificate.to_owned(), source };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(unreadable)?;
        let parsed = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| CertificateError::Key { path: key.to_owned(), source })?;
        let pair = Self::new(certificate, chain, parsed)?;
        Ok(Self { stamps: stamps.filter(|_| Self::stamps(certificate, key) == stamps), ..pair })
    }

    fn stamps(certificate: &Path, key: &Path) -> Option<[Stamp; 2]> {
        Some([Stamp::settled(certificate)?, Stamp::settled(key)?])
    }

    fn is_of(&self, certificate: &Path, key: &Path) -> bool {
        self.stamps.is_some() && self.stamps == Self::stamps(certificate, key)
    }

    fn new(
        path: &Path,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let leaf = chain.first().ok_or_else(|| CertificateError::Certificate {
            path: path.to_owned(),
            source: pem::Error::NoItemsFound,
        })?;
        let (names, not_after) = names_and_end(path, leaf)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider)
            .map_err(|source| CertificateError::Unusable { path: path.to_owned(), source })?;
        let is_default = stem(path) == Some(DEFAULT);
        let certificate = Certificate { key: Arc::new(key), not_after };
        Ok(Self { names, certificate, is_default, stamps: None })
    }
}

/// What a pair is called: the file without `.crt`, or its folder.
fn stem(certificate: &Path) -> Option<&str> {
    let named = if certificate.ends_with("fullchain.pem") {
        certificate.parent().and_then(Path::file_name)
    } else {
        certificate.file_stem()
    };
    named.and_then(OsStr::to_str)
}

fn names_and_end(
    path: &Path,
    leaf: &CertificateDer<'_>,
) -> Result<(Vec<String>, i64), CertificateError> {
    let (_, leaf) = X509Certificate::from_der(leaf)
        .map_err(|source| CertificateError::NotX509 { path: path.to_owned(), source })?;
    let alternatives = leaf.subject_alternative_name().ok().flatten();
    let names: Vec<_> = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    let has_address = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .any(|name| matches!(name, GeneralName::IPAddress(_)));
    if names.is_empty() && !has_address {
        return Err(CertificateError::Nameless { path: path.to_owned() });
    }
    Ok((names, leaf.validity().not_after.timestamp()))
}

fn load_folder(folder: &Path, before: &Loaded) -> (Loaded, Vec<CertificateError>) {
    let mut loaded = Loaded::new();
    let mut errors = Vec::new();
    let pairs = match list(folder) {
        Ok(pairs) => pairs,
        Err(source) => {
            errors.push(CertificateError::Folder { path: folder.to_owned(), source });
            return (before.clone(), errors);
        }
    };
    let read = spread(&pairs, |pairs| {
        let read = |(certificate, key): &(PathBuf, PathBuf)| match before.get(certificate) {
            Some(pair) if pair.is_of(certificate, key) => Ok(pair.clone()),
            _ => Pair::read(certificate, key),
        };
        pairs.iter().map(read).collect()
    });
    for ((certificate, _), pair) in pairs.into_iter().zip(read) {
        match pair {
            Ok(pair) => {
                loaded.insert(certificate, pair);
            }
            Err(error) => {
                errors.push(error);
                if let Some(pair) = before.get(&certificate) {
                    loaded.insert(certificate, pair.clone());
                }
            }
        }
    }
    (loaded, errors)
}

/// The pairs of a folder, in the order of their names.
fn list(folder: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("crt")) {
            let key = path.with_extension("key");
            pairs.push((path, key));
        } else {
            let certificate = path.join("fullchain.pem");
            if certificate.is_file() {
                pairs.push((certificate, path.join("privkey.pem")));
            }
        }
    }
    pairs.sort();
    Ok(pairs)
}

fn table(loaded: &Loaded) -> Table {
    let mut table = Table::default();
    for pair in loaded.values() {
        for name in &pair.names {
            table.insert(name, pair.certificate.clone());
        }
        if pair.is_default || loaded.len() == 1 {
            table.set_default(pair.certificate.key.clone());
        }
    }
    table
}
