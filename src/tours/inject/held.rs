//! Holds the beginning of a page until it is known whether it gets a tag, and puts the tag in.
//!
//! What gets none goes out as it came, in its coding, to the byte. What gets one streams on from the
//! tag; an encoded page is encoded again. Held are [`LIMIT`](super::page::LIMIT) bytes of the page,
//! and what they were decoded from.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::Level;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::page::{self, Page, Reader, Verdict};
use crate::body::{Body, Error, Side, poll_data};
use crate::coding::encode::Encoded;
use crate::coding::{Caps, Coding, Decoded};

/// Pages shrink to 1/10; one that grows without end while it is decoded is no page.
const CAPS: Caps = Caps { slack: 1 << 20, ratio: 200, total: 256 << 20 };

/// How a script without words ends.
const END: &[u8] = b"</script>";

/// A page whose beginning is known.
pub(super) enum Held {
    /// It gets a tag.
    Page(Box<Open>),
    /// It gets none: the body as it came.
    Other(Reason, Body),
}

/// Why a page passes as it came.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Reason {
    /// What it says.
    Page(page::Reason),
    /// Its coding is broken, or stands for too much or too little.
    Undecodable,
    /// The origin broke off.
    BrokenOff,
}

/// A page that is cut open where the tag goes.
pub(super) struct Open {
    /// What it says.
    pub(super) page: Page,
    head: Bytes,
    /// What came with the end of the head.
    tail: Bytes,
    source: Source,
    coding: Option<Coding>,
}

enum Source {
    Plain(Body),
    Decoded(Box<Decoded>),
}

/// Reads `body` until there is a verdict; where the first-run wizard is, only if that is wanted.
pub(super) async fn hold(body: Body, coding: Option<Coding>, with_wizard: bool) -> Held {
    let mut source = match coding {
        None => Source::Plain(body),
        Some(coding) => Source::Decoded(Box::new(Decoded::undoable(coding, body, CAPS))),
    };
    let mut reader = Reader::new(with_wizard);
    loop {
        let mut piece = match std::future::poll_fn(|cx| source.poll_piece(cx)).await {
            Some(Ok(piece)) => piece,
            None => {
                let reason = Reason::Page(reader.end());
                return source.close(reason, reader.into_read(), Bytes::new(), None);
            }
            Some(Err(error)) if error.side() == Side::Proxy => {
                return source.close(Reason::Undecodable, reader.into_read(), Bytes::new(), None);
            }
            Some(Err(error)) => {
                let read = reader.into_read();
                return source.close(Reason::BrokenOff, read, Bytes::new(), Some(error));
            }
        };
        match reader.push(&mut piece) {
            None => {}
            Some(Verdict::Other(reason)) => {
                return source.close(Reason::Page(reason), reader.into_read(), piece, None);
            }
            Some(Verdict::Page(page)) => {
                if let Source::Decoded(decoded) = &mut source {
                    decoded.commit();
                }
                let (head, tail) = (reader.into_read(), piece);
                return Held::Page(Box::new(Open { page, head, tail, source, coding }));
            }
        }
    }
}

// === impl Open ===

impl Open {
    /// The script of the first-run wizard, if it was looked for, comes after the tag, and is empty as
    /// such scripts are.
    pub(super) fn wizard(&self) -> Option<Range<usize>> {
        let start = self.page.wizard.filter(|start| *start >= self.page.at)?;
        let script = self.head.get(start..)?;
        let end = script.iter().position(|&b| b == b'>')? + 1;
        let end = end + END.len();
        (script.get(..end)?.ends_with(END)).then(|| start..start + end)
    }

    /// The body with `tag` in it and without `cut`, in the coding in which it came.
    pub(super) fn insert(self, tag: &str, cut: Option<Range<usize>>) -> Body {
        let at = self.page.at.min(self.head.len());
        let cut = cut.unwrap_or(at..at);
        let (before, kept) = (self.head.slice(..at), self.head.slice(at..cut.start));
        let (tag, after) = (Bytes::copy_from_slice(tag.as_bytes()), self.head.slice(cut.end..));
        let body = Joined::new([before, tag, kept, after, self.tail], self.source, None);
        match self.coding {
            None => body,
            // As answers are encoded on the fly: quickly.
            Some(coding) => Body::made(Encoded::new(coding, Level::Precise(4), body)),
        }
    }
}

// === impl Source ===

impl Source {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match self {
            Source::Plain(body) => poll_data(body, cx),
            Source::Decoded(decoded) => decoded.poll_piece(cx),
        }
    }

    /// The body as it came; `error` is what it ended with.
    fn close(self, reason: Reason, head: Bytes, tail: Bytes, error: Option<Error>) -> Held {
        let body = match self {
            Source::Plain(body) => Joined::new([head, tail], Source::Plain(body), error),
            Source::Decoded(decoded) => {
                let (came, rest) = decoded.undo();
                Joined::new([came], Source::Plain(rest), error)
            }
        };
        Held::Other(reason, body)
    }
}

/// Some pieces, and then the rest, or an error.
struct Joined {
    pieces: VecDeque<Bytes>,
    error: Option<Error>,
    rest: Option<Source>,
}

// === impl Joined ===

impl Joined {
    #[expect(clippy::new_ret_no_self, reason = "it is only ever a body")]
    fn new<const N: usize>(pieces: [Bytes; N], rest: Source, error: Option<Error>) -> Body {
        let pieces: VecDeque<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let rest = error.is_none().then_some(rest);
        Body::made(Self { pieces, error, rest })
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let piece = ready!(rest.poll_piece(cx));
        if !matches!(piece, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(piece)
    }
}

impl http_body::Body for Joined {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.get_mut().poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let rest_is_over = match &self.rest {
            None => true,
            Some(Source::Plain(body)) => body.is_end_stream(),
            Some(Source::Decoded(_)) => false,
        };
        self.pieces.is_empty() && self.error.is_none() && rest_is_over
    }

    fn size_hint(&self) -> SizeHint {
        let held: u64 = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        match (&self.rest, &self.error) {
            (Some(Source::Plain(body)), None) => match body.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(held + rest),
                None => SizeHint::default(),
            },
            (None, None) => SizeHint::with_exact(held),
            _ => SizeHint::default(),
        }
    }
}

// === impl Reason ===

impl Reason {
    /// A short name for metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Reason::Page(reason) => reason.as_str(),
            Reason::Undecodable => "undecodable",
            Reason::BrokenOff => "broken_off",
        }
    }
}
