//! How much of Passeur one site may use, so that a flood at one does not slow down the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::checked::SiteLimits;
use crate::rate::Rate;

/// The limits of one site, as they are used up.
pub struct Limits {
    requests: Option<Arc<Rate>>,
    in_flight: Option<usize>,
    running: Arc<AtomicUsize>,
    /// Bytes of bodies, both ways.
    pub(crate) bandwidth: Option<Arc<Rate>>,
}

/// A request that may run; it does until this is dropped.
pub struct Running(Arc<AtomicUsize>);

/// A request that is too many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooMany {
    /// Which limit it met, for logs and numbers.
    pub reason: &'static str,
    /// When another may be tried.
    pub after: Duration,
}

impl Limits {
    /// `None` where there are none.
    pub(super) fn of(config: &SiteLimits) -> Option<Self> {
        (*config != SiteLimits::default()).then(|| Self {
            requests: config.requests.map(Rate::new),
            in_flight: config.in_flight,
            running: Arc::default(),
            bandwidth: config.bandwidth.map(Rate::new),
        })
    }

    /// Lets a request run, or not. One that is refused costs no turn.
    ///
    /// # Errors
    /// [`TooMany`]
    pub fn admit(&self) -> Result<Running, TooMany> {
        let running = Running(Arc::clone(&self.running));
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        if self.in_flight.is_some_and(|most| before >= most) {
            return Err(TooMany { reason: "site_in_flight", after: Duration::from_secs(1) });
        }
        match self.requests.as_ref().map_or(Ok(()), |rate| rate.take_one()) {
            Ok(()) => Ok(running),
            Err(after) => Err(TooMany { reason: "site_requests", after }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let limits = Limits::of(&SiteLimits { in_flight: Some(2), ..SiteLimits::default() });
        let limits = limits.expect("limits");
        let first = limits.admit().expect("a place");
        let _second = limits.admit().expect("a place");
        for _ in 0..10 {
            let refused = limits.admit().map(drop);
            assert_eq!(refused.expect_err("too many").reason, "site_in_flight");
        }
        drop(first);
        assert!(limits.admit().is_ok());
        assert!(Limits::of(&SiteLimits::default()).is_none());
    }
}
