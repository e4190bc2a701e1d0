//! Reads the beginning of a page: whether it is a page of a signed-in person, and where a tag goes.
//!
//! The bytes are only read, by the tokenizer of lol_html; nothing is ever re-written, so what passes
//! passes as it came. Invariant: the verdict depends on the bytes and not on how they were cut. A
//! page that is in any way unlike those of Nextcloud's layouts gets no tag.

use std::sync::{Arc, Mutex, PoisonError};

use lol_html::send::{Element, HtmlRewriter, Settings};
use lol_html::{MemorySettings, element};

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
    /// The account.
    pub user: String,
    /// Fingerprint of the versions of all that is installed: eight hexadecimal digits.
    pub version_hash: Option<String>,
    /// Apps with the fingerprints of their style sheets, in the order of the page.
    pub sheets: Vec<(String, String)>,
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
    read: usize,
}

/// Its output goes nowhere.
type Rewriter = HtmlRewriter<'static, fn(&[u8])>;

/// What the elements said so far.
#[derive(Default)]
struct Seen {
    elements: usize,
    at: Option<usize>,
    page: Page,
    verdict: Option<Verdict>,
}

/// There is a verdict: no need to read on.
#[derive(Debug, thiserror::Error)]
#[error("enough was seen")]
struct Enough;

// === impl Reader ===

impl Default for Reader {
    fn default() -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let all = move |element: &mut Element<'_, '_>| {
            let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
            seen.element(element);
            if seen.verdict.is_some() { Err(Enough.into()) } else { Ok(()) }
        };
        let memory = MemorySettings::new().with_max_allowed_memory_usage(MEMORY);
        let settings = Settings::new_send()
            .with_strict(false)
            .with_memory_settings(memory)
            .append_element_content_handler(element!("*", all));
        let nowhere: fn(&[u8]) = |_| {};
        Self { rewriter: Some(HtmlRewriter::new(settings, nowhere)), seen, read: 0 }
    }
}

impl Reader {
    /// Reads a piece; the verdict, once there is one. Nothing is read after it.
    pub fn push(&mut self, piece: &[u8]) -> Option<Verdict> {
        let rewriter = self.rewriter.as_mut()?;
        let piece = &piece[..piece.len().min(LIMIT - self.read)];
        self.read += piece.len();
        // A rewriter that failed must not be written to any more: it would panic.
        let failed = rewriter.write(piece).is_err();
        let verdict = self.seen.lock().unwrap_or_else(PoisonError::into_inner).verdict.take();
        let verdict = match verdict {
            Some(verdict) => verdict,
            None if failed => Verdict::Other(Reason::Unreadable),
            None if self.read == LIMIT => Verdict::Other(Reason::TooLong),
            None => return None,
        };
        self.rewriter = None;
        Some(verdict)
    }

    /// Why a page that ended before there was a verdict gets no tag. What an unfinished tag at its
    /// end stands for does not matter.
    #[must_use]
    pub fn end(self) -> Reason {
        Reason::NoBody
    }
}

// === impl Seen ===

impl Seen {
    fn element(&mut self, element: &Element<'_, '_>) {
        self.elements += 1;
        let name = element.tag_name();
        let is_expected = match name.as_str() {
            "html" => self.elements == 1,
            "head" => self.elements == 2,
            "body" | "link" | "meta" | "noscript" | "script" | "style" | "title" => {
                self.elements > 2
            }
            // What a parser gives no meaning for the head in that place is opened in the body.
            _ => false,
        };
        let reason = match name.as_str() {
            _ if !is_expected => Some(Reason::Odd),
            "head" => self.head(element),
            "meta" => is_policy(element).then_some(Reason::MetaPolicy),
            "link" => self.link(element),
            "script" => self.script(element),
            "body" => self.body(element),
            _ => None,
        };
        if let Some(reason) = reason {
            self.verdict = Some(Verdict::Other(reason));
        }
    }

    fn head(&mut self, element: &Element<'_, '_>) -> Option<Reason> {
        self.page.user = unescape(&element.get_attribute("data-user").unwrap_or_default());
        // Whoever is not signed in may read a page as large as they like: it passes at once.
        self.page.user.is_empty().then_some(Reason::NoUser)
    }

    fn link(&mut self, element: &Element<'_, '_>) -> Option<Reason> {
        let sheet = element.get_attribute("href").as_deref().and_then(sheet);
        if let Some((app, fingerprint)) = sheet
            && self.page.sheets.len() < SHEETS
            && !self.page.sheets.iter().any(|(known, _)| *known == app)
        {
            self.page.sheets.push((app, fingerprint));
        }
        None
    }

    fn script(&mut self, element: &Element<'_, '_>) -> Option<Reason> {
        if element.has_attribute("data-passeur-tours") {
            return Some(Reason::Already);
        }
        self.at.get_or_insert(element.source_location().bytes().start);
        if self.page.version_hash.is_none()
            && let Some(source) = element.get_attribute("src")
            && source.contains("/core-main.js?v=")
        {
            self.page.version_hash = fingerprint(&source);
        }
        None
    }

    fn body(&mut self, element: &Element<'_, '_>) -> Option<Reason> {
        let id = element.get_attribute("id");
        if !matches!(id.as_deref(), Some("body-user" | "body-settings")) {
            return Some(Reason::OtherLayout);
        }
        let Some(at) = self.at else { return Some(Reason::NoScript) };
        self.page.at = at;
        self.verdict = Some(Verdict::Page(std::mem::take(&mut self.page)));
        None
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

fn is_policy(element: &Element<'_, '_>) -> bool {
    let name = element.get_attribute("http-equiv").unwrap_or_default();
    name.trim().eq_ignore_ascii_case("content-security-policy")
}

/// App and fingerprint of `…/APP/css/FILE?v=FINGERPRINT-N`.
fn sheet(href: &str) -> Option<(String, String)> {
    let (before, _) = href.split_once("/css/")?;
    let app = before.rsplit('/').next()?;
    let is_app = !app.is_empty()
        && app.len() <= 64
        && app.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    (is_app && app != "core").then(|| Some((app.to_owned(), fingerprint(href)?)))?
}

/// The eight hexadecimal digits after `?v=`.
fn fingerprint(address: &str) -> Option<String> {
    let (_, version) = address.split_once("?v=")?;
    let digits = version.get(..8)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| digits.to_owned())
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
