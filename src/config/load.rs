//! Reads the main file and every file of the sites folder, and reports everything that is wrong
//! with any of them at once.
//!
//! A [`Loader`] remembers the sites it has checked, so that loading again costs one `stat` for
//! each file that did not change. A file that was written while, or shortly before, it was read is
//! not trusted to that: its next change might leave the same time stamp.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
use crate::tls::Authorities;

/// Time stamps younger than this may be shared by two versions of a file.
const RACY: Duration = Duration::from_secs(2);
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

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
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
        let world = World::around(self.path.parent().unwrap_or(Path::new("")));
        let mut problems = Problems::default();
        let settings = self.main(&world, &mut problems);
        if self.base != settings.base {
            self.known.clear();
            self.base = settings.base.clone();
        }
        let paths = self.site_files(&settings, &mut problems);
        let mut sites = Vec::with_capacity(paths.len());
        for path in &paths {
            let known = self.site(path, &world, &mut problems);
            sites.extend(known.map(|known| (path.as_path(), known)));
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

    fn main(&mut self, world: &World, problems: &mut Problems) -> Settings {
        let text = self.read(&self.path.clone(), &mut problems.errors);
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
    fn site(&mut self, path: &Path, world: &World, problems: &mut Problems) -> Option<Arc<Known>> {
        if let Some(known) = self.known.get(path).cloned()
            && known.stamp.is_some()
            && known.stamp == Stamp::of(path)
            && known.authorities.iter().all(|(ca, then)| then.is_some() && self.stamp(ca) == *then)
        {
            self.stamps.insert(path.to_owned(), known.stamp);
            problems.warnings.extend(known.warnings.iter().cloned());
            return Some(known);
        }
        let text = self.read(path, &mut problems.errors)?;
        let source = Source { path, text: &text };
        let mut checker = Checker::new(source, world);
        let raw = keys::parse::<raw::Site>(&checker.source, &mut checker.errors);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let checked = raw.map(|raw| SiteFile::of(raw, &stem, &self.base, &mut checker));
        let is_wrong = !checker.errors.is_empty();
        problems.errors.append(&mut checker.errors);
        problems.warnings.extend(checker.warnings.iter().cloned());
        let checked = checked?;
        // A site with errors still takes part in the search for clashes, but is not kept.
        let stamp = if is_wrong { None } else { self.stamps.get(path).copied().flatten() };
        let authorities = authorities(&checked.site).map(Authorities::path);
        let authorities = authorities.map(|ca| (ca.to_owned(), self.stamp(ca))).collect();
        Some(Arc::new(Known {
            authorities,
            places: clash::Places::of(&checked, &checker.source),
            site: self.reused(path, checked.site),
            warnings: checker.warnings,
            stamp,
        }))
    }

    /// The site that was loaded before, if it is the same.
    fn reused(&self, path: &Path, site: Site) -> Arc<Site> {
        match self.known.get(path) {
            Some(known) if *known.site == site => Arc::clone(&known.site),
            _ => Arc::new(site),
        }
    }

    /// What a file that sites name is like, looked at once for each load.
    fn stamp(&mut self, path: &Path) -> Option<Stamp> {
        *self.stamps.entry(path.to_owned()).or_insert_with(|| Stamp::settled(path))
    }

    fn read(&mut self, path: &Path, errors: &mut Vec<Problem>) -> Option<String> {
        let stamp = Stamp::settled(path);
        let bytes = read_bounded(path);
        let unchanged = stamp.filter(|_| Stamp::of(path) == stamp);
        self.stamps.insert(path.to_owned(), unchanged);
        let fault = match bytes.map(String::from_utf8) {
            Ok(Ok(text)) => return Some(text),
            Ok(Err(error)) => Fault::NotUtf8(error.utf8_error().valid_up_to()),
            Err(error) => file(path, "cannot be read", error),
        };
        errors.push(Problem::of_file(path, fault));
        None
    }
}

/// What was found on the way.
#[derive(Default)]
struct Problems {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

// === impl Stamp ===

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    /// `None` also for a file that changed so recently that it might do so again unnoticed.
    fn settled(path: &Path) -> Option<Self> {
        let stamp = Self::of(path)?;
        let seconds = u64::try_from(stamp.changed.0).ok()?;
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let age = SystemTime::now().duration_since(changed).ok()?;
        (age > RACY + Duration::from_secs(1)).then_some(stamp)
    }
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
