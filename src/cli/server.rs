//! Everything put together: sites, stack, gateway, workers, listeners, the operator's listener.
//!
//! The main thread accepts, probes and answers operators; workers carry. A [`Server`] changes its
//! sites and settings in one place, [`Server::apply`], whoever asks: file watch, signal, or test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use secrecy::SecretString;
use tokio::task::JoinHandle;

use super::doors::{Handover, OpenError};
use crate::admin::{self, Operator};
use crate::config::checked::{AccessLog, Config};
use crate::config::{Reloads, SecretError};
use crate::gateway::{Gateway, Settings, Shared};
use crate::intercept::{self, Stack};
use crate::listen::socket::{self, Address, Inherited, Listener};
use crate::listen::{self, Drain, Workers, accept, drain, workers};
use crate::observe::access;
use crate::site::{Found, Table, TableError};
use crate::tls::{CertificateError, Certificates, ServerTls};
use crate::upstream::causes;

/// How often connections are looked for that have been idle for too long.
const PRUNE_EVERY: Duration = Duration::from_secs(5);

/// A running proxy.
pub struct Server {
    config: std::sync::Mutex<Config>,
    shared: Arc<Shared>,
    operator: Arc<Operator>,
    certificates: Option<Certificates>,
    listen: listen::Server<Gateway<Stack>>,
    workers: Arc<Workers>,
    drain: Drain,
    handover: Option<Handover>,
    tasks: Vec<JoinHandle<()>>,
    accepting: JoinHandle<()>,
    http: Vec<Address>,
    https: Vec<Address>,
    admin: Option<Address>,
}

/// What a configuration file does not say.
#[derive(Default)]
pub struct Extras {
    /// Certificates made in memory, instead of those of the configuration.
    pub certificates: Option<Certificates>,
    /// What the operator's listener asks for, instead of what the configuration says.
    pub admin_token: Option<SecretString>,
    /// What Passeur answers itself under the sites' origins.
    pub endpoints: intercept::endpoints::Endpoints,
    /// How reloading goes, for the numbers.
    pub reloads: Option<Arc<Reloads>>,
}

