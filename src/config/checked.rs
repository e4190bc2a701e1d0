//! What the rest of Passeur works from: settings that were read, checked and given their defaults.
//!
//! Parse, don't validate: the fields here are of types that cannot hold a wrong value (a host is
//! lower case and without port, a duration is not negative, a prefix starts with `/`). Everything
//! compares with `==`, which is how a reload finds the sites that did not change.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

pub use super::kept::{Ground, KeptSecret};
pub use super::tours::{AllTours, Progress, Tours, Wizard};
use crate::pace::Patience;
use crate::tls::Authorities;

/// A whole configuration, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// Where operators connect: metrics, health, later the host's door.
    pub admin: Admin,
    /// Where Passeur keeps what it has to remember.
    pub store: Store,
    /// How long things may take and how large they may grow.
    pub limits: Limits,
    /// Where the access log goes.
    pub log: Log,
    /// Tours, for all sites at once.
    pub tours: AllTours,
    /// Passeur as an external app of its sites.
    pub appapi: AppApi,
    /// The sites, in the order of their files.
    pub sites: Vec<Arc<Site>>,
    /// What sites start from that are in no file.
    pub ground: Ground,
}

/// Sockets that accept clients, and who may speak for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listen {
    /// Plain HTTP sockets.
    pub http: Vec<Endpoint>,
    /// TLS sockets.
    pub https: Vec<Endpoint>,
    /// Folder with `NAME.crt`/`NAME.key` (or `NAME/fullchain.pem`, `NAME/privkey.pem`) pairs.
    pub certificates: Option<PathBuf>,
    /// Port that redirects to HTTPS name, when it is not the one Passeur listens on itself.
    pub public_https_port: Option<u16>,
    /// Peers whose PROXY protocol header is required and believed.
    pub proxy_protocol_from: Vec<Peer>,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed and extended.
    pub trusted_hops: Vec<Peer>,
    /// Worker threads, each with its own runtime and upstream connections; 0: one per core.
    pub workers: usize,
}

/// Who connects: those at an address, or on this machine through a unix socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// Addresses; never as IPv4 within IPv6.
    Net(IpNet),
    /// Whoever may open our unix sockets.
    Unix,
}

/// Where a listening socket comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Endpoint {
    /// An address to bind; port 0 lets the kernel choose.
    Tcp(SocketAddr),
    /// A path to bind a unix socket at.
    Unix(PathBuf),
    /// A socket that systemd passes, by its `FileDescriptorName=` or position.
    Systemd(String),
}

/// The operator's listener.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admin {
    /// Where it listens; `None` turns it off.
    pub listen: Option<Endpoint>,
    /// What has to be shown as a bearer token to see more than health.
    pub token: Option<SecretSource>,
}

/// Passeur's own database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Store {
    /// Where its file is, and the key that seals secrets; without it, nothing is remembered.
    pub folder: Option<PathBuf>,
    /// The address of a PostgreSQL database, used instead of a file.
    pub postgres: Option<SecretSource>,
    /// The keys, instead of a file in `folder`.
    pub key: Option<SecretSource>,
}

/// Passeur as an external app (AppAPI), for all sites.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppApi {
    /// Where instances ask whether the app is well; `None`: nowhere.
    pub listen: Option<Endpoint>,
    /// What the secrets of those sites are made of that have none of their own.
    pub secret: Option<SecretSource>,
}

/// Where a secret is; never the secret itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// A file in the folder that systemd made for credentials.
    Credential(String),
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
    /// In Passeur's store, with the site that needs it.
    Kept(KeptSecret),
}

