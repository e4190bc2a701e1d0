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

async fn serve(data: &Path) -> Running {
    std::fs::create_dir_all(data).expect("a folder");
    let external = ExternalApp { id: "passeur".to_owned(), secret: "s3cret".to_owned() };
    let options = demo::Options { app: Some(external), ..demo::Options::default() };
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
        let folder = tempfile::tempdir().expect("a folder");
        let demo = serve(&folder.path().join("demo")).await;
        let keys = Keys::at(&folder.path().join("key")).expect("keys");
        let at = Location::Sqlite(folder.path().join("store.db"));
        let store = Store::open(&at, keys).await.expect("a store");
        let sites = Arc::new(Two(vec![site("demo", &demo.instance)]));
        Self { folder, demo, store, sites }
    }

    /// The same with another instance, the site `other`.
    pub async fn with_another(mut self) -> (Self, Running) {
        let other = serve(&self.folder.path().join("other")).await;
        self.sites =
            Arc::new(Two(vec![site("demo", &self.demo.instance), site("other", &other.instance)]));
        (self, other)
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
