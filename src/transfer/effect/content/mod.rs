//! Effects that carry bytes: from one account to another, also at another instance.
//!
//! Nothing touches a disk here. Small files are read and written many at a time, larger ones
//! stream, very large ones in chunks that stay when the connection breaks. A file that is there
//! already with the right size and time is not sent again, and nothing is written over what this
//! transfer did not write: what the recipient put there meanwhile is a conflict, with a name.
//!
//! Each file's checksum is computed as it passes, and compared with what the receiving instance
//! says arrived; [`Proof`] says how far that goes.

mod archive;
mod history;
mod objects;
mod reread;
mod single;
mod small;
mod sum;

use std::collections::HashMap;
use std::ops::Range;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::print::composed;
use super::{Error, Outcome, Who, World};
use crate::dav::client::{Client, Download, Part, Path, Trash};
use crate::nextcloud::inventory;
use crate::transfer::meter::Tally;
use crate::transfer::site::file;

pub(super) use objects::copy_objects;

/// Files up to this size go in bulk.
const SMALL: u64 = 1 << 20;
/// Requests at a time.
const AT_ONCE: usize = 4;
/// Larger files at a time.
const STREAMS: usize = 2;

/// A file to copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// Below the source's files.
    pub from: String,
    /// Below the recipient's.
    pub to: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<u64>,
    /// Whether this transfer made the folder it goes into: nothing else is in there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ours: bool,
}

/// What is copied besides the bytes, and how it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct How {
    /// Earlier versions, too.
    #[serde(default)]
    pub versions: bool,
    /// Each file is read again where it arrived.
    #[serde(default)]
    pub reread: bool,
}

/// A file that was copied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub to: String,
    /// With which it can be told whether it is still what was copied.
    pub etag: String,
    /// Of the bytes that were read: `SHA256:…`, `MD5:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    #[serde(default)]
    pub proof: Proof,
}

/// How it is known that a copy is as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    /// It is there, with its size: the instance says nothing of what arrived.
    #[default]
    Size,
    /// The instance computed the checksum of what arrived.
    Arrival,
    /// It was read again from where it is kept.
    Reread,
}

/// Between whom, and how it is counted.
struct Ends<'a> {
    world: &'a World,
    from: Client,
    to: Client,
    giver: &'a Who,
    taker: &'a Who,
    tally: Tally<'a>,
    /// It may have been tried before.
    again: bool,
}

/// Copies files.
pub(super) async fn copy_files(
    world: &World,
    (from, to): (&Who, &Who),
    files: &[Source],
    how: How,
    again: bool,
) -> Result<Outcome, Error> {
    let tally = world.meter.tally();
    let (giver, taker) = (from, to);
    let (from, to) = (world.dav(from)?, world.dav(to)?);
    let ends = Ends { world, from, to, giver, taker, tally, again };
    let mut done = HashMap::new();
    if again {
        done = there(&ends, files.iter()).await?;
    }
    let missing: Vec<&Source> = files.iter().filter(|file| !done.contains_key(&file.to)).collect();
    let kept: u64 = files.iter().filter(|file| done.contains_key(&file.to)).map(|f| f.size).sum();
    ends.tally.add(done.len() as u64, kept);
    let mut histories = match how.versions {
        true => history::of(&ends, &missing).await?,
        false => HashMap::new(),
    };
    let (many, single): (Vec<&Source>, Vec<&Source>) = missing
        .into_iter()
        .partition(|file| goes_in_bulk(file) && !histories.contains_key(&file.to));
    let copied = small::copy(&ends, &many).boxed().await?;
    let singles = single.into_iter().map(|file| {
        let history = histories.remove(&file.to).unwrap_or_default();
        history::replay(&ends, file, history).boxed()
    });
    let singles = side_by_side(singles.collect(), STREAMS).await?;
    done.extend(copied.into_iter().chain(singles).map(|copied| (copied.to.clone(), copied)));
    let mut all = Vec::with_capacity(files.len());
    for file in files {
        let copied = done.remove(&file.to).ok_or_else(|| {
            Error::Mismatch(format!("`{}` is not there, or has another size", file.to))
        })?;
        all.push(copied);
    }
    if how.reread {
        let checks = files.iter().zip(all).map(|(f, c)| reread::check(&ends, f, c).boxed());
        all = side_by_side(checks.collect(), STREAMS).await?;
    }
    ends.tally.keep();
    Ok(Outcome::Copied { files: all })
}

