//! Changes to collections and their objects. Every one of an object takes the collection's token and
//! adds one to it, in the caller's transaction, so that no client can miss it.
//!
//! A UID is in a collection once, as the original's unique keys demand; a text that is no calendar
//! object or card is refused before anything is written.

use http::StatusCode;
use sqlx::SqliteConnection;

use super::object;
use super::store::{Collection, Kind, Object, own, sql};
use crate::demo::http::Fault;
use crate::demo::mint;

/// Writes that a collection has changed: 1 added, 2 modified, 3 deleted.
async fn note(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: i64,
    uri: &str,
    operation: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(sql(
        kind,
        "INSERT INTO {changes} (uri, synctoken, {parent}, operation, created_at)
         SELECT ?1, synctoken, id, ?2, ?3 FROM {collections} WHERE id = ?4",
    ))
    .bind(uri)
    .bind(operation)
    .bind(mint::now())
    .bind(collection)
    .execute(&mut *db)
    .await?;
    sqlx::query(sql(kind, "UPDATE {collections} SET synctoken = synctoken + 1 WHERE id = ?"))
        .bind(collection)
        .execute(db)
        .await?;
    Ok(())
}

/// Stores an object; gives its etag and whether it is new.
pub(in crate::demo) async fn put(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: &Collection,
    uri: &str,
    data: &[u8],
) -> Result<(String, bool), Fault> {
    let wrong = Fault::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this is no valid object");
    let old: Option<(i64,)> =
        sqlx::query_as(sql(kind, "SELECT id FROM {objects} WHERE {parent} = ? AND uri = ?"))
            .bind(collection.id)
            .bind(uri)
            .fetch_optional(&mut *db)
            .await?;
    let etag = mint::md5_hex(data);
    let id = match kind {
        Kind::Calendar => {
            let event = object::event(data).ok_or(wrong)?;
            refuse_twin(db, kind, collection.id, &event.uid, uri).await?;
            put_event(db, collection.id, uri, data, &etag, &event, old).await?
        }
        Kind::Book => {
            let card = object::card(data).ok_or(wrong)?;
            refuse_twin(db, kind, collection.id, &card.uid, uri).await?;
            put_card(db, collection.id, uri, data, &etag, &card, old).await?
        }
    };
    debug_assert!(id > 0);
    note(db, kind, collection.id, uri, if old.is_some() { 2 } else { 1 }).await?;
    if kind == Kind::Book {
        Box::pin(follow_birthday(db, collection, uri, Some(data))).await?;
    }
    Ok((etag, old.is_none()))
}

/// A collection holds a UID once.
async fn refuse_twin(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: i64,
    uid: &str,
    uri: &str,
) -> Result<(), Fault> {
    // One in the trash bin is no twin: there the unique key refuses, as in the original, with 500.
    let query = match kind {
        Kind::Calendar => {
            "SELECT id FROM {objects} WHERE {parent} = ? AND uid = ? AND uid <> '' AND uri <> ?
             AND deleted_at IS NULL"
        }
        Kind::Book => {
            "SELECT id FROM {objects} WHERE {parent} = ? AND uid = ? AND uid <> '' AND uri <> ?"
        }
    };
    let twin: Option<(i64,)> = sqlx::query_as(sql(kind, query))
        .bind(collection)
        .bind(uid)
        .bind(uri)
        .fetch_optional(db)
        .await?;
    match twin {
        Some(_) => Err(Fault::Refused(
            StatusCode::BAD_REQUEST,
            match kind {
                Kind::Calendar => {
                    "Calendar object with uid already exists in this calendar collection."
                }
                Kind::Book => {
                    "VCard object with uid already exists in this addressbook collection."
                }
            },
        )),
        None => Ok(()),
    }
}

