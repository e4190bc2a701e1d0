//! Who asks, by which scheme, for which host; and which fields pass. Rows 1 to 18.

use std::net::SocketAddr;

use http::header::{COOKIE, SET_COOKIE};
use passeur::config::checked::{AccessLog, Config, Endpoint, Peer, Route};
use tokio::net::{TcpSocket, UnixStream};

use crate::support::{HOST, Origin, Pieces, Wire, builder, get, proxy_to, request, site};

/// A1, A4
#[tokio::test]
async fn a_client_cannot_choose_its_address() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    proxy.ask(get("/", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n")).await;
    assert_eq!(origin.only_request().head.field("x-forwarded-for").unwrap(), "127.0.0.1");
}

/// A1
#[tokio::test]
async fn a_listed_hop_is_believed_and_extended() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).behind_a_trusted_hop().start().await;
    let fields =
        "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    proxy.ask(get("/", fields)).await;
    let head = origin.only_request().head;
    assert_eq!(head.field("x-forwarded-for").unwrap(), "6.6.6.6, 192.0.2.7, 127.0.0.1");
    assert_eq!(head.field("x-forwarded-proto").unwrap(), "https");
}

/// A1: a hop on this machine, through a unix socket.
#[tokio::test]
async fn a_hop_without_an_address_is_believed_where_it_is_listed() {
    let origin = Origin::ok().await;
    for (listed, expected) in [(false, None), (true, Some("192.0.2.7"))] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listen = |config: &mut Config| {
            config.listen.http.push(Endpoint::Unix(path.clone()));
            config.listen.trusted_hops.extend(listed.then_some(Peer::Unix));
        };
        let _proxy = proxy_to(&origin).config(listen).start().await;
        let mut hop = Wire::new(UnixStream::connect(&path).await.unwrap());
        hop.ask(get("/", "X-Forwarded-For: 192.0.2.7\r\n")).await;
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.field("x-forwarded-for").as_deref(), expected);
    }
}

/// A2
#[tokio::test]
async fn scheme_and_host_have_one_value_that_no_client_chooses() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let lies = "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: gopher, https\r\n\
                X-Forwarded-Host: evil\r\nX-Forwarded-Server: evil\r\n";
    proxy.ask(request("POST", "/index.php/login/v2", lies)).await;
    proxy.connect_tls().await.ask(get("/", "X-Forwarded-Proto: http\r\n")).await;
    let [plain, secure] = &origin.requests()[..] else { panic!("two requests") };
    assert_eq!(plain.head.field("x-forwarded-proto").unwrap(), "http");
    assert_eq!(secure.head.field("x-forwarded-proto").unwrap(), "https");
    assert!(!String::from_utf8_lossy(&plain.head.raw).contains("evil"));
}

/// A3
#[tokio::test]
async fn the_host_stays_as_it_was_asked_for() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let host = format!("{HOST}:8443");
    proxy.ask(format!("GET / HTTP/1.1\r\nhOsT:  {host} \r\n\r\n")).await;
    let head = origin.only_request().head;
    assert_eq!(head.field("host").unwrap(), host);
    assert!(!head.has("x-forwarded-host"));
}

/// A3
#[tokio::test]
async fn a_changed_host_is_told_once() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).site(|site| site.upstream.rewrite_host = true).start().await;
    proxy.ask(get("/", "X-Forwarded-Host: evil\r\n")).await;
    let head = origin.only_request().head;
    assert_eq!(head.field("host").unwrap(), origin.address.to_string());
    assert_eq!(head.field("x-forwarded-host").unwrap(), HOST);
}

/// A4
#[tokio::test]
async fn the_push_servers_own_test_passes_from_a_listed_hop_only() {
    for (listed, expected) in [(true, "1.2.3.4, 127.0.0.1"), (false, "127.0.0.1")] {
        let (origin, push) = (Origin::ok().await, Origin::ok().await);
        let mut setup = proxy_to(&origin).site(|site| {
            let upstream = push.group();
            site.routes = vec![Route { prefix: "/push".into(), strip_prefix: true, upstream }];
        });
        if listed {
            setup = setup.behind_a_trusted_hop();
        }
        let proxy = setup.start().await;
        proxy.ask(get("/push/test/remote/1.2.3.4", "X-Forwarded-For: 1.2.3.4\r\n")).await;
        let head = push.only_request().head;
        assert_eq!(head.target(), "/test/remote/1.2.3.4");
        assert_eq!(head.field("x-forwarded-for").unwrap(), expected);
        assert!(origin.requests().is_empty());
    }
}

/// A5
#[tokio::test]
async fn the_origin_can_tell_clients_apart() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    for address in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        let stream = socket.connect(proxy.server.http().unwrap()).await.unwrap();
        Wire::new(stream).ask(get("/", "")).await;
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.field("x-forwarded-for").unwrap(), address);
    }
}

