//! `POST remote.php/dav/bulk`: many small files in one `multipart/related` body, each part with its
//! path, length, time and MD5; the answer is JSON, a result per path. One bad part does not stop the
//! others; a body that cannot be taken apart does.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::change::{Arrived, Change, blocking, valid_name};
use super::quota;
use super::tree::{View, right};
use crate::demo::http::{self as answer, Ask, Fault, Reply};
use crate::demo::identity::Identity;
use crate::demo::{StandIn, mint};

/// The most that one bulk request may hold.
const MAX_BULK: usize = 128 << 20;

/// One file of the body.
struct Part<'a> {
    headers: BTreeMap<String, String>,
    bytes: &'a [u8],
}

/// Answers a bulk upload.
pub(in crate::demo) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
) -> Result<Reply, Fault> {
    if ask.method() != "POST" {
        return Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "only POST"));
    }
    let boundary = ask.header("content-type").and_then(boundary).ok_or(Fault::BAD_REQUEST)?;
    let body = ask.read(MAX_BULK).await?;
    let parts = take_apart(&body, &boundary).ok_or(Fault::BAD_REQUEST)?;
    // What holds for all of them is asked once: a thousand small files are a thousand times as much.
    let mut target = Target {
        view: View::open(&stand.db.read, &who.uid).await?,
        folders: HashMap::new(),
        room: HashMap::new(),
    };
    let files = write(stand, &parts).await?;
    let mut results = serde_json::Map::new();
    for (part, file) in parts.iter().zip(files) {
        let path = part.headers.get("x-file-path").cloned().ok_or(Fault::BAD_REQUEST)?;
        let result = match store(stand, who, &mut target, &path, part, file).await {
            Ok(etag) => json!({ "error": false, "etag": etag }),
            Err(fault) => json!({ "error": true, "message": fault.to_string() }),
        };
        results.insert(path, result);
    }
    Ok(answer::json(StatusCode::OK, &results.into()))
}

/// Where the files of one request go.
struct Target {
    view: View,
    /// What may be done in folders.
    folders: HashMap<String, i64>,
    /// Bytes that fit with an account.
    room: HashMap<String, Option<u64>>,
}

impl Target {
    /// What may be done in the folder of a file, which is made if it is not there.
    async fn rights(
        &mut self,
        stand: &Arc<StandIn>,
        who: &Identity,
        name: &str,
    ) -> Result<i64, Fault> {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        if let Some(rights) = self.folders.get(folder) {
            return Ok(*rights);
        }
        super::make_parents(stand, who, name).await?;
        let entry = self.view.entry(&stand.db.read, folder).await?.ok_or(Fault::NOT_FOUND)?;
        self.folders.insert(folder.to_owned(), entry.rights);
        Ok(entry.rights)
    }

    /// Takes so many bytes of an account's room.
    async fn take(&mut self, stand: &StandIn, owner: &str, bytes: u64) -> Result<(), Fault> {
        if !self.room.contains_key(owner) {
            self.room.insert(owner.to_owned(), quota::room(stand, owner).await?);
        }
        let full = Fault::Refused(StatusCode::INSUFFICIENT_STORAGE, "Insufficient space");
        match self.room.get_mut(owner) {
            Some(Some(room)) => {
                *room = room.checked_sub(bytes).ok_or(full)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Writes all of them to temporary files.
async fn write(stand: &StandIn, parts: &[Part<'_>]) -> Result<Vec<tempfile::TempPath>, Fault> {
    let bytes: Vec<Vec<u8>> = parts.iter().map(|part| part.bytes.to_vec()).collect();
    let folder = stand.parts();
    let write = move || {
        let one = |bytes: &Vec<u8>| {
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(bytes)?;
            Ok(file.into_temp_path())
        };
        bytes.iter().map(one).collect()
    };
    Ok(blocking(write).await?)
}

async fn store(
    stand: &Arc<StandIn>,
    who: &Identity,
    target: &mut Target,
    path: &str,
    part: &Part<'_>,
    file: tempfile::TempPath,
) -> Result<String, Fault> {
    let name = path.trim_matches('/').to_owned();
    if !valid_name(&name) {
        return Err(Fault::FORBIDDEN);
    }
    let sum = part.headers.get("x-file-md5");
    if sum.is_some_and(|sum| !sum.eq_ignore_ascii_case(&mint::md5_hex(part.bytes))) {
        return Err(Fault::Refused(StatusCode::BAD_REQUEST, "the checksum does not match"));
    }
    if target.rights(stand, who, &name).await? & right::CREATE == 0 {
        return Err(Fault::FORBIDDEN);
    }
    let place = target.view.place(&name);
    let size = part.bytes.len() as u64;
    target.take(stand, &place.owner, size).await?;
    let mtime = ["x-file-mtime", "x-oc-mtime"].iter().find_map(|key| part.headers.get(*key));
    let mtime = mtime.and_then(|text| text.split('.').next()?.parse().ok());
    let checksum = part.headers.get("oc-checksum").cloned();
    let mut tx = stand.db.write().await?;
    let mut change = Change { db: &mut tx, data: &stand.data };
    let arrived = Arrived { file, size, mtime, checksum };
    let (node, _) = change.put(&place.owner, &place.path, arrived).await?;
    tx.commit().await?;
    Ok(node.etag)
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/related") {
        return None;
    }
    let value = parameters.split(';').find_map(|p| p.trim().strip_prefix("boundary="))?;
    let value = value.trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

/// Takes the body apart by the lengths that the parts announce.
fn take_apart<'a>(mut rest: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let start = format!("--{boundary}\r\n");
    let end = format!("--{boundary}--");
    let mut parts = Vec::new();
    loop {
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            rest = after;
        }
        if rest.starts_with(end.as_bytes()) {
            return Some(parts);
        }
        rest = rest.strip_prefix(start.as_bytes())?;
        let head_end = memchr::memmem::find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(rest.get(..head_end)?).ok()?;
        let mut headers = BTreeMap::new();
        for line in head.split("\r\n") {
            let (key, value) = line.split_once(':')?;
            headers.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
        let length: usize = headers.get("content-length")?.parse().ok()?;
        let from = head_end + 4;
        let bytes = rest.get(from..from.checked_add(length)?)?;
        rest = rest.get(from + length..)?;
        parts.push(Part { headers, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_taken_apart_by_length() {
        let body = b"--b\r\nContent-Length: 5\r\nX-File-Path: /a\r\n\r\n--b\r\n\r\n--b\r\nContent-Length: 0\r\nX-File-Path: /c\r\n\r\n\r\n--b--\r\n";
        let parts = take_apart(body, "b").unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].bytes, b"--b\r\n");
        assert_eq!(parts[1].headers["x-file-path"], "/c");
        for bad in [&body[..40], b"", b"--b\r\nContent-Length: 99999999999999999999\r\n\r\n"] {
            assert!(take_apart(bad, "b").is_none());
        }
        assert_eq!(boundary("multipart/related; boundary=\"x\"").as_deref(), Some("x"));
        assert_eq!(boundary("multipart/form-data; boundary=x"), None);
    }
}
