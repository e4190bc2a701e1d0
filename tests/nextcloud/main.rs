//! Acting for accounts: the client, identity and inventory against the stand-in, or against a real
//! Nextcloud if `PASSEUR_TEST_NEXTCLOUD` says where one is (`http://127.0.0.1:9420`), in which
//! `PASSEUR_TEST_APP_SECRET` is what the external app `passeur` is registered with, `admin` has
//! `admin` as password, and `alice`, `bob` have `alice-Passw0rd`, `bob-Passw0rd`. Everything made
//! there has names of its own, and is removed.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, in its helpers too")]

mod dav;
mod groupware;
mod people;
mod shares;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use passeur::config::checked::{Site, Target, TargetAddress, UpstreamGroup};
use passeur::dav::client::{Path, Trash};
use passeur::demo::{ExternalApp, Options, StandIn};
use passeur::nextcloud::{Acting, Credentials, Instance, files};

/// A Nextcloud to try things at.
struct Cloud {
    instance: Instance,
    app: Credentials,
    /// Passwords of accounts.
    accounts: Vec<(String, String)>,
    _folder: Option<tempfile::TempDir>,
}

impl Cloud {
    async fn start() -> Self {
        match std::env::var("PASSEUR_TEST_NEXTCLOUD") {
            Ok(address) => Self::real(&address),
            Err(_) => Self::stand_in().await,
        }
    }

    async fn stand_in() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = Some(ExternalApp { id: "passeur".into(), secret: "s3cret".into() });
        let options = Options { app, ..Options::default() };
        let stand = StandIn::open(folder.path(), options).await.unwrap();
        let accounts = stand.accounts().into_iter().map(|a| (a.uid, a.password)).collect();
        let listener = StandIn::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(Arc::clone(&stand).serve(listener, std::future::pending()));
        Self {
            instance: instance(address),
            app: app_credentials("s3cret"),
            accounts,
            _folder: Some(folder),
        }
    }

    fn real(address: &str) -> Self {
        let address = address.trim_start_matches("http://").parse().unwrap();
        let secret = std::env::var("PASSEUR_TEST_APP_SECRET").unwrap();
        let mut accounts = vec![("admin".to_owned(), "admin".to_owned())];
        accounts.extend(["alice", "bob"].map(|uid| (uid.to_owned(), format!("{uid}-Passw0rd"))));
        Self { instance: instance(address), app: app_credentials(&secret), accounts, _folder: None }
    }

    fn acting(&self, uid: &str) -> Acting {
        self.instance.acting(uid, &self.app)
    }

    fn password(&self, uid: &str) -> &str {
        &self.accounts.iter().find(|(name, _)| name == uid).unwrap().1
    }

    /// A new folder among somebody's files.
    async fn folder(&self, uid: &str) -> Folder {
        let (client, name) = (self.acting(uid).dav(), unique("folder"));
        let path = files(uid).unwrap().join(&name).unwrap();
        client.mkcol(&path).await.unwrap();
        Folder { acting: self.acting(uid), path, name }
    }
}

/// A folder to try things in.
struct Folder {
    acting: Acting,
    path: Path,
    name: String,
}

impl Folder {
    async fn remove(self) {
        self.acting.dav().delete(&self.path, Trash::Skip).await.unwrap();
    }
}

fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("passeur-{what}-{}-{number}", std::process::id())
}

fn app_credentials(secret: &str) -> Credentials {
    Credentials::AppApi { id: "passeur".into(), version: "1.0.0".into(), secret: secret.into() }
}

fn instance(address: SocketAddr) -> Instance {
    let address = TargetAddress::Tcp { host: address.ip().to_string(), port: address.port() };
    let target = Target { tls: false, http2: false, address };
    let host = target.authority().unwrap().to_str().unwrap().to_owned();
    let site = Site::to("test", Vec::new(), UpstreamGroup::to(target));
    Instance::of_site(&site, &host, false).unwrap()
}
