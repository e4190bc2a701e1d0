//! Tours in front of a web server that gives one page, as browsers and the host use them: progress,
//! counters, switches, and the editor.

#![expect(clippy::expect_used, reason = "what a test needs has to be there")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use passeur::body::Body;
use passeur::cli::{Extras, Server};
use passeur::config::checked::{
    Admin, Config, Endpoint, Progress, Site, Target, TargetAddress, UpstreamGroup,
};
use passeur::tours::Tours;
use passeur::tours::embedded::Player;
use passeur::tours::progress::store::Memory;
use passeur::tours::progress::token::Key;
use passeur::upstream::Group;
use serde_json::{Value, json};

const TOKEN: &str = "the-operator";
const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

struct Stage {
    server: Server,
    config: Config,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

fn target(address: SocketAddr) -> Target {
    let address = TargetAddress::Tcp { host: address.ip().to_string(), port: address.port() };
    Target { tls: false, http2: false, address }
}

/// A page of whoever the request says is signed in.
async fn page(headers: HeaderMap) -> impl axum::response::IntoResponse {
    let user = headers.get("x-user").and_then(|user| user.to_str().ok()).unwrap_or("alice");
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head data-user=\"{user}\"><script nonce=\"n\"></script>\
         </head><body id=\"body-user\"></body></html>"
    );
    let fields = [
        ("content-type", "text/html; charset=UTF-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", "script-src 'nonce-n'"),
    ];
    (fields, page)
}

impl Stage {
    async fn start(folder: &Path, change: impl FnOnce(&mut Site)) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = tokio::net::TcpListener::bind(any).await.expect("a port");
        let upstream = listener.local_addr().expect("an address");
        let router = axum::Router::new().fallback(page);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut site = Site::to("demo", Vec::new(), UpstreamGroup::to(target(upstream)));
        site.redirect_to_https = false;
        site.tours.enabled = true;
        site.tours.progress = Progress::Store;
        change(&mut site);
        let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
        config.listen.http = vec![Endpoint::Tcp(any)];
        config.listen.workers = 1;
        config.store.folder = Some(folder.to_owned());
        config.admin = Admin { listen: Some(Endpoint::Tcp(any)), token: None };
        config.tours.source = Some("https://example.org/ours".to_owned());
        let player = Player::shipped().expect("a player");
        let key = Key::random().expect("a key");
        let tours = Arc::new(Tours::new(player, key, Arc::new(Memory::default())));
        let extras =
            Extras { admin_token: Some(TOKEN.into()), ..Extras::with_tours(Arc::clone(&tours)) };
        let server = Server::start_with(config.clone(), extras).await.expect("a server");
        Self { server, config }
    }

    async fn ask(
        &self,
        at: SocketAddr,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let group = Group::new(&UpstreamGroup::to(target(at))).expect("a client");
        let mut request =
            Request::builder().method(method).uri(path).header("host", at.to_string());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let answer = group.send(request).await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    async fn web(&self, method: Method, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        let at = self.server.http().expect("an address");
        self.ask(at, method, path, fields, body.to_owned()).await
    }

    async fn host(&self, method: Method, path: &str, body: Value) -> Answer {
        let at = self.server.admin().expect("an address");
        let bearer = format!("Bearer {TOKEN}");
        let fields = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(at, method, path, &fields, body).await
    }

    async fn page(&self, user: &str, cookie: &str) -> String {
        let fields = [("sec-fetch-dest", "document"), ("x-user", user), ("cookie", cookie)];
        self.web(Method::GET, "/apps/files/", &fields, "").await.text
    }

    /// What a page says of this.
    async fn told(&self, user: &str, what: &str) -> String {
        let page = self.page(user, "").await;
        let (_, rest) = page.split_once(&format!("{what}=\"")).expect("a tag");
        rest.split('"').next().expect("a value").to_owned()
    }

    async fn progress(&self, token: &str) -> Answer {
        let fields = [("x-passeur-token", token), SAME];
        self.web(Method::GET, "/_passeur/tours/progress", &fields, "").await
    }

    async fn put_progress(&self, token: &str, document: &Value) -> Answer {
        let fields = [("x-passeur-token", token), SAME];
        let body = document.to_string();
        self.web(Method::PUT, "/_passeur/tours/progress", &fields, &body).await
    }

    /// Tells `times` that the first step of `welcome` was shown.
    async fn tell(&self, user: &str, times: usize, more: &[(&str, &str)]) -> u16 {
        let event = json!({ "tour": "welcome", "rev": 2, "step": "hello", "what": "shown" });
        let token = self.told(user, "data-token").await;
        let message = json!({
            "$v": 1, "token": token, "nc": "34.0.1.2", "lang": "en", "device": "phone",
            "events": vec![event; times],
            "missing": [{ "target": "files.new", "candidate": -1, "route": "/apps/files" }],
        });
        let fields = [&[SAME], more].concat();
        let path = "/_passeur/tours/events";
        self.web(Method::POST, path, &fields, &message.to_string()).await.status
    }

    async fn counts(&self) -> Vec<Value> {
        let answer = self.host(Method::GET, "/api/v1/sites/demo/tours", Value::Null).await;
        answer.json()["counts"].as_array().cloned().expect("counts")
    }
}

