//! Transfers as rows: plans, jobs and items, as people ask for them and see them. What a worker
//! writes is in `work`, who tells of an end in `endings`. Bodies are JSON that [`crate::transfer`]
//! understands; the store does not look into them.

mod endings;
mod work;

use sqlx::Row as _;

pub use work::{Claim, Ending, Line};

use super::{Error, Sealed, Store, now, on};

/// `plan, secrets_key, secrets, expires_at` of a plan.
type PlanColumns = (String, Option<String>, Option<Vec<u8>>, i64);

/// `item, state, objects_done, bytes_done, outcome, error` of an item.
type ItemColumns = (i64, String, i64, i64, Option<String>, Option<String>);

/// `state, objects_done, bytes_done, items_done, items_failed` of a transfer.
type StandingColumns = (String, i64, i64, i64, i64);

/// A plan that may be started.
#[derive(Clone, Debug)]
pub struct PlanRow {
    /// The plan, as JSON.
    pub plan: String,
    /// The request's secrets.
    pub secrets: Option<Sealed>,
    /// Until when.
    pub expires_at: i64,
}

/// A transfer to make.
#[derive(Clone, Debug)]
pub struct NewTransfer<'a> {
    /// Its number.
    pub id: &'a str,
    /// The site.
    pub site: &'a str,
    /// How it begins.
    pub state: &'a str,
    /// The plan, as JSON.
    pub plan: &'a str,
    /// The request's secrets.
    pub secrets: Option<&'a Sealed>,
    /// Who.
    pub by: &'a str,
    /// What makes a repeated call the same.
    pub once: Option<&'a str>,
    /// When it begins.
    pub begins_at: i64,
    /// Its items' numbers.
    pub items: &'a [u32],
}

/// A transfer.
#[derive(Clone, Debug)]
pub struct TransferRow {
    /// Its number.
    pub id: String,
    /// The site.
    pub site: String,
    /// Where it stands.
    pub state: String,
    /// The plan, as JSON.
    pub plan: String,
    /// The request's secrets.
    pub secrets: Option<Sealed>,
    /// Who started it.
    pub by: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it was started.
    pub created_at: i64,
    /// When it begins.
    pub begins_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Until when it can be undone.
    pub undo_until: Option<i64>,
    /// What it waits for.
    pub note: Option<String>,
    /// How often it was tried without getting any further.
    pub attempt: i64,
    /// What a person wants.
    pub wish: Option<String>,
}

/// Where a transfer stands, and how far it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// Where it stands.
    pub state: String,
    /// What is over.
    pub objects_done: i64,
    /// What is over, bytes.
    pub bytes_done: i64,
    /// Items that are over.
    pub items_done: i64,
    /// Items that failed.
    pub items_failed: i64,
}

/// An item of a transfer.
#[derive(Clone, Debug)]
pub struct ItemRow {
    /// Its number.
    pub item: u32,
    /// Where it stands.
    pub state: String,
    /// What is over.
    pub objects_done: i64,
    /// What is over, bytes.
    pub bytes_done: i64,
    /// What came of it, as JSON.
    pub outcome: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

const COLUMNS: &str = "id, site, state, plan, secrets_key, secrets, started_by, approved_by, \
    created_at, begins_at, ended_at, undo_until, note, attempt, wish";

/// Reads the row of a transfer, of either engine.
macro_rules! transfer_row {
    ($row:expr) => {{
        let row = $row;
        let key: Option<String> = row.try_get("secrets_key")?;
        let bytes: Option<Vec<u8>> = row.try_get("secrets")?;
        Ok::<_, sqlx::Error>(TransferRow {
            id: row.try_get("id")?,
            site: row.try_get("site")?,
            state: row.try_get("state")?,
            plan: row.try_get("plan")?,
            secrets: key.zip(bytes).map(|(key, bytes)| Sealed { key, bytes }),
            by: row.try_get("started_by")?,
            approved_by: row.try_get("approved_by")?,
            created_at: row.try_get("created_at")?,
            begins_at: row.try_get("begins_at")?,
            ended_at: row.try_get("ended_at")?,
            undo_until: row.try_get("undo_until")?,
            note: row.try_get("note")?,
            attempt: row.try_get("attempt")?,
            wish: row.try_get("wish")?,
        })
    }};
}

impl Store {
    /// Keeps a plan; one of the same hash is replaced. Those that expired go.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_plan(&self, site: &str, hash: &str, row: &PlanRow) -> Result<(), Error> {
        let (key, bytes) = split(row.secrets.as_ref());
        on!(self.engine, transaction => |tx| {
            sqlx::query("DELETE FROM transfer_plan WHERE expires_at < $1 OR (site = $2 AND hash = $3)")
                .bind(now())
                .bind(site)
                .bind(hash)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO transfer_plan (site, hash, plan, secrets_key, secrets, made_at, \
                 expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(site)
            .bind(hash)
            .bind(&row.plan)
            .bind(key)
            .bind(bytes)
            .bind(now())
            .bind(row.expires_at)
            .execute(&mut *tx)
            .await?;
        });
        Ok(())
    }

