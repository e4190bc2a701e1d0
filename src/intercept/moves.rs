//! Assembling a chunked upload can take the origin minutes. Clients lose patience, or the network
//! drops them, and they send the same `MOVE …/uploads/USER/ID/.file` again while the first still
//! runs: the origin answers 423, the client starts the whole upload anew (A29).
//!
//! Here the first MOVE runs to its end whether its client stays or not, and every repetition waits
//! for the same answer. An answer that nobody was there to take is kept for a while.
//!
//! Invariant: a repetition joins only if it carries the same credentials and goes to the same
//! destination; anybody else's request goes to the origin and is judged there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use tokio::sync::watch;

use super::{Answer, Inner, Rule};
use crate::body::{Body, Side};
use crate::gateway::{Asker, Exchange, Refusal, RequestId};

/// The answer to a MOVE is a few hundred bytes; more is not kept.
const ANSWER_BYTES: usize = 64 << 10;
/// How long an answer waits for a client that left.
const KEEP_ANSWER: Duration = Duration::from_secs(600);
/// Answers kept at a time.
const KEPT_ANSWERS: usize = 4096;
/// Who asks.
const CREDENTIALS: [&str; 4] =
    ["authorization", "cookie", "xauthorization", "authorization-app-api"];

/// Joins repeated MOVEs.
#[derive(Clone, Default)]
pub struct Join {
    running: Arc<Mutex<HashMap<Key, Kept>>>,
}

/// Where the answer of a MOVE appears.
type Kept = watch::Receiver<Option<Outcome>>;

/// Which MOVE it is, and who asks.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    site: String,
    target: String,
    destination: Option<HeaderValue>,
    /// By name: the same value means something else in another field.
    credentials: Vec<(&'static str, HeaderValue)>,
}

/// What came of it, for as many as ask.
#[derive(Clone)]
struct Outcome {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Rule for Join {
    fn wants(&self, exchange: &Exchange) -> bool {
        let path = exchange.request.uri().path();
        exchange.site.config.dav.join_moves
            && exchange.request.method().as_str() == "MOVE"
            && path.ends_with("/.file")
            && path.contains("/dav/uploads/")
            && exchange.request.body().is_empty()
    }

    async fn carry<S: Inner>(self, exchange: Box<Exchange>, mut inner: S) -> Answer {
        let key = Key::of(&exchange);
        let mut outcome = match self.find(&key) {
            Found::Running(outcome) => {
                exchange.site.metrics.repairs().count("move_joined");
                outcome
            }
            Found::Nothing(done, outcome) => {
                self.start(key.clone(), done, exchange, inner);
                outcome
            }
            Found::NoRoom => return inner.call(exchange).await,
        };
        let answer = match outcome.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone(),
            Err(_ended_without) => None,
        };
        self.forget(&key, &outcome);
        answer.map(Outcome::into_response).ok_or_else(broken)
    }
}

/// What is known of a MOVE.
enum Found {
    Running(Kept),
    /// Nothing so far; it is known from now on, and has to be started.
    Nothing(watch::Sender<Option<Outcome>>, Kept),
    NoRoom,
}

impl Join {
    /// Looks and takes the place at once: two workers may get the same MOVE at the same time.
    fn find(&self, key: &Key) -> Found {
        let mut running = self.lock();
        match running.get(key) {
            Some(outcome) => Found::Running(outcome.clone()),
            None if running.len() >= KEPT_ANSWERS => Found::NoRoom,
            None => {
                let (done, outcome) = watch::channel(None);
                running.insert(key.clone(), outcome.clone());
                Found::Nothing(done, outcome)
            }
        }
    }

    /// Runs a MOVE in a task of its own.
    fn start<S: Inner>(
        &self,
        key: Key,
        done: watch::Sender<Option<Outcome>>,
        exchange: Box<Exchange>,
        mut inner: S,
    ) {
        let (join, id) = (self.clone(), exchange.id);
        let call = inner.call(exchange);
        tokio::spawn(async move {
            let _ = done.send(Some(Outcome::of(call.await, id).await));
            join.keep(&key, done).await;
        });
    }

    /// Keeps an answer until it is taken, or nobody came for it in time. Whoever takes it forgets
    /// it, and there is nobody left to receive it then: nothing stays of what was answered.
    async fn keep(&self, key: &Key, done: watch::Sender<Option<Outcome>>) {
        if tokio::time::timeout(KEEP_ANSWER, done.closed()).await.is_err() {
            self.forget(key, &done.subscribe());
        }
    }

    fn forget(&self, key: &Key, outcome: &Kept) {
        let mut running = self.lock();
        if running.get(key).is_some_and(|known| known.same_channel(outcome)) {
            running.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn of(exchange: &Exchange) -> Self {
        let headers = exchange.request.headers();
        let credentials = CREDENTIALS.iter().flat_map(|name| {
            headers.get_all(*name).into_iter().map(|value| (*name, value.clone()))
        });
        Self {
            // Not only the site: instances of a wildcard site share its name.
            site: format!("{} {}", exchange.site.config.name, exchange.authority),
            target: exchange.request.uri().to_string(),
            destination: headers.get("destination").cloned(),
            credentials: credentials.collect(),
        }
    }
}

impl Outcome {
    async fn of(answer: Answer, id: RequestId) -> Self {
        let answer = answer.unwrap_or_else(|refusal| refusal.into_response(Asker::Dav, id));
        let (head, body) = answer.into_parts();
        match Limited::new(body, ANSWER_BYTES).collect().await {
            Ok(body) => Self { status: head.status, headers: head.headers, body: body.to_bytes() },
            Err(_) => {
                let answer = broken().into_response(Asker::Dav, id);
                let (head, _) = answer.into_parts();
                Self { status: head.status, headers: head.headers, body: Bytes::new() }
            }
        }
    }

    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

fn broken() -> Refusal {
    let message = "The upload was assembled, but the answer was lost. Please look at the file.";
    Refusal {
        side: Side::Upstream,
        ..Refusal::client(StatusCode::BAD_GATEWAY, "move_answer_lost", message)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// A MOVE that was started, and how long its answer is kept.
    fn started(join: &Join) -> (Key, Kept, tokio::task::JoinHandle<Duration>) {
        let key = Key {
            site: "a".to_owned(),
            target: "/remote.php/dav/uploads/a/1/.file".to_owned(),
            destination: None,
            credentials: Vec::new(),
        };
        let Found::Nothing(done, outcome) = join.find(&key) else { panic!("it was known") };
        let (kept, same) = (join.clone(), key.clone());
        let keeping = tokio::spawn(async move {
            let begun = Instant::now();
            kept.keep(&same, done).await;
            begun.elapsed()
        });
        (key, outcome, keeping)
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_stays_of_an_answer_that_was_taken() {
        let join = Join::default();
        let (key, outcome, keeping) = started(&join);
        join.forget(&key, &outcome);
        drop(outcome);
        assert_eq!(keeping.await.unwrap(), Duration::ZERO);
        assert!(join.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_kept_for_a_while() {
        let join = Join::default();
        let (_, outcome, keeping) = started(&join);
        drop(outcome);
        assert_eq!(keeping.await.unwrap(), KEEP_ANSWER);
        assert!(join.lock().is_empty());
    }
}
