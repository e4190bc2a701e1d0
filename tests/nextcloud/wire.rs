//! What can go wrong on the way, from a server that answers bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use passeur::config::checked::{Access, Cloud, Target, TargetAddress};
use passeur::dav::client::{Error as DavError, Path, Retry};
use passeur::nextcloud::{Error, Instance};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{app_credentials, instance};

/// Answers every request on every connection with these bytes; then closes, or goes silent.
async fn server(answer: &'static str, close: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            count.fetch_add(1, Ordering::Relaxed);
            let _ = socket.write_all(answer.as_bytes()).await;
            if !close {
                held.push(socket);
            }
        }
    });
    (address, asked)
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let (address, _) = server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true).await;
    let client = instance(address).acting("a", &app_credentials("s")).dav();
    let download = client.get(&Path::root(), None).await.unwrap();
    assert_eq!(download.length, Some(100));
    assert!(download.body.collect().await.is_err());
    let (address, _) = server(
        "HTTP/1.1 207 Multi-Status\r\nContent-Length: 9999\r\n\r\n<d:multistatus xmlns:d=\"DAV:\">",
        true,
    )
    .await;
    let client = instance(address).acting("a", &app_credentials("s")).dav();
    let error = client.find(&Path::root(), &[]).await.unwrap_err();
    assert!(matches!(error, DavError::Unanswered { sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_was_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = instance(address).acting("a", &app_credentials("s")).dav();
    let error = client.mkcol(&Path::root()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Safe, "{error:?}");
}

#[tokio::test]
async fn a_change_is_sent_once_whatever_comes_back() {
    let (address, asked) = server("", true).await;
    let client = instance(address).acting("a", &app_credentials("s")).dav();
    let error = client.mkcol(&Path::root()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::LookFirst, "{error:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn one_refusal_is_enough() {
    let (address, asked) =
        server("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true)
            .await;
    let cloud = instance(address);
    for uid in ["a", "b", "a"] {
        let acting = cloud.acting(uid, &app_credentials("s"));
        assert!(matches!(acting.dav().mkcol(&Path::root()).await, Err(DavError::Refused)));
        assert!(acting.ocs().me().await.unwrap_err().is_refused());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_answer_that_is_no_ocs_is_said_so() {
    for (answer, status) in [
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>",
            Some(502),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>", None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", None),
    ] {
        let (address, _) = server(answer, true).await;
        let error =
            instance(address).acting("a", &app_credentials("s")).ocs().me().await.unwrap_err();
        let http = error.http().unwrap();
        assert_eq!(http.status().map(|status| status.as_u16()), status, "{error:?}");
    }
    let (address, _) = server(
        "HTTP/1.1 503 Service Unavailable\r\nX-Nextcloud-Maintenance-Mode: 1\r\nRetry-After: 120\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n",
        true,
    )
    .await;
    let error = instance(address).acting("a", &app_credentials("s")).ocs().me().await.unwrap_err();
    let http = error.http().unwrap();
    assert!(http.is_maintenance());
    assert_eq!(http.retry_after(), Some(Duration::from_secs(120)));
    assert_eq!(error.retry(), Retry::Safe);
}

/// The clock is let go only once the server has the request: with a paused clock time leaps as soon
/// as everybody waits.
#[tokio::test]
async fn silence_has_an_end() {
    let (address, asked) = server("", false).await;
    let cloud = instance(address);
    let status = tokio::spawn(async move { cloud.status().await });
    while asked.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(601)).await;
    let error = status.await.unwrap().unwrap_err();
    assert!(matches!(error.http(), Some(DavError::Unanswered { sent: true, .. })), "{error:?}");
}

fn listing(host: &str, port: u16) -> Access {
    let address = TargetAddress::Tcp { host: host.to_owned(), port };
    let target = Target { tls: false, http2: false, address };
    let cloud = Cloud { target, folder: "/nextcloud".to_owned() };
    Access { hand_over_to: vec![cloud], ..Access::default() }
}

#[tokio::test]
async fn only_what_is_listed_is_connected_to() {
    let (address, asked) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true).await;
    let access = listing("127.0.0.1", address.port());
    let at = |rest: &str| format!("http://127.0.0.1:{}{rest}", address.port());
    for wrong in [
        at(""),
        at("/"),
        at("/nextcloud2"),
        at("/nextcloud/../x"),
        at("/nextcloud?x"),
        at("/nextcloud#x"),
        format!("https://127.0.0.1:{}/nextcloud", address.port()),
        format!("http://u:p@127.0.0.1:{}/nextcloud", address.port()),
        format!("http://127.0.0.2:{}/nextcloud", address.port()),
        "http://127.0.0.1/nextcloud".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        let refused = Instance::elsewhere(&access, &wrong);
        assert!(matches!(refused, Err(Error::NotListed(_))), "{wrong}");
    }
    for right in [at("/nextcloud"), at("/nextcloud/")] {
        let elsewhere = Instance::elsewhere(&access, &right).unwrap();
        assert!(elsewhere.status().await.is_err());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    // A name that means this machine, though it is on the list.
    let named = listing("localhost.localdomain", address.port());
    let url = format!("http://localhost.localdomain:{}/nextcloud", address.port());
    let elsewhere = Instance::elsewhere(&named, &url).unwrap();
    let error = elsewhere.status().await.unwrap_err();
    assert_eq!(error.retry(), Retry::Safe, "{error:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
