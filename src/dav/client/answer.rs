//! Reads a multistatus (RFC 4918, 13) as it comes: one `response` at a time, whatever the length
//! of the whole.
//!
//! All of it is hostile. A DTD, an entity of its own, a response larger than
//! [`MAX_ENTRY_BYTES`], elements nested too deeply, an address elsewhere, an end before the end:
//! each is an error, and what came before it was complete.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::TryStreamExt as _;
use http::header::CONTENT_ENCODING;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio_util::io::StreamReader;

use super::{Error, Path, Property, Refusal};
use crate::body::Body;

/// The largest response within an answer: room for a calendar object with attachments.
pub const MAX_ENTRY_BYTES: usize = 16 << 20;
/// Elements within each other.
const MAX_DEPTH: usize = 64;
/// Namespaces in force at once.
const MAX_NAMESPACES: usize = 128;
/// Responses in one answer; no account has as many files.
const MAX_ENTRIES: u64 = 20_000_000;
/// What is shown of a server's message.
const MAX_MESSAGE: usize = 500;

/// The entries of a multistatus that is still on its way.
pub struct Entries {
    xml: Xml<BodyReader>,
    base: Arc<str>,
    state: State,
    read: u64,
    sync_token: Option<String>,
}

/// What a server says of one thing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it is.
    pub path: Path,
    /// The status of all of it: 404 for what is gone (RFC 6578, 3.5), 507 for a cut-off answer.
    pub status: Option<StatusCode>,
    properties: Vec<(StatusCode, Element)>,
}

/// A property with its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Element {
    /// Its name.
    pub name: Property,
    /// Attributes without a namespace.
    pub attributes: Vec<(String, String)>,
    /// The text directly in it.
    pub text: String,
    /// The elements directly in it.
    pub children: Vec<Element>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Fresh,
    Inside,
    Ended,
}

type BodyReader = StreamReader<
    Pin<Box<dyn futures_util::Stream<Item = Result<bytes::Bytes, io::Error>> + Send>>,
    bytes::Bytes,
>;

// === impl Entries ===

impl Entries {
    pub(super) fn read(answer: Response<Body>, base: Arc<str>) -> Result<Self, Error> {
        if answer.headers().contains_key(CONTENT_ENCODING) {
            return Err(Error::Malformed("an encoding that was not asked for".to_owned()));
        }
        let pieces = answer.into_body().into_data_stream().map_err(io::Error::other);
        let reader: BodyReader = StreamReader::new(Box::pin(pieces));
        Ok(Self { xml: Xml::new(reader), base, state: State::Fresh, read: 0, sync_token: None })
    }

    /// The next one; `None` after the last, when the whole answer was well-formed.
    ///
    /// # Errors
    /// As the module says. There is nothing to read after an error.
    pub async fn next(&mut self) -> Result<Option<Entry>, Error> {
        if self.state == State::Ended {
            return Ok(None);
        }
        let outcome = self.read_next().await;
        if !matches!(outcome, Ok(Some(_))) {
            self.state = State::Ended;
        }
        outcome
    }

    /// All of them, if they are no more than `limit`.
    ///
    /// # Errors
    /// As [`Entries::next`]; [`Error::TooLarge`] if there are more.
    pub async fn all(mut self, limit: usize) -> Result<Vec<Entry>, Error> {
        let mut all = Vec::new();
        while let Some(entry) = self.next().await? {
            if all.len() == limit {
                return Err(Error::TooLarge("number of entries"));
            }
            all.push(entry);
        }
        Ok(all)
    }

    /// The sync token of the answer to a `sync-collection`, once all entries were read.
    #[must_use]
    pub fn sync_token(&self) -> Option<&str> {
        self.sync_token.as_deref()
    }

