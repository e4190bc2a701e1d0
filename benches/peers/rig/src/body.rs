//! Large bodies, down and up, over HTTP/1.1 (plain or TLS) and HTTP/2 (TLS), at full speed or paced.
//!
//! Every byte is counted: a download by the reader, an upload by the origin, whose answer is the count.
//! A count that differs is an error.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::tls;

const PART: usize = 128 << 10;
static ZEROS: [u8; PART] = [0; PART];

/// Which bodies go where.
#[derive(clap::Args)]
pub struct Options {
    /// Proxy under test.
    #[arg(long)]
    to: SocketAddr,
    /// Upload instead of download.
    #[arg(long)]
    put: bool,
    /// Path; downloads get the size appended.
    #[arg(long, default_value = "/big/")]
    path: String,
    /// Size of each body in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Bodies at a time, each on its own connection.
    #[arg(long, default_value_t = 1)]
    parallel: usize,
    /// Pace of each upload in MiB/s; 0: as fast as it goes.
    #[arg(long, default_value_t = 0)]
    pace: u64,
    /// Use TLS and trust this certificate.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Use HTTP/2 (with TLS).
    #[arg(long)]
    h2: bool,
}

/// Carries all bodies at once and prints the bytes and the seconds.
pub async fn run(options: Options) -> crate::Result<()> {
    let start = Instant::now();
    let all = (0..options.parallel).map(|_| one(&options));
    futures_util::future::try_join_all(all).await?;
    let bytes = (options.mib << 20) * options.parallel as u64;
    println!("{{\"bytes\":{bytes},\"seconds\":{:.6}}}", start.elapsed().as_secs_f64());
    Ok(())
}

async fn one(options: &Options) -> crate::Result<()> {
    let Some(ca) = &options.ca else {
        let socket = TcpStream::connect(options.to).await?;
        socket.set_nodelay(true)?;
        return http1(socket, options).await;
    };
    let protocol = if options.h2 { "h2" } else { "http/1.1" };
    let stream = tls::connect(&tls::connector(ca, protocol, false)?, options.to).await?;
    if options.h2 { http2(stream, options).await } else { http1(stream, options).await }
}

fn path(options: &Options) -> String {
    format!("{}{}", options.path, options.mib << 20)
}

async fn http1<S>(mut stream: S, options: &Options) -> crate::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes = options.mib << 20;
    let method = if options.put { "PUT" } else { "GET" };
    let length = if options.put { format!("Content-Length: {bytes}\r\n") } else { String::new() };
    let path = path(options);
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{length}\r\n", tls::NAME);
    stream.write_all(head.as_bytes()).await?;
    let mut left = if options.put { bytes } else { 0 };
    let mut pace = Pace::new(options.pace);
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(PART).min(PART);
        pace.wait(part).await;
        stream.write_all(&ZEROS[..part]).await?;
        left -= part as u64;
    }
    stream.flush().await?;
    let (head, mut body) = read_head(&mut stream).await?;
    if options.put {
        while body.len() < content_length(&head)? {
            if stream.read_buf(&mut body).await? == 0 {
                break;
            }
        }
        return expect(std::str::from_utf8(&body)?, bytes);
    }
    let mut count = body.len() as u64;
    let mut buffer = vec![0; 256 << 10];
    while count < bytes {
        match stream.read(&mut buffer).await? {
            0 => break,
            n => count += n as u64,
        }
    }
    expect(&count.to_string(), bytes)
}

/// The head as text and what came behind it.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> crate::Result<(String, Vec<u8>)> {
    let mut buffer = Vec::with_capacity(64 << 10);
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = buffer.split_off(end + 4);
            let head = String::from_utf8(buffer)?.to_ascii_lowercase();
            if !head.starts_with("http/1.1 20") {
                return Err(format!("refused: {head}").into());
            }
            return Ok((head, body));
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err("connection closed before an answer".into());
        }
    }
}

fn content_length(head: &str) -> crate::Result<usize> {
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    Ok(value.ok_or("answer without a length")?.trim().parse()?)
}

fn expect(seen: &str, bytes: u64) -> crate::Result<()> {
    if seen == bytes.to_string() {
        return Ok(());
    }
    Err(format!("{bytes} bytes were due, {seen} arrived").into())
}

async fn http2<S>(stream: S, options: &Options) -> crate::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(16 << 20)
        .initial_connection_window_size(32 << 20)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);
    let bytes = options.mib << 20;
    let mut request = Request::builder().uri(format!("https://{}{}", tls::NAME, path(options)));
    if options.put {
        request = request.method(Method::PUT).header("content-length", bytes);
    }
    let body = Zeros { left: if options.put { bytes } else { 0 } };
    let response = sender.send_request(request.body(body)?).await?;
    if !response.status().is_success() {
        return Err(format!("refused: {}", response.status()).into());
    }
    let mut body = response.into_body();
    if options.put {
        let answer = body.collect().await?.to_bytes();
        return expect(std::str::from_utf8(&answer)?, bytes);
    }
    let mut count = 0;
    while let Some(frame) = body.frame().await {
        count += frame?.data_ref().map_or(0, Bytes::len) as u64;
    }
    expect(&count.to_string(), bytes)
}

/// A body of zeros.
struct Zeros {
    left: u64,
}

impl http_body::Body for Zeros {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let part = usize::try_from(self.left).unwrap_or(PART).min(PART);
        self.left -= part as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS[..part])))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.left)
    }
}

/// Keeps a sender from being faster than it should.
struct Pace {
    next: Instant,
    per_kib: Duration,
}

impl Pace {
    fn new(mib_per_second: u64) -> Self {
        let nanos = 1_000_000_000_u64.checked_div(mib_per_second).unwrap_or(0);
        Self { next: Instant::now(), per_kib: Duration::from_nanos(nanos) / (1 << 10) }
    }

    /// Waits until `bytes` more may go.
    async fn wait(&mut self, bytes: usize) {
        if self.per_kib.is_zero() {
            return;
        }
        tokio::time::sleep_until(self.next.into()).await;
        self.next += self.per_kib * u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
    }
}
