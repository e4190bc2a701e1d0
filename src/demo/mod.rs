//! A small stand-in for Nextcloud 34, to try Passeur out and to test it without PHP.
//!
//! As small as can be honest: what it answers comes from its own state (accounts, files on disk,
//! rows in Nextcloud's own tables), never from a script, so that whatever works through it works for
//! the same reason it does with a real instance. It is no place to keep data: sample passwords are
//! printed and anybody on the machine may use them, which is why it listens on loopback only and
//! hangs up on any other peer.
//!
//! Where it differs from a real 34.0.1, as far as was seen by running the same requests at both:
//!
//! - Absent: previews, federation, comments, system tags, groups of groups, teams, external storage,
//!   encryption, `uploads` version 1 beyond what clients need, delays after wrong passwords (they are
//!   counted), free-busy requests to the outbox, delegation of calendars, resources and rooms.
//! - Versions lie by file id and not in `files_versions`, have no rows of their own in
//!   `oc_filecache`, name the file's owner as author, and do not expire. What a recipient deletes from
//!   a share is in the owner's trash bin only; trash bins do not expire.
//! - Of Deck, Tables, Forms, Polls, Talk and Teams there is what has an owner, to be listed and given
//!   away, and nothing else.
//! - The core's own transfer takes no incoming shares along, and its folder's name is not translated.
//! - Of recurring events the scheduler compares occurrence by occurrence, but makes no new ones for
//!   answers to an occurrence that has none; the mail of a share by mail is in the sink, too.
//! - Rooms' and remote shares (types 6, 7, 9, 10) cannot be made; custom link tokens are refused, as
//!   they are where an admin has not allowed them; shares have no rate limit.
//! - A birthday event follows its card at once, but, as in the original, not one that was moved.
//! - The password page of a link remembers by a cookie of its own; pages have few scripts.
//! - An answer of OCS with neither data nor an error has an empty list where the original has null.

mod appapi;
mod dav;
mod db;
mod files;
mod front;
mod groupware;
mod http;
mod identity;
mod language;
mod mail;
mod mint;
mod ocs;
mod pages;
mod seed;
mod serve;
mod switches;
mod trouble;
mod xml;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dav_server::memls::MemLs;
use tokio::sync::watch;
use tokio::time::Instant;

use self::db::Db;
use self::identity::Sessions;
use self::mail::Mails;
use self::switches::Switches;
use self::trouble::Troubles;

pub use self::appapi::RegisterError;
pub use self::mail::Mail;
pub use self::trouble::{Harm, Trouble};

/// The release it stands in for.
pub const VERSION: &str = "34.0.1.2";

/// How a stand-in begins.
#[derive(Clone, Debug)]
pub struct Options {
    /// The external app that may act for accounts, as AppAPI registers it.
    pub app: Option<ExternalApp>,
    /// Whether a new data folder gets the sample accounts' files, calendars and contacts.
    pub sample_data: bool,
}

/// An external app.
#[derive(Clone, Debug)]
pub struct ExternalApp {
    /// Its id, sent as `EX-APP-ID`.
    pub id: String,
    /// The secret that it shares with the instance.
    pub secret: String,
}

/// A sample account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// The login name.
    pub uid: String,
    /// The password.
    pub password: String,
    /// Whether it is in the group `admin`.
    pub admin: bool,
}

