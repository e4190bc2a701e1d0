//! Compressing web servers change ETags: httpd appends `-gzip`, nginx weakens to `W/`. A client that
//! sends such a tag back in `If-Match` gets 412 for ever (A33). Nextcloud repeats the true tag in
//! `OC-ETag`: DAV answers that carry it get their `ETag` back, and what clients still remember from
//! before is undone in their conditions.

use http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Response};

use super::{Answer, Inner, Rule};
use crate::body::Body;
use crate::dav::etag;
use crate::dav::path::Kind;
use crate::gateway::Exchange;

static OC_ETAG: HeaderName = HeaderName::from_static("oc-etag");

/// Gives ETags back.
#[derive(Clone)]
pub struct Repair;

impl Rule for Repair {
    fn wants(&self, exchange: &Exchange) -> bool {
        exchange.site.config.dav.repair_etags
            && matches!(exchange.kind, Kind::Files | Kind::Calendars | Kind::Contacts)
    }

    async fn carry<S: Inner>(self, mut exchange: Box<Exchange>, mut inner: S) -> Answer {
        let repairs = std::sync::Arc::clone(&exchange.site.metrics);
        for name in [IF_MATCH, IF_NONE_MATCH] {
            if repair_condition(exchange.request.headers_mut(), &name) {
                repairs.repairs().count("etag_condition");
            }
        }
        let mut response = inner.call(exchange).await?;
        if repair_answer(&mut response) {
            repairs.repairs().count("etag_answer");
        }
        Ok(response)
    }
}

fn repair_condition(headers: &mut HeaderMap, name: &HeaderName) -> bool {
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let Some(repaired) = etag::repair(line) else { return false };
    headers.insert(name, repaired);
    true
}

fn repair_answer(response: &mut Response<Body>) -> bool {
    let headers = response.headers_mut();
    let Some(kept) = headers.get(&OC_ETAG).cloned() else { return false };
    // An answer without any tag has none on purpose: chunks of uploads.
    if headers.get(ETAG).is_none_or(|sent| *sent == kept) {
        return false;
    }
    headers.insert(ETAG, kept);
    true
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(etag: &'static str, oc_etag: Option<&'static str>) -> Response<Body> {
        let mut response = Response::new(Body::Empty);
        response.headers_mut().insert(ETAG, HeaderValue::from_static(etag));
        if let Some(kept) = oc_etag {
            response.headers_mut().insert(&OC_ETAG, HeaderValue::from_static(kept));
        }
        response
    }

    #[test]
    fn the_kept_tag_comes_back() {
        for changed in ["\"abc-gzip\"", "W/\"abc\""] {
            let mut response = answer(changed, Some("\"abc\""));
            assert!(repair_answer(&mut response));
            assert_eq!(response.headers()[ETAG], "\"abc\"");
        }
    }

    #[test]
    fn an_answer_without_a_tag_gets_none() {
        let mut response = answer("", Some("\"abc\""));
        response.headers_mut().remove(ETAG);
        assert!(!repair_answer(&mut response));
        assert!(!response.headers().contains_key(ETAG));
    }

    #[test]
    fn without_a_kept_tag_nothing_changes() {
        let mut response = answer("W/\"abc\"", None);
        assert!(!repair_answer(&mut response));
        assert_eq!(response.headers()[ETAG], "W/\"abc\"");
    }
}
