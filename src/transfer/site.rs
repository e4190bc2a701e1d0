//! A site, as far as transfers need one. Whoever puts Passeur together implements [`Sites`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Error;
use super::journal::Wishes;
use super::meter::{Lanes, Meter};
use super::model::Request;
use crate::config::checked::Access;
use crate::dav::client::{Client, Path};
use crate::nextcloud::db::{Database, Dsn, Prefix};
use crate::nextcloud::{self, Acting, Credentials, Instance};
use crate::rate::Rate;
use crate::site::live::Live;

/// The sites that transfers may run on.
pub trait Sites: Send + Sync {
    /// The site of that name, as it is configured now.
    fn site(&self, name: &str) -> Option<Site>;
}

/// One site.
#[derive(Clone)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its Nextcloud.
    pub instance: Instance,
    /// How Passeur acts for any account of it, if it is registered there as an external app.
    pub app: Option<Credentials>,
    /// What its settings say of access: the admin account, other Nextclouds, the database.
    pub access: Access,
    /// Its holds and owner rules.
    pub live: Arc<Live>,
    /// Bytes in a second that transfers may carry; none for no limit.
    pub bandwidth: Option<u64>,
    /// Transfers at a time, over all processes.
    pub at_once: u32,
    /// Whether a second person has to approve each transfer.
    pub approval: bool,
    /// How long a transfer can be undone.
    pub undo: Duration,
}

/// The secrets of a request, sealed in the store until the transfer can no longer be undone.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Secrets {
    /// App passwords by account.
    pub passwords: BTreeMap<String, String>,
    /// The recipient's at another instance.
    pub target: Option<String>,
    /// The one that the admin logs in with.
    #[serde(default)]
    pub admin: Option<String>,
}

/// Whose files or collections: an account of the site, or of the instance handed over to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Who {
    /// The account.
    pub uid: String,
    /// Whether it is at the other instance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub there: bool,
}

/// Everything that effects act on.
pub(crate) struct World {
    pub site: Site,
    pub secrets: Secrets,
    pub target: Option<(Instance, Option<Credentials>)>,
    /// How fast bytes may be carried.
    pub pace: Option<Arc<Rate>>,
    /// What a person wants of the work that goes on here.
    pub wishes: Arc<Wishes>,
    /// How much of the item at work is over.
    pub meter: Meter,
    /// How many requests that store much may be under way.
    pub lanes: Lanes,
    /// Set once the source's instance turned out to make no archives.
    pub no_archives: AtomicBool,
}

// === impl Secrets ===

impl Secrets {
    /// Those that a request brings.
    pub fn of(request: &Request) -> Self {
        use secrecy::ExposeSecret as _;
        let plain = |secret: &super::model::Secret| secret.0.expose_secret().to_owned();
        let mut passwords = BTreeMap::new();
        if let Some(secret) = &request.source_password {
            passwords.insert(request.source.clone(), plain(secret));
        }
        if let (Some(secret), Some(recipient)) = (&request.recipient_password, &request.recipient) {
            passwords.insert(recipient.clone(), plain(secret));
        }
        let target = request.target.as_ref().and_then(|target| target.password.as_ref());
        let admin = request.admin_password.as_ref().map(plain);
        Self { passwords, target: target.map(plain), admin }
    }

    pub fn is_empty(&self) -> bool {
        self.passwords.is_empty() && self.target.is_none() && self.admin.is_none()
    }
}

// === impl Who ===

impl Who {
    pub fn here(uid: &str) -> Self {
        Self { uid: uid.to_owned(), there: false }
    }

    pub fn there(uid: &str) -> Self {
        Self { uid: uid.to_owned(), there: true }
    }
}

// === impl World ===

impl World {
    pub fn new(
        site: Site,
        secrets: Secrets,
        request: &Request,
        sites: &dyn Sites,
    ) -> Result<Self, Error> {
        let target = match &request.target {
            None => None,
            Some(target) => match sites.site(&target.url) {
                Some(other) => Some((other.instance, other.app)),
                None => Some((Instance::elsewhere(&site.access, &target.url)?, None)),
            },
        };
        let pace = site.bandwidth.map(Rate::new);
        let (meter, lanes, wishes) = (Meter::default(), Lanes::default(), Arc::default());
        let no_archives = AtomicBool::new(false);
        Ok(Self { site, secrets, target, pace, wishes, meter, lanes, no_archives })
    }

    /// Acts for an account.
    pub fn acting(&self, who: &Who) -> Result<Acting, Error> {
        let no_access = || Error::NoAccess(who.uid.clone());
        if who.there {
            let (instance, app) = self.target.as_ref().ok_or_else(no_access)?;
            return match (&self.secrets.target, app) {
                (Some(password), _) => {
                    Ok(instance.acting(&who.uid, &password_of(&who.uid, password)))
                }
                (None, Some(app)) => Ok(instance.acting(&who.uid, app)),
                (None, None) => Err(no_access()),
            };
        }
        // An external app acts for disabled accounts, too.
        if let Some(app) = &self.site.app {
            return Ok(self.site.instance.acting(&who.uid, app));
        }
        let password = self.secrets.passwords.get(&who.uid).ok_or_else(no_access)?;
        Ok(self.site.instance.acting(&who.uid, &password_of(&who.uid, password)))
    }

    /// DAV as an account.
    pub fn dav(&self, who: &Who) -> Result<Client, Error> {
        Ok(self.acting(who)?.dav())
    }

    /// OCS as an account.
    pub fn ocs(&self, who: &Who) -> Result<nextcloud::ocs::Client, Error> {
        Ok(self.acting(who)?.ocs())
    }

    /// The site's database; to be closed after use.
    pub async fn database(&self) -> Result<Database, Error> {
        let settings = self.site.access.database.as_ref();
        let settings = settings.ok_or_else(|| Error::NoAccess("its database".to_owned()))?;
        let dsn = settings.dsn.read().map_err(|error| Error::Conflict(error.to_string()))?;
        let dsn = Dsn::parse(&dsn)?;
        let prefix = match dsn.prefix() {
            Some(prefix) => prefix.clone(),
            None => Prefix::new(&settings.prefix).map_err(crate::nextcloud::db::Error::from)?,
        };
        Ok(Database::open(&dsn, prefix).await?)
    }

    /// OCS as the site's admin with the password, for what Nextcloud asks it again for.
    pub fn confirmed(&self) -> Option<nextcloud::ocs::Client> {
        let password = self.secrets.admin.as_ref()?;
        let admin = &self.site.access.admin;
        Some(self.site.instance.acting(admin, &password_of(admin, password)).ocs())
    }

    /// OCS as the site's admin, where Passeur may.
    pub fn admin(&self) -> Option<nextcloud::ocs::Client> {
        let app = self.site.app.as_ref()?;
        Some(self.site.instance.acting(&self.site.access.admin, app).ocs())
    }
}

fn password_of(uid: &str, password: &str) -> Credentials {
    Credentials::AppPassword { uid: uid.to_owned(), password: SecretString::from(password) }
}

/// A path below an account's files.
pub(crate) fn file(uid: &str, path: &str) -> Result<Path, Error> {
    Ok(nextcloud::files(uid)?.walk(path)?)
}
