//! A limit on the bytes that transfers carry in a second.
//!
//! Whoever wants to send takes a turn: bytes reserve the time that they need at that pace, one
//! after the other. Nothing is kept back in memory: a body that waits is not read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use crate::body::{self, Body};

/// Bytes in a second.
pub(crate) struct Pace {
    rate: u64,
    /// When all that was let go is over.
    free_at: Mutex<Instant>,
}

/// A body at a pace.
struct Paced {
    inner: Body,
    pace: Arc<Pace>,
    turn: Option<Pin<Box<Sleep>>>,
}

// === impl Pace ===

impl Pace {
    pub fn new(rate: u64) -> Arc<Self> {
        Arc::new(Self { rate: rate.max(1), free_at: Mutex::new(Instant::now()) })
    }

    /// Waits until so many bytes may go.
    pub async fn pass(&self, bytes: u64) {
        tokio::time::sleep_until(self.reserve(bytes)).await;
    }

    /// A body that comes no faster.
    pub fn body(self: &Arc<Self>, inner: Body) -> Body {
        Body::upload(Paced { inner, pace: Arc::clone(self), turn: None })
    }

    fn reserve(&self, bytes: u64) -> Instant {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (*free_at).max(Instant::now());
        let micros = bytes.saturating_mul(1_000_000) / self.rate;
        *free_at = at + Duration::from_micros(micros);
        at
    }
}

// === impl Paced ===

impl http_body::Body for Paced {
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
            self.pace.reserve(data.len() as u64);
            let over = self.pace.reserve(0);
            self.turn = Some(Box::pin(tokio::time::sleep_until(over)));
        }
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_take_their_time() {
        let pace = Pace::new(1000);
        let began = Instant::now();
        pace.pass(500).await;
        pace.pass(500).await;
        let body = pace.body(Body::from(Bytes::from(vec![0; 2000])));
        assert_eq!(body.collect().await.map(|all| all.to_bytes().len()).ok(), Some(2000));
        pace.pass(1).await;
        assert_eq!(began.elapsed().as_secs(), 3);
    }
}
