//! `remote.php`: who may, and which tree a path is in.
//!
//! A session alone is refused for anything that changes (401, as sabre says it); without
//! credentials the answer asks for Basic ones. Other accounts' homes look empty.

use std::sync::Arc;

use http::StatusCode;

use super::groupware::{self, store::Kind};
use super::http::{Ask, Fault, Reply, dav_error, set};
use super::identity::{self, Identity, Session};
use super::xml::encode_path;
use super::{StandIn, files};

/// The `DAV` header of files.
pub(super) const FEATURES: &str = "1, 3, extended-mkcol, access-control, \
    calendarserver-principal-property-search, nc-paginate, nextcloud-checksum-update, \
    nc-calendar-search, nc-enable-birthday-calendar, 2";

/// Answers a request to `remote.php`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    session: &Session,
    who: Option<Identity>,
) -> Reply {
    let public = ask.path.strip_prefix("/remote.php/dav/public-calendars/").map(str::to_owned);
    let mut reply = match who {
        _ if public.is_some() => {
            let rest = public.unwrap_or_default();
            let answer = groupware::public(stand, ask, rest.trim_end_matches('/')).await;
            answer.unwrap_or_else(|fault| fault.dav())
        }
        None if identity::is_disabled(stand, ask).await.unwrap_or(false) => {
            let message = "OC\\User\\DisabledUserException: Account disabled";
            dav_error(StatusCode::SERVICE_UNAVAILABLE, message)
        }
        None => unauthenticated("No public access to this resource."),
        Some(who) if !identity::passes_dav_csrf(ask, Some(session), &who) => {
            unauthenticated("CSRF check not passed.")
        }
        Some(who) => route(stand, ask, &who).await.unwrap_or_else(|fault| fault.dav()),
    };
    set(&mut reply, "content-security-policy", "default-src 'none';");
    reply
}

fn unauthenticated(message: &str) -> Reply {
    let mut reply = dav_error(StatusCode::UNAUTHORIZED, message);
    set(&mut reply, "www-authenticate", "Basic realm=\"Nextcloud\", charset=\"UTF-8\"");
    reply
}

async fn route(stand: &Arc<StandIn>, ask: &mut Ask, who: &Identity) -> Result<Reply, Fault> {
    for base in ["/remote.php/webdav", "/remote.php/files"] {
        if ask.path == base || ask.path.starts_with(&format!("{base}/")) {
            return files::handle(stand, ask, who, base).await;
        }
    }
    let path = ask.path.clone();
    let rest = match path.strip_prefix("/remote.php/dav") {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').ok_or(Fault::NOT_FOUND)?,
        None => return Err(Fault::NOT_FOUND),
    };
    let whole = rest.to_owned();
    let (tree, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let (uid, below) = rest.split_once('/').unwrap_or((rest, ""));
    match tree {
        "files" if uid == who.uid => {
            let base = format!("/remote.php/dav/files/{}", encode_path(uid));
            files::handle(stand, ask, who, &base).await
        }
        "files" => files::foreign(ask, below),
        "uploads" if uid == who.uid => {
            files::uploads::handle(stand, ask, who, below.trim_end_matches('/')).await
        }
        "trashbin" if uid == who.uid => files::trash::handle(stand, ask, who, below).await,
        "versions" if uid == who.uid => files::versions::handle(stand, ask, who, below).await,
        "calendars" => groupware::handle(stand, ask, who, Kind::Calendar, rest).await,
        "addressbooks" if uid == "users" => {
            groupware::handle(stand, ask, who, Kind::Book, below).await
        }
        "" | "principals" => groupware::principals(stand, ask, who, &whole).await,
        "bulk" => files::bulk::handle(stand, ask, who).await,
        _ => Err(Fault::NOT_FOUND),
    }
}
