//! Exit codes and texts, and live checks against a Nextcloud that is as trusting as a test wants.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::report::{Level, SiteReport};
use super::{Check, Outcome, live};
use crate::config::checked::{
    Config, Endpoint, HostPattern, Site, Target, TargetAddress, UpstreamGroup,
};

fn check(fixture: &str) -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config").join(fixture);
    let config = folder.join("passeur.toml");
    let check = Check { config, live: false, host: Vec::new(), json: false };
    check.outcome().expect("an outcome")
}

#[test]
fn exit_codes_tell_errors_from_warnings() {
    assert_eq!(check("001-fine").exit(), 0);
    assert_eq!(check("013-warnings").exit(), 0);
    assert_eq!(check("002-unknown-keys").exit(), 2);
    assert!(check("001-fine").text().ends_with("the configuration is right: 1 site\n"));
    assert!(check("013-warnings").text().ends_with(": 2 sites, 7 warnings\n"));
    assert!(check("002-unknown-keys").text().ends_with("12 errors\n"));
}

#[test]
fn json_tells_the_same() {
    let json: serde_json::Value =
        serde_json::from_str(&check("016-windows").json()).expect("one object");
    assert_eq!(json["exit"], 2);
    assert_eq!(json["errors"][0]["line"], 4);
    assert_eq!(json["errors"][0]["column"], 20);
    assert_eq!(json["errors"][0]["key"], "limits.h2_stream_window");
    assert_eq!(json["live"], serde_json::Value::Null);
}

// === a Nextcloud ===

/// What decides how a Nextcloud answers, as its sources have it.
#[derive(Clone)]
struct Nextcloud {
    trusts: bool,
    overwrite_protocol: Option<&'static str>,
    overwrite_host: Option<&'static str>,
    trusted_domain: &'static str,
    maintenance: bool,
    well_known: bool,
    security_headers: bool,
}

impl Default for Nextcloud {
    fn default() -> Self {
        Self {
            trusts: true,
            overwrite_protocol: None,
            overwrite_host: None,
            trusted_domain: "cloud.test",
            maintenance: false,
            well_known: true,
            security_headers: true,
        }
    }
}

impl Nextcloud {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let field = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let forwarded = |name: &str| field(name).filter(|_| self.trusts);
        let host = forwarded("x-forwarded-host").or(field("host")).unwrap_or_default();
        let is_known = host == self.trusted_domain || host == "localhost";
        if !is_known && self.overwrite_host.is_none() {
            return reply(400, r#"{"error": "Trusted domain error.", "code": 15}"#);
        }
        let host = self.overwrite_host.unwrap_or(host);
        let scheme = self.overwrite_protocol.or(forwarded("x-forwarded-proto")).unwrap_or("http");
        let mut response = match (request.method().as_str(), request.uri().path()) {
            ("GET", "/status.php") => reply(
                200,
                &format!(
                    r#"{{"installed":true,"maintenance":{},"needsDbUpgrade":false,
                        "versionstring":"34.0.1"}}"#,
                    self.maintenance
                ),
            ),
            ("POST", "/index.php/login/v2") => reply(
                200,
                &format!(
                    r#"{{"poll":{{"token":"t","endpoint":"{scheme}://{host}/login/v2/poll"}}}}"#
                ),
            ),
            ("PROPFIND", "/remote.php/dav/") => reply(401, ""),
            ("GET", "/index.php/heartbeat") => reply(200, ""),
            ("GET", path) if path.starts_with("/index.php/.well-known/") => {
                let mut response = reply(404, "");
                response.headers_mut().insert("x-nextcloud-well-known", http::HeaderValue::from(1));
                response
            }
            (_, "/.well-known/caldav" | "/.well-known/carddav") if self.well_known => {
                redirect("/remote.php/dav/")
            }
            (_, path) if path.starts_with("/.well-known/") && self.well_known => {
                redirect(&format!("http://{host}/index.php{path}"))
            }
            _ => reply(404, ""),
        };
        if self.security_headers {
            for (name, values) in super::live::SECURITY {
                let value = http::HeaderValue::from_static(values[0]);
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    async fn serve(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let nextcloud = Arc::new(self);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let nextcloud = Arc::clone(&nextcloud);
                let service = service_fn(move |request| {
                    let response = nextcloud.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                tokio::spawn(async move { serving.await.ok() });
            }
        });
        address
    }

    /// What a check says about it, where visitors use HTTPS.
    async fn report(self, change: impl FnOnce(&mut Site)) -> SiteReport {
        report_of(self.serve().await, change).await
    }
}

