//! Notices that files of a configuration change.
//!
//! Folders are watched, not files: editors replace files, orchestrators replace links. A folder
//! that does not exist is waited for at the nearest one that does, and one that was replaced by
//! another of the same name is watched anew. What is noticed is only a hint that something may
//! have changed; whoever gets it looks for itself. Where the system refuses to watch, that is
//! logged, and SIGHUP still works.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::time::Instant;

/// Changes come in bursts: they are over when none came for this long.
const QUIET: Duration = Duration::from_millis(10);
/// A burst that does not end is looked at after this.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is watched.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Folders {
    /// The main file; its folder is watched.
    pub(super) main: PathBuf,
    pub(super) sites: PathBuf,
    pub(super) certificates: Option<PathBuf>,
    /// Files that sites name; their folders are watched.
    pub(super) named: Vec<PathBuf>,
    pub(super) tours: Vec<PathBuf>,
}

/// What may have changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Changed {
    pub(super) configuration: bool,
    pub(super) certificates: bool,
    pub(super) tours: bool,
}

/// Watches [`Folders`].
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<Watched>,
    hints: Arc<Hints>,
}

/// A folder the system watches for us.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Watched {
    path: PathBuf,
    /// Device and inode: a folder of the same name may be another one.
    identity: (u64, u64),
    recursive: bool,
}

/// Filled by the watcher's thread.
#[derive(Default)]
struct Hints {
    folders: Mutex<Folders>,
    configuration: AtomicBool,
    certificates: AtomicBool,
    tours: AtomicBool,
    wake: tokio::sync::Notify,
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(folders: &Folders) -> Self {
        let hints = Arc::new(Hints::default());
        let sink = Arc::clone(&hints);
        let watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| match event {
                Ok(event) => sink.take(&event),
                Err(error) => tracing::warn!(%error, "failed to watch configuration files"),
            });
        let watcher = watcher
            .inspect_err(|error| {
                tracing::warn!(%error, "configuration files are not watched; send SIGHUP to reload");
            })
            .ok();
        let mut watch = Self { watcher, watched: Vec::new(), hints };
        watch.follow(folders);
        watch
    }

    /// Watches these folders as they are now, and no others.
    pub(super) fn follow(&mut self, folders: &Folders) {
        *self.hints.folders.lock().unwrap_or_else(PoisonError::into_inner) = folders.clone();
        let Some(watcher) = &mut self.watcher else { return };
        let wanted = folders.wanted();
        for gone in self.watched.iter().filter(|watched| !wanted.contains(watched)) {
            // Fails where the folder itself is gone, and its watch with it.
            let _already_gone = watcher.unwatch(&gone.path);
        }
        self.watched.retain(|watched| wanted.contains(watched));
        for new in wanted {
            if self.watched.contains(&new) {
                continue;
            }
            let mode = match new.recursive {
                true => RecursiveMode::Recursive,
                false => RecursiveMode::NonRecursive,
            };
            match watcher.watch(&new.path, mode) {
                Ok(()) => self.watched.push(new),
                Err(error) => {
                    tracing::warn!(folder = %new.path.display(), %error, "failed to watch folder");
                }
            }
        }
    }

    /// Waits for a burst of changes to be over.
    pub(super) async fn changed(&self) -> Changed {
        self.hints.wake.notified().await;
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            let quiet = patience.min(Instant::now() + QUIET);
            if tokio::time::timeout_at(quiet, self.hints.wake.notified()).await.is_err() {
                break;
            }
        }
        Changed {
            configuration: self.hints.configuration.swap(false, Ordering::AcqRel),
            certificates: self.hints.certificates.swap(false, Ordering::AcqRel),
            tours: self.hints.tours.swap(false, Ordering::AcqRel),
        }
    }
}

// === impl Hints ===

impl Hints {
    fn take(&self, event: &Event) {
        let written = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Data(_)) => true,
            EventKind::Access(_) => return,
            _ => false,
        };
        let changed = {
            let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
            event.paths.iter().fold(Changed::default(), |all, path| all | folders.at(path, written))
        };
        // A rescan has no path: events were lost.
        let lost = event.need_rescan();
        self.configuration.fetch_or(changed.configuration || lost, Ordering::AcqRel);
        self.certificates.fetch_or(changed.certificates || lost, Ordering::AcqRel);
        self.tours.fetch_or(changed.tours || lost, Ordering::AcqRel);
        if lost || changed != Changed::default() {
            self.wake.notify_one();
        }
    }
}

