//! One site: from [`raw::Site`] to [`Site`], starting from the `[defaults]` of the main file.

use std::ops::Range;

use toml::Spanned;

use super::access;
use super::checked::{
    DavRules, HostPattern, OwnerRule, Route, Site, SiteLimits, Spool, Target, TargetAddress,
    Transfers, UpstreamGroup,
};
use super::checker::Checker;
use super::fault::Fault;
use super::given::{Given, List};
use super::raw;
use super::settings::{DAY, HOUR, SECOND, millis};
use super::values::{CloudUrl, Host, Off, TargetUrl};

const KIB: u64 = 1 << 10;
const TIB: u64 = 1 << 40;
/// What Nextcloud's setup check wants of `max-age` at least.
const HSTS_SECONDS: u64 = 15_552_000;

/// What a site is before its file is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Base {
    site: Site,
    http2: bool,
    spool_chunked: bool,
    spool: Spool,
    /// Of the tables of a database.
    prefix: String,
}

/// A checked site, and where in its file things stand that other files can clash with.
#[derive(Clone, Debug)]
pub(super) struct SiteFile {
    pub(super) site: Site,
    pub(super) name_at: Option<Range<usize>>,
    pub(super) hosts_at: Vec<(Host, Range<usize>)>,
    pub(super) redirect_from_at: Vec<(HostPattern, Range<usize>)>,
    pub(super) targets_at: Vec<(Target, Range<usize>)>,
}

type Placed<T> = (T, Range<usize>);

// === impl Base ===

impl Default for Base {
    fn default() -> Self {
        let nowhere = Target { tls: false, http2: false, address: TargetAddress::Unix("/".into()) };
        let mut upstream = UpstreamGroup::to(nowhere);
        upstream.targets.clear();
        Self {
            site: Site::to("", Vec::new(), upstream),
            http2: false,
            spool_chunked: false,
            spool: Spool::default(),
            prefix: "oc_".to_owned(),
        }
    }
}

impl Base {
    /// Checks `[defaults]`.
    pub(super) fn of(raw: raw::Site, checker: &mut Checker<'_>) -> Self {
        let mut base = Self::default();
        let single = [
            raw.name.as_ref().map(|given| &given.span),
            raw.hosts.as_ref().map(|list| &list.span),
            raw.redirect_from.as_ref().map(|list| &list.span),
            raw.upstream.targets.as_ref().map(|list| &list.span),
            raw.access.appapi.secret.as_ref().map(|secret| &secret.span),
            raw.access.database.dsn.as_ref().map(|secret| &secret.span),
        ];
        let routes = raw.routes.iter().map(Spanned::span);
        let owners = raw.owners.iter().map(Spanned::span);
        for span in single.into_iter().flatten().cloned().chain(routes).chain(owners) {
            checker.error(span, Fault::NotADefault);
        }
        base.common(raw, checker);
        base
    }

    /// Sets what both `[defaults]` and a site can say; gives back what only a site can.
    fn common(&mut self, raw: raw::Site, checker: &mut Checker<'_>) -> Single {
        let site = &mut self.site;
        checker.set(&mut site.redirect_to_https, raw.redirect_to_https);
        checker.set(&mut site.http2, raw.http2);
        checker.set(&mut site.answer_well_known, raw.answer_well_known);
        checker.set(&mut site.security_headers, raw.security_headers);
        hsts(&mut site.hsts, raw.hsts, checker);
        let mut upstream = raw.upstream;
        checker.set(&mut self.http2, upstream.http2.take());
        let targets = group(&mut site.upstream, upstream, checker);
        self.dav(raw.dav, checker);
        self.site.tours.set(raw.tours, checker);
        access::set(&mut self.site.access, &mut self.prefix, raw.access, checker);
        transfers(&mut self.site.transfers, raw.transfers, checker);
        limits(&mut self.site.limits, raw.limits, checker);
        Single {
            name: raw.name,
            hosts: raw.hosts,
            redirect_from: raw.redirect_from,
            targets,
            routes: raw.routes,
            owners: raw.owners,
        }
    }

