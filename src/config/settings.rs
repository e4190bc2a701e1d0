//! The main file: from [`raw::Main`] to a [`Config`] without sites, and to the [`Base`] that every
//! site starts from.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use super::checked::{
    AccessLog, Admin, AllTours, AppApi, Config, Endpoint, Ground, Limits, Listen, Log, Peer, Store,
};
use super::checker::Checker;
use super::fault::Fault;
use super::given::List;
use super::raw;
use super::site::Base;
use super::values::Off;

/// Where the files of the sites are, if the main file does not say.
pub(super) const SITES: &str = "sites";

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The largest window of RFC 9113, section 6.9.1.
const MAX_WINDOW: u64 = (1 << 31) - 1;
/// What a stream has before anyone says anything (RFC 9113, section 6.9.2).
const MIN_WINDOW: u64 = (1 << 16) - 1;

/// A span of time that a setting may have.
pub(super) const fn millis(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(from)..=Duration::from_millis(to)
}

pub(super) const SECOND: u64 = 1000;
pub(super) const HOUR: u64 = 3600 * SECOND;
pub(super) const DAY: u64 = 24 * HOUR;

/// What the main file says.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) base: Base,
    pub(super) sites: PathBuf,
    /// Where the folder of the sites is named, if it is.
    pub(super) sites_at: Option<Range<usize>>,
}

impl Settings {
    /// Checks the main file.
    pub(super) fn of(raw: raw::Main, checker: &mut Checker<'_>) -> Self {
        let (sites, sites_at) = match checker.path(raw.sites) {
            Some((path, span)) => (path, Some(span)),
            None => (checker.world.resolve(SITES.as_ref()), None),
        };
        let mut endpoints = Vec::new();
        let mut config = Config {
            listen: listen(raw.listen, &mut endpoints, checker),
            admin: admin(raw.admin, &mut endpoints, checker),
            store: store(raw.store, checker),
            limits: limits(raw.limits, checker),
            log: log(raw.log, checker),
            tours: AllTours::of(raw.tours, checker),
            appapi: appapi(raw.appapi, &mut endpoints, checker),
            sites: Vec::new(),
            ground: Ground::default(),
        };
        refuse_doubles(&endpoints, checker);
        let base = Base::of(raw.defaults, checker);
        config.ground = Ground { base: base.clone(), folder: checker.world.resolve("".as_ref()) };
        Self { config, base, sites, sites_at }
    }
}

type Placed<T> = (T, Range<usize>);

fn listen(
    raw: raw::Listen,
    endpoints: &mut Vec<Placed<Endpoint>>,
    checker: &mut Checker<'_>,
) -> Listen {
    let mut listen = Listen::default();
    let wants = raw.http.is_some() || raw.https.is_some();
    let (http, https) = (checker.list(raw.http), checker.list(raw.https));
    let (http, https) = (http.unwrap_or_default(), https.unwrap_or_default());
    if http.is_empty() && https.is_empty() && (!wants || checker.errors.is_empty()) {
        checker.error_of_file(Fault::NoListener);
    }
    certificates(&mut listen, raw.certificates, &https, checker);
    if let Some((port, span)) = checker.value(raw.public_https_port) {
        listen.public_https_port = checker
            .within(&port, span, 1..=u64::from(u16::MAX))
            .and_then(|port| u16::try_from(port).ok());
    }
    listen.proxy_protocol_from = peers(raw.proxy_protocol_from, checker);
    listen.trusted_hops = peers(raw.trusted_hops, checker);
    checker.set_amount(&mut listen.workers, raw.workers, 0..=1024);
    listen.http = http.iter().map(|(endpoint, _)| endpoint.clone()).collect();
    listen.https = https.iter().map(|(endpoint, _)| endpoint.clone()).collect();
    endpoints.extend(http);
    endpoints.extend(https);
    listen
}

fn certificates(
    listen: &mut Listen,
    raw: Option<super::given::Given<PathBuf>>,
    https: &[Placed<Endpoint>],
    checker: &mut Checker<'_>,
) {
    let given = raw.is_some();
    let folder = checker.path(raw);
    match (&folder, https.first()) {
        (Some((folder, span)), Some(_)) => {
            if let Some(fault) = checker.world.check_folder(folder) {
                checker.error(span.clone(), fault);
            }
        }
        (Some((_, span)), None) => checker.warn(span.clone(), Fault::CertificatesUnused),
        (None, Some((_, span))) if !given => {
            checker.error(span.clone(), Fault::CertificatesMissing);
        }
        (None, _) => {}
    }
    listen.certificates = folder.map(|(folder, _)| folder);
}

fn peers(raw: Option<List<Peer>>, checker: &mut Checker<'_>) -> Vec<Peer> {
    let peers = checker.list(raw).unwrap_or_default();
    for (peer, span) in &peers {
        if matches!(peer, Peer::Net(network) if network.prefix_len() == 0) {
            checker.warn(span.clone(), Fault::NetworkAll);
        }
    }
    peers.into_iter().map(|(peer, _)| peer).collect()
}

