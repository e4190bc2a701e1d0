//! Open connections of one target, kept per worker while idle.
//!
//! Invariant: at most `limit` connections are open at a time. A worker that needs a new one while
//! the others keep idle ones closes one of those. Idle ones are closed after `keep_alive`, which
//! has to be shorter than the origin's own limit, so that a request seldom meets a closing one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

use crate::body::Body;
use crate::worker;

/// The idle connections of one target.
pub(super) struct Pool {
    slots: Box<[Mutex<VecDeque<Idle>>]>,
    open: Arc<AtomicUsize>,
    limit: usize,
    keep_alive: Duration,
}

/// Counts one open connection.
pub(super) struct Slot(Arc<AtomicUsize>);

/// What sends requests on a connection.
pub(super) enum Sender {
    /// One request at a time.
    Http1(http1::SendRequest<Body>),
    /// Many at a time; clones share the connection.
    Http2(http2::SendRequest<Body>),
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// A sender that was idle, and for how long.
pub(super) struct Kept {
    pub(super) sender: Sender,
    pub(super) idle: Duration,
}

impl Pool {
    pub(super) fn new(limit: usize, keep_alive: Duration) -> Self {
        let slots = (0..worker::count()).map(|_| Mutex::default()).collect();
        Self { slots, open: Arc::default(), limit: limit.max(1), keep_alive }
    }

    /// The connection of this worker that was used last, if one is still good.
    pub(super) fn take(&self) -> Option<Kept> {
        let mut idle = self.slot(worker::index());
        let now = Instant::now();
        while let Some(Idle { sender, since }) = idle.pop_back() {
            let age = now.duration_since(since);
            if age >= self.keep_alive {
                // The rest is older still.
                idle.clear();
                return None;
            }
            if sender.is_closed() {
                continue;
            }
            if let Sender::Http2(shared) = &sender {
                let shared = Sender::Http2(shared.clone());
                idle.push_back(Idle { sender: shared, since });
            }
            return Some(Kept { sender, idle: age });
        }
        None
    }

    /// Keeps a connection for the next request of this worker.
    pub(super) fn put(&self, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.slot(worker::index());
        let since = Instant::now();
        if let Sender::Http2(_) = sender {
            idle.clear();
        }
        while idle.front().is_some_and(|oldest| {
            oldest.sender.is_closed() || since.duration_since(oldest.since) >= self.keep_alive
        }) {
            idle.pop_front();
        }
        idle.push_back(Idle { sender, since });
    }

    /// Room for one more connection; an idle one of another worker makes way if need be.
    pub(super) fn reserve(&self) -> Slot {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.limit {
            let own = worker::index();
            let others = (0..self.slots.len()).map(|i| (own + 1 + i) % self.slots.len());
            for index in others {
                if self.slot(index).pop_front().is_some() {
                    break;
                }
            }
        }
        Slot(Arc::clone(&self.open))
    }

    /// Closes what has been idle for too long.
    pub(super) fn prune(&self) {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            self.slot(index).retain(|idle| {
                !idle.sender.is_closed() && now.duration_since(idle.since) < self.keep_alive
            });
        }
    }

    /// Open connections, busy or idle.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn slot(&self, index: usize) -> MutexGuard<'_, VecDeque<Idle>> {
        self.slots[index % self.slots.len()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sender {
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends; an error says whether the request left.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match self {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}
