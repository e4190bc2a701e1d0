//! OCS, Nextcloud's other API: accounts, shares, notifications, and what its apps offer.
//!
//! Answers are JSON, read whole, up to [`MAX_BYTES`]. A refusal becomes [`Error::Ocs`] with the
//! code that Nextcloud gives; 401 gives the credential up, as everywhere.

mod apps;
mod notifications;
mod shares;
mod transfers;
mod users;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::acting::Acting;
use super::credentials::Surface;
use super::{Error, Instance};
use crate::body::Body;
use crate::dav::client;

pub use apps::{Board, Form, Owned, OwnedTable, Poll};
pub use notifications::Notification;
pub use shares::{NewShare, Share, ShareChange, ShareType};
pub use users::{Quota, User};

/// What is escaped in a step of a path. `_` is not: Nextcloud reads the name of the app as it came.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The largest answer: some thousand shares.
pub const MAX_BYTES: usize = 32 << 20;

/// OCS as one account.
#[derive(Clone, Debug)]
pub struct Client {
    acting: Acting,
}

/// Names and values of a call.
pub type Parameters<'a> = [(&'a str, &'a str)];

#[derive(Deserialize)]
struct Envelope {
    ocs: Inside,
}

#[derive(Deserialize)]
struct Inside {
    meta: Meta,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    statuscode: u16,
    message: Option<String>,
}

impl Client {
    pub(super) fn new(acting: Acting) -> Self {
        Self { acting }
    }

    /// Any call: `path` are the steps below `ocs/v2.php`. Gives back `data`.
    ///
    /// # Errors
    /// As the module says.
    pub async fn call(
        &self,
        method: Method,
        path: &[&str],
        parameters: &Parameters<'_>,
    ) -> Result<Value, Error> {
        let call = format!("{method} {}", path.join("/"));
        let target = format!("{}/ocs/v2.php{}", self.instance().folder(), steps(path));
        let query = encode(parameters);
        let in_query = matches!(method, Method::GET | Method::DELETE);
        let target = match in_query && !query.is_empty() {
            true => format!("{target}?{query}"),
            false => target,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("ocs-apirequest", "true")
            .header(ACCEPT, "application/json");
        let mut body = Body::Empty;
        if !in_query {
            const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
            request = request.header(CONTENT_TYPE, FORM);
            body = Body::from(query);
        }
        let request = request.body(body).map_err(|error| client::Error::Source(error.into()))?;
        let answer = self.acting.exchange(request, Surface::Ocs).await?;
        unwrap(answer, call).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        path: &[&str],
        parameters: &Parameters<'_>,
    ) -> Result<T, Error> {
        let data = self.call(Method::GET, path, parameters).await?;
        parse(data, path)
    }

    /// A call that is no OCS: an app's own JSON, `path` being the steps below `index.php`.
    async fn json(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Value, Error> {
        let target = format!("{}/index.php{}", self.instance().folder(), steps(path));
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("ocs-apirequest", "true")
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json");
        let body = body.map_or(Body::Empty, |body| Body::from(body.to_string()));
        let request = request.body(body).map_err(|error| client::Error::Source(error.into()))?;
        let answer = self.acting.exchange(request, Surface::Ocs).await?;
        if !answer.status().is_success() {
            let refusal = client::Refusal::of(answer.status(), answer.headers());
            return Err(client::Error::Status(Box::new(refusal)).into());
        }
        let body = client::whole(answer.into_body(), MAX_BYTES).await?;
        serde_json::from_slice(&body).map_err(|error| nonsense(path, &error))
    }

    fn instance(&self) -> &Instance {
        self.acting.instance()
    }
}

/// Takes `data` out of an answer.
pub(super) async fn unwrap(answer: http::Response<Body>, call: String) -> Result<Value, Error> {
    let (head, body) = answer.into_parts();
    let refusal = client::Refusal::of(head.status, &head.headers);
    let body = client::whole(body, MAX_BYTES).await?;
    let envelope = match serde_json::from_slice::<Envelope>(&body) {
        Ok(envelope) => envelope.ocs,
        Err(_) if !head.status.is_success() => {
            return Err(client::Error::Status(Box::new(refusal)).into());
        }
        Err(error) => {
            let what = format!("{call}: {error}");
            return Err(client::Error::Malformed(what.chars().take(200).collect()).into());
        }
    };
    if head.status.is_success() {
        return Ok(envelope.data);
    }
    if refusal.retry_after.is_some() || refusal.maintenance {
        return Err(client::Error::Status(Box::new(refusal)).into());
    }
    let message = envelope.meta.message.unwrap_or_default();
    Err(Error::Ocs {
        call,
        code: match envelope.meta.statuscode {
            0 => head.status.as_u16(),
            code => code,
        },
        message: message.chars().filter(|c| !c.is_control()).take(500).collect(),
    })
}

fn parse<T: DeserializeOwned>(data: Value, path: &[&str]) -> Result<T, Error> {
    serde_json::from_value(data).map_err(|error| nonsense(path, &error))
}

/// What cannot be read; without what was in it.
fn nonsense(path: &[&str], error: &serde_json::Error) -> Error {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "another shape",
        _ => "no JSON",
    };
    client::Error::Malformed(format!("{}: {kind}", path.join("/"))).into()
}

fn steps(path: &[&str]) -> String {
    path.iter()
        .flat_map(|step| ["/".into(), utf8_percent_encode(step, ESCAPED).to_string()])
        .collect()
}

fn encode(parameters: &Parameters<'_>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Text, whether it comes as text or as a number: Nextcloud is not of one mind.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    })
}

/// A flag, whether it comes as one, as a number, or as text.
fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => flag,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => !matches!(text.as_str(), "" | "0" | "false"),
        Value::Null => false,
        other => !other.as_array().is_some_and(Vec::is_empty),
    })
}

/// A number of bytes, whether it comes as a number or as text; negative ones say "unknown" or
/// "unlimited".
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "sizes come as floats on occasion")]
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => {
            number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64)
        }
        Value::String(text) => text.parse().unwrap_or_default(),
        _ => 0,
    })
}
