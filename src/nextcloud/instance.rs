//! One instance, and the connections to it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use serde::Deserialize;

use super::Error;
use super::credentials::Standing;
use crate::body::Body;
use crate::config::checked::{Access, Cloud, Site, UpstreamGroup};
use crate::dav::client;
use crate::upstream::{self, Group};

/// Requests at a time at one instance: Passeur's own work must leave room for people's.
const IN_FLIGHT: usize = 8;
/// How long an instance may think about a question; what changes something may take as long as the
/// site's configuration allows.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long it may pause within an answer.
const STALL: Duration = Duration::from_secs(300);
/// The largest `status.php`.
const STATUS_BYTES: usize = 64 << 10;

/// An instance. Cheap to clone.
#[derive(Clone)]
pub struct Instance {
    inner: Arc<Inner>,
}

struct Inner {
    group: Group,
    host: HeaderValue,
    /// Sent where the group rewrites `Host`.
    forwarded_host: Option<HeaderValue>,
    scheme: &'static str,
    folder: String,
    standing: Standing,
}

/// What `status.php` says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Status {
    /// Whether it was set up.
    pub installed: bool,
    /// Whether it is in maintenance mode.
    pub maintenance: bool,
    /// Whether its database waits for an upgrade.
    #[serde(default, rename = "needsDbUpgrade")]
    pub needs_upgrade: bool,
    /// Four numbers: `34.0.1.2`.
    pub version: String,
    /// `34.0.1`.
    #[serde(rename = "versionstring")]
    pub release: String,
}

impl Instance {
    /// The instance of a site. `host` is the name it is asked by; `https` says whether people reach
    /// it by HTTPS, which decides what links and cookies look like.
    ///
    /// # Errors
    /// [`Error::Setup`] if the name is none, or its upstream's authority cannot be used.
    pub fn of_site(site: &Site, host: &str, https: bool) -> Result<Self, Error> {
        let failed = |source: client::Cause| Error::Setup { name: site.name.clone(), source };
        let mut group = site.upstream.clone();
        group.max_in_flight = group.max_in_flight.min(IN_FLIGHT);
        group.health_every = None;
        group.stall = group.stall.min(STALL);
        let host = HeaderValue::from_str(host).map_err(|error| failed(error.into()))?;
        Ok(Self::new(Inner {
            forwarded_host: group.rewrite_host.then(|| host.clone()),
            group: Group::new(&group).map_err(|error| failed(error.into()))?,
            host,
            scheme: if https { "https" } else { "http" },
            folder: site.access.folder.clone(),
            standing: Standing::default(),
        }))
    }

    /// A Nextcloud elsewhere, if `access` lists it: by its address, as people write it.
    ///
    /// # Errors
    /// [`Error::NotListed`] if it does not; [`Error::Setup`] if TLS cannot be had.
    pub fn elsewhere(access: &Access, address: &str) -> Result<Self, Error> {
        let not_listed = || Error::NotListed(address.chars().take(200).collect());
        let wanted = url::Url::parse(address).map_err(|_| not_listed())?;
        let cloud = access.hand_over_to.iter().find(|cloud| is_at(cloud, &wanted));
        Self::of_cloud(cloud.ok_or_else(not_listed)?)
    }

    fn of_cloud(cloud: &Cloud) -> Result<Self, Error> {
        let failed = |source: client::Cause| Error::Setup { name: cloud.to_string(), source };
        let mut config = UpstreamGroup::to(cloud.target.clone());
        config.max_in_flight = IN_FLIGHT;
        config.stall = STALL;
        let host = cloud.target.authority().ok_or_else(|| failed("it has no host".into()))?;
        let group = Group::elsewhere(&config).map_err(|error| failed(error.into()))?;
        Ok(Self::new(Inner {
            group,
            host,
            forwarded_host: None,
            scheme: if cloud.target.tls { "https" } else { "http" },
            folder: cloud.folder.clone(),
            standing: Standing::default(),
        }))
    }

    fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The path below which Nextcloud is: empty, or `/nextcloud`.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.inner.folder
    }

    /// Where people find it: `https://cloud.example.org/nextcloud`.
    #[must_use]
    pub fn address(&self) -> String {
        let host = self.inner.host.to_str().unwrap_or_default();
        format!("{}://{host}{}", self.inner.scheme, self.inner.folder)
    }

    /// What `status.php` says; also in maintenance mode.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn status(&self) -> Result<Status, Error> {
        let request = Request::get(format!("{}/status.php", self.folder())).body(Body::Empty);
        let request = request.map_err(|error| client::Error::Source(error.into()))?;
        let (head, body) = self.send(request, None).await?.into_parts();
        let body = client::whole(body, STATUS_BYTES).await?;
        serde_json::from_slice(&body).map_err(|_| {
            Error::Http(client::Error::Malformed(format!("{} and no status.php", head.status)))
        })
    }

    /// Closes connections that have been idle for too long.
    pub fn prune(&self) {
        self.inner.group.prune();
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.inner.standing
    }

    /// Sends a request whose target is a path; `from` is whose it is, if not Passeur's own.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
        from: Option<IpAddr>,
    ) -> Result<Response<Body>, client::Error> {
        let inner = &self.inner;
        let fields = request.headers_mut();
        fields.insert(HOST, inner.host.clone());
        fields.insert("x-forwarded-proto", HeaderValue::from_static(inner.scheme));
        if let Some(host) = &inner.forwarded_host {
            fields.insert("x-forwarded-host", host.clone());
        }
        if let Some(from) = from.and_then(|from| from.to_string().parse().ok()) {
            fields.insert("x-forwarded-for", from);
        }
        const AGENT: HeaderValue =
            HeaderValue::from_static(concat!("passeur/", env!("CARGO_PKG_VERSION")));
        fields.entry(USER_AGENT).or_insert(AGENT);
        let asks = is_question(request.method());
        let answer = inner.group.send(request);
        let answer = match asks {
            true => tokio::time::timeout(PATIENCE, answer)
                .await
                .unwrap_or(Err(upstream::Error::ResponseTimeout)),
            false => answer.await,
        };
        answer.map_err(unanswered)
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Instance").field(&self.address()).finish()
    }
}

fn is_question(method: &Method) -> bool {
    method.is_safe() || matches!(method.as_str(), "PROPFIND" | "REPORT" | "SEARCH")
}

fn unanswered(error: upstream::Error) -> client::Error {
    use upstream::Error as E;
    match error {
        E::Upload(source) => client::Error::Source(source),
        E::Exchange(_) | E::ResponseTimeout => {
            client::Error::Unanswered { sent: true, source: error.into() }
        }
        // What is not known to be harmless is not.
        E::Connect(_)
        | E::ConnectTimeout
        | E::BreakerOpen { .. }
        | E::Handshake(_)
        | E::QueueFull
        | E::QueueTimeout => client::Error::Unanswered { sent: false, source: error.into() },
    }
}

/// Whether `wanted` is the address of `cloud`, and nothing more than that.
fn is_at(cloud: &Cloud, wanted: &url::Url) -> bool {
    let bare = wanted.username().is_empty()
        && wanted.password().is_none()
        && wanted.query().is_none()
        && wanted.fragment().is_none();
    let Ok(listed) = url::Url::parse(&cloud.to_string()) else { return false };
    bare && wanted.origin() == listed.origin()
        && wanted.path().trim_end_matches('/') == listed.path().trim_end_matches('/')
}