    async fn read_next(&mut self) -> Result<Option<Entry>, Error> {
        if self.state == State::Fresh {
            self.root().await?;
        }
        loop {
            self.xml.refill();
            match self.xml.token().await? {
                Token::Open(name, attributes) => {
                    let is_response = name.is("DAV:", "response");
                    let is_token = name.is("DAV:", "sync-token");
                    let element = self.xml.element(name, attributes).await?;
                    if is_token {
                        self.sync_token = Some(element.text);
                    } else if is_response {
                        self.read += 1;
                        if self.read > MAX_ENTRIES {
                            return Err(Error::TooLarge("number of entries"));
                        }
                        return Entry::of(element, &self.base).map(Some);
                    }
                }
                Token::Text(_) => {}
                Token::Close => {
                    self.xml.end().await?;
                    return Ok(None);
                }
                Token::End => return Err(malformed("it ends too soon")),
            }
        }
    }

    async fn root(&mut self) -> Result<(), Error> {
        self.state = State::Inside;
        loop {
            match self.xml.token().await? {
                // A byte order mark that came in two pieces is left over.
                Token::Text(text) if text.trim_matches('\u{feff}').trim().is_empty() => {}
                Token::Open(name, _) if name.is("DAV:", "multistatus") => return Ok(()),
                Token::Open(name, _) => {
                    return Err(malformed(format!("`{name}` where a multistatus was due")));
                }
                _ => return Err(malformed("no multistatus")),
            }
        }
    }
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("read", &self.read).finish_non_exhaustive()
    }
}

// === impl Entry ===

impl Entry {
    fn of(response: Element, base: &str) -> Result<Self, Error> {
        let href =
            response.child("DAV:", "href").ok_or_else(|| malformed("an entry without href"))?;
        let path = Path::of_href(href.text.trim(), base)?;
        let status = response.child("DAV:", "status").map(code_of).transpose()?;
        let mut properties = Vec::new();
        for part in response.children {
            if part.name.is("DAV:", "propstat") {
                let code = part.child("DAV:", "status").map_or(Ok(StatusCode::OK), code_of)?;
                let props = part.children.into_iter().filter(|child| child.name.is("DAV:", "prop"));
                properties.extend(props.flat_map(|prop| prop.children).map(|child| (code, child)));
            }
        }
        Ok(Self { path, status, properties })
    }

    /// The value of a property that is there.
    #[must_use]
    pub fn get(&self, property: &Property) -> Option<&Element> {
        let mut present = self.properties.iter().filter(|(status, _)| status.is_success());
        present.find(|(_, element)| element.name == *property).map(|(_, element)| element)
    }

    /// The text of a property that is there.
    #[must_use]
    pub fn text(&self, property: &Property) -> Option<&str> {
        self.get(property).map(|element| element.text.trim())
    }

    /// The number that a property holds.
    #[must_use]
    pub fn number<N: std::str::FromStr>(&self, property: &Property) -> Option<N> {
        self.text(property)?.parse().ok()
    }

    /// All properties that are there.
    pub fn properties(&self) -> impl Iterator<Item = &Element> {
        let present = self.properties.iter().filter(|(status, _)| status.is_success());
        present.map(|(_, element)| element)
    }

    /// What came of each property.
    pub fn outcomes(&self) -> impl Iterator<Item = (Property, StatusCode)> {
        self.properties.iter().map(|(status, element)| (element.name.clone(), *status))
    }

    /// Whether it can hold other things.
    #[must_use]
    pub fn is_collection(&self) -> bool {
        self.is_a("DAV:", "collection")
    }

    /// Whether `resourcetype`, if it was asked for, names this.
    #[must_use]
    pub fn is_a(&self, namespace: &str, name: &str) -> bool {
        self.get(&Property::dav("resourcetype"))
            .is_some_and(|types| types.child(namespace, name).is_some())
    }
}

// === impl Element ===

impl Element {
    /// The first child of that name.
    #[must_use]
    pub fn child(&self, namespace: &str, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name.is(namespace, name))
    }

    /// All children of that name.
    pub fn children<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name.is(namespace, name))
    }

    /// An attribute without a namespace.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// `HTTP/1.1 200 OK`.
