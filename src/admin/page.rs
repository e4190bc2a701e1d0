//! The admin page: static files that are part of the binary, the same at both doors. What it shows,
//! it asks the API for.
//!
//! Files have no folders. Every other address is the page itself, which reads the address (so a link
//! to a transfer can be kept). Files are named by what is in them and kept for ever; the page is not.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response, StatusCode};

mod embedded {
    #![expect(dead_code, reason = "what is embedded for tours is listed in the same place")]
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Nothing but what comes from here, and no script in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; font-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Where its files are, in what is embedded.
const FOLDER: &str = "admin/";

/// What stands in the page for the door's root.
const BASE: &str = "{{base}}";

/// The answer to a request for `path`, which is below the door's root `base`.
#[must_use]
pub(super) fn answer(method: &Method, base: &str, path: &str) -> Response<Body> {
    let file = |path: &str| {
        let all = embedded::WEB
            .iter()
            .filter_map(|(name, bytes)| Some((name.strip_prefix(FOLDER)?, *bytes)));
        all.into_iter().find(|(name, _)| *name == path)
    };
    let found = match file(path) {
        Some(found) => Some(found),
        // A file that is not there (any more) is not the page.
        None if path.contains('.') && !path.contains('/') => None,
        None => file("index.html"),
    };
    let Some((name, bytes)) = found else { return plain(StatusCode::NOT_FOUND, "not found\n") };
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    }
    let is_page = name == "index.html";
    let body = match std::str::from_utf8(bytes) {
        Ok(page) if is_page => Body::from(page.replace(BASE, base)),
        _ => Body::from(bytes),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let kept = if is_page { "no-cache" } else { "public, max-age=31536000, immutable" };
    for (name, value) in [
        (CONTENT_TYPE, content_type(name)),
        (CACHE_CONTROL, kept),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
