//! Undoes the content coding of a body as it streams; [`encode`] does it again.
//!
//! Invariant: a decoded body ends without an error only if all of the coded body was received, and was one
//! complete coded body. What it decodes to is capped, in all and in relation to what came, so that
//! a small answer cannot keep a core and the client's line busy for ever; the caps are far above
//! what honest answers reach (a multistatus of only missing properties shrinks to 1/150 with gzip,
//! to 1/800 with the best of the others).

pub(crate) mod encode;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderName};
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::body::{Body, Error, poll_data};

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
    Zstd,
}

/// A body without its content coding.
pub(crate) struct Decoded {
    decoder: Decoder,
    made: u64,
    caps: Caps,
    is_over: bool,
}

/// The content coding of an answer, if it has one; an error if it is unknown, or one of several.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Coding>, UnknownCoding> {
    let mut found = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.to_str().map_err(|_| UnknownCoding)?;
        for name in value.split(',').map(str::trim) {
            if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                continue;
            }
            let coding = Coding::named(name).ok_or(UnknownCoding)?;
            if found.replace(coding).is_some() {
                return Err(UnknownCoding);
            }
        }
    }
    Ok(found)
}

/// Header fields that are about the bytes of the body.
const ABOUT_BYTES: [HeaderName; 5] = [
    CONTENT_LENGTH,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Makes the header right for a body of other bytes: what is about the bytes goes, the tag is weak.
pub(crate) fn forget_bytes(headers: &mut HeaderMap) {
    for name in &ABOUT_BYTES {
        headers.remove(name);
    }
    if let Some(tag) = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")) {
        match HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
            Ok(weak) => headers.insert(ETAG, weak),
            Err(_) => headers.remove(ETAG),
        };
    }
}

/// A content coding that is not known here, or several at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UnknownCoding;

/// How much may come out.
#[derive(Clone, Copy)]
pub(crate) struct Caps {
    /// At any rate.
    pub(crate) slack: u64,
    /// For each byte that came in, beyond the slack.
    pub(crate) ratio: u64,
    /// In all.
    pub(crate) total: u64,
}

/// Why a body could not be decoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error("malformed content coding")]
    Malformed(#[source] io::Error),
    #[error("the decoded body exceeds its cap")]
    TooLarge,
    #[error("bytes after the end of the coded body")]
    Trailing,
}

/// The largest window a zstd body may ask for, as RFC 9659 has it: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

const PIECE: usize = 16 * 1024;

/// How much of a coded body is kept, besides its last piece, so that decoding can be undone: a coded
/// body that stands for next to nothing must not be kept for ever.
const KEPT: usize = 256 << 10;

const CAPS: Caps = Caps { slack: 1 << 20, ratio: 1_000, total: 4 << 30 };

enum Decoder {
    Brotli(BrotliDecoder<Input>),
    Gzip(GzipDecoder<Input>),
    Zstd(ZstdDecoder<Input>),
}

/// The coded body, as what decoders read from.
struct Input {
    body: Body,
    piece: Bytes,
    /// All that came, while it may be wanted back.
    kept: Option<BytesMut>,
    came: u64,
    is_over: bool,
    /// Why the body broke off; kept here, as decoders know only I/O errors.
    broken: Option<Error>,
}

// === impl Coding ===

impl Coding {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "br" => Some(Coding::Brotli),
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "zstd" => Some(Coding::Zstd),
            _ => None,
        }
    }
}

// === impl Decoded ===

impl Decoded {
    pub(crate) fn new(coding: Coding, body: Body) -> Self {
        Self::with_caps(coding, body, CAPS)
    }

    pub(crate) fn with_caps(coding: Coding, body: Body, caps: Caps) -> Self {
        Self { decoder: Decoder::new(coding, body), made: 0, caps, is_over: false }
    }

    /// Decodes so that it can be [undone](Self::undo) until [`Self::commit`].
    pub(crate) fn undoable(coding: Coding, body: Body, caps: Caps) -> Self {
        let mut decoded = Self::with_caps(coding, body, caps);
        decoded.decoder.input().kept = Some(BytesMut::new());
        decoded
    }

