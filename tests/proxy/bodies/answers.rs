//! Answers: streamed, unchanged, framed by what they are. Rows 21, 31 to 37.

use std::sync::Arc;

use http_body_util::BodyExt;
use passeur::config::checked::OwnerRule;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::support::{
    HOST, OK, Origin, SHORT, builder, get, h2::Pieces, proxy_to, request, site, soon,
};

/// A21
#[tokio::test]
async fn a_client_that_does_not_read_stops_the_origin() {
    let (tell, mut taken) = tokio::sync::mpsc::unbounded_channel();
    let origin = Origin::scripted(move |mut conversation| {
        let tell = tell.clone();
        async move {
            conversation.request().await;
            conversation.wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n").await;
            tell.send(conversation.wire.flood(64 << 20).await).unwrap();
            conversation.closed().await;
        }
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut plain = proxy.connect().await;
    plain.send(get("/large", "")).await;
    let h2 = proxy.h2().await;
    let over_h2 = h2.send(builder("GET", "/large").body(Pieces::none()).unwrap()).await.unwrap();
    for _ in 0..2 {
        let taken = soon("the origin to be stopped", taken.recv()).await.unwrap();
        assert!(taken < 16 << 20, "{taken} bytes were taken");
    }
    drop((plain, over_h2));
}

/// A21
#[tokio::test]
async fn a_large_answer_arrives_whole() {
    const SIZE: usize = 48 << 20;
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request().await;
        conversation.wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
        conversation.wire.flood(SIZE).await;
        conversation.closed().await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    client.send(get("/large", "")).await;
    assert_eq!(client.head().await.unwrap().field("content-length").unwrap(), SIZE.to_string());
    assert_eq!(client.skip(SIZE).await, SIZE);
}

/// A31
#[tokio::test]
async fn ranges_pass_in_both_directions() {
    let parts = "--b\r\nContent-Range: bytes 0-1/2199023255552\r\n\r\nab\r\n--b--\r\n";
    let answer = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=b\r\n\
         Content-Range: bytes 2199023255550-2199023255551/2199023255552\r\nAccept-Ranges: bytes\r\n\
         ETag: \"x\"\r\nContent-Length: {}\r\n\r\n{parts}",
        parts.len()
    );
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let range = "bytes=0-1, 2199023255550-";
    let answer = proxy.ask(get("/x", &format!("Range: {range}\r\nIf-Range: \"x\"\r\n"))).await;
    assert_eq!(answer.status(), 206);
    assert_eq!(
        answer.head.field("content-range").unwrap(),
        "bytes 2199023255550-2199023255551/2199023255552"
    );
    assert_eq!(answer.head.field("content-type").unwrap(), "multipart/byteranges; boundary=b");
    assert_eq!(answer.text(), parts);
    let head = origin.only_request().head;
    assert_eq!(head.field("range").unwrap(), range);
    assert_eq!(head.field("if-range").unwrap(), "\"x\"");
}

/// A32
#[tokio::test]
async fn encodings_are_between_client_and_origin() {
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let mut answer = format!(
        "HTTP/1.1 207 Multi-Status\r\nContent-Encoding: gzip\r\nVary: Brief,Prefer\r\n\
         Content-Length: {}\r\n\r\n",
        gzip.len()
    )
    .into_bytes();
    answer.extend(gzip);
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).start().await;
    let mut client = proxy.connect().await;
    for accepted in ["gzip;q=0", "gzip, br;q=1.0, *;q=0", "identity", ""] {
        let fields = format!("Accept-Encoding: {accepted}\r\n");
        let answer = client.ask(request("PROPFIND", "/remote.php/dav/files/a/", &fields)).await;
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.field("accept-encoding").unwrap(), accepted);
        assert_eq!(answer.body.bytes, gzip);
        assert_eq!(answer.head.field("content-encoding").unwrap(), "gzip");
        assert_eq!(answer.head.field("vary").unwrap(), "Brief,Prefer");
    }
    client.ask(get("/", "")).await;
    assert!(!origin.requests().pop().unwrap().head.has("accept-encoding"), "none is none");
}

