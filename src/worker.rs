//! Which worker thread this is.
//!
//! Each worker runs its own single-threaded runtime. State that is only shared for convenience,
//! such as idle upstream connections, is kept once per worker, so that threads neither wait for
//! nor wake each other. The answers here only steer locality: any thread may use any slot.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// Says how many workers there will be; before any of them starts.
pub fn set_count(count: usize) {
    COUNT.store(count.max(1), Ordering::Relaxed);
}

/// How many workers there are.
#[must_use]
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Says which worker the calling thread is.
pub fn enter(index: usize) {
    INDEX.set(index);
}

/// Which worker the calling thread is; 0 on any other thread.
#[must_use]
pub fn index() -> usize {
    INDEX.get()
}
