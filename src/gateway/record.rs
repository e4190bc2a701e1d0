//! Follows an exchange to its last byte, whoever ends it, and writes it down once.
//!
//! A [`Record`] is dropped exactly once per request: with the answer's body when that was sent, or
//! with the future when the client left before. Dropping is what counts and logs, so that no way of
//! ending is missed.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Asker, Refusal, RequestId, Shared};
use crate::body::{Body, Error, Meter, Side};
use crate::dav::path::Kind;
use crate::listen::{self, Connection, Guard};
use crate::observe::access::{AccessLog, Line};
use crate::observe::metrics::Finished;
use crate::site::Site;

/// An answer longer than this may take as long as an upload when a stop waits for it, bytes.
const LONG: u64 = 1 << 20;

/// How far an exchange is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Its head is being judged.
    Head,
    /// The origin was asked.
    Wait,
    /// The answer's body is on its way.
    Body,
    /// All of the answer was handed over.
    Done,
}

/// What will be written down about one exchange.
pub(super) struct Record {
    begun: Instant,
    asked: Option<Instant>,
    upstream: Option<Duration>,
    id: RequestId,
    site: Option<Arc<Site>>,
    kind: Kind,
    phase: Phase,
    ended_by: Option<Side>,
    status: u16,
    refused: &'static str,
    bytes_out: u64,
    upload: Option<Arc<Meter>>,
    client: Option<IpAddr>,
    line: Option<Box<Asked>>,
    /// A stop waits for it.
    guard: Guard,
}

/// What only the access log wants.
struct Asked {
    log: AccessLog,
    method: Method,
    target: Uri,
    host: Option<HeaderValue>,
    version: Version,
}

impl Record {
    pub(super) fn begin<B: HttpBody>(
        shared: &Shared,
        connection: &Connection,
        request: &Request<B>,
    ) -> Self {
        let line = shared.access_log.load().as_ref().as_ref().map(|log| {
            Box::new(Asked {
                log: log.clone(),
                method: request.method().clone(),
                target: request.uri().clone(),
                host: request.headers().get(HOST).cloned(),
                version: request.version(),
            })
        });
        Self {
            begun: Instant::now(),
            asked: None,
            upstream: None,
            id: RequestId::new(),
            site: None,
            kind: Kind::Web,
            phase: Phase::Head,
            ended_by: None,
            status: 0,
            refused: "",
            bytes_out: 0,
            upload: None,
            client: connection.peer.map(|peer| peer.ip()),
            line,
            guard: connection.exchanges.guard(match request.body().is_end_stream() {
                true => listen::Kind::Request,
                false => listen::Kind::Upload,
            }),
        }
    }

    pub(super) fn id(&self) -> RequestId {
        self.id
    }

    pub(super) fn site(&self) -> Option<&Site> {
        self.site.as_deref()
    }

    pub(super) fn client(&mut self, client: Option<IpAddr>) {
        self.client = client;
    }

    pub(super) fn site_is(&mut self, site: Arc<Site>, kind: Kind) {
        self.site = Some(site);
        self.kind = kind;
    }

    pub(super) fn upload(&mut self, body: &Body) {
        self.upload = body.meter();
    }

    /// The origin is asked from now on.
    pub(super) fn waits(&mut self) {
        self.phase = Phase::Wait;
        self.asked = Some(Instant::now());
    }

    /// Notes a refusal, and makes its answer.
    pub(super) fn refused(&mut self, refusal: Refusal, asker: &Asker) -> Response<Body> {
        self.refused = refusal.reason;
        self.ended_by = Some(refusal.side);
        self.asked = None;
        if let Some(site) = &self.site {
            site.metrics.refusals().count(refusal.reason);
        }
        if refusal.side != Side::Client {
            let cause = refusal.source.as_deref().map(|error| error as &dyn std::error::Error);
            tracing::warn!(
                id = %self.id,
                site = self.site.as_ref().map_or("", |site| &site.config.name),
                reason = refusal.reason,
                cause = cause.map(crate::upstream::causes),
                "request not carried"
            );
        }
        refusal.into_response(*asker, self.id)
    }

    /// The head of the answer is ready; the record goes on with its body.
    pub(super) fn answered(mut self, response: Response<Body>) -> Response<Recorded> {
        self.upstream = self.asked.map(|asked| asked.elapsed());
        self.phase = Phase::Body;
        self.status = response.status().as_u16();
        if response.body().size_hint().exact().is_none_or(|size| size > LONG) {
            self.guard.becomes(listen::Kind::Upload);
        }
        response.map(|body| Recorded { body, record: self })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let bytes_in = self.upload.as_deref().map_or(0, Meter::bytes);
        if let Some(site) = &self.site {
            site.metrics.count(&Finished {
                kind: self.kind as usize,
                status: self.status,
                bytes_in,
                bytes_out: self.bytes_out,
                upstream: self.upstream,
            });
        }
        let Some(line) = &self.line else { return };
        let ended_by = match (self.ended_by, self.phase) {
            (Some(side), _) => side.as_str(),
            (None, Phase::Done) => "",
            (None, _) => Side::Client.as_str(),
        };
        let host = line.host.as_ref().and_then(|host| host.to_str().ok());
        line.log.write(&Line {
            site: self.site.as_ref().map_or("", |site| &site.config.name),
            kind: self.kind.as_str(),
            id: self.id.as_str(),
            client: self.client,
            method: line.method.as_str(),
            host: host.or_else(|| line.target.authority().map(|a| a.as_str())).unwrap_or_default(),
            target: line.target.path_and_query().map_or("", |target| target.as_str()),
            protocol: protocol(line.version),
            status: self.status,
            bytes_in,
            bytes_out: self.bytes_out,
            total: self.begun.elapsed(),
            upstream: self.upstream,
            ended_by,
            phase: self.phase.as_str(),
            refused: self.refused,
        });
    }
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Phase::Head => "head",
            Phase::Wait => "wait",
            Phase::Body => "body",
            Phase::Done => "done",
        }
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "",
    }
}

/// An answer's body, counted as it goes.
pub struct Recorded {
    body: Body,
    record: Record,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.record.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
                if this.body.is_end_stream() {
                    this.record.phase = Phase::Done;
                }
            }
            Poll::Ready(Some(Err(error))) => this.record.ended_by = Some(error.side()),
            Poll::Ready(None) => this.record.phase = Phase::Done,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if self.record.phase == Phase::Body && self.body.is_end_stream() {
            self.record.phase = Phase::Done;
        }
    }
}