    fn dav(&mut self, raw: raw::Dav, checker: &mut Checker<'_>) {
        let rules: &mut DavRules = &mut self.site.dav;
        checker.set(&mut rules.guard_destination, raw.guard_destination);
        checker.set(&mut rules.repair_etags, raw.repair_etags);
        checker.set(&mut rules.join_moves, raw.join_moves);
        checker.set(&mut rules.refuse_infinite_depth, raw.refuse_infinite_depth);
        checker.set(&mut self.spool_chunked, raw.spool_chunked);
        let memory = checker.set_amount(
            &mut self.spool.memory,
            raw.spool_memory,
            4 * KIB..=1024 * 1024 * KIB,
        );
        let max = checker.set_amount(&mut self.spool.max, raw.spool_max, KIB..=16 * TIB);
        let folder = checker.path(raw.spool_folder);
        if let Some((folder, _)) = &folder {
            self.spool.folder.clone_from(folder);
        }
        let folder = folder.map(|(_, span)| span);
        if self.spool_chunked {
            if let Some(fault) = checker.world.check_spool(&self.spool.folder) {
                match folder {
                    Some(span) => checker.error(span, fault),
                    None => checker.error_of_file(fault),
                }
            }
            self.site.dav.spool_chunked = Some(self.spool.clone());
        } else {
            self.site.dav.spool_chunked = None;
            for span in [memory, max, folder].into_iter().flatten() {
                checker.warn(span, Fault::SpoolUnused);
            }
        }
    }
}

/// What a site alone can say.
struct Single {
    name: Option<Given<String>>,
    hosts: Option<List<Host>>,
    redirect_from: Option<List<HostPattern>>,
    targets: Option<List<TargetUrl>>,
    routes: Vec<Spanned<raw::Route>>,
    owners: Vec<Spanned<raw::Owner>>,
}

// === impl SiteFile ===

impl SiteFile {
    /// Checks the file of a site; `stem` is its name without `.toml`.
    pub(super) fn of(raw: raw::Site, stem: &str, base: &Base, checker: &mut Checker<'_>) -> Self {
        let route_base = route_base(&base.site.upstream);
        let health_at = raw.upstream.health_every.as_ref().map(|given| given.span.clone());
        let mut base = base.clone();
        let single = base.common(raw, checker);
        let (http2, mut site) = (base.http2, base.site);
        let name_at = name(&mut site, single.name, stem, checker);
        let hosts_at = hosts(&mut site, single.hosts, checker);
        let redirect_from_at = redirects(&mut site, single.redirect_from, checker);
        if single.targets.is_none() {
            checker.error_of_file(Fault::Missing("upstream.targets"));
        }
        let mut targets_at = targets(&mut site.upstream, single.targets, http2, checker);
        for raw in single.routes {
            let (route, placed) = route(raw, &route_base, &site.routes, checker);
            site.routes.extend(route);
            targets_at.extend(placed);
        }
        site.routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        refuse_labels(&site.hosts, &targets_at, checker);
        if let Some(span) = health_at
            && !matches!(site.hosts.first(), Some(HostPattern::Exact(_)))
        {
            checker.warn(span, Fault::HealthWithoutHost);
        }
        site.owners = owners(single.owners, checker);
        Self { site, name_at, hosts_at, redirect_from_at, targets_at }
    }
}

fn name(
    site: &mut Site,
    given: Option<Given<String>>,
    stem: &str,
    checker: &mut Checker<'_>,
) -> Option<Range<usize>> {
    let unreadable = given.is_some();
    match checker.value(given) {
        Some((name, span)) => {
            if !is_site_name(&name) {
                checker.error(span.clone(), Fault::Name(name.clone()));
            }
            site.name = name;
            Some(span)
        }
        None => {
            if !unreadable && !is_site_name(stem) {
                checker.error_of_file(Fault::Name(stem.to_owned()));
            }
            stem.clone_into(&mut site.name);
            None
        }
    }
}

