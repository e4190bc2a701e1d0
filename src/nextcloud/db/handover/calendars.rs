//! Handing over a calendar where it stands: one column changes, and everything that names its
//! owner with it.
//!
//! Left as they are, on purpose:
//!
//! - Sync token and changes. The addresses are new for everybody (the recipient's, the sharees'),
//!   so clients begin afresh there; the old ones answer 404 and clients drop them. A client that
//!   knew a token of this very calendar still gets the right changes, also after an undo.
//! - `oc_schedulingobjects`: mail-like messages in a person's inbox, bound to the person and not to
//!   a calendar. In the recipient's inbox, their client would answer invitations of another.
//! - ORGANIZER and ATTENDEE inside events: changing them is an act of its own, with its own mail.

use super::collection::Kind;
use super::{Collection, Handover, Remark, key, value};
use crate::nextcloud::db::change::{Change, Record, Row, Table};
use crate::nextcloud::db::pool::Arg;
use crate::nextcloud::db::read::BIRTHDAYS;
use crate::nextcloud::db::{Database, Error, text};

const CALENDAR: Kind = Kind {
    word: "calendar",
    table: Table::Calendars,
    share: "calendar",
    root: "calendars/",
    shadowing: &[
        "{DAV:}displayname",
        "{urn:ietf:params:xml:ns:caldav}calendar-description",
        "{urn:ietf:params:xml:ns:caldav}calendar-timezone",
        "{http://apple.com/ns/ical/}calendar-order",
        "{http://apple.com/ns/ical/}calendar-color",
        "{urn:ietf:params:xml:ns:caldav}schedule-calendar-transp",
    ],
};

// === impl Database ===

impl Database {
    /// What has to change so that a calendar is the recipient's.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is not the source's, [`Error::NotTransferable`] if it is the one
    /// of birthdays or in the bin, [`Error::Untested`], [`Error::UnknownAccount`].
    pub async fn prepare_calendar(&self, wanted: &Collection) -> Result<Handover, Error> {
        self.ready(&wanted.from, &wanted.to).await?;
        let refused =
            |why| Error::NotTransferable { what: format!("calendar {:?}", wanted.uri), why };
        if wanted.uri == BIRTHDAYS {
            return Err(refused("Nextcloud makes it from the birthdays in address books"));
        }
        let calendar = self.owned(&CALENDAR, wanted).await?;
        if value(&calendar, "deleted_at").is_some() {
            return Err(refused("it is in the bin: restore it first"));
        }
        let uri = self
            .free_uri(wanted, &["calendars", "calendarsubscriptions", "calendars_federated"])
            .await?;
        let mut remarks = Vec::new();
        let mut record = self.given(&CALENDAR, wanted, &calendar, &uri, &mut remarks).await?;
        self.forget_default(wanted, &mut record, &mut remarks).await?;
        self.remark_on_calendar(wanted, &calendar, &mut remarks).await?;
        Ok(Handover { record, uri: Some(uri), remarks })
    }

    /// The setting where new invitations go would name a calendar that is gone; Nextcloud drops
    /// it, too, when such a calendar is deleted.
    async fn forget_default(
        &self,
        wanted: &Collection,
        record: &mut Record,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Error> {
        let condition = "t.userid = ? AND t.appid = 'dav' AND t.configkey = 'defaultCalendar'";
        for setting in
            self.whole_rows(Table::Preferences, condition, vec![text(&wanted.from)]).await?
        {
            if value(&setting, "configvalue") == Some(&wanted.uri) {
                record.changes.push(Change::Delete {
                    table: Table::Preferences,
                    key: key(&setting, &["userid", "appid", "configkey"]),
                    row: setting,
                });
                remarks.push(Remark::DefaultCalendar);
            }
        }
        Ok(())
    }

    async fn remark_on_calendar(
        &self,
        wanted: &Collection,
        calendar: &Row,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Error> {
        let id =
            value(calendar, "id").and_then(|id| id.parse().ok()).ok_or(Error::Value("an id"))?;
        if self.has("calendar_invitations").await? {
            let inner = "SELECT COUNT(*) AS how_many FROM *PREFIX*calendar_invitations i \
                 JOIN *PREFIX*calendarobjects o ON o.uid = i.uid WHERE o.calendarid = ? AND o.calendartype = 0";
            let found = self.row(&["how_many"], inner, vec![Arg::Int(id)]).await?;
            let count = found.map_or(Ok(0), |cells| cells.count(0))?;
            if count > 0 {
                remarks.push(Remark::Invitations { count });
            }
        }
        if self.columns("calendar_appt_configs").await?.contains_key("target_calendar_uri") {
            let inner = "SELECT COUNT(*) AS how_many FROM *PREFIX*calendar_appt_configs \
                 WHERE user_id = ? AND target_calendar_uri = ?";
            let found =
                self.row(&["how_many"], inner, vec![text(&wanted.from), text(&wanted.uri)]).await?;
            let count = found.map_or(Ok(0), |cells| cells.count(0))?;
            if count > 0 {
                remarks.push(Remark::AppointmentPages { count });
            }
        }
        Ok(())
    }
}
