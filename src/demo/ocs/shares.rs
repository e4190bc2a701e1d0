//! `apps/files_sharing/api/v1/shares`: shares with people, groups and by link.
//!
//! Only whoever shared, or owns the file, sees and changes a share; a recipient may drop one. Rights
//! never exceed what the sharer has.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use super::{Outcome, Refusal, sharing};
use crate::demo::StandIn;
use crate::demo::files::tree::{self, Node, View};
use crate::demo::http::Ask;
use crate::demo::identity::Identity;

/// A row of `oc_share`.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Share {
    pub(in crate::demo) id: i64,
    pub(in crate::demo) kind: i64,
    pub(in crate::demo) with: Option<String>,
    pub(in crate::demo) owner: String,
    pub(in crate::demo) initiator: Option<String>,
    pub(in crate::demo) file: i64,
    target: Option<String>,
    permissions: i64,
    since: i64,
    expiration: Option<String>,
    token: Option<String>,
    note: Option<String>,
    label: Option<String>,
    hide_download: i64,
    mail_send: i64,
    pub(in crate::demo) password: Option<String>,
}

impl<'r> FromRow<'r, SqliteRow> for Share {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("share_type")?,
            with: row.try_get("share_with")?,
            owner: row.try_get("uid_owner")?,
            initiator: row.try_get("uid_initiator")?,
            file: row.try_get("file_source")?,
            target: row.try_get("file_target")?,
            permissions: row.try_get("permissions")?,
            since: row.try_get("stime")?,
            expiration: row.try_get("expiration")?,
            token: row.try_get("token")?,
            note: row.try_get("note")?,
            label: row.try_get("label")?,
            hide_download: row.try_get::<Option<i64>, _>("hide_download")?.unwrap_or(0),
            mail_send: row.try_get("mail_send")?,
            password: row.try_get("password")?,
        })
    }
}

