//! Accepts connections and hands them to workers.
//!
//! The number of connections is capped before they are accepted: beyond the cap, clients wait in
//! the kernel's queue instead of being accepted and left alone. (Each listener keeps one place of the
//! cap for its next client.) Running out of file descriptors is
//! the other cap: accepting pauses for a growing while instead of spinning. Errors that belong to
//! one connection only are skipped. All of it ends when a stop begins, and the sockets are closed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::drain::Watch;
use super::socket::{Incoming, Listener, Listening};
use super::workers::{Job, Workers};

/// Pauses after an error that will not go away by itself at once.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts on all `listeners` until a stop begins; at most `connections` are open at a time.
///
/// # Errors
/// If the runtime cannot watch a socket.
pub async fn run(
    listeners: Vec<Listener>,
    workers: &Workers,
    connections: usize,
    watch: &Watch,
) -> io::Result<()> {
    let permits = connections.clamp(listeners.len().max(1), Semaphore::MAX_PERMITS);
    let permits = Arc::new(Semaphore::new(permits));
    let listeners = listeners.into_iter().map(Listening::new).collect::<io::Result<Vec<_>>>()?;
    let accepting = listeners.iter().map(|listener| accept_all(listener, workers, &permits));
    tokio::select! {
        _ = futures_util::future::join_all(accepting) => {}
        () = watch.stopping() => {}
    }
    Ok(())
}

async fn accept_all(listener: &Listening, workers: &Workers, permits: &Arc<Semaphore>) {
    let mut pause = FIRST_PAUSE;
    // The semaphore is never closed.
    while let Ok(permit) = permits.clone().acquire_owned().await {
        match listener.accept().await {
            Ok(incoming) => {
                pause = FIRST_PAUSE;
                hand_over(incoming, listener.secure, permit, workers);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, address = %listener.address, "failed to accept");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn hand_over(incoming: Incoming, secure: bool, permit: OwnedSemaphorePermit, workers: &Workers) {
    workers.hand_over(Job { incoming, secure, permit: Some(permit) });
}

/// Errors that Linux passes on from a connection that broke before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::Interrupted
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::TimedOut
    )
}
