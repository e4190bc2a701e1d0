//! Stopping without breaking what runs.
//!
//! An upload may take an hour and must not be cut because a page would have been done in a second;
//! a WebSocket never ends by itself. So what runs is counted by kind, each kind has its own
//! deadline, and at a deadline only what is of that kind is cut. Upgraded connections outlive the
//! connection task that made them, which is why guards are handed out and not counted there.
//!
//! Invariant: [`Drain::run`] returns when nothing runs any more, or a moment after the last
//! deadline, whichever is first. Counters are kept per worker, so that guards of different workers
//! do not contend for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::config::checked::Limits;
use crate::worker;

/// What is left after the last deadline gets this to notice that it was cut.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What an exchange is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A request whose body is there, or that has none.
    Request,
    /// A request whose body is being sent.
    Upload,
    /// A connection that was upgraded.
    WebSocket,
}

/// The one who stops everything.
#[derive(Debug, Default)]
pub struct Drain {
    watch: Watch,
}

/// A handle for all who have to know of a stop.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    shared: Arc<Shared>,
}

/// A connection that is open.
#[derive(Debug)]
pub struct Open {
    exchanges: Exchanges,
    shard: usize,
}

/// The exchanges of one connection.
#[derive(Clone, Debug, Default)]
pub struct Exchanges {
    watch: Watch,
    running: Arc<[AtomicUsize; 3]>,
}

/// An exchange that runs.
#[derive(Debug)]
pub struct Guard {
    exchanges: Exchanges,
    kind: Kind,
    shard: usize,
}

/// How a stop went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Summary {
    /// How long it took.
    pub took: Duration,
    /// Requests that were cut.
    pub requests: usize,
    /// Uploads that were cut.
    pub uploads: usize,
    /// WebSockets that were cut.
    pub websockets: usize,
}

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    /// The same as in `phase`, for those who ask often.
    stopping: AtomicBool,
    changed: Notify,
    shards: Box<[Shard]>,
}

/// Counters of one worker, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    running: [AtomicUsize; 3],
    connections: AtomicUsize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Phase {
    stopping: bool,
    cut: [bool; 3],
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Request, Kind::Upload, Kind::WebSocket];
}

// === impl Drain ===

impl Drain {
    /// The handle to give out.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Tells everyone to stop, and waits for it within the limits.
    pub async fn run(self, limits: &Limits) -> Summary {
        let begun = Instant::now();
        let shared = &self.watch.shared;
        shared.stopping.store(true, Ordering::SeqCst);
        shared.phase.send_modify(|phase| phase.stopping = true);
        let mut deadlines = [
            (begun + limits.drain_requests, Kind::Request),
            (begun + limits.drain_uploads, Kind::Upload),
            (begun + limits.drain_websockets, Kind::WebSocket),
        ];
        deadlines.sort_by_key(|(deadline, _)| *deadline);
        let mut cut = [0; 3];
        for (deadline, kind) in deadlines {
            if shared.idle_before(deadline).await {
                break;
            }
            cut[kind as usize] = shared.running(kind);
            shared.phase.send_modify(|phase| phase.cut[kind as usize] = true);
        }
        shared.idle_before(Instant::now() + LAST_MOMENT).await;
        let [requests, uploads, websockets] = cut;
        Summary { took: begun.elapsed(), requests, uploads, websockets }
    }
}

impl Watch {
    /// Whether a stop has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    /// Waits for a stop to begin.
    pub async fn stopping(&self) {
        self.reached(|phase| phase.stopping).await;
    }

    /// Counts a connection.
    #[must_use]
    pub fn open(&self) -> Open {
        let shard = self.shared.shard_here();
        self.shared.shards[shard].connections.fetch_add(1, Ordering::Relaxed);
        Open { exchanges: Exchanges { watch: self.clone(), running: Arc::default() }, shard }
    }

    /// Connections open at present.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// Exchanges of a kind that run at present.
    #[must_use]
    pub fn running(&self, kind: Kind) -> usize {
        self.shared.running(kind)
    }

    async fn reached(&self, there: impl Fn(&Phase) -> bool) {
        // The sender lives as long as `self`.
        let _ = self.shared.phase.subscribe().wait_for(|phase| there(phase)).await;
    }
}

impl Open {
    /// To give to those who serve its requests.
    #[must_use]
    pub fn exchanges(&self) -> Exchanges {
        self.exchanges.clone()
    }

    /// Waits for a stop to begin.
    pub async fn stopping(&self) {
        self.exchanges.watch.stopping().await;
    }

    /// Whether no exchange runs on this connection.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.exchanges.running.iter().all(|count| count.load(Ordering::SeqCst) == 0)
    }

    /// Waits until nothing on this connection may run any longer.
    pub async fn cut(&self) {
        let running = &self.exchanges.running;
        let runs = |kind: Kind| running[kind as usize].load(Ordering::SeqCst) > 0;
        let over = |phase: &Phase| {
            // A connection without exchanges may be in the middle of a head: as a request.
            phase.cut[Kind::Request as usize]
                && Kind::ALL.into_iter().all(|kind| phase.cut[kind as usize] || !runs(kind))
        };
        self.exchanges.watch.reached(over).await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let shared = &self.exchanges.watch.shared;
        shared.shards[self.shard].connections.fetch_sub(1, Ordering::SeqCst);
        shared.note_change();
    }
}

