//! The bodies that pass through: one enum instead of boxes, so that a frame that nobody changes
//! costs no virtual call and no copy.
//!
//! Invariant: a body that ends without an error was received whole. Whatever cuts it short (client
//! gone, origin gone, stall) surfaces as an [`Error`], so that the side that sends it on never
//! writes a clean end. Trailers are dropped: nothing in Nextcloud uses them, and they are a way to
//! smuggle fields.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::pace::{Pace, Patience};

/// A request or response body.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// All of it at once.
    Full(Option<Bytes>),
    /// From a peer, as it comes.
    Peer(Peer),
    /// Made or changed by Passeur.
    Made(Pin<Box<dyn HttpBody<Data = Bytes, Error = Error> + Send>>),
    /// Made by Passeur to be uploaded.
    Upload(Upload),
}

/// A body that Passeur makes, whose progress those see who wait for the answer to it.
pub struct Upload {
    made: Pin<Box<dyn HttpBody<Data = Bytes, Error = Error> + Send>>,
    meter: Arc<Meter>,
}

/// A body that a peer sends.
pub struct Peer {
    incoming: Incoming,
    from: Side,
    pace: Pace,
    meter: Option<Arc<Meter>>,
    held: Option<Box<dyn Held>>,
}

/// How far an upload is, for those who wait for the answer to it.
#[derive(Debug)]
pub struct Meter {
    begun: Instant,
    bytes: AtomicU64,
    /// Milliseconds after `begun` at which the last piece came.
    last: AtomicU64,
    complete: AtomicBool,
}

/// Something kept until a peer's body ends, such as the connection it comes from.
pub trait Held: Send {
    /// The body was received whole. (Otherwise it is just dropped.)
    fn complete(self: Box<Self>);
}

/// Who sends a body, or who ended an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The client.
    Client,
    /// The origin.
    Upstream,
    /// Passeur itself.
    Proxy,
}

impl Side {
    /// A short name for logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Upstream => "upstream",
            Side::Proxy => "proxy",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer broke off, or broke the protocol.
    #[error("{0} broke off the body")]
    Broken(Side, #[source] hyper::Error),
    /// The peer sent nothing for too long, or too little for even longer.
    #[error("{0} stalled")]
    Stalled(Side),
    /// Passeur could not make the body.
    #[error("failed to make the body")]
    Made(#[source] Box<dyn std::error::Error + Send + Sync>),
}

// === impl Meter ===

impl Default for Meter {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
            complete: AtomicBool::new(false),
        }
    }
}

impl Meter {
    /// Bytes received so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether all of it came.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// When the last piece came; the beginning, if none did.
    #[must_use]
    pub fn last(&self) -> Instant {
        self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }
}

// === impl Error ===

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Error::Broken(side, _) | Error::Stalled(side) => *side,
            Error::Made(_) => Side::Proxy,
        }
    }
}

impl Body {
    /// What a client sends; it may let us wait for it as `patience` says.
    #[must_use]
    pub fn from_client(incoming: Incoming, patience: Patience) -> Self {
        if incoming.is_end_stream() {
            return Body::Empty;
        }
        let mut peer = Peer::new(incoming, Side::Client, patience, None);
        peer.meter = Some(Arc::default());
        Body::Peer(peer)
    }

    /// The meter of an upload; `None` where there is nothing to measure.
    #[must_use]
    pub fn meter(&self) -> Option<Arc<Meter>> {
        match self {
            Body::Peer(peer) => peer.meter.clone(),
            Body::Upload(upload) => Some(Arc::clone(&upload.meter)),
            _ => None,
        }
    }

    /// Whether there is certainly nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Body::Empty | Body::Full(None))
    }

    /// What an origin sends; it may pause for `stall` between two pieces, and `held` is kept until
    /// its end.
    #[must_use]
    pub fn from_upstream(incoming: Incoming, stall: Duration, held: Box<dyn Held>) -> Self {
        if incoming.is_end_stream() {
            held.complete();
            return Body::Empty;
        }
        let patience = Patience::at_any_rate(stall);
        Body::Peer(Peer::new(incoming, Side::Upstream, patience, Some(held)))
    }

    /// Wraps a body that Passeur makes.
    pub fn made(body: impl HttpBody<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Body::Made(Box::pin(body))
    }

    /// Wraps a body that Passeur makes, and that takes its time.
    pub fn upload(body: impl HttpBody<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Body::Upload(Upload { made: Box::pin(body), meter: Arc::default() })
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Body::Empty } else { Body::Full(Some(bytes)) }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Body::Empty => Poll::Ready(None),
            Body::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Peer(peer) => peer.poll_frame(cx),
            Body::Made(made) => made.as_mut().poll_frame(cx),
            Body::Upload(upload) => upload.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(bytes) => bytes.is_none(),
            Body::Peer(peer) => peer.incoming.is_end_stream(),
            Body::Made(made) | Body::Upload(Upload { made, .. }) => made.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Body::Peer(peer) => peer.incoming.size_hint(),
            Body::Made(made) | Body::Upload(Upload { made, .. }) => made.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Empty => "Body::Empty",
            Body::Full(_) => "Body::Full",
            Body::Peer(_) => "Body::Peer",
            Body::Made(_) => "Body::Made",
            Body::Upload(_) => "Body::Upload",
        })
    }
}

/// The next data of a body; trailers are left out.
pub(crate) fn poll_data(
    body: &mut Body,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, Error>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}

impl Upload {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = ready!(self.made.as_mut().poll_frame(cx));
        if let Some(Ok(frame)) = &polled {
            self.meter.count(frame.data_ref().map_or(0, Bytes::len));
        }
        if polled.is_none() || self.made.is_end_stream() {
            self.meter.complete.store(true, Ordering::Relaxed);
        }
        Poll::Ready(polled)
    }
}

impl Peer {
    fn new(
        incoming: Incoming,
        from: Side,
        patience: Patience,
        held: Option<Box<dyn Held>>,
    ) -> Self {
        Self { incoming, from, pace: Pace::new(patience), meter: None, held }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Pending => {
                    ready!(self.pace.poll_exhausted(cx));
                    return Poll::Ready(Some(Err(Error::Stalled(self.from))));
                }
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    self.pace.moved(bytes);
                    if let Some(meter) = &self.meter {
                        meter.count(bytes);
                    }
                    if self.incoming.is_end_stream() {
                        self.complete();
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(Some(Ok(_trailers))) => {}
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(Error::Broken(self.from, error))));
                }
                Poll::Ready(None) => {
                    self.complete();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn complete(&mut self) {
        if let Some(meter) = &self.meter {
            meter.complete.store(true, Ordering::Relaxed);
        }
        if let Some(held) = self.held.take() {
            held.complete();
        }
    }
}
