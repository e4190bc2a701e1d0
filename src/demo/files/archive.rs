//! `GET` of a folder with `accept=tar`: what is in it as an archive, all of it or the names in
//! `files`, a JSON list. As in the original (31 and later), names are below the folder where some
//! were asked for, and begin with the folder's own otherwise; one that is not there is a 404.
//!
//! The archive is packed as it is read: memory does not grow with it.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;

use super::change;
use super::tree::{Entry, View};
use crate::demo::StandIn;
use crate::demo::http::{Ask, Fault, Reply};
use crate::demo::identity::Identity;

/// Pieces on their way to the client.
const PIECES: usize = 8;

/// Something to pack: its name in the archive, where it is, whether it is a folder, its time.
struct Packed {
    name: String,
    disk: PathBuf,
    is_folder: bool,
    mtime: u64,
}

/// Whether a client asks for an archive of a folder.
pub(super) fn is_wanted(ask: &Ask) -> bool {
    match ask.query("accept") {
        Some(kinds) => {
            kinds.split(',').any(|kind| matches!(kind.trim(), "tar" | "application/x-tar"))
        }
        None => ask.header("accept") == Some("application/x-tar"),
    }
}

/// The archive.
pub(super) async fn send(
    stand: &StandIn,
    ask: &Ask,
    who: &Identity,
    name: &str,
) -> Result<Reply, Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    let folder = view.entry(&stand.db.read, name).await?.ok_or(Fault::NOT_FOUND)?;
    let mut tops = Vec::new();
    let below = match ask.query("files").map(|text| serde_json::from_str::<Vec<String>>(&text)) {
        None => {
            tops.push(folder);
            name.rsplit_once('/').map_or(0, |(above, _)| above.len() + 1)
        }
        Some(Err(_)) => return Err(Fault::BAD_REQUEST),
        Some(Ok(names)) => {
            for one in names.iter().filter(|one| !one.contains('/')) {
                let path = super::tree::join(name, one);
                tops.push(view.entry(&stand.db.read, &path).await?.ok_or(Fault::NOT_FOUND)?);
            }
            if name.is_empty() { 0 } else { name.len() + 1 }
        }
    };
    let mut packed = Vec::new();
    while let Some(entry) = tops.pop() {
        if entry.node.is_folder() {
            tops.extend(view.children(&stand.db.read, &entry).await?);
        }
        packed.push(pack(stand, &entry, below));
    }
    let (pieces, mut coming) = mpsc::channel::<io::Result<Bytes>>(PIECES);
    tokio::task::spawn_blocking(move || {
        // An error ends the body before its end: whoever waits for it is told.
        if let Err(error) = write(&pieces, &packed) {
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let frames =
        stream::poll_fn(move |cx| coming.poll_recv(cx).map(|p| p.map(|p| p.map(Frame::data))));
    let mut reply = Reply::new(StreamBody::new(frames).boxed_unsync());
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    Ok(reply)
}

fn pack(stand: &StandIn, entry: &Entry, below: usize) -> Packed {
    Packed {
        name: entry
            .name
            .get(below..)
            .filter(|name| !name.is_empty())
            .unwrap_or("download")
            .to_owned(),
        disk: change::on_disk(&stand.data, &entry.node.owner, &entry.node.path),
        is_folder: entry.node.is_folder(),
        mtime: u64::try_from(entry.node.mtime).unwrap_or(0),
    }
}

fn write(pieces: &mpsc::Sender<io::Result<Bytes>>, all: &[Packed]) -> io::Result<()> {
    let mut archive = tar::Builder::new(io::BufWriter::with_capacity(64 << 10, Pipe(pieces)));
    for one in all {
        let mut header = tar::Header::new_ustar();
        header.set_mtime(one.mtime);
        header.set_mode(0o644);
        if one.is_folder {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, &one.name, io::empty())?;
        } else {
            let file = File::open(&one.disk)?;
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(file.metadata()?.len());
            archive.append_data(&mut header, &one.name, file)?;
        }
    }
    archive.into_inner()?.flush()
}

/// What is written to it goes to the client.
struct Pipe<'a>(&'a mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