/// A6
#[tokio::test]
async fn names_that_cgi_would_fold_do_not_pass() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let fields = "X_Forwarded_Host: evil\r\nX-Forwarded_For: evil\r\nX_NC_IP: evil\r\n\
                  Authorization_App_Api: evil\r\n_: evil\r\nOC_Total-Length: evil\r\n";
    assert_eq!(proxy.ask(get("/", fields)).await.status(), 200);
    assert!(!String::from_utf8_lossy(&origin.only_request().head.raw).contains("evil"));
}

/// A6
#[tokio::test]
async fn names_outside_of_token_characters_are_refused() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    for name in ["X Forwarded", "X-Forwarded-For ", "X(", "X\u{e9}", "", "X\"", "X\t", "X/Y", "X\0"]
    {
        let answer = proxy.ask(get("/", &format!("{name}: evil\r\n"))).await;
        assert_eq!(answer.status(), 400, "{name:?}");
    }
    assert!(origin.requests().is_empty());
}

/// A7
#[tokio::test]
async fn credentials_pass_in_every_form_and_are_never_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let origin = Origin::ok().await;
    let log = AccessLog::File(path.clone());
    let proxy = proxy_to(&origin).config(|config| config.log.access = log).start().await;
    let fields = [
        "Authorization: Basic s3cret1",
        "XAuthorization: Basic s3cret2",
        "AUTHORIZATION-APP-API: s3cret3",
        "Cookie: nc_token=s3cret4",
        "requesttoken: s3cret5",
    ];
    let target = "/index.php/s/s3cret6s3cret6/download?token=s3cret7&requesttoken=s3cret8";
    proxy.ask(get(target, &(fields.join("\r\n") + "\r\n"))).await;
    let head = origin.only_request().head;
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        assert_eq!(head.field(&name.to_ascii_lowercase()).unwrap(), value);
    }
    assert_eq!(head.target(), target);
    proxy.server.stop().await;
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.contains("\"status\":200"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

/// A8
#[tokio::test]
async fn what_other_proxies_would_say_is_not_taken_from_clients() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let names = [
        "Forwarded",
        "X-Real-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "Fastly-Client-IP",
        "X-Forwarded",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Ssl",
        "X-Forwarded-Scheme",
        "X-Forwarded-By",
        "X-Url-Scheme",
        "Front-End-Https",
        "X-Original-URL",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-Host",
        "Proxy",
        "Proxy-Authorization",
        "X-Accel-Redirect",
        "X-Accel-Buffering",
        "X-Request-Id",
    ];
    let fields: String = names.map(|name| format!("{name}: evil\r\n")).concat();
    assert_eq!(proxy.ask(get("/", &fields)).await.status(), 200);
    let raw = origin.only_request().head.raw;
    assert!(!String::from_utf8_lossy(&raw).contains("evil"), "{}", String::from_utf8_lossy(&raw));
}

/// A8: what Passeur says itself is new each time.
#[tokio::test]
async fn each_request_has_an_id_of_its_own() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    for _ in 0..3 {
        client.ask(get("/", "")).await;
    }
    let ids = origin.requests().into_iter().map(|r| r.head.field("x-request-id").unwrap());
    assert_eq!(ids.collect::<std::collections::HashSet<_>>().len(), 3);
}

/// A9
#[tokio::test]
async fn a_connection_field_cannot_remove_what_we_say_or_who_asks() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let fields = "Connection: close, X-Forwarded-For, X-Forwarded-Proto, X-Request-Id, Host\r\n\
                  Connection: Authorization, Cookie, Destination\r\nAuthorization: Basic eA==\r\n\
                  Cookie: a=b\r\nDestination: /x\r\n";
    proxy.ask(get("/", fields)).await;
    let head = origin.only_request().head;
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("host", HOST),
        ("authorization", "Basic eA=="),
        ("cookie", "a=b"),
        ("destination", "/x"),
    ] {
        assert_eq!(head.field(name).as_deref(), Some(value), "{name}");
    }
    assert!(head.has("x-request-id"));
}

/// A10
#[tokio::test]
async fn addresses_in_answers_are_the_origins_business() {
    let body = r#"{"poll":{"endpoint":"http://cloud.test/login/v2/poll"}}"#;
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{HOST}:80/a/../b?c=%2f\r\n\
         Content-Location: HTTP://other/\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let answer = proxy.connect_tls().await.ask(request("POST", "/index.php/login/v2", "")).await;
    assert_eq!(answer.head.field("location").unwrap(), format!("http://{HOST}:80/a/../b?c=%2f"));
    assert_eq!(answer.head.field("content-location").unwrap(), "HTTP://other/");
    assert_eq!(answer.text(), body);
    assert_eq!(origin.only_request().head.field("x-forwarded-proto").unwrap(), "https");
}

