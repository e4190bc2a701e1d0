//! Brings a running Passeur to what its files say now.
//!
//! A change of a file and SIGHUP end in the same [`Reloader::reload`]. A configuration with errors
//! is logged and counted, and what runs stays. A change of certificates alone does not reload the
//! configuration; SIGHUP asks for both. The service manager is told that a reload begins and ends.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sd_notify::NotifyState;
use tokio::signal::unix::Signal;

use super::checked::Config;
use super::load::{Loaded, Loader};
use super::problem::{Errors, Problem};
use super::watch::{Changed, Folders, Watch};
use crate::tls::Authorities;

/// Loads a configuration once, and again whenever it changes.
pub struct Reloader {
    loader: Loader,
    folders: Folders,
    watch: Watch,
    reloads: Arc<Reloads>,
}

/// How reloading went, for metrics.
#[derive(Debug, Default)]
pub struct Reloads {
    done: AtomicU64,
    failed: AtomicU64,
    last_failed: AtomicBool,
}

// === impl Reloads ===

impl Reloads {
    /// Reloads that succeeded.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Reloads that met errors.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether the files say something that could not be used, so that an older state runs.
    pub fn is_outdated(&self) -> bool {
        self.last_failed.load(Ordering::Relaxed)
    }
}

// === impl Reloader ===

impl Reloader {
    /// Loads the configuration whose main file is `path` for the first time, and watches its files
    /// from now on.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path) -> Result<(Loaded, Self), Errors> {
        let mut loader = Loader::new(path);
        let loaded = loader.load()?;
        let folders = folders(path, &loaded);
        let watch = Watch::new(&folders);
        Ok((loaded, Self { loader, folders, watch, reloads: Arc::default() }))
    }

    /// The counts of what [`run`](Self::run) does.
    #[must_use]
    pub fn reloads(&self) -> Arc<Reloads> {
        Arc::clone(&self.reloads)
    }

    /// Acts on changes and on SIGHUP until it is dropped. `hangups` is listened to from before the
    /// first load: a SIGHUP that nobody listens for kills. `apply` gets every new configuration
    /// (also one that equals the old, after SIGHUP: logs are reopened then) and says whether it could
    /// be used, with the sites that
    /// did not change shared with the one before; `certificates` is called when the files of the
    /// certificate folder may have changed.
    pub async fn run(
        mut self,
        mut hangups: Signal,
        mut apply: impl FnMut(Config) -> bool,
        mut certificates: impl FnMut(),
    ) {
        loop {
            let (changed, asked) = tokio::select! {
                changed = self.watch.changed() => (changed, false),
                _ = hangups.recv() => (Changed { configuration: true, certificates: true, tours: true }, true),
            };
            // First watch, then look: a change in between is seen by one of them.
            self.watch.follow(&self.folders);
            if changed.certificates {
                certificates();
            }
            let is_new = asked || changed.tours || self.loader.is_stale();
            if (changed.configuration || changed.tours) && is_new {
                self.reload(&mut apply).await;
                self.watch.follow(&self.folders);
            }
        }
    }

    /// Loads what the files say now, and applies it unless something is wrong with it; says
    /// whether it did.
    pub async fn reload(&mut self, apply: &mut impl FnMut(Config) -> bool) -> bool {
        tell(&[Some(NotifyState::Reloading), NotifyState::monotonic_usec_now().ok()]);
        let loaded = self.load_again().await;
        let succeeded = match loaded {
            Ok(loaded) => {
                log_problems(&loaded.warnings);
                self.folders = folders(self.loader.path(), &loaded);
                let sites = loaded.config.sites.len();
                let applied = apply(loaded.config);
                if applied {
                    tracing::info!(sites, "configuration reloaded");
                }
                applied
            }
            Err(errors) => {
                let count = errors.problems().len();
                for problem in errors.problems() {
                    tracing::error!(place = %problem.location(), "{}", problem.advice());
                }
                tracing::error!(errors = count, "configuration not reloaded; the old one stays");
                false
            }
        };
        let counter = if succeeded { &self.reloads.done } else { &self.reloads.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.reloads.last_failed.store(!succeeded, Ordering::Relaxed);
        tell(&[Some(NotifyState::Ready)]);
        succeeded
    }

    /// Reads the files on a thread that may wait for the disk.
    async fn load_again(&mut self) -> Result<Loaded, Errors> {
        let spare = Loader::new(self.loader.path());
        let mut loader = std::mem::replace(&mut self.loader, spare);
        let loading = tokio::task::spawn_blocking(move || (loader.load(), loader));
        match loading.await {
            Ok((loaded, loader)) => {
                self.loader = loader;
                loaded
            }
            // Only when the runtime is going down; what was known is read again here.
            Err(_) => self.loader.load(),
        }
    }
}

fn folders(path: &Path, loaded: &Loaded) -> Folders {
    let named: std::collections::BTreeSet<&Path> = loaded
        .config
        .sites
        .iter()
        .flat_map(|site| super::load::authorities(site))
        .map(Authorities::path)
        .collect();
    Folders {
        named: named.into_iter().map(Path::to_owned).collect(),
        main: path.to_owned(),
        sites: loaded.sites_folder.clone(),
        certificates: loaded.config.listen.certificates.clone(),
        tours: tours(&loaded.config),
    }
}

/// The folders of tours of all sites, each once.
fn tours(config: &Config) -> Vec<std::path::PathBuf> {
    let folders: std::collections::BTreeSet<_> =
        config.sites.iter().filter_map(|site| site.tours.folder.clone()).collect();
    folders.into_iter().collect()
}

/// `next`, with the sites that equal those of `previous` shared with it.
#[must_use]
pub fn reuse(previous: &Config, mut next: Config) -> Config {
    let known: std::collections::HashMap<&str, &Arc<_>> =
        previous.sites.iter().map(|site| (site.name.as_str(), site)).collect();
    for site in &mut next.sites {
        if let Some(same) = known.get(site.name.as_str())
            && (Arc::ptr_eq(same, site) || ***same == **site)
        {
            *site = Arc::clone(same);
        }
    }
    next
}

/// Logs warnings, one line each.
pub fn log_problems(warnings: &[Problem]) {
    for warning in warnings {
        tracing::warn!(place = %warning.location(), "{}", warning.advice());
    }
}

fn tell(states: &[Option<NotifyState<'_>>]) {
    let states: Vec<NotifyState<'_>> = states.iter().flatten().cloned().collect();
    if let Err(error) = sd_notify::notify(&states) {
        tracing::warn!(%error, "failed to notify the service manager");
    }
}
