//! DAV semantics, request targets, truncation. Rows 38 to 49.

use std::sync::Arc;

use http_body_util::BodyExt;
use passeur::config::checked::Route;
use tokio::sync::Semaphore;

use crate::support::{
    HOST, OK, Origin, Pieces, Wire, builder, get, proxy_to, put, request, site, soon,
};

/// A38, A40
#[tokio::test]
async fn destinations_on_this_site_pass_byte_for_byte() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    for destination in [
        "https://cloud.test/remote.php/dav/files/a/x%20%C3%A9%2F%252F;+&'()",
        "http://CLOUD.test:8443/remote.php/dav/files/a/x",
        "/remote.php/dav/files/a/x",
    ] {
        for method in ["MOVE", "COPY", "MKCOL", "PUT"] {
            let fields = format!("Destination: {destination}\r\nOverwrite: F\r\n");
            let answer = client.ask(request(method, "/remote.php/dav/files/a/y", &fields)).await;
            assert_eq!(answer.status(), 200, "{destination}");
            let head = origin.requests().pop().unwrap().head;
            assert_eq!(head.field("destination").unwrap(), destination);
            assert_eq!(head.field("overwrite").unwrap(), "F");
        }
    }
}

/// A38: an origin that is asked under another host could not know that it is meant.
#[tokio::test]
async fn a_destination_is_a_path_where_the_host_changes() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin)
        .site(|site| {
            site.upstream.rewrite_host = true;
            site.dav.guard_destination = false;
        })
        .start()
        .await;
    let mut client = proxy.connect_tls().await;
    for (sent, arrives) in [
        ("https://cloud.test/dav/x%20%2Fy?z", "/dav/x%20%2Fy?z"),
        ("HTTPS://Cloud.TEST", "/"),
        ("/dav/x%20y", "/dav/x%20y"),
        ("https://other.test/dav/x", "https://other.test/dav/x"),
        ("mailto:x", "mailto:x"),
    ] {
        client.ask(request("MOVE", "/dav/y", &format!("Destination: {sent}\r\n"))).await;
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.field("destination").unwrap(), arrives);
    }
}

/// A39, A40: neither site hears of it.
#[tokio::test]
async fn destinations_on_another_site_are_refused() {
    let (origin, other) = (Origin::ok().await, Origin::ok().await);
    let proxy = proxy_to(&origin).and(site("other", "other.test", other.group())).start().await;
    let foreign = "https://other.test/remote.php/dav/files/a/x";
    for fields in [
        format!("Destination: {foreign}\r\n"),
        "Destination: http://cloud.test.evil/x\r\n".to_owned(),
        "Destination: http://cloud.test@other.test/x\r\n".to_owned(),
        format!("If: <{foreign}> (<opaquelocktoken:a>)\r\n"),
        format!("If: <http://{HOST}/x> (<urn:a>) <{foreign}> (<urn:b>)\r\n"),
    ] {
        let answer = proxy.ask(request("MOVE", "/remote.php/dav/files/a/y", &fields)).await;
        assert_eq!(answer.status(), 502, "{fields}");
        assert!(answer.text().contains("<d:error"), "{}", answer.text());
        assert!(!answer.text().contains("other.test"), "names no site");
    }
    for fields in ["Destination: //other.test/x\r\n", "Destination: /x\r\nDestination: /y\r\n"] {
        let answer = proxy.ask(request("MOVE", "/remote.php/dav/files/a/y", fields)).await;
        assert_eq!(answer.status(), 400, "{fields}");
    }
    assert!(origin.requests().is_empty() && other.requests().is_empty());
}

/// A39
#[tokio::test]
async fn a_site_may_take_any_destination() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).site(|site| site.dav.guard_destination = false).start().await;
    let fields = "Destination: https://other.test/x\r\n";
    assert_eq!(proxy.ask(request("MOVE", "/y", fields)).await.status(), 200);
    assert_eq!(origin.only_request().head.field("destination").unwrap(), "https://other.test/x");
}

