//! Chunked upload: MKCOL a folder below `uploads/UID`, PUT numbered chunks into it, MOVE `.file` out
//! of it to the destination, which assembles them. Version 2 names the destination in every request
//! and numbers chunks from 1 to 10000; version 1, which older clients speak, does so in the MOVE only
//! and takes any number.
//!
//! Chunks are plain files outside the tree; nothing of the destination changes before the assembled
//! file is renamed into place. A chunk that breaks off is not kept. While a MOVE assembles, a second
//! one of the same upload is refused with 423, as a busy instance does.

use std::io::{self, Seek as _};
use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;

use super::change::{Arrived, Change, blocking};
use super::checksum::Sum;
use super::tree::{View, right};
use super::{mark_node, name_below, path_of, quota};
use crate::demo::StandIn;
use crate::demo::http::{Ask, Fault, Reply, empty, multistatus, set};
use crate::demo::identity::Identity;
use crate::demo::mint;
use crate::demo::xml::{DAV, Multistatus, Wanted, encode_path, name};

/// The most chunks of an upload.
const MAX_CHUNKS: u32 = 10_000;

/// Answers a request below `/remote.php/dav/uploads/UID`; `rest` is what follows.
pub(in crate::demo) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &str,
) -> Result<Reply, Fault> {
    let (id, file) = rest.split_once('/').unwrap_or((rest, ""));
    if id.is_empty() {
        return list_home(ask);
    }
    if id.len() > 128 || id.starts_with('.') || id.contains(['\\', '\0']) {
        return Err(Fault::FORBIDDEN);
    }
    let folder = stand.data.join(&who.uid).join("uploads").join(id);
    match (ask.method(), file) {
        ("MKCOL", "") => begin(stand, ask, who, folder).await,
        ("DELETE", "") => abort(folder).await,
        ("PROPFIND", "") => list(ask, folder).await,
        ("PUT", number) => put(stand, ask, who, folder, number).await,
        ("MOVE", ".file") => assemble(stand, ask, who, folder).await,
        ("DELETE", number) => {
            let path = folder.join(chunk_name(number, false)?);
            tokio::fs::remove_file(path).await.map_err(not_found)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "not for an upload")),
    }
}

async fn begin(
    stand: &StandIn,
    ask: &Ask,
    who: &Identity,
    folder: PathBuf,
) -> Result<Reply, Fault> {
    check_total(stand, ask, who).await?;
    match tokio::fs::create_dir(folder).await {
        Ok(()) => Ok(empty(StatusCode::CREATED)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "the upload exists already"))
        }
        Err(e) => Err(e.into()),
    }
}

async fn abort(folder: PathBuf) -> Result<Reply, Fault> {
    tokio::fs::remove_dir_all(folder).await.map_err(not_found)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The announced total must fit.
async fn check_total(stand: &StandIn, ask: &Ask, who: &Identity) -> Result<(), Fault> {
    let total: Option<u64> = ask.header("oc-total-length").and_then(|text| text.parse().ok());
    let room = quota::room(stand, &who.uid).await?;
    match total.zip(room) {
        Some((total, room)) if total > room => {
            Err(Fault::Refused(StatusCode::INSUFFICIENT_STORAGE, "Insufficient space"))
        }
        _ => Ok(()),
    }
}

async fn put(
    stand: &StandIn,
    ask: &mut Ask,
    who: &Identity,
    folder: PathBuf,
    number: &str,
) -> Result<Reply, Fault> {
    let target = folder.join(chunk_name(number, ask.header("destination").is_some())?);
    if !tokio::fs::try_exists(&folder).await? {
        return Err(Fault::NOT_FOUND);
    }
    check_total(stand, ask, who).await?;
    let parts = stand.parts();
    let (file, part) =
        blocking(move || Ok(tempfile::NamedTempFile::new_in(parts)?.into_parts())).await?;
    let mut file = tokio::fs::File::from_std(file);
    let sum = Sum::wanted(ask);
    let mut body = ask.take_body().ok_or(Fault::BAD_REQUEST)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Fault::Body(Box::new(e)))?;
        if let Ok(data) = frame.into_data() {
            if let Some(sum) = &sum {
                sum.update(&data);
            }
            file.write_all(&data).await?;
        }
    }
    file.flush().await?;
    let existed = tokio::fs::try_exists(&target).await?;
    blocking(move || part.persist(target).map_err(|e| e.error)).await?;
    let mut reply = empty(if existed { StatusCode::NO_CONTENT } else { StatusCode::CREATED });
    set(&mut reply, "oc-etag", &format!("\"{}\"", mint::etag()));
    if let Some(sum) = sum {
        sum.tell(&mut reply);
    }
    Ok(reply)
}

