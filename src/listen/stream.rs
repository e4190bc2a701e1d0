//! The layers of a client connection, as types: socket, stall watch, TLS.
//!
//! Everything is an enum or a struct by value: no boxes and virtual calls per read, except that the
//! large TLS state is behind one pointer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::stall::Stall;
use super::strict::Strict;
use super::workers::Seat;
use crate::tls::ServerStream;

/// Writes that go to a field as they are; how to shut down is left to say.
macro_rules! delegate_write {
    ($io:ident) => {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            buf: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::pin::Pin::new(&mut self.get_mut().$io).poll_write(cx, buf)
        }

        fn poll_write_vectored(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            bufs: &[std::io::IoSlice<'_>],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::pin::Pin::new(&mut self.get_mut().$io).poll_write_vectored(cx, bufs)
        }

        fn is_write_vectored(&self) -> bool {
            self.$io.is_write_vectored()
        }

        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::pin::Pin::new(&mut self.get_mut().$io).poll_flush(cx)
        }
    };
}
pub(super) use delegate_write;

/// What a gateway gets back from hyper when a connection was upgraded: downcast hyper's `Upgraded`
/// to `TokioIo<ClientIo>`, and do not forget the bytes that hyper had read (`read_buf`).
pub type ClientIo = Strict<Stream>;

/// An accepted socket.
#[derive(Debug)]
pub struct Socket {
    kind: Kind,
    /// It counts as open as long as it is, also after an upgrade.
    _seat: Option<Seat>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket with its stall watch, and the bytes read from it that belong to the next layer.
#[derive(Debug)]
pub struct Transport {
    /// Read with the PROXY header, but not part of it.
    surplus: Bytes,
    io: Stall<Socket>,
}

/// A connection with or without TLS.
#[derive(Debug)]
pub enum Stream {
    /// Plain.
    Plain(Transport),
    /// TLS.
    Tls(Box<ServerStream<Transport>>),
}

// === impl Socket ===

impl Socket {
    /// Ties it to its place among the open connections.
    pub(super) fn seated(self, seat: Seat) -> Self {
        Self { _seat: Some(seat), ..self }
    }

    /// The other side's address; `None` for unix sockets. IPv4 is never shown as IPv6.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.peer_addr().ok().map(canonical),
            Kind::Unix(_) => None,
        }
    }

    /// Our own address.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.local_addr().ok().map(canonical),
            Kind::Unix(_) => None,
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Self {
        Self { kind: Kind::Tcp(tcp), _seat: None }
    }
}

impl From<UnixStream> for Socket {
    fn from(unix: UnixStream) -> Self {
        Self { kind: Kind::Unix(unix), _seat: None }
    }
}

/// IPv4 as IPv4, also on sockets that take both.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl Transport {
    /// A socket from which `surplus` was read already.
    #[must_use]
    pub fn new(io: Stall<Socket>, surplus: Bytes) -> Self {
        Self { surplus, io }
    }
}

macro_rules! each {
    ($this:expr, $io:ident => $call:expr) => {
        match &mut $this.kind {
            Kind::Tcp($io) => $call,
            Kind::Unix($io) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.surplus.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let count = this.surplus.len().min(buf.remaining());
        buf.put_slice(&this.surplus[..count]);
        this.surplus.advance(count);
        if this.surplus.is_empty() {
            this.surplus = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    delegate_write!(io);

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

macro_rules! either {
    ($this:expr, $io:ident => $call:expr) => {
        match $this {
            Stream::Plain($io) => $call,
            Stream::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, io => io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}