/// Times and sizes that hold for every site.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Largest request head (line and fields), bytes.
    pub head_bytes: usize,
    /// A client connection without a request, or with an unfinished head, is closed after this.
    pub client_idle: Duration,
    /// A client that sends none of its announced body, or takes none of its answer, is cut off after this.
    pub client_stall: Duration,
    /// What a client has to send or take, on average over two stalls, bytes per second; 0: any.
    pub client_rate: u64,
    /// TLS handshakes and PROXY headers have to be complete within this.
    pub handshake: Duration,
    /// HTTP/2 receive window of a stream, bytes.
    pub h2_stream_window: u32,
    /// HTTP/2 receive window of a connection, bytes.
    pub h2_connection_window: u32,
    /// What all HTTP/2 connection windows together may promise, bytes.
    pub h2_window_budget: usize,
    /// Concurrent HTTP/2 streams of one connection.
    pub h2_streams: u32,
    /// Client connections at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// How long a stop waits for requests.
    pub drain_requests: Duration,
    /// How long a stop waits for uploads.
    pub drain_uploads: Duration,
    /// How long a stop waits for WebSockets.
    pub drain_websockets: Duration,
}

impl Peer {
    /// Whether it is this peer; one without an address came through a unix socket.
    #[must_use]
    pub fn is(&self, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Peer::Net(net), Some(address)) => net.contains(&address.to_canonical()),
            (Peer::Unix, None) => true,
            _ => false,
        }
    }
}

impl From<IpNet> for Peer {
    fn from(net: IpNet) -> Self {
        Self::Net(net)
    }
}

/// `unix`, a network, or an address.
impl FromStr for Peer {
    type Err = ipnet::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse::<IpAddr>()) {
            ("unix", _) => Ok(Self::Unix),
            (_, Ok(address)) => Ok(Self::Net(address.into())),
            (_, Err(_)) => text.parse().map(Self::Net),
        }
    }
}

impl Limits {
    /// How long a client may let us wait, within its body or for taking an answer.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience { pause: self.client_stall, rate: self.client_rate }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 128 << 10,
            client_idle: Duration::from_secs(75),
            client_stall: Duration::from_secs(300),
            client_rate: 512,
            handshake: Duration::from_secs(15),
            h2_stream_window: 4 << 20,
            h2_connection_window: 16 << 20,
            h2_window_budget: 1 << 30,
            h2_streams: 100,
            connections: 100_000,
            drain_requests: Duration::from_secs(30),
            drain_uploads: Duration::from_secs(600),
            drain_websockets: Duration::from_secs(10),
        }
    }
}

/// What is written down about requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// Access log.
    pub access: AccessLog,
}

/// Where access lines go.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AccessLog {
    /// Not written.
    #[default]
    Off,
    /// One JSON object per line on standard output.
    Stdout,
    /// One JSON object per line, appended to a file that is reopened on reload.
    File(PathBuf),
}

/// One Nextcloud instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name: `[a-z0-9.-]`, unique; the file name without `.toml`, unless the file says another.
    pub name: String,
    /// Host names it answers to; the first exact one is canonical.
    pub hosts: Vec<HostPattern>,
    /// Host names that are redirected to the canonical one (301 for GET and HEAD, 308 else).
    pub redirect_from: Vec<HostPattern>,
    /// Whether plain HTTP is redirected to HTTPS when a certificate covers the host.
    pub redirect_to_https: bool,
    /// Where requests go that no route takes.
    pub upstream: UpstreamGroup,
    /// Path prefixes that go elsewhere, longest first.
    pub routes: Vec<Route>,
    /// DAV repairs and guards.
    pub dav: DavRules,
    /// Answers `/.well-known/caldav` and `carddav` with the redirect itself.
    pub answer_well_known: bool,
    /// Whether clients may use HTTP/2 with this site.
    pub http2: bool,
    /// Adds `Strict-Transport-Security` with this value on HTTPS, where the origin sends none.
    pub hsts: Option<String>,
    /// Adds the other headers that Nextcloud's setup check wants, where the origin sends none.
    pub security_headers: bool,
    /// Accounts shown as others in multistatus answers.
    pub owners: Vec<OwnerRule>,
    /// Guided tours.
    pub tours: Tours,
    /// How Passeur may act for its accounts.
    pub access: Access,
    /// How its accounts' things are handed over.
    pub transfers: Transfers,
    /// How much of Passeur it may use.
    pub limits: SiteLimits,
}

/// How much of Passeur one site may use, and each instance of a wildcard site; `None`: as much as
/// there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteLimits {
    /// Requests in a second.
    pub requests: Option<u64>,
    /// Requests at a time.
    pub in_flight: Option<usize>,
    /// Bytes of bodies in a second, to and from clients together.
    pub bandwidth: Option<u64>,
}

