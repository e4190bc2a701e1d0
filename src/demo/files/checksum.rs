//! Checksums that the instance computes itself: of what arrives, where a client asks by `X-Hash`,
//! and of what it has, by `PATCH` with `X-Recalculate-Hash`, which also keeps it.

use std::io::Read as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use hyper::body::Incoming;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::change::{blocking, on_disk};
use super::tree::View;
use crate::demo::StandIn;
use crate::demo::http::{Ask, Fault, Reply, empty, set};
use crate::demo::identity::Identity;

/// The SHA-256 of what passes.
#[derive(Clone, Default)]
pub(super) struct Sum(Arc<Mutex<Sha256>>);

/// A request's body, summed up where that was asked for.
pub(super) struct Summed {
    inner: Incoming,
    sum: Option<Sum>,
}

impl Sum {
    /// A sum, if the client asks for one.
    pub(super) fn wanted(ask: &Ask) -> Option<Self> {
        matches!(ask.header("x-hash"), Some("sha256" | "all")).then(Self::default)
    }

    pub(super) fn update(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
    }

    /// Tells the client.
    pub(super) fn tell(&self, reply: &mut Reply) {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize();
        set(reply, "x-hash-sha256", &hex(&sum));
    }
}

impl Summed {
    pub(super) fn over(inner: Incoming, sum: Option<Sum>) -> Self {
        Self { inner, sum }
    }
}

impl http_body::Body for Summed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let (Some(Ok(frame)), Some(sum)) = (&frame, &self.sum)
            && let Some(data) = frame.data_ref()
        {
            sum.update(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// Computes the checksum of a file anew, and keeps it.
pub(super) async fn recalculate(
    stand: &StandIn,
    ask: &Ask,
    who: &Identity,
    name: &str,
) -> Result<Reply, Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    let entry = view.entry(&stand.db.read, name).await?.ok_or(Fault::NOT_FOUND)?;
    let kind = ask.header("x-recalculate-hash").unwrap_or_default().to_ascii_uppercase();
    let disk = on_disk(&stand.data, &entry.node.owner, &entry.node.path);
    let no_such = || Fault::Refused(StatusCode::NOT_IMPLEMENTED, "no such checksum");
    if entry.node.is_folder() {
        return Err(no_such());
    }
    let sum = match kind.as_str() {
        "MD5" => blocking(move || sum_of::<Md5>(&disk)).await?,
        "SHA1" => blocking(move || sum_of::<Sha1>(&disk)).await?,
        "SHA256" => blocking(move || sum_of::<Sha256>(&disk)).await?,
        _ => return Err(no_such()),
    };
    let checksum = format!("{kind}:{sum}");
    let mut tx = stand.db.write().await?;
    sqlx::query("UPDATE oc_filecache SET checksum = ? WHERE fileid = ?")
        .bind(&checksum)
        .bind(entry.node.id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    let mut reply = empty(StatusCode::NO_CONTENT);
    set(&mut reply, "oc-checksum", &checksum);
    Ok(reply)
}

fn sum_of<D: Digest>(path: &std::path::Path) -> std::io::Result<String> {
    let (mut file, mut sum) = (std::fs::File::open(path)?, D::new());
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&sum.finalize())),
            read => sum.update(&piece[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
