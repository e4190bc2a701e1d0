//! Assembling a chunked upload. Row 29.

use std::sync::Arc;
use std::time::Duration;

use passeur::config::checked::UpstreamGroup;
use tokio::sync::Semaphore;

use crate::support::{HOST, Origin, Proxy, SHORT, proxy_to, request, site, soon};

const FILE: &str = "/remote.php/dav/uploads/alice/web-file-upload-1/.file";

fn assembling(fields: &str) -> String {
    let destination = format!("Destination: http://{HOST}/remote.php/dav/files/alice/x\r\n");
    request("MOVE", FILE, &(destination + fields))
}

/// An origin that answers MOVEs when it may, with their number.
async fn assembler() -> (Origin, Arc<Semaphore>) {
    let may = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&may);
    let origin = Origin::scripted(move |mut conversation| {
        let may = Arc::clone(&permits);
        async move {
            while conversation.request().await.is_some() {
                may.acquire().await.unwrap().forget();
                let number = conversation.number;
                let answer = format!(
                    "HTTP/1.1 201 Created\r\nOC-FileId: 7\r\nContent-Length: 1\r\n\r\n{number}"
                );
                conversation.wire.send(answer).await;
            }
        }
    })
    .await;
    (origin, may)
}

/// A29
#[tokio::test]
async fn a_repeated_move_gets_the_answer_of_the_first() {
    let (origin, may) = assembler().await;
    let proxy = proxy_to(&origin).start().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = proxy.connect().await;
        client.send(assembling("Authorization: Basic YQ==\r\n")).await;
        clients.push(client);
        origin.request(0).await;
    }
    joined(&proxy, 2).await;
    may.add_permits(10);
    for mut client in clients {
        let answer = client.answer_to("MOVE").await;
        assert_eq!((answer.status(), answer.text().as_str()), (201, "0"));
        assert_eq!(answer.head.field("oc-fileid").unwrap(), "7");
    }
    assert_eq!(origin.requests().len(), 1);
}

/// Waits until so many MOVEs wait for the answer to another one.
async fn joined(proxy: &Proxy, count: u64) {
    let site = Arc::clone(&proxy.server.shared().table.load().sites()[0]);
    let joined = async {
        while site.metrics.repairs().of("move_joined") < count {
            tokio::task::yield_now().await;
        }
    };
    soon("the repetitions", joined).await;
}

/// A29: the same MOVE on several workers at the same moment.
#[tokio::test]
async fn moves_that_come_together_are_one() {
    let (origin, may) = assembler().await;
    let proxy = proxy_to(&origin).start().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(proxy.connect().await);
    }
    for client in &mut clients {
        client.send(assembling("")).await;
    }
    joined(&proxy, 7).await;
    may.add_permits(10);
    for mut client in clients {
        assert_eq!(client.answer_to("MOVE").await.text(), "0");
    }
    assert_eq!(origin.requests().len(), 1);
}

/// A29
#[tokio::test]
async fn a_move_ends_although_its_client_left_and_the_answer_waits() {
    let (origin, may) = assembler().await;
    let proxy = proxy_to(&origin).start().await;
    let mut first = proxy.connect().await;
    first.send(assembling("")).await;
    origin.request(0).await;
    first.reset();
    may.add_permits(10);
    let answer = proxy.ask(assembling("")).await;
    assert_eq!((answer.status(), answer.text().as_str()), (201, "0"));
    assert_eq!(origin.requests().len(), 1);
    // It was taken, so the next one is a new one.
    proxy.ask(assembling("")).await;
    assert_eq!(origin.requests().len(), 2);
}

/// A29
#[tokio::test]
async fn nobody_gets_the_answer_to_somebody_elses_move() {
    let (origin, may) = assembler().await;
    let proxy = proxy_to(&origin).start().await;
    let mut others = Vec::new();
    for (number, fields) in [
        "Authorization: Basic YQ==\r\n",
        "Authorization: Basic Yg==\r\n",
        "Cookie: a=b\r\n",
        "XAuthorization: Basic YQ==\r\n",
        "AUTHORIZATION-APP-API: YQ==\r\n",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = proxy.connect().await;
        client.send(assembling(fields)).await;
        origin.request(number).await;
        others.push(client);
    }
    may.add_permits(10);
    for mut client in others {
        assert_eq!(client.answer_to("MOVE").await.status(), 201);
    }
}

/// A29
#[tokio::test]
async fn an_origin_may_think_for_longer_than_nextcloud_allows_itself() {
    let (origin, _may) = assembler().await;
    let nextcloud = Duration::from_secs(3600);
    let group: UpstreamGroup = origin.group();
    assert!(group.response > nextcloud && group.stall > nextcloud);
}

/// A29
#[tokio::test]
async fn an_origin_that_thinks_for_too_long_is_told_of_in_dav() {
    let (origin, _may) = assembler().await;
    let mut group = origin.group();
    group.response = SHORT;
    let proxy = proxy_to(&origin).and(site("slow", "slow.test", group)).start().await;
    let request = request("PROPFIND", "/remote.php/dav/", "").replace(HOST, "slow.test");
    let answer = soon("an answer", proxy.ask(request)).await;
    assert_eq!(answer.status(), 504);
    assert!(answer.text().contains("<d:error"), "{}", answer.text());
}

/// A29: the limit counts from the last piece of the upload, not from its beginning.
#[tokio::test]
async fn an_upload_that_moves_is_not_thinking() {
    let origin = Origin::ok().await;
    let mut group = origin.group();
    group.response = SHORT;
    let proxy = proxy_to(&origin).and(site("slow", "slow.test", group)).start().await;
    let mut client = proxy.connect().await;
    client.send("PUT /x HTTP/1.1\r\nHost: slow.test\r\nContent-Length: 10\r\n\r\n").await;
    for _ in 0..10 {
        // The pace is what is tested.
        tokio::time::sleep(SHORT / 5).await;
        client.send("x").await;
    }
    assert_eq!(client.answer_to("PUT").await.status(), 200);
}
