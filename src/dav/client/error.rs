//! Why a request has no good answer, and whether it may be sent again.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::path::PathError;

/// A source of which only the text matters.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 401, or a credential that got one before: it is not used again.
    #[error("the instance does not accept the credentials")]
    Refused,
    /// There was no answer, or it broke off.
    #[error("no answer from the instance")]
    Unanswered {
        /// Whether the server may have seen the request, and done what it asks.
        sent: bool,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The server says no.
    #[error("{0}")]
    Status(Box<Refusal>),
    /// The answer is not what it should be: no multistatus, a DTD, a broken length.
    #[error("the instance's answer makes no sense: {0}")]
    Malformed(String),
    /// The answer is larger than anything that is asked for.
    #[error("the instance's answer is too large: {0}")]
    TooLarge(&'static str),
    /// A path that is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// What was to be uploaded could not be read; the server got no complete request.
    #[error("failed to read what was to be sent")]
    Source(#[source] Cause),
}

/// A server's no.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status}{}", self.explained())]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The class of the exception, without its namespace, as sabre/dav tells it: `NotFound`,
    /// `FileLocked`, `InsufficientStorage`.
    pub exception: Option<String>,
    /// What it says, in the language of the server, at most 500 characters.
    pub message: Option<String>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// Whether the instance is in maintenance mode.
    pub maintenance: bool,
}

/// Whether a request that failed may be sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// Nothing happened: after a pause, yes.
    Safe,
    /// It may have happened: look first.
    LookFirst,
    /// It will fail again.
    Never,
}

impl Error {
    /// Whether to send it again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Error::Unanswered { sent: false, .. } => Retry::Safe,
            Error::Unanswered { sent: true, .. } => Retry::LookFirst,
            Error::Status(refusal) => match refusal.status.as_u16() {
                // Before anything was done: maintenance, locks, rate limits.
                423 | 425 | 429 | 503 => Retry::Safe,
                408 | 500 | 502 | 504 => Retry::LookFirst,
                _ => Retry::Never,
            },
            // The change may have been made all the same.
            Error::Malformed(_) | Error::TooLarge(_) => Retry::LookFirst,
            Error::Source(_) | Error::Refused | Error::Path(_) => Retry::Never,
        }
    }

    /// The status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Error::Status(refusal) => Some(refusal.status),
            Error::Refused => Some(StatusCode::UNAUTHORIZED),
            _ => None,
        }
    }

    /// How long the server wants to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Status(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    /// Whether there is nothing at that path.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether the instance is in maintenance mode.
    #[must_use]
    pub fn is_maintenance(&self) -> bool {
        matches!(self, Error::Status(refusal) if refusal.maintenance)
    }
}

impl Refusal {
    /// Of an answer's head; what its body says is added by who reads it.
    #[must_use]
    pub fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        Self {
            status,
            exception: None,
            message: None,
            retry_after: retry_after(headers),
            maintenance: headers
                .get("x-nextcloud-maintenance-mode")
                .is_some_and(|value| value == "1"),
        }
    }

    fn explained(&self) -> String {
        match (&self.exception, &self.message) {
            (Some(exception), Some(message)) => format!(": {exception}: {message}"),
            (Some(one), None) | (None, Some(one)) => format!(": {one}"),
            (None, None) => String::new(),
        }
    }
}

/// Seconds or a date (RFC 9110, 10.2.3); a day at most.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(std::time::SystemTime::now())
            .unwrap_or_default(),
    };
    Some(wait.min(Duration::from_secs(86_400)))
}
