//! Serves HTTP/2 on one connection.
//!
//! The h2 crate checks frames, header lists and lengths, but for [fragments](super::fragments). What
//! it leaves to us is time: a client may
//! hold a connection open without streams, or hold an answer by granting no window, and answer
//! pings all the while. Connections without streams are closed gracefully after the idle time, and
//! a stream whose client grants nothing for the stall time is reset.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::budget::Window;
use super::connection::Ended;
use super::drain::Open;
use super::fragments::WithoutFragments;
use super::stream::Stream;
use super::{BoxError, Connection, Gateway};
use crate::config::checked::Limits;

/// A ping that keeps NATs open and finds dead clients, and the time to answer it.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(20);
/// Streams that were reset by the client before we looked at them; more end the connection.
const RESET_BY_CLIENT: usize = 20;
/// Streams that we had to reset for the client's errors; more end the connection.
const RESET_BY_ERROR: usize = 100;
/// Bytes of answers that are buffered per stream while the client grants no window.
const SEND_BUFFER: usize = 128 << 10;

/// The streams of one connection.
struct Streams {
    begun: Instant,
    active: AtomicUsize,
    /// Milliseconds after `begun` at which the last stream ended.
    idle_since: AtomicU64,
    /// Handed from the call to the task that is spawned for it right after.
    next: Mutex<Option<Active>>,
}

/// A stream that runs.
struct Active {
    streams: Arc<Streams>,
    progress: Arc<Progress>,
}

/// Whether an answer waits for the client.
#[derive(Default)]
struct Progress {
    /// Milliseconds (plus one) after the beginning of the connection at which the last piece of
    /// the answer was taken from the gateway; 0 while the gateway is asked for the next one.
    waits_since: AtomicU64,
}

struct Service<G> {
    gateway: G,
    connection: Arc<Connection>,
    streams: Arc<Streams>,
}

#[derive(Clone)]
struct Executor {
    streams: Arc<Streams>,
    stall: Duration,
}

pin_project! {
    /// An answer, which knows whether it is asked for more.
    struct Answer<F> {
        #[pin]
        call: F,
        progress: Option<Arc<Progress>>,
        begun: Instant,
    }
}

pin_project! {
    struct AnswerBody<B> {
        #[pin]
        body: B,
        progress: Arc<Progress>,
        begun: Instant,
    }
}

pin_project! {
    /// The task of a stream; ends it when the client stalls.
    struct Task<F> {
        #[pin]
        stream: F,
        active: Option<Active>,
        stall: Duration,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

/// Serves until the client leaves, is idle for too long, or a stop.
pub(super) async fn serve<G: Gateway>(
    stream: Stream,
    gateway: G,
    connection: Arc<Connection>,
    limits: &Limits,
    window: Window,
    open: &Open,
) -> Ended {
    let streams = Arc::new(Streams::new());
    let executor = Executor { streams: streams.clone(), stall: limits.client_stall };
    let service = Service { gateway, connection, streams: streams.clone() };
    let serving = builder(executor, limits, &window)
        .serve_connection(TokioIo::new(WithoutFragments::new(stream)), service);
    let mut serving = pin!(serving);
    let mut leaving = pin!(async {
        tokio::select! {
            () = open.stopping() => {}
            () = streams.idle(limits.client_idle) => {}
        }
    });
    let mut told = false;
    let mut cut = pin!(open.cut());
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = serving.as_mut() => break outcome,
            () = leaving.as_mut(), if !told => {
                told = true;
                serving.as_mut().graceful_shutdown();
            }
            // After GOAWAY, a client without streams has no reason to stay.
            () = streams.idle(limits.handshake), if told => return Ended::Closed,
            () = cut.as_mut() => return Ended::Cut,
        }
    };
    match outcome {
        Ok(()) => Ended::Closed,
        Err(error) => Ended::Http(error),
    }
}

