//! A space's door: the API of one site under that site's own origin, below `/_passeur/`.
//!
//! Any script in a page of that origin could ask here with the session of an admin, so a session is
//! never enough: it has to show Nextcloud's own request token, the browser has to say that the request
//! comes from this very origin, and what moves data asks for the password again. The request token
//! and the cookie are judged by the instance, without the field that would switch its own defence off.
//!
//! Requests come in on workers, each with a runtime of its own; they are answered on the runtime of
//! the assembly, where the store and the connections to instances live.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Limited, StreamBody};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::caller::{Caller, Person};
use super::given::MAX_BODY;
use super::problem::Problem;
use super::{api, host, page};
use crate::body::{self, Body};
use crate::gateway::{Exchange, Refusal, RequestId};
use crate::intercept::Answer;
use crate::intercept::endpoints::{Endpoint, PREFIX};
use crate::nextcloud::identity;

/// Pieces of an answer that wait for the client at a time.
const AHEAD: usize = 8;

/// The endpoint.
pub struct Door {
    page: page::Page,
    api: Arc<api::Api>,
    router: Router,
    runtime: Handle,
}

impl Door {
    /// A door that answers on `runtime`.
    #[must_use]
    pub fn new(api: Arc<api::Api>, runtime: Handle) -> Self {
        let routes = Router::new().nest(api::PREFIX, api::space(Arc::clone(&api)));
        Self {
            page: page::Page::at(PREFIX),
            router: routes.layer(from_fn(host::name_request)),
            api,
            runtime,
        }
    }
}

impl Endpoint for Door {
    fn answer(&self, exchange: Box<Exchange>) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let path = exchange.request.uri().path();
        let below = path.strip_prefix(PREFIX).unwrap_or_default().to_owned();
        if !below.starts_with("api/") {
            let request = &exchange.request;
            let answer = self.page.answer(request.method(), &below, request.headers());
            return Box::pin(async move { Ok(streamed(answer)) });
        }
        let (api, router) = (Arc::clone(&self.api), self.router.clone());
        let runtime = self.runtime.clone();
        Box::pin(async move {
            let asked = Asked::read(*exchange, &below).await?;
            let (answers, mut answer) = mpsc::channel(1);
            runtime.spawn(async move {
                let response = asked.answer(&api, router).await;
                let _ = answers.send(streamed(response)).await;
            });
            let ended = || {
                let message = "Passeur is stopping.";
                Refusal::client(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
            };
            answer.recv().await.ok_or_else(ended)
        })
    }
}

/// A request, read whole.
struct Asked {
    site: String,
    authority: Box<str>,
    secure: bool,
    id: RequestId,
    client: Option<std::net::IpAddr>,
    parts: Parts,
    body: Bytes,
}

impl Asked {
    async fn read(exchange: Exchange, below: &str) -> Result<Self, Refusal> {
        let Exchange { request, site, secure, authority, id, client, .. } = exchange;
        let (mut parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| {
            let message = "The body broke off, or is larger than 4 MiB.";
            Refusal::client(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
        })?;
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        parts.uri = format!("/{below}{query}").parse::<Uri>().map_err(|_| {
            let message = "The address cannot be read.";
            Refusal::client(StatusCode::BAD_REQUEST, "bad_target", message)
        })?;
        parts.headers.remove(HOST);
        let (site, body) = (site.config.name.clone(), body.to_bytes());
        Ok(Self { site, authority, secure, id, client, parts, body })
    }

    async fn answer(self, api: &api::Api, router: Router) -> Response {
        let mut parts = self.parts.clone();
        parts.extensions.insert(self.id);
        match self.caller(api).await {
            Ok(caller) => drop(parts.extensions.insert(caller)),
            Err(problem) => {
                return Problem { request_id: self.id.to_string(), ..problem }.into_response();
            }
        }
        let request = Request::from_parts(parts, axum::body::Body::from(self.body));
        match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Who asks, if the instance says that they look after others.
    async fn caller(&self, api: &api::Api) -> Result<Caller, Problem> {
        let headers = &self.parts.headers;
        let Some(shown) = identity::Caller::of(headers, self.client) else {
            let detail = "Log in to the cloud first. A page has to send its request token, too \
                          (the field `requesttoken`).";
            return Err(Problem::unauthorized(detail));
        };
        let from_here = from_here(headers, self.secure, &self.authority);
        check_origin(from_here, &self.parts.method, shown.is_session())?;
        let unknown = || Problem::unknown_site(&self.site);
        let cloud = api.clouds.site(&self.site).ok_or_else(unknown)?;
        let identity = cloud.instance.identify(&shown).await?;
        let Some(identity) = identity else {
            let detail = "The cloud does not know you by what was sent: log in again.";
            return Err(Problem::unauthorized(detail));
        };
        let person = Person { identity, shown };
        Caller::of_account(&self.site, person, self.client).ok_or_else(|| {
            let detail =
                "Only admins of this cloud, and those who look after a group, may do this.";
            Problem::forbidden("not_admin", detail)
        })
    }
}

/// What a browser says about where a request comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum From {
    /// From a page of this origin.
    Here,
    /// From somewhere else.
    Elsewhere,
    /// It says nothing: no browser of this decade, or no browser at all.
    Unsaid,
}

/// Judges by `Sec-Fetch-Site` and `Origin`, which no page can set; both have to agree where there
/// are both.
fn from_here(headers: &HeaderMap, secure: bool, authority: &str) -> From {
    let scheme = if secure { "https" } else { "http" };
    let own = format!("{scheme}://{authority}");
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes() == b"same-origin");
    let origin = headers
        .get(ORIGIN)
        .map(|value| value.as_bytes().eq_ignore_ascii_case(without_port(&own).as_bytes()));
    match (site, origin) {
        (None, None) => From::Unsaid,
        (Some(false), _) | (_, Some(false)) => From::Elsewhere,
        _ => From::Here,
    }
}

