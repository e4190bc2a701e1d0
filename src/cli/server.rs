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
use super::served::{Served, TakeError, log_broken};
use crate::admin::{self, Operator};
use crate::config::checked::{AccessLog, Config, Endpoint, Listen};
use crate::config::{Reloads, SecretError};
use crate::gateway::{Gateway, Settings, Shared};
use crate::intercept::{self, Stack};
use crate::listen::accept::Acceptor;
use crate::listen::socket::{self, Address, Bare, Inherited, Listener};
use crate::listen::{self, Drain, Workers, drain, workers};
use crate::nextcloud::appapi;
use crate::observe::access;
use crate::site::{Found, Table, TableError};
use crate::tls::{CertificateError, Certificates, ServerTls};
use crate::tours::inject::Inject;
use crate::tours::{self, Tours};
use crate::upstream::causes;

/// How often connections are looked for that have been idle for too long.
const PRUNE_EVERY: Duration = Duration::from_secs(5);

/// A running proxy.
pub struct Server {
    config: std::sync::Mutex<Config>,
    shared: Arc<Shared>,
    operator: Arc<Operator>,
    served: Arc<Served>,
    certificates: Option<Certificates>,
    listen: listen::Server<Gateway<Stack>>,
    workers: Arc<Workers>,
    drain: Drain,
    handover: Option<Handover>,
    tasks: Vec<JoinHandle<()>>,
    acceptor: std::sync::Mutex<Acceptor>,
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
    /// Tours; none are shown without.
    pub tours: Option<Arc<Tours>>,
    /// How reloading goes, for the numbers.
    pub reloads: Option<Arc<Reloads>>,
}