    /// It will not be undone: what came is no longer kept.
    pub(crate) fn commit(&mut self) {
        self.decoder.input().kept = None;
    }

    /// The coded bytes that came so far, and the rest of the coded body.
    pub(crate) fn undo(mut self) -> (Bytes, Body) {
        let input = self.decoder.input();
        (input.kept.take().unwrap_or_default().freeze(), std::mem::take(&mut input.body))
    }

    /// The next piece of what the body stands for.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let result = ready!(self.poll_decode(cx));
        self.is_over = !matches!(result, Ok(Some(_)));
        Poll::Ready(result.transpose())
    }

    fn poll_decode(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = ready!(poll_read_buf(Pin::new(&mut self.decoder), cx, &mut piece));
        let input = self.decoder.input();
        if let Some(error) = input.broken.take() {
            return Poll::Ready(Err(error));
        }
        match read {
            Err(error) => return Poll::Ready(Err(Undecodable::Malformed(error).into())),
            Ok(0) => return input.poll_end(cx).map_ok(|()| None),
            Ok(_) => {}
        }
        self.made += piece.len() as u64;
        let most = self.caps.slack.saturating_add(input.came.saturating_mul(self.caps.ratio));
        if self.made > most.min(self.caps.total) {
            return Poll::Ready(Err(Undecodable::TooLarge.into()));
        }
        Poll::Ready(Ok(Some(piece.freeze())))
    }
}

// === impl Decoder ===

impl Decoder {
    fn new(coding: Coding, body: Body) -> Self {
        let input = Input::new(body);
        match coding {
            Coding::Brotli => Self::Brotli(BrotliDecoder::new(input)),
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(input);
                decoder.multiple_members(true);
                Self::Gzip(decoder)
            }
            Coding::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(input, &window);
                decoder.multiple_members(true);
                Self::Zstd(decoder)
            }
        }
    }

    fn input(&mut self) -> &mut Input {
        match self {
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

impl AsyncRead for Decoder {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Brotli(decoder) => Pin::new(decoder).poll_read(cx, buf),
            Self::Gzip(decoder) => Pin::new(decoder).poll_read(cx, buf),
            Self::Zstd(decoder) => Pin::new(decoder).poll_read(cx, buf),
        }
    }
}

// === impl Input ===

impl Input {
    fn new(body: Body) -> Self {
        let piece = Bytes::new();
        Self { body, piece, kept: None, came: 0, is_over: false, broken: None }
    }

    /// Receives the rest of the body, in which there may be nothing any more.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let rest = ready!(Pin::new(&mut *self).poll_fill_buf(cx)).map(<[u8]>::is_empty);
        Poll::Ready(match (rest, self.broken.take()) {
            (_, Some(error)) => Err(error),
            (Err(error), None) => Err(Undecodable::Malformed(error).into()),
            (Ok(true), None) => Ok(()),
            (Ok(false), None) => Err(Undecodable::Trailing.into()),
        })
    }
}

impl AsyncBufRead for Input {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.piece.is_empty() && !this.is_over {
            match ready!(poll_data(&mut this.body, cx)) {
                Some(Ok(piece)) => {
                    this.came += piece.len() as u64;
                    if let Some(kept) = &mut this.kept {
                        kept.extend_from_slice(&piece);
                        if kept.len() > KEPT + piece.len() {
                            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
                        }
                    }
                    this.piece = piece;
                }
                None => this.is_over = true,
                Some(Err(error)) => {
                    this.is_over = true;
                    this.broken = Some(error);
                    return Poll::Ready(Err(io::ErrorKind::Other.into()));
                }
            }
        }
        Poll::Ready(Ok(&this.piece))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().piece.advance(amount);
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = piece.len().min(buf.remaining());
        buf.put_slice(&piece[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl From<Undecodable> for Error {
    fn from(error: Undecodable) -> Self {
        Error::Made(Box::new(error))
    }
}
