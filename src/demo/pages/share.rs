//! Link shares: the page of one, its files, and their download. Nobody needs to sign in; the token
//! says what may be seen, and nothing outside it is.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio_util::io::ReaderStream;

use super::layout::{Layout, Page, render};
use crate::demo::files::change::{file_name, on_disk};
use crate::demo::files::tree::{self, Node};
use crate::demo::http::{Ask, Fault, Reply, add, multistatus, redirect, set};
use crate::demo::identity::{Session, password_matches};
use crate::demo::language::Language;
use crate::demo::ocs::link;
use crate::demo::xml::{DAV, Multistatus, OC, Wanted, encode_path, escape, name};
use crate::demo::{StandIn, mint};

/// `/s/TOKEN` and what is below it.
pub(super) async fn page(
    stand: &StandIn,
    ask: &mut Ask,
    session: &Session,
    rest: &str,
) -> Result<Reply, Fault> {
    let (token, action) = rest.split_once('/').unwrap_or((rest, ""));
    let Some((share, root)) = link(stand, token).await? else {
        return Ok(super::not_found(ask, session, None));
    };
    if let Some(hash) = &share.password {
        let known = ask.cookie(COOKIE) == Some(proof(stand, token, hash).as_str());
        match (known, action, ask.method()) {
            (true, ..) => {}
            (false, "authenticate/showShare", "POST") => {
                return try_password(stand, ask, session, token, hash).await;
            }
            (false, "authenticate/showShare", _) => return Ok(ask_password(session, "")),
            _ => {
                let to = format!("{}/s/{token}/authenticate/showShare", ask.base);
                return Ok(redirect(StatusCode::SEE_OTHER, &to));
            }
        }
    }
    let wanted = ask.query("path").unwrap_or_default();
    let inside = ask.query("files").map(|file| format!("{wanted}/{file}"));
    let name = inside.unwrap_or(wanted);
    let node = below(stand, &root, &name).await?;
    match (action, node) {
        ("", Some(node)) => Ok(show(stand, session, token, &root, &node).await?),
        ("download", Some(node)) if !node.is_folder() => send(stand, ask, &node).await,
        _ => Ok(super::not_found(ask, session, None)),
    }
}

/// Says that a browser knows a link's password.
const COOKIE: &str = "passeur_demo_link";

fn proof(stand: &StandIn, token: &str, hash: &str) -> String {
    mint::sha256_hex(format!("{token}{hash}{}", stand.secret).as_bytes())
}

fn ask_password(session: &Session, warning: &str) -> Reply {
    let (token, _) = session.request_token();
    let content = format!(
        "<form method=\"post\" action=\"\"><p class=\"warning\">{warning}</p>\
         <input type=\"hidden\" name=\"requesttoken\" value=\"{token}\">\
         <label for=\"password\">Password</label>\
         <input id=\"password\" type=\"password\" name=\"password\" required>\
         <input type=\"submit\" value=\"Submit\"></form>"
    );
    let page = Page {
        layout: Layout::Guest,
        language: Language::default(),
        app: "core",
        title: "Password",
        navigation: String::new(),
        content,
    };
    render(StatusCode::OK, &page, session, None)
}

async fn try_password(
    stand: &StandIn,
    ask: &mut Ask,
    session: &Session,
    token: &str,
    hash: &str,
) -> Result<Reply, Fault> {
    let base = ask.base.clone();
    let fields = ask.fields().await?;
    let right = password_matches(fields.get("password").unwrap_or_default(), hash);
    if !right || !fields.get("requesttoken").is_some_and(|token| session.accepts(token)) {
        stand.switches.refuse();
        return Ok(ask_password(session, "The password is wrong or expired. Try again."));
    }
    let mut reply = redirect(StatusCode::SEE_OTHER, &format!("{base}/s/{token}"));
    let proof = proof(stand, token, hash);
    add(
        &mut reply,
        "set-cookie",
        &format!("{COOKIE}={proof}; path=/s/{token}; HttpOnly; SameSite=Lax"),
    );
    Ok(reply)
}

