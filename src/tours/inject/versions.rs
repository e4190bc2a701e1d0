//! Versions of apps, from the fingerprints that Nextcloud puts behind the addresses of style sheets.
//!
//! A fingerprint is the beginning of `md5(version)`, or since 30 for shipped apps of
//! `md5(version-hash)`, where `hash` stands for all that is installed (`TemplateLayout.php`). There
//! are few versions, so they are tried out: once per fingerprint, off the workers, and kept. Until
//! then, and where none fits or two do, the version is unknown, which a tour has to live with.

use std::collections::HashMap;
use std::fmt;
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
type Key = (Option<Fingerprint>, Fingerprint);

/// The beginning of an MD5: eight hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint(u32);

// === impl Fingerprint ===

impl Fingerprint {
    /// Reads eight digits, lower case as Nextcloud writes them.
    #[must_use]
    pub fn of_digits(digits: &[u8]) -> Option<Self> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 8 || !digits.iter().all(is_digit) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().map(Self)
    }

    fn of_text(parts: &[&str]) -> Self {
        let mut md5 = Md5::new();
        parts.iter().for_each(|part| md5.update(part));
        let digest = md5.finalize();
        Self(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

// === impl Versions ===

impl Versions {
    /// The versions that are known of `sheets`; what is not yet known is found out meanwhile.
    #[must_use]
    pub fn of(
        &self,
        hash: Option<Fingerprint>,
        sheets: &[(String, Fingerprint)],
    ) -> Vec<(String, String)> {
        let mut versions = Vec::new();
        let mut unknown = Vec::new();
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for (app, fingerprint) in sheets {
                match known.get(&(hash, *fingerprint)) {
                    Some(Some(version)) => versions.push((app.clone(), version.to_string())),
                    Some(None) => {}
                    None => unknown.push(*fingerprint),
                }
            }
        }
        if !unknown.is_empty() {
            let this = self.clone();
            // Without a runtime (in a test of the text alone) nothing is found out.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn_blocking(move || this.find_out(hash, &unknown));
            }
        }
        versions
    }

    /// Tries all versions.
    pub fn find_out(&self, hash: Option<Fingerprint>, fingerprints: &[Fingerprint]) {
        let mut found: HashMap<Fingerprint, Vec<String>> =
            fingerprints.iter().map(|fingerprint| (*fingerprint, Vec::new())).collect();
        let digits = hash.map(|hash| hash.to_string());
        each_version(|version| {
            let salted = digits.as_deref().map(|hash| Fingerprint::of_text(&[version, "-", hash]));
            let plain = Some(Fingerprint::of_text(&[version]));
            for fingerprint in [plain, salted].into_iter().flatten() {
                if let Some(versions) = found.get_mut(&fingerprint) {
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
            known.insert((hash, fingerprint), only);
        }
    }
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

    fn fingerprint(digits: &str) -> Fingerprint {
        Fingerprint::of_digits(digits.as_bytes()).expect("eight digits")
    }

    #[test]
    fn a_fingerprint_is_eight_digits() {
        assert_eq!(fingerprint("00f0a1e2").to_string(), "00f0a1e2");
        for other in ["", "00f0a1e", "00f0a1e2f", "00F0a1e2", "+0f0a1e2", "00f0a1g2"] {
            assert_eq!(Fingerprint::of_digits(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn fingerprints_of_a_real_page() {
        // Nextcloud 34.0.1, whose hash was f771e41c.
        let sheets: Vec<_> = [("text", "7dc269fa"), ("activity", "09162193"), ("x", "00000000")]
            .iter()
            .map(|(app, digits)| ((*app).to_owned(), fingerprint(digits)))
            .collect();
        let hash = Some(fingerprint("f771e41c"));
        let versions = Versions::default();
        assert_eq!(versions.of(hash, &sheets), []);
        let fingerprints: Vec<_> = sheets.iter().map(|(_, print)| *print).collect();
        versions.find_out(hash, &fingerprints);
        let expected = [("text", "8.0.0"), ("activity", "7.0.0")];
        let expected = expected.map(|(app, version)| (app.to_owned(), version.to_owned()));
        assert_eq!(versions.of(hash, &sheets), expected);
    }

    #[test]
    fn before_30_the_version_alone_counts() {
        let versions = Versions::default();
        let print = Fingerprint::of_text(&["4.7.19"]);
        versions.find_out(None, &[print]);
        let sheets = [("calendar".to_owned(), print)];
        assert_eq!(versions.of(None, &sheets), [("calendar".to_owned(), "4.7.19".to_owned())]);
    }
}
