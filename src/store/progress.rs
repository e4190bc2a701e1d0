//! Which tours people have seen, and the key with which people become numbers.
//!
//! A row is found only with the number of a person, which nobody can make without the key; the key
//! is sealed. Rows that nobody touched for [`KEPT`] are removed, so that accounts that are gone leave
//! nothing.

use super::{Error, Sealed, Store, now, on};

/// How long a row is kept that nobody touches, milliseconds: two years.
const KEPT: i64 = 2 * 365 * 24 * 3_600_000;

/// What the key is sealed for.
const CONTEXT: &str = "tours/key";

impl Store {
    /// The document of a person of a site.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tour_progress(&self, site: &str, person: &str) -> Result<Option<String>, Error> {
        let row: Option<(String,)> = on!(self.engine, readers => |pool| {
            sqlx::query_as("SELECT document FROM tour_progress WHERE site = $1 AND person = $2")
                .bind(site)
                .bind(person)
                .fetch_optional(pool)
                .await
        })?;
        Ok(row.map(|(document,)| document))
    }

    /// Replaces it, and forgets rows that are too old.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_tour_progress(
        &self,
        site: &str,
        person: &str,
        document: &str,
    ) -> Result<(), Error> {
        let now = now();
        on!(self.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO tour_progress (site, person, document, at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (site, person) DO UPDATE SET \
                 document = excluded.document, at = excluded.at",
            )
            .bind(site)
            .bind(person)
            .bind(document)
            .bind(now)
            .execute(pool)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Removes what nobody touched for two years.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_tour_progress(&self) -> Result<u64, Error> {
        let before = now() - KEPT;
        let gone = on!(self.engine, writer => |pool| {
            sqlx::query("DELETE FROM tour_progress WHERE at < $1")
                .bind(before)
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(gone)
    }

    /// The key, made at the first time; all replicas get the same.
    ///
    /// # Errors
    /// If the store fails, or cannot open what is sealed in it.
    pub async fn tour_key(&self) -> Result<[u8; 32], Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| super::seal::Error::Failed)?;
        let sealed = self.seal(CONTEXT, &secret)?;
        on!(self.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO tour_key (one, sealed_by, sealed) VALUES (1, $1, $2) \
                 ON CONFLICT (one) DO NOTHING",
            )
            .bind(&sealed.key)
            .bind(&sealed.bytes)
            .execute(pool)
            .await
            .map(drop)
        })?;
        let (key, bytes): (String, Vec<u8>) = on!(self.engine, writer => |pool| {
            sqlx::query_as("SELECT sealed_by, sealed FROM tour_key WHERE one = 1")
                .fetch_one(pool)
                .await
        })?;
        let opened = self.unseal(CONTEXT, &Sealed { key, bytes })?;
        let bytes = secrecy::ExposeSecret::expose_secret(&opened);
        bytes.try_into().map_err(|_| Error::Row("tour_key"))
    }
}
