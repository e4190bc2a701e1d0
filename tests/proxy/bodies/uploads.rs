//! Uploads: streamed, never stored half. Rows 19, 20, 22 to 26, 28, 31.

use std::sync::Arc;

use passeur::config::checked::Spool;
use tokio::sync::Semaphore;

use crate::support::{HOST, OK, Origin, Pieces, Setup, builder, get, proxy_to, put, request, soon};

/// More than this is never taken from a client whose origin takes nothing: socket buffers on both
/// sides (up to 6 MiB of receive and 4 MiB of send buffer on Linux), and ours.
const AHEAD: usize = 16 << 20;

/// A19
#[tokio::test]
async fn an_upload_may_be_of_any_announced_size() {
    let begun = Arc::new(Semaphore::new(0));
    let told = Arc::clone(&begun);
    let origin = Origin::scripted(move |mut conversation| {
        let told = Arc::clone(&told);
        async move {
            conversation.request_head().await;
            assert_eq!(conversation.wire.exactly(5).await, b"first");
            told.add_permits(1);
            conversation.closed().await;
        }
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(request("PUT", "/huge", "Content-Length: 5497558138880\r\n") + "first").await;
    let _begun = soon("the first bytes", begun.acquire()).await.unwrap();
    assert_eq!(origin.only_request().head.field("content-length").unwrap(), "5497558138880");
}

/// A19: well beyond the limits that other servers have by default.
#[tokio::test]
async fn a_large_upload_arrives_whole() {
    const SIZE: usize = 48 << 20;
    let origin = Origin::scripted(|mut conversation| async move {
        let head = conversation.request_head().await.unwrap();
        let length = head.field("content-length").unwrap().parse().unwrap();
        let seen = conversation.wire.skip(length).await;
        conversation.wire.send(format!("HTTP/1.1 201 Created\r\nX-Seen: {seen}\r\n\r\n")).await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(request("PUT", "/large", &format!("Content-Length: {SIZE}\r\n"))).await;
    assert_eq!(client.flood(SIZE).await, SIZE);
    let answer = client.answer_to("PUT").await;
    assert_eq!(answer.head.field("x-seen").unwrap(), SIZE.to_string());
}

/// A20: each piece is at the origin before the next one is sent.
#[tokio::test]
async fn each_piece_of_an_upload_goes_on_at_once() {
    for framing in ["Content-Length: 50", "Transfer-Encoding: chunked"] {
        let arrived = Arc::new(Semaphore::new(0));
        let told = Arc::clone(&arrived);
        let origin = Origin::scripted(move |mut conversation| {
            let told = Arc::clone(&told);
            async move {
                let head = conversation.request_head().await.unwrap();
                for _ in 0..5 {
                    match head.has("content-length") {
                        true => assert_eq!(conversation.wire.exactly(10).await, b"0123456789"),
                        false => {
                            assert_eq!(conversation.wire.chunk().await.unwrap(), b"0123456789")
                        }
                    }
                    told.add_permits(1);
                }
                conversation.wire.send(OK).await;
                conversation.closed().await;
            }
        })
        .await;
        let proxy = proxy_to(&origin).start().await;
        let mut client = proxy.connect().await;
        client.send(request("PUT", "/x", &format!("{framing}\r\n"))).await;
        for _ in 0..5 {
            let chunked = framing.starts_with('T');
            client.send(if chunked { "a\r\n0123456789\r\n" } else { "0123456789" }).await;
            soon("the piece at the origin", arrived.acquire()).await.unwrap().forget();
        }
        if framing.starts_with('T') {
            client.send("0\r\n\r\n").await;
        }
        assert_eq!(client.answer_to("PUT").await.text(), "ok");
    }
}

/// A20
#[tokio::test]
async fn an_origin_that_does_not_read_stops_the_client() {
    let origin = deaf().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(request("PUT", "/x", "Content-Length: 1073741824\r\n")).await;
    origin.request(0).await;
    let taken = client.flood(64 << 20).await;
    assert!(taken < AHEAD, "{taken} bytes were taken");
}

/// A20
#[tokio::test]
async fn an_origin_that_does_not_read_stops_the_client_over_http2() {
    let origin = deaf().await;
    let proxy = proxy_to(&origin).start().await;
    let (upload, pieces) = Pieces::channel();
    let request = builder("PUT", "/x").body(pieces).unwrap();
    let h2 = proxy.h2().await;
    tokio::spawn(async move { h2.send(request).await });
    origin.request(0).await;
    let taken = upload.flood(64 << 20).await;
    assert!(taken < AHEAD, "{taken} bytes were taken");
}

/// A24: an upload that waits for its turn is in nobody's buffers but the stream's window. The
/// client's own (hyper holds back 1 MiB) and what is on its way come on top.
#[tokio::test]
async fn an_upload_over_http2_has_a_large_window() {
    let origin = deaf().await;
    let proxy = proxy_to(&origin).site(|site| site.upstream.max_in_flight = 1).start().await;
    let mut first = proxy.connect().await;
    first.send(get("/first", "")).await;
    origin.request(0).await;
    let (upload, pieces) = Pieces::channel();
    let request = builder("PUT", "/queued").body(pieces).unwrap();
    let h2 = proxy.h2().await;
    tokio::spawn(async move { h2.send(request).await });
    let taken = upload.flood(64 << 20).await;
    assert!((4 << 20..6 << 20).contains(&taken), "{taken} bytes were taken");
}

/// Reads heads, and nothing more, until the end of the test.
async fn deaf() -> Origin {
    Origin::scripted(|mut conversation| async move {
        conversation.request_head().await;
        std::future::pending::<()>().await;
    })
    .await
}

/// A22
#[tokio::test]
async fn an_upload_keeps_its_framing() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    let chunks = "3;ext=1\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n";
    client.ask(request("PUT", "/x", "Transfer-Encoding: chunked\r\n") + chunks).await;
    client.ask(put("/x", "", "abc")).await;
    client.ask(put("/x", "", "")).await;
    client.ask(request("PUT", "/x", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n").await;
    let [chunked, sized, empty, empty_chunked] = &origin.requests()[..] else { panic!("four") };
    assert_eq!(chunked.head.field("transfer-encoding").unwrap(), "chunked");
    assert!(!chunked.head.has("content-length"));
    assert_eq!(chunked.body.bytes, b"abc0123456789");
    assert_eq!(sized.head.field("content-length").unwrap(), "3");
    assert!(!sized.head.has("transfer-encoding"));
    assert_eq!(empty.head.field("content-length").unwrap(), "0");
    assert_eq!(empty_chunked.body.bytes, b"");
    assert!(empty_chunked.body.whole);
}

fn spooling(origin: &Origin, folder: &std::path::Path) -> Setup {
    let spool = Spool { memory: 16, max: 4096, folder: folder.to_owned() };
    proxy_to(origin).site(|site| site.dav.spool_chunked = Some(spool))
}

fn chunked(target: &str, fields: &str, body: &str) -> String {
    let fields = format!("Transfer-Encoding: chunked\r\n{fields}");
    request("PUT", target, &fields) + &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// A22: from memory, and from a file.
#[tokio::test]
async fn an_upload_without_a_length_gets_one_where_the_site_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::ok().await;
    let proxy = spooling(&origin, folder.path()).start().await;
    let mut client = proxy.connect().await;
    for size in [1, 16, 17, 1000, 4096] {
        let body = "x".repeat(size);
        client.ask(chunked("/x", &format!("X-Expected-Entity-Length: {size}\r\n"), &body)).await;
        let request = origin.requests().pop().unwrap();
        assert_eq!(request.head.field("content-length").unwrap(), size.to_string());
        assert!(!request.head.has("transfer-encoding"));
        assert_eq!(request.body.bytes, body.as_bytes());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

/// A22
#[tokio::test]
async fn an_upload_that_is_not_what_it_was_announced_to_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::ok().await;
    let proxy = spooling(&origin, folder.path()).start().await;
    let answer = proxy.ask(chunked("/x", "X-Expected-Entity-Length: 5\r\n", "four")).await;
    assert_eq!(answer.status(), 400);
    let answer = proxy.ask(chunked("/x", "", &"x".repeat(4097))).await;
    assert_eq!(answer.status(), 413);
    assert!(origin.requests().is_empty());
}

/// A23
#[tokio::test]
async fn a_broken_upload_never_ends_well() {
    for (framing, half) in [
        ("Content-Length: 100", "half of it"),
        ("Transfer-Encoding: chunked", "a\r\nhalf of it\r\n"),
        ("Transfer-Encoding: chunked", "64\r\nhalf of it"),
        ("Transfer-Encoding: chunked", "a\r\nhalf of it\r\n0\r\n"),
    ] {
        for reset in [false, true] {
            let origin = reading().await;
            let proxy = proxy_to(&origin).start().await;
            let mut client = proxy.connect().await;
            client.send(request("PUT", "/x", &format!("{framing}\r\n")) + half).await;
            origin.request(0).await;
            if reset {
                client.reset();
            } else {
                client.finish().await;
            }
            let request = origin.request(1).await;
            assert!(!request.body.whole, "{framing}, {half:?}, {reset}");
        }
    }
}

/// A23
#[tokio::test]
async fn a_broken_upload_over_http2_never_ends_well() {
    for length in [None, Some("100")] {
        let origin = reading().await;
        let proxy = proxy_to(&origin).start().await;
        let (upload, pieces) = Pieces::channel();
        let mut request = builder("PUT", "/x");
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        let h2 = proxy.h2().await;
        let request = request.body(pieces).unwrap();
        tokio::spawn(async move { h2.send(request).await });
        upload.send("half of it").await;
        origin.request(0).await;
        upload.break_off().await;
        assert!(!origin.request(1).await.body.whole, "{length:?}");
    }
}

/// A23, F: the client neither leaves nor stops, but what it sends makes no sense any more.
#[tokio::test]
async fn a_framing_error_in_a_body_breaks_both_sides() {
    for bad in ["zz\r\n", "-1\r\n", "3\r\nabcX\r\n", "1\n", "0\r\nContent-Length: 5\r\n\r\n"] {
        let origin = reading().await;
        let proxy = proxy_to(&origin).start().await;
        let mut client = proxy.connect().await;
        let head = request("PUT", "/x", "Transfer-Encoding: chunked\r\n");
        client.send(head + "a\r\nhalf of it\r\n").await;
        origin.request(0).await;
        client.send(format!("{bad}{}", get("/smuggled", ""))).await;
        assert!(!origin.request(1).await.body.whole, "{bad:?}");
        let answer = client.rest().await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{bad:?}");
        assert_eq!(origin.targets(), ["/x", "/x"], "{bad:?}");
    }
}

/// A23: hyper refuses an end that comes too early.
#[tokio::test]
async fn an_upload_over_http2_that_is_shorter_than_announced_never_ends_well() {
    let origin = reading().await;
    let proxy = proxy_to(&origin).start().await;
    let (upload, pieces) = Pieces::channel();
    let request = builder("PUT", "/x").header("content-length", "100").body(pieces).unwrap();
    let h2 = proxy.h2().await;
    let answer = tokio::spawn(async move { h2.send(request).await.map(|a| a.status().as_u16()) });
    upload.send("half of it").await;
    origin.request(0).await;
    drop(upload);
    assert!(!origin.request(1).await.body.whole);
    assert!(!matches!(answer.await.unwrap(), Ok(200..300)));
}

/// A23: what is stored before it is sent is not sent at all.
#[tokio::test]
async fn a_broken_upload_that_was_to_be_stored_first_is_never_heard_of() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::ok().await;
    let proxy = spooling(&origin, folder.path()).start().await;
    let mut client = proxy.connect().await;
    let head = request("PUT", "/broken", "Transfer-Encoding: chunked\r\n");
    client.send(head + "14\r\n01234567890123456789\r\n").await;
    client.finish().await;
    client.rest().await;
    proxy.get("/next").await;
    assert_eq!(origin.targets(), ["/next"]);
}

/// Notes a request twice: when its head is there, and when its body ended, however it did.
async fn reading() -> Origin {
    Origin::scripted(|mut conversation| async move {
        let head = conversation.request_head().await.unwrap();
        let body = conversation.wire.request_body(&head).await;
        conversation.note(head, body);
        conversation.wire.send(OK).await;
    })
    .await
}

/// A25
#[tokio::test]
async fn a_site_may_do_without_http2() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).site(|site| site.http2 = false).start().await;
    assert!(proxy.handshake(HOST, true).await.is_err(), "nothing in common");
    assert_eq!(proxy.connect_tls().await.ask(get("/", "")).await.text(), "ok");
}

/// A25
#[tokio::test]
async fn an_http2_connection_carries_thousands_of_requests() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let h2 = proxy.h2().await;
    for _ in 0..20 {
        let asked = (0..100).map(|_| h2.get("/x"));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.status(), 200);
        }
    }
    assert_eq!(origin.requests().len(), 2000);
}

