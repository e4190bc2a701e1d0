//! The filesystem that `dav-server` sees: an account's [`View`], with the bytes streamed from and to
//! disk. What a request is about (whose tree, times and checksums it brings, what it made) travels
//! as its credentials.
//!
//! A folder is deleted as a whole: `dav-server` would walk into it, and through a mount into what
//! somebody else owns, so [`read_dir`](Files) shows it an empty folder then. Deleting a mount only
//! takes the share off.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use dav_server::davpath::DavPath;
use dav_server::fs::{
    DavDirEntry, DavFile, DavMetaData, DavProp, FsError, FsFuture, FsResult, FsStream,
    GuardedFileSystem, OpenOptions, ReadDirMeta,
};
use futures_util::stream;
use http::StatusCode;

use super::change::{Arrived, Change, on_disk, valid_name};
use super::handles::{Download, Upload};
use super::tree::{Entry, Node, View, is_below, right};
use super::{mounting, passing, properties, trash};
use crate::demo::http::Fault;
use crate::demo::{StandIn, mint};

/// What a request is about.
#[derive(Debug)]
pub(in crate::demo) struct Errand {
    pub(in crate::demo) uid: String,
    pub(in crate::demo) mtime: Option<i64>,
    pub(in crate::demo) checksum: Option<String>,
    /// Folders at or below this name are deleted whole; all, if it is empty.
    pub(in crate::demo) whole: Option<String>,
    /// Where a MOVE or COPY leads.
    pub(in crate::demo) destination: Option<String>,
    /// What is deleted does not go to the trash bin.
    pub(in crate::demo) for_good: bool,
    /// The file that was put in place.
    pub(in crate::demo) made: Mutex<Option<Node>>,
    /// Why it is answered with an error although it was done.
    pub(in crate::demo) complaint: Mutex<Option<String>>,
}

/// All accounts' files.
#[derive(Clone)]
pub(in crate::demo) struct Files {
    pub(in crate::demo) stand: Arc<StandIn>,
}

pub(super) type Acting = Arc<Errand>;

impl Files {
    pub(super) async fn view(&self, errand: &Errand) -> FsResult<View> {
        View::open(&self.stand.db.read, &errand.uid).await.map_err(database)
    }

    async fn find(&self, errand: &Errand, path: &DavPath) -> FsResult<(View, Entry)> {
        let view = self.view(errand).await?;
        let name = name_of(path)?;
        let entry = view.entry(&self.stand.db.read, &name).await.map_err(database)?;
        entry.map(|entry| (view, entry)).ok_or(FsError::NotFound)
    }

    /// The folder that something is to be made in, if that is allowed.
    pub(super) async fn room(&self, errand: &Errand, name: &str) -> FsResult<View> {
        if !valid_name(name) {
            return Err(FsError::Forbidden);
        }
        let view = self.view(errand).await?;
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = view.entry(&self.stand.db.read, folder).await.map_err(database)?;
        match folder {
            None => Err(FsError::NotFound),
            Some(folder) if !folder.node.is_folder() => Err(FsError::Forbidden),
            Some(folder) if folder.rights & right::CREATE == 0 => Err(FsError::Forbidden),
            Some(_) => Ok(view),
        }
    }

