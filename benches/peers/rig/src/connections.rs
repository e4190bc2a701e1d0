//! Connections rather than requests: many that stay idle after one request each, and many that are
//! opened, used once and closed, with full handshakes or resumed sessions.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::{gate, tls};

/// How many connections to keep.
#[derive(clap::Args)]
pub struct IdleOptions {
    /// Proxy under test.
    #[arg(long)]
    to: SocketAddr,
    /// Trust this certificate.
    #[arg(long)]
    ca: PathBuf,
    /// Connections.
    #[arg(long, default_value_t = 5000)]
    count: usize,
    /// HTTP/2 instead of HTTP/1.1.
    #[arg(long)]
    h2: bool,
}

/// How to open connections.
#[derive(clap::Args)]
pub struct HandshakeOptions {
    /// Proxy under test.
    #[arg(long)]
    to: SocketAddr,
    /// Trust this certificate.
    #[arg(long)]
    ca: PathBuf,
    /// For how long.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Connections at a time.
    #[arg(long, default_value_t = 16)]
    parallel: usize,
    /// Resume sessions where the proxy lets us.
    #[arg(long)]
    resume: bool,
}

/// A connection that only has to stay open.
type Open = Box<dyn Send>;

/// Opens all connections, asks once on each, says `ready`, holds them until standard input ends.
pub async fn idle(options: IdleOptions) -> crate::Result<()> {
    let protocol = if options.h2 { "h2" } else { "http/1.1" };
    let connector = tls::connector(&options.ca, protocol, false)?;
    let mut open = Vec::with_capacity(options.count);
    let mut opening = JoinSet::new();
    let mut begun = 0;
    while open.len() < options.count {
        while begun < options.count && opening.len() < 16 {
            opening.spawn(open_one(connector.clone(), options.to, options.h2));
            begun += 1;
        }
        if let Some(done) = opening.join_next().await {
            open.push(done??);
        }
    }
    gate::wait(&format!("{{\"ready\":{}}}", open.len()))?;
    Ok(())
}

async fn open_one(connector: TlsConnector, to: SocketAddr, h2: bool) -> crate::Result<Open> {
    let mut stream = tls::connect(&connector, to).await?;
    if !h2 {
        let request = format!("GET /small HTTP/1.1\r\nHost: {}\r\n\r\n", tls::NAME);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(2048);
        while !answer.ends_with(b"0123456789abcde\n") || answer.len() < 1024 {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("closed while asking".into());
            }
        }
        return Ok(Box::new(stream));
    }
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request =
        Request::get(format!("https://{}/small", tls::NAME)).body(Empty::<Bytes>::new())?;
    sender.send_request(request).await?.into_body().collect().await?;
    Ok(Box::new(sender))
}

/// Opens connections for a time and prints how many, and how many of them resumed a session.
pub async fn handshakes(options: HandshakeOptions) -> crate::Result<()> {
    let resumed = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(options.seconds);
    let mut tasks = JoinSet::new();
    for _ in 0..options.parallel {
        // A session store each: tickets are used once, and a shared store would run dry.
        let connector = tls::connector(&options.ca, "http/1.1", options.resume)?;
        tasks.spawn(again_and_again(connector, options.to, end, resumed.clone()));
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    println!(
        "{{\"connections\":{count},\"resumed\":{},\"seconds\":{:.6}}}",
        resumed.load(Ordering::Relaxed),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn again_and_again(
    connector: TlsConnector,
    to: SocketAddr,
    end: Instant,
    resumed: Arc<AtomicU64>,
) -> crate::Result<u64> {
    let request =
        format!("GET /small HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", tls::NAME);
    let mut count = 0;
    let mut answer = Vec::with_capacity(4096);
    while Instant::now() < end {
        let mut stream = tls::connect(&connector, to).await?;
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        // Some close without TLS's own goodbye; the answer is whole all the same.
        let _ = stream.read_to_end(&mut answer).await;
        if !answer.starts_with(b"HTTP/1.1 200") || !answer.ends_with(b"0123456789abcde\n") {
            return Err("incomplete answer on a fresh connection".into());
        }
        if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
            resumed.fetch_add(1, Ordering::Relaxed);
        }
        count += 1;
    }
    Ok(count)
}
