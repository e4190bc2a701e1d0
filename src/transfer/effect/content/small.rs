//! Small files: read many at a time, written many at a time.
//!
//! The bulk endpoint compares each file's MD5 with what it got and refuses it otherwise: what it
//! stored has arrived as it was read. What it could not store is written alone, which says why.

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;

use super::archive;
use super::sum::that_holds;
use super::{AT_ONCE, Copied, Ends, Error, Proof, SMALL, Source, changed, side_by_side, there};
use crate::dav::client::{Cause, Conditions, Part, PartOutcome, Path, Put, Retry, Upload};
use crate::nextcloud::properties as p;

/// A small file that has been read.
struct Read<'a> {
    source: &'a Source,
    part: Part,
}

/// Copies them.
pub(super) async fn copy(ends: &Ends<'_>, files: &[&Source]) -> Result<Vec<Copied>, Error> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let read = read(ends, files).await?;
    let parts: Vec<Part> = read.iter().map(|read| read.part.clone()).collect();
    let lane = ends.world.lanes.enter().await;
    let sent = ends.to.bulk(&Path::root().join("bulk")?, parts).await;
    let outcomes = match sent {
        Ok(outcomes) => outcomes,
        // Switched off, or older than 22; or one of them spoils it for the others.
        Err(error) if error.retry() == Retry::Never && error.status().is_some() => {
            if matches!(error.status().map(|s| s.as_u16()), Some(401 | 507)) {
                return Err(error.into());
            }
            return one_by_one(ends, read).await;
        }
        Err(error) => {
            ends.world.lanes.narrow(lane);
            return Err(error.into());
        }
    };
    let (mut copied, mut rest) = (Vec::with_capacity(read.len()), Vec::new());
    for (read, outcome) in read.into_iter().zip(outcomes) {
        match outcome {
            PartOutcome::Stored { etag: Some(etag), .. } => copied.push(read.copied(etag)),
            _ => rest.push(read),
        }
    }
    let done: u64 = copied.iter().map(|(_, size)| size).sum();
    ends.tally.add(copied.len() as u64, done);
    let mut copied: Vec<Copied> = copied.into_iter().map(|(copied, _)| copied).collect();
    if !rest.is_empty() {
        ends.world.lanes.narrow(lane);
        copied.extend(one_by_one(ends, rest).await?);
    }
    Ok(copied)
}

/// Each alone, where it is not there already: the folder is this transfer's, so that what is there
/// under its name is what was tried before.
async fn one_by_one(ends: &Ends<'_>, files: Vec<Read<'_>>) -> Result<Vec<Copied>, Error> {
    let mut known = there(ends, files.iter().map(|read| read.source)).await?;
    let mut all = Vec::with_capacity(files.len());
    for read in files {
        let size = read.source.size;
        match known.remove(&read.source.to) {
            Some(copied) => all.push(copied),
            None => all.push(put(ends, read).await?),
        }
        ends.tally.add(1, size);
    }
    Ok(all)
}

async fn put(ends: &Ends<'_>, read: Read<'_>) -> Result<Copied, Error> {
    let path = ends.target(read.source)?;
    let conditions = match ends.to.find(&path, &[p::ETAG]).await? {
        None => Conditions::IfAbsent,
        Some(entry) => Conditions::IfMatch(entry.text(&p::ETAG).unwrap_or_default().to_owned()),
    };
    let known = read.source.checksum.as_deref();
    let checksum = known.and_then(|all| that_holds(all, &read.part.bytes));
    let put = Put {
        mtime: read.source.mtime,
        checksum: checksum.map(str::to_owned),
        conditions,
        ..Put::default()
    };
    let source = read.source;
    let stored = ends.to.put(&path, Upload::of(read.part.bytes), &put).await?;
    let etag = match stored.etag {
        Some(etag) => etag,
        None => super::single::etag_of(ends, source).await?,
    };
    let sum = Some(format!("MD5:{}", read.part.md5));
    Ok(Copied { to: source.to.clone(), etag, sum, proof: Proof::Size })
}

/// Reads them: from archives of their folders, and alone what those do not have.
async fn read<'a>(ends: &Ends<'_>, files: &[&'a Source]) -> Result<Vec<Read<'a>>, Error> {
    let mut known = archive::read(ends, files).await?;
    let reads = files.iter().map(|&source| {
        let known = known.remove(&source.from);
        async move {
            let bytes = match known {
                Some(bytes) => bytes,
                None => alone(ends, source).await?,
            };
            // Bulk paths begin at the account's files.
            let path = Path::root().walk(&source.to)?;
            let part = Part::new(path, source.mtime.unwrap_or_default(), bytes);
            Ok(Read { source, part })
        }
        .boxed()
    });
    side_by_side(reads.collect(), AT_ONCE).await
}

async fn alone(ends: &Ends<'_>, source: &Source) -> Result<Bytes, Error> {
    let download = ends.read_file(source, None).await?;
    let body = http_body_util::Limited::new(download.body, usize::try_from(SMALL).unwrap_or(0));
    let broken = |cause: Cause| crate::dav::client::Error::Unanswered { sent: true, source: cause };
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    if bytes.len() as u64 == source.size { Ok(bytes) } else { Err(changed(source)) }
}

impl Read<'_> {
    /// With its size, as it was stored in bulk.
    fn copied(self, etag: String) -> (Copied, u64) {
        let sum = Some(format!("MD5:{}", self.part.md5));
        let to = self.source.to.clone();
        (Copied { to, etag, sum, proof: Proof::Arrival }, self.source.size)
    }
}
