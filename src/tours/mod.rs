//! Guided tours in Nextcloud's own pages, with nothing installed there.
//!
//! [`inject`] puts one tag into pages of signed-in people; the tag loads the player (`web/player`),
//! which shows what [`catalogue`] holds; [`endpoint`] serves the files, keeps progress and counts.
//! `gateway` knows nothing of this: tours are a layer and an endpoint.
//!
//! Invariant: tours decorate. Whatever is wrong with them, pages pass as they came, and it is
//! counted; a catalogue with errors leaves the last good one in place.

pub(crate) mod assets;
pub mod catalogue;
pub mod editing;
pub mod embedded;
pub mod endpoint;
pub mod events;
pub mod inject;
pub mod intros;
pub mod progress;
mod view;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;

use self::assets::Assets;
use self::catalogue::{Catalogue, Files, Problems, ReadError};
use self::editing::Desk;
use self::embedded::Player;
use self::events::Ledger;
use self::inject::versions::Versions;
use self::progress::store::ProgressStore;
use self::progress::token::Key;
use self::view::View;
use crate::config::checked::{self, HostPattern};

/// Everything about tours that runs.
pub struct Tours {
    player: Player,
    assets: Assets,
    views: ArcSwap<HashMap<checked::Tours, Arc<View>>>,
    catalogues: Mutex<HashMap<Source, Known>>,
    versions: Versions,
    /// Without a store of Passeur's own: as long as the process runs.
    here: Keeping,
    kept: OnceLock<Keeping>,
    /// Where admins hand over, if anybody can.
    door: OnceLock<&'static str>,
    /// Whether there is a secret that those of all sites are made of.
    shared_secret: AtomicBool,
    /// Where tours are written, if they can be.
    desk: OnceLock<Desk>,
    ledger: Ledger,
    preview: Option<String>,
}

/// Where progress is kept, and what makes numbers of people.
struct Keeping {
    key: Key,
    store: Arc<dyn ProgressStore>,
}

/// Where a catalogue comes from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Source {
    /// A host's own folder.
    pub folder: Option<PathBuf>,
    /// Whether the shipped tours are part of it.
    pub shipped: bool,
}

type Catalogues = HashMap<Source, Arc<Catalogue>>;

/// A catalogue, and what it was made from.
struct Known {
    files: Files,
    catalogue: Arc<Catalogue>,
}

/// Why a catalogue was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Its files cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There are errors in them.
    #[error("{0}")]
    Wrong(#[source] Problems),
}

// === impl Tours ===

impl Tours {
    /// Tours with this player; [`apply`](Self::apply) gives them something to show.
    #[must_use]
    pub fn new(player: Player, key: Key, store: Arc<dyn ProgressStore>) -> Self {
        Self {
            player,
            assets: Assets::default(),
            views: ArcSwap::default(),
            catalogues: Mutex::default(),
            versions: Versions::default(),
            here: Keeping { key, store },
            kept: OnceLock::new(),
            door: OnceLock::new(),
            shared_secret: AtomicBool::new(false),
            desk: OnceLock::new(),
            ledger: Ledger::default(),
            preview: None,
        }
    }

    /// From now on keeps progress in this store, with this key; only the first call counts.
    pub fn keep_in(&self, key: Key, store: Arc<dyn ProgressStore>) {
        let _again = self.kept.set(Keeping { key, store });
    }

    /// Shows admins of sites that can be handed over from where this is done; only the first call
    /// counts.
    pub fn show_door(&self, address: &'static str) {
        let _again = self.door.set(address);
    }

    /// Lets those who have a link write tours; only the first call counts.
    pub fn let_edit(&self, desk: Desk) {
        let _again = self.desk.set(desk);
    }

    fn keeping(&self) -> &Keeping {
        self.kept.get().unwrap_or(&self.here)
    }

