//! Any page: cut anywhere it comes out the same; what comes out is what came in, with at most one tag
//! in it, right before a script; twice is once.

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use passeur::body::Body;
use passeur::tours::inject::splice;

const TAG: &str = "<script data-passeur-tours=\"1\"></script>";

/// Panics if that is not so.
pub fn check(input: &[u8]) {
    let whole = through(input, usize::MAX);
    for size in [1, 2, 7, 61, 4_096] {
        if size > 2 || input.len() <= 4_096 {
            assert!(through(input, size) == whole, "in pieces of {size}");
        }
    }
    if whole != input {
        let at = input.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        // The tag may begin with what stands behind it.
        let at = (at.saturating_sub(TAG.len())..=at).find(|&at| {
            whole[at..].starts_with(TAG.as_bytes()) && whole[at + TAG.len()..] == input[at..]
        });
        let at = at.expect("the page with a tag in it");
        assert!(input[at..].to_ascii_lowercase().starts_with(b"<script"), "not before a script");
        assert!(at < 64 << 10, "far into the page");
    }
    assert!(through(&whole, usize::MAX) == whole, "twice is not once");
    for coding in ["gzip", "br", "zstd"] {
        // As a coded body, which it hardly ever is: then it passes as it came.
        let _out = read(splice(Body::from(Bytes::copy_from_slice(input)), Some(coding), TAG));
    }
}

fn through(input: &[u8], size: usize) -> Vec<u8> {
    let size = size.min(input.len()).max(1);
    let pieces: Vec<_> = input
        .chunks(size)
        .map(|piece| Ok(http_body::Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    let body = Body::made(http_body_util::StreamBody::new(futures_util::stream::iter(pieces)));
    read(splice(body, None, TAG)).expect("a body that does not break off")
}

fn read(body: impl Future<Output = Body>) -> Option<Vec<u8>> {
    let reading = async { body.await.collect().await.ok().map(|all| all.to_bytes().to_vec()) };
    reading.now_or_never().expect("nothing waits")
}
