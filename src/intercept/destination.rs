//! Nextcloud looks only at the path of `Destination` (A38), so `Destination: https://other/…` would
//! be carried out in *this* site (A39): a client that mixes up two accounts overwrites the wrong
//! file. RFC 4918 section 9.8.5 has a status for it: 502. The same goes for the resources that an
//! `If` field names (A40). Both fields pass unchanged when they are in order.

use http::StatusCode;
use http::header::HeaderName;

use super::{Answer, Inner, Rule};
use crate::config::checked::HostPattern;
use crate::dav::destination::{destination, tagged_resources};
use crate::gateway::{Exchange, Refusal};

static DESTINATION: HeaderName = HeaderName::from_static("destination");
static IF: HeaderName = HeaderName::from_static("if");

/// Refuses destinations on other servers.
#[derive(Clone)]
pub struct Guard;

impl Rule for Guard {
    fn wants(&self, exchange: &Exchange) -> bool {
        let headers = exchange.request.headers();
        exchange.site.config.dav.guard_destination
            && (headers.contains_key(&DESTINATION) || headers.contains_key(&IF))
    }

    async fn carry<S: Inner>(self, exchange: Box<Exchange>, mut inner: S) -> Answer {
        check(&exchange)?;
        inner.call(exchange).await
    }
}

fn check(exchange: &Exchange) -> Result<(), Refusal> {
    let headers = exchange.request.headers();
    let mut destinations = headers.get_all(&DESTINATION).iter();
    if let Some(value) = destinations.next() {
        let target = destination(value).map_err(|_| malformed())?;
        if destinations.next().is_some() {
            return Err(malformed());
        }
        own(exchange, target.authority)?;
    }
    for value in headers.get_all(&IF) {
        for resource in tagged_resources(value) {
            own(exchange, resource.map_err(|_| malformed())?.authority)?;
        }
    }
    Ok(())
}

/// Whether `authority`, if there is one, belongs to the site of the exchange.
fn own(exchange: &Exchange, authority: Option<&str>) -> Result<(), Refusal> {
    let Some(authority) = authority else { return Ok(()) };
    let asked = host(&exchange.authority);
    let named = host(authority);
    let listed = exchange.site.config.hosts.iter().any(|pattern| match pattern {
        HostPattern::Exact(host) => named.eq_ignore_ascii_case(host),
        // Another name below the wildcard is another space of the farm.
        HostPattern::Wildcard(_) => false,
    });
    if listed || named.eq_ignore_ascii_case(asked) { Ok(()) } else { Err(foreign()) }
}

/// The name in an authority, without port or trailing dot.
fn host(authority: &str) -> &str {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => authority,
    };
    name.strip_suffix('.').unwrap_or(name)
}

fn malformed() -> Refusal {
    let message = "The Destination or If field cannot be read.";
    Refusal::client(StatusCode::BAD_REQUEST, "malformed_destination", message)
}

fn foreign() -> Refusal {
    let message = "The destination is on another server.";
    Refusal::client(StatusCode::BAD_GATEWAY, "foreign_destination", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_dots_do_not_make_another_host() {
        assert_eq!(host("a.example:8443"), "a.example");
        assert_eq!(host("a.example."), "a.example");
        assert_eq!(host("[::1]:80"), "[::1]");
        assert_eq!(host("[::1]"), "[::1]");
    }
}
