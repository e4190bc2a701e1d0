//! HTTP/1 beyond framing rules: pipelining, limits, upgrades, early answers, stops.

use super::*;

const CLOSE: &str = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_at_any_split() {
    let chunked = "PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
    let bytes = format!(
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello{chunked}\
         GET /3 HTTP/1.1\r\nhost:a\r\n\r\nDELETE /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n{CLOSE}"
    );
    for piece in [bytes.len(), 1, 2, 3, 5, 17, 64] {
        let mut rig = rig().await;
        for piece in bytes.as_bytes().chunks(piece) {
            rig.send(piece).await;
        }
        assert_eq!(statuses(&rig.rest().await), [200; 5]);
        let expected = [
            "POST /1 [hello]",
            "PUT /2 [abc0123456789abcdef]",
            "GET /3 []",
            "DELETE /4 []",
            "GET /last []",
        ];
        assert_eq!(rig.echo.seen(), expected, "in pieces of {piece}");
    }
}

#[tokio::test]
async fn http_1_0_closes() {
    let mut rig = rig().await;
    rig.send("GET /1 HTTP/1.0\r\n\r\n").await;
    let answer = rig.rest().await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

#[tokio::test]
async fn a_head_of_the_allowed_size_passes_and_a_larger_one_is_431() {
    let config = Config::default();
    let limit = config.limits.head_bytes;
    let head = |size: usize| {
        let head = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \r\n\r\n";
        head.replace("X: ", &format!("X: {}", "x".repeat(size - head.len())))
    };
    for (size, status) in [(limit - 100, 200), (limit + 1, 431), (limit * 2, 431)] {
        let mut rig = rig().await;
        rig.send(head(size)).await;
        assert_eq!(statuses(&rig.rest().await), [status], "{size}");
    }
}

#[tokio::test]
async fn a_long_target_passes_and_a_longer_one_is_414() {
    for (size, status) in [(48 << 10, 200), (66_000, 414)] {
        let mut rig = rig().await;
        let target = format!("/{}", "x".repeat(size - 1));
        rig.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(statuses(&rig.rest().await), [status], "{size}");
    }
}

#[tokio::test]
async fn bytes_after_an_upgrade_request_are_held_until_its_101() {
    let mut rig = rig().await;
    let upgrade = "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";
    // Not HTTP at all, and sent together with the request.
    rig.send([upgrade.as_bytes(), b"\n\0early bytes"].concat()).await;
    rig.until("\r\n\r\n\n\0early bytes").await;
    rig.send(b"\r\r\n\0more").await;
    rig.until("\r\r\n\0more").await;
    rig.client.shutdown().await.unwrap();
    assert_eq!(rig.rest().await, "");
    assert_eq!(rig.echo.seen(), ["GET /socket"]);
}

#[tokio::test]
async fn bytes_after_a_refused_upgrade_are_http() {
    let mut rig = rig().await;
    let upgrade = "GET /1 HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n";
    rig.send(format!("{upgrade}{upgrade}{CLOSE}").replacen("/1", "/0", 1)).await;
    assert_eq!(statuses(&rig.rest().await), [200; 3]);
    assert_eq!(rig.echo.seen(), ["GET /0 []", "GET /1 []", "GET /last []"]);
}

#[tokio::test]
async fn bytes_after_a_refused_upgrade_are_read_strictly() {
    let mut rig = rig().await;
    let upgrade = "GET /1 HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n";
    rig.send(format!("{upgrade}GET /bad HTTP/1.1\nHost: a\r\n\r\n{CLOSE}")).await;
    assert_eq!(statuses(&rig.rest().await), [200, 400]);
    assert_eq!(rig.echo.seen(), ["GET /1 []"]);
}

#[tokio::test]
async fn a_client_that_leaves_while_its_upgrade_is_awaited_is_noticed() {
    let mut rig = rig().await;
    rig.send("GET /never HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
        .await;
    rig.client.shutdown().await.unwrap();
    tokio::time::timeout(AT_MOST, rig.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_early_answer_arrives_while_the_client_still_sends() {
    let mut rig = rig().await;
    rig.send("PUT /early HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n").await;
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..32 {
        rig.send(&piece).await;
    }
    let answer = rig.rest().await;
    assert_eq!(statuses(&answer), [413], "{answer}");
}

#[tokio::test]
async fn a_stop_closes_idle_connections_at_once() {
    let mut rig = rig().await;
    rig.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    rig.until("[]").await;
    let summary = rig.drain.run(&Config::default().limits).await;
    assert!(summary.took < AT_MOST);
    assert_eq!(summary.requests, 0);
    let mut rest = String::new();
    rig.client.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
}

#[tokio::test]
async fn a_stop_lets_a_request_finish_and_says_close() {
    let mut rig = rig().await;
    rig.send("PUT /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        .await;
    rig.until("100 Continue\r\n\r\n").await;
    let drain = std::mem::take(&mut rig.drain);
    let limits = Config::default().limits;
    let running = tokio::spawn(async move { drain.run(&limits).await });
    rig.send("bo").await;
    tokio::task::yield_now().await;
    rig.send("dy").await;
    let answer = rig.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(running.await.unwrap().requests, 0);
}

#[tokio::test]
async fn a_stop_cuts_requests_at_their_deadline() {
    let mut rig = rig().await;
    rig.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
    while rig.echo.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let drain = std::mem::take(&mut rig.drain);
    let limits = Config::default().limits;
    let summary = drain.run(&limits).await;
    assert_eq!(summary.requests, 1);
    assert!(summary.took >= limits.drain_requests);
    rig.serving.await.unwrap();
    assert_eq!(rig.echo.ended(), ["cut by a stop"]);
}

#[tokio::test]
async fn a_silent_client_is_closed() {
    for beginning in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut rig = rig().await;
        rig.send(beginning).await;
        if beginning.ends_with("\r\n\r\n") {
            rig.until("[]").await;
        }
        tokio::task::yield_now().await;
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let mut rest = String::new();
        rig.client.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "", "after {beginning:?}");
        // A half sent head is thrown away for a moment more.
        let idle = Config::default().limits.client_idle;
        let elapsed = begun.elapsed();
        assert!(elapsed <= idle + Duration::from_secs(3), "{elapsed:?} after {beginning:?}");
        tokio::time::resume();
    }
}
