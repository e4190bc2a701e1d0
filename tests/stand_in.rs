//! The stand-in for Nextcloud, driven over loopback as clients drive it.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, in its helpers too")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use passeur::demo::{Error, ExternalApp, Options, StandIn};
use tokio::net::TcpStream;

/// A stand-in that runs, in a folder that goes with it.
struct Site {
    stand: Arc<StandIn>,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookies that it sets, as a client sends them back.
    fn cookies(&self) -> String {
        let all = self.headers.get_all("set-cookie").iter();
        let pairs = all.map(|value| value.to_str().unwrap().split(';').next().unwrap());
        pairs.collect::<Vec<_>>().join("; ")
    }
}

async fn open(folder: &Path) -> Arc<StandIn> {
    let app = Some(ExternalApp { id: "passeur".into(), secret: "s3cret".into() });
    StandIn::open(folder, Options { app, ..Options::default() }).await.unwrap()
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stand = open(folder.path()).await;
        let listener = StandIn::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(Arc::clone(&stand).serve(listener, std::future::pending()));
        Self { stand, address, _folder: folder }
    }

    /// One request on a connection of its own.
    async fn ask(
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
    async fn as_user(
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
    async fn ocs(&self, uid: &str, method: &str, path: &str, form: &str) -> serde_json::Value {
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
    async fn sign_in(&self, uid: &str) -> (String, String) {
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

fn between(text: &str, from: &str, to: &str) -> String {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}"));
    rest.split_once(to).unwrap().0.to_owned()
}

const FILES: &str = "/remote.php/dav/files";

#[tokio::test]
async fn it_is_on_loopback_only() {
    let error = StandIn::bind(([0, 0, 0, 0], 0).into()).await.unwrap_err();
    assert!(matches!(error, Error::NotLoopback(_)), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let stand = open(folder.path()).await;
    let wide = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let served = stand.serve(wide, std::future::pending()).await;
    assert!(matches!(served, Err(Error::NotLoopback(_))));
}

#[tokio::test]
async fn status_maintenance_and_well_known_places() {
    let site = Site::start().await;
    let answer = site.ask("GET", "/status.php", &[], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("\"maintenance\":false"));
    assert!(answer.cookies().contains("nc_sameSiteCookiestrict=true"));

    let forwarded = [("x-forwarded-proto", "https")];
    let answer = site.ask("GET", "/.well-known/caldav", &forwarded, "").await;
    assert_eq!(answer.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(answer.header("location"), "https://cloud.example/remote.php/dav/");
    let answer = site.ask("GET", "/.well-known/webfinger", &[], "").await;
    assert_eq!(answer.header("x-nextcloud-well-known"), "1");

    site.stand.set_maintenance(true);
    for path in ["/remote.php/dav/", "/ocs/v2.php/cloud/user", "/apps/files/"] {
        let answer = site.ask("GET", path, &[], "").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.header("x-nextcloud-maintenance-mode"), "1");
        assert_eq!(answer.header("retry-after"), "120");
    }
    let answer = site.ask("GET", "/status.php", &[], "").await;
    assert!(answer.body.contains("\"maintenance\":true"));
}

#[tokio::test]
async fn a_session_may_look_but_needs_a_token_to_act() {
    let site = Site::start().await;
    let answer = site.ask("GET", "/apps/files/?dir=/a", &[], "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(
        answer.header("location").ends_with("/login?redirect_url=%2Fapps%2Ffiles%2F%3Fdir%3D%2Fa")
    );

    let (cookies, token) = site.sign_in("alice").await;
    let home = format!("{FILES}/alice/");
    let with = [("cookie", cookies.as_str())];
    let file = site.ask("GET", &format!("{home}Readme.md"), &with, "").await;
    assert_eq!(file.status, StatusCode::OK);
    let answer = site.ask("PROPFIND", &home, &with, "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let with = [("cookie", cookies.as_str()), ("requesttoken", token.as_str())];
    assert_eq!(site.ask("PROPFIND", &home, &with, "").await.status, StatusCode::MULTI_STATUS);
    let with = [("cookie", cookies.as_str()), ("requesttoken", "x:y")];
    let answer = site.ask("GET", "/ocs/v2.php/cloud/user", &with, "").await;
    assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED);

    // Without its companions the session cookie is refused.
    let alone = cookies.split("; ").find(|c| c.starts_with(site.stand.instance_id())).unwrap();
    let answer = site.ask("GET", &format!("{home}Readme.md"), &[("cookie", alone)], "").await;
    assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED);
    let with = [("cookie", alone), ("ocs-apirequest", "true")];
    let answer = site.ask("GET", &format!("{home}Readme.md"), &with, "").await;
    assert_eq!(answer.status, StatusCode::OK);

    let out: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let with = [("cookie", cookies.as_str())];
    let answer = site.ask("GET", &format!("/logout?requesttoken={out}"), &with, "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let answer = site.ask("GET", "/apps/files/", &with, "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn pages_carry_one_nonce_everywhere() {
    let site = Site::start().await;
    let (cookies, _) = site.sign_in("admin").await;
    let with = [("cookie", cookies.as_str())];
    for (path, body) in [
        ("/apps/dashboard/", "body-user"),
        ("/apps/files/", "body-user"),
        ("/apps/calendar/", "body-user"),
        ("/apps/contacts/", "body-user"),
        ("/settings/user", "body-settings"),
        ("/settings/users", "body-settings"),
    ] {
        let page = site.ask("GET", path, &with, "").await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.body.contains(&format!("id=\"{body}\"")), "{path}");
        assert!(page.body.contains("data-user=\"admin\""), "{path}");
        let policy = page.header("content-security-policy");
        let nonce = between(policy, "script-src-elem 'strict-dynamic' 'nonce-", "'");
        let scripts = page.body.matches("<script").count();
        assert_eq!(page.body.matches(&format!("<script nonce=\"{nonce}\"")).count(), scripts);
        let token = between(&page.body, "data-requesttoken=\"", "\"");
        assert!(token.ends_with(&format!(":{nonce}")));
    }
    let (cookies, _) = site.sign_in("bob").await;
    let with = [("cookie", cookies.as_str())];
    let page = site.ask("GET", "/apps/calendar/", &with, "").await;
    assert!(page.body.contains("Réunion meet"));
    let page = site.ask("GET", "/apps/contacts/", &with, "").await;
    assert!(page.body.contains("Membre 7 Éloïse"));
    let page = site.ask("GET", "/apps/none", &with, "").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.body.contains("data-requesttoken=\"\"") && page.body.contains("body-login"));
}

#[tokio::test]
async fn files_keep_ids_and_change_etags() {
    let site = Site::start().await;
    let path = format!("{FILES}/alice/Association/n%C3%A9.txt");
    let headers = [("x-oc-mtime", "1700000000"), ("oc-checksum", "SHA1:abc")];
    let put = site.as_user("alice", "PUT", &path, &headers, "one").await;
    assert_eq!(put.status, StatusCode::CREATED);
    assert_eq!(put.header("x-oc-mtime"), "accepted");
    assert_eq!(put.header("etag"), put.header("oc-etag"));
    assert!(put.header("oc-fileid").ends_with(site.stand.instance_id()));

    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><o:checksums/><o:owner-id/><d:getlastmodified/><o:nothing/></d:prop></d:propfind>"#;
    let found = site.as_user("alice", "PROPFIND", &path, &[("depth", "0")], body).await;
    assert!(found.body.contains("<oc:checksum>SHA1:abc</oc:checksum>"), "{}", found.body);
    assert!(found.body.contains("<oc:owner-id>alice</oc:owner-id>"));
    assert!(found.body.contains("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert!(found.body.contains("<oc:nothing/></d:prop><d:status>HTTP/1.1 404"));

    let update = r#"<d:propertyupdate xmlns:d="DAV:" xmlns:n="http://nextcloud.org/ns" xmlns:x="x:"><d:set><d:prop><n:creation_time>1600000000</n:creation_time><x:mine>é &lt;</x:mine></d:prop></d:set></d:propertyupdate>"#;
    let patched = site.as_user("alice", "PROPPATCH", &path, &[], update).await;
    assert_eq!(patched.status, StatusCode::MULTI_STATUS);
    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:n="http://nextcloud.org/ns" xmlns:x="x:"><d:prop><n:creation_time/><x:mine/></d:prop></d:propfind>"#;
    let found = site.as_user("alice", "PROPFIND", &path, &[("depth", "0")], body).await;
    assert!(found.body.contains("<nc:creation_time>1600000000</nc:creation_time>"));
    assert!(found.body.contains("<x1:mine xmlns:x1=\"x:\">é &lt;</x1:mine>"), "{}", found.body);

    let stale = [("if-match", "\"x\"")];
    let refused = site.as_user("alice", "PUT", &path, &stale, "two").await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    assert!(refused.body.contains("Sabre\\DAV\\Exception\\PreconditionFailed"));
    let current = [("if-match", put.header("etag"))];
    let again = site.as_user("alice", "PUT", &path, &current, "two").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    assert_eq!(again.header("oc-fileid"), put.header("oc-fileid"));
    assert_ne!(again.header("etag"), put.header("etag"));

    let to = [("destination", "https://elsewhere.example/remote.php/dav/files/alice/moved.txt")];
    let moved = site.as_user("alice", "MOVE", &path, &to, "").await;
    assert_eq!(moved.status, StatusCode::CREATED);
    let range = [("range", "bytes=1-")];
    let got = site.as_user("alice", "GET", &format!("{FILES}/alice/moved.txt"), &range, "").await;
    assert_eq!((got.status, got.body.as_str()), (StatusCode::PARTIAL_CONTENT, "wo"));
    assert_eq!(got.header("etag"), again.header("etag"));

    let all = site
        .as_user("alice", "PROPFIND", &format!("{FILES}/alice/"), &[("depth", "infinity")], "")
        .await;
    assert!(all.body.contains("/Association/deep/%252F%20literal.txt</d:href>"));
    assert!(all.body.contains("/FromDave/x.txt</d:href>"));
    let out = [("destination", "/remote.php/dav/files/bob/x")];
    let refused =
        site.as_user("alice", "MOVE", &format!("{FILES}/alice/moved.txt"), &out, "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_the_old_version() {
    use tokio::io::AsyncWriteExt as _;
    let site = Site::start().await;
    let path = format!("{FILES}/bob/Readme.md");
    let before = site.as_user("bob", "GET", &path, &[], "").await;
    let basic = base64::engine::general_purpose::STANDARD.encode("bob:bob-ferry");
    for framing in
        ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
    {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: cloud.example\r\nAuthorization: Basic {basic}\r\n{framing}"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // The server hangs up once it has given the upload up.
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.ok();
    }
    let after = site.as_user("bob", "GET", &path, &[], "").await;
    assert_eq!((after.body, after.headers.get("etag")), (before.body, before.headers.get("etag")));
}

#[tokio::test]
async fn chunks_are_assembled_by_a_move() {
    let site = Site::start().await;
    let up = "/remote.php/dav/uploads/alice/u1";
    let to = [("destination", "/remote.php/dav/files/alice/big.bin")];
    assert_eq!(site.as_user("alice", "MKCOL", up, &to, "").await.status, StatusCode::CREATED);
    for (number, text) in [("10", "c"), ("2", "b"), ("1", "a")] {
        let chunk = site.as_user("alice", "PUT", &format!("{up}/{number}"), &to, text).await;
        assert_eq!(chunk.status, StatusCode::CREATED);
    }
    let wrong = site.as_user("alice", "PUT", &format!("{up}/10001"), &to, "x").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let listed = site.as_user("alice", "PROPFIND", up, &[("depth", "1")], "").await;
    assert_eq!(listed.body.matches("<d:response>").count(), 4);

    // While one assembles, another is refused.
    site.stand.set_assembly_delay(Duration::from_secs(3600));
    let last = format!("{up}/.file");
    let wanted = [to[0], ("oc-total-length", "3"), ("x-oc-mtime", "1700000000")];
    let attempt = || async {
        let answer = site.as_user("alice", "MOVE", &last, &wanted, "").await;
        // The one that is refused comes back first, and lets the other end.
        site.stand.set_assembly_delay(Duration::ZERO);
        answer
    };
    let (one, two) = tokio::join!(attempt(), attempt());
    // Either may have come first.
    let (done, refused) = if one.status == StatusCode::LOCKED { (two, one) } else { (one, two) };
    assert_eq!(refused.status, StatusCode::LOCKED);
    assert_eq!(done.status, StatusCode::CREATED);
    assert!(!done.header("oc-etag").is_empty() && !done.header("oc-fileid").is_empty());
    let got = site.as_user("alice", "GET", &format!("{FILES}/alice/big.bin"), &[], "").await;
    assert_eq!(got.body, "abc");
    assert_eq!(
        site.as_user("alice", "MOVE", &last, &wanted, "").await.status,
        StatusCode::NOT_FOUND
    );

    site.ocs("admin", "PUT", "cloud/users/alice", "key=quota&value=1+MB").await;
    let large = [to[0], ("oc-total-length", "99999999")];
    let full = site.as_user("alice", "MKCOL", "/remote.php/dav/uploads/alice/u2", &large, "").await;
    assert_eq!(full.status, StatusCode::INSUFFICIENT_STORAGE);
}

#[tokio::test]
async fn bulk_takes_many_files() {
    let site = Site::start().await;
    let body = "--b\r\nContent-Length: 2\r\nX-File-Path: /new/a.txt\r\nX-File-Mtime: 1700000000\r\n\
        X-File-Md5: 49f68a5c8493ec2c0bf489821c21fc3b\r\n\r\nhi\r\n--b\r\nContent-Length: 2\r\n\
        X-File-Path: /b.txt\r\nX-File-Md5: 0\r\n\r\nhi\r\n--b--\r\n";
    let kind = [("content-type", "multipart/related; boundary=b")];
    let answer = site.as_user("dave", "POST", "/remote.php/dav/bulk", &kind, body).await;
    let results: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(results["/new/a.txt"]["error"], false);
    assert_eq!(results["/b.txt"]["error"], true);
    let got = site.as_user("dave", "GET", &format!("{FILES}/dave/new/a.txt"), &[], "").await;
    assert_eq!(got.body, "hi");
    assert_eq!(got.header("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
}

#[tokio::test]
async fn shares_show_their_owner_and_can_be_taken_off() {
    let site = Site::start().await;
    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><o:owner-id/><o:permissions/></d:prop></d:propfind>"#;
    let deep = format!("{FILES}/bob/deep/");
    let found = site.as_user("bob", "PROPFIND", &deep, &[("depth", "0")], body).await;
    assert!(found.body.contains("<oc:owner-id>alice</oc:owner-id>"));
    assert!(found.body.contains("<oc:permissions>SGDNV</oc:permissions>"));
    let refused = site.as_user("bob", "PUT", &format!("{deep}x.txt"), &[], "x").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let taken = site.as_user("bob", "DELETE", &deep, &[], "").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    let taken = site.as_user("bob", "DELETE", &format!("{FILES}/bob/Association"), &[], "").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    let kept = format!("{FILES}/alice/Association/deep/emoji%20%F0%9F%A6%86.txt");
    assert_eq!(site.as_user("alice", "GET", &kept, &[], "").await.status, StatusCode::OK);

    let shares = "apps/files_sharing/api/v1/shares";
    let made = site
        .ocs("alice", "POST", shares, "path=/Private&shareType=0&shareWith=bob&permissions=1")
        .await;
    assert_eq!(made["ocs"]["meta"]["statuscode"], 200, "{made}");
    let id = made["ocs"]["data"]["id"].as_str().unwrap().to_owned();
    let listed = site.ocs("bob", "GET", &format!("{shares}?shared_with_me=true"), "").await;
    assert!(listed.to_string().contains("\"path\":\"/Private\""), "{listed}");
    let twice = site.ocs("alice", "POST", shares, "path=/Private&shareType=0&shareWith=bob").await;
    assert_eq!(twice["ocs"]["meta"]["statuscode"], 403);
    let one = format!("{shares}/{id}");
    let changed = site.ocs("alice", "PUT", &one, "permissions=3&note=hi").await;
    assert_eq!(changed["ocs"]["data"]["permissions"], 3);
    let foreign = site.ocs("carol", "DELETE", &one, "").await;
    assert_eq!(foreign["ocs"]["meta"]["statuscode"], 404);
    site.ocs("alice", "DELETE", &one, "").await;
    let gone = site.as_user("bob", "GET", &format!("{FILES}/bob/Private/diary.txt"), &[], "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);

    let link = site.ocs("alice", "POST", shares, "path=/Private&shareType=3").await;
    let token = link["ocs"]["data"]["token"].as_str().unwrap();
    let page = site.ask("GET", &format!("/s/{token}"), &[], "").await;
    assert!(page.body.contains("diary.txt") && page.body.contains("id=\"body-public\""));
    let file = site.ask("GET", &format!("/s/{token}/download?path=/diary.txt"), &[], "").await;
    assert_eq!(file.body, "secret");
    let out = site.ask("GET", &format!("/s/{token}/download?path=/../Readme.md"), &[], "").await;
    assert_eq!(out.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn ocs_says_who_is_an_admin() {
    let site = Site::start().await;
    let admin = site.ocs("admin", "GET", "cloud/user", "").await;
    assert_eq!(admin["ocs"]["data"]["groups"], serde_json::json!(["admin"]));
    let users = site.ocs("admin", "GET", "cloud/users?search=ali", "").await;
    assert_eq!(users["ocs"]["data"]["users"], serde_json::json!(["alice"]));
    let refused = site.ocs("alice", "GET", "cloud/users", "").await;
    assert_eq!(refused["ocs"]["meta"]["statuscode"], 403);
    let bare = site.as_user("alice", "GET", "/ocs/v2.php/cloud/user", &[], "").await;
    assert_eq!(bare.status, StatusCode::PRECONDITION_FAILED);
    let public = site.ask("GET", "/ocs/v1.php/cloud/capabilities", &[], "").await;
    assert!(public.body.contains("<statuscode>100</statuscode>"), "{}", public.body);
    let wrong = [("authorization", "Basic YWxpY2U6bm8="), ("ocs-apirequest", "true")];
    let answer = site.ask("GET", "/ocs/v1.php/cloud/user", &wrong, "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_external_app_acts_for_accounts() {
    let site = Site::start().await;
    site.ocs("admin", "PUT", "cloud/users/carol/disable", "").await;
    let encode = |pair: &str| base64::engine::general_purpose::STANDARD.encode(pair);
    let (good, bad) = (encode("carol:s3cret"), encode("carol:wrong"));
    let headers = |secret| {
        [
            ("aa-version", "5"),
            ("ex-app-id", "passeur"),
            ("ex-app-version", "1.0"),
            ("authorization-app-api", secret),
            ("ocs-apirequest", "true"),
        ]
    };
    let home = format!("{FILES}/carol/");
    let answer = site.ask("PROPFIND", &home, &headers(&good), "").await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    assert_eq!(answer.header("x-user-id"), "carol");
    let answer = site.ask("PROPFIND", &home, &headers(&bad), "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = site.ask("GET", "/ocs/v2.php/cloud/user", &headers(&good), "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = site.as_user("carol", "PROPFIND", &home, &[], "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_login_flow_gives_an_app_password() {
    let site = Site::start().await;
    let headers = [("x-forwarded-proto", "https")];
    let begun = site.ask("POST", "/index.php/login/v2", &headers, "").await;
    let begun: serde_json::Value = serde_json::from_str(&begun.body).unwrap();
    assert_eq!(begun["poll"]["endpoint"], "https://cloud.example/login/v2/poll");
    let login = begun["login"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let poll = format!("token={}", begun["poll"]["token"].as_str().unwrap());
    let waiting = site.ask("POST", "/login/v2/poll", &[], poll.clone()).await;
    assert_eq!(waiting.status, StatusCode::NOT_FOUND);

    let (cookies, token) = site.sign_in("bob").await;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("stateToken", &login)
        .append_pair("requesttoken", &token)
        .finish();
    let granted = site.ask("POST", "/login/v2/grant", &[("cookie", &cookies)], form).await;
    assert_eq!(granted.status, StatusCode::OK);
    let done = site.ask("POST", "/login/v2/poll", &[], poll.clone()).await;
    let done: serde_json::Value = serde_json::from_str(&done.body).unwrap();
    let pair = format!("bob:{}", done["appPassword"].as_str().unwrap());
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let home = format!("{FILES}/bob/");
    let answer = site.ask("PROPFIND", &home, &[("authorization", &basic)], "").await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let twice = site.ask("POST", "/login/v2/poll", &[], poll).await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND);
}

const CALENDARS: &str = "/remote.php/dav/calendars";

fn event(uid: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20300101T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn sync(site: &Site, uid: &str, calendar: &str, token: &str) -> Answer {
    let body = format!(
        r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"#
    );
    site.as_user(uid, "REPORT", &format!("{CALENDARS}/{uid}/{calendar}/"), &[], body).await
}

#[tokio::test]
async fn calendars_are_found_and_synced_by_token() {
    let site = Site::start().await;
    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:current-user-principal/></d:prop></d:propfind>"#;
    let root = site.as_user("bob", "PROPFIND", "/remote.php/dav/", &[("depth", "0")], body).await;
    let principal = between(&root.body, "<d:current-user-principal><d:href>", "</d:href>");
    let body = body.replace("<d:current-user-principal/>", "<c:calendar-home-set/>");
    let found = site.as_user("bob", "PROPFIND", &principal, &[("depth", "0")], body).await;
    let home = between(&found.body, "<cal:calendar-home-set><d:href>", "</d:href>");
    let listed = site.as_user("bob", "PROPFIND", &home, &[("depth", "1")], "").await;
    assert!(listed.body.contains("/calendars/bob/asso_shared_by_alice/"), "{}", listed.body);

    // What its owner calls private is not for those it is shared with.
    let private = event("private").replace("END:VEVENT", "CLASS:PRIVATE\r\nEND:VEVENT");
    let path = format!("{CALENDARS}/alice/asso/private.ics");
    let put = site.as_user("alice", "PUT", &path, &[], private).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let path = format!("{CALENDARS}/bob/asso_shared_by_alice/private.ics");
    assert_eq!(site.as_user("bob", "GET", &path, &[], "").await.status, StatusCode::NOT_FOUND);

    let first = sync(&site, "bob", "asso_shared_by_alice", "").await;
    assert_eq!(first.body.matches("<d:response>").count(), 13);
    let token = between(&first.body, "<d:sync-token>", "</d:sync-token>");
    let new = format!("{CALENDARS}/bob/asso_shared_by_alice/new.ics");
    let put = site.as_user("bob", "PUT", &new, &[], event("new")).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let twin = format!("{CALENDARS}/bob/asso_shared_by_alice/twin.ics");
    let twin = site.as_user("bob", "PUT", &twin, &[], event("new")).await;
    assert_eq!(twin.status, StatusCode::BAD_REQUEST);
    let gone = format!("{CALENDARS}/alice/asso/ev1.ics");
    assert_eq!(
        site.as_user("alice", "DELETE", &gone, &[], "").await.status,
        StatusCode::NO_CONTENT
    );
    let second = sync(&site, "alice", "asso", &token).await;
    assert_eq!(second.body.matches("<d:response>").count(), 2, "{}", second.body);
    assert!(second.body.contains("ev1.ics</d:href><d:status>HTTP/1.1 404 Not Found"));
    assert!(second.body.contains(&put.header("etag").replace('"', "&quot;")));
    let stale = sync(&site, "alice", "asso", "http://sabre.io/ns/sync/999").await;
    assert_eq!(stale.status, StatusCode::FORBIDDEN);
    assert!(stale.body.contains("valid-sync-token"));

    let read_only = format!("{CALENDARS}/carol/asso_shared_by_alice/x.ics");
    let refused = site.as_user("carol", "PUT", &read_only, &[], event("x")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn objects_move_into_a_shared_collection_as_they_are() {
    let site = Site::start().await;
    let target = format!("{CALENDARS}/bob/taken/");
    assert_eq!(
        site.as_user("bob", "MKCALENDAR", &target, &[], "").await.status,
        StatusCode::CREATED
    );
    let share = r#"<o:share xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><o:set><d:href>principal:principals/users/alice</d:href><o:read-write/></o:set></o:share>"#;
    assert_eq!(
        site.as_user("bob", "POST", &target, &[("content-type", "application/xml")], share)
            .await
            .status,
        StatusCode::OK
    );
    let from = format!("{CALENDARS}/alice/asso/meet.ics");
    let before = site.as_user("alice", "GET", &from, &[], "").await;
    let to = [("destination", "/remote.php/dav/calendars/alice/taken_shared_by_bob/meet.ics")];
    assert_eq!(site.as_user("alice", "MOVE", &from, &to, "").await.status, StatusCode::CREATED);
    let after = site.as_user("bob", "GET", &format!("{target}meet.ics"), &[], "").await;
    assert_eq!((after.header("etag"), &after.body), (before.header("etag"), &before.body));
    assert_eq!(site.as_user("alice", "GET", &from, &[], "").await.status, StatusCode::NOT_FOUND);
    let owner = r#"<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><d:owner/><o:owner-principal/></d:prop></d:propfind>"#;
    let path = format!("{CALENDARS}/alice/taken_shared_by_bob/");
    let seen = site.as_user("alice", "PROPFIND", &path, &[("depth", "0")], owner).await;
    assert!(seen.body.contains("<oc:owner-principal>principals/users/bob</oc:owner-principal>"));
}

#[tokio::test]
async fn cards_are_queried_and_keep_birthdays() {
    let site = Site::start().await;
    let book = "/remote.php/dav/addressbooks/users/alice/membres/";
    let query = r#"<c:addressbook-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/><c:address-data/></d:prop><c:filter><c:prop-filter name="FN"><c:text-match match-type="contains">membre 14</c:text-match></c:prop-filter></c:filter></c:addressbook-query>"#;
    let found = site.as_user("alice", "REPORT", book, &[], query).await;
    assert_eq!(found.body.matches("<d:response>").count(), 1, "{}", found.body);
    let birthday = format!("{CALENDARS}/alice/contact_birthdays/membres-m3.vcf.ics");
    assert_eq!(site.as_user("alice", "GET", &birthday, &[], "").await.status, StatusCode::OK);
    let card = format!("{book}m3.vcf");
    assert_eq!(
        site.as_user("alice", "DELETE", &card, &[], "").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        site.as_user("alice", "GET", &birthday, &[], "").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_folder_that_has_data_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    let instance = first.instance_id().to_owned();
    first.close().await;
    let again = open(folder.path()).await;
    assert_eq!(again.instance_id(), instance);
    assert!(again.database().starts_with(folder.path().canonicalize().unwrap()));
}
