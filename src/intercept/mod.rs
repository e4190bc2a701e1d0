//! Passeur's own endpoints, and DAV rules: small repairs and guards. Each is a tower layer in the one
//! list of [`stack`].
//!
//! A rule says cheaply whether it [wants](Rule::wants) an exchange. Those that no rule wants go
//! straight to the origin: the service in between returns the inner future as it is.

mod depth;
mod destination;
pub mod endpoints;
mod etags;
mod hold;
mod limits;
mod moves;
pub mod owners;
mod spool;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::Response;
use tower::{Layer, Service, ServiceBuilder};

use crate::body::Body;
use crate::gateway::{Exchange, Origin, Refusal};
use crate::tours::inject::Inject;

/// What the stack answers.
pub type Answer = Result<Response<Body>, Refusal>;

/// All rules in the order in which a request meets them, and the origin at the end.
pub type Stack = RuledService<
    limits::Limit,
    RuledService<
        endpoints::Endpoints,
        RuledService<
            destination::Guard,
            RuledService<
                depth::Guard,
                RuledService<
                    hold::Guard,
                    RuledService<
                        moves::Join,
                        RuledService<
                            etags::Repair,
                            RuledService<
                                owners::Show,
                                RuledService<Inject, RuledService<spool::Spool, Origin>>,
                            >,
                        >,
                    >,
                >,
            >,
        >,
    >,
>;

/// Makes the stack; `endpoints` are what Passeur answers itself, `tours` what it adds to pages.
#[must_use]
pub fn stack(endpoints: endpoints::Endpoints, tours: Inject) -> Stack {
    ServiceBuilder::new()
        .layer(Ruled(limits::Limit))
        .layer(Ruled(endpoints))
        .layer(Ruled(destination::Guard))
        .layer(Ruled(depth::Guard))
        .layer(Ruled(hold::Guard))
        .layer(Ruled(moves::Join::default()))
        .layer(Ruled(etags::Repair))
        .layer(Ruled(owners::Show))
        .layer(Ruled(tours))
        .layer(Ruled(spool::Spool))
        .service(Origin)
}

/// One rule about exchanges.
pub trait Rule: Clone + Send + 'static {
    /// Whether the exchange concerns it; asked for every request, so it has to be cheap.
    fn wants(&self, exchange: &Exchange) -> bool;

    /// Carries an exchange that it wants, usually through `inner`.
    fn carry<S>(self, exchange: Box<Exchange>, inner: S) -> impl Future<Output = Answer> + Send
    where
        S: Inner;
}

/// What a rule sends exchanges on to.
pub trait Inner:
    Service<Box<Exchange>, Response = Response<Body>, Error = Refusal, Future: Send> + Send + 'static
{
}

impl<S> Inner for S where
    S: Service<Box<Exchange>, Response = Response<Body>, Error = Refusal, Future: Send>
        + Send
        + 'static
{
}

/// The layer of a rule.
#[derive(Clone)]
struct Ruled<R>(R);

impl<R: Rule, S> Layer<S> for Ruled<R> {
    type Service = RuledService<R, S>;

    fn layer(&self, inner: S) -> Self::Service {
        RuledService { rule: self.0.clone(), inner }
    }
}

/// The service of a rule.
#[derive(Clone)]
pub struct RuledService<R, S> {
    rule: R,
    inner: S,
}

impl<R, S> Service<Box<Exchange>> for RuledService<R, S>
where
    R: Rule,
    S: Inner + Clone,
{
    type Response = Response<Body>;
    type Error = Refusal;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Answer> + Send>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, exchange: Box<Exchange>) -> Self::Future {
        if self.rule.wants(&exchange) {
            Either::Right(Box::pin(self.rule.clone().carry(exchange, self.inner.clone())))
        } else {
            Either::Left(self.inner.call(exchange))
        }
    }
}
