//! Finds the tokens of XML in a stream that comes in arbitrary pieces.
//!
//! Text, comments and CDATA are let through as they come, however long; tags and processing
//! instructions are looked at whole, so an unfinished one is kept until the rest comes, up to
//! [`Limits::token`]. The ends of tags are found by quick-xml's push parser, which remembers where
//! it stopped, so that nothing is scanned twice.
//!
//! Invariant: what is found, and when it is given up, depends on positions in the input alone,
//! never on how it was cut into pieces. A [`Stop`] ends the scan for good.

use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use quick_xml::events::attributes::Attributes;
use quick_xml::parser::{ElementParser, Parser};

use super::owners::Owners;
use super::tree::Tree;
use super::{Limits, Reason, Rules};

pub(super) struct Scanner {
    state: State,
    /// The next byte to look at.
    cursor: usize,
    /// Where the present token begins; of text, where it matters only within a value.
    token: usize,
    /// Whether nothing came yet.
    fresh: bool,
    /// Whether anything but a byte order mark came before the present token.
    begun: bool,
    /// Whether the root element was opened.
    rooted: bool,
    limits: Limits,
    tree: Tree,
    pub(super) owners: Owners,
}

/// Why there is nothing more to look at.
pub(super) enum Stop {
    /// The root is another element, nobody's owner is in there.
    NotMultistatus,
    Failed(Reason),
}

#[derive(Clone, Copy)]
enum State {
    Text,
    /// After a `<`, when it is not yet clear of what.
    Markup,
    Tag(ElementParser),
    Comment,
    Cdata,
    Instruction,
}

const BOM: &[u8] = "\u{FEFF}".as_bytes();
const CDATA: &[u8] = b"<![CDATA[";
const COMMENT: &[u8] = b"<!--";
const DOCTYPE: &[u8] = b"<!DOCTYPE";

// === impl Scanner ===

impl Scanner {
    pub(super) fn new(rules: Arc<Rules>, limits: Limits) -> Self {
        Self {
            state: State::Text,
            cursor: 0,
            token: 0,
            fresh: true,
            begun: false,
            rooted: false,
            limits,
            tree: Tree::new(limits),
            owners: Owners::new(rules, limits),
        }
    }

    /// Looks at what is new in `data`, which is valid UTF-8.
    pub(super) fn scan(&mut self, data: &[u8]) -> Result<(), Stop> {
        while self.cursor < data.len() && self.step(data)? {}
        if data.len() - self.decided() > self.limits.token && !self.is_streaming() {
            return Err(Reason::TokenTooLong.into());
        }
        self.owners.reached(self.decided());
        Ok(())
    }

    /// Up to where `data` may be written, as no later byte can change it.
    pub(super) fn safe(&self) -> usize {
        self.decided().min(self.owners.held_from().unwrap_or(usize::MAX))
    }

    /// Whether the document is complete.
    pub(super) fn is_complete(&self, data: &[u8]) -> bool {
        matches!(self.state, State::Text)
            && self.rooted
            && self.tree.depth() == 0
            && self.cursor == data.len()
    }

    /// The first `n` bytes have been written: what is left moves to the front.
    pub(super) fn rebase(&mut self, n: usize) {
        self.cursor -= n;
        // Of text outside of values, the beginning may be gone: nobody asks for it.
        self.token = self.token.saturating_sub(n);
        self.owners.rebase(n);
    }

    /// Up to where everything is understood.
    fn decided(&self) -> usize {
        if self.is_streaming() { self.cursor } else { self.token }
    }

    fn is_streaming(&self) -> bool {
        matches!(self.state, State::Text | State::Comment | State::Cdata)
    }

    /// Gets on to the next state; false if it takes more bytes to do so.
    fn step(&mut self, data: &[u8]) -> Result<bool, Stop> {
        match self.state {
            State::Text => self.text(data),
            State::Markup => self.markup(data),
            State::Tag(parser) => self.tag(data, parser),
            State::Comment => Ok(self.find(data, b"-->").map(|end| self.text_from(end)).is_some()),
            State::Cdata => {
                let Some(end) = self.find(data, b"]]>") else { return Ok(false) };
                let inside = self.token + CDATA.len()..end - b"]]>".len();
                self.value(data, self.token..end, inside, true)?;
                self.text_from(end);
                Ok(true)
            }
            State::Instruction => {
                let Some(end) = self.find(data, b"?>") else { return Ok(false) };
                self.check_length(end)?;
                self.instruction(&data[self.token + b"<?".len()..end - b"?>".len()])?;
                self.text_from(end);
                Ok(true)
            }
        }
    }

    fn text(&mut self, data: &[u8]) -> Result<bool, Stop> {
        let found = memchr::memchr(b'<', &data[self.cursor..]);
        let end = found.map_or(data.len(), |n| self.cursor + n);
        if self.tree.depth() == 0 {
            self.outside(&data[self.cursor..end])?;
        }
        self.cursor = end;
        if found.is_none() {
            return Ok(false);
        }
        self.value(data, self.token..end, self.token..end, false)?;
        self.token = end;
        self.cursor = end + 1;
        self.state = State::Markup;
        Ok(true)
    }

