//! The rule: which exchanges may hold owners that are to be shown as others.

use std::sync::Arc;

use http::HeaderValue;
use http::header::ACCEPT_ENCODING;

use super::rewrite;
use crate::coding::{Coding, encode};
use crate::dav::path::Kind;
use crate::gateway::Exchange;
use crate::intercept::{Answer, Inner, Rule};

/// Shows owners as the site's rules say.
#[derive(Clone)]
pub struct Show;

impl Rule for Show {
    fn wants(&self, exchange: &Exchange) -> bool {
        exchange.site.shows_owners()
            && matches!(exchange.kind, Kind::Files | Kind::Calendars | Kind::Contacts | Kind::Sync)
            && matches!(
                exchange.request.method().as_str(),
                "PROPFIND" | "REPORT" | "SEARCH" | "PROPPATCH"
            )
    }

    async fn carry<S: Inner>(self, mut exchange: Box<Exchange>, mut inner: S) -> Answer {
        let Some(rules) = exchange.site.owners() else { return inner.call(exchange).await };
        let metrics = Arc::clone(&exchange.site.metrics);
        let gzip = encode::accepts(exchange.request.headers(), Coding::Gzip);
        // Nextcloud compresses whenever it sees "gzip" here, even with `q=0` (A32).
        let plain = HeaderValue::from_static("identity");
        exchange.request.headers_mut().insert(ACCEPT_ENCODING, plain);
        let response = inner.call(exchange).await?;
        Ok(rewrite(response, rules, gzip, move |reason| {
            metrics.unrewritten().count(reason.as_str())
        }))
    }
}
