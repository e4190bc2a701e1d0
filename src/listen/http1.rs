//! Serves HTTP/1 on one connection, and lets go of all it can while nothing is asked.
//!
//! Browsers and sync clients keep connections open for minutes between requests, and hyper holds two
//! buffers of 8 KiB for each. So a connection on which nothing happened for a moment *rests*: hyper's
//! state is dropped, and made again when the next byte comes. The same goes for one that has not
//! asked anything yet.
//!
//! Invariant: a connection rests only between requests, with nothing half read, running or left to
//! write, so that neither the client nor the gateway can tell. The limit on idle time holds at rest
//! as it does in hyper.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::io::AsyncWriteExt;
use tokio::time::{MissedTickBehavior, timeout};

use super::connection::Ended;
use super::drain::Open;
use super::stream::Stream;
use super::strict::{Gate, Strict};
use super::{BoxError, Connection, Gateway};
use crate::config::checked::Limits;

/// hyper wants no smaller buffer.
const SMALLEST_BUFFER: usize = 8 << 10;
/// How long nothing must have happened before a connection rests; at most twice as long passes.
const QUIET: Duration = Duration::from_secs(2);

/// Serves a connection to its end.
pub(super) async fn serve<G: Gateway>(
    stream: Stream,
    gateway: G,
    connection: Arc<Connection>,
    limits: &Limits,
    open: &Open,
) -> Ended {
    let mut strict = Strict::new(stream, limits.head_bytes);
    let service = Http1Service { gateway, connection, gate: strict.gate() };
    loop {
        if let Some(ended) = rest(&mut strict, limits.client_idle, open).await {
            return ended;
        }
        // Boxed, so that a task at rest is small.
        match Box::pin(speak(strict, service.clone(), limits, open)).await {
            Spoken::Quiet(quiet) => strict = *quiet,
            Spoken::Ended(ended) => return ended,
        }
    }
}

/// Waits for the next request; how the connection ended, if none comes.
async fn rest(strict: &mut Strict<Stream>, idle: Duration, open: &Open) -> Option<Ended> {
    let asked = tokio::select! {
        biased;
        asked = timeout(idle, strict.asked()) => asked,
        () = open.stopping() => Ok(Ok(false)),
    };
    match asked {
        Ok(Ok(true)) => return None,
        Ok(Err(error)) => return Some(Ended::Socket(error)),
        Ok(Ok(false)) | Err(_) => {}
    }
    tokio::select! {
        biased;
        // Whoever is gone already need not be told.
        _ = strict.shutdown() => Some(Ended::Closed),
        () = open.cut() => Some(Ended::Cut),
    }
}

/// What became of a connection that hyper served.
enum Spoken {
    /// Nothing happens on it.
    Quiet(Box<Strict<Stream>>),
    /// It is over.
    Ended(Ended),
}

async fn speak<G: Gateway>(
    strict: Strict<Stream>,
    service: Http1Service<G>,
    limits: &Limits,
    open: &Open,
) -> Spoken {
    let gate = Arc::clone(&service.gate);
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.client_idle)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.max(SMALLEST_BUFFER))
        .half_close(false)
        .serve_connection(TokioIo::new(strict), service)
        .with_upgrades();
    let mut stopping = pin!(open.stopping());
    let mut told = false;
    let mut cut = pin!(open.cut());
    let mut looks = tokio::time::interval(QUIET);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut moves = None;
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut serving => break Some(outcome),
            () = stopping.as_mut(), if !told => {
                told = true;
                Pin::new(&mut serving).graceful_shutdown();
            }
            () = cut.as_mut() => return Spoken::Ended(Ended::Cut),
            _ = looks.tick(), if !told => {
                let now = gate.moves();
                let is_still = moves.replace(now) == Some(now);
                if is_still && gate.is_between_requests() && open.is_idle() {
                    break None;
                }
            }
        }
    };
    Spoken::Ended(match (outcome, gate.refused()) {
        (_, Some(rule)) => Ended::Refused(rule),
        (Some(Err(error)), None) => Ended::Http(error),
        (Some(Ok(())), None) => Ended::Closed,
        // hyper may have read empty lines, which mean nothing.
        (None, None) => match serving.into_parts() {
            Some(parts) => return Spoken::Quiet(Box::new(parts.io.into_inner())),
            None => Ended::Closed,
        },
    })
}

/// A hyper service for one HTTP/1 connection.
#[derive(Clone)]
struct Http1Service<G> {
    gateway: G,
    connection: Arc<Connection>,
    gate: Arc<Gate>,
}

pin_project! {
    /// A call that tells the connection whether its protocol changes.
    struct Call<F> {
        #[pin]
        call: F,
        // There if the request asked for an upgrade.
        gate: Option<Arc<Gate>>,
    }
}

