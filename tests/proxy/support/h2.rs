//! An HTTP/2 client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use passeur::tls::ClientStream;
use tokio::sync::mpsc;

use super::HOST;
use super::wire::soon;

/// A connection.
pub struct H2 {
    pub sender: http2::SendRequest<Pieces>,
}

/// A request body sent piece by piece; ends when the other half is dropped.
pub struct Pieces(Option<mpsc::Receiver<io::Result<Bytes>>>);

/// The other half.
#[derive(Clone)]
pub struct Upload(mpsc::Sender<io::Result<Bytes>>);

impl H2 {
    pub async fn start(stream: ClientStream) -> Self {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = soon("a handshake", handshake).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { sender }
    }

    /// The answer's head; its body is to be read.
    pub async fn send(&self, request: Request<Pieces>) -> hyper::Result<Response<Incoming>> {
        soon("an answer", self.sender.clone().send_request(request)).await
    }

    /// The whole answer to a request without a body.
    pub async fn get(&self, target: &str) -> Response<Bytes> {
        self.ask(builder("GET", target).body(Pieces::none()).expect("a request")).await
    }

    /// The whole answer.
    pub async fn ask(&self, request: Request<Pieces>) -> Response<Bytes> {
        let (head, body) = self.send(request).await.expect("an answer").into_parts();
        let body = soon("a body", body.collect()).await.expect("a whole body");
        Response::from_parts(head, body.to_bytes())
    }
}

pub fn builder(method: &str, target: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://{HOST}{target}"))
}

impl Pieces {
    pub fn none() -> Self {
        Self(None)
    }

    pub fn channel() -> (Upload, Self) {
        let (sender, receiver) = mpsc::channel(1);
        (Upload(sender), Self(Some(receiver)))
    }
}

impl Upload {
    pub async fn send(&self, piece: impl Into<Bytes>) {
        let _ = soon("sending", self.0.send(Ok(piece.into()))).await;
    }

    /// Breaks the body off: the stream is reset.
    pub async fn break_off(self) {
        let _ = soon("sending", self.0.send(Err(io::ErrorKind::BrokenPipe.into()))).await;
    }

    /// Sends until `most` bytes were taken, or nothing more is for a while; says how many were.
    pub async fn flood(&self, most: usize) -> usize {
        let piece = Bytes::from_static(&[0; 64 << 10]);
        let mut sent = 0;
        while sent < most {
            let send = self.0.send(Ok(piece.clone()));
            match tokio::time::timeout(Duration::from_millis(400), send).await {
                Ok(Ok(())) => sent += piece.len(),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        sent
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|p| p.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
