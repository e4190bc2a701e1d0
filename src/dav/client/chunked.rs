//! Chunked upload, version 2: a folder of numbered chunks that a MOVE makes one file of.
//!
//! A chunk that was stored stays for a day, so an upload that was cut off goes on where it was:
//! [`Chunked::stored`] says what is there.

use http::header;

use super::{
    Body, Client, Conditions, Depth, Error, Path, Property, Put, Stored, Upload, finish, succeeded,
};

/// An upload in chunks.
#[derive(Clone, Debug)]
pub struct Chunked {
    client: Client,
    folder: Path,
    destination: Path,
    total: u64,
}

/// A chunk that is on the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chunk {
    /// Its number, from 1.
    pub number: u32,
    /// How long it is, bytes.
    pub length: u64,
}

/// As many chunks as a server takes.
const MAX_CHUNKS: u32 = 10_000;

impl Client {
    /// An upload of `total` bytes in chunks kept at `folder`, to become `destination`.
    #[must_use]
    pub fn chunked(&self, folder: Path, destination: Path, total: u64) -> Chunked {
        Chunked { client: self.clone(), folder, destination, total }
    }
}

impl Chunked {
    /// Makes the folder; one that is there already is as good.
    ///
    /// # Errors
    /// As [`Error`] says; 507 if there is no room for it.
    pub async fn begin(&self) -> Result<(), Error> {
        match self.client.change(self.request("MKCOL", &self.folder), Body::Empty).await {
            Err(error) if error.status() == Some(http::StatusCode::METHOD_NOT_ALLOWED) => Ok(()),
            outcome => outcome,
        }
    }

    /// The chunks that are there, by number; `None` if the folder is not (any more).
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn stored(&self) -> Result<Option<Vec<Chunk>>, Error> {
        let wanted = [Property::dav("getcontentlength")];
        let mut entries = match self.client.propfind(&self.folder, Depth::One, &wanted).await {
            Err(error) if error.is_not_found() => return Ok(None),
            entries => entries?,
        };
        let mut chunks = Vec::new();
        while let Some(entry) = entries.next().await? {
            let number = entry.path.name().and_then(|name| name.parse().ok());
            let length = entry.text(&wanted[0]).and_then(|text| text.parse().ok());
            if let (Some(number @ 1..=MAX_CHUNKS), Some(length), true) =
                (number, length, entry.path != self.folder)
            {
                chunks.push(Chunk { number, length });
            }
        }
        chunks.sort_unstable_by_key(|chunk| chunk.number);
        Ok(Some(chunks))
    }

    /// Stores one chunk: 5 MiB to 5 GiB, but for the last. The server is asked for the SHA-256 of
    /// what arrives.
    ///
    /// # Errors
    /// As [`Error`] says. A chunk may be sent again at any time.
    pub async fn put(&self, number: u32, chunk: Upload) -> Result<Stored, Error> {
        // Five digits: the server sorts names as text.
        let path = self.folder.join(&format!("{number:05}"))?;
        let request = self.request("PUT", &path).header(header::CONTENT_LENGTH, chunk.length);
        let request = Put { confirm: true, ..Put::default() }.fields(request);
        let answer = succeeded(self.client.send(request, chunk.body).await?).await?;
        let stored = Stored::of(&answer);
        finish(answer).await?;
        Ok(stored)
    }

    /// Makes one file of the chunks. Of the conditions, [`Conditions::IfAbsent`] alone means
    /// anything: entity tags would be compared with the upload's own.
    ///
    /// # Errors
    /// As [`Error`] says; 412 if there is something where nothing should be. Assembling takes
    /// long: without an answer it may still go on.
    pub async fn finish(&self, put: &Put) -> Result<Stored, Error> {
        let overwrite = if put.conditions == Conditions::IfAbsent { "F" } else { "T" };
        let put = Put { conditions: Conditions::Always, ..put.clone() };
        let request = put.fields(self.request("MOVE", &self.folder.join(".file")?));
        let request = request.header("overwrite", overwrite);
        let answer = succeeded(self.client.send(request, Body::Empty).await?).await?;
        let stored = Stored::of(&answer);
        finish(answer).await?;
        Ok(stored)
    }

    /// Throws the chunks away.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn abandon(&self) -> Result<(), Error> {
        match self.client.delete(&self.folder, super::Trash::Skip).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        }
    }

    /// Each request names the destination: without it, a server takes the upload for version 1.
    fn request(&self, method: &str, path: &Path) -> http::request::Builder {
        self.client
            .request(method, path)
            .header("destination", self.client.address(&self.destination))
            .header("oc-total-length", self.total)
    }
}