/// `/public.php/dav/files/TOKEN/…`: looking and downloading.
pub(super) async fn dav(stand: &StandIn, ask: &mut Ask, rest: &str) -> Result<Reply, Fault> {
    let (token, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (share, root) = link(stand, token).await?.ok_or(Fault::NOT_FOUND)?;
    if let Some(hash) = &share.password {
        let given = ask.header("authorization").and_then(|value| value.strip_prefix("Basic "));
        let given = given.and_then(|value| BASE64.decode(value).ok());
        let given = given.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let password = given.split_once(':').map_or("", |(_, password)| password);
        if !password_matches(password, hash) {
            stand.switches.refuse();
            return Err(Fault::Refused(StatusCode::UNAUTHORIZED, "Cannot authenticate"));
        }
    }
    let node = below(stand, &root, name).await?.ok_or(Fault::NOT_FOUND)?;
    match ask.method() {
        "GET" | "HEAD" if !node.is_folder() => send(stand, ask, &node).await,
        "PROPFIND" => {
            let body = ask.read(1 << 20).await?;
            let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
            let mut nodes = vec![node.clone()];
            if node.is_folder() && ask.header("depth") != Some("0") {
                nodes.extend(tree::nodes_in(&stand.db.read, node.id).await?);
            }
            Ok(look(&format!("/public.php/dav/files/{token}"), &root, &nodes, &wanted))
        }
        _ => Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "only looking and downloads")),
    }
}

fn look(base: &str, root: &Node, nodes: &[Node], wanted: &Wanted) -> Reply {
    let mut out = Multistatus::new();
    let all = ["getlastmodified", "resourcetype", "getetag"].map(|local| name(DAV, local));
    for node in nodes {
        let inside = node.path.get(root.path.len()..).unwrap_or_default();
        let slash = if node.is_folder() { "/" } else { "" };
        let href = format!("{base}{}{slash}", encode_path(inside));
        out.response(&href, wanted, &all, |ns, local| match (ns, local) {
            (DAV, "resourcetype") => {
                Some(if node.is_folder() { "<d:collection/>" } else { "" }.to_owned())
            }
            (DAV, "getlastmodified") => Some(mint::http_date(node.mtime)),
            (DAV, "getetag") => Some(format!("&quot;{}&quot;", node.etag)),
            (DAV, "getcontentlength") if !node.is_folder() => Some(node.size.to_string()),
            (DAV, "getcontenttype") if !node.is_folder() => Some(node.mime.clone()),
            (OC, "size") => Some(node.size.to_string()),
            (OC, "fileid") => Some(node.id.to_string()),
            _ => None,
        });
    }
    multistatus(out.finish(""))
}

/// The node at a name below the shared one.
async fn below(stand: &StandIn, root: &Node, name: &str) -> Result<Option<Node>, Fault> {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Ok(None);
    }
    let mut path = root.path.clone();
    for part in parts {
        let _ = write!(path, "/{part}");
    }
    Ok(tree::node_at(&stand.db.read, &root.owner, &path).await?)
}

async fn show(
    stand: &StandIn,
    session: &Session,
    token: &str,
    root: &Node,
    node: &Node,
) -> Result<Reply, Fault> {
    let encode =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let inside = |node: &Node| node.path.get(root.path.len()..).unwrap_or_default().to_owned();
    let mut rows = String::new();
    let nodes = if node.is_folder() {
        tree::nodes_in(&stand.db.read, node.id).await?
    } else {
        vec![node.clone()]
    };
    for node in &nodes {
        let path = encode(&inside(node));
        let to = if node.is_folder() {
            format!("/s/{token}?path={path}")
        } else {
            format!("/s/{token}/download?path={path}")
        };
        let _ = write!(
            rows,
            "<tr data-cy-files-list-row data-cy-files-list-row-name=\"{0}\"><td><a href=\"{to}\">{0}</a></td><td>{1}</td></tr>",
            escape(&node.name),
            super::readable(node.size)
        );
    }
    let content = format!(
        "<div class=\"files-list\" data-cy-files-list><table><thead><tr><th>Name</th><th>Size</th></tr></thead><tbody>{rows}</tbody></table></div>"
    );
    let page = Page {
        layout: Layout::Public,
        language: Language::default(),
        app: "files",
        title: file_name(&root.path),
        navigation: String::new(),
        content,
    };
    Ok(render(StatusCode::OK, &page, session, None))
}

/// A file as a download.
async fn send(stand: &StandIn, ask: &Ask, node: &Node) -> Result<Reply, Fault> {
    let file = tokio::fs::File::open(on_disk(&stand.data, &node.owner, &node.path)).await?;
    let length = file.metadata().await?.len();
    let mut reply = crate::demo::http::empty(StatusCode::OK);
    if ask.method() != "HEAD" {
        use futures_util::StreamExt as _;
        let frames = ReaderStream::new(file).map(|bytes| bytes.map(Frame::data));
        *reply.body_mut() = StreamBody::new(frames).boxed_unsync();
    }
    let disposition = format!("attachment; filename*=UTF-8''{}", encode_path(&node.name));
    set(&mut reply, "content-type", &node.mime);
    set(&mut reply, "content-length", &length.to_string());
    set(&mut reply, "content-disposition", &disposition);
    set(&mut reply, "content-security-policy", "default-src 'none';");
    set(&mut reply, "etag", &format!("\"{}\"", node.etag));
    Ok(reply)
}
