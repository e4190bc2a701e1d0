//! WebSockets, hop-by-hop fields, kept connections, reloads. Rows 50 to 56.

use std::sync::Arc;
use std::time::{Duration, Instant};

use passeur::config::checked::Route;
use tokio::sync::Semaphore;

use crate::support::{
    Conversation, HOST, OK, Origin, Pieces, Proxy, SHORT, Wire, builder, get, h2::Upload, proxy_to,
    put, request, site, soon,
};

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: a; b=1\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                      Sec-WebSocket-Protocol: chat\r\n\r\n";

/// Switches, and returns every byte.
async fn echo_socket() -> Origin {
    Origin::scripted(|mut conversation| async move {
        while let Some(head) = conversation.request_head().await {
            if !head.has("upgrade") {
                conversation.wire.send(OK).await;
                continue;
            }
            conversation.wire.send(SWITCH).await;
            echo(&mut conversation).await;
            return;
        }
    })
    .await
}

async fn echo(conversation: &mut Conversation) {
    loop {
        let byte = conversation.wire.exactly(1).await;
        if byte.is_empty() {
            return;
        }
        conversation.wire.send(byte).await;
    }
}

/// A50
#[tokio::test]
async fn a_websocket_carries_raw_bytes_both_ways() {
    let origin = echo_socket().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    let answer = client.ask(get("/push/ws", UPGRADE)).await;
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.head.field("upgrade").unwrap(), "websocket");
    assert_eq!(answer.head.field("connection").unwrap().to_ascii_lowercase(), "upgrade");
    let accept = answer.head.field("sec-websocket-accept").unwrap();
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let bytes = b"\x81\x05hello\r\n\r\nGET / HTTP/1.1\r\n\r\n\0\xff";
    client.send(bytes).await;
    assert_eq!(client.exactly(bytes.len()).await, bytes);

    let head = origin.only_request().head;
    assert_eq!(head.field("upgrade").unwrap(), "websocket");
    assert_eq!(head.field("connection").unwrap().to_ascii_lowercase(), "upgrade");
    assert_eq!(head.field("sec-websocket-key").unwrap(), "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(head.field("sec-websocket-extensions").unwrap(), "a; b=1");
    assert_eq!(head.field("x-forwarded-for").unwrap(), "127.0.0.1");
}

/// A50: also over TLS, and what came with the head.
#[tokio::test]
async fn bytes_sent_together_with_the_heads_are_not_lost() {
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request_head().await;
        conversation.wire.send([SWITCH, "from the origin"].concat()).await;
        echo(&mut conversation).await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect_tls().await;
    client.send(get("/push/ws", UPGRADE) + "from the client").await;
    assert_eq!(client.head().await.unwrap().status(), 101);
    assert_eq!(client.exactly(30).await, b"from the originfrom the client");
}

/// A50
#[tokio::test]
async fn each_side_of_a_websocket_may_close() {
    // The client says that it is done, and still hears the last word.
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request_head().await;
        conversation.wire.send(SWITCH).await;
        let said = conversation.wire.rest().await;
        conversation.wire.send([b"you said ", &said[..]].concat()).await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.ask(get("/push/ws", UPGRADE)).await;
    client.send("goodbye").await;
    client.finish().await;
    assert_eq!(client.rest().await, b"you said goodbye");

    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request_head().await;
        conversation.wire.send([SWITCH, "goodbye"].concat()).await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.ask(get("/push/ws", UPGRADE)).await;
    assert_eq!(client.exactly(7).await, b"goodbye");
    client.finish().await;
    assert_eq!(client.rest().await, b"");
}

/// A50
#[tokio::test]
async fn an_idle_websocket_is_closed_after_its_limit_and_not_before() {
    let origin = echo_socket().await;
    assert!(origin.group().websocket_idle >= Duration::from_secs(10 * 3600));
    let idle = |site: &mut passeur::config::checked::Site| site.upstream.websocket_idle = SHORT;
    let proxy = proxy_to(&origin).site(idle).start().await;
    let mut client = proxy.connect().await;
    client.ask(get("/push/ws", UPGRADE)).await;
    for _ in 0..4 {
        // The pace is what is tested.
        tokio::time::sleep(SHORT / 2).await;
        client.send("x").await;
        assert_eq!(client.exactly(1).await, b"x");
    }
    let begun = Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(begun.elapsed() >= SHORT / 2, "{:?}", begun.elapsed());
}

/// A50
#[tokio::test]
async fn websockets_go_to_the_route_of_their_path() {
    let (origin, push) = (echo_socket().await, echo_socket().await);
    let proxy = proxy_to(&origin)
        .site(|site| {
            let upstream = push.group();
            site.routes = vec![Route { prefix: "/push/".into(), strip_prefix: true, upstream }];
        })
        .start()
        .await;
    let mut client = proxy.connect().await;
    assert_eq!(client.ask(get("/push/ws", UPGRADE)).await.status(), 101);
    client.send("x").await;
    assert_eq!(client.exactly(1).await, b"x");
    assert_eq!(push.targets(), ["/ws"]);
    assert!(origin.requests().is_empty());
}

