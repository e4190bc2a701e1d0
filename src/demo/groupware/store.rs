//! Calendars and address books in the database, and the two kinds as one: collections of objects,
//! with a token that grows by one for every change and a row that says which.
//!
//! A collection is in its owner's home and, as `URI_shared_by_OWNER`, in the homes of those it is
//! shared with. Objects that their owner calls private are not shown to anybody else.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _, SqliteConnection, SqliteExecutor};

use super::object;
use crate::demo::http::Fault;
use crate::demo::mint;
use http::StatusCode;

/// The two kinds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::demo) enum Kind {
    Calendar,
    Book,
}

/// What an account may do in a collection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::demo) enum Access {
    Own,
    Write,
    Read,
}

/// A collection as one account sees it.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Collection {
    pub(super) id: i64,
    /// The owner's uid.
    pub(super) owner: String,
    pub(super) owner_display: String,
    /// Its name in the viewer's home.
    pub(super) uri: String,
    pub(super) display: String,
    pub(super) token: i64,
    pub(super) description: Option<String>,
    pub(super) color: Option<String>,
    pub(super) order: i64,
    pub(super) timezone: Option<String>,
    pub(super) components: String,
    pub(super) transparent: bool,
    pub(super) access: Access,
}

/// An object of a collection.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) id: i64,
    pub(super) uri: String,
    pub(super) data: Vec<u8>,
    pub(super) etag: String,
    pub(super) modified: i64,
    pub(super) component: String,
}

impl Kind {
    /// Where homes are, below `/remote.php/dav`.
    pub(super) fn root(self) -> &'static str {
        match self {
            Self::Calendar => "calendars",
            Self::Book => "addressbooks/users",
        }
    }

    /// `oc_dav_shares.type`.
    pub(super) fn share_type(self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::Book => "addressbook",
        }
    }
}

/// A statement for one of the kinds: tables and columns are put in from constants.
pub(super) fn sql(kind: Kind, template: &'static str) -> AssertSqlSafe<String> {
    let words = match kind {
        Kind::Calendar => [
            "oc_calendars",
            "oc_calendarobjects",
            "oc_calendarchanges",
            "calendarid",
            "calendardata",
        ],
        Kind::Book => {
            ["oc_addressbooks", "oc_cards", "oc_addressbookchanges", "addressbookid", "carddata"]
        }
    };
    let marks = ["{collections}", "{objects}", "{changes}", "{parent}", "{data}"];
    let filled = marks
        .iter()
        .zip(words)
        .fold(template.to_owned(), |text, (mark, word)| text.replace(mark, word));
    AssertSqlSafe(filled)
}

const CALENDARS: &str =
    "SELECT c.id, c.principaluri, c.uri, c.displayname, c.synctoken, c.description,
    c.calendarcolor, c.calendarorder, c.timezone, c.components, c.transparent,
    (SELECT coalesce(u.displayname, u.uid) FROM oc_users u
      WHERE c.principaluri = 'principals/users/' || u.uid) AS owner_display";
const BOOKS: &str = "SELECT c.id, c.principaluri, c.uri, c.displayname, c.synctoken, c.description,
    NULL AS calendarcolor, 0 AS calendarorder, NULL AS timezone, '' AS components, 0 AS transparent,
    (SELECT coalesce(u.displayname, u.uid) FROM oc_users u
      WHERE c.principaluri = 'principals/users/' || u.uid) AS owner_display";

/// All collections in an account's home.
pub(super) async fn home(
    db: &sqlx::sqlite::SqlitePool,
    kind: Kind,
    uid: &str,
) -> Result<Vec<Collection>, sqlx::Error> {
    let (columns, alive) = match kind {
        Kind::Calendar => (CALENDARS, "c.deleted_at IS NULL"),
        Kind::Book => (BOOKS, "1"),
    };
    let own = format!(
        "{columns}, 1 AS access FROM {} c WHERE c.principaluri = 'principals/users/' || ?1 AND {alive}
         ORDER BY c.id",
        match kind {
            Kind::Calendar => "oc_calendars",
            Kind::Book => "oc_addressbooks",
        }
    );
    let mut all: Vec<Collection> =
        sqlx::query_as(AssertSqlSafe(own)).bind(uid).fetch_all(db).await?;
    let shared = format!(
        "{columns}, min(s.access) AS access FROM {} c JOIN oc_dav_shares s ON s.resourceid = c.id
         WHERE s.type = '{}' AND s.access IN (2, 3) AND {alive}
           AND (s.principaluri = 'principals/users/' || ?1 OR s.principaluri IN
             (SELECT 'principals/groups/' || gid FROM oc_group_user WHERE uid = ?1))
           AND c.principaluri <> 'principals/users/' || ?1
           AND NOT EXISTS (SELECT 1 FROM oc_dav_shares x WHERE x.type = s.type AND x.access = 5
             AND x.resourceid = c.id AND x.principaluri = 'principals/users/' || ?1)
         GROUP BY c.id ORDER BY c.id",
        match kind {
            Kind::Calendar => "oc_calendars",
            Kind::Book => "oc_addressbooks",
        },
        kind.share_type(),
    );
    let mut received: Vec<Collection> =
        sqlx::query_as(AssertSqlSafe(shared)).bind(uid).fetch_all(db).await?;
    for collection in &mut received {
        collection.uri = format!("{}_shared_by_{}", collection.uri, collection.owner);
        collection.display = format!("{} ({})", collection.display, collection.owner_display);
    }
    all.append(&mut received);
    Ok(all)
}

