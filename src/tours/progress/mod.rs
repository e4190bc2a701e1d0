//! What a person has seen, as far as Passeur keeps it: the document that all devices agree on.
//!
//! Merging is the same here and in the player: commutative, and twice is once, so that neither
//! order nor repetition nor a lost answer matters. A document stays below [`MOST`] bytes.

pub mod store;
pub mod token;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Largest document, bytes of JSON.
pub const MOST: usize = 4096;

/// What a person has seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The format: 1.
    #[serde(rename = "$v")]
    pub version: u8,
    /// What is not newer than this is void; seconds since 1970.
    #[serde(default)]
    pub reset: u64,
    /// The last offer that nobody asked for; seconds since 1970.
    #[serde(default)]
    pub offered: u64,
    /// By tour.
    #[serde(default)]
    pub tours: BTreeMap<String, Seen>,
}

/// One tour.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// When it changed; seconds since 1970. First, because the newest wins.
    #[serde(rename = "t")]
    pub time: u64,
    /// Its revision.
    #[serde(rename = "r")]
    pub rev: u32,
    /// What became of it; of two at a time, the later one in this order wins.
    #[serde(rename = "s")]
    pub status: Status,
    /// Where the person is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Variables of the tour.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
}

/// What became of a tour.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was offered.
    Offered,
    /// The person is in it.
    Active,
    /// The person does not want it.
    Dismissed,
    /// The person was through.
    Done,
}

impl Default for Progress {
    fn default() -> Self {
        Self { version: 1, reset: 0, offered: 0, tours: BTreeMap::new() }
    }
}

impl Progress {
    /// Reads a document.
    #[must_use]
    pub fn read(json: &[u8]) -> Option<Self> {
        let progress: Self = serde_json::from_slice(json).ok()?;
        (progress.version == 1 && json.len() <= MOST).then_some(progress)
    }

    /// Both, with the newer of what they disagree about.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.reset = self.reset.max(other.reset);
        self.offered = self.offered.max(other.offered);
        for (tour, theirs) in other.tours {
            match self.tours.get_mut(&tour) {
                Some(ours) if *ours >= theirs => {}
                Some(ours) => *ours = theirs,
                None => {
                    self.tours.insert(tour, theirs);
                }
            }
        }
        self.tours.retain(|_, seen| seen.time > self.reset);
        self
    }

    /// As JSON of no more than [`MOST`] bytes: what matters least is left out first.
    #[must_use]
    pub fn write(mut self) -> String {
        let mut json = self.json();
        if json.len() > MOST {
            for seen in self.tours.values_mut() {
                if matches!(seen.status, Status::Done | Status::Dismissed) {
                    (seen.flags, seen.step) = (BTreeMap::new(), None);
                }
            }
            json = self.json();
        }
        while json.len() > MOST {
            let oldest = self.tours.iter().min_by_key(|(_, seen)| {
                (seen.status != Status::Offered, seen.status == Status::Active, seen.time)
            });
            let Some(oldest) = oldest.map(|(tour, _)| tour.clone()) else { break };
            self.tours.remove(&oldest);
            json = self.json();
        }
        json
    }

    fn json(&self) -> String {
        // Names, numbers and text: nothing of it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen() -> impl Strategy<Value = Seen> {
        let status = prop_oneof![
            Just(Status::Offered),
            Just(Status::Active),
            Just(Status::Dismissed),
            Just(Status::Done)
        ];
        (1..5_u64, 1..3_u32, status, proptest::option::of("[ab]")).prop_map(
            |(time, rev, status, step)| Seen { time, rev, status, step, flags: BTreeMap::new() },
        )
    }

    fn progress() -> impl Strategy<Value = Progress> {
        let tours = proptest::collection::btree_map("[abc]", seen(), 0..4);
        (0..3_u64, 0..5_u64, tours).prop_map(|(reset, offered, tours)| {
            let tours = tours.into_iter().filter(|(_, seen)| seen.time > reset).collect();
            Progress { version: 1, reset, offered, tours }
        })
    }

    proptest! {
        #[test]
        fn devices_agree_in_any_order(a in progress(), b in progress(), c in progress()) {
            let ab = a.clone().merge(b.clone());
            prop_assert_eq!(&ab, &b.clone().merge(a.clone()));
            prop_assert_eq!(&ab.clone().merge(b.clone()), &ab);
            prop_assert_eq!(ab.merge(c.clone()), a.merge(b.merge(c)));
        }

        #[test]
        fn what_is_written_is_read(a in progress()) {
            let json = a.clone().write();
            prop_assert_eq!(Progress::read(json.as_bytes()), Some(a));
        }
    }

    #[test]
    fn a_document_stays_small() {
        let mut progress = Progress::default();
        for index in 0..200 {
            let status = if index == 0 { Status::Active } else { Status::Offered };
            let flags = BTreeMap::from([("role".to_owned(), "x".repeat(40))]);
            let seen = Seen { time: index, rev: 1, status, step: Some("a".to_owned()), flags };
            progress.tours.insert(format!("tour-{index}"), seen);
        }
        let json = progress.write();
        assert!(json.len() <= MOST);
        let read = Progress::read(json.as_bytes()).unwrap();
        assert!(read.tours.contains_key("tour-0") && read.tours.contains_key("tour-199"));
    }

    #[test]
    fn nonsense_is_no_document() {
        for bad in
            ["", "[]", "{}", "{\"$v\":2}", "{\"$v\":1,\"x\":1}", "{\"$v\":1,\"tours\":{\"a\":{}}}"]
        {
            assert_eq!(Progress::read(bad.as_bytes()), None, "{bad}");
        }
    }
}
