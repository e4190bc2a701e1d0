//! Connections from end to end, with raw bytes on the client's side.

mod assembly;
mod http1;
mod http2;
mod smuggling;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::stream::Socket;
use super::{BoxError, ClientIo, Connection, Drain, Ended, Gateway, Kind, Server};
use crate::config::checked::Config;

/// Nothing in these tests takes this long, unless it hangs.
const AT_MOST: Duration = Duration::from_secs(20);

/// Answers each request with what it was, and remembers it.
#[derive(Clone, Default)]
pub(super) struct Echo {
    seen: Arc<Mutex<Vec<String>>>,
    ended: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<Vec<Connection>>>,
}

impl Echo {
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn ended(&self) -> Vec<String> {
        self.ended.lock().unwrap().clone()
    }
}

impl Gateway for Echo {
    type Body = Full<Bytes>;
    type Future = BoxFuture<'static, Result<Response<Full<Bytes>>, BoxError>>;

    fn call(&self, connection: &Arc<Connection>, request: Request<Incoming>) -> Self::Future {
        let this = self.clone();
        let guard = connection.exchanges.guard(Kind::Request);
        this.connections.lock().unwrap().push(connection.as_ref().clone());
        Box::pin(async move {
            let outcome = this.answer(request).await;
            drop(guard);
            outcome
        })
    }

    fn ended(&self, how: &Ended) {
        self.ended.lock().unwrap().push(how.to_string());
    }
}

impl Echo {
    async fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, BoxError> {
        let line = format!("{} {}", request.method(), request.uri());
        let path = request.uri().path().to_owned();
        if path == "/never" {
            self.seen.lock().unwrap().push(line.clone());
            std::future::pending::<Infallible>().await;
        }
        if path == "/early" {
            self.seen.lock().unwrap().push(line.clone());
            let mut response = Response::new(Full::from("early"));
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(response);
        }
        if path == "/socket" {
            self.seen.lock().unwrap().push(line.clone());
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(echo_upgraded(upgrade));
            return Ok(Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(header::CONNECTION, "upgrade")
                .header(header::UPGRADE, "echo")
                .body(Full::default())?);
        }
        let body = request.into_body().collect().await?.to_bytes();
        let text = format!("{line} [{}]", String::from_utf8_lossy(&body));
        self.seen.lock().unwrap().push(text.clone());
        Ok(Response::new(Full::from(text)))
    }
}

async fn echo_upgraded(upgrade: hyper::upgrade::OnUpgrade) {
    let upgraded = upgrade.await.unwrap();
    let parts = upgraded.downcast::<TokioIo<ClientIo>>().unwrap();
    let mut io = parts.io.into_inner();
    io.write_all(&parts.read_buf).await.unwrap();
    let (mut from, mut to) = tokio::io::split(io);
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

/// A server on loopback with one connection to it.
struct Rig {
    echo: Echo,
    drain: Drain,
    client: TcpStream,
    serving: tokio::task::JoinHandle<()>,
}

async fn rig() -> Rig {
    rig_with(&Config::default()).await
}

async fn rig_with(config: &Config) -> Rig {
    let echo = Echo::default();
    let drain = Drain::default();
    let server = Server::new(echo.clone(), config, None, drain.watch());
    let (client, socket) = pair().await;
    let serving = tokio::spawn(async move { server.serve(socket, false).await });
    Rig { echo, drain, client, serving }
}

pub(super) async fn pair() -> (TcpStream, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    socket.set_nodelay(true).unwrap();
    client.set_nodelay(true).unwrap();
    (client, Socket::from(socket))
}

impl Rig {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The server may refuse, and close, before all is sent.
        let _ = self.client.write_all(bytes.as_ref()).await;
    }

    /// Everything the server says until it closes.
    async fn rest(&mut self) -> String {
        let mut text = Vec::new();
        let reading = self.client.read_to_end(&mut text);
        let _ = tokio::time::timeout(AT_MOST, reading).await.expect("the server did not close");
        let _ = self.client.shutdown().await;
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What the server says until `end` comes.
    async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let reading = async {
            while !text.ends_with(end.as_bytes()) {
                text.push(self.client.read_u8().await.expect("the server closed"));
            }
        };
        let done = tokio::time::timeout(AT_MOST, reading).await;
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(done.is_ok(), "{end:?} did not come, but {text:?}");
        text
    }
}

/// The statuses in a stream of answers.
fn statuses(text: &str) -> Vec<u16> {
    text.split("HTTP/1.").skip(1).map(|answer| answer[2..5].parse().unwrap()).collect()
}