/// A25
#[tokio::test]
async fn a_stop_lets_an_http2_upload_end() {
    let origin = reading().await;
    let proxy = proxy_to(&origin).start().await;
    let (upload, pieces) = Pieces::channel();
    let h2 = proxy.h2().await;
    let request = builder("PUT", "/x").body(pieces).unwrap();
    let answer = tokio::spawn(async move { h2.ask(request).await });
    upload.send("before, ").await;
    origin.request(0).await;
    let stopping = tokio::spawn(proxy.server.stop());
    // The stop has begun when nobody is let in any more; a connection does not end by that.
    upload.send("meanwhile, ").await;
    upload.send("after").await;
    drop(upload);
    assert_eq!(answer.await.unwrap().body(), "ok");
    assert_eq!(origin.request(1).await.body.bytes, b"before, meanwhile, after");
    assert_eq!(soon("the stop", stopping).await.unwrap().uploads, 0);
}

/// A26
#[tokio::test]
async fn an_expectation_is_met_by_us_and_not_passed_on() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(request("PUT", "/x", "Content-Length: 4\r\nExpect: 100-Continue\r\n")).await;
    assert_eq!(client.head().await.unwrap().status(), 100);
    client.send("body").await;
    assert_eq!(client.answer_to("PUT").await.status(), 200);
    let request = origin.only_request();
    assert!(!request.head.has("expect"));
    assert_eq!(request.body.bytes, b"body");
}