#[tokio::test]
async fn progress_is_of_whoever_shows_the_token_of_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::start(folder.path(), |_| {}).await;
    assert_eq!(stage.told("alice", "data-progress").await, "store");
    let token = stage.told("alice", "data-token").await;
    for bad in ["", "x", &token[..token.len() - 2]] {
        assert_eq!(stage.progress(bad).await.status, 401, "{bad}");
    }
    let elsewhere = [("x-passeur-token", token.as_str()), ("sec-fetch-site", "cross-site")];
    let answer = stage.web(Method::GET, "/_passeur/tours/progress", &elsewhere, "").await;
    assert_eq!(answer.status, 403);

    let seen = |time: u64, status: &str| json!({ "$v": 1, "tours": { "welcome": { "t": time, "r": 2, "s": status } } });
    assert_eq!(stage.put_progress(&token, &seen(5, "active")).await.status, 200);
    // An older one from another device loses.
    let became = stage.put_progress(&token, &seen(4, "done")).await.json();
    assert_eq!(became["tours"]["welcome"]["s"], "active");
    assert_eq!(stage.put_progress(&token, &json!({ "$v": 2 })).await.status, 400);
    let huge = json!({ "$v": 1, "x": "x".repeat(10_000) });
    assert_eq!(stage.put_progress(&token, &huge).await.status, 413);

    // Another page of the same person, and one of somebody else.
    let again = stage.told("alice", "data-token").await;
    assert_eq!(stage.progress(&again).await.json()["tours"]["welcome"]["t"], 5);
    let bob = stage.told("bob", "data-token").await;
    assert_eq!(stage.progress(&bob).await.json()["tours"], json!({}));
    stage.server.stop().await;

    // After a restart, and with the token of a page from before it.
    let stage = Stage::start(folder.path(), |_| {}).await;
    assert_eq!(stage.progress(&token).await.json()["tours"]["welcome"]["t"], 5);
    stage.server.stop().await;
}

#[tokio::test]
async fn counters_outlive_the_process_and_hide_the_few() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::start(folder.path(), |_| {}).await;
    assert_eq!(stage.tell("alice", 4, &[]).await, 204);
    assert_eq!(stage.tell("bob", 9, &[("sec-gpc", "1")]).await, 204);
    assert_eq!(stage.tell("bob", 9, &[("dnt", "1")]).await, 204);
    assert_eq!(stage.counts().await, Vec::<Value>::new(), "four are too few to be shown");
    stage.server.stop().await;

    let stage = Stage::start(folder.path(), |_| {}).await;
    assert_eq!(stage.tell("bob", 3, &[]).await, 204);
    let counts = stage.counts().await;
    assert_eq!(counts.len(), 1);
    assert_eq!((&counts[0]["what"], &counts[0]["count"]), (&json!("shown"), &json!(7)));
    let missing = stage.host(Method::GET, "/api/v1/tours/missing", Value::Null).await.json();
    assert_eq!(missing["targets"][0]["target"], "files.new");
    assert_eq!(
        (&missing["targets"][0]["absent"], &missing["targets"][0]["sites"]),
        (&json!(2), &json!(1))
    );
    stage.server.stop().await;

    let stage = Stage::start(folder.path(), |site| site.tours.counters = false).await;
    assert_eq!(stage.tell("bob", 9, &[]).await, 204);
    assert_eq!(stage.counts().await[0]["count"], 7);
    stage.server.stop().await;
}

#[tokio::test]
async fn what_is_switched_off_does_not_begin_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::start(folder.path(), |_| {}).await;
    let on = async |tour: &str| {
        let path = format!("/_passeur/tours/on?tour={tour}");
        stage.web(Method::GET, &path, &[SAME], "").await.status
    };
    assert_eq!((on("").await, on("welcome").await, on("nonsense").await), (204, 204, 404));
    let loader = stage.told("alice", "src").await;
    let loader = stage.web(Method::GET, &loader, &[], "").await;
    assert!(loader.text.contains("\"source\":\"https://example.org/ours\""), "{}", loader.text);

    let mut config = stage.config.clone();
    config.tours.off = vec!["welcome".to_owned()];
    stage.server.apply(config.clone()).expect("applied");
    assert_eq!((on("").await, on("welcome").await, on("files").await), (204, 404, 204));
    config.tours.enabled = false;
    stage.server.apply(config).expect("applied");
    assert_eq!((on("").await, on("files").await), (410, 410));
    assert!(!stage.page("alice", "").await.contains("data-passeur-tours"));
    stage.server.stop().await;
}

