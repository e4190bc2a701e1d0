//! What browsers ask Passeur for: files, progress, and to count. Below `/_passeur/tours/`:
//!
//! - `GET a/HASH/NAME`: a file that never changes.
//! - `GET`, `PUT progress`: the document of the person whose page shows its token.
//! - `GET on?tour=ID`: whether tours, and this one, may still be begun: 204, else 404.
//! - `POST events`: counters and missing targets.
//! - `edit/…` and `draft…`: the editor ([`super::editing`]).
//!
//! 410 means that tours were switched off, and that the page shall show none of them any more.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::events::Message;
use super::progress::token::Person;
use super::progress::{MOST, Progress};
use super::view::View;
use super::{Tours, assets, tenant};
use crate::body::Body;
use crate::gateway::{Exchange, Refusal};
use crate::intercept::Answer;
use crate::intercept::endpoints::Endpoint;

/// Where it is mounted.
pub const PREFIX: &str = "/_passeur/tours/";

/// Links to the editor, below it.
const EDIT: &str = "edit/";

/// Largest message of events.
const MOST_EVENTS: usize = 8 << 10;

/// The endpoint of tours.
pub struct Tour(pub Arc<Tours>);

impl Endpoint for Tour {
    fn answer(&self, exchange: Box<Exchange>) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let tours = Arc::clone(&self.0);
        Box::pin(async move { tours.answer(*exchange).await })
    }
}

impl Tours {
    async fn answer(&self, exchange: Exchange) -> Answer {
        let method = exchange.request.method().clone();
        let path = exchange.request.uri().path();
        if let Some(rest) = path.strip_prefix(assets::PREFIX) {
            let hash = rest.split('/').next().unwrap_or_default();
            let asset = self.assets.find(hash).filter(|_| method == Method::GET);
            return match asset {
                Some(asset) => Ok(asset.answer(exchange.request.headers())),
                None => Err(refuse(StatusCode::NOT_FOUND, "There is no such file.")),
            };
        }
        let name = path.strip_prefix(PREFIX).unwrap_or_default().to_owned();
        let Some(view) = self.view(&exchange.site.config).filter(|view| view.is_on()) else {
            return Err(refuse(StatusCode::GONE, "There are no tours here any more."));
        };
        // A link is followed from wherever it came; it only asks.
        let is_link = name.starts_with(EDIT) && method == Method::GET;
        if !is_link && !is_same_origin(exchange.request.headers(), &exchange.authority) {
            return Err(refuse(StatusCode::FORBIDDEN, "Only pages of this site may ask this."));
        }
        let tenant = tenant(&exchange.site.config, &exchange.authority);
        match (name.as_str(), method) {
            ("progress", Method::GET) => {
                self.progress(&tenant, exchange.request.headers().clone()).await
            }
            ("progress", Method::PUT) => self.put_progress(&tenant, exchange).await,
            (name, _) if name.starts_with(EDIT) => {
                let link = name.trim_start_matches(EDIT).to_owned();
                self.edit(&tenant, &link, exchange).await
            }
            (name, _) if name == "draft" || name.starts_with("draft/") => {
                let file = name.strip_prefix("draft/").map(str::to_owned);
                self.draft(&tenant, &view, file.as_deref(), exchange).await
            }
            ("on", Method::GET) => is_on(&view, exchange.request.uri().query()),
            ("events", Method::POST) => self.post_events(&tenant, &view, exchange).await,
            ("progress" | "events" | "on", _) => {
                Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here."))
            }
            _ => Err(refuse(StatusCode::NOT_FOUND, "There is nothing at this address.")),
        }
    }

    async fn progress(&self, tenant: &str, headers: HeaderMap) -> Answer {
        let person = self.person(tenant, &headers)?;
        let found = self.keeping().store.load(tenant, &person).await.map_err(unavailable)?;
        let json = found.unwrap_or_else(|| Progress::default().write());
        Ok(document(json))
    }