/// A26
#[tokio::test]
async fn nothing_is_continued_that_will_be_refused() {
    let origin = Origin::ok().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut group = origin.group();
    if let passeur::config::checked::TargetAddress::Tcp { port, .. } = &mut group.targets[0].address
    {
        *port = gone.local_addr().unwrap().port();
    }
    drop(gone);
    let dead = crate::support::site("dead", "dead.test", group);
    let proxy = proxy_to(&origin).and(dead).start().await;
    let put = |host: &str, expect: &str| {
        format!("PUT / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nExpect: {expect}\r\n\r\n")
    };
    for (host, expect, status) in [
        ("unknown.test", "100-continue", 421),
        ("dead.test", "100-continue", 502),
        (HOST, "x", 417),
        (HOST, "100-continue, x", 417),
        (HOST, "", 417),
    ] {
        let answer = proxy.ask(put(host, expect)).await;
        assert_eq!((answer.status(), answer.interim.len()), (status, 0), "{host} {expect}");
    }
    assert!(origin.requests().is_empty());
}

/// A28
#[tokio::test]
async fn chunks_of_one_upload_share_a_connection_and_keep_their_fields() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    let fields = format!(
        "Destination: http://{HOST}/remote.php/dav/files/a/big%20file\r\nOC-Total-Length: 30000000\r\n\
         OC-Checksum: SHA1:abc\r\nX-OC-Mtime: 1700000000\r\n"
    );
    let folder = "/remote.php/dav/uploads/a/web-file-upload-1";
    client.ask(request("MKCOL", folder, &fields)).await;
    for chunk in 1..=3 {
        client.ask(put(&format!("{folder}/{chunk:05}"), &fields, "chunk")).await;
    }
    client.ask(request("MOVE", &format!("{folder}/.file"), &fields)).await;
    let requests = origin.requests();
    assert_eq!(requests.len(), 5);
    for request in requests {
        assert_eq!(request.connection, 0);
        for line in fields.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            assert_eq!(request.head.field(&name.to_ascii_lowercase()).as_deref(), Some(value));
        }
    }
}

/// A31
#[tokio::test]
async fn a_partial_put_is_the_origins_to_refuse() {
    let origin = Origin::answering("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n").await;
    let proxy = proxy_to(&origin).start().await;
    let answer = proxy.ask(put("/x", "Content-Range: bytes 0-3/10\r\n", "part")).await;
    assert_eq!(answer.head.line, "HTTP/1.1 400 No");
    let head = origin.only_request().head;
    assert_eq!(head.field("content-range").unwrap(), "bytes 0-3/10");
}
