//! Everything put together: sites, stack, gateway, listeners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::config::checked::{Config, Endpoint};
use crate::gateway::{Gateway, Settings, Shared};
use crate::listen::Connection;
use crate::site::{Table, TableError};
use crate::{intercept, worker};

/// A running proxy.
pub struct Server {
    shared: Arc<Shared>,
    http: Vec<SocketAddr>,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A site cannot be made.
    #[error(transparent)]
    Sites(#[from] TableError),
    /// An address cannot be listened on.
    #[error("failed to listen")]
    Listen(#[from] std::io::Error),
}

impl Server {
    /// Starts to serve `config`.
    ///
    /// # Errors
    /// If a site cannot be made, or an address cannot be listened on.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if config.listen.workers == 0 { cores } else { config.listen.workers };
        worker::set_count(workers);
        let table = Table::new(&config.sites, &Table::default())?;
        let shared = Arc::new(Shared {
            table: ArcSwap::from_pointee(table),
            settings: ArcSwap::from_pointee(Settings {
                trusted_hops: config.listen.trusted_hops.clone(),
                client_stall: config.limits.client_stall,
                https_port: None,
                has_certificate: Box::new(|_| false),
            }),
            access_log: ArcSwap::from_pointee(None),
            unknown_hosts: AtomicU64::new(0),
        });
        let mut http = Vec::new();
        for endpoint in &config.listen.http {
            let Endpoint::Tcp(address) = endpoint else { continue };
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            http.push(listener.local_addr()?);
            for index in 0..workers {
                let listener = listener.try_clone()?;
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    worker::enter(index);
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build();
                    if let Ok(runtime) = runtime {
                        runtime.block_on(accept(listener, shared));
                    }
                });
            }
        }
        Ok(Self { shared, http })
    }

    /// Where it listens for plain HTTP.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.first().copied()
    }

    /// What its requests share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let gateway = Gateway::new(shared, intercept::stack());
    while let Ok((socket, peer)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let gateway = gateway.clone();
        let connection = Arc::new(Connection {
            peer: Some(peer),
            local: None,
            secure: false,
            server_name: None,
        });
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (gateway, connection) = (gateway.clone(), Arc::clone(&connection));
                async move {
                    Ok::<_, std::convert::Infallible>(gateway.answer(&connection, request).await)
                }
            });
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(socket), service)
                .with_upgrades()
                .await;
        });
        tokio::task::yield_now().await;
    }
}
