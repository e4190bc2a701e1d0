//! WebSockets: many stay open, and each sends a small frame and waits for its echo, again and again.
//!
//! Frames are not read by the origin, which sends back the bytes it gets: proxies pass bytes on, and
//! the work on frames would only be the rig's own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{gate, tls};

/// The key of RFC 6455's example.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What a server answers to [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How many sockets, for how long.
#[derive(clap::Args)]
pub struct Options {
    /// Proxy under test.
    #[arg(long)]
    to: SocketAddr,
    /// Sockets.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// For how long they echo.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// Opens the sockets, says `ready`, echoes for a time, prints the number of echoes, and holds the
/// sockets until standard input ends.
pub async fn run(options: Options) -> crate::Result<()> {
    let mut sockets = Vec::with_capacity(options.count);
    for _ in 0..options.count {
        sockets.push(upgrade(options.to).await?);
    }
    gate::wait(&format!("{{\"ready\":{}}}", sockets.len()))?;
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(options.seconds);
    let mut tasks: JoinSet<_> = sockets.into_iter().map(|socket| echo(socket, end)).collect();
    let (mut echoes, mut open) = (0, Vec::with_capacity(options.count));
    while let Some(done) = tasks.join_next().await {
        let (socket, count) = done??;
        echoes += count;
        open.push(socket);
    }
    let seconds = start.elapsed().as_secs_f64();
    gate::wait(&format!("{{\"echoes\":{echoes},\"seconds\":{seconds:.6}}}"))?;
    drop(open);
    Ok(())
}

async fn upgrade(to: SocketAddr) -> crate::Result<TcpStream> {
    let mut socket = TcpStream::connect(to).await?;
    socket.set_nodelay(true)?;
    let request = format!(
        "GET /push/ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
        tls::NAME
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    while !answer.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    if !answer.starts_with(b"HTTP/1.1 101") {
        return Err(format!("no upgrade: {}", String::from_utf8_lossy(&answer)).into());
    }
    Ok(socket)
}

async fn echo(mut socket: TcpStream, end: Instant) -> crate::Result<(TcpStream, u64)> {
    // A masked binary frame with 64 bytes.
    let mut frame = vec![0x82, 0x80 | 64, 1, 2, 3, 4];
    frame.resize(6 + 64, 0x55);
    let mut answer = vec![0; frame.len()];
    let mut count = 0;
    while Instant::now() < end {
        socket.write_all(&frame).await?;
        socket.read_exact(&mut answer).await?;
        if answer != frame {
            return Err("echo differs".into());
        }
        count += 1;
    }
    Ok((socket, count))
}