/// How things are handed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfers {
    /// How many may be worked on at a time.
    pub at_once: u32,
    /// Whether a second person has to approve each transfer.
    pub approval: bool,
    /// How long a transfer can be undone.
    pub undo: Duration,
    /// Bytes in a second that may be carried; `None`: as many as can be.
    pub bandwidth: Option<u64>,
    /// Whether the accounts are told by Nextcloud's notifications at the end.
    pub notify: bool,
    /// Where the end of each transfer is told.
    pub webhook: Option<Cloud>,
    /// What signs it.
    pub webhook_secret: Option<SecretSource>,
}

/// How Passeur may act for the accounts of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The path below which Nextcloud is: empty, or `/nextcloud`.
    pub folder: String,
    /// The account as which Passeur asks what only an admin may.
    pub admin: String,
    /// The name of Passeur as an external app.
    pub app: String,
    /// The secret it has as such; without it, one is made of [`AppApi::secret`].
    pub app_secret: Option<SecretSource>,
    /// The database of the instance.
    pub database: Option<Database>,
    /// Nextclouds elsewhere that may be given what this site has.
    pub hand_over_to: Vec<Cloud>,
}

/// The database of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Holds its address, with account and password.
    pub dsn: SecretSource,
    /// What its tables begin with.
    pub prefix: String,
}

/// A Nextcloud that is no site of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cloud {
    /// Where it is.
    pub target: Target,
    /// The path below which Nextcloud is: empty, or `/nextcloud`.
    pub folder: String,
}

/// A host name, or all names one label below one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HostPattern {
    /// `cloud.example.org`, lower case, no port, no trailing dot.
    Exact(String),
    /// `*.example.org`, kept as `example.org`.
    Wildcard(String),
}

/// Web servers that serve the same thing, and how they are used.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamGroup {
    /// At least one.
    pub targets: Vec<Target>,
    /// Requests in flight at one target; more wait in a queue.
    pub max_in_flight: usize,
    /// Requests that may wait for a target; more get 503 at once.
    pub max_queued: usize,
    /// How long a request may wait in that queue.
    pub queue_wait: Duration,
    /// How long a connection may take to open.
    pub connect: Duration,
    /// How long the origin may think before its answer starts.
    pub response: Duration,
    /// How long the origin may pause within its answer.
    pub stall: Duration,
    /// Idle connections are closed after this; shorter than the origin's own.
    pub keep_alive: Duration,
    /// Pause between two health probes; `None`: no probes.
    pub health_every: Option<Duration>,
    /// Consecutive connection failures that open the breaker.
    pub breaker_failures: u32,
    /// How long an open breaker refuses.
    pub breaker_pause: Duration,
    /// A WebSocket without traffic is closed after this.
    pub websocket_idle: Duration,
    /// Replace `Host` by the target's own authority (and send `X-Forwarded-Host`).
    pub rewrite_host: bool,
    /// Certificate authorities for `https` targets; `None`: the system's.
    pub ca: Option<Authorities>,
}

/// One web server.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Whether HTTP/2 is spoken (by ALPN with TLS, by prior knowledge without).
    pub http2: bool,
    /// Where to connect.
    pub address: TargetAddress,
}

/// Where a target listens.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum TargetAddress {
    /// Host (name, IPv4, or IPv6 without brackets; may hold `{label}` in wildcard sites) and port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

/// A path prefix with its own upstreams.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Starts with `/`; matched on whole segments: `/push` takes `/push` and `/push/ws`, not `/pushy`.
    pub prefix: String,
    /// Whether the prefix is cut from the request target.
    pub strip_prefix: bool,
    /// Where it goes.
    pub upstream: UpstreamGroup,
}

/// Switches of the DAV rules; see `docs/pitfalls.md` for the row each one answers.
#[derive(Clone, Debug, PartialEq)]
pub struct DavRules {
    /// Refuse a `Destination` or tagged `If` of another authority (A39).
    pub guard_destination: bool,
    /// Undo what compression did to ETags (A33).
    pub repair_etags: bool,
    /// Let a repeated assembling MOVE wait for the one that runs (A29).
    pub join_moves: bool,
    /// Give uploads without a length one, by storing them first (A22).
    pub spool_chunked: Option<Spool>,
    /// Refuse `Depth: infinity` PROPFIND (A41).
    pub refuse_infinite_depth: bool,
}

