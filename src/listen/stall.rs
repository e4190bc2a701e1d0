//! Cuts off clients that take nothing of what is written to them, or too little.
//!
//! It sits right on the socket, beneath TLS, where "took a byte" is visible: once a write stays
//! pending for too long, or writes do so on average, they fail with `TimedOut`, and the connection
//! ends. An honest slow reader is never cut. A write that succeeds at once costs nothing: the timer
//! is made when a write has to wait for the first time, and not moved while writes make progress.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pace::{Pace, Patience};

/// A stream whose writes may not stand still.
#[derive(Debug)]
pub struct Stall<S> {
    io: S,
    pace: Pace,
}

impl<S> Stall<S> {
    /// Writes to `io` may have to wait as `patience` says.
    pub fn new(io: S, patience: Patience) -> Self {
        Self { io, pace: Pace::new(patience) }
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Ready(written) => self.pace.moved(*written.as_ref().unwrap_or(&0)),
            Poll::Pending => {
                ready!(self.pace.poll_exhausted(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        outcome
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
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    const AFTER: Duration = Duration::from_secs(300);
    const PATIENCE: Patience = Patience { pause: AFTER, rate: 100 };

    #[tokio::test(start_paused = true)]
    async fn cuts_a_reader_that_takes_nothing() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let begun = Instant::now();
        let outcome = Stall::new(ours, PATIENCE).write_all(&[0; 1000]).await;
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
        Stall::new(ours, Patience::at_any_rate(AFTER)).write_all(&[0; 1000]).await.unwrap();
        reader.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn cuts_a_reader_that_takes_a_byte_a_minute() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        tokio::spawn(async move {
            while theirs.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        });
        let begun = Instant::now();
        let outcome = Stall::new(ours, PATIENCE).write_all(&[0; 1000]).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < AFTER * 3, "{:?}", begun.elapsed());
    }
}
