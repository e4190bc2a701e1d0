//! Who may do what: loopback, maintenance, sessions, pages, apps, the login flow.

use base64::Engine as _;
use http::StatusCode;
use passeur::demo::{Error, RegisterError, StandIn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::support::{FILES, Site, between, open};

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
    assert_eq!(site.stand.refused(), 2);
    let answer = site.as_user("carol", "PROPFIND", &home, &[], "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
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

#[tokio::test]
async fn the_first_run_wizard_is_there_until_it_is_closed() {
    let site = Site::start().await;
    let (cookies, token) = site.sign_in("bob").await;
    let with = [("cookie", cookies.as_str()), ("requesttoken", token.as_str())];
    let script = "firstrunwizard-activate";
    assert!(!site.ask("GET", "/apps/files/", &with, "").await.body.contains(script));
    site.stand.set_first_run_wizard(true);
    assert!(site.ask("GET", "/apps/files/", &with, "").await.body.contains(script));
    let closed = site.ask("DELETE", "/apps/firstrunwizard/wizard", &with, "").await;
    assert_eq!(closed.status, StatusCode::OK);
    assert!(!site.ask("GET", "/apps/files/", &with, "").await.body.contains(script));
}

#[tokio::test]
async fn an_app_is_registered_if_it_answers_as_one() {
    let site = Site::start().await;
    // The stand-in itself is no app.
    let error = site.stand.register_app(site.address).await.unwrap_err();
    assert!(matches!(error, RegisterError::Refused { path: "/heartbeat", .. }), "{error}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = tokio::spawn(async move {
        let mut asked = Vec::new();
        for body in [r#"{"status":"ok"}"#, "{}", r#"{"error":""}"#] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                head.extend(byte);
            }
            let head = String::from_utf8(head).unwrap();
            asked.push((head.lines().next().unwrap().to_owned(), head.contains("OnMzY3JldA==")));
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    site.stand.register_app(address).await.unwrap();
    let asked = app.await.unwrap();
    let lines =
        ["GET /heartbeat HTTP/1.1", "POST /init HTTP/1.1", "PUT /enabled?enabled=1 HTTP/1.1"];
    let expected: Vec<_> = lines.iter().map(|l| (*l).to_owned()).zip([false, true, true]).collect();
    assert_eq!(asked, expected);
}
