//! Cuts off clients that take nothing of what is written to them.
//!
//! It sits right on the socket, beneath TLS, where "took a byte" is visible: a write that stays
//! pending for the whole time fails with `TimedOut`, and the connection ends. A slow reader that
//! takes something now and then is never cut. A write that succeeds costs nothing: the timer is
//! made when a write has to wait for the first time, and not moved while writes make progress.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A stream whose writes may not stand still.
#[derive(Debug)]
pub struct Stall<S> {
    io: S,
    after: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    /// Writes to `io` may stand still for less than `after`.
    pub fn new(io: S, after: Duration) -> Self {
        Self { io, after, waiting_since: None, timer: None }
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting_since = None;
            return outcome;
        }
        let now = Instant::now();
        let deadline = *self.waiting_since.get_or_insert(now) + self.after;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        while timer.as_mut().poll(cx).is_ready() {
            if now >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_write(cx, buf);
        this.watch(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const AFTER: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn cuts_a_reader_that_takes_nothing() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let begun = Instant::now();
        let outcome = Stall::new(ours, AFTER).write_all(&[0; 1000]).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn lets_a_slow_reader_take_its_time() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let reader = tokio::spawn(async move {
            let mut piece = [0; 10];
            let mut count = 0;
            while count < 1000 {
                tokio::time::sleep(AFTER / 2).await;
                count += theirs.read(&mut piece).await.unwrap();
            }
        });
        Stall::new(ours, AFTER).write_all(&[0; 1000]).await.unwrap();
        reader.await.unwrap();
    }
}