/// `[a-z0-9][a-z0-9.-]*`, as it stands in metrics, paths and logs.
fn is_site_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.bytes().next().is_some_and(plain)
        && name.len() <= 253
        && name.bytes().all(|b| plain(b) || b == b'-' || b == b'.')
}

fn hosts(
    site: &mut Site,
    given: Option<List<Host>>,
    checker: &mut Checker<'_>,
) -> Vec<Placed<Host>> {
    let Some(span) = given.as_ref().map(|list| list.span.clone()) else {
        checker.error_of_file(Fault::Missing("hosts"));
        return Vec::new();
    };
    let errors = checker.errors.len();
    let hosts = checker.list(given).unwrap_or_default();
    if hosts.is_empty() && checker.errors.len() == errors {
        checker.error(span, Fault::Empty);
    }
    if let Some((_, span)) = hosts.iter().find(|(host, _)| *host == Host::Any)
        && hosts.len() > 1
    {
        checker.error(span.clone(), Fault::AnyHostBesides);
    }
    let pattern = |host: &Host| match host {
        Host::Any => None,
        Host::Pattern(pattern) => Some(pattern.clone()),
    };
    site.hosts = hosts.iter().filter_map(|(host, _)| pattern(host)).collect();
    // The first one is canonical.
    site.hosts.sort_by_key(|host| matches!(host, HostPattern::Wildcard(_)));
    hosts
}

fn redirects(
    site: &mut Site,
    given: Option<List<HostPattern>>,
    checker: &mut Checker<'_>,
) -> Vec<Placed<HostPattern>> {
    let from = checker.list(given).unwrap_or_default();
    let is_exact = |host: &HostPattern| matches!(host, HostPattern::Exact(_));
    let has_exact = site.hosts.iter().any(is_exact);
    for (host, span) in &from {
        // A wildcard can lead to a wildcard: the label goes along.
        if !has_exact && (is_exact(host) || site.hosts.is_empty()) {
            checker.error(span.clone(), Fault::RedirectNowhere);
        }
    }
    site.redirect_from = from.iter().map(|(host, _)| host.clone()).collect();
    from
}

fn transfers(transfers: &mut Transfers, raw: raw::Transfers, checker: &mut Checker<'_>) {
    checker.set_amount(&mut transfers.at_once, raw.at_once, 1..=100);
    checker.set(&mut transfers.approval, raw.approval);
    checker.set_duration(&mut transfers.undo, raw.undo, millis(0, 365 * DAY));
    checker.set(&mut transfers.notify, raw.notify);
    if let Some((bandwidth, span)) = checker.value(raw.bandwidth) {
        transfers.bandwidth = match bandwidth {
            Off::Off => None,
            Off::On(size) => checker.within(&size, span, KIB..=TIB),
        };
    }
    if let Some(secret) = checker.secret(raw.webhook_secret) {
        transfers.webhook_secret = Some(secret);
    }
    if let Some((webhook, span)) = checker.value(raw.webhook) {
        transfers.webhook = match webhook {
            Off::Off => None,
            Off::On(CloudUrl(cloud)) => Some(cloud),
        };
        if transfers.webhook.is_some() && transfers.webhook_secret.is_none() {
            checker.error(span, Fault::WebhookUnsigned);
        }
    }
}

fn limits(limits: &mut SiteLimits, raw: raw::SiteLimits, checker: &mut Checker<'_>) {
    if let Some((Off::On(given), span)) = off(&mut limits.requests, raw.requests, checker) {
        limits.requests = checker.within(&given, span, 1..=1_000_000);
    }
    if let Some((Off::On(given), span)) = off(&mut limits.in_flight, raw.in_flight, checker) {
        let amount = checker.within(&given, span, 1..=1_000_000);
        limits.in_flight = amount.and_then(|amount| usize::try_from(amount).ok());
    }
    if let Some((Off::On(given), span)) = off(&mut limits.bandwidth, raw.bandwidth, checker) {
        limits.bandwidth = checker.within(&given, span, KIB..=TIB);
    }
}

