//! Versions of apps, from the fingerprints that Nextcloud puts behind the addresses of style sheets.
//!
//! A fingerprint is the beginning of `md5(version)`, or since 30 for shipped apps of
//! `md5(version-hash)`, where `hash` stands for all that is installed (`TemplateLayout.php`). There
//! are few versions, so they are tried out: once per fingerprint, off the workers, and kept. Until
//! then, and where none fits or two do, the version is unknown, which a tour has to live with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use md5::{Digest, Md5};

/// Fingerprints kept; a farm of 10,000 has fewer that differ.
const KNOWN: usize = 100_000;

/// Largest numbers tried: major, minor, patch.
const MOST: [u16; 3] = [45, 30, 30];

/// What pages told so far.
#[derive(Clone, Default)]
pub struct Versions {
    known: Arc<Mutex<HashMap<Key, Option<Box<str>>>>>,
}

/// The hash of a site and a fingerprint.
type Key = (Option<Box<str>>, Box<str>);

impl Versions {
    /// The versions that are known of `sheets`; what is not yet known is found out meanwhile.
    #[must_use]
    pub fn of(&self, hash: Option<&str>, sheets: &[(String, String)]) -> Vec<(String, String)> {
        let mut versions = Vec::new();
        let mut unknown = Vec::new();
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for (app, fingerprint) in sheets {
                match known.get(&key(hash, fingerprint)) {
                    Some(Some(version)) => versions.push((app.clone(), version.to_string())),
                    Some(None) => {}
                    None => unknown.push(fingerprint.clone()),
                }
            }
        }
        if !unknown.is_empty() {
            let (this, hash) = (self.clone(), hash.map(str::to_owned));
            // Without a runtime (in a test of the text alone) nothing is found out.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn_blocking(move || this.find_out(hash.as_deref(), &unknown));
            }
        }
        versions
    }

    /// Tries all versions.
    pub fn find_out(&self, hash: Option<&str>, fingerprints: &[String]) {
        let mut found: HashMap<&str, Vec<String>> =
            fingerprints.iter().map(|fingerprint| (fingerprint.as_str(), Vec::new())).collect();
        each_version(|version| {
            let salted = hash.map(|hash| fingerprint(&[version, "-", hash]));
            for fingerprint in [Some(fingerprint(&[version])), salted].into_iter().flatten() {
                if let Some(versions) = found.get_mut(fingerprint.as_str()) {
                    versions.push(version.to_owned());
                }
            }
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + found.len() > KNOWN {
            known.clear();
        }
        for (fingerprint, versions) in found {
            let only = (versions.len() == 1).then(|| versions[0].as_str().into());
            known.insert(key(hash, fingerprint), only);
        }
    }
}

fn key(hash: Option<&str>, fingerprint: &str) -> Key {
    (hash.map(Into::into), fingerprint.into())
}

fn fingerprint(parts: &[&str]) -> String {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part));
    md5.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `1.2.3`, and of the first of a series also `1.2.0-dev.3`, as releases really have them.
fn each_version(mut with: impl FnMut(&str)) {
    for major in 0..=MOST[0] {
        for minor in 0..=MOST[1] {
            for patch in 0..=MOST[2] {
                let version = format!("{major}.{minor}.{patch}");
                with(&version);
                if patch == 0 {
                    (0..=5).for_each(|dev| with(&format!("{version}-dev.{dev}")));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_of_a_real_page() {
        // Nextcloud 34.0.1, whose hash was f771e41c.
        let sheets: Vec<_> = [("text", "7dc269fa"), ("activity", "09162193"), ("x", "00000000")]
            .iter()
            .map(|(app, fingerprint)| ((*app).to_owned(), (*fingerprint).to_owned()))
            .collect();
        let versions = Versions::default();
        assert_eq!(versions.of(Some("f771e41c"), &sheets), []);
        let fingerprints: Vec<_> = sheets.iter().map(|(_, print)| print.clone()).collect();
        versions.find_out(Some("f771e41c"), &fingerprints);
        let expected = [("text", "8.0.0"), ("activity", "7.0.0")];
        let expected = expected.map(|(app, version)| (app.to_owned(), version.to_owned()));
        assert_eq!(versions.of(Some("f771e41c"), &sheets), expected);
    }

    #[test]
    fn before_30_the_version_alone_counts() {
        let versions = Versions::default();
        let print = fingerprint(&["4.7.19"]);
        versions.find_out(None, std::slice::from_ref(&print));
        let sheets = [("calendar".to_owned(), print)];
        assert_eq!(versions.of(None, &sheets), [("calendar".to_owned(), "4.7.19".to_owned())]);
    }
}
