//! REPORT on collections: queries, multigets, and sync-collection.
//!
//! A sync token that is not one of this collection's is refused with `valid-sync-token`, so that
//! clients begin anew. Time ranges are answered from the first and last occurrence, which may give
//! an event too many, never one too few.

use http::StatusCode;
use percent_encoding::percent_decode_str;
use sqlx::sqlite::SqlitePool;

use super::object::{NEVER, time};
use super::props;
use super::store::{self, Collection, Kind, Object};
use crate::demo::http::{Fault, Reply, full, multistatus};
use crate::demo::xml::{CAL, CARD, DAV, Element, Multistatus, Wanted, encode_path, escape};

const TOKEN: &str = "http://sabre.io/ns/sync/";

/// What a report is about.
pub(super) struct Report<'a> {
    pub(super) kind: Kind,
    pub(super) viewer: &'a str,
    pub(super) collection: &'a Collection,
    /// The collection's address, with a slash at its end.
    pub(super) href: &'a str,
}

impl Report<'_> {
    /// Answers it.
    pub(super) async fn answer(&self, db: &SqlitePool, body: &Element) -> Result<Reply, Fault> {
        let wanted = Wanted::of(body);
        match (self.kind, body.ns.as_str(), body.name.as_str()) {
            (_, DAV, "sync-collection") => self.sync(db, body, &wanted).await,
            (Kind::Calendar, CAL, "calendar-query") => {
                let found = self.calendar_query(db, body).await?;
                Ok(multistatus(self.list(&wanted, &found).finish("")))
            }
            (Kind::Book, CARD, "addressbook-query") => {
                let found = self.card_query(db, body).await?;
                Ok(multistatus(self.list(&wanted, &found).finish("")))
            }
            (Kind::Calendar, CAL, "calendar-multiget")
            | (Kind::Book, CARD, "addressbook-multiget") => self.multiget(db, body, &wanted).await,
            _ => Err(Fault::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no such report")),
        }
    }

    fn list(&self, wanted: &Wanted, objects: &[Object]) -> Multistatus {
        let mut out = Multistatus::new();
        objects.iter().for_each(|object| self.push(&mut out, wanted, object));
        out
    }

    fn push(&self, out: &mut Multistatus, wanted: &Wanted, object: &Object) {
        let href = format!("{}{}", self.href, encode_path(&object.uri));
        out.response(&href, wanted, &props::object_names(), |ns, local| {
            props::object(self.kind, self.viewer, self.collection, object, (ns, local))
        });
    }

    async fn sync(&self, db: &SqlitePool, body: &Element, wanted: &Wanted) -> Result<Reply, Fault> {
        let token = body.child(DAV, "sync-token").map(|t| t.text.trim()).unwrap_or_default();
        let mut out = Multistatus::new();
        if token.is_empty() {
            for object in store::objects(db, self.kind, self.collection).await? {
                self.push(&mut out, wanted, &object);
            }
        } else {
            let since = token.strip_prefix(TOKEN).and_then(|number| number.parse().ok());
            let Some(since) = since.filter(|since| (1..=self.collection.token).contains(since))
            else {
                return Ok(stale());
            };
            for (uri, operation) in store::changes(db, self.kind, self.collection, since).await? {
                match store::object(db, self.kind, self.collection, &uri).await? {
                    Some(object) if operation != 3 => self.push(&mut out, wanted, &object),
                    _ => {
                        let href = format!("{}{}", self.href, encode_path(&uri));
                        out.status(&href, "404 Not Found");
                    }
                }
            }
        }
        let tail = format!("<d:sync-token>{TOKEN}{}</d:sync-token>", self.collection.token);
        Ok(multistatus(out.finish(&tail)))
    }

    async fn multiget(
        &self,
        db: &SqlitePool,
        body: &Element,
        wanted: &Wanted,
    ) -> Result<Reply, Fault> {
        let mut out = Multistatus::new();
        for href in body.all(DAV, "href") {
            let uri = href.text.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let uri = percent_decode_str(uri).decode_utf8_lossy();
            match store::object(db, self.kind, self.collection, &uri).await? {
                Some(object) => self.push(&mut out, wanted, &object),
                None => out.status(href.text.trim(), "404 Not Found"),
            }
        }
        Ok(multistatus(out.finish("")))
    }

    async fn calendar_query(&self, db: &SqlitePool, body: &Element) -> Result<Vec<Object>, Fault> {
        let filter = body.child(CAL, "filter").and_then(|f| f.child(CAL, "comp-filter"));
        let Some(component) = filter.and_then(|f| f.child(CAL, "comp-filter")) else {
            return Ok(store::objects(db, self.kind, self.collection).await?);
        };
        let range = component.child(CAL, "time-range");
        let bound = |name| range.and_then(|range| range.attribute(name)).and_then(time);
        let (from, to) = (bound("start").unwrap_or(i64::MIN), bound("end").unwrap_or(NEVER + 1));
        let mut found = match range {
            Some(_) => store::events_between(db, self.collection, from, to).await?,
            None => store::objects(db, self.kind, self.collection).await?,
        };
        let name = component.attribute("name").unwrap_or_default();
        found.retain(|object| object.component.eq_ignore_ascii_case(name));
        let filters: Vec<&Element> = component.all(CAL, "prop-filter").collect();
        found.retain(|object| filters.iter().all(|filter| passes(object, CAL, filter)));
        Ok(found)
    }

    async fn card_query(&self, db: &SqlitePool, body: &Element) -> Result<Vec<Object>, Fault> {
        let mut found = store::objects(db, self.kind, self.collection).await?;
        if let Some(filter) = body.child(CARD, "filter") {
            let all = filter.attribute("test") == Some("allof");
            let filters: Vec<&Element> = filter.all(CARD, "prop-filter").collect();
            found.retain(|object| {
                let mut results = filters.iter().map(|filter| passes(object, CARD, filter));
                filters.is_empty() || if all { results.all(|r| r) } else { results.any(|r| r) }
            });
        }
        Ok(found)
    }
}

/// Whether some line of that name has the text.
fn passes(object: &Object, ns: &str, filter: &Element) -> bool {
    let name = filter.attribute("name").unwrap_or_default().to_uppercase();
    let text = String::from_utf8_lossy(&object.data).replace("\r\n ", "").to_lowercase();
    let mut values = text.lines().filter_map(|line| {
        let (head, value) = line.split_once(':')?;
        (head.split([';', '.']).any(|part| part.to_uppercase() == name)).then_some(value)
    });
    if filter.child(ns, "is-not-defined").is_some() {
        return values.next().is_none();
    }
    match filter.child(ns, "text-match") {
        None => values.next().is_some(),
        Some(wanted) => {
            let needle = wanted.text.trim().to_lowercase();
            let how = wanted.attribute("match-type").unwrap_or("contains");
            let hit = values.any(|value| match how {
                "equals" => value == needle,
                "starts-with" => value.starts_with(&needle),
                "ends-with" => value.ends_with(&needle),
                _ => value.contains(&needle),
            });
            hit != (wanted.attribute("negate-condition") == Some("yes"))
        }
    }
}

fn stale() -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n  \
         <s:exception>Sabre\\DAV\\Exception\\InvalidSyncToken</s:exception>\n  <s:message>{}</s:message>\n  \
         <d:valid-sync-token/>\n</d:error>\n",
        escape("Invalid or unknown sync token")
    );
    full(StatusCode::FORBIDDEN, "application/xml; charset=utf-8", body)
}