/// A40
#[tokio::test]
async fn conditions_pass_byte_for_byte() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    for condition in [
        "(<opaquelocktoken:13AAC58E-6A0B-431F-9E3E-9F2E0A3D2F11>)",
        "(<opaquelocktoken:a> [\"etag\"])  (Not <DAV:no-lock>)",
        "<https://cloud.test/remote.php/dav/files/a/x%20y> (<urn:uuid:b>)",
        "</remote.php/dav/files/a/> (<urn:uuid:b> [W/\"a)b\"])",
    ] {
        let fields = format!("If: {condition}\r\nLock-Token: <opaquelocktoken:a>\r\n");
        client.ask(request("UNLOCK", "/remote.php/dav/files/a/x%20y", &fields)).await;
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.field("if").unwrap(), condition);
        assert_eq!(head.field("lock-token").unwrap(), "<opaquelocktoken:a>");
    }
}

/// A41: the origin is stopped while the client does not read, whatever the answer is.
#[tokio::test]
async fn a_listing_without_end_is_streamed() {
    let written = Arc::new(Semaphore::new(0));
    let tell = Arc::clone(&written);
    let origin = Origin::scripted(move |mut conversation| {
        let tell = Arc::clone(&tell);
        async move {
            conversation.request().await;
            let head = "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\n\
                        Content-Length: 1073741824\r\n\r\n<d:multistatus xmlns:d=\"DAV:\">";
            conversation.wire.send(head).await;
            tell.add_permits(1 + conversation.wire.flood(64 << 20).await);
        }
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(request("PROPFIND", "/remote.php/dav/files/a/", "Depth: infinity\r\n")).await;
    let head = client.head().await.unwrap();
    assert_eq!(head.status(), 207);
    let _told = soon("the origin to be stopped", written.acquire()).await.unwrap();
    let taken = written.available_permits();
    assert!(taken < 16 << 20, "{taken} bytes were taken");
    assert_eq!(origin.only_request().head.field("depth").unwrap(), "infinity");
}

/// A41
#[tokio::test]
async fn a_site_may_refuse_listings_without_end() {
    let origin = Origin::ok().await;
    let refuse = |site: &mut passeur::config::checked::Site| site.dav.refuse_infinite_depth = true;
    let proxy = proxy_to(&origin).site(refuse).start().await;
    let target = "/remote.php/dav/files/a/";
    let answer = proxy.ask(request("PROPFIND", target, "Depth: Infinity\r\n")).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.text().contains("<d:propfind-finite-depth/>"), "{}", answer.text());
    assert!(origin.requests().is_empty());
    for (method, depth) in [("PROPFIND", "1"), ("PROPFIND", "0"), ("DELETE", "infinity")] {
        let answer = proxy.ask(request(method, target, &format!("Depth: {depth}\r\n"))).await;
        assert_eq!(answer.status(), 200, "{method} {depth}");
    }
}

/// A42
const FIELDS: &str = "Accept Accept-Charset Accept-Language Accept-Patch Accept-Ranges Age Allow \
    Alt-Svc Apply-To-Redirect-Ref Brief Cache-Control Content-Disposition Content-Language \
    Content-Location Content-MD5 Content-Type DASL DAV Depth DNT Etag EX-APP-ID EX-APP-VERSION \
    AA-VERSION Expires From If-Match If-Modified-Since If-Schedule-Tag-Match If-Unmodified-Since \
    Last-Modified Link Location Lock-Token Max-Forwards MS-Author-Via OC-Async OC-Checksum \
    OC-Chunked OC-ETag OC-FileId OC-LazyOps OC-Tag OC-Total-Length OCS-APIRequest Origin Overwrite \
    Position Pragma Prefer Preference-Applied Priority Range Referer requesttoken Schedule-Reply \
    Schedule-Tag Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Server Server-Timing Slug SourceMap \
    Timeout Upgrade-Insecure-Requests User-Agent Vary WWW-Authenticate X-Content-Type-Options \
    X-Debug-Token X-Expected-Entity-Length X-Hash X-NC-CalDAV-No-Trashbin X-NC-CalDAV-Webcal-Caching \
    X-NC-OwnerId X-NC-Preview X-NC-Scheduling X-NC-Skip-Trashbin X-Nextcloud-Well-Known \
    X-OC-CTime X-OC-Mtime X-OCDAV-Error X-Powered-By X-Redirect-By X-Requested-With \
    X-Robots-Tag X-Sabre-Version X-User-Agent X-User-Id x";

/// A42
#[tokio::test]
async fn every_field_that_nothing_speaks_against_passes_both_ways() {
    // Bytes beyond ASCII, inner blanks, and an empty value survive too.
    let values = ["a;b, \"c\"  d=%20é", ""];
    for value in values {
        let lines: String =
            FIELDS.split_whitespace().map(|name| format!("{name}: {value}\r\n")).collect();
        let origin =
            Origin::answering(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")).await;
        let off = |site: &mut passeur::config::checked::Site| site.dav.repair_etags = false;
        let proxy = proxy_to(&origin).site(off).start().await;
        let answer = proxy.ask(request("PROPFIND", "/remote.php/dav/", &lines)).await;
        let asked = origin.only_request().head;
        for name in FIELDS.split_whitespace() {
            let name = name.to_ascii_lowercase();
            assert_eq!(asked.field(&name).as_deref(), Some(value), "request: {name}");
            assert_eq!(answer.head.field(&name).as_deref(), Some(value), "answer: {name}");
        }
    }
}

/// A43: IANA's registry.
const METHODS: &str = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK \
    LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH \
    POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE \
    UPDATEREDIRECTREF VERSION-CONTROL x-own get";

/// A43
#[tokio::test]
async fn methods_pass_with_their_bodies() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDAV: 1, 3, extended-mkcol, \
                  access-control\r\nDAV: nc-paginate\r\nAllow: OPTIONS, GET, PROPFIND, X\r\n\r\n";
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    for method in METHODS.split_whitespace() {
        let body = "<d:x xmlns:d=\"DAV:\"/>";
        let answer = client.ask(put("/remote.php/dav/", "", body).replacen("PUT", method, 1)).await;
        assert_eq!(answer.status(), 200, "{method}");
        assert_eq!(answer.head.all("dav"), ["1, 3, extended-mkcol, access-control", "nc-paginate"]);
        assert_eq!(answer.head.field("allow").unwrap(), "OPTIONS, GET, PROPFIND, X");
        let request = origin.requests().pop().unwrap();
        assert_eq!(request.head.method(), method);
        assert_eq!(request.body.bytes, body.as_bytes());
    }
}

/// A43
#[tokio::test]
async fn methods_that_concern_proxies_are_not_passed_on() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    for line in ["TRACE /", "CONNECT cloud.test:443"] {
        let answer =
            proxy.ask(format!("{line} HTTP/1.1\r\nHost: cloud.test\r\nMax-Forwards: 0\r\n\r\n"));
        assert_eq!(answer.await.status(), 405, "{line}");
    }
    assert!(origin.requests().is_empty());
}

