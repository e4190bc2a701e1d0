//! Many small files in one request (`POST …/bulk`): some fifty times as many in a second as one by
//! one.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use http::header;
use md5::{Digest, Md5};
use serde::Deserialize;

use super::{Body, Client, Error, Path, short, succeeded};

/// A small file.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it goes, below the account's files.
    pub path: Path,
    /// When it was changed last, seconds since 1970.
    pub mtime: i64,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What came of a part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PartOutcome {
    /// It is stored, with this entity tag.
    Stored {
        /// Its entity tag, without quotes.
        etag: Option<String>,
        /// `OC-FileId`.
        file_id: Option<String>,
    },
    /// It is not, and this is why.
    Failed(String),
    /// The server does not say: look.
    Unknown,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    error: bool,
    message: Option<String>,
    etag: Option<String>,
    #[serde(alias = "OC-FileID", alias = "OC-FileId", alias = "fileid")]
    file_id: Option<serde_json::Value>,
}

impl Client {
    /// Stores these files, over what there is; says of each what came of it, in their order. All
    /// of them are in memory at once: a few MiB are a good size.
    ///
    /// # Errors
    /// As [`Error`] says; then nothing is known of any of them. 404 or 501 where the server has no
    /// such thing.
    pub async fn bulk(&self, at: &Path, parts: &[Part]) -> Result<Vec<PartOutcome>, Error> {
        let (boundary, body) = encode(parts);
        let request = self
            .request("POST", at)
            .header(header::CONTENT_TYPE, format!("multipart/related; boundary={boundary}"))
            .header(header::CONTENT_LENGTH, body.len());
        let answer = succeeded(self.send(request, Body::from(body)).await?).await?;
        let told = short(answer.into_body()).await?;
        // PHP writes an empty object as an empty list.
        let told: HashMap<String, Told> = match told.trim_ascii() {
            b"[]" => HashMap::new(),
            told => serde_json::from_slice(told)
                .map_err(|error| Error::Malformed(format!("bulk upload: {error}")))?,
        };
        Ok(parts.iter().map(|part| outcome(told.get(&name(part)))).collect())
    }
}

fn outcome(told: Option<&Told>) -> PartOutcome {
    match told {
        None => PartOutcome::Unknown,
        Some(Told { error: true, message, .. }) => {
            PartOutcome::Failed(message.clone().unwrap_or_default())
        }
        Some(Told { etag, file_id, .. }) => PartOutcome::Stored {
            etag: etag.clone(),
            file_id: file_id.as_ref().map(|id| match id {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            }),
        },
    }
}

fn name(part: &Part) -> String {
    format!("/{}", part.path)
}

/// The multipart body, as Nextcloud's parser wants it: length, checksum, path and time of each.
fn encode(parts: &[Part]) -> (String, Bytes) {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(Md5::digest(&part.bytes));
    }
    // Cannot stand in a part: nobody can choose bytes that hold their own checksum.
    let boundary = format!("passeur_{}", hex(&hash.finalize()));
    let mut body = BytesMut::with_capacity(parts.iter().map(|part| part.bytes.len() + 512).sum());
    for part in parts {
        let head = format!(
            "--{boundary}\r\nX-File-Path: {}\r\nX-OC-Mtime: {}\r\nX-File-MD5: {}\r\n\
             Content-Length: {}\r\n\r\n",
            name(part),
            part.mtime,
            hex(&Md5::digest(&part.bytes)),
            part.bytes.len(),
        );
        body.put(head.as_bytes());
        body.put(part.bytes.as_ref());
        body.put(&b"\r\n"[..]);
    }
    body.put(format!("--{boundary}--\r\n").as_bytes());
    (boundary, body.freeze())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
