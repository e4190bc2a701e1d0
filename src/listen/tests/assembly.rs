//! The whole path: bound sockets, acceptor, workers, PROXY header, TLS, both protocols.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::UnixStream;

use super::super::socket::{Address, Inherited, bind};
use super::super::{Workers, accept};
use super::*;
use crate::config::checked::{Endpoint, Limits};
use crate::tls::{Certificates, ClientTls, ServerTls, self_signed};

const NAME: &str = "cloud.example.org";
const GET: &str = "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

struct Running {
    echo: Echo,
    addresses: Vec<Address>,
    drain: Drain,
    workers: Arc<Workers>,
    acceptor: accept::Acceptor,
    folder: tempfile::TempDir,
}

/// Listens on plain TCP, a unix socket, and TLS; in this order.
async fn start(mut config: Config, shared: bool) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let any = Endpoint::Tcp("127.0.0.1:0".parse().unwrap());
    config.listen.http = vec![any.clone(), Endpoint::Unix(folder.path().join("socket"))];
    config.listen.https = vec![any];
    let (certificate, key) = self_signed::generate(&[NAME.to_owned()]).unwrap();
    std::fs::write(folder.path().join("root.crt"), &certificate).unwrap();
    let certificates = Certificates::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let tls = ServerTls::new(certificates, |_| true).unwrap();
    let (echo, drain) = (Echo::default(), Drain::default());
    let server = Server::new(echo.clone(), &config, Some(tls), drain.watch());
    let serve = move |socket, secure| {
        let server = server.clone();
        async move { server.serve(socket, secure).await }
    };
    let workers = if shared { Workers::shared(2, serve) } else { Workers::per_core(2, serve) };
    let workers = workers.unwrap();
    let listeners =
        bind(&config.listen.http, &config.listen.https, &mut Inherited::none()).unwrap();
    let addresses = listeners.iter().map(|listener| listener.address()).collect();
    let workers = Arc::new(workers);
    let (connections, watch) = (config.limits.connections, drain.watch());
    let mut acceptor = accept::Acceptor::new(workers.clone(), connections, listeners.len(), watch);
    for (listener, endpoint) in
        listeners.into_iter().zip(config.listen.http.iter().chain(&config.listen.https))
    {
        acceptor.listen(endpoint.clone(), listener).unwrap();
    }
    Running { echo, addresses, drain, workers, acceptor, folder }
}

impl Running {
    fn tcp(&self, at: usize) -> SocketAddr {
        match &self.addresses[at] {
            Address::Tcp(address) => *address,
            Address::Unix(path) => panic!("{} is no TCP address", path.display()),
        }
    }

    fn unix(&self) -> PathBuf {
        match &self.addresses[1] {
            Address::Unix(path) => path.clone(),
            Address::Tcp(address) => panic!("{address} is no path"),
        }
    }

    async fn stop(self) {
        let limits = Limits::default();
        let summary = self.drain.run(&limits).await;
        assert_eq!(summary.requests, 0);
        self.acceptor.closed().await;
        let workers = Arc::into_inner(self.workers).unwrap();
        tokio::task::spawn_blocking(|| workers.stop()).await.unwrap();
    }
}

async fn exchange(mut io: impl AsyncReadExt + AsyncWriteExt + Unpin, bytes: &[u8]) -> String {
    io.write_all(bytes).await.unwrap();
    let mut text = Vec::new();
    let reading = io.read_to_end(&mut text);
    // A refused PROXY header may reset the connection.
    let _ = tokio::time::timeout(AT_MOST, reading).await.expect("the server did not close");
    String::from_utf8_lossy(&text).into_owned()
}

fn trusting() -> Config {
    let mut config = Config::default();
    config.listen.proxy_protocol_from = vec!["127.0.0.0/8".parse().unwrap()];
    config
}

#[tokio::test]
async fn every_socket_serves_with_either_kind_of_worker() {
    for shared in [false, true] {
        let running = start(Config::default(), shared).await;
        let tcp = TcpStream::connect(running.tcp(0)).await.unwrap();
        let peer = tcp.local_addr().unwrap();
        assert_eq!(statuses(&exchange(tcp, GET.as_bytes()).await), [200]);
        let unix = UnixStream::connect(running.unix()).await.unwrap();
        assert_eq!(statuses(&exchange(unix, GET.as_bytes()).await), [200]);
        let root = running.folder.path().join("root.crt");
        let tls = ClientTls::new(Some(&root), false).unwrap();
        let tcp = TcpStream::connect(running.tcp(2)).await.unwrap();
        let stream = tls.connect(NAME, tcp).await.unwrap();
        assert_eq!(statuses(&exchange(stream, GET.as_bytes()).await), [200]);
        let connections = running.echo.connections.lock().unwrap().clone();
        assert_eq!(connections[0].peer, Some(peer));
        assert_eq!(connections[1].peer, None);
        assert!(!connections[1].secure);
        assert!(connections[2].secure);
        assert_eq!(connections[2].server_name.as_deref(), Some(NAME));
        running.stop().await;
    }
}

#[tokio::test]
async fn http2_is_spoken_by_alpn() {
    let running = start(Config::default(), false).await;
    let root = running.folder.path().join("root.crt");
    let tls = ClientTls::new(Some(&root), true).unwrap();
    let tcp = TcpStream::connect(running.tcp(2)).await.unwrap();
    let stream = TokioIo::new(tls.connect(NAME, tcp).await.unwrap());
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
    tokio::spawn(connection);
    let request =
        Request::put(format!("https://{NAME}/1")).body(Full::<Bytes>::from("body")).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, format!("PUT https://{NAME}/1 [body]"));
    assert!(running.echo.connections.lock().unwrap()[0].http2);
    running.stop().await;
}