    async fn put_progress(&self, tenant: &str, exchange: Exchange) -> Answer {
        let person = self.person(tenant, exchange.request.headers())?;
        let bytes = read(exchange.request.into_body(), MOST).await?;
        let Some(theirs) = Progress::read(&bytes) else {
            return Err(refuse(StatusCode::BAD_REQUEST, "This is no document of progress."));
        };
        let ours = self.keeping().store.load(tenant, &person).await.map_err(unavailable)?;
        let ours = ours.and_then(|json| Progress::read(json.as_bytes())).unwrap_or_default();
        let json = ours.merge(theirs).write();
        self.keeping().store.save(tenant, &person, json.clone()).await.map_err(unavailable)?;
        Ok(document(json))
    }

    async fn post_events(&self, tenant: &str, view: &View, exchange: Exchange) -> Answer {
        let headers = exchange.request.headers();
        let asks_not_to = ["sec-gpc", "dnt"]
            .iter()
            .any(|name| headers.get(*name).is_some_and(|value| value.as_bytes() == b"1"));
        let bytes = read(exchange.request.into_body(), MOST_EVENTS).await?;
        let message = serde_json::from_slice::<Message>(&bytes).ok();
        let Some(message) = message.filter(|message| message.version == 1) else {
            return Err(refuse(StatusCode::BAD_REQUEST, "This is no message of events."));
        };
        let person = self.keeping().key.check(tenant, &message.token).ok_or_else(unauthorized)?;
        if let Some(catalogue) = view.catalogue.as_ref().filter(|_| !asks_not_to) {
            let counters = view.settings.counters;
            if !self.ledger.count(tenant, &person, message, catalogue, counters) {
                let message = "These are too many messages.";
                return Err(refuse(StatusCode::TOO_MANY_REQUESTS, message));
            }
        }
        Ok(nothing())
    }

    /// Who shows a token in the header, which no page of another origin can set.
    fn person(&self, tenant: &str, headers: &HeaderMap) -> Result<Person, Refusal> {
        let token = headers.get("x-passeur-token").and_then(|value| value.to_str().ok());
        token.and_then(|token| self.keeping().key.check(tenant, token)).ok_or_else(unauthorized)
    }
}

/// Whether a page of this site asks, as far as the browser tells.
fn is_same_origin(headers: &HeaderMap, authority: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site.as_bytes() == b"same-origin";
    }
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    origin.is_none_or(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    })
}

pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal {
            close: true,
            ..refuse(StatusCode::PAYLOAD_TOO_LARGE, "This is too large.")
        }),
        Err(error) => Err(Refusal {
            close: true,
            source: Some(error),
            ..refuse(StatusCode::BAD_REQUEST, "The message was broken off.")
        }),
    }
}

/// For pages that were loaded before the host switched something off.
fn is_on(view: &View, query: Option<&str>) -> Answer {
    let tour = query.and_then(|query| query.strip_prefix("tour=")).unwrap_or_default();
    if tour.is_empty() || view.shows(tour) {
        return Ok(nothing());
    }
    Err(refuse(StatusCode::NOT_FOUND, "There is no such tour here any more."))
}

pub(super) fn nothing() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn document(json: String) -> Response<Body> {
    let mut response = Response::new(Body::from(json));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn refuse(status: StatusCode, message: &'static str) -> Refusal {
    Refusal::client(status, "tours", message)
}

fn unauthorized() -> Refusal {
    refuse(StatusCode::UNAUTHORIZED, "The page is too old: load it again.")
}

pub(super) fn unavailable(error: super::progress::store::StoreError) -> Refusal {
    Refusal {
        side: crate::body::Side::Proxy,
        source: Some(Box::new(error)),
        ..refuse(StatusCode::SERVICE_UNAVAILABLE, "Progress cannot be kept at the moment.")
    }
}