/// An origin as browsers write it: without the port that its scheme has anyway.
fn without_port(origin: &str) -> &str {
    let default = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(default).unwrap_or(origin)
}

fn check_origin(from: From, method: &Method, is_session: bool) -> Result<(), Problem> {
    let only_looks = method == Method::GET || method == Method::HEAD;
    match from {
        From::Here => Ok(()),
        // A program with a password of its own.
        From::Unsaid if !is_session || only_looks => Ok(()),
        From::Unsaid | From::Elsewhere => {
            let detail = "This request does not come from a page of this cloud.";
            Err(Problem::forbidden("cross_site", detail))
        }
    }
}

/// An answer whose body is read here and sent on piece by piece, so that whoever takes it needs
/// nothing of this runtime. It ends when nobody takes it any more.
fn streamed(response: Response) -> http::Response<Body> {
    let (parts, body) = response.into_parts();
    let Ok(runtime) = Handle::try_current() else {
        return http::Response::from_parts(parts, Body::Empty);
    };
    let (pieces, mut taken) = mpsc::channel::<Result<Bytes, body::Error>>(AHEAD);
    runtime.spawn(async move {
        let mut body = body.into_data_stream();
        loop {
            let piece = tokio::select! {
                piece = body.next() => piece,
                () = pieces.closed() => return,
            };
            let Some(piece) = piece else { return };
            let piece = piece.map_err(|error| body::Error::Made(error.into()));
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    });
    let pieces = futures_util::stream::poll_fn(move |cx| taken.poll_recv(cx));
    let frames = pieces.map(|piece| piece.map(http_body::Frame::data));
    http::Response::from_parts(parts, Body::made(StreamBody::new(frames)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn from(fields: &[(&'static str, &'static str)]) -> From {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)));
        from_here(&fields.collect(), true, "cloud.example:443")
    }

    #[test]
    fn a_browser_says_where_a_request_comes_from() {
        for (fields, expected) in [
            (&[][..], From::Unsaid),
            (&[("sec-fetch-site", "same-origin")], From::Here),
            (&[("sec-fetch-site", "same-site")], From::Elsewhere),
            (&[("sec-fetch-site", "cross-site")], From::Elsewhere),
            (&[("sec-fetch-site", "none")], From::Elsewhere),
            (&[("origin", "https://cloud.example")], From::Here),
            (&[("origin", "http://cloud.example")], From::Elsewhere),
            (&[("origin", "https://cloud.example.evil")], From::Elsewhere),
            (&[("origin", "null")], From::Elsewhere),
            (
                &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
                From::Elsewhere,
            ),
        ] {
            assert_eq!(from(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_session_that_changes_something_has_to_come_from_here() {
        let post = Method::POST;
        assert!(check_origin(From::Here, &post, true).is_ok());
        assert!(check_origin(From::Unsaid, &post, true).is_err());
        assert!(check_origin(From::Unsaid, &post, false).is_ok(), "a program");
        assert!(
            check_origin(From::Elsewhere, &post, false).is_err(),
            "a browser's stored password"
        );
        assert!(check_origin(From::Elsewhere, &Method::GET, true).is_err());
    }
}