/// Why a proxy does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The access log cannot be opened.
    #[error("failed to open the access log {}", path.display())]
    AccessLog {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error("{}", lines(.0))]
    Certificates(Vec<CertificateError>),
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] socket::Error),
    /// The system gives no threads, or cannot watch sockets.
    #[error("failed to start")]
    System(#[from] std::io::Error),
    /// A site cannot be made.
    #[error(transparent)]
    Sites(#[from] TableError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// TLS cannot be set up.
    #[error("failed to set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn lines(errors: &[CertificateError]) -> String {
    let lines: Vec<String> = errors.iter().map(|error| causes(error)).collect();
    lines.join("\n")
}

impl Server {
    /// Starts to serve `config`.
    ///
    /// # Errors
    /// If anything it needs cannot be had; nothing listens then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, Extras::default()).await
    }

    /// Starts to serve `config` with something that no file says.
    ///
    /// # Errors
    /// If anything it needs cannot be had; nothing listens then.
    pub async fn start_with(config: Config, extras: Extras) -> Result<Self, StartError> {
        let mut inherited = Inherited::take_all();
        let listeners = socket::bind(&config.listen.http, &config.listen.https, &mut inherited)?;
        let admin = match &config.admin.listen {
            Some(endpoint) => socket::bind(std::slice::from_ref(endpoint), &[], &mut inherited)?,
            None => Vec::new(),
        };
        let token = match (extras.admin_token, &config.admin.token) {
            (None, Some(source)) => Some(source.read()?),
            (token, _) => token,
        };
        let certificates = certificates(&config, extras.certificates)?;
        // Before the first site: its upstreams keep connections per worker.
        let count = workers::count(config.listen.workers);
        crate::worker::set_count(count);
        let shared = Arc::new(Shared {
            table: ArcSwap::from_pointee(Table::new(&config.sites, &Table::default())?),
            settings: ArcSwap::from_pointee(settings(&config, &listeners, certificates.as_ref())),
            access_log: ArcSwap::from_pointee(access_log(&config.log.access)?),
            unknown_hosts: AtomicU64::new(0),
        });
        let tls = certificates.clone().map(|certificates| server_tls(certificates, &shared));
        let tls = tls.transpose()?;

        let drain = Drain::default();
        let handover = Handover::open(&config, &shared).await?;
        let endpoints = match &handover {
            Some(handover) => handover.mount(&extras.endpoints),
            None => extras.endpoints,
        };
        let gateway = Gateway::new(Arc::clone(&shared), intercept::stack(endpoints));
        let listen = listen::Server::new(gateway, &config, tls, drain.watch());
        let serving = listen.clone();
        let workers = Arc::new(Workers::per_core(count, move |socket, secure| {
            let serving = serving.clone();
            async move { serving.serve(socket, secure).await }
        })?);
        let operator = Arc::new(Operator {
            shared: Arc::clone(&shared),
            token,
            api: handover.as_ref().map(Handover::api),
            draining: AtomicBool::new(false),
            reloads: extras.reloads,
            connections: connections(&drain),
            certificates: expirations(certificates.clone()),
        });
        let addresses = |secure| {
            let of = listeners.iter().filter(move |listener| listener.secure == secure);
            of.map(Listener::address).collect::<Vec<_>>()
        };
        let (http, https) = (addresses(false), addresses(true));
        let admin_address = admin.first().map(Listener::address);
        let mut tasks = vec![tokio::spawn(prune(Arc::clone(&shared)))];
        tasks.extend(handover.as_ref().map(Handover::start).into_iter().flatten());
        for listener in admin {
            let serving = admin::serve(listener.into_bare(), Arc::clone(&operator));
            tasks.push(tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the operator's listener ended");
                }
            }));
        }
        let accepting = accepting(listeners, &workers, config.limits.connections, &drain);
        let server = Self {
            config: std::sync::Mutex::new(config),
            shared,
            operator,
            certificates,
            listen,
            workers,
            drain,
            handover,
            tasks,
            accepting,
            http,
            https,
            admin: admin_address,
        };
        server.probe();
        Ok(server)
    }

    /// Takes over another configuration: sites that changed, limits, hops, the access log. What is
    /// in flight goes on as it began. Sockets and threads stay as they are.
    ///
    /// # Errors
    /// If a site or the access log cannot be made; everything goes on as before.
    pub fn apply(&self, config: Config) -> Result<(), StartError> {
        let table = Table::new(&config.sites, &self.shared.table.load())?;
        let mut present = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if config.log != present.log {
            self.shared.access_log.store(Arc::new(access_log(&config.log.access)?));
        } else if let Some(log) = self.shared.access_log.load().as_ref() {
            log.reopen();
        }
        if config.listen.http != present.listen.http
            || config.listen.https != present.listen.https
            || config.listen.workers != present.listen.workers
            || config.listen.certificates != present.listen.certificates
            || config.admin.listen != present.admin.listen
            || config.store != present.store
        {
            tracing::warn!(
                "listening addresses, certificate folder, workers or the store changed: restart to \
                 use them"
            );
        }
        let previous = self.shared.settings.load();
        self.shared.settings.store(Arc::new(Settings {
            trusted_hops: config.listen.trusted_hops.clone(),
            client_stall: config.limits.client_stall,
            https_port: config.listen.public_https_port.or(previous.https_port),
            has_certificate: has_certificate(self.certificates.clone()),
        }));
        self.listen.reload(&config);
        self.shared.table.store(Arc::new(table));
        if let Some(handover) = &self.handover {
            handover.apply(&config);
        }
        *present = config;
        drop(present);
        self.probe();
        Ok(())
    }

    /// Reads the certificates again; names keep their last good one.
    pub fn reload_certificates(&self) {
        let Some(certificates) = self.certificates.clone() else { return };
        tokio::task::spawn_blocking(move || {
            for error in certificates.reload() {
                tracing::error!(error = causes(&error), "kept the certificate that was good");
            }
        });
    }

    /// How long a stop may take at most.
    #[must_use]
    pub fn longest_drain(&self) -> Duration {
        let config = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let limits = &config.limits;
        limits.drain_requests.max(limits.drain_uploads).max(limits.drain_websockets)
    }

    /// Stops: nothing new is accepted, what runs may end within the limits.
    pub async fn stop(self) -> drain::Summary {
        self.operator.draining.store(true, Ordering::Relaxed);
        let limits = self.config.lock().map(|config| config.limits.clone()).unwrap_or_default();
        let summary = self.drain.run(&limits).await;
        let _ = self.accepting.await;
        for task in self.tasks {
            task.abort();
        }
        if let Some(handover) = self.handover {
            handover.close().await;
        }
        if let Some(log) = self.shared.access_log.load().as_ref() {
            log.flush();
        }
        if let Some(workers) = Arc::into_inner(self.workers) {
            workers.stop();
        }
        summary
    }

    /// Where it listens for plain HTTP, if on TCP.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.iter().find_map(tcp)
    }

    /// Where it listens for HTTPS, if on TCP.
    #[must_use]
    pub fn https(&self) -> Option<SocketAddr> {
        self.https.iter().find_map(tcp)
    }

    /// Where operators connect, if on TCP.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(tcp)
    }

    /// All addresses of clients, for people.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        let http = self.http.iter().map(|address| format!("http://{address}"));
        http.chain(self.https.iter().map(|address| format!("https://{address}")))
    }

    /// What its requests share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn probe(&self) {
        for site in self.shared.table.load().sites() {
            site.probe();
        }
    }
}