    /// Where admins of a site hand over.
    fn door(&self, site: &checked::Site) -> Option<&'static str> {
        let is_open = self.shared_secret.load(Ordering::Relaxed)
            || site.access.app_secret.is_some()
            || site.access.database.is_some();
        self.door.get().copied().filter(|_| is_open)
    }

    /// Shows this tour at once, on every page, if there is one.
    #[must_use]
    pub fn previewing(mut self, tour: Option<String>) -> Self {
        self.preview = tour;
        self
    }

    /// Takes over what a configuration says, and what the files of its catalogues say now. A
    /// catalogue that cannot be used is given back with the reason; what was there before stays.
    pub fn apply(&self, config: &checked::Config) -> Vec<(Source, Broken)> {
        self.shared_secret.store(config.appapi.secret.is_some(), Ordering::Relaxed);
        let settings: HashSet<&checked::Tours> =
            config.sites.iter().map(|site| &site.tours).collect();
        let (catalogues, broken) = self.load(Source::of_sites(config));
        let mut views = HashMap::new();
        for settings in settings {
            let catalogue = match settings.enabled && config.tours.enabled {
                true => catalogues.get(&Source::of(settings)).cloned(),
                false => None,
            };
            let view = View::new(&self.player, settings.clone(), &config.tours, catalogue);
            views.insert(settings.clone(), Arc::new(view));
        }
        let assets = views.values().flat_map(|view| view.assets()).chain(self.player.assets());
        self.assets.replace(assets.map(Arc::clone).collect::<Vec<_>>());
        self.views.store(Arc::new(views));
        broken
    }

    /// Whether a site shows what it should already, without [`apply`](Self::apply).
    #[must_use]
    pub fn knows(&self, site: &checked::Site) -> bool {
        self.views.load().contains_key(&site.tours)
    }

    /// The catalogue of a site, and whether a tour is switched off in it; `None` where there are no
    /// tours.
    #[must_use]
    pub fn of(
        &self,
        site: &checked::Site,
    ) -> Option<(Arc<Catalogue>, impl Fn(&str) -> bool + use<>)> {
        let view = self.view(site)?;
        let catalogue = Arc::clone(view.catalogue.as_ref()?);
        Some((catalogue, move |id: &str| view.is_off(id)))
    }

    /// Whether any site has this tour.
    #[must_use]
    pub fn has(&self, tour: &str) -> bool {
        let views = self.views.load();
        let mut catalogues = views.values().filter_map(|view| view.catalogue.as_ref());
        catalogues.any(|catalogue| catalogue.has_step(tour, ""))
    }

    /// What was counted.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What a site shows; `None` for one that the last configuration did not have.
    fn view(&self, site: &checked::Site) -> Option<Arc<View>> {
        self.views.load().get(&site.tours).cloned()
    }

    /// Loads catalogues; those whose files did not change stay as they are.
    fn load(&self, wanted: HashSet<Source>) -> (Catalogues, Vec<(Source, Broken)>) {
        let mut known = self.catalogues.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|source, _| wanted.contains(source));
        let mut broken = Vec::new();
        for source in wanted {
            let files = match source.files() {
                Ok(files) => files,
                Err(error) => {
                    broken.push((source, error.into()));
                    continue;
                }
            };
            if known.get(&source).is_some_and(|known| known.files == files) {
                continue;
            }
            match Catalogue::new(&files) {
                Ok(catalogue) => {
                    let catalogue = Arc::new(catalogue);
                    known.insert(source, Known { files, catalogue });
                }
                Err(problems) => broken.push((source, Broken::Wrong(problems))),
            }
        }
        let all = known.iter();
        let all = all.map(|(source, known)| (source.clone(), Arc::clone(&known.catalogue)));
        (all.collect(), broken)
    }
}

impl Source {
    /// Those of all sites that show tours.
    #[must_use]
    pub fn of_sites(config: &checked::Config) -> HashSet<Self> {
        let settings = config.sites.iter().map(|site| &site.tours);
        settings.filter(|settings| settings.enabled).map(Self::of).collect()
    }

    /// The catalogue of the files as they are now.
    ///
    /// # Errors
    /// Why there is none.
    pub fn catalogue(&self) -> Result<Catalogue, Broken> {
        Catalogue::new(&self.files()?).map_err(Broken::Wrong)
    }

    fn of(settings: &checked::Tours) -> Self {
        Self { folder: settings.folder.clone(), shipped: settings.shipped }
    }

    /// The files as they are now.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn files(&self) -> Result<Files, ReadError> {
        let shipped = Files::shipped();
        let base = if self.shipped { shipped } else { shipped.without_tours() };
        match &self.folder {
            Some(folder) => Ok(base.overlaid(Files::read(folder)?)),
            None => Ok(base),
        }
    }
}

/// Who is told apart from whom: the site, and in a site of many instances the instance.
fn tenant(site: &checked::Site, authority: &str) -> String {
    let is_wildcard = |host: &HostPattern| matches!(host, HostPattern::Wildcard(_));
    match authority.split_once('.') {
        Some((label, _)) if site.hosts.iter().any(is_wildcard) => {
            format!("{}.{}", label.to_ascii_lowercase(), site.name)
        }
        _ => site.name.clone(),
    }
}