/// A32: what Passeur asks for plain, it compresses itself.
#[tokio::test]
async fn owners_shown_as_others_are_compressed_for_those_who_accept_it() {
    let entry = "<d:response><d:propstat><d:prop><oc:owner-id>alice</oc:owner-id></d:prop>\
                 </d:propstat></d:response>";
    let multistatus = |entry: &str| {
        let entries = entry.repeat(200);
        format!(
            "<d:multistatus xmlns:d='DAV:' xmlns:oc='http://owncloud.org/ns'>{entries}</d:multistatus>"
        )
    };
    let plain = multistatus(entry);
    let length = plain.len();
    let origin = Origin::answering(format!(
        "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml; charset=utf-8\r\n\
         Content-Length: {length}\r\n\r\n{plain}"
    ))
    .await;
    let [from, to, display_name] = ["alice", "bob", "Bob"].map(str::to_owned);
    let rule = OwnerRule { from, to, display_name };
    let proxy = proxy_to(&origin).site(|site| site.owners = vec![rule]).start().await;
    let expected = multistatus(&entry.replace("alice", "bob"));
    for (accepted, compressed) in [("gzip, deflate, br", true), ("br", false), ("", false)] {
        let fields = format!("Accept-Encoding: {accepted}\r\n");
        let answer = proxy.ask(request("PROPFIND", "/remote.php/dav/files/a/", &fields)).await;
        assert!(answer.body.whole);
        let head = origin.requests().pop().unwrap().head;
        assert_eq!(head.field("accept-encoding").unwrap(), "identity");
        if !compressed {
            assert_eq!(answer.text(), expected);
            continue;
        }
        assert_eq!(answer.head.field("content-encoding").unwrap(), "gzip");
        assert_eq!(answer.head.field("vary").unwrap(), "Accept-Encoding");
        assert!(answer.body.bytes.len() < length / 10, "{} bytes", answer.body.bytes.len());
        let mut decoder = async_compression::tokio::write::GzipDecoder::new(Vec::new());
        decoder.write_all(&answer.body.bytes).await.unwrap();
        decoder.shutdown().await.unwrap();
        assert_eq!(decoder.into_inner(), expected.as_bytes());
    }
}

/// A33
#[tokio::test]
async fn etags_bent_by_compression_are_repaired() {
    for bent in ["\"6544ab-gzip\"", "W/\"6544ab\"", "\"6544ab\""] {
        let answer =
            format!("HTTP/1.1 204 No Content\r\nETag: {bent}\r\nOC-ETag: \"6544ab\"\r\n\r\n");
        let origin = Origin::answering(answer).await;
        let proxy = proxy_to(&origin).start().await;
        let target = "/remote.php/dav/files/alice/x.md";
        let fields = format!("If-Match: {bent}\r\nIf-None-Match: {bent}\r\n");
        let answer = proxy.ask(request("PUT", target, &fields)).await;
        assert_eq!(answer.head.field("etag").unwrap(), "\"6544ab\"");
        assert_eq!(answer.head.field("oc-etag").unwrap(), "\"6544ab\"");
        let head = origin.only_request().head;
        assert_eq!(head.field("if-match").unwrap(), "\"6544ab\"");
        assert_eq!(head.field("if-none-match").unwrap(), "\"6544ab\"");
    }
}

/// A33
#[tokio::test]
async fn etags_stay_as_they_are_where_nothing_says_otherwise() {
    let answer = "HTTP/1.1 200 OK\r\nETag: W/\"x-gzip\"\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::answering(answer).await;
    let bent = Origin::answering(
        "HTTP/1.1 200 OK\r\nETag: W/\"x\"\r\nOC-ETag: \"x\"\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let mut off = site("off", "off.test", bent.group());
    off.dav.repair_etags = false;
    let proxy = proxy_to(&origin).and(off).start().await;
    for target in ["/core/css/x.css", "/remote.php/dav/files/alice/x"] {
        assert_eq!(proxy.get(target).await.head.field("etag").unwrap(), "W/\"x-gzip\"");
    }
    let unrelated = get("/core/x.css", "If-None-Match: W/\"x-gzip\"\r\n");
    proxy.ask(unrelated).await;
    let head = origin.requests().pop().unwrap().head;
    assert_eq!(head.field("if-none-match").unwrap(), "W/\"x-gzip\"", "not of DAV");
    let dav = request("GET", "/remote.php/dav/files/a/x", "If-Match: W/\"x\"\r\n");
    let answer = proxy.ask(dav.replace(HOST, "off.test")).await;
    assert_eq!(answer.head.field("etag").unwrap(), "W/\"x\"");
    assert_eq!(bent.only_request().head.field("if-match").unwrap(), "W/\"x\"");
}

/// A34
#[tokio::test]
async fn maintenance_passes_and_is_not_an_outage() {
    let page = "<html>maintenance</html>";
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nX-Nextcloud-Maintenance-Mode: 1\r\nRetry-After: 120\r\n\
         Content-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    );
    let origin = Origin::answering(answer).await;
    let proxy = proxy_to(&origin).site(|site| site.upstream.breaker_failures = 2).start().await;
    for _ in 0..10 {
        let answer = proxy.get("/status.php").await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.head.field("x-nextcloud-maintenance-mode").unwrap(), "1");
        assert_eq!(answer.head.field("retry-after").unwrap(), "120");
        assert_eq!(answer.text(), page);
    }
    assert_eq!(origin.requests().len(), 10);
}

