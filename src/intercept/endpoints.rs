//! Passeur's own pages and APIs under a site's origin: what is below [`PREFIX`].
//!
//! Each part of Passeur that answers there (tours, the space's door) is an [`Endpoint`] mounted at a
//! prefix by the assembly; the longest prefix takes a request. Invariant: nothing below `PREFIX`
//! reaches the origin, what nobody takes is 404: an instance cannot be made to answer in our name.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;

use super::{Answer, Inner, Rule};
use crate::gateway::{Exchange, Refusal};

/// Where Passeur answers itself, on every site.
pub const PREFIX: &str = "/_passeur/";

/// What answers requests itself.
pub trait Endpoint: Send + Sync + 'static {
    /// Answers one request; its path still begins with [`PREFIX`].
    fn answer(&self, exchange: Box<Exchange>) -> Pin<Box<dyn Future<Output = Answer> + Send>>;
}

/// All that is mounted below [`PREFIX`], the longest prefix first.
#[derive(Clone, Default)]
pub struct Endpoints(Arc<[Mounted]>);

#[derive(Clone)]
struct Mounted {
    prefix: &'static str,
    endpoint: Arc<dyn Endpoint>,
}

impl Endpoints {
    /// Mounts each endpoint at its prefix, which begins with [`PREFIX`] and ends with `/`.
    pub fn new(all: impl IntoIterator<Item = (&'static str, Arc<dyn Endpoint>)>) -> Self {
        let mounted = all.into_iter().map(|(prefix, endpoint)| Mounted { prefix, endpoint });
        let mut mounted: Vec<_> = mounted.collect();
        mounted.sort_by_key(|mounted| std::cmp::Reverse(mounted.prefix.len()));
        Self(mounted.into())
    }

    /// The same with one more.
    #[must_use]
    pub fn with(&self, prefix: &'static str, endpoint: Arc<dyn Endpoint>) -> Self {
        let mounted =
            self.0.iter().map(|Mounted { prefix, endpoint }| (*prefix, Arc::clone(endpoint)));
        Self::new(mounted.chain([(prefix, endpoint)]))
    }
}

impl Rule for Endpoints {
    fn wants(&self, exchange: &Exchange) -> bool {
        !self.0.is_empty() && exchange.request.uri().path().starts_with(PREFIX)
    }

    async fn carry<S: Inner>(self, exchange: Box<Exchange>, _origin: S) -> Answer {
        let path = exchange.request.uri().path();
        match self.0.iter().find(|mounted| path.starts_with(mounted.prefix)) {
            Some(mounted) => mounted.endpoint.answer(exchange).await,
            None => {
                let message = "Passeur has nothing at this address.";
                Err(Refusal::client(StatusCode::NOT_FOUND, "no_endpoint", message))
            }
        }
    }
}
