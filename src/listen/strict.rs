//! Puts [`Framing`] between the socket and hyper: hyper only ever reads bytes whose framing is
//! beyond doubt.
//!
//! What cannot be accepted is made unacceptable to hyper. In a head, the byte at which the doubt
//! arose becomes NUL and the head ends there: hyper answers 400 and closes. In a body, reading
//! fails: whoever reads the body sees an error instead of its end, hyper closes after the answer.
//! Requests before that place are served as usual, nothing after it is read.
//!
//! Upgrades. Bytes after a request with `Upgrade` (or CONNECT) are HTTP if it is refused, and
//! another protocol after a 101. Nobody knows before the answer, so they are kept back here until
//! the service says, through [`Gate::answered`], which it is: then they are either followed
//! strictly like all others, or pass untouched for ever. They are never shown to hyper before.
//! While they wait, reading goes on to a bound, so that a client that leaves is noticed.
//!
//! Closing. Where the client still sends (a refused head, an early answer to an upload), closing at
//! once would make the kernel reset the connection, and the answer could be lost. So the write side
//! is closed first, and what the client sends is thrown away for a short, bounded while.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::framing::{Framing, Next, Rule};

/// Bytes kept back while the answer to an upgrade is awaited.
const HELD_BYTES: usize = 16 << 10;
/// How long, and how much, is read and thrown away at the end.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 << 20;
/// Ends a refused head, so that hyper looks at it now.
const HEAD_END: &[u8] = b"\r\n\r\n";

const WAITING: u8 = 0;
const CONTINUES: u8 = 1;
const SWITCHES: u8 = 2;

/// A connection on which HTTP/1 is read strictly.
#[derive(Debug)]
pub struct Strict<S> {
    io: S,
    framing: Framing,
    mode: Mode,
    /// Bytes received and not yet shown: they came after an upgrade request.
    held: Vec<u8>,
    gate: Arc<Gate>,
    closing: Closing,
}

/// What the service tells the connection it serves, and what it can learn of it.
#[derive(Debug, Default)]
pub struct Gate {
    answer: AtomicU8,
    reader: AtomicWaker,
    refused: OnceLock<Rule>,
    /// How often bytes came or went; a number to compare.
    moves: AtomicUsize,
    /// Whether all that was read are whole requests.
    between: AtomicBool,
    /// Whether something to be written waits for the client.
    writing: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Requests are followed.
    Followed,
    /// An upgrade was asked for; its answer is awaited.
    Held,
    /// Another protocol is spoken.
    Open,
    /// A head was refused; so many bytes of [`HEAD_END`] are still to be shown, then the end.
    Refused(usize),
    /// A body was refused.
    Broken(Rule),
}

#[derive(Debug)]
enum Closing {
    No,
    Lingers { until: Pin<Box<Sleep>>, left: usize },
    Done,
}

/// A body whose framing broke a rule.
#[derive(Debug, thiserror::Error)]
#[error("request body broke the rule {}", .0.as_str())]
struct BrokenBody(Rule);

// === impl Gate ===

impl Gate {
    /// The answer to a request that asked for an upgrade is known: whether it is a 101.
    pub fn answered(&self, switches: bool) {
        self.answer.store(if switches { SWITCHES } else { CONTINUES }, Ordering::Release);
        self.reader.wake();
    }

    /// The rule for which the connection was refused.
    #[must_use]
    pub fn refused(&self) -> Option<Rule> {
        self.refused.get().copied()
    }

    /// Changes whenever bytes come or go.
    #[must_use]
    pub fn moves(&self) -> usize {
        self.moves.load(Ordering::Relaxed)
    }

    /// Whether all that was read are whole requests, and nothing waits to be written.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        self.between.load(Ordering::Relaxed) && !self.writing.load(Ordering::Relaxed)
    }

    /// Notes how a write went. Only the connection's task does, so there is no race.
    fn wrote<T>(&self, outcome: Poll<T>) -> Poll<T> {
        self.moved();
        self.flushed(outcome)
    }

    /// Notes how a flush went. hyper also flushes where there is nothing to write.
    fn flushed<T>(&self, outcome: Poll<T>) -> Poll<T> {
        self.writing.store(outcome.is_pending(), Ordering::Relaxed);
        outcome
    }

    fn moved(&self) {
        self.moves.store(self.moves().wrapping_add(1), Ordering::Relaxed);
    }

    /// Takes the answer, so that the next upgrade waits for its own.
    fn take_answer(&self, cx: &Context<'_>) -> Option<bool> {
        self.reader.register(cx.waker());
        match self.answer.swap(WAITING, Ordering::Acquire) {
            WAITING => None,
            answer => Some(answer == SWITCHES),
        }
    }
}

// === impl Strict ===

impl<S> Strict<S> {
    /// Reads requests from `io` whose heads are of `head_bytes` at most.
    pub fn new(io: S, head_bytes: usize) -> Self {
        Self {
            io,
            framing: Framing::new(head_bytes),
            mode: Mode::Followed,
            held: Vec::new(),
            gate: Arc::default(),
            closing: Closing::No,
        }
    }

