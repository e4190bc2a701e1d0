//! How much of an item is over while it is at work, and how many requests may store at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Requests that store many files at once, at a time.
const LANES: usize = 2;

/// How much of an item is over. Only what stays is counted in the end: see [`Tally`].
#[derive(Debug, Default)]
pub(crate) struct Meter {
    objects: AtomicU64,
    bytes: AtomicU64,
}

/// What a piece of work adds to a meter: taken away again unless the work succeeds.
pub(crate) struct Tally<'a> {
    meter: &'a Meter,
    objects: AtomicU64,
    bytes: AtomicU64,
}

/// The lanes of the road to an instance.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Semaphore,
    is_narrow: AtomicBool,
}

// === impl Meter ===

impl Meter {
    /// Begins another item.
    pub fn reset(&self) {
        self.objects.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Objects and bytes that are over.
    pub fn read(&self) -> (u64, u64) {
        (self.objects.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Counts a piece of work.
    pub fn tally(&self) -> Tally<'_> {
        Tally { meter: self, objects: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }
}

// === impl Tally ===

impl Tally<'_> {
    /// So much more is over.
    pub fn add(&self, objects: u64, bytes: u64) {
        for (mine, all, more) in
            [(&self.objects, &self.meter.objects, objects), (&self.bytes, &self.meter.bytes, bytes)]
        {
            mine.fetch_add(more, Ordering::Relaxed);
            all.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// It stays.
    pub fn keep(self) {
        self.objects.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.meter.objects.fetch_sub(*self.objects.get_mut(), Ordering::Relaxed);
        self.meter.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

// === impl Lanes ===

impl Default for Lanes {
    fn default() -> Self {
        Self { lanes: Semaphore::new(LANES), is_narrow: AtomicBool::new(false) }
    }
}

impl Lanes {
    /// Waits for a free lane; `None` never comes, since lanes are not closed.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.lanes.acquire().await.ok()
    }

    /// One at a time from now on: those who store side by side lock each other out, as with SQLite.
    pub fn narrow(&self, lane: Option<SemaphorePermit<'_>>) {
        if let Some(lane) = lane
            && !self.is_narrow.swap(true, Ordering::Relaxed)
        {
            // Of two lanes, the one that is held now goes.
            lane.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_is_counted() {
        let meter = Meter::default();
        let (stays, fails) = (meter.tally(), meter.tally());
        stays.add(2, 20);
        fails.add(3, 30);
        assert_eq!(meter.read(), (5, 50));
        drop(fails);
        stays.keep();
        assert_eq!(meter.read(), (2, 20));
    }

    #[tokio::test]
    async fn a_road_gets_narrow_once() {
        let lanes = Lanes::default();
        for _ in 0..3 {
            let lane = lanes.enter().await;
            lanes.narrow(lane);
        }
        let one = lanes.enter().await;
        assert!(one.is_some() && lanes.lanes.try_acquire().is_err());
    }
}
