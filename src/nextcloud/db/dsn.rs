//! Where a site's database is and how to sign in, from a secret.
//!
//! Two ways to write it: a URL (`postgres://nextcloud:PASSWORD@db/nextcloud`, `mysql://…`,
//! `sqlite:/var/www/data/owncloud.db`), or the lines of Nextcloud's own `config.php` (`'dbtype' =>
//! 'mysql',` … or `dbtype = mysql`), with its spellings of `dbhost`: `host`, `host:port`,
//! `localhost:/run/mysqld/mysqld.sock`, `/var/run/postgresql`. What was read is never shown: it
//! has the password in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::error::Error;
use super::prefix::Prefix;

/// Where Debian and its like put the socket; what `localhost` means to PHP's MySQL client.
const MYSQL_SOCKET: &str = "/run/mysqld/mysqld.sock";

/// A checked address with its password.
#[derive(Clone)]
pub struct Dsn {
    pub(super) options: Options,
    /// Host and port, socket, or file: what may be shown.
    pub(super) at: String,
    pub(super) user: String,
    pub(super) database: String,
    prefix: Option<Prefix>,
}

#[derive(Clone)]
pub(super) enum Options {
    MySql(Box<MySqlConnectOptions>),
    Postgres(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

// === impl Dsn ===

impl Dsn {
    /// Reads either form.
    ///
    /// # Errors
    /// [`Error::Dsn`] if it is neither, or something is missing in it; [`Error::Prefix`].
    pub fn parse(secret: &SecretString) -> Result<Self, Error> {
        let text = secret.expose_secret().trim();
        match text.contains("dbtype") && !text.starts_with("sqlite:") {
            true => from_config(&config_lines(text)),
            false => from_url(text),
        }
    }

    /// The prefix, if the address names one (`?prefix=nc_`, `dbtableprefix`).
    #[must_use]
    pub fn prefix(&self) -> Option<&Prefix> {
        self.prefix.as_ref()
    }
}

impl std::fmt::Debug for Dsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dsn").field("at", &self.at).finish_non_exhaustive()
    }
}

// === the URL form ===

fn from_url(text: &str) -> Result<Dsn, Error> {
    let (scheme, rest) =
        text.split_once(':').ok_or(Error::Dsn("it is neither a URL nor lines of config.php"))?;
    if scheme == "sqlite" || scheme == "sqlite3" {
        let (file, query) = rest.split_once('?').unwrap_or((rest, ""));
        let file = file.strip_prefix("//").unwrap_or(file);
        let prefix = url::form_urlencoded::parse(query.as_bytes())
            .find_map(|(key, value)| (key == "prefix").then(|| Prefix::new(&value)))
            .transpose()?;
        return sqlite(Path::new(file), prefix);
    }
    let mut url = url::Url::parse(text).map_err(|_| Error::Dsn("it is not a URL"))?;
    let prefix = take_prefix(&mut url)?;
    let database = url.path().trim_start_matches('/').to_owned();
    if database.is_empty() {
        return Err(Error::Dsn("it names no database"));
    }
    let user =
        percent_encoding::percent_decode_str(url.username()).decode_utf8_lossy().into_owned();
    let at = shown(&url);
    let options = match scheme {
        "postgres" | "postgresql" | "pgsql" => {
            let text = url.as_str().replacen(scheme, "postgres", 1);
            let options = PgConnectOptions::from_str(&text)
                .map_err(|_| Error::Dsn("its options are not those of PostgreSQL"))?;
            Options::Postgres(Box::new(options))
        }
        "mysql" | "mariadb" => {
            let text = url.as_str().replacen(scheme, "mysql", 1);
            let options = MySqlConnectOptions::from_str(&text)
                .map_err(|_| Error::Dsn("its options are not those of MariaDB"))?;
            Options::MySql(Box::new(options))
        }
        _ => return Err(Error::Dsn("its kind is none of sqlite, postgres, mysql, mariadb")),
    };
    Ok(Dsn { options, at, user, database, prefix })
}

fn take_prefix(url: &mut url::Url) -> Result<Option<Prefix>, Error> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let prefix = pairs.iter().find(|(key, _)| key == "prefix");
    let prefix = prefix.map(|(_, value)| Prefix::new(value)).transpose()?;
    url.set_query(None);
    for (key, value) in pairs.iter().filter(|(key, _)| key != "prefix") {
        url.query_pairs_mut().append_pair(key, value);
    }
    Ok(prefix)
}

