//! Asking one web server as Passeur would ask it for a visitor.
//!
//! Answers come from machines that may be anything: bodies are read up to a limit, redirects are
//! followed a few times and never to another host, and text from them is shown without control
//! characters.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;

use crate::body::Body;
use crate::config::checked::TargetAddress;
use crate::upstream::{Upstream, causes};

/// An answer is read up to here.
const MAX_BYTES: usize = 1 << 20;
/// An answer has to be there within this.
const PATIENCE: Duration = Duration::from_secs(20);
/// Redirects that are followed.
const MAX_HOPS: usize = 5;

/// A web server, and how to ask it.
pub(super) struct Probe {
    pub(super) upstream: Arc<Upstream>,
    pub(super) host: String,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Where it came from in the end.
    pub(super) path: String,
}

/// What `status.php` says.
#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) installed: bool,
    pub(super) maintenance: bool,
    #[serde(default, rename = "needsDbUpgrade")]
    pub(super) needs_db_upgrade: bool,
    #[serde(default, rename = "versionstring")]
    pub(super) version: String,
}

#[derive(Deserialize)]
struct LoginFlow {
    poll: Poll,
}

#[derive(Deserialize)]
struct Poll {
    endpoint: String,
}

impl Probe {
    /// Sends one request, with these fields besides `Host`.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        fields: &[(&'static str, &str)],
    ) -> Result<Answer, String> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(HOST, &self.host)
            .header(USER_AGENT, concat!("passeur-check/", env!("CARGO_PKG_VERSION")));
        if method == Method::POST {
            request = request.header(CONTENT_LENGTH, "0");
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::Empty).map_err(|error| error.to_string())?;
        if let Some(last) = fields.iter().rev().find(|(name, _)| *name == "host") {
            let value = HeaderValue::from_str(last.1).map_err(|error| error.to_string())?;
            request.headers_mut().insert(HOST, value);
        }
        tokio::time::timeout(PATIENCE, self.exchange(request, path))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
    }

    async fn exchange(&self, request: Request<Body>, path: &str) -> Result<Answer, String> {
        let response = self.upstream.send(request).await.map_err(|error| causes(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_BYTES).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body, path: path.to_owned() })
    }

    /// Asks, and follows redirects within the site.
    pub(super) async fn follow(
        &self,
        method: &str,
        path: &str,
        fields: &[(&'static str, &str)],
    ) -> Result<Answer, String> {
        let mut path = path.to_owned();
        for _ in 0..MAX_HOPS {
            let answer = self.ask(method, &path, fields).await?;
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            path = self.next(&answer)?;
        }
        Err(format!("more than {MAX_HOPS} redirects"))
    }

    /// The path a redirect leads to.
    fn next(&self, answer: &Answer) -> Result<String, String> {
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or("a redirect that leads nowhere")?;
        let base = format!("http://{}{}", self.host, answer.path);
        let base = url::Url::parse(&base).map_err(|error| error.to_string())?;
        let url = base.join(location).map_err(|error| error.to_string())?;
        if url.host_str() != base.host_str() {
            return Err(format!("a redirect to {}", shown(url.as_str())));
        }
        Ok(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
    }

    /// Where the login flow leads clients: what Nextcloud takes for its own address.
    pub(super) async fn own_address(
        &self,
        fields: &[(&'static str, &str)],
    ) -> Result<url::Url, String> {
        let answer = self.ask("POST", "/index.php/login/v2", fields).await?;
        let flow = serde_json::from_slice::<LoginFlow>(&answer.body).ok();
        flow.and_then(|flow| url::Url::parse(&flow.poll.endpoint).ok())
            .ok_or_else(|| format!("{} instead of a login flow", answer.status))
    }

    /// The address that the web server sees us under.
    pub(super) async fn our_address(&self) -> Option<IpAddr> {
        let TargetAddress::Tcp { host, port } = &self.upstream.target().address else {
            return None;
        };
        let addresses = tokio::net::lookup_host((host.as_str(), *port)).await.ok()?;
        for there in addresses {
            let any = match there.ip() {
                IpAddr::V4(_) => IpAddr::from([0u8; 4]),
                IpAddr::V6(_) => IpAddr::from([0u16; 8]),
            };
            // Nothing is sent: connecting a datagram socket only picks the way.
            let socket = tokio::net::UdpSocket::bind((any, 0)).await.ok()?;
            if socket.connect(there).await.is_ok() {
                return Some(socket.local_addr().ok()?.ip());
            }
        }
        None
    }
}

impl Answer {
    /// Whether Nextcloud refuses the host that it was asked for.
    pub(super) fn refuses_host(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
            && serde_json::from_slice::<serde_json::Value>(&self.body)
                .is_ok_and(|body| body.get("code").and_then(serde_json::Value::as_u64) == Some(15))
    }
}

/// Text from elsewhere, fit for a terminal.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
