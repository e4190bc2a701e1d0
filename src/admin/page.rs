//! The admin page: static files that are part of the binary, the same at both doors. What it shows,
//! it asks the API for.
//!
//! Files have no folders. Every other address is the page itself, which reads the address (so a link
//! to a transfer can be kept). Files are named by what is in them and kept for ever; the page is not,
//! but its validator spares sending it again. All of it is encoded once.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;

use crate::tours::assets::Asset;
use crate::tours::embedded::WEB;

/// Nothing but what comes from here, and no script in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; font-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types passeur";
/// Where its files are, in what is embedded.
const FOLDER: &str = "admin/";

/// What stands in the page for the door's root.
const BASE: &str = "{{base}}";

/// The page itself, among the files.
const INDEX: &str = "index.html";

/// The page of one door.
pub(super) struct Page(HashMap<&'static str, Arc<Asset>>);

impl Page {
    /// The page of the door whose root is `base`.
    #[must_use]
    pub(super) fn at(base: &str) -> Self {
        let files = WEB.iter().filter_map(|(name, bytes)| {
            let name = name.strip_prefix(FOLDER)?;
            let bytes = match std::str::from_utf8(bytes) {
                Ok(page) if name == INDEX => Bytes::from(page.replace(BASE, base)),
                _ => Bytes::from_static(bytes),
            };
            Some((name, Asset::new(name, bytes)))
        });
        Self(files.collect())
    }

    /// The answer to a request for `path`, which is below the door's root.
    #[must_use]
    pub(super) fn answer(&self, method: &Method, path: &str, fields: &HeaderMap) -> Response<Body> {
        let found = match self.0.get_key_value(path) {
            Some(found) => Some(found),
            // A file that is not there (any more) is not the page.
            None if path.contains('.') && !path.contains('/') => None,
            None => self.0.get_key_value(INDEX),
        };
        let Some((name, file)) = found else { return plain(StatusCode::NOT_FOUND, "not found\n") };
        let is_head = method == Method::HEAD;
        if method != Method::GET && !is_head {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let mut response = file.coded(fields).map(|body| match is_head {
            true => Body::empty(),
            false => Body::from(body),
        });
        let headers = response.headers_mut();
        let kept = if *name == INDEX { "no-cache" } else { "public, max-age=31536000, immutable" };
        for (name, value) in [
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
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use axum::http::header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, IF_NONE_MATCH, VARY,
    };

    use super::*;

    async fn ask(method: Method, path: &str, fields: HeaderMap) -> (Response<()>, Bytes) {
        let answer = Page::at("/_passeur/").answer(&method, path, &fields);
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        (Response::from_parts(parts, ()), body)
    }

    fn fields(accept: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accept))])
    }

    /// The names of its files, as a browser finds them.
    fn names(page: &Bytes) -> Vec<String> {
        let page = std::str::from_utf8(page).expect("text");
        let found = page.split('"').filter_map(|part| part.strip_prefix("/_passeur/"));
        found.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn the_page_names_its_files_and_any_address_is_the_page() {
        let (answer, page) =
            ask(Method::GET, "sites/cloud.example.org/new", HeaderMap::new()).await;
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-cache");
        assert_eq!(names(&page).len(), 2);
        for name in names(&page) {
            let (answer, _) = ask(Method::GET, &name, HeaderMap::new()).await;
            assert_eq!(answer.status(), 200, "{name}");
            assert!(answer.headers()[CACHE_CONTROL].to_str().expect("text").contains("immutable"));
        }
        assert_eq!(
            ask(Method::GET, "app.0123456789abcdef.js", HeaderMap::new()).await.0.status(),
            404
        );
        assert_eq!(ask(Method::POST, "", HeaderMap::new()).await.0.status(), 405);
    }

    #[tokio::test]
    async fn a_client_that_has_it_gets_it_not_again_and_head_has_no_body() {
        let (first, whole) = ask(Method::GET, "", fields("br")).await;
        let tag = first.headers()[ETAG].clone();
        let (again, body) = ask(Method::GET, "", {
            let mut fields = fields("br");
            fields.insert(IF_NONE_MATCH, tag.clone());
            fields
        })
        .await;
        assert_eq!((again.status(), body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(again.headers()[ETAG], tag);
        let (head, body) = ask(Method::HEAD, "", fields("br")).await;
        assert_eq!((head.status(), body.len()), (StatusCode::OK, 0));
        assert_eq!(head.headers()[CONTENT_LENGTH], whole.len().to_string().as_str());
        let (plain, _) = ask(Method::GET, "", HeaderMap::new()).await;
        assert_ne!(plain.headers()[ETAG], tag, "another coding is another representation");
    }

    #[tokio::test]
    async fn the_first_view_is_small() {
        for coding in ["gzip", "br"] {
            let mut sum = 0;
            let (_, page) = ask(Method::GET, "", HeaderMap::new()).await;
            for name in names(&page).iter().map(String::as_str).chain([""]) {
                let (answer, body) = ask(Method::GET, name, fields(coding)).await;
                assert_eq!(answer.headers()[CONTENT_ENCODING], coding, "{name}");
                assert_eq!(answer.headers()[VARY], "accept-encoding");
                sum += body.len();
            }
            assert!(sum <= 120 << 10, "{sum} bytes with {coding}");
        }
    }
}