impl<'r> FromRow<'r, SqliteRow> for Collection {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        let principal: String = row.try_get("principaluri")?;
        let owner = principal.rsplit('/').next().unwrap_or_default().to_owned();
        let uri: String = row.try_get("uri")?;
        Ok(Self {
            id: row.try_get("id")?,
            owner_display: row
                .try_get::<Option<String>, _>("owner_display")?
                .unwrap_or_else(|| owner.clone()),
            owner,
            display: row
                .try_get::<Option<String>, _>("displayname")?
                .unwrap_or_else(|| uri.clone()),
            uri,
            token: row.try_get("synctoken")?,
            description: row.try_get("description")?,
            color: row.try_get("calendarcolor")?,
            order: row.try_get("calendarorder")?,
            timezone: row.try_get("timezone")?,
            components: row.try_get::<Option<String>, _>("components")?.unwrap_or_default(),
            transparent: row.try_get::<i64, _>("transparent")? != 0,
            access: match row.try_get::<i64, _>("access")? {
                1 => Access::Own,
                2 => Access::Write,
                _ => Access::Read,
            },
        })
    }
}

impl<'r> FromRow<'r, SqliteRow> for Object {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            uri: row.try_get("uri")?,
            data: row.try_get::<Option<Vec<u8>>, _>("data")?.unwrap_or_default(),
            etag: row.try_get::<Option<String>, _>("etag")?.unwrap_or_default(),
            modified: row.try_get::<Option<i64>, _>("lastmodified")?.unwrap_or(0),
            component: row.try_get::<Option<String>, _>("component")?.unwrap_or_default(),
        })
    }
}

impl Collection {
    /// Whether the generated birthday calendar, which only the instance writes.
    fn generated(&self) -> bool {
        self.uri == "contact_birthdays"
    }

    /// Whether the viewer may change objects.
    pub(super) fn writable(&self) -> bool {
        self.access != Access::Read && !self.generated()
    }
}

const OBJECTS: &str = "SELECT o.id, o.uri, CAST(o.{data} AS BLOB) AS data, o.etag, o.lastmodified,";

/// The objects of a collection that the viewer may see; `more` restricts them.
async fn select<'e>(
    db: impl SqliteExecutor<'e>,
    kind: Kind,
    collection: &Collection,
    more: &'static str,
    bound: &[String],
) -> Result<Vec<Object>, sqlx::Error> {
    let rest = match kind {
        Kind::Calendar if collection.access == Access::Own => {
            "o.componenttype AS component FROM oc_calendarobjects o WHERE o.calendarid = ?1
             AND o.calendartype = 0 AND o.deleted_at IS NULL"
        }
        Kind::Calendar => {
            "o.componenttype AS component FROM oc_calendarobjects o WHERE o.calendarid = ?1
             AND o.calendartype = 0 AND o.deleted_at IS NULL AND o.classification <> 1"
        }
        Kind::Book => "'' AS component FROM oc_cards o WHERE o.addressbookid = ?1",
    };
    let AssertSqlSafe(head) = sql(kind, OBJECTS);
    let text = format!("{head} {rest} {more} ORDER BY o.uri");
    let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(collection.id);
    for value in bound {
        query = query.bind(value);
    }
    query.fetch_all(db).await
}

/// All objects.
pub(super) async fn objects<'e>(
    db: impl SqliteExecutor<'e>,
    kind: Kind,
    collection: &Collection,
) -> Result<Vec<Object>, sqlx::Error> {
    select(db, kind, collection, "", &[]).await
}

/// One object.
pub(super) async fn object<'e>(
    db: impl SqliteExecutor<'e>,
    kind: Kind,
    collection: &Collection,
    uri: &str,
) -> Result<Option<Object>, sqlx::Error> {
    let found = select(db, kind, collection, "AND o.uri = ?2", &[uri.to_owned()]).await?;
    Ok(found.into_iter().next())
}

