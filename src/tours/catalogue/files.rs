//! The files of a catalogue: those that are shipped, and a host's own before them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Files by their paths below the folder of tours, with `/` between.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Files(pub BTreeMap<String, Bytes>);

/// Largest text and picture.
const MOST_TEXT: u64 = 1 << 20;
const MOST_MEDIA: u64 = 32 << 20;

/// Most files of a folder.
const MOST_FILES: usize = 10_000;

/// How deep a catalogue goes: `<tour>/locales/<language>.json`.
const DEPTH: usize = 3;

/// Folders that are no tours.
pub(super) const RESERVED: [&str; 3] = ["schema", "targets", "ui"];

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says why.
    #[error("failed to read {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is larger than makes sense.
    #[error("{} is larger than {most} bytes", path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
        /// What it may have.
        most: u64,
    },
    /// There are too many.
    #[error("{} holds more than {MOST_FILES} files", .0.display())]
    TooMany(PathBuf),
}

impl Files {
    /// What comes with Passeur.
    #[must_use]
    pub fn shipped() -> Self {
        let files = crate::tours::embedded::TOURS.iter();
        Self(files.map(|(path, bytes)| ((*path).to_owned(), Bytes::from_static(bytes))).collect())
    }

    /// What is in a folder.
    ///
    /// # Errors
    /// If it cannot be read, or is no folder of tours by its size.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        let mut files = Self::default();
        files.list(folder, folder, DEPTH)?;
        Ok(files)
    }

    /// These, with those of `other` in the place of those of the same path.
    #[must_use]
    pub fn overlaid(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Without tours: only targets and the player's words.
    #[must_use]
    pub fn without_tours(mut self) -> Self {
        self.0.retain(|path, _| path.starts_with("targets/") || path.starts_with("ui/"));
        self
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.0.get(path)?).ok()
    }

    /// Files right below `folder`, which ends with `/`: their names, and what they hold.
    pub(super) fn below<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Bytes)> {
        let from = self.0.range(folder.to_owned()..);
        from.take_while(move |(path, _)| path.starts_with(folder))
            .map(move |(path, bytes)| (&path[folder.len()..], bytes))
            .filter(|(name, _)| !name.contains('/'))
    }

    /// The ids of all folders of tours.
    pub(super) fn tours(&self) -> Vec<&str> {
        let ids = self.0.keys().filter_map(|path| path.strip_suffix("/tour.json"));
        ids.filter(|id| !id.contains('/') && !RESERVED.contains(id)).collect()
    }

    fn list(&mut self, base: &Path, folder: &Path, depth: usize) -> Result<(), ReadError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ReadError::Io { path, source }
        };
        for entry in fs::read_dir(folder).map_err(failed(folder))? {
            let path = entry.map_err(failed(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let meta = fs::metadata(&path).map_err(failed(&path))?;
            if meta.is_dir() {
                if depth > 1 {
                    self.list(base, &path, depth - 1)?;
                }
                continue;
            }
            let most = if name.ends_with(".json") { MOST_TEXT } else { MOST_MEDIA };
            if meta.len() > most {
                return Err(ReadError::TooLarge { path, most });
            }
            if self.0.len() >= MOST_FILES {
                return Err(ReadError::TooMany(base.to_owned()));
            }
            let inner = path.strip_prefix(base).unwrap_or(&path).to_string_lossy().into_owned();
            let bytes = fs::read(&path).map_err(failed(&path))?;
            self.0.insert(inner, bytes.into());
        }
        Ok(())
    }
}
