//! Addresses that come and go with a reload.

use passeur::config::checked::Endpoint;
use tokio::net::UnixStream;

use crate::support::{Origin, Wire, get, proxy_to, soon};

#[tokio::test]
async fn addresses_change_while_connections_go_on() {
    let origin = Origin::ok().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut proxy = proxy_to(&origin).start().await;
    let old = proxy.server.http().unwrap();
    let mut kept = proxy.connect().await;
    kept.ask(get("/1", "")).await;

    let any = proxy.config.listen.http.clone();
    proxy.change(|config| config.listen.http.push(Endpoint::Unix(path.clone())));
    assert_eq!(proxy.server.http(), Some(old), "what stays is not bound again");
    let mut unix = Wire::new(UnixStream::connect(&path).await.unwrap());
    assert_eq!(unix.ask(get("/2", "")).await.status(), 200);

    // An address that cannot be had changes nothing.
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut wrong = proxy.config.clone();
    wrong.listen.http = vec![Endpoint::Tcp(taken.local_addr().unwrap())];
    assert!(proxy.server.apply(wrong).is_err());
    assert_eq!(proxy.get("/3").await.status(), 200);

    proxy.change(|config| config.listen.http.retain(|endpoint| !any.contains(endpoint)));
    assert_eq!(proxy.server.http(), None);
    let closed = async {
        while tokio::net::TcpStream::connect(old).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon("the end of the old address", closed).await;
    assert_eq!(kept.ask(get("/4", "")).await.status(), 200);
    assert_eq!(unix.ask(get("/5", "")).await.status(), 200);
    drop(proxy);
}