/// The events that touch a span of time.
pub(super) async fn events_between<'e>(
    db: impl SqliteExecutor<'e>,
    collection: &Collection,
    from: i64,
    to: i64,
) -> Result<Vec<Object>, sqlx::Error> {
    let span =
        "AND o.lastoccurence >= CAST(?2 AS INTEGER) AND o.firstoccurence < CAST(?3 AS INTEGER)";
    let bound = [from.to_string(), to.to_string()];
    select(db, Kind::Calendar, collection, span, &bound).await
}

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
    let twin: Option<(i64,)> = sqlx::query_as(sql(
        kind,
        "SELECT id FROM {objects} WHERE {parent} = ? AND uid = ? AND uid <> '' AND uri <> ?",
    ))
    .bind(collection)
    .bind(uid)
    .bind(uri)
    .fetch_optional(db)
    .await?;
    match twin {
        Some(_) => Err(Fault::Refused(
            StatusCode::BAD_REQUEST,
            "an object with this uid already exists in this collection",
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

/// Deletes an object.
pub(super) async fn delete(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: &Collection,
    object: &Object,
) -> Result<(), Fault> {
    let properties = match kind {
        Kind::Calendar => {
            "DELETE FROM oc_calendarobjects_props WHERE objectid = ? AND calendartype = 0"
        }
        Kind::Book => "DELETE FROM oc_cards_properties WHERE cardid = ?",
    };
    sqlx::query(properties).bind(object.id).execute(&mut *db).await?;
    sqlx::query(sql(kind, "DELETE FROM {objects} WHERE id = ?"))
        .bind(object.id)
        .execute(&mut *db)
        .await?;
    note(db, kind, collection.id, &object.uri, 3).await?;
    if kind == Kind::Book {
        Box::pin(follow_birthday(db, collection, &object.uri, None)).await?;
    }
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
    let uid: Option<(Option<String>,)> =
        sqlx::query_as(sql(kind, "SELECT uid FROM {objects} WHERE id = ?"))
            .bind(object.id)
            .fetch_optional(&mut *db)
            .await?;
    if from.id != to.id {
        let uid = uid.and_then(|(uid,)| uid).unwrap_or_default();
        refuse_twin(db, kind, to.id, &uid, uri).await?;
    }
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
    let old = object(&mut *db, Kind::Calendar, &calendar, &uri).await?;
    match (event, old) {
        (Some(event), _) => {
            put(db, Kind::Calendar, &calendar, &uri, event.as_bytes()).await?;
        }
        (None, Some(old)) => delete(db, Kind::Calendar, &calendar, &old).await?,
        (None, None) => {}
    }
    Ok(())
}

/// An account's own collection, within a transaction.
pub(in crate::demo) async fn own(
    db: &mut SqliteConnection,
    kind: Kind,
    uid: &str,
    uri: &str,
) -> Result<Option<Collection>, sqlx::Error> {
    let text = match kind {
        Kind::Calendar => format!("{CALENDARS}, 1 AS access FROM oc_calendars c"),
        Kind::Book => format!("{BOOKS}, 1 AS access FROM oc_addressbooks c"),
    };
    let text = format!("{text} WHERE c.principaluri = 'principals/users/' || ? AND c.uri = ?");
    sqlx::query_as(AssertSqlSafe(text)).bind(uid).bind(uri).fetch_optional(db).await
}

/// What changed since a token: the last operation for each name.
pub(super) async fn changes(
    db: &sqlx::sqlite::SqlitePool,
    kind: Kind,
    collection: &Collection,
    since: i64,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(sql(
        kind,
        "SELECT uri, operation FROM {changes} h WHERE {parent} = ?1 AND synctoken >= ?2
         AND id = (SELECT max(id) FROM {changes} x WHERE x.{parent} = ?1 AND x.uri = h.uri)
         ORDER BY uri",
    ))
    .bind(collection.id)
    .bind(since)
    .fetch_all(db)
    .await
}

/// A new collection.
#[derive(Clone, Debug, Default)]
pub(in crate::demo) struct New<'a> {
    pub(in crate::demo) owner: &'a str,
    pub(in crate::demo) uri: &'a str,
    pub(in crate::demo) display: &'a str,
    pub(in crate::demo) color: Option<&'a str>,
    pub(in crate::demo) components: &'a str,
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
                   components) VALUES (?, ?, ?, 1, ?, ?)",
        )
        .bind(principal)
        .bind(new.display)
        .bind(new.uri)
        .bind(new.color)
        .bind(new.components)
        .execute(db)
        .await?,
        Kind::Book => {
            sqlx::query(
                "INSERT INTO oc_addressbooks (principaluri, displayname, uri, synctoken)
                 VALUES (?, ?, ?, 1)",
            )
            .bind(principal)
            .bind(new.display)
            .bind(new.uri)
            .execute(db)
            .await?
        }
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
