//! All tours, target packs and words of a set of files, read and checked.
//!
//! Invariant: a [`Catalogue`] has no errors. What is wrong is told with file, line and the way out,
//! all at once; who has a catalogue keeps it until there is a better one. Files are served as they
//! were written: the player reads the same text.

pub mod check;
mod files;
mod json;
mod locale;
mod range;
pub mod release;
mod step;
mod targets;
#[cfg(test)]
mod tests;
mod tour;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use self::check::Surroundings;
use self::locale::Words;
use self::targets::{Pack, Target};
use self::tour::Tour;
use super::assets::Asset;

pub use files::{Files, ReadError};
pub use json::Problem;

/// A whole catalogue.
pub struct Catalogue {
    tours: Vec<Entry>,
    packs: BTreeMap<String, Arc<Asset>>,
    ui: BTreeMap<String, Arc<Asset>>,
    targets: BTreeMap<String, Target>,
    warnings: Vec<Problem>,
}

/// A tour, and where its files are served.
struct Entry {
    tour: Tour,
    file: Arc<Asset>,
    locales: BTreeMap<String, Arc<Asset>>,
    media: BTreeMap<String, Arc<Asset>>,
    packs: BTreeSet<String>,
}

/// A tour, as lists name it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its revision.
    pub rev: u32,
    /// How many steps it has.
    pub steps: usize,
    /// Whether it is offered without being asked for.
    pub is_offered: bool,
}

/// Everything that is wrong with a catalogue.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl Catalogue {
    /// Reads and checks files.
    ///
    /// # Errors
    /// Everything that is wrong, warnings too.
    pub fn new(files: &Files) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        misplaced(files, &mut problems);
        let packs = read_packs(files, &mut problems);
        let (targets, wrong) = check::packs(&packs);
        problems.extend(wrong);
        let ids: BTreeSet<String> = files.tours().into_iter().map(str::to_owned).collect();
        let mut tours = Vec::new();
        let mut words = BTreeMap::new();
        for id in &ids {
            let languages = read_words(files, id, &mut problems);
            if let Some(entry) = read_tour(files, id, &targets, &ids, &languages, &mut problems) {
                tours.push(entry);
            }
            words.insert(id.as_str(), languages);
        }
        let ui = read_ui(files, &tours, &mut problems);
        problems.sort();
        if problems.iter().any(|problem| problem.is_error) {
            return Err(Problems(problems));
        }
        tours.sort_by(|a, b| {
            (b.tour.offer.priority, &a.tour.id).cmp(&(a.tour.offer.priority, &b.tour.id))
        });
        let packs = packs.into_iter().filter_map(|pack| {
            let path = format!("targets/{}.json", pack.area);
            let asset = Asset::new(&format!("{}.json", pack.area), files.0.get(&path)?.clone());
            Some((pack.area, asset))
        });
        Ok(Self { tours, packs: packs.collect(), ui, targets, warnings: problems })
    }

    /// What is doubtful.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The ids of all tours, those of higher priority first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.tours.iter().map(|entry| entry.tour.id.as_str())
    }

    /// All tours, those of higher priority first.
    pub fn tours(&self) -> impl Iterator<Item = Shown<'_>> {
        self.tours.iter().map(|Entry { tour, .. }| Shown {
            id: &tour.id,
            rev: tour.rev,

            steps: tour.steps.len(),
            is_offered: tour.offer.auto,
        })
    }

    /// The texts of the first of these languages that there are any in, titles of tours among them:
    /// `tour.ID.title`.
    #[must_use]
    pub fn texts(&self, languages: &[&str]) -> Map<String, Value> {
        let found = languages.iter().find_map(|language| self.ui.get(*language));
        let texts = found.map(|texts| serde_json::from_slice(texts.bytes()).unwrap_or_default());
        texts.unwrap_or_default()
    }

    /// Whether there is such a tour, and in it such a step; `""` stands for the tour as a whole.
    #[must_use]
    pub fn has_step(&self, tour: &str, step: &str) -> bool {
        let entry = self.tours.iter().find(|entry| entry.tour.id == tour);
        entry.is_some_and(|entry| step.is_empty() || entry.tour.steps.contains_key(step))
    }

    /// Whether there is such a target.
    #[must_use]
    pub fn has_target(&self, target: &str) -> bool {
        self.targets.contains_key(target)
    }

    /// Whether any tour is there in a language.
    #[must_use]
    pub fn has_language(&self, language: &str) -> bool {
        self.tours.iter().any(|entry| entry.locales.contains_key(language))
    }

    /// All files that browsers may ask for.
    pub fn assets(&self) -> impl Iterator<Item = &Arc<Asset>> {
        let tours = self.tours.iter().flat_map(|entry| {
            [&entry.file].into_iter().chain(entry.locales.values()).chain(entry.media.values())
        });
        tours.chain(self.packs.values()).chain(self.ui.values())
    }

    /// The part of the manifest that tells of files and tours, without those that are `off`.
    #[must_use]
    pub fn manifest(&self, is_off: impl Fn(&str) -> bool) -> Map<String, Value> {
        let on = self.tours.iter().filter(|entry| !is_off(&entry.tour.id));
        let mut manifest = Map::new();
        manifest.insert("ui".to_owned(), urls(&self.ui));
        manifest.insert("packs".to_owned(), urls(&self.packs));
        manifest.insert("tours".to_owned(), on.map(Entry::manifest).collect());
        manifest
    }
}

