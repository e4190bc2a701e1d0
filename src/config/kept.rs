//! Sites that are in no file: given as JSON by the admin API, kept as the text that their file would
//! have, and checked by the code that checks files.
//!
//! Secrets in them are either named as in a file, out of a few that the host set apart for that, or
//! given as `{ "value": "…" }`. Such a value is taken out before anything else happens, and stands in
//! the text as `{ kept = "KEY" }`. Whoever may set sites must not be able to read what else is on this
//! machine by having it sent to an origin of their choice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::checked::{Config, Site};
use super::checker::Checker;
use super::clash;
use super::fault::Fault;
use super::keys;
use super::problem::{Errors, Problem, Source};
use super::raw;
use super::site::{Base, SiteFile};
use super::world::World;

/// Secrets by the key in whose place they stand.
pub type Secrets = BTreeMap<String, SecretString>;

/// What every site starts from: `[defaults]` of the main file, and the folder that it is in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ground {
    pub(super) base: Base,
    pub(super) folder: PathBuf,
}

/// A site as text, with its secrets apart.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// What a file would say.
    pub text: String,
    /// The secrets that it names as kept.
    pub secrets: Secrets,
}

/// A site that can be used.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it says.
    pub site: Arc<Site>,
    /// Every host that it takes, `*` for all, without doubles.
    pub hosts: Vec<String>,
    /// What is doubtful about it.
    pub warnings: Vec<Problem>,
}

/// A secret that is kept with its site.
#[derive(Clone, Debug)]
pub struct KeptSecret {
    pub(super) key: String,
    pub(super) secret: SecretString,
}

impl PartialEq for KeptSecret {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.secret.expose_secret() == other.secret.expose_secret()
    }
}

impl Eq for KeptSecret {}

/// Why JSON is no site.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// It is no object.
    #[error("a site is an object of keys and values, as in the file of a site")]
    NoObject,
    /// TOML has no such value.
    #[error("`{0}` is null: leave it out")]
    Null(String),
    /// A number that no setting takes.
    #[error("the values cannot be written as settings: {0}")]
    Unwritable(#[from] toml::ser::Error),
    /// A secret that is named as kept, and is not.
    #[error("`{0}` names a secret that is not kept: give it as {{ \"value\": \"…\" }}")]
    NotKept(String),
}

impl Written {
    /// Takes a site from JSON; secrets that it names as kept are those of `before`.
    ///
    /// # Errors
    /// If it is no site, whatever is in it.
    pub fn from_json(site: &Value, before: &Secrets) -> Result<Self, NotWritten> {
        let mut site = site.clone();
        if !site.is_object() {
            return Err(NotWritten::NoObject);
        }
        let mut secrets = Secrets::new();
        take_secrets(&mut site, "", before, &mut secrets)?;
        let text = toml::to_string(&site)?;
        Ok(Self { text, secrets })
    }

    /// The site as JSON; of kept secrets their key.
    #[must_use]
    pub fn to_json(&self) -> Value {
        toml::from_str(&self.text).unwrap_or_default()
    }
}

/// Puts the key in the place of each secret that is given as a value.
fn take_secrets(
    value: &mut Value,
    at: &str,
    before: &Secrets,
    secrets: &mut Secrets,
) -> Result<(), NotWritten> {
    let mut inner = |name: &str, value: &mut Value| {
        let dot = if at.is_empty() || name.starts_with('[') { "" } else { "." };
        take_secrets(value, &format!("{at}{dot}{name}"), before, secrets)
    };
    match value {
        Value::Null => return Err(NotWritten::Null(at.to_owned())),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                inner(&format!("[{index}]"), item)?;
            }
        }
        Value::Object(fields) => {
            let only = (fields.len() == 1).then(|| fields.iter().next()).flatten();
            let secret = match only {
                Some((name, Value::String(given))) if name == "value" => {
                    Some(SecretString::from(given.as_str()))
                }
                Some((name, _)) if name == "kept" => {
                    let known = before.get(at).cloned();
                    Some(known.ok_or_else(|| NotWritten::NotKept(at.to_owned()))?)
                }
                _ => None,
            };
            if let Some(secret) = secret {
                secrets.insert(at.to_owned(), secret);
                *value = serde_json::json!({ "kept": at });
                return Ok(());
            }
            for (name, field) in fields.iter_mut() {
                inner(name, field)?;
            }
        }
        _ => {}
    }
    Ok(())
}

