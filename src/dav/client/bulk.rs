//! Many small files in one request (`POST …/bulk`): some fifty times as many in a second as one by
//! one.

use std::collections::HashMap;
use std::convert::Infallible;

use bytes::Bytes;
use http::header;
use md5::{Digest, Md5};
use serde::Deserialize;

use super::{Client, Error, Path, Upload, short, succeeded};

/// A small file.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it goes, below the account's files.
    pub path: Path,
    /// When it was changed last, seconds since 1970.
    pub mtime: i64,
    /// Its bytes.
    pub bytes: Bytes,
    /// Their MD5, hexadecimal: the server compares it with what arrives.
    pub md5: String,
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
    pub async fn bulk(&self, at: &Path, parts: Vec<Part>) -> Result<Vec<PartOutcome>, Error> {
        let names: Vec<String> = parts.iter().map(name).collect();
        let (boundary, pieces) = encode(parts);
        let length: usize = pieces.iter().map(Bytes::len).sum();
        let pieces = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
        let upload = Upload::streamed(length as u64, pieces);
        let request = self
            .request("POST", at)
            .header(header::CONTENT_TYPE, format!("multipart/related; boundary={boundary}"))
            .header(header::CONTENT_LENGTH, length);
        let answer = succeeded(self.send(request, upload.body).await?).await?;
        let told = short(answer.into_body()).await?;
        // PHP writes an empty object as an empty list.
        let told: HashMap<String, Told> = match told.trim_ascii() {
            b"[]" => HashMap::new(),
            told => serde_json::from_slice(told)
                .map_err(|error| Error::Malformed(format!("bulk upload: {error}")))?,
        };
        Ok(names.iter().map(|name| outcome(told.get(name))).collect())
    }
}

impl Part {
    /// These bytes, to be stored at `path`.
    #[must_use]
    pub fn new(path: Path, mtime: i64, bytes: Bytes) -> Self {
        let md5 = hex(&Md5::digest(&bytes));
        Self { path, mtime, bytes, md5 }
    }

    /// Whether its name gets through: it stands in a line of text, from whose end blanks are cut.
    #[must_use]
    pub fn can_be_named(path: &Path) -> bool {
        let name = path.to_string();
        name.trim_end() == name && !name.contains(['\r', '\n'])
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

/// The multipart body in pieces, as Nextcloud's parser wants it: length, checksum, path and time of
/// each file. Their bytes are not copied.
fn encode(parts: Vec<Part>) -> (String, Vec<Bytes>) {
    let mut hash = Md5::new();
    for part in &parts {
        hash.update(part.md5.as_bytes());
    }
    // Cannot stand in a part: nobody can choose bytes that hold their own checksum.
    let boundary = format!("passeur_{}", hex(&hash.finalize()));
    let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
    let mut end = "";
    for part in parts {
        let head = format!(
            "{end}--{boundary}\r\nX-File-Path: {}\r\nX-OC-Mtime: {}\r\nX-File-MD5: {}\r\n\
             Content-Length: {}\r\n\r\n",
            name(&part),
            part.mtime,
            part.md5,
            part.bytes.len(),
        );
        pieces.push(head.into());
        pieces.push(part.bytes);
        end = "\r\n";
    }
    pieces.push(format!("{end}--{boundary}--\r\n").into());
    (boundary, pieces)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