fn reply(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

fn redirect(to: &str) -> Response<Full<Bytes>> {
    let mut response = reply(301, "");
    let to = http::HeaderValue::from_str(to).expect("a value");
    response.headers_mut().insert(http::header::LOCATION, to);
    response
}

async fn report_of(address: SocketAddr, change: impl FnOnce(&mut Site)) -> SiteReport {
    let target = TargetAddress::Tcp { host: address.ip().to_string(), port: address.port() };
    let target = Target { tls: false, http2: false, address: target };
    let hosts = vec![HostPattern::Exact("cloud.test".to_owned())];
    let mut site = Site::to("cloud", hosts, UpstreamGroup::to(target));
    site.hsts = Some("max-age=15552000".to_owned());
    change(&mut site);
    let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
    config.listen.https = vec![Endpoint::Systemd("web".to_owned())];
    let mut reports = live::reports(&config, &[]).await.expect("reports");
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

/// Everything that is not as it should be, with what would put it right.
fn complaints(report: &SiteReport) -> Vec<(&'static str, Level, &[String])> {
    let findings = report.targets.iter().flat_map(|target| &target.findings);
    findings
        .filter(|finding| finding.level != Level::Ok)
        .map(|finding| (finding.check, finding.level, &finding.fix[..]))
        .collect()
}

const TRUST: &str = "occ config:system:set trusted_proxies \
                     $(occ config:system:get trusted_proxies | wc -l) --value=127.0.0.1";

#[tokio::test]
async fn a_nextcloud_in_order_has_no_complaints() {
    let report = Nextcloud::default().report(|_| {}).await;
    assert_eq!(complaints(&report), []);
    assert_eq!(report.targets[0].version.as_deref(), Some("34.0.1"));
    assert_eq!(report.targets[0].findings.len(), 8, "{report}");
}

#[tokio::test]
async fn a_nextcloud_that_does_not_trust_us_is_told_to() {
    let report = Nextcloud { trusts: false, ..Nextcloud::default() }.report(|_| {}).await;
    let complaints = complaints(&report);
    assert_eq!(complaints[0], ("trusted_proxies", Level::Problem, &[TRUST.to_owned()][..]));
    assert_eq!(complaints[1].0, "overwriteprotocol");
    assert_eq!(complaints[1].2[0], "occ config:system:set overwriteprotocol --value=https");
    assert_eq!(complaints.len(), 2);

    let nextcloud = Nextcloud { trusts: false, ..Nextcloud::default() };
    let report = Nextcloud { overwrite_protocol: Some("https"), ..nextcloud }.report(|_| {}).await;
    assert_eq!(self::complaints(&report).len(), 1, "{report}");
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_claimed() {
    let nextcloud = Nextcloud {
        overwrite_host: Some("cloud.test"),
        overwrite_protocol: Some("https"),
        ..Nextcloud::default()
    };
    for trusts in [true, false] {
        let report = Nextcloud { trusts, ..nextcloud.clone() }.report(|_| {}).await;
        let complaints = complaints(&report);
        assert_eq!(complaints, [("trusted_proxies", Level::Advice, &[][..])], "{report}");
    }
    // Without overwriteprotocol, the scheme tells.
    let nextcloud = Nextcloud { overwrite_protocol: None, ..nextcloud };
    assert_eq!(complaints(&nextcloud.report(|_| {}).await), []);
}

#[tokio::test]
async fn an_unknown_host_is_told_with_its_line() {
    let report =
        Nextcloud { trusted_domain: "other.test", ..Nextcloud::default() }.report(|_| {}).await;
    let line = "occ config:system:set trusted_domains \
                $(occ config:system:get trusted_domains | wc -l) --value=cloud.test";
    assert_eq!(
        complaints(&report),
        [("trusted_domains", Level::Problem, &[line.to_owned()][..])],
        "{report}"
    );
}

#[tokio::test]
async fn a_rewritten_host_needs_trust_first() {
    let rewrite = |site: &mut Site| site.upstream.rewrite_host = true;
    assert_eq!(complaints(&Nextcloud::default().report(rewrite).await), []);
    let report = Nextcloud { trusts: false, ..Nextcloud::default() }.report(rewrite).await;
    assert_eq!(
        complaints(&report),
        [("trusted_proxies", Level::Problem, &[TRUST.to_owned()][..])],
        "{report}"
    );
}

#[tokio::test]
async fn another_own_host_is_a_problem() {
    let nextcloud = Nextcloud { overwrite_host: Some("other.test"), ..Nextcloud::default() };
    let report = nextcloud.report(|_| {}).await;
    let complaints = complaints(&report);
    assert_eq!(complaints[0].0, "overwritehost");
    assert_eq!(complaints[0].2[0], "occ config:system:set overwritehost --value=cloud.test");
    assert!(report.to_string().contains("not to cloud.test"), "{report}");
}

#[tokio::test]
async fn what_passeur_can_add_is_told_as_a_setting() {
    let nextcloud =
        Nextcloud { well_known: false, security_headers: false, ..Nextcloud::default() };
    let report = nextcloud.clone().report(|site| site.hsts = None).await;
    let found: Vec<_> =
        complaints(&report).iter().map(|(check, level, _)| (*check, *level)).collect();
    assert_eq!(
        found,
        [
            ("well_known", Level::Problem),
            ("well_known", Level::Problem),
            ("discovery", Level::Advice),
            ("discovery", Level::Advice),
            ("security_headers", Level::Advice),
            ("hsts", Level::Advice),
        ]
    );
    let settings = |site: &mut Site| {
        site.answer_well_known = true;
        site.security_headers = true;
    };
    let report = nextcloud.report(settings).await;
    assert!(complaints(&report).iter().all(|(check, ..)| *check == "discovery"), "{report}");
}

#[tokio::test]
async fn maintenance_is_no_problem_and_ends_the_questions() {
    let report = Nextcloud { maintenance: true, ..Nextcloud::default() }.report(|_| {}).await;
    assert_eq!(report.worst(), Level::Advice);
    assert_eq!(report.targets[0].findings.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_reached_is_a_problem() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let report = report_of(address, |_| {}).await;
    assert_eq!(report.worst(), Level::Problem);
    assert!(report.to_string().contains("cannot be reached"), "{report}");
    let outcome = Outcome { live: Some(vec![report]), ..Outcome::default() };
    assert_eq!(outcome.exit(), super::exit::LIVE);
}

#[tokio::test]
async fn wildcard_sites_are_asked_for_a_given_host() {
    let address = Nextcloud { trusted_domain: "a.farm.test", ..Nextcloud::default() }.serve().await;
    let target = TargetAddress::Tcp { host: "127.0.0.1".to_owned(), port: address.port() };
    let target = Target { tls: false, http2: false, address: target };
    let hosts = vec![HostPattern::Wildcard("farm.test".to_owned())];
    let site = Site::to("farm", hosts, UpstreamGroup::to(target));
    let config = Config { sites: vec![Arc::new(site)], ..Config::default() };
    let reports = live::reports(&config, &[]).await.expect("reports");
    assert!(reports[0].targets.is_empty());
    assert_eq!(reports[0].worst(), Level::Advice);
    let hosts = ["A.farm.test".to_owned(), "elsewhere.test".to_owned()];
    let reports = live::reports(&config, &hosts).await.expect("reports");
    assert_eq!(reports[0].targets[0].version.as_deref(), Some("34.0.1"));
    assert_eq!(reports[1].worst(), Level::Problem);
}
