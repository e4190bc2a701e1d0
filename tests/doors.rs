//! Both doors in front of the stand-in, as a person and as a page would use them.

#![expect(clippy::expect_used, reason = "what a test needs has to be there")]

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::TryStreamExt;
use http::{Method, Request};
use http_body_util::BodyExt;
use passeur::body::Body;
use passeur::cli::{Extras, Server};
use passeur::config::checked::{
    Admin, Cloud, Config, Endpoint, SecretSource, Site, Target, TargetAddress, UpstreamGroup,
};
use passeur::demo::{ExternalApp, Options, StandIn};
use passeur::store::{Filter, Keys, Location, Store};
use passeur::upstream::Group;
use serde_json::{Value, json};

const TOKEN: &str = "the-operator";

struct Stage {
    server: Server,
    stand_in: Arc<StandIn>,
    folder: tempfile::TempDir,
    config: Config,
}

fn target(address: SocketAddr) -> Target {
    let address = TargetAddress::Tcp { host: address.ip().to_string(), port: address.port() };
    Target { tls: false, http2: false, address }
}

async fn serve(config: &Config) -> Server {
    let extras = Extras { admin_token: Some(TOKEN.into()), ..Extras::default() };
    Server::start_with(config.clone(), extras).await.expect("a server")
}

