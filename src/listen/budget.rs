//! One budget for what all HTTP/2 connections may send us unasked.
//!
//! A connection window is a promise to buffer that much. 4 or 16 MiB per connection make uploads
//! quick over long distances, but 10,000 connections must not be promised 160 GiB. So each new
//! connection gets the configured window or a 64th of what is left, whichever is smaller, and gives
//! it back when it closes: few connections get all they can use, many get less each, and the sum
//! stays below the budget, except for the 64 KiB that the protocol grants every connection anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What HTTP/2 promises every connection.
const SMALLEST: usize = 64 << 10;
/// The part of what is left that one connection may take: one over this.
const SHARE: usize = 64;

/// What is promised to all connections together.
#[derive(Debug, Default)]
pub struct Budget {
    promised: AtomicUsize,
}

/// What is promised to one connection; given back when dropped.
#[derive(Debug)]
pub struct Window {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A window for a connection: at most `wanted`, so that all together stay below `total`.
    #[must_use]
    pub fn window(self: &Arc<Self>, total: usize, wanted: u32) -> Window {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let size = |promised| wanted.min((total.saturating_sub(promised) / SHARE).max(SMALLEST));
        let mut promised = self.promised.load(Ordering::Relaxed);
        loop {
            let bytes = size(promised);
            let sum = promised.saturating_add(bytes);
            match self.promised.compare_exchange_weak(
                promised,
                sum,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Window { budget: self.clone(), bytes },
                Err(now) => promised = now,
            }
        }
    }

    /// Bytes promised at present.
    #[must_use]
    pub fn promised(&self) -> usize {
        self.promised.load(Ordering::Relaxed)
    }
}

impl Window {
    /// Its size.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        u32::try_from(self.bytes).unwrap_or(u32::MAX)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.budget.promised.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn few_connections_get_what_they_want_and_many_share() {
        let budget = Arc::new(Budget::default());
        let total = 1024 * MIB;
        let first = budget.window(total, 16 << 20);
        assert_eq!(first.bytes(), 16 << 20);
        let many: Vec<_> = (0..2000).map(|_| budget.window(total, 16 << 20)).collect();
        assert!(many.last().unwrap().bytes() < 1 << 20);
        assert!(budget.promised() <= total + many.len() * SMALLEST);
        drop((first, many));
        assert_eq!(budget.promised(), 0);
    }

    #[test]
    fn a_window_is_never_below_what_the_protocol_grants() {
        let budget = Arc::new(Budget::default());
        assert_eq!(budget.window(0, 16 << 20).bytes(), 64 << 10);
    }
}
