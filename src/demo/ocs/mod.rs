//! `ocs/v1.php` and `ocs/v2.php`: the envelope, in JSON or XML, around what the parts answer.
//!
//! Version 1 says 100 for success and hides failures behind HTTP 200; version 2 speaks HTTP. Both
//! refuse (412) whoever does not prove that no foreign page made the request. Capabilities are for
//! everybody; all else needs somebody.

pub(super) mod apps;
mod capabilities;
mod notifications;
mod shares;
mod sharing;
mod status;
mod transfers;
mod users;

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::StandIn;

pub(super) use self::notifications::{Notice, notify};
pub(super) use self::shares::by_token as link;
pub(super) use self::sharing::{New, insert as insert_share};
use super::http::{self as answer, Ask, Fault, Reply, set};
use super::identity::{self, Identity, Session};
use super::xml::escape;

/// What a part answers: data, or a status and a message.
pub(super) type Outcome = Result<Value, Refusal>;

/// Why a part refuses.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("refused with {0}: {1}")]
    With(u16, &'static str),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl Refusal {
    pub(super) const NOT_FOUND: Self = Self::With(404, "not found");
    pub(super) const NO_METHOD: Self = Self::With(405, "method not allowed");
}

/// Answers a request to OCS.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    session: &Session,
    who: Option<Identity>,
) -> Reply {
    let path = ask.path.clone();
    let (first, rest) = match path.strip_prefix("/ocs/v1.php/") {
        Some(rest) => (true, rest),
        None => (false, path.strip_prefix("/ocs/v2.php/").unwrap_or_default()),
    };
    let json = ask.query("format").map_or_else(
        || ask.header("accept").is_some_and(|accept| accept.contains("application/json")),
        |format| format == "json",
    );
    let outcome = route(stand, ask, session, who, rest.trim_end_matches('/')).await;
    envelope(first, json, outcome)
}

async fn route(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    session: &Session,
    who: Option<Identity>,
    rest: &str,
) -> Outcome {
    if rest == "cloud/capabilities" {
        return Ok(capabilities::capabilities(&ask.base, who.is_some()));
    }
    if !identity::passes_csrf(ask, Some(session)) {
        return Err(Refusal::With(412, "CSRF check failed"));
    }
    let Some(who) = who else {
        return Err(Refusal::With(401, "Current user is not logged in"));
    };
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        ["cloud", "user"] => users::own(stand, &who).await,
        ["cloud", "apps"] if who.admin => Ok(json!({ "apps": capabilities::APPS })),
        ["cloud", rest @ ..] => users::handle(stand, ask, &who, rest).await,
        ["apps", "files_sharing", "api", "v1", "shares", rest @ ..] => {
            shares::handle(stand, ask, &who, rest).await
        }
        ["apps", "files_sharing", "api", "v1", "deletedshares", id] if ask.method() == "POST" => {
            sharing::restore(stand, id, &who.uid).await
        }
        ["core", "getapppassword"] => users::app_password(stand, ask, &who).await,
        ["core", "apppassword", "confirm"] if ask.method() == "PUT" => {
            users::confirm(stand, ask, &who).await
        }
        ["core", "apppassword"] if ask.method() == "DELETE" => Ok(json!([])),
        ["core", "navigation", "apps"] => Ok(capabilities::navigation(&ask.base)),
        ["apps", "notifications", "api", version, rest @ ..] => {
            notifications::handle(stand, ask, &who, version, rest).await
        }
        ["apps", "files", "api", "v1", "transferownership", rest @ ..] => {
            transfers::handle(stand, ask, &who, rest).await
        }
        ["apps", "user_status", "api", "v1", rest @ ..] => {
            status::handle(stand, ask, &who, rest).await
        }
        ["apps", "dav", "api", "v1", "outOfOffice", _, ..] => Err(Refusal::NOT_FOUND),
        ["apps", rest @ ..] => apps::handle(stand, ask, &who, rest).await,
        _ => Err(Refusal::With(404, "Invalid query, please check the syntax.")),
    }
}

fn envelope(first: bool, as_json: bool, outcome: Outcome) -> Reply {
    let (code, message, data) = match outcome {
        Ok(data) => (if first { 100 } else { 200 }, "OK", data),
        Err(Refusal::With(401, message)) => (997, message, json!([])),
        Err(Refusal::With(code, message)) => (code, message, json!([])),
        Err(Refusal::Fault(fault)) => {
            tracing::warn!(error = ?fault, "stand-in failed");
            (fault.status().as_u16(), "the request failed", json!([]))
        }
    };
    let fine = matches!(code, 100 | 200);
    let http = match code {
        997 => StatusCode::UNAUTHORIZED,
        998 if !first => StatusCode::NOT_FOUND,
        101..=199 if !first => StatusCode::BAD_REQUEST,
        412 => StatusCode::PRECONDITION_FAILED,
        _ if first => StatusCode::OK,
        code => StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST),
    };
    let meta = json!({
        "status": if fine { "ok" } else { "failure" }, "statuscode": code, "message": message,
    });
    let mut reply = if as_json {
        answer::json(http, &json!({ "ocs": { "meta": meta, "data": data } }))
    } else {
        let mut out = String::from("<?xml version=\"1.0\"?>\n<ocs>");
        push_xml(&mut out, "meta", &meta);
        push_xml(&mut out, "data", &data);
        out.push_str("</ocs>\n");
        answer::full(http, "application/xml; charset=utf-8", out)
    };
    if http == StatusCode::UNAUTHORIZED {
        set(&mut reply, "www-authenticate", "Basic realm=\"Authorisation Required\"");
    }
    set(&mut reply, "cache-control", "no-cache, no-store, must-revalidate");
    let policy = "default-src 'none';base-uri 'none';manifest-src 'self';frame-ancestors 'none'";
    set(&mut reply, "content-security-policy", policy);
    let features = "autoplay 'none';camera 'none';fullscreen 'none';geolocation 'none';\
        microphone 'none';payment 'none'";
    set(&mut reply, "feature-policy", features);
    set(&mut reply, "x-robots-tag", "noindex, nofollow");
    reply
}

/// JSON as OCS writes it in XML: lists as `element`, true as 1, false and null as nothing.
fn push_xml(out: &mut String, tag: &str, value: &Value) {
    // Keys come from our own code; those that are no XML names are `element`s.
    let named = tag.starts_with(|c: char| c.is_ascii_alphabetic())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let tag = if named { tag } else { "element" };
    let inner = match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => escape(text),
        Value::Array(items) => {
            let mut inner = String::new();
            items.iter().for_each(|item| push_xml(&mut inner, "element", item));
            inner
        }
        Value::Object(fields) => {
            let mut inner = String::new();
            fields.iter().for_each(|(key, item)| push_xml(&mut inner, key, item));
            inner
        }
    };
    let whole =
        if inner.is_empty() { format!("<{tag}/>") } else { format!("<{tag}>{inner}</{tag}>") };
    out.push_str(&whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_xml_as_recorded() {
        let mut out = String::new();
        push_xml(&mut out, "data", &json!({ "a": [1, "<"], "b": true, "c": false, "1": "x" }));
        assert_eq!(
            out,
            "<data><element>x</element><a><element>1</element><element>&lt;</element></a><b>1</b><c/></data>"
        );
    }
}
