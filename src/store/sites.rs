//! Sites that are in no file: their text, and the secrets in it, which are sealed.
//!
//! Every change of any site gets the next revision, given out under one row's lock, so that they
//! become visible in their order: whoever has seen revision 7 asks for what is newer, and gets a few
//! rows however many sites there are. A host belongs to one site by a unique key, so that two
//! replicas that are asked at once cannot both give it away.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::{Error, Sealed, Store, now, on};

/// Secrets by the key in whose place they stand, such as `access.database.dsn`.
pub type Secrets = BTreeMap<String, SecretString>;

/// A site as it is kept.
#[derive(Clone, Debug)]
pub struct KeptSite {
    /// Its name.
    pub name: String,
    /// What a file would say; the secrets in it are named, not shown.
    pub text: String,
    /// These secrets.
    pub secrets: Secrets,
    /// Which change it comes from.
    pub revision: i64,
}

/// A site to keep.
#[derive(Clone, Debug)]
pub struct NewSite<'a> {
    /// Its name.
    pub name: &'a str,
    /// See [`KeptSite`].
    pub text: &'a str,
    /// See [`KeptSite`].
    pub secrets: &'a Secrets,
    /// The hosts it takes, which no other may have.
    pub hosts: &'a [String],
}

/// What has to be there for a change to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expected {
    /// No such site.
    Nothing,
    /// The site, as of any revision.
    Any,
    /// The site as of this revision.
    Revision(i64),
}

/// How a change went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Changed {
    /// It was made, and this is its revision.
    Done(i64),
    /// Something else is there than was expected: the revision, if the site is there at all.
    Unexpected(Option<i64>),
    /// Another site has one of the hosts.
    HostTaken {
        /// Which host.
        host: String,
        /// By which site.
        site: String,
    },
}

/// What happened since a revision.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The newest revision.
    pub revision: i64,
    /// Sites that are new or different.
    pub changed: Vec<KeptSite>,
    /// Sites that were taken away.
    pub gone: Vec<String>,
    /// Sites whose secrets cannot be opened, and why.
    pub sealed: Vec<(String, String)>,
}

type Row = (String, Option<String>, Option<String>, Option<Vec<u8>>, i64);

