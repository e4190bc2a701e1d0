//! The sites that are served: those of files and those of the store, put together in one place.
//!
//! Each side changes on its own: a reload brings all sites of files, the store says which of its own
//! changed. Either way a new table of hosts is made that shares every site that stays, and takes the
//! old one's place at once; what is in flight goes on with the site it began with.
//!
//! Files win: a site of the store that clashes with one of a file is refused when it is set, and a
//! reload whose files clash with one is refused as a whole. Where both are there at the start, the
//! site of the store is left out, and said so. The same for one that the present `[defaults]` or
//! keys make unusable: the others are served.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admin::sites::{Keeping, Listed};
use crate::config::Errors;
use crate::config::checked::{self, Config};
use crate::config::kept::{Kept, Written};
use crate::gateway::Shared;
use crate::nextcloud::appapi;
use crate::site::{Table, TableError};
use crate::store::sites::{Changes, KeptSite};
use crate::store::{self, Store};
use crate::tours::{Broken, Source, Tours};
use crate::upstream::causes;

/// The sites of a running proxy.
pub struct Served {
    shared: Arc<Shared>,
    tours: Option<Arc<Tours>>,
    appapi: appapi::Known,
    state: Mutex<State>,
    /// One at a time asks the store.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// What the files say, with the sites of files.
    files: Config,
    /// Sites of the store.
    kept: BTreeMap<String, Known>,
    /// The newest change of the store that is in here.
    revision: i64,
}

/// A site of the store.
struct Known {
    written: Written,
    revision: i64,
    /// As it is served, or why it is not.
    site: Result<Arc<checked::Site>, String>,
}

/// Why sites cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// A site cannot be made.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A site of a file clashes with one of the store.
    #[error("site {site}, which was set by the API, would clash with the files: {why}")]
    Clash {
        /// The site of the store.
        site: String,
        /// What is wrong between them.
        why: String,
    },
}

/// Sites of files that can be taken over, and are not yet.
pub struct Taking<'a> {
    served: &'a Served,
    state: MutexGuard<'a, State>,
    table: Table,
}

impl Served {
    /// The sites of `config`, which `shared` has already.
    pub fn new(
        shared: Arc<Shared>,
        tours: Option<Arc<Tours>>,
        appapi: appapi::Known,
        config: &Config,
    ) -> Self {
        let state = Mutex::new(State { files: config.clone(), ..State::default() });
        Self { shared, tours, appapi, state, asking: tokio::sync::Mutex::default() }
    }

    /// Takes what the store has that is newer. All or nothing, but for sites that cannot be used.
    ///
    /// # Errors
    /// If the store fails; everything goes on as before.
    pub async fn catch_up(&self, store: &Store) -> Result<(), store::Error> {
        let _one = self.asking.lock().await;
        let known = self.state().revision;
        let changes = store.sites_since(known).await?;
        if changes.revision > known {
            self.take_kept(changes);
        }
        Ok(())
    }

