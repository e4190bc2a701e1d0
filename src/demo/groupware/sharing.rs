//! Who a collection is shared with: rows of `oc_dav_shares` (2 read-write, 3 read, 4 public link, 5
//! taken off by its recipient), changed by a POST of the owner.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use super::store::{Collection, Kind};
use crate::demo::http::Fault;
use crate::demo::mint;
use crate::demo::xml::{CS, DAV, Element, OC, escape};

/// `oc:invite`: the people and groups, with their access. As in Nextcloud, the row of a public link
/// shows, too: as its publisher, who may write.
pub(super) async fn invite(
    db: &SqlitePool,
    kind: Kind,
    collection: i64,
) -> Result<String, sqlx::Error> {
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
        "SELECT s.principaluri, s.access, (SELECT coalesce(u.displayname, u.uid) FROM oc_users u
           WHERE s.principaluri = 'principals/users/' || u.uid)
         FROM oc_dav_shares s WHERE s.type = ? AND s.resourceid = ? AND s.access IN (2, 3, 4)
         ORDER BY s.principaluri",
    )
    .bind(kind.share_type())
    .bind(collection)
    .fetch_all(db)
    .await?;
    let user = |(principal, access, display): &(String, i64, Option<String>)| {
        let name = display.as_deref().or_else(|| principal.rsplit('/').next()).unwrap_or_default();
        let access = if *access == 3 { "read" } else { "read-write" };
        format!(
            "<oc:user><d:href>principal:{}</d:href><oc:common-name>{}</oc:common-name>\
             <oc:invite-accepted/><oc:access><oc:{access}/></oc:access></oc:user>",
            escape(principal),
            escape(name)
        )
    };
    Ok(rows.iter().map(user).collect())
}

/// The public address of a calendar, if it has one.
pub(super) async fn public_uri(
    db: &SqlitePool,
    collection: i64,
) -> Result<Option<String>, sqlx::Error> {
    let found: Option<(String,)> = sqlx::query_as(
        "SELECT publicuri FROM oc_dav_shares
         WHERE type = 'calendar' AND resourceid = ? AND access = 4",
    )
    .bind(collection)
    .fetch_optional(db)
    .await?;
    Ok(found.map(|(uri,)| uri))
}

/// Applies a POST to a collection.
pub(super) async fn apply(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: &Collection,
    body: &Element,
) -> Result<(), Fault> {
    if body.is(CS, "publish-calendar") && kind == Kind::Calendar {
        return Ok(publish(db, collection).await?);
    }
    if body.is(CS, "unpublish-calendar") && kind == Kind::Calendar {
        sqlx::query(
            "DELETE FROM oc_dav_shares WHERE type = 'calendar' AND resourceid = ? AND access = 4",
        )
        .bind(collection.id)
        .execute(db)
        .await?;
        return Ok(());
    }
    if body.name != "share" || ![OC, CS].contains(&body.ns.as_str()) {
        return Err(Fault::BAD_REQUEST);
    }
    for change in &body.children {
        let href = change.child(DAV, "href").map(|href| href.text.trim()).unwrap_or_default();
        let principal = href.strip_prefix("principal:").unwrap_or(href);
        if !known(db, principal).await?
            || principal == format!("principals/users/{}", collection.owner)
        {
            continue;
        }
        let write = change.children.iter().any(|child| child.name == "read-write");
        let access = (change.name == "set").then_some(if write { 2 } else { 3 });
        set(db, kind, collection.id, principal, access).await?;
    }
    Ok(())
}

async fn publish(db: &mut SqliteConnection, collection: &Collection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oc_dav_shares (principaluri, type, access, resourceid, publicuri)
         SELECT ?1, 'calendar', 4, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM oc_dav_shares
           WHERE type = 'calendar' AND resourceid = ?2 AND access = 4)",
    )
    .bind(format!("principals/users/{}", collection.owner))
    .bind(collection.id)
    .bind(mint::token(16))
    .execute(db)
    .await?;
    Ok(())
}

async fn known(db: &mut SqliteConnection, principal: &str) -> Result<bool, sqlx::Error> {
    let found: Option<(i64,)> = sqlx::query_as(
        "SELECT 1 FROM oc_users WHERE ?1 = 'principals/users/' || uid
         UNION SELECT 1 FROM oc_groups WHERE ?1 = 'principals/groups/' || gid",
    )
    .bind(principal)
    .fetch_optional(db)
    .await?;
    Ok(found.is_some())
}

/// Gives somebody access, or none.
pub(in crate::demo) async fn set(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: i64,
    principal: &str,
    access: Option<i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM oc_dav_shares
         WHERE type = ? AND resourceid = ? AND principaluri = ? AND access <> 4",
    )
    .bind(kind.share_type())
    .bind(collection)
    .bind(principal)
    .execute(&mut *db)
    .await?;
    if let Some(access) = access {
        sqlx::query(
            "INSERT INTO oc_dav_shares (principaluri, type, access, resourceid) VALUES (?, ?, ?, ?)",
        )
        .bind(principal)
        .bind(kind.share_type())
        .bind(access)
        .bind(collection)
        .execute(db)
        .await?;
    }
    Ok(())
}

/// Takes a received collection off; a group's share stays for its other members.
pub(super) async fn take_off(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: i64,
    uid: &str,
) -> Result<(), sqlx::Error> {
    let principal = format!("principals/users/{uid}");
    let group: Option<(i64,)> = sqlx::query_as(
        "SELECT 1 FROM oc_dav_shares WHERE type = ? AND resourceid = ? AND principaluri IN
         (SELECT 'principals/groups/' || gid FROM oc_group_user WHERE uid = ?)",
    )
    .bind(kind.share_type())
    .bind(collection)
    .bind(uid)
    .fetch_optional(&mut *db)
    .await?;
    set(db, kind, collection, &principal, group.map(|_| 5)).await
}
