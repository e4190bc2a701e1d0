//! Decides what becomes of the owner properties, and remembers the changes until they are written.
//!
//! A value is *captured* from the end of its start tag to its end tag, as it can only be judged
//! whole. A display name says nothing about whose it is: it *waits* until `oc:owner-id` of the same
//! `d:response` is known; where that is not among the properties, `d:owner` or `oc:owner-principal`
//! decide when the response ends. What is captured or waits may not be written yet
//! ([`Owners::held_from`]); both are bounded, and what exceeds its bound is left as it is.
//!
//! Invariant: every decision depends on positions in the input alone, never on how it was cut into
//! pieces. So each bound is checked against a position that later ones cannot undercut.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use quick_xml::escape::unescape;

use super::tree::{Space, Tree};
use super::{Limits, Reason, Rules};

pub(super) struct Owners {
    rules: Arc<Rules>,
    limits: Limits,
    /// How many of the innermost elements match [`PATH`], from the root.
    on_path: usize,
    property: Option<Property>,
    capture: Option<Capture>,
    /// Buffers of the capture; kept from one to the next.
    value: String,
    pieces: Vec<Range<usize>>,
    /// What `oc:owner-id` of this response said: a rule, or somebody else.
    owner: Option<Option<usize>>,
    /// The rule for the account that another property of this response named as the owner.
    principal: Option<usize>,
    waiting: Vec<Waiting>,
    edits: Vec<Edit>,
}

/// A range of the input, and what to write instead.
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: Text,
}

/// What to write.
pub(super) enum Text {
    Nothing,
    /// The id that a rule shows.
    Id(usize),
    /// The display name that a rule shows.
    Name(usize),
    /// Escaped text.
    Made(String),
}

/// Where the properties of a resource are in a multistatus.
const PATH: [&[u8]; 4] = [b"multistatus", b"response", b"propstat", b"prop"];
const RESPONSE: usize = 2;
const PROPERTY: usize = 5;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Property {
    /// `oc:owner-id`
    Id,
    /// `oc:owner-display-name`
    Name,
    /// `d:owner`: an address in a `d:href`
    Owner,
    /// `oc:owner-principal`: an address, as it is or in a `d:href`
    Principal,
}

#[derive(Clone, Copy)]
struct Capture {
    /// What the value means; `Owner` and `Principal` are both addresses.
    property: Property,
    start: usize,
    depth: usize,
}

/// A display name that waits until its owner is known.
struct Waiting {
    start: usize,
    pieces: Vec<Range<usize>>,
}

// === impl Owners ===