/// A50
#[tokio::test]
async fn a_stop_does_not_wait_for_websockets_for_ever() {
    let origin = echo_socket().await;
    let limit = |limits: &mut passeur::config::checked::Limits| limits.drain_websockets = SHORT;
    let proxy = proxy_to(&origin).limits(limit).start().await;
    let mut client = proxy.connect().await;
    client.ask(get("/push/ws", UPGRADE)).await;
    let summary = soon("the stop", proxy.server.stop()).await;
    assert_eq!(summary.websockets, 1);
    assert_eq!(client.rest().await, b"");
}

/// A51
#[tokio::test]
async fn bytes_after_an_upgrade_wait_for_the_origins_101() {
    let may = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&may);
    let origin = Origin::scripted(move |mut conversation| {
        let wait = Arc::clone(&wait);
        async move {
            conversation.request_head().await;
            wait.acquire().await.unwrap().forget();
            let mut early = [0; 64];
            let early = conversation.wire.stream.try_read(&mut early);
            let early = early.map_or_else(|e| e.kind().to_string(), |count| count.to_string());
            conversation.wire.send(SWITCH).await;
            conversation.wire.send(early + ".").await;
            echo(&mut conversation).await;
        }
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(get("/push/ws", UPGRADE) + "early").await;
    origin.request(0).await;
    // Other requests go both ways meanwhile, so that the early bytes had all the time they need.
    assert_eq!(soon("nothing", proxy.ask(get("/x", "").replace(HOST, "x"))).await.status(), 421);
    tokio::time::sleep(SHORT / 3).await;
    may.add_permits(1);
    assert_eq!(client.head().await.unwrap().status(), 101);
    let expected = format!("{}.early", std::io::ErrorKind::WouldBlock);
    assert_eq!(client.exactly(expected.len()).await, expected.as_bytes());
}

/// A51
#[tokio::test]
async fn a_request_behind_a_refused_upgrade_is_a_request() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(get("/push/ws", UPGRADE) + &put("/second", "", "body") + &get("/third", "")).await;
    for method in ["GET", "PUT", "GET"] {
        let answer = client.answer_to(method).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    }
    let requests = origin.requests();
    assert_eq!(origin.targets(), ["/push/ws", "/second", "/third"]);
    assert_eq!(requests[1].body.bytes, b"body");
    assert!(requests[1].head.has("x-forwarded-for"), "with fields of ours, so it was read");
}

/// A51: nobody asked, so nobody would speak that protocol.
#[tokio::test]
async fn an_origin_cannot_switch_unasked() {
    let origin = Origin::answering([SWITCH, OK].concat()).await;
    let proxy = proxy_to(&origin).start().await;
    for fields in ["", "Upgrade: other\r\nConnection: upgrade\r\n"] {
        let mut client = proxy.connect().await;
        client.send(get("/x", fields)).await;
        let head = client.head().await.unwrap();
        assert_eq!(head.status(), 502, "{fields}");
        assert!(!head.has("upgrade"));
    }
    let answer = proxy.h2().await.get("/x").await;
    assert_eq!(answer.status(), 502);
}

/// A52
#[tokio::test]
async fn no_other_protocol_is_tunnelled() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    for upgrade in [
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n",
        "Upgrade: TLS/1.2\r\nConnection: Upgrade\r\n",
        "Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n",
        "HTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    ] {
        let mut client = proxy.connect().await;
        client.send(get("/x", upgrade) + &get("/y", "")).await;
        assert_eq!(client.answer_to("GET").await.status(), 200, "{upgrade}");
        assert_eq!(client.answer_to("GET").await.status(), 200, "{upgrade}");
        let requests = origin.requests();
        let head = &requests[requests.len() - 2].head;
        assert!(!head.has("http2-settings"), "{upgrade}");
        let upgrade = head.all("upgrade");
        assert!(upgrade.is_empty() || upgrade == ["websocket"], "{upgrade:?}");
    }
}

/// A52: HTTP/2 without TLS is not spoken to clients at all.
#[tokio::test]
async fn an_http2_preface_on_the_plain_port_is_refused() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let answer = String::from_utf8_lossy(&client.rest().await).into_owned();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(origin.requests().is_empty());
}

