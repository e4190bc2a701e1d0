//! Three databases behind one door: every query goes through here, and every value is text.
//!
//! sqlx's own `Any` fails on types that Nextcloud has, so each query is an inner SELECT that all
//! three understand, wrapped in casts to text. SQL is written once, with `*PREFIX*` before table
//! names and `?` for values; [`Dialect`] turns it into what the database wants. Nothing else in
//! this program makes SQL out of pieces: the pieces are constants, a checked [`Prefix`] and names
//! of columns that [`Dialect::quoted`] checks.

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt};
use sqlx::mysql::{MySql, MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row as _, Transaction};

use super::dsn::{Dsn, Options};
use super::error::Error;
use super::prefix::Prefix;

/// Of one site: a job needs one for its reads and one for its writes.
const CONNECTIONS: u32 = 2;
/// To get a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// For one statement, or one row of a long answer.
const ANSWER: Duration = Duration::from_secs(120);

/// Which SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MariaDB and MySQL.
    MySql,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// A value bound into a query.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    Int(i64),
    Null,
    Text(String),
}

/// One row of an answer, all text.
#[derive(Debug)]
pub(super) struct Cells(Vec<Option<String>>);

pub(super) enum Pool {
    MySql(MySqlPool),
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

pub(super) enum Tx {
    MySql(Transaction<'static, MySql>),
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

// === impl Dialect ===

impl Dialect {
    /// Our one spelling turned into this database's.
    pub(super) fn translate(self, sql: &str, prefix: &Prefix) -> String {
        let sql = sql.replace("*PREFIX*", prefix.as_str());
        if self != Dialect::Postgres {
            return sql;
        }
        let mut parts = sql.split('?');
        let mut translated = parts.next().unwrap_or_default().to_owned();
        for (number, part) in parts.enumerate() {
            translated.push_str(&format!("${}{part}", number + 1));
        }
        translated
    }

    /// A name of a column, quoted: `user` and `timestamp` are words of SQL.
    ///
    /// # Errors
    /// [`Error::Value`] if it is no name that Nextcloud's tables have.
    pub(super) fn quoted(self, name: &str) -> Result<String, Error> {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(right) {
            return Err(Error::Value("the name of a column"));
        }
        Ok(match self {
            Dialect::MySql => format!("`{name}`"),
            Dialect::Postgres | Dialect::Sqlite => format!("\"{name}\""),
        })
    }

    /// An expression as text.
    pub(super) fn text(self, expression: &str) -> String {
        match self {
            Dialect::MySql => format!("CAST({expression} AS CHAR)"),
            Dialect::Postgres | Dialect::Sqlite => format!("CAST({expression} AS TEXT)"),
        }
    }

    /// `inner`, whose columns are named `names`, with each of them as text.
    fn as_text(self, names: &[&str], inner: &str) -> Result<String, Error> {
        let columns: Result<Vec<String>, Error> =
            names.iter().map(|name| Ok(self.text(&format!("q.{}", self.quoted(name)?)))).collect();
        Ok(format!("SELECT {} FROM ({inner}) q", columns?.join(", ")))
    }
}

// === impl Cells ===

impl From<Vec<Option<String>>> for Cells {
    fn from(cells: Vec<Option<String>>) -> Self {
        Self(cells)
    }
}

impl Cells {
    /// The text in a column, if it is not NULL.
    pub(super) fn optional(&self, column: usize) -> Option<&str> {
        self.0.get(column).and_then(|cell| cell.as_deref())
    }

    /// The text in a column; NULL is empty.
    pub(super) fn text(&self, column: usize) -> String {
        self.optional(column).unwrap_or_default().to_owned()
    }

    /// The number in a column; NULL is 0. PostgreSQL's sums come with a fraction at times.
    ///
    /// # Errors
    /// [`Error::Value`] if there is something else in it.
    pub(super) fn int(&self, column: usize) -> Result<i64, Error> {
        match self.optional(column) {
            None | Some("") => Ok(0),
            Some(text) => text
                .split_once('.')
                .map_or(text, |(whole, _)| whole)
                .parse()
                .map_err(|_| Error::Value("a number")),
        }
    }

    /// A count: never negative.
    pub(super) fn count(&self, column: usize) -> Result<u64, Error> {
        self.int(column).map(|number| u64::try_from(number).unwrap_or(0))
    }

    pub(super) fn into_vec(self) -> Vec<Option<String>> {
        self.0
    }
}

// === binding and decoding, once for three drivers ===

macro_rules! bound {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for arg in $args {
            query = match arg {
                Arg::Int(number) => query.bind(number),
                Arg::Null => query.bind(None::<String>),
                Arg::Text(text) => query.bind(text),
            };
        }
        query
    }};
}

macro_rules! rows {
    ($executor:expr, $sql:expr, $args:expr) => {
        async_stream::stream! {
            let mut rows = bound!($sql, $args).fetch($executor);
            loop {
                match tokio::time::timeout(ANSWER, rows.next()).await {
                    Err(_) => { yield Err(Error::Timeout(ANSWER.as_secs())); break }
                    Ok(None) => break,
                    Ok(Some(Err(error))) => { yield Err(meant(error)); break }
                    Ok(Some(Ok(row))) => {
                        // Unchecked: MariaDB calls text with a binary collation binary.
                        let cells: Result<Vec<Option<String>>, sqlx::Error> =
                            (0..row.len()).map(|column| row.try_get_unchecked(column)).collect();
                        yield cells.map(Cells).map_err(Error::Query);
                    }
                }
            }
        }
    };
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER, work).await {
        Ok(answer) => answer.map_err(meant),
        Err(_) => Err(Error::Timeout(ANSWER.as_secs())),
    }
}