impl Default for DavRules {
    fn default() -> Self {
        Self {
            guard_destination: true,
            repair_etags: true,
            join_moves: true,
            spool_chunked: None,
            refuse_infinite_depth: false,
        }
    }
}

/// Where uploads without a length wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Spool {
    /// Bytes kept in memory before a file is used.
    pub memory: usize,
    /// Largest upload spooled; larger ones get 413.
    pub max: u64,
    /// Folder of the unnamed files.
    pub folder: PathBuf,
}

impl Default for Spool {
    fn default() -> Self {
        Self { memory: 1 << 20, max: 10 << 30, folder: PathBuf::from("/var/tmp") }
    }
}

/// One account shown as another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnerRule {
    /// The account id that the instance reports.
    pub from: String,
    /// The account id shown instead.
    pub to: String,
    /// The display name shown instead.
    pub display_name: String,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            folder: String::new(),
            admin: "admin".to_owned(),
            app: "passeur".to_owned(),
            app_secret: None,
            database: None,
            hand_over_to: Vec::new(),
        }
    }
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            at_once: 1,
            approval: false,
            undo: Duration::from_secs(7 * 24 * 3600),
            bandwidth: None,
            notify: true,
            webhook: None,
            webhook_secret: None,
        }
    }
}

impl std::fmt::Display for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.target.tls { "https" } else { "http" };
        let authority = self.target.authority();
        let host = authority.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
        write!(f, "{scheme}://{host}{}", self.folder)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Tcp(address) => write!(f, "{address}"),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Wildcard(rest) => write!(f, "*.{rest}"),
        }
    }
}

impl UpstreamGroup {
    /// A group with one target and every default.
    #[must_use]
    pub fn to(target: Target) -> Self {
        Self {
            targets: vec![target],
            max_in_flight: 512,
            max_queued: 1024,
            queue_wait: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            response: Duration::from_secs(3610),
            stall: Duration::from_secs(3610),
            keep_alive: Duration::from_secs(4),
            health_every: None,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(5),
            websocket_idle: Duration::from_secs(10 * 3600),
            rewrite_host: false,
            ca: None,
        }
    }
}

impl Site {
    /// A site with one target and every default; `hosts` empty means that it takes every host.
    #[must_use]
    pub fn to(name: &str, hosts: Vec<HostPattern>, upstream: UpstreamGroup) -> Self {
        Self {
            name: name.to_owned(),
            hosts,
            redirect_from: Vec::new(),
            redirect_to_https: true,
            upstream,
            routes: Vec::new(),
            dav: DavRules::default(),
            answer_well_known: false,
            http2: true,
            hsts: None,
            security_headers: false,
            owners: Vec::new(),
            tours: Tours::default(),
            access: Access::default(),
            transfers: Transfers::default(),
            limits: SiteLimits::default(),
        }
    }
}

impl Target {
    /// Whether it is found by a name that somebody else may give another meaning.
    #[must_use]
    pub fn is_named(&self) -> bool {
        match &self.address {
            TargetAddress::Unix(_) => false,
            TargetAddress::Tcp { host, .. } => {
                host != "localhost" && host.parse::<std::net::IpAddr>().is_err()
            }
        }
    }

    /// What belongs into `Host` for it; `None` for unix sockets.
    #[must_use]
    pub fn authority(&self) -> Option<http::HeaderValue> {
        let TargetAddress::Tcp { host, port } = &self.address else { return None };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let default = if self.tls { 443 } else { 80 };
        let text = if *port == default { host } else { format!("{host}:{port}") };
        http::HeaderValue::try_from(text).ok()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.address {
            TargetAddress::Unix(path) => write!(f, "unix:{}", path.display()),
            TargetAddress::Tcp { host, port } => {
                let scheme = if self.tls { "https" } else { "http" };
                let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                write!(f, "{scheme}://{bracketed}:{port}")
            }
        }
    }
}
