//! A proxy between a client and an origin, all in this process, all on loopback.
//!
//! `proxy_to(&origin).site(…).limits(…).start().await` runs the real thing, on worker threads of
//! its own. The origin and the clients are raw sockets (and hyper for HTTP/2), so that a test sees
//! the bytes. Nothing sleeps to wait for something: every wait is for the event itself, with a
//! bound after which the test fails.

pub mod h2;
pub mod origin;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use passeur::cli::{Extras, Server};
use passeur::config::checked::{Config, Endpoint, HostPattern, Limits, Site, UpstreamGroup};
use passeur::tls::{Certificates, ClientStream, ClientTls, self_signed};
use tokio::net::TcpStream;

pub use h2::{H2, Pieces, builder};
pub use origin::{Conversation, OK, Origin};
pub use wire::{Answer, Wire, soon};

/// The host of the site under test.
pub const HOST: &str = "cloud.test";

/// A proxy about to start.
pub struct Setup {
    config: Config,
    site: Site,
    others: Vec<Site>,
}

/// A proxy that runs.
pub struct Proxy {
    pub server: Server,
    pub config: Config,
    authority: tempfile::NamedTempFile,
}

/// A site in front of `origin`.
pub fn proxy_to(origin: &Origin) -> Setup {
    let mut config = Config::default();
    let any = Endpoint::Tcp("127.0.0.1:0".parse().expect("an address"));
    config.listen.http = vec![any.clone()];
    config.listen.https = vec![any];
    config.listen.workers = 2;
    let mut site = site("cloud", HOST, origin.group());
    site.redirect_to_https = false;
    Setup { config, site, others: Vec::new() }
}

pub fn site(name: &str, host: &str, upstream: UpstreamGroup) -> Site {
    Site::to(name, vec![HostPattern::Exact(host.to_owned())], upstream)
}

impl Setup {
    pub fn site(mut self, change: impl FnOnce(&mut Site)) -> Self {
        change(&mut self.site);
        self
    }

    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.config.limits);
        self
    }

    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// The peer of all tests, loopback, is a listed hop.
    pub fn behind_a_trusted_hop(self) -> Self {
        let net = "127.0.0.0/8".parse().expect("a network");
        self.config(|config| config.listen.trusted_hops = vec![net])
    }

    /// One more site.
    pub fn and(mut self, mut site: Site) -> Self {
        site.redirect_to_https = false;
        self.others.push(site);
        self
    }

    pub async fn start(self) -> Proxy {
        let mut config = self.config;
        let sites = std::iter::once(self.site).chain(self.others);
        config.sites = sites.map(Arc::new).collect();
        let names = [HOST, "other.test", "127.0.0.1"].map(str::to_owned);
        let (certificate, key) = self_signed::generate(&names).expect("a certificate");
        let authority = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(authority.path(), &certificate).expect("a file");
        let certificates = Certificates::from_pem(certificate.as_bytes(), key.as_bytes());
        let certificates = Some(certificates.expect("a certificate"));
        let extras = Extras { certificates, ..Extras::default() };
        let server = Server::start_with(config.clone(), extras).await.expect("a server");
        Proxy { server, config, authority }
    }
}

impl Proxy {
    /// A plain connection.
    pub async fn connect(&self) -> Wire {
        Wire::new(tcp(self.server.http().expect("an address")).await)
    }

    /// A TLS connection that offers HTTP/1.1.
    pub async fn connect_tls(&self) -> Wire<ClientStream> {
        Wire::new(self.handshake(HOST, false).await.expect("a handshake"))
    }

    /// An HTTP/2 connection.
    pub async fn h2(&self) -> H2 {
        H2::start(self.handshake(HOST, true).await.expect("a handshake")).await
    }

    /// A TLS connection for `name` that offers `h2` alone, or `http/1.1` alone.
    pub async fn handshake(&self, name: &str, http2: bool) -> std::io::Result<ClientStream> {
        let tls = ClientTls::new(Some(self.authority.path()), http2).expect("TLS");
        let tcp = tcp(self.server.https().expect("an address")).await;
        soon("a handshake", tls.connect(name, tcp)).await
    }

    /// The answer to one request on a connection of its own.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        self.connect().await.ask(request).await
    }

    /// The answer to a request without a body.
    pub async fn get(&self, target: &str) -> Answer {
        self.ask(get(target, "")).await
    }

    /// Changes the running configuration, as a reload does.
    pub fn change(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.server.apply(self.config.clone()).expect("a reload");
    }
}

async fn tcp(address: std::net::SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(address).await.expect("a connection");
    tcp.set_nodelay(true).expect("a socket");
    tcp
}

/// A GET with more fields, each with its line end.
pub fn get(target: &str, fields: &str) -> String {
    request("GET", target, fields)
}

/// A request without a body.
pub fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")
}

/// A request with a body of known length.
pub fn put(target: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    request("PUT", target, &format!("Content-Length: {length}\r\n{fields}")) + body
}

/// A time limit for tests of time limits.
pub const SHORT: Duration = Duration::from_millis(300);
