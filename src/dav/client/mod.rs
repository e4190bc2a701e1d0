//! A WebDAV, CalDAV and CardDAV client for jobs: every request says what came of it, in a type.
//!
//! Invariants:
//! - whatever changes something carries `Schedule-Reply: F` and `X-NC-Scheduling: false`, set in
//!   one place that no caller can pass by: no event that is written, moved or deleted through here
//!   ever makes a server mail its guests (Nextcloud 29 ignores the second, so both);
//! - memory is bounded whatever the server sends: an answer is read entry by entry;
//! - redirects are not followed, and nothing is sent twice, unless it is a short question and the
//!   server cannot have seen it, or it only asked.
//!
//! What a server gets wrong, or wants to be, becomes an [`Error`] that says whether to try again.
//! How requests travel, and as whom, is up to the [`Transport`].

mod answer;
mod archive;
mod bulk;
mod chunked;
mod error;
mod path;
mod property;
mod request;
#[cfg(test)]
mod tests;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;

use crate::body::Body;

pub use answer::{Element, Entries, Entry, MAX_ENTRY_BYTES};
pub use archive::Archived;
pub use bulk::{Part, PartOutcome};
pub use chunked::{Chunk, Chunked};
pub use error::{Cause, Error, Refusal, Retry};
pub use path::{Path, PathError};
pub use property::{Change, Property};
pub use request::propfind_body;
pub use transfer::{Conditions, Download, Put, Stored, Upload};

/// How requests get to a server, and whose they are.
pub trait Transport: Send + Sync {
    /// Sends a request whose target is a path, and gives back the head of the answer.
    ///
    /// # Errors
    /// [`Error::Refused`] for 401, [`Error::Unanswered`] without an answer; every other status is
    /// an answer.
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, Error>>;
}

/// How far down a question goes (RFC 4918, 10.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Depth {
    /// The thing itself.
    Zero,
    /// What is in it, too.
    One,
    /// Everything below it, too.
    Infinity,
}

/// What happens to what is at a destination already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overwrite {
    /// The request fails with 412.
    No,
    /// It is replaced.
    Yes,
}

/// What becomes of deleted things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trash {
    /// The account's trash bin gets them, if the server has one.
    Keep,
    /// They are gone.
    Skip,
}

/// A client for one DAV server, as one account.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    /// The address of the server: a path, without a slash at its end.
    base: Arc<str>,
}

/// The largest answer that is read whole: errors, and what was stored.
const SHORT: usize = 1 << 20;
/// How often a question is asked again when the server was not reached.
const TRIES: u32 = 3;
/// The pause before the second try; doubled before each other.
const PAUSE: Duration = Duration::from_millis(250);

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
static DEPTH: HeaderName = HeaderName::from_static("depth");
static DESTINATION: HeaderName = HeaderName::from_static("destination");
static OVERWRITE: HeaderName = HeaderName::from_static("overwrite");
static SCHEDULE_REPLY: HeaderName = HeaderName::from_static("schedule-reply");
static SCHEDULING: HeaderName = HeaderName::from_static("x-nc-scheduling");

