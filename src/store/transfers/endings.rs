//! Who is to tell that a transfer is over: what ends one marks it, in the same statement, and the
//! process that takes the mark away is the one that tells. So each ending is told once, whichever
//! process was asked for the transfer, did the work, or died.

use crate::store::{Error, Store, on};

/// Transfers that are over, and not going on again.
const UNTOLD: &str = "untold = 1 AND state IN \
    ('done', 'failed', 'cancelled', 'undone', 'undo_failed')";

impl Store {
    /// The transfers that are over of which nobody was told: site and number.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn untold_transfers(&self) -> Result<Vec<(String, String)>, Error> {
        let sql = format!("SELECT site, id FROM transfer WHERE {UNTOLD} ORDER BY id");
        on!(self.engine, readers => |pool| {
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await
        })
        .map_err(Error::from)
    }

    /// Takes it on to tell how a transfer ended. Returns whether that is for this process to do.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_ending(&self, id: &str) -> Result<bool, Error> {
        let sql = format!("UPDATE transfer SET untold = 0 WHERE id = $1 AND {UNTOLD}");
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(id)
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(changed == 1)
    }
}
