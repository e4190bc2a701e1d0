//! `remote.php/dav/calendars`, `addressbooks` and `principals`: groupware over DAV, own code because
//! `dav-server`'s has neither sync tokens nor sharing.
//!
//! A home shows its owner's collections and those shared with them; nobody else sees into it. Only
//! the owner shares, renames or deletes a collection; whoever it is shared with may colour it for
//! themselves, take it off, and write if they were allowed to.

mod collection;
mod itip;
mod limits;
mod object;
pub(super) mod overview;
mod principals;
mod props;
mod public;
mod report;
mod scheduling;
pub(super) mod sharing;
pub(super) mod store;
mod trash;
pub(super) mod write;

use std::sync::Arc;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use sqlx::SqliteConnection;

use self::props::Extra;
use self::report::Report;
use self::store::{Collection, Kind, Object};
use super::http::{Ask, Fault, Reply, empty, full, multistatus, set};
use super::identity::Identity;
use super::xml::{DAV, Element, Multistatus, Wanted, encode_path, name};
use super::{StandIn, files};

pub(super) use self::limits::Creations;
pub(super) use self::principals::handle as principals;
pub(super) use self::public::handle as public;

const FEATURES: &str = "1, 3, extended-mkcol, access-control, \
    calendarserver-principal-property-search, oc-resource-sharing, calendar-access, \
    oc-calendar-publishing, calendarserver-sharing, addressbook, nextcloud-checksum-update";
/// Names in a calendar home that are no calendars.
const RESERVED: [&str; 3] = ["inbox", "outbox", "trashbin"];
/// The largest object.
const MAX_OBJECT: usize = 10 << 20;

/// One request to a home.
struct Visit<'a> {
    stand: &'a Arc<StandIn>,
    who: &'a Identity,
    kind: Kind,
    /// `/remote.php/dav/calendars/alice`.
    base: String,
}

/// Answers a request below a home; `rest` is what follows `calendars/` or `addressbooks/users/`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    kind: Kind,
    rest: &str,
) -> Result<Reply, Fault> {
    let mut parts = rest.split('/').filter(|part| !part.is_empty());
    let uid = parts.next().unwrap_or_default();
    if uid != who.uid {
        return Err(Fault::NOT_FOUND);
    }
    let base = format!("/remote.php/dav/{}/{}", kind.root(), encode_path(uid));
    let visit = Visit { stand, who, kind, base };
    if ask.method() == "OPTIONS" {
        return Ok(options());
    }
    let parts: Vec<&str> = parts.collect();
    let mut reply = match parts.as_slice() {
        [] => visit.home(ask).await,
        ["trashbin", rest @ ..] if kind == Kind::Calendar => visit.trash(ask, rest).await,
        [uri] => visit.collection(ask, uri).await,
        [uri, object] => visit.object(ask, uri, object).await,
        _ => Err(Fault::NOT_FOUND),
    }?;
    if reply.status() == StatusCode::MULTI_STATUS {
        set(&mut reply, "dav", FEATURES);
    }
    Ok(reply)
}

fn options() -> Reply {
    let mut reply = empty(StatusCode::OK);
    let allow = "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, PROPPATCH, MOVE, REPORT, MKCOL, MKCALENDAR, POST";
    set(&mut reply, "allow", allow);
    set(&mut reply, "dav", FEATURES);
    reply
}