/// A35
#[tokio::test]
async fn errors_of_the_origin_pass_as_they_are() {
    for status in [207, 401, 403, 404, 405, 409, 412, 413, 423, 424, 429, 500, 502, 503, 504, 507] {
        let body = format!("<d:error xmlns:d=\"DAV:\">{status}</d:error>");
        let origin = Origin::answering(format!(
            "HTTP/1.1 {status} Its Own Reason\r\nContent-Type: application/xml; charset=utf-8\r\n\
             WWW-Authenticate: Basic realm=\"x\", charset=\"UTF-8\"\r\nWWW-Authenticate: Bearer\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        let proxy = proxy_to(&origin).start().await;
        let answer = proxy.ask(request("PROPFIND", "/remote.php/dav/files/a/", "")).await;
        assert_eq!(answer.head.line, format!("HTTP/1.1 {status} Its Own Reason"));
        assert_eq!(answer.text(), body);
        assert_eq!(
            answer.head.all("www-authenticate"),
            ["Basic realm=\"x\", charset=\"UTF-8\"", "Bearer"]
        );
        assert!(!answer.head.has("retry-after"));
    }
}

/// A35
#[tokio::test]
async fn our_own_errors_are_in_the_askers_language() {
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request().await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    for (request, kind, inside) in [
        (request("PROPFIND", "/remote.php/dav/files/a/", ""), "application/xml", "<d:error"),
        (request("PUT", "/remote.php/webdav/x", "Content-Length: 0\r\n"), "application/xml", "<d:"),
        (get("/index.php/apps/files/", "Accept: text/html, */*\r\n"), "text/html", "<!DOCTYPE"),
        (get("/ocs/v2.php/cloud/user", "Accept: application/json\r\n"), "text/plain", "Request id"),
    ] {
        let answer = proxy.ask(&request).await;
        assert_eq!(answer.status(), 502);
        assert!(answer.head.field("content-type").unwrap().starts_with(kind), "{request}");
        let id = answer.head.field("x-request-id").unwrap();
        let text = answer.text();
        assert!(text.contains(inside) && text.contains(&id), "{text}");
        let port = origin.address.port().to_string();
        assert!(!text.contains(&port) && !text.contains("127.0.0.1"), "names no upstream: {text}");
        let sent = origin.requests().pop().unwrap().head.field("x-request-id").unwrap();
        assert_eq!(sent, id, "the origin's log has the same id");
    }
}

/// A36: after each answer the connection is in order, which a second one shows.
#[tokio::test]
async fn answers_without_a_body_have_none_whatever_their_fields_say() {
    for (method, answer, length) in [
        ("HEAD", "200 OK\r\nContent-Length: 5368709120\r\n", Some("5368709120")),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked\r\n", None),
        ("HEAD", "404 No\r\nContent-Length: 7\r\n", Some("7")),
        ("GET", "204 No Content\r\n", None),
        // Its length may be left out; a wrong one would be worse.
        ("GET", "304 Not Modified\r\nContent-Length: 1234\r\nETag: \"a\"\r\n", None),
        ("GET", "304 Not Modified\r\nETag: \"a\"\r\n", None),
        ("DELETE", "204 No Content\r\nContent-Length: 0\r\n", None),
    ] {
        let origin = Origin::answering(format!("HTTP/1.1 {answer}\r\n")).await;
        let proxy = proxy_to(&origin).start().await;
        let mut client = proxy.connect().await;
        for _ in 0..2 {
            let got = client.ask(request(method, "/x", "")).await;
            assert!(answer.starts_with(&got.status().to_string()));
            if let Some(length) = length {
                assert_eq!(got.head.field("content-length").as_deref(), Some(length), "{answer}");
            }
        }
        client.finish().await;
        assert_eq!(client.rest().await, b"", "{method} {answer}");

        let request = builder(method, "/x").body(Pieces::none()).unwrap();
        let got = proxy.h2().await.ask(request).await;
        assert!(answer.starts_with(got.status().as_str()));
        assert!(got.body().is_empty());
        if let Some(length) = length {
            assert_eq!(got.headers()["content-length"], length, "{answer}");
        }
    }
}

/// F: whatever an origin says about lengths, the client reads what we read.
#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_passed_on_in_one_or_not_at_all() {
    for (fields, body, status) in [
        ("Content-Length: 2\r\nContent-Length: 3\r\n", "ok!", 502),
        ("Content-Length: +2\r\n", "ok", 502),
        ("Content-Length: 2, 3\r\n", "ok!", 502),
        ("Content-Length: 99999999999999999999\r\n", "ok", 502),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n", 200),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "2\r\nok\r\n0\r\n\r\n", 200),
        ("Content-Length: 2\r\nContent-Length: 2\r\n", "ok", 200),
    ] {
        let origin = Origin::scripted(move |mut conversation| async move {
            conversation.request().await;
            conversation.wire.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}")).await;
            conversation.closed().await;
        })
        .await;
        let proxy = proxy_to(&origin).start().await;
        let answer = proxy.get("/x").await;
        assert_eq!(answer.status(), status, "{fields}");
        let lengths = answer.head.all("content-length").len();
        let chunked = answer.head.all("transfer-encoding").len();
        assert_eq!(lengths + chunked, 1, "{fields}");
        assert!(status == 502 || answer.body.whole && answer.text() == "ok", "{fields}");
    }
}

