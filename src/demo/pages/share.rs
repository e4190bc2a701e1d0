//! Link shares: the page of one, its files, and their download. Nobody needs to sign in; the token
//! says what may be seen, and nothing outside it is.

use std::fmt::Write as _;

use http::StatusCode;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio_util::io::ReaderStream;

use super::layout::{Layout, Page, render};
use crate::demo::StandIn;
use crate::demo::files::change::{file_name, on_disk};
use crate::demo::files::tree::{self, Node};
use crate::demo::http::{Ask, Fault, Reply, set};
use crate::demo::identity::Session;
use crate::demo::ocs::link;
use crate::demo::xml::{encode_path, escape};

/// `/s/TOKEN` and what is below it.
pub(super) async fn page(
    stand: &StandIn,
    ask: &Ask,
    session: &Session,
    rest: &str,
) -> Result<Reply, Fault> {
    let (token, action) = rest.split_once('/').unwrap_or((rest, ""));
    let Some((_, root)) = link(stand, token).await? else {
        return Ok(super::not_found(session, None));
    };
    let wanted = ask.query("path").unwrap_or_default();
    let inside = ask.query("files").map(|file| format!("{wanted}/{file}"));
    let name = inside.unwrap_or(wanted);
    let node = below(stand, &root, &name).await?;
    match (action, node) {
        ("", Some(node)) => Ok(show(stand, session, token, &root, &node).await?),
        ("download", Some(node)) if !node.is_folder() => send(stand, ask, &node).await,
        _ => Ok(super::not_found(session, None)),
    }
}

/// `/public.php/dav/files/TOKEN/…`: downloads only.
pub(super) async fn dav(stand: &StandIn, ask: &Ask, rest: &str) -> Result<Reply, Fault> {
    let (token, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (_, root) = link(stand, token).await?.ok_or(Fault::NOT_FOUND)?;
    let node = below(stand, &root, name).await?.ok_or(Fault::NOT_FOUND)?;
    match ask.method() {
        "GET" | "HEAD" if !node.is_folder() => send(stand, ask, &node).await,
        _ => Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "only downloads")),
    }
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