impl std::ops::BitOr for Changed {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            configuration: self.configuration | other.configuration,
            certificates: self.certificates | other.certificates,
            tours: self.tours | other.tours,
        }
    }
}

// === impl Folders ===

impl Folders {
    /// What an event at `path` may have changed. A log file that grows beside the main file is
    /// `written` all the time and changes nothing.
    fn at(&self, path: &Path, written: bool) -> Changed {
        let within = |folder: &Path| path.starts_with(folder);
        let certificates = self.certificates.as_deref().is_some_and(within);
        let configuration = match written {
            true => {
                let mut files = std::iter::once(&self.main).chain(&self.named);
                files.any(|file| file.file_name() == path.file_name()) || within(&self.sites)
            }
            false => !certificates || within(&self.sites),
        };
        let tours = self.tours.iter().any(|folder| within(folder));
        Changed { configuration, certificates, tours }
    }

    fn wanted(&self) -> Vec<Watched> {
        let mut wanted: Vec<Watched> = Vec::new();
        let plain = std::iter::once(&self.main).chain(&self.named).flat_map(|file| {
            let linked = std::fs::canonicalize(file).unwrap_or_else(|_| file.clone());
            [(folder_of(file), false), (folder_of(&linked), false)]
        });
        let whole = self.certificates.iter().chain(&self.tours);
        let whole = whole.map(|folder| (folder.clone(), true));
        for (folder, recursive) in plain.chain([(self.sites.clone(), false)]).chain(whole) {
            let Some((path, identity)) = nearest(&folder) else { continue };
            // Waiting for a folder to appear, its surroundings are of no interest.
            let recursive = recursive && path == folder;
            match wanted.iter_mut().find(|other| other.path == path) {
                Some(other) => other.recursive |= recursive,
                None => wanted.push(Watched { path, identity, recursive }),
            }
        }
        wanted
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The folder, or the nearest one above it that exists.
fn nearest(folder: &Path) -> Option<(PathBuf, (u64, u64))> {
    let mut path = folder;
    loop {
        let here = if path == Path::new("") { Path::new(".") } else { path };
        match std::fs::metadata(here) {
            Ok(meta) if meta.is_dir() => return Some((here.to_owned(), (meta.dev(), meta.ino()))),
            _ => path = path.parent()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_by_the_place() {
        let folders = Folders {
            main: "/etc/p/passeur.toml".into(),
            sites: "/etc/p/sites".into(),
            certificates: Some("/etc/p/certs".into()),
            named: vec!["/etc/p/ca.pem".into()],
            tours: vec!["/etc/p/tours".into()],
        };
        let neither = Changed::default();
        let configuration = Changed { configuration: true, ..neither };
        let certificates = Changed { certificates: true, ..neither };
        let tours = Changed { tours: true, ..neither };
        for (path, written, expected) in [
            ("/etc/p/passeur.toml", true, configuration),
            ("/etc/p/passeur.toml", false, configuration),
            ("/etc/p/access.log", true, neither),
            ("/etc/p/ca.pem", true, configuration),
            ("/etc/p/..data", false, configuration),
            ("/etc/p/sites/a.toml", true, configuration),
            ("/etc/p/certs/a/fullchain.pem", true, certificates),
            ("/etc/p/certs/a", false, certificates),
            ("/etc/p/certs", false, certificates),
            ("/etc/p/tours/a/tour.json", true, tours),
        ] {
            assert_eq!(folders.at(Path::new(path), written), expected, "{path}");
        }
    }

    #[test]
    fn a_missing_folder_is_waited_for_above() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("a/b/c");
        assert_eq!(nearest(&missing).map(|(path, _)| path).as_deref(), Some(folder.path()));
        std::fs::create_dir_all(&missing).expect("a folder");
        assert_eq!(nearest(&missing).map(|(path, _)| path), Some(missing));
    }
}
