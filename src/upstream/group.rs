//! The web servers of one site or route: which of them gets a request.
//!
//! A session stays on its target while that is in order. Otherwise the target with the fewest
//! requests in flight is taken, among those that are up and whose breaker is closed; if there is
//! none of these, any, because a wrong health verdict must not take a site down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use tokio::task::AbortHandle;

use super::Error;
use super::health::State;
use super::sticky::Sticky;
use super::target::Upstream;
use crate::body::Body;
use crate::config::checked::UpstreamGroup;
use crate::tls::{ClientError, ClientTls};

/// A probe's answer is read up to here.
const PROBE_BYTES: usize = 64 << 10;
/// A probe has to be answered within this.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Targets that serve the same thing.
pub struct Group {
    targets: Vec<Arc<Upstream>>,
    sticky: Option<Sticky>,
    turn: AtomicUsize,
    config: UpstreamGroup,
    probes: std::sync::OnceLock<AbortHandle>,
}

impl Group {
    /// Makes the group; nothing is connected yet.
    ///
    /// # Errors
    /// If a private authority cannot be used.
    pub fn new(config: &UpstreamGroup) -> Result<Self, ClientError> {
        Self::make(config, false)
    }

    /// A group of targets elsewhere: those whose host is a name are refused when that name means
    /// this machine or its network link. An address was written by who configures Passeur, and is
    /// used as it is.
    ///
    /// # Errors
    /// As [`Group::new`].
    pub fn elsewhere(config: &UpstreamGroup) -> Result<Self, ClientError> {
        Self::make(config, true)
    }

    fn make(config: &UpstreamGroup, elsewhere: bool) -> Result<Self, ClientError> {
        let mut targets = Vec::with_capacity(config.targets.len());
        for target in &config.targets {
            let tls = match target.tls {
                true => Some(ClientTls::trusting(config.ca.as_ref(), target.http2)?),
                false => None,
            };
            let named = elsewhere && target.is_named();
            targets.push(Arc::new(Upstream::new(target.clone(), config, tls, named)));
        }
        Ok(Self {
            sticky: (targets.len() > 1).then(Sticky::default),
            targets,
            turn: AtomicUsize::new(0),
            config: config.clone(),
            probes: std::sync::OnceLock::new(),
        })
    }

    /// The targets, in the order of the configuration.
    pub fn targets(&self) -> &[Arc<Upstream>] {
        &self.targets
    }

    /// Its settings.
    pub fn config(&self) -> &UpstreamGroup {
        &self.config
    }

    /// Sends a request to one of the targets.
    ///
    /// # Errors
    /// As [`Upstream::send`].
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let Some(sticky) = &self.sticky else {
            return self.targets[0].send(request).await;
        };
        let wanted = sticky.target(request.headers(), self.targets.len());
        let index = match wanted {
            Some(index) if is_usable(&self.targets[index]) => index,
            _ => self.least_busy(),
        };
        let response = self.targets[index].send(request).await?;
        sticky.learn(response.headers(), index);
        Ok(response)
    }

    /// Whether any request is on its way.
    pub fn is_busy(&self) -> bool {
        self.targets.iter().any(|target| target.in_flight() > 0)
    }

    /// Closes connections that have been idle for too long.
    pub fn prune(&self) {
        for target in &self.targets {
            target.prune();
        }
    }

    /// Starts probing `status.php` for `host`, until the group is dropped. Does nothing where the
    /// configuration wants no probes, or when called again.
    pub fn probe(self: &Arc<Self>, host: &str) {
        let Some(every) = self.config.health_every else { return };
        let (group, host) = (Arc::downgrade(self), host.to_owned());
        self.probes.get_or_init(|| {
            let task = tokio::spawn(async move {
                let mut ticks = tokio::time::interval(every);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    let Some(group) = group.upgrade() else { return };
                    for target in &group.targets {
                        probe(target, &host).await;
                    }
                }
            });
            task.abort_handle()
        });
    }

    fn least_busy(&self) -> usize {
        let count = self.targets.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let order = (0..count).map(|i| (first + i) % count);
        let usable = order.clone().filter(|&i| is_usable(&self.targets[i]));
        let least = |i: &usize| self.targets[*i].in_flight();
        usable.min_by_key(least).or_else(|| order.min_by_key(least)).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(probes) = self.probes.get() {
            probes.abort();
        }
    }
}

fn is_usable(target: &Upstream) -> bool {
    !target.health().is_down() && !target.breaker_is_open()
}

async fn probe(target: &Arc<Upstream>, host: &str) {
    let state = tokio::time::timeout(PROBE_TIME, ask(target, host)).await.unwrap_or(State::Down);
    if target.health().set(state) {
        tracing::info!(target = %target.target(), state = state.as_str(), "upstream health");
    }
}

async fn ask(target: &Arc<Upstream>, host: &str) -> State {
    let request = Request::get("/status.php")
        .header(http::header::HOST, host)
        .header(http::header::USER_AGENT, concat!("passeur/", env!("CARGO_PKG_VERSION")))
        .body(Body::Empty);
    let Ok(request) = request else { return State::Down };
    let Ok(response) = target.send(request).await else { return State::Down };
    let (head, body) = response.into_parts();
    let body = Limited::new(body, PROBE_BYTES).collect().await;
    let body: Bytes = body.map(|body| body.to_bytes()).unwrap_or_default();
    State::of_answer(head.status, &head.headers, &body)
}