impl<G: Gateway> hyper::service::Service<Request<Incoming>> for Http1Service<G> {
    type Response = Response<G::Body>;
    type Error = BoxError;
    type Future = Call<G::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        // The same condition as in `Framing`, which waits for the answer to such a request.
        let asks = request.method() == Method::CONNECT
            || request.version() == Version::HTTP_11
                && request.headers().contains_key(header::UPGRADE);
        let gate = asks.then(|| self.gate.clone());
        Call { call: self.gateway.call(&self.connection, request), gate }
    }
}

impl<F, B> Future for Call<F>
where
    F: Future<Output = Result<Response<B>, BoxError>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.call.poll(cx));
        if let (Some(gate), Ok(response)) = (this.gate.take(), &outcome) {
            gate.answered(response.status() == StatusCode::SWITCHING_PROTOCOLS);
        }
        Poll::Ready(outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::time::{Instant, sleep};

    use super::super::drain::Drain;
    use super::super::stall::Stall;
    use super::super::stream::Transport;
    use super::super::tests::{Echo, pair};
    use super::*;

    /// A connection as it stands before its first request, with its client.
    struct Rig {
        echo: Echo,
        drain: Drain,
        client: TcpStream,
        strict: Strict<Stream>,
        limits: Limits,
    }

    async fn rig() -> Rig {
        let (client, socket) = pair().await;
        let limits = Limits::default();
        let transport = Transport::new(Stall::new(socket, limits.patience()), bytes::Bytes::new());
        let strict = Strict::new(Stream::Plain(transport), limits.head_bytes);
        Rig { echo: Echo::default(), drain: Drain::default(), client, strict, limits }
    }

    impl Rig {
        /// Lets hyper serve for a minute at most; what became of it.
        async fn speak(self, open: &Open) -> Option<(Spoken, Echo, TcpStream)> {
            let Rig { echo, client, strict, limits, .. } = self;
            let connection = Connection { exchanges: open.exchanges(), ..Connection::default() };
            let gate = strict.gate();
            let service =
                Http1Service { gateway: echo.clone(), connection: Arc::new(connection), gate };
            let speaking = speak(strict, service, &limits, open);
            let spoken = timeout(Duration::from_secs(60), speaking).await.ok()?;
            Some((spoken, echo, client))
        }
    }

    async fn send(client: &mut TcpStream, text: &str) {
        client.write_all(text.as_bytes()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_rests() {
        let mut rig = rig().await;
        let open = rig.drain.watch().open();
        send(&mut rig.client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\n").await;
        let (spoken, echo, mut client) = rig.speak(&open).await.unwrap();
        let Spoken::Quiet(mut strict) = spoken else { panic!("it did not rest") };
        assert_eq!(echo.seen(), ["GET /a []"]);
        // What comes next is read from its beginning.
        send(&mut client, "GET /b HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(strict.asked().await.unwrap());
        let limits = Limits::default();
        let rig = Rig { echo, drain: Drain::default(), client, strict: *strict, limits };
        let (spoken, echo, mut client) = rig.speak(&open).await.unwrap();
        assert!(matches!(spoken, Spoken::Quiet(_)));
        assert_eq!(echo.seen(), ["GET /a []", "GET /b []"]);
        let mut answers = vec![0; 4096];
        let count = client.read(&mut answers).await.unwrap();
        let answers = String::from_utf8_lossy(&answers[..count]);
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_rests_while_a_request_runs() {
        let mut rig = rig().await;
        let open = rig.drain.watch().open();
        send(&mut rig.client, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(rig.speak(&open).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_rests_within_a_head_or_a_body() {
        for begun in ["GET /a HT", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"] {
            let mut rig = rig().await;
            let open = rig.drain.watch().open();
            send(&mut rig.client, begun).await;
            assert!(rig.speak(&open).await.is_none(), "{begun}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_nothing_is_left_after_its_time() {
        let Rig { drain, mut client, mut strict, limits, .. } = rig().await;
        let open = drain.watch().open();
        let begun = Instant::now();
        let ended = rest(&mut strict, limits.client_idle, &open).await;
        assert!(matches!(ended, Some(Ended::Closed)));
        assert_eq!(begun.elapsed().as_secs(), limits.client_idle.as_secs());
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_a_rest() {
        let Rig { drain, mut strict, limits, .. } = rig().await;
        let open = drain.watch().open();
        let stop = async {
            sleep(Duration::from_secs(1)).await;
            drain.run(&limits).await
        };
        let (ended, _) = tokio::join!(
            async {
                let ended = rest(&mut strict, limits.client_idle, &open).await;
                drop(open);
                ended
            },
            stop
        );
        assert!(matches!(ended, Some(Ended::Closed)));
    }
}
