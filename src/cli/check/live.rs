//! The questions of a live check, and what their answers mean.
//!
//! What Nextcloud does with forwarding headers cannot be asked, but it can be seen: it refuses a
//! host that it does not trust, and believes `X-Forwarded-Host` only from trusted proxies; so the
//! answer to an impossible host there tells whether it trusts us. The login flow tells what it
//! takes for its own address. Numbers such as A2 are rows of `docs/pitfalls.md`.

use std::sync::Arc;

use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};

use super::probe::{Answer, Probe, Status, shown};
use super::report::{Finding, SiteReport, TargetReport};
use crate::config::checked::{self, Config, HostPattern, TargetAddress};
use crate::site::{Found, Site, Table};

/// Sites asked at a time.
const AT_A_TIME: usize = 16;
/// A host that no Nextcloud is (RFC 6761).
const IMPOSSIBLE: &str = "passeur-check.invalid";
/// What Nextcloud's setup check wants (`SecurityHeaders.php`); lower case, without spaces.
pub(super) const SECURITY: [(&str, &[&str]); 5] = [
    ("x-content-type-options", &["nosniff"]),
    ("x-frame-options", &["sameorigin", "deny"]),
    ("x-permitted-cross-domain-policies", &["none"]),
    ("x-robots-tag", &["noindex,nofollow"]),
    (
        "referrer-policy",
        &[
            "no-referrer",
            "no-referrer-when-downgrade",
            "same-origin",
            "strict-origin",
            "strict-origin-when-cross-origin",
        ],
    ),
];

/// Asks every site, or those of `hosts`.
pub(super) async fn reports(config: &Config, hosts: &[String]) -> anyhow::Result<Vec<SiteReport>> {
    let table = Table::new(&config.sites, &Table::default())?;
    let public = if config.listen.https.is_empty() && config.listen.trusted_hops.is_empty() {
        "http"
    } else {
        "https"
    };
    let wanted: Vec<Wanted> = match hosts {
        [] => table.sites().iter().map(Wanted::of_site).collect(),
        hosts => hosts.iter().map(|host| Wanted::of_host(&table, host)).collect(),
    };
    let asked = wanted.into_iter().map(|wanted| wanted.report(public));
    Ok(futures_util::stream::iter(asked).buffered(AT_A_TIME).collect().await)
}

/// A site, and the host to ask it for.
struct Wanted {
    host: String,
    site: Result<Arc<Site>, Finding>,
    name: String,
}

impl Wanted {
    fn of_site(site: &Arc<Site>) -> Self {
        let name = site.config.name.clone();
        match site.config.hosts.first() {
            Some(HostPattern::Exact(host)) => {
                Self { host: host.clone(), site: Ok(Arc::clone(site)), name }
            }
            Some(wildcard) => {
                let text = "not asked: say for which host with --host";
                let host = wildcard.to_string();
                Self { host, site: Err(Finding::advice("host", text)), name }
            }
            // It takes every host; so does, if anyone, every Nextcloud take this one.
            None => Self { host: "localhost".to_owned(), site: Ok(Arc::clone(site)), name },
        }
    }

    fn of_host(table: &Table, host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let problem = |text: String| Err(Finding::problem("host", text));
        let (name, site) = match table.find(&host) {
            Some(Found::Site(site)) => (site.config.name.clone(), Ok(site)),
            Some(Found::Redirect { site, host }) => (
                site.config.name.clone(),
                problem(format!("is redirected to {host}: ask for that")),
            ),
            None => (String::from("no site"), problem("no site has this host".to_owned())),
        };
        Self { host, site, name }
    }

    async fn report(self, public: &'static str) -> SiteReport {
        let Self { host, site, name } = self;
        let (mut targets, mut findings) = (Vec::new(), Vec::new());
        match site {
            Err(finding) => findings.push(finding),
            Ok(site) => {
                for upstream in site.upstream.targets() {
                    let probe = Probe { upstream: Arc::clone(upstream), host: host.clone() };
                    targets.push(Visit { probe, site: &site.config, public }.target().await);
                }
                for route in &site.routes {
                    for upstream in route.upstream.targets() {
                        let probe = Probe { upstream: Arc::clone(upstream), host: host.clone() };
                        targets.push(route_target(&probe, &route.prefix).await);
                    }
                }
            }
        }
        SiteReport { site: name, host, targets, findings }
    }
}