impl Owners {
    pub(super) fn new(rules: Arc<Rules>, limits: Limits) -> Self {
        Self {
            rules,
            limits,
            on_path: 0,
            property: None,
            capture: None,
            value: String::new(),
            pieces: Vec::new(),
            owner: None,
            principal: None,
            waiting: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// Whether the text that follows is of interest.
    pub(super) fn is_capturing(&self) -> bool {
        self.capture.is_some()
    }

    /// Where that begins which must not be written yet.
    pub(super) fn held_from(&self) -> Option<usize> {
        let waiting = self.waiting.first().map(|name| name.start);
        waiting.or(self.capture.map(|capture| capture.start))
    }

    /// The changes decided so far, in the order of the input.
    pub(super) fn edits(&mut self) -> &mut Vec<Edit> {
        // A display name may be decided after what follows it.
        self.edits.sort_by_key(|edit| edit.range.start);
        &mut self.edits
    }

    /// An element was opened; its start tag ends at `end`. Says whether this is a multistatus.
    pub(super) fn opened(&mut self, tree: &Tree, end: usize) -> bool {
        let depth = tree.depth();
        // An element within a value makes it something else than what is known here.
        self.capture = None;
        if self.on_path + 1 == depth && depth < PROPERTY {
            if tree.local_name() == PATH[depth - 1] && tree.space() == Space::Dav {
                self.on_path = depth;
            }
        } else if self.on_path + 1 == PROPERTY {
            if depth == PROPERTY {
                self.property = property(tree);
                if let Some(property) = self.property.filter(|p| *p != Property::Owner) {
                    self.capture(property, depth, end);
                }
            } else if depth == PROPERTY + 1
                && let Some(property @ (Property::Owner | Property::Principal)) = self.property
                && tree.local_name() == b"href"
                && tree.space() == Space::Dav
            {
                self.capture(property, depth, end);
            }
        }
        self.on_path > 0
    }

    /// Text (or CDATA) of a value was read.
    pub(super) fn text(
        &mut self,
        range: Range<usize>,
        text: &str,
        cdata: bool,
    ) -> Result<(), Reason> {
        self.drop_overlong(range.end);
        if self.capture.is_none() || range.is_empty() {
            return Ok(());
        }
        let text = if cdata {
            Cow::Borrowed(text)
        } else {
            unescape(text).map_err(|_| Reason::Malformed)?
        };
        self.value.push_str(&text);
        self.pieces.push(range);
        Ok(())
    }

    /// The element at `depth` is closed by a tag that begins at `at`.
    pub(super) fn closed(&mut self, depth: usize, at: usize) {
        self.drop_overlong(at);
        if let Some(capture) = self.capture.take_if(|capture| capture.depth == depth) {
            self.judge(capture, at);
        }
        if depth == PROPERTY {
            self.property = None;
        }
        if self.on_path == depth {
            self.on_path -= 1;
            if depth == RESPONSE {
                self.response_ends(at);
            }
        }
    }

    /// Everything up to `here` has been looked at: lets go of what has been held for too long.
    pub(super) fn reached(&mut self, here: usize) {
        self.drop_overlong(here);
        let most = self.limits.hold;
        self.waiting.retain(|name| here - name.start <= most);
    }

    /// The first `n` bytes have been written: what is left moves to the front.
    pub(super) fn rebase(&mut self, n: usize) {
        let shift = |range: &mut Range<usize>| *range = range.start - n..range.end - n;
        if let Some(capture) = &mut self.capture {
            capture.start -= n;
            self.pieces.iter_mut().for_each(shift);
        }
        for name in &mut self.waiting {
            name.start -= n;
            name.pieces.iter_mut().for_each(shift);
        }
        self.edits.iter_mut().for_each(|edit| shift(&mut edit.range));
    }

    fn capture(&mut self, property: Property, depth: usize, start: usize) {
        self.value.clear();
        self.pieces.clear();
        self.capture = Some(Capture { property, start, depth });
    }

    fn drop_overlong(&mut self, here: usize) {
        let most = self.limits.value;
        self.capture.take_if(|capture| here - capture.start > most);
    }

    /// A value is complete; its end tag begins at `at`.
    fn judge(&mut self, capture: Capture, at: usize) {
        if self.value.is_empty() {
            return;
        }
        match capture.property {
            Property::Id => {
                let rule = self.rules.of_account(&self.value);
                if let Some(rule) = rule {
                    self.replace_value(Text::Id(rule));
                }
                self.owner = Some(rule);
                self.decide_waiting(rule, at);
            }
            Property::Name => match self.owner {
                Some(Some(rule)) => self.replace_value(Text::Name(rule)),
                Some(None) => {}
                None => {
                    let pieces = std::mem::take(&mut self.pieces);
                    self.waiting.push(Waiting { start: capture.start, pieces });
                }
            },
            Property::Owner | Property::Principal => {
                if let Some((rule, address)) = self.rules.of_principal(&self.value) {
                    self.principal = Some(rule);
                    self.replace_value(Text::Made(address));
                }
            }
        }
    }

    fn response_ends(&mut self, at: usize) {
        self.decide_waiting(self.principal, at);
        self.owner = None;
        self.principal = None;
    }

    fn decide_waiting(&mut self, rule: Option<usize>, at: usize) {
        self.reached(at);
        for mut name in std::mem::take(&mut self.waiting) {
            if let Some(rule) = rule {
                replace(&mut self.edits, &mut name.pieces, Text::Name(rule));
            }
        }
    }

    fn replace_value(&mut self, text: Text) {
        replace(&mut self.edits, &mut self.pieces, text);
    }
}

/// Puts `text` in the place of the first piece, and nothing in the places of the others.
fn replace(edits: &mut Vec<Edit>, pieces: &mut Vec<Range<usize>>, mut text: Text) {
    for range in pieces.drain(..) {
        edits.push(Edit { range, text: std::mem::replace(&mut text, Text::Nothing) });
    }
}

/// Which property the element opened last is.
fn property(tree: &Tree) -> Option<Property> {
    let (property, space) = match tree.local_name() {
        b"owner-id" => (Property::Id, Space::OwnCloud),
        b"owner-display-name" => (Property::Name, Space::OwnCloud),
        b"owner-displayname" => (Property::Name, Space::NextcloudCom),
        b"owner" => (Property::Owner, Space::Dav),
        b"owner-principal" => (Property::Principal, Space::OwnCloud),
        _ => return None,
    };
    (tree.space() == space).then_some(property)
}