/// A44
#[tokio::test]
async fn a_multistatus_is_not_touched() {
    let mut hrefs = String::new();
    for name in
        ["%25", "+", ";", "%23", "%3F", "&amp;", "%C3%A9", "日本", "😀", "a%20b", "a.", "%2F", "."]
    {
        hrefs += &format!("<d:response><d:href>/remote.php/dav/files/a/{name}</d:href>\r\n");
    }
    // Neither well-formed nor of one encoding: none of our business.
    let mut body = hrefs.into_bytes();
    body.extend(b"\xff\xfe\0<d:owner/>&");
    let mut answer = format!(
        "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml; charset=utf-8\r\n\
                 Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend(&body);
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let answer = proxy.ask(request("PROPFIND", "/remote.php/dav/files/a/", "Depth: 1\r\n")).await;
    assert!(answer.body.bytes == body);
}

/// A45
const TARGETS: [&str; 33] = [
    "/%2F",
    "/%252F",
    "/%2e%2e/",
    "/%23",
    "/%25",
    "/%2520",
    "/%3B;a=b",
    "/+%2B",
    "//",
    "//a//b",
    "/.",
    "/./a",
    "/..",
    "/../a/../b",
    "/%00",
    "/%ff%FE",
    "/%zz%",
    "/%",
    "/a%2fB%2Fc",
    "/~'()*!$,",
    "/@:=&",
    "/?",
    "/?a=b&c=%26%3d?d/e",
    "/a?b?c??",
    "/index.php/apps/x?file=/%2e%2e/x",
    "/\"{}",
    "/[a]",
    "/|^",
    "/a\\b",
    "/%E6%97%A5",
    "/remote.php/dav/files/a%40b/%F0%9F%98%80",
    "/:a",
    "/a://b",
];

/// A45
#[tokio::test]
async fn the_request_target_passes_byte_for_byte() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    let mut sent = Vec::new();
    for target in TARGETS {
        let answer = client.ask(get(target, "")).await;
        assert_eq!(answer.status(), 200, "{target}");
        sent.push(target);
    }
    assert_eq!(origin.targets(), sent);
}

