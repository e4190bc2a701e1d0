//! What is done to whole collections: making, deleting, sharing, naming, exporting.
//!
//! Only the owner changes a collection; whoever received one changes what they alone see of it.

use http::StatusCode;
use sqlx::SqliteConnection;

use super::store::{self, Access, Collection, Kind};
use super::write::New;
use super::{RESERVED, Visit, keeps_trash, object, props, sharing, write};
use crate::demo::http::{Ask, Fault, Reply, empty, full, multistatus};
use crate::demo::mint;
use crate::demo::xml::{APPLE, CAL, CARD, DAV, Element, Multistatus, Name};

impl Visit<'_> {
    /// MKCALENDAR and MKCOL.
    pub(super) async fn make(&self, uri: &str, body: &[u8]) -> Result<Reply, Fault> {
        let root = if body.is_empty() {
            Element::default()
        } else {
            Element::parse(body).ok_or(Fault::BAD_REQUEST)?
        };
        let prop = root.child(DAV, "set").and_then(|set| set.child(DAV, "prop"));
        let text = |ns, local| {
            let found = prop.and_then(|prop| prop.child(ns, local));
            found.map(|found| found.text.trim()).filter(|text| !text.is_empty())
        };
        if uri.len() > 255 || RESERVED.contains(&uri) || uri.contains("_shared_by_") {
            return Err(Fault::FORBIDDEN);
        }
        let gone = self.gone_calendars().await?;
        if self.find(uri).await.is_ok() || gone.iter().any(|gone| gone.1 == uri) {
            return Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "it exists already"));
        }
        let set = prop.and_then(|prop| prop.child(CAL, "supported-calendar-component-set"));
        let components: Vec<&str> = set
            .map(|set| set.all(CAL, "comp").filter_map(|comp| comp.attribute("name")).collect())
            .unwrap_or_default();
        let components = match components.join(",") {
            none if none.is_empty() => "VEVENT,VTODO,VJOURNAL".to_owned(),
            some => some,
        };
        self.check_limits().await?;
        let description =
            text(CAL, "calendar-description").or(text(CARD, "addressbook-description"));
        let new = New {
            owner: &self.who.uid,
            uri,
            display: text(DAV, "displayname").unwrap_or(uri),
            color: text(APPLE, "calendar-color"),
            components: &components,
            order: text(APPLE, "calendar-order").and_then(|text| text.parse().ok()).unwrap_or(0),
            description,
        };
        let mut tx = self.stand.db.write().await?;
        write::create(&mut tx, self.kind, &new).await?;
        tx.commit().await?;
        Ok(empty(StatusCode::CREATED))
    }

    /// The owner deletes a collection, calendars into the trash bin; others take it off.
    pub(super) async fn delete(&self, ask: &Ask, collection: &Collection) -> Result<Reply, Fault> {
        let mut tx = self.stand.db.write().await?;
        match collection.access {
            Access::Own
                if keeps_trash(ask) && self.kind == Kind::Calendar && !collection.generated() =>
            {
                sqlx::query("UPDATE oc_calendars SET deleted_at = ? WHERE id = ?")
                    .bind(mint::now())
                    .bind(collection.id)
                    .execute(&mut *tx)
                    .await?;
            }
            Access::Own => write::drop_collection(&mut tx, self.kind, collection.id).await?,
            _ => sharing::take_off(&mut tx, self.kind, collection.id, &self.who.uid).await?,
        }
        sqlx::query("DELETE FROM oc_properties WHERE userid = ? AND propertypath = ?")
            .bind(&self.who.uid)
            .bind(props::path(self.kind, &self.who.uid, &collection.uri))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// POST: sharing and publishing.
    pub(super) async fn share(
        &self,
        ask: &Ask,
        collection: &Collection,
        body: &[u8],
    ) -> Result<Reply, Fault> {
        let kind = ask.header("content-type").unwrap_or_default();
        if !["application/xml", "text/xml"].iter().any(|xml| kind.starts_with(xml)) {
            let message =
                "There was no plugin in the system that was willing to handle this POST method.";
            return Err(Fault::Refused(StatusCode::NOT_IMPLEMENTED, message));
        }
        if collection.access != Access::Own {
            return Err(Fault::FORBIDDEN);
        }
        let root = Element::parse(body).ok_or(Fault::BAD_REQUEST)?;
        let mut tx = self.stand.db.write().await?;
        sharing::apply(&mut tx, self.kind, collection, &root).await?;
        tx.commit().await?;
        let published = root.name.ends_with("publish-calendar");
        Ok(empty(if published { StatusCode::ACCEPTED } else { StatusCode::OK }))
    }

    /// PROPPATCH: all or nothing.
    pub(super) async fn patch(&self, collection: &Collection, body: &[u8]) -> Result<Reply, Fault> {
        let root = Element::parse(body).ok_or(Fault::BAD_REQUEST)?;
        if !root.is(DAV, "propertyupdate") {
            return Err(Fault::BAD_REQUEST);
        }
        let (mut done, mut refused): (Vec<Name>, Vec<Name>) = (Vec::new(), Vec::new());
        let mut tx = self.stand.db.write().await?;
        for action in &root.children {
            let keep = action.name == "set";
            for property in action.child(DAV, "prop").iter().flat_map(|prop| &prop.children) {
                let fine = self.patch_one(&mut tx, collection, property, keep).await?;
                let name = (property.ns.clone(), property.name.clone());
                if fine { done.push(name) } else { refused.push(name) }
            }
        }
        if refused.is_empty() {
            tx.commit().await?;
        }
        let mut out = Multistatus::new();
        out.patched(&self.href(&collection.uri), &done, &refused);
        Ok(multistatus(out.finish("")))
    }

    /// The owner changes the row, others what they alone see.
    async fn patch_one(
        &self,
        db: &mut SqliteConnection,
        collection: &Collection,
        property: &Element,
        keep: bool,
    ) -> Result<bool, Fault> {
        let (ns, local) = (property.ns.as_str(), property.name.as_str());
        let column = match (self.kind, ns, local) {
            (_, DAV, "displayname") => "UPDATE {collections} SET displayname = ? WHERE id = ?",
            (_, CAL, "calendar-description") | (_, CARD, "addressbook-description") => {
                "UPDATE {collections} SET description = ? WHERE id = ?"
            }
            (Kind::Calendar, APPLE, "calendar-color") => {
                "UPDATE {collections} SET calendarcolor = ? WHERE id = ?"
            }
            (Kind::Calendar, APPLE, "calendar-order") => {
                "UPDATE {collections} SET calendarorder = CAST(? AS INTEGER) WHERE id = ?"
            }
            (Kind::Calendar, CAL, "calendar-timezone") => {
                "UPDATE {collections} SET timezone = ? WHERE id = ?"
            }
            (_, DAV, _) => return Ok(false),
            _ => "",
        };
        let value = keep.then(|| property.text.trim().to_owned());
        if collection.access == Access::Own && !column.is_empty() {
            sqlx::query(store::sql(self.kind, column))
                .bind(value.unwrap_or_default())
                .bind(collection.id)
                .execute(db)
                .await?;
            return Ok(true);
        }
        let path = props::path(self.kind, &self.who.uid, &collection.uri);
        let full = format!("{{{ns}}}{local}");
        sqlx::query(
            "DELETE FROM oc_properties WHERE userid = ? AND propertypath = ? AND propertyname = ?",
        )
        .bind(&self.who.uid)
        .bind(&path)
        .bind(&full)
        .execute(&mut *db)
        .await?;
        if let Some(value) = value {
            sqlx::query(
                "INSERT INTO oc_properties (userid, propertypath, propertyname, propertyvalue)
                 VALUES (?, ?, ?, ?)",
            )
            .bind(&self.who.uid)
            .bind(&path)
            .bind(&full)
            .bind(value)
            .execute(db)
            .await?;
        }
        Ok(true)
    }

    /// The whole collection as one file.
    pub(super) async fn export(&self, collection: &Collection) -> Result<Reply, Fault> {
        let objects = store::objects(&self.stand.db.read, self.kind, collection).await?;
        let texts = objects.iter().map(|object| String::from_utf8_lossy(&object.data));
        let (kind, body) = match self.kind {
            Kind::Calendar => {
                let inner: String = texts.map(|text| object::inner(&text)).collect();
                let head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Passeur//Stand-in//EN\r\n";
                ("text/calendar", format!("{head}{inner}END:VCALENDAR\r\n"))
            }
            Kind::Book => ("text/directory", texts.map(|text| format!("{text}\r\n")).collect()),
        };
        Ok(full(StatusCode::OK, kind, body))
    }
}