    /// Outside of the root there may be nothing but space; and a byte order mark, at the beginning.
    fn outside(&mut self, text: &[u8]) -> Result<(), Stop> {
        let bare = if self.fresh { text.strip_prefix(BOM).unwrap_or(text) } else { text };
        self.fresh &= text.is_empty();
        self.begun |= !bare.is_empty();
        if bare.iter().all(u8::is_ascii_whitespace) {
            Ok(())
        } else {
            Err(Reason::Malformed.into())
        }
    }

    fn markup(&mut self, data: &[u8]) -> Result<bool, Stop> {
        let rest = &data[self.token..];
        let Some(kind) = rest.get(1) else { return Ok(false) };
        let (state, opening) = match kind {
            b'?' => (State::Instruction, 2),
            b'!' if rest.starts_with(COMMENT) => (State::Comment, COMMENT.len()),
            b'!' if rest.starts_with(CDATA) => (State::Cdata, CDATA.len()),
            b'!' if rest.starts_with(DOCTYPE) => return Err(Reason::Doctype.into()),
            b'!' if [COMMENT, CDATA, DOCTYPE].iter().any(|full| full.starts_with(rest)) => {
                self.cursor = data.len();
                return Ok(false);
            }
            b'!' => return Err(Reason::Malformed.into()),
            _ => (State::Tag(ElementParser::default()), 1),
        };
        if matches!(state, State::Cdata) && self.tree.depth() == 0 {
            return Err(Reason::Malformed.into());
        }
        self.fresh = false;
        self.begun |= !matches!(state, State::Instruction);
        self.cursor = self.token + opening;
        self.state = state;
        Ok(true)
    }

    fn tag(&mut self, data: &[u8], mut parser: ElementParser) -> Result<bool, Stop> {
        let Some(n) = parser.feed(&data[self.cursor..]) else {
            self.cursor = data.len();
            self.state = State::Tag(parser);
            return Ok(false);
        };
        let (start, end) = (self.token, self.cursor + n + 1);
        self.check_length(end)?;
        let inside = &data[start + 1..end - 1];
        if let Some(name) = inside.strip_prefix(b"/") {
            self.close(name, start)?;
        } else {
            let (inside, empty) =
                inside.strip_suffix(b"/").map_or((inside, false), |inside| (inside, true));
            self.open(inside, end)?;
            if empty {
                self.owners.closed(self.tree.depth(), end);
                self.tree.close_last();
            }
        }
        self.text_from(end);
        Ok(true)
    }

    fn open(&mut self, tag: &[u8], end: usize) -> Result<(), Stop> {
        if self.rooted && self.tree.depth() == 0 {
            return Err(Reason::Malformed.into());
        }
        self.tree.open(tag)?;
        self.rooted = true;
        if self.owners.opened(&self.tree, end) { Ok(()) } else { Err(Stop::NotMultistatus) }
    }

    fn close(&mut self, name: &[u8], at: usize) -> Result<(), Stop> {
        let depth = self.tree.depth();
        self.tree.close(name.trim_ascii_end())?;
        self.owners.closed(depth, at);
        Ok(())
    }

    /// What `<?` and `?>` enclose.
    fn instruction(&mut self, inside: &[u8]) -> Result<(), Stop> {
        let target = inside.iter().position(u8::is_ascii_whitespace).unwrap_or(inside.len());
        if inside[..target].eq_ignore_ascii_case(b"xml") {
            if self.begun {
                return Err(Reason::Malformed.into());
            }
            check_encoding(inside, target)?;
        }
        self.begun = true;
        Ok(())
    }

    /// Where `mark` ends. If it is not there yet, only its possible beginning is looked at again.
    fn find(&mut self, data: &[u8], mark: &[u8]) -> Option<usize> {
        let found = memmem::find(&data[self.cursor..], mark);
        if found.is_none() {
            self.cursor = self.cursor.max((data.len() + 1).saturating_sub(mark.len()));
        }
        found.map(|n| self.cursor + n + mark.len())
    }

    fn value(
        &mut self,
        data: &[u8],
        range: Range<usize>,
        text: Range<usize>,
        cdata: bool,
    ) -> Result<(), Stop> {
        if self.owners.is_capturing() {
            let text = std::str::from_utf8(&data[text]).map_err(|_| Reason::Encoding)?;
            self.owners.text(range, text, cdata)?;
        }
        Ok(())
    }

    fn text_from(&mut self, start: usize) {
        self.token = start;
        self.cursor = start;
        self.state = State::Text;
    }

    fn check_length(&self, end: usize) -> Result<(), Stop> {
        if end - self.token > self.limits.token { Err(Reason::TokenTooLong.into()) } else { Ok(()) }
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Stop::Failed(reason)
    }
}

/// An XML declaration must name no other encoding than the one that is read here.
fn check_encoding(declaration: &[u8], target: usize) -> Result<(), Reason> {
    let declaration = std::str::from_utf8(declaration).map_err(|_| Reason::Encoding)?;
    for attribute in Attributes::new(declaration, target) {
        let attribute = attribute.map_err(|_| Reason::Malformed)?;
        let is_utf8 =
            || ["utf-8", "us-ascii"].iter().any(|name| attribute.value.eq_ignore_ascii_case(name));
        if attribute.key.0 == "encoding" && !is_utf8() {
            return Err(Reason::Encoding);
        }
    }
    Ok(())
}