/// Why a stand-in cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its folder cannot be used.
    #[error("failed to use the data folder {0}")]
    Data(PathBuf, #[source] io::Error),
    /// Its database cannot be used.
    #[error("failed to use the stand-in's database")]
    Database(#[from] sqlx::Error),
    /// The address cannot be listened on.
    #[error("failed to listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// It would be reachable from other machines.
    #[error("the stand-in only listens on loopback, not on {0}")]
    NotLoopback(SocketAddr),
    /// A background job cannot be done.
    #[error("a background job failed")]
    Job(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The sample data cannot be stored.
    #[error("failed to store the sample data")]
    Seed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The stand-in.
#[derive(Debug)]
pub struct StandIn {
    data: PathBuf,
    db: Db,
    /// Names the session cookie.
    instance: String,
    /// What app passwords are hashed with.
    secret: String,
    app: Option<ExternalApp>,
    sessions: Sessions,
    switches: Switches,
    mails: Mails,
    troubles: Troubles,
    assembly_delay: watch::Sender<Duration>,
    assembling: Arc<Mutex<HashSet<PathBuf>>>,
    locks: Mutex<HashMap<String, Box<MemLs>>>,
    flows: front::Flows,
    creations: groupware::Creations,
}

impl Default for Options {
    fn default() -> Self {
        Self { app: None, sample_data: true }
    }
}

impl StandIn {
    /// Opens the stand-in whose state is in `data`; a new one is filled with the sample data.
    ///
    /// # Errors
    ///
    /// The folder or the database cannot be used.
    pub async fn open(data: &Path, options: Options) -> Result<Arc<Self>, Error> {
        let failed = |e| Error::Data(data.to_owned(), e);
        for folder in [".parts", ".gone"] {
            // Leftovers of a run that was killed.
            match std::fs::remove_dir_all(data.join(folder)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
                _ => std::fs::create_dir_all(data.join(folder)).map_err(failed)?,
            }
        }
        std::fs::create_dir_all(data.join(".versions")).map_err(failed)?;
        let data = data.canonicalize().map_err(failed)?;
        let db = Db::open(&data.join("owncloud.db")).await?;
        let (instance, secret) = seed::accounts(&db, &data).await?;
        let stand = Arc::new(Self {
            data,
            db,
            instance,
            secret,
            app: options.app,
            sessions: Sessions::default(),
            switches: Switches::default(),
            mails: Mails::default(),
            troubles: Troubles::default(),
            assembly_delay: watch::Sender::new(Duration::ZERO),
            assembling: Arc::default(),
            locks: Mutex::default(),
            flows: front::Flows::default(),
            creations: groupware::Creations::default(),
        });
        if options.sample_data {
            seed::samples(&stand).await?;
        }
        Ok(stand)
    }

    /// Listens on an address of this machine, and on no other.
    ///
    /// # Errors
    ///
    /// The address is not loopback, or cannot be listened on.
    pub async fn bind(address: SocketAddr) -> Result<tokio::net::TcpListener, Error> {
        if !address.ip().is_loopback() {
            return Err(Error::NotLoopback(address));
        }
        tokio::net::TcpListener::bind(address).await.map_err(|e| Error::Listen(address, e))
    }

    /// Serves until `shutdown` is ready, then lets running requests end for a moment.
    ///
    /// # Errors
    ///
    /// The listener is not on loopback.
    pub async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        serve::serve(self, listener, shutdown).await
    }

    /// The sample accounts. Their passwords are these as long as nobody changes them.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        seed::sample_accounts()
    }

    /// The name of the session cookie, which is the instance's id.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.instance
    }

    /// The database file, with Nextcloud's tables.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("owncloud.db")
    }

    /// Makes the assembling MOVE of chunked uploads take this long. Those that run already follow
    /// the change: with zero they end at once.
    pub fn set_assembly_delay(&self, delay: Duration) {
        self.assembly_delay.send_replace(delay);
    }

    /// Closes the database; afterwards its file alone holds everything.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Waits as long as an assembling MOVE is to take.
    async fn delay_assembly(&self) {
        let begun = Instant::now();
        let mut delay = self.assembly_delay.subscribe();
        loop {
            let until = begun + *delay.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Ok(()) = delay.changed() => {}
            }
        }
    }

    /// Where files arrive before they are put in place.
    fn parts(&self) -> PathBuf {
        self.data.join(".parts")
    }

    /// The locks of an account's tree.
    fn locks(&self, uid: &str) -> Box<MemLs> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry(uid.to_owned()).or_insert_with(MemLs::new).clone()
    }

    /// Marks an upload as being assembled, unless it is already.
    fn begin_assembly(&self, folder: &Path) -> Option<Assembly> {
        let all = Arc::clone(&self.assembling);
        let new = guard(&all).insert(folder.to_owned());
        new.then(|| Assembly { all, folder: folder.to_owned() })
    }
}

/// An upload being assembled.
struct Assembly {
    all: Arc<Mutex<HashSet<PathBuf>>>,
    folder: PathBuf,
}

impl Drop for Assembly {
    fn drop(&mut self) {
        guard(&self.all).remove(&self.folder);
    }
}

fn guard(all: &Mutex<HashSet<PathBuf>>) -> MutexGuard<'_, HashSet<PathBuf>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
