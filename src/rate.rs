//! A limit on how much happens in a second: bytes that transfers carry, what one site may use.
//!
//! Whoever wants to send takes a turn: bytes reserve the time that they need at that rate, one
//! after the other. Nothing is kept back in memory: a body that waits is not read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::body::{self, Body};

/// So many bytes, or other things, in a second.
pub(crate) struct Rate {
    each_second: u64,
    /// When all that was let go is over.
    free_at: Mutex<Instant>,
}

/// A body at a rate.
struct Rated {
    inner: Body,
    rate: Arc<Rate>,
    turn: Option<Pin<Box<Sleep>>>,
}

// === impl Rate ===

impl Rate {
    pub fn new(rate: u64) -> Arc<Self> {
        Arc::new(Self { each_second: rate.max(1), free_at: Mutex::new(Instant::now()) })
    }

    /// Takes one of what may happen in a second, if one is left; else how long until then. Those of
    /// a whole second may come at once.
    pub fn take_one(&self) -> Result<(), Duration> {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let at = (*free_at).max(now);
        let next =
            at + Duration::from_secs(1) / u32::try_from(self.each_second).unwrap_or(u32::MAX);
        match next.checked_duration_since(now + Duration::from_secs(1)) {
            Some(early) if !early.is_zero() => Err(early),
            _ => {
                *free_at = next;
                Ok(())
            }
        }
    }

    /// Waits until so many bytes may go.
    pub async fn pass(&self, bytes: u64) {
        tokio::time::sleep_until(self.reserve(bytes)).await;
    }

    /// A body that comes no faster.
    pub fn body(self: &Arc<Self>, inner: Body) -> Body {
        Body::upload(self.rated(inner))
    }

    /// The body of an answer that goes no faster.
    pub fn answer(self: &Arc<Self>, inner: Body) -> Body {
        Body::made(self.rated(inner))
    }

    fn rated(self: &Arc<Self>, inner: Body) -> Rated {
        Rated { inner, rate: Arc::clone(self), turn: None }
    }

    fn reserve(&self, bytes: u64) -> Instant {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (*free_at).max(Instant::now());
        let micros = bytes.saturating_mul(1_000_000) / self.each_second;
        *free_at = at + Duration::from_micros(micros);
        at
    }
}

// === impl Rated ===

impl http_body::Body for Rated {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        if let Some(turn) = self.turn.as_mut() {
            std::task::ready!(turn.as_mut().poll(cx));
            self.turn = None;
        }
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(data)) = frame.as_ref().map(|f| f.as_ref().map(Frame::data_ref))
            && let Some(data) = data
        {
            // The next frame waits until this one is over.
            self.rate.reserve(data.len() as u64);
            let over = self.rate.reserve(0);
            self.turn = Some(Box::pin(tokio::time::sleep_until(over)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_take_their_time() {
        let rate = Rate::new(1000);
        let began = Instant::now();
        rate.pass(500).await;
        rate.pass(500).await;
        let body = rate.body(Body::from(Bytes::from(vec![0; 2000])));
        assert_eq!(body.collect().await.map(|all| all.to_bytes().len()).ok(), Some(2000));
        rate.pass(1).await;
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn those_of_a_second_may_come_at_once_and_no_more() {
        let rate = Rate::new(10);
        let taken = || (0..100).filter(|_| rate.take_one().is_ok()).count();
        assert_eq!(taken(), 10);
        assert!(rate.take_one().is_err_and(|early| early <= Duration::from_millis(100)));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(taken(), 5);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(taken(), 10, "what was not used is not saved up");
    }
}