/// A37: the origin sends a piece only when the client has the one before.
#[tokio::test]
async fn each_piece_of_an_answer_goes_on_at_once() {
    for framing in ["Transfer-Encoding: chunked", "Content-Length: 5", "Connection: close"] {
        let taken = Arc::new(Semaphore::new(1));
        let may = Arc::clone(&taken);
        let origin = Origin::scripted(move |mut conversation| {
            let may = Arc::clone(&may);
            async move {
                conversation.request().await;
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
                conversation.wire.send(format!("{head}{framing}\r\n\r\n")).await;
                for _ in 0..5 {
                    may.acquire().await.unwrap().forget();
                    let chunked = framing.starts_with('T');
                    conversation.wire.send(if chunked { "1\r\n.\r\n" } else { "." }).await;
                }
                if framing.starts_with('T') {
                    conversation.wire.send("0\r\n\r\n").await;
                }
            }
        })
        .await;
        let proxy = proxy_to(&origin).start().await;

        let mut client = proxy.connect().await;
        client.send(get("/events", "")).await;
        let head = client.head().await.unwrap();
        for _ in 0..5 {
            match head.has("transfer-encoding") {
                true => assert_eq!(client.chunk().await.unwrap(), b"."),
                false => assert_eq!(client.exactly(1).await, b"."),
            }
            taken.add_permits(1);
        }

        let request = builder("GET", "/events").body(Pieces::none()).unwrap();
        let mut body = proxy.h2().await.send(request).await.unwrap().into_body();
        for _ in 0..5 {
            let piece = soon("a piece", body.frame()).await.unwrap().unwrap();
            assert_eq!(piece.into_data().unwrap(), ".");
            taken.add_permits(1);
        }
    }
}

/// A37: Talk's polls last 30 s, and what PHP computes may pause for minutes.
#[tokio::test]
async fn an_answer_may_pause_for_minutes_but_not_for_ever() {
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request().await;
        conversation.wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
        std::future::pending::<()>().await;
    })
    .await;
    assert!(origin.group().stall >= std::time::Duration::from_secs(120));
    let mut group = origin.group();
    group.stall = SHORT;
    let proxy = proxy_to(&origin).and(site("short", "short.test", group)).start().await;
    let answer = proxy.ask(get("/x", "").replace(HOST, "short.test")).await;
    assert_eq!(answer.text(), "half");
    assert!(!answer.body.whole);
}

/// A37
#[tokio::test]
async fn a_client_that_stalls_is_cut_off_and_the_origin_learns_of_it() {
    let origin = Origin::scripted(|mut conversation| async move {
        let head = conversation.request_head().await.unwrap();
        let body = conversation.wire.request_body(&head).await;
        conversation.note(head, body);
    })
    .await;
    let proxy = proxy_to(&origin).limits(|limits| limits.client_stall = SHORT).start().await;
    let mut client = proxy.connect().await;
    client.send(request("PUT", "/x", "Content-Length: 10\r\n") + "half").await;
    let body = origin.request(1).await.body;
    assert_eq!((body.bytes.as_slice(), body.whole), (&b"half"[..], false));
    client.rest().await;
}

/// A37: no pause is long, but the whole is too slow; its place at the origin is free again.
#[tokio::test]
async fn an_upload_of_a_few_bytes_a_second_does_not_keep_its_place() {
    let origin = Origin::scripted(|mut conversation| async move {
        let head = conversation.request_head().await.unwrap();
        let body = conversation.wire.request_body(&head).await;
        conversation.note(head, body);
        conversation.wire.send(OK).await;
    })
    .await;
    let proxy = proxy_to(&origin)
        .limits(|limits| (limits.client_stall, limits.client_rate) = (SHORT, 1 << 20))
        .site(|site| site.upstream.max_in_flight = 1)
        .start()
        .await;
    let mut client = proxy.connect().await;
    client.send(request("PUT", "/x", "Content-Length: 1000000\r\n")).await;
    let dripping = tokio::spawn(async move {
        loop {
            client.send("x").await;
            tokio::time::sleep(SHORT / 30).await;
        }
    });
    let body = origin.request(1).await.body;
    assert!(body.bytes.len() > 1 && !body.whole, "{} bytes", body.bytes.len());
    assert_eq!(proxy.get("/next").await.status(), 200);
    dripping.abort();
}
