//! Shows the items of one account as those of another, in a multistatus answer (RFC 4918, 13) that
//! streams through: `oc:owner-id`, `oc:owner-display-name`, `d:owner` and `oc:owner-principal`.
//!
//! Invariants, each guarded by a property test:
//! - only the text of these four is replaced; every other byte comes out as it came in, prefixes,
//!   order, space and quotes included. What quotes one of them elsewhere (in another property's
//!   value, in a comment, an attribute, an event) is not touched.
//! - the same input gives the same output however it is cut into pieces;
//! - rewriting twice equals rewriting once;
//! - memory is bounded by [`Limits`], whatever comes.
//!
//! On any surprise (malformed XML, a DTD, another encoding, a limit) it fails open: what was held
//! back and all that follows passes untouched, and [`Rewriter::failed`] says why.
//!
//! ```
//! use passeur::dav::multistatus::{Limits, OwnerRule, Rewriter, Rules};
//!
//! let rule = OwnerRule { from: "alice".into(), to: "bob".into(), display_name: "Bob".into() };
//! let mut rewriter = Rewriter::new(Rules::new([rule]).into(), Limits::default());
//! let mut out = Vec::new();
//! let mut sink = |bytes: &[u8]| out.extend_from_slice(bytes);
//! rewriter.write(b"<multistatus xmlns='DAV:'><response><propstat><prop><owner><hr", &mut sink);
//! rewriter.write(b"ef>/principals/users/alice/</href></owner></prop></propstat>", &mut sink);
//! rewriter.write(b"</response></multistatus>", &mut sink);
//! rewriter.end(&mut sink);
//! assert_eq!(rewriter.failed(), None);
//! assert!(out.ends_with(b"<href>/principals/users/bob/</href></owner></prop></propstat></response>\
//!                         </multistatus>"));
//! ```

mod owners;
mod rules;
mod scan;
mod tree;

use std::fmt;
use std::sync::Arc;

pub use self::rules::{OwnerRule, Rules};

use self::owners::Text;
use self::scan::{Scanner, Stop};

/// A rewriter of one multistatus: push pieces in, take bytes out.
pub struct Rewriter {
    rules: Arc<Rules>,
    /// None once there is nothing more to look at.
    scanner: Option<Scanner>,
    failed: Option<Reason>,
    /// What came but could not be written yet.
    window: Vec<u8>,
    /// How much of the window is known to be valid UTF-8.
    valid: usize,
    replaced: u64,
}

/// How much a document may ask for before it is passed on untouched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Attributes of one element.
    pub attributes: usize,
    /// Elements within each other; `u16::MAX` at most.
    pub depth: usize,
    /// Bytes held back while it is unknown whose a display name is; beyond, it is left as it is.
    pub hold: usize,
    /// Namespaces in force at once.
    pub namespaces: usize,
    /// Bytes of one tag or processing instruction.
    pub token: usize,
    /// Bytes of an owner property; longer ones are left as they are.
    pub value: usize,
}

/// Why the rest of a document was passed on untouched.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// There is a document type declaration.
    Doctype,
    /// It is not UTF-8, or says it is not.
    Encoding,
    /// It is not well-formed.
    Malformed,
    /// A tag is too long.
    TokenTooLong,
    /// Elements are nested too deeply.
    TooDeep,
    /// An element has too many attributes, or too many namespaces are in force.
    TooManyAttributes,
    /// It ended too soon.
    Truncated,
}

/// The most that is copied into the window at once.
const PIECE: usize = 64 * 1024;

// === impl Rewriter ===

impl Rewriter {
    /// A rewriter for one document.
    #[must_use]
    pub fn new(rules: Arc<Rules>, limits: Limits) -> Self {
        let scanner = (!rules.is_empty()).then(|| Scanner::new(rules.clone(), limits));
        Self { rules, scanner, failed: None, window: Vec::new(), valid: 0, replaced: 0 }
    }

    /// Takes the next piece, and gives to `sink` all that can be written.
    pub fn write(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) {
        for (n, piece) in chunk.chunks(PIECE).enumerate() {
            if self.scanner.is_none() {
                return sink(&chunk[n * PIECE..]);
            }
            self.take(piece, sink);
        }
    }