    /// A plan, if it has not expired.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn plan(&self, site: &str, hash: &str) -> Result<Option<PlanRow>, Error> {
        let row: Option<PlanColumns> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT plan, secrets_key, secrets, expires_at FROM transfer_plan \
                 WHERE site = $1 AND hash = $2 AND expires_at >= $3",
            )
            .bind(site)
            .bind(hash)
            .bind(now())
            .fetch_optional(pool)
            .await
        })?;
        Ok(row.map(|(plan, key, bytes, expires_at)| PlanRow {
            plan,
            secrets: key.zip(bytes).map(|(key, bytes)| Sealed { key, bytes }),
            expires_at,
        }))
    }

    /// Makes a transfer. If there is one of the same `once` already, nothing is made, and its
    /// number is given.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn make_transfer(&self, new: &NewTransfer<'_>) -> Result<String, Error> {
        let (key, bytes) = split(new.secrets);
        let made = on!(self.engine, transaction => |tx| {
            let made = sqlx::query(
                "INSERT INTO transfer (id, site, state, plan, secrets_key, secrets, started_by, \
                 once, created_at, begins_at, next_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                 ON CONFLICT (site, once) DO NOTHING",
            )
            .bind(new.id)
            .bind(new.site)
            .bind(new.state)
            .bind(new.plan)
            .bind(key)
            .bind(bytes)
            .bind(new.by)
            .bind(new.once)
            .bind(now())
            .bind(new.begins_at)
            .bind(new.begins_at)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if made == 1 {
                for item in new.items {
                    sqlx::query(
                        "INSERT INTO transfer_item (transfer, item, state) \
                         VALUES ($1, $2, 'pending')",
                    )
                    .bind(new.id)
                    .bind(i64::from(*item))
                    .execute(&mut *tx)
                    .await?;
                }
            }
            made
        });
        if made == 1 {
            return Ok(new.id.to_owned());
        }
        let (id,): (String,) = on!(self.engine, writer => |pool| {
            sqlx::query_as("SELECT id FROM transfer WHERE site = $1 AND once = $2")
                .bind(new.site)
                .bind(new.once)
                .fetch_one(pool)
                .await
        })?;
        Ok(id)
    }

    /// A transfer of a site.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn transfer(&self, id: &str) -> Result<Option<TransferRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM transfer WHERE id = $1");
        on!(self.engine, writer => |pool| {
            let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(pool).await?;
            Ok(row.map(|row| transfer_row!(row)).transpose()?)
        })
    }

    /// The transfers of a site, or of all, the newest first; `before` is the last id of the page
    /// before.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn transfers(
        &self,
        site: Option<&str>,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<TransferRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM transfer WHERE ($1 = '' OR site = $1) AND ($2 = '' OR id < $2) \
             ORDER BY id DESC LIMIT $3"
        );
        on!(self.engine, readers => |pool| {
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(site.unwrap_or_default())
                .bind(before.unwrap_or_default())
                .bind(i64::from(limit))
                .fetch_all(pool)
                .await?;
            let rows: Result<Vec<_>, sqlx::Error> =
                rows.iter().map(|row| transfer_row!(row)).collect();
            Ok(rows?)
        })
    }

    /// Where a transfer stands, without its plan.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn standing(&self, id: &str) -> Result<Option<Standing>, Error> {
        let row: Option<StandingColumns> = on!(self.engine, writer => |pool| {
            sqlx::query_as(
                "SELECT t.state, CAST(COALESCE(SUM(i.objects_done), 0) AS BIGINT), \
                 CAST(COALESCE(SUM(i.bytes_done), 0) AS BIGINT), \
                 COUNT(CASE WHEN i.state = 'done' THEN 1 END), \
                 COUNT(CASE WHEN i.state = 'failed' THEN 1 END) \
                 FROM transfer t LEFT JOIN transfer_item i ON i.transfer = t.id \
                 WHERE t.id = $1 GROUP BY t.id, t.state",
            )
            .bind(id)
            .fetch_optional(pool)
            .await
        })?;
        Ok(row.map(|(state, objects_done, bytes_done, items_done, items_failed)| Standing {
            state,
            objects_done,
            bytes_done,
            items_done,
            items_failed,
        }))
    }

    /// The items of a transfer, in their order.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn transfer_items(&self, id: &str) -> Result<Vec<ItemRow>, Error> {
        let rows: Vec<ItemColumns> = on!(self.engine, writer => |pool| {
            sqlx::query_as(
                "SELECT item, state, objects_done, bytes_done, outcome, error \
                 FROM transfer_item WHERE transfer = $1 ORDER BY item",
            )
            .bind(id)
            .fetch_all(pool)
            .await
        })?;
        let item = |(item, state, objects_done, bytes_done, outcome, error)| {
            let item = u32::try_from(item).map_err(|_| Error::Row("transfer_item"))?;
            Ok(ItemRow { item, state, objects_done, bytes_done, outcome, error })
        };
        rows.into_iter().map(item).collect()
    }

    /// Changes the state of a transfer that no worker has, if it is in one of `from`.
    /// Returns whether it was.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn turn_transfer(
        &self,
        id: &str,
        from: &[&str],
        to: &str,
        by: Option<&str>,
    ) -> Result<bool, Error> {
        let states = from.iter().map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "UPDATE transfer SET state = $1, wish = NULL, note = NULL, attempt = 0, \
             untold = CASE WHEN $1 = 'cancelled' THEN 1 ELSE untold END, \
             approved_by = COALESCE($2, approved_by), next_at = CASE WHEN begins_at > $3 \
             THEN begins_at ELSE $3 END WHERE id = $4 AND state IN ({states}) AND lease_until <= $3"
        );
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(to)
                .bind(by)
                .bind(now())
                .bind(id)
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(changed == 1)
    }

    /// Ends a transfer that waits for a second person, with their words. Returns whether it waited.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn decline_transfer(&self, id: &str, note: &str) -> Result<bool, Error> {
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(
                "UPDATE transfer SET state = 'cancelled', note = $1, ended_at = $2, secrets = NULL, \
                 untold = 1 WHERE id = $3 AND state = 'awaiting'",
            )
            .bind(note)
            .bind(now())
            .bind(id)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(changed == 1)
    }

    /// Tells the worker of a transfer what a person wants: `pause` or `cancel`. One that waits for
    /// something else is looked at now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn wish_transfer(&self, id: &str, wish: &str) -> Result<(), Error> {
        on!(self.engine, writer => |pool| {
            sqlx::query("UPDATE transfer SET wish = $1, next_at = $2 WHERE id = $3")
                .bind(wish)
                .bind(now())
                .bind(id)
                .execute(pool)
                .await
                .map(drop)
        })?;
        Ok(())
    }
}

fn split(sealed: Option<&Sealed>) -> (Option<&str>, Option<&[u8]>) {
    sealed.map(|sealed| (sealed.key.as_str(), sealed.bytes.as_slice())).unzip()
}
