//! A stand-in, a store and the runner between them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::checked::{self, Target, TargetAddress, UpstreamGroup};
use crate::dav::client::{Change, Client, Put, Upload};
use crate::demo::{self, ExternalApp, StandIn};
use crate::nextcloud::{self, Acting, Credentials, Instance};
use crate::site::live::Live;
use crate::store::{Keys, Location, Store};
use crate::transfer::model::{Id, Request, State};
use crate::transfer::{Fault, Options, Site, Sites, Transfers};

/// The site `demo`, and `other` for transfers elsewhere.
pub(super) struct World {
    folder: TempDir,
    pub demo: Running,
    pub store: Store,
    pub sites: Arc<Two>,
}

/// A stand-in that serves.
pub(super) struct Running {
    pub stand_in: Arc<StandIn>,
    pub instance: Instance,
    serving: JoinHandle<()>,
}

pub(super) struct Two(Vec<Site>);

impl Sites for Two {
    fn site(&self, name: &str) -> Option<Site> {
        self.0.iter().find(|site| site.name == name).cloned()
    }
}

pub(super) fn app() -> Credentials {
    Credentials::AppApi {
        id: "passeur".to_owned(),
        version: "0.1.0".to_owned(),
        secret: SecretString::from("s3cret"),
    }
}

async fn serve(data: &Path, sample_data: bool) -> Running {
    std::fs::create_dir_all(data).expect("a folder");
    let external = ExternalApp { id: "passeur".to_owned(), secret: "s3cret".to_owned() };
    let options = demo::Options { app: Some(external), sample_data };
    let stand_in = StandIn::open(data, options).await.expect("a stand-in");
    let listener = StandIn::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let target = Target {
        tls: false,
        http2: false,
        address: TargetAddress::Tcp { host: address.ip().to_string(), port: address.port() },
    };
    let site = checked::Site::to("demo", Vec::new(), UpstreamGroup::to(target));
    let instance = Instance::of_site(&site, &address.to_string(), false).expect("an instance");
    let serving = Arc::clone(&stand_in).serve(listener, std::future::pending());
    let serving = tokio::spawn(async move {
        let _ = serving.await;
    });
    Running { stand_in, instance, serving }
}

impl World {
    pub async fn new() -> Self {
        Self::over(tempfile::tempdir().expect("a folder"), true).await
    }

    /// The accounts of the sample, without anything that is theirs.
    pub async fn bare() -> Self {
        Self::over(tempfile::tempdir().expect("a folder"), false).await
    }

    /// A world like this one, with the same ids and tokens, where nothing has been handed over.
    pub async fn copy(&self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy_tree(&self.folder.path().join("demo"), &folder.path().join("demo"));
        Self::over(folder, false).await
    }

    async fn over(folder: TempDir, sample_data: bool) -> Self {
        let demo = serve(&folder.path().join("demo"), sample_data).await;
        let keys = Keys::at(&folder.path().join("key")).expect("keys");
        let at = Location::Sqlite(folder.path().join("store.db"));
        let store = Store::open(&at, keys).await.expect("a store");
        let sites = Arc::new(Two(vec![site("demo", &demo.instance)]));
        Self { folder, demo, store, sites }
    }

    /// The same with another instance, the site `other`.
    pub async fn with_another(mut self) -> (Self, Running) {
        let other = serve(&self.folder.path().join("other"), false).await;
        self.sites =
            Arc::new(Two(vec![site("demo", &self.demo.instance), site("other", &other.instance)]));
        (self, other)
    }

