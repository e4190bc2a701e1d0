//! PHP behind FastCGI stores an empty file when an upload comes without a length: Finder and
//! everything that sends `Transfer-Encoding: chunked` (A22). For sites that ask for it, such an
//! upload is stored here first, in memory and then in an unnamed file, and sent on with its length.
//!
//! Invariant: the origin hears nothing of an upload that did not arrive whole (A23), nor of one
//! whose announced length (`X-Expected-Entity-Length`) is not the real one.

use std::io::SeekFrom;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::{Answer, Inner, Rule};
use crate::body::{self, Body, Side};
use crate::config::checked;
use crate::gateway::{Exchange, Refusal};

/// Bytes read from the file at a time.
const PIECE: usize = 64 << 10;

/// Gives uploads a length.
#[derive(Clone)]
pub struct Spool;

impl Rule for Spool {
    fn wants(&self, exchange: &Exchange) -> bool {
        exchange.site.config.dav.spool_chunked.is_some()
            && !exchange.request.body().is_empty()
            && !exchange.request.headers().contains_key(CONTENT_LENGTH)
    }

    async fn carry<S: Inner>(self, mut exchange: Box<Exchange>, mut inner: S) -> Answer {
        let site = std::sync::Arc::clone(&exchange.site);
        let Some(settings) = &site.config.dav.spool_chunked else {
            return inner.call(exchange).await;
        };
        let body = std::mem::take(exchange.request.body_mut());
        let stored = Stored::receive(body, settings).await?;
        let headers = exchange.request.headers_mut();
        if expected(headers).is_some_and(|expected| expected != stored.length()) {
            return Err(differs());
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(stored.length()));
        *exchange.request.body_mut() = stored.into_body().await?;
        site.metrics.repairs().count("upload_spooled");
        inner.call(exchange).await
    }
}

/// An upload that has arrived.
enum Stored {
    Memory(Bytes),
    File { file: File, length: u64 },
}

impl Stored {
    async fn receive(mut body: Body, settings: &checked::Spool) -> Result<Self, Refusal> {
        let mut memory = BytesMut::new();
        let mut file: Option<File> = None;
        let mut length: u64 = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(broken_off)?.into_data() else { continue };
            length += data.len() as u64;
            if length > settings.max {
                return Err(too_large());
            }
            if file.is_none() && memory.len() + data.len() > settings.memory {
                let mut new = unnamed(settings.folder.clone()).await.map_err(no_room)?;
                new.write_all(&memory.split()).await.map_err(no_room)?;
                file = Some(new);
            }
            match &mut file {
                Some(file) => file.write_all(&data).await.map_err(no_room)?,
                None => memory.extend_from_slice(&data),
            }
        }
        match file {
            None => Ok(Stored::Memory(memory.freeze())),
            Some(mut file) => {
                file.flush().await.map_err(no_room)?;
                Ok(Stored::File { file, length })
            }
        }
    }

    fn length(&self) -> u64 {
        match self {
            Stored::Memory(bytes) => bytes.len() as u64,
            Stored::File { length, .. } => *length,
        }
    }

    async fn into_body(self) -> Result<Body, Refusal> {
        match self {
            Stored::Memory(bytes) => Ok(Body::from(bytes)),
            Stored::File { mut file, .. } => {
                file.seek(SeekFrom::Start(0)).await.map_err(no_room)?;
                let pieces = ReaderStream::with_capacity(file, PIECE);
                let frames = futures_util::TryStreamExt::map_ok(pieces, Frame::data);
                let frames = futures_util::TryStreamExt::map_err(frames, |error| {
                    body::Error::Made(Box::new(error))
                });
                Ok(Body::made(StreamBody::new(frames)))
            }
        }
    }
}

/// A file without a name: gone when it is closed, whatever happens.
async fn unnamed(folder: PathBuf) -> std::io::Result<File> {
    let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
    made.map_err(std::io::Error::other)?.map(File::from_std)
}

/// What Finder says the length will be.
fn expected(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-expected-entity-length")?.to_str().ok()?.trim().parse().ok()
}

fn broken_off(error: body::Error) -> Refusal {
    let message = "The upload was broken off.";
    Refusal {
        close: true,
        source: Some(Box::new(error)),
        ..Refusal::client(StatusCode::BAD_REQUEST, "client_broke_off", message)
    }
}

fn differs() -> Refusal {
    let message = "The upload is not as long as it was announced to be.";
    Refusal::client(StatusCode::BAD_REQUEST, "length_differs", message)
}

fn too_large() -> Refusal {
    let message = "The upload is too large to be sent without a length.";
    Refusal {
        close: true,
        ..Refusal::client(StatusCode::PAYLOAD_TOO_LARGE, "spool_too_large", message)
    }
}

fn no_room(error: std::io::Error) -> Refusal {
    let message = "There is no room to take the upload.";
    Refusal {
        close: true,
        side: Side::Proxy,
        source: Some(Box::new(error)),
        ..Refusal::client(StatusCode::INSUFFICIENT_STORAGE, "spool_full", message)
    }
}