/// The bulk endpoint writes over what is there: it is only for folders where nothing can be. It
/// refuses files without a byte.
fn goes_in_bulk(file: &Source) -> bool {
    let path = Path::root().walk(&file.to);
    (1..=SMALL).contains(&file.size)
        && file.ours
        && path.is_ok_and(|path| Part::can_be_named(&path))
}

impl Ends<'_> {
    /// Reads from the source, no faster than the site may.
    async fn read(&self, path: &Path, range: Option<Range<u64>>) -> Result<Download, Error> {
        let mut download = self.from.get(path, range).await?;
        if let Some(pace) = &self.world.pace {
            download.body = pace.body(download.body);
        }
        Ok(download)
    }

    /// Reads a file of the source, if it is still what it was when it was listed.
    async fn read_file(
        &self,
        source: &Source,
        range: Option<Range<u64>>,
    ) -> Result<Download, Error> {
        let download = self.read(&self.source(source)?, range).await?;
        match (&download.etag, &source.etag) {
            (Some(is), Some(was)) if bare(is) != bare(was) => Err(changed(source)),
            _ => Ok(download),
        }
    }

    fn source(&self, file: &Source) -> Result<Path, Error> {
        self::file(&self.giver.uid, &file.from)
    }

    fn target(&self, file: &Source) -> Result<Path, Error> {
        self::file(&self.taker.uid, &file.to)
    }
}

/// The files of these that are there with their size and time.
async fn there<'a>(
    ends: &Ends<'_>,
    files: impl Iterator<Item = &'a Source>,
) -> Result<HashMap<String, Copied>, Error> {
    let mut folders: HashMap<&str, HashMap<String, &Source>> = HashMap::new();
    for file in files {
        let (folder, name) = file.to.rsplit_once('/').unwrap_or(("", &file.to));
        folders.entry(folder).or_default().insert(composed(name), file);
    }
    let mut found = HashMap::new();
    for (folder, wanted) in folders {
        let path = file(&ends.taker.uid, folder)?;
        let Some(folder) = inventory::folder(&ends.to, &path).await? else { continue };
        for node in folder.children.iter().filter(|node| !node.is_folder) {
            let name = node.path.name().unwrap_or_default();
            let Some(file) = wanted.get(&composed(name)) else { continue };
            if node.size == file.size && file.mtime.is_none_or(|time| node.mtime == Some(time)) {
                let (to, etag) = (file.to.clone(), node.etag.clone().unwrap_or_default());
                let copied = Copied { to, etag, sum: None, proof: Proof::Size };
                found.insert(file.to.clone(), copied);
            }
        }
    }
    Ok(found)
}

/// Does these, some at a time; the outcomes are in their order.
async fn side_by_side<T>(
    tasks: Vec<BoxFuture<'_, Result<T, Error>>>,
    at_once: usize,
) -> Result<Vec<T>, Error> {
    futures_util::stream::iter(tasks).buffered(at_once).try_collect().await
}

/// Removes copies that nobody changed since. Without an outcome, what is there is a copy if its
/// folder is this transfer's, or if it looks as one: all else is the recipient's own.
pub(super) async fn remove_copies(
    world: &World,
    to: &Who,
    files: &[Source],
    outcome: Option<&Outcome>,
) -> Result<(), Error> {
    let client = world.dav(to)?;
    let known: HashMap<&str, &str> = match outcome {
        Some(Outcome::Copied { files }) => {
            files.iter().map(|copied| (copied.to.as_str(), copied.etag.as_str())).collect()
        }
        _ => HashMap::new(),
    };
    for source in files {
        let path = file(&to.uid, &source.to)?;
        let Some(node) = inventory::node(&client, &path).await? else { continue };
        let etag = node.etag.as_deref().unwrap_or_default();
        match known.get(source.to.as_str()) {
            Some(known) if bare(known) != bare(etag) => {
                return Err(Error::Conflict(format!("`{}` was changed since", source.to)));
            }
            None if !(source.ours || (node.size == source.size && node.mtime == source.mtime)) => {
                continue;
            }
            _ => {}
        }
        match client.delete(&path, Trash::Skip).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// An entity tag without what servers and proxies put around it.
fn bare(etag: &str) -> &str {
    let etag = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    etag.strip_suffix("-gzip").unwrap_or(etag)
}

fn changed(source: &Source) -> Error {
    Error::Mismatch(format!("`{}` changed while it was read", source.from))
}
