//! What is part of the binary: the shipped tours, and the player as it was built into `web/dist`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::assets::Asset;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Stands in the loader for the manifest.
pub const MANIFEST: &str = "__PASSEUR_MANIFEST__";

/// Where the source code is, for those who use the player over the network (AGPL, 13).
/// Whoever changes Passeur names the place of the changed code when it is built; else it is that of
/// the package. Empty where nobody said: then the help has no link.
const SOURCE: &str = match option_env!("PASSEUR_SOURCE") {
    Some(source) => source,
    None => env!("CARGO_PKG_REPOSITORY"),
};

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
    pub(super) fn loader(&self, mut manifest: Map<String, Value>) -> Arc<Asset> {
        manifest.insert("$v".to_owned(), json!(1));
        manifest.insert("engine".to_owned(), json!(self.engine.url()));
        manifest.insert("source".to_owned(), json!(SOURCE));
        if let Some(editor) = &self.editor {
            manifest.insert("editor".to_owned(), json!(editor.url()));
        }
        // JSON is an expression of JavaScript; in parentheses, wherever it stands.
        let manifest = format!("({})", Value::Object(manifest));
        Asset::new("loader.js", self.loader.replacen(MANIFEST, &manifest, 1).into())
    }

    pub(super) fn assets(&self) -> impl Iterator<Item = &Arc<Asset>> {
        [&self.engine].into_iter().chain(&self.editor)
    }
}
