//! Transfers as rows: plans, jobs, items, the journal and its events.
//!
//! A job is claimed for a while by one worker, with a number that grows at each claim: the fence.
//! Every write of a worker names it in the statement itself, so that a worker which slept while
//! another took over writes nothing more, it gets [`Error::LeaseLost`]. Bodies are JSON that
//! [`crate::transfer`] understands; the store does not look into them.

use std::time::Duration;

use sqlx::Row as _;

use super::{Error, Sealed, Store, now, on};

/// `plan, secrets_key, secrets, expires_at` of a plan.
type PlanColumns = (String, Option<String>, Option<Vec<u8>>, i64);

/// `item, state, objects_done, bytes_done, outcome, error` of an item.
type ItemColumns = (i64, String, i64, i64, Option<String>, Option<String>);

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

/// A line of the journal.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place.
    pub seq: i64,
    /// The item; 0 for the transfer itself.
    pub item: u32,
    /// The step of the item.
    pub step: String,
    /// `before`, `after`, `undo` or `undone`.
    pub phase: String,
    /// What, as JSON.
    pub body: String,
}

/// A transfer that this worker has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// Which.
    pub id: String,
    /// The number that every write names.
    pub fence: i64,
}

/// What ends a claim.
#[derive(Clone, Debug, Default)]
pub struct Ending<'a> {
    /// Where the transfer stands.
    pub state: &'a str,
    /// What it waits for, or why it failed.
    pub note: Option<&'a str>,
    /// When to go on, if by itself.
    pub next_at: Option<i64>,
    /// Whether this try got nowhere.
    pub in_vain: bool,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Until when it can be undone.
    pub undo_until: Option<i64>,
}

