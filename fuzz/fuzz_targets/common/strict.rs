//! Whatever a client sends: hyper behind the strict reader sees only requests that a plain reading
//! of the bytes by the strict rules finds too, in order and with the same bodies, at any split.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use passeur::listen::strict::{Gate, Strict};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const HEAD_BYTES: usize = 8 << 10;

/// Method and body.
type Seen = Vec<(String, Vec<u8>)>;

/// The first byte says in which pieces the rest arrives.
pub fn check(input: &[u8]) {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let expected = plain_reading(bytes);
    let whole = through_hyper(bytes, bytes.len().max(1));
    let split = through_hyper(bytes, usize::from(piece) + 1);
    for seen in [&whole, &split] {
        // hyper may refuse more (bad names, say), and then reads no further.
        let same = expected.get(..seen.len());
        assert_eq!(same, Some(&seen[..]), "of {:?}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(whole, split, "of {:?}", String::from_utf8_lossy(bytes));
}

/// How many requests there are.
#[expect(clippy::allow_attributes, reason = "whether it is dead depends on who includes this file")]
#[allow(dead_code, reason = "the fuzzer does not ask")]
pub fn count(bytes: &[u8]) -> usize {
    through_hyper(bytes, bytes.len().max(1)).len()
}

/// Serves the bytes until nothing happens any more.
fn through_hyper(bytes: &[u8], piece: usize) -> Seen {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| {
        // Timers are made, but never fire.
        let _inside = runtime.enter();
        let seen = Rc::new(RefCell::new(Seen::new()));
        let strict = Strict::new(Pieces { bytes: bytes.to_vec(), at: 0, piece }, HEAD_BYTES);
        let gate = strict.gate();
        let service = hyper::service::service_fn(|request| serve(request, &seen, &gate));
        let connection = hyper::server::conn::http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(strict), service);
        let mut connection = pin!(connection);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        while woken.0.swap(false, Ordering::Relaxed) {
            if connection.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                break;
            }
        }
        seen.take()
    })
}

async fn serve(
    request: Request<Incoming>,
    seen: &RefCell<Seen>,
    gate: &Gate,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let method = request.method().to_string();
    let version_1_1 = request.version() == hyper::Version::HTTP_11;
    if method == "CONNECT" || version_1_1 && request.headers().contains_key("upgrade") {
        gate.answered(false);
    }
    let body = request.into_body().collect().await?.to_bytes();
    seen.borrow_mut().push((method, body.to_vec()));
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    Ok(response)
}

/// A client that sends in pieces, then nothing, and reads everything.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let left = &this.bytes[this.at..];
        let count = left.len().min(this.piece).min(buf.remaining());
        if count == 0 {
            return Poll::Pending;
        }
        buf.put_slice(&left[..count]);
        this.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The requests in some bytes, up to the first that is incomplete or breaks a rule: the same rules
/// as the strict reader's, written down once more in the simplest way.
fn plain_reading(bytes: &[u8]) -> Seen {
    let mut seen = Seen::new();
    let mut rest = bytes;
    while let Some(request) = plain_request(&mut rest) {
        seen.push(request);
    }
    seen
}

fn plain_request(rest: &mut &[u8]) -> Option<(String, Vec<u8>)> {
    let mut first = line(rest)?;
    for _ in 0..2 {
        if first.is_empty() {
            first = line(rest)?;
        }
    }
    let first = String::from_utf8(first.to_vec()).ok()?;
    let parts: Vec<&str> = first.split(' ').collect();
    let [method, target, version] = parts[..] else { return None };
    if target.contains('#') || !target.is_ascii() || !["HTTP/1.0", "HTTP/1.1"].contains(&version) {
        return None;
    }
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    loop {
        let field = line(rest)?;
        if field.is_empty() {
            break;
        }
        let colon = field.iter().position(|&byte| byte == b':')?;
        let name = String::from_utf8(field[..colon].to_ascii_lowercase()).ok()?;
        let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
        let mut value = &field[colon + 1..];
        while value.first().is_some_and(blank) {
            value = &value[1..];
        }
        while value.last().is_some_and(blank) {
            value = &value[..value.len() - 1];
        }
        fields.push((name, value.to_vec()));
    }
    let all = |name: &str| -> Vec<&[u8]> {
        fields.iter().filter(|(other, _)| other == name).map(|(_, value)| &value[..]).collect()
    };
    let hosts = all("host").len();
    if hosts > 1 || hosts == 0 && version == "HTTP/1.1" {
        return None;
    }
    let body = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Vec::new(),
        ([], [encoding]) if version == "HTTP/1.1" && encoding.eq_ignore_ascii_case(b"chunked") => {
            chunked(rest)?
        }
        ([length, others @ ..], []) => {
            let number = |text: &[u8]| -> Option<u64> {
                let digits = text.iter().all(u8::is_ascii_digit);
                std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
            };
            let length = number(length)?;
            if others.iter().any(|other| number(other) != Some(length)) {
                return None;
            }
            take(rest, usize::try_from(length).ok()?)?.to_vec()
        }
        _ => return None,
    };
    Some((method.to_owned(), body))
}

fn chunked(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let digits = line(rest)?.split(|&byte| byte == b';').next()?;
        let digits = std::str::from_utf8(digits).ok()?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::from_str_radix(digits, 16).ok()?;
        if size == 0 {
            break;
        }
        body.extend_from_slice(take(rest, size)?);
        if !line(rest)?.is_empty() {
            return None;
        }
    }
    while !line(rest)?.is_empty() {}
    Some(body)
}

/// A line that ends as it should.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    let line = rest[..end].strip_suffix(b"\r")?;
    *rest = &rest[end + 1..];
    Some(line)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let taken = rest.get(..count)?;
    *rest = &rest[count..];
    Some(taken)
}