/// Whether anything answers at the target of a route; what, is not Nextcloud's business.
async fn route_target(probe: &Probe, prefix: &str) -> TargetReport {
    let finding = match probe.ask("GET", &format!("{prefix}/"), &[]).await {
        Ok(answer) => Finding::ok("reachable", format!("answers ({})", answer.status)),
        Err(error) => Finding::problem("reachable", format!("cannot be reached: {error}")),
    };
    TargetReport {
        target: probe.upstream.target().to_string(),
        route: Some(prefix.to_owned()),
        version: None,
        findings: vec![finding],
    }
}

/// One web server of a site.
struct Visit<'a> {
    probe: Probe,
    site: &'a checked::Site,
    /// The scheme that visitors use.
    public: &'static str,
}

impl Visit<'_> {
    async fn target(&self) -> TargetReport {
        let mut report = TargetReport {
            target: self.probe.upstream.target().to_string(),
            route: None,
            version: None,
            findings: Vec::new(),
        };
        if self.status(&mut report).await {
            self.forwarding(&mut report.findings).await;
            self.calendars(&mut report.findings).await;
            self.discovery(&mut report.findings).await;
            self.security(&mut report.findings).await;
        }
        report
    }

    /// Whether it is a Nextcloud that can be asked more.
    async fn status(&self, report: &mut TargetReport) -> bool {
        let findings = &mut report.findings;
        let answer = match self.probe.ask("GET", "/status.php", &self.forwarded()).await {
            Ok(answer) => answer,
            Err(error) => {
                let text = format!("cannot be reached: {error}");
                findings.push(Finding::problem("reachable", text));
                return false;
            }
        };
        if answer.refuses_host() {
            findings.push(self.unknown_host().await);
            return false;
        }
        let is_paused = answer.headers.contains_key("x-nextcloud-maintenance-mode");
        let status = match serde_json::from_slice::<Status>(&answer.body) {
            Ok(status) => status,
            Err(_) if is_paused => {
                findings.push(Finding::advice("status", "is in maintenance mode"));
                return false;
            }
            Err(_) => {
                let text = format!("is no Nextcloud: status.php answers {}", answer.status);
                findings.push(Finding::problem("status", text));
                return false;
            }
        };
        let version = shown(&status.version);
        findings.push(match status {
            Status { installed: false, .. } => {
                Finding::problem("status", "Nextcloud is not installed yet")
            }
            Status { needs_db_upgrade: true, .. } => {
                Finding::problem("status", format!("Nextcloud {version} waits for its upgrade"))
                    .fix("occ upgrade")
            }
            Status { maintenance: true, .. } => {
                Finding::advice("status", format!("Nextcloud {version} is in maintenance mode"))
                    .fix("occ maintenance:mode --off")
            }
            _ => Finding::ok("status", format!("Nextcloud {version}")),
        });
        report.version = Some(version);
        status.installed && !status.maintenance && !status.needs_db_upgrade
    }

    /// Nextcloud does not know the host, or does not believe which one it is.
    async fn unknown_host(&self) -> Finding {
        if self.site.upstream.rewrite_host {
            // A host that every Nextcloud knows.
            let known = [("x-forwarded-host", "localhost")];
            let answer = self.probe.ask("GET", "/status.php", &known).await;
            if answer.is_ok_and(|answer| answer.refuses_host()) {
                return self.not_trusted().await;
            }
        }
        let text = format!("Nextcloud does not know the host {} (trusted_domains)", self.host());
        let line = append("trusted_domains", self.host());
        Finding::problem("trusted_domains", text).fix(line)
    }

    /// Rows A1 to A5 and A10: whom Nextcloud believes, and what it takes for its own address.
    async fn forwarding(&self, findings: &mut Vec<Finding>) {
        let believes = self.is_believed().await;
        findings.push(match believes {
            Some(true) => Finding::ok("trusted_proxies", "believes Passeur who its visitors are"),
            Some(false) => self.not_trusted().await,
            None => Finding::advice(
                "trusted_proxies",
                "takes any host for its own, so whether it trusts Passeur cannot be seen from \
                 outside: see that trusted_proxies holds Passeur's address",
            ),
        });
        let address = self.probe.own_address(&self.forwarded()).await;
        findings.extend(match address {
            Ok(address) => self.own_address(&address, believes == Some(true)),
            Err(error) => {
                let text = format!("the login flow of clients does not work: {}", shown(&error));
                vec![Finding::problem("login_flow", text)]
            }
        });
    }

    /// What Passeur would send with a visitor's request.
    fn forwarded(&self) -> Vec<(&'static str, &str)> {
        let mut fields = vec![("x-forwarded-proto", self.public)];
        if self.site.upstream.rewrite_host {
            fields.push(("x-forwarded-host", self.host()));
        }
        fields
    }

    /// Whether forwarding fields are believed; `None` if that makes no difference to be seen.
    async fn is_believed(&self) -> Option<bool> {
        let lie = [("x-forwarded-host", IMPOSSIBLE)];
        if self.probe.ask("GET", "/status.php", &lie).await.ok()?.refuses_host() {
            return Some(true);
        }
        let scheme = async |scheme| {
            let address = self.probe.own_address(&[("x-forwarded-proto", scheme)]).await.ok()?;
            Some(address.scheme().to_owned())
        };
        if scheme("https").await? != scheme("http").await? {
            return Some(true);
        }
        // Not believed, if the lie would have been noticed: any other host is refused.
        let plain = self.probe.ask("GET", "/status.php", &[("host", IMPOSSIBLE)]).await.ok()?;
        plain.refuses_host().then_some(false)
    }

    async fn not_trusted(&self) -> Finding {
        let text = "takes all visitors for one, Passeur: a few wrong passwords of one slow down \
                    everybody (trusted_proxies)";
        let finding = Finding::problem("trusted_proxies", text);
        match (&self.probe.upstream.target().address, self.probe.our_address().await) {
            (TargetAddress::Unix(_), _) => finding.fix(
                "let the web server set REMOTE_ADDR from X-Forwarded-For (nginx: real_ip_header, \
                 set_real_ip_from unix:), or use a TCP port",
            ),
            (_, Some(ours)) => finding.fix(append("trusted_proxies", &ours.to_string())),
            (_, None) => finding.fix(append("trusted_proxies", "ADDRESS-OF-PASSEUR")),
        }
    }

    /// What Nextcloud tells clients to come back to, against what they used.
    fn own_address(&self, address: &url::Url, believes: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let told = (address.scheme(), address.host_str().unwrap_or_default());
        if told.0 != self.public {
            findings.push(self.other_scheme(told.0, believes));
        }
        if told.1 != self.host() {
            let text = format!(
                "tells clients to come back to {}, not to {} (overwritehost)",
                shown(told.1),
                self.host()
            );
            let finding = Finding::problem("overwritehost", text);
            findings.push(match self.site.upstream.rewrite_host && !believes {
                true => finding.fix("(put right as soon as Passeur is in trusted_proxies)"),
                false => {
                    let line =
                        format!("occ config:system:set overwritehost --value={}", self.host());
                    finding
                        .fix(line)
                        .fix("(or, with several hosts: occ config:system:delete overwritehost)")
                }
            });
        }
        if findings.is_empty() {
            let text = format!("tells clients to come back to {}://{}", told.0, shown(told.1));
            findings.push(Finding::ok("own_address", text));
        }
        findings
    }

    fn other_scheme(&self, told: &str, believes: bool) -> Finding {
        let public = self.public;
        let text = format!("tells clients to come back by {told} while they come by {public}");
        if public == "http" {
            let advice =
                "if TLS ends at a proxy in front of Passeur, name it in listen.trusted_hops";
            return Finding::advice("overwriteprotocol", text).fix(advice);
        }
        let text = format!("{text}: they hang at \"Grant access\" (overwriteprotocol)");
        let line = format!("occ config:system:set overwriteprotocol --value={public}");
        let finding = Finding::problem("overwriteprotocol", text).fix(line);
        match believes {
            true => finding,
            false => finding.fix("(not needed once Passeur is in trusted_proxies)"),
        }
    }

    /// Row A17, for phones: they look for calendars and contacts there.
    async fn calendars(&self, findings: &mut Vec<Finding>) {
        if self.site.answer_well_known {
            findings.push(Finding::ok("well_known", "/.well-known/caldav is answered by Passeur"));
            return;
        }
        for name in ["caldav", "carddav"] {
            let path = format!("/.well-known/{name}");
            let mut fields = self.forwarded();
            fields.push(("depth", "0"));
            let answer = self.probe.follow("PROPFIND", &path, &fields).await;
            findings.push(match answer {
                Ok(answer) if leads_to_dav(&answer) => {
                    Finding::ok("well_known", format!("{path} leads to {}", shown(&answer.path)))
                }
                other => {
                    let found =
                        other.map_or_else(|error| error, |answer| answer.status.to_string());
                    let text = format!("phones find no calendars: {path} gives {}", shown(&found));
                    Finding::problem("well_known", text)
                        .fix(format!("{}: answer_well_known = true", self.site_file()))
                }
            });
        }
    }

    /// Row A17, for federation: answered by Nextcloud itself, which says so.
    async fn discovery(&self, findings: &mut Vec<Finding>) {
        for name in ["webfinger", "nodeinfo"] {
            let path = format!("/.well-known/{name}");
            let answer = self.probe.follow("GET", &path, &self.forwarded()).await;
            let is_nextcloud = |answer: &Answer| {
                answer.headers.contains_key("x-nextcloud-well-known")
                    && matches!(answer.status.as_u16(), 200 | 400 | 404)
            };
            findings.push(match answer {
                Ok(answer) if is_nextcloud(&answer) => {
                    Finding::ok("discovery", format!("{path} is answered by Nextcloud"))
                }
                other => {
                    let found =
                        other.map_or_else(|error| error, |answer| answer.status.to_string());
                    let text = format!(
                        "{path} does not reach Nextcloud ({}): its web server should lead it to \
                         /index.php{path}",
                        shown(&found)
                    );
                    Finding::advice("discovery", text)
                }
            });
        }
    }

    /// Row A12: what Nextcloud's own check complains about.
    async fn security(&self, findings: &mut Vec<Finding>) {
        let Ok(answer) = self.probe.ask("GET", "/index.php/heartbeat", &self.forwarded()).await
        else {
            return;
        };
        let (absent, wrong) = security_headers(&answer.headers);
        if !wrong.is_empty() {
            let text = format!(
                "the web server sends {} with another value than Nextcloud wants",
                wrong.join(", ")
            );
            findings.push(Finding::advice("security_headers", text));
        }
        if absent.is_empty() {
            findings.push(Finding::ok("security_headers", "the web server sends security headers"));
        } else if self.site.security_headers {
            findings.push(Finding::ok("security_headers", "Passeur adds security headers"));
        } else {
            let text = format!("nobody sends {}", absent.join(", "));
            let fix = format!("{}: security_headers = true", self.site_file());
            findings.push(Finding::advice("security_headers", text).fix(fix));
        }
        let has_hsts = answer.headers.contains_key("strict-transport-security");
        if self.public == "https" && !has_hsts && self.site.hsts.is_none() {
            let text = "nobody tells browsers to keep to HTTPS (Strict-Transport-Security)";
            let fix = format!("{}: hsts = \"max-age=15552000\"", self.site_file());
            findings.push(Finding::advice("hsts", text).fix(fix));
        }
    }

    fn host(&self) -> &str {
        &self.probe.host
    }

    fn site_file(&self) -> String {
        format!("in the file of site {}", self.site.name)
    }
}

/// Appends to a list of Nextcloud's configuration: its next number is how many there are.
fn append(list: &str, value: &str) -> String {
    format!("occ config:system:set {list} $(occ config:system:get {list} | wc -l) --value={value}")
}

/// What Nextcloud's own check takes for working: a listing, or the question who is there.
fn leads_to_dav(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::MULTI_STATUS => true,
        StatusCode::UNAUTHORIZED => answer.path.trim_end_matches('/').ends_with("/remote.php/dav"),
        _ => false,
    }
}

/// The security headers that are absent, and those that have another value than wanted. Nextcloud
/// looks at the first copy only.
fn security_headers(headers: &HeaderMap) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut absent, mut wrong) = (Vec::new(), Vec::new());
    for (name, accepted) in SECURITY {
        let value = headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match value.map(|value| value.to_ascii_lowercase().replace(", ", ",")) {
            None => absent.push(name),
            Some(value) if !accepted.contains(&value.as_str()) => wrong.push(name),
            Some(_) => {}
        }
    }
    (absent, wrong)
}
