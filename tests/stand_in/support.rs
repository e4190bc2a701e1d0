//! A stand-in that runs, and requests to it as clients make them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use passeur::demo::{ExternalApp, Options, StandIn};
use tokio::net::TcpStream;

/// A stand-in that runs, in a folder that goes with it.
pub struct Site {
    pub stand: Arc<StandIn>,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookies that it sets, as a client sends them back.
    pub fn cookies(&self) -> String {
        let all = self.headers.get_all("set-cookie").iter();
        let pairs = all.map(|value| value.to_str().unwrap().split(';').next().unwrap());
        pairs.collect::<Vec<_>>().join("; ")
    }
}

pub async fn open(folder: &Path) -> Arc<StandIn> {
    let app = Some(ExternalApp { id: "passeur".into(), secret: "s3cret".into() });
    StandIn::open(folder, Options { app, ..Options::default() }).await.unwrap()
}

impl Site {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stand = open(folder.path()).await;
        let listener = StandIn::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(Arc::clone(&stand).serve(listener, std::future::pending()));
        Self { stand, address, _folder: folder }
    }

    /// One request on a connection of its own.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut send, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header("host", "cloud.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let (head, body) = send.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// As an account, with its password.
    pub async fn as_user(
        &self,
        uid: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let account = self.stand.accounts().into_iter().find(|a| a.uid == uid).unwrap();
        let pair = format!("{uid}:{}", account.password);
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let mut all = vec![("authorization", basic.as_str())];
        all.extend_from_slice(headers);
        self.ask(method, path, &all, body).await
    }

    /// An OCS call, in JSON.
    pub async fn ocs(&self, uid: &str, method: &str, path: &str, form: &str) -> serde_json::Value {
        let headers = [
            ("ocs-apirequest", "true"),
            ("accept", "application/json"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let form = form.to_owned();
        let answer =
            self.as_user(uid, method, &format!("/ocs/v2.php/{path}"), &headers, form).await;
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Signs in on the page; gives the cookies and a request token.
    pub async fn sign_in(&self, uid: &str) -> (String, String) {
        let page = self.ask("GET", "/login", &[], "").await;
        let token = between(&page.body, "name=\"requesttoken\" value=\"", "\"");
        let password = self.stand.accounts().into_iter().find(|a| a.uid == uid).unwrap().password;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("user", uid)
            .append_pair("password", &password)
            .append_pair("requesttoken", &token)
            .finish();
        let cookies = page.cookies();
        let answer = self.ask("POST", "/login", &[("cookie", &cookies)], form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), "http://cloud.example/apps/dashboard/");
        let same_site = "nc_sameSiteCookielax=true; nc_sameSiteCookiestrict=true";
        let cookies = format!("{}; {same_site}", answer.cookies());
        let page = self.ask("GET", "/apps/files/", &[("cookie", &cookies)], "").await;
        assert_eq!(page.status, StatusCode::OK);
        (cookies, between(&page.body, "data-requesttoken=\"", "\""))
    }
}

pub fn between(text: &str, from: &str, to: &str) -> String {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}"));
    rest.split_once(to).unwrap().0.to_owned()
}

/// The DAV trees that tests look into.
pub const FILES: &str = "/remote.php/dav/files";
/// As [`FILES`].
pub const CALENDARS: &str = "/remote.php/dav/calendars";

/// The body of a PROPFIND for `d:`, `oc:` and `nc:` names.
pub fn wanted(names: &str) -> String {
    let names: String = names.split(' ').map(|name| format!("<{name}/>")).collect();
    format!(
        r#"<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:prop>{names}</d:prop></d:propfind>"#
    )
}

impl Site {
    /// What a PROPFIND of one resource says.
    pub async fn look(&self, uid: &str, path: &str, names: &str) -> Answer {
        self.as_user(uid, "PROPFIND", path, &[("depth", "0")], wanted(names)).await
    }

    /// Shares something; gives the share.
    pub async fn share(&self, uid: &str, form: &str) -> serde_json::Value {
        let made = self.ocs(uid, "POST", "apps/files_sharing/api/v1/shares", form).await;
        assert_eq!(made["ocs"]["meta"]["statuscode"], 200, "{form}: {made}");
        made["ocs"]["data"].clone()
    }

    /// Values of the database, as text.
    pub async fn rows(&self, sql: &'static str) -> Vec<String> {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.stand.database());
        let mut db = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
        rows.into_iter().map(|(text,)| text).collect()
    }
}

impl Site {
    /// A request for a file that may end without an answer.
    pub async fn attempt(
        &self,
        account: &passeur::demo::Account,
        method: &str,
        from: &str,
        to: &str,
    ) -> Result<StatusCode, hyper::Error> {
        let uid = &account.uid;
        let pair = format!("{uid}:{}", account.password);
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut send, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("{FILES}/{uid}/{from}"))
            .header("host", "cloud.example")
            .header("authorization", format!("Basic {basic}"))
            .header("destination", format!("{FILES}/{uid}/{to}"))
            .body(Full::new(Bytes::new()))
            .unwrap();
        Ok(send.send_request(request).await?.status())
    }
}
