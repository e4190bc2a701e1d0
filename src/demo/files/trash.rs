//! The trash bin: what was deleted keeps its id, its shares and its versions, under `NAME.dTIME` in
//! its owner's `files_trashbin`, until it is restored to where it was or purged.
//!
//! Unlike the original, what a recipient deletes from a share goes to the owner's trash bin only.

use std::sync::Arc;

use http::StatusCode;
use sqlx::SqliteConnection;

use super::change::{Change, file_name, on_disk};
use super::path_of;
use super::tree::{self, Node};
use crate::demo::http::{Ask, Fault, Reply, empty, full, multistatus, set};
use crate::demo::identity::Identity;
use crate::demo::xml::{DAV, Multistatus, NC, OC, Wanted, encode_path, escape, name};
use crate::demo::{StandIn, mint};

const PLACE: &str = "files_trashbin/files";

/// Puts a node into its owner's trash bin.
pub(super) async fn put_in(change: &mut Change<'_>, node: &Node, by: &str) -> Result<(), Fault> {
    change.ensure_folders(&node.owner, PLACE).await?;
    let name = file_name(&node.path);
    let mut time = mint::now();
    let target = loop {
        let target = format!("{PLACE}/{name}.d{time}");
        if tree::node_at(&mut *change.db, &node.owner, &target).await?.is_none() {
            break target;
        }
        time += 1;
    };
    let folder = node.path.strip_prefix("files/").unwrap_or(&node.path);
    let location = folder.rsplit_once('/').map_or(".", |(folder, _)| folder);
    sqlx::query(
        "INSERT INTO oc_files_trash (id, user, timestamp, location, deleted_by)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(name)
    .bind(&node.owner)
    .bind(time.to_string())
    .bind(location)
    .bind(by)
    .execute(&mut *change.db)
    .await?;
    change.relocate(node, &node.owner, &target).await
}

/// What the trash bin remembers of a deleted thing.
#[derive(Clone, Debug)]
struct Item {
    name: String,
    time: i64,
    location: String,
    by: String,
}

impl Item {
    fn folder(&self) -> String {
        format!("{PLACE}/{}.d{}", self.name, self.time)
    }

    /// Where something in it was.
    fn origin(&self, below: &str) -> String {
        let folder =
            if self.location == "." { String::new() } else { format!("{}/", self.location) };
        format!("{folder}{}{below}", self.name)
    }
}

async fn items(stand: &StandIn, uid: &str) -> Result<Vec<Item>, sqlx::Error> {
    let rows: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
        "SELECT id, timestamp, location, deleted_by FROM oc_files_trash WHERE user = ? ORDER BY auto_id",
    )
    .bind(uid)
    .fetch_all(&stand.db.read)
    .await?;
    let read = |(name, time, location, by): (String, String, String, Option<String>)| Item {
        name,
        time: time.parse().unwrap_or(0),
        location,
        by: by.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Answers a request below `trashbin/UID/`.
pub(in crate::demo) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &str,
) -> Result<Reply, Fault> {
    let rest = rest.trim_matches('/').to_owned();
    let body = ask.read(1 << 20).await?;
    let wanted = Wanted::from_body(&body);
    let base = format!("/remote.php/dav/trashbin/{}", encode_path(&who.uid));
    let all = items(stand, &who.uid).await?;
    let (tree, below) = rest.split_once('/').unwrap_or((&rest, ""));
    match (ask.method(), tree, below) {
        ("PROPFIND", "" | "restore" | "trash", "") => {
            let wanted = wanted.ok_or(Fault::BAD_REQUEST)?;
            list_top(stand, ask, who, &base, tree, &all, &wanted).await
        }
        ("DELETE", "trash", "") => {
            for item in &all {
                purge(stand, who, item).await?;
            }
            Ok(empty(StatusCode::NO_CONTENT))
        }
        (method, "trash", below) if !below.is_empty() => {
            let (top, inside) = below.split_at(below.find('/').unwrap_or(below.len()));
            let found = all.iter().find(|item| format!("{}.d{}", item.name, item.time) == top);
            let item = found.ok_or(Fault::NOT_FOUND)?;
            let path = format!("{}{inside}", item.folder());
            let node = tree::node_at(&stand.db.read, &who.uid, &path).await?;
            let node = node.ok_or(Fault::NOT_FOUND)?;
            match method {
                "PROPFIND" => {
                    let mut shown = vec![node.clone()];
                    if ask.header("depth") != Some("0") && node.is_folder() {
                        shown.extend(tree::nodes_in(&stand.db.read, node.id).await?);
                    }
                    let mut out = Multistatus::new();
                    for node in &shown {
                        push(
                            &mut out,
                            &base,
                            item,
                            node,
                            &wanted.clone().ok_or(Fault::BAD_REQUEST)?,
                        );
                    }
                    Ok(multistatus(out.finish("")))
                }
                _ => one(stand, ask, who, item, &node, inside).await,
            }
        }
        ("PROPFIND", ..) => Err(Fault::NOT_FOUND),
        _ => Err(Fault::FORBIDDEN),
    }
}

async fn list_top(
    stand: &StandIn,
    ask: &Ask,
    who: &Identity,
    base: &str,
    tree: &str,
    items: &[Item],
    wanted: &Wanted,
) -> Result<Reply, Fault> {
    let deep = ask.header("depth") != Some("0");
    let mut out = Multistatus::new();
    let all = [name(DAV, "resourcetype")];
    let kind = |ns: &str, local: &str| {
        (ns == DAV && local == "resourcetype").then(|| "<d:collection/>".to_owned())
    };
    let slash = if tree.is_empty() { "" } else { "/" };
    out.response(&format!("{base}/{tree}{slash}"), wanted, &all, kind);
    if deep && tree.is_empty() {
        out.response(&format!("{base}/restore/"), wanted, &all, kind);
        out.response(&format!("{base}/trash/"), wanted, &all, kind);
    }
    for item in items.iter().filter(|_| deep && tree == "trash") {
        if let Some(node) = tree::node_at(&stand.db.read, &who.uid, &item.folder()).await? {
            push(&mut out, base, item, &node, wanted);
        }
    }
    Ok(multistatus(out.finish("")))
}

fn push(out: &mut Multistatus, base: &str, item: &Item, node: &Node, wanted: &Wanted) {
    let below = node.path.get(item.folder().len()..).unwrap_or_default();
    let slash = if node.is_folder() { "/" } else { "" };
    let top = format!("{}.d{}{below}", item.name, item.time);
    let href = format!("{base}/trash/{}{slash}", encode_path(&top));
    let origin = item.origin(below);
    let all = ["getlastmodified", "resourcetype", "getetag"].map(|local| name(DAV, local));
    out.response(&href, wanted, &all, |ns, local| match (ns, local) {
        (DAV, "resourcetype") => {
            Some(if node.is_folder() { "<d:collection/>" } else { "" }.to_owned())
        }
        (DAV, "getlastmodified") => Some(mint::http_date(item.time)),
        (DAV, "getetag") => Some(item.time.to_string()),
        (DAV, "getcontentlength") if !node.is_folder() => Some(node.size.to_string()),
        (DAV, "getcontenttype") if !node.is_folder() => Some(node.mime.clone()),
        (OC, "size") => Some(node.size.to_string()),
        (OC, "fileid") => Some(node.id.to_string()),
        (OC, "permissions") => Some("GD".to_owned()),
        (NC, "trashbin-filename") => Some(escape(file_name(&origin))),
        (NC, "trashbin-original-location" | "trashbin-title") => Some(escape(&origin)),
        (NC, "trashbin-deletion-time") => Some(item.time.to_string()),
        (NC, "trashbin-deleted-by-id" | "trashbin-deleted-by-display-name") => {
            Some(escape(&item.by))
        }
        _ => None,
    });
}

async fn one(
    stand: &Arc<StandIn>,
    ask: &Ask,
    who: &Identity,
    item: &Item,
    node: &Node,
    inside: &str,
) -> Result<Reply, Fault> {
    match ask.method() {
        "GET" | "HEAD" if !node.is_folder() => {
            let bytes = tokio::fs::read(on_disk(&stand.data, &node.owner, &node.path)).await?;
            let mut reply = full(StatusCode::OK, "application/octet-stream", bytes);
            set(&mut reply, "content-type", &node.mime);
            set(&mut reply, "etag", &item.time.to_string());
            Ok(reply)
        }
        "DELETE" if inside.is_empty() => {
            purge(stand, who, item).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        "DELETE" => {
            let mut tx = stand.db.write().await?;
            Change { db: &mut tx, data: &stand.data }.remove(node).await?;
            tx.commit().await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        "MOVE" => {
            let to = ask.header("destination").and_then(path_of).ok_or(Fault::BAD_REQUEST)?;
            if !to.contains("/restore/") {
                return Err(Fault::FORBIDDEN);
            }
            restore(stand, item, node, inside).await?;
            Ok(empty(StatusCode::CREATED))
        }
        _ => Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "not for the trash bin")),
    }
}

/// Back to where it was, or to the root if that is gone, under another name if that is taken.
async fn restore(stand: &StandIn, item: &Item, node: &Node, inside: &str) -> Result<(), Fault> {
    let mut tx = stand.db.write().await?;
    let origin = format!("files/{}", item.origin(inside));
    let folder = origin.rsplit_once('/').map_or("files", |(folder, _)| folder);
    let there = tree::node_at(&mut *tx, &node.owner, folder).await?;
    let folder = if there.is_some() { folder } else { "files" };
    let whole = file_name(&origin).to_owned();
    let (stem, extension) = match whole.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (whole.as_str(), String::new()),
    };
    let mut target = format!("{folder}/{whole}");
    for i in 1..100 {
        if tree::node_at(&mut *tx, &node.owner, &target).await?.is_none() {
            break;
        }
        let mark = if i == 1 { "(restored)".to_owned() } else { format!("(restored {i})") };
        target = format!("{folder}/{stem} {mark}{extension}");
    }
    Change { db: &mut tx, data: &stand.data }.relocate(node, &node.owner, &target).await?;
    if inside.is_empty() {
        forget(&mut tx, &node.owner, item).await?;
    }
    Ok(tx.commit().await?)
}

async fn purge(stand: &StandIn, who: &Identity, item: &Item) -> Result<(), Fault> {
    let mut tx = stand.db.write().await?;
    if let Some(node) = tree::node_at(&mut *tx, &who.uid, &item.folder()).await? {
        Change { db: &mut tx, data: &stand.data }.remove(&node).await?;
    }
    forget(&mut tx, &who.uid, item).await?;
    Ok(tx.commit().await?)
}

async fn forget(db: &mut SqliteConnection, uid: &str, item: &Item) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM oc_files_trash WHERE user = ? AND id = ? AND timestamp = ?")
        .bind(uid)
        .bind(&item.name)
        .bind(item.time.to_string())
        .execute(db)
        .await?;
    Ok(())
}
