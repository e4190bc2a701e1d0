//! Which header fields pass, in both directions.
//!
//! Towards the origin there is a deny list and no allow list (A42): hop-by-hop fields (RFC 9110
//! section 7.6.1), every spelling of "who is the client" that an origin might believe (A1, A2, A8),
//! and names with `_`, which CGI folds onto names with `-` (A6). What the `Connection` field names
//! is removed first, our own fields are set after (A9), so a client cannot make us remove them.
//!
//! Towards the client only hop-by-hop fields go, and security fields are added where absent (A12).

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, PROXY_AUTHENTICATE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Response, Version};

use crate::body::Body;
use crate::site::Site;

/// The client's address, appended to by trusted hops.
pub static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How the client reached the first proxy.
pub static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// What the client asked for, where `Host` had to change.
pub static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The request id.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What becomes of a request field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Keep,
    /// Never passes.
    Drop,
    /// Passes only from a trusted hop.
    DropUnlessTrusted,
}

/// Removes from a request what must not reach the origin.
pub(super) fn clean_request(headers: &mut HeaderMap, trusted: bool) {
    let named = named_by_connection(headers);
    let mut drop: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        match verdict(name.as_str()) {
            Verdict::Keep => {}
            Verdict::DropUnlessTrusted if trusted => {}
            Verdict::Drop | Verdict::DropUnlessTrusted => drop.push(name.clone()),
        }
    }
    for name in drop.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Removes what shows that a request is from Passeur's own external app at the site (A7): only
/// Passeur itself may be that, and it does not come this way. Other external apps are let through,
/// whose calls may well come through Passeur.
pub(super) fn drop_own_app(headers: &mut HeaderMap, app: &str) {
    const ID: &str = "ex-app-id";
    let mut ids = headers.get_all(ID).iter();
    let Some(first) = ids.next() else { return };
    // Two of them could be read as either.
    let is_own = first.as_bytes().trim_ascii().eq_ignore_ascii_case(app.as_bytes());
    if is_own || ids.next().is_some() {
        for name in [ID, "ex-app-version", "aa-version", "authorization-app-api"] {
            headers.remove(name);
        }
    }
}

/// Joins the crumbs into which HTTP/2 cuts `cookie` (RFC 9113 section 8.2.3): PHP wants one field.
pub(super) fn join_cookies(headers: &mut HeaderMap, version: Version) {
    if version != Version::HTTP_2 {
        return;
    }
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, joined);
    }
}

/// Cleans an answer of the origin, and adds what the site wants added.
pub(super) fn clean_answer(response: &mut Response<Body>, site: Option<&Site>, secure: bool) {
    let switching = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    if !switching {
        if headers.contains_key(CONNECTION) {
            for name in named_by_connection(headers) {
                headers.remove(name);
            }
            headers.remove(CONNECTION);
        }
        // Read in chunks whatever the length says (RFC 9112, 6.3): what it says must not pass.
        if headers.remove(TRANSFER_ENCODING).is_some() {
            headers.remove(CONTENT_LENGTH);
        }
        for name in [&UPGRADE, &TRAILER, &TE] {
            headers.remove(name);
        }
        headers.remove("keep-alive");
        headers.remove("proxy-connection");
        headers.remove(PROXY_AUTHENTICATE);
    }
    let Some(site) = site else { return };
    if secure && let Some(hsts) = &site.hsts {
        add(headers, &http::header::STRICT_TRANSPORT_SECURITY, hsts);
    }
    if site.config.security_headers {
        for (name, value) in &SECURITY {
            add(headers, name, value);
        }
    }
}