fn admin(
    raw: raw::Admin,
    endpoints: &mut Vec<Placed<Endpoint>>,
    checker: &mut Checker<'_>,
) -> Admin {
    let token = checker.secret(raw.token);
    let Some((Off::On(endpoint), span)) = checker.value(raw.listen) else {
        return Admin { listen: None, token };
    };
    if let Endpoint::Tcp(address) = &endpoint
        && !address.ip().to_canonical().is_loopback()
        && token.is_none()
    {
        checker.warn(span.clone(), Fault::AdminExposed);
    }
    endpoints.push((endpoint.clone(), span));
    Admin { listen: Some(endpoint), token }
}

fn appapi(
    raw: raw::AppApi,
    endpoints: &mut Vec<Placed<Endpoint>>,
    checker: &mut Checker<'_>,
) -> AppApi {
    let secret = checker.secret(raw.secret);
    let listen = match checker.value(raw.listen) {
        Some((Off::On(endpoint), span)) => {
            endpoints.push((endpoint.clone(), span));
            Some(endpoint)
        }
        _ => None,
    };
    AppApi { listen, secret }
}

fn store(raw: raw::Store, checker: &mut Checker<'_>) -> Store {
    let folder = checker.path(raw.folder);
    if let Some((folder, span)) = &folder
        && let Some(fault) = checker.world.check_store(folder)
    {
        checker.error(span.clone(), fault);
    }
    let folder = folder.map(|(folder, _)| folder);
    Store { folder, postgres: checker.secret(raw.postgres), key: checker.secret(raw.key) }
}

/// Two listeners on one address; port 0 is a new port each time.
fn refuse_doubles(endpoints: &[Placed<Endpoint>], checker: &mut Checker<'_>) {
    for (index, (endpoint, span)) in endpoints.iter().enumerate() {
        let free = matches!(endpoint, Endpoint::Tcp(address) if address.port() == 0);
        let earlier = endpoints[..index].iter().find(|(other, _)| other == endpoint && !free);
        if let Some((_, earlier)) = earlier {
            let earlier = checker.source.line_of(earlier);
            checker.error(span.clone(), Fault::DoubleEndpoint(earlier));
        }
    }
}

fn limits(raw: raw::Limits, checker: &mut Checker<'_>) -> Limits {
    let mut limits = Limits::default();
    let l = &mut limits;
    checker.set_amount(&mut l.head_bytes, raw.head_bytes, 8 * KIB..=16 * MIB);
    checker.set_duration(&mut l.client_idle, raw.client_idle, millis(SECOND, DAY));
    checker.set_duration(&mut l.client_stall, raw.client_stall, millis(SECOND, DAY));
    checker.set_amount(&mut l.client_rate, raw.client_rate, 0..=GIB);
    checker.set_duration(&mut l.handshake, raw.handshake, millis(100, HOUR));
    let stream =
        checker.set_amount(&mut l.h2_stream_window, raw.h2_stream_window, MIN_WINDOW..=MAX_WINDOW);
    let connection = raw.h2_connection_window;
    let connection =
        checker.set_amount(&mut l.h2_connection_window, connection, MIN_WINDOW..=MAX_WINDOW);
    let budget =
        checker.set_amount(&mut l.h2_window_budget, raw.h2_window_budget, MIB..=1024 * GIB);
    checker.set_amount(&mut l.h2_streams, raw.h2_streams, 1..=10_000);
    checker.set_amount(&mut l.connections, raw.connections, 1..=10_000_000);
    checker.set_duration(&mut l.drain_requests, raw.drain_requests, millis(0, DAY));
    checker.set_duration(&mut l.drain_uploads, raw.drain_uploads, millis(0, DAY));
    checker.set_duration(&mut l.drain_websockets, raw.drain_websockets, millis(0, DAY));
    if l.h2_connection_window < l.h2_stream_window {
        let names = ("h2_connection_window", "h2_stream_window");
        refuse_order((connection.clone(), stream), names, checker);
    }
    if l.h2_window_budget < l.h2_connection_window as usize {
        let names = ("h2_window_budget", "h2_connection_window");
        refuse_order((budget, connection), names, checker);
    }
    limits
}

/// The first of two settings is smaller than the second; said where one of them stands.
fn refuse_order(
    (small, large): (Option<Range<usize>>, Option<Range<usize>>),
    names: (&'static str, &'static str),
    checker: &mut Checker<'_>,
) {
    match (small, large) {
        (Some(span), _) => {
            checker.error(span, Fault::Order { is: "smaller", than: names.1 });
        }
        (None, Some(span)) => checker.error(span, Fault::Order { is: "larger", than: names.0 }),
        (None, None) => {}
    }
}

fn log(raw: raw::Log, checker: &mut Checker<'_>) -> Log {
    let mut log = Log::default();
    let Some((access, span)) = checker.value(raw.access) else { return log };
    log.access = match access {
        AccessLog::File(path) => {
            let path = checker.world.resolve(&path);
            if let Some(fault) = checker.world.check_parent(&path) {
                checker.error(span, fault);
            }
            AccessLog::File(path)
        }
        other => other,
    };
    log
}
