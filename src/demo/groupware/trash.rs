//! The calendars' trash bin: deleted objects, listed by REPORT and restored or purged one by one, and
//! deleted calendars, which stay in the home under another type.
//!
//! A deleted object keeps its row, etag and UID: until it is purged, a new object with that UID
//! cannot come into the same calendar, in the original as here.

use http::StatusCode;

use super::props;
use super::store::{self, Kind, Object, sql};
use super::{Visit, no_method, write};
use crate::demo::files;
use crate::demo::http::{Ask, Fault, Reply, empty, full, multistatus, set};
use crate::demo::mint;
use crate::demo::xml::{CAL, DAV, Element, Multistatus, NC_COM, Wanted, escape, name};

/// How long things stay, in seconds.
const RETENTION: &str = "2592000";

/// A deleted object: since when, in which calendar.
struct Gone {
    object: Object,
    since: i64,
    calendar: String,
}

impl Visit<'_> {
    /// What is below `trashbin/`.
    pub(super) async fn trash(&self, ask: &mut Ask, rest: &[&str]) -> Result<Reply, Fault> {
        let body = ask.read(1 << 20).await?;
        match (ask.method(), rest) {
            ("PROPFIND", [] | ["restore" | "objects"]) => self.trash_folders(ask, rest, &body),
            ("REPORT", ["objects"]) => {
                let root = Element::parse(&body).ok_or(Fault::BAD_REQUEST)?;
                let mut out = Multistatus::new();
                for gone in self.gone(None).await? {
                    self.push_gone(&mut out, &Wanted::of(&root), &gone);
                }
                Ok(multistatus(out.finish("")))
            }
            (method, ["objects", file]) => {
                let id = file.strip_suffix(".ics").and_then(|id| id.parse().ok());
                let id = id.ok_or(Fault::NOT_FOUND)?;
                let gone = self.gone(Some(id)).await?.pop().ok_or(Fault::NOT_FOUND)?;
                self.with_gone(ask, method, &gone, &body).await
            }
            _ => Err(no_method()),
        }
    }

    fn trash_folders(&self, ask: &Ask, rest: &[&str], body: &[u8]) -> Result<Reply, Fault> {
        let deep = ask.header("depth") != Some("0");
        if deep && rest == ["objects"] {
            // As the original: these are listed by REPORT alone.
            return Err(Fault::Refused(StatusCode::NOT_IMPLEMENTED, ""));
        }
        let wanted = Wanted::from_body(body).ok_or(Fault::BAD_REQUEST)?;
        let uid = &self.who.uid;
        let all = [name(DAV, "resourcetype")];
        let mut out = Multistatus::new();
        let whole = "<d:collection/><x1:trash-bin xmlns:x1=\"http://nextcloud.com/ns\"/>";
        let mut push = |path: &str, kind: &str| {
            out.response(&self.href(path), &wanted, &all, |ns, local| match (ns, local) {
                (DAV, "resourcetype") => Some(kind.to_owned()),
                (NC_COM, "trash-bin-retention-duration") if path == "trashbin" => {
                    Some(RETENTION.to_owned())
                }
                _ => props::home(uid, uid, ns, local),
            });
        };
        match rest {
            [folder] => push(&format!("trashbin/{folder}"), "<d:collection/>"),
            _ => {
                push("trashbin", whole);
                if deep {
                    push("trashbin/restore", "<d:collection/>");
                    push("trashbin/objects", "<d:collection/>");
                }
            }
        }
        Ok(multistatus(out.finish("")))
    }

    async fn gone(&self, only: Option<i64>) -> Result<Vec<Gone>, sqlx::Error> {
        use sqlx::{FromRow as _, Row as _};
        let rows = sqlx::query(
            "SELECT o.id, o.uri, CAST(o.calendardata AS BLOB) AS data, o.etag, o.lastmodified,
               o.componenttype AS component, o.deleted_at AS since, c.uri AS calendar
             FROM oc_calendarobjects o JOIN oc_calendars c ON c.id = o.calendarid
             WHERE c.principaluri = 'principals/users/' || ?1 AND o.calendartype = 0
               AND o.deleted_at IS NOT NULL AND c.deleted_at IS NULL AND (?2 IS NULL OR o.id = ?2)
             ORDER BY o.id",
        )
        .bind(&self.who.uid)
        .bind(only)
        .fetch_all(&self.stand.db.read)
        .await?;
        let read = |row| {
            let object = Object::from_row(row)?;
            Ok(Gone { object, since: row.try_get("since")?, calendar: row.try_get("calendar")? })
        };
        rows.iter().map(read).collect()
    }

    fn push_gone(&self, out: &mut Multistatus, wanted: &Wanted, gone: &Gone) {
        let href = format!("{}/trashbin/objects/{}.ics", self.base, gone.object.id);
        let uid = &self.who.uid;
        out.response(&href, wanted, &props::object_names(), |ns, local| match (ns, local) {
            (NC_COM, "deleted-at") => Some(atom(gone.since)),
            (NC_COM, "calendar-uri" | "source-calendar-uri") => Some(escape(&gone.calendar)),
            (NC_COM, "calendar-owner-principal-uri") => {
                Some(format!("principals/users/{}", escape(uid)))
            }
            (DAV, "getetag") => Some(format!("&quot;{}&quot;", gone.object.etag)),
            (DAV, "getcontenttype") => Some(props::content_type(Kind::Calendar, &gone.object)),
            (DAV, "getcontentlength") => Some(gone.object.data.len().to_string()),
            (DAV, "getlastmodified") => Some(mint::http_date(gone.object.modified)),
            (DAV, "resourcetype") => Some(String::new()),
            (CAL, "calendar-data") => Some(props::text(&gone.object)),
            _ => props::common(uid, ns, local),
        });
    }

    async fn with_gone(
        &self,
        ask: &Ask,
        method: &str,
        gone: &Gone,
        body: &[u8],
    ) -> Result<Reply, Fault> {
        match method {
            "GET" | "HEAD" => {
                let mut reply = full(StatusCode::OK, "text/calendar", gone.object.data.clone());
                set(&mut reply, "etag", &format!("\"{}\"", gone.object.etag));
                Ok(reply)
            }
            "PROPFIND" => {
                let wanted = Wanted::from_body(body).ok_or(Fault::BAD_REQUEST)?;
                let mut out = Multistatus::new();
                self.push_gone(&mut out, &wanted, gone);
                Ok(multistatus(out.finish("")))
            }
            "DELETE" => {
                let mut tx = self.stand.db.write().await?;
                write::purge(&mut tx, Kind::Calendar, gone.object.id).await?;
                tx.commit().await?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            "MOVE" => {
                self.to_restore(ask)?;
                let mut tx = self.stand.db.write().await?;
                let home = store::own(&mut tx, Kind::Calendar, &self.who.uid, &gone.calendar);
                let collection = home.await?.ok_or(Fault::NOT_FOUND)?;
                write::restore(&mut tx, &collection, &gone.object).await?;
                tx.commit().await?;
                Ok(empty(StatusCode::CREATED))
            }
            _ => Err(no_method()),
        }
    }

    /// Things are restored by a MOVE into one place.
    fn to_restore(&self, ask: &Ask) -> Result<(), Fault> {
        let to = ask.header("destination").and_then(files::path_of).ok_or(Fault::BAD_REQUEST)?;
        let inside = files::name_below(&to, &self.base).map_err(|_| Fault::FORBIDDEN)?;
        if inside.starts_with("trashbin/restore/") { Ok(()) } else { Err(Fault::FORBIDDEN) }
    }

    // === deleted calendars ===

    /// The deleted calendars of the home: id, uri, name, since when.
    pub(super) async fn gone_calendars(
        &self,
    ) -> Result<Vec<(i64, String, Option<String>, i64)>, sqlx::Error> {
        if self.kind == Kind::Book {
            return Ok(Vec::new());
        }
        sqlx::query_as(
            "SELECT id, uri, displayname, deleted_at FROM oc_calendars
             WHERE principaluri = 'principals/users/' || ? AND deleted_at IS NOT NULL ORDER BY id",
        )
        .bind(&self.who.uid)
        .fetch_all(&self.stand.db.read)
        .await
    }

    /// Shows a deleted calendar.
    pub(super) fn push_gone_calendar(
        &self,
        out: &mut Multistatus,
        wanted: &Wanted,
        (_, uri, display, since): &(i64, String, Option<String>, i64),
    ) {
        let uid = &self.who.uid;
        let all = [name(DAV, "resourcetype")];
        out.response(&self.href(uri), wanted, &all, |ns, local| match (ns, local) {
            (DAV, "resourcetype") => Some(
                "<d:collection/><x1:deleted-calendar xmlns:x1=\"http://nextcloud.com/ns\"/>".into(),
            ),
            (DAV, "displayname") => Some(escape(display.as_deref().unwrap_or(uri))),
            (NC_COM, "deleted-at") => Some(atom(*since)),
            (NC_COM, "calendar-uri") => Some(escape(uri)),
            _ => props::home(uid, uid, ns, local),
        });
    }

    /// A request for a calendar that was deleted.
    pub(super) async fn gone_calendar(
        &self,
        ask: &Ask,
        uri: &str,
        body: &[u8],
    ) -> Result<Reply, Fault> {
        let all = self.gone_calendars().await?;
        let gone = all.iter().find(|gone| gone.1 == uri).ok_or(Fault::NOT_FOUND)?;
        match ask.method() {
            "PROPFIND" => {
                let wanted = Wanted::from_body(body).ok_or(Fault::BAD_REQUEST)?;
                let mut out = Multistatus::new();
                self.push_gone_calendar(&mut out, &wanted, gone);
                Ok(multistatus(out.finish("")))
            }
            "DELETE" => {
                let mut tx = self.stand.db.write().await?;
                write::drop_collection(&mut tx, self.kind, gone.0).await?;
                tx.commit().await?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            "MOVE" => {
                self.to_restore(ask)?;
                let mut tx = self.stand.db.write().await?;
                sqlx::query(sql(
                    self.kind,
                    "UPDATE {collections} SET deleted_at = NULL WHERE id = ?",
                ))
                .bind(gone.0)
                .execute(&mut *tx)
                .await?;
                tx.commit().await?;
                Ok(empty(StatusCode::CREATED))
            }
            _ => Err(no_method()),
        }
    }
}

/// A time as Atom writes it.
fn atom(seconds: i64) -> String {
    mint::iso_date(seconds)
}
