//! Passeur's own database: tokens, audit, leases, jobs.
//!
//! SQLite in a file for one process, PostgreSQL where several replicas share it; the same tables,
//! and the same statements (both read `$1`), which run through `on!`. SQLite has one connection
//! that writes, so that nobody waits for a lock within this process, and several that read.
//!
//! Requests need no store. When it is away, an [`Error`] says so to whoever asked, nothing else
//! stops. Secrets in it are sealed, tokens hashed.

mod audit;
mod idempotency;
mod lease;
mod migrations;
mod owners;
mod progress;
mod seal;
pub mod sites;
#[cfg(test)]
mod tests;
mod tokens;
mod tour_counts;
mod tour_editing;
pub mod transfers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub use audit::{Entry, Filter, Written};
pub use idempotency::Repeated;
pub use lease::Lease;
pub use owners::ShownOwner;
pub use seal::{Keys, Sealed};
pub use tokens::{NewToken, Token};
pub use tour_counts::{TourCount, TourMissing};
pub use tour_editing::{Editing, LINK_LIFE};

/// How long a statement may wait for SQLite's lock, which another process may hold.
const BUSY: Duration = Duration::from_secs(10);
/// Connections that read, in SQLite; all connections, in PostgreSQL.
const CONNECTIONS: u32 = 4;

/// Where a store is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file, made if it is missing.
    Sqlite(PathBuf),
    /// `postgres://user:password@host/database`.
    Postgres(SecretString),
}

/// Why the store cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database says no, or is not there.
    #[error("the store failed")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be brought to what this version needs.
    #[error("failed to bring the store to this version")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A file beside the database cannot be read or made.
    #[error("failed to use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The URL is none of PostgreSQL. What is in it is not shown.
    #[error("the address of the PostgreSQL store cannot be read")]
    Url,
    /// The keys cannot be read, or none opens what is sealed.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// A row holds what this version cannot read.
    #[error("a row of {0} cannot be read")]
    Row(&'static str),
    /// Somebody else has taken the lease over.
    #[error("the lease {0} is held by another process now")]
    LeaseLost(String),
    /// The audit log was changed behind Passeur's back.
    #[error("the audit log does not fit together at entry {0}")]
    AuditBroken(i64),
}

/// The store; clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) engine: Engine,
    keys: Arc<Keys>,
}

/// The database behind a store.
#[derive(Clone)]
pub(crate) enum Engine {
    /// One connection that writes, and others that read.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// One pool for all.
    Postgres(PgPool),
}

/// Runs an expression on the pool of the engine: `on!(store.engine, readers => …)` for what only
/// reads, `on!(store.engine, writer => …)` for the rest. The expression is compiled once for each
/// engine, so its statements have to be valid for both, and its value of one type.
macro_rules! on {
    ($engine:expr, readers => |$pool:ident| $run:expr) => {
        match &$engine {
            $crate::store::Engine::Sqlite { readers: $pool, .. } => $run,
            $crate::store::Engine::Postgres($pool) => $run,
        }
    };
    ($engine:expr, writer => |$pool:ident| $run:expr) => {
        match &$engine {
            $crate::store::Engine::Sqlite { writer: $pool, .. } => $run,
            $crate::store::Engine::Postgres($pool) => $run,
        }
    };
    // A transaction: `$tx` is a `&mut` connection, the block gives a `Result`, and only `Ok` stays.
    ($engine:expr, transaction => |$tx:ident| $run:expr) => {
        match &$engine {
            $crate::store::Engine::Sqlite { writer, .. } => {
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                let $tx = &mut *transaction;
                let value = $run;
                transaction.commit().await?;
                value
            }
            $crate::store::Engine::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                let $tx = &mut *transaction;
                let value = $run;
                transaction.commit().await?;
                value
            }
        }
    };
}
pub(crate) use on;

impl Store {
    /// Opens the store and brings its tables to this version.
    ///
    /// # Errors
    /// If it cannot be reached, or was used by a newer version.
    pub async fn open(location: &Location, keys: Keys) -> Result<Self, Error> {
        let engine = match location {
            Location::Sqlite(path) => sqlite(path).await?,
            Location::Postgres(url) => postgres(url).await?,
        };
        match &engine {
            Engine::Sqlite { writer, .. } => migrations::sqlite().run(writer).await?,
            Engine::Postgres(pool) => migrations::postgres().run(pool).await?,
        }
        Ok(Self { engine, keys: Arc::new(keys) })
    }

    /// Whether several processes may share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Closes its connections, once what runs on them has ended.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

async fn sqlite(path: &Path) -> Result<Engine, Error> {
    make_private(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    let pool = |count: u32| SqlitePoolOptions::new().max_connections(count);
    let writer = pool(1).connect_with(options.clone()).await?;
    let readers = pool(CONNECTIONS).connect_lazy_with(options.pragma("query_only", "on"));
    Ok(Engine::Sqlite { writer, readers })
}

/// Makes the file, readable by nobody else, before SQLite would make it readable by all.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path).map(drop)
}

async fn postgres(url: &SecretString) -> Result<Engine, Error> {
    let options: PgConnectOptions = url.expose_secret().parse().map_err(|_| Error::Url)?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(BUSY)
        .connect_with(options.application_name("passeur"))
        .await?;
    Ok(Engine::Postgres(pool))
}

/// Milliseconds since 1970, as all times in the store are.
#[must_use]
pub fn now() -> i64 {
    millis(SystemTime::now())
}

/// A time as milliseconds since 1970.
#[must_use]
pub fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