fn hsts(
    setting: &mut Option<String>,
    given: Option<Given<Off<String>>>,
    checker: &mut Checker<'_>,
) {
    match checker.value(given) {
        None => {}
        Some((Off::Off, _)) => *setting = None,
        Some((Off::On(value), span)) => {
            match max_age(&value) {
                None => checker.error(span, Fault::Hsts(value.clone())),
                Some(seconds) if seconds < HSTS_SECONDS => checker.warn(span, Fault::HstsShort),
                Some(_) => {}
            }
            *setting = Some(value);
        }
    }
}

/// The seconds of `max-age=SECONDS` or `max-age=SECONDS; …`, which is how Nextcloud reads it.
fn max_age(value: &str) -> Option<u64> {
    let number = value.strip_prefix("max-age=")?.split(';').next()?;
    let digits =
        value.is_ascii() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| number.parse().unwrap_or(u64::MAX))
}

/// Sets everything of a group but its targets, which are given back.
fn group(
    group: &mut UpstreamGroup,
    raw: raw::Upstream,
    checker: &mut Checker<'_>,
) -> Option<List<TargetUrl>> {
    checker.set(&mut group.rewrite_host, raw.rewrite_host);
    checker.set_amount(&mut group.max_in_flight, raw.max_in_flight, 1..=100_000);
    checker.set_amount(&mut group.max_queued, raw.max_queued, 0..=1_000_000);
    checker.set_duration(&mut group.queue_wait, raw.queue_wait, millis(0, HOUR));
    checker.set_duration(&mut group.connect, raw.connect, millis(10, HOUR));
    let response = checker.set_duration(&mut group.response, raw.response, millis(SECOND, 7 * DAY));
    if let Some(span) = response
        && group.response.as_secs() < 3600
    {
        checker.warn(span, Fault::ResponseShort);
    }
    checker.set_duration(&mut group.stall, raw.stall, millis(SECOND, 7 * DAY));
    checker.set_duration(&mut group.keep_alive, raw.keep_alive, millis(0, HOUR));
    if let Some((Off::On(every), span)) = off(&mut group.health_every, raw.health_every, checker) {
        group.health_every = checker.within(&every, span, SECOND..=DAY).map(|_| every);
    }
    checker.set_amount(&mut group.breaker_failures, raw.breaker_failures, 1..=1_000_000);
    checker.set_duration(&mut group.breaker_pause, raw.breaker_pause, millis(100, HOUR));
    checker.set_duration(&mut group.websocket_idle, raw.websocket_idle, millis(SECOND, 30 * DAY));
    if let Some((ca, span)) = checker.path(raw.ca) {
        match checker.world.authorities(&ca) {
            Ok(authorities) => group.ca = Some(authorities),
            Err(fault) => checker.error(span, fault),
        }
    }
    raw.targets
}

/// Switches a setting off, or says what it shall be.
fn off<S, T>(
    setting: &mut Option<S>,
    given: Option<Given<Off<T>>>,
    checker: &mut Checker<'_>,
) -> Option<Placed<Off<T>>> {
    let (value, span) = checker.value(given)?;
    if matches!(value, Off::Off) {
        *setting = None;
    }
    Some((value, span))
}

