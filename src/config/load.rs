//! Reads the main file and every file of the sites folder, and reports everything that is wrong
//! with any of them at once.
//!
//! A [`Loader`] remembers the sites it has checked, so that loading again costs one `stat` for
//! each file that did not change. A file that was written while, or shortly before, it was read is
//! not trusted to that: its next change might leave the same time stamp.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checked::{Config, Endpoint, Site};
use super::checker::Checker;
use super::clash;
use super::fault::Fault;
use super::keys;
use super::problem::{Errors, Problem, Source, sorted};
use super::raw;
use super::settings::Settings;
use super::site::{Base, SiteFile};
use super::world::{World, file};
use crate::spread::spread;
use crate::stamp::Stamp;
use crate::tls::Authorities;

/// A file larger than this is no configuration.
const MAX_BYTES: u64 = 16 << 20;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What is doubtful about it.
    pub warnings: Vec<Problem>,
    /// The files it was read from, the main file first.
    pub files: Vec<PathBuf>,
    /// The folder of the site files.
    pub sites_folder: PathBuf,
}

/// Loads a configuration, again and again.
#[derive(Debug)]
pub struct Loader {
    path: PathBuf,
    base: Base,
    known: HashMap<PathBuf, Arc<Known>>,
    stamps: HashMap<PathBuf, Option<Stamp>>,
}

/// A site file that was read before.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) site: Arc<Site>,
    pub(super) places: clash::Places,
    warnings: Vec<Problem>,
    stamp: Option<Stamp>,
    /// The certificate authorities that it names.
    authorities: Vec<(PathBuf, Option<Stamp>)>,
}

/// Loads the configuration whose main file is `path`.
///
/// # Errors
/// Everything that is wrong with any of its files.
pub fn load(path: &Path) -> Result<Loaded, Errors> {
    Loader::new(path).load()
}

// === impl Loader ===