// === impl Pool ===

impl Pool {
    /// Connects once, so that a wrong password is told now.
    pub(super) async fn open(dsn: &Dsn) -> Result<Self, Error> {
        macro_rules! connect {
            ($options:ty, $given:expr) => {{
                let given = $given;
                // A pool would try again until its time is over, and then only say so.
                match tokio::time::timeout(CONNECT, given.connect()).await {
                    Err(_) => return Err(Error::Timeout(CONNECT.as_secs())),
                    Ok(Err(source)) => Err(source),
                    Ok(Ok(first)) => {
                        drop(first.close().await);
                        let pool = <$options>::new()
                            .max_connections(CONNECTIONS)
                            .acquire_timeout(CONNECT)
                            .connect_lazy_with(given);
                        Ok(pool)
                    }
                }
            }};
        }
        let opened = match &dsn.options {
            Options::MySql(given) => {
                connect!(MySqlPoolOptions, given.as_ref().clone()).map(Pool::MySql)
            }
            Options::Postgres(given) => {
                let given = given.as_ref().clone().application_name("passeur");
                connect!(PgPoolOptions, given).map(Pool::Postgres)
            }
            Options::Sqlite(given) => {
                let given = given.as_ref().clone().busy_timeout(CONNECT * 3);
                connect!(SqlitePoolOptions, given).map(Pool::Sqlite)
            }
        };
        opened.map_err(|source| refused(dsn, source))
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Pool::MySql(_) => Dialect::MySql,
            Pool::Postgres(_) => Dialect::Postgres,
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Pool::MySql(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
            Pool::Sqlite(pool) => pool.close().await,
        }
    }

    /// The rows of `inner`, one after the other: never all in memory.
    pub(super) fn stream<'a>(
        &'a self,
        names: &[&str],
        inner: &str,
        args: Vec<Arg>,
        prefix: &Prefix,
    ) -> BoxStream<'a, Result<Cells, Error>> {
        let dialect = self.dialect();
        let sql = match dialect.as_text(names, inner) {
            Ok(sql) => dialect.translate(&sql, prefix),
            Err(error) => return futures_util::stream::iter([Err(error)]).boxed(),
        };
        match self {
            Pool::MySql(pool) => rows!(pool, sql, args).boxed(),
            Pool::Postgres(pool) => rows!(pool, sql, args).boxed(),
            Pool::Sqlite(pool) => rows!(pool, sql, args).boxed(),
        }
    }

    /// A transaction that writes: SQLite's takes the write lock now instead of failing later.
    pub(super) async fn begin(&self) -> Result<Tx, Error> {
        Ok(match self {
            Pool::MySql(pool) => Tx::MySql(in_time(pool.begin()).await?),
            Pool::Postgres(pool) => Tx::Postgres(in_time(pool.begin()).await?),
            Pool::Sqlite(pool) => Tx::Sqlite(in_time(pool.begin_with("BEGIN IMMEDIATE")).await?),
        })
    }
}

// === impl Tx ===

impl Tx {
    /// Runs a statement of this database's own SQL; the number of rows it matched.
    pub(super) async fn execute(&mut self, sql: String, args: Vec<Arg>) -> Result<u64, Error> {
        match self {
            Tx::MySql(tx) => {
                in_time(tx.execute(bound!(sql, args))).await.map(|done| done.rows_affected())
            }
            Tx::Postgres(tx) => {
                in_time(tx.execute(bound!(sql, args))).await.map(|done| done.rows_affected())
            }
            Tx::Sqlite(tx) => {
                in_time(tx.execute(bound!(sql, args))).await.map(|done| done.rows_affected())
            }
        }
    }

