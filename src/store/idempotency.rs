//! Requests with an `Idempotency-Key`: the first is carried out, a repeated one gets its answer.
//!
//! A key is remembered before the request is carried out. Where the process dies in between, the key
//! stays taken without an answer, and a repetition is told that the outcome is not known here: it
//! must look at what there is, instead of doing it twice.

use sha2::{Digest, Sha256};

use super::{Error, Store, now, on};

/// How long a key is remembered, milliseconds.
const REMEMBERED: i64 = 7 * 24 * 3_600_000;

/// What is known about a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Repeated {
    /// Nothing: it is remembered now, and the request may be carried out.
    New,
    /// The request was carried out; this was the answer.
    Answered(u16, String),
    /// The request is being carried out, or was when the process ended.
    Begun,
    /// The key was used for another request.
    Other,
}

impl Store {
    /// Remembers a key of one caller (`scope`) for a request, or says what is known about it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn begin_once(
        &self,
        scope: &str,
        key: &str,
        request: &[u8],
    ) -> Result<Repeated, Error> {
        let digest = Sha256::digest(request).to_vec();
        let now = now();
        on!(self.engine, writer => |pool| {
            sqlx::query("DELETE FROM idempotency WHERE at < $1")
                .bind(now - REMEMBERED)
                .execute(pool)
                .await
                .map(drop)
        })?;
        let made = on!(self.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO idempotency (scope, name, request, at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (scope, name) DO NOTHING",
            )
            .bind(scope)
            .bind(key)
            .bind(&digest)
            .bind(now)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
        })?;
        if made == 1 {
            return Ok(Repeated::New);
        }
        let row: Option<(Vec<u8>, Option<i32>, Option<String>)> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT request, status, body FROM idempotency \
                 WHERE scope = $1 AND name = $2",
            )
            .bind(scope)
            .bind(key)
            .fetch_optional(pool)
            .await
        })?;
        Ok(match row {
            Some((other, ..)) if other != digest => Repeated::Other,
            Some((_, Some(status), Some(body))) => {
                let status = u16::try_from(status).map_err(|_| Error::Row("idempotency"))?;
                Repeated::Answered(status, body)
            }
            _ => Repeated::Begun,
        })
    }

    /// Remembers the answer to a request that was carried out.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn end_once(
        &self,
        scope: &str,
        key: &str,
        status: u16,
        body: &str,
    ) -> Result<(), Error> {
        on!(self.engine, writer => |pool| {
            sqlx::query(
                "UPDATE idempotency SET status = $1, body = $2 WHERE scope = $3 AND name = $4",
            )
            .bind(i32::from(status))
            .bind(body)
            .bind(scope)
            .bind(key)
            .execute(pool)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Forgets a key whose request was refused before anything was done.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_once(&self, scope: &str, key: &str) -> Result<(), Error> {
        on!(self.engine, writer => |pool| {
            sqlx::query("DELETE FROM idempotency WHERE scope = $1 AND name = $2")
                .bind(scope)
                .bind(key)
                .execute(pool)
                .await
                .map(drop)
        })?;
        Ok(())
    }
}
