//! The life of a process that serves: until a signal says stop, and what runs has ended.

use std::future::Future;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Server;
use crate::listen::notify;

/// Runs the main thread's runtime.
pub(super) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start")?;
    let result = runtime.block_on(future);
    // Whatever still hangs in blocking work must not keep the process.
    runtime.shutdown_background();
    result
}

/// Says that all is ready, and waits for SIGTERM or SIGINT.
pub(super) async fn asked_to_stop() {
    match Stop::listen() {
        Ok(mut stop) => {
            notify::ready();
            let watchdog = tokio::spawn(notify::watchdog());
            stop.asked().await;
            watchdog.abort();
        }
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            std::future::pending().await
        }
    }
}

/// Drains; a second signal ends it at once.
pub(super) async fn stop(server: Server) {
    let Ok(mut again) = Stop::listen() else { return };
    tracing::info!("stopping: what runs may end; a second signal ends it at once");
    notify::stopping(server.longest_drain());
    tokio::select! {
        summary = server.stop() => tracing::info!(?summary, "stopped"),
        () = again.asked() => tracing::warn!("stopped at once"),
    }
}

struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
