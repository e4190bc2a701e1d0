//! One web server of a site: admits a bounded number of requests, and carries each out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Error;
use super::breaker::Breaker;
use super::connect::Connector;
use super::health::Health;
use super::pool::{Kept, Pool, Sender};
use crate::body::{Body, Held, Meter};
use crate::config::checked::{Target, UpstreamGroup};
use crate::tls::ClientTls;

/// A connection that was idle at least this long may well be just closing at the other end: it is
/// worth waiting for all of a short body, so that the request can be sent again.
const DOUBTFUL_AFTER: Duration = Duration::from_millis(500);
/// The longest body that is kept for a second try, bytes.
const SETTLED: u64 = 16 << 10;

/// One web server.
pub struct Upstream {
    connector: Connector,
    pool: Pool,
    breaker: Breaker,
    health: Health,
    places: Arc<Semaphore>,
    queued: AtomicUsize,
    max_queued: usize,
    queue_wait: Duration,
    response: Duration,
    stall: Duration,
    /// Written into `Host` where the group rewrites it.
    authority: Option<http::HeaderValue>,
    in_flight: AtomicUsize,
}

impl Upstream {
    pub(super) fn new(
        target: Target,
        group: &UpstreamGroup,
        tls: Option<ClientTls>,
        elsewhere: bool,
    ) -> Self {
        let authority = if group.rewrite_host { target.authority() } else { None };
        Self {
            connector: Connector { target, tls, timeout: group.connect, elsewhere },
            pool: Pool::new(group.max_in_flight, group.keep_alive),
            breaker: Breaker::new(group.breaker_failures, group.breaker_pause),
            health: Health::default(),
            places: Arc::new(Semaphore::new(group.max_in_flight)),
            queued: AtomicUsize::new(0),
            max_queued: group.max_queued,
            queue_wait: group.queue_wait,
            response: group.response,
            stall: group.stall,
            authority,
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.connector.target
    }

    /// What the last probe said.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Requests that wait or run.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.pool.open()
    }

    /// Whether connecting is suspended after repeated failures.
    pub fn breaker_is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Closes connections that have been idle for too long.
    pub(super) fn prune(&self) {
        self.pool.prune();
    }

    /// Sends a request, and streams its answer; the connection returns to the pool when the
    /// answer's body has ended.
    ///
    /// # Errors
    /// As [`Error`] says; nothing is sent again that an origin may have seen.
    pub async fn send(
        self: &Arc<Self>,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        let place = self.admit().await?;
        self.breaker.admit().map_err(|retry_after| Error::BreakerOpen { retry_after })?;
        self.address(&mut request);
        let meter = request.body().meter();
        let (response, sender) = self.exchange(request, meter.as_deref()).await?;
        let lease = Lease { sender: Some(sender), upload: meter, place };
        Ok(response.map(|body| Body::from_upstream(body, self.stall, Box::new(lease))))
    }

    /// A place among the requests in flight, at once or after a wait.
    async fn admit(self: &Arc<Self>) -> Result<Place, Error> {
        let permit = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => Box::pin(self.queue()).await?,
        };
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Place { upstream: Arc::clone(self), _permit: permit })
    }

    async fn queue(&self) -> Result<OwnedSemaphorePermit, Error> {
        let _waiting = Waiting::enter(&self.queued, self.max_queued).ok_or(Error::QueueFull)?;
        let places = Arc::clone(&self.places);
        match tokio::time::timeout(self.queue_wait, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::QueueTimeout),
        }
    }

    /// Fits the request to the protocol of the target.
    fn address(&self, request: &mut Request<Body>) {
        if let Some(authority) = &self.authority {
            request.headers_mut().insert(http::header::HOST, authority.clone());
        }
        if self.connector.target.http2 {
            to_http2(request, self.connector.target.tls);
        } else {
            *request.version_mut() = Version::HTTP_11;
        }
    }

    async fn exchange(
        &self,
        mut request: Request<Body>,
        meter: Option<&Meter>,
    ) -> Result<(Response<Incoming>, Sender), Error> {
        while let Some(Kept { mut sender, idle }) = self.pool.take() {
            let mut spare = None;
            if is_safe(&request) {
                if idle >= DOUBTFUL_AFTER {
                    request = Box::pin(settle(request)).await?;
                }
                spare = copy(&request);
            }
            match self.answer(&mut sender, request, meter).await {
                Ok(response) => return Ok((response, sender)),
                Err(Failure::Unsent(unsent)) => request = *unsent,
                Err(Failure::Sent(error)) => match spare {
                    Some(spare) if matches!(error, Error::Exchange(_)) => request = spare,
                    _ => return Err(error),
                },
            }
        }
        // What seldom happens is boxed, here and above: every request moves the space it would take.
        let mut sender = Box::pin(self.open()).await?;
        match self.answer(&mut sender, request, meter).await {
            Ok(response) => Ok((response, sender)),
            Err(Failure::Sent(error)) => Err(error),
            Err(Failure::Unsent(_)) => {
                self.breaker.failed();
                Err(Error::Connect(std::io::ErrorKind::ConnectionAborted.into()))
            }
        }
    }

    async fn open(&self) -> Result<Sender, Error> {
        let opened = self.connector.open(self.pool.reserve()).await;
        match &opened {
            Ok(Sender::Http2(sender)) => self.pool.put(Sender::Http2(sender.clone())),
            Ok(Sender::Http1(_)) => {}
            Err(_) => self.breaker.failed(),
        }
        opened
    }

    /// Waits for the answer's head: as long as the upload moves, and `response` after it.
    async fn answer(
        &self,
        sender: &mut Sender,
        request: Request<Body>,
        meter: Option<&Meter>,
    ) -> Result<Response<Incoming>, Failure> {
        let answer = sender.send(request);
        tokio::pin!(answer);
        let mut deadline = Instant::now() + self.response;
        loop {
            match tokio::time::timeout_at(deadline, answer.as_mut()).await {
                Ok(Ok(response)) => {
                    self.breaker.succeeded();
                    return Ok(response);
                }
                Ok(Err(error)) => return Err(Failure::from(error)),
                Err(_elapsed) => {
                    let moved = meter.map(Meter::last).map(|last| last + self.response);
                    match moved {
                        Some(later) if later > deadline => deadline = later,
                        _ => return Err(Failure::Sent(Error::ResponseTimeout)),
                    }
                }
            }
        }
    }
}

