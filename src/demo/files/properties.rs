//! Properties that clients set themselves: kept per account and path in `oc_properties`, as the
//! original does, favourites as a tag. Values are XML or plain text (`valuetype` 2 or 1).

use std::collections::HashMap;

use dav_server::fs::DavProp;
use http::StatusCode;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use super::tree::Entry;
use crate::demo::StandIn;
use crate::demo::http::Fault;
use crate::demo::xml::{DAV, Element, NC, Name, OC, escape, push_element};

/// The tag that favourites carry.
pub(super) const FAVORITE: &str = "_$!<Favorite>!$_";

/// The path under which an account's property of a file is kept.
pub(super) fn key(uid: &str, name: &str) -> String {
    format!("files/{uid}/{name}").trim_end_matches('/').to_owned()
}

/// All properties that an account set on files at or below a name, by path.
pub(super) async fn load(
    db: &SqlitePool,
    uid: &str,
    name: &str,
) -> Result<HashMap<String, Vec<(Name, String)>>, sqlx::Error> {
    let top = key(uid, name);
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT propertypath, propertyname, propertyvalue, valuetype FROM oc_properties
         WHERE userid = ?1 AND (propertypath = ?2 OR propertypath > ?3 AND propertypath < ?4)",
    )
    .bind(uid)
    .bind(&top)
    .bind(format!("{top}/"))
    .bind(format!("{top}0"))
    .fetch_all(db)
    .await?;
    let mut found: HashMap<String, Vec<(Name, String)>> = HashMap::new();
    for (path, name, value, kind) in rows {
        let (ns, local) =
            name.strip_prefix('{').and_then(|n| n.split_once('}')).unwrap_or_default();
        let value = if kind == 1 { escape(&value) } else { value };
        found.entry(path).or_default().push(((ns.to_owned(), local.to_owned()), value));
    }
    Ok(found)
}

/// Applies a PROPPATCH: all or nothing.
pub(super) async fn patch(
    stand: &StandIn,
    uid: &str,
    entry: &Entry,
    patch: Vec<(bool, DavProp)>,
) -> Result<Vec<(StatusCode, DavProp)>, Fault> {
    let mut tx = stand.db.write().await?;
    let mut results = Vec::with_capacity(patch.len());
    for (set, property) in patch {
        let ns = property.namespace.clone().unwrap_or_default();
        let status = match (ns.as_str(), property.name.as_str()) {
            (OC, "favorite") => {
                let on = set && element(&property).is_some_and(|e| e.text.trim() == "1");
                set_favorite(&mut tx, uid, entry.node.id, on).await?;
                StatusCode::OK
            }
            (DAV, "lastmodified") | (NC, "creation_time") if set => {
                let text = element(&property).map(|e| e.text.trim().to_owned()).unwrap_or_default();
                set_time(&mut tx, entry.node.id, ns == DAV, &text).await?
            }
            (DAV | OC | NC, _) => StatusCode::FORBIDDEN,
            _ => {
                write(&mut tx, uid, &entry.name, set, &property).await?;
                StatusCode::OK
            }
        };
        results.push((status, property));
    }
    if results.iter().all(|(status, _)| *status == StatusCode::OK) {
        tx.commit().await?;
    }
    Ok(results)
}

/// Sets when a file was modified, or made.
async fn set_time(
    db: &mut SqliteConnection,
    file: i64,
    modified: bool,
    text: &str,
) -> Result<StatusCode, sqlx::Error> {
    let Ok(seconds) = text.parse::<i64>() else { return Ok(StatusCode::FORBIDDEN) };
    let sql = if modified {
        "UPDATE oc_filecache SET mtime = ?1 WHERE fileid = ?2"
    } else {
        "INSERT INTO oc_filecache_extended (creation_time, fileid) VALUES (?1, ?2)
         ON CONFLICT (fileid) DO UPDATE SET creation_time = ?1"
    };
    sqlx::query(sql).bind(seconds).bind(file).execute(db).await?;
    Ok(StatusCode::OK)
}

fn element(property: &DavProp) -> Option<Element> {
    Element::parse(property.xml.as_deref()?)
}

