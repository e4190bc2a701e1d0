//! Which tables and columns this site has, and whether they are those that a write needs.
//!
//! Nextcloud's tables differ by version and by app. Columns and their types are asked once per
//! table; PostgreSQL needs the types to read values that come as text.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;

use super::change::Table;
use super::error::Error;
use super::pool::{Arg, Dialect, Pool};
use super::prefix::Prefix;

/// The columns of one table with their types; empty if there is no such table.
pub(super) type Columns = Arc<BTreeMap<String, String>>;

/// What was asked so far.
#[derive(Default)]
pub(super) struct Schema(Mutex<HashMap<String, Columns>>);

/// What each table needs to have before anything is written into it.
fn needed(table: Table) -> &'static [&'static str] {
    match table {
        Table::Addressbooks => &["id", "principaluri", "displayname", "uri", "synctoken"],
        Table::Calendars => {
            &["id", "principaluri", "displayname", "uri", "synctoken", "deleted_at"]
        }
        Table::DavShares => &["id", "principaluri", "type", "access", "resourceid", "publicuri"],
        Table::Filecache => &["fileid", "storage", "path", "parent"],
        Table::FilesReminders => &["id", "user_id", "file_id", "due_date"],
        Table::Preferences => &["userid", "appid", "configkey", "configvalue"],
        Table::Properties => &["id", "userid", "propertypath", "propertyname", "propertyvalue"],
        Table::Share => &[
            "id",
            "share_type",
            "share_with",
            "uid_owner",
            "uid_initiator",
            "parent",
            "item_type",
            "file_source",
            "permissions",
            "note",
        ],
        Table::VcategoryToObject => &["objid", "categoryid", "type"],
    }
}

// === impl Schema ===

impl Schema {
    /// The columns of a table, named without prefix.
    pub(super) async fn columns(
        &self,
        pool: &Pool,
        prefix: &Prefix,
        table: &str,
    ) -> Result<Columns, Error> {
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(table) {
            return Ok(Arc::clone(known));
        }
        let name = Arg::Text(format!("{prefix}{table}"));
        let inner = match pool.dialect() {
            Dialect::MySql => {
                "SELECT column_name AS name, column_type AS kind FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = ?"
            }
            Dialect::Postgres => {
                "SELECT attname AS name, format_type(atttypid, atttypmod) AS kind FROM pg_attribute \
                 WHERE attrelid = to_regclass(quote_ident(?)) AND attnum > 0 AND NOT attisdropped"
            }
            Dialect::Sqlite => "SELECT name, type AS kind FROM pragma_table_info(?)",
        };
        let columns = pool
            .stream(&["name", "kind"], inner, vec![name], prefix)
            .map_ok(|cells| (cells.text(0), cells.text(1)))
            .try_collect::<BTreeMap<_, _>>()
            .await?;
        let columns = Arc::new(columns);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(table.to_owned()).or_insert(columns)))
    }

    /// That a table has what a write into it relies on.
    pub(super) async fn require(
        &self,
        pool: &Pool,
        prefix: &Prefix,
        table: Table,
    ) -> Result<Columns, Error> {
        let columns = self.columns(pool, prefix, table.name()).await?;
        if columns.is_empty() {
            return Err(Error::Schema(format!("table {prefix}{}", table.name())));
        }
        match needed(table).iter().find(|&&name| !columns.contains_key(name)) {
            Some(missing) => {
                Err(Error::Schema(format!("column {prefix}{}.{missing}", table.name())))
            }
            None => Ok(columns),
        }
    }
}