    /// What the service has to keep.
    pub fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }

    /// The connection itself.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// Follows what was just put into `buf` after `start`; whether there is something to show.
    fn follow(&mut self, buf: &mut ReadBuf<'_>, start: usize) -> bool {
        let fresh = &mut buf.filled_mut()[start..];
        let followed = self.framing.follow(fresh);
        self.mode = match followed.next {
            Next::More => return true,
            Next::Upgrade => {
                // What came from `held` goes back to its front.
                self.held.splice(..0, fresh[followed.keep..].iter().copied());
                Mode::Held
            }
            Next::Refused(rule) => {
                self.refuse(rule);
                Mode::Refused(0)
            }
            Next::TooLarge => Mode::Refused(HEAD_END.len()),
            Next::Broken(rule) => {
                self.refuse(rule);
                Mode::Broken(rule)
            }
        };
        buf.set_filled(start + followed.keep);
        followed.keep > 0
    }

    /// Tells the gate that bytes came.
    fn note_read(&self) {
        let is_followed = matches!(self.mode, Mode::Followed) && self.held.is_empty();
        let between = is_followed && self.framing.is_between_requests();
        self.gate.between.store(between, Ordering::Relaxed);
        self.gate.moved();
    }

    fn refuse(&self, rule: Rule) {
        tracing::debug!(rule = rule.as_str(), "refused a request");
        let _ = self.gate.refused.set(rule);
    }

    fn show_held(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.held.len().min(buf.remaining());
        buf.put_slice(&self.held[..count]);
        self.held.drain(..count);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    /// Whether the client may still be sending what nobody will read.
    fn is_cut_short(&self) -> bool {
        match self.mode {
            Mode::Refused(_) | Mode::Broken(_) => true,
            Mode::Followed => !self.framing.is_between_requests(),
            Mode::Held | Mode::Open => false,
        }
    }
}

impl<S: AsyncRead + Unpin> Strict<S> {
    /// Waits for the next request, without a buffer to read it into; whether there is one.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn asked(&mut self) -> io::Result<bool> {
        if !self.held.is_empty() {
            return Ok(true);
        }
        std::future::poll_fn(|cx| self.poll_hold(cx)).await
    }

    /// Reads a few bytes and keeps them back; ready with `false` at the end of the connection.
    fn poll_hold(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [0; 1024];
        let mut space = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut space))?;
        self.held.extend_from_slice(space.filled());
        Poll::Ready(Ok(!space.filled().is_empty()))
    }

    /// Waits for the answer to an upgrade; ready with `false` if the client left meanwhile.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if let Some(switches) = self.gate.take_answer(cx) {
            self.mode = if switches { Mode::Open } else { Mode::Followed };
            return Poll::Ready(Ok(true));
        }
        while self.held.len() < HELD_BYTES {
            if !ready!(self.poll_hold(cx))? {
                return Poll::Ready(Ok(false));
            }
        }
        Poll::Pending
    }

    /// Throws away what comes, for a while.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Closing::Lingers { until, left } = &mut self.closing else { return Poll::Ready(()) };
        while *left > 0 && until.as_mut().poll(cx).is_pending() {
            let mut space = [0; 8 << 10];
            let mut space = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut space)) {
                Ok(()) if !space.filled().is_empty() => {
                    *left = left.saturating_sub(space.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let start = buf.filled().len();
            match this.mode {
                Mode::Open if this.held.is_empty() => {
                    return Pin::new(&mut this.io).poll_read(cx, buf);
                }
                Mode::Open => {
                    this.show_held(buf);
                    return Poll::Ready(Ok(()));
                }
                Mode::Followed => {
                    if this.held.is_empty() {
                        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
                    } else {
                        this.show_held(buf);
                    }
                    let shows = buf.filled().len() == start || this.follow(buf, start);
                    this.note_read();
                    if shows {
                        return Poll::Ready(Ok(()));
                    }
                }
                Mode::Held => {
                    if !ready!(this.poll_answer(cx))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Mode::Refused(shown) => {
                    let rest = &HEAD_END[shown..];
                    let count = rest.len().min(buf.remaining());
                    buf.put_slice(&rest[..count]);
                    this.mode = Mode::Refused(shown + count);
                    return Poll::Ready(Ok(()));
                }
                Mode::Broken(rule) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        BrokenBody(rule),
                    )));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.gate.wrote(Pin::new(&mut this.io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.gate.wrote(Pin::new(&mut this.io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.gate.flushed(Pin::new(&mut this.io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.closing, Closing::No) {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            this.closing = if this.is_cut_short() {
                let until = Box::pin(tokio::time::sleep(LINGER));
                Closing::Lingers { until, left: LINGER_BYTES }
            } else {
                Closing::Done
            };
        }
        ready!(this.poll_linger(cx));
        this.closing = Closing::Done;
        Poll::Ready(Ok(()))
    }
}