/// A11
#[tokio::test]
async fn a_sub_path_is_not_rewritten() {
    let answer = "HTTP/1.1 301 Moved\r\nLocation: /nextcloud/index.php/login\r\nSet-Cookie: a=b; \
                  path=/nextcloud\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::answering(answer).await;
    let office = Origin::ok().await;
    let proxy = proxy_to(&origin)
        .site(|site| {
            let upstream = office.group();
            let prefix = "/nextcloud/cool".into();
            site.routes = vec![Route { prefix, strip_prefix: false, upstream }];
        })
        .start()
        .await;
    let answer = proxy.get("/nextcloud/?a=%20").await;
    assert_eq!(origin.only_request().head.target(), "/nextcloud/?a=%20");
    assert_eq!(answer.head.field("location").unwrap(), "/nextcloud/index.php/login");
    assert_eq!(answer.head.field("set-cookie").unwrap(), "a=b; path=/nextcloud");
    proxy.get("/nextcloud/cool/ws?x").await;
    assert_eq!(office.only_request().head.target(), "/nextcloud/cool/ws?x");
    proxy.get("/nextcloud/coolest").await;
    assert_eq!(origin.targets()[1], "/nextcloud/coolest", "only whole segments are a prefix");
}

/// A12
#[tokio::test]
async fn security_fields_are_added_only_where_absent() {
    let answer = "HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\nStrict-Transport-Security: \
                  max-age=1\r\nContent-Length: 0\r\n\r\n";
    let (strict, bare) = (Origin::answering(answer).await, Origin::ok().await);
    let wanted = |site: &mut passeur::config::checked::Site| {
        site.security_headers = true;
        site.hsts = Some("max-age=15552000".into());
    };
    let mut other = site("other", "other.test", bare.group());
    wanted(&mut other);
    let proxy = proxy_to(&strict).site(wanted).and(other).start().await;
    let other = |head: &str| head.replace(HOST, "other.test");

    let kept = proxy.connect_tls().await.ask(get("/", "")).await.head;
    assert_eq!(kept.field("x-frame-options").unwrap(), "DENY");
    assert_eq!(kept.field("strict-transport-security").unwrap(), "max-age=1");
    let added = proxy.connect_tls().await.ask(other(&get("/", ""))).await.head;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("referrer-policy", "no-referrer"),
        ("x-permitted-cross-domain-policies", "none"),
        ("x-robots-tag", "noindex, nofollow"),
        ("strict-transport-security", "max-age=15552000"),
    ] {
        assert_eq!(added.field(name).as_deref(), Some(value), "{name}");
    }
    let plain = proxy.ask(other(&get("/", ""))).await.head;
    assert!(!plain.has("strict-transport-security"), "not over plain HTTP");
}

/// A12
#[tokio::test]
async fn nothing_is_added_where_the_site_does_not_want_it() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let head = proxy.connect_tls().await.ask(get("/", "")).await.head;
    let mut names: Vec<_> = head.fields.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|name| *name != "date");
    assert_eq!(names, ["content-length"]);
}

/// A13
#[tokio::test]
async fn content_security_policies_pass_untouched() {
    let policies = [
        "default-src 'none';script-src 'nonce-TOqqU0o9yaX/o1tUcvdsMrPDySlXYBA8qDCs3P7Bp7M='",
        "frame-ancestors  'self' ;",
    ];
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Security-Policy: {}\r\nContent-Security-Policy: {}\r\n\
         Content-Length: 0\r\n\r\n",
        policies[0], policies[1]
    );
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).site(|site| site.security_headers = true).start().await;
    assert_eq!(proxy.get("/").await.head.all("content-security-policy"), policies);
}

/// A14
#[tokio::test]
async fn cookie_crumbs_of_http2_become_one_field() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let crumbs = ["nc_sameSiteCookielax=true", "a=\"b c\"", "__Host-nc_token=x%3D; d=e"];
    let request = crumbs
        .iter()
        .fold(builder("GET", "/remote.php/dav/"), |request, crumb| request.header(COOKIE, *crumb));
    let answer = proxy.h2().await.ask(request.body(Pieces::none()).unwrap()).await;
    assert!(!answer.headers().contains_key(SET_COOKIE), "no cookie of ours");
    assert_eq!(origin.only_request().head.field("cookie").unwrap(), crumbs.join("; "));
}

/// A14
#[tokio::test]
async fn cookies_of_http1_pass_as_they_are() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let cookie = "b=2;a=1;  a=\"3\"; __Host-c; =; \u{e9}=%zz,d";
    let answer = proxy.ask(get("/", &format!("Cookie: {cookie}\r\n"))).await;
    assert!(!answer.head.has("set-cookie"));
    assert_eq!(origin.only_request().head.field("cookie").unwrap(), cookie);
}