/// States in which a worker has something to do.
const TO_DO: &str = "('queued', 'running', 'undoing')";
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

    /// The transfers that are not over: site and number.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn unfinished_transfers(&self) -> Result<Vec<(String, String)>, Error> {
        on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT site, id FROM transfer WHERE state IN \
                 ('awaiting', 'queued', 'running', 'paused', 'undoing') ORDER BY id",
            )
            .fetch_all(pool)
            .await
        })
        .map_err(Error::from)
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
                "UPDATE transfer SET state = 'cancelled', note = $1, ended_at = $2, secrets = NULL \
                 WHERE id = $3 AND state = 'awaiting'",
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

    /// Takes a transfer that is due and that nobody works on, of a site where fewer are worked on
    /// than `at_once` says of it. Sites do not wait for one another.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn claim_transfer(
        &self,
        worker: &str,
        lease: Duration,
        at_once: impl Fn(&str) -> u32,
    ) -> Result<Option<Claim>, Error> {
        let now = now();
        // The next one of each site.
        let next = format!(
            "SELECT id, site FROM (SELECT id, site, next_at, ROW_NUMBER() OVER \
             (PARTITION BY site ORDER BY next_at, id) AS place FROM transfer \
             WHERE state IN {TO_DO} AND next_at <= $1 AND lease_until <= $1) AS due \
             WHERE place = 1 ORDER BY next_at, id"
        );
        let due: Vec<(String, String)> = on!(self.engine, writer => |pool| {
            sqlx::query_as(sqlx::AssertSqlSafe(next)).bind(now).fetch_all(pool).await
        })?;
        for (id, site) in due {
            let claimed = self.claim_one(worker, lease, (&id, at_once(&site)), now).await?;
            if claimed.is_some() {
                return Ok(claimed);
            }
        }
        Ok(None)
    }

    async fn claim_one(
        &self,
        worker: &str,
        lease: Duration,
        (id, at_once): (&str, u32),
        now: i64,
    ) -> Result<Option<Claim>, Error> {
        let sql = format!(
            "UPDATE transfer SET worker = $1, lease_until = $2, fence = fence + 1, \
             state = CASE WHEN state = 'queued' THEN 'running' ELSE state END \
             WHERE id = $3 AND state IN {TO_DO} AND next_at <= $4 AND lease_until <= $4 \
             AND (SELECT COUNT(*) FROM transfer o WHERE o.site = transfer.site \
             AND o.lease_until > $4) < $5 RETURNING id, fence"
        );
        let claimed: Option<(String, i64)> = on!(self.engine, writer => |pool| {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(worker)
                .bind(now.saturating_add(millis(lease)))
                .bind(id)
                .bind(now)
                .bind(i64::from(at_once))
                .fetch_optional(pool)
                .await
        })?;
        Ok(claimed.map(|(id, fence)| Claim { id, fence }))
    }

    /// Keeps a claim for some more time; says what a person wants meanwhile.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker has taken over.
    pub async fn renew_claim(
        &self,
        claim: &Claim,
        lease: Duration,
    ) -> Result<Option<String>, Error> {
        let row: Option<(Option<String>,)> = on!(self.engine, writer => |pool| {
            sqlx::query_as(
                "UPDATE transfer SET lease_until = $1 WHERE id = $2 AND fence = $3 \
                 RETURNING wish",
            )
            .bind(now().saturating_add(millis(lease)))
            .bind(&claim.id)
            .bind(claim.fence)
            .fetch_optional(pool)
            .await
        })?;
        row.map(|(wish,)| wish).ok_or_else(|| Error::LeaseLost(claim.id.clone()))
    }

    /// What a person wants of a transfer that this worker has.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn wish_of(&self, claim: &Claim) -> Result<Option<String>, Error> {
        let row: Option<(Option<String>,)> = on!(self.engine, readers => |pool| {
            sqlx::query_as("SELECT wish FROM transfer WHERE id = $1 AND fence = $2")
                .bind(&claim.id)
                .bind(claim.fence)
                .fetch_optional(pool)
                .await
        })?;
        Ok(row.and_then(|(wish,)| wish))
    }

    /// Gives a claim back, with what the transfer does next.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker has taken over.
    pub async fn end_claim(&self, claim: &Claim, end: &Ending<'_>) -> Result<(), Error> {
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(
                "UPDATE transfer SET state = $1, note = $2, next_at = COALESCE($3, next_at), \
                 ended_at = $4, undo_until = COALESCE($5, undo_until), lease_until = 0, \
                 attempt = CASE WHEN $6 = 1 THEN attempt + 1 ELSE 0 END, \
                 wish = CASE WHEN $3 IS NULL THEN NULL ELSE wish END, \
                 secrets = CASE WHEN $7 = 1 THEN NULL ELSE secrets END \
                 WHERE id = $8 AND fence = $9",
            )
            .bind(end.state)
            .bind(end.note)
            .bind(end.next_at)
            .bind(end.ended_at)
            .bind(end.undo_until)
            .bind(i32::from(end.in_vain))
            .bind(i32::from(end.state == "undone"))
            .bind(&claim.id)
            .bind(claim.fence)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
        })?;
        held(claim, changed)
    }

    /// Says where an item stands.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker has taken over.
    pub async fn set_item(&self, claim: &Claim, row: &ItemRow) -> Result<(), Error> {
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(
                "UPDATE transfer_item SET state = $1, objects_done = $2, bytes_done = $3, \
                 outcome = COALESCE($4, outcome), error = $5 WHERE transfer = $6 AND item = $7 \
                 AND EXISTS (SELECT 1 FROM transfer WHERE id = $6 AND fence = $8)",
            )
            .bind(&row.state)
            .bind(row.objects_done)
            .bind(row.bytes_done)
            .bind(&row.outcome)
            .bind(&row.error)
            .bind(&claim.id)
            .bind(i64::from(row.item))
            .bind(claim.fence)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
        })?;
        held(claim, changed)
    }

    /// Adds a line to the journal; it is on disk when this returns.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker has taken over.
    pub async fn write_line(
        &self,
        claim: &Claim,
        item: u32,
        step: &str,
        phase: &str,
        body: &str,
    ) -> Result<(), Error> {
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO transfer_journal (transfer, seq, item, step, phase, body, fence, at) \
                 SELECT $1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM transfer_journal \
                 WHERE transfer = $1), $2, $3, $4, $5, $6, $7 \
                 WHERE EXISTS (SELECT 1 FROM transfer WHERE id = $1 AND fence = $6)",
            )
            .bind(&claim.id)
            .bind(i64::from(item))
            .bind(step)
            .bind(phase)
            .bind(body)
            .bind(claim.fence)
            .bind(now())
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
        })?;
        held(claim, changed)
    }

    /// The journal of one item, or (`None`) of all, in order.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn journal(&self, id: &str, item: Option<u32>) -> Result<Vec<Line>, Error> {
        let rows: Vec<(i64, i64, String, String, String)> = on!(self.engine, writer => |pool| {
            sqlx::query_as(
                "SELECT seq, item, step, phase, body FROM transfer_journal \
                 WHERE transfer = $1 AND ($2 < 0 OR item = $2) ORDER BY seq",
            )
            .bind(id)
            .bind(item.map_or(-1, i64::from))
            .fetch_all(pool)
            .await
        })?;
        let line = |(seq, item, step, phase, body)| {
            let item = u32::try_from(item).map_err(|_| Error::Row("transfer_journal"))?;
            Ok(Line { seq, item, step, phase, body })
        };
        rows.into_iter().map(line).collect()
    }

    /// Tells those who watch that something happened. Only what is told by a worker names a claim.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker has taken over.
    pub async fn tell(&self, id: &str, fence: Option<i64>, body: &str) -> Result<(), Error> {
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO transfer_event (transfer, seq, at, body) \
                 SELECT $1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM transfer_event \
                 WHERE transfer = $1), $2, $3 \
                 WHERE EXISTS (SELECT 1 FROM transfer WHERE id = $1 AND ($4 < 0 OR fence = $4))",
            )
            .bind(id)
            .bind(now())
            .bind(body)
            .bind(fence.unwrap_or(-1))
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
        })?;
        held(&Claim { id: id.to_owned(), fence: fence.unwrap_or(-1) }, changed)
    }

    /// What was told after `seq`, at most a thousand: number, time, body.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn told(&self, id: &str, after: i64) -> Result<Vec<(i64, i64, String)>, Error> {
        on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT seq, at, body FROM transfer_event WHERE transfer = $1 AND seq > $2 \
                 ORDER BY seq LIMIT 1000",
            )
            .bind(id)
            .bind(after)
            .fetch_all(pool)
            .await
        })
        .map_err(Error::from)
    }
}

fn split(sealed: Option<&Sealed>) -> (Option<&str>, Option<&[u8]>) {
    sealed.map(|sealed| (sealed.key.as_str(), sealed.bytes.as_slice())).unzip()
}

fn held(claim: &Claim, changed: u64) -> Result<(), Error> {
    if changed == 1 { Ok(()) } else { Err(Error::LeaseLost(claim.id.clone())) }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