fn tcp(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Tcp(address) => Some(*address),
        Address::Unix(_) => None,
    }
}

fn certificates(
    config: &Config,
    given: Option<Certificates>,
) -> Result<Option<Certificates>, StartError> {
    if given.is_some() {
        return Ok(given);
    }
    let folder = config.listen.certificates.as_deref();
    folder.map(Certificates::load).transpose().map_err(StartError::Certificates)
}

fn server_tls(certificates: Certificates, shared: &Arc<Shared>) -> Result<ServerTls, StartError> {
    let shared = Arc::clone(shared);
    let serves_http2 = move |name: &str| match shared.table.load().find(name) {
        Some(Found::Site(site) | Found::Redirect { site, .. }) => site.config.http2,
        None => true,
    };
    ServerTls::new(certificates, serves_http2).map_err(|error| StartError::Tls(Box::new(error)))
}

fn settings(
    config: &Config,
    listeners: &[Listener],
    certificates: Option<&Certificates>,
) -> Settings {
    let secure = listeners.iter().filter(|listener| listener.secure);
    let own = secure.map(Listener::address).find_map(|address| tcp(&address));
    Settings {
        trusted_hops: config.listen.trusted_hops.clone(),
        client_stall: config.limits.client_stall,
        https_port: config.listen.public_https_port.or(own.map(|address| address.port())),
        has_certificate: has_certificate(certificates.cloned()),
    }
}

fn has_certificate(certificates: Option<Certificates>) -> Box<dyn Fn(&str) -> bool + Send + Sync> {
    Box::new(move |host| certificates.as_ref().is_some_and(|known| known.covers(host)))
}

fn access_log(wanted: &AccessLog) -> Result<Option<access::AccessLog>, StartError> {
    let sink = match wanted {
        AccessLog::Off => return Ok(None),
        AccessLog::Stdout => access::Sink::Stdout,
        AccessLog::File(path) => access::Sink::File(path.clone()),
    };
    access::AccessLog::start(sink).map(Some).map_err(|source| StartError::AccessLog {
        path: match wanted {
            AccessLog::File(path) => path.clone(),
            _ => "standard output".into(),
        },
        source,
    })
}

fn connections(drain: &Drain) -> Box<dyn Fn() -> usize + Send + Sync> {
    let watch = drain.watch();
    Box::new(move || watch.connections())
}

fn expirations(
    certificates: Option<Certificates>,
) -> Box<dyn Fn() -> Vec<(String, i64)> + Send + Sync> {
    Box::new(move || {
        let all = certificates.iter().flat_map(Certificates::expirations);
        all.map(|(name, end)| {
            let end = end.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
            (name, i64::try_from(end.as_secs()).unwrap_or(i64::MAX))
        })
        .collect()
    })
}

fn accepting(
    listeners: Vec<Listener>,
    workers: &Arc<Workers>,
    connections: usize,
    drain: &Drain,
) -> JoinHandle<()> {
    let (workers, watch) = (Arc::clone(workers), drain.watch());
    tokio::spawn(async move {
        if let Err(error) = accept::run(listeners, &workers, connections, &watch).await {
            tracing::error!(%error, "accepting ended");
        }
    })
}

async fn prune(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(PRUNE_EVERY);
    loop {
        ticks.tick().await;
        let table = shared.table.load_full();
        for site in table.sites() {
            site.prune();
        }
    }
}
