//! Handing over an address book where it stands.
//!
//! Sync token and changes stay, for the reasons of calendars. Birthdays are events that hooks of
//! Nextcloud make in other calendars; no hook runs here, so whose are stale is said.

use std::collections::HashSet;

use super::collection::Kind;
use super::{Collection, Handover, Remark, value};
use crate::nextcloud::db::change::{Row, Table};
use crate::nextcloud::db::pool::Arg;
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
        self.remark_on_birthdays(wanted, &book, &uri, &mut remarks).await?;
        Ok(Handover { record, uri: Some(uri), remarks })
    }

    /// Events are named after book and card: the source's are stale, and under another name of the
    /// book those of everybody who sees it.
    async fn remark_on_birthdays(
        &self,
        wanted: &Collection,
        book: &Row,
        uri: &str,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Error> {
        let id = value(book, "id").and_then(|id| id.parse().ok()).ok_or(Error::Value("an id"))?;
        let inner = "SELECT uri FROM *PREFIX*cards WHERE addressbookid = ?";
        let cards = self.rows(&["uri"], inner, vec![Arg::Int(id)]).await?;
        let cards: HashSet<String> = cards.iter().map(|cells| cells.text(0)).collect();
        let mut accounts = vec![wanted.from.clone(), wanted.to.clone()];
        if uri != wanted.uri {
            let (shares, _) = self.dav_shares("addressbook", id).await?;
            let sharees =
                shares.iter().filter_map(|share| share.principal.strip_prefix("principals/users/"));
            accounts.extend(sharees.filter(|&uid| uid != wanted.to).map(str::to_owned));
        }
        for account in accounts {
            let stays = account != wanted.from && uri == wanted.uri;
            let stale =
                if stays { 0 } else { self.birthdays_of(&account, &wanted.uri, &cards).await? };
            remarks.push(Remark::Birthdays { account, stale });
        }
        Ok(())
    }

    /// Events in an account's calendar of birthdays that come from these cards.
    async fn birthdays_of(
        &self,
        uid: &str,
        book: &str,
        cards: &HashSet<String>,
    ) -> Result<u64, Error> {
        let inner = "SELECT o.uri AS uri FROM *PREFIX*calendarobjects o \
             JOIN *PREFIX*calendars c ON c.id = o.calendarid AND o.calendartype = 0 \
             WHERE c.principaluri = ? AND c.uri = ? AND o.uri LIKE ? ESCAPE '!'";
        let args =
            vec![text(principal(uid)), text(BIRTHDAYS), text(format!("{}-%", escaped(book)))];
        let events = self.rows(&["uri"], inner, args).await?;
        let of_these = |event: &str| {
            let rest = event.strip_prefix(book)?.strip_prefix('-')?.strip_suffix(".ics")?;
            let card = rest.strip_suffix("-death").or_else(|| rest.strip_suffix("-anniversary"));
            cards.contains(card.unwrap_or(rest)).then_some(())
        };
        let count =
            events.iter().filter(|cells| cells.optional(0).and_then(of_these).is_some()).count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }
}
