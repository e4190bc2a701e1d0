//! Earlier versions of files: kept when a file is overwritten, listed by file id, restored.
//!
//! A version is named by the time of its content (`X-OC-MTime` sets it, so an old history can be
//! replayed); the current content has a row, too. Unlike the original, the bytes lie by file id and
//! not in the owner's `files_versions`, so that they go where the file goes. An empty file leaves no
//! version.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::StatusCode;
use sqlx::SqliteConnection;

use super::change::{Arrived, Change, blocking};
use super::path_of;
use super::tree::{self, Node, View};
use crate::demo::http::{Ask, Fault, Reply, empty, full, multistatus, set};
use crate::demo::identity::Identity;
use crate::demo::xml::{DAV, Multistatus, NC, Wanted, encode_path, escape, name};
use crate::demo::{StandIn, mint};

/// Where the bytes of a file's versions are.
pub(super) fn folder(data: &Path, file: i64) -> PathBuf {
    data.join(".versions").join(file.to_string())
}

/// Keeps what a file had before it is overwritten; `current` is on disk.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    data: &Path,
    old: &Node,
    current: PathBuf,
    new_mtime: i64,
) -> Result<(), Fault> {
    if old.size == 0 || old.mtime == new_mtime {
        return Ok(());
    }
    let folder = folder(data, old.id);
    let to = folder.join(old.mtime.to_string());
    blocking(move || {
        std::fs::create_dir_all(folder)?;
        std::fs::rename(current, to)
    })
    .await?;
    note(db, old.id, old.mtime, old.size, &old.owner).await.map_err(Fault::from)
}

/// Writes down a version, the current one among them.
pub(super) async fn note(
    db: &mut SqliteConnection,
    file: i64,
    mtime: i64,
    size: i64,
    author: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM oc_files_versions WHERE file_id = ? AND timestamp = ?")
        .bind(file)
        .bind(mtime)
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "INSERT INTO oc_files_versions (file_id, timestamp, size, mimetype, metadata)
         SELECT fileid, ?2, ?3, mimetype, ?4 FROM oc_filecache WHERE fileid = ?1",
    )
    .bind(file)
    .bind(mtime)
    .bind(size)
    .bind(serde_json::json!({ "author": author }).to_string())
    .execute(db)
    .await?;
    Ok(())
}

/// One version: when, how large, by whom, called what.
type Version = (i64, i64, String);

async fn all(stand: &StandIn, node: &Node) -> Result<Vec<Version>, Fault> {
    let rows: Vec<Version> = sqlx::query_as(
        "SELECT timestamp, size, metadata FROM oc_files_versions WHERE file_id = ? ORDER BY timestamp",
    )
    .bind(node.id)
    .fetch_all(&stand.db.read)
    .await?;
    let folder = folder(&stand.data, node.id);
    let there = |time: i64| time == node.mtime || folder.join(time.to_string()).is_file();
    Ok(rows.into_iter().filter(|(time, ..)| there(*time)).collect())
}

fn metadata(version: &Version, key: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(&version.2).ok()?;
    value.get(key)?.as_str().map(escape)
}

/// Answers a request below `versions/UID/`.
pub(in crate::demo) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &str,
) -> Result<Reply, Fault> {
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let body =
        if ask.method() == "PROPFIND" { ask.read(1 << 20).await? } else { Vec::new().into() };
    let wanted = || Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST);
    let base = format!("/remote.php/dav/versions/{}", encode_path(&who.uid));
    let (file, time) = match (ask.method(), parts.as_slice()) {
        ("PROPFIND", [] | ["versions" | "restore"]) => {
            let inside: &[&str] = if parts.is_empty() { &["versions", "restore"] } else { &[] };
            return Ok(folders(&format!("{base}/{}", parts.join("/")), inside, &wanted()?));
        }
        (_, ["versions", file]) => (file, None),
        (_, ["versions", file, time]) => (file, Some(*time)),
        _ => return Err(Fault::FORBIDDEN),
    };
    let file = file.parse().map_err(|_| Fault::NOT_FOUND)?;
    let node = tree::node_by_id(&stand.db.read, file).await?.ok_or(Fault::NOT_FOUND)?;
    if !node.path.starts_with("files/") || !tree::can_reach(&stand.db.read, &who.uid, &node).await?
    {
        return Err(Fault::NOT_FOUND);
    }
    let versions = all(stand, &node).await?;
    let href = format!("{base}/versions/{file}/");
    match (ask.method(), time) {
        ("PROPFIND", None) => {
            let deep = ask.header("depth") != Some("0");
            let shown = if deep { &versions[..] } else { &[] };
            Ok(list(&href, shown, &node, &wanted()?, true))
        }
        (method, Some(time)) => {
            let time: i64 = time.parse().map_err(|_| Fault::NOT_FOUND)?;
            let found = versions.iter().find(|version| version.0 == time);
            let version = found.ok_or(Fault::NOT_FOUND)?;
            match method {
                "PROPFIND" => {
                    Ok(list(&href, std::slice::from_ref(version), &node, &wanted()?, false))
                }
                _ => one(stand, ask, who, &node, version).await,
            }
        }
        _ => Err(Fault::FORBIDDEN),
    }
}

