//! Counts what happens to tours, and which targets are missing where; never who.
//!
//! What is counted is a cell of few, known words: nothing that a browser sends becomes a label of its
//! own. Cells under [`SHOWN_FROM`] are not shown, so that nobody is found in them. Tables are bounded;
//! what does not fit is counted as lost.
//!
//! Where there is a store, what was counted since the last time goes there ([`Ledger::keep`]), so that
//! it outlives the process and adds up over replicas; a store that is away gets it later.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::progress::token::Person;
use crate::observe::metrics::Page;
use crate::store::{self, Store, TourCount, TourMissing};

/// Cells that count fewer are not shown.
pub const SHOWN_FROM: u64 = 5;

/// Cells of each table.
const MOST: usize = 50_000;

/// Entries of one message.
const ENTRIES: usize = 50;

/// Messages of one person in a minute.
const A_MINUTE: u32 = 30;

/// What can happen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Gone back.
    Back,
    /// Not wanted again.
    Dismissed,
    /// Through.
    Done,
    /// The player failed.
    Error,
    /// Not now.
    Later,
    /// A step did not find its target.
    Missing,
    /// Gone on.
    Next,
    /// Offered without being asked for.
    Offered,
    /// Left, to go on another time.
    Paused,
    /// A step was shown.
    Shown,
    /// Begun.
    Started,
}

/// What a browser sends.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(rename = "$v")]
    pub(super) version: u8,
    pub(super) token: String,
    #[serde(default)]
    nc: String,
    #[serde(default)]
    lang: String,
    #[serde(default)]
    device: String,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    missing: Vec<Missing>,
}

#[derive(Debug, Deserialize)]
struct Event {
    tour: String,
    rev: u32,
    #[serde(default)]
    step: String,
    what: What,
}

#[derive(Debug, Deserialize)]
struct Missing {
    target: String,
    candidate: i32,
    #[serde(default)]
    app: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    route: String,
}

/// What is counted as one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Cell {
    /// The site.
    pub site: String,
    /// The tour.
    pub tour: String,
    /// Its revision.
    pub rev: u32,
    /// The step; empty for the tour as a whole.
    pub step: String,
    /// What happened.
    pub what: What,
    /// Major of Nextcloud; 0 if unknown.
    pub nc: u32,
    /// Language of the page; empty for one in which there are no tours.
    pub lang: String,
    /// `phone` or `desktop`.
    pub device: &'static str,
}

/// A target that was not found as it should be, over all sites.
#[derive(Clone, Debug, Serialize)]
pub struct MissingTarget {
    /// Its name.
    pub target: String,
    /// Version of Nextcloud.
    pub nc: String,
    /// App and version, as far as known.
    pub app: String,
    /// Sites that reported it.
    pub sites: usize,
    /// Reports (sampled) in which nothing was found.
    pub absent: u64,
    /// Reports (sampled) in which a later candidate was found, by its index.
    pub fallbacks: BTreeMap<u32, u64>,
    /// A page on which it happened.
    pub route: String,
}

/// All counts.
#[derive(Default)]
pub struct Ledger {
    /// Of this process, for metrics.
    cells: Mutex<HashMap<Cell, u64>>,
    missing: Mutex<HashMap<MissingKey, MissingCount>>,
    /// What is in no store yet, in an order that is the same for all replicas, so that two of them
    /// never wait for each other's rows.
    unkept: Mutex<Unkept>,
    recent: Mutex<Recent>,
    lost: AtomicU64,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct MissingKey {
    target: String,
    nc: String,
    app: String,
}

#[derive(Default)]
struct MissingCount {
    sites: HashSet<String>,
    absent: u64,
    fallbacks: BTreeMap<u32, u64>,
    route: String,
}

/// What is in no store yet.
#[derive(Default)]
struct Unkept {
    cells: BTreeMap<Cell, u64>,
    /// By target, site and candidate (-1: none), with a page on which it was.
    missing: BTreeMap<(MissingKey, String, i64), (u64, String)>,
}

/// Who sent how much in the present minute.
#[derive(Default)]
struct Recent {
    since: Option<Instant>,
    messages: HashMap<(String, Person), u32>,
}

// === impl Ledger ===

impl Ledger {
    /// Counts a message; what no catalogue knows is left out. False if the person sends too much.
    pub(super) fn count(
        &self,
        tenant: &str,
        person: &Person,
        message: Message,
        catalogue: &Catalogue,
        counters: bool,
    ) -> bool {
        if !self.may_send(tenant, person) {
            return false;
        }
        let nc = version(&message.nc);
        let language = match catalogue.has_language(&message.lang) {
            true => message.lang,
            false => String::new(),
        };
        let device = if message.device == "phone" { "phone" } else { "desktop" };
        let events = message.events.into_iter().take(ENTRIES).filter(|_| counters);
        for event in events.filter(|event| catalogue.has_step(&event.tour, &event.step)) {
            self.add(Cell {
                site: tenant.to_owned(),
                tour: event.tour,
                rev: event.rev.min(1_000_000),
                step: event.step,
                what: event.what,
                nc: nc.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0),
                lang: language.clone(),
                device,
            });
        }
        for missing in message.missing.into_iter().take(ENTRIES) {
            if catalogue.has_target(&missing.target) {
                self.add_missing(tenant, &nc, missing);
            }
        }
        true
    }