    async fn delete(&self, errand: &Errand, path: &DavPath) -> FsResult<()> {
        let (view, entry) = self.find(errand, path).await?;
        if entry.name.is_empty() || entry.rights & right::DELETE == 0 {
            return Err(FsError::Forbidden);
        }
        let (stand, uid) = (Arc::clone(&self.stand), errand.uid.clone());
        let for_good = errand.for_good;
        uncut(async move {
            let mut tx = stand.db.write().await?;
            for mount in view
                .mounts
                .iter()
                .filter(|mount| mount.target == entry.name || is_below(&mount.target, &entry.name))
            {
                mounting::take_off(&mut tx, &uid, mount).await?;
            }
            let mut change = Change { db: &mut tx, data: &stand.data };
            match (entry.mount_root, for_good) {
                (true, _) => {}
                (false, true) => change.remove(&entry.node).await?,
                (false, false) => trash::put_in(&mut change, &entry.node, &uid).await?,
            }
            properties::forget(&mut tx, &uid, &entry.name).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn move_to(&self, errand: &Errand, from: &DavPath, to: &DavPath) -> FsResult<()> {
        let (view, entry) = self.find(errand, from).await?;
        let to = name_of(to)?;
        self.room(errand, &to).await?;
        let folder =
            |name: &str| name.rsplit_once('/').map_or(String::new(), |(f, _)| f.to_owned());
        let enough = if folder(&entry.name) == folder(&to) {
            right::UPDATE | right::DELETE
        } else {
            right::DELETE
        };
        if entry.name.is_empty() || entry.rights & enough == 0 && !entry.mount_root {
            return Err(FsError::Forbidden);
        }
        let place = view.place(&to);
        // A share may be put elsewhere among one's own files, not into somebody else's.
        if entry.mount_root && place.owner != errand.uid {
            return Err(FsError::Forbidden);
        }
        if !entry.mount_root && place.owner != entry.node.owner {
            let size = u64::try_from(entry.node.size).unwrap_or(0);
            check_quota(&self.stand, &place.owner, size).await?;
        }
        let into = view.mount_of(&place).cloned();
        // The new owner's tree as it is before: the core looks at both ways to the file.
        let theirs = View::open(&self.stand.db.read, &place.owner).await.map_err(database)?;
        let (stand, uid) = (Arc::clone(&self.stand), errand.uid.clone());
        let complaint = uncut(async move {
            let mut complaint = None;
            let mut tx = stand.db.write().await?;
            match view.mount_at(&entry.name) {
                Some(mount) => mounting::put(&mut tx, &uid, mount, &to).await?,
                None => {
                    let mut change = Change { db: &mut tx, data: &stand.data };
                    change.relocate(&entry.node, &place.owner, &place.path).await?;
                    for mount in &view.mounts {
                        if let Some(rest) = mount.target.strip_prefix(&format!("{}/", entry.name)) {
                            mounting::put(&mut tx, &uid, mount, &format!("{to}/{rest}")).await?;
                        }
                    }
                    complaint =
                        passing::adjust(&mut tx, &uid, &entry.node, into.as_ref(), &theirs).await?;
                }
            }
            properties::rename(&mut tx, &uid, &entry.name, &to).await?;
            tx.commit().await?;
            Ok(complaint)
        })
        .await?;
        let failed = complaint.is_some();
        *errand.complaint.lock().unwrap_or_else(PoisonError::into_inner) = complaint;
        if failed { Err(FsError::GeneralFailure) } else { Ok(()) }
    }

    async fn copy_to(&self, errand: &Errand, from: &DavPath, to: &DavPath) -> FsResult<()> {
        let (_, entry) = self.find(errand, from).await?;
        let to = name_of(to)?;
        let view = self.room(errand, &to).await?;
        let place = view.place(&to);
        let size = u64::try_from(entry.node.size).unwrap_or(0);
        check_quota(&self.stand, &place.owner, size).await?;
        let source = on_disk(&self.stand.data, &entry.node.owner, &entry.node.path);
        let (stand, uid) = (Arc::clone(&self.stand), errand.uid.clone());
        uncut(async move {
            let parts = stand.parts();
            let file = super::change::blocking(move || {
                let part = tempfile::NamedTempFile::new_in(parts)?.into_temp_path();
                std::fs::copy(source, &part)?;
                Ok(part)
            })
            .await?;
            let mtime = Some(entry.node.mtime);
            let checksum = entry.node.checksum.clone();
            let mut tx = stand.db.write().await?;
            let mut change = Change { db: &mut tx, data: &stand.data };
            change.put(&place.owner, &place.path, Arrived { file, size, mtime, checksum }).await?;
            properties::copy(&mut tx, &uid, &entry.name, &to).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}

impl GuardedFileSystem<Acting> for Files {
    fn open<'a>(
        &'a self,
        path: &'a DavPath,
        options: OpenOptions,
        errand: &'a Acting,
    ) -> FsFuture<'a, Box<dyn DavFile>> {
        Box::pin(async move {
            if options.write {
                return Upload::begin(self, path, options, errand)
                    .await
                    .map(|up| Box::new(up) as _);
            }
            let (_, entry) = self.find(errand, path).await?;
            if entry.node.is_folder() || entry.rights & right::READ == 0 {
                return Err(FsError::Forbidden);
            }
            let disk = on_disk(&self.stand.data, &entry.node.owner, &entry.node.path);
            let file = tokio::fs::File::open(disk).await?;
            Ok(Box::new(Download { file, entry }) as Box<dyn DavFile>)
        })
    }

    fn read_dir<'a>(
        &'a self,
        path: &'a DavPath,
        _meta: ReadDirMeta,
        errand: &'a Acting,
    ) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        Box::pin(async move {
            let (view, entry) = self.find(errand, path).await?;
            let whole = errand.whole.as_ref().is_some_and(|whole| {
                whole.is_empty() || *whole == entry.name || is_below(&entry.name, whole)
            });
            let children = if whole {
                Vec::new()
            } else {
                view.children(&self.stand.db.read, &entry).await.map_err(database)?
            };
            let items =
                children.into_iter().map(|child| Ok(Box::new(Meta(child)) as Box<dyn DavDirEntry>));
            Ok(Box::pin(stream::iter(items)) as FsStream<Box<dyn DavDirEntry>>)
        })
    }

    fn metadata<'a>(
        &'a self,
        path: &'a DavPath,
        errand: &'a Acting,
    ) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move {
            let (_, entry) = self.find(errand, path).await?;
            Ok(Box::new(Meta(entry)) as Box<dyn DavMetaData>)
        })
    }

    fn create_dir<'a>(&'a self, path: &'a DavPath, errand: &'a Acting) -> FsFuture<'a, ()> {
        Box::pin(async move {
            let name = name_of(path)?;
            let view = self.room(errand, &name).await?;
            if view.entry(&self.stand.db.read, &name).await.map_err(database)?.is_some() {
                return Err(FsError::Exists);
            }
            let (place, stand) = (view.place(&name), Arc::clone(&self.stand));
            uncut(async move {
                let mut tx = stand.db.write().await?;
                let mut change = Change { db: &mut tx, data: &stand.data };
                change.make_folder(&place.owner, &place.path).await?;
                Ok(tx.commit().await?)
            })
            .await
        })
    }

    fn remove_dir<'a>(&'a self, path: &'a DavPath, errand: &'a Acting) -> FsFuture<'a, ()> {
        Box::pin(self.delete(errand, path))
    }

    fn remove_file<'a>(&'a self, path: &'a DavPath, errand: &'a Acting) -> FsFuture<'a, ()> {
        Box::pin(self.delete(errand, path))
    }

    fn rename<'a>(
        &'a self,
        from: &'a DavPath,
        to: &'a DavPath,
        errand: &'a Acting,
    ) -> FsFuture<'a, ()> {
        Box::pin(self.move_to(errand, from, to))
    }

    fn copy<'a>(
        &'a self,
        from: &'a DavPath,
        to: &'a DavPath,
        errand: &'a Acting,
    ) -> FsFuture<'a, ()> {
        Box::pin(self.copy_to(errand, from, to))
    }

    fn have_props<'a>(
        &'a self,
        _path: &'a DavPath,
        _errand: &'a Acting,
    ) -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(std::future::ready(true))
    }

    fn patch_props<'a>(
        &'a self,
        path: &'a DavPath,
        patch: Vec<(bool, DavProp)>,
        errand: &'a Acting,
    ) -> FsFuture<'a, Vec<(StatusCode, DavProp)>> {
        Box::pin(async move {
            let (_, entry) = self.find(errand, path).await?;
            properties::patch(&self.stand, &errand.uid, &entry, patch).await.map_err(fault)
        })
    }

    fn get_props<'a>(
        &'a self,
        _path: &'a DavPath,
        _do_content: bool,
        _errand: &'a Acting,
    ) -> FsFuture<'a, Vec<DavProp>> {
        // PROPFIND is answered elsewhere.
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

