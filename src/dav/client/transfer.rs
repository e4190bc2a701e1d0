//! Downloads and uploads: bodies that stream, with what servers and clients say about them.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use super::{Client, Error, Path, finish, persist, succeeded};
use crate::body::{self, Body};

/// What comes from a server.
#[derive(Debug)]
pub struct Download {
    /// Where it begins in the whole, bytes.
    pub from: u64,
    /// How long this is, if it is known.
    pub length: Option<u64>,
    /// The entity tag, as it came.
    pub etag: Option<String>,
    /// `OC-Checksum`: `SHA1:…`, `MD5:…`.
    pub checksum: Option<String>,
    /// The bytes. An end without an error is the end of all of it.
    pub body: Body,
}

/// What is sent to a server: its length is known, because PHP behind FastCGI makes empty files of
/// what has none.
pub struct Upload {
    pub(super) body: Body,
    pub(super) length: u64,
}

/// When to store at all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Conditions {
    /// In any case.
    #[default]
    Always,
    /// Only where there is nothing yet (412 else): makes an upload safe to send again.
    IfAbsent,
    /// Only over this entity tag.
    IfMatch(String),
}

/// What goes along with an upload.
#[derive(Clone, Debug, Default)]
pub struct Put {
    /// `Content-Type`.
    pub kind: Option<String>,
    /// `OC-Checksum`, such as `SHA1:…`. The server keeps it, and does not check it.
    pub checksum: Option<String>,
    /// When it was changed last, seconds since 1970.
    pub mtime: Option<i64>,
    /// When it was made, seconds since 1970.
    pub ctime: Option<i64>,
    /// When to store at all.
    pub conditions: Conditions,
    /// Asks the server for the SHA-256 of what arrives (`X-Hash`, Nextcloud).
    pub confirm: bool,
}

/// What a server says of something it stored.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stored {
    /// Its entity tag; absent where the server changed what it got.
    pub etag: Option<String>,
    /// `OC-FileId`.
    pub file_id: Option<String>,
    /// Whether there was nothing before.
    pub created: bool,
    /// Whether the server took the time of the last change over.
    pub mtime_accepted: bool,
    /// The SHA-256 of what arrived, hexadecimal, where it was asked for and the server says.
    pub sha256: Option<String>,
}

impl Client {
    /// Downloads, from a range if one is given (its end is not part of it).
    ///
    /// # Errors
    /// As [`Error`] says; a server that ignores the range is an error, too.
    pub async fn get(&self, path: &Path, range: Option<Range<u64>>) -> Result<Download, Error> {
        let ask = || {
            let mut request = self.request("GET", path);
            if let Some(range) = &range {
                let last = range.end.saturating_sub(1);
                request = request.header(header::RANGE, format!("bytes={}-{last}", range.start));
            }
            self.send(request, Body::Empty)
        };
        let answer = succeeded(persist(ask).await?).await?;
        Download::of(answer, range)
    }

    /// Stores what `upload` holds.
    ///
    /// # Errors
    /// As [`Error`] says; 412 if the conditions do not hold.
    pub async fn put(&self, path: &Path, upload: Upload, put: &Put) -> Result<Stored, Error> {
        let mut request = self.request("PUT", path).header(header::CONTENT_LENGTH, upload.length);
        request = put.fields(request);
        let answer = succeeded(self.send(request, upload.body).await?).await?;
        let stored = Stored::of(&answer);
        finish(answer).await?;
        Ok(stored)
    }

    /// Lets the server read a file again and compute its checksum, which it also keeps: `MD5`,
    /// `SHA1` or `SHA256` (`PATCH` with `X-Recalculate-Hash`, Nextcloud 23). `None` where the
    /// server cannot.
    ///
    /// # Errors
    /// As [`Error`] says; 404 if there is nothing.
    pub async fn recalculate(&self, path: &Path, kind: &str) -> Result<Option<String>, Error> {
        let request = self.request("PATCH", path).header("x-recalculate-hash", kind);
        let answer = match succeeded(self.send(request, Body::Empty).await?).await {
            Err(error) if error.status().is_some_and(|s| matches!(s.as_u16(), 400 | 405 | 501)) => {
                return Ok(None);
            }
            answer => answer?,
        };
        let sum = text(answer.headers(), "oc-checksum");
        finish(answer).await?;
        let sum = sum.and_then(|sum| Some(sum.split_once(':')?.1.to_ascii_lowercase()));
        Ok(sum.filter(|sum| !sum.is_empty()))
    }
}