fn code_of(element: &Element) -> Result<StatusCode, Error> {
    let code = element.text.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    code.ok_or_else(|| malformed("a status that is none"))
}

// === XML ===

/// One thing that was read.
enum Token {
    Open(Property, Vec<(String, String)>),
    Close,
    Text(String),
    End,
}

/// Tokens of XML, of which at most [`MAX_ENTRY_BYTES`] are read before somebody calls `refill`.
struct Xml<R> {
    reader: NsReader<Capped<R>>,
    buffer: Vec<u8>,
    depth: usize,
}

impl<R: AsyncBufRead + Unpin> Xml<R> {
    fn new(inner: R) -> Self {
        let mut reader = NsReader::from_reader(Capped { inner, left: MAX_ENTRY_BYTES });
        reader.config_mut().expand_empty_elements = true;
        reader.resolver_mut().set_max_namespace_bindings(MAX_NAMESPACES);
        Self { reader, buffer: Vec::new(), depth: 0 }
    }

    /// Allows as much again.
    fn refill(&mut self) {
        self.reader.get_mut().left = MAX_ENTRY_BYTES;
        self.buffer.shrink_to(64 << 10);
    }

    async fn token(&mut self) -> Result<Token, Error> {
        loop {
            self.buffer.clear();
            let (space, event) =
                self.reader.read_resolved_event_into_async(&mut self.buffer).await.map_err(xml)?;
            return Ok(match event {
                Event::Start(tag) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(malformed("elements are nested too deeply"));
                    }
                    Token::Open(name(space, tag.local_name().as_ref())?, attributes(&tag)?)
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Token::Close
                }
                Event::Text(text) => Token::Text(text.xml10_content().into_owned()),
                Event::CData(text) => Token::Text(text.xml10_content().into_owned()),
                Event::GeneralRef(entity) => Token::Text(resolve(&entity)?),
                Event::Eof => Token::End,
                Event::DocType(_) => return Err(malformed("it has a document type")),
                // Cannot come: empty elements are expanded.
                Event::Empty(_) => return Err(malformed("an empty element")),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            });
        }
    }

    /// The rest of an element that was opened.
    async fn element(
        &mut self,
        name: Property,
        attributes: Vec<(String, String)>,
    ) -> Result<Element, Error> {
        let element = |name, attributes| Element {
            name,
            attributes,
            text: String::new(),
            children: Vec::new(),
        };
        let mut above: Vec<Element> = Vec::new();
        let mut current = element(name, attributes);
        loop {
            match self.token().await? {
                Token::Open(name, attributes) => {
                    above.push(std::mem::replace(&mut current, element(name, attributes)));
                }
                Token::Text(text) => current.text.push_str(&text),
                Token::Close => match above.pop() {
                    None => return Ok(current),
                    Some(mut parent) => {
                        parent.children.push(current);
                        current = parent;
                    }
                },
                Token::End => return Err(malformed("it ends too soon")),
            }
        }
    }

    /// After the root there may be nothing but space.
    async fn end(&mut self) -> Result<(), Error> {
        loop {
            match self.token().await? {
                Token::End => return Ok(()),
                Token::Text(text) if text.trim().is_empty() => {}
                _ => return Err(malformed("something comes after its end")),
            }
        }
    }
}

fn name(space: ResolveResult<'_>, local: &str) -> Result<Property, Error> {
    let namespace = match space {
        ResolveResult::Bound(Namespace(uri)) => known(uri),
        ResolveResult::Unbound => "".into(),
        ResolveResult::Unknown(_) => return Err(malformed("a prefix that is not declared")),
    };
    Ok(Property { namespace, name: local.to_owned().into() })
}

