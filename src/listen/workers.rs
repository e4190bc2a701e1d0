//! The threads that serve connections.
//!
//! A connection stays where it was handed to: its tasks, its upstream connections and its timers
//! all live in one runtime, so that requests wake no other thread. Connections go to the worker
//! that has the fewest. Everything that runs is `Send`, so one runtime for all remains possible:
//! [`Workers::per_core`] and [`Workers::shared`] differ in nothing but the runtime.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::socket::Incoming;
use super::stream::Socket;
use crate::worker;

/// Threads for blocking work (files, name resolution) of one worker.
const BLOCKING_THREADS: usize = 16;

/// Running worker threads.
#[derive(Debug)]
pub struct Workers {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    jobs: mpsc::UnboundedSender<Job>,
    open: Arc<AtomicUsize>,
    handle: Handle,
    thread: JoinHandle<()>,
}

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Job {
    /// The socket.
    pub incoming: Incoming,
    /// Whether it begins with TLS.
    pub secure: bool,
    /// Kept as long as the socket is open.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// A connection's place among the open ones. The socket holds it, so that an upgraded connection,
/// which leaves the task that served it, still counts.
#[derive(Debug)]
pub(super) struct Seat {
    _permit: Option<OwnedSemaphorePermit>,
    _counted: Counted,
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

/// How many workers a setting means; 0: one per core.
#[must_use]
pub fn count(setting: usize) -> usize {
    match setting {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

// === impl Workers ===

impl Workers {
    /// Starts `count` threads with a runtime each; `serve` serves one connection.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn per_core<S, F>(count: usize, serve: S) -> io::Result<Self>
    where
        S: Fn(Socket, bool) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        worker::set_count(count);
        let lanes = (0..count.max(1)).map(|index| {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_name(format!("blocking-{index}"))
                .build()?;
            Lane::start(index, runtime, serve.clone())
        });
        Ok(Self { lanes: lanes.collect::<io::Result<_>>()? })
    }

    /// Starts one runtime with `count` threads.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn shared<S, F>(count: usize, serve: S) -> io::Result<Self>
    where
        S: Fn(Socket, bool) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let count = count.max(1);
        worker::set_count(count);
        let next = AtomicUsize::new(0);
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .enable_all()
            .on_thread_start(move || worker::enter(next.fetch_add(1, Ordering::Relaxed) % count))
            .build()?;
        Ok(Self { lanes: vec![Lane::start(0, runtime, serve)?] })
    }

    /// Hands a connection to the worker that has the fewest.
    pub fn hand_over(&self, job: Job) {
        let idlest = self.lanes.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed));
        let Some(lane) = idlest else { return };
        lane.open.fetch_add(1, Ordering::Relaxed);
        if lane.jobs.send(job).is_err() {
            tracing::error!("a worker is gone, and with it a connection");
        }
    }

    /// The runtimes, for tasks that are not connections.
    pub fn handles(&self) -> impl Iterator<Item = &Handle> {
        self.lanes.iter().map(|lane| &lane.handle)
    }

    /// Ends all workers, and what still runs on them.
    pub fn stop(self) {
        let threads: Vec<_> = self.lanes.into_iter().map(|lane| lane.thread).collect();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a worker had panicked");
            }
        }
    }
}

// === impl Lane ===

impl Lane {
    fn start<S, F>(index: usize, runtime: Runtime, serve: S) -> io::Result<Self>
    where
        S: Fn(Socket, bool) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (jobs, mut waiting) = mpsc::unbounded_channel::<Job>();
        let open = Arc::new(AtomicUsize::new(0));
        let handle = runtime.handle().clone();
        let counted = open.clone();
        let work = async move {
            while let Some(job) = waiting.recv().await {
                let counted = Counted(counted.clone());
                let seat = Seat { _permit: job.permit, _counted: counted };
                match job.incoming.into_socket() {
                    Ok(socket) => {
                        tokio::spawn(serve(socket.seated(seat), job.secure));
                    }
                    Err(error) => tracing::debug!(%error, "a connection was gone at once"),
                }
            }
        };
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            worker::enter(index);
            runtime.block_on(work);
        })?;
        Ok(Self { jobs, open, handle, thread })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