// === what dav-server asks of a node ===

#[derive(Clone, Debug)]
pub(super) struct Meta(pub(super) Entry);

impl DavMetaData for Meta {
    fn len(&self) -> u64 {
        u64::try_from(self.0.node.size).unwrap_or(0)
    }

    fn modified(&self) -> FsResult<SystemTime> {
        Ok(mint::system_time(self.0.node.mtime))
    }

    fn is_dir(&self) -> bool {
        self.0.node.is_folder()
    }

    fn etag(&self) -> Option<String> {
        Some(self.0.node.etag.clone())
    }
}

impl DavDirEntry for Meta {
    fn name(&self) -> Vec<u8> {
        super::change::file_name(&self.0.name).as_bytes().to_vec()
    }

    fn metadata(&'_ self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        Box::pin(std::future::ready(Ok(Box::new(self.clone()) as Box<dyn DavMetaData>)))
    }
}

// === errors ===

async fn check_quota(stand: &StandIn, owner: &str, size: u64) -> FsResult<()> {
    match super::quota::room(stand, owner).await.map_err(database)? {
        Some(room) if size > room => Err(FsError::InsufficientStorage),
        _ => Ok(()),
    }
}

/// Runs to its end even if the client goes away in the middle: disk and database change together.
pub(super) async fn uncut<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> FsResult<T> {
    match tokio::spawn(work).await {
        Ok(done) => done.map_err(fault),
        Err(_) => Err(FsError::GeneralFailure),
    }
}

pub(super) fn name_of(path: &DavPath) -> FsResult<String> {
    let text = std::str::from_utf8(path.as_bytes()).map_err(|_| FsError::Forbidden)?;
    Ok(text.trim_matches('/').to_owned())
}

pub(super) fn database(error: sqlx::Error) -> FsError {
    fault(error.into())
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn fault(error: Fault) -> FsError {
    match error.status() {
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => FsError::NotFound,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::PRECONDITION_FAILED => FsError::Exists,
        StatusCode::INSUFFICIENT_STORAGE => FsError::InsufficientStorage,
        status if status.is_client_error() => FsError::Forbidden,
        _ => {
            tracing::warn!(error = ?error, "stand-in failed");
            FsError::GeneralFailure
        }
    }
}
