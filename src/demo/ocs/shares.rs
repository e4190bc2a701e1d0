//! `apps/files_sharing/api/v1/shares`: shares with people, groups and by link.
//!
//! Only whoever shared, or owns the file, sees and changes a share; a recipient may drop one. Rights
//! never exceed what the sharer has.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, SqliteConnection};

use super::{Outcome, Refusal};
use crate::demo::files::tree::{self, Node, View, right};
use crate::demo::http::{Ask, Fields};
use crate::demo::identity::Identity;
use crate::demo::{StandIn, mint};

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
        ("POST", []) => create(stand, ask, who).await,
        (method, [id]) => {
            let share = match id.parse() {
                Ok(id) => by_id(stand, id).await?.ok_or_else(wrong)?,
                Err(_) => return Err(wrong()),
            };
            let mine = share.owner == who.uid || share.initiator.as_deref() == Some(&who.uid);
            let received = share.kind == 0 && share.with.as_deref() == Some(&who.uid);
            match method {
                "GET" if mine || received => {
                    let shown = show(stand, ask, &who.uid, &share).await?;
                    Ok(json!([shown]))
                }
                "PUT" if mine => update(stand, ask, who, share).await,
                "DELETE" if mine || received => {
                    let mut tx = stand.db.write().await?;
                    sqlx::query("DELETE FROM oc_share WHERE id = ?1 OR parent = ?1")
                        .bind(share.id)
                        .execute(&mut *tx)
                        .await?;
                    tx.commit().await?;
                    Ok(json!([]))
                }
                "GET" | "PUT" | "DELETE" => Err(wrong()),
                _ => Err(Refusal::NO_METHOD),
            }
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

async fn by_id(stand: &StandIn, id: i64) -> Result<Option<Share>, sqlx::Error> {
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
    let shares: Vec<Share> = if flag("shared_with_me") {
        sqlx::query_as(
            "SELECT * FROM oc_share WHERE uid_owner <> ?1 AND (share_type = 0 AND share_with = ?1
               OR share_type = 1 AND share_with IN (SELECT gid FROM oc_group_user WHERE uid = ?1))
             ORDER BY share_type, id",
        )
        .bind(&who.uid)
        .fetch_all(&stand.db.read)
        .await?
    } else {
        sqlx::query_as(
            "SELECT * FROM oc_share WHERE (uid_owner = ?1 OR uid_initiator = ?1) AND share_type <> 2
             ORDER BY share_type, id",
        )
        .bind(&who.uid)
        .fetch_all(&stand.db.read)
        .await?
    };
    let view = View::open(&stand.db.read, &who.uid).await?;
    let only = match ask.query("path") {
        Some(path) => {
            let entry = view.entry(&stand.db.read, path.trim_matches('/')).await?;
            let entry =
                entry.ok_or(Refusal::With(404, "Wrong path, file/folder does not exist"))?;
            Some(if flag("subfiles") {
                view.children(&stand.db.read, &entry).await?.iter().map(|e| e.node.id).collect()
            } else {
                vec![entry.node.id]
            })
        }
        None => None,
    };
    let mut shown = Vec::new();
    for share in &shares {
        if only.as_ref().is_none_or(|ids| ids.contains(&share.file)) {
            shown.push(show(stand, ask, &who.uid, share).await?);
        }
    }
    Ok(shown.into())
}

