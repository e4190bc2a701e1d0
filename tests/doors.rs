//! Both doors in front of the stand-in, as a person and as a page would use them.

#![expect(clippy::expect_used, reason = "what a test needs has to be there")]

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Request};
use http_body_util::BodyExt;
use passeur::body::Body;
use passeur::cli::{Extras, Server};
use passeur::config::checked::{
    Admin, Config, Endpoint, SecretSource, Site, Target, TargetAddress, UpstreamGroup,
};
use passeur::demo::{ExternalApp, Options, StandIn};
use passeur::upstream::Group;
use serde_json::{Value, json};

const TOKEN: &str = "the-operator";

struct Stage {
    server: Server,
    stand_in: Arc<StandIn>,
    _folder: tempfile::TempDir,
}

fn target(address: SocketAddr) -> Target {
    let address = TargetAddress::Tcp { host: address.ip().to_string(), port: address.port() };
    Target { tls: false, http2: false, address }
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
        let extras = Extras { admin_token: Some(TOKEN.into()), ..Extras::default() };
        let server = Server::start_with(config, extras).await.expect("a server");
        Self { server, stand_in, _folder: folder }
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