    /// Whether a query of this database's own SQL finds anything.
    pub(super) async fn finds(&mut self, sql: String, args: Vec<Arg>) -> Result<bool, Error> {
        match self {
            Tx::MySql(tx) => {
                in_time(tx.fetch_optional(bound!(sql, args))).await.map(|row| row.is_some())
            }
            Tx::Postgres(tx) => {
                in_time(tx.fetch_optional(bound!(sql, args))).await.map(|row| row.is_some())
            }
            Tx::Sqlite(tx) => {
                in_time(tx.fetch_optional(bound!(sql, args))).await.map(|row| row.is_some())
            }
        }
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        match self {
            Tx::MySql(tx) => in_time(tx.commit()).await,
            Tx::Postgres(tx) => in_time(tx.commit()).await,
            Tx::Sqlite(tx) => in_time(tx.commit()).await,
        }
    }

    pub(super) async fn rollback(self) -> Result<(), Error> {
        match self {
            Tx::MySql(tx) => in_time(tx.rollback()).await,
            Tx::Postgres(tx) => in_time(tx.rollback()).await,
            Tx::Sqlite(tx) => in_time(tx.rollback()).await,
        }
    }
}

/// What a failed query means.
fn meant(source: sqlx::Error) -> Error {
    let Some(said) = source.as_database_error() else { return Error::Query(source) };
    let code = said.code().unwrap_or_default();
    // PostgreSQL: insufficient privilege; SQLite: a read-only file. MariaDB: among others.
    let refused = code == "42501" || code == "8" || said.message().contains("command denied");
    // SQLite: another writer. PostgreSQL and MariaDB: a deadlock, a lock that took too long.
    let busy = ["5", "517", "40P01", "55P03", "40001"].contains(&code.as_ref())
        || said.message().contains("Lock wait timeout");
    match (refused, busy) {
        (true, _) => Error::NotAllowed(source),
        (_, true) => Error::Busy(source),
        _ => Error::Query(source),
    }
}

/// What a failed connection means.
fn refused(dsn: &Dsn, source: sqlx::Error) -> Error {
    let code =
        source.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    match (&source, code.as_str()) {
        // PostgreSQL: invalid password, invalid authorisation; MariaDB: access denied (28000).
        (_, "28P01" | "28000") => Error::Access { user: dsn.user.clone(), source },
        // PostgreSQL's code, MariaDB's SQLSTATE for an unknown database, and its "no right to it".
        (_, "3D000") => Error::UnknownDatabase { name: dsn.database.clone(), source },
        (_, "42000") => Error::UnknownDatabase { name: dsn.database.clone(), source },
        (sqlx::Error::Tls(_), _) => Error::Tls(source),
        (sqlx::Error::Configuration(said), _) if said.to_string().contains("RSA") => {
            Error::Sha2(source)
        }
        (sqlx::Error::PoolTimedOut, _) => Error::Timeout(CONNECT.as_secs()),
        _ => Error::Connect { at: dsn.at.clone(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_becomes_three() {
        let prefix = Prefix::new("nc_").expect("a prefix");
        let sql = "SELECT a FROM *PREFIX*t WHERE a = ? AND b = ?";
        assert_eq!(
            Dialect::Sqlite.translate(sql, &prefix),
            "SELECT a FROM nc_t WHERE a = ? AND b = ?"
        );
        assert_eq!(
            Dialect::Postgres.translate(sql, &prefix),
            "SELECT a FROM nc_t WHERE a = $1 AND b = $2"
        );
        assert_eq!(Dialect::MySql.quoted("user").expect("a name"), "`user`");
        for wrong in ["", "a b", "a\"", "a`; DROP", "é"] {
            assert!(Dialect::Sqlite.quoted(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_only_tls_can_carry_is_told_so() {
        let dsn = Dsn::parse(&"mysql://nc:pw@db/nc".to_owned().into()).expect("a DSN");
        let source = sqlx::Error::Configuration("RSA auth backend disabled".into());
        assert!(matches!(refused(&dsn, source), Error::Sha2(_)));
    }

    #[test]
    fn cells_are_read_as_numbers() {
        let cells = Cells(vec![Some("12".into()), None, Some("3.0000".into()), Some("x".into())]);
        assert_eq!(cells.int(0).expect("a number"), 12);
        assert_eq!(cells.int(1).expect("a number"), 0);
        assert_eq!(cells.int(2).expect("a number"), 3);
        assert!(cells.int(3).is_err());
    }
}
