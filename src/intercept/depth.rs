//! Nextcloud allows `PROPFIND` with `Depth: infinity`, so one request can list a whole account
//! (A41). Where a host does not want that, it is refused as RFC 4918 section 9.1 says.

use http::StatusCode;

use super::{Answer, Inner, Rule};
use crate::gateway::{Exchange, Refusal};

/// Refuses listings without end.
#[derive(Clone)]
pub struct Guard;

impl Rule for Guard {
    fn wants(&self, exchange: &Exchange) -> bool {
        exchange.site.config.dav.refuse_infinite_depth
            && exchange.request.method().as_str() == "PROPFIND"
            && exchange
                .request
                .headers()
                .get("depth")
                .is_some_and(|depth| depth.as_bytes().eq_ignore_ascii_case(b"infinity"))
    }

    async fn carry<S: Inner>(self, _exchange: Box<Exchange>, _inner: S) -> Answer {
        let message = "This folder can only be listed level by level.";
        Err(Refusal {
            condition: Some("propfind-finite-depth"),
            ..Refusal::client(StatusCode::FORBIDDEN, "infinite_depth", message)
        })
    }
}