impl Download {
    fn of(answer: Response<Body>, range: Option<Range<u64>>) -> Result<Self, Error> {
        let from = match (range, answer.status()) {
            (None, StatusCode::OK) => 0,
            (Some(range), StatusCode::PARTIAL_CONTENT) => {
                let given = text(answer.headers(), "content-range").unwrap_or_default();
                if !given.starts_with(&format!("bytes {}-", range.start)) {
                    return Err(Error::Malformed(format!(
                        "another range: {}",
                        given.escape_debug()
                    )));
                }
                range.start
            }
            (_, status) => return Err(Error::Malformed(format!("{status} to a download"))),
        };
        if answer.headers().contains_key(header::CONTENT_ENCODING) {
            return Err(Error::Malformed("an encoding that was not asked for".to_owned()));
        }
        let length = text(answer.headers(), "content-length").and_then(|text| text.parse().ok());
        Ok(Self {
            from,
            length,
            etag: text(answer.headers(), "oc-etag").or_else(|| text(answer.headers(), "etag")),
            checksum: text(answer.headers(), "oc-checksum"),
            body: answer.into_body(),
        })
    }
}

impl Upload {
    /// Bytes that are there already.
    #[must_use]
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { length: bytes.len() as u64, body: Body::from(bytes) }
    }

    /// Exactly `length` bytes that come in pieces; more or fewer break the request off, and the
    /// server stores nothing.
    pub fn streamed<S, E>(length: u64, pieces: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let frames = pieces.map(|piece| match piece {
            Ok(bytes) => Ok(Frame::data(bytes)),
            Err(error) => Err(body::Error::Made(error.into())),
        });
        let body = Exactly { left: length, inner: Body::made(StreamBody::new(frames)) };
        Self { length, body: if length == 0 { Body::Empty } else { Body::upload(body) } }
    }

    /// What another server sends, without keeping it.
    ///
    /// # Errors
    /// If that server does not say how long it is.
    pub fn relayed(download: Download) -> Result<Self, Error> {
        let length = download
            .length
            .ok_or_else(|| Error::Malformed("a download without a length".to_owned()))?;
        let body = Exactly { left: length, inner: download.body };
        Ok(Self { length, body: if length == 0 { Body::Empty } else { Body::upload(body) } })
    }

    /// The same, with its body changed: hashed, or counted, but not in length.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Body) -> Body) -> Self {
        let body = if self.length == 0 { Body::Empty } else { change(self.body) };
        Self { body, ..self }
    }

    /// How long it is, bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Put {
    pub(super) fn fields(&self, mut request: http::request::Builder) -> http::request::Builder {
        let mut set = |name: &'static str, value: Option<String>| {
            if let (Some(value), Some(fields)) = (value, request.headers_mut())
                && let Ok(value) = HeaderValue::from_str(&value)
            {
                fields.insert(name, value);
            }
        };
        set("content-type", self.kind.clone());
        set("oc-checksum", self.checksum.clone());
        set("x-oc-mtime", self.mtime.map(|time| time.to_string()));
        set("x-oc-ctime", self.ctime.map(|time| time.to_string()));
        set("x-hash", self.confirm.then(|| "sha256".to_owned()));
        match &self.conditions {
            Conditions::Always => {}
            Conditions::IfAbsent => set("if-none-match", Some("*".to_owned())),
            Conditions::IfMatch(etag) => set("if-match", Some(etag.clone())),
        }
        request
    }
}

impl Stored {
    pub(super) fn of(answer: &Response<Body>) -> Self {
        let fields = answer.headers();
        Self {
            etag: text(fields, "oc-etag").or_else(|| text(fields, "etag")),
            file_id: text(fields, "oc-fileid"),
            created: answer.status() == StatusCode::CREATED,
            mtime_accepted: fields.get("x-oc-mtime").is_some_and(|value| value == "accepted"),
            sha256: text(fields, "x-hash-sha256").map(|sum| sum.to_ascii_lowercase()),
        }
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("length", &self.length).finish_non_exhaustive()
    }
}

fn text(fields: &HeaderMap, name: &str) -> Option<String> {
    fields.get(name)?.to_str().ok().map(str::to_owned)
}

/// A body that is as long as announced, or breaks.
struct Exactly {
    left: u64,
    inner: Body,
}

impl http_body::Body for Exactly {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let broken = |text: &'static str| Poll::Ready(Some(Err(body::Error::Made(text.into()))));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match self.left.checked_sub(length) {
                    Some(left) => self.left = left,
                    None => return broken("there is more of it than announced"),
                }
                polled
            }
            Poll::Ready(None) if self.left > 0 => broken("there is less of it than announced"),
            _ => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.left)
    }
}
