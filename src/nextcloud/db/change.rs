//! What a hand-over changes in the database, as data: made first, applied later, undone from the
//! same record.
//!
//! A [`Record`] holds each row that is touched, as it was and as it will be. The caller writes it
//! into the journal *before* it is applied, so a crash at any moment loses nothing: applying a
//! record again finds the rows as they should be and changes nothing, and undoing it puts them
//! back. A row that is neither as it was nor as it will be belongs to someone else: then nothing
//! at all is changed.
//!
//! Values are text as the database writes them, whatever the column's type: three databases, one
//! shape, and no type that one of them lacks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Columns and their values; `None` is SQL's NULL.
pub type Row = BTreeMap<String, Option<String>>;

/// What one hand-over changes. Serde-able, for the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is about, for people: `calendar asso of alice to bob`.
    pub what: String,
    /// Rows that must be so when it is applied (not when it is undone), and stay so.
    pub expected: Vec<Expected>,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// Accounts whose shares Nextcloud (34 and later) has to look at again, done or undone.
    #[serde(default)]
    pub refresh: Vec<String>,
}

/// A row that a change relies on, without changing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Where it is.
    pub table: Table,
    /// Which row.
    pub key: Row,
    /// The columns that matter.
    pub values: Row,
}

/// One row that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The row goes away; all its columns are kept here.
    Delete {
        /// Where it is.
        table: Table,
        /// Which row.
        key: Row,
        /// All of it.
        row: Row,
    },
    /// The row is new.
    Insert {
        /// Where it comes.
        table: Table,
        /// Which row.
        key: Row,
        /// All of it that is not left to the database's defaults.
        row: Row,
    },
    /// Columns of the row change.
    Update {
        /// Where it is.
        table: Table,
        /// Which row, by columns that do not change.
        key: Row,
        /// The columns as they were.
        before: Row,
        /// The same columns as they will be.
        after: Row,
    },
}

/// What came of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Rows that changed now.
    pub changed: u64,
    /// Rows that were so already: after a crash, or because Nextcloud did it.
    pub already: u64,
}

/// The tables that hand-overs write, without prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Address books.
    Addressbooks,
    /// Calendars.
    Calendars,
    /// Who may see calendars and address books, and public links of calendars.
    DavShares,
    /// The file cache: only relied on, never written.
    Filecache,
    /// Reminders on files.
    FilesReminders,
    /// Settings of accounts.
    Preferences,
    /// Custom WebDAV properties, by account and path.
    Properties,
    /// Shares of files.
    Share,
    /// Which file has which personal tag; favourites are one.
    VcategoryToObject,
}

// === impl Record ===

impl Record {
    /// A record that changes nothing yet.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), expected: Vec::new(), changes: Vec::new(), refresh: Vec::new() }
    }

    /// What puts everything back: the opposite changes, last one first.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let changes = self.changes.iter().rev().map(Change::inverse).collect();
        let refresh = self.refresh.clone();
        Self { what: format!("undo: {}", self.what), expected: Vec::new(), changes, refresh }
    }

    /// True if there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

// === impl Change ===

impl Change {
    /// The opposite change.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self.clone() {
            Change::Delete { table, key, row } => Change::Insert { table, key, row },
            Change::Insert { table, key, row } => Change::Delete { table, key, row },
            Change::Update { table, key, before, after } => {
                Change::Update { table, key, before: after, after: before }
            }
        }
    }

    /// Where it happens.
    #[must_use]
    pub fn table(&self) -> Table {
        match self {
            Change::Delete { table, .. }
            | Change::Insert { table, .. }
            | Change::Update { table, .. } => *table,
        }
    }

    /// Which row.
    #[must_use]
    pub fn key(&self) -> &Row {
        match self {
            Change::Delete { key, .. }
            | Change::Insert { key, .. }
            | Change::Update { key, .. } => key,
        }
    }
}

// === impl Table ===

impl Table {
    /// Its name without prefix.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Addressbooks => "addressbooks",
            Table::Calendars => "calendars",
            Table::DavShares => "dav_shares",
            Table::Filecache => "filecache",
            Table::FilesReminders => "files_reminders",
            Table::Preferences => "preferences",
            Table::Properties => "properties",
            Table::Share => "share",
            Table::VcategoryToObject => "vcategory_to_object",
        }
    }
}

/// A row of columns and values.
pub(super) fn row<const N: usize>(columns: [(&str, &str); N]) -> Row {
    columns.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).into()
}