    /// Those of a site's cells that may be shown: of all replicas and times.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn cells(
        &self,
        store: &Store,
        site: &str,
        is_wanted: impl Fn(&Cell) -> bool,
    ) -> Result<Vec<(Cell, u64)>, store::Error> {
        let mut cells: BTreeMap<Cell, u64> = BTreeMap::new();
        for (cell, count) in store.tour_counts(site).await?.into_iter().filter_map(Cell::kept) {
            *cells.entry(cell).or_default() += count;
        }
        for (cell, count) in &self.unkept().cells {
            *cells.entry(cell.clone()).or_default() += count;
        }
        cells.retain(|cell, count| *count >= SHOWN_FROM && is_wanted(cell));
        Ok(cells.into_iter().collect())
    }

    /// Targets that were missing, on all replicas, the most widespread first.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn missing_anywhere(
        &self,
        store: &Store,
    ) -> Result<Vec<MissingTarget>, store::Error> {
        let mut all: HashMap<MissingKey, MissingCount> = HashMap::new();
        for row in store.tour_missing().await? {
            let key = MissingKey { target: row.target, nc: row.nextcloud, app: row.app };
            let count = u64::try_from(row.count).unwrap_or_default();
            all.entry(key).or_default().add(row.site, row.candidate, count, &row.route);
        }
        for ((key, site, candidate), (count, route)) in &self.unkept().missing {
            let entry = all.entry(key.clone()).or_default();
            entry.add(site.clone(), *candidate, *count, route);
        }
        Ok(listed(&all))
    }

    /// Adds to the store what it does not have yet.
    ///
    /// # Errors
    /// If the store fails; nothing is lost, and nothing counted twice.
    pub async fn keep(&self, store: &Store) -> Result<(), store::Error> {
        let unkept = std::mem::take(&mut *self.unkept());
        let (counts, missing) = (unkept.counts(), unkept.missing());
        if counts.is_empty() && missing.is_empty() {
            return Ok(());
        }
        let kept = store.add_tour_counts(&counts, &missing).await;
        if kept.is_err() {
            self.unkept().take_back(unkept);
        }
        kept
    }

    fn unkept(&self) -> std::sync::MutexGuard<'_, Unkept> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Targets that were missing in this process, the most widespread first.
    fn missing(&self) -> Vec<MissingTarget> {
        listed(&self.missing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the numbers of all sites together.
    pub fn encode(&self, page: &mut Page) {
        let mut sums: BTreeMap<(String, &'static str), u64> = BTreeMap::new();
        for (cell, count) in self.cells.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            *sums.entry((cell.tour.clone(), cell.what.as_str())).or_default() += count;
        }
        page.family(
            "passeur_tours_events_total",
            "counter",
            "What happened to tours, on all sites.",
        );
        for ((tour, what), count) in sums.iter().filter(|(_, count)| **count >= SHOWN_FROM) {
            let labels = [("tour", tour.as_str()), ("what", *what)];
            page.line("passeur_tours_events_total", &labels, count);
        }
        let help = "Sites on which a tour did not find a target, by version of Nextcloud.";
        page.family("passeur_tours_missing_target_sites", "gauge", help);
        for missing in self.missing().iter().filter(|missing| missing.absent > 0) {
            let labels = [
                ("target", missing.target.as_str()),
                ("nextcloud", missing.nc.as_str()),
                ("app", missing.app.as_str()),
            ];
            page.line("passeur_tours_missing_target_sites", &labels, missing.sites);
        }
        let lost = self.lost.load(Ordering::Relaxed);
        page.family(
            "passeur_tours_events_lost_total",
            "counter",
            "Events without room to count them.",
        );
        page.line("passeur_tours_events_lost_total", &[], lost);
    }

    fn may_send(&self, tenant: &str, person: &Person) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_over = recent.since.is_none_or(|since| now - since > Duration::from_secs(60));
        if is_over || recent.messages.len() > MOST {
            recent.since = Some(now);
            recent.messages.clear();
        }
        let count = recent.messages.entry((tenant.to_owned(), person.clone())).or_default();
        *count += 1;
        *count <= A_MINUTE
    }

    fn add(&self, cell: Cell) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() >= MOST && !cells.contains_key(&cell) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *cells.entry(cell.clone()).or_default() += 1;
        let mut unkept = self.unkept();
        if unkept.cells.len() < MOST || unkept.cells.contains_key(&cell) {
            *unkept.cells.entry(cell).or_default() += 1;
        }
    }

    fn add_missing(&self, tenant: &str, nc: &str, missing: Missing) {
        let app = match (is_app(&missing.app), version(&missing.version)) {
            (false, _) => String::new(),
            (true, version) if version.is_empty() => missing.app,
            (true, version) => format!("{} {version}", missing.app),
        };
        let key = MissingKey { target: missing.target, nc: nc.to_owned(), app };
        let mut all = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&key) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let route = if is_route(&missing.route) { missing.route.as_str() } else { "" };
        let candidate = i64::from(missing.candidate.clamp(-1, 20));
        all.entry(key.clone()).or_default().add(tenant.to_owned(), candidate, 1, route);
        let mut unkept = self.unkept();
        let key = (key, tenant.to_owned(), candidate);
        if unkept.missing.len() < MOST || unkept.missing.contains_key(&key) {
            unkept.missing.entry(key).or_insert_with(|| (0, route.to_owned())).0 += 1;
        }
    }
}