#[tokio::test]
async fn a_proxy_header_is_believed_from_trusted_peers() {
    let running = start(trusting(), false).await;
    let header = "PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n";
    let tcp = TcpStream::connect(running.tcp(0)).await.unwrap();
    let answer = exchange(tcp, format!("{header}{GET}").as_bytes()).await;
    assert_eq!(statuses(&answer), [200]);
    let mut tcp = TcpStream::connect(running.tcp(2)).await.unwrap();
    tcp.write_all(header.as_bytes()).await.unwrap();
    let root = running.folder.path().join("root.crt");
    let stream = ClientTls::new(Some(&root), false).unwrap().connect(NAME, tcp).await.unwrap();
    assert_eq!(statuses(&exchange(stream, GET.as_bytes()).await), [200]);
    for connection in running.echo.connections.lock().unwrap().iter() {
        assert_eq!(connection.peer, Some("192.0.2.7:12345".parse().unwrap()));
        assert_eq!(connection.local, Some("198.51.100.1:443".parse().unwrap()));
        assert!(connection.proxied);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_trusted_peer_without_a_proxy_header_is_closed_unanswered() {
    let running = start(trusting(), false).await;
    let tcp = TcpStream::connect(running.tcp(0)).await.unwrap();
    assert_eq!(exchange(tcp, GET.as_bytes()).await, "");
    assert!(running.echo.seen().is_empty());
    while running.echo.ended().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.echo.ended(), ["failed to read the proxy header"]);
    running.stop().await;
}

#[tokio::test]
async fn a_proxy_header_names_the_client_of_a_unix_socket() {
    let mut config = Config::default();
    config.listen.proxy_protocol_from = vec!["unix".parse().unwrap()];
    let running = start(config, false).await;
    let header = "PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n";
    let unix = UnixStream::connect(running.unix()).await.unwrap();
    assert_eq!(statuses(&exchange(unix, format!("{header}{GET}").as_bytes()).await), [200]);
    let unix = UnixStream::connect(running.unix()).await.unwrap();
    assert_eq!(exchange(unix, GET.as_bytes()).await, "", "required of every unix peer");
    // Others need none.
    let tcp = TcpStream::connect(running.tcp(0)).await.unwrap();
    assert_eq!(statuses(&exchange(tcp, GET.as_bytes()).await), [200]);
    let connections = running.echo.connections.lock().unwrap().clone();
    assert_eq!(connections[0].peer, Some("192.0.2.7:12345".parse().unwrap()));
    running.stop().await;
}

#[tokio::test]
async fn a_proxy_header_from_others_is_a_bad_request() {
    let running = start(Config::default(), false).await;
    let header = "PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n";
    let tcp = TcpStream::connect(running.tcp(0)).await.unwrap();
    let answer = exchange(tcp, format!("{header}{GET}").as_bytes()).await;
    assert_eq!(statuses(&answer), [400]);
    assert!(running.echo.seen().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn silence_before_the_header_or_in_the_handshake_is_cut() {
    let mut config = trusting();
    config.limits.handshake = Duration::from_millis(50);
    for (config, at) in
        [(config.clone(), 0), (Config { listen: Config::default().listen, ..config }, 2)]
    {
        let running = start(config, false).await;
        let mut tcp = TcpStream::connect(running.tcp(at)).await.unwrap();
        let mut byte = [0; 1];
        let reading = tcp.read(&mut byte);
        assert!(matches!(tokio::time::timeout(AT_MOST, reading).await.unwrap(), Ok(0) | Err(_)));
        while running.echo.ended().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(running.echo.ended(), ["handshake took too long"]);
        running.stop().await;
    }
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_others_to_end() {
    let mut config = Config::default();
    // One per listener is always allowed.
    config.limits.connections = 3;
    let running = start(config, false).await;
    let mut open = Vec::new();
    // Two of the three are kept by the listeners that have no clients.
    let first = TcpStream::connect(running.tcp(0)).await.unwrap();
    open.push(first);
    let mut second = TcpStream::connect(running.tcp(0)).await.unwrap();
    second.write_all(GET.as_bytes()).await.unwrap();
    let mut byte = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(50), second.read(&mut byte)).await;
    assert!(early.is_err(), "it was served beyond the cap");
    open.clear();
    let text = tokio::time::timeout(AT_MOST, second.read(&mut byte)).await.unwrap();
    assert_eq!(text.unwrap(), 1);
    drop(second);
    running.stop().await;
}

#[tokio::test]
async fn upgraded_connections_count_against_the_cap() {
    let mut config = Config::default();
    config.limits.connections = 3;
    let running = start(config, false).await;
    let mut upgraded = TcpStream::connect(running.tcp(0)).await.unwrap();
    let upgrade =
        "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nx";
    upgraded.write_all(upgrade.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\nx") {
        text.push(upgraded.read_u8().await.unwrap());
    }
    let mut second = TcpStream::connect(running.tcp(0)).await.unwrap();
    second.write_all(GET.as_bytes()).await.unwrap();
    let mut byte = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(50), second.read(&mut byte)).await;
    assert!(early.is_err(), "it was served beyond the cap");
    drop(upgraded);
    let text = tokio::time::timeout(AT_MOST, second.read(&mut byte)).await.unwrap();
    assert_eq!(text.unwrap(), 1);
    drop(second);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_closes_the_sockets() {
    let running = start(Config::default(), false).await;
    let (address, path) = (running.tcp(0), running.unix());
    running.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!path.exists());
}