    /// Makes sure that these sites of files can be served beside those of the store.
    ///
    /// # Errors
    /// If they cannot; everything goes on as before.
    pub fn begin(&self, config: &Config) -> Result<Taking<'_>, TakeError> {
        let mut state = self.state();
        let files = std::mem::replace(&mut state.files, config.clone());
        let fresh = state.checked_again(files.ground != config.ground);
        let table = fresh.and_then(|fresh| {
            let sites = state.all(&fresh);
            Ok((Table::new(&sites, &self.shared.table.load())?, fresh))
        });
        match table {
            Ok((table, fresh)) => {
                for (name, site) in fresh {
                    if let Some(known) = state.kept.get_mut(&name) {
                        known.site = Ok(site);
                    }
                }
                Ok(Taking { served: self, state, table })
            }
            Err(error) => {
                state.files = files;
                Err(error)
            }
        }
    }

    fn take_kept(&self, changes: Changes) {
        let mut state = self.state();
        for name in &changes.gone {
            state.kept.remove(name);
        }
        for (name, why) in changes.sealed {
            tracing::error!(site = name, error = why, "a site of the store is not served");
            let known = Known { written: Written::default(), revision: 0, site: Err(why) };
            state.kept.insert(name, known);
        }
        let mut changed = Vec::with_capacity(changes.changed.len());
        for kept in changes.changed {
            let KeptSite { name, text, secrets, revision } = kept;
            let written = Written { text, secrets };
            let site = state.check(&name, &written).map(|kept| kept.site);
            let site = site.map_err(|errors| one_line(&errors));
            match &site {
                Ok(site) => changed.push(Arc::clone(site)),
                Err(why) => {
                    tracing::error!(site = name, error = why, "a site of the store is not served");
                }
            }
            state.kept.insert(name, Known { written, revision, site });
        }
        state.revision = changes.revision;
        let unusable = state.kept.iter().filter(|(_, known)| known.site.is_err());
        let gone = changes.gone.iter().chain(unusable.map(|(name, _)| name));
        let gone = gone.map(String::as_str).filter(|name| !state.is_in_files(name)).collect();
        let table = self.shared.table.load().with(&changed, &gone);
        match table {
            Ok(table) => self.publish(table, &state.whole(), &changed),
            Err(error) => {
                tracing::error!(error = causes(&error), "the sites of the store are not served");
            }
        }
    }

    /// Serves a table. Tours first: a site that is there has its tours.
    fn publish(&self, table: Table, config: &Config, changed: &[Arc<checked::Site>]) {
        if let Some(tours) = &self.tours
            && changed.iter().any(|site| !tours.knows(site))
        {
            log_broken(&tours.apply(config));
        }
        if config.appapi.listen.is_some() {
            self.appapi.store(Arc::new(appapi::Secrets::of(config)));
        }
        let table = Arc::new(table);
        self.shared.table.store(Arc::clone(&table));
        for site in changed.iter().filter_map(|site| table.named(&site.name)) {
            site.probe();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taking<'_> {
    /// Serves them. Files of tours may have changed as well.
    pub fn commit(self) {
        let config = self.state.whole();
        if let Some(tours) = &self.served.tours {
            log_broken(&tours.apply(&config));
        }
        self.served.publish(self.table, &config, &config.sites);
    }
}

impl State {
    fn check(&self, name: &str, written: &Written) -> Result<Kept, Errors> {
        let others = self.kept.iter().filter(|(other, _)| *other != name);
        let others = others.filter_map(|(_, known)| known.site.as_ref().ok());
        self.files.ground.check(name, written, &self.files, others)
    }

    /// The sites of the store beside other files; all of them where the defaults are others, too.
    fn checked_again(
        &self,
        other_ground: bool,
    ) -> Result<BTreeMap<String, Arc<checked::Site>>, TakeError> {
        let mut fresh = BTreeMap::new();
        let hosts = self.files.sites.iter();
        let hosts: HashSet<_> =
            hosts.flat_map(|s| s.hosts.iter().chain(&s.redirect_from)).collect();
        let names: HashSet<_> = self.files.sites.iter().map(|site| site.name.as_str()).collect();
        let takes_any = self.files.sites.iter().any(|site| site.hosts.is_empty());
        for (name, known) in &self.kept {
            let Ok(site) = &known.site else {
                // What was in its way may be gone.
                let kept = self.check(name, &known.written).ok();
                fresh.extend(kept.map(|kept| (name.clone(), kept.site)));
                continue;
            };
            let clashes = names.contains(name.as_str())
                || (takes_any && site.hosts.is_empty())
                || site.hosts.iter().chain(&site.redirect_from).any(|host| hosts.contains(host));
            if !other_ground && !clashes {
                continue;
            }
            let kept = self.check(name, &known.written).map_err(|errors| TakeError::Clash {
                site: name.clone(),
                why: one_line(&errors),
            })?;
            if **site != *kept.site {
                fresh.insert(name.clone(), kept.site);
            }
        }
        Ok(fresh)
    }

    /// All sites that are served, with these in the place of their namesakes.
    fn all(&self, fresh: &BTreeMap<String, Arc<checked::Site>>) -> Vec<Arc<checked::Site>> {
        let kept = self.kept.iter().filter_map(|(name, known)| {
            fresh.get(name).or(known.site.as_ref().ok()).map(Arc::clone)
        });
        self.files.sites.iter().cloned().chain(kept).collect()
    }

    fn whole(&self) -> Config {
        Config { sites: self.all(&BTreeMap::new()), ..self.files.clone() }
    }

    fn is_in_files(&self, name: &str) -> bool {
        self.files.sites.iter().any(|site| site.name == name)
    }
}

/// Sites of the store as the API sets them.
pub struct Desk {
    /// What is served.
    pub served: Arc<Served>,
    /// Where they are kept.
    pub store: Store,
}

impl Keeping for Desk {
    fn check(&self, name: &str, written: &Written) -> Result<Kept, Errors> {
        self.served.state().check(name, written)
    }

    fn is_in_files(&self, name: &str) -> bool {
        self.served.state().is_in_files(name)
    }

    fn list(&self) -> Vec<Listed> {
        let state = self.served.state();
        let files = state.files.sites.iter().map(|site| Listed {
            name: site.name.clone(),
            hosts: hosts(site),
            revision: None,
            problem: None,
        });
        let kept = state.kept.iter().map(|(name, known)| Listed {
            name: name.clone(),
            hosts: known.site.as_deref().map(hosts).unwrap_or_default(),
            revision: Some(known.revision),
            problem: known.site.as_ref().err().cloned(),
        });
        files.chain(kept).collect()
    }

    fn catch_up(&self) -> futures_util::future::BoxFuture<'_, Result<(), store::Error>> {
        Box::pin(self.served.catch_up(&self.store))
    }
}

fn hosts(site: &checked::Site) -> Vec<String> {
    match site.hosts.is_empty() {
        true => vec!["*".to_owned()],
        false => site.hosts.iter().map(ToString::to_string).collect(),
    }
}

fn one_line(errors: &Errors) -> String {
    let all: Vec<String> = errors.problems().iter().map(|problem| problem.advice()).collect();
    all.join("; ")
}

/// A catalogue that cannot be used is no reason not to carry.
pub fn log_broken(broken: &[(Source, Broken)]) {
    for (source, reason) in broken {
        let folder = source.folder.as_deref().unwrap_or_else(|| "(shipped)".as_ref());
        tracing::error!(folder = %folder.display(), error = causes(reason), "tours not taken over");
    }
}