async fn put_event(
    db: &mut SqliteConnection,
    calendar: i64,
    uri: &str,
    data: &[u8],
    etag: &str,
    event: &object::Event,
    old: Option<(i64,)>,
) -> Result<i64, sqlx::Error> {
    let row: (i64,) = sqlx::query_as(
        "INSERT INTO oc_calendarobjects (id, calendardata, uri, calendarid, lastmodified, etag, size,
           componenttype, firstoccurence, lastoccurence, uid, classification, calendartype)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0)
         ON CONFLICT (id) DO UPDATE SET calendardata = ?2, lastmodified = ?5, etag = ?6, size = ?7,
           componenttype = ?8, firstoccurence = ?9, lastoccurence = ?10, uid = ?11,
           classification = ?12, deleted_at = NULL
         RETURNING id",
    )
    .bind(old.map(|(id,)| id))
    .bind(data)
    .bind(uri)
    .bind(calendar)
    .bind(mint::now())
    .bind(etag)
    .bind(i64::try_from(data.len()).unwrap_or(i64::MAX))
    .bind(&event.component)
    .bind(event.first)
    .bind(event.last)
    .bind(&event.uid)
    .bind(event.class)
    .fetch_one(&mut *db)
    .await?;
    sqlx::query("DELETE FROM oc_calendarobjects_props WHERE objectid = ? AND calendartype = 0")
        .bind(row.0)
        .execute(&mut *db)
        .await?;
    for (name, parameter, value) in &event.properties {
        sqlx::query(
            "INSERT INTO oc_calendarobjects_props (calendarid, objectid, name, parameter, value)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(calendar)
        .bind(row.0)
        .bind(name)
        .bind(parameter)
        .bind(value)
        .execute(&mut *db)
        .await?;
    }
    Ok(row.0)
}

async fn put_card(
    db: &mut SqliteConnection,
    book: i64,
    uri: &str,
    data: &[u8],
    etag: &str,
    card: &object::Card,
    old: Option<(i64,)>,
) -> Result<i64, sqlx::Error> {
    let row: (i64,) = sqlx::query_as(
        "INSERT INTO oc_cards (id, addressbookid, carddata, uri, lastmodified, etag, size, uid)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET carddata = ?3, lastmodified = ?5, etag = ?6, size = ?7, uid = ?8
         RETURNING id",
    )
    .bind(old.map(|(id,)| id))
    .bind(book)
    .bind(data)
    .bind(uri)
    .bind(mint::now())
    .bind(etag)
    .bind(i64::try_from(data.len()).unwrap_or(i64::MAX))
    .bind(&card.uid)
    .fetch_one(&mut *db)
    .await?;
    sqlx::query("DELETE FROM oc_cards_properties WHERE cardid = ?")
        .bind(row.0)
        .execute(&mut *db)
        .await?;
    for (name, value) in &card.properties {
        sqlx::query(
            "INSERT INTO oc_cards_properties (addressbookid, cardid, name, value, preferred)
             VALUES (?, ?, ?, ?, 0)",
        )
        .bind(book)
        .bind(row.0)
        .bind(name)
        .bind(value)
        .execute(&mut *db)
        .await?;
    }
    Ok(row.0)
}

/// Deletes an object: an event goes to the trash bin, under a name that makes room for another.
pub(super) async fn delete(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: &Collection,
    object: &Object,
) -> Result<(), Fault> {
    if kind == Kind::Book || collection.generated() {
        return delete_for_good(db, kind, collection, object).await;
    }
    let (stem, extension) = match object.uri.rsplit_once('.') {
        Some((stem, extension)) if !extension.is_empty() => (stem, format!(".{extension}")),
        _ => (object.uri.as_str(), String::new()),
    };
    let uri = format!("{stem}-deleted{extension}");
    let taken: Option<(i64,)> =
        sqlx::query_as("SELECT id FROM oc_calendarobjects WHERE calendarid = ? AND uri = ?")
            .bind(collection.id)
            .bind(&uri)
            .fetch_optional(&mut *db)
            .await?;
    if taken.is_some() {
        let message = "the object can't be moved into the trash bin, one of its name is there";
        return Err(Fault::Refused(StatusCode::FORBIDDEN, message));
    }
    sqlx::query("UPDATE oc_calendarobjects SET deleted_at = ?, uri = ? WHERE id = ?")
        .bind(mint::now())
        .bind(uri)
        .bind(object.id)
        .execute(&mut *db)
        .await?;
    Ok(note(db, kind, collection.id, &object.uri, 3).await?)
}