/// The namespaces that come a hundred thousand times are not copied each time.
fn known(uri: &str) -> std::borrow::Cow<'static, str> {
    const KNOWN: [&str; 7] = [
        "DAV:",
        "http://owncloud.org/ns",
        "http://nextcloud.org/ns",
        "http://nextcloud.com/ns",
        "urn:ietf:params:xml:ns:caldav",
        "urn:ietf:params:xml:ns:carddav",
        "http://calendarserver.org/ns/",
    ];
    match KNOWN.iter().find(|known| **known == uri) {
        Some(known) => (*known).into(),
        None => uri.to_owned().into(),
    }
}

fn attributes(tag: &BytesStart<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| malformed(error.to_string()))?;
        let key = attribute.key.0;
        if key == "xmlns" || key.contains(':') {
            continue;
        }
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|error| malformed(error.to_string()))?;
        attributes.push((key.to_owned(), value.into_owned()));
    }
    Ok(attributes)
}

/// A character, or one of the five entities that XML knows by itself.
fn resolve(entity: &quick_xml::events::BytesRef<'_>) -> Result<String, Error> {
    match entity.resolve_char_ref() {
        Ok(Some(character)) => return Ok(character.to_string()),
        Ok(None) => {}
        Err(error) => return Err(malformed(error.to_string())),
    }
    let name = entity.xml10_content();
    quick_xml::escape::resolve_predefined_entity(&name)
        .map(str::to_owned)
        .ok_or_else(|| malformed("an entity that XML does not know"))
}

fn malformed(what: impl Into<String>) -> Error {
    Error::Malformed(what.into().escape_debug().take(200).collect())
}

fn xml(error: quick_xml::Error) -> Error {
    match error {
        quick_xml::Error::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Error::TooLarge("an entry")
        }
        quick_xml::Error::Io(error) => Error::Unanswered {
            sent: true,
            source: Arc::try_unwrap(error).map_or_else(
                |shared| shared.to_string().into(),
                |error| Box::new(error) as super::Cause,
            ),
        },
        other => malformed(other.to_string()),
    }
}

/// A reader that gives `left` bytes, and then an error.
struct Capped<R> {
    inner: R,
    left: usize,
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Capped<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let available = ready!(Pin::new(&mut *this).poll_fill_buf(cx))?;
        let length = available.len().min(buf.remaining());
        buf.put_slice(&available[..length]);
        Pin::new(this).consume(length);
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Capped<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Self { inner, left } = self.get_mut();
        if *left == 0 {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let available = ready!(Pin::new(inner).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&available[..available.len().min(*left)]))
    }

    fn consume(self: Pin<&mut Self>, length: usize) {
        let Self { inner, left } = self.get_mut();
        *left = left.saturating_sub(length);
        Pin::new(inner).consume(length);
    }
}

/// Adds what the body of a refusal says: sabre's XML, or OCS's and others' JSON.
pub(super) fn explain(refusal: &mut Refusal, body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let mut reader = quick_xml::reader::Reader::from_str(text);
    let mut inside = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => inside = Some(tag.local_name().as_ref().to_owned()),
            Ok(Event::End(_)) => inside = None,
            Ok(Event::Text(text)) => {
                let text = text.xml10_content();
                let slot = match inside.as_deref() {
                    Some("exception") => &mut refusal.exception,
                    Some("message") => &mut refusal.message,
                    _ => continue,
                };
                let told: String = slot.take().unwrap_or_default() + &text;
                *slot = Some(told.chars().take(MAX_MESSAGE).collect());
            }
            Ok(Event::GeneralRef(entity)) if inside.as_deref() == Some("message") => {
                if let (Ok(text), Some(message)) = (resolve(&entity), &mut refusal.message) {
                    message.push_str(&text);
                }
            }
            Ok(Event::Eof | Event::DocType(_)) | Err(_) => break,
            Ok(_) => {}
        }
    }
    if let Some(exception) = &mut refusal.exception
        && let Some(at) = exception.rfind('\\')
    {
        exception.drain(..=at);
    }
}