/// A15
#[tokio::test]
async fn set_cookie_lines_stay_separate_and_identical() {
    let cookies = [
        "oc_sessionPassphrase=9f4%2Fcev; path=/; HttpOnly; SameSite=Lax",
        "__Host-nc_sameSiteCookielax=true; path=/; httponly;secure; expires=Fri, 31-Dec-2100 \
         23:59:59 GMT; SameSite=lax",
        "a=1, b=2; weird",
        "a=1, b=2; weird",
    ];
    let lines: String = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).collect();
    let origin =
        Origin::answering(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")).await;
    let proxy = proxy_to(&origin).start().await;
    assert_eq!(proxy.get("/").await.head.all("set-cookie"), cookies);
    let answer = proxy.h2().await.get("/").await;
    let over_h2: Vec<_> = answer.headers().get_all(SET_COOKIE).iter().collect();
    assert_eq!(over_h2, cookies);
}

/// A16
#[tokio::test]
async fn the_user_agent_passes_unchanged() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let agents = [
        "WebDAVFS/3.0.0 (03008000) Darwin/23.0 (x86_64)",
        "Mozilla/5.0 (Linux) mirall/3.7.3git (Nextcloud, debian-6.1 ClientArchitecture: x86_64)",
        "Microsoft-WebDAV-MiniRedir/10.0",
        "\u{e9}  \t x",
        "",
    ];
    let mut client = proxy.connect().await;
    for agent in agents {
        client.ask(request("PROPFIND", "/x", &format!("User-Agent: {agent}\r\n"))).await;
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.field("user-agent").unwrap(), agent);
    }
    client.ask(get("/", "")).await;
    assert!(!origin.requests().pop().unwrap().head.has("user-agent"), "none is none");
}

/// A17
#[tokio::test]
async fn well_known_addresses_pass_in_both_directions() {
    let answer = "HTTP/1.1 404 Not Found\r\nX-NEXTCLOUD-WELL-KNOWN: 1\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    for name in ["caldav", "carddav", "webfinger?resource=acct:a@b", "nodeinfo", "acme-challenge/x"]
    {
        let target = format!("/.well-known/{name}");
        let answer = proxy.ask(request("PROPFIND", &target, "Depth: 0\r\n")).await;
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.head.field("x-nextcloud-well-known").unwrap(), "1");
        assert_eq!(origin.requests().pop().unwrap().head.target(), target);
    }
}

/// A17
#[tokio::test]
async fn dav_clients_can_be_sent_on_without_the_origin() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).site(|site| site.answer_well_known = true).start().await;
    for (method, target) in [
        ("PROPFIND", "/.well-known/caldav"),
        ("GET", "/.well-known/carddav/"),
        ("HEAD", "/.well-known/carddav"),
    ] {
        let answer = proxy.ask(request(method, target, "Depth: 0\r\n")).await;
        assert_eq!(answer.status(), 301, "{method} {target}");
        assert_eq!(answer.head.field("location").unwrap(), "/remote.php/dav/");
    }
    assert!(origin.requests().is_empty());
    proxy.get("/.well-known/webfinger").await;
    assert_eq!(origin.targets(), ["/.well-known/webfinger"]);
}

/// A17
#[tokio::test]
async fn plain_http_is_redirected_except_for_acme() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).site(|site| site.redirect_to_https = true).start().await;
    let port = proxy.server.https().unwrap().port();
    for (method, status) in [("GET", 301), ("HEAD", 301), ("PROPFIND", 308), ("PUT", 308)] {
        let answer = proxy.ask(request(method, "/a%2Fb?c=d", "")).await;
        assert_eq!(answer.status(), status, "{method}");
        let location = answer.head.field("location").unwrap();
        assert_eq!(location, format!("https://{HOST}:{port}/a%2Fb?c=d"));
    }
    assert!(origin.requests().is_empty());
    proxy.get("/.well-known/acme-challenge/token").await;
    assert_eq!(proxy.connect_tls().await.ask(get("/a", "")).await.text(), "ok");
    assert_eq!(origin.targets(), ["/.well-known/acme-challenge/token", "/a"]);
}

/// A18: the instance asks itself, by its public name or by an address, and ignores TLS errors.
#[tokio::test]
async fn the_origin_may_ask_itself_through_us() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    // Without a server name, as clients do that connect to an address.
    let mut client = Wire::new(proxy.handshake("127.0.0.1", false).await.unwrap());
    let answer = client.ask(get("/core/js/x.mjs", "")).await;
    assert_eq!(answer.head.field("content-type").unwrap(), "text/javascript");
    // As Nextcloud's own request through a proxy that is not asked to add anything.
    let answer = proxy.get("/core/js/x.mjs").await;
    assert_eq!(answer.status(), 200);
}