impl Loader {
    /// For the configuration whose main file is `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            base: Base::default(),
            known: HashMap::new(),
            stamps: HashMap::new(),
        }
    }

    /// The main file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Loads what the files say now.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub fn load(&mut self) -> Result<Loaded, Errors> {
        self.stamps.clear();
        let world = World::around(self.folder());
        let mut problems = Problems::default();
        let settings = self.main(&world, &mut problems);
        if self.base != settings.base {
            self.known.clear();
            self.base = settings.base.clone();
        }
        let paths = self.site_files(&settings, &mut problems);
        let seen = spread(&paths, |paths| {
            let world = World::around(self.folder());
            paths.iter().map(|path| self.look(path, &world)).collect()
        });
        let mut sites = Vec::with_capacity(paths.len());
        for (path, seen) in paths.iter().zip(seen) {
            self.stamps.extend(seen.stamps);
            problems.errors.extend(seen.errors);
            problems.warnings.extend(seen.known.iter().flat_map(|known| known.warnings.clone()));
            sites.extend(seen.known.map(|known| (path.as_path(), known)));
        }
        problems.errors.extend(clash::between(&sites, &settings.config, &world));
        let mut config = settings.config;
        config.sites = sites.iter().map(|(_, known)| Arc::clone(&known.site)).collect();
        self.known = sites.into_iter().map(|(path, known)| (path.to_owned(), known)).collect();
        match Errors::of(problems.errors) {
            Some(errors) => Err(errors),
            None => Ok(Loaded {
                config,
                warnings: sorted(problems.warnings),
                files: std::iter::once(self.path.clone()).chain(paths).collect(),
                sites_folder: settings.sites,
            }),
        }
    }

    /// Whether any file may say something else than when it was loaded last.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let changed = |(path, stamp): (&PathBuf, &Option<Stamp>)| {
            stamp.is_none() || Stamp::of(path) != *stamp
        };
        self.stamps.is_empty() || self.stamps.iter().any(changed)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    fn main(&mut self, world: &World, problems: &mut Problems) -> Settings {
        let mut seen = Seen::default();
        let text = seen.read(&self.path);
        self.stamps.extend(seen.stamps);
        problems.errors.extend(seen.errors);
        let readable = text.is_some();
        let text = text.unwrap_or_default();
        let mut checker = Checker::new(Source { path: &self.path, text: &text }, world);
        let raw = keys::parse::<raw::Main>(&checker.source, &mut checker.errors);
        let (mut errors, parsed) = (std::mem::take(&mut checker.errors), raw.is_some());
        let settings = Settings::of(raw.unwrap_or_default(), &mut checker);
        // What is missing from a file that cannot be read is not worth telling.
        if readable && parsed {
            errors.append(&mut checker.errors);
        }
        problems.errors.append(&mut errors);
        problems.warnings.append(&mut checker.warnings);
        settings
    }

    /// The site files, in order.
    fn site_files(&mut self, settings: &Settings, problems: &mut Problems) -> Vec<PathBuf> {
        let folder = &settings.sites;
        self.stamps.insert(folder.clone(), Stamp::settled(folder));
        let names = match names(folder) {
            Ok(names) => names,
            Err(error) => {
                if problems.errors.is_empty() || settings.sites_at.is_some() {
                    let fault = file(folder, "cannot be read", error);
                    problems.errors.push(self.at_sites(settings, fault));
                }
                return Vec::new();
            }
        };
        if names.is_empty() {
            problems.warnings.push(self.at_sites(settings, Fault::NoSites(folder.clone())));
        }
        names
    }

    /// A problem with the sites folder, at the key that names it.
    fn at_sites(&self, settings: &Settings, fault: Fault) -> Problem {
        let Some(span) = settings.sites_at.clone() else {
            return Problem::of_file(&self.path, fault);
        };
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        Source { path: &self.path, text: &text }.problem(span, fault)
    }

    /// A site: as it is known, or read again.
    fn look(&self, path: &Path, world: &World) -> Seen {
        let mut seen = Seen::default();
        if let Some(known) = self.known.get(path)
            && known.stamp.is_some()
            && known.stamp == Stamp::of(path)
            && known.authorities.iter().all(|(ca, then)| then.is_some() && Stamp::of(ca) == *then)
        {
            seen.stamps.push((path.to_owned(), known.stamp));
            seen.stamps.extend(known.authorities.iter().cloned());
            seen.known = Some(Arc::clone(known));
            return seen;
        }
        let Some(text) = seen.read(path) else { return seen };
        let source = Source { path, text: &text };
        let mut checker = Checker::new(source, world);
        let raw = keys::parse::<raw::Site>(&checker.source, &mut checker.errors);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let checked = raw.map(|raw| SiteFile::of(raw, &stem, &self.base, &mut checker));
        let is_wrong = !checker.errors.is_empty();
        seen.errors.append(&mut checker.errors);
        let Some(checked) = checked else { return seen };
        // A site with errors still takes part in the search for clashes, but is not kept.
        let stamp = seen.stamps.first().and_then(|(_, stamp)| *stamp).filter(|_| !is_wrong);
        let authorities = authorities(&checked.site).map(Authorities::path);
        let authorities: Vec<_> =
            authorities.map(|ca| (ca.to_owned(), Stamp::settled(ca))).collect();
        seen.stamps.extend(authorities.iter().cloned());
        seen.known = Some(Arc::new(Known {
            authorities,
            places: clash::Places::of(&checked, &checker.source),
            site: self.reused(path, checked.site),
            warnings: checker.warnings,
            stamp,
        }));
        seen
    }

    /// The site that was loaded before, if it is the same.
    fn reused(&self, path: &Path, site: Site) -> Arc<Site> {
        match self.known.get(path) {
            Some(known) if *known.site == site => Arc::clone(&known.site),
            _ => Arc::new(site),
        }
    }
}

/// What was seen at the file of a site.
#[derive(Default)]
struct Seen {
    known: Option<Arc<Known>>,
    errors: Vec<Problem>,
    /// Of the file, and of what it names.
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

impl Seen {
    fn read(&mut self, path: &Path) -> Option<String> {
        let stamp = Stamp::settled(path);
        let bytes = read_bounded(path);
        let unchanged = stamp.filter(|_| Stamp::of(path) == stamp);
        self.stamps.push((path.to_owned(), unchanged));
        let fault = match bytes.map(String::from_utf8) {
            Ok(Ok(text)) => return Some(text),
            Ok(Err(error)) => Fault::NotUtf8(error.utf8_error().valid_up_to()),
            Err(error) => file(path, "cannot be read", error),
        };
        self.errors.push(Problem::of_file(path, fault));
        None
    }
}

/// What was found on the way.
#[derive(Default)]
struct Problems {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// The certificate authorities that a site names.
pub(super) fn authorities(site: &Site) -> impl Iterator<Item = &Authorities> {
    let routes = site.routes.iter().map(|route| &route.upstream);
    routes.chain([&site.upstream]).filter_map(|group| group.ca.as_ref())
}

/// The `*.toml` files in a folder, in order; hidden ones, which editors leave, are not meant.
fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".toml") && !bytes.starts_with(b".") {
            paths.push(folder.join(name));
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

/// The endpoints that requests come in at, for the search of targets that lead back.
pub(super) fn listeners(config: &Config) -> impl Iterator<Item = &Endpoint> {
    config.listen.http.iter().chain(&config.listen.https).chain(&config.admin.listen)
}
