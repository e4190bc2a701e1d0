//! What needs no app: status, well-known places, signing in and out, the login flow of clients.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use serde_json::json;

use super::http::{self as answer, Ask, Fault, Reply, empty, redirect, set};
use super::identity::{self, Identity, Means, Session};
use super::{StandIn, VERSION, mint, pages, serve};

/// Flows kept at the same time.
const MAX_FLOWS: usize = 1000;

/// Clients that wait to be let in.
#[derive(Debug, Default)]
pub(super) struct Flows(Mutex<HashMap<String, Flow>>);

#[derive(Debug)]
struct Flow {
    poll: String,
    /// Who let it in, and the app password made for it.
    granted: Option<(String, String)>,
}

impl Flows {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Flow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers that neither need nor begin a session, and that maintenance does not stop.
pub(super) fn without_session(stand: &StandIn, ask: &Ask) -> Option<Reply> {
    match ask.path.as_str() {
        "/status.php" => Some(status(stand)),
        path if pages::asset(path).is_some() => pages::asset(path),
        "/204" => Some(empty(StatusCode::NO_CONTENT)),
        "/.well-known/caldav" | "/.well-known/carddav" => {
            let to = format!("{}/remote.php/dav/", ask.base);
            Some(redirect(StatusCode::MOVED_PERMANENTLY, &to))
        }
        path if path.starts_with("/.well-known/") => {
            let body = json!({ "message": "not supported" });
            let mut reply = answer::json(StatusCode::NOT_FOUND, &body);
            set(&mut reply, "x-nextcloud-well-known", "1");
            Some(reply)
        }
        _ => None,
    }
}

fn status(stand: &StandIn) -> Reply {
    let short = VERSION.rsplit_once('.').map_or(VERSION, |(short, _)| short);
    let body = json!({
        "installed": true,
        "maintenance": stand.switches.maintenance(),
        "needsDbUpgrade": false,
        "version": VERSION,
        "versionstring": short,
        "edition": "",
        "productname": "Nextcloud",
        "extendedSupport": false,
    });
    let mut reply = answer::full(StatusCode::OK, "application/json", body.to_string());
    set(&mut reply, "access-control-allow-origin", "*");
    reply
}

/// Answers everything that is not DAV.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    session: &Session,
    who: Option<Identity>,
) -> Reply {
    route(stand, ask, session, who).await.unwrap_or_else(|fault| fault.dav())
}

async fn route(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    session: &Session,
    who: Option<Identity>,
) -> Result<Reply, Fault> {
    let path = ask.path.clone();
    match (ask.method(), path.trim_end_matches('/')) {
        ("GET", "/csrftoken") => {
            let (token, _) = session.request_token();
            Ok(answer::json(StatusCode::OK, &json!({ "token": token })))
        }
        ("POST", "/login") => sign_in(stand, ask, session).await,
        ("GET", "/logout") => Ok(sign_out(stand, ask, session)),
        ("POST", "/login/v2") => Ok(begin_flow(stand, ask)),
        ("POST", "/login/v2/poll") => poll_flow(stand, ask).await,
        ("POST", "/login/v2/grant") => grant_flow(stand, ask, session, who).await,
        _ => pages::handle(stand, ask, session, who.as_ref()).await,
    }
}

// === signing in and out ===

async fn sign_in(stand: &StandIn, ask: &mut Ask, session: &Session) -> Result<Reply, Fault> {
    let fields = ask.fields().await?;
    let to = fields.get("redirect_url").filter(|to| local(to)).unwrap_or("/apps/dashboard/");
    let user = fields.get("user").unwrap_or_default();
    let password = fields.get("password").unwrap_or_default();
    let again = |why: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("user", user)
            .append_pair("failed", why)
            .finish();
        redirect(StatusCode::SEE_OTHER, &format!("{}/login?{query}", ask.base))
    };
    if !fields.get("requesttoken").is_some_and(|token| session.accepts(token)) {
        return Ok(again("csrf"));
    }
    match identity::by_password(stand, user, password).await? {
        Some(who) if who.means == Means::Password => {
            let mut reply = redirect(StatusCode::SEE_OTHER, &format!("{}{to}", ask.base));
            serve::sign_in(stand, &who.uid, &mut reply);
            let mut tx = stand.db.write().await?;
            let now = mint::now().to_string();
            for key in ["lastLogin", "firstLogin"] {
                let known = super::db::preference(&stand.db.read, &who.uid, "login", key).await?;
                if key == "lastLogin" || known.is_none() {
                    super::db::set_preference(&mut tx, &who.uid, "login", key, &now).await?;
                }
            }
            tx.commit().await?;
            Ok(reply)
        }
        _ => Ok(again("password")),
    }
}

