//! Stops asking a target that does not even accept connections.
//!
//! Consecutive failures open the breaker for a pause, during which requests are refused at once
//! (with `Retry-After`) instead of piling up behind connect timeouts. After the pause one request
//! is let through to try; its success closes the breaker, its failure opens it again. Answers of
//! any status are successes: maintenance is not "down".

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The breaker of one target.
#[derive(Debug)]
pub(super) struct Breaker {
    threshold: u32,
    pause: Duration,
    epoch: Instant,
    failures: AtomicU32,
    /// Milliseconds after `epoch` until which requests are refused; 0: closed.
    open_until: AtomicU64,
}

impl Breaker {
    pub(super) fn new(threshold: u32, pause: Duration) -> Self {
        Self {
            threshold: threshold.max(1),
            pause,
            epoch: Instant::now(),
            failures: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
        }
    }

    /// Whether a request may be tried now; if not, when.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        let until = self.open_until.load(Ordering::Relaxed);
        if until == 0 {
            return Ok(());
        }
        let now = self.now();
        if now < until {
            return Err(Duration::from_millis(until - now));
        }
        let next = now + self.pause_millis();
        match self.open_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.pause),
        }
    }

    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.open_until.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= self.threshold {
            self.open_until.store(self.now() + self.pause_millis(), Ordering::Relaxed);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_until.load(Ordering::Relaxed) > self.now()
    }

    /// Never 0, so that 0 can mean "closed".
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX / 2) + 1
    }

    fn pause_millis(&self) -> u64 {
        u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX / 4).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn opens_after_consecutive_failures_and_tries_once_after_the_pause() {
        let breaker = Breaker::new(2, Duration::from_secs(5));
        breaker.failed();
        assert!(breaker.admit().is_ok(), "one failure is not enough");
        breaker.failed();
        assert!(breaker.is_open());
        assert!(breaker.admit().is_err());

        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(breaker.admit().is_ok(), "one try after the pause");
        assert!(breaker.admit().is_err(), "but only one");

        breaker.succeeded();
        assert!(breaker.admit().is_ok());
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_starts_the_count_again() {
        let breaker = Breaker::new(2, Duration::from_secs(5));
        breaker.failed();
        breaker.succeeded();
        breaker.failed();
        assert!(breaker.admit().is_ok());
    }
}
