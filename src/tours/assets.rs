//! What browsers fetch for tours and for the admin page: files named by what is in them, so that they are kept for ever.
//!
//! A page that was loaded before a change of the catalogue asks for what it was told of then, perhaps
//! hours later. So what was served is kept for a day after it left the catalogue, up to a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_compression::Level;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::body::Body;
use crate::coding::{Coding, encode};

/// Where assets are.
pub const PREFIX: &str = "/_passeur/tours/a/";

/// How long an asset is kept that no catalogue has any more.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Bytes of such assets, over all sites.
const KEPT: usize = 64 << 20;

/// Smaller than this, encoding saves nothing.
const WORTH_ENCODING: usize = 256;

/// One file.
pub struct Asset {
    name: String,
    hash: String,
    content_type: &'static str,
    bytes: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    brotli: OnceLock<Option<Bytes>>,
}

/// All files that browsers may ask for, by their hashes.
#[derive(Default)]
pub struct Assets {
    present: ArcSwap<HashMap<String, Arc<Asset>>>,
    /// When what is not in any catalogue left it.
    left: Mutex<HashMap<String, Instant>>,
}

// === impl Asset ===

impl Asset {
    /// A file of this name; only its ending counts.
    #[must_use]
    pub fn new(name: &str, bytes: Bytes) -> Arc<Self> {
        let digest = Sha256::digest(&bytes);
        let hash = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        Arc::new(Self {
            name: name.to_owned(),
            hash,
            content_type: content_type(name),
            bytes,
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
        })
    }

    /// What is in it.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where browsers find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{PREFIX}{}/{}", self.hash, self.name)
    }

    /// The answer to a request with these fields.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = self.coded(request).map(Body::from);
        let headers = response.headers_mut();
        let fixed = |value| HeaderValue::from_static(value);
        headers.insert(CACHE_CONTROL, fixed("public, max-age=31536000, immutable"));
        headers.insert(HeaderName::from_static("x-content-type-options"), fixed("nosniff"));
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), fixed("same-origin"));
        // Opened by itself, a picture of a tour can run nothing (an SVG could).
        headers.insert(
            HeaderName::from_static("content-security-policy"),
            fixed("default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        );
        response
    }

    /// The file as this client takes it, with a validator; 304 if that is what it has.
    #[must_use]
    pub(crate) fn coded(&self, request: &HeaderMap) -> Response<Bytes> {
        let (coding, bytes) = self.coding(request);
        let tag = format!("\"{}{}\"", self.hash, coding.unwrap_or_default());
        let mut shown = request.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
        let has_it = shown.any(|tags| {
            tags.split(',')
                .map(str::trim)
                .any(|shown| shown == "*" || shown.strip_prefix("W/").unwrap_or(shown) == tag)
        });
        let mut response = Response::new(if has_it { Bytes::new() } else { bytes.clone() });
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if has_it {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    }

    /// The best coding that the client takes, made once.
    fn coding(&self, request: &HeaderMap) -> (Option<&'static str>, &Bytes) {
        let is_text = !matches!(self.content_type.split('/').next(), Some("image" | "video"))
            || self.content_type == "image/svg+xml";
        if is_text && self.bytes.len() >= WORTH_ENCODING {
            // 9 of 11: a tenth of the time for a few per cent.
            let brotli = (Coding::Brotli, "br", Level::Precise(9), &self.brotli);
            let gzip = (Coding::Gzip, "gzip", Level::Best, &self.gzip);
            for (coding, name, level, made) in [brotli, gzip] {
                if encode::accepts(request, coding)
                    && let Some(bytes) =
                        made.get_or_init(|| encode::whole(coding, level, &self.bytes).ok())
                {
                    return (Some(name), bytes);
                }
            }
        }
        (None, &self.bytes)
    }
}

// === impl Assets ===

impl Assets {
    /// The asset of a hash.
    #[must_use]
    pub fn find(&self, hash: &str) -> Option<Arc<Asset>> {
        self.present.load().get(hash).cloned()
    }

    /// Takes over what all catalogues have now.
    pub fn replace(&self, now: impl IntoIterator<Item = Arc<Asset>>) {
        let mut next: HashMap<String, Arc<Asset>> =
            now.into_iter().map(|asset| (asset.hash.clone(), asset)).collect();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        left.retain(|hash, since| !next.contains_key(hash) && at - *since < KEPT_FOR);
        let mut kept = 0;
        for (hash, asset) in self.present.load().iter() {
            if next.contains_key(hash) {
                continue;
            }
            let is_young = at - *left.entry(hash.clone()).or_insert(at) < KEPT_FOR;
            if is_young && kept + asset.bytes.len() <= KEPT {
                kept += asset.bytes.len();
                next.insert(hash.clone(), Arc::clone(asset));
            }
        }
        self.present.store(Arc::new(next));
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webp") => "image/webp",
        Some("png") => "image/png",
        Some("webm") => "video/webm",
        Some("mp4") => "video/mp4",
        Some("vtt") => "text/vtt; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT_ENCODING;

    use super::*;

    fn fields(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, accept.parse().unwrap())])
    }

    #[test]
    fn the_best_coding_that_is_accepted() {
        let asset = Asset::new("a.json", Bytes::from(" ".repeat(5_000)));
        for (accept, coding) in [
            ("gzip, deflate, br", Some("br")),
            ("gzip;q=0.5", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("identity", None),
        ] {
            let answer = asset.answer(&fields(accept));
            let found = answer.headers().get(CONTENT_ENCODING).map(|v| v.to_str().unwrap());
            assert_eq!(found, coding, "{accept}");
        }
        let picture = Asset::new("a.webp", Bytes::from(" ".repeat(5_000)));
        assert_eq!(picture.answer(&fields("br")).headers().get(CONTENT_ENCODING), None);
    }

    #[test]
    fn what_left_the_catalogue_is_still_served() {
        let assets = Assets::default();
        let (old, new) = (Asset::new("a.js", "old".into()), Asset::new("a.js", "new".into()));
        assets.replace([Arc::clone(&old)]);
        assets.replace([Arc::clone(&new)]);
        assert!(assets.find(&old.hash).is_some() && assets.find(&new.hash).is_some());
        assert_ne!(old.url(), new.url());
    }
}