/// A45: characters that clients have to escape, and that the http crate knows no place for. None
/// is ever escaped or left out on the way.
#[tokio::test]
async fn each_character_of_a_target_passes_or_is_refused() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    for (prefix, refused) in [("/", "#<>`"), ("/?", "\"#<>")] {
        let mut found = String::new();
        for character in '!'..='~' {
            let target = format!("{prefix}{character}{character}x");
            match proxy.get(&target).await.status() {
                200 => assert_eq!(origin.targets().pop().unwrap(), target),
                status => {
                    assert_eq!(status, 400, "{target}");
                    found.push(character);
                }
            }
        }
        assert_eq!(found, refused, "after {prefix}");
    }
}

/// A45
#[tokio::test]
async fn the_request_target_of_http2_passes_byte_for_byte() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let h2 = proxy.h2().await;
    let mut sent = Vec::new();
    for target in TARGETS {
        // What the http crate does not let a client send cannot be tested with it.
        let Ok(request) = builder("GET", target).body(Pieces::none()) else { continue };
        assert_eq!(h2.ask(request).await.status(), 200, "{target}");
        sent.push(target);
    }
    assert!(sent.len() > 25, "{sent:?}");
    assert_eq!(origin.targets(), sent);
}

/// A46: no path of a site leads to the operator's listener, and none out of a route's rules.
#[tokio::test]
async fn no_spelling_of_a_path_reaches_what_is_not_the_sites() {
    let origin = Origin::ok().await;
    let push = Origin::ok().await;
    let routes = |site: &mut passeur::config::checked::Site| {
        let upstream = push.group();
        site.routes = vec![Route { prefix: "/push".into(), strip_prefix: false, upstream }];
    };
    let proxy = proxy_to(&origin)
        .site(routes)
        .config(|config| {
            let any = "127.0.0.1:0".parse().unwrap();
            config.admin.listen = Some(passeur::config::checked::Endpoint::Tcp(any));
        })
        .start()
        .await;
    let mut operator =
        Wire::new(tokio::net::TcpStream::connect(proxy.server.admin().unwrap()).await.unwrap());
    assert_eq!(operator.ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.status(), 200);
    let mut client = proxy.connect().await;
    let targets = [
        "/metrics",
        "/healthz",
        "//metrics",
        "/%6detrics",
        "/x/../metrics",
        "/metrics;x",
        "/admin",
        "/%61dmin",
        "/admin%2f..",
        "/PUSH/ws",
        "/%70ush/ws",
        "//push/ws",
        "/x/../push/ws",
        "/pushy",
        "/push%2Fws",
        "/push;x/ws",
        "/push?x",
    ];
    for target in targets {
        assert_eq!(client.ask(get(target, "")).await.text(), "ok", "{target}");
    }
    assert_eq!(push.targets(), ["/push?x"], "only what is spelled as the route is");
    assert_eq!(origin.targets(), targets[..targets.len() - 1]);
}

