//! Raw bytes both ways after a 101.
//!
//! A tunnel outlives the exchange that opened it, so it runs as a task of its own. It ends when
//! either side closes, when nothing passes in either direction for the idle limit, or when a stop
//! has waited long enough.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::Instant;

use super::exchange::Upgrade;
use crate::listen::{BoxError, Kind};
use crate::upstream::causes;

/// Bytes held per direction; frames of chats and signalling are small.
const BUFFER: usize = 4096;

/// Joins both sides as soon as both have switched.
pub(super) fn open(upgrade: Upgrade, origin: OnUpgrade, idle: Duration) {
    let guard = upgrade.exchanges.guard(Kind::WebSocket);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = run(upgrade.client, origin, idle) => ended,
            () = guard.cut() => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(error = causes(&*error), "websocket ended");
        }
    });
}

async fn run(client: OnUpgrade, origin: OnUpgrade, idle: Duration) -> Result<(), BoxError> {
    let (client, origin) = tokio::try_join!(client, origin)?;
    let clock = Arc::new(Clock::default());
    let mut client = Watched { io: TokioIo::new(client), clock: Arc::clone(&clock) };
    let mut origin = TokioIo::new(origin);
    let copy = copy_bidirectional_with_sizes(&mut client, &mut origin, BUFFER, BUFFER);
    tokio::select! {
        copied = copy => Ok(copied.map(|_| ())?),
        () = clock.idle_for(idle) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// When something last passed.
struct Clock {
    begun: Instant,
    last_millis: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { begun: Instant::now(), last_millis: AtomicU64::new(0) }
    }
}

impl Clock {
    fn touch(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    async fn idle_for(&self, idle: Duration) {
        loop {
            let last = self.begun + Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
            if last.elapsed() >= idle {
                return;
            }
            tokio::time::sleep_until(last + idle).await;
        }
    }
}

/// Notes each byte that passes, in either direction.
struct Watched<T> {
    io: T,
    clock: Arc<Clock>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.clock.touch();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        if written.is_ready() {
            self.clock.touch();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
