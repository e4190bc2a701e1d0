//! Earlier versions: written one after the other, the oldest first, each with its time, so that the
//! receiving instance makes versions of them by its own rules. Versions cannot be uploaded.
//!
//! A file that is there with the size and time of one of them is where an earlier try ended.

use std::collections::HashMap;

use futures_util::FutureExt as _;

use super::single::{self, Piece};
use super::{AT_ONCE, Copied, Ends, Error, Proof, Source, side_by_side};
use crate::dav::client::{Conditions, Depth, Path};
use crate::nextcloud::inventory;
use crate::nextcloud::properties as p;

/// An earlier content of a file.
pub(super) struct Version {
    path: Path,
    mtime: i64,
    size: u64,
}

/// The versions of those files that have some, the oldest first, by where they go.
pub(super) async fn of(
    ends: &Ends<'_>,
    files: &[&Source],
) -> Result<HashMap<String, Vec<Version>>, Error> {
    let asked = files.iter().filter_map(|source| Some((source, source.file_id?)));
    let lists = asked.map(|(source, id)| {
        async move { Ok((source.to.clone(), list(ends, source, id).await?)) }.boxed()
    });
    let lists = side_by_side(lists.collect(), AT_ONCE).await?;
    Ok(lists.into_iter().filter(|(_, versions)| !versions.is_empty()).collect())
}

async fn list(ends: &Ends<'_>, source: &Source, id: u64) -> Result<Vec<Version>, Error> {
    let top = Path::of(["versions", &ends.giver.uid, "versions", &id.to_string()])?;
    let entries = ends.from.propfind(&top, Depth::One, &[p::CONTENT_LENGTH]).await;
    let mut entries = match entries {
        // The app is off.
        Err(error) if error.status().is_some_and(|s| matches!(s.as_u16(), 403..=405 | 501)) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut versions = Vec::new();
    while let Some(entry) = entries.next().await? {
        // Its name is its time; the current content is among them.
        let mtime = entry.path.name().and_then(|name| name.parse().ok());
        let Some(mtime) = mtime.filter(|time| entry.path != top && Some(*time) != source.mtime)
        else {
            continue;
        };
        let Some(size) = entry.number(&p::CONTENT_LENGTH) else { continue };
        versions.push(Version { path: entry.path, mtime, size });
    }
    versions.sort_unstable_by_key(|version| version.mtime);
    Ok(versions)
}

/// Writes the versions of a file, and then the file.
pub(super) async fn replay(
    ends: &Ends<'_>,
    source: &Source,
    versions: Vec<Version>,
) -> Result<Copied, Error> {
    let mut pieces = Vec::with_capacity(versions.len() + 1);
    for version in versions {
        pieces.push(Piece {
            source,
            from: version.path,
            size: version.size,
            mtime: Some(version.mtime),
            etag: None,
            checksum: None,
            conditions: Conditions::IfAbsent,
        });
    }
    pieces.push(Piece::current(ends, source)?);
    let (mut begin, mut etag) = (0, None);
    if ends.again && pieces.len() > 1 {
        (begin, etag) = reached(ends, source, &pieces).await?;
    }
    let mut copied = None;
    for mut piece in pieces.into_iter().skip(begin) {
        if let Some(etag) = etag.take() {
            piece.conditions = Conditions::IfMatch(etag);
        }
        let one = single::copy(ends, &piece).await?;
        etag = Some(format!("\"{}\"", super::bare(&one.etag)));
        copied = Some(one);
    }
    ends.tally.add(1, 0);
    match copied {
        Some(copied) => Ok(copied),
        // All of it was written by the try before.
        None => Ok(Copied {
            to: source.to.clone(),
            etag: etag.unwrap_or_default(),
            sum: None,
            proof: Proof::Size,
        }),
    }
}

/// How many were written already, and the entity tag of the last.
async fn reached(
    ends: &Ends<'_>,
    source: &Source,
    pieces: &[Piece<'_>],
) -> Result<(usize, Option<String>), Error> {
    let Some(node) = inventory::node(&ends.to, &ends.target(source)?).await? else {
        return Ok((0, None));
    };
    let is_it = |piece: &Piece<'_>| piece.size == node.size && piece.mtime == node.mtime;
    match pieces.iter().rposition(is_it) {
        Some(last) => Ok((last + 1, node.etag)),
        None => Err(Error::Conflict(format!("`{}` is there already", source.to))),
    }
}