/// Takes an event out of the trash bin.
pub(super) async fn restore(
    db: &mut SqliteConnection,
    collection: &Collection,
    object: &Object,
) -> Result<(), Fault> {
    let uri = object.uri.replace("-deleted.ics", ".ics");
    let taken: Option<(i64,)> =
        sqlx::query_as("SELECT id FROM oc_calendarobjects WHERE calendarid = ? AND uri = ?")
            .bind(collection.id)
            .bind(&uri)
            .fetch_optional(&mut *db)
            .await?;
    if taken.is_some_and(|(id,)| id != object.id) {
        let message = "Can not restore, an object with that name exists already";
        return Err(Fault::Refused(StatusCode::FORBIDDEN, message));
    }
    sqlx::query("UPDATE oc_calendarobjects SET deleted_at = NULL, uri = ? WHERE id = ?")
        .bind(&uri)
        .bind(object.id)
        .execute(&mut *db)
        .await?;
    Ok(note(db, Kind::Calendar, collection.id, &uri, 1).await?)
}

/// Deletes an object past the trash bin.
pub(super) async fn delete_for_good(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: &Collection,
    object: &Object,
) -> Result<(), Fault> {
    purge(db, kind, object.id).await?;
    note(db, kind, collection.id, &object.uri, 3).await?;
    if kind == Kind::Book {
        Box::pin(follow_birthday(db, collection, &object.uri, None)).await?;
    }
    Ok(())
}

/// Removes an object's rows; its collection's history is the caller's.
pub(super) async fn purge(
    db: &mut SqliteConnection,
    kind: Kind,
    object: i64,
) -> Result<(), sqlx::Error> {
    let properties = match kind {
        Kind::Calendar => {
            "DELETE FROM oc_calendarobjects_props WHERE objectid = ? AND calendartype = 0"
        }
        Kind::Book => "DELETE FROM oc_cards_properties WHERE cardid = ?",
    };
    sqlx::query(properties).bind(object).execute(&mut *db).await?;
    sqlx::query(sql(kind, "DELETE FROM {objects} WHERE id = ?")).bind(object).execute(db).await?;
    Ok(())
}

/// Moves an object to another collection: row, etag and reminders stay, both sides note it.
pub(super) async fn relocate(
    db: &mut SqliteConnection,
    kind: Kind,
    from: &Collection,
    object: &Object,
    to: &Collection,
    uri: &str,
) -> Result<(), Fault> {
    // The original relies on the unique keys here, too: a calendar that has the UID refuses with 500.
    sqlx::query(sql(kind, "UPDATE {objects} SET {parent} = ?, uri = ? WHERE id = ?"))
        .bind(to.id)
        .bind(uri)
        .bind(object.id)
        .execute(&mut *db)
        .await?;
    let follow: &[&'static str] = match kind {
        Kind::Calendar => &[
            "UPDATE oc_calendarobjects_props SET calendarid = ? WHERE objectid = ?",
            "UPDATE oc_calendar_reminders SET calendar_id = ? WHERE object_id = ?",
        ],
        Kind::Book => &["UPDATE oc_cards_properties SET addressbookid = ? WHERE cardid = ?"],
    };
    for statement in follow {
        sqlx::query(*statement).bind(to.id).bind(object.id).execute(&mut *db).await?;
    }
    note(db, kind, from.id, &object.uri, 3).await?;
    Ok(note(db, kind, to.id, uri, 1).await?)
}

