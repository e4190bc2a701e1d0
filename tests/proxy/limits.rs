//! What one site may use, and that the others do not feel it.

use std::time::{Duration, Instant};

use passeur::config::checked::SiteLimits;

use crate::support::{OK, Origin, Proxy, get, proxy_to, put, site};

/// The site next door.
const NEIGHBOUR: &str = "neighbour.test";

fn limits(change: impl FnOnce(&mut SiteLimits)) -> SiteLimits {
    let mut limits = SiteLimits::default();
    change(&mut limits);
    limits
}

async fn status(proxy: &Proxy, host: &str) -> u16 {
    let asked = get("/", "").replace(crate::support::HOST, host);
    proxy.ask(asked).await.status()
}

#[tokio::test]
async fn what_is_too_many_is_told_when_to_come_back() {
    let origin = Origin::ok().await;
    let limits = limits(|limits| limits.requests = Some(3));
    let setup = proxy_to(&origin).site(|site| site.limits = limits);
    let proxy = setup.and(site("neighbour", NEIGHBOUR, origin.group())).start().await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = proxy.get("/").await;
        assert_eq!(answer.status() == 429, answer.head.field("retry-after").is_some());
        statuses.push(answer.status());
    }
    assert_eq!(statuses[..3], [200; 3]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
    assert_eq!(status(&proxy, NEIGHBOUR).await, 200);
}

#[tokio::test]
async fn a_flood_at_one_site_does_not_slow_down_another() {
    // An origin as slow as PHP, which answers one after the other on each connection.
    let slow = Origin::scripted(|mut conversation| async move {
        while conversation.request().await.is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            conversation.wire.send(OK).await;
        }
    })
    .await;
    let origin = Origin::ok().await;
    let limits = limits(|limits| limits.in_flight = Some(8));
    let setup = proxy_to(&slow).site(|site| site.limits = limits);
    let proxy = setup.and(site("neighbour", NEIGHBOUR, origin.group())).start().await;
    let flood = async {
        let all = (0..300).map(|_| proxy.get("/"));
        let answers = futures_util::future::join_all(all).await;
        answers.iter().filter(|answer| answer.status() == 429).count()
    };
    let neighbour = async {
        let mut times = Vec::new();
        for _ in 0..40 {
            let begun = Instant::now();
            assert_eq!(status(&proxy, NEIGHBOUR).await, 200);
            times.push(begun.elapsed());
        }
        times.sort();
        times[times.len() / 2]
    };
    let (refused, median) = tokio::join!(flood, neighbour);
    assert!(refused > 100, "only {refused} of 300 were refused");
    assert!(median < Duration::from_millis(250), "the neighbour waits {median:?}");
}

#[tokio::test]
async fn bodies_go_no_faster_than_they_may() {
    let body = "x".repeat(60 << 10);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let origin = Origin::answering(answer).await;
    let limits = limits(|limits| limits.bandwidth = Some(100 << 10));
    let proxy = proxy_to(&origin).site(|site| site.limits = limits).start().await;
    let begun = Instant::now();
    let answer = proxy.ask(put("/remote.php/dav/files/alice/a", "", &body)).await;
    assert_eq!((answer.status(), answer.body.bytes.len()), (200, body.len()));
    assert_eq!(origin.only_request().body.bytes.len(), body.len());
    let second = proxy.get("/").await;
    assert_eq!(second.body.bytes.len(), body.len());
    assert!(begun.elapsed() > Duration::from_millis(700), "{:?}", begun.elapsed());
}