impl Visit<'_> {
    async fn collections(&self) -> Result<Vec<Collection>, Fault> {
        Ok(store::home(&self.stand.db.read, self.kind, &self.who.uid).await?)
    }

    async fn find(&self, uri: &str) -> Result<Collection, Fault> {
        let all = self.collections().await?;
        all.into_iter().find(|collection| collection.uri == uri).ok_or(Fault::NOT_FOUND)
    }

    fn href(&self, uri: &str) -> String {
        format!("{}/{}/", self.base, encode_path(uri))
    }

    // === the home ===

    async fn home(&self, ask: &mut Ask) -> Result<Reply, Fault> {
        let body = ask.read(1 << 20).await?;
        match ask.method() {
            "PROPFIND" => {}
            "GET" | "HEAD" => return Ok(full(StatusCode::OK, "text/html; charset=UTF-8", "")),
            _ => return Err(no_method()),
        }
        let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
        let uid = &self.who.uid;
        let mut out = Multistatus::new();
        let all = [name(DAV, "resourcetype"), name(DAV, "owner")];
        out.response(&format!("{}/", self.base), &wanted, &all, |ns, local| {
            props::home(uid, uid, ns, local)
        });
        if ask.header("depth") != Some("0") {
            for collection in self.collections().await? {
                self.push(&mut out, &wanted, &collection).await?;
            }
            for gone in self.gone_calendars().await? {
                self.push_gone_calendar(&mut out, &wanted, &gone);
            }
            for reserved in RESERVED.iter().filter(|_| self.kind == Kind::Calendar) {
                let kind = match *reserved {
                    "inbox" => "<d:collection/><cal:schedule-inbox/>",
                    "outbox" => "<d:collection/><cal:schedule-outbox/>",
                    _ => "<d:collection/>",
                };
                out.response(&self.href(reserved), &wanted, &all, |ns, local| match (ns, local) {
                    (DAV, "resourcetype") => Some(kind.to_owned()),
                    _ => props::home(uid, uid, ns, local),
                });
            }
        }
        Ok(multistatus(out.finish("")))
    }

    async fn push(
        &self,
        out: &mut Multistatus,
        wanted: &Wanted,
        collection: &Collection,
    ) -> Result<(), Fault> {
        let uid = &self.who.uid;
        let extra = Extra::gather(&self.stand.db.read, self.kind, uid, collection).await?;
        let mut all = props::collection_names();
        all.extend(extra.own.keys().filter(|name| name.0 != DAV).cloned());
        out.response(&self.href(&collection.uri), wanted, &all, |ns, local| {
            props::collection(self.kind, uid, collection, &extra, (ns, local))
        });
        Ok(())
    }

    // === collections ===

    async fn collection(&self, ask: &mut Ask, uri: &str) -> Result<Reply, Fault> {
        let body = ask.read(1 << 20).await?;
        if matches!(ask.method(), "MKCALENDAR" | "MKCOL") {
            return self.make(uri, &body).await;
        }
        if self.kind == Kind::Calendar && RESERVED.contains(&uri) {
            return self.reserved(ask, uri, &body);
        }
        let collection = match self.find(uri).await {
            Err(Fault::Refused(StatusCode::NOT_FOUND, _)) => {
                return self.gone_calendar(ask, uri, &body).await;
            }
            other => other?,
        };
        match ask.method() {
            "PROPFIND" => {
                let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
                let mut out = Multistatus::new();
                self.push(&mut out, &wanted, &collection).await?;
                if ask.header("depth").is_some_and(|depth| depth != "0") {
                    let db = &self.stand.db.read;
                    for object in store::objects(db, self.kind, &collection).await? {
                        self.push_object(&mut out, &wanted, &collection, &object);
                    }
                }
                Ok(multistatus(out.finish("")))
            }
            "REPORT" => {
                let root = Element::parse(&body).ok_or(Fault::BAD_REQUEST)?;
                let (kind, viewer, href) = (self.kind, self.who.uid.as_str(), self.href(uri));
                let report = Report { kind, viewer, collection: &collection, href: &href };
                report.answer(&self.stand.db.read, &root).await
            }
            "PROPPATCH" => self.patch(&collection, &body).await,
            "POST" => self.share(ask, &collection, &body).await,
            "DELETE" => self.delete(ask, &collection).await,
            "GET" | "HEAD" if ask.head.uri.query().is_some_and(|q| q.contains("export")) => {
                self.export(&collection).await
            }
            "GET" | "HEAD" => Ok(full(StatusCode::OK, "text/html; charset=UTF-8", "")),
            _ => Err(no_method()),
        }
    }

    fn reserved(&self, ask: &Ask, uri: &str, body: &[u8]) -> Result<Reply, Fault> {
        if ask.method() != "PROPFIND" {
            return Err(no_method());
        }
        let wanted = Wanted::from_body(body).ok_or(Fault::BAD_REQUEST)?;
        let mut out = Multistatus::new();
        let all = [name(DAV, "resourcetype")];
        let uid = &self.who.uid;
        out.response(&self.href(uri), &wanted, &all, |ns, local| props::home(uid, uid, ns, local));
        Ok(multistatus(out.finish("")))
    }

    // === objects ===

    fn push_object(
        &self,
        out: &mut Multistatus,
        wanted: &Wanted,
        collection: &Collection,
        object: &Object,
    ) {
        let href = format!("{}{}", self.href(&collection.uri), encode_path(&object.uri));
        out.response(&href, wanted, &props::object_names(), |ns, local| {
            props::object(self.kind, &self.who.uid, collection, object, (ns, local))
        });
    }

    async fn object(&self, ask: &mut Ask, uri: &str, name: &str) -> Result<Reply, Fault> {
        let collection = self.find(uri).await?;
        let body = ask.read(MAX_OBJECT).await?;
        let found = store::object(&self.stand.db.read, self.kind, &collection, name).await?;
        match (ask.method(), found) {
            ("PUT", old) => self.put(ask, &collection, name, &body, old.as_ref()).await,
            (_, None) => Err(Fault::NOT_FOUND),
            ("GET" | "HEAD", Some(object)) => {
                let etag = format!("\"{}\"", object.etag);
                let known = ask.header("if-none-match") == Some(etag.as_str());
                let mut reply = if known {
                    empty(StatusCode::NOT_MODIFIED)
                } else {
                    full(StatusCode::OK, "text/plain", object.data.clone())
                };
                set(&mut reply, "content-type", &props::content_type(self.kind, &object));
                set(&mut reply, "etag", &etag);
                set(&mut reply, "oc-etag", &etag);
                set(&mut reply, "last-modified", &super::mint::http_date(object.modified));
                Ok(reply)
            }
            ("PROPFIND", Some(object)) => {
                let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
                let mut out = Multistatus::new();
                self.push_object(&mut out, &wanted, &collection, &object);
                Ok(multistatus(out.finish("")))
            }
            ("DELETE", Some(object)) => {
                conditions(ask, Some(&object))?;
                let mut tx = self.writing(&collection).await?;
                let told = self.tell(ask, &mut tx, &collection, Some(&object.data), None).await?;
                if keeps_trash(ask) {
                    write::delete(&mut tx, self.kind, &collection, &object).await?;
                } else {
                    write::delete_for_good(&mut tx, self.kind, &collection, &object).await?;
                }
                tx.commit().await?;
                told.send(self.stand);
                Ok(empty(StatusCode::NO_CONTENT))
            }
            ("MOVE", Some(object)) => self.relocate(ask, &collection, &object).await,
            _ => Err(no_method()),
        }
    }

    async fn writing(
        &self,
        collection: &Collection,
    ) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, Fault> {
        if !collection.writable() {
            return Err(Fault::FORBIDDEN);
        }
        Ok(self.stand.db.write().await?)
    }

    async fn put(
        &self,
        ask: &Ask,
        collection: &Collection,
        name: &str,
        body: &[u8],
        old: Option<&Object>,
    ) -> Result<Reply, Fault> {
        conditions(ask, old)?;
        let mut tx = self.writing(collection).await?;
        let before = old.map(|old| old.data.as_slice());
        let told = self.tell(ask, &mut tx, collection, before, Some(body)).await?;
        let text = told.text.as_deref().map_or(body, str::as_bytes);
        let (etag, new) = write::put(&mut tx, self.kind, collection, name, text).await?;
        tx.commit().await?;
        let mut reply = empty(if new { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
        // What is stored is what was sent, or the client is to look again.
        if told.text.is_none() {
            let etag = format!("\"{etag}\"");
            set(&mut reply, "etag", &etag);
            set(&mut reply, "oc-etag", &etag);
        }
        told.send(self.stand);
        Ok(reply)
    }

    /// Tells others of a change of an event, unless the client does not want it.
    async fn tell(
        &self,
        ask: &Ask,
        db: &mut SqliteConnection,
        collection: &Collection,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<scheduling::Outcome, Fault> {
        if self.kind == Kind::Book || !scheduling::wanted(ask) {
            return Ok(scheduling::Outcome::default());
        }
        let change = scheduling::Change { collection, by: &self.who.uid, old, new };
        scheduling::tell(self.stand, db, &change).await
    }

    async fn relocate(
        &self,
        ask: &Ask,
        from: &Collection,
        object: &Object,
    ) -> Result<Reply, Fault> {
        let to = ask.header("destination").and_then(files::path_of).ok_or(Fault::BAD_REQUEST)?;
        let inside = files::name_below(&to, &self.base).map_err(|_| Fault::FORBIDDEN)?;
        let (uri, name) = inside.split_once('/').ok_or(Fault::FORBIDDEN)?;
        let name = percent_decode_str(name).decode_utf8_lossy();
        let conflict = Fault::Refused(StatusCode::CONFLICT, "there is no such collection");
        let target = self.find(uri).await.map_err(|_| conflict)?;
        let old = store::object(&self.stand.db.read, self.kind, &target, &name).await?;
        if old.is_some() && ask.header("overwrite") == Some("F") {
            return Err(Fault::Refused(StatusCode::PRECONDITION_FAILED, "it exists already"));
        }
        if !from.writable() {
            return Err(Fault::FORBIDDEN);
        }
        let mut tx = self.writing(&target).await?;
        if let Some(old) = &old {
            write::delete(&mut tx, self.kind, &target, old).await?;
        }
        write::relocate(&mut tx, self.kind, from, object, &target, &name).await?;
        tx.commit().await?;
        Ok(empty(if old.is_some() { StatusCode::NO_CONTENT } else { StatusCode::CREATED }))
    }
}

/// Whether what is deleted goes to the trash bin.
fn keeps_trash(ask: &Ask) -> bool {
    ask.header("x-nc-caldav-no-trashbin") != Some("1")
}

fn no_method() -> Fault {
    Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "not for this resource")
}

/// `If-Match` and `If-None-Match` of a writer.
fn conditions(ask: &Ask, old: Option<&Object>) -> Result<(), Fault> {
    let failed = Err(Fault::Refused(StatusCode::PRECONDITION_FAILED, "it has changed"));
    let lists = |list: &str| {
        old.is_some_and(|old| {
            list.split(',')
                .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_matches('"') == old.etag)
        })
    };
    match (ask.header("if-match"), ask.header("if-none-match")) {
        (Some(list), _) if !lists(list) => failed,
        (_, Some(list)) if lists(list) => failed,
        _ => Ok(()),
    }
}
