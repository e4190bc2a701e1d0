//! What hand-overs need, put together: the store, the sites as transfers see them, the two doors.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::served::{Desk, Served};
use crate::admin::space::Door;
use crate::admin::work::Clouds;
use crate::admin::{Api, ending};
use crate::config::SecretError;
use crate::config::checked::{self, AppApi, Config, HostPattern};
use crate::dav::multistatus::OwnerRule;
use crate::gateway::Shared;
use crate::intercept::endpoints::{Endpoints, PREFIX};
use crate::nextcloud::{Credentials, Instance};
use crate::store::{self, Keys, Location, Store};
use crate::tours::Tours;
use crate::tours::editing;
use crate::tours::progress::store::Kept;
use crate::tours::progress::token::Key;
use crate::transfer::{Options, Site, Sites, Transfers};
use crate::upstream::causes;

/// The file of the store, and that of its keys, in the store's folder.
const DATABASE: &str = "passeur.db";
const KEYS: &str = "passeur.key";
/// How often sites are looked for that another replica set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often what happened to tours goes to the store.
const COUNTS_EVERY: Duration = Duration::from_secs(20);

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret of it cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Its folder cannot be made.
    #[error("failed to make the store's folder")]
    Folder(#[source] std::io::Error),
    /// A shared database without a key that is shared as well.
    #[error("[store] has a database but no key: set `folder`, where one is made, or `key`")]
    NoKey,
    /// The store itself.
    #[error("failed to open the store")]
    Store(#[from] store::Error),
}

/// Opens the store that the configuration names, if it names one.
pub async fn open_store(config: &checked::Store) -> Result<Option<Store>, OpenError> {
    let folder = config.folder.as_deref();
    if let Some(folder) = folder {
        make_folder(folder).map_err(OpenError::Folder)?;
    }
    let location = match (&config.postgres, folder) {
        (Some(source), _) => Location::Postgres(source.read()?),
        (None, Some(folder)) => Location::Sqlite(folder.join(DATABASE)),
        (None, None) => return Ok(None),
    };
    let keys = match (&config.key, folder) {
        (Some(source), _) => Keys::read(&source.read()?),
        (None, Some(folder)) => Keys::at(&folder.join(KEYS)),
        (None, None) => return Err(OpenError::NoKey),
    };
    let keys = keys.map_err(store::Error::from)?;
    Ok(Some(Store::open(&location, keys).await?))
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The sites of a running proxy.
pub struct SitesOf {
    shared: Arc<Shared>,
    appapi: ArcSwap<AppApi>,
    /// One instance for each site as it is configured now: it holds the connections, and what is
    /// known of refused credentials.
    made: Mutex<HashMap<String, (Weak<checked::Site>, Site)>>,
}

impl SitesOf {
    /// The sites of `shared`.
    pub fn new(shared: Arc<Shared>, config: &Config) -> Self {
        let appapi = ArcSwap::from_pointee(config.appapi.clone());
        Self { shared, appapi, made: Mutex::default() }
    }

    /// Takes over what a reload brings; secrets are read anew.
    pub fn apply(&self, config: &Config) {
        self.appapi.store(Arc::new(config.appapi.clone()));
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn config(&self, name: &str) -> Option<Arc<checked::Site>> {
        let table = self.shared.table.load();
        table.named(name).map(|site| Arc::clone(&site.config))
    }

    fn make(&self, config: &Arc<checked::Site>) -> Option<Site> {
        let name = &config.name;
        let host = host(config)?;
        let https = (self.shared.settings.load().has_certificate)(&host);
        let instance = Instance::of_site(config, &host, https);
        let instance = instance
            .inspect_err(|error| tracing::error!(site = name, error = causes(error), "no access"))
            .ok()?;
        let app = Credentials::of_site(config, &self.appapi.load(), &host)
            .inspect_err(|error| tracing::error!(site = name, error = causes(error), "no access"))
            .ok()
            .flatten();
        Some(Site {
            name: name.clone(),
            instance,
            app,
            access: config.access.clone(),
            live: self.shared.table.load().lives().of(name),
            bandwidth: config.transfers.bandwidth,
            at_once: config.transfers.at_once,
            approval: config.transfers.approval,
            undo: config.transfers.undo,
        })
    }
}

impl Sites for SitesOf {
    fn site(&self, name: &str) -> Option<Site> {
        let config = self.config(name)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, site)) = made.get(name)
            && of.upgrade().is_some_and(|of| Arc::ptr_eq(&of, &config))
        {
            return Some(site.clone());
        }
        let site = self.make(&config)?;
        made.insert(name.to_owned(), (Arc::downgrade(&config), site.clone()));
        Some(site)
    }
}

impl Clouds for SitesOf {
    fn names(&self) -> Vec<String> {
        let table = self.shared.table.load();
        table.sites().iter().map(|site| site.config.name.clone()).collect()
    }

    fn transfers(&self, name: &str) -> Option<checked::Transfers> {
        self.config(name).map(|config| config.transfers.clone())
    }

    fn settings(&self, name: &str) -> Option<Arc<checked::Site>> {
        self.config(name)
    }
}

/// Hand-overs of a running proxy.
pub struct Handover {
    store: Store,
    served: Arc<Served>,
    sites: Arc<SitesOf>,
    transfers: Arc<Transfers>,
    api: Arc<Api>,
}

impl Handover {
    /// Opens the store, if there is to be one. Nothing runs yet.
    ///
    /// # Errors
    /// If there is to be a store and it cannot be had.
    pub async fn open(
        config: &Config,
        shared: &Arc<Shared>,
        served: &Arc<Served>,
        tours: Option<Arc<Tours>>,
    ) -> Result<Option<Self>, OpenError> {
        let Some(store) = open_store(&config.store).await? else { return Ok(None) };
        let lives = Arc::clone(shared.table.load().lives());
        for rule in store.owners().await? {
            let shown = OwnerRule { from: rule.from, to: rule.to, display_name: rule.display_name };
            lives.of(&rule.site).show_owners(&rule.name, vec![shown]);
        }
        let sites = Arc::new(SitesOf::new(Arc::clone(shared), config));
        let known: Arc<dyn Sites> = sites.clone();
        let transfers = Transfers::new(store.clone(), known, Options::default());
        let clouds: Arc<dyn Clouds> = sites.clone();
        let served = Arc::clone(served);
        served.catch_up(&store).await?;
        let desk = Arc::new(Desk { served: Arc::clone(&served), store: store.clone() });
        let api = Api::new(store.clone(), Arc::clone(&transfers), clouds, desk, tours);
        Ok(Some(Self { store, served, sites, transfers, api: Arc::new(api) }))
    }

    /// Lets tours keep progress in the store, and show admins the spaces' door.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_tours(&self, tours: &Tours) -> Result<(), store::Error> {
        self.store.forget_tour_progress().await?;
        self.store.forget_tour_counts().await?;
        let key = Key::new(&self.store.tour_key().await?);
        tours.keep_in(key, Arc::new(Kept::new(self.store.clone(), Handle::current())));
        tours.let_edit(editing::Desk::new(self.store.clone(), Handle::current()));
        tours.show_door(PREFIX);
        Ok(())
    }

    /// What the host's door needs.
    pub fn api(&self) -> Arc<Api> {
        Arc::clone(&self.api)
    }

    /// The spaces' door, beside other endpoints. It answers on the present runtime.
    pub fn mount(&self, endpoints: &Endpoints) -> Endpoints {
        let door = Door::new(Arc::clone(&self.api), Handle::current());
        endpoints.with(PREFIX, Arc::new(door))
    }

    /// Works on transfers from now on, and tells how they end.
    pub fn start(&self) -> Vec<JoinHandle<()>> {
        // It ends with its task: what was at work is in the journal.
        let running = tokio::spawn(Arc::clone(&self.transfers).run(std::future::pending()));
        let api = Arc::clone(&self.api);
        let telling = tokio::spawn(ending::tell_all(api));
        let following = tokio::spawn(follow(Arc::clone(&self.served), self.store.clone()));
        let api = Arc::clone(&self.api);
        let counting = tokio::spawn(async move {
            loop {
                tokio::time::sleep(COUNTS_EVERY).await;
                keep_counts(&api).await;
            }
        });
        vec![running, telling, following, counting]
    }

    /// Takes over what a reload brings.
    pub fn apply(&self, config: &Config) {
        self.sites.apply(config);
    }

    /// Closes the store. What was at work goes on with the next start.
    pub async fn close(self) {
        keep_counts(&self.api).await;
        self.store.close().await;
    }
}

/// Serves what other replicas set, for ever.
async fn follow(served: Arc<Served>, store: Store) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_away = false;
    loop {
        ticks.tick().await;
        let looked = served.catch_up(&store).await;
        match &looked {
            Err(error) if !was_away => {
                tracing::warn!(error = causes(error), "the store is away; sites stay as they are");
            }
            Ok(()) if was_away => tracing::info!("the store is back"),
            _ => {}
        }
        was_away = looked.is_err();
    }
}

/// Writes down what happened to tours since the last time.
async fn keep_counts(api: &Api) {
    let Some(tours) = &api.tours else { return };
    if let Err(error) = tours.ledger().keep(&api.store).await {
        tracing::warn!(error = causes(&error), "the counts of tours are kept later");
    }
}

/// The name by which an instance is asked: the first one that is no pattern, or that of its target.
fn host(config: &checked::Site) -> Option<String> {
    let exact = config.hosts.iter().find_map(|host| match host {
        HostPattern::Exact(host) => Some(host.clone()),
        HostPattern::Wildcard(_) => None,
    });
    exact.or_else(|| {
        let target = config.upstream.targets.first()?.authority()?;
        config.hosts.is_empty().then(|| target.to_str().ok().map(str::to_owned))?
    })
}
