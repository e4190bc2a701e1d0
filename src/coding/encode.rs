//! Encodes a body as it streams, and says who wants that.
//!
//! Invariant: what came is sent on before anybody waits for more of it, and a body that breaks off
//! never gets the end of its coding, so that nobody takes a part for the whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::Level;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::Coding;
use crate::body::Error;

/// What is shorter gains nothing.
const SHORTEST: u64 = 1024;

/// Whether a client takes a coding (RFC 9110, section 12.5.3).
pub(crate) fn accepts(headers: &HeaderMap, wanted: Coding) -> bool {
    let mut any = false;
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix(['q', 'Q']).map(str::trim_start);
        let weight = weight.and_then(|weight| weight.strip_prefix('=')?.trim().parse::<f32>().ok());
        let is_taken = weight.is_none_or(|weight| weight > 0.0);
        match name.trim() {
            "*" => any = is_taken,
            name if Coding::named(name) == Some(wanted) => return is_taken,
            _ => {}
        }
    }
    any
}

/// Whether an answer with these fields is worth encoding, and may be changed.
pub(crate) fn is_worthwhile(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let fixed = headers.get_all(CACHE_CONTROL).iter().any(|value| {
        value.to_str().unwrap_or_default().to_ascii_lowercase().contains("no-transform")
    });
    length.is_none_or(|length: u64| length >= SHORTEST) && !fixed
}

/// Encodes what is there as a whole.
///
/// # Errors
/// If the encoder fails.
pub(crate) fn whole(coding: Coding, level: Level, bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = encoder(coding, level);
    let writing = async {
        encoder.write_all(bytes).await?;
        encoder.shutdown().await
    };
    // Into memory, which never waits.
    writing.now_or_never().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))?;
    Ok(std::mem::take(encoder.made()).into())
}

/// A body with a content coding.
pub(crate) struct Encoded<B> {
    body: B,
    encoder: Box<dyn Encoder>,
    state: State,
}

/// An encoder that writes to memory: it is never pending.
trait Encoder: AsyncWrite + Send + Unpin {
    /// What it has made.
    fn made(&mut self) -> &mut Vec<u8>;
}

fn encoder(coding: Coding, level: Level) -> Box<dyn Encoder> {
    match coding {
        Coding::Brotli => Box::new(BrotliEncoder::with_quality(Vec::new(), level)),
        Coding::Gzip => Box::new(GzipEncoder::with_quality(Vec::new(), level)),
        Coding::Zstd => Box::new(ZstdEncoder::with_quality(Vec::new(), level)),
    }
}

impl Encoder for BrotliEncoder<Vec<u8>> {
    fn made(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Encoder for GzipEncoder<Vec<u8>> {
    fn made(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Encoder for ZstdEncoder<Vec<u8>> {
    fn made(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
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
    pub(crate) fn new(coding: Coding, level: Level, body: B) -> Self {
        Self { body, encoder: encoder(coding, level), state: State::Flushed }
    }

    fn made(&mut self) -> Option<Bytes> {
        let made = std::mem::take(self.encoder.made());
        (!made.is_empty()).then(|| made.into())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, mut piece: BytesMut) -> Poll<io::Result<()>> {
        while !piece.is_empty() {
            let count = ready!(Pin::new(&mut *self.encoder).poll_write(cx, &piece))?;
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
                    ready!(Pin::new(&mut *this.encoder).poll_flush(cx))
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
                    ready!(Pin::new(&mut *this.encoder).poll_shutdown(cx))
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
        for (value, is_taken) in [
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
            assert_eq!(accepts(&headers, Coding::Gzip), is_taken, "{value}");
        }
        assert!(!accepts(&HeaderMap::new(), Coding::Gzip));
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