/// A share as the API shows it to somebody.
async fn show(stand: &StandIn, ask: &Ask, viewer: &str, share: &Share) -> Outcome {
    let db = &stand.db.read;
    let node = tree::node_by_id(db, share.file).await?;
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
        "share_with": share.with, "mail_send": 0, "hide_download": share.hide_download,
        "attributes": null,
    });
    if let Value::Object(fields) = &mut data {
        match (share.kind, &share.with) {
            (3, _) => {
                let token = share.token.as_deref().unwrap_or_default();
                fields.insert("share_with_displayname".into(), "(Shared link)".into());
                fields.insert("password".into(), Value::Null);
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

async fn create(stand: &StandIn, ask: &mut Ask, who: &Identity) -> Outcome {
    let fields = ask.fields().await?;
    let path = fields.get("path").unwrap_or_default().trim_matches('/').to_owned();
    let view = View::open(&stand.db.read, &who.uid).await?;
    let entry = view.entry(&stand.db.read, &path).await?;
    let entry = entry.ok_or(Refusal::With(404, "Wrong path, file/folder does not exist"))?;
    if path.is_empty() || entry.rights & right::SHARE == 0 {
        return Err(Refusal::With(403, "You are not allowed to share this"));
    }
    let kind: i64 = fields.get("shareType").and_then(|text| text.parse().ok()).unwrap_or(-1);
    let with = fields.get("shareWith").filter(|with| !with.is_empty());
    recipient(stand, who, kind, with, &entry.node).await?;
    let asked = fields.get("permissions").and_then(|text| text.parse().ok());
    let permissions = permissions(kind, asked, entry.node.is_folder()) & entry.rights;
    let target = match (kind, with) {
        (0, Some(with)) => free_target(stand, with, &entry.node.name).await?,
        _ => format!("/{}", entry.node.name),
    };
    let mut tx = stand.db.write().await?;
    let id = sqlx::query(
        "INSERT INTO oc_share (share_type, share_with, uid_owner, uid_initiator, item_type,
           item_source, file_source, file_target, permissions, stime, accepted, token)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(kind)
    .bind(with)
    .bind(&entry.node.owner)
    .bind(&who.uid)
    .bind(if entry.node.is_folder() { "folder" } else { "file" })
    .bind(entry.node.id)
    .bind(target)
    .bind(permissions)
    .bind(mint::now())
    .bind(i64::from(kind == 0))
    .bind((kind == 3).then(|| mint::token(15)))
    .execute(&mut *tx)
    .await?
    .last_insert_rowid();
    apply(&mut tx, id, &fields, None).await?;
    tx.commit().await?;
    let share = by_id(stand, id).await?.ok_or(Refusal::NOT_FOUND)?;
    show(stand, ask, &who.uid, &share).await
}

/// Checks whom it is shared with.
async fn recipient(
    stand: &StandIn,
    who: &Identity,
    kind: i64,
    with: Option<&str>,
    node: &Node,
) -> Result<(), Refusal> {
    let sql = match kind {
        0 => "SELECT 1 FROM oc_users WHERE uid = ?",
        1 => "SELECT 1 FROM oc_groups WHERE gid = ?",
        3 => return Ok(()),
        _ => return Err(Refusal::With(400, "Unknown share type")),
    };
    let with = with.unwrap_or_default();
    let found: Option<(i64,)> =
        sqlx::query_as(sql).bind(with).fetch_optional(&stand.db.read).await?;
    if found.is_none() {
        return Err(Refusal::With(404, "Please specify a valid account to share with"));
    }
    if kind == 0 && (with == who.uid || with == node.owner) {
        return Err(Refusal::With(403, "Cannot share with yourself"));
    }
    let twice: Option<(i64,)> = sqlx::query_as(
        "SELECT 1 FROM oc_share WHERE file_source = ? AND share_type = ? AND share_with = ?",
    )
    .bind(node.id)
    .bind(kind)
    .bind(with)
    .fetch_optional(&stand.db.read)
    .await?;
    match twice {
        Some(_) => Err(Refusal::With(403, "Sharing failed, it is already shared with them")),
        None => Ok(()),
    }
}

fn permissions(kind: i64, asked: Option<i64>, folder: bool) -> i64 {
    let asked = asked.unwrap_or(if kind == 3 { right::READ | right::SHARE } else { right::ALL });
    let most = if folder { right::ALL } else { right::ALL & !(right::CREATE | right::DELETE) };
    (asked | right::READ) & most
}

/// A name in the recipient's root that is not taken.
async fn free_target(stand: &StandIn, uid: &str, name: &str) -> Result<String, sqlx::Error> {
    let view = View::open(&stand.db.read, uid).await?;
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    for i in 1..1000 {
        let name = if i == 1 { name.to_owned() } else { format!("{stem} ({i}){extension}") };
        if view.entry(&stand.db.read, &name).await?.is_none() {
            return Ok(format!("/{name}"));
        }
    }
    Ok(format!("/{}", mint::token(12)))
}

async fn update(stand: &StandIn, ask: &mut Ask, who: &Identity, share: Share) -> Outcome {
    let fields = ask.fields().await?;
    let node = tree::node_by_id(&stand.db.read, share.file).await?.ok_or(Refusal::NOT_FOUND)?;
    let asked = fields.get("permissions").and_then(|text| text.parse().ok());
    let rights = asked.map(|asked| permissions(share.kind, Some(asked), node.is_folder()));
    let mut tx = stand.db.write().await?;
    apply(&mut tx, share.id, &fields, rights).await?;
    tx.commit().await?;
    let share = by_id(stand, share.id).await?.ok_or(Refusal::NOT_FOUND)?;
    show(stand, ask, &who.uid, &share).await
}

/// Writes the fields that may come with a new share or change an old one.
async fn apply(
    db: &mut SqliteConnection,
    id: i64,
    fields: &Fields,
    rights: Option<i64>,
) -> Result<(), Refusal> {
    if let Some(rights) = rights {
        sqlx::query(
            "UPDATE oc_share SET permissions = ?1 WHERE id = ?2 OR parent = ?2 AND permissions > 0",
        )
        .bind(rights)
        .bind(id)
        .execute(&mut *db)
        .await?;
    }
    for (field, sql) in [
        ("note", "UPDATE oc_share SET note = ? WHERE id = ?"),
        ("label", "UPDATE oc_share SET label = ? WHERE id = ?"),
        ("hideDownload", "UPDATE oc_share SET hide_download = (? = 'true') WHERE id = ?"),
    ] {
        if let Some(value) = fields.get(field) {
            sqlx::query(sql).bind(value).bind(id).execute(&mut *db).await?;
        }
    }
    if let Some(date) = fields.get("expireDate") {
        let date = date.get(..10).unwrap_or_default();
        let digits = date.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
        if !date.is_empty() && !digits {
            return Err(Refusal::With(404, "Invalid date, date format must be YYYY-MM-DD"));
        }
        sqlx::query("UPDATE oc_share SET expiration = ? WHERE id = ?")
            .bind((!date.is_empty()).then(|| format!("{date} 00:00:00")))
            .bind(id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}
