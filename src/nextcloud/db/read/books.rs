//! Address books of an account.

use serde::{Deserialize, Serialize};

use super::calendars::{DavShare, principal};
use crate::nextcloud::db::pool::Cells;
use crate::nextcloud::db::{Database, Error, text};

/// An address book that an account owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    /// Its row.
    pub id: i64,
    /// Its name in addresses.
    pub uri: String,
    /// What people see.
    pub name: String,
    /// The number in its sync token.
    pub sync_token: i64,
    /// How many cards.
    pub cards: u64,
    /// Who sees it.
    pub shares: Vec<DavShare>,
}

const COLUMNS: [&str; 5] = ["id", "uri", "displayname", "synctoken", "cards"];
const SELECT: &str = "SELECT b.id AS id, b.uri AS uri, b.displayname AS displayname, b.synctoken AS synctoken, \
     (SELECT COUNT(*) FROM *PREFIX*cards c WHERE c.addressbookid = b.id) AS cards \
     FROM *PREFIX*addressbooks b";

// === impl Database ===

impl Database {
    /// The address books that an account owns. The recent contacts and the system's book are not
    /// among them: they are generated.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn address_books(&self, uid: &str) -> Result<Vec<AddressBook>, Error> {
        let inner = format!("{SELECT} WHERE b.principaluri = ?");
        let rows = self.rows(&COLUMNS, &inner, vec![text(principal(uid))]).await?;
        let mut books = Vec::new();
        for cells in &rows {
            books.push(self.book_of(cells).await?);
        }
        books.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(books)
    }

    async fn book_of(&self, cells: &Cells) -> Result<AddressBook, Error> {
        let id = cells.int(0)?;
        let uri = cells.text(1);
        let (shares, _) = self.dav_shares("addressbook", id).await?;
        Ok(AddressBook {
            id,
            name: cells.optional(2).filter(|name| !name.is_empty()).unwrap_or(&uri).to_owned(),
            sync_token: cells.int(3)?,
            cards: cells.count(4)?,
            shares,
            uri,
        })
    }
}
