//! Keeps a site to [its limits](crate::site::Limits): what is too many gets 429 before it costs
//! anything, and bodies go no faster than they may.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Answer, Inner, Rule};
use crate::body::{self, Body};
use crate::gateway::{Exchange, Refusal};
use crate::site::{Running, TooMany};

/// Counts, refuses and slows down.
#[derive(Clone)]
pub struct Limit;

impl Rule for Limit {
    fn wants(&self, exchange: &Exchange) -> bool {
        exchange.site.limits.is_some()
    }

    async fn carry<S: Inner>(self, mut exchange: Box<Exchange>, mut inner: S) -> Answer {
        let Some(limits) = &exchange.site.limits else { return inner.call(exchange).await };
        let running = limits.admit().map_err(refusal)?;
        let bandwidth = limits.bandwidth.clone();
        if let Some(rate) = &bandwidth
            && !exchange.request.body().is_empty()
        {
            let upload = std::mem::take(exchange.request.body_mut());
            *exchange.request.body_mut() = rate.body(upload);
        }
        let answer = inner.call(exchange).await?;
        Ok(answer.map(|body| match bandwidth {
            Some(rate) if !body.is_empty() => rate.answer(body),
            _ => body,
        }))
        .map(|answer| hold(answer, running))
    }
}

/// The request runs until its answer was sent.
fn hold(answer: Response<Body>, running: Running) -> Response<Body> {
    match answer.body().is_empty() {
        true => answer,
        false => answer.map(|inner| Body::made(Held { inner, _running: running })),
    }
}

/// The body of an answer, while which the request counts as running.
struct Held {
    inner: Body,
    _running: Running,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn refusal(too_many: TooMany) -> Refusal {
    let message = "This cloud gets more requests than it may. Please try again in a moment.";
    Refusal {
        retry_after: Some(too_many.after),
        ..Refusal::client(StatusCode::TOO_MANY_REQUESTS, too_many.reason, message)
    }
}
