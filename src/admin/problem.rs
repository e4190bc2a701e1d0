//! What the API says when it does not do something: problem details (RFC 9457).
//!
//! `type` ends in a code that programs can rely on, `detail` says the way out, `request_id` is in
//! Passeur's logs. Nothing here tells a stranger which sites, accounts or tokens there are.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store;
use crate::transfer::model::Block;

/// What every `type` begins with.
const TYPE: &str = "urn:passeur:problem:";

/// Why something was not done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:passeur:problem:CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, and the way out.
    pub detail: String,
    /// The request's name in Passeur's logs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// Everything that is wrong, where several things can be: one entry for each line of
    /// a CSV, or for each setting of a site.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Wrong>,
    /// What blocks a plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocking: Vec<Block>,
    /// When to come back; sent as `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// One thing of several that are wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Wrong {
    /// The line it stands in, from 1, where there are lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The key of the setting, where there are keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it is, for programs.
    pub code: String,
    /// What is wrong, and the way out.
    pub detail: String,
}

impl Wrong {
    /// Something in a line.
    pub(super) fn at(line: u64, code: &str, detail: String) -> Self {
        Self { line: Some(line), key: None, code: code.to_owned(), detail }
    }
}

impl Problem {
    /// A problem with its status, code and text.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE}{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            request_id: String::new(),
            errors: Vec::new(),
            blocking: Vec::new(),
            retry_after: None,
        }
    }

    /// The code, without what every `type` begins with.
    #[must_use]
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(TYPE).unwrap_or(&self.kind)
    }

    pub(super) fn after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }

    pub(super) fn bad(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(super) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(super) fn forbidden(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    pub(super) fn not_found(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    pub(super) fn unknown_site(site: &str) -> Self {
        let site: String = site.chars().take(100).collect();
        let detail = format!("No site is called `{}` here.", site.escape_debug());
        Self::not_found("unknown_site", detail)
    }

    pub(super) fn no_store() -> Self {
        let detail = "Passeur has no store, which this needs: set [store] folder in passeur.toml.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_store", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // So that the request's name can be written into it, where that is known.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        tracing::error!(error = crate::upstream::causes(&error), "the store failed");
        let detail = "Passeur's own database does not work at the moment. Its log says more.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", detail).after(Duration::from_secs(10))
    }
}

impl From<crate::nextcloud::Error> for Problem {
    fn from(error: crate::nextcloud::Error) -> Self {
        use crate::nextcloud::Error;
        if error.is_not_found() {
            return Self::not_found("not_found", "The cloud has no such thing.");
        }
        if error.is_refused() {
            let detail = "The cloud does not let Passeur act for this account: the access of the \
                          site is missing or no longer right, or the account is disabled.";
            return Self::new(StatusCode::BAD_GATEWAY, "no_access", detail);
        }
        if let Error::Http(http) = &error
            && http.is_maintenance()
        {
            let detail = "The cloud is in maintenance mode.";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "maintenance", detail)
                .after(Duration::from_secs(60));
        }
        tracing::warn!(error = crate::upstream::causes(&error), "the cloud does not answer");
        let detail = format!("The cloud did not answer as it should: {error}.");
        Self::new(StatusCode::BAD_GATEWAY, "site_unreachable", detail)
    }
}

impl From<crate::dav::client::Error> for Problem {
    fn from(error: crate::dav::client::Error) -> Self {
        crate::nextcloud::Error::from(error).into()
    }
}
