//! What can go wrong with a site's database, and what to do about it.

use super::prefix::InvalidPrefix;

/// Why the database could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Name and password were refused.
    #[error(
        "the database refuses user {user:?}: wrong password, or no such user; compare with dbuser and \
         dbpassword in Nextcloud's config.php"
    )]
    Access {
        /// Who was refused.
        user: String,
        /// In the server's words.
        #[source]
        source: sqlx::Error,
    },
    /// Somebody else is writing there just now.
    #[error("the database is busy: nothing was written, try again")]
    Busy(#[source] sqlx::Error),
    /// The row is neither as it was when the hand-over was prepared nor as it should become.
    #[error("someone else changed {table} {key} meanwhile: nothing was written")]
    Changed {
        /// The table, with prefix.
        table: String,
        /// Which row.
        key: String,
    },
    /// There is a row already where one should go.
    #[error("{table} has a row already where one should go: nothing was written")]
    Clash {
        /// The table, with prefix.
        table: String,
        /// In the server's words.
        #[source]
        source: sqlx::Error,
    },
    /// No connection.
    #[error("the database cannot be reached at {at}")]
    Connect {
        /// Host and port, socket, or file.
        at: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The DSN cannot be read; it is never shown, as it has a password in it.
    #[error("the database's address cannot be read: {0}")]
    Dsn(&'static str),
    /// What is to be handed over is not there, or not the source's.
    #[error("{what} is not there, or does not belong to {owner}")]
    Missing {
        /// What was looked for.
        what: String,
        /// Whose it should be.
        owner: String,
    },
    /// The account of the database has too few rights.
    #[error(
        "the database's user may not do that: it needs SELECT, INSERT, UPDATE and DELETE on Nextcloud's \
         tables (SQLite: the file and its folder have to be writable)"
    )]
    NotAllowed(#[source] sqlx::Error),
    /// The files are not in the recipient's home (yet).
    #[error("file {file} is not in the home of {owner}: move it first")]
    NotMoved {
        /// Its id.
        file: i64,
        /// Whose home it should be in.
        owner: String,
    },
    /// There is a database, but no Nextcloud in it.
    #[error("there are no Nextcloud tables with the prefix {prefix:?} in this database{found}")]
    NotNextcloud {
        /// The prefix that was tried.
        prefix: String,
        /// `; there are some with the prefix "nc_"`, or nothing.
        found: String,
    },
    /// Generated or trashed, so nobody can have it.
    #[error("{what} cannot be handed over: {why}")]
    NotTransferable {
        /// What was asked for.
        what: String,
        /// Why not.
        why: &'static str,
    },
    /// The prefix cannot stand in SQL.
    #[error(transparent)]
    Prefix(#[from] InvalidPrefix),
    /// A query failed.
    #[error("a query failed in the database of the site")]
    Query(#[source] sqlx::Error),
    /// The same account on both sides.
    #[error("{0} is both source and recipient")]
    SameAccount(String),
    /// A table or column that a write needs is not there.
    #[error("the site's database has no {0}: this Nextcloud is not one Passeur knows")]
    Schema(String),
    /// No way to send the password that the server accepts.
    #[error(
        "the database wants the password over TLS (caching_sha2_password): add `?ssl-mode=REQUIRED`, or \
         give its user another way to sign in (mysql_native_password)"
    )]
    Sha2(#[source] sqlx::Error),
    /// It took too long.
    #[error("the database did not answer within {0} seconds")]
    Timeout(u64),
    /// TLS with the server failed.
    #[error(
        "TLS with the database failed: check `sslmode` and `sslrootcert` (PostgreSQL), or `ssl-mode` and `ssl-ca` (MariaDB)"
    )]
    Tls(#[source] sqlx::Error),
    /// Nobody has that account id.
    #[error("there is no account {0:?}")]
    UnknownAccount(String),
    /// The server has no such database.
    #[error("the server has no database {name:?}: compare with dbname in Nextcloud's config.php")]
    UnknownDatabase {
        /// What was asked for.
        name: String,
        /// In the server's words.
        #[source]
        source: sqlx::Error,
    },
    /// A version that hand-overs were not tried with.
    #[error(
        "writing into the database of Nextcloud {version} was not tried (only {tested}): use another engine, \
         or force it"
    )]
    Untested {
        /// What was found.
        version: String,
        /// What is known.
        tested: &'static str,
    },
    /// A row holds something that is not what the column is for.
    #[error("{0} in the site's database cannot be read")]
    Value(&'static str),
}

// === impl Error ===

impl Error {
    /// Whether the same call may go well later, with nothing done about it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Busy(_) | Error::Connect { .. } | Error::Timeout(_) => true,
            Error::Query(source) => source.as_database_error().is_none(),
            _ => false,
        }
    }
}