impl Entry {
    fn manifest(&self) -> Value {
        let mut value = json!({
            "id": self.tour.id,
            "rev": self.tour.rev,
            "kind": self.tour.kind,
            "offer": self.tour.offer,
            "file": self.file.url(),
            "locales": urls(&self.locales),
            "packs": self.packs,
            "media": urls(&self.media),
        });
        if let (Some(when), Some(object)) = (&self.tour.when, value.as_object_mut()) {
            object.insert("when".to_owned(), when.clone());
        }
        value
    }
}

fn urls(assets: &BTreeMap<String, Arc<Asset>>) -> Value {
    assets.iter().map(|(key, asset)| (key.clone(), Value::from(asset.url()))).collect()
}

/// Files that nobody will ever look at: a name that is misspelt.
fn misplaced(files: &Files, problems: &mut Vec<Problem>) {
    let tours = files.tours();
    for path in files.0.keys() {
        let parts: Vec<&str> = path.split('/').collect();
        let is_json = path.ends_with(".json");
        let message = match parts[..] {
            ["schema", _] => continue,
            ["targets" | "ui", _] if is_json => continue,
            [tour, "tour.json"] if json::is_name(tour) => continue,
            [tour, "locales", _] if is_json && tours.contains(&tour) => continue,
            [tour, "media", _] if tours.contains(&tour) => continue,
            [tour, ..] if parts.len() > 1 && !tours.contains(&tour) => {
                format!("belongs to no tour: there is no `{tour}/tour.json`")
            }
            _ => "is not where files of tours are".to_owned(),
        };
        problems.push(about(path, message, parts.len() > 1));
    }
}

fn about(path: &str, message: String, is_error: bool) -> Problem {
    Problem { file: path.to_owned(), line: 0, column: 0, message, is_error }
}

fn utf8<'a>(files: &'a Files, path: &str, problems: &mut Vec<Problem>) -> Option<&'a str> {
    let text = files.text(path);
    if text.is_none() && files.0.contains_key(path) {
        problems.push(about(path, "is not UTF-8".to_owned(), true));
    }
    text
}

fn read_packs(files: &Files, problems: &mut Vec<Problem>) -> Vec<Pack> {
    let mut packs = Vec::new();
    for (name, _) in files.below("targets/") {
        let path = format!("targets/{name}");
        let Some(text) = utf8(files, &path, problems) else { continue };
        let (pack, wrong) = targets::read(&path, text);
        problems.extend(wrong);
        packs.extend(pack);
    }
    packs
}

fn read_words(files: &Files, id: &str, problems: &mut Vec<Problem>) -> BTreeMap<String, Words> {
    let folder = format!("{id}/locales/");
    let mut languages = BTreeMap::new();
    for (name, _) in files.below(&folder) {
        let path = format!("{folder}{name}");
        let language = name.strip_suffix(".json").unwrap_or(name);
        if !locale::is_language(language) {
            let message = format!("`{language}` is no language; write such as `fr` or `pt-BR`");
            problems.push(about(&path, message, true));
            continue;
        }
        let Some(text) = utf8(files, &path, problems) else { continue };
        let (words, wrong) = locale::read(&path, text);
        problems.extend(wrong);
        languages.insert(language.to_owned(), words);
    }
    languages
}