impl MissingCount {
    fn add(&mut self, site: String, candidate: i64, count: u64, route: &str) {
        if self.sites.len() < MOST {
            self.sites.insert(site);
        }
        match u32::try_from(candidate) {
            Ok(candidate) => *self.fallbacks.entry(candidate).or_default() += count,
            Err(_) => self.absent += count,
        }
        if self.route.is_empty() {
            route.clone_into(&mut self.route);
        }
    }
}

impl Unkept {
    fn counts(&self) -> Vec<TourCount> {
        let number = |count: &u64| i64::try_from(*count).unwrap_or(i64::MAX);
        let row = |(cell, count): (&Cell, &u64)| TourCount {
            site: cell.site.clone(),
            tour: cell.tour.clone(),
            rev: cell.rev.into(),
            step: cell.step.clone(),
            what: cell.what.as_str().to_owned(),
            nextcloud: cell.nc.into(),
            language: cell.lang.clone(),
            device: cell.device.to_owned(),
            count: number(count),
        };
        self.cells.iter().map(row).collect()
    }

    fn missing(&self) -> Vec<TourMissing> {
        let rows = self.missing.iter().map(|((key, site, candidate), (count, route))| {
            let MissingKey { target, nc, app } = key.clone();
            let (site, route) = (site.clone(), route.clone());
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            TourMissing { target, nextcloud: nc, app, site, candidate: *candidate, route, count }
        });
        rows.collect()
    }

    fn take_back(&mut self, other: Self) {
        for (cell, count) in other.cells {
            *self.cells.entry(cell).or_default() += count;
        }
        for (key, (count, route)) in other.missing {
            self.missing.entry(key).or_insert((0, route)).0 += count;
        }
    }
}

fn listed(missing: &HashMap<MissingKey, MissingCount>) -> Vec<MissingTarget> {
    let mut all: Vec<MissingTarget> = missing
        .iter()
        .map(|(key, count)| MissingTarget {
            target: key.target.clone(),
            nc: key.nc.clone(),
            app: key.app.clone(),
            sites: count.sites.len(),
            absent: count.absent,
            fallbacks: count.fallbacks.clone(),
            route: count.route.clone(),
        })
        .collect();
    all.sort_by(|a, b| (b.sites, &a.target, &a.nc).cmp(&(a.sites, &b.target, &b.nc)));
    all
}

impl Cell {
    /// As the store has it; `None` for words that this version does not know.
    fn kept(row: TourCount) -> Option<(Self, u64)> {
        let cell = Self {
            site: row.site,
            tour: row.tour,
            rev: u32::try_from(row.rev).ok()?,
            step: row.step,
            what: serde_json::from_value(row.what.into()).ok()?,
            nc: u32::try_from(row.nextcloud).ok()?,
            lang: row.language,
            device: if row.device == "phone" { "phone" } else { "desktop" },
        };
        Some((cell, u64::try_from(row.count).ok()?))
    }

    /// The site that this is one instance of, where a site has many.
    #[must_use]
    pub fn instance_of(&self) -> Option<&str> {
        self.site.split_once('.').map(|(_, site)| site)
    }
}

impl What {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            What::Back => "back",
            What::Dismissed => "dismissed",
            What::Done => "done",
            What::Error => "error",
            What::Later => "later",
            What::Missing => "missing",
            What::Next => "next",
            What::Offered => "offered",
            What::Paused => "paused",
            What::Shown => "shown",
            What::Started => "started",
        }
    }
}

/// The first three numbers of a version; empty if it is none.
fn version(text: &str) -> String {
    let is_version = text.len() <= 20
        && !text.is_empty()
        && text
            .split('.')
            .all(|n| !n.is_empty() && n.len() <= 4 && n.bytes().all(|b| b.is_ascii_digit()));
    if !is_version {
        return String::new();
    }
    text.split('.').take(3).collect::<Vec<_>>().join(".")
}

fn is_app(app: &str) -> bool {
    (1..=64).contains(&app.len())
        && app.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A path in which ids and names are `*`.
fn is_route(route: &str) -> bool {
    route.starts_with('/')
        && route.len() <= 100
        && route.bytes().all(|b| b.is_ascii_lowercase() || b"/_-*".contains(&b))
}
