//! Calendars and address books in the database, and the two kinds as one: collections of objects,
//! with a token that grows by one for every change and a row that says which.
//!
//! A collection is in its owner's home and, as `URI_shared_by_OWNER`, in the homes of those it is
//! shared with. Objects that their owner calls private are not shown to anybody else, of confidential
//! ones only when they are.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _, SqliteConnection, SqliteExecutor};

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
    pub(super) fn generated(&self) -> bool {
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
    let mut found: Vec<Object> = query.fetch_all(db).await?;
    if kind == Kind::Calendar && collection.access != Access::Own {
        for object in &mut found {
            let text = String::from_utf8_lossy(&object.data);
            if text.lines().any(|line| line == "CLASS:CONFIDENTIAL") {
                object.data = super::object::masked(&text).into_bytes();
            }
        }
    }
    Ok(found)
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
