//! The numbers, gathered when somebody asks.

use std::sync::atomic::Ordering;

use super::Operator;
use crate::dav::path::Kind;
use crate::observe::metrics::{Page, encode};
use crate::site::Site;

/// All numbers as text.
pub(super) fn page(operator: &Operator) -> String {
    let mut page = Page::default();
    process(&mut page, operator);
    let table = operator.shared.table.load();
    let sites = table.sites().iter();
    encode(
        &mut page,
        &Kind::NAMES,
        sites.clone().map(|site| (site.config.name.as_str(), &*site.metrics)),
    );
    upstreams(&mut page, table.sites());
    if let Some(tours) = &operator.tours {
        tours.ledger().encode(&mut page);
    }
    page.finish()
}

fn process(page: &mut Page, operator: &Operator) {
    page.family("passeur_build_info", "gauge", "The version that runs.");
    page.line("passeur_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("passeur_connections", "gauge", "Open client connections.");
    page.line("passeur_connections", &[], (operator.connections)());
    page.family("passeur_sites", "gauge", "Sites that are served.");
    page.line("passeur_sites", &[], operator.shared.table.load().sites().len());
    let unknown = operator.shared.unknown_hosts.load(Ordering::Relaxed);
    page.family("passeur_unknown_hosts_total", "counter", "Requests for hosts that no site has.");
    page.line("passeur_unknown_hosts_total", &[], unknown);
    if let Some(reloads) = &operator.reloads {
        page.family("passeur_reloads_total", "counter", "Configurations that were read again.");
        for (result, count) in [("ok", reloads.done()), ("refused", reloads.failed())] {
            page.line("passeur_reloads_total", &[("result", result)], count);
        }
        let help = "1 if the files have errors, so that what runs is older than they are.";
        page.family("passeur_configuration_outdated", "gauge", help);
        page.line("passeur_configuration_outdated", &[], u8::from(reloads.is_outdated()));
    }
    if let Some(log) = operator.shared.access_log.load().as_ref() {
        let help = "Access lines lost because the disk was slower than the traffic.";
        page.family("passeur_access_lines_dropped_total", "counter", help);
        page.line("passeur_access_lines_dropped_total", &[], log.dropped());
    }
    let help = "When a certificate ends, seconds since 1970.";
    page.family("passeur_certificate_expires_seconds", "gauge", help);
    for (name, end) in (operator.certificates)() {
        page.line("passeur_certificate_expires_seconds", &[("name", &name)], end);
    }
}

/// One number of an upstream.
type Gauge = (&'static str, &'static str, fn(&crate::upstream::Upstream) -> usize);

const GAUGES: [Gauge; 4] = [
    ("passeur_upstream_in_flight", "Requests that wait or run.", |up| up.in_flight()),
    ("passeur_upstream_connections", "Open connections.", |up| up.connections()),
    ("passeur_upstream_down", "1 if the last probe failed.", |up| {
        usize::from(up.health().is_down())
    }),
    ("passeur_upstream_breaker_open", "1 while connecting is suspended.", |up| {
        usize::from(up.breaker_is_open())
    }),
];

fn upstreams(page: &mut Page, sites: &[std::sync::Arc<Site>]) {
    for (name, help, number) in GAUGES {
        page.family(name, "gauge", help);
        for site in sites {
            let groups = site.routes.iter().map(|route| &route.upstream).chain([&site.upstream]);
            for target in groups.flat_map(|group| group.targets()) {
                let at = target.target().to_string();
                let labels = [("site", site.config.name.as_str()), ("upstream", at.as_str())];
                page.line(name, &labels, number(target));
            }
        }
    }
}