async fn assemble(
    stand: &Arc<StandIn>,
    ask: &Ask,
    who: &Identity,
    folder: PathBuf,
) -> Result<Reply, Fault> {
    let to = path_of(ask.header("destination").unwrap_or_default()).ok_or(Fault::BAD_REQUEST)?;
    let base = format!("/remote.php/dav/files/{}", encode_path(&who.uid));
    let to = name_below(&to, &base).map_err(|_| Fault::FORBIDDEN)?;
    if !tokio::fs::try_exists(&folder).await? {
        return Err(Fault::NOT_FOUND);
    }
    let Some(busy) = stand.begin_assembly(&folder) else {
        return Err(Fault::Refused(StatusCode::LOCKED, "the file is being assembled"));
    };
    if ask.header("x-nc-webdav-auto-mkcol") == Some("1") {
        super::make_parents(stand, who, &to).await?;
    }
    let view = View::open(&stand.db.read, &who.uid).await?;
    let place = view.place(&to);
    allowed(stand, &view, &to, ask).await?;
    let total: Option<u64> = ask.header("oc-total-length").and_then(|text| text.parse().ok());
    let mtime = ask.header("x-oc-mtime").and_then(|text| text.split('.').next()?.parse().ok());
    let checksum = ask.header("oc-checksum").map(ToOwned::to_owned);
    let room = quota::room(stand, &place.owner).await?;
    let worker = Arc::clone(stand);
    // As PHP does, it goes on when the client has lost patience.
    let work = tokio::spawn(async move {
        let _busy = busy;
        worker.delay_assembly().await;
        let (parts, from) = (worker.parts(), folder.clone());
        let (file, size) = blocking(move || join_chunks(&from, &parts)).await?;
        if total.is_some_and(|total| total != size) {
            return Err(Fault::Refused(
                StatusCode::BAD_REQUEST,
                "chunks do not sum up to the total",
            ));
        }
        if room.is_some_and(|room| size > room) {
            return Err(Fault::Refused(StatusCode::INSUFFICIENT_STORAGE, "Insufficient space"));
        }
        let mut tx = worker.db.write().await?;
        let mut change = Change { db: &mut tx, data: &worker.data };
        let arrived = Arrived { file, size, mtime, checksum };
        let made = change.put(&place.owner, &place.path, arrived).await?;
        tx.commit().await?;
        let _ = tokio::fs::remove_dir_all(folder).await;
        Ok(made)
    });
    let (node, new) = work.await.map_err(|e| Fault::Disk(io::Error::other(e)))??;
    let mut reply = empty(if new { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
    mark_node(stand, &node, &mut reply);
    if mtime.is_some() {
        set(&mut reply, "x-oc-mtime", "accepted");
    }
    Ok(reply)
}

/// Whether the file may be put there, by rights and by `If-Match`.
async fn allowed(stand: &StandIn, view: &View, to: &str, ask: &Ask) -> Result<(), Fault> {
    let db = &stand.db.read;
    let old = view.entry(db, to).await?;
    if old.is_some() && ask.header("overwrite") == Some("F") {
        return Err(Fault::Refused(StatusCode::PRECONDITION_FAILED, "there is something already"));
    }
    if let Some(wanted) = ask.header("if-match") {
        let etag = old.as_ref().map(|old| old.node.etag.as_str());
        if !wanted.split(',').any(|tag| Some(tag.trim().trim_matches('"')) == etag) {
            return Err(Fault::Refused(StatusCode::PRECONDITION_FAILED, "the file has changed"));
        }
    }
    let enough = match old {
        Some(old) => old.rights & right::UPDATE,
        None => {
            let folder = to.rsplit_once('/').map_or("", |(folder, _)| folder);
            let conflict = Fault::Refused(StatusCode::CONFLICT, "the folder does not exist");
            view.entry(db, folder).await?.ok_or(conflict)?.rights & right::CREATE
        }
    };
    if enough == 0 { Err(Fault::FORBIDDEN) } else { Ok(()) }
}

/// Joins the chunks in the order of their numbers.
fn join_chunks(folder: &PathBuf, parts: &PathBuf) -> io::Result<(tempfile::TempPath, u64)> {
    let mut names: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_by_cached_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
    let (mut file, part) = tempfile::NamedTempFile::new_in(parts)?.into_parts();
    for name in names {
        io::copy(&mut std::fs::File::open(folder.join(name))?, &mut file)?;
    }
    let size = file.stream_position()?;
    Ok((part, size))
}

/// A chunk's name on disk.
fn chunk_name(number: &str, second: bool) -> Result<String, Fault> {
    let wrong = Fault::Refused(StatusCode::BAD_REQUEST, "a chunk is a number from 1 to 10000");
    if number.is_empty() || number.len() > 19 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong);
    }
    match number.parse::<u32>() {
        _ if !second => Ok(number.to_owned()),
        Ok(n) if (1..=MAX_CHUNKS).contains(&n) => Ok(n.to_string()),
        _ => Err(wrong),
    }
}

