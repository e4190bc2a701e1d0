//! What a configuration is checked against besides itself: files, folders, addresses of this
//! machine.
//!
//! Ten thousand sites name the same few things, so every answer is remembered for the length of
//! one load. A [`World`] that is blind answers "all is well" without looking; the fuzz target uses
//! it, so that no input makes it touch files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checked::{Endpoint, SecretSource, Target, TargetAddress};
use super::fault::Fault;
use super::kept::Secrets;
use crate::tls::{Authorities, ClientTls};

/// The surroundings of one load.
pub(super) struct World {
    /// The folder of the main file.
    base: PathBuf,
    blind: bool,
    /// The secrets that come with the site, where it is in no file.
    kept: Option<Secrets>,
    authorities: RefCell<HashMap<PathBuf, Result<Authorities, Fault>>>,
    spools: RefCell<HashMap<PathBuf, Option<Fault>>>,
    local: RefCell<HashMap<IpAddr, bool>>,
}

impl World {
    /// As seen by a main file in the folder `base`.
    pub(super) fn around(base: &Path) -> Self {
        Self {
            base: base.to_owned(),
            blind: false,
            kept: None,
            authorities: RefCell::default(),
            spools: RefCell::default(),
            local: RefCell::default(),
        }
    }

    /// One that never looks.
    pub(super) fn blind() -> Self {
        Self { blind: true, ..Self::around(Path::new("/")) }
    }

    /// For a site that is in no file, with the secrets that it brings.
    pub(super) fn keeping(base: &Path, secrets: Secrets) -> Self {
        Self { kept: Some(secrets), ..Self::around(base) }
    }

    /// The secrets that come with the site; `None` where it is in a file.
    pub(super) fn kept(&self) -> Option<&Secrets> {
        self.kept.as_ref()
    }

    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// Whether certificates can be looked for in `folder`.
    pub(super) fn check_folder(&self, folder: &Path) -> Option<Fault> {
        if self.blind {
            return None;
        }
        std::fs::read_dir(folder).err().map(|error| file(folder, "cannot be read", error))
    }

    /// Whether a file could be made at `path`.
    pub(super) fn check_parent(&self, path: &Path) -> Option<Fault> {
        let folder = path.parent()?;
        if self.blind {
            return None;
        }
        match std::fs::metadata(folder) {
            Ok(meta) if meta.is_dir() => None,
            Ok(_) => Some(file(folder, "is no folder", io::ErrorKind::NotADirectory.into())),
            Err(error) => Some(file(folder, "cannot be used", error)),
        }
    }

    /// The authorities in a file, if an upstream can be verified with them.
    pub(super) fn authorities(&self, path: &Path) -> Result<Authorities, Fault> {
        if self.blind {
            return Ok(Authorities::unread(path));
        }
        remembered(&self.authorities, path, || {
            // Both, because what is said about a missing file should name the reason.
            if let Err(error) = std::fs::File::open(path) {
                return Err(file(path, "cannot be read", error));
            }
            let unusable = |error| Fault::Authorities(Arc::new(error));
            let authorities = Authorities::read(path).map_err(unusable)?;
            ClientTls::trusting(Some(&authorities), false).map_err(unusable)?;
            Ok(authorities)
        })
    }

    /// Whether uploads can be spooled into `folder`.
    pub(super) fn check_spool(&self, folder: &Path) -> Option<Fault> {
        if self.blind {
            return None;
        }
        remembered(&self.spools, folder, || {
            tempfile::tempfile_in(folder)
                .err()
                .map(|error| file(folder, "cannot be written", error))
        })
    }

    /// Whether a store can be kept in `folder`.
    pub(super) fn check_store(&self, folder: &Path) -> Option<Fault> {
        if self.blind {
            return None;
        }
        tempfile::tempfile_in(folder).err().map(|error| file(folder, "cannot be written", error))
    }

    /// Whether a secret can be read; `Ok` with a doubt, if by others as well.
    pub(super) fn check_secret(&self, source: &SecretSource) -> Result<Option<Fault>, Fault> {
        if self.blind {
            return Ok(None);
        }
        source.read().map_err(|error| Fault::Secret(Arc::new(error)))?;
        let SecretSource::File(path) = source else { return Ok(None) };
        let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
        Ok((mode & 0o004 != 0).then(|| Fault::SecretOpen(path.clone())))
    }

    /// Whether a request to `target` would come in at `listener`.
    pub(super) fn is_reached(&self, listener: &Endpoint, target: &Target) -> bool {
        match (listener, &target.address) {
            (Endpoint::Unix(own), TargetAddress::Unix(path)) => own == path,
            (Endpoint::Tcp(own), TargetAddress::Tcp { host, port }) if own.port() == *port => {
                let ip = match host.as_str() {
                    "localhost" => IpAddr::from([127, 0, 0, 1]),
                    other => match other.parse::<IpAddr>() {
                        Ok(ip) => ip.to_canonical(),
                        Err(_) => return false,
                    },
                };
                own.ip().to_canonical() == ip || (own.ip().is_unspecified() && self.is_local(ip))
            }
            _ => false,
        }
    }

    /// Whether `ip` is an address of this machine: only such can be bound.
    fn is_local(&self, ip: IpAddr) -> bool {
        let look = || !self.blind && UdpSocket::bind((ip, 0)).is_ok();
        ip.is_loopback() || *self.local.borrow_mut().entry(ip).or_insert_with(look)
    }
}

fn remembered<T: Clone>(
    answers: &RefCell<HashMap<PathBuf, T>>,
    path: &Path,
    look: impl FnOnce() -> T,
) -> T {
    if let Some(known) = answers.borrow().get(path) {
        return known.clone();
    }
    let answer = look();
    answers.borrow_mut().insert(path.to_owned(), answer.clone());
    answer
}

/// A fault of a file or folder.
pub(super) fn file(path: &Path, cannot: &'static str, error: io::Error) -> Fault {
    Fault::File { path: path.to_owned(), cannot, source: Arc::new(error) }
}
