//! What is part of the binary: the shipped tours, and the player as it was built into `web/dist`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::assets::Asset;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Stands in the loader for the manifest.
pub const MANIFEST: &str = "__PASSEUR_MANIFEST__";

/// Where the source code is, for those who use the player over the network (AGPL, 13): what the
/// configuration says, the environment, what was said when Passeur was built, or the package. Empty
/// where nobody said: the help names version and licence then, and links nowhere.
pub(super) fn source(configured: Option<&str>) -> String {
    let is_web = |source: &String| source.starts_with("https://");
    configured
        .map(str::to_owned)
        .or_else(|| std::env::var("PASSEUR_SOURCE").ok().filter(is_web))
        .or_else(|| option_env!("PASSEUR_SOURCE").map(str::to_owned))
        .unwrap_or_else(|| env!("CARGO_PKG_REPOSITORY").to_owned())
}

/// The browser's side.
pub struct Player {
    loader: String,
    engine: Arc<Asset>,
    editor: Option<Arc<Asset>>,
}

/// Why there is no player.
#[derive(Debug, thiserror::Error)]
pub enum PlayerError {
    /// A file of it is not there.
    #[error("web/dist has no {0} of the player")]
    Missing(&'static str),
    /// The loader does not ask for its manifest.
    #[error("the loader holds {MANIFEST} {0} times, and not once")]
    Manifest(usize),
}

impl Player {
    /// The one that comes with Passeur.
    ///
    /// # Errors
    /// If the files of `web/dist` do not belong together.
    pub fn shipped() -> Result<Self, PlayerError> {
        let files: BTreeMap<&str, &'static [u8]> = WEB.iter().copied().collect();
        let manifest = files.get("manifest.json").ok_or(PlayerError::Missing("manifest.json"))?;
        let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let file = |entry: &'static str| {
            let name = manifest["apps"]["player"][entry].as_str()?;
            files.get(format!("player/{name}").as_str()).copied()
        };
        let loader = file("loader").ok_or(PlayerError::Missing("loader"))?;
        let engine = file("engine").ok_or(PlayerError::Missing("engine"))?;
        let editor = file("editor").map(Bytes::from_static);
        Self::new(&String::from_utf8_lossy(loader), Bytes::from_static(engine), editor)
    }

    /// One of these files.
    ///
    /// # Errors
    /// If the loader has no place for the manifest, or several.
    pub fn new(loader: &str, engine: Bytes, editor: Option<Bytes>) -> Result<Self, PlayerError> {
        let places = loader.matches(MANIFEST).count();
        if places != 1 {
            return Err(PlayerError::Manifest(places));
        }
        Ok(Self {
            loader: loader.to_owned(),
            engine: Asset::new("engine.js", engine),
            editor: editor.map(|editor| Asset::new("editor.js", editor)),
        })
    }

    /// The loader that has this manifest; what is told of the player itself is added.
    pub(super) fn loader(&self, manifest: &mut Map<String, Value>) -> Arc<Asset> {
        manifest.insert("$v".to_owned(), json!(1));
        manifest.insert("engine".to_owned(), json!(self.engine.url()));
        manifest.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        // JSON is an expression of JavaScript; in parentheses, wherever it stands.
        let manifest = format!("({})", json!(manifest));
        Asset::new("loader.js", self.loader.replacen(MANIFEST, &manifest, 1).into())
    }

    /// The editor, which is only in pages of those who were let in.
    pub(super) fn editor(&self) -> Option<&Arc<Asset>> {
        self.editor.as_ref()
    }

    pub(super) fn assets(&self) -> impl Iterator<Item = &Arc<Asset>> {
        [&self.engine].into_iter().chain(&self.editor)
    }
}
