//! What sites with the same settings show.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::assets::Asset;
use super::catalogue::Catalogue;
use super::embedded::{Player, source};
use crate::config::checked::{AllTours, Tours};

/// A catalogue, as the settings of a site have it.
pub(super) struct View {
    pub(super) settings: Tours,
    /// None where tours are off, or the catalogue could never be used.
    pub(super) catalogue: Option<Arc<Catalogue>>,
    /// The loader with its manifest.
    pub(super) loader: Arc<Asset>,
    /// What the loader knows, for the editor.
    pub(super) manifest: Map<String, Value>,
    /// Tours that are switched off, here or everywhere.
    off: HashSet<String>,
}

impl View {
    pub(super) fn new(
        player: &Player,
        settings: Tours,
        all: &AllTours,
        catalogue: Option<Arc<Catalogue>>,
    ) -> Self {
        let off: HashSet<String> = all.off.iter().chain(&settings.off).cloned().collect();
        let mut manifest = match &catalogue {
            Some(catalogue) => catalogue.manifest(|id| off.contains(id)),
            None => [("ui", json!({})), ("packs", json!({})), ("tours", json!([]))]
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect(),
        };
        let is_on = catalogue.is_some();
        let missing = if is_on { settings.report_missing } else { 0 };
        let report = json!({ "counters": is_on && settings.counters, "missing": missing });
        manifest.insert("report".to_owned(), report);
        manifest.insert("help".to_owned(), json!(is_on && settings.help));
        manifest.insert("source".to_owned(), json!(source(all.source.as_deref())));
        let loader = player.loader(&mut manifest);
        Self { settings, catalogue, loader, manifest, off }
    }

    /// Whether a tour is switched off.
    pub(super) fn is_off(&self, id: &str) -> bool {
        self.off.contains(id)
    }

    /// Whether pages get tours.
    pub(super) fn is_on(&self) -> bool {
        self.catalogue.is_some()
    }

    /// Whether this tour may be begun.
    pub(super) fn shows(&self, tour: &str) -> bool {
        !self.off.contains(tour)
            && self.catalogue.as_ref().is_some_and(|catalogue| catalogue.has_step(tour, ""))
    }

    pub(super) fn assets(&self) -> impl Iterator<Item = &Arc<Asset>> {
        let catalogue = self.catalogue.iter().flat_map(|catalogue| catalogue.assets());
        [&self.loader].into_iter().chain(catalogue)
    }
}
