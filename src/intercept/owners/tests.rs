use std::sync::Mutex;

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use http_body_util::{BodyExt, StreamBody};
use tokio::io::AsyncWriteExt;

use http::header::HeaderName;

use super::*;
use crate::body::Side;
use crate::coding::Caps;
use crate::dav::multistatus::OwnerRule;

const CODINGS: [&str; 4] = ["br", "gzip", "x-gzip", "zstd"];

fn rules() -> Arc<Rules> {
    Arc::new(Rules::new([OwnerRule {
        from: "alice".into(),
        to: "bob".into(),
        display_name: "Bob".into(),
    }]))
}

fn answer(entries: usize) -> String {
    let entry = "<d:response><d:propstat><d:prop><oc:owner-display-name>Alice\
                 </oc:owner-display-name><oc:owner-id>alice</oc:owner-id></d:prop></d:propstat>\
                 </d:response>";
    format!(
        "<d:multistatus xmlns:d=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\">{}</d:multistatus>",
        entry.repeat(entries)
    )
}

fn rewritten(answer: &str) -> String {
    answer.replace("alice", "bob").replace("Alice", "Bob")
}

/// A body that comes in pieces of `size` bytes, and then ends, or breaks off.
fn body(bytes: &[u8], size: usize, breaks: bool) -> Body {
    let pieces = bytes.chunks(size).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))));
    let end = breaks.then_some(Err(Error::Stalled(Side::Upstream)));
    let pieces: Vec<_> = pieces.chain(end).collect();
    Body::made(StreamBody::new(futures_util::stream::iter(pieces)))
}

fn response(fields: &[(&'static str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::builder().status(207);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    if !fields.iter().any(|(name, _)| *name == "content-type") {
        response = response.header("content-type", "application/xml; charset=utf-8");
    }
    response.body(body).unwrap()
}

/// Rewrites, reads all, and says why it failed open.
async fn read(response: Response<Body>) -> (HeaderMap, Result<String, Error>, Vec<Reason>) {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let seen = reasons.clone();
    let response =
        rewrite(response, rules(), false, move |reason| seen.lock().unwrap().push(reason));
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes);
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let reasons = reasons.lock().unwrap().clone();
    (parts.headers, text, reasons)
}

async fn encode(coding: &str, bytes: &[u8]) -> Vec<u8> {
    macro_rules! with {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all(bytes).await.unwrap();
            encoder.shutdown().await.unwrap();
            encoder.into_inner()
        }};
    }
    match coding {
        "br" => with!(BrotliEncoder),
        "gzip" | "x-gzip" => with!(GzipEncoder),
        "zstd" => with!(ZstdEncoder),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn plain_answers_in_any_pieces() {
    let answer = answer(20);
    for size in [1, 7, 1000, 100_000] {
        let (_, text, reasons) = read(response(&[], body(answer.as_bytes(), size, false))).await;
        assert_eq!(text.unwrap(), rewritten(&answer), "pieces of {size}");
        assert_eq!(reasons, []);
    }
    let (_, text, _) = read(response(&[], answer.clone().into())).await;
    assert_eq!(text.unwrap(), rewritten(&answer));
}

#[tokio::test]
async fn encoded_answers_are_decoded() {
    let answer = answer(2_000);
    for coding in CODINGS {
        let encoded = encode(coding, answer.as_bytes()).await;
        for size in [1, 100, 1_000_000] {
            let fields = [("content-encoding", coding)];
            let (headers, text, reasons) =
                read(response(&fields, body(&encoded, size, false))).await;
            assert!(text.unwrap() == rewritten(&answer), "{coding} in pieces of {size}");
            assert_eq!(reasons, []);
            assert_eq!(headers.get(CONTENT_ENCODING), None);
        }
    }
}

#[tokio::test]
async fn encoded_answers_may_have_several_members() {
    let answer = answer(3);
    let (first, second) = answer.as_bytes().split_at(50);
    for coding in ["gzip", "zstd"] {
        let encoded = [encode(coding, first).await, encode(coding, second).await].concat();
        let fields = [("content-encoding", coding)];
        let (_, text, _) = read(response(&fields, body(&encoded, 10, false))).await;
        assert_eq!(text.unwrap(), rewritten(&answer), "{coding}");
    }
}

#[tokio::test]
async fn one_piece_goes_out_for_one_that_comes_in() {
    let answer = answer(500);
    let response = response(&[], body(answer.as_bytes(), 1_000, false));
    let mut body = rewrite(response, rules(), false, |_| {}).into_body();
    let mut pieces = 0;
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        assert!(piece.len() < 1_500, "{} bytes at once", piece.len());
        pieces += 1;
    }
    assert!(pieces > answer.len() / 1_000 - 2, "{pieces} pieces");
}

