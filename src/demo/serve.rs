//! Accepting, and the way of a request: maintenance, same-site cookies, session, who asks, then the
//! part of Nextcloud it is for.
//!
//! Peers that are not on this machine are hung up on before a byte is read. A request that fails
//! becomes an answer; nothing a client sends ends the server.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::http::{self as answer, Ask, Reply, add, dav_error, json, set};
use super::identity::{self, Means, Session};
use super::trouble::Harm;
use super::{Error, StandIn, dav, front, mint, ocs};

/// How long running requests may still take when the server ends.
const DRAIN: Duration = Duration::from_secs(5);
/// A pause after a failed accept, such as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn serve(
    stand: Arc<StandIn>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(|e| Error::Listen(([0, 0, 0, 0], 0).into(), e))?;
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if peer.ip().to_canonical().is_loopback() => {
                    connections.spawn(connection(Arc::clone(&stand), stream, stopped.clone()));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
    drop(stop);
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    Ok(())
}

async fn connection(stand: Arc<StandIn>, stream: TcpStream, mut stopped: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let stand = Arc::clone(&stand);
        // Boxed: the futures of all routes together are large.
        async move { Box::pin(meet_trouble(stand, request)).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        _ = served.as_mut() => return,
        _ = stopped.changed() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

/// A connection that is closed on purpose.
#[derive(Debug, thiserror::Error)]
#[error("hung up on purpose")]
struct HungUp;

async fn meet_trouble(stand: Arc<StandIn>, request: Request<Incoming>) -> Result<Reply, HungUp> {
    let ask = Ask::new(request);
    match stand.troubles.meet(ask.method(), &ask.path) {
        Some(Harm::Status(status)) => {
            let mut reply = dav_error(status, "trouble on demand");
            if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
            {
                set(&mut reply, "retry-after", "1");
            }
            return Ok(reply);
        }
        Some(Harm::HangUp) => return Err(HungUp),
        Some(Harm::LoseAnswer) => {
            respond(stand, ask).await;
            return Err(HungUp);
        }
        Some(Harm::Delay(delay)) => tokio::time::sleep(delay).await,
        None => {}
    }
    Ok(respond(stand, ask).await)
}

async fn respond(stand: Arc<StandIn>, mut ask: Ask) -> Reply {
    if let Some(reply) = front::without_session(&stand, &ask) {
        return with_same_site(&ask, reply);
    }
    if stand.switches.maintenance() {
        return maintenance(&ask);
    }
    let script = ["/remote.php", "/public.php", "/ocs/"].iter().any(|s| ask.path.starts_with(s));
    if script && !identity::passes_same_site(&stand, &ask) {
        let error = serde_json::json!({ "error": "Strict Cookie has not been found in request" });
        return json(StatusCode::PRECONDITION_FAILED, &error);
    }
    let known = ask.cookie(&stand.instance).and_then(|id| stand.sessions.find(id));
    let who = match identity::identify(&stand, &ask, known.as_ref()).await {
        Ok(who) => who,
        Err(e) => return dav_error(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
    };
    let (session, begun) = match known {
        Some(session) => (session, None),
        None => {
            // Credentials sign in, and bind the session to DAV; an external app's do not.
            let known = who.as_ref().filter(|who| who.means != Means::App);
            let (id, session) =
                stand.sessions.begin(known.map(|who| who.uid.clone()), known.is_some());
            (session, Some(id))
        }
    };
    let uid = who.as_ref().map(|who| who.uid.clone());
    let mut reply = if ask.path.starts_with("/remote.php/") {
        dav::handle(&stand, &mut ask, &session, who).await
    } else if ask.path.starts_with("/ocs/") {
        ocs::handle(&stand, &mut ask, &session, who).await
    } else if let (Some(rest), Some(who)) =
        (ask.path.clone().strip_prefix("/apps/deck/"), who.as_ref())
    {
        let reply = ocs::apps::deck(&stand, &mut ask, who, rest).await;
        reply.unwrap_or_else(|fault| {
            json(fault.status(), &serde_json::json!({ "message": fault.to_string() }))
        })
    } else {
        front::handle(&stand, &mut ask, &session, who).await
    };
    answer::mark(&mut reply, uid.as_deref());
    // Signing in has set its own.
    if let Some(id) = begun.filter(|_| !reply.headers().contains_key("set-cookie")) {
        set_session_cookie(&stand, &id, &mut reply);
    }
    with_same_site(&ask, reply)
}

/// The cookies of a session.
pub(super) fn set_session_cookie(stand: &StandIn, id: &str, reply: &mut Reply) {
    let attributes = "path=/; HttpOnly; SameSite=Lax";
    let passphrase = mint::token(128);
    add(reply, "set-cookie", &format!("oc_sessionPassphrase={passphrase}; {attributes}"));
    add(reply, "set-cookie", &format!("{}={id}; {attributes}", stand.instance));
}

/// Whoever comes without cookies gets the two same-site ones.
fn with_same_site(ask: &Ask, mut reply: Reply) -> Reply {
    if !ask.head.headers.contains_key("cookie") {
        for kind in ["lax", "strict"] {
            let cookie = format!(
                "nc_sameSiteCookie{kind}=true; path=/; httponly;expires=Fri, 31-Dec-2100 23:59:59 GMT; SameSite={kind}"
            );
            add(&mut reply, "set-cookie", &cookie);
        }
    }
    reply
}

fn maintenance(ask: &Ask) -> Reply {
    let mut reply = if ask.path.starts_with("/remote.php/") {
        dav_error(StatusCode::SERVICE_UNAVAILABLE, "System is in maintenance mode.")
    } else if ask.path.starts_with("/ocs/") {
        let body = serde_json::json!({ "ocs": { "meta": { "status": "failure", "statuscode": 503,
            "message": "Service unavailable" }, "data": [] } });
        json(StatusCode::SERVICE_UNAVAILABLE, &body)
    } else {
        let page = "<!DOCTYPE html>\n<html><head><title>Nextcloud</title></head>\
            <body><h1>Maintenance mode</h1><p>Back in a moment.</p></body></html>\n";
        answer::full(StatusCode::SERVICE_UNAVAILABLE, "text/html; charset=UTF-8", page)
    };
    set(&mut reply, "x-nextcloud-maintenance-mode", "1");
    set(&mut reply, "retry-after", "120");
    reply
}

/// Begins a session for somebody who has just signed in; its cookie goes with the answer.
pub(super) fn sign_in(stand: &StandIn, uid: &str, reply: &mut Reply) -> Session {
    let (id, session) = stand.sessions.begin(Some(uid.to_owned()), false);
    set_session_cookie(stand, &id, reply);
    session
}
