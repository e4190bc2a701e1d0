//! `remote.php/dav/files/UID` and `remote.php/webdav`: an account's files over DAV.
//!
//! `dav-server` does COPY, MOVE, LOCK, PUT, GET with ranges and conditions; what Nextcloud adds
//! (PROPFIND with its properties, ids and etags as headers, times and checksums, `Destination` by
//! its path alone) is put around it here. A fault becomes an error body as sabre writes it.

mod archive;
pub(super) mod bulk;
pub(super) mod change;
mod checksum;
mod fs;
mod handles;
mod mounting;
pub(super) mod passing;
mod properties;
mod propfind;
pub(super) mod quota;
pub(super) mod trash;
pub(super) mod tree;
pub(super) mod uploads;
pub(super) mod versions;

use std::sync::{Arc, Mutex, PoisonError};

use dav_server::DavHandler;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;

use self::change::{Change, valid_name};
use self::fs::{Errand, Files};
use self::tree::{Node, View, right};
use super::StandIn;
use super::http::{self as answer, Ask, Fault, Reply, add, dav_error, empty, error_of, set};
use super::identity::Identity;
use super::xml::{Element, OC, Wanted};

pub(super) use self::properties::set_favorite as mark_favorite;

const ALLOW: &str =
    "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, PROPPATCH, COPY, MOVE, REPORT, LOCK, UNLOCK";

/// Answers a request for files below `base`, which ends without a slash.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    base: &str,
) -> Result<Reply, Fault> {
    let name = name_below(ask.head.uri.path(), base)?;
    if let Some(reply) = broken(stand, who, &name).await? {
        return Ok(reply);
    }
    match ask.method() {
        "PROPFIND" => {
            let mut reply = propfind::propfind(stand, ask, &who.uid, base, &name).await?;
            set(&mut reply, "dav", super::dav::FEATURES);
            Ok(reply)
        }
        "PATCH" if ask.header("x-recalculate-hash").is_some() => {
            checksum::recalculate(stand, ask, who, &name).await
        }
        "REPORT" => report(stand, ask, who, base, &name).await,
        "OPTIONS" => {
            let mut reply = empty(StatusCode::OK);
            set(&mut reply, "allow", ALLOW);
            set(&mut reply, "dav", super::dav::FEATURES);
            set(&mut reply, "ms-author-via", "DAV");
            set(&mut reply, "accept-ranges", "bytes");
            Ok(reply)
        }
        _ => delegate(stand, ask, who, base, &name).await,
    }
}

/// The answer for what is inside a share whose owner cannot reach it any more.
async fn broken(stand: &StandIn, who: &Identity, name: &str) -> Result<Option<Reply>, Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    let inside = view.broken_at(name).filter(|mount| mount.target != name);
    let message = inside.map(|mount| format!("File by id {} not found", mount.root.id));
    Ok(message.map(|message| dav_error(StatusCode::SERVICE_UNAVAILABLE, &message)))
}

/// The answer for somebody else's home: there, but empty.
pub(super) fn foreign(ask: &Ask, rest: &str) -> Result<Reply, Fault> {
    match (ask.method(), rest) {
        ("PROPFIND", "") => Ok(propfind::empty_home(ask.head.uri.path())),
        ("GET" | "HEAD" | "PROPFIND" | "REPORT", _) => Err(Fault::NOT_FOUND),
        _ => Err(Fault::FORBIDDEN),
    }
}

