//! One Nextcloud instance behind Passeur, live, and the table that finds it by host.
//!
//! A [`Site`] joins its settings with what runs for it: upstreams, owner rules, numbers. Sites are
//! replaced, never changed: a reload builds new ones for what differs and keeps the others as they
//! are, so that a change to one site touches that site alone.

mod limits;
pub mod live;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use crate::config::checked::{self, Target, TargetAddress};
use crate::dav::multistatus::{OwnerRule, Rules};
use crate::dav::path::Kind;
use crate::observe::metrics;
use crate::tls::ClientError;
use crate::upstream::Group;

pub use limits::{Limits, Running, TooMany};
pub use live::{Live, Lives};
pub use table::{Error as TableError, Found, Table};

/// Instances of a wildcard site kept at a time; an idle one is made again when asked for.
const INSTANCES: usize = 4096;

/// One site, as requests see it.
pub struct Site {
    /// What it was made from.
    pub config: Arc<checked::Site>,
    /// Where requests go that no route takes.
    pub upstream: Arc<Group>,
    /// Path prefixes that go elsewhere, longest first.
    pub routes: Vec<Route>,
    /// What others set for it while it runs.
    pub live: Arc<Live>,
    /// How much of Passeur it may use; `None` where that is as much as there is.
    pub limits: Option<Limits>,
    /// Accounts shown as others by the configuration; `None` where there are none.
    owners: Option<Arc<Rules>>,
    /// The same with the live ones, and which these were.
    shown: ArcSwapOption<(Arc<Vec<OwnerRule>>, Arc<Rules>)>,
    /// `Strict-Transport-Security` for answers over HTTPS that carry none.
    pub hsts: Option<http::HeaderValue>,
    /// Its numbers; shared by all instances of a wildcard site.
    pub metrics: Arc<metrics::Site>,
    /// Where the live state of instances is.
    lives: Arc<Lives>,
    /// The instances of a site whose upstream holds `{label}`.
    instances: Option<Mutex<HashMap<String, Arc<Site>>>>,
}

/// A path prefix with its own upstreams.
pub struct Route {
    /// Starts with `/`.
    pub prefix: String,
    /// Whether the prefix is cut from the request target.
    pub strip_prefix: bool,
    /// Where it goes.
    pub upstream: Arc<Group>,
}

impl Site {
    /// Makes a site; nothing is connected yet.
    ///
    /// # Errors
    /// If a private authority of an upstream cannot be used.
    pub fn new(config: Arc<checked::Site>, lives: &Arc<Lives>) -> Result<Self, ClientError> {
        let metrics = Arc::new(metrics::Site::new(Kind::COUNT));
        let name = config.name.clone();
        Self::with(config, metrics, &name, lives)
    }

    /// `name` is that of its live state.
    fn with(
        config: Arc<checked::Site>,
        metrics: Arc<metrics::Site>,
        name: &str,
        lives: &Arc<Lives>,
    ) -> Result<Self, ClientError> {
        let mut routes = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            routes.push(Route {
                prefix: route.prefix.clone(),
                strip_prefix: route.strip_prefix,
                upstream: Arc::new(Group::new(&route.upstream)?),
            });
        }
        let owners =
            (!config.owners.is_empty()).then(|| Arc::new(Rules::new(rules(&config.owners))));
        Ok(Self {
            upstream: Arc::new(Group::new(&config.upstream)?),
            routes,
            owners,
            limits: Limits::of(&config.limits),
            hsts: config.hsts.as_deref().and_then(|value| value.parse().ok()),
            metrics,
            live: lives.of(name),
            lives: Arc::clone(lives),
            shown: ArcSwapOption::empty(),
            instances: is_template(&config).then(Mutex::default),
            config,
        })
    }

    /// Accounts shown as others; `None` where there is nothing to show.
    #[must_use]
    pub fn owners(&self) -> Option<Arc<Rules>> {
        let Some(live) = self.live.owners() else { return self.owners.clone() };
        if let Some(shown) = self.shown.load().as_ref()
            && Arc::ptr_eq(&shown.0, &live)
        {
            return Some(Arc::clone(&shown.1));
        }
        let all = rules(&self.config.owners).chain(live.iter().cloned());
        let all = Arc::new(Rules::new(all));
        self.shown.store(Some(Arc::new((live, Arc::clone(&all)))));
        Some(all)
    }

    /// Whether any account is shown as another; asked for every request.
    #[must_use]
    pub fn shows_owners(&self) -> bool {
        self.owners.is_some() || self.live.shows_owners()
    }

    /// The route that takes `path`, if any; prefixes match whole segments.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| {
            let prefix = route.prefix.strip_suffix('/').unwrap_or(&route.prefix);
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Starts its health probes; `host` is what they ask for.
    pub fn probe(&self) {
        if self.instances.is_none()
            && let Some(checked::HostPattern::Exact(host)) = self.config.hosts.first()
        {
            self.upstream.probe(host);
        }
    }

    /// Closes connections that have been idle for too long.
    pub fn prune(&self) {
        self.upstream.prune();
        for route in &self.routes {
            route.upstream.prune();
        }
        if let Some(instances) = &self.instances {
            let instances = instances.lock().unwrap_or_else(PoisonError::into_inner);
            instances.values().for_each(|site| site.prune());
        }
    }

    /// The site that serves `label` of a wildcard host: itself, unless its upstream depends on it.
    fn instance(self: &Arc<Self>, label: &str) -> Option<Arc<Site>> {
        let Some(instances) = &self.instances else { return Some(Arc::clone(self)) };
        if !is_label(label) {
            return None;
        }
        let mut instances = instances.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = instances.get(label) {
            return Some(Arc::clone(site));
        }
        let config = Arc::new(fill(&self.config, label));
        let name = format!("{}/{label}", config.name);
        let metrics = Arc::clone(&self.metrics);
        let site = Arc::new(Self::with(config, metrics, &name, &self.lives).ok()?);
        if instances.len() >= INSTANCES {
            instances.retain(|_, site| Arc::strong_count(site) > 1 || site.upstream.is_busy());
            if instances.len() >= INSTANCES {
                // All of them busy: serve this one without keeping it.
                return Some(site);
            }
        }
        instances.insert(label.to_owned(), Arc::clone(&site));
        Some(site)
    }
}

fn rules(owners: &[checked::OwnerRule]) -> impl Iterator<Item = OwnerRule> {
    owners.iter().map(|rule| OwnerRule {
        from: rule.from.clone(),
        to: rule.to.clone(),
        display_name: rule.display_name.clone(),
    })
}

/// Letters, digits and inner hyphens: what may stand in a host name, and nothing that could turn
/// an upstream's name into another one.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_template(config: &checked::Site) -> bool {
    let groups = config.routes.iter().map(|route| &route.upstream).chain([&config.upstream]);
    groups.flat_map(|group| &group.targets).any(|target| match &target.address {
        TargetAddress::Tcp { host, .. } => host.contains("{label}"),
        TargetAddress::Unix(path) => path.to_string_lossy().contains("{label}"),
    })
}

/// The settings of a wildcard site for one label.
fn fill(config: &checked::Site, label: &str) -> checked::Site {
    let mut config = config.clone();
    let fill_target = |target: &mut Target| match &mut target.address {
        TargetAddress::Tcp { host, .. } => *host = host.replace("{label}", label),
        TargetAddress::Unix(path) => {
            *path = path.to_string_lossy().replace("{label}", label).into()
        }
    };
    config.upstream.targets.iter_mut().for_each(fill_target);
    for route in &mut config.routes {
        route.upstream.targets.iter_mut().for_each(fill_target);
    }
    config
}
