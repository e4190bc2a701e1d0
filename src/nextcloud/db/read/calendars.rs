//! Calendars of an account, what is in them, and who else sees them.

use serde::{Deserialize, Serialize};

use super::accounts::escaped;
use crate::nextcloud::db::pool::{Arg, Cells};
use crate::nextcloud::db::{Database, Error, text};

/// The calendar that Nextcloud makes from birthdays of contacts.
pub(in crate::nextcloud::db) const BIRTHDAYS: &str = "contact_birthdays";

/// A calendar that an account owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Its row.
    pub id: i64,
    /// Its name in addresses.
    pub uri: String,
    /// What people see.
    pub name: String,
    /// `#00679e`.
    pub color: Option<String>,
    /// The number in its sync token.
    pub sync_token: i64,
    /// Events, tasks and notes that are there.
    pub objects: u64,
    /// Those in the bin.
    pub deleted_objects: u64,
    /// True if the calendar itself is in the bin.
    pub deleted: bool,
    /// True if Nextcloud makes it by itself (birthdays), so it cannot be handed over.
    pub generated: bool,
    /// Who sees it.
    pub shares: Vec<DavShare>,
    /// The token of its public link.
    pub link: Option<String>,
}

/// To whom a calendar or an address book is shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DavShare {
    /// `principals/users/bob`, `principals/groups/board`, …
    pub principal: String,
    /// Whether they may write.
    pub writable: bool,
    /// True if they took it out of their list.
    pub declined: bool,
}

/// Future events of a calendar that have an organiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meetings {
    /// Organised by the account itself: its guests get their news from it.
    pub organised: u64,
    /// Organised by others.
    pub invited: u64,
}

const COLUMNS: [&str; 8] =
    ["id", "uri", "displayname", "color", "synctoken", "deleted_at", "objects", "deleted"];

// === impl Database ===

impl Database {
    /// The calendars that an account owns, those in the bin included.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn calendars(&self, uid: &str) -> Result<Vec<Calendar>, Error> {
        let inner = format!("{} WHERE c.principaluri = ?", select());
        let rows = self.rows(&COLUMNS, &inner, vec![text(principal(uid))]).await?;
        let mut calendars = Vec::new();
        for cells in &rows {
            calendars.push(self.calendar_of(cells).await?);
        }
        calendars.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(calendars)
    }

    /// Events from `after` (seconds since 1970) on that have an organiser. Repeated ones count
    /// once; those without an end have one in 2038.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn meetings(&self, uid: &str, calendar: i64, after: i64) -> Result<Meetings, Error> {
        let email = self.account(uid).await?.email.unwrap_or_default().to_lowercase();
        let inner = "SELECT COUNT(*) AS meetings, \
             COALESCE(SUM(CASE WHEN LOWER(p.value) = ? THEN 1 ELSE 0 END), 0) AS own \
             FROM *PREFIX*calendarobjects o JOIN *PREFIX*calendarobjects_props p ON p.objectid = o.id \
             WHERE o.calendarid = ? AND o.calendartype = 0 AND o.deleted_at IS NULL AND o.lastoccurence >= ? \
             AND p.name = 'ORGANIZER' AND p.calendartype = 0 AND p.parameter IS NULL";
        let args = vec![text(format!("mailto:{email}")), Arg::Int(calendar), Arg::Int(after)];
        let Some(cells) = self.row(&["meetings", "own"], inner, args).await? else {
            return Ok(Meetings::default());
        };
        let organised = cells.count(1)?;
        Ok(Meetings { organised, invited: cells.count(0)?.saturating_sub(organised) })
    }

    async fn calendar_of(&self, cells: &Cells) -> Result<Calendar, Error> {
        let id = cells.int(0)?;
        let (shares, link) = self.dav_shares("calendar", id).await?;
        let uri = cells.text(1);
        Ok(Calendar {
            id,
            name: cells.optional(2).filter(|name| !name.is_empty()).unwrap_or(&uri).to_owned(),
            color: cells.optional(3).map(str::to_owned),
            sync_token: cells.int(4)?,
            deleted: cells.optional(5).is_some(),
            objects: cells.count(6)?,
            deleted_objects: cells.count(7)?,
            generated: uri == BIRTHDAYS,
            shares,
            link,
            uri,
        })
    }

    /// Shares of a calendar or an address book, and the token of its public link.
    pub(in crate::nextcloud::db) async fn dav_shares(
        &self,
        kind: &str,
        id: i64,
    ) -> Result<(Vec<DavShare>, Option<String>), Error> {
        let names = ["principaluri", "access", "publicuri"];
        let inner = "SELECT principaluri, access, publicuri FROM *PREFIX*dav_shares WHERE type = ? AND resourceid = ?";
        let (mut shares, mut link) = (Vec::new(), None);
        for cells in self.rows(&names, inner, vec![text(kind), Arg::Int(id)]).await? {
            match cells.int(1)? {
                4 => link = cells.optional(2).map(str::to_owned),
                access => shares.push(DavShare {
                    principal: cells.text(0),
                    writable: access == 2,
                    declined: access == 5,
                }),
            }
        }
        shares.sort_by(|a, b| a.principal.cmp(&b.principal));
        Ok((shares, link))
    }

    /// Rows of `oc_properties` for what sharees see of a collection: `(id, account, path)`.
    pub(in crate::nextcloud::db) async fn sharee_properties(
        &self,
        root: &str,
        name: &str,
    ) -> Result<Vec<(i64, String, String)>, Error> {
        let like = format!("{}%/{}", escaped(root), escaped(name));
        let inner = "SELECT id, userid, propertypath FROM *PREFIX*properties WHERE propertypath LIKE ? ESCAPE '!'";
        let mut found = Vec::new();
        for cells in self.rows(&["id", "userid", "propertypath"], inner, vec![text(like)]).await? {
            let (user, path) = (cells.text(1), cells.text(2));
            // LIKE knows no case on SQLite, and `%` goes over slashes.
            if path == format!("{root}{user}/{name}") {
                found.push((cells.int(0)?, user, path));
            }
        }
        found.sort();
        Ok(found)
    }
}

/// How collections name the account that they belong to.
pub(in crate::nextcloud::db) fn principal(uid: &str) -> String {
    format!("principals/users/{uid}")
}

fn select() -> String {
    let objects = |condition: &str| {
        format!(
            "(SELECT COUNT(*) FROM *PREFIX*calendarobjects o \
             WHERE o.calendarid = c.id AND o.calendartype = 0 AND o.deleted_at {condition})"
        )
    };
    format!(
        "SELECT c.id AS id, c.uri AS uri, c.displayname AS displayname, c.calendarcolor AS color, \
         c.synctoken AS synctoken, c.deleted_at AS deleted_at, {} AS objects, {} AS deleted \
         FROM *PREFIX*calendars c",
        objects("IS NULL"),
        objects("IS NOT NULL"),
    )
}