async fn report(
    stand: &StandIn,
    ask: &mut Ask,
    who: &Identity,
    base: &str,
    name: &str,
) -> Result<Reply, Fault> {
    let body = ask.read(1 << 20).await?;
    let root = Element::parse(&body).ok_or(Fault::BAD_REQUEST)?;
    let rules = root.child(OC, "filter-rules");
    let favorites = rules.and_then(|rules| rules.child(OC, "favorite"));
    if !root.is(OC, "filter-files") || favorites.is_none() {
        return Err(Fault::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no such report"));
    }
    propfind::favorites(stand, &who.uid, base, name, &Wanted::of(&root)).await
}

/// Hands a request to `dav-server`, prepared, and dresses its answer.
async fn delegate(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    base: &str,
    name: &str,
) -> Result<Reply, Fault> {
    let destination = destination(ask, base)?;
    if matches!(ask.method(), "GET" | "HEAD") && is_folder(stand, who, name).await? {
        if ask.method() == "GET" && archive::is_wanted(ask) {
            return archive::send(stand, ask, who, name).await;
        }
        let text = "WebDAV lives here: open it with a WebDAV or sync client.\n";
        return Ok(answer::full(StatusCode::OK, "text/html; charset=UTF-8", text));
    }
    if let Some(to) = &destination {
        guard_mount(stand, who, to).await?;
    }
    if ask.method() == "PUT" && ask.header("x-nc-webdav-auto-mkcol") == Some("1") {
        make_parents(stand, who, name).await?;
    }
    let errand = Arc::new(errand(ask, who, destination));
    let handler = DavHandler::builder()
        .filesystem(Box::new(Files { stand: Arc::clone(stand) }))
        .locksystem(stand.locks(&who.uid))
        .strip_prefix(percent_decode_str(base).decode_utf8_lossy())
        .build_handler();
    let Some(body) = ask.take_body() else { return Err(Fault::BAD_REQUEST) };
    let sum = checksum::Sum::wanted(ask).filter(|_| ask.method() == "PUT");
    let mut request = Request::new(checksum::Summed::over(body, sum.clone()));
    *request.method_mut() = ask.head.method.clone();
    *request.uri_mut() = ask.head.uri.clone();
    *request.headers_mut() = ask.head.headers.clone();
    let reply = handler.handle_guarded(request, who.uid.clone(), Arc::clone(&errand)).await;
    let (parts, body) = reply.into_parts();
    let mut reply = Reply::from_parts(parts, body.boxed_unsync());
    let complaint = errand.complaint.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(complaint) = complaint {
        let exception = "OCP\\Share\\Exceptions\\GenericShareException";
        return Ok(error_of(StatusCode::INTERNAL_SERVER_ERROR, exception, &complaint));
    }
    if reply.status().is_client_error() || reply.status().is_server_error() {
        return Ok(dress_error(&reply));
    }
    dress(stand, ask, who, name, &errand, &mut reply).await?;
    if let Some(sum) = sum {
        sum.tell(&mut reply);
    }
    Ok(reply)
}

fn errand(ask: &Ask, who: &Identity, destination: Option<String>) -> Errand {
    Errand {
        uid: who.uid.clone(),
        mtime: ask.header("x-oc-mtime").and_then(|text| text.split('.').next()?.parse().ok()),
        checksum: ask.header("oc-checksum").map(ToOwned::to_owned),
        whole: match ask.method() {
            "DELETE" | "MOVE" => Some(String::new()),
            _ => destination.clone(),
        },
        destination,
        for_good: ask.header("x-nc-skip-trashbin") == Some("true"),
        made: Mutex::new(None),
        complaint: Mutex::new(None),
    }
}

/// The name that `Destination` leads to; the header is cut to its path, as only that counts.
fn destination(ask: &mut Ask, base: &str) -> Result<Option<String>, Fault> {
    let Some(text) = ask.header("destination") else { return Ok(None) };
    let path = path_of(text).ok_or(Fault::BAD_REQUEST)?;
    let value = HeaderValue::from_str(&path).map_err(|_| Fault::BAD_REQUEST)?;
    let name = name_below(&path, base).map_err(|_| Fault::FORBIDDEN)?;
    ask.head.headers.insert("destination", value);
    Ok(Some(name))
}

/// The path of a URL or of a path.
pub(super) fn path_of(url: &str) -> Option<String> {
    if url.starts_with('/') {
        return Some(url.to_owned());
    }
    url.parse::<Uri>().ok().map(|uri| uri.path().to_owned())
}

/// The decoded name of a request path below a base, without slashes at its ends.
pub(super) fn name_below(path: &str, base: &str) -> Result<String, Fault> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().map(|t| t.into_owned());
    let (path, base) = (decode(path), decode(base));
    let (Ok(path), Ok(base)) = (path, base) else { return Err(Fault::BAD_REQUEST) };
    let rest = path.strip_prefix(&base).ok_or(Fault::NOT_FOUND)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err(Fault::NOT_FOUND);
    }
    let parts: Vec<&str> = rest.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") { Err(Fault::FORBIDDEN) } else { Ok(parts.join("/")) }
}

