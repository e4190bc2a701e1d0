//! How long a peer may keep us waiting: in one pause, and on average.
//!
//! A pause alone is no bound: a client that sends a byte a minute never pauses for long, and holds
//! its place at the origin for days. So waiting is also added up, and every byte pays for a part of
//! it: who is slower than the rate for long enough is cut off. Only waiting counts. A peer that is
//! held up by us, or by the other side, owes nothing, and a fast burst does not buy a long sleep.
//!
//! What moves without a wait costs one comparison here; the clock is read when a wait begins and
//! when it ends.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The patience with one peer.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest pause.
    pub pause: Duration,
    /// Bytes per second that are expected on average over two pauses; 0: any.
    pub rate: u64,
}

/// Watches one peer.
#[derive(Debug)]
pub struct Pace {
    patience: Patience,
    /// Waiting that no byte has paid for yet.
    owed: Duration,
    since: Option<Instant>,
    /// Made at the first wait; not moved while things go on.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// With pauses of `pause`, at whatever rate.
    #[must_use]
    pub fn at_any_rate(pause: Duration) -> Self {
        Self { pause, rate: 0 }
    }

    /// How much waiting may be owed.
    fn credit(&self) -> Duration {
        self.pause.saturating_mul(2)
    }
}

impl Pace {
    /// Watches a peer from now on.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self { patience, owed: Duration::ZERO, since: None, timer: None }
    }

    /// So many bytes passed: a wait is over, if there was one.
    pub fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.owed += since.elapsed();
        }
        if self.owed > Duration::ZERO && self.patience.rate > 0 {
            let paid = (bytes as u64).saturating_mul(1_000_000_000) / self.patience.rate;
            self.owed = self.owed.saturating_sub(Duration::from_nanos(paid));
        }
    }

    /// The peer lets us wait; ready once it did for too long.
    pub fn poll_exhausted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.since.get_or_insert_with(Instant::now) + self.left();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A timer of an earlier wait may fire too early for this one, or too late.
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// How long the present wait may be.
    fn left(&self) -> Duration {
        match self.patience.rate {
            0 => self.patience.pause,
            _ => self.patience.pause.min(self.patience.credit().saturating_sub(self.owed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(300);
    const PATIENCE: Patience = Patience { pause: PAUSE, rate: 512 };

    /// Waits for up to `wait`, over and over; `bytes` come after each. When patience ended.
    async fn drip(
        patience: Patience,
        wait: Duration,
        bytes: usize,
        times: u32,
    ) -> Option<Duration> {
        let begun = Instant::now();
        let mut pace = Pace::new(patience);
        for _ in 0..times {
            let exhausted = poll_fn(|cx| pace.poll_exhausted(cx));
            if tokio::time::timeout(wait, exhausted).await.is_ok() {
                return Some(begun.elapsed());
            }
            pace.moved(bytes);
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn one_long_pause_ends_it() {
        assert_eq!(drip(PATIENCE, PAUSE * 2, 1, 1).await, Some(PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_minute_ends_it_after_two_pauses() {
        let ended = drip(PATIENCE, Duration::from_secs(60), 1, 10_000).await.expect("an end");
        assert!(ended <= PAUSE * 2 + Duration::from_secs(1), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_honest_slow_link_goes_on_for_ever() {
        // 600 bytes per second, in packets; with a pause of four minutes now and then.
        assert_eq!(drip(PATIENCE, Duration::from_secs(2), 1200, 10_000).await, None);
        assert_eq!(drip(PATIENCE, Duration::from_secs(240), 600 * 240, 1_000).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn just_below_the_rate_takes_long_to_end() {
        // 10 % too slow: a tenth of the time is owed.
        let ended = drip(PATIENCE, Duration::from_secs(1), 461, 100_000).await.expect("an end");
        assert!(ended > PAUSE * 18, "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_does_not_buy_a_longer_sleep() {
        let mut pace = Pace::new(PATIENCE);
        pace.moved(1 << 30);
        let begun = Instant::now();
        poll_fn(|cx| pace.poll_exhausted(cx)).await;
        assert_eq!(begun.elapsed(), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_only_pauses_count() {
        let any = Patience::at_any_rate(PAUSE);
        assert_eq!(drip(any, Duration::from_secs(60), 1, 10_000).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn being_held_up_by_others_costs_nothing() {
        let mut pace = Pace::new(PATIENCE);
        for _ in 0..1_000 {
            // Something comes at once whenever it is asked for; nobody asks for an hour.
            pace.moved(1);
            tokio::time::advance(Duration::from_secs(3600)).await;
        }
        assert_eq!(pace.owed, Duration::ZERO);
    }
}
