//! Handing over an address book where it stands.
//!
//! Sync token and changes stay, for the reasons of calendars. Birthdays are events that hooks of
//! Nextcloud make in other calendars; no hook runs here, so whose are stale is said.

use super::collection::Kind;
use super::{Collection, Handover, Remark};
use crate::nextcloud::db::change::Table;
use crate::nextcloud::db::read::{BIRTHDAYS, escaped, principal};
use crate::nextcloud::db::{Database, Error, text};

const BOOK: Kind = Kind {
    word: "address book",
    table: Table::Addressbooks,
    share: "addressbook",
    root: "addressbooks/users/",
    shadowing: &["{DAV:}displayname"],
};

// === impl Database ===

impl Database {
    /// What has to change so that an address book is the recipient's.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is not the source's, [`Error::Untested`],
    /// [`Error::UnknownAccount`].
    pub async fn prepare_address_book(&self, wanted: &Collection) -> Result<Handover, Error> {
        self.ready(&wanted.from, &wanted.to).await?;
        let book = self.owned(&BOOK, wanted).await?;
        let uri = self.free_uri(wanted, &["addressbooks"]).await?;
        let mut remarks = Vec::new();
        let record = self.given(&BOOK, wanted, &book, &uri, &mut remarks).await?;
        let stale = self.birthdays_from(&wanted.from, &wanted.uri).await?;
        remarks.push(Remark::Birthdays { account: wanted.from.clone(), stale });
        remarks.push(Remark::Birthdays { account: wanted.to.clone(), stale: 0 });
        Ok(Handover { record, uri: Some(uri), remarks })
    }

    /// Events that came from a book into its owner's calendar of birthdays.
    async fn birthdays_from(&self, uid: &str, book: &str) -> Result<u64, Error> {
        let inner = "SELECT COUNT(*) AS how_many FROM *PREFIX*calendarobjects o \
             JOIN *PREFIX*calendars c ON c.id = o.calendarid AND o.calendartype = 0 \
             WHERE c.principaluri = ? AND c.uri = ? AND o.uri LIKE ? ESCAPE '!'";
        let args =
            vec![text(principal(uid)), text(BIRTHDAYS), text(format!("{}-%", escaped(book)))];
        let found = self.row(&["how_many"], inner, args).await?;
        found.map_or(Ok(0), |cells| cells.count(0))
    }
}
