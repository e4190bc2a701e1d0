//! Changes to shares: making, changing, ending them, and what ending one does to those made by its
//! recipients. Only a share by mail sends one.

use serde_json::json;
use sqlx::SqliteConnection;

use super::shares::{Share, by_id, show};
use super::{Outcome, Refusal};
use crate::demo::files::passing;
use crate::demo::files::tree::{self, Node, View, right};
use crate::demo::http::{Ask, Fields};
use crate::demo::identity::{self, Identity};
use crate::demo::mail::Mail;
use crate::demo::{StandIn, mint};

/// POST: a new share.
pub(super) async fn create(stand: &StandIn, ask: &mut Ask, who: &Identity) -> Outcome {
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
    let new = New { kind, with, by: &who.uid, target, permissions };
    let mut tx = stand.db.write().await?;
    let id = insert(&mut tx, &entry.node, &new).await?;
    apply(&mut tx, id, &fields, None).await?;
    tx.commit().await?;
    let share = by_id(stand, id).await?.ok_or(Refusal::NOT_FOUND)?;
    if let (4, Some(with)) = (kind, &share.with) {
        stand.mails.send(Mail {
            method: "SHARE".to_owned(),
            from: who.uid.clone(),
            to: with.clone(),
            uid: share.id.to_string(),
            summary: entry.node.name.clone(),
        });
    }
    show(stand, ask, &who.uid, &share).await
}

/// A new share.
pub(in crate::demo) struct New<'a> {
    pub(in crate::demo) kind: i64,
    pub(in crate::demo) with: Option<&'a str>,
    pub(in crate::demo) by: &'a str,
    /// Where the recipient has it.
    pub(in crate::demo) target: String,
    pub(in crate::demo) permissions: i64,
}

/// Writes the rows of a share; one with a group has a row for each member, too.
pub(in crate::demo) async fn insert(
    db: &mut SqliteConnection,
    node: &Node,
    new: &New<'_>,
) -> Result<i64, sqlx::Error> {
    let id = sqlx::query(
        "INSERT INTO oc_share (share_type, share_with, uid_owner, uid_initiator, item_type,
           item_source, file_source, file_target, permissions, stime, accepted, token)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(new.kind)
    .bind(new.with)
    .bind(&node.owner)
    .bind(new.by)
    .bind(if node.is_folder() { "folder" } else { "file" })
    .bind(node.id)
    .bind(&new.target)
    .bind(new.permissions)
    .bind(mint::now())
    .bind(i64::from(new.kind == 0))
    .bind(matches!(new.kind, 3 | 4).then(|| mint::token(15)))
    .execute(&mut *db)
    .await?
    .last_insert_rowid();
    if new.kind == 1 {
        sqlx::query(
            "INSERT INTO oc_share (share_type, share_with, uid_owner, uid_initiator, parent, item_type,
               item_source, file_source, file_target, permissions, stime, accepted)
             SELECT 2, g.uid, s.uid_owner, s.uid_initiator, s.id, s.item_type, s.item_source,
               s.file_source, s.file_target, s.permissions, s.stime, 1
             FROM oc_share s JOIN oc_group_user g ON g.gid = s.share_with WHERE s.id = ?",
        )
        .bind(id)
        .execute(db)
        .await?;
    }
    Ok(id)
}

/// Ends a share. Whoever passed the file on and cannot reach it any more is replaced.
pub(super) async fn delete(stand: &StandIn, share: &Share) -> Outcome {
    let node = tree::node_by_id(&stand.db.read, share.file).await?;
    let had: Vec<(String,)> = sqlx::query_as(
        "SELECT share_with FROM oc_share WHERE id = ?1 AND share_type = 0
         UNION SELECT uid FROM oc_group_user WHERE gid = ?2 AND ?3",
    )
    .bind(share.id)
    .bind(&share.with)
    .bind(share.kind == 1)
    .fetch_all(&stand.db.read)
    .await?;
    let mut tx = stand.db.write().await?;
    sqlx::query("DELETE FROM oc_share WHERE id = ?1 OR parent = ?1")
        .bind(share.id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    let Some(node) = node else { return Ok(json!([])) };
    let sharer = share.initiator.as_deref().unwrap_or(&share.owner);
    let mut lost = Vec::new();
    for (uid,) in had {
        if uid != sharer && !tree::can_reach(&stand.db.read, &uid, &node).await? {
            lost.push(uid);
        }
    }
    let view = View::open(&stand.db.read, sharer).await?;
    let mut tx = stand.db.write().await?;
    passing::promote(&mut tx, &node, &lost, &view).await?;
    tx.commit().await?;
    Ok(json!([]))
}

/// A recipient takes a share off.
pub(super) async fn leave(stand: &StandIn, share: &Share, uid: &str) -> Outcome {
    let mut tx = stand.db.write().await?;
    let sql = match share.kind {
        1 => "UPDATE oc_share SET permissions = 0 WHERE parent = ? AND share_with = ?",
        _ => "DELETE FROM oc_share WHERE id = ? AND share_with = ?",
    };
    sqlx::query(sql).bind(share.id).bind(uid).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(json!([]))
}

/// A recipient takes a share of a group on again.
pub(super) async fn restore(stand: &StandIn, id: &str, uid: &str) -> Outcome {
    let gone = Refusal::With(404, "Share not found");
    let id: i64 = id.strip_prefix("ocinternal:").and_then(|id| id.parse().ok()).ok_or(gone)?;
    let mut tx = stand.db.write().await?;
    let restored = sqlx::query(
        "UPDATE oc_share SET permissions = (SELECT permissions FROM oc_share WHERE id = ?1)
         WHERE parent = ?1 AND share_type = 2 AND share_with = ?2 AND permissions = 0",
    )
    .bind(id)
    .bind(uid)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    match restored.rows_affected() {
        0 => Err(Refusal::With(404, "No deleted share found")),
        _ => Ok(json!([])),
    }
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
        4 if with.is_some_and(|with| with.contains('@')) => return Ok(()),
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
    let asked = asked.unwrap_or(if kind >= 3 { right::READ | right::SHARE } else { right::ALL });
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

/// PUT: changes a share.
pub(super) async fn update(
    stand: &StandIn,
    ask: &mut Ask,
    who: &Identity,
    share: Share,
) -> Outcome {
    let fields = ask.fields().await?;
    if fields.get("token").is_some() {
        return Err(Refusal::With(
            403,
            "Custom share link tokens have been disabled by the administrator",
        ));
    }
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
    if let Some(password) = fields.get("password") {
        sqlx::query("UPDATE oc_share SET password = ? WHERE id = ? AND share_type IN (3, 4)")
            .bind((!password.is_empty()).then(|| identity::password_hash(password)))
            .bind(id)
            .execute(&mut *db)
            .await?;
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
