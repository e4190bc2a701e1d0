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

/// SIGTERM and SIGINT, from before anybody hears that all is ready: whoever hears it may stop us at
/// once, and a signal that nobody listens for kills.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

/// SIGHUP, from before there is anything to reload: until then it would kill.
pub(super) fn hangups() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("failed to listen for signals")
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

impl Stop {
    /// Listens for the signals from here on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("failed to listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Says that all is ready, and waits until asked to stop.
    pub(super) async fn wait(mut self) {
        notify::ready();
        let watchdog = tokio::spawn(notify::watchdog());
        self.asked().await;
        watchdog.abort();
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
