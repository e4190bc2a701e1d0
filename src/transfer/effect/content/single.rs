//! One file at a time, streamed; a very large one in chunks, several at a time, that stay where
//! they are when the connection breaks.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sha2::Digest as _;

use super::sum::Sum;
use super::{Copied, Ends, Error, Proof, Source, bare, changed};
use crate::dav::client::{Chunked, Conditions, Path, Put, Stored, Upload};
use crate::nextcloud;
use crate::nextcloud::properties as p;

/// Files from this size on go in chunks.
const LARGE: u64 = 64 << 20;
/// The size of a chunk.
const CHUNK: u64 = 32 << 20;
/// Chunks at a time.
const CHUNKS: usize = 3;

/// Something that is to become a file of the recipient: its content, or an earlier one.
pub(super) struct Piece<'a> {
    /// The file it is of.
    pub source: &'a Source,
    /// Where it is read.
    pub from: Path,
    pub size: u64,
    pub mtime: Option<i64>,
    /// The entity tag it had when it was listed.
    pub etag: Option<&'a str>,
    pub checksum: Option<&'a str>,
    pub conditions: Conditions,
}

impl<'a> Piece<'a> {
    /// The content that a file has now.
    pub fn current(ends: &Ends<'_>, source: &'a Source) -> Result<Self, Error> {
        Ok(Self {
            source,
            from: ends.source(source)?,
            size: source.size,
            mtime: source.mtime,
            etag: source.etag.as_deref(),
            checksum: source.checksum.as_deref().and_then(|all| all.split(' ').next()),
            conditions: Conditions::IfAbsent,
        })
    }
}

/// Streams one.
pub(super) async fn copy(ends: &Ends<'_>, piece: &Piece<'_>) -> Result<Copied, Error> {
    let to = ends.target(piece.source)?;
    let put = Put {
        mtime: piece.mtime,
        checksum: piece.checksum.map(str::to_owned),
        conditions: piece.conditions.clone(),
        confirm: true,
        ..Put::default()
    };
    if piece.size >= LARGE {
        return in_chunks(ends, piece, &to, &put).await;
    }
    let (upload, sum) = read(ends, piece, None).await?;
    let stored = kept(ends.to.put(&to, upload, &put).await, piece.source)?;
    let proof = confirmed(piece.source, &sum, &stored)?;
    ends.tally.add(0, piece.size);
    done(ends, piece, stored, Some(sum), proof).await
}

/// The entity tag that a copy has.
pub(super) async fn etag_of(ends: &Ends<'_>, source: &Source) -> Result<String, Error> {
    let found = ends.to.find(&ends.target(source)?, &[p::ETAG]).await?;
    let found = found.ok_or_else(|| Error::Mismatch(format!("`{}` is not there", source.to)))?;
    Ok(found.text(&p::ETAG).unwrap_or_default().to_owned())
}

async fn in_chunks(
    ends: &Ends<'_>,
    piece: &Piece<'_>,
    to: &Path,
    put: &Put,
) -> Result<Copied, Error> {
    let folder = nextcloud::uploads(&ends.taker.uid)?.join(&format!("passeur-{}", id(piece)))?;
    let upload = &ends.to.chunked(folder, to.clone(), piece.size);
    upload.begin().await?;
    let stored = upload.stored().await?.unwrap_or_default();
    let chunks = (0..piece.size.div_ceil(CHUNK)).map(|number| {
        let range = number * CHUNK..piece.size.min((number + 1) * CHUNK);
        let name = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let length = range.end - range.start;
        let is_there = stored.iter().any(|chunk| chunk.number == name && chunk.length == length);
        async move {
            // Nobody said what is in it when it came.
            let proof = match is_there {
                true => Proof::Size,
                false => chunk(ends, piece, upload, (name, range)).await?,
            };
            ends.tally.add(0, length);
            Ok::<_, Error>(proof)
        }
    });
    let proofs: Vec<Proof> =
        futures_util::stream::iter(chunks).buffer_unordered(CHUNKS).try_collect().await?;
    let stored = kept(upload.finish(put).await, piece.source)?;
    done(ends, piece, stored, None, proofs.into_iter().min().unwrap_or_default()).await
}

async fn chunk(
    ends: &Ends<'_>,
    piece: &Piece<'_>,
    upload: &Chunked,
    (name, range): (u32, std::ops::Range<u64>),
) -> Result<Proof, Error> {
    let (body, sum) = read(ends, piece, Some(range)).await?;
    let stored = upload.put(name, body).await?;
    match confirmed(piece.source, &sum, &stored) {
        // A chunk that stays would be taken for good.
        Err(error) => {
            upload.abandon().await?;
            Err(error)
        }
        proof => proof,
    }
}

/// The same content to the same place finds its chunks again.
fn id(piece: &Piece<'_>) -> String {
    let mut hash = sha2::Sha256::new();
    let (to, etag) = (&piece.source.to, piece.etag.map(bare));
    hash.update(format!("{to}\0{}\0{:?}\0{etag:?}", piece.size, piece.mtime));
    hash.finalize()[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is to be sent; it is summed up as it goes.
async fn read(
    ends: &Ends<'_>,
    piece: &Piece<'_>,
    range: Option<std::ops::Range<u64>>,
) -> Result<(Upload, Sum), Error> {
    let length = range.as_ref().map_or(piece.size, |range| range.end - range.start);
    let download = ends.read(&piece.from, range).await?;
    if let (Some(is), Some(was)) = (&download.etag, piece.etag)
        && bare(is) != bare(was)
    {
        return Err(changed(piece.source));
    }
    let upload = Upload::relayed(download)?;
    if upload.length() != length {
        return Err(changed(piece.source));
    }
    let sum = Sum::default();
    Ok((upload.map(|body| sum.over(body)), sum))
}

/// Compares what was sent with what the instance says arrived.
fn confirmed(source: &Source, sum: &Sum, stored: &Stored) -> Result<Proof, Error> {
    match &stored.sha256 {
        None => Ok(Proof::Size),
        Some(told) if *told == sum.hex() => Ok(Proof::Arrival),
        Some(_) => Err(Error::Mismatch(format!("`{}` arrived with another checksum", source.to))),
    }
}

/// What came there since is not ours to write over.
fn kept(
    stored: Result<Stored, crate::dav::client::Error>,
    source: &Source,
) -> Result<Stored, Error> {
    match stored {
        Err(error) if error.status().is_some_and(|status| status.as_u16() == 412) => {
            Err(Error::Conflict(format!("`{}` is there already", source.to)))
        }
        stored => Ok(stored?),
    }
}

async fn done(
    ends: &Ends<'_>,
    piece: &Piece<'_>,
    stored: Stored,
    sum: Option<Sum>,
    proof: Proof,
) -> Result<Copied, Error> {
    let etag = match stored.etag {
        Some(etag) => etag,
        None => etag_of(ends, piece.source).await?,
    };
    let sum = sum.map(|sum| format!("SHA256:{}", sum.hex()));
    Ok(Copied { to: piece.source.to.clone(), etag, sum, proof })
}

/// The SHA-256 of a file, by reading it all.
pub(super) async fn sum_of(body: crate::body::Body) -> Result<String, Error> {
    use http_body_util::BodyExt as _;
    let sum = Sum::default();
    let mut body = body;
    while let Some(frame) = body.frame().await {
        let broken = |cause: crate::body::Error| crate::dav::client::Error::Unanswered {
            sent: true,
            source: cause.into(),
        };
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            let data: Bytes = data;
            sum.update(&data);
        }
    }
    Ok(sum.hex())
}
