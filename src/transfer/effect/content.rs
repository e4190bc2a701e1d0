//! Effects that carry bytes: from one account to another, also at another instance.
//!
//! Nothing touches a disk here. Small files go many at a time (`bulk`), larger ones stream, very
//! large ones in chunks that stay when the connection breaks. A file that is there already with the
//! right size and time is not sent again.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};

use super::collections::collection;
use super::print::composed;
use super::{Error, Kind, Outcome, Who, World};
use crate::dav::client::{
    Cause, Client, Conditions, Depth, Download, Part, PartOutcome, Path, Put, Trash, Upload,
};
use crate::nextcloud;
use crate::nextcloud::properties as p;
use crate::transfer::pace::Pace;
use crate::transfer::site::file;

/// Files up to this size go in bulk.
const SMALL: u64 = 1 << 20;
/// Files from this size on go in chunks.
const LARGE: u64 = 64 << 20;
/// The size of a chunk.
const CHUNK: u64 = 32 << 20;
/// The largest event or card.
const MAX_OBJECT: usize = 16 << 20;
/// Requests at a time.
const AT_ONCE: usize = 6;

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
}

/// A file that was copied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub to: String,
    /// With which it can be told whether it is still what was copied.
    pub etag: String,
}

/// Copies files.
pub(super) async fn copy_files(
    world: &World,
    from: &Who,
    to: &Who,
    files: &[Source],
    again: bool,
) -> Result<Outcome, Error> {
    let pace = world.pace.clone();
    let ends = Ends { from: world.dav(from)?, to: world.dav(to)?, giver: from, taker: to, pace };
    let mut done = HashMap::new();
    if again {
        done = there(&ends, files).await?;
    }
    let missing: Vec<&Source> = files.iter().filter(|file| !done.contains_key(&file.to)).collect();
    let (small, large): (Vec<&Source>, Vec<&Source>) =
        missing.into_iter().partition(|file| file.size <= SMALL);
    copy_small(&ends, &small).await?;
    let copies = large.into_iter().map(|file| copy_one(&ends, file).boxed()).collect();
    side_by_side(copies, 2).await?;
    let now = there(&ends, files).await?;
    let mut all = Vec::with_capacity(files.len());
    for file in files {
        let etag = now.get(&file.to).ok_or_else(|| {
            Error::Mismatch(format!("`{}` is not there, or has another size", file.to))
        })?;
        all.push(Copied { to: file.to.clone(), etag: etag.clone() });
    }
    Ok(Outcome::Copied { files: all })
}

/// Between whom.
struct Ends<'a> {
    from: Client,
    to: Client,
    giver: &'a Who,
    taker: &'a Who,
    pace: Option<Arc<Pace>>,
}

impl Ends<'_> {
    /// Reads from the source, no faster than the site may.
    async fn read(&self, path: &Path, range: Option<Range<u64>>) -> Result<Download, Error> {
        let mut download = self.from.get(path, range).await?;
        if let Some(pace) = &self.pace {
            download.body = pace.body(download.body);
        }
        Ok(download)
    }
}

/// The files of these that are there with their size, and their etags.
async fn there(ends: &Ends<'_>, files: &[Source]) -> Result<HashMap<String, String>, Error> {
    let mut folders: HashMap<&str, HashMap<String, &Source>> = HashMap::new();
    for file in files {
        let (folder, name) = file.to.rsplit_once('/').unwrap_or(("", &file.to));
        folders.entry(folder).or_default().insert(composed(name), file);
    }
    let mut found = HashMap::new();
    for (folder, wanted) in folders {
        let path = file(&ends.taker.uid, folder)?;
        let asked = [p::ETAG, p::CONTENT_LENGTH];
        let mut inside = match ends.to.propfind(&path, Depth::One, &asked).await {
            Err(error) if error.is_not_found() => continue,
            inside => inside?,
        };
        while let Some(entry) = inside.next().await? {
            let Some(file) = entry.path.name().and_then(|name| wanted.get(&composed(name))) else {
                continue;
            };
            if entry.path != path && entry.number(&p::CONTENT_LENGTH) == Some(file.size) {
                let etag = entry.text(&p::ETAG).unwrap_or_default().to_owned();
                found.insert(file.to.clone(), etag);
            }
        }
    }
    Ok(found)
}

/// Reads small files side by side, and sends them together.
async fn copy_small(ends: &Ends<'_>, files: &[&Source]) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    let reads = files.iter().map(|source| read_small(ends, source).boxed()).collect();
    let parts = side_by_side(reads, AT_ONCE).await?;
    let outcomes = match ends.to.bulk(&Path::root().join("bulk")?, &parts).await {
        Ok(outcomes) => outcomes,
        // Switched off, or older than 22.
        Err(error) if error.status().is_some_and(|s| matches!(s.as_u16(), 404 | 405 | 501)) => {
            vec![PartOutcome::Unknown; parts.len()]
        }
        Err(error) => return Err(error.into()),
    };
    for (part, outcome) in parts.into_iter().zip(outcomes) {
        if let PartOutcome::Stored { .. } = outcome {
            continue;
        }
        // One by one, the server says why.
        let path = file(&ends.taker.uid, &part.path.to_string())?;
        let put = Put { mtime: Some(part.mtime), ..Put::default() };
        ends.to.put(&path, Upload::of(part.bytes), &put).await?;
    }
    Ok(())
}