    /// The same with the site's database at hand.
    pub async fn with_database(mut self) -> Self {
        let file = self.folder.path().join("demo/owncloud.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let pool = sqlx::SqlitePool::connect_with(options).await.expect("the database");
        // What a Nextcloud of that version has there.
        let version = "INSERT INTO oc_appconfig (appid, configkey, configvalue) \
                       VALUES ('app_api', 'installed_version', '34.0.0')";
        sqlx::query(version).execute(&pool).await.expect("a version");
        pool.close().await;
        let dsn = self.folder.path().join("dsn");
        std::fs::write(&dsn, format!("sqlite://{}", file.display())).expect("a file");
        let mut one = site("demo", &self.demo.instance);
        let prefix = "oc_".to_owned();
        let dsn = checked::SecretSource::File(dsn);
        one.access.database = Some(checked::Database { dsn, prefix });
        self.sites = Arc::new(Two(vec![one]));
        self
    }

    /// The same where a second person approves.
    pub fn with_approval(mut self) -> Self {
        let mut one = site("demo", &self.demo.instance);
        one.approval = true;
        self.sites = Arc::new(Two(vec![one]));
        self
    }

    /// Claims what is to be done, without keeping others from it, and works on it until it ends or
    /// the worker dies.
    pub async fn work(&self, fault: Option<Fault>) {
        let options = Options { fault, lease: Duration::from_secs(60), ..Options::default() };
        let transfers = Transfers::new(self.store.clone(), self.sites.clone(), options);
        let claim =
            self.store.claim_transfer("test", Duration::ZERO, |_| 1).await.expect("the store");
        transfers.work(claim.expect("something to do")).await;
    }

    /// The service; nothing runs.
    pub fn transfers(&self, fault: Option<Fault>) -> Arc<Transfers> {
        let sites: Arc<dyn Sites> = self.sites.clone();
        let lease = Duration::from_millis(400);
        let options = Options { fault, lease, ..Options::default() };
        Transfers::new(self.store.clone(), sites, options)
    }

    pub fn acting(&self, uid: &str) -> Acting {
        self.demo.instance.acting(uid, &app())
    }

    pub fn dav(&self, uid: &str) -> Client {
        self.acting(uid).dav()
    }

    /// Starts a plan and works on it until it is over.
    pub async fn complete(&self, request: Request) -> (Id, State) {
        let transfers = self.transfers(None);
        let plan = transfers.plan("demo", request).await.expect("a plan");
        assert_eq!(plan.blocking, [], "{:#?}", plan.blocking);
        let id = transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer");
        (id, until_over(&transfers, id).await)
    }

    /// Undoes a transfer.
    pub async fn undo(&self, id: Id) -> State {
        let transfers = self.transfers(None);
        transfers.undo("demo", id).await.expect("to be undone");
        until_over(&transfers, id).await
    }
}

fn site(name: &str, instance: &Instance) -> Site {
    let target = TargetAddress::Tcp { host: "127.0.0.1".to_owned(), port: 1 };
    let target = Target { tls: false, http2: false, address: target };
    Site {
        name: name.to_owned(),
        instance: instance.clone(),
        app: Some(app()),
        access: checked::Site::to(name, Vec::new(), UpstreamGroup::to(target)).access,
        live: Arc::new(Live::default()),
        bandwidth: None,
        at_once: 1,
        approval: false,
        undo: Duration::from_secs(3600),
    }
}

/// Runs until a transfer is over, or (with a fault) the worker died of it.
pub(super) async fn until_over(transfers: &Arc<Transfers>, id: Id) -> State {
    let (stop, stopped) = oneshot::channel::<()>();
    let runner = tokio::spawn(Arc::clone(transfers).run(async move {
        let _ = stopped.await;
    }));
    let mut state = State::Queued;
    for _ in 0..3000 {
        state = transfers.show("demo", id).await.expect("a transfer").summary.state;
        if state.is_over() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(stop);
    runner.await.expect("the runner");
    state
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().expect("a kind").is_dir() {
            true => copy_tree(&from, &to),
            false => drop(std::fs::copy(from, to).expect("a copy")),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Puts a small file, with the folders above it.
pub(super) async fn put(client: &Client, uid: &str, path: &str, text: &str) {
    let file = nextcloud::files(uid).expect("a path").walk(path).expect("a path");
    let names: Vec<&str> = path.trim_matches('/').split('/').collect();
    let mut folder = nextcloud::files(uid).expect("a path");
    for name in &names[..names.len() - 1] {
        folder = folder.join(name).expect("a name");
        let _ = client.mkcol(&folder).await;
    }
    client.put(&file, Upload::of(text.to_owned()), &Put::default()).await.expect("to be stored");
}

/// Makes a calendar with an event to which guests are invited, in the past or to come.
pub(super) async fn calendar(client: &Client, uid: &str, uri: &str, events: u32) {
    let path = nextcloud::calendars(uid).expect("a path").join(uri).expect("a name");
    let name = Change::Set(nextcloud::properties::DISPLAY_NAME, format!("Calendar {uri}"));
    client.mkcalendar(&path, &[name]).await.expect("a calendar");
    for number in 0..events {
        let year = 2020 + number % 12;
        let recurs = if number % 2 == 0 { "RRULE:FREQ=WEEKLY\r\n" } else { "" };
        let private = if number % 3 == 0 { "CLASS:PRIVATE\r\n" } else { "" };
        let event = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\n\
             UID:{uri}-{number}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{year}0301T100000Z\r\n\
             DTEND:{year}0301T110000Z\r\nSUMMARY:Event {number}\r\n{recurs}{private}\
             ORGANIZER:mailto:{uid}@example.org\r\nATTENDEE:mailto:guest@example.com\r\n\
             ATTENDEE:mailto:carol@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let put = Put { kind: Some("text/calendar".to_owned()), ..Put::default() };
        let object = path.join(&format!("e {number}.ics")).expect("a name");
        client.put(&object, Upload::of(event), &put).await.expect("an event");
    }
}

/// The shares that an account made, as lines that can be compared: what stays when one is made
/// again.
pub(super) async fn shares(world: &World, uid: &str) -> Vec<String> {
    let shares = world.acting(uid).ocs().shares().await.expect("shares");
    let mut lines: Vec<String> = shares
        .iter()
        .map(|share| {
            let link = share.share_type == crate::nextcloud::ocs::ShareType::Link;
            let with = share.share_with.clone().filter(|_| !link).unwrap_or_default();
            format!(
                "{:?} {:?} {with} by {} of {} {} {:?} {}",
                share.path,
                share.share_type,
                share.uid_owner,
                share.uid_file_owner,
                share.permissions,
                share.expiration,
                share.label
            )
        })
        .collect();
    lines.sort();
    lines
}
