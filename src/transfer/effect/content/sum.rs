//! Checksums: of bodies as they pass, and of bytes that are at hand.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::body::{self, Body};

/// The SHA-256 of what went through a body so far.
#[derive(Clone, Default)]
pub(super) struct Sum(Arc<Mutex<Sha256>>);

struct Summed {
    inner: Body,
    sum: Sum,
}

impl Sum {
    /// A body whose bytes are summed up as they pass.
    pub fn over(&self, inner: Body) -> Body {
        Body::upload(Summed { inner, sum: self.clone() })
    }

    /// Hexadecimal.
    pub fn hex(&self) -> String {
        hex(&self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize())
    }

    pub fn update(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
    }
}

impl http_body::Body for Summed {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(Some(data))) = frame.as_ref().map(|f| f.as_ref().map(Frame::data_ref)) {
            self.sum.update(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// Which of the checksums that an instance keeps of a file (`SHA1:… MD5:…`) holds for these bytes:
/// clients send it, and nobody may ever have looked.
pub(super) fn that_holds<'a>(known: &'a str, bytes: &[u8]) -> Option<&'a str> {
    known.split(' ').find(|one| {
        let Some((kind, sum)) = one.split_once(':') else { return false };
        let is = match kind.to_ascii_uppercase().as_str() {
            "SHA256" => hex(&Sha256::digest(bytes)),
            "SHA1" => hex(&Sha1::digest(bytes)),
            "MD5" => hex(&Md5::digest(bytes)),
            _ => return false,
        };
        sum.eq_ignore_ascii_case(&is)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_believed_if_it_holds() {
        let known = "SHA1:AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D MD5:00 CRC:1";
        assert_eq!(that_holds(known, b"hello"), known.split(' ').next());
        assert_eq!(that_holds(known, b"hallo"), None);
        assert_eq!(that_holds("", b""), None);
    }

    #[tokio::test]
    async fn bytes_are_summed_as_they_pass() {
        use http_body_util::BodyExt as _;
        let sum = Sum::default();
        let body = sum.over(Body::from(Bytes::from_static(b"hello")));
        assert_eq!(body.collect().await.ok().map(|all| all.to_bytes().len()), Some(5));
        assert_eq!(sum.hex(), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    }
}
