//! Accepts connections and hands them to workers.
//!
//! The number of connections is capped before they are accepted: beyond the cap, clients wait in
//! the kernel's queue instead of being accepted and left alone. (Each listener keeps one place of the
//! cap for its next client.) Running out of file descriptors is
//! the other cap: accepting pauses for a growing while instead of spinning. Errors that belong to
//! one connection only are skipped. All of it ends when a stop begins, and the sockets are closed.
//!
//! Listeners come and go with the configuration: one that goes closes its socket, and leaves the
//! connections that came through it alone.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::drain::Watch;
use super::socket::{Address, Incoming, Listener, Listening};
use super::workers::{Job, Workers};
use crate::config::checked::Endpoint;

/// Pauses after an error that will not go away by itself at once.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts for workers. Dropping it closes nothing: [`close`](Self::close) and a stop do.
#[derive(Debug)]
pub struct Acceptor {
    workers: Arc<Workers>,
    permits: Arc<Semaphore>,
    watch: Watch,
    open: Vec<Open>,
}

/// A listener that accepts.
#[derive(Debug)]
struct Open {
    endpoint: Endpoint,
    address: Address,
    secure: bool,
    task: JoinHandle<()>,
}

impl Acceptor {
    /// Accepts at most `connections` at a time, but one for each of `listeners`.
    #[must_use]
    pub fn new(workers: Arc<Workers>, connections: usize, listeners: usize, watch: Watch) -> Self {
        let permits = connections.clamp(listeners.max(1), Semaphore::MAX_PERMITS);
        Self { workers, permits: Arc::new(Semaphore::new(permits)), watch, open: Vec::new() }
    }

    /// Accepts on one more listener, which was bound for `endpoint`.
    ///
    /// # Errors
    /// If the runtime cannot watch the socket.
    pub fn listen(&mut self, endpoint: Endpoint, listener: Listener) -> io::Result<()> {
        let listening = Listening::new(listener)?;
        let (address, secure) = (listening.address.clone(), listening.secure);
        let (workers, permits, watch) =
            (self.workers.clone(), self.permits.clone(), self.watch.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = accept_all(&listening, &workers, &permits) => {}
                () = watch.stopping() => {}
            }
        });
        self.open.push(Open { endpoint, address, secure, task });
        Ok(())
    }

    /// Closes the listeners that `stays` refuses: by endpoint, and whether they are `secure`.
    pub fn close(&mut self, stays: impl Fn(&Endpoint, bool) -> bool) {
        self.open.retain(|open| {
            let stays = stays(&open.endpoint, open.secure);
            if !stays {
                tracing::info!(address = %open.address, "no longer listening");
                open.task.abort();
            }
            stays
        });
    }

    /// Whether it listens there.
    #[must_use]
    pub fn is_open(&self, endpoint: &Endpoint, secure: bool) -> bool {
        self.open.iter().any(|open| open.endpoint == *endpoint && open.secure == secure)
    }

    /// Where it listens, with TLS or without.
    pub fn addresses(&self, secure: bool) -> impl Iterator<Item = &Address> {
        self.open.iter().filter(move |open| open.secure == secure).map(|open| &open.address)
    }

    /// Waits until all listeners are closed, as they are once a stop begins.
    pub async fn closed(self) {
        for open in self.open {
            // One that was aborted, or panicked, is closed as well.
            let _ = open.task.await;
        }
    }
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