fn shown(url: &url::Url) -> String {
    let socket = url.query_pairs().find(|(key, _)| key == "socket" || key == "host");
    match (socket, url.host_str(), url.port()) {
        (Some((_, socket)), ..) => socket.into_owned(),
        (None, Some(host), Some(port)) => format!("{host}:{port}"),
        (None, host, _) => host.unwrap_or("localhost").to_owned(),
    }
}

fn sqlite(file: &Path, prefix: Option<Prefix>) -> Result<Dsn, Error> {
    if !file.is_absolute() {
        return Err(Error::Dsn("the path of the SQLite file has to be absolute"));
    }
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false);
    let at = file.display().to_string();
    let options = Options::Sqlite(Box::new(options));
    Ok(Dsn { options, database: at.clone(), at, user: String::new(), prefix })
}

// === the form of config.php ===

/// `'dbname' => 'nextcloud',` and `dbname = nextcloud`, one a line; others are skipped.
fn config_lines(text: &str) -> HashMap<String, String> {
    let unquoted = |text: &str| {
        let text = text.trim().trim_end_matches([',', ';']).trim();
        match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(inner) => inner.replace("\\'", "'").replace("\\\\", "\\"),
            None => text.trim_matches('"').to_owned(),
        }
    };
    let pair = |line: &str| {
        let (key, value) = line.split_once("=>").or_else(|| line.split_once('='))?;
        Some((unquoted(key), unquoted(value)))
    };
    text.lines().filter_map(pair).collect()
}

fn from_config(config: &HashMap<String, String>) -> Result<Dsn, Error> {
    let value = |key: &str| config.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let prefix = config.get("dbtableprefix").map(|prefix| Prefix::new(prefix)).transpose()?;
    let kind = value("dbtype").ok_or(Error::Dsn("dbtype is missing"))?;
    let name = value("dbname");
    if kind == "sqlite" || kind == "sqlite3" {
        let folder = value("datadirectory").ok_or(Error::Dsn("datadirectory is missing"))?;
        return sqlite(
            &Path::new(folder).join(format!("{}.db", name.unwrap_or("owncloud"))),
            prefix,
        );
    }
    let database = name.ok_or(Error::Dsn("dbname is missing"))?.to_owned();
    let user = value("dbuser").ok_or(Error::Dsn("dbuser is missing"))?.to_owned();
    let password = value("dbpassword").unwrap_or_default();
    let host = Host::parse(value("dbhost").unwrap_or("localhost"), value("dbport"))?;
    let options = match kind {
        "mysql" => Options::MySql(Box::new(
            host.mysql().username(&user).password(password).database(&database),
        )),
        "pgsql" => Options::Postgres(Box::new(
            host.postgres().username(&user).password(password).database(&database),
        )),
        _ => return Err(Error::Dsn("dbtype is none of sqlite3, mysql, pgsql")),
    };
    Ok(Dsn { options, at: host.to_string(), user, database, prefix })
}

/// `dbhost` in Nextcloud's spellings.
#[derive(Debug, PartialEq)]
enum Host {
    /// `localhost`: what that is depends on the database.
    Local,
    Name(String, Option<u16>),
    Socket(PathBuf),
}

