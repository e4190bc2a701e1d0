//! Which Nextcloud is in a database, as far as it can be told from there.
//!
//! The version itself stands in `config.php`; the database has the migrations of the core, named
//! by version, and apps that are numbered like the server. Writing needs a version that was tried.

use serde::{Deserialize, Serialize};

use super::{Database, Error, text};

/// Versions that hand-overs were tried with.
pub const TESTED: &[u32] = &[29, 31, 34];
const TESTED_TEXT: &str = "29, 31 and 34";

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The major version, if it could be told.
    pub version: Option<u32>,
    /// Whether hand-overs were tried with it.
    pub tested: bool,
    /// Whether a write is allowed: tested, or forced.
    pub writable: bool,
}

// === impl Database ===

impl Database {
    /// The version, from what the database has of it.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn probe(&self) -> Result<Probe, Error> {
        let version = match self.migrated_to().await? {
            Some(version) => Some(version),
            None => self.numbered_like_the_server().await?,
        };
        let tested = version.is_some_and(|version| TESTED.contains(&version));
        Ok(Probe { version, tested, writable: tested || self.forced })
    }

    /// Refuses what was never tried, unless forced.
    pub(super) async fn writable(&self) -> Result<(), Error> {
        let probe = self.probe().await?;
        if probe.writable {
            return Ok(());
        }
        let version =
            probe.version.map_or_else(|| "of unknown version".to_owned(), |v| v.to_string());
        Err(Error::Untested { version, tested: TESTED_TEXT })
    }

    /// `34000Date20260521110333` is a step of the core on its way to 34.
    async fn migrated_to(&self) -> Result<Option<u32>, Error> {
        if !self.has("migrations").await? {
            return Ok(None);
        }
        let inner = "SELECT version FROM *PREFIX*migrations WHERE app = ?";
        let steps = self.rows(&["version"], inner, vec![text("core")]).await?;
        Ok(steps
            .iter()
            .filter_map(|step| step.optional(0)?.split_once("Date")?.0.parse::<u32>().ok())
            .map(|number| number / 1000)
            .max())
    }

    async fn numbered_like_the_server(&self) -> Result<Option<u32>, Error> {
        let inner = "SELECT configvalue FROM *PREFIX*appconfig \
                     WHERE configkey = ? AND appid IN ('circles', 'app_api', 'files_lock')";
        let found = self.rows(&["configvalue"], inner, vec![text("installed_version")]).await?;
        let major = |version: &str| version.split('.').next()?.parse::<u32>().ok();
        Ok(found
            .iter()
            .filter_map(|cells| major(cells.optional(0)?))
            .filter(|&major| major >= 25)
            .max())
    }

    /// That the tables every Nextcloud has are here; if not, which prefixes look like one.
    pub(super) async fn is_nextcloud(&self) -> Result<(), Error> {
        for table in ["appconfig", "users", "storages", "filecache", "preferences"] {
            if !self.has(table).await? {
                let found = match self.prefixes().await?.first() {
                    Some(other) => format!("; there are some with the prefix {other:?}"),
                    None => String::new(),
                };
                return Err(Error::NotNextcloud { prefix: self.prefix.to_string(), found });
            }
        }
        Ok(())
    }

    async fn prefixes(&self) -> Result<Vec<String>, Error> {
        let inner = match self.dialect() {
            super::Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
            super::Dialect::MySql => {
                "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
            }
            super::Dialect::Postgres => {
                "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()"
            }
        };
        let tables = self.rows(&["name"], inner, Vec::new()).await?;
        Ok(tables
            .iter()
            .filter_map(|cells| Some(cells.optional(0)?.strip_suffix("filecache")?.to_owned()))
            .collect())
    }
}