impl Ground {
    /// Checks a site that is to be called `name`, beside those of `config` and `others`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check<'a>(
        &self,
        name: &str,
        written: &Written,
        config: &Config,
        others: impl Iterator<Item = &'a Arc<Site>>,
    ) -> Result<Kept, Errors> {
        let world = World::keeping(&self.folder, written.secrets.clone());
        let path = Path::new(name);
        let source = Source { path, text: &written.text };
        let mut checker = Checker::new(source, &world);
        let raw = keys::parse::<raw::Site>(&checker.source, &mut checker.errors);
        let checked = raw.map(|raw| SiteFile::of(raw, name, &self.base, &mut checker));
        if let Some(checked) = &checked {
            if let Some(span) = checked.name_at.clone().filter(|_| checked.site.name != name) {
                checker.error(span, Fault::OtherName(name.to_owned()));
            }
            let in_files = config.sites.iter().map(|site| (site, "the file of"));
            let others = in_files.chain(others.map(|site| (site, "the kept site")));
            clash::with_others(checked, others, config, &mut checker);
        }
        let Checker { errors, warnings, .. } = checker;
        match (checked, Errors::of(errors)) {
            (Some(checked), None) => {
                let hosts = hosts(&checked.site);
                Ok(Kept { hosts, site: Arc::new(checked.site), warnings })
            }
            (_, errors) => Err(errors.unwrap_or_default()),
        }
    }
}

/// Every host that a site takes, or redirects from.
fn hosts(site: &Site) -> Vec<String> {
    let all = site.hosts.iter().chain(&site.redirect_from).map(ToString::to_string);
    let any = site.hosts.is_empty().then(|| "*".to_owned());
    let all: std::collections::BTreeSet<String> = all.chain(any).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_taken_out_and_can_be_sent_back() {
        let dsn = json!({ "access": { "database": { "dsn": { "value": "s3cret" } } } });
        let written = Written::from_json(&dsn, &Secrets::new()).expect("a site");
        assert!(!written.text.contains("s3cret"), "{}", written.text);
        let shown = written.to_json();
        assert_eq!(shown["access"]["database"]["dsn"], json!({ "kept": "access.database.dsn" }));
        let again = Written::from_json(&shown, &written.secrets).expect("a site");
        assert_eq!(again.secrets["access.database.dsn"].expose_secret(), "s3cret");
        let foreign = Written::from_json(&shown, &Secrets::new());
        assert!(matches!(foreign, Err(NotWritten::NotKept(key)) if key == "access.database.dsn"));
    }

    #[test]
    fn a_site_says_what_its_file_would() {
        let settings = json!({
            "hosts": ["a.example", "*.b.example"],
            "hsts": "off",
            "upstream": { "targets": ["http://10.0.0.1:80"], "connect": "2s", "max_in_flight": 9 },
            "routes": [{ "prefix": "/push", "upstream": { "targets": ["http://10.0.0.1:7867"] } }],
        });
        let written = Written::from_json(&settings, &Secrets::new()).expect("a site");
        assert_eq!(written.to_json(), settings);
        let (ground, config) = (Ground::default(), Config::default());
        let kept = ground.check("a", &written, &config, std::iter::empty()).expect("a site");
        assert_eq!(kept.site.upstream.max_in_flight, 9);
        assert_eq!(kept.hosts, ["*.b.example", "a.example"]);
        let errors = ground.check("b", &written, &config, std::iter::once(&kept.site));
        let errors = errors.expect_err("a clash");
        assert_eq!(errors.problems().len(), 2, "{errors}");
    }
}
