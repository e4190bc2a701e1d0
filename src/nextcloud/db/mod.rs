//! A site's own database: faithful inventories, and owners rewritten where they stand.
//!
//! Nextcloud has no way to hand over a calendar, an address book or the shares of moved files
//! that keeps all of it; its database has: the owner is one column. This is the access that costs
//! the same for one event and for ten thousand.
//!
//! The invariant: a write is one transaction of row-by-row guarded changes, recorded before it
//! happens ([`change`]), and undone from that record. On any surprise (an unknown table, a row
//! that someone changed, an untested version) nothing is written. No hook of Nextcloud runs, so
//! what hooks would do is done here too, or said in [`Handover::remarks`].

mod apply;
pub mod change;
mod dsn;
mod error;
mod handover;
mod pool;
mod prefix;
mod probe;
mod read;
mod schema;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

pub use change::{Applied, Change, Expected, Record, Row, Table};
pub use dsn::Dsn;
pub use error::Error;
pub use handover::{Collection, Handover, Moved, Remark, Root};
pub use pool::Dialect;
pub use prefix::{InvalidPrefix, Prefix};
pub use probe::{Probe, TESTED};
pub use read::{
    Account, AddressBook, AppCount, Calendar, DavShare, Home, Leftovers, Meetings, Node, Share,
    ShareType, Tally,
};

use pool::{Arg, Cells, Pool};
use schema::{Columns, Schema};

/// An open database of one site: at most two connections. Open it for a job, close it after.
pub struct Database {
    pool: Pool,
    prefix: Prefix,
    schema: Schema,
    forced: bool,
}

// === impl Database ===

impl Database {
    /// Connects, and looks whether there is a Nextcloud.
    ///
    /// # Errors
    /// What is wrong with the address, the password, TLS or the prefix: see [`Error`].
    pub async fn open(dsn: &Dsn, prefix: Prefix) -> Result<Self, Error> {
        let pool = Pool::open(dsn).await?;
        let database = Self { pool, prefix, schema: Schema::default(), forced: false };
        match database.is_nextcloud().await {
            Ok(()) => Ok(database),
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    /// Writes although the version was never tried, because an admin said so.
    #[must_use]
    pub fn forced(mut self, forced: bool) -> Self {
        self.forced = forced;
        self
    }

    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    /// Closes both connections.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// Puts a query's rows out one by one: `inner` names its columns as `names` says.
    fn stream<'a>(
        &'a self,
        names: &[&str],
        inner: &str,
        args: Vec<Arg>,
    ) -> BoxStream<'a, Result<Cells, Error>> {
        self.pool.stream(names, inner, args, &self.prefix)
    }

    async fn rows(&self, names: &[&str], inner: &str, args: Vec<Arg>) -> Result<Vec<Cells>, Error> {
        self.stream(names, inner, args).try_collect().await
    }

    async fn row(
        &self,
        names: &[&str],
        inner: &str,
        args: Vec<Arg>,
    ) -> Result<Option<Cells>, Error> {
        self.stream(names, inner, args).try_next().await
    }

    async fn columns(&self, table: &str) -> Result<Columns, Error> {
        self.schema.columns(&self.pool, &self.prefix, table).await
    }

    async fn has(&self, table: &str) -> Result<bool, Error> {
        Ok(!self.columns(table).await?.is_empty())
    }
}

fn text(value: impl Into<String>) -> Arg {
    Arg::Text(value.into())
}

#[cfg(test)]
mod tests;
