//! The stand-in's database: SQLite with Nextcloud's own tables, so that everything that reads or
//! writes owners in a real instance finds the same rows here.
//!
//! One connection writes, a few read. A write transaction therefore also serialises the changes on
//! disk that belong to it: whoever holds it is alone. A failed statement surfaces as `sqlx::Error`;
//! a transaction that is dropped is rolled back.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};

/// Connections that read at the same time.
const READERS: u32 = 4;
/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

/// The readers and the writer.
#[derive(Clone, Debug)]
pub(super) struct Db {
    /// For queries.
    pub(super) read: SqlitePool,
    writer: SqlitePool,
}

impl Db {
    /// Opens or creates the database and brings its tables up to date.
    pub(super) async fn open(file: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(false)
            .busy_timeout(BUSY);
        let pool = |size| SqlitePoolOptions::new().max_connections(size);
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::raw_sql(include_str!("schema.sql")).execute(&writer).await?;
        let read = pool(READERS).connect_with(options).await?;
        Ok(Self { read, writer })
    }

    /// Begins a write transaction; waits until no other runs.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Closes all connections, which also folds the write-ahead log into the file.
    pub(super) async fn close(&self) {
        self.read.close().await;
        self.writer.close().await;
    }
}

/// A value of `oc_preferences`.
pub(super) async fn preference(
    db: &SqlitePool,
    uid: &str,
    app: &str,
    key: &str,
) -> Result<Option<String>, sqlx::Error> {
    let found: Option<(Option<String>,)> = sqlx::query_as(
        "SELECT configvalue FROM oc_preferences WHERE userid = ? AND appid = ? AND configkey = ?",
    )
    .bind(uid)
    .bind(app)
    .bind(key)
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(|(value,)| value))
}

/// Sets a value of `oc_preferences`.
pub(super) async fn set_preference(
    db: &mut SqliteConnection,
    uid: &str,
    app: &str,
    key: &str,
    value: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oc_preferences (userid, appid, configkey, configvalue) VALUES (?, ?, ?, ?)
         ON CONFLICT (userid, appid, configkey) DO UPDATE SET configvalue = excluded.configvalue",
    )
    .bind(uid)
    .bind(app)
    .bind(key)
    .bind(value)
    .execute(db)
    .await?;
    Ok(())
}

/// A value of `oc_appconfig`.
pub(super) async fn app_config(
    db: &SqlitePool,
    app: &str,
    key: &str,
) -> Result<Option<String>, sqlx::Error> {
    let found: Option<(Option<String>,)> =
        sqlx::query_as("SELECT configvalue FROM oc_appconfig WHERE appid = ? AND configkey = ?")
            .bind(app)
            .bind(key)
            .fetch_optional(db)
            .await?;
    Ok(found.and_then(|(value,)| value))
}

/// Sets a value of `oc_appconfig`.
pub(super) async fn set_app_config(
    db: &mut SqliteConnection,
    app: &str,
    key: &str,
    value: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oc_appconfig (appid, configkey, configvalue) VALUES (?, ?, ?)
         ON CONFLICT (appid, configkey) DO UPDATE SET configvalue = excluded.configvalue",
    )
    .bind(app)
    .bind(key)
    .bind(value)
    .execute(db)
    .await?;
    Ok(())
}