/// A53
#[tokio::test]
async fn fields_of_one_hop_stay_on_it() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5, max=100\r\n\
                  X-Hop: 1\r\nX-End: 1\r\nProxy-Connection: keep-alive\r\n\
                  Proxy-Authenticate: Basic\r\nTrailer: X-T\r\nTE: gzip\r\n\
                  Upgrade: h2,h2c\r\nContent-Length: 2\r\n\r\nok";
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let fields = "Connection: keep-alive\r\nConnection: X-Hop, TE\r\nKeep-Alive: 300\r\nX-Hop: 1\r\n\
                  X-End: 1\r\nTE: trailers, deflate\r\nTrailer: X-T\r\nProxy-Connection: close\r\n\
                  Proxy-Authorization: Basic eA==\r\n";
    let mut client = proxy.connect().await;
    let answer = client.ask(get("/", fields)).await;
    let asked = origin.only_request().head;
    for head in [&asked, &answer.head] {
        for name in [
            "keep-alive",
            "x-hop",
            "te",
            "trailer",
            "upgrade",
            "proxy-connection",
            "proxy-authorization",
            "proxy-authenticate",
            "transfer-encoding",
            "connection",
        ] {
            assert!(!head.has(name), "{name} in {}", head.line);
        }
        assert_eq!(head.field("x-end").unwrap(), "1");
    }
    assert_eq!(client.ask(get("/", "")).await.text(), "ok", "the connection was kept");
    let over_h2 = builder("GET", "/").header("te", "trailers").body(Pieces::none()).unwrap();
    let answer = proxy.h2().await.ask(over_h2).await;
    assert_eq!(answer.body(), "ok");
    assert!(!origin.requests().pop().unwrap().head.has("te"));
}

/// A53
#[tokio::test]
async fn an_answers_connection_field_cannot_remove_cookies() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: Set-Cookie, Content-Length, Content-Type\r\n\
                  Set-Cookie: a=b\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let answer = proxy.get("/").await;
    assert_eq!(answer.head.field("set-cookie").unwrap(), "a=b");
    assert_eq!(answer.head.field("content-type").unwrap(), "text/plain");
    assert_eq!(answer.head.field("content-length").unwrap(), "2");
}

/// A53
#[tokio::test]
async fn trailers_are_dropped_in_both_directions() {
    let answer = "HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2\r\nok\r\n0\r\nX-T: evil\r\nSet-Cookie: evil=1\r\n\r\n";
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let chunked = "Transfer-Encoding: chunked\r\nTrailer: X-Forwarded-Host\r\n";
    let body = "2\r\nhi\r\n0\r\nX-Forwarded-Host: evil\r\nX-T: evil\r\n\r\n";
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        let answer = client.ask(request("PUT", "/", chunked) + body).await;
        assert_eq!(answer.text(), "ok");
        assert_eq!(answer.body.trailers, [""; 0]);
        let asked = origin.requests().pop().unwrap();
        assert_eq!(asked.body.bytes, b"hi");
        assert!(asked.body.whole && asked.body.trailers.is_empty());
    }
    assert_eq!(proxy.h2().await.get("/").await.body(), "ok");
}

/// A54
#[tokio::test]
async fn informational_answers_are_not_the_answer() {
    let origin = Origin::answering(
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
         HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 X\r\n\r\nHTTP/1.1 201 Created\r\n\
         Content-Length: 2\r\n\r\nok",
    )
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        let answer = client.ask(put("/x", "", "body")).await;
        assert_eq!((answer.status(), answer.text().as_str()), (201, "ok"));
        assert_eq!(answer.interim, [0; 0], "none is passed on");
        assert!(!answer.head.has("link"));
    }
    assert_eq!(proxy.h2().await.get("/x").await.status(), 201);
}

/// A55: an origin that closes after each answer, without a word.
#[tokio::test]
async fn an_origin_that_closes_kept_connections_is_no_error() {
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request().await;
        conversation.wire.send(OK).await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut clients = [proxy.connect().await, proxy.connect().await];
    for number in 0..300 {
        let answer = clients[number % 2].ask(get("/x", "")).await;
        assert_eq!(answer.status(), 200, "request {number}");
    }
}

/// A55
#[tokio::test]
async fn idle_connections_are_closed_by_us_first() {
    let closed = Arc::new(Semaphore::new(0));
    let tell = Arc::clone(&closed);
    let origin = Origin::scripted(move |mut conversation| {
        let tell = Arc::clone(&tell);
        async move {
            while conversation.request().await.is_some() {
                conversation.wire.send(OK).await;
            }
            tell.add_permits(1);
        }
    })
    .await;
    assert!(origin.group().keep_alive < Duration::from_secs(5), "Apache's KeepAliveTimeout");
    let keep = |site: &mut passeur::config::checked::Site| site.upstream.keep_alive = SHORT;
    let proxy =
        proxy_to(&origin).config(|config| config.listen.workers = 1).site(keep).start().await;
    proxy.get("/first").await;
    proxy.get("/second").await;
    assert_eq!(origin.requests()[1].connection, 0, "kept for a moment");
    tokio::time::sleep(SHORT * 2).await;
    proxy.get("/third").await;
    assert_eq!(origin.requests()[2].connection, 1, "but not for longer");
    soon("the old connection's end", closed.acquire()).await.unwrap().forget();
}

