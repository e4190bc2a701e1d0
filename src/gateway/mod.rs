//! What happens to a request between the client's connection and the origin's, in one place:
//!
//! 1. `receive` finds the site by host, refuses what is ambiguous, and makes an [`Exchange`].
//! 2. [`fields`] drops what a client must not say and sets the forwarding fields.
//! 3. The stack, a list of tower layers given by the assembly, ends in the [`Origin`].
//! 4. [`fields`] cleans the answer; [`Recorded`] counts it until its last byte.
//!
//! Invariant: what no layer asks for passes byte for byte, the request target included, and is
//! neither parsed nor delayed. Every refusal is an answer with a reason and a request id.

mod exchange;
pub mod fields;
mod origin;
mod receive;
mod record;
mod refusal;
mod tunnel;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::Service;

pub use exchange::{Exchange, RequestId};
pub use origin::Origin;
pub use record::Recorded;
pub use refusal::{Asker, Refusal};

use crate::body::Body;
use crate::config::checked::Peer;
use crate::listen::{self, BoxError, Connection};
use crate::observe::access::AccessLog;
use crate::pace::Patience;
use crate::site::Table;
use receive::Received;
use record::Record;

/// What all requests share.
pub struct Shared {
    /// The sites; swapped by a reload.
    pub table: ArcSwap<Table>,
    /// Settings that hold for all sites; swapped by a reload.
    pub settings: ArcSwap<Settings>,
    /// Where finished exchanges are written.
    pub access_log: ArcSwap<Option<AccessLog>>,
    /// Requests for hosts that no site has.
    pub unknown_hosts: std::sync::atomic::AtomicU64,
}

/// Settings that hold for all sites.
pub struct Settings {
    /// Peers whose forwarding fields are believed.
    pub trusted_hops: Vec<Peer>,
    /// How long a client may let us wait within its body.
    pub patience: Patience,
    /// The port of HTTPS, if plain requests may be sent there.
    pub https_port: Option<u16>,
    /// Whether a certificate covers a host name.
    pub has_certificate: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

/// The entry: one clone serves one worker.
#[derive(Clone)]
pub struct Gateway<S> {
    shared: Arc<Shared>,
    stack: S,
}

impl<S> Gateway<S>
where
    S: Service<Box<Exchange>, Response = Response<Body>, Error = Refusal> + Clone,
{
    /// A gateway whose exchanges go through `stack`.
    pub fn new(shared: Arc<Shared>, stack: S) -> Self {
        Self { shared, stack }
    }

    async fn answer(
        &self,
        connection: &Connection,
        request: Request<Incoming>,
    ) -> Response<Recorded> {
        let mut record = Record::begin(&self.shared, connection, &request);
        let asker = Asker::of(&request);
        let settings = self.shared.settings.load();
        let received = receive::receive(&self.shared, &settings, connection, request, &mut record);
        drop(settings);
        let answer = match received {
            Ok(Received::Exchange(exchange)) => {
                let secure = exchange.secure;
                record.waits();
                match self.stack.clone().call(exchange).await {
                    Ok(mut response) => {
                        fields::clean_answer(&mut response, record.site(), secure);
                        response
                    }
                    Err(refusal) => record.refused(refusal, &asker),
                }
            }
            Ok(Received::Answer(response)) => *response,
            Err(refusal) => record.refused(refusal, &asker),
        };
        record.answered(answer)
    }
}

impl<S> listen::Gateway for Gateway<S>
where
    S: Service<Box<Exchange>, Response = Response<Body>, Error = Refusal, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    type Body = Recorded;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Recorded>, BoxError>> + Send>>;

    fn call(&self, connection: &Arc<Connection>, request: Request<Incoming>) -> Self::Future {
        let (gateway, connection) = (self.clone(), Arc::clone(connection));
        Box::pin(async move { Ok(gateway.answer(&connection, request).await) })
    }
}
