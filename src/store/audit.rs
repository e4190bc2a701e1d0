//! The audit log: who did what, from where, with which result. Never what is in files.
//!
//! It is only ever appended to (the database refuses the rest), and each entry carries a hash over
//! itself and the one before: whoever changes an entry, or takes one out of the middle, is found by
//! [`Store::verify_audit`]. What is cut off at the end is not, so an export from time to time keeps
//! the last hash elsewhere.

use futures_util::Stream;
use sha2::{Digest, Sha256};

use super::{Error, Store, now, on};

/// How many entries are read at a time.
const PAGE: i64 = 500;
/// How often an entry is tried that another replica's entry was quicker than.
const TRIES: usize = 100;

/// Something that was done, or refused.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// `token NAME`, `account UID`, `passeur` itself.
    pub who: String,
    /// From which address and by which door.
    pub origin: String,
    /// Which site it was about; empty, if none.
    pub site: String,
    /// `transfer.start`, `token.create`, …
    pub action: String,
    /// Which transfer, token, …
    pub subject: String,
    /// `done`, or why it was refused.
    pub result: String,
    /// More of it, as JSON: the plan's hash, say.
    pub detail: serde_json::Value,
}

/// An entry that was written.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Written {
    /// Its number, from 1, without gaps.
    pub seq: i64,
    /// When, milliseconds since 1970.
    pub at: i64,
    /// See [`Entry`].
    pub who: String,
    /// See [`Entry`].
    pub origin: String,
    /// See [`Entry`].
    pub site: String,
    /// See [`Entry`].
    pub action: String,
    /// See [`Entry`].
    pub subject: String,
    /// See [`Entry`].
    pub result: String,
    /// See [`Entry`].
    pub detail: serde_json::Value,
    /// The hash over it and all before, in hexadecimal digits.
    pub chain: String,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only about this site.
    pub site: Option<String>,
    /// Only entries after this number; a negative one counts from the newest.
    pub after: i64,
    /// At most so many.
    pub limit: Option<usize>,
}

type Row = (i64, i64, String, String, String, String, String, String, String, Vec<u8>);

impl Store {
    /// Appends an entry; its number.
    ///
    /// # Errors
    /// If the store fails: what was to be done must not be done then.
    pub async fn audit(&self, entry: &Entry) -> Result<i64, Error> {
        let detail = entry.detail.to_string();
        for _ in 0..TRIES {
            match self.append(entry, &detail).await {
                Err(Error::Database(sqlx::Error::Database(error)))
                    if error.is_unique_violation() => {}
                other => return other,
            }
        }
        Err(Error::Database(sqlx::Error::PoolTimedOut))
    }

    async fn append(&self, entry: &Entry, detail: &str) -> Result<i64, Error> {
        let at = now();
        Ok(on!(self.engine, transaction => |tx| {
            let last: Option<(i64, Vec<u8>)> =
                sqlx::query_as("SELECT seq, chain FROM audit ORDER BY seq DESC LIMIT 1")
                    .fetch_optional(&mut *tx)
                    .await?;
            let (last, chain) = last.unwrap_or_default();
            let Entry { who, origin, site, action, subject, result, .. } = entry;
            let texts = [who, origin, site, action, subject, result, detail];
            let seq = last + 1;
            sqlx::query(
                "INSERT INTO audit \
                 (seq, at, who, origin, site, action, subject, result, detail, chain) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(seq)
            .bind(at)
            .bind(who)
            .bind(origin)
            .bind(site)
            .bind(action)
            .bind(subject)
            .bind(result)
            .bind(detail)
            .bind(link(&chain, seq, at, texts))
            .execute(&mut *tx)
            .await?;
            seq
        }))
    }

    /// Entries, oldest first, read as they are asked for.
    pub fn audit_entries(
        &self,
        filter: Filter,
    ) -> impl Stream<Item = Result<Written, Error>> + use<> {
        let store = self.clone();
        async_stream::try_stream! {
            let mut after = filter.after;
            if after < 0 {
                after += store.audit_last().await?;
            }
            let mut left = filter.limit.unwrap_or(usize::MAX);
            loop {
                let rows = store.audit_page(filter.site.as_deref(), after).await?;
                let count = rows.len();
                for row in rows.into_iter().take(left) {
                    after = row.0;
                    left -= 1;
                    yield written(row);
                }
                if left == 0 || i64::try_from(count).is_ok_and(|count| count < PAGE) {
                    break;
                }
            }
        }
    }

    /// Reads the whole log and recomputes its hashes; the number of entries.
    ///
    /// # Errors
    /// [`Error::AuditBroken`] with the first entry that does not follow from those before.
    pub async fn verify_audit(&self) -> Result<i64, Error> {
        let (mut last, mut chain) = (0, Vec::new());
        loop {
            let rows = self.audit_page(None, last).await?;
            if rows.is_empty() {
                return Ok(last);
            }
            for row in rows {
                let (seq, at, who, origin, site, action, subject, result, detail, stored) = row;
                let texts: [&str; 7] = [&who, &origin, &site, &action, &subject, &result, &detail];
                chain = link(&chain, seq, at, texts);
                if seq != last + 1 || chain != stored {
                    return Err(Error::AuditBroken(seq));
                }
                last = seq;
            }
        }
    }

    /// The number of the newest entry; 0, if there is none.
    async fn audit_last(&self) -> Result<i64, Error> {
        Ok(on!(self.engine, readers => |pool| {
            let last: Option<(i64,)> =
                sqlx::query_as("SELECT seq FROM audit ORDER BY seq DESC LIMIT 1")
                    .fetch_optional(pool)
                    .await?;
            last.map_or(0, |(seq,)| seq)
        }))
    }

    async fn audit_page(&self, site: Option<&str>, after: i64) -> Result<Vec<Row>, Error> {
        Ok(on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT seq, at, who, origin, site, action, subject, result, detail, chain \
                 FROM audit WHERE seq > $1 AND ($2 = '' OR site = $2) ORDER BY seq LIMIT $3",
            )
            .bind(after)
            .bind(site.unwrap_or_default())
            .bind(PAGE)
            .fetch_all(pool)
            .await
        })?)
    }
}

/// The hash of an entry: over the one before, and over every field with its length, so that no
/// two entries look alike.
fn link<T: AsRef<str>>(before: &[u8], seq: i64, at: i64, texts: [T; 7]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(seq.to_be_bytes());
    hash.update(at.to_be_bytes());
    for text in texts {
        hash.update((text.as_ref().len() as u64).to_be_bytes());
        hash.update(text.as_ref());
    }
    hash.finalize().to_vec()
}

fn written(row: Row) -> Written {
    let (seq, at, who, origin, site, action, subject, result, detail, chain) = row;
    let detail = serde_json::from_str(&detail).unwrap_or(serde_json::Value::String(detail));
    let chain = chain.iter().map(|byte| format!("{byte:02x}")).collect();
    Written { seq, at, who, origin, site, action, subject, result, detail, chain }
}