/// Does these, some at a time; the outcomes are in their order.
async fn side_by_side<T>(
    tasks: Vec<BoxFuture<'_, Result<T, Error>>>,
    at_once: usize,
) -> Result<Vec<T>, Error> {
    futures_util::stream::iter(tasks).buffered(at_once).try_collect().await
}

async fn read_small(ends: &Ends<'_>, source: &Source) -> Result<Part, Error> {
    let download = ends.read(&file(&ends.giver.uid, &source.from)?, None).await?;
    let bytes = bytes_of(download, source).await?;
    // Bulk paths begin at the account's files.
    let path = Path::root().walk(&source.to)?;
    Ok(Part { path, mtime: source.mtime.unwrap_or_default(), bytes })
}

async fn bytes_of(download: Download, source: &Source) -> Result<Bytes, Error> {
    let body = http_body_util::Limited::new(download.body, usize::try_from(SMALL).unwrap_or(0));
    let broken = |cause: Cause| crate::dav::client::Error::Unanswered { sent: true, source: cause };
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    if bytes.len() as u64 != source.size {
        return Err(Error::Mismatch(format!("`{}` changed while it was read", source.from)));
    }
    Ok(bytes)
}

/// Streams one file.
async fn copy_one(ends: &Ends<'_>, source: &Source) -> Result<(), Error> {
    let from = file(&ends.giver.uid, &source.from)?;
    let to = file(&ends.taker.uid, &source.to)?;
    let checksum = source.checksum.as_deref().and_then(|all| all.split(' ').next());
    let put = Put { mtime: source.mtime, checksum: checksum.map(str::to_owned), ..Put::default() };
    if source.size < LARGE {
        let upload = Upload::relayed(ends.read(&from, None).await?)?;
        if upload.length() != source.size {
            return Err(Error::Mismatch(format!("`{}` changed while it was read", source.from)));
        }
        // What came there since is not ours to write over.
        let put = Put { conditions: Conditions::IfAbsent, ..put };
        return match ends.to.put(&to, upload, &put).await {
            Err(error) if error.status().is_some_and(|status| status.as_u16() == 412) => {
                Err(Error::Conflict(format!("`{}` is there already", source.to)))
            }
            stored => stored.map(drop).map_err(Error::from),
        };
    }
    copy_in_chunks(ends, source, (&from, &to), &put).await
}

async fn copy_in_chunks(
    ends: &Ends<'_>,
    source: &Source,
    (from, to): (&Path, &Path),
    put: &Put,
) -> Result<(), Error> {
    use sha2::Digest as _;
    // The same file to the same place finds its chunks again.
    let mut hash = sha2::Sha256::new();
    hash.update(format!("{}\0{}\0{:?}", source.to, source.size, source.mtime));
    let id: String = hash.finalize()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = nextcloud::uploads(&ends.taker.uid)?.join(&format!("passeur-{id}"))?;
    let upload = ends.to.chunked(folder, to.clone(), source.size);
    upload.begin().await?;
    let stored = upload.stored().await?.unwrap_or_default();
    let chunks = source.size.div_ceil(CHUNK);
    for number in 0..chunks {
        let range = number * CHUNK..source.size.min((number + 1) * CHUNK);
        let length = range.end - range.start;
        let name = u32::try_from(number + 1).unwrap_or(u32::MAX);
        if stored.iter().any(|chunk| chunk.number == name && chunk.length == length) {
            continue;
        }
        let piece = Upload::relayed(ends.read(from, Some(range)).await?)?;
        upload.put(name, piece).await?;
    }
    upload.finish(put).await?;
    Ok(())
}

/// Removes copies that nobody changed since.
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
        let Some(entry) = client.find(&path, &[p::ETAG]).await? else { continue };
        let etag = entry.text(&p::ETAG).unwrap_or_default();
        if known.get(source.to.as_str()).is_some_and(|known| *known != etag) {
            return Err(Error::Conflict(format!("`{}` was changed since", source.to)));
        }
        match client.delete(&path, Trash::Skip).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Copies objects of a collection. Every request that stores one carries both headers without
/// which the instance would mail its guests.
pub(super) async fn copy_objects(
    world: &World,
    (from, to): (&Who, &Who),
    kind: Kind,
    (uri, into): (&str, &str),
    names: &[String],
) -> Result<Outcome, Error> {
    let (giver, taker) = (&world.dav(from)?, &world.dav(to)?);
    let (source, target) = (&collection(kind, &from.uid, uri)?, &collection(kind, &to.uid, into)?);
    let content_type = match kind {
        Kind::AddressBook => "text/vcard; charset=utf-8",
        _ => "text/calendar; charset=utf-8",
    };
    let pace = world.pace.as_deref();
    let copies = names
        .iter()
        .map(|name| copy_object(giver, taker, (source, target), name, (content_type, pace)).boxed())
        .collect();
    side_by_side(copies, AT_ONCE).await?;
    Ok(Outcome::Done)
}

async fn copy_object(
    giver: &Client,
    taker: &Client,
    (source, target): (&Path, &Path),
    name: &str,
    (content_type, pace): (&str, Option<&Pace>),
) -> Result<(), Error> {
    let download = giver.get(&source.join(name)?, None).await?;
    let broken = |cause: Cause| crate::dav::client::Error::Unanswered { sent: true, source: cause };
    let body = http_body_util::Limited::new(download.body, MAX_OBJECT);
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    if let Some(pace) = pace {
        pace.pass(bytes.len() as u64).await;
    }
    let put = Put { kind: Some(content_type.to_owned()), ..Put::default() };
    taker.put(&target.join(name)?, Upload::of(bytes), &put).await?;
    Ok(())
}
