//! The end of the stack: sends an exchange to the site's upstream, or to that of a route.
//!
//! A WebSocket is tunnelled only after the origin's own 101 (A50, A51); any other answer to an
//! upgrade goes on as plain HTTP.
//!
//! Where the origin is asked under another host than the client asked for, it could not know that a
//! `Destination` is its own (A38): such a field goes on as a path alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HOST, HeaderName, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use tower::Service;

use super::{Exchange, Refusal, fields, tunnel};
use crate::body::Body;
use crate::dav::destination::destination;
use crate::site::Route;

const DESTINATION: HeaderName = HeaderName::from_static("destination");

/// Sends exchanges to where they belong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin;

impl Service<Box<Exchange>> for Origin {
    type Response = Response<Body>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Refusal>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, exchange: Box<Exchange>) -> Self::Future {
        Box::pin(send(exchange))
    }
}

async fn send(mut exchange: Box<Exchange>) -> Result<Response<Body>, Refusal> {
    let group = match exchange.site.route(exchange.request.uri().path()) {
        None => Arc::clone(&exchange.site.upstream),
        Some(route) => {
            strip(&mut exchange.request, route)?;
            Arc::clone(&route.upstream)
        }
    };
    if group.config().rewrite_host
        && let Some(host) = exchange.request.headers_mut().get(HOST).cloned()
    {
        let headers = exchange.request.headers_mut();
        if let Some(path) = own_destination(headers, &exchange.authority) {
            headers.insert(DESTINATION, path);
        }
        headers.insert(&fields::X_FORWARDED_HOST, host);
    }
    match exchange.upgrade.take() {
        None => {
            let response = group.send(exchange.request).await?;
            match response.status() {
                // Passed on, it would end the client's HTTP without anybody at the other end.
                StatusCode::SWITCHING_PROTOCOLS => Err(Refusal::switched_unasked()),
                _ => Ok(response),
            }
        }
        Some(upgrade) => {
            let headers = exchange.request.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            let mut response = group.send(exchange.request).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let origin = hyper::upgrade::on(&mut response);
                tunnel::open(upgrade, origin, group.config().websocket_idle);
            }
            Ok(response)
        }
    }
}

/// The path of a `Destination` that is at `authority`; what is elsewhere stays elsewhere.
fn own_destination(headers: &HeaderMap, authority: &str) -> Option<HeaderValue> {
    let target = destination(headers.get(DESTINATION)?).ok()?;
    let path = if target.path.is_empty() { b"/" } else { target.path };
    let own = target.authority.is_some_and(|named| named.eq_ignore_ascii_case(authority));
    own.then(|| HeaderValue::from_bytes(path).ok()).flatten()
}

/// Cuts the route's prefix from the target; what follows stays as it is.
fn strip(request: &mut Request<Body>, route: &Route) -> Result<(), Refusal> {
    if !route.strip_prefix {
        return Ok(());
    }
    let prefix = route.prefix.strip_suffix('/').unwrap_or(&route.prefix);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let rest = target.strip_prefix(prefix).unwrap_or(target);
    let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    *request.uri_mut() = Uri::try_from(rest).map_err(|_| Refusal::bad_target())?;
    Ok(())
}
