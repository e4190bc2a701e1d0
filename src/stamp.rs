//! What tells one version of a file from another, without reading it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Time stamps younger than this may be shared by two versions of a file.
const RACY: Duration = Duration::from_secs(2);

/// One version of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The file as it is now; `None` if it cannot be looked at.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
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
    #[must_use]
    pub fn settled(path: &Path) -> Option<Self> {
        let stamp = Self::of(path)?;
        let seconds = u64::try_from(stamp.changed.0).ok()?;
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let age = SystemTime::now().duration_since(changed).ok()?;
        (age > RACY + Duration::from_secs(1)).then_some(stamp)
    }
}