fn sign_out(stand: &StandIn, ask: &Ask, session: &Session) -> Reply {
    if !identity::passes_csrf(ask, Some(session)) {
        return redirect(StatusCode::SEE_OTHER, &format!("{}/apps/dashboard/", ask.base));
    }
    if let Some(id) = ask.cookie(&stand.instance) {
        stand.sessions.end(id);
    }
    let mut reply = redirect(StatusCode::SEE_OTHER, &format!("{}/login?clear=1", ask.base));
    set(&mut reply, "clear-site-data", "\"cache\", \"storage\"");
    reply
}

/// Whether a place to go to after signing in is on this site.
fn local(to: &str) -> bool {
    to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n'])
}

// === the login flow of clients ===

fn begin_flow(stand: &StandIn, ask: &Ask) -> Reply {
    let (login, poll) = (mint::token(128), mint::token(128));
    let mut flows = stand.flows.lock();
    if flows.len() >= MAX_FLOWS {
        flows.clear();
    }
    flows.insert(login.clone(), Flow { poll: poll.clone(), granted: None });
    let body = json!({
        "poll": { "token": poll, "endpoint": format!("{}/login/v2/poll", ask.base) },
        "login": format!("{}/login/v2/flow/{login}", ask.base),
    });
    answer::json(StatusCode::OK, &body)
}

async fn poll_flow(stand: &StandIn, ask: &mut Ask) -> Result<Reply, Fault> {
    let base = ask.base.clone();
    let fields = ask.fields().await?;
    let token = fields.get("token").unwrap_or_default();
    let mut flows = stand.flows.lock();
    let found = flows
        .iter()
        .find(|(_, flow)| flow.poll == token && flow.granted.is_some())
        .map(|(login, _)| login.clone());
    let granted = found.and_then(|login| flows.remove(&login)).and_then(|flow| flow.granted);
    Ok(match granted {
        Some((uid, password)) => {
            let body = json!({ "server": base, "loginName": uid, "appPassword": password });
            answer::json(StatusCode::OK, &body)
        }
        None => answer::json(StatusCode::NOT_FOUND, &json!([])),
    })
}

async fn grant_flow(
    stand: &StandIn,
    ask: &mut Ask,
    session: &Session,
    who: Option<Identity>,
) -> Result<Reply, Fault> {
    let fields = ask.fields().await?;
    let proven = fields.get("requesttoken").is_some_and(|token| session.accepts(token));
    let Some(who) = who.filter(|who| proven && who.means == Means::Session) else {
        return Err(Fault::FORBIDDEN);
    };
    let token = fields.get("stateToken").unwrap_or_default().to_owned();
    if !stand.flows.lock().contains_key(&token) {
        return Err(Fault::FORBIDDEN);
    }
    let mut tx = stand.db.write().await?;
    let password =
        identity::make_app_password(&mut tx, &stand.secret, &who.uid, "Login flow").await?;
    tx.commit().await?;
    if let Some(flow) = stand.flows.lock().get_mut(&token) {
        flow.granted = Some((who.uid, password));
    }
    let done = "<!DOCTYPE html>\n<title>Account connected</title><p>Account connected. \
        You can close this window.</p>\n";
    Ok(answer::full(StatusCode::OK, "text/html; charset=UTF-8", done))
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_is_sent_to_this_site_only() {
        assert!(super::local("/apps/files/?dir=/a"));
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "a"] {
            assert!(!super::local(elsewhere), "{elsewhere}");
        }
    }
}