/// Overwriting a received share would delete what somebody else owns.
async fn guard_mount(stand: &StandIn, who: &Identity, to: &str) -> Result<(), Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    if to.is_empty() || view.mount_at(to).is_some() { Err(Fault::FORBIDDEN) } else { Ok(()) }
}

async fn is_folder(stand: &StandIn, who: &Identity, name: &str) -> Result<bool, Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    Ok(view.entry(&stand.db.read, name).await?.is_some_and(|entry| entry.node.is_folder()))
}

/// Makes the folders that a new file needs.
pub(super) async fn make_parents(
    stand: &Arc<StandIn>,
    who: &Identity,
    name: &str,
) -> Result<(), Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    for (end, _) in name.match_indices('/') {
        let Some(folder) = name.get(..end) else { continue };
        let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
        if view.entry(&stand.db.read, folder).await?.is_some() {
            continue;
        }
        let above = view.entry(&stand.db.read, above).await?.ok_or(Fault::NOT_FOUND)?;
        if !valid_name(folder) || above.rights & right::CREATE == 0 {
            return Err(Fault::FORBIDDEN);
        }
        let place = view.place(folder);
        let mut tx = stand.db.write().await?;
        let mut change = Change { db: &mut tx, data: &stand.data };
        match change.make_folder(&place.owner, &place.path).await {
            // Somebody else was quicker.
            Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, _)) => {}
            other => drop(other?),
        }
        tx.commit().await?;
    }
    Ok(())
}

/// The headers that Nextcloud adds.
async fn dress(
    stand: &StandIn,
    ask: &Ask,
    who: &Identity,
    name: &str,
    errand: &Errand,
    reply: &mut Reply,
) -> Result<(), Fault> {
    let made = errand.made.lock().unwrap_or_else(PoisonError::into_inner).take();
    match ask.method() {
        "PUT" | "PATCH" => {
            if let Some(node) = made {
                mark_node(stand, &node, reply);
            }
            if errand.mtime.is_some() {
                set(reply, "x-oc-mtime", "accepted");
            }
        }
        "MKCOL" | "MOVE" | "COPY" => {
            let name = errand.destination.as_deref().unwrap_or(name);
            let view = View::open(&stand.db.read, &who.uid).await?;
            if let Some(entry) = view.entry(&stand.db.read, name).await? {
                set(reply, "oc-fileid", &propfind::file_id(stand, entry.node.id));
            }
        }
        "GET" | "HEAD" => {
            if let Some(etag) = reply.headers().get("etag").cloned() {
                reply.headers_mut().insert("oc-etag", etag);
            }
            let view = View::open(&stand.db.read, &who.uid).await?;
            if let Some(entry) = view.entry(&stand.db.read, name).await? {
                set(reply, "content-type", &entry.node.mime);
                if let Some(sum) = &entry.node.checksum {
                    set(reply, "oc-checksum", sum);
                }
                let file = change::file_name(name);
                let disposition =
                    format!("attachment; filename*=UTF-8''{}", super::xml::encode_path(file));
                set(reply, "content-disposition", &disposition);
            }
        }
        _ => {}
    }
    Ok(())
}

/// The ids and etags of a file that was put in place.
pub(super) fn mark_node(stand: &StandIn, node: &Node, reply: &mut Reply) {
    let etag = format!("\"{}\"", node.etag);
    set(reply, "etag", &etag);
    set(reply, "oc-etag", &etag);
    set(reply, "oc-fileid", &propfind::file_id(stand, node.id));
}

/// An error of `dav-server`, which has no body, with one.
fn dress_error(plain: &Reply) -> Reply {
    let message = match plain.status() {
        StatusCode::NOT_FOUND => "File could not be located",
        StatusCode::LOCKED => "The resource is locked",
        StatusCode::PRECONDITION_FAILED => "A condition of the request does not hold",
        StatusCode::INSUFFICIENT_STORAGE => "Insufficient space",
        StatusCode::CONFLICT => "The parent folder does not exist",
        _ => "The request was refused",
    };
    let mut reply = dav_error(plain.status(), message);
    if let Some(connection) = plain.headers().get("connection").and_then(|c| c.to_str().ok()) {
        add(&mut reply, "connection", connection);
    }
    reply
}
