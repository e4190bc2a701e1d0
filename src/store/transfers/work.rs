//! What a worker does to a transfer: claims it, writes its journal, tells of it, lets it go.
//!
//! A job is claimed for a while by one worker, with a number that grows at each claim: the fence.
//! Every write of a worker names it in the statement itself, so that a worker which slept while
//! another took over writes nothing more, it gets [`Error::LeaseLost`].

use std::time::Duration;

use super::ItemRow;
use crate::store::{Error, Store, now, on};

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

impl Store {
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
                 secrets = CASE WHEN $7 = 1 THEN NULL ELSE secrets END, \
                 untold = CASE WHEN $4 IS NULL THEN untold ELSE 1 END \
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
        // Of one item by the index, however long the journal of the others is.
        let which = if item.is_some() { "item = $2" } else { "$2 < 0" };
        let sql = format!(
            "SELECT seq, item, step, phase, body FROM transfer_journal \
             WHERE transfer = $1 AND {which} ORDER BY seq"
        );
        let rows: Vec<(i64, i64, String, String, String)> = on!(self.engine, writer => |pool| {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
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

fn held(claim: &Claim, changed: u64) -> Result<(), Error> {
    if changed == 1 { Ok(()) } else { Err(Error::LeaseLost(claim.id.clone())) }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