/// The owner's birthday calendar follows the cards of own books.
async fn follow_birthday(
    db: &mut SqliteConnection,
    book: &Collection,
    card: &str,
    data: Option<&[u8]>,
) -> Result<(), Fault> {
    let calendar = own(db, Kind::Calendar, &book.owner, "contact_birthdays").await?;
    let Some(calendar) = calendar else { return Ok(()) };
    let name: Option<(String,)> = sqlx::query_as("SELECT uri FROM oc_addressbooks WHERE id = ?")
        .bind(book.id)
        .fetch_optional(&mut *db)
        .await?;
    let uri = format!("{}-{card}.ics", name.map(|(uri,)| uri).unwrap_or_default());
    let event = data.and_then(object::card).and_then(|card| object::birthday(&card));
    let old = super::store::object(&mut *db, Kind::Calendar, &calendar, &uri).await?;
    match (event, old) {
        (Some(event), _) => {
            put(db, Kind::Calendar, &calendar, &uri, event.as_bytes()).await?;
        }
        (None, Some(old)) => delete(db, Kind::Calendar, &calendar, &old).await?,
        (None, None) => {}
    }
    Ok(())
}

/// A new collection.
#[derive(Clone, Debug, Default)]
pub(in crate::demo) struct New<'a> {
    pub(in crate::demo) owner: &'a str,
    pub(in crate::demo) uri: &'a str,
    pub(in crate::demo) display: &'a str,
    pub(in crate::demo) color: Option<&'a str>,
    pub(in crate::demo) components: &'a str,
    pub(in crate::demo) order: i64,
    pub(in crate::demo) description: Option<&'a str>,
}

/// Makes a collection; gives its id.
pub(in crate::demo) async fn create(
    db: &mut SqliteConnection,
    kind: Kind,
    new: &New<'_>,
) -> Result<i64, sqlx::Error> {
    let principal = format!("principals/users/{}", new.owner);
    let done = match kind {
        Kind::Calendar => sqlx::query(
            "INSERT INTO oc_calendars (principaluri, displayname, uri, synctoken, calendarcolor,
               components, calendarorder, description) VALUES (?, ?, ?, 1, ?, ?, ?, ?)",
        )
        .bind(principal)
        .bind(new.display)
        .bind(new.uri)
        .bind(new.color)
        .bind(new.components)
        .bind(new.order)
        .bind(new.description)
        .execute(db)
        .await?,
        Kind::Book => sqlx::query(
            "INSERT INTO oc_addressbooks (principaluri, displayname, uri, synctoken, description)
                 VALUES (?, ?, ?, 1, ?)",
        )
        .bind(principal)
        .bind(new.display)
        .bind(new.uri)
        .bind(new.description)
        .execute(db)
        .await?,
    };
    Ok(done.last_insert_rowid())
}

/// Deletes a collection with all that belongs to it.
pub(super) async fn drop_collection(
    db: &mut SqliteConnection,
    kind: Kind,
    id: i64,
) -> Result<(), sqlx::Error> {
    let properties = match kind {
        Kind::Calendar => "DELETE FROM oc_calendarobjects_props WHERE calendarid = ?",
        Kind::Book => "DELETE FROM oc_cards_properties WHERE addressbookid = ?",
    };
    sqlx::query(properties).bind(id).execute(&mut *db).await?;
    for statement in [
        "DELETE FROM {objects} WHERE {parent} = ?",
        "DELETE FROM {changes} WHERE {parent} = ?",
        "DELETE FROM {collections} WHERE id = ?",
    ] {
        sqlx::query(sql(kind, statement)).bind(id).execute(&mut *db).await?;
    }
    sqlx::query("DELETE FROM oc_dav_shares WHERE type = ? AND resourceid = ?")
        .bind(kind.share_type())
        .bind(id)
        .execute(db)
        .await?;
    Ok(())
}