/// What a reload must not disturb.
struct Running {
    upload: Upload,
    answer: tokio::task::JoinHandle<http::Response<bytes::Bytes>>,
    websocket: Wire,
    download: Wire,
}

impl Running {
    async fn start(proxy: &Proxy) -> Self {
        let (upload, pieces) = Pieces::channel();
        let h2 = proxy.h2().await;
        let request = builder("PUT", "/upload").body(pieces).unwrap();
        let answer = tokio::spawn(async move { h2.ask(request).await });
        upload.send("before ").await;
        let mut websocket = proxy.connect().await;
        assert_eq!(websocket.ask(get("/ws", UPGRADE)).await.status(), 101);
        let mut download = proxy.connect().await;
        download.send(get("/download", "")).await;
        assert_eq!(download.head().await.unwrap().status(), 200);
        Self { upload, answer, websocket, download }
    }

    async fn still_runs(&mut self) {
        self.upload.send(".").await;
        self.websocket.send("x").await;
        assert_eq!(self.websocket.exactly(1).await, b"x");
    }

    async fn ends_well(mut self, uploaded: &str, may: &Semaphore) {
        drop(self.upload);
        let answer = soon("the upload's answer", self.answer).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, uploaded.as_bytes()));
        may.add_permits(1);
        assert_eq!(self.download.exactly(10).await, b"downloaded");
        self.websocket.send("end").await;
        assert_eq!(self.websocket.exactly(3).await, b"end");
    }
}

/// An origin with an upload, a WebSocket, and a download that waits.
async fn busy(may: &Arc<Semaphore>) -> Origin {
    let may = Arc::clone(may);
    Origin::scripted(move |mut conversation| {
        let may = Arc::clone(&may);
        async move {
            let Some(head) = conversation.request_head().await else { return };
            match head.target() {
                "/ws" => {
                    conversation.wire.send(SWITCH).await;
                    echo(&mut conversation).await;
                }
                "/download" => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
                    conversation.wire.send(head).await;
                    may.acquire().await.unwrap().forget();
                    conversation.wire.send("downloaded").await;
                }
                _ => {
                    let body = conversation.wire.request_body(&head).await.bytes;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    conversation.wire.send([head.as_bytes(), &body].concat()).await;
                }
            }
        }
    })
    .await
}

/// A56
#[tokio::test]
async fn reloads_disturb_nothing_that_runs() {
    let may = Arc::new(Semaphore::new(0));
    let (origin, next) = (busy(&may).await, Origin::ok().await);
    let other = Origin::ok().await;
    let mut proxy = proxy_to(&origin).and(site("other", "other.test", other.group())).start().await;
    let mut running = Running::start(&proxy).await;
    let unchanged = Arc::clone(&proxy.server.shared().table.load().sites()[1]);
    for number in 0..100 {
        proxy.change(|config| {
            let mut site = config.sites[0].as_ref().clone();
            site.upstream = next.group();
            site.upstream.max_queued = 100 + number;
            config.sites[0] = Arc::new(site);
        });
        if number % 10 == 0 {
            running.still_runs().await;
        }
        assert_eq!(proxy.get(&format!("/new/{number}")).await.status(), 200);
    }
    assert_eq!(next.requests().len(), 100, "what is new goes where it now belongs");
    let table = proxy.server.shared().table.load();
    assert!(Arc::ptr_eq(&unchanged, &table.sites()[1]), "the other site was not made anew");
    running.ends_well("before ..........", &may).await;
}

/// A56
#[tokio::test]
async fn a_site_that_is_taken_away_ends_what_runs_in_peace() {
    let may = Arc::new(Semaphore::new(0));
    let origin = busy(&may).await;
    let mut proxy = proxy_to(&origin).start().await;
    let mut running = Running::start(&proxy).await;
    proxy.change(|config| config.sites.clear());
    assert_eq!(proxy.get("/").await.status(), 421);
    running.still_runs().await;
    running.ends_well("before .", &may).await;
}

/// A queue that is full is told of, at once.
#[tokio::test]
async fn too_many_requests_are_told_to_come_back() {
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request_head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let proxy = proxy_to(&origin)
        .site(|site| {
            site.upstream.max_in_flight = 1;
            site.upstream.max_queued = 0;
        })
        .start()
        .await;
    let mut first = proxy.connect().await;
    first.send(get("/first", "")).await;
    origin.request(0).await;
    let answer = proxy.get("/second").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.head.field("retry-after").unwrap(), "5");
    assert!(!answer.head.has("x-nextcloud-maintenance-mode"));
}
