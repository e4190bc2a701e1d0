//! Shows items of one account as those of another, in the multistatus answers of a site.
//!
//! Only a 207 with XML in it is looked at, everything else passes as it is. The body streams
//! through [`Rewriter`]: one piece goes out for one that comes in, and what is held back is bounded.
//! The origin is asked for plain answers; one that is encoded all the same is decoded on the way, and
//! what it decodes to is capped. For clients that accept it, the result is compressed again. A rewriter that fails open is counted and changes nothing any more;
//! encoded bytes that cannot be decoded end the body with an error, as its beginning is gone.

mod show;
#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_compression::Level;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;

pub use self::show::Show;
use crate::body::{Body, Error, poll_data};
use crate::coding::encode::{self, Encoded};
use crate::coding::{self, Coding, Decoded};
use crate::dav::multistatus::{self, Limits, Rewriter, Rules};

/// Why a multistatus, or the rest of it, passed as it was.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// Its content type names another character set than UTF-8.
    Charset,
    /// It has a content coding that is not known here, or several.
    ContentEncoding,
    /// Its content type is not XML.
    ContentType,
    /// The rewriter gave up.
    Document(multistatus::Reason),
}

/// Applies `rules` to a multistatus answer; compresses it, if it may be in `gzip`, for then the
/// origin would have done so. `on_fail_open` is called at most once, here or while
/// the body is read, if the answer or the rest of it passes untouched though it might matter.
pub fn rewrite(
    response: Response<Body>,
    rules: Arc<Rules>,
    gzip: bool,
    on_fail_open: impl Fn(Reason) + Send + Unpin + 'static,
) -> Response<Body> {
    let is_empty = rules.is_empty() || response.body().is_empty();
    if response.status() != StatusCode::MULTI_STATUS || is_empty {
        return response;
    }
    let coding = match coding_of(response.headers()) {
        Ok(coding) => coding,
        Err(reason) => {
            on_fail_open(reason);
            return response;
        }
    };
    let (mut parts, body) = response.into_parts();
    let gzip = gzip && encode::is_worthwhile(&parts.headers);
    parts.headers.remove(CONTENT_ENCODING);
    coding::forget_bytes(&mut parts.headers);
    let source = match coding {
        None => Source::Plain(body),
        Some(coding) => Source::Encoded(Box::new(Decoded::new(coding, body))),
    };
    let rewriter = Some(Rewriter::new(rules, Limits::default()));
    let body = Rewritten { source, rewriter, on_fail_open };
    if !gzip {
        return Response::from_parts(parts, Body::made(body));
    }
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(parts, Body::made(Encoded::new(Coding::Gzip, Level::Fastest, body)))
}

/// The body of a rewritten answer.
struct Rewritten<F> {
    source: Source,
    /// None once the body is over.
    rewriter: Option<Rewriter>,
    on_fail_open: F,
}

enum Source {
    Plain(Body),
    Encoded(Box<Decoded>),
}

// === impl Rewritten ===

impl<F: Fn(Reason)> Rewritten<F> {
    /// What to send for a piece that came; for the end, if there is none.
    fn pass(&mut self, piece: Option<Bytes>) -> Bytes {
        let Some(rewriter) = &mut self.rewriter else { return Bytes::new() };
        if rewriter.is_passing()
            && let Some(piece) = piece
        {
            return piece;
        }
        let failed_before = rewriter.failed();
        let mut out = BytesMut::with_capacity(piece.as_ref().map_or(0, Bytes::len));
        let mut sink = |bytes: &[u8]| out.extend_from_slice(bytes);
        match &piece {
            Some(piece) => rewriter.write(piece, &mut sink),
            None => rewriter.end(&mut sink),
        }
        if let Some(reason) = rewriter.failed()
            && failed_before.is_none()
        {
            (self.on_fail_open)(Reason::Document(reason));
        }
        out.freeze()
    }
}

impl<F: Fn(Reason) + Unpin> http_body::Body for Rewritten<F> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        while this.rewriter.is_some() {
            let piece = match ready!(this.source.poll_piece(cx)) {
                Some(Ok(piece)) => Some(piece),
                None => None,
                Some(Err(error)) => {
                    this.rewriter = None;
                    return Poll::Ready(Some(Err(error)));
                }
            };
            let is_end = piece.is_none();
            let out = this.pass(piece);
            if is_end {
                this.rewriter = None;
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.rewriter.is_none()
    }
}

// === impl Source ===

impl Source {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match self {
            Source::Encoded(decoded) => decoded.poll_piece(cx),
            Source::Plain(body) => poll_data(body, cx),
        }
    }
}

// === impl Reason ===

impl Reason {
    /// A short name for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Charset => "charset",
            Reason::ContentEncoding => "content_encoding",
            Reason::ContentType => "content_type",
            Reason::Document(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The content coding of an answer that can be read.
fn coding_of(headers: &HeaderMap) -> Result<Option<Coding>, Reason> {
    check_type(headers)?;
    coding::of(headers).map_err(|_| Reason::ContentEncoding)
}

/// Whether it is XML in UTF-8, as far as the header says.
fn check_type(headers: &HeaderMap) -> Result<(), Reason> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = value.unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    if essence != "application/xml" && essence != "text/xml" && !essence.ends_with("+xml") {
        return Err(Reason::ContentType);
    }
    let charset = parts
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim_matches('"'));
    let is_utf8 = |charset: &str| {
        ["utf-8", "utf8", "us-ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
    };
    if charset.is_none_or(is_utf8) { Ok(()) } else { Err(Reason::Charset) }
}