impl Extras {
    /// These tours, and what browsers ask for them.
    #[must_use]
    pub fn with_tours(tours: Arc<Tours>) -> Self {
        let endpoint: Arc<dyn intercept::endpoints::Endpoint> =
            Arc::new(tours::endpoint::Tour(Arc::clone(&tours)));
        let endpoints = intercept::endpoints::Endpoints::new([(tours::endpoint::PREFIX, endpoint)]);
        Self { endpoints, tours: Some(tours), ..Self::default() }
    }
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
    /// An address for TLS was added where there was none.
    #[error("failed to listen with TLS: there were no certificates at the start, so restart")]
    NoCertificates,
    /// The system gives no threads, or cannot watch sockets.
    #[error("failed to start")]
    System(#[from] std::io::Error),
    /// A site cannot be made.
    #[error(transparent)]
    Sites(#[from] TableError),
    /// The sites cannot be served as they are now.
    #[error(transparent)]
    Take(#[from] TakeError),
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
        let external_app = match &config.appapi.listen {
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
        let secure = listeners.iter().filter(|listener| listener.secure);
        let own_https = secure.map(Listener::address).find_map(|address| tcp(&address));
        let shared = Arc::new(Shared {
            table: ArcSwap::from_pointee(Table::new(&config.sites, &Table::default())?),
            settings: ArcSwap::from_pointee(settings(&config, own_https, certificates.as_ref())),
            access_log: ArcSwap::from_pointee(access_log(&config.log.access)?),
            unknown_hosts: AtomicU64::new(0),
        });
        let tls = certificates.clone().map(|certificates| server_tls(certificates, &shared));
        let tls = tls.transpose()?;

        let drain = Drain::default();
        let shown = extras.tours.clone();
        if let Some(tours) = &shown {
            log_broken(&tours.apply(&config));
        }
        let inject = shown.clone().map(Inject::new).unwrap_or_default();
        let appapi = appapi::Known::default();
        if !external_app.is_empty() {
            appapi.store(Arc::new(appapi::Secrets::of(&config)));
        }
        let served = Served::new(Arc::clone(&shared), shown.clone(), Arc::clone(&appapi), &config);
        let served = Arc::new(served);
        let handover = Handover::open(&config, &shared, &served, shown.clone()).await?;
        if let (Some(handover), Some(tours)) = (&handover, &shown) {
            handover.keep_tours(tours).await.map_err(OpenError::from)?;
        }
        let own = match &handover {
            Some(handover) => handover.mount(&extras.endpoints),
            None => extras.endpoints,
        };
        let gateway = Gateway::new(Arc::clone(&shared), intercept::stack(own, inject));
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
            tours: extras.tours.clone(),
        });
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
        for listener in external_app {
            let serving = serve_router(listener.into_bare(), appapi::router(Arc::clone(&appapi)));
            tasks.push(tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the listener for external apps ended");
                }
            }));
        }
        let cap = config.limits.connections;
        let mut acceptor = Acceptor::new(Arc::clone(&workers), cap, listeners.len(), drain.watch());
        for ((endpoint, _), listener) in endpoints(&config.listen).zip(listeners) {
            acceptor.listen(endpoint.clone(), listener)?;
        }
        let server = Self {
            config: std::sync::Mutex::new(config),
            shared,
            operator,
            served,
            certificates,
            listen,
            workers,
            drain,
            handover,
            tasks,
            acceptor: std::sync::Mutex::new(acceptor),
            admin: admin_address,
        };
        server.probe();
        Ok(server)
    }

    /// Takes over another configuration: sites that changed, addresses, limits, hops, the access log.
    /// What is in flight goes on as it began. To be called within the runtime that accepts.
    ///
    /// # Errors
    /// If a site or the access log cannot be made, or a new address be listened on; everything goes
    /// on as before.
    pub fn apply(&self, config: Config) -> Result<(), StartError> {
        let taking = self.served.begin(&config)?;
        let mut present = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut acceptor = self.acceptor();
        let added = self.bind_added(&config.listen, &acceptor)?;
        if config.log != present.log {
            self.shared.access_log.store(Arc::new(access_log(&config.log.access)?));
        } else if let Some(log) = self.shared.access_log.load().as_ref() {
            log.reopen();
        }
        if config.listen.workers != present.listen.workers
            || config.limits.connections != present.limits.connections
            || config.listen.certificates != present.listen.certificates
            || config.admin.listen != present.admin.listen
            || config.store != present.store
            || config.appapi.listen != present.appapi.listen
        {
            tracing::warn!(
                "the operator's address, certificate folder, workers, the store or the cap on \
                 connections changed: restart to use them"
            );
        }
        for (endpoint, listener) in added {
            tracing::info!(address = %listener.address(), "listening");
            acceptor.listen(endpoint, listener)?;
        }
        acceptor.close(|endpoint, secure| {
            endpoints(&config.listen).any(|one| one == (endpoint, secure))
        });
        let settings =
            settings(&config, acceptor.addresses(true).find_map(tcp), self.certificates.as_ref());
        self.shared.settings.store(Arc::new(settings));
        self.listen.reload(&config);
        taking.commit();
        if let Some(handover) = &self.handover {
            handover.apply(&config);
        }
        *present = config;
        Ok(())
    }

    /// Binds what is not listened on yet, or nothing.
    fn bind_added(
        &self,
        wanted: &Listen,
        acceptor: &Acceptor,
    ) -> Result<Vec<(Endpoint, Listener)>, StartError> {
        let added =
            endpoints(wanted).filter(|(endpoint, secure)| !acceptor.is_open(endpoint, *secure));
        let (https, http): (Vec<_>, Vec<_>) = added.partition(|(_, secure)| *secure);
        if !https.is_empty() && self.certificates.is_none() {
            return Err(StartError::NoCertificates);
        }
        let plain = |list: Vec<(&Endpoint, bool)>| -> Vec<Endpoint> {
            list.into_iter().map(|(endpoint, _)| endpoint.clone()).collect()
        };
        let (http, https) = (plain(http), plain(https));
        let listeners = socket::bind(&http, &https, &mut Inherited::none())?;
        Ok(http.into_iter().chain(https).zip(listeners).collect())
    }

    fn acceptor(&self) -> std::sync::MutexGuard<'_, Acceptor> {
        self.acceptor.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let acceptor = self.acceptor.into_inner();
        acceptor.unwrap_or_else(std::sync::PoisonError::into_inner).closed().await;
        for task in self.tasks {
            task.abort();
        }
        if let Some(handover) = self.handover {
            // Boxed: a stop is awaited in places that must stay small.
            Box::pin(handover.close()).await;
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
        self.acceptor().addresses(false).find_map(tcp)
    }

    /// Where it listens for HTTPS, if on TCP.
    #[must_use]
    pub fn https(&self) -> Option<SocketAddr> {
        self.acceptor().addresses(true).find_map(tcp)
    }

    /// Where operators connect, if on TCP.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(tcp)
    }

    /// All addresses of clients, for people.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let acceptor = self.acceptor();
        let http = acceptor.addresses(false).map(|address| format!("http://{address}"));
        http.chain(acceptor.addresses(true).map(|address| format!("https://{address}"))).collect()
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

/// Where clients shall connect, and whether with TLS; in the order in which sockets are bound.
fn endpoints(listen: &Listen) -> impl Iterator<Item = (&Endpoint, bool)> {
    let http = listen.http.iter().map(|endpoint| (endpoint, false));
    http.chain(listen.https.iter().map(|endpoint| (endpoint, true)))
}

fn settings(
    config: &Config,
    own: Option<SocketAddr>,
    certificates: Option<&Certificates>,
) -> Settings {
    Settings {
        trusted_hops: config.listen.trusted_hops.clone(),
        patience: config.limits.patience(),
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

async fn serve_router(listener: Bare, router: axum::Router) -> std::io::Result<()> {
    match listener {
        Bare::Tcp(tcp) => axum::serve(tokio::net::TcpListener::from_std(tcp)?, router).await,
        Bare::Unix(unix) => axum::serve(tokio::net::UnixListener::from_std(unix)?, router).await,
    }
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
