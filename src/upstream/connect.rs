//! Opens a connection to a target and starts HTTP on it.
//!
//! The connection's task runs on the worker that opened it. A connection that breaks ends its
//! task; senders notice by `is_closed`.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpStream, UnixStream};

use super::Error;
use super::pool::{Sender, Slot};
use crate::config::checked::{Target, TargetAddress};
use crate::tls::ClientTls;

/// Read buffer limit of a connection: bodies pass in pieces of at most this size. A client that reads
/// slowly makes us hold a few of them, so this is what a slow reader costs.
const BUFFER: usize = 64 << 10;
/// Receive window of an HTTP/2 stream and connection from an origin, which is near.
const H2_WINDOW: u32 = 2 << 20;

/// Opens connections to one target.
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) tls: Option<ClientTls>,
    pub(super) timeout: Duration,
    /// Whether names may only mean machines elsewhere.
    pub(super) elsewhere: bool,
}

impl Connector {
    /// A ready sender; `slot` is held by the connection as long as it is open.
    pub(super) async fn open(&self, slot: Slot) -> Result<Sender, Error> {
        tokio::time::timeout(self.timeout, self.open_now(slot))
            .await
            .unwrap_or(Err(Error::ConnectTimeout))
    }

    async fn open_now(&self, slot: Slot) -> Result<Sender, Error> {
        match &self.target.address {
            TargetAddress::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(Error::Connect)?;
                self.start(TokioIo::new(stream), slot).await
            }
            TargetAddress::Tcp { host, port } => {
                let tcp = match self.elsewhere {
                    false => TcpStream::connect((host.as_str(), *port)).await,
                    true => connect_elsewhere(host, *port).await,
                };
                let tcp = tcp.map_err(Error::Connect)?;
                tcp.set_nodelay(true).map_err(Error::Connect)?;
                match &self.tls {
                    None => self.start(TokioIo::new(tcp), slot).await,
                    Some(tls) => {
                        let stream = tls.connect(host, tcp).await.map_err(Error::Connect)?;
                        self.start(TokioIo::new(stream), slot).await
                    }
                }
            }
        }
    }

    async fn start<I>(&self, io: I, slot: Slot) -> Result<Sender, Error>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        if self.target.http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .initial_stream_window_size(H2_WINDOW)
                .initial_connection_window_size(H2_WINDOW * 4)
                .keep_alive_interval(Duration::from_secs(30))
                .handshake(io)
                .await
                .map_err(Error::Handshake)?;
            run(connection, slot);
            return Ok(Sender::Http2(sender));
        }
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(io)
            .await
            .map_err(Error::Handshake)?;
        run(connection.with_upgrades(), slot);
        Ok(Sender::Http1(sender))
    }
}

/// Connects, unless the name turns out to mean this machine or its own network link: whoever owns
/// the name could make it so. The address that is looked at is the one that is used.
async fn connect_elsewhere(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in tokio::net::lookup_host((host, port)).await? {
        if !is_elsewhere(address.ip()) {
            failed = io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{host} is {}, which is no address of another machine", address.ip()),
            );
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Neither this machine, nor its link (where clouds keep their secrets), nor a group of machines.
fn is_elsewhere(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            !(v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.octets()[0] == 0)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_unspecified()
                || v6.is_multicast())
        }
    }
}

fn run(connection: impl Future<Output = Result<(), hyper::Error>> + Send + 'static, slot: Slot) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = causes(&error), "upstream connection ended");
        }
        drop(slot);
    });
}

/// An error with its causes, in one line.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_its_link_are_not_elsewhere() {
        for near in [
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "::",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!is_elsewhere(near.parse().unwrap()), "{near}");
        }
        for far in ["10.0.0.5", "192.0.2.1", "2001:db8::1", "fd00::1"] {
            assert!(is_elsewhere(far.parse().unwrap()), "{far}");
        }
    }

    #[tokio::test]
    async fn a_name_that_means_this_machine_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = connect_elsewhere("localhost", port).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
