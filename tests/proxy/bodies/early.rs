//! Answers that come before the request's body has ended, and requests that may be sent again.
//! Rows 27, 30.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::support::{OK, Origin, get, proxy_to, put, request};

const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\ndenied";

/// Answers at the head, and notes whatever looks like another request on the connection.
async fn hasty() -> Origin {
    Origin::scripted(|mut conversation| async move {
        while conversation.request_head().await.is_some() {
            conversation.wire.send(DENIED).await;
        }
    })
    .await
}

/// A27: the body holds a request. Whoever reads it as one was desynchronised.
#[tokio::test]
async fn the_rest_of_a_body_answered_early_is_never_a_request() {
    let origin = hasty().await;
    let proxy = proxy_to(&origin).start().await;
    let smuggled = get("/smuggled", "");
    let body = smuggled.repeat(100);
    let mut client = proxy.connect().await;
    let head = request("PUT", "/first", &format!("Content-Length: {}\r\n", body.len()));
    client.send(head).await;
    assert_eq!(client.answer_to("PUT").await.text(), "denied");
    client.send(body + &get("/second", "")).await;
    for number in 0..5 {
        proxy.get(&format!("/other{number}")).await;
    }
    let on_first: Vec<_> = origin.requests().into_iter().filter(|r| r.connection == 0).collect();
    // The origin that does not read bodies sees them as requests on the first connection; none of
    // ours may come after them there.
    assert_eq!(on_first[0].head.target(), "/first");
    assert!(on_first[1..].iter().all(|r| r.head.target() == "/smuggled"), "reused");
}

/// A27
#[tokio::test]
async fn a_connection_with_an_unfinished_upload_is_not_used_again() {
    let origin = hasty().await;
    let proxy = proxy_to(&origin).config(|config| config.listen.workers = 1).start().await;
    let mut stuck = proxy.connect().await;
    let head = request("PUT", "/stuck", "Content-Length: 1000000\r\n");
    assert_eq!(stuck.ask(head + "a little").await.text(), "denied");
    // While that client neither goes on nor leaves.
    assert_eq!(proxy.get("/next").await.status(), 401);
    let next = origin.requests().into_iter().find(|r| r.head.target() == "/next").unwrap();
    assert_ne!(next.connection, 0);
}

/// A27: whether the origin goes on reading, or says that it will not.
#[tokio::test]
async fn an_early_answer_arrives_although_the_client_still_sends() {
    for closes in [false, true] {
        let origin = Origin::scripted(move |mut conversation| async move {
            conversation.request_head().await;
            conversation.wire.send("HTTP/1.1 507 Full\r\nContent-Length: 4\r\n\r\nfull").await;
            if closes {
                conversation.wire.finish().await;
            }
            conversation.closed().await;
        })
        .await;
        let proxy = proxy_to(&origin).start().await;
        let mut client = proxy.connect().await;
        client.send(request("PUT", "/x", "Content-Length: 100000000\r\n")).await;
        client.flood(1 << 20).await;
        let answer = client.answer_to("PUT").await;
        assert_eq!((answer.status(), answer.text().as_str()), (507, "full"), "{closes}");
    }
}

/// An origin that answers its first request, and closes when it has read a second one.
async fn leaving() -> Origin {
    Origin::scripted(|mut conversation| async move {
        conversation.request().await;
        conversation.wire.send(OK).await;
        if conversation.number == 0 {
            conversation.request().await;
        }
    })
    .await
}

/// A30
#[tokio::test]
async fn what_an_origin_may_have_done_is_not_asked_again() {
    for method in ["POST", "PUT", "MOVE", "MKCOL", "DELETE", "PROPPATCH", "LOCK"] {
        let origin = Origin::scripted(|mut conversation| async move {
            conversation.request().await;
        })
        .await;
        let proxy = proxy_to(&origin).start().await;
        let answer = proxy.ask(put("/x", "", "").replacen("PUT", method, 1)).await;
        assert_eq!(answer.status(), 502, "{method}");
        assert_eq!(origin.requests().len(), 1, "{method}");
    }
}

/// A30: also where the connection was kept, and old enough to be suspected.
#[tokio::test]
async fn an_unsafe_request_on_a_kept_connection_is_not_sent_twice() {
    let origin = leaving().await;
    let proxy = proxy_to(&origin).config(|config| config.listen.workers = 1).start().await;
    proxy.get("/first").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(proxy.ask(put("/x", "", "x")).await.status(), 502);
    assert_eq!(origin.targets(), ["/first", "/x"]);
}

/// A30, A55
#[tokio::test]
async fn a_safe_request_is_sent_again_if_a_kept_connection_just_closed() {
    let listing = request("PROPFIND", "/second", "Content-Length: 10\r\n") + "<propfind/";
    for second in [get("/second", ""), request("HEAD", "/second", ""), listing] {
        let origin = leaving().await;
        let proxy = proxy_to(&origin).config(|config| config.listen.workers = 1).start().await;
        proxy.get("/first").await;
        // Not to wait for something: connections idle for longer are treated with more care.
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(proxy.ask(&second).await.status(), 200, "{second}");
        assert_eq!(origin.targets(), ["/first", "/second", "/second"]);
        let last = origin.requests().pop().unwrap();
        assert_eq!(last.connection, 1);
        assert!(second.ends_with(&*String::from_utf8_lossy(&last.body.bytes)));
    }
}

/// A30
#[tokio::test]
async fn a_safe_request_is_not_sent_again_if_a_new_connection_closed() {
    let origin = Origin::scripted(|mut conversation| async move {
        conversation.request().await;
    })
    .await;
    let proxy = proxy_to(&origin).start().await;
    assert_eq!(proxy.get("/x").await.status(), 502);
    assert_eq!(origin.requests().len(), 1);
}

/// A30: what is sent on a connection that is known to be closed was not sent.
#[tokio::test]
async fn an_unsafe_request_goes_on_a_new_connection_if_the_kept_one_is_closed() {
    let closed = Arc::new(Semaphore::new(0));
    let tell = Arc::clone(&closed);
    let origin = Origin::scripted(move |mut conversation| {
        let tell = Arc::clone(&tell);
        async move {
            conversation.request().await;
            conversation.wire.send(OK).await;
            if conversation.number == 0 {
                conversation.wire.finish().await;
                // The proxy has noticed when it closes its side.
                conversation.closed().await;
                tell.add_permits(1);
            }
        }
    })
    .await;
    let proxy = proxy_to(&origin).config(|config| config.listen.workers = 1).start().await;
    proxy.get("/first").await;
    let _noticed = crate::support::soon("the end", closed.acquire()).await.unwrap();
    assert_eq!(proxy.ask(put("/second", "", "body")).await.status(), 200);
    assert_eq!(origin.requests()[1].body.bytes, b"body");
}
