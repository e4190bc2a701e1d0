//! The operator's listener as the command line sees it: where it is, what opens it, and what it says.

use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;

use super::say::say;
use crate::body::Body;
use crate::config::checked::{Target, TargetAddress, UpstreamGroup};
use crate::upstream::Group;

/// The largest answer that is read whole.
const MOST: usize = 256 << 20;

/// Where the operator's listener is, and what opens it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct At {
    /// The operator's listener of a Passeur that runs
    #[arg(
        long,
        value_name = "URL",
        env = "PASSEUR_URL",
        default_value = "http://127.0.0.1:9180",
        global = true
    )]
    url: String,
    /// A file with the bearer token; without it, the variable PASSEUR_TOKEN holds the token itself
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
}

/// A connection to it.
pub(super) struct Client {
    group: Group,
    host: HeaderValue,
    token: HeaderValue,
}

impl At {
    /// What is needed to ask.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let target = super::proxy::target(&self.url)
            .with_context(|| format!("{} is no address of an operator's listener", self.url))?;
        let token = match &self.token_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("failed to read {}", file.display()))?,
            None => std::env::var("PASSEUR_TOKEN")
                .context("no token: set PASSEUR_TOKEN, or give --token-file FILE")?,
        };
        let mut token = HeaderValue::try_from(format!("Bearer {}", token.trim()))
            .context("the token holds what no token does")?;
        token.set_sensitive(true);
        if let Target { tls: false, address: TargetAddress::Tcp { host, .. }, .. } = &target
            && host != "localhost"
            && !host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        {
            bail!("{} is not on this machine, and the token would travel openly", self.url);
        }
        let host = target.authority().context("the address has no host")?;
        Ok(Client { group: Group::new(&UpstreamGroup::to(target))?, host, token })
    }
}

impl Client {
    /// Asks, and gives the JSON of the answer; a problem is an error.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let bytes =
            self.whole(self.send(method, path, "application/json", body.into()).await?).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).context("the answer is no JSON")
    }

    /// Asks for something and gives the answer as it comes; a problem is an error.
    pub(super) async fn stream(&self, path: &str) -> anyhow::Result<Response<Body>> {
        self.send(Method::GET, path, "text/event-stream", Bytes::new()).await
    }

    /// Sends text of another kind than JSON.
    pub(super) async fn send_csv(&self, path: &str, text: String) -> anyhow::Result<Value> {
        let request = self.request(Method::POST, path, "application/json")?;
        let request = request.header(CONTENT_TYPE, "text/csv").body(Body::from(text))?;
        let bytes = self.whole(self.checked(self.group.send(request).await?).await?).await?;
        serde_json::from_slice(&bytes).context("the answer is no JSON")
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Bytes,
    ) -> anyhow::Result<Response<Body>> {
        let request = self.request(method, path, accept)?;
        let request = request.header(CONTENT_TYPE, "application/json").body(Body::from(body))?;
        let answer = self.group.send(request).await;
        self.checked(answer.context("the operator's listener does not answer: does Passeur run?")?)
            .await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
    ) -> anyhow::Result<http::request::Builder> {
        Ok(Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(HOST, &self.host)
            .header(ACCEPT, accept)
            .header(AUTHORIZATION, &self.token))
    }

    async fn checked(&self, answer: Response<Body>) -> anyhow::Result<Response<Body>> {
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let problem = self.whole(answer).await?;
        let problem: Value = serde_json::from_slice(&problem).unwrap_or_default();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let mut lines = vec![match text("detail").as_str() {
            "" => status.to_string(),
            detail => detail.to_owned(),
        }];
        for wrong in problem["errors"].as_array().into_iter().flatten() {
            lines.push(format!(
                "  line {}: {}",
                wrong["line"],
                wrong["detail"].as_str().unwrap_or_default()
            ));
        }
        for block in problem["blocking"].as_array().into_iter().flatten() {
            lines.push(format!("  {}", block["detail"].as_str().unwrap_or_default()));
        }
        if !text("request_id").is_empty() {
            lines.push(format!("  (request id {})", text("request_id")));
        }
        bail!("{}", lines.join("\n"))
    }

    async fn whole(&self, answer: Response<Body>) -> anyhow::Result<Bytes> {
        let body = http_body_util::Limited::new(answer.into_body(), MOST).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
        Ok(body.to_bytes())
    }
}

/// A piece of an address.
pub(super) fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Prints JSON as it is: for programs, and for people who want all of it.
pub(super) fn print(value: &Value) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?)?;
    Ok(())
}