impl Host {
    fn parse(text: &str, port: Option<&str>) -> Result<Self, Error> {
        let number =
            |text: &str| text.parse().map_err(|_| Error::Dsn("the port in dbhost is no port"));
        if let Some(start) = text.find('/') {
            return Ok(Host::Socket(PathBuf::from(text.get(start..).unwrap_or_default())));
        }
        if let Some(inner) = text.strip_prefix('[') {
            let (host, rest) =
                inner.split_once(']').ok_or(Error::Dsn("dbhost has no end of its ["))?;
            let port = rest.strip_prefix(':').or(port).map(number).transpose()?;
            return Ok(Host::Name(host.to_owned(), port));
        }
        match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => {
                Ok(Host::Name(host.to_owned(), Some(number(port)?)))
            }
            _ if text == "localhost" && port.is_none() => Ok(Host::Local),
            _ => Ok(Host::Name(text.to_owned(), port.map(number).transpose()?)),
        }
    }

    fn mysql(&self) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new();
        match self {
            Host::Local if Path::new(MYSQL_SOCKET).exists() => options.socket(MYSQL_SOCKET),
            Host::Local => options.host("localhost"),
            Host::Name(host, port) => options.host(host).port(port.unwrap_or(3306)),
            Host::Socket(path) => options.socket(path),
        }
    }

    /// A socket's folder, or the socket itself: libpq takes the folder.
    fn postgres(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass();
        match self {
            Host::Local => options.host("localhost"),
            Host::Name(host, port) => options.host(host).port(port.unwrap_or(5432)),
            Host::Socket(path) => {
                let named = path.file_name().and_then(|name| name.to_str());
                let port = named.and_then(|name| name.strip_prefix(".s.PGSQL.")?.parse().ok());
                match (port, path.parent()) {
                    (Some(port), Some(folder)) => options.socket(folder).port(port),
                    _ => options.socket(path),
                }
            }
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Local => f.write_str("localhost"),
            Host::Name(host, Some(port)) => write!(f, "{host}:{port}"),
            Host::Name(host, None) => f.write_str(host),
            Host::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Dsn, Error> {
        Dsn::parse(&SecretString::from(text))
    }

    #[test]
    fn urls_of_three_databases_are_read() {
        let dsn = parse("postgres://nc:p%40ss@db.example:5433/cloud?sslmode=require&prefix=nc_")
            .expect("a DSN");
        assert_eq!(
            (dsn.at.as_str(), dsn.user.as_str(), dsn.database.as_str()),
            ("db.example:5433", "nc", "cloud")
        );
        assert_eq!(dsn.prefix().map(Prefix::as_str), Some("nc_"));
        let dsn = parse("mariadb://nc@localhost/cloud?socket=/run/my.sock").expect("a DSN");
        assert_eq!(dsn.at, "/run/my.sock");
        assert!(matches!(dsn.options, Options::MySql(_)));
        for text in ["sqlite:/data/owncloud.db", "sqlite:///data/owncloud.db?prefix=oc_"] {
            let dsn = parse(text).expect("a DSN");
            assert_eq!(dsn.at, "/data/owncloud.db");
        }
    }

    #[test]
    fn lines_of_config_php_are_read() {
        let text = "  'dbtype' => 'mysql',\n 'dbname' => 'cloud',\n 'dbhost' => 'localhost:/run/my.sock',\n \
                    'dbtableprefix' => '',\n 'dbuser' => 'nc',\n 'dbpassword' => 'it\\'s',\n 'mysql.utf8mb4' => true,";
        let dsn = parse(text).expect("a DSN");
        assert_eq!((dsn.at.as_str(), dsn.user.as_str()), ("/run/my.sock", "nc"));
        assert_eq!(dsn.prefix().map(Prefix::as_str), Some(""));
        let dsn = parse("dbtype=pgsql\ndbname=cloud\ndbuser=nc\ndbhost=/var/run/postgresql")
            .expect("a DSN");
        assert_eq!(dsn.at, "/var/run/postgresql");
        let dsn = parse("'dbtype' => 'sqlite3',\n'datadirectory' => '/srv/data',").expect("a DSN");
        assert_eq!(dsn.at, "/srv/data/owncloud.db");
    }

    #[test]
    fn every_spelling_of_the_host_is_known() {
        for (text, port, host) in [
            ("localhost", None, Host::Local),
            ("db", Some("3307"), Host::Name("db".to_owned(), Some(3307))),
            ("db:3308", None, Host::Name("db".to_owned(), Some(3308))),
            ("[::1]:5432", None, Host::Name("::1".to_owned(), Some(5432))),
            ("::1", None, Host::Name("::1".to_owned(), None)),
            ("localhost:/s.sock", None, Host::Socket("/s.sock".into())),
        ] {
            assert_eq!(Host::parse(text, port).expect("a host"), host, "{text}");
        }
        assert!(Host::parse("db:99999", None).is_err());
    }

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        for text in [
            "hunter2",
            "oracle://nc:hunter2@db/x",
            "mysql://nc:hunter2@db",
            "sqlite:hunter2.db",
            "dbtype=oci\ndbname=hunter2\ndbuser=a",
            "postgres://nc:hunter2@db/x?sslmode=hunter2",
        ] {
            let error = parse(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let dsn = parse("postgres://nc:hunter2@db/x").expect("a DSN");
        assert!(!format!("{dsn:?}").contains("hunter2"));
    }
}
