//! Who may edit tours: a link that opens once, the session that it becomes, and what is written in it.
//!
//! Both are 32 random bytes of which only a hash is kept. Invariant: a link becomes a session at most
//! once, whoever asks at the same time, and from then on opens nothing; a session knows its own draft
//! and no other.

use secrecy::SecretString;
use uuid::Uuid;

use super::tokens::{hash, random};
use super::{Error, Store, now, on};

/// How long a link waits to be used, milliseconds.
pub const LINK_LIFE: i64 = 3 * 24 * 3_600_000;
/// How long a session goes on, milliseconds.
const SESSION: i64 = 7 * 24 * 3_600_000;

/// Somebody who edits tours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Editing {
    /// Its id, a UUID.
    pub id: String,
    /// The site.
    pub site: String,
    /// The tour: one that is there, or one to be.
    pub tour: String,
    /// When it ends, milliseconds since 1970.
    pub ends_at: i64,
    /// What was written; empty before that.
    pub draft: String,
}

type Row = (String, String, String, i64, String);

impl Store {
    /// Makes a link that opens once; removes what has ended. What opens is in the answer only.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn invite_tour_editor(
        &self,
        site: &str,
        tour: &str,
        made_by: &str,
    ) -> Result<(String, SecretString), Error> {
        let (id, secret, now) = (Uuid::now_v7().to_string(), random()?, now());
        on!(self.engine, transaction => |tx| {
            sqlx::query("DELETE FROM tour_editing WHERE ends_at < $1")
                .bind(now)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO tour_editing (id, site, tour, made_by, made_at, ends_at, opens, draft) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, '')",
            )
            .bind(&id)
            .bind(site)
            .bind(tour)
            .bind(made_by)
            .bind(now)
            .bind(now + LINK_LIFE)
            .bind(hash(&secret))
            .execute(&mut *tx)
            .await?;
        });
        Ok((id, secret))
    }

    /// Whether a link opens, now and for this site; does not use it up.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tour_link_opens(&self, site: &str, link: &SecretString) -> Result<bool, Error> {
        let row: Option<(String,)> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT id FROM tour_editing \
                 WHERE opens = $1 AND site = $2 AND begun_at IS NULL AND ends_at > $3",
            )
            .bind(hash(link))
            .bind(site)
            .bind(now())
            .fetch_optional(pool)
            .await
        })?;
        Ok(row.is_some())
    }

    /// Uses a link up: what opens the session, if it was one that opens.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn begin_tour_editing(
        &self,
        site: &str,
        link: &SecretString,
    ) -> Result<Option<SecretString>, Error> {
        let (session, now) = (random()?, now());
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query(
                "UPDATE tour_editing SET opens = $1, begun_at = $2, ends_at = $3 \
                 WHERE opens = $4 AND site = $5 AND begun_at IS NULL AND ends_at > $2",
            )
            .bind(hash(&session))
            .bind(now)
            .bind(now + SESSION)
            .bind(hash(link))
            .bind(site)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok((changed == 1).then_some(session))
    }

    /// Whose session this is, if it is one of this site and goes on.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tour_editing(
        &self,
        site: &str,
        session: &SecretString,
    ) -> Result<Option<Editing>, Error> {
        let row: Option<Row> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT id, site, tour, ends_at, draft FROM tour_editing \
                 WHERE opens = $1 AND site = $2 AND begun_at IS NOT NULL AND ends_at > $3",
            )
            .bind(hash(session))
            .bind(site)
            .bind(now())
            .fetch_optional(pool)
            .await
        })?;
        Ok(row.map(|(id, site, tour, ends_at, draft)| Editing { id, site, tour, ends_at, draft }))
    }

    /// Replaces what was written.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_tour_draft(&self, id: &str, draft: &str) -> Result<(), Error> {
        on!(self.engine, writer => |pool| {
            sqlx::query("UPDATE tour_editing SET draft = $1 WHERE id = $2")
                .bind(draft)
                .bind(id)
                .execute(pool)
                .await
                .map(drop)
        })?;
        Ok(())
    }

    /// Ends it, and forgets what was written.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn end_tour_editing(&self, id: &str) -> Result<(), Error> {
        on!(self.engine, writer => |pool| {
            sqlx::query("DELETE FROM tour_editing WHERE id = $1")
                .bind(id)
                .execute(pool)
                .await
                .map(drop)
        })?;
        Ok(())
    }
}