/// A47
#[tokio::test]
async fn long_targets_and_cookies_pass_and_longer_ones_are_told_of() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let escaped = |size: usize| format!("/{}", "%F0%9F%98%80".repeat(size / 12));
    for size in [30 << 10, 48 << 10, 64_000] {
        assert_eq!(proxy.get(&escaped(size)).await.status(), 200, "{size}");
        assert_eq!(origin.targets().pop().unwrap(), escaped(size));
    }
    proxy.h2().await.get(&escaped(48 << 10)).await;
    assert_eq!(origin.targets().pop().unwrap(), escaped(48 << 10));
    let cookie = "c".repeat(64 << 10);
    assert_eq!(proxy.ask(get("/", &format!("Cookie: {cookie}\r\n"))).await.status(), 200);
    assert_eq!(origin.requests().pop().unwrap().head.field("cookie").unwrap(), cookie);

    let seen = origin.requests().len();
    assert_eq!(proxy.get(&escaped(70_000)).await.status(), 414);
    let cookie = "c".repeat(130 << 10);
    assert_eq!(proxy.ask(get("/", &format!("Cookie: {cookie}\r\n"))).await.status(), 431);
    assert_eq!(origin.requests().len(), seen);
}

/// A47: what the origin thinks of a long target is what the client hears.
#[tokio::test]
async fn the_origins_own_limit_is_its_own() {
    let origin = Origin::answering("HTTP/1.1 414 Too Long\r\nContent-Length: 0\r\n\r\n").await;
    let proxy = proxy_to(&origin).start().await;
    assert_eq!(proxy.get(&"/x".repeat(10_000)).await.head.line, "HTTP/1.1 414 Too Long");
}

/// A48
#[tokio::test]
async fn targets_in_other_forms() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    for (line, host, target) in [
        ("GET http://cloud.test/a%2Fb?c HTTP/1.1", "elsewhere.test", "/a%2Fb?c"),
        ("GET HTTP://CLOUD.test:80/ HTTP/1.1", "cloud.test", "/"),
        ("GET http://cloud.test HTTP/1.1", "cloud.test", "/"),
        ("GET http://cloud.test?a HTTP/1.1", "cloud.test", "/?a"),
        ("OPTIONS * HTTP/1.1", "cloud.test", "*"),
    ] {
        let answer = proxy.ask(format!("{line}\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status(), 200, "{line}");
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.target(), target, "{line}");
        let host = head.field("host").unwrap();
        assert!(host.to_ascii_lowercase().starts_with("cloud.test"), "{host}");
    }
}

/// A48
#[tokio::test]
async fn what_names_no_host_or_two_is_refused() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: cloud.test\r\nHost: cloud.test\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a@cloud.test\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: cloud.test, cloud.test\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: cloud.test:x\r\n", 400),
        ("GET http://a@cloud.test/ HTTP/1.1\r\nHost: cloud.test\r\n", 400),
        ("GET cloud.test/ HTTP/1.1\r\nHost: cloud.test\r\n", 400),
        ("GET ftp://cloud.test/ HTTP/1.1\r\nHost: cloud.test\r\n", 400),
        ("GET / HTTP/1.0\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: elsewhere.test\r\n", 421),
        ("GET http://elsewhere.test/ HTTP/1.1\r\nHost: cloud.test\r\n", 421),
    ] {
        let answer = proxy.ask(format!("{head}\r\n")).await;
        assert_eq!(answer.status(), status, "{head}");
        assert!(!answer.text().contains("cloud.test"), "names no site");
    }
    assert!(origin.requests().is_empty());
}

