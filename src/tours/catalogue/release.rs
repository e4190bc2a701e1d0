//! Holds target packs to a release of Nextcloud: every name in a selector has to occur in its files.
//!
//! A name that an app puts together at run time (`tab-button-` and an id) is found in two halves, which
//! is only a warning. Cheap, and blind to what the page makes of the files, but it finds most of what a new release
//! breaks before any user does.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::check::is_in;
use super::{Catalogue, Problem};

/// Folders that hold no page: translations, dependencies on the server's side, tests.
const SKIPPED: [&str; 7] = ["3rdparty", "l10n", "tests", "node_modules", "vendor", "data", "img"];

/// Larger files are no part of an app (source maps are left out anyway).
const MOST: u64 = 32 << 20;

/// A release that was searched.
pub struct Release {
    /// Its major, from `version.php`.
    pub major: Option<u32>,
    /// Apps that are there.
    apps: BTreeSet<String>,
    found: HashMap<String, bool>,
}

/// What a search of a release gave.
pub struct Found {
    /// Targets that have no candidate whose names all occur.
    pub problems: Vec<Problem>,
    /// Targets whose app is not part of the release.
    pub elsewhere: usize,
    /// Targets that were found.
    pub found: usize,
}

impl Release {
    /// Searches the files below `folder` for all names in the selectors of a catalogue.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn search(folder: &Path, catalogue: &Catalogue) -> io::Result<Self> {
        let candidates = catalogue.targets.values().flat_map(|target| &target.candidates);
        let tokens = candidates.flat_map(|candidate| tokens(&candidate.css));
        let words = tokens.flat_map(|token| {
            let halves: Vec<String> = halves(&token).flat_map(|(a, b)| [a, b]).collect();
            halves.into_iter().chain([token])
        });
        let mut found: HashMap<String, bool> = words.map(|word| (word, false)).collect();
        let mut paths = Vec::new();
        list(folder, &mut paths)?;
        for path in paths {
            let text = fs::read(&path)?;
            for (token, is_found) in found.iter_mut().filter(|(_, is_found)| !**is_found) {
                *is_found = memchr::memmem::find(&text, token.as_bytes()).is_some();
            }
        }
        let apps = fs::read_dir(folder.join("apps")).into_iter().flatten();
        let apps = apps.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(Self { major: major(folder), apps: apps.collect(), found })
    }

    /// What of a catalogue is not in the release.
    #[must_use]
    pub fn check(&self, catalogue: &Catalogue) -> Found {
        let mut result = Found { problems: Vec::new(), elsewhere: 0, found: 0 };
        for (name, target) in &catalogue.targets {
            let area = name.split('.').next().unwrap_or_default();
            if !matches!(area, "core" | "settings") && !self.apps.contains(area) {
                result.elsewhere += 1;
                continue;
            }
            if self.major.is_some_and(|major| !is_in(target, major)) {
                continue;
            }
            let fits = target.candidates.iter().filter(|candidate| {
                let range = candidate.nextcloud.as_ref();
                range.zip(self.major).is_none_or(|(range, major)| range.touches(major))
            });
            let missing: Vec<BTreeSet<String>> =
                fits.map(|candidate| self.missing(&candidate.css)).collect();
            if missing.iter().any(BTreeSet::is_empty) {
                result.found += 1;
                continue;
            }
            let in_halves = missing.iter().any(|words| words.iter().all(|w| self.has_halves(w)));
            let words: BTreeSet<&String> = missing.iter().flatten().collect();
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            let words = words.join(", ");
            let (line, column) = target.at;
            result.problems.push(Problem {
                file: format!("targets/{area}.json"),
                line,
                column,
                message: match in_halves {
                    true => format!("`{name}`: this release knows {words} only in two halves"),
                    false => format!("`{name}`: this release does not know {words}"),
                },
                is_error: !in_halves,
            });
        }
        result
    }

    fn missing(&self, css: &str) -> BTreeSet<String> {
        tokens(css).filter(|token| !self.has(token)).collect()
    }

    fn has(&self, word: &str) -> bool {
        self.found.get(word) == Some(&true)
    }

    fn has_halves(&self, word: &str) -> bool {
        halves(word).any(|(first, second)| self.has(&first) && self.has(&second))
    }
}

/// A name in two, cut after a `-`.
fn halves(word: &str) -> impl Iterator<Item = (String, String)> {
    let cuts = word.match_indices('-').map(|(at, _)| word.split_at(at + 1));
    let long = cuts.filter(|(first, second)| first.len() > 4 && second.len() > 4);
    long.map(|(first, second)| (first.to_owned(), second.to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// The names in a selector: classes, ids, attributes and their values; not what Passeur's own player
/// adds to a page.
fn tokens(css: &str) -> impl Iterator<Item = String> {
    let mut tokens = BTreeSet::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut rest = css;
    while let Some(at) = rest.find(['.', '#', '[', '"', '=']) {
        let sign = rest.as_bytes()[at];
        let after = &rest[at + 1..];
        let end = after.find(|c: char| !is_name(c)).unwrap_or(after.len());
        let name = &after[..end];
        // `[href*="/apps/x"]` and `{x}` are no names of the release.
        let is_open =
            after[end..].starts_with(['{', '/']) || (sign == b'"' && after.starts_with('/'));
        if name.len() > 2
            && !is_open
            && !name.starts_with("passeur-")
            && !matches!(name, "href" | "type" | "role" | "name")
        {
            tokens.insert(name.to_owned());
        }
        rest = &after[end..];
    }
    tokens.into_iter()
}

fn major(folder: &Path) -> Option<u32> {
    let text = fs::read_to_string(folder.join("version.php")).ok()?;
    let (_, after) = text.split_once("$OC_Version")?;
    let digits = after.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) && !name.starts_with('.') {
                list(&path, paths)?;
            }
        } else if [".js", ".mjs", ".php", ".css", ".html"].iter().any(|end| name.ends_with(end))
            && entry.metadata()?.len() <= MOST
        {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_selectors() {
        let of = |css: &str| tokens(css).collect::<Vec<_>>();
        assert_eq!(
            of("li.app-menu-entry[data-app-id={app}] > #user-menu"),
            ["app-menu-entry", "data-app-id", "user-menu"]
        );
        assert_eq!(
            of("[data-cy-upload-picker-menu-entry=\"upload-file\"]"),
            ["data-cy-upload-picker-menu-entry", "upload-file"]
        );
        assert_eq!(of("a[href*=\"/apps/files\"]"), Vec::<String>::new());
    }
}