#[tokio::test]
async fn the_editor_opens_once_and_only_for_its_holder() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::start(folder.path(), |_| {}).await;
    let edit = "/api/v1/sites/demo/tours/edit";
    for (body, status) in [(json!({ "tour": "../x" }), 400), (json!({ "tour": "a", "x": 1 }), 400)]
    {
        assert_eq!(stage.host(Method::POST, edit, body).await.status, status);
    }
    let made = stage.host(Method::POST, edit, json!({ "tour": "welcome" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = made.json()["path"].as_str().expect("a path").to_owned();

    // Looking does not use it up; only this site's own page begins.
    for _ in 0..2 {
        let asked = stage.web(Method::GET, &path, &[("sec-fetch-site", "none")], "").await;
        assert!(asked.status == 200 && asked.text.contains("<form method=\"post\">"));
    }
    let elsewhere = stage.web(Method::POST, &path, &[("sec-fetch-site", "cross-site")], "").await;
    assert_eq!(elsewhere.status, 403);
    let begun = stage.web(Method::POST, &path, &[SAME], "").await;
    assert_eq!(begun.status, 303);
    assert_eq!(stage.web(Method::POST, &path, &[SAME], "").await.status, 410);
    assert_eq!(stage.web(Method::GET, &path, &[], "").await.status, 410);
    let cookie = begun.headers["set-cookie"].to_str().expect("text");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();

    // The editor is in pages of its holder, and of nobody else.
    let tag = stage.page("alice", &cookie).await;
    assert!(tag.contains("/editor.js\" data-passeur-tours=\"1\""), "{tag}");
    assert!(!tag.contains("loader.js"));
    for other in ["", "passeur-edit=x"] {
        let page = stage.page("alice", other).await;
        assert!(page.contains("/loader.js\"") && !page.contains("editor"), "{page}");
    }

    let draft = "/_passeur/tours/draft";
    let mine = [("cookie", cookie.as_str()), SAME];
    assert_eq!(stage.web(Method::GET, draft, &[SAME], "").await.status, 401);
    let opened = stage.web(Method::GET, draft, &mine, "").await.json();
    assert_eq!(opened["tour"], "welcome");
    assert!(opened["files"]["welcome/locales/fr.json"].is_string());
    assert!(opened["manifest"]["engine"].is_string());

    let put = async |files: Value| stage.web(Method::PUT, draft, &mine, &files.to_string()).await;
    assert_eq!(put(json!({ "ui/en.json": "{}" })).await.status, 400);
    assert_eq!(put(json!({ "welcome/tour.json": 1 })).await.status, 400);
    let mut files = opened["files"].clone();
    assert_eq!(put(files.clone()).await.json()["problems"], json!([]));
    let tour = files["welcome/tour.json"].as_str().expect("text");
    files["welcome/tour.json"] =
        tour.replacen("\"start\": \"hello\"", "\"start\": \"no\"", 1).into();
    let problems = put(files.clone()).await.json()["problems"].clone();
    let of_tour =
        |problem: &Value| problem["file"] == "welcome/tour.json" && problem["error"] == true;
    assert!(problems.as_array().expect("a list").iter().any(of_tour), "{problems}");
    // It is kept all the same, for its holder, and changes nothing for others.
    let file = format!("{draft}/welcome/tour.json");
    assert_eq!(stage.web(Method::GET, &file, &mine, "").await.text, files["welcome/tour.json"]);
    assert_eq!(stage.web(Method::GET, &file, &[SAME], "").await.status, 401);
    assert_eq!(stage.web(Method::GET, &format!("{draft}/x"), &mine, "").await.status, 404);
    let on = stage.web(Method::GET, "/_passeur/tours/on?tour=welcome", &[SAME], "").await;
    assert_eq!(on.status, 204);

    assert_eq!(stage.web(Method::DELETE, draft, &mine, "").await.status, 204);
    assert_eq!(stage.web(Method::GET, draft, &mine, "").await.status, 401);
    assert!(stage.page("alice", &cookie).await.contains("/loader.js\""));
    stage.server.stop().await;
}