impl Stage {
    async fn start(change: impl FnOnce(&mut Site)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "the-secret").expect("a file");
        let app = ExternalApp { id: "passeur".to_owned(), secret: "the-secret".to_owned() };
        let options = Options { app: Some(app), ..Options::default() };
        let stand_in = StandIn::open(&folder.path().join("cloud"), options).await;
        let stand_in = stand_in.expect("a stand-in");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = StandIn::bind(any).await.expect("a port");
        let upstream = listener.local_addr().expect("an address");
        tokio::spawn(Arc::clone(&stand_in).serve(listener, std::future::pending()));
        let mut site = Site::to("demo", Vec::new(), UpstreamGroup::to(target(upstream)));
        site.redirect_to_https = false;
        site.access.app_secret = Some(SecretSource::File(secret));
        change(&mut site);
        let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
        config.listen.http = vec![Endpoint::Tcp(any)];
        config.listen.workers = 1;
        config.store.folder = Some(folder.path().join("store"));
        config.admin = Admin { listen: Some(Endpoint::Tcp(any)), token: None };
        let server = serve(&config).await;
        Self { server, stand_in, folder, config }
    }

    async fn ask(
        &self,
        at: SocketAddr,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let group = Group::new(&UpstreamGroup::to(target(at))).expect("a client");
        let mut request =
            Request::builder().method(method).uri(path).header("host", at.to_string());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let answer = group.send(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// At the host's door.
    async fn host(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let at = self.server.admin().expect("an address");
        let bearer = format!("Bearer {TOKEN}");
        self.ask(at, method, path, &[("authorization", &bearer)], body).await
    }

    /// At the space's door, with Basic credentials.
    async fn space(
        &self,
        uid: &str,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let accounts = self.stand_in.accounts();
        let account = accounts.iter().find(|account| account.uid == uid).expect("an account");
        let pair = BASE64_STANDARD.encode(format!("{uid}:{}", account.password));
        let basic = format!("Basic {pair}");
        let mut fields =
            vec![("authorization", basic.as_str()), ("content-type", "application/json")];
        fields.extend(more);
        let at = self.server.http().expect("an address");
        self.ask(at, method, &format!("/_passeur/api/v1{path}"), &fields, body).await
    }

    async fn plan(&self) -> String {
        let body = json!({"source": "alice", "recipient": "bob", "selection": "all"}).to_string();
        let (status, plan) = self.host(Method::POST, "/api/v1/sites/demo/plans", &body).await;
        assert_eq!(status, 200, "{plan}");
        plan["hash"].as_str().expect("a hash").to_owned()
    }
}

fn code(problem: &Value) -> &str {
    assert!(problem["request_id"].is_string(), "{problem}");
    problem["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_calls_hand_over() {
    let stage = Stage::start(|_| {}).await;
    let hash = stage.plan().await;
    let body = json!({ "plan": hash }).to_string();
    let transfers = "/api/v1/sites/demo/transfers";
    let (status, started) = stage.host(Method::POST, transfers, &body).await;
    assert_eq!(status, 202, "{started}");
    let one = format!("{transfers}/{}", started["id"].as_str().expect("an id"));
    // The events end when the transfer is over.
    let (status, _) = stage.host(Method::GET, &format!("{one}/events"), "").await;
    assert_eq!(status, 200);
    let (_, transfer) = stage.host(Method::GET, &one, "").await;
    assert_eq!(transfer["state"], "done", "{transfer}");
    let (status, receipt) = stage.host(Method::GET, &format!("{one}/receipt"), "").await;
    assert_eq!((status, &receipt["state"]), (200, &json!("done")));
    let (status, problem) = stage.host(Method::GET, "/api/v1/sites/nope/transfers", "").await;
    assert_eq!((status, code(&problem)), (404, "unknown_site"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_makes_no_sense_is_no_fault_of_ours() {
    let stage = Stage::start(|_| ()).await;
    let all = |source: &str, recipient: &str| json!({ "source": source, "recipient": recipient });
    let above = json!({
        "source": "alice", "recipient": "bob", "selection": { "include": ["/../secret"] }
    });
    for (request, status, named) in [
        (all("alice", "alice"), 422, "same_account"),
        (all("nobody", "bob"), 422, "unknown_account"),
        (all("alice", "nobody"), 422, "unknown_account"),
        (above, 400, "bad_request"),
    ] {
        let path = "/api/v1/sites/demo/plans";
        let (told, problem) = stage.host(Method::POST, path, &request.to_string()).await;
        assert_eq!((told, code(&problem)), (status, named), "{request}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_knows_the_password_moves_data_at_a_spaces_door() {
    let stage = Stage::start(|_| {}).await;
    let hash = stage.plan().await;
    let start = "/sites/demo/transfers";
    let (status, problem) = stage.space("alice", Method::GET, "/me", &[], "").await;
    assert_eq!((status, code(&problem)), (403, "not_admin"));
    let (_, me) = stage.space("admin", Method::GET, "/me", &[], "").await;
    assert_eq!((&me["door"], &me["role"]), (&json!("space"), &json!("admin")));
    let (status, problem) = stage.space("admin", Method::GET, "/tokens", &[], "").await;
    assert_eq!((status, code(&problem)), (404, "not_found"));
    let (status, problem) = stage.space("admin", Method::GET, "/sites/other/audit", &[], "").await;
    assert_eq!((status, code(&problem)), (404, "unknown_site"));

    let accounts = stage.stand_in.accounts();
    let admin = accounts.iter().find(|account| account.admin).expect("an admin");
    let right = json!({ "plan": hash, "password": admin.password }).to_string();
    for forged in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let (status, problem) = stage.space("admin", Method::POST, start, &[forged], &right).await;
        assert_eq!((status, code(&problem)), (403, "cross_site"), "{forged:?}");
    }
    let without = json!({ "plan": hash }).to_string();
    let (status, problem) = stage.space("admin", Method::POST, start, &[], &without).await;
    assert_eq!((status, code(&problem)), (403, "password_needed"));
    let wrong = json!({ "plan": hash, "password": "wrong" }).to_string();
    let (status, problem) = stage.space("admin", Method::POST, start, &[], &wrong).await;
    assert_eq!((status, code(&problem)), (403, "wrong_password"));
    let (status, started) = stage.space("admin", Method::POST, start, &[], &right).await;
    assert_eq!(status, 202, "{started}");
    for _ in 0..5 {
        stage.space("admin", Method::POST, start, &[], &wrong).await;
    }
    let (status, problem) = stage.space("admin", Method::POST, start, &[], &right).await;
    assert_eq!((status, code(&problem)), (429, "too_many_guesses"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_approves() {
    let stage = Stage::start(|site| site.transfers.approval = true).await;
    let body = json!({ "plan": stage.plan().await }).to_string();
    let transfers = "/api/v1/sites/demo/transfers";
    let (_, started) = stage.host(Method::POST, transfers, &body).await;
    let id = started["id"].as_str().expect("an id").to_owned();
    let (_, transfer) = stage.host(Method::GET, &format!("{transfers}/{id}"), "").await;
    assert_eq!(transfer["state"], "awaiting");
    let approve = format!("{transfers}/{id}/approve");
    let (status, problem) = stage.host(Method::POST, &approve, "").await;
    assert_eq!((status, code(&problem)), (403, "same_person"));
    let accounts = stage.stand_in.accounts();
    let admin = accounts.iter().find(|account| account.admin).expect("an admin");
    let password = json!({ "password": admin.password }).to_string();
    let path = format!("/sites/demo/transfers/{id}/approve");
    let (status, approved) = stage.space("admin", Method::POST, &path, &[], &password).await;
    assert_eq!(status, 202, "{approved}");
    assert_eq!(approved["approved_by"], "account admin");
}

/// Where webhooks are heard.
async fn webhook() -> (Target, tokio::sync::mpsc::UnboundedReceiver<Value>) {
    let (heard, calls) = tokio::sync::mpsc::unbounded_channel();
    let hear = async move |axum::Json(call): axum::Json<Value>| drop(heard.send(call));
    let router = axum::Router::new().route("/", axum::routing::post(hear));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (target(address), calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_left_tells_of_the_end_once() {
    let (target, mut calls) = webhook().await;
    let mut stage = Stage::start(|site| {
        site.transfers.approval = true;
        site.transfers.webhook = Some(Cloud { target, folder: String::new() });
        // Whatever holds something.
        site.transfers.webhook_secret = site.access.app_secret.clone();
    })
    .await;
    let _another = serve(&stage.config).await;
    let left = serve(&stage.config).await;
    let body = json!({ "plan": stage.plan().await }).to_string();
    let (_, started) = stage.host(Method::POST, "/api/v1/sites/demo/transfers", &body).await;
    let id = started["id"].as_str().expect("an id").to_owned();
    std::mem::replace(&mut stage.server, left).stop().await;
    let accounts = stage.stand_in.accounts();
    let admin = accounts.iter().find(|account| account.admin).expect("an admin");
    let password = json!({ "password": admin.password }).to_string();
    let path = format!("/sites/demo/transfers/{id}/approve");
    let (status, approved) = stage.space("admin", Method::POST, &path, &[], &password).await;
    assert_eq!(status, 202, "{approved}");
    let call = calls.recv().await.expect("a call");
    assert_eq!((&call["type"], &call["receipt"]["id"]), (&json!("transfer.done"), &json!(id)));
    // Undoing ends, too; whatever was told twice would come before.
    let path = format!("/sites/demo/transfers/{id}/undo");
    let (status, undoing) = stage.space("admin", Method::POST, &path, &[], &password).await;
    assert_eq!(status, 202, "{undoing}");
    let call = calls.recv().await.expect("a call");
    assert_eq!(call["type"], "transfer.undone");
    let left = stage.store().await.untold_transfers().await.expect("the store");
    assert_eq!((left, calls.try_recv().ok()), (Vec::new(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_wrong_lines_starts_nothing() {
    let stage = Stage::start(|_| {}).await;
    let mut text = "source,recipient\ncarol,dave\n".to_owned();
    for number in 0..999 {
        text.push_str(&format!("nobody{number},bob\n"));
    }
    let (status, problem) = stage.host(Method::POST, "/api/v1/sites/demo/bulk", &text).await;
    assert_eq!((status, code(&problem)), (422, "bad_lines"));
    let errors = problem["errors"].as_array().expect("errors");
    assert_eq!((errors.len(), &errors[0]["line"]), (999, &json!(3)));
    let (_, list) = stage.host(Method::GET, "/api/v1/sites/demo/transfers", "").await;
    assert_eq!(list["transfers"], json!([]));
}

const SITES: &str = "/api/v1/sites";

impl Stage {
    /// At the host's door, with a condition.
    async fn host_if(&self, method: Method, path: &str, tag: &str, body: &Value) -> (u16, Value) {
        let at = self.server.admin().expect("an address");
        let bearer = format!("Bearer {TOKEN}");
        let fields = [("authorization", bearer.as_str()), ("if-match", tag)];
        self.ask(at, method, path, &fields, &body.to_string()).await
    }

    async fn store(&self) -> Store {
        let location = Location::Sqlite(self.folder.path().join("store/passeur.db"));
        let keys = Keys::at(&self.folder.path().join("store/passeur.key")).expect("keys");
        Store::open(&location, keys).await.expect("a store")
    }

    /// The audit log, as it is kept.
    async fn audit(&self) -> String {
        let store = self.store().await;
        let entries: Vec<_> =
            store.audit_entries(Filter::default()).try_collect().await.expect("entries");
        format!("{entries:?}")
    }

    /// Whether a host is served.
    async fn serves(&self, host: &str) -> bool {
        let table = self.server.shared().table.load();
        table.find(host).is_some()
    }

    fn settings(&self, hosts: &[&str]) -> Value {
        let upstream = self.server.shared().table.load();
        let upstream = upstream.sites()[0].config.upstream.targets[0].to_string();
        json!({ "hosts": hosts, "redirect_to_https": false, "upstream": { "targets": [upstream] } })
    }
}

fn with_host(site: &mut Site) {
    site.hosts = vec![passeur::config::checked::HostPattern::Exact("demo.example".to_owned())];
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_are_set_changed_and_removed() {
    let stage = Stage::start(with_host).await;
    let mut settings = stage.settings(&["new.example"]);
    let one = format!("{SITES}/new");
    let (status, made) = stage.host(Method::PUT, &one, &settings.to_string()).await;
    assert_eq!(status, 201, "{made}");
    assert!(stage.serves("new.example").await, "as soon as it is answered");
    let at = stage.server.http().expect("an address");
    let (status, _) = stage.ask(at, Method::GET, "/status.php", &[], "").await;
    assert_eq!(status, 421, "of the host that is asked for here");

    let (status, problem) = stage.host(Method::PUT, &one, &settings.to_string()).await;
    assert_eq!((status, code(&problem)), (428, "no_precondition"));
    let (_, all) = stage.host(Method::GET, SITES, "").await;
    let sites = all["sites"].as_array().expect("a list");
    assert_eq!((sites.len(), &sites[0]["source"]), (2, &json!("file")));
    let tag = sites[1]["etag"].as_str().expect("a tag").to_owned();

    settings["hosts"] = json!(["other.example"]);
    settings["access"] = json!({ "appapi": { "secret": { "value": "very-secret" } } });
    let (status, changed) = stage.host_if(Method::PUT, &one, &tag, &settings).await;
    assert_eq!(status, 200, "{changed}");
    assert!(!changed.to_string().contains("very-secret"));
    assert!(stage.serves("other.example").await && !stage.serves("new.example").await);
    let (status, problem) = stage.host_if(Method::PUT, &one, &tag, &settings).await;
    assert_eq!((status, code(&problem)), (412, "other_state"), "somebody was quicker");

    // What was read can be sent back: the secret stays what it was.
    let (_, whole) = stage.host(Method::GET, &one, "").await;
    let (status, again) = stage.host_if(Method::PUT, &one, "*", &whole["settings"]).await;
    assert_eq!(status, 200, "{again}");
    let secret = stage.server.shared().table.load();
    let secret = secret.named("new").expect("a site").config.access.app_secret.clone();
    let secret = secret.expect("a secret").read().expect("a secret");
    assert_eq!(secrecy::ExposeSecret::expose_secret(&secret), "very-secret");

    let (status, problem) = stage.host_if(Method::DELETE, &one, "\"r1\"", &json!({})).await;
    assert_eq!((status, code(&problem)), (412, "other_state"));
    let (status, _) = stage.host_if(Method::DELETE, &one, "*", &json!({})).await;
    assert_eq!(status, 204);
    assert!(!stage.serves("other.example").await && stage.serves("demo.example").await);
    let actions = stage.audit().await;
    assert!(actions.contains("site.set") && actions.contains("site.remove"), "{actions}");
    assert!(!actions.contains("very-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_is_wrong_is_told_so_key_by_key() {
    let stage = Stage::start(with_host).await;
    let good = stage.settings(&["new.example"]);
    let change = |change: &dyn Fn(&mut Value)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings.to_string()
    };
    let one = format!("{SITES}/new");
    for (settings, status, kind, key) in [
        (change(&|s| s["hosts"] = json!(["A b"])), 422, "bad_site", "hosts[0]"),
        (change(&|s| s["upstream"]["targts"] = json!([])), 422, "bad_site", "upstream.targts"),
        (change(&|s| s["upstream"]["connect"] = json!("1x")), 422, "bad_site", "upstream.connect"),
        (change(&|s| s["name"] = json!("else")), 422, "bad_site", "name"),
        (change(&|s| s["hosts"] = json!(["demo.example"])), 409, "clash", "hosts[0]"),
        (
            change(&|s| s["access"] = json!({"database": {"dsn": {"file": "/etc/shadow"}}})),
            422,
            "bad_site",
            "access.database.dsn",
        ),
        (
            change(&|s| s["access"] = json!({"database": {"dsn": {"env": "PASSEUR_ADMIN"}}})),
            422,
            "bad_site",
            "access.database.dsn",
        ),
    ] {
        let (got, problem) = stage.host(Method::PUT, &one, &settings).await;
        assert_eq!((got, code(&problem)), (status, kind), "{problem}");
        assert_eq!(problem["errors"][0]["key"], key, "{problem}");
    }
    for settings in ["[]", "{\"hosts\": null}", "3"] {
        let (got, problem) = stage.host(Method::PUT, &one, settings).await;
        assert_eq!((got, code(&problem)), (400, "bad_site"), "{problem}");
    }
    let bad_name = format!("{SITES}/A%20b");
    let (status, problem) = stage.host(Method::PUT, &bad_name, &good.to_string()).await;
    assert_eq!((status, code(&problem)), (422, "bad_site"));
    for method in [Method::PUT, Method::DELETE] {
        let of_file = format!("{SITES}/demo");
        let (status, problem) = stage.host_if(method, &of_file, "*", &good).await;
        assert_eq!((status, code(&problem)), (409, "site_of_file"));
    }
    let (_, all) = stage.host(Method::GET, SITES, "").await;
    assert_eq!(all["sites"].as_array().map(Vec::len), Some(1), "nothing was set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_site_sets_no_other() {
    let stage = Stage::start(with_host).await;
    let body = json!({ "name": "shop", "scopes": ["sites", "site:new"] }).to_string();
    let (status, token) = stage.host(Method::POST, "/api/v1/tokens", &body).await;
    assert_eq!(status, 201, "{token}");
    let bearer = format!("Bearer {}", token["secret"].as_str().expect("a secret"));
    let at = stage.server.admin().expect("an address");
    let settings = stage.settings(&["new.example"]).to_string();
    for (name, expected) in [("new", 201), ("other", 404)] {
        let path = format!("{SITES}/{name}");
        let fields = [("authorization", bearer.as_str())];
        let (status, answer) = stage.ask(at, Method::PUT, &path, &fields, &settings).await;
        assert_eq!(status, expected, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_hears_of_it_and_a_restart_keeps_it() {
    let stage = Stage::start(with_host).await;
    let mut config = Config::default();
    config.listen.http = vec![Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))];
    config.listen.workers = 1;
    config.store.folder = Some(stage.folder.path().join("store"));
    let other = Server::start(config.clone()).await.expect("a second server");
    let settings = stage.settings(&["new.example"]).to_string();
    let (status, _) = stage.host(Method::PUT, &format!("{SITES}/new"), &settings).await;
    assert_eq!(status, 201);
    let known = async || {
        while other.shared().table.load().find("new.example").is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), known()).await.expect("in time");
    let third = Server::start(config).await.expect("a third server");
    assert!(third.shared().table.load().find("new.example").is_some(), "from the first moment");
}