    /// Takes the end, and gives the rest to `sink`.
    pub fn end(&mut self, sink: &mut impl FnMut(&[u8])) {
        let window = std::mem::take(&mut self.window);
        if let Some(scanner) = &self.scanner
            && !scanner.is_complete(&window)
        {
            self.failed = Some(Reason::Truncated);
        }
        self.stop(&window, sink);
    }

    /// Whether the rest passes as it is, as nothing in it can be of interest.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.scanner.is_none()
    }

    /// Why the rest is passed untouched, if something was wrong.
    #[must_use]
    pub fn failed(&self) -> Option<Reason> {
        self.failed
    }

    /// How many values were replaced so far.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    fn take(&mut self, piece: &[u8], sink: &mut impl FnMut(&[u8])) {
        if self.window.is_empty() {
            let written = self.scan(piece, sink);
            self.window.extend_from_slice(&piece[written..]);
        } else {
            let mut window = std::mem::take(&mut self.window);
            window.extend_from_slice(piece);
            let written = self.scan(&window, sink);
            window.drain(..written);
            self.window = window;
        }
    }

    /// Looks at what is new in `data`, writes what can be, and says how much that was.
    fn scan(&mut self, data: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
        let Some(scanner) = &mut self.scanner else { return 0 };
        let (valid, is_utf8) = valid_up_to(data, self.valid);
        let result = match scanner.scan(&data[..valid]) {
            Ok(()) if !is_utf8 => Err(Stop::Failed(Reason::Encoding)),
            result => result,
        };
        if let Err(stop) = result {
            if let Stop::Failed(reason) = stop {
                self.failed = Some(reason);
            }
            self.stop(data, sink);
            return data.len();
        }
        let safe = scanner.safe();
        self.replaced += emit(data, safe, scanner, &self.rules, sink);
        scanner.rebase(safe);
        self.valid = valid - safe;
        safe
    }

    /// Writes `data` with what is decided, and looks no further.
    fn stop(&mut self, data: &[u8], sink: &mut impl FnMut(&[u8])) {
        match self.scanner.take() {
            None if data.is_empty() => {}
            None => sink(data),
            Some(mut scanner) => {
                self.replaced += emit(data, data.len(), &mut scanner, &self.rules, sink);
            }
        }
    }
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter")
            .field("passing", &self.is_passing())
            .field("failed", &self.failed)
            .field("held", &self.window.len())
            .finish_non_exhaustive()
    }
}

// === impl Limits ===

impl Default for Limits {
    /// Far above anything that an instance sends.
    fn default() -> Self {
        Self {
            attributes: 64,
            depth: 64,
            hold: 64 * 1024,
            namespaces: 128,
            token: 16 * 1024,
            value: 4 * 1024,
        }
    }
}

// === impl Reason ===

impl Reason {
    /// A short name for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Doctype => "doctype",
            Reason::Encoding => "encoding",
            Reason::Malformed => "malformed",
            Reason::TokenTooLong => "token_too_long",
            Reason::TooDeep => "too_deep",
            Reason::TooManyAttributes => "too_many_attributes",
            Reason::Truncated => "truncated",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the first `end` bytes of `data`, changed as decided; says how many values were replaced.
fn emit(
    data: &[u8],
    end: usize,
    scanner: &mut Scanner,
    rules: &Rules,
    sink: &mut impl FnMut(&[u8]),
) -> u64 {
    let mut put = |bytes: &[u8]| {
        if !bytes.is_empty() {
            sink(bytes);
        }
    };
    let edits = scanner.owners.edits();
    let ready = edits.partition_point(|edit| edit.range.start < end);
    let (mut done, mut replaced) = (0, 0);
    for edit in edits.drain(..ready) {
        put(&data[done..edit.range.start]);
        done = edit.range.end;
        let text = match &edit.text {
            Text::Nothing => continue,
            Text::Id(rule) => &rules.shown(*rule).id,
            Text::Name(rule) => &rules.shown(*rule).name,
            Text::Made(text) => text,
        };
        replaced += 1;
        put(text.as_bytes());
    }
    put(&data[done..end]);
    replaced
}

/// Up to where `data` is valid UTF-8, of which `known` bytes are known to be; and whether the rest
/// can still become so.
fn valid_up_to(data: &[u8], known: usize) -> (usize, bool) {
    match std::str::from_utf8(&data[known..]) {
        Ok(_) => (data.len(), true),
        Err(error) => (known + error.valid_up_to(), error.error_len().is_none()),
    }
}
