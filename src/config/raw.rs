//! The files as they are written: one struct per table, one field per key.
//!
//! Nothing is checked here and nothing has a default; every leaf is a [`Given`] that remembers
//! where it stands and whether it could be read, so that one wrong value does not hide the next.
//! The names of the fields are the names of the keys. `config/passeur.toml` explains each of them,
//! and a test holds it to that.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::checked::{AccessLog, Endpoint, HostPattern, Peer};
use super::given::{Given, List, Secret};
use super::tours::{Progress, Wizard};
use super::values::{CloudUrl, Count, Host, Off, Prefix, Size, TargetUrl};

/// The main file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Main {
    pub sites: Option<Given<PathBuf>>,
    pub listen: Listen,
    pub admin: Admin,
    pub store: Store,
    pub limits: Limits,
    pub log: Log,
    pub tours: AllTours,
    pub appapi: AppApi,
    pub defaults: Site,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Listen {
    pub http: Option<List<Endpoint>>,
    pub https: Option<List<Endpoint>>,
    pub certificates: Option<Given<PathBuf>>,
    pub public_https_port: Option<Given<Count>>,
    pub proxy_protocol_from: Option<List<Peer>>,
    pub trusted_hops: Option<List<Peer>>,
    pub workers: Option<Given<Count>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Admin {
    pub listen: Option<Given<Off<Endpoint>>>,
    pub token: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Store {
    pub folder: Option<Given<PathBuf>>,
    pub postgres: Option<Secret>,
    pub key: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Limits {
    pub head_bytes: Option<Given<Size>>,
    pub client_idle: Option<Given<Duration>>,
    pub client_stall: Option<Given<Duration>>,
    pub client_rate: Option<Given<Size>>,
    pub handshake: Option<Given<Duration>>,
    pub h2_stream_window: Option<Given<Size>>,
    pub h2_connection_window: Option<Given<Size>>,
    pub h2_window_budget: Option<Given<Size>>,
    pub h2_streams: Option<Given<Count>>,
    pub connections: Option<Given<Count>>,
    pub drain_requests: Option<Given<Duration>>,
    pub drain_uploads: Option<Given<Duration>>,
    pub drain_websockets: Option<Given<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Log {
    pub access: Option<Given<AccessLog>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct AppApi {
    pub listen: Option<Given<Off<Endpoint>>>,
    pub secret: Option<Secret>,
}

/// A file of the sites folder; and `[defaults]` of the main file, where what makes a site this
/// one and no other is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Site {
    pub name: Option<Given<String>>,
    pub hosts: Option<List<Host>>,
    pub redirect_from: Option<List<HostPattern>>,
    pub redirect_to_https: Option<Given<bool>>,
    pub http2: Option<Given<bool>>,
    pub answer_well_known: Option<Given<bool>>,
    pub hsts: Option<Given<Off<String>>>,
    pub security_headers: Option<Given<bool>>,
    pub upstream: Upstream,
    pub dav: Dav,
    pub tours: Tours,
    pub access: Access,
    pub transfers: Transfers,
    pub limits: SiteLimits,
    pub routes: Vec<Spanned<Route>>,
    pub owners: Vec<Spanned<Owner>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Upstream {
    pub targets: Option<List<TargetUrl>>,
    pub http2: Option<Given<bool>>,
    pub ca: Option<Given<PathBuf>>,
    pub rewrite_host: Option<Given<bool>>,
    pub max_in_flight: Option<Given<Count>>,
    pub max_queued: Option<Given<Count>>,
    pub queue_wait: Option<Given<Duration>>,
    pub connect: Option<Given<Duration>>,
    pub response: Option<Given<Duration>>,
    pub stall: Option<Given<Duration>>,
    pub keep_alive: Option<Given<Duration>>,
    pub health_every: Option<Given<Off<Duration>>>,
    pub breaker_failures: Option<Given<Count>>,
    pub breaker_pause: Option<Given<Duration>>,
    pub websocket_idle: Option<Given<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Dav {
    pub guard_destination: Option<Given<bool>>,
    pub repair_etags: Option<Given<bool>>,
    pub join_moves: Option<Given<bool>>,
    pub refuse_infinite_depth: Option<Given<bool>>,
    pub spool_chunked: Option<Given<bool>>,
    pub spool_memory: Option<Given<Size>>,
    pub spool_max: Option<Given<Size>>,
    pub spool_folder: Option<Given<PathBuf>>,
}

/// `[tours]` of the main file: for all sites, whatever they say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct AllTours {
    pub enabled: Option<Given<bool>>,
    pub off: Option<List<String>>,
    pub source: Option<Given<String>>,
}

/// `[tours]` of a site, and `[defaults.tours]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Tours {
    pub enabled: Option<Given<bool>>,
    pub folder: Option<Given<PathBuf>>,
    pub shipped: Option<Given<bool>>,
    pub off: Option<List<String>>,
    pub progress: Option<Given<Progress>>,
    pub wizard: Option<Given<Wizard>>,
    pub help: Option<Given<bool>>,
    pub counters: Option<Given<bool>>,
    pub report_missing: Option<Given<Count>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Access {
    pub folder: Option<Given<Prefix>>,
    pub admin: Option<Given<String>>,
    pub hand_over_to: Option<List<CloudUrl>>,
    pub appapi: AccessApp,
    pub database: AccessDatabase,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct AccessApp {
    pub id: Option<Given<String>>,
    pub secret: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct AccessDatabase {
    pub dsn: Option<Secret>,
    pub prefix: Option<Given<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Transfers {
    pub at_once: Option<Given<Count>>,
    pub approval: Option<Given<bool>>,
    pub undo: Option<Given<Duration>>,
    pub bandwidth: Option<Given<Off<Size>>>,
    pub notify: Option<Given<bool>>,
    pub webhook: Option<Given<Off<CloudUrl>>>,
    pub webhook_secret: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct SiteLimits {
    pub requests: Option<Given<Off<Count>>>,
    pub in_flight: Option<Given<Off<Count>>>,
    pub bandwidth: Option<Given<Off<Size>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Route {
    pub prefix: Option<Given<Prefix>>,
    pub strip_prefix: Option<Given<bool>>,
    pub upstream: Upstream,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a table")]
pub(super) struct Owner {
    pub from: Option<Given<String>>,
    pub to: Option<Given<String>>,
    pub display_name: Option<Given<String>>,
}