impl Client {
    /// For the server at the path `base`, not escaped: `/remote.php/dav`.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, base: &str) -> Self {
        Self { transport, base: base.trim_end_matches('/').into() }
    }

    /// Asks for properties; for all there are without being asked for, where `properties` is empty.
    ///
    /// # Errors
    /// As [`Error`] says; a status other than 207 is one.
    pub async fn propfind(
        &self,
        path: &Path,
        depth: Depth,
        properties: &[Property],
    ) -> Result<Entries, Error> {
        self.question("PROPFIND", path, depth, propfind_body(properties)).await
    }

    /// The properties of one thing; `None` if there is nothing.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn find(&self, path: &Path, properties: &[Property]) -> Result<Option<Entry>, Error> {
        match self.propfind(path, Depth::Zero, properties).await {
            Ok(mut entries) => entries.next().await,
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks a question of another kind: `body` is the XML of a REPORT.
    ///
    /// # Errors
    /// As [`Client::propfind`].
    pub async fn report(&self, path: &Path, depth: Depth, body: String) -> Result<Entries, Error> {
        self.question("REPORT", path, depth, body).await
    }

    /// Makes a folder; 405 if there is something already.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn mkcol(&self, path: &Path) -> Result<(), Error> {
        self.change(self.request("MKCOL", path), Body::Empty).await
    }

    /// Makes a calendar (RFC 4791, 5.3.1) with these properties.
    ///
    /// # Errors
    /// As [`Error`] says; 405 if there is something already.
    pub async fn mkcalendar(&self, path: &Path, properties: &[Change]) -> Result<(), Error> {
        let body = request::mkcalendar_body(properties);
        self.change(self.request("MKCALENDAR", path).header(header::CONTENT_TYPE, XML), body.into())
            .await
    }

    /// Makes an address book (RFC 6352, 6.3.1) with these properties.
    ///
    /// # Errors
    /// As [`Error`] says; 405 if there is something already.
    pub async fn mkaddressbook(&self, path: &Path, properties: &[Change]) -> Result<(), Error> {
        let body = request::mkaddressbook_body(properties);
        self.change(self.request("MKCOL", path).header(header::CONTENT_TYPE, XML), body.into())
            .await
    }

    /// Moves, whatever it is. True if it replaced something.
    ///
    /// # Errors
    /// As [`Error`] says; 404 if there is nothing to move, 412 if there is something at `to`.
    pub async fn move_to(&self, from: &Path, to: &Path, over: Overwrite) -> Result<bool, Error> {
        self.relocate("MOVE", from, to, over).await
    }

    /// Copies with all that is below. True if it replaced something.
    ///
    /// # Errors
    /// As [`Client::move_to`].
    pub async fn copy_to(&self, from: &Path, to: &Path, over: Overwrite) -> Result<bool, Error> {
        self.relocate("COPY", from, to, over).await
    }

    /// Deletes with all that is below.
    ///
    /// # Errors
    /// As [`Error`] says; 404 if there is nothing.
    pub async fn delete(&self, path: &Path, trash: Trash) -> Result<(), Error> {
        let mut request = self.request("DELETE", path);
        if trash == Trash::Skip {
            // Files and calendars look for names of their own.
            request = request.header("x-nc-skip-trashbin", "true");
            request = request.header("x-nc-caldav-no-trashbin", "1");
        }
        self.change(request, Body::Empty).await
    }

    /// Sets and removes properties; says of each what came of it.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn proppatch(
        &self,
        path: &Path,
        changes: &[Change],
    ) -> Result<Vec<(Property, StatusCode)>, Error> {
        let request = self.request("PROPPATCH", path).header(header::CONTENT_TYPE, XML);
        let answer = self.send(request, request::proppatch_body(changes).into()).await?;
        let mut entries = self.entries(answer).await?;
        let mut outcomes = Vec::new();
        while let Some(entry) = entries.next().await? {
            outcomes.extend(entry.outcomes());
        }
        Ok(outcomes)
    }

    /// Sends something of its own kind to a resource, such as the XML that shares a calendar.
    ///
    /// # Errors
    /// As [`Error`] says; any status that is no success is one.
    pub async fn post(&self, path: &Path, kind: &str, body: Bytes) -> Result<Bytes, Error> {
        let request = self.request("POST", path).header(header::CONTENT_TYPE, kind);
        let answer = self.send(request, body.into()).await?;
        short(succeeded(answer).await?.into_body()).await
    }

    async fn relocate(
        &self,
        method: &str,
        from: &Path,
        to: &Path,
        over: Overwrite,
    ) -> Result<bool, Error> {
        let mut request = self
            .request(method, from)
            .header(&DESTINATION, self.address(to))
            .header(&OVERWRITE, if over == Overwrite::Yes { "T" } else { "F" });
        if method == "MOVE" {
            // An event that cannot be moved is copied and deleted: not into the trash bin, where its
            // UID would keep it from ever coming back.
            request = request.header("x-nc-caldav-no-trashbin", "1");
        }
        let answer = succeeded(self.send(request, Body::Empty).await?).await?;
        let replaced = answer.status() == StatusCode::NO_CONTENT;
        finish(answer).await?;
        Ok(replaced)
    }

    async fn change(&self, request: http::request::Builder, body: Body) -> Result<(), Error> {
        finish(succeeded(self.send(request, body).await?).await?).await
    }

    async fn question(
        &self,
        method: &str,
        path: &Path,
        depth: Depth,
        body: String,
    ) -> Result<Entries, Error> {
        let body = Bytes::from(body);
        let ask = || {
            let request = self
                .request(method, path)
                .header(&DEPTH, depth.as_str())
                .header(header::CONTENT_TYPE, XML);
            self.send(request, Body::from(body.clone()))
        };
        self.entries(persist(ask).await?).await
    }

    async fn entries(&self, answer: Response<Body>) -> Result<Entries, Error> {
        let answer = succeeded(answer).await?;
        if answer.status() != StatusCode::MULTI_STATUS {
            return Err(Error::Malformed(format!("{} where 207 was due", answer.status())));
        }
        Entries::read(answer, Arc::clone(&self.base))
    }

    /// The beginning of a request; here, and only here, requests are made.
    fn request(&self, method: &str, path: &Path) -> http::request::Builder {
        let request = Request::builder().method(method).uri(self.address(path));
        if matches!(method, "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT" | "SEARCH") {
            return request;
        }
        request.header(&SCHEDULE_REPLY, "F").header(&SCHEDULING, "false")
    }

    async fn send(
        &self,
        request: http::request::Builder,
        body: Body,
    ) -> Result<Response<Body>, Error> {
        let request = request.body(body).map_err(|error| Error::Source(error.into()))?;
        self.transport.send(request).await
    }

    fn address(&self, path: &Path) -> String {
        format!("{}{}", request::escape_base(&self.base), path.escaped())
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Depth {
    fn as_str(self) -> &'static str {
        match self {
            Depth::Zero => "0",
            Depth::One => "1",
            Depth::Infinity => "infinity",
        }
    }
}

/// Asks again while the server cannot be reached. Only for what changes nothing.
async fn persist<F>(ask: impl Fn() -> F) -> Result<Response<Body>, Error>
where
    F: Future<Output = Result<Response<Body>, Error>>,
{
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match ask().await {
            Err(Error::Unanswered { .. }) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    ask().await
}

/// The answer, if it is a success; its body is still to be read.
async fn succeeded(answer: Response<Body>) -> Result<Response<Body>, Error> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    let mut refusal = Refusal::of(head.status, &head.headers);
    // What it says is a help, and no more: the status counts even if the rest is lost.
    if let Ok(body) = short(body).await {
        answer::explain(&mut refusal, &body);
    }
    Err(Error::Status(Box::new(refusal)))
}

/// Reads the rest, so that the connection can be used again.
async fn finish(answer: Response<Body>) -> Result<(), Error> {
    short(answer.into_body()).await.map(drop)
}

async fn short(body: Body) -> Result<Bytes, Error> {
    whole(body, SHORT).await
}

/// A body of at most `limit` bytes.
pub(crate) async fn whole(body: Body, limit: usize) -> Result<Bytes, Error> {
    match http_body_util::Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Error::TooLarge("body"))
        }
        Err(source) => Err(Error::Unanswered { sent: true, source }),
    }
}