async fn write(
    db: &mut SqliteConnection,
    uid: &str,
    name: &str,
    set: bool,
    property: &DavProp,
) -> Result<(), sqlx::Error> {
    let full =
        format!("{{{}}}{}", property.namespace.as_deref().unwrap_or_default(), property.name);
    let path = key(uid, name);
    sqlx::query(
        "DELETE FROM oc_properties WHERE userid = ? AND propertypath = ? AND propertyname = ?",
    )
    .bind(uid)
    .bind(&path)
    .bind(&full)
    .execute(&mut *db)
    .await?;
    if !set {
        return Ok(());
    }
    let element = element(property).unwrap_or_default();
    let (value, kind) =
        if element.children.is_empty() { (element.text, 1) } else { (inner_xml(&element), 2) };
    sqlx::query(
        "INSERT INTO oc_properties (userid, propertypath, propertyname, propertyvalue, valuetype)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(uid)
    .bind(&path)
    .bind(&full)
    .bind(value)
    .bind(kind)
    .execute(db)
    .await?;
    Ok(())
}

/// An element's content as XML that stands alone.
fn inner_xml(element: &Element) -> String {
    let mut out = escape(element.text.trim());
    for child in &element.children {
        push_element(&mut out, &child.ns, &child.name, &inner_xml(child));
    }
    out
}

/// Makes a file a favourite, or not.
pub(in crate::demo) async fn set_favorite(
    db: &mut SqliteConnection,
    uid: &str,
    file: i64,
    on: bool,
) -> Result<(), sqlx::Error> {
    let sql = if on {
        sqlx::query(
            "INSERT INTO oc_vcategory (uid, type, category) VALUES (?, 'files', ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(uid)
        .bind(FAVORITE)
        .execute(&mut *db)
        .await?;
        "INSERT INTO oc_vcategory_to_object (objid, categoryid, type)
         SELECT ?1, id, 'files' FROM oc_vcategory WHERE uid = ?2 AND type = 'files' AND category = ?3
         ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM oc_vcategory_to_object WHERE objid = ?1 AND type = 'files' AND categoryid IN
         (SELECT id FROM oc_vcategory WHERE uid = ?2 AND type = 'files' AND category = ?3)"
    };
    sqlx::query(sql).bind(file).bind(uid).bind(FAVORITE).execute(db).await?;
    Ok(())
}

/// Forgets the properties of what was deleted.
pub(super) async fn forget(
    db: &mut SqliteConnection,
    uid: &str,
    name: &str,
) -> Result<(), sqlx::Error> {
    let top = key(uid, name);
    sqlx::query(
        "DELETE FROM oc_properties
         WHERE userid = ? AND (propertypath = ? OR propertypath > ? AND propertypath < ?)",
    )
    .bind(uid)
    .bind(&top)
    .bind(format!("{top}/"))
    .bind(format!("{top}0"))
    .execute(db)
    .await?;
    Ok(())
}

/// Takes properties along when a file moves.
pub(super) async fn rename(
    db: &mut SqliteConnection,
    uid: &str,
    from: &str,
    to: &str,
) -> Result<(), sqlx::Error> {
    let top = key(uid, from);
    sqlx::query(
        "UPDATE oc_properties SET propertypath = ?5 || substr(propertypath, length(?2) + 1)
         WHERE userid = ?1 AND (propertypath = ?2 OR propertypath > ?3 AND propertypath < ?4)",
    )
    .bind(uid)
    .bind(&top)
    .bind(format!("{top}/"))
    .bind(format!("{top}0"))
    .bind(key(uid, to))
    .execute(db)
    .await?;
    Ok(())
}

/// Gives a copy the properties of its original.
pub(super) async fn copy(
    db: &mut SqliteConnection,
    uid: &str,
    from: &str,
    to: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oc_properties (userid, propertypath, propertyname, propertyvalue, valuetype)
         SELECT userid, ?3, propertyname, propertyvalue, valuetype FROM oc_properties
         WHERE userid = ?1 AND propertypath = ?2",
    )
    .bind(uid)
    .bind(key(uid, from))
    .bind(key(uid, to))
    .execute(db)
    .await?;
    Ok(())
}