fn folders(href: &str, inside: &[&str], wanted: &Wanted) -> Reply {
    let all = [name(DAV, "resourcetype")];
    let mut out = Multistatus::new();
    let kind = |ns: &str, local: &str| {
        (ns == DAV && local == "resourcetype").then(|| "<d:collection/>".to_owned())
    };
    let href = href.trim_end_matches('/');
    out.response(&format!("{href}/"), wanted, &all, kind);
    for folder in inside {
        out.response(&format!("{href}/{folder}/"), wanted, &all, kind);
    }
    multistatus(out.finish(""))
}

fn list(href: &str, versions: &[Version], node: &Node, wanted: &Wanted, whole: bool) -> Reply {
    let mut out = Multistatus::new();
    let all = ["getlastmodified", "getcontentlength", "resourcetype", "getetag", "getcontenttype"]
        .map(|local| name(DAV, local));
    if whole {
        out.response(href, wanted, &all, |ns, local| {
            (ns == DAV && local == "resourcetype").then(|| "<d:collection/>".to_owned())
        });
    }
    for version in versions {
        let (time, size, _) = version;
        out.response(&format!("{href}{time}"), wanted, &all, |ns, local| match (ns, local) {
            (DAV, "getlastmodified") => Some(mint::http_date(*time)),
            (DAV, "getcontentlength") => Some(size.to_string()),
            (DAV, "getcontenttype") => Some(node.mime.clone()),
            (DAV, "getetag") => Some(time.to_string()),
            (DAV, "resourcetype") => Some(String::new()),
            (NC, "version-author") => metadata(version, "author"),
            (NC, "version-label") => metadata(version, "label"),
            (NC, "has-preview") => Some("false".to_owned()),
            _ => None,
        });
    }
    multistatus(out.finish(""))
}

async fn one(
    stand: &Arc<StandIn>,
    ask: &Ask,
    who: &Identity,
    node: &Node,
    version: &Version,
) -> Result<Reply, Fault> {
    let kept = folder(&stand.data, node.id).join(version.0.to_string());
    let current = version.0 == node.mtime;
    match ask.method() {
        "GET" | "HEAD" => {
            let disk = super::change::on_disk(&stand.data, &node.owner, &node.path);
            let bytes = tokio::fs::read(if current { disk } else { kept }).await?;
            let mut reply = full(StatusCode::OK, "application/octet-stream", bytes);
            set(&mut reply, "content-type", &node.mime);
            set(&mut reply, "etag", &version.0.to_string());
            Ok(reply)
        }
        _ if !writable(stand, who, node).await? => Err(Fault::FORBIDDEN),
        "DELETE" if current => Err(Fault::FORBIDDEN),
        "DELETE" => {
            let mut tx = stand.db.write().await?;
            sqlx::query("DELETE FROM oc_files_versions WHERE file_id = ? AND timestamp = ?")
                .bind(node.id)
                .bind(version.0)
                .execute(&mut *tx)
                .await?;
            tokio::fs::remove_file(kept).await?;
            tx.commit().await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        "MOVE" | "COPY" => {
            let to = ask.header("destination").and_then(path_of).ok_or(Fault::BAD_REQUEST)?;
            if !to.contains("/restore/") {
                return Err(Fault::FORBIDDEN);
            }
            if !current {
                restore(stand, node, version.0, kept).await?;
            }
            Ok(empty(StatusCode::CREATED))
        }
        _ => Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "not for a version")),
    }
}

async fn writable(stand: &StandIn, who: &Identity, node: &Node) -> Result<bool, Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    let mine = node.owner == who.uid;
    let may = |mount: &tree::Mount| {
        mount.rights & tree::right::UPDATE != 0
            && mount.root.storage == node.storage
            && (mount.root.path == node.path || tree::is_below(&node.path, &mount.root.path))
    };
    Ok(mine || view.mounts.iter().any(may))
}

/// Makes a version the current content again; what was current becomes a version.
async fn restore(stand: &Arc<StandIn>, node: &Node, time: i64, kept: PathBuf) -> Result<(), Fault> {
    let parts = stand.parts();
    let file = blocking(move || {
        let part = tempfile::NamedTempFile::new_in(parts)?.into_temp_path();
        std::fs::rename(kept, &part)?;
        Ok(part)
    })
    .await?;
    let size = std::fs::metadata(&file)?.len();
    let mut tx = stand.db.write().await?;
    let mut change = Change { db: &mut tx, data: &stand.data };
    let arrived = Arrived { file, size, mtime: Some(time), checksum: None };
    change.put(&node.owner, &node.path, arrived).await?;
    Ok(tx.commit().await?)
}
