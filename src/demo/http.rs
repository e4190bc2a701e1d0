//! Requests as the stand-in sees them and answers as it gives them.
//!
//! It sits behind a proxy on loopback, so it believes `X-Forwarded-Proto` and `Host` and builds its
//! absolute URLs from them, as Nextcloud does with `trusted_proxies`: a proxy that sets them wrong
//! is shown its mistake. Bodies that are read whole are bounded; what goes wrong on the way to an
//! answer is a [`Fault`], which becomes one.

use std::io;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode, request};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::mint;
use super::xml::escape;

/// A body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
/// An answer.
pub(super) type Reply = Response<Body>;

/// A request, its body apart.
pub(super) struct Ask {
    pub(super) head: request::Parts,
    body: Option<Incoming>,
    /// Scheme and host as the client used them, by what the proxy says.
    pub(super) base: String,
    /// The decoded path, without `/index.php`.
    pub(super) path: String,
}

/// Why there is no better answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The client's doing.
    #[error("refused with {0}: {1}")]
    Refused(StatusCode, &'static str),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the disk failed")]
    Disk(#[from] io::Error),
    #[error("the body broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    pub(super) const NOT_FOUND: Self = Self::Refused(StatusCode::NOT_FOUND, "not found");
    pub(super) const FORBIDDEN: Self = Self::Refused(StatusCode::FORBIDDEN, "not allowed");
    pub(super) const BAD_REQUEST: Self = Self::Refused(StatusCode::BAD_REQUEST, "not understood");

    /// The status to answer with.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(status, _) => *status,
            Self::Database(_) | Self::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Body(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The fault as DAV clients read it.
    pub(super) fn dav(&self) -> Reply {
        if self.status().is_server_error() {
            tracing::warn!(error = ?self, "stand-in failed");
        }
        match self {
            Self::Refused(status, message) => dav_error(*status, message),
            other => dav_error(other.status(), &other.to_string()),
        }
    }
}

// === impl Ask ===

impl Ask {
    pub(super) fn new(request: http::Request<Incoming>) -> Self {
        let (head, body) = request.into_parts();
        let host = text(&head.headers, "host").unwrap_or("localhost");
        let proto = text(&head.headers, "x-forwarded-proto").unwrap_or("http");
        let base = format!("{proto}://{host}");
        let decoded = percent_decode_str(head.uri.path()).decode_utf8_lossy().into_owned();
        let path = match decoded.strip_prefix("/index.php") {
            Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => decoded,
        };
        Self { head, body: Some(body), base, path }
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.head.headers, name)
    }

    /// A cookie. HTTP/1 allows one field, proxies may send several.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let fields = self.head.headers.get_all(header::COOKIE).into_iter();
        fields
            .filter_map(|field| field.to_str().ok())
            .flat_map(|field| field.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.head.uri.query().unwrap_or_default();
        find(query.as_bytes(), name)
    }

    /// The method.
    pub(super) fn method(&self) -> &str {
        self.head.method.as_str()
    }

    /// The body as it comes; a second call finds nothing.
    pub(super) fn take_body(&mut self) -> Option<Incoming> {
        self.body.take()
    }

    /// The whole body, within `limit`.
    pub(super) async fn read(&mut self, limit: usize) -> Result<Bytes, Fault> {
        let Some(body) = self.body.take() else { return Ok(Bytes::new()) };
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(e) if e.is::<http_body_util::LengthLimitError>() => {
                Err(Fault::Refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"))
            }
            Err(e) => Err(Fault::Body(e)),
        }
    }

    /// The fields of a form or of a JSON object, and of the query.
    pub(super) async fn fields(&mut self) -> Result<Fields, Fault> {
        let json = self.header("content-type").is_some_and(|t| t.contains("json"));
        let body = self.read(1 << 20).await?;
        let query = self.head.uri.query().unwrap_or_default().as_bytes();
        let mut fields: Vec<(String, String)> =
            url::form_urlencoded::parse(query).into_owned().collect();
        if json {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&body).map_err(|_| Fault::BAD_REQUEST)?;
            fields.extend(object.into_iter().map(|(key, value)| match value {
                serde_json::Value::String(text) => (key, text),
                other => (key, other.to_string()),
            }));
        } else {
            fields.extend(url::form_urlencoded::parse(&body).into_owned());
        }
        Ok(Fields(fields))
    }
}

/// What a client filled in.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field; the last one counts.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn find(encoded: &[u8], name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(encoded);
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

// === answers ===

/// No body.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *reply.status_mut() = status;
    reply
}

/// A body of some type.
pub(super) fn full(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// JSON.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    full(status, "application/json; charset=utf-8", value.to_string())
}

/// XML of a multistatus.
pub(super) fn multistatus(xml: String) -> Reply {
    let mut reply = full(StatusCode::MULTI_STATUS, "application/xml; charset=utf-8", xml);
    set(&mut reply, "vary", "Brief,Prefer");
    reply
}

/// To another place; the location may be relative, as Nextcloud's often is not.
pub(super) fn redirect(status: StatusCode, to: &str) -> Reply {
    let mut reply = empty(status);
    set(&mut reply, "location", to);
    reply
}

/// Sets a header; a value that no header can carry is left out.
pub(super) fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// Adds a header beside others of that name.
pub(super) fn add(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().append(HeaderName::from_static(name), value);
    }
}

/// An error as sabre writes it.
pub(super) fn dav_error(status: StatusCode, message: &str) -> Reply {
    let exception = match status {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::UNAUTHORIZED => "NotAuthenticated",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::PRECONDITION_FAILED => "PreconditionFailed",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UnsupportedMediaType",
        StatusCode::LOCKED => "Locked",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::NOT_IMPLEMENTED => "NotImplemented",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::INSUFFICIENT_STORAGE => "InsufficientStorage",
        _ => "Exception",
    };
    error_of(status, &format!("Sabre\\DAV\\Exception\\{exception}"), message)
}

/// An error of some class of the original.
pub(super) fn error_of(status: StatusCode, exception: &str, message: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n  \
         <s:exception>{exception}</s:exception>\n  \
         <s:message>{}</s:message>\n</d:error>\n",
        escape(message)
    );
    full(status, "application/xml; charset=utf-8", body)
}

/// The headers that every page and DAV answer carries.
pub(super) fn mark(reply: &mut Reply, uid: Option<&str>) {
    set(reply, "x-request-id", &mint::token(20));
    if let Some(uid) = uid {
        set(reply, "x-user-id", uid);
    }
}