/// A48
#[tokio::test]
async fn an_authority_of_http2_is_the_host_and_may_not_differ_from_it() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let h2 = proxy.h2().await;
    h2.get("/").await;
    assert_eq!(origin.only_request().head.field("host").unwrap(), HOST);
    let other = builder("GET", "/").header("host", "other.test").body(Pieces::none()).unwrap();
    assert_eq!(h2.ask(other).await.status(), 400);
    assert_eq!(origin.requests().len(), 1);
}

/// A48
#[tokio::test]
async fn http_1_0_gets_what_it_understands() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for answer in [OK, chunked] {
        let origin = Origin::answering(answer).await;
        let proxy = proxy_to(&origin).start().await;
        let mut client = proxy.connect().await;
        let answer = client.ask("GET / HTTP/1.0\r\nHost: cloud.test\r\n\r\n").await;
        assert_eq!(answer.text(), "ok");
        assert!(!answer.head.has("transfer-encoding"));
        assert_eq!(client.rest().await, b"", "it closes");
        assert!(origin.only_request().head.line.ends_with("HTTP/1.1"));
    }
}

/// A49
#[tokio::test]
async fn a_broken_answer_never_ends_well() {
    for (framing, half) in [
        ("Content-Length: 100", "half of it"),
        ("Transfer-Encoding: chunked", "a\r\nhalf of it\r\n"),
        ("Transfer-Encoding: chunked", "64\r\nhalf of it"),
        ("Transfer-Encoding: chunked", "a\r\nhalf of it\r\n0\r\n"),
        ("Transfer-Encoding: chunked", "a\r\nhalf of it\r\nx\r\n"),
    ] {
        for reset in [false, true] {
            // The origin breaks off when both clients have the first half.
            let arrived = Arc::new(Semaphore::new(0));
            let may = Arc::clone(&arrived);
            let origin = Origin::scripted(move |mut conversation| {
                let may = Arc::clone(&may);
                async move {
                    conversation.request().await;
                    let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{half}");
                    conversation.wire.send(head).await;
                    may.acquire().await.unwrap().forget();
                    if reset {
                        conversation.wire.reset();
                    }
                }
            })
            .await;
            let proxy = proxy_to(&origin).start().await;
            let mut client = proxy.connect().await;
            client.send(get("/", "")).await;
            let head = client.head().await.unwrap();
            assert_eq!(head.status(), 200);
            arrived.add_permits(1);
            let body = client.answer_body("GET", &head).await;
            assert!(!body.whole, "{framing}, {half:?}, {reset}: {body:?}");

            let request = builder("GET", "/").body(Pieces::none()).unwrap();
            let answer = proxy.h2().await.send(request).await.unwrap();
            arrived.add_permits(1);
            let body = soon("the end", answer.into_body().collect()).await;
            assert!(body.is_err(), "{framing}, {half:?}, {reset}, over HTTP/2");
        }
    }
}

/// A49: an answer without a length ends with its connection, but not with a reset.
#[tokio::test]
async fn an_answer_without_a_length_that_is_reset_never_ends_well() {
    let arrived = Arc::new(Semaphore::new(0));
    let may = Arc::clone(&arrived);
    let origin = Origin::scripted(move |mut conversation| {
        let may = Arc::clone(&may);
        async move {
            conversation.request().await;
            conversation.wire.send("HTTP/1.1 200 OK\r\n\r\nhalf").await;
            may.acquire().await.unwrap().forget();
            conversation.wire.reset();
        }
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(get("/", "")).await;
    let head = client.head().await.unwrap();
    assert_eq!(head.field("transfer-encoding").as_deref(), Some("chunked"), "so it can be told");
    arrived.add_permits(1);
    assert!(!client.answer_body("GET", &head).await.whole);
}
