//! Files while their bytes come and go.
//!
//! An upload fills a temporary file; [`Upload::finish`] puts it in place, at the end, if as much has
//! arrived as was announced. Dropped before that, for whatever reason, it leaves nothing behind and
//! the old version as it was.

use std::io::SeekFrom;
use std::sync::{Arc, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use dav_server::davpath::DavPath;
use dav_server::fs::{DavFile, DavMetaData, FsError, FsFuture, FsResult, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::change::{Arrived, Change, on_disk};
use super::fs::{Acting, Files, Meta, database, name_of, uncut};
use super::tree::{Entry, View, right};
use crate::demo::StandIn;

/// A file being read.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) file: tokio::fs::File,
    pub(super) entry: Entry,
}

impl DavFile for Download {
    fn metadata(&'_ mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let meta = Meta(self.entry.clone());
        Box::pin(std::future::ready(Ok(Box::new(meta) as Box<dyn DavMetaData>)))
    }

    fn write_buf(&'_ mut self, _buf: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        Box::pin(std::future::ready(Err(FsError::Forbidden)))
    }

    fn write_bytes(&'_ mut self, _buf: Bytes) -> FsFuture<'_, ()> {
        Box::pin(std::future::ready(Err(FsError::Forbidden)))
    }

    fn read_bytes(&'_ mut self, count: usize) -> FsFuture<'_, Bytes> {
        Box::pin(async move {
            let mut buffer = BytesMut::with_capacity(count);
            while buffer.len() < count {
                let room = count - buffer.len();
                if (&mut self.file).take(room as u64).read_buf(&mut buffer).await? == 0 {
                    break;
                }
            }
            Ok(buffer.freeze())
        })
    }

    fn seek(&'_ mut self, pos: SeekFrom) -> FsFuture<'_, u64> {
        Box::pin(async move { Ok(self.file.seek(pos).await?) })
    }

    fn flush(&'_ mut self) -> FsFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A file being written.
pub(super) struct Upload {
    stand: Arc<StandIn>,
    errand: Acting,
    place: super::tree::Place,
    part: Option<tempfile::TempPath>,
    file: tokio::fs::File,
    expected: Option<u64>,
    /// How much more the account may store.
    room: Option<u64>,
    partial: bool,
    written: u64,
    made: Option<Entry>,
    view: View,
    name: String,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Upload {
    pub(super) async fn begin(
        files: &Files,
        path: &DavPath,
        options: OpenOptions,
        errand: &Acting,
    ) -> FsResult<Self> {
        let name = name_of(path)?;
        let stand = Arc::clone(&files.stand);
        let view = files.view(errand).await?;
        let old = view.entry(&stand.db.read, &name).await.map_err(database)?;
        match &old {
            Some(_) if options.create_new => return Err(FsError::Exists),
            Some(old) if old.node.is_folder() || old.rights & right::UPDATE == 0 => {
                return Err(FsError::Forbidden);
            }
            Some(_) => {}
            None if !options.create => return Err(FsError::NotFound),
            None => drop(files.room(errand, &name).await?),
        }
        let place = view.place(&name);
        let replaced = old.as_ref().map_or(0, |old| u64::try_from(old.node.size).unwrap_or(0));
        let room = super::quota::room(&stand, &place.owner).await.map_err(database)?;
        let room = room.map(|room| room.saturating_add(replaced));
        if options.size.zip(room).is_some_and(|(size, room)| size > room) {
            return Err(FsError::InsufficientStorage);
        }
        let parts = stand.parts();
        // A partial update starts from what is there.
        let partial = !options.truncate;
        let base = old
            .filter(|_| partial)
            .map(|old| on_disk(&stand.data, &old.node.owner, &old.node.path));
        let (part, file) = super::change::blocking(move || {
            let (file, part) = tempfile::NamedTempFile::new_in(parts)?.into_parts();
            if let Some(base) = base {
                std::fs::copy(base, &part)?;
            }
            Ok((part, file))
        })
        .await?;
        let mut file = tokio::fs::File::from_std(file);
        if options.append {
            file.seek(SeekFrom::End(0)).await?;
        }
        let expected = options.size.filter(|_| !partial);
        let errand = Arc::clone(errand);
        Ok(Self {
            stand,
            errand,
            place,
            part: Some(part),
            file,
            expected,
            room,
            partial,
            written: 0,
            made: None,
            view,
            name,
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> FsResult<()> {
        self.written += bytes.len() as u64;
        if self.room.is_some_and(|room| self.written > room) {
            return Err(FsError::InsufficientStorage);
        }
        Ok(self.file.write_all(bytes).await?)
    }

    async fn finish(&mut self) -> FsResult<()> {
        let Some(part) = self.part.take() else { return Ok(()) };
        self.file.flush().await?;
        if self.expected.is_some_and(|expected| expected != self.written) {
            // Less or more than announced: the old version stays.
            return Err(FsError::GeneralFailure);
        }
        let size = if self.partial { self.file.metadata().await?.len() } else { self.written };
        let arrived = Arrived {
            file: part,
            size,
            mtime: self.errand.mtime,
            checksum: self.errand.checksum.clone(),
        };
        let (stand, place) = (Arc::clone(&self.stand), self.place.clone());
        let node = uncut(async move {
            let mut tx = stand.db.write().await?;
            let mut change = Change { db: &mut tx, data: &stand.data };
            let (node, _) = change.put(&place.owner, &place.path, arrived).await?;
            tx.commit().await?;
            Ok(node)
        })
        .await?;
        *self.errand.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(node);
        self.made = self.view.entry(&self.stand.db.read, &self.name).await.map_err(database)?;
        Ok(())
    }
}

impl DavFile for Upload {
    fn metadata(&'_ mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let made = self.made.clone().ok_or(FsError::NotFound);
        Box::pin(std::future::ready(made.map(|entry| Box::new(Meta(entry)) as Box<_>)))
    }

    fn write_buf(&'_ mut self, mut buf: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        let bytes = buf.copy_to_bytes(buf.remaining());
        Box::pin(async move { self.write(&bytes).await })
    }

    fn write_bytes(&'_ mut self, buf: Bytes) -> FsFuture<'_, ()> {
        Box::pin(async move { self.write(&buf).await })
    }

    fn read_bytes(&'_ mut self, _count: usize) -> FsFuture<'_, Bytes> {
        Box::pin(std::future::ready(Err(FsError::Forbidden)))
    }

    fn seek(&'_ mut self, pos: SeekFrom) -> FsFuture<'_, u64> {
        Box::pin(async move { Ok(self.file.seek(pos).await?) })
    }

    fn flush(&'_ mut self) -> FsFuture<'_, ()> {
        Box::pin(self.finish())
    }
}