#[tokio::test]
async fn the_header_fits_the_new_bytes() {
    let fields = [
        ("content-length", "1"),
        ("content-md5", "x"),
        ("digest", "x"),
        ("content-digest", "x"),
        ("repr-digest", "x"),
        ("etag", "\"x\""),
        ("dav", "1"),
    ];
    let (headers, ..) = read(response(&fields, answer(1).into())).await;
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-type", "dav", "etag"]);
    assert_eq!(headers["etag"], "W/\"x\"");
    let (headers, ..) = read(response(&[("etag", "W/\"x\"")], answer(1).into())).await;
    assert_eq!(headers["etag"], "W/\"x\"");
}

#[tokio::test]
async fn the_rest_passes_as_it_is() {
    let answer = answer(2);
    for (name, value, expected) in [
        ("content-type", "text/html", Some(Reason::ContentType)),
        ("content-type", "", Some(Reason::ContentType)),
        ("content-type", "text/xml; charset=iso-8859-1", Some(Reason::Charset)),
        ("content-encoding", "deflate", Some(Reason::ContentEncoding)),
        ("content-encoding", "gzip, br", Some(Reason::ContentEncoding)),
        ("content-type", "TEXT/XML;charset=\"UTF-8\"", None),
        ("content-type", "application/dav+xml", None),
        ("content-encoding", "identity", None),
    ] {
        let fields = [(name, value), ("content-length", "7")];
        let (headers, text, reasons) = read(response(&fields, answer.clone().into())).await;
        let untouched = expected.is_some();
        assert_eq!(reasons, Vec::from_iter(expected), "{name}: {value}");
        assert_eq!(text.unwrap() == answer, untouched, "{name}: {value}");
        assert_eq!(headers.contains_key("content-length"), untouched, "{name}: {value}");
    }
    for status in [200, 206, 404] {
        let mut response = response(&[("content-length", "7")], answer.clone().into());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let (headers, text, reasons) = read(response).await;
        assert_eq!((text.unwrap(), reasons), (answer.clone(), vec![]));
        assert!(headers.contains_key("content-length"));
    }
    let (headers, text, reasons) =
        read(response(&[("content-encoding", "gzip")], Body::Empty)).await;
    assert_eq!((text.unwrap(), reasons), (String::new(), vec![]));
    assert!(headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_document_that_cannot_be_understood_is_told_once() {
    let broken = answer(2).replacen("</d:prop>", "", 1);
    for size in [1, 64, 10_000] {
        let (_, text, reasons) = read(response(&[], body(broken.as_bytes(), size, false))).await;
        assert_eq!(reasons, [Reason::Document(multistatus::Reason::Malformed)]);
        let first = rewritten(&broken[..broken.find("</d:propstat>").unwrap()]);
        let rest = &broken[broken.find("</d:propstat>").unwrap()..];
        assert_eq!(text.unwrap(), first + rest);
    }
    let cut = &answer(1)[..150];
    let (_, text, reasons) = read(response(&[], body(cut.as_bytes(), 64, false))).await;
    assert_eq!(reasons, [Reason::Document(multistatus::Reason::Truncated)]);
    assert_eq!(text.unwrap(), cut);
}

#[tokio::test]
async fn what_breaks_off_never_ends_cleanly() {
    let answer = answer(200);
    let breaks = |error: Error| matches!(error, Error::Stalled(Side::Upstream));
    let (_, text, reasons) = read(response(&[], body(answer.as_bytes(), 100, true))).await;
    assert!(breaks(text.unwrap_err()));
    assert_eq!(reasons, []);
    for coding in CODINGS {
        let encoded = encode(coding, answer.as_bytes()).await;
        let fields = [("content-encoding", coding)];
        for end in [0, 1, 5, encoded.len() / 2, encoded.len() - 1, encoded.len()] {
            let (_, text, _) = read(response(&fields, body(&encoded[..end], 40, true))).await;
            assert!(breaks(text.unwrap_err()), "{coding} after {end} bytes");
            if end > 0 && end < encoded.len() {
                let (_, text, _) = read(response(&fields, body(&encoded[..end], 40, false))).await;
                let error = text.unwrap_err();
                assert!(matches!(error, Error::Made(_)), "{coding}: end after {end}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn malformed_codings_end_with_an_error() {
    let answer = answer(2);
    for coding in CODINGS {
        let fields = [("content-encoding", coding)];
        let (_, text, _) = read(response(&fields, body(answer.as_bytes(), 50, false))).await;
        assert!(matches!(text.unwrap_err(), Error::Made(_)), "{coding}: not encoded");
        let mut trailing = encode(coding, answer.as_bytes()).await;
        trailing.extend_from_slice(b"trailing bytes");
        let (_, text, _) = read(response(&fields, body(&trailing, 50, false))).await;
        assert!(matches!(text.unwrap_err(), Error::Made(_)), "{coding}: trailing bytes");
    }
}

#[tokio::test]
async fn bombs_are_cut_off() {
    let zeros = vec![b' '; 8 << 20];
    let caps = |slack, ratio, total| Caps { slack, ratio, total };
    for (coding, name) in [(Coding::Brotli, "br"), (Coding::Gzip, "gzip"), (Coding::Zstd, "zstd")] {
        let bomb = encode(name, &zeros).await;
        for caps in [caps(1 << 20, 500, u64::MAX), caps(u64::MAX, 1, 1 << 20)] {
            let mut decoded = Decoded::with_caps(coding, body(&bomb, 1_000, false), caps);
            let mut made = 0;
            let error = loop {
                match std::future::poll_fn(|cx| decoded.poll_piece(cx)).await {
                    Some(Ok(piece)) => made += piece.len(),
                    Some(Err(error)) => break error,
                    None => panic!("{name}: decoded to the end"),
                }
            };
            assert!(matches!(error, Error::Made(_)));
            assert!(made <= 5 << 20, "{name}: {made} bytes");
        }
        let wide = caps(1 << 20, 1_000_000, u64::MAX);
        let mut decoded = Decoded::with_caps(coding, body(&bomb, 1_000, false), wide);
        let mut made = 0;
        while let Some(piece) = std::future::poll_fn(|cx| decoded.poll_piece(cx)).await {
            made += piece.unwrap().len();
        }
        assert_eq!(made, zeros.len(), "{name}");
    }
}

/// What gzip stands for, as far as it came.
async fn decode(bytes: &[u8]) -> (String, bool) {
    use async_compression::tokio::write::GzipDecoder;
    let mut decoder = GzipDecoder::new(Vec::new());
    let written = decoder.write_all(bytes).await.is_ok() && decoder.flush().await.is_ok();
    let whole = written && decoder.shutdown().await.is_ok();
    (String::from_utf8_lossy(decoder.get_ref()).into_owned(), whole)
}

#[tokio::test]
async fn a_client_that_accepts_it_gets_gzip() {
    let answer = answer(2_000);
    for size in [100, 10_000, 1_000_000] {
        let fields = [("content-length", "260000"), ("vary", "Brief,Prefer"), ("etag", "\"x\"")];
        let response = response(&fields, body(answer.as_bytes(), size, false));
        let (parts, body) = rewrite(response, rules(), true, |_| {}).into_parts();
        assert_eq!(parts.headers["content-encoding"], "gzip");
        assert_eq!(parts.headers["etag"], "W/\"x\"");
        assert!(!parts.headers.contains_key("content-length"));
        let vary: Vec<_> = parts.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["Brief,Prefer", "Accept-Encoding"]);
        let bytes = body.collect().await.unwrap().to_bytes();
        assert!(bytes.len() < answer.len() / 10, "{} bytes", bytes.len());
        assert!(decode(&bytes).await == (rewritten(&answer), true), "pieces of {size}");
    }
}

#[tokio::test]
async fn what_came_is_sent_on_before_the_rest_is_waited_for() {
    let answer = answer(10);
    let (first, second) = answer.split_at(answer.len() / 2);
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<String>();
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((Ok(Frame::data(Bytes::from(piece))), receiver))
    });
    let response = response(&[], Body::made(StreamBody::new(Box::pin(pieces))));
    let mut body = rewrite(response, rules(), true, |_| {}).into_body();
    let mut seen = Vec::new();
    sender.send(first.to_owned()).unwrap();
    // Gzip's header may come by itself.
    while decode(&seen).await.0.is_empty() {
        seen.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    assert!(rewritten(&answer).starts_with(&decode(&seen).await.0));
    sender.send(second.to_owned()).unwrap();
    drop(sender);
    seen.extend(body.collect().await.unwrap().to_bytes());
    assert_eq!(decode(&seen).await, (rewritten(&answer), true));
}

#[tokio::test]
async fn gzip_of_what_breaks_off_has_no_end() {
    let answer = answer(200);
    let response = response(&[], body(answer.as_bytes(), 1_000, true));
    let mut body = rewrite(response, rules(), true, |_| {}).into_body();
    let mut seen = Vec::new();
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => seen.extend(frame.into_data().unwrap()),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Stalled(Side::Upstream)));
    assert!(!decode(&seen).await.1);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn what_passes_as_it_is_is_not_compressed() {
    let answer = answer(50);
    for (name, value) in [("content-type", "text/html"), ("content-length", "500")] {
        let response = response(&[(name, value)], answer.clone().into());
        let response = rewrite(response, rules(), true, |_| {});
        assert!(!response.headers().contains_key("content-encoding"), "{name}");
    }
}