fn builder(executor: Executor, limits: &Limits, window: &Window) -> http2::Builder<Executor> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .initial_connection_window_size(window.bytes())
        .initial_stream_window_size(limits.h2_stream_window.min(window.bytes()))
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_BY_CLIENT)
        .max_local_error_reset_streams(RESET_BY_ERROR)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER);
    builder
}

// === impl Streams ===

impl Streams {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            active: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            next: Mutex::new(None),
        }
    }

    fn now(&self) -> u64 {
        millis_since(self.begun)
    }

    /// Waits until there was no stream for so long. Looks again when it could be, so that streams
    /// that come and go cost nothing.
    async fn idle(&self, long: Duration) {
        let begun = Instant::now();
        loop {
            let since = self.begun + Duration::from_millis(self.idle_since.load(Ordering::Relaxed));
            let active = self.active.load(Ordering::Relaxed) > 0;
            let since = if active { Instant::now() } else { since.max(begun) };
            if since.elapsed() >= long {
                return;
            }
            sleep_until(since + long).await;
        }
    }
}

impl Active {
    fn new(streams: &Arc<Streams>) -> Self {
        streams.active.fetch_add(1, Ordering::Relaxed);
        Self { streams: streams.clone(), progress: Arc::default() }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.streams.idle_since.store(self.streams.now(), Ordering::Relaxed);
        self.streams.active.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

// === impl Service ===

impl<G: Gateway> hyper::service::Service<Request<Incoming>> for Service<G> {
    type Response = Response<AnswerBody<G::Body>>;
    type Error = BoxError;
    type Future = Answer<G::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let active = Active::new(&self.streams);
        let progress = Some(active.progress.clone());
        *self.streams.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(active);
        let call = self.gateway.call(&self.connection, request);
        Answer { call, progress, begun: self.streams.begun }
    }
}

impl<F, B> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, BoxError>>,
{
    type Output = Result<Response<AnswerBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.call.poll(cx).map_ok(|mut response| {
            detach(response.headers_mut());
            let progress = this.progress.take().unwrap_or_default();
            response.map(|body| AnswerBody { body, progress, begun: *this.begun })
        })
    }
}

/// Copies values that are pieces of larger buffers. h2 keeps what it sent in the table of the
/// connection, and with a piece of an origin's answer it would keep all that was read with it.
fn detach(headers: &mut HeaderMap) {
    let mut values = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| values.extend_from_slice(value.as_bytes()));
    let mut values = values.freeze();
    for value in headers.values_mut() {
        // It is as valid as what it was copied from.
        if let Ok(mut copy) = HeaderValue::from_maybe_shared(values.split_to(value.len())) {
            copy.set_sensitive(value.is_sensitive());
            *value = copy;
        }
    }
}

impl<B: HttpBody<Data = Bytes>> HttpBody for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let outcome = this.body.poll_frame(cx);
        let since = if outcome.is_ready() { millis_since(*this.begun) + 1 } else { 0 };
        this.progress.waits_since.store(since, Ordering::Relaxed);
        outcome
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let active = self.streams.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        tokio::spawn(Task { stream, active, stall: self.stall, timer: None });
    }
}

impl<F: Future> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.stream.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(active) = this.active else { return Poll::Pending };
        let since = active.progress.waits_since.load(Ordering::Relaxed);
        if since == 0 {
            return Poll::Pending;
        }
        let deadline = active.streams.begun + Duration::from_millis(since - 1) + *this.stall;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                // Dropping the stream resets it.
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_nothing_of_the_buffer_they_were_read_into() {
        let buffer = Bytes::from(vec![b'a'; 64 << 10]);
        let mut headers = HeaderMap::new();
        for (name, range) in [("date", 0..29), ("server", 100..106), ("server", 200..200)] {
            let value = HeaderValue::from_maybe_shared(buffer.slice(range)).unwrap();
            headers.append(name, value);
        }
        let before = headers.clone();
        detach(&mut headers);
        assert_eq!(headers, before);
        drop(before);
        assert!(buffer.is_unique());
    }
}
