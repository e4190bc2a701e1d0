//! Compresses a rewritten body as it streams, for clients that accept it.
//!
//! The origin was asked for a plain answer, and a listing of a large folder is ten times as long
//! that way. Only gzip: every client that accepts anything accepts it.
//!
//! Invariant: what came is sent on before anybody waits for more of it, and a body that breaks off
//! never gets gzip's end, so that nobody takes a part for the whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::Level;
use async_compression::tokio::write::GzipEncoder;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame};
use tokio::io::AsyncWrite;

use crate::body::Error;

/// What is shorter gains nothing.
const SHORTEST: u64 = 1024;

/// Whether a client takes gzip (RFC 9110, section 12.5.3).
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix(['q', 'Q']).map(str::trim_start);
        let weight = weight.and_then(|weight| weight.strip_prefix('=')?.trim().parse::<f32>().ok());
        let wanted = weight.is_none_or(|weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") => return wanted,
            name if name.eq_ignore_ascii_case("x-gzip") => return wanted,
            "*" => any = wanted,
            _ => {}
        }
    }
    any
}

/// Whether an answer with these fields is worth it, and may be changed.
pub(super) fn is_worthwhile(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let fixed = headers.get_all(CACHE_CONTROL).iter().any(|value| {
        value.to_str().unwrap_or_default().to_ascii_lowercase().contains("no-transform")
    });
    length.is_none_or(|length: u64| length >= SHORTEST) && !fixed
}

/// A body in gzip.
pub(super) struct Encoded<B> {
    body: B,
    encoder: GzipEncoder<Vec<u8>>,
    state: State,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    /// Everything that came was sent on.
    Flushed,
    /// The encoder holds something back.
    Holds,
    Over,
}

impl<B> Encoded<B> {
    pub(super) fn new(body: B) -> Self {
        let encoder = GzipEncoder::with_quality(Vec::new(), Level::Fastest);
        Self { body, encoder, state: State::Flushed }
    }

    /// What the encoder has made, if anything.
    fn made(&mut self) -> Option<Bytes> {
        let made = std::mem::take(self.encoder.get_mut());
        (!made.is_empty()).then(|| made.into())
    }

    /// The encoder writes to memory: it is never pending.
    fn poll_write(&mut self, cx: &mut Context<'_>, mut piece: BytesMut) -> Poll<io::Result<()>> {
        while !piece.is_empty() {
            let count = ready!(Pin::new(&mut self.encoder).poll_write(cx, &piece))?;
            let _written = piece.split_to(count);
        }
        self.state = State::Holds;
        Poll::Ready(Ok(()))
    }
}

impl<B> HttpBody for Encoded<B>
where
    B: HttpBody<Data = Bytes, Error = Error> + Unpin,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        while this.state != State::Over {
            let written = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending if this.state == State::Flushed => return Poll::Pending,
                Poll::Pending => {
                    this.state = State::Flushed;
                    ready!(Pin::new(&mut this.encoder).poll_flush(cx))
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) => ready!(this.poll_write(cx, piece.into())),
                    Err(_trailers) => Ok(()),
                },
                Poll::Ready(Some(Err(error))) => {
                    this.state = State::Over;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => {
                    this.state = State::Over;
                    ready!(Pin::new(&mut this.encoder).poll_shutdown(cx))
                }
            };
            if let Err(error) = written {
                this.state = State::Over;
                return Poll::Ready(Some(Err(Error::Made(error.into()))));
            }
            if let Some(made) = this.made() {
                return Poll::Ready(Some(Ok(Frame::data(made))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_accepts_gzip() {
        for (value, accepts) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, x-gzip", true),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", true),
            ("gzip ; q = 0.5", true),
            ("*", true),
            ("", false),
            ("identity", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("gzipped", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepts_gzip(&headers), accepts, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_is_worthwhile() {
        let fields = |fields: &[(&'static str, &str)]| -> HeaderMap {
            let parsed = fields
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            parsed.collect()
        };
        assert!(is_worthwhile(&fields(&[])));
        assert!(is_worthwhile(&fields(&[("content-length", "5000")])));
        assert!(!is_worthwhile(&fields(&[("content-length", "500")])));
        assert!(!is_worthwhile(&fields(&[("cache-control", "private, No-Transform")])));
    }
}
