//! Answers that Passeur gives itself when it cannot or will not carry a request.
//!
//! A DAV client gets `d:error` XML (A35), a browser a small page, everybody else plain text; each
//! with the request id that the logs know. What the origin says is never replaced. The text for
//! people names no site and no upstream; the reason for operators goes to log and metrics.

use std::time::Duration;

use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use super::RequestId;
use crate::body::{Body, Side};
use crate::dav::path::is_dav_path;
use crate::upstream;

/// Why a request is not carried.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// A short stable name, for metrics and logs.
    pub reason: &'static str,
    /// What the person or client is told.
    pub message: &'static str,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// Whether the connection has to end, because its framing cannot be trusted any more.
    pub close: bool,
    /// Whose fault it is.
    pub side: Side,
    /// A DAV precondition or other element for the error body, e.g. `propfind-finite-depth`.
    pub condition: Option<&'static str>,
    /// What caused it, if there is more to say to operators.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of answer the asker understands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asker {
    /// WebDAV, CalDAV, CardDAV.
    Dav,
    /// A person's browser.
    Browser,
    /// Anything else.
    Other,
}

impl Asker {
    /// Judges by path, then by `Accept`.
    pub fn of<B>(request: &Request<B>) -> Self {
        if is_dav_path(request.uri().path()) || is_dav_method(request.method()) {
            return Asker::Dav;
        }
        let accept = request.headers().get(ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
        match memchr::memmem::find(accept, b"text/html") {
            Some(_) => Asker::Browser,
            None => Asker::Other,
        }
    }
}

impl Refusal {
    /// A refusal that is the client's fault.
    #[must_use]
    pub fn client(status: StatusCode, reason: &'static str, message: &'static str) -> Self {
        Self {
            status,
            reason,
            message,
            retry_after: None,
            close: false,
            side: Side::Client,
            condition: None,
            source: None,
        }
    }

    pub(super) fn bad_host() -> Self {
        let message = "The request does not say clearly which host it is for.";
        Self { close: true, ..Self::client(StatusCode::BAD_REQUEST, "bad_host", message) }
    }

    pub(super) fn bad_target() -> Self {
        let message = "The request target cannot be read.";
        Self { close: true, ..Self::client(StatusCode::BAD_REQUEST, "bad_target", message) }
    }

    pub(super) fn unknown_host() -> Self {
        let message = "No site is served under this host name here.";
        Self::client(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "This method is not passed on.";
        Self {
            close: true,
            ..Self::client(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        }
    }

    pub(super) fn expectation_failed() -> Self {
        let message = "The expectation cannot be met.";
        Self::client(StatusCode::EXPECTATION_FAILED, "expectation_failed", message)
    }

    pub(super) fn switched_unasked() -> Self {
        let message = "The cloud behind this address gave an answer that makes no sense.";
        Self {
            side: Side::Upstream,
            ..Self::client(StatusCode::BAD_GATEWAY, "switched_unasked", message)
        }
    }

    /// The answer, in the form that `asker` understands.
    #[must_use]
    pub fn into_response(self, asker: Asker, id: RequestId) -> Response<Body> {
        let (content_type, body) = match asker {
            Asker::Dav => ("application/xml; charset=utf-8", self.xml(id)),
            Asker::Browser => ("text/html; charset=utf-8", self.page(id)),
            Asker::Other => {
                ("text/plain; charset=utf-8", format!("{}\nRequest id: {id}\n", self.message))
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(&super::fields::X_REQUEST_ID, id.to_value());
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, OPTIONS"));
        }
        response
    }

    fn xml(&self, id: RequestId) -> String {
        let condition = self.condition.map_or_else(String::new, |name| format!("  <d:{name}/>\n"));
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n{condition}  \
             <s:exception>{}</s:exception>\n  <s:message>{}</s:message>\n  \
             <p:request-id xmlns:p=\"urn:passeur\">{id}</p:request-id>\n</d:error>\n",
            self.reason, self.message,
        )
    }

    fn page(&self, id: RequestId) -> String {
        let status = self.status.as_u16();
        let title = self.status.canonical_reason().unwrap_or("Error");
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{status} {title}</title>\n<style>\n\
             body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; \
             padding: 0 1rem; color: #222; background: #fff }}\n\
             @media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #171717 }} }}\n\
             small {{ opacity: .75 }}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
             <p>{}</p>\n<p><small>If you ask for help, give this request id: <code>{id}</code></small></p>\n\
             </body>\n</html>\n",
            self.message,
        )
    }
}

impl From<upstream::Error> for Refusal {
    fn from(error: upstream::Error) -> Self {
        let message = match &error {
            upstream::Error::BreakerOpen { .. } => {
                "The cloud behind this address cannot be reached. Please try again in a moment."
            }
            upstream::Error::QueueFull | upstream::Error::QueueTimeout => {
                "The cloud behind this address is very busy. Please try again in a moment."
            }
            upstream::Error::ConnectTimeout | upstream::Error::ResponseTimeout => {
                "The cloud behind this address did not answer in time."
            }
            upstream::Error::Upload(_) => "The upload was broken off.",
            _ => "The cloud behind this address cannot be reached.",
        };
        let side = match error {
            upstream::Error::Upload(_) => Side::Client,
            _ => Side::Upstream,
        };
        Self {
            status: error.status(),
            reason: error.reason(),
            message,
            retry_after: error.retry_after(),
            close: matches!(error, upstream::Error::Upload(_)),
            side,
            condition: None,
            source: Some(Box::new(error)),
        }
    }
}

/// Methods with a `DAV` flavour are asked for by clients that read XML.
fn is_dav_method(method: &Method) -> bool {
    matches!(
        method.as_str(),
        "PROPFIND"
            | "PROPPATCH"
            | "MKCOL"
            | "MKCALENDAR"
            | "REPORT"
            | "SEARCH"
            | "COPY"
            | "MOVE"
            | "LOCK"
            | "UNLOCK"
            | "ACL"
    )
}
