//! What is committed in `web/dist` is what was built from what is committed in `web`: checked by
//! hashes, so that it is noticed without Node. To build it again: `cd web && npm ci && node build.mjs`.

#![expect(clippy::expect_used, reason = "what a test needs has to be there")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

fn files(folder: &Path, base: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, base, found);
        } else {
            found.insert(path.strip_prefix(base).expect("below").to_string_lossy().into_owned());
        }
    }
}

fn below(folder: &Path, base: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    files(folder, base, &mut found);
    found
}

fn check(manifest: &Value, part: &str, base: &Path) -> BTreeSet<String> {
    let listed = manifest[part].as_object().expect("a list of files");
    for (path, hash) in listed {
        let bytes = fs::read(base.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let found: String =
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, &Value::from(found), "{path} changed: build web/dist again");
    }
    listed.keys().cloned().collect()
}

#[test]
fn what_is_built_belongs_to_its_sources() {
    let manifest = fs::read(web().join("dist/manifest.json")).expect("web/dist/manifest.json");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let sources = check(&manifest, "sources", &web());
    let built = check(&manifest, "built", &web().join("dist"));
    let mut there = below(&web().join("dist"), &web().join("dist"));
    there.remove("manifest.json");
    assert_eq!(there, built, "files of web/dist that the build did not make, or that are gone");
    let player = below(&web().join("player/src"), &web());
    let missing: Vec<_> = player.difference(&sources).collect();
    assert!(missing.is_empty(), "sources that were not built: {missing:?}");
}

#[test]
fn the_loader_asks_for_its_manifest_and_is_small() {
    passeur::tours::embedded::Player::shipped().expect("a player that can be used");
}