impl Store {
    /// Keeps a site, in the place of what is `expected`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_site(
        &self,
        site: &NewSite<'_>,
        expected: Expected,
    ) -> Result<Changed, Error> {
        let sealed = self.seal_site(site)?;
        self.change_site(site.name, Some(site.text), sealed, site.hosts, expected).await
    }

    /// Takes a site away.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn drop_site(&self, name: &str, expected: Expected) -> Result<Changed, Error> {
        self.change_site(name, None, None, &[], expected).await
    }

    async fn change_site(
        &self,
        name: &str,
        text: Option<&str>,
        sealed: Option<Sealed>,
        hosts: &[String],
        expected: Expected,
    ) -> Result<Changed, Error> {
        let (key, bytes) = sealed.map(|sealed| (sealed.key, sealed.bytes)).unzip();
        let at = now();
        Ok(on!(self.engine, transaction => |tx| {
            // The lock: what follows happens on one replica at a time.
            sqlx::query("UPDATE site_revision SET value = value + 1 WHERE one = 1")
                .execute(&mut *tx)
                .await?;
            let (revision,): (i64,) = sqlx::query_as("SELECT value FROM site_revision")
                .fetch_one(&mut *tx)
                .await?;
            let known: Option<(i64,)> =
                sqlx::query_as("SELECT revision FROM site WHERE name = $1 AND text IS NOT NULL")
                    .bind(name)
                    .fetch_optional(&mut *tx)
                    .await?;
            let known = known.map(|(known,)| known);
            if !expected.is(known) {
                return Ok(Changed::Unexpected(known));
            }
            sqlx::query("DELETE FROM site_host WHERE site = $1")
                .bind(name)
                .execute(&mut *tx)
                .await?;
            for host in hosts {
                let other: Option<(String,)> =
                    sqlx::query_as("SELECT site FROM site_host WHERE host = $1")
                        .bind(host)
                        .fetch_optional(&mut *tx)
                        .await?;
                if let Some((site,)) = other {
                    return Ok(Changed::HostTaken { host: host.clone(), site });
                }
                sqlx::query("INSERT INTO site_host (host, site) VALUES ($1, $2)")
                    .bind(host)
                    .bind(name)
                    .execute(&mut *tx)
                    .await?;
            }
            sqlx::query(
                "INSERT INTO site (name, text, secrets_key, secrets, revision, changed_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET \
                 text = excluded.text, secrets_key = excluded.secrets_key, \
                 secrets = excluded.secrets, revision = excluded.revision, \
                 changed_at = excluded.changed_at",
            )
            .bind(name)
            .bind(text)
            .bind(&key)
            .bind(&bytes)
            .bind(revision)
            .bind(at)
            .execute(&mut *tx)
            .await?;
            Changed::Done(revision)
        }))
    }

    /// A site that is kept.
    ///
    /// # Errors
    /// If the store fails, or its secrets cannot be opened.
    pub async fn kept_site(&self, name: &str) -> Result<Option<KeptSite>, Error> {
        let row: Option<Row> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT name, text, secrets_key, secrets, revision FROM site \
                 WHERE name = $1 AND text IS NOT NULL",
            )
            .bind(name)
            .fetch_optional(pool)
            .await
        })?;
        let Some((name, Some(text), key, bytes, revision)) = row else { return Ok(None) };
        let secrets = self.open_site(&name, key, bytes)?;
        Ok(Some(KeptSite { name, text, secrets, revision }))
    }

    /// What happened to sites since a revision; 0 for all that there are.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn sites_since(&self, revision: i64) -> Result<Changes, Error> {
        // First the rows: what comes in between is found again the next time.
        let rows: Vec<Row> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT name, text, secrets_key, secrets, revision FROM site \
                 WHERE revision > $1 ORDER BY revision",
            )
            .bind(revision)
            .fetch_all(pool)
            .await
        })?;
        let mut changes = Changes { revision, ..Changes::default() };
        for (name, text, key, bytes, revision) in rows {
            changes.revision = revision;
            match (text, self.open_site(&name, key, bytes)) {
                (None, _) => changes.gone.push(name),
                (Some(text), Ok(secrets)) => {
                    changes.changed.push(KeptSite { name, text, secrets, revision });
                }
                (Some(_), Err(error)) => changes.sealed.push((name, error.to_string())),
            }
        }
        Ok(changes)
    }

    fn seal_site(&self, site: &NewSite<'_>) -> Result<Option<Sealed>, Error> {
        if site.secrets.is_empty() {
            return Ok(None);
        }
        let shown: BTreeMap<&str, &str> = site
            .secrets
            .iter()
            .map(|(key, secret)| (key.as_str(), secret.expose_secret()))
            .collect();
        let text = serde_json::to_vec(&shown).map_err(|_| super::seal::Error::Failed)?;
        Ok(Some(self.keys.seal(&context(site.name), &text)?))
    }

    fn open_site(
        &self,
        name: &str,
        key: Option<String>,
        bytes: Option<Vec<u8>>,
    ) -> Result<Secrets, super::seal::Error> {
        let (Some(key), Some(bytes)) = (key, bytes) else { return Ok(Secrets::new()) };
        let opened = self.keys.open(&context(name), &Sealed { key, bytes })?;
        let opened: BTreeMap<String, String> = serde_json::from_slice(opened.expose_secret())
            .map_err(|_| super::seal::Error::Changed)?;
        Ok(opened.into_iter().map(|(key, secret)| (key, secret.into())).collect())
    }
}

impl Expected {
    fn is(self, known: Option<i64>) -> bool {
        match self {
            Expected::Nothing => known.is_none(),
            Expected::Any => known.is_some(),
            Expected::Revision(revision) => known == Some(revision),
        }
    }
}

fn context(name: &str) -> String {
    format!("site/{name}/secrets")
}