fn read_tour(
    files: &Files,
    id: &str,
    targets: &BTreeMap<String, Target>,
    tours: &BTreeSet<String>,
    words: &BTreeMap<String, Words>,
    problems: &mut Vec<Problem>,
) -> Option<Entry> {
    let path = format!("{id}/tour.json");
    let (tour, wrong) = tour::read(&path, utf8(files, &path, problems)?);
    let is_wrong = !wrong.is_empty();
    problems.extend(wrong);
    let tour = tour?;
    let served = |folder: &str| -> BTreeMap<String, Arc<Asset>> {
        let folder = format!("{id}/{folder}/");
        let below = files.below(&folder);
        below.map(|(name, bytes)| (name.to_owned(), Asset::new(name, bytes.clone()))).collect()
    };
    let media = served("media");
    let names = media.keys().cloned().collect();
    // A tour that could not be read whole would be told to lack what was not read.
    if !is_wrong {
        let around = Surroundings { targets, tours, media: &names, words };
        problems.extend(check::tour(&tour, &around));
    }
    let locales = served("locales")
        .into_iter()
        .map(|(name, asset)| (name.strip_suffix(".json").unwrap_or(&name).to_owned(), asset));
    let named = tour.targets().map(|pointer| pointer.name.as_str());
    Some(Entry {
        packs: areas(named.collect(), targets),
        file: Asset::new("tour.json", files.0.get(&path)?.clone()),
        locales: locales.collect(),
        media,
        tour,
    })
}

/// The areas of targets, and of all that those need.
fn areas<'t>(mut names: Vec<&'t str>, targets: &'t BTreeMap<String, Target>) -> BTreeSet<String> {
    let (mut areas, mut seen) = (BTreeSet::new(), BTreeSet::new());
    while let Some(name) = names.pop() {
        if !seen.insert(name.to_owned()) {
            continue;
        }
        areas.extend(name.split_once('.').map(|(area, _)| area.to_owned()));
        let Some(target) = targets.get(name) else { continue };
        let pointers = target.candidates.iter().flat_map(|candidate| &candidate.pointers);
        let needs = target.needs.iter().flat_map(|action| &action.uses.targets);
        names.extend(pointers.chain(needs).map(|pointer| pointer.name.as_str()));
    }
    areas
}

/// The player's words, with the titles of all tours, so that its list needs no other file.
fn read_ui(
    files: &Files,
    tours: &[Entry],
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Arc<Asset>> {
    let mut own: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (name, _) in files.below("ui/") {
        let path = format!("ui/{name}");
        let Some(text) = utf8(files, &path, problems) else { continue };
        let (_, wrong) = locale::read(&path, text);
        problems.extend(wrong);
        let words = serde_json::from_str(text).unwrap_or_default();
        own.insert(name.strip_suffix(".json").unwrap_or(name).to_owned(), words);
    }
    let english = own.get("en").cloned().unwrap_or_default();
    for (language, words) in &own {
        let path = format!("ui/{language}.json");
        for key in english.keys().filter(|key| !words.contains_key(*key)) {
            problems.push(about(&path, format!("`{key}` is missing"), false));
        }
        for key in words.keys().filter(|key| !english.contains_key(*key)) {
            problems.push(about(&path, format!("nothing uses `{key}`"), false));
        }
    }
    let in_tours = tours.iter().flat_map(|entry| entry.locales.keys().cloned());
    let languages: BTreeSet<String> = own.keys().cloned().chain(in_tours).collect();
    let with_titles = languages.into_iter().map(|language| {
        let chain = chain(&language);
        let mut words = Map::new();
        for step in chain.iter().rev() {
            words.extend(own.get(step).cloned().unwrap_or_default());
        }
        words.remove("$schema");
        for entry in tours {
            titles(files, &entry.tour.id, &chain, &mut words);
        }
        let text = Value::Object(words).to_string();
        let asset = Asset::new(&format!("{language}.json"), text.into());
        (language, asset)
    });
    with_titles.collect()
}

/// Title and summary of a tour in the first language that has them.
fn titles(files: &Files, id: &str, chain: &[String], words: &mut Map<String, Value>) {
    for part in ["title", "summary"] {
        let found = chain.iter().find_map(|language| {
            let text = files.text(&format!("{id}/locales/{language}.json"))?;
            let locale: Map<String, Value> = serde_json::from_str(text).ok()?;
            locale.get(&format!("tour.{part}")).cloned()
        });
        if let Some(found) = found {
            words.insert(format!("tour.{id}.{part}"), found);
        }
    }
}

/// A language, what it falls back to, and English: `pt-BR`, `pt`, `en`.
fn chain(language: &str) -> Vec<String> {
    let base = language.split('-').next().unwrap_or(language);
    let mut chain = vec![language.to_owned()];
    for next in [base, "en"] {
        if !chain.iter().any(|known| known == next) {
            chain.push(next.to_owned());
        }
    }
    chain
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
