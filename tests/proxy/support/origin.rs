//! A web server that does what a test says, on raw TCP: it stalls, resets, half-closes, answers
//! early or wrongly, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use passeur::config::checked::{Target, TargetAddress, UpstreamGroup};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::wire::{Body, Head, Wire, soon};

/// A short answer that keeps the connection.
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A scripted web server; ends when it is dropped.
pub struct Origin {
    pub address: SocketAddr,
    log: Arc<Log>,
    accepting: JoinHandle<()>,
}

/// What it was asked.
#[derive(Default)]
struct Log {
    requests: Mutex<Vec<Request>>,
    changed: Notify,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: Head,
    pub body: Body,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

/// One connection to the origin.
pub struct Conversation {
    pub wire: Wire,
    /// Its number, from 0.
    pub number: usize,
    log: Arc<Log>,
}

impl Origin {
    /// Runs `script` for each connection; the connection is closed when the script ends.
    pub async fn scripted<F, S>(script: F) -> Self
    where
        F: Fn(Conversation) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Log::default());
        let kept = Arc::clone(&log);
        let accepting = tokio::spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                stream.set_nodelay(true).expect("a socket");
                let log = Arc::clone(&log);
                conversations.spawn(script(Conversation { wire: Wire::new(stream), number, log }));
            }
        });
        Self { address, log: kept, accepting }
    }

    /// Answers every request, once it was read whole, with the same bytes.
    pub async fn answering(answer: impl AsRef<[u8]>) -> Self {
        let answer: Arc<[u8]> = answer.as_ref().into();
        Self::scripted(move |mut conversation| {
            let answer = Arc::clone(&answer);
            async move {
                while conversation.request().await.is_some_and(|request| request.body.whole) {
                    conversation.wire.send(&answer).await;
                }
            }
        })
        .await
    }

    /// Answers every request with 200.
    pub async fn ok() -> Self {
        Self::answering(OK).await
    }

    /// An upstream group with this origin alone.
    pub fn group(&self) -> UpstreamGroup {
        UpstreamGroup::to(self.target())
    }

    pub fn target(&self) -> Target {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        Target { tls: false, http2: false, address: TargetAddress::Tcp { host, port } }
    }

    /// What came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.requests.lock().expect("a log").clone()
    }

    /// The one request that came.
    pub fn only_request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{:?}", targets(&requests));
        requests.remove(0)
    }

    /// The targets of what came so far.
    pub fn targets(&self) -> Vec<String> {
        targets(&self.requests())
    }

    /// The request with this number, once it was read (whole, or as far as it came).
    pub async fn request(&self, number: usize) -> Request {
        let waiting = async {
            loop {
                let changed = self.log.changed.notified();
                if let Some(request) = self.requests().get(number) {
                    return request.clone();
                }
                changed.await;
            }
        };
        soon("a request at the origin", waiting).await
    }
}

fn targets(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.head.target().to_owned()).collect()
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Conversation {
    /// Reads a request with its body, and writes it down; `None` at the end of the connection.
    pub async fn request(&mut self) -> Option<Request> {
        let head = self.wire.head().await?;
        let body = self.wire.request_body(&head).await;
        Some(self.note(head, body))
    }

    /// Reads the head of a request only, and writes it down.
    pub async fn request_head(&mut self) -> Option<Head> {
        let head = self.wire.head().await?;
        self.note(head.clone(), Body::default());
        Some(head)
    }

    /// Writes down what was read.
    pub fn note(&self, head: Head, body: Body) -> Request {
        let request = Request { head, body, connection: self.number };
        self.log.requests.lock().expect("a log").push(request.clone());
        self.log.changed.notify_waiters();
        request
    }

    /// Waits until the other side closes.
    pub async fn closed(&mut self) {
        self.wire.rest().await;
    }
}
