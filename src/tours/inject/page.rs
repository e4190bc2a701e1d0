//! Reads the beginning of a page: whether it is a page of a signed-in person, and where a tag goes.
//!
//! The bytes are only read, by the tokenizer of lol_html; nothing is ever re-written, so what passes
//! passes as it came. Invariant: the verdict depends on the bytes and not on how they were cut. A
//! page that is in any way unlike those of Nextcloud's layouts gets no tag.
//!
//! A head has a hundred scripts and style sheets, and taking each of them apart would cost ten times
//! as much as passing the page. So only the elements that decide are looked at (`LOOKED_AT`); the
//! versions in the addresses of the others, which decide nothing, are found as text. Nothing is
//! copied of a page whose head comes in one piece.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use lol_html::send::{Element, ElementContentHandlers, HtmlRewriter, Settings};
use lol_html::{MemorySettings, Selector};
use memchr::memmem;

use super::versions::Fingerprint;

/// What decides: the first script, and all that is not of the plain things that fill a head. So the
/// frame of the page, what could hold a policy, and everything that a parser gives no meaning in the
/// head (it would be opened in the body).
const LOOKED_AT: &str = "script:first-of-type, \
    :not(link):not(noscript):not(script):not(style):not(title)";

/// The script that tours may come instead of. Every script has to be taken apart to find it.
const WIZARD: &str = "script[src*='/firstrunwizard-activate.']";

static LOOKED_AT_SELECTOR: LazyLock<Option<Selector>> = LazyLock::new(|| LOOKED_AT.parse().ok());
static WIZARD_SELECTOR: LazyLock<Option<Selector>> = LazyLock::new(|| WIZARD.parse().ok());

/// How many bytes of a page are read at most; Nextcloud 34 needs 17 KB.
pub const LIMIT: usize = 64 << 10;

/// Style sheets whose fingerprints are kept.
const SHEETS: usize = 64;

/// What lol_html may take; more than it ever needs for [`LIMIT`] bytes, whatever the pieces, as
/// the verdict must not depend on them.
const MEMORY: usize = 1 << 20;

/// What was found out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is such a page.
    Page(Page),
    /// It is none, or an odd one.
    Other(Reason),
}

/// A page of a signed-in person.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// Where the first script of the head begins.
    pub at: usize,
    /// Where the script begins that shows the first-run wizard, if it was looked for and is there.
    pub wizard: Option<usize>,
    /// The account.
    pub user: String,
    /// Fingerprint of the versions of all that is installed.
    pub version_hash: Option<Fingerprint>,
    /// Apps with the fingerprints of their style sheets, in the order of the page.
    pub sheets: Vec<(String, Fingerprint)>,
}

/// Why a page gets no tag.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// It has one already.
    Already,
    /// A policy, or another base address, stands in the page itself.
    MetaPolicy,
    /// It ended before its body began.
    NoBody,
    /// There is no script in its head.
    NoScript,
    /// Nobody is signed in, as far as the page says.
    NoUser,
    /// Its body is that of another layout: sign-in, public, error.
    OtherLayout,
    /// It does not begin as pages of Nextcloud do.
    Odd,
    /// Its body does not begin within [`LIMIT`].
    TooLong,
    /// It cannot be read as HTML.
    Unreadable,
}

/// Reads a page piece by piece.
pub struct Reader {
    /// None once there is a verdict.
    rewriter: Option<Rewriter>,
    seen: Arc<Mutex<Seen>>,
    read: Vec<Bytes>,
    count: usize,
}

/// Its output goes nowhere.
type Rewriter = HtmlRewriter<'static, fn(&[u8])>;

/// What the elements said so far.
#[derive(Default)]
struct Seen {
    html: Option<Range<usize>>,
    head: Option<Range<usize>>,
    script: Option<usize>,
    wizard: Option<usize>,
    user: String,
    end: Option<End>,
}

/// Nothing more has to be read.
enum End {
    /// The body begins here.
    Body(usize),
    Other(Reason),
}

/// There is a verdict: no need to read on.
#[derive(Debug, thiserror::Error)]
#[error("enough was seen")]
struct Enough;

// === impl Reader ===