async fn list(ask: &mut Ask, folder: PathBuf) -> Result<Reply, Fault> {
    let body = ask.read(1 << 20).await?;
    let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
    let href = ask.head.uri.path().trim_end_matches('/').to_owned();
    let mut chunks = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await.map_err(not_found)?;
    while let Some(entry) = entries.next_entry().await? {
        let size = entry.metadata().await?.len();
        chunks.push((entry.file_name().to_string_lossy().into_owned(), size));
    }
    chunks.sort();
    let all = [name(DAV, "resourcetype"), name(DAV, "getcontentlength")];
    let mut out = Multistatus::new();
    out.response(&format!("{href}/"), &wanted, &all, |ns, local| match (ns, local) {
        (DAV, "resourcetype") => Some("<d:collection/>".to_owned()),
        _ => None,
    });
    let listed = if ask.header("depth") == Some("0") { &[][..] } else { &chunks[..] };
    for (chunk, size) in listed {
        out.response(&format!("{href}/{chunk}"), &wanted, &all, |ns, local| match (ns, local) {
            (DAV, "resourcetype") => Some(String::new()),
            (DAV, "getcontentlength") => Some(size.to_string()),
            _ => None,
        });
    }
    Ok(multistatus(out.finish("")))
}

fn list_home(ask: &Ask) -> Result<Reply, Fault> {
    match ask.method() {
        "PROPFIND" => Ok(super::propfind::empty_home(ask.head.uri.path())),
        _ => Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "not for an upload")),
    }
}

fn not_found(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NOT_FOUND,
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::chunk_name;

    #[test]
    fn chunks_are_numbers_in_range() {
        assert_eq!(chunk_name("00007", true).unwrap(), "7");
        assert_eq!(chunk_name("10000", true).unwrap(), "10000");
        assert_eq!(chunk_name("0000000000000000", false).unwrap(), "0000000000000000");
        for bad in ["0", "10001", "", "../1", "+1", "1.5"] {
            assert!(chunk_name(bad, true).is_err(), "{bad}");
        }
        for bad in ["", "../1", "+1", ".file", "99999999999999999999"] {
            assert!(chunk_name(bad, false).is_err(), "{bad}");
        }
    }
}
