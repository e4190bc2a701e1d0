//! The life of a process that serves: until a signal says stop, and what runs has ended.

use std::future::Future;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

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

/// Serves until SIGTERM or SIGINT, then drains; a second signal ends it at once. SIGHUP calls
/// `reload`.
pub(super) async fn until_stopped(server: Server, reload: impl Fn(&Server)) {
    notify::ready();
    let watchdog = tokio::spawn(notify::watchdog());
    let (mut terminate, mut interrupt, mut hangup) = match signals() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return std::future::pending().await;
        }
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload(&server),
        }
    }
    watchdog.abort();
    tracing::info!("stopping: waiting for what runs; a second signal ends it at once");
    tokio::select! {
        summary = server.stop() => tracing::info!(?summary, "stopped"),
        _ = terminate.recv() => tracing::warn!("ended at once"),
        _ = interrupt.recv() => tracing::warn!("ended at once"),
    }
}

type Signals =
    (tokio::signal::unix::Signal, tokio::signal::unix::Signal, tokio::signal::unix::Signal);

fn signals() -> std::io::Result<Signals> {
    let terminate = signal(SignalKind::terminate())?;
    Ok((terminate, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?))
}