/// What became of a request without an answer.
enum Failure {
    /// Not a byte of it left.
    Unsent(Box<Request<Body>>),
    /// The origin may have seen it.
    Sent(Error),
}

impl From<TrySendError<Request<Body>>> for Failure {
    fn from(mut error: TrySendError<Request<Body>>) -> Self {
        match error.take_message() {
            Some(request) => Failure::Unsent(Box::new(request)),
            None => {
                let error = error.into_error();
                if error.is_user() || error.is_body_write_aborted() {
                    Failure::Sent(Error::Upload(error.into()))
                } else {
                    Failure::Sent(Error::Exchange(error))
                }
            }
        }
    }
}

/// What an answer's body holds until its end.
struct Lease {
    sender: Option<Sender>,
    upload: Option<Arc<Meter>>,
    place: Place,
}

impl Held for Lease {
    /// The connection serves the next request, unless the origin answered before it had all of
    /// this one: what is still to come would stand before the next (A27).
    fn complete(mut self: Box<Self>) {
        let sent = self.upload.as_ref().is_none_or(|upload| upload.is_complete());
        if sent && let Some(sender @ Sender::Http1(_)) = self.sender.take() {
            self.place.upstream.pool.put(sender);
        }
    }
}

/// One request in flight.
struct Place {
    upstream: Arc<Upstream>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One request in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(queued: &'a AtomicUsize, max: usize) -> Option<Self> {
        let waiting = Self(queued);
        if queued.fetch_add(1, Ordering::Relaxed) < max { Some(waiting) } else { None }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a request may be sent twice: it changes nothing, and its body is short.
fn is_safe(request: &Request<Body>) -> bool {
    let method = request.method();
    let reads = method.is_safe() || matches!(method.as_str(), "PROPFIND" | "REPORT" | "SEARCH");
    let length = request.body().size_hint().exact();
    reads && method != Method::TRACE && length.is_some_and(|length| length <= SETTLED)
}

/// Waits for all of a short body, so that it can be sent again.
async fn settle(request: Request<Body>) -> Result<Request<Body>, Error> {
    let (parts, body) = request.into_parts();
    let body = match body {
        Body::Empty | Body::Full(_) => body,
        body => {
            let body = body.collect().await.map_err(|error| Error::Upload(error.into()))?;
            Body::from(body.to_bytes())
        }
    };
    Ok(Request::from_parts(parts, body))
}

fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let body = match request.body() {
        Body::Empty => Body::Empty,
        Body::Full(bytes) => Body::Full(bytes.clone()),
        Body::Peer(_) | Body::Made(_) | Body::Upload(_) => return None,
    };
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = HeaderMap::clone(request.headers());
    Some(copy)
}

/// Moves the host into the target, as RFC 9113 section 8.3.1 wants it.
fn to_http2(request: &mut Request<Body>, tls: bool) {
    *request.version_mut() = Version::HTTP_2;
    let Some(host) = request.headers_mut().remove(http::header::HOST) else { return };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if tls { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
    parts.authority = http::uri::Authority::try_from(host.as_bytes()).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}