/// What is below `shares`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &[&str],
) -> Outcome {
    let wrong = || Refusal::With(404, "Wrong share ID, share does not exist");
    match (ask.method(), rest) {
        ("GET", []) => list(stand, ask, who).await,
        ("POST", []) => sharing::create(stand, ask, who).await,
        (method, [id]) => {
            let share = match id.parse() {
                Ok(id) => by_id(stand, id).await?.ok_or_else(wrong)?,
                Err(_) => return Err(wrong()),
            };
            let mine = share.owner == who.uid || share.initiator.as_deref() == Some(&who.uid);
            let received = received(stand, &share, &who.uid).await?;
            match method {
                "GET" if mine || received => {
                    let shown = show(stand, ask, &who.uid, &share).await?;
                    Ok(json!([shown]))
                }
                "PUT" if mine => sharing::update(stand, ask, who, share).await,
                "DELETE" if mine => sharing::delete(stand, &share).await,
                "DELETE" if received => sharing::leave(stand, &share, &who.uid).await,
                "GET" | "PUT" | "DELETE" if can_pass_on(stand, &share, &who.uid).await? => {
                    match method {
                        "GET" => Ok(json!([show(stand, ask, &who.uid, &share).await?])),
                        "PUT" => {
                            Err(Refusal::With(403, "You are not allowed to edit incoming shares"))
                        }
                        _ => Err(Refusal::With(403, "Could not delete share")),
                    }
                }
                "GET" | "PUT" | "DELETE" => Err(wrong()),
                _ => Err(Refusal::NO_METHOD),
            }
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// Whether somebody has the file by that share.
async fn received(stand: &StandIn, share: &Share, uid: &str) -> Result<bool, sqlx::Error> {
    let with = share.with.as_deref().unwrap_or_default();
    if share.kind != 1 {
        return Ok(share.kind == 0 && with == uid);
    }
    let member: Option<(i64,)> =
        sqlx::query_as("SELECT 1 FROM oc_group_user WHERE gid = ? AND uid = ?")
            .bind(with)
            .bind(uid)
            .fetch_optional(&stand.db.read)
            .await?;
    Ok(member.is_some())
}

/// Whether somebody could share the file, too: they may see its shares.
async fn can_pass_on(stand: &StandIn, share: &Share, uid: &str) -> Result<bool, sqlx::Error> {
    let node = tree::node_by_id(&stand.db.read, share.file).await?;
    let Some(node) = node else { return Ok(false) };
    if node.owner == uid {
        return Ok(true);
    }
    let view = View::open(&stand.db.read, uid).await?;
    Ok(view.mounts.iter().any(|mount| {
        mount.rights & tree::right::SHARE != 0
            && mount.root.storage == node.storage
            && (mount.root.path == node.path || tree::is_below(&node.path, &mount.root.path))
    }))
}

pub(super) async fn by_id(stand: &StandIn, id: i64) -> Result<Option<Share>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM oc_share WHERE id = ? AND share_type <> 2")
        .bind(id)
        .fetch_optional(&stand.db.read)
        .await
}

/// The share of a link.
pub(in crate::demo) async fn by_token(
    stand: &StandIn,
    token: &str,
) -> Result<Option<(Share, Node)>, sqlx::Error> {
    let share: Option<Share> = sqlx::query_as(
        "SELECT * FROM oc_share WHERE token = ? AND share_type = 3
         AND (expiration IS NULL OR expiration > datetime('now'))",
    )
    .bind(token)
    .fetch_optional(&stand.db.read)
    .await?;
    let Some(share) = share else { return Ok(None) };
    let Some(node) = tree::node_by_id(&stand.db.read, share.file).await? else { return Ok(None) };
    // A link dies with the access of the one it belongs to.
    let alive = tree::can_reach(&stand.db.read, &share.owner, &node).await?;
    Ok(alive.then_some((share, node)))
}

async fn list(stand: &StandIn, ask: &Ask, who: &Identity) -> Outcome {
    let flag = |name: &str| ask.query(name).is_some_and(|value| value == "true" || value == "1");
    let db = &stand.db.read;
    let mut only = None;
    if let Some(path) = ask.query("path") {
        let view = View::open(db, &who.uid).await?;
        let entry = view.entry(db, path.trim_matches('/')).await?;
        let entry = entry.ok_or(Refusal::With(404, "Wrong path, file/folder does not exist"))?;
        only = Some(match flag("subfiles") {
            true if !entry.node.is_folder() => {
                return Err(Refusal::With(400, "Not a directory"));
            }
            true => view.children(db, &entry).await?.iter().map(|e| e.node.id).collect(),
            false => vec![entry.node.id],
        });
    }
    // Of a file, `reshares` shows what anybody has shared; of an account, what is its own or by it.
    let which = match (flag("shared_with_me"), flag("reshares"), &only) {
        (true, ..) => {
            "uid_owner <> ?1 AND coalesce(uid_initiator, '') <> ?1 AND (share_type = 0
             AND share_with = ?1 OR share_type = 1 AND share_with IN
               (SELECT gid FROM oc_group_user WHERE uid = ?1))
             AND NOT EXISTS (SELECT 1 FROM oc_share o WHERE o.parent = s.id AND o.share_type = 2
               AND o.share_with = ?1 AND o.permissions = 0)"
        }
        (_, true, Some(_)) => "share_type <> 2",
        _ if flag("subfiles") => "share_type <> 2",
        (_, true, None) => "(uid_owner = ?1 OR uid_initiator = ?1) AND share_type <> 2",
        (_, false, _) => "coalesce(uid_initiator, uid_owner) = ?1 AND share_type <> 2",
    };
    let sql = format!(
        "SELECT * FROM oc_share s WHERE {which} AND (?2 IS NULL OR file_source IN
           (SELECT value FROM json_each(?2))) ORDER BY share_type, id"
    );
    let only = only.map(|ids: Vec<i64>| json!(ids).to_string());
    let shares: Vec<Share> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(&who.uid).bind(only).fetch_all(db).await?;
    let mut shown = Vec::new();
    for share in &shares {
        match show(stand, ask, &who.uid, share).await {
            Ok(share) => shown.push(share),
            // What it is of is gone, or in the trash bin.
            Err(Refusal::With(404, _)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(shown.into())
}

/// A share as the API shows it to somebody.
pub(super) async fn show(stand: &StandIn, ask: &Ask, viewer: &str, share: &Share) -> Outcome {
    let db = &stand.db.read;
    let node = tree::node_by_id(db, share.file).await?;
    let node = node.filter(|node| node.path.starts_with("files"));
    let node = node.ok_or(Refusal::With(404, "the shared file is gone"))?;
    let initiator = share.initiator.clone().unwrap_or_else(|| share.owner.clone());
    let mine = share.owner == viewer || initiator == viewer;
    let path = if node.owner == viewer {
        node.path.strip_prefix("files").unwrap_or_default().to_owned()
    } else {
        let view = View::open(db, viewer).await?;
        let place = view.mounts.iter().find_map(|mount| {
            let rest = node.path.strip_prefix(mount.root.path.as_str())?;
            (mount.root.storage == node.storage).then(|| format!("/{}{rest}", mount.target))
        });
        place.unwrap_or_else(|| share.target.clone().unwrap_or_default())
    };
    let folder = node.is_folder();
    let mut data = json!({
        "id": share.id.to_string(), "share_type": share.kind, "uid_owner": initiator,
        "displayname_owner": display(stand, &initiator).await?, "permissions": share.permissions,
        "can_edit": mine, "can_delete": mine, "stime": share.since, "parent": null,
        "expiration": share.expiration, "token": share.token, "uid_file_owner": share.owner,
        "note": share.note.clone().unwrap_or_default(),
        "label": share.label.clone().unwrap_or_default(),
        "displayname_file_owner": display(stand, &share.owner).await?, "path": path,
        "item_type": if folder { "folder" } else { "file" }, "item_permissions": node.permissions,
        "is-mount-root": false, "mount-type": "", "mimetype": node.mime, "has_preview": false,
        "storage_id": format!("home::{}", node.owner), "storage": node.storage,
        "item_source": node.id, "file_source": node.id, "file_parent": node.parent,
        "file_target": share.target, "item_size": node.size, "item_mtime": node.mtime,
        "share_with": share.with, "mail_send": share.mail_send, "hide_download": share.hide_download,
        "attributes": null,
    });
    if let Value::Object(fields) = &mut data {
        match (share.kind, &share.with) {
            (3, _) => {
                let token = share.token.as_deref().unwrap_or_default();
                fields.insert("share_with_displayname".into(), "(Shared link)".into());
                fields.insert("share_with".into(), json!(share.password));
                fields.insert("password".into(), json!(share.password));
                fields.insert("send_password_by_talk".into(), false.into());
                fields.insert("url".into(), format!("{}/s/{token}", ask.base).into());
            }
            (_, Some(with)) => {
                let name = display(stand, with).await?;
                fields.insert("share_with_displayname".into(), name.into());
            }
            _ => {}
        }
    }
    Ok(data)
}

async fn display(stand: &StandIn, uid: &str) -> Result<String, sqlx::Error> {
    let found: Option<(String,)> =
        sqlx::query_as("SELECT coalesce(displayname, uid) FROM oc_users WHERE uid = ?")
            .bind(uid)
            .fetch_optional(&stand.db.read)
            .await?;
    Ok(found.map_or_else(|| uid.to_owned(), |(name,)| name))
}