impl Reader {
    /// Reads a page; where the script of the first-run wizard is, only if that is wanted.
    #[must_use]
    pub fn new(with_wizard: bool) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let rewriter = Self::rewriter(&seen, with_wizard);
        Self { rewriter, seen, read: Vec::new(), count: 0 }
    }

    fn rewriter(seen: &Arc<Mutex<Seen>>, with_wizard: bool) -> Option<Rewriter> {
        let shared = Arc::clone(seen);
        let look = move |element: &mut Element<'_, '_>| {
            let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
            seen.end = seen.element(element);
            if seen.end.is_some() { Err(Enough.into()) } else { Ok(()) }
        };
        let memory = MemorySettings::new().with_max_allowed_memory_usage(MEMORY);
        let mut settings = Settings::new_send().with_strict(false).with_memory_settings(memory);
        if with_wizard {
            let shared = Arc::clone(seen);
            let find = move |element: &mut Element<'_, '_>| {
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                seen.wizard = Some(element.source_location().bytes().start);
                Ok(())
            };
            let find = ElementContentHandlers::default().element(find);
            let selector = Cow::Borrowed(WIZARD_SELECTOR.as_ref()?);
            settings = settings.append_element_content_handler((selector, find));
        }
        let look = ElementContentHandlers::default().element(look);
        let selector = Cow::Borrowed(LOOKED_AT_SELECTOR.as_ref()?);
        let settings = settings.append_element_content_handler((selector, look));
        let nowhere: fn(&[u8]) = |_| {};
        Some(HtmlRewriter::new(settings, nowhere))
    }

    /// Takes from a piece what is to be read of it, nothing beyond [`LIMIT`]; the verdict, once
    /// there is one.
    pub fn push(&mut self, piece: &mut Bytes) -> Option<Verdict> {
        let rewriter = self.rewriter.as_mut()?;
        let piece = piece.split_to(piece.len().min(LIMIT - self.count));
        // A rewriter that failed must not be written to any more: it would panic.
        let failed = rewriter.write(&piece).is_err();
        self.count += piece.len();
        self.read.push(piece);
        let end = self.seen.lock().unwrap_or_else(PoisonError::into_inner).end.take();
        let verdict = match end {
            Some(End::Body(at)) => self.verdict(at),
            Some(End::Other(reason)) => Verdict::Other(reason),
            None if failed => Verdict::Other(Reason::Unreadable),
            None if self.count == LIMIT => Verdict::Other(Reason::TooLong),
            None => return None,
        };
        self.rewriter = None;
        Some(verdict)
    }

    fn verdict(&mut self, body: usize) -> Verdict {
        let read = joined(std::mem::take(&mut self.read));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = seen.verdict(&read, body);
        self.read.push(read);
        verdict
    }

    /// What it has read.
    #[must_use]
    pub fn into_read(self) -> Bytes {
        joined(self.read)
    }

    /// Why a page that ended before there was a verdict gets no tag. What an unfinished tag at its
    /// end stands for does not matter.
    #[must_use]
    pub fn end(&self) -> Reason {
        Reason::NoBody
    }
}

// === impl Seen ===

impl Seen {
    /// Looks at one element; tells when it is enough.
    fn element(&mut self, element: &Element<'_, '_>) -> Option<End> {
        let place = element.source_location().bytes();
        let reason = match element.tag_name().as_str() {
            "html" if self.html.is_none() && self.head.is_none() => {
                self.html = Some(place);
                None
            }
            "head" if self.head.is_none() => {
                self.head = Some(place);
                self.user = unescape(&element.get_attribute("data-user").unwrap_or_default());
                // Whoever is not signed in may read a page as large as they like: it passes at once.
                self.user.is_empty().then_some(Reason::NoUser)
            }
            "meta" => is_policy(element).then_some(Reason::MetaPolicy),
            "script" if self.head.is_some() => {
                self.script.get_or_insert(place.start);
                None
            }
            "body" => return Some(self.body(element, place.start)),
            _ => Some(Reason::Odd),
        };
        reason.map(End::Other)
    }