/// Sets the targets of a group; one that is there twice is an error.
fn targets(
    group: &mut UpstreamGroup,
    given: Option<List<TargetUrl>>,
    http2: bool,
    checker: &mut Checker<'_>,
) -> Vec<Placed<Target>> {
    let Some(span) = given.as_ref().map(|list| list.span.clone()) else { return Vec::new() };
    let errors = checker.errors.len();
    let mut placed: Vec<Placed<Target>> = Vec::new();
    for (TargetUrl(target), span) in checker.list(given).unwrap_or_default() {
        let target = Target { http2, ..target };
        if placed.iter().any(|(other, _)| *other == target) {
            checker.error(span.clone(), Fault::DoubleTarget(target.to_string()));
        }
        placed.push((target, span));
    }
    if placed.is_empty() && checker.errors.len() == errors {
        checker.error(span, Fault::Empty);
    }
    group.targets = placed.iter().map(|(target, _)| target.clone()).collect();
    placed
}

/// `{label}` is what `*` stands for in the host of a request, so every host needs a `*`.
fn refuse_labels(hosts: &[HostPattern], targets: &[Placed<Target>], checker: &mut Checker<'_>) {
    let is_wildcard = |host: &HostPattern| matches!(host, HostPattern::Wildcard(_));
    if !hosts.is_empty() && hosts.iter().all(is_wildcard) {
        return;
    }
    for (target, span) in targets {
        if target.to_string().contains("{label}") {
            checker.error(span.clone(), Fault::LabelWithoutWildcard);
        }
    }
}

/// What a route starts from: the times and sizes of `[defaults.upstream]`, and nothing that tells
/// one server from another.
fn route_base(defaults: &UpstreamGroup) -> UpstreamGroup {
    UpstreamGroup {
        targets: Vec::new(),
        health_every: None,
        rewrite_host: false,
        ca: None,
        ..defaults.clone()
    }
}

fn route(
    raw: Spanned<raw::Route>,
    base: &UpstreamGroup,
    earlier: &[Route],
    checker: &mut Checker<'_>,
) -> (Option<Route>, Vec<Placed<Target>>) {
    let at = raw.span();
    let mut raw = raw.into_inner();
    if raw.prefix.is_none() {
        checker.error(at.clone(), Fault::Missing("prefix"));
    }
    let prefix = checker.value(raw.prefix.take());
    let mut strip_prefix = false;
    checker.set(&mut strip_prefix, raw.strip_prefix);
    let mut http2 = false;
    checker.set(&mut http2, raw.upstream.http2.take());
    if let Some((_, span)) = checker.value(raw.upstream.health_every.take()) {
        checker.error(span, Fault::RouteHealth);
    }
    let mut upstream = base.clone();
    let given = group(&mut upstream, raw.upstream, checker);
    if given.is_none() {
        checker.error(at, Fault::Missing("upstream.targets"));
    }
    let placed = targets(&mut upstream, given, http2, checker);
    let Some((prefix, span)) = prefix else { return (None, placed) };
    if earlier.iter().any(|route| route.prefix == prefix.0) {
        checker.error(span, Fault::DoublePrefix(prefix.0.clone()));
    }
    (Some(Route { prefix: prefix.0, strip_prefix, upstream }), placed)
}

fn owners(raw: Vec<Spanned<raw::Owner>>, checker: &mut Checker<'_>) -> Vec<OwnerRule> {
    let mut rules: Vec<OwnerRule> = Vec::with_capacity(raw.len());
    for owner in raw {
        let at = owner.span();
        let owner = owner.into_inner();
        for (key, is_missing) in [("from", owner.from.is_none()), ("to", owner.to.is_none())] {
            if is_missing {
                checker.error(at.clone(), Fault::Missing(key));
            }
        }
        let (from, to) = (checker.value(owner.from), checker.value(owner.to));
        let display_name = checker.value(owner.display_name);
        let (Some((from, span)), Some((to, _))) = (from, to) else { continue };
        if rules.iter().any(|rule| rule.from == from) {
            checker.error(span, Fault::DoubleOwner(from.clone()));
        }
        let display_name = display_name.map_or_else(|| to.clone(), |(name, _)| name);
        rules.push(OwnerRule { from, to, display_name });
    }
    rules
}