impl Exchanges {
    /// Counts an exchange.
    #[must_use]
    pub fn guard(&self, kind: Kind) -> Guard {
        let shard = self.watch.shared.shard_here();
        let guard = Guard { exchanges: self.clone(), kind, shard };
        guard.count();
        guard
    }

    /// Whether a stop has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.watch.is_stopping()
    }
}

impl Guard {
    /// It is of another kind from now on.
    pub fn becomes(&mut self, kind: Kind) {
        if self.kind != kind {
            let old = std::mem::replace(&mut self.kind, kind);
            self.count();
            self.uncount(old);
        }
    }

    /// Waits until its kind is cut. Whoever holds a guard beyond the connection's own task (an
    /// upgraded connection does) ends when this does.
    pub async fn cut(&self) {
        let kind = self.kind as usize;
        self.exchanges.watch.reached(|phase| phase.cut[kind]).await;
    }

    /// Waits for a stop to begin.
    pub async fn stopping(&self) {
        self.exchanges.watch.stopping().await;
    }

    fn count(&self) {
        let kind = self.kind as usize;
        self.exchanges.running[kind].fetch_add(1, Ordering::SeqCst);
        self.exchanges.watch.shared.shards[self.shard].running[kind].fetch_add(1, Ordering::SeqCst);
    }

    fn uncount(&self, kind: Kind) {
        let shared = &self.exchanges.watch.shared;
        self.exchanges.running[kind as usize].fetch_sub(1, Ordering::SeqCst);
        shared.shards[self.shard].running[kind as usize].fetch_sub(1, Ordering::SeqCst);
        shared.note_change();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.uncount(self.kind);
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            phase: watch::Sender::new(Phase::default()),
            stopping: AtomicBool::new(false),
            changed: Notify::new(),
            shards: (0..worker::count()).map(|_| Shard::default()).collect(),
        }
    }
}

impl Shared {
    fn shard_here(&self) -> usize {
        worker::index() % self.shards.len()
    }

    fn running(&self, kind: Kind) -> usize {
        let count = |shard: &Shard| shard.running[kind as usize].load(Ordering::SeqCst);
        self.shards.iter().map(count).sum()
    }

    fn connections(&self) -> usize {
        self.shards.iter().map(|shard| shard.connections.load(Ordering::SeqCst)).sum()
    }

    fn is_idle(&self) -> bool {
        self.connections() == 0 && Kind::ALL.into_iter().all(|kind| self.running(kind) == 0)
    }

    fn note_change(&self) {
        if self.stopping.load(Ordering::SeqCst) {
            self.changed.notify_one();
        }
    }

    /// Waits until nothing runs; whether that was before `deadline`.
    async fn idle_before(&self, deadline: Instant) -> bool {
        let idle = async {
            while !self.is_idle() {
                self.changed.notified().await;
            }
        };
        tokio::time::timeout_at(deadline, idle).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_without_anything_running_is_immediate() {
        let summary = Drain::default().run(&limits()).await;
        assert_eq!(summary.took, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_with_the_last_exchange() {
        let drain = Drain::default();
        let open = drain.watch().open();
        let guard = open.exchanges().guard(Kind::Request);
        tokio::spawn(async move {
            open.stopping().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop((guard, open));
        });
        let summary = drain.run(&limits()).await;
        assert_eq!(summary.took, Duration::from_secs(3));
        assert_eq!(summary.requests, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_cut_at_its_own_deadline() {
        let drain = Drain::default();
        let begun = Instant::now();
        let holders: Vec<_> = Kind::ALL
            .into_iter()
            .map(|kind| {
                let guard = drain.watch().open().exchanges().guard(kind);
                tokio::spawn(async move {
                    guard.cut().await;
                    begun.elapsed()
                })
            })
            .collect();
        let summary = drain.run(&limits()).await;
        assert_eq!((summary.requests, summary.uploads, summary.websockets), (1, 1, 1));
        let mut cut = Vec::new();
        for holder in holders {
            cut.push(holder.await.unwrap());
        }
        assert_eq!(
            cut,
            [limits().drain_requests, limits().drain_uploads, limits().drain_websockets]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_an_upload_outlives_the_deadline_of_requests() {
        let drain = Drain::default();
        let open = drain.watch().open();
        let mut guard = open.exchanges().guard(Kind::Request);
        guard.becomes(Kind::Upload);
        let begun = Instant::now();
        let holder = tokio::spawn(async move {
            open.cut().await;
            drop(guard);
            begun.elapsed()
        });
        let summary = drain.run(&limits()).await;
        assert_eq!((summary.requests, summary.uploads), (0, 1));
        assert_eq!(holder.await.unwrap(), limits().drain_uploads);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_cut_with_the_requests() {
        let drain = Drain::default();
        let open = drain.watch().open();
        let begun = Instant::now();
        let holder = tokio::spawn(async move {
            open.cut().await;
            begun.elapsed()
        });
        drain.run(&limits()).await;
        assert_eq!(holder.await.unwrap(), limits().drain_requests);
    }
}