/// What Nextcloud's own setup check looks for (`SecurityHeaders.php`), with the values it wants.
static SECURITY: [(HeaderName, HeaderValue); 5] = [
    (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (http::header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    (http::header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("x-permitted-cross-domain-policies"),
        HeaderValue::from_static("none"),
    ),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
];

fn add(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    if !headers.contains_key(name) {
        headers.insert(name, value.clone());
    }
}

fn verdict(name: &str) -> Verdict {
    let bytes = name.as_bytes();
    match bytes.first() {
        Some(b'x') if name.starts_with("x-") => verdict_x(name),
        Some(b'c' | b'e' | b'f' | b'h' | b'k' | b'p' | b't' | b'u') => match name {
            "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
            | "http2-settings" | "expect" | "forwarded" | "front-end-https" => Verdict::Drop,
            "cf-connecting-ip" | "true-client-ip" | "fastly-client-ip" => {
                Verdict::DropUnlessTrusted
            }
            "proxy" => Verdict::Drop,
            _ if name.starts_with("proxy-") || has_underscore(bytes) => Verdict::Drop,
            _ => Verdict::Keep,
        },
        _ if has_underscore(bytes) => Verdict::Drop,
        _ => Verdict::Keep,
    }
}

/// `x-…` fields: the many ways to claim an address, a scheme, a host or a path.
fn verdict_x(name: &str) -> Verdict {
    match name {
        "x-real-ip"
        | "x-client-ip"
        | "x-cluster-client-ip"
        | "x-originating-ip"
        | "x-remote-ip"
        | "x-remote-addr" => Verdict::DropUnlessTrusted,
        "x-original-url" | "x-rewrite-url" | "x-original-host" | "x-original-uri" | "x-host"
        | "x-url-scheme" | "x-https" | "x-scheme" | "x-request-id" => Verdict::Drop,
        // `X-Forwarded-For` and `-Proto` are read before, and set again after.
        _ if name.starts_with("x-forwarded") || name.starts_with("x-accel-") => Verdict::Drop,
        _ if has_underscore(name.as_bytes()) => Verdict::Drop,
        _ => Verdict::Keep,
    }
}

fn has_underscore(name: &[u8]) -> bool {
    memchr::memchr(b'_', name).is_some()
}

/// The fields that a `Connection` field makes hop-by-hop; never those that frame or route.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut named = Vec::new();
    for line in headers.get_all(CONNECTION) {
        for token in line.as_bytes().split(|&b| b == b',') {
            let token = token.trim_ascii();
            if token.eq_ignore_ascii_case(b"keep-alive") || token.eq_ignore_ascii_case(b"close") {
                continue;
            }
            let Ok(name) = HeaderName::from_bytes(token) else { continue };
            if ![HOST, CONTENT_LENGTH, EXPECT].contains(&name) && !is_end_to_end(&name) {
                named.push(name);
            }
        }
    }
    named
}

/// Fields whose loss would change who is asked or who asks (A9).
fn is_end_to_end(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "authorization"
            | "cookie"
            | "set-cookie"
            | "destination"
            | "depth"
            | "overwrite"
            | "content-type"
            | "content-encoding"
            | "content-range"
            | "if-match"
            | "if-none-match"
            | "if"
            | "range"
            | "requesttoken"
            | "ocs-apirequest"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                (name, HeaderValue::from_str(value).expect("a value"))
            })
            .collect()
    }

    /// A8 and its kin.
    #[test]
    fn claims_about_the_client_do_not_pass() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-ssl",
            "x-forwarded-scheme",
            "x-forwarded-server",
            "x-forwarded",
            "x-real-ip",
            "x-original-url",
            "x-rewrite-url",
            "proxy",
            "x-accel-redirect",
            "x-accel-buffering",
            "front-end-https",
            "x-client-ip",
            "true-client-ip",
            "cf-connecting-ip",
            "x-request-id",
            "x-url-scheme",
            "x_forwarded_host",
            "x-nc_something",
            "authorization_app_api",
            "_",
            "a_b",
            "http2-settings",
            "te",
            "trailer",
            "keep-alive",
            "proxy-connection",
            "proxy-authorization",
            "connection",
            "transfer-encoding",
            "upgrade",
            "expect",
        ] {
            let mut headers = map(&[(name, "evil")]);
            clean_request(&mut headers, false);
            assert!(headers.is_empty(), "{name} passed");
        }
    }

    /// A42.
    #[test]
    fn what_clients_need_passes() {
        let names = [
            "overwrite",
            "timeout",
            "lock-token",
            "depth",
            "prefer",
            "brief",
            "x-oc-mtime",
            "x-oc-ctime",
            "oc-total-length",
            "oc-checksum",
            "oc-chunked",
            "x-nc-scheduling",
            "x-nc-caldav-no-trashbin",
            "x-hash",
            "x-requested-with",
            "ocs-apirequest",
            "requesttoken",
            "destination",
            "if",
            "if-match",
            "if-none-match",
            "range",
            "if-range",
            "user-agent",
            "authorization",
            "authorization-app-api",
            "aa-version",
            "ex-app-id",
            "xauthorization",
            "schedule-reply",
            "x-expected-entity-length",
            "content-range",
            "accept-encoding",
            "x-file-mtime",
            "x-user-agent",
            "x-litmus",
            "x-nc-webdav-auto-mkcol",
            "upgrade-insecure-requests",
            "content-type",
            "cache-control",
            "cookie",
            "accept",
        ];
        let fields: Vec<_> = names.iter().map(|name| (*name, "value")).collect();
        let mut headers = map(&fields);
        clean_request(&mut headers, false);
        assert_eq!(headers.len(), names.len());
    }

    #[test]
    fn nobody_else_is_our_external_app() {
        let app = |id| map(&[("ex-app-id", id), ("authorization-app-api", "eA=="), ("depth", "0")]);
        for own in ["passeur", " Passeur "] {
            let mut headers = app(own);
            drop_own_app(&mut headers, "passeur");
            assert_eq!(headers, map(&[("depth", "0")]), "{own}");
        }
        let mut headers = app("other");
        drop_own_app(&mut headers, "passeur");
        assert_eq!(headers, app("other"));
        headers.append("ex-app-id", HeaderValue::from_static("passeur"));
        drop_own_app(&mut headers, "passeur");
        assert_eq!(headers, map(&[("depth", "0")]));
    }

    #[test]
    fn connection_names_are_removed_but_not_what_frames_or_routes() {
        let mut headers = map(&[
            ("connection", "close, X-Custom, Host, Authorization, Content-Length"),
            ("x-custom", "1"),
            ("host", "cloud.example"),
            ("authorization", "Basic eA=="),
            ("content-length", "1"),
        ]);
        clean_request(&mut headers, false);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "content-length", "host"]);
    }

    #[test]
    fn a_trusted_hop_may_name_the_client() {
        let mut headers = map(&[("cf-connecting-ip", "192.0.2.1"), ("x-original-url", "/x")]);
        clean_request(&mut headers, true);
        assert_eq!(headers, map(&[("cf-connecting-ip", "192.0.2.1")]));
    }

    #[test]
    fn crumbs_become_one_cookie() {
        let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        join_cookies(&mut headers, Version::HTTP_2);
        assert_eq!(headers, map(&[("cookie", "a=1; b=2; c=3")]));
    }
}