    fn body(&self, element: &Element<'_, '_>, at: usize) -> End {
        let id = element.get_attribute("id");
        if matches!(id.as_deref(), Some("body-user" | "body-settings")) {
            End::Body(at)
        } else {
            End::Other(Reason::OtherLayout)
        }
    }

    /// Of a page whose body begins at `body`.
    fn verdict(&mut self, read: &[u8], body: usize) -> Verdict {
        let (Some(html), Some(head)) = (self.html.clone(), self.head.clone()) else {
            return Verdict::Other(Reason::Odd);
        };
        let before = read.get(..html.start).unwrap_or_default();
        let between = read.get(html.end..head.start);
        if !is_doctype(before) || !between.is_some_and(|bytes| bytes.trim_ascii().is_empty()) {
            return Verdict::Other(Reason::Odd);
        }
        let Some(at) = self.script.filter(|at| *at >= head.end) else {
            return Verdict::Other(Reason::NoScript);
        };
        let head = read.get(head.end..body).unwrap_or_default();
        if memmem::find(head, b" data-passeur-tours=\"").is_some() {
            return Verdict::Other(Reason::Already);
        }
        let main = memmem::find(head, b"/core-main.js?v=").map(|at| &head[at..]);
        Verdict::Page(Page {
            at,
            wizard: self.wizard,
            user: std::mem::take(&mut self.user),
            version_hash: main.and_then(fingerprint),
            sheets: sheets(head),
        })
    }
}

// === impl Reason ===

impl Reason {
    /// A short name for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Already => "already_there",
            Reason::MetaPolicy => "meta_policy",
            Reason::NoBody => "no_body",
            Reason::NoScript => "no_script",
            Reason::NoUser => "no_user",
            Reason::OtherLayout => "other_layout",
            Reason::Odd => "odd_head",
            Reason::TooLong => "head_too_long",
            Reason::Unreadable => "unreadable",
        }
    }

    /// Whether pages are like that on any day: somebody who is not signed in, another layout.
    #[must_use]
    pub fn is_ordinary(self) -> bool {
        matches!(self, Reason::NoUser | Reason::OtherLayout | Reason::NoBody)
    }
}

/// The pieces as one.
fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() < 2 { pieces.pop().unwrap_or_default() } else { pieces.concat().into() }
}

fn is_policy(element: &Element<'_, '_>) -> bool {
    let name = element.get_attribute("http-equiv").unwrap_or_default();
    name.trim().eq_ignore_ascii_case("content-security-policy")
}

/// Nothing but the one line with which all layouts begin, and white space.
fn is_doctype(before: &[u8]) -> bool {
    before.trim_ascii().eq_ignore_ascii_case(b"<!doctype html>")
}

/// Apps and fingerprints of all `…/APP/css/FILE?v=FINGERPRINT-N"`.
fn sheets(head: &[u8]) -> Vec<(String, Fingerprint)> {
    let mut sheets: Vec<(String, Fingerprint)> = Vec::new();
    for at in memmem::find_iter(head, b"/css/") {
        let end =
            memchr::memchr3(b'"', b'\'', b'>', &head[at..]).map_or(head.len(), |end| at + end);
        let sheet = app(&head[..at]).zip(fingerprint(&head[at..end]));
        if let Some((app, fingerprint)) = sheet
            && sheets.len() < SHEETS
            && !sheets.iter().any(|(known, _)| known == app)
        {
            sheets.push((app.to_owned(), fingerprint));
        }
    }
    sheets
}

/// The app whose folder an address that begins with `before` is in.
fn app(before: &[u8]) -> Option<&str> {
    let last = |b: &u8| !(b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
    let slash = before.iter().rposition(last)?;
    let app = std::str::from_utf8(&before[slash + 1..]).ok()?;
    let is_app = before[slash] == b'/' && !app.is_empty() && app.len() <= 64 && app != "core";
    is_app.then_some(app)
}

/// The one after `?v=`.
fn fingerprint(address: &[u8]) -> Option<Fingerprint> {
    let at = memmem::find(address, b"?v=")? + 3;
    Fingerprint::of_digits(address.get(at..at + 8)?)
}

/// Undoes what Nextcloud escapes in the ids of accounts.
fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let plain = [("&#039;", "'"), ("&#39;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">")];
    let text = plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}
