//! Keeps writers away from what is being handed over, so that nothing written meanwhile is lost.
//!
//! A write that meets a hold of the site's [live state](crate::site::live) is answered here: 423 for
//! files, where clients leave the one file alone and come back to it; 503 with `Retry-After` for
//! calendars, address books and bulk uploads, whose clients take 423 for a broken collection. Reads
//! pass, and so does everything while nothing is held. Where a request does not say which account
//! or link it writes to, it may be the one that is held, and waits.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, StatusCode};

use super::{Answer, Inner, Rule};
use crate::dav::destination::destination;
use crate::dav::resource::{Resource, of_path};
use crate::gateway::{Exchange, Refusal};
use crate::site::live;

/// Clients are told to come back after this long at most: a hold may end earlier than planned.
const AGAIN: Duration = Duration::from_secs(30);

/// Answers writes into what is held.
#[derive(Clone)]
pub struct Guard;

impl Rule for Guard {
    fn wants(&self, exchange: &Exchange) -> bool {
        exchange.site.live.is_holding() && Effect::of(exchange.request.method().as_str()).is_some()
    }

    async fn carry<S: Inner>(self, exchange: Box<Exchange>, mut inner: S) -> Answer {
        match held(&exchange) {
            Some(answer) => Err(refusal(answer)),
            None => inner.call(exchange).await,
        }
    }
}

/// What a method does to the resources it names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Effect {
    /// Changes the resource of the request.
    Changes,
    /// Takes it away with all below it.
    Removes,
    /// Takes it away, and replaces the destination.
    Moves,
    /// Replaces the destination alone.
    Copies,
}

impl Effect {
    fn of(method: &str) -> Option<Self> {
        match method {
            "PUT" | "PATCH" | "POST" | "MKCOL" | "MKCALENDAR" | "PROPPATCH" | "LOCK" | "ACL" => {
                Some(Effect::Changes)
            }
            "DELETE" => Some(Effect::Removes),
            "MOVE" => Some(Effect::Moves),
            "COPY" => Some(Effect::Copies),
            _ => None,
        }
    }
}

fn held(exchange: &Exchange) -> Option<live::Answer> {
    let effect = Effect::of(exchange.request.method().as_str())?;
    let headers = exchange.request.headers();
    let login = login(headers);
    let meets = |resource: Option<Resource>, whole| {
        let write = live::Write { resource: &resource?, whole, login: login.as_deref() };
        exchange.site.live.held(&write)
    };
    let asked = || of_path(exchange.request.uri().path().as_bytes());
    let named = || of_path(destination(headers.get("destination")?).ok()?.path);
    match effect {
        Effect::Changes => meets(asked(), false),
        Effect::Removes => meets(asked(), true),
        Effect::Copies => meets(named(), true),
        Effect::Moves => meets(asked(), true).or_else(|| meets(named(), true)),
    }
}

/// The account that a request says it is of, not checked: the user of Basic credentials, or the
/// cookie in which Nextcloud keeps the name for "remember me".
fn login(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, pair) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(BASE64_STANDARD.decode(pair.trim()).ok()?).ok()?;
        return pair.split_once(':').map(|(name, _)| name.to_owned());
    }
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split(';'));
    let name = cookies.find_map(|cookie| cookie.trim().strip_prefix("nc_username="))?;
    let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?;
    Some(name.into_owned()).filter(|name| !name.is_empty())
}

fn refusal(answer: live::Answer) -> Refusal {
    match answer {
        live::Answer::Locked => {
            let message = "This is being handed over to somebody else. Please try again later.";
            Refusal::client(StatusCode::LOCKED, "held", message)
        }
        live::Answer::Busy { after } => {
            let message = "This is being handed over to somebody else. Please try again soon.";
            Refusal {
                retry_after: Some(after.min(AGAIN)),
                ..Refusal::client(StatusCode::SERVICE_UNAVAILABLE, "held", message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_login_is_read_from_credentials_or_cookie() {
        let with = |name, value| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        for (headers, name) in [
            (with(AUTHORIZATION, "Basic YWxpY2U6cGFzczp3b3Jk"), Some("alice")),
            (with(AUTHORIZATION, "basic  YWxpY2U6"), Some("alice")),
            (with(AUTHORIZATION, "Basic %%%"), None),
            (with(AUTHORIZATION, "Bearer YWxpY2U6"), None),
            (with(COOKIE, "a=b; nc_username=al%20ice; c=d"), Some("al ice")),
            (with(COOKIE, "nc_username="), None),
            (HeaderMap::new(), None),
        ] {
            assert_eq!(login(&headers).as_deref(), name, "{headers:?}");
        }
    }
}
