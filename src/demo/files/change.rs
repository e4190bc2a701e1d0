//! Changes to the tree: each is one write transaction that holds while the disk follows, and each
//! gives new etags to all folders above it, which is how sync clients notice.
//!
//! A file's bytes arrive in a temporary file first and are renamed into place inside the
//! transaction; if that fails, the old version is untouched. Names are checked here, and only here:
//! whatever reaches the disk has passed [`valid_name`].

use std::io;
use std::path::{Path, PathBuf};

use http::StatusCode;
use sqlx::SqliteConnection;

use super::tree::{self, FOLDER, Node, is_below};
use super::versions;
use crate::demo::http::Fault;
use crate::demo::mint;

/// A file that has arrived and waits to be put in place.
#[derive(Debug)]
pub(in crate::demo) struct Arrived {
    pub(in crate::demo) file: tempfile::TempPath,
    pub(in crate::demo) size: u64,
    pub(in crate::demo) mtime: Option<i64>,
    pub(in crate::demo) checksum: Option<String>,
}

/// Where an account's data is, and the writer to change it with.
pub(in crate::demo) struct Change<'a> {
    pub(in crate::demo) db: &'a mut SqliteConnection,
    pub(in crate::demo) data: &'a Path,
}

/// Whether every part of a name may be a file's name.
pub(in crate::demo) fn valid_name(name: &str) -> bool {
    name.split('/').all(|part| {
        !matches!(part, "" | "." | ".." | ".htaccess")
            && part.len() <= 250
            && !part.contains(['\\', '\0'])
            && !part.ends_with(".part")
            && !part.ends_with(".filepart")
    })
}

impl Change<'_> {
    /// The place of a node on disk.
    fn disk(&self, owner: &str, path: &str) -> PathBuf {
        on_disk(self.data, owner, path)
    }

    /// Puts a file in place; gives the node and whether it is new.
    pub(in crate::demo) async fn put(
        &mut self,
        owner: &str,
        path: &str,
        arrived: Arrived,
    ) -> Result<(Node, bool), Fault> {
        let parent = self.parent(owner, path).await?;
        let old = tree::node_at(&mut *self.db, owner, path).await?;
        if old.as_ref().is_some_and(Node::is_folder) {
            return Err(Fault::Refused(StatusCode::CONFLICT, "there is a folder of that name"));
        }
        let size = i64::try_from(arrived.size).unwrap_or(i64::MAX);
        let now = mint::now();
        let mtime = arrived.mtime.unwrap_or(now);
        let row = Row {
            path,
            size,
            mtime,
            now,
            mime: mime_of(path),
            etag: mint::etag(),
            permissions: 27,
            checksum: arrived.checksum.as_deref().unwrap_or_default(),
        };
        self.upsert(&parent, &row).await?;
        self.rise(&parent, size - old.as_ref().map_or(0, |old| old.size)).await?;
        sqlx::query(
            "INSERT INTO oc_filecache_extended (fileid, upload_time)
             SELECT fileid, ?1 FROM oc_filecache WHERE storage = ?2 AND path_hash = ?3
             ON CONFLICT (fileid) DO UPDATE SET upload_time = ?1",
        )
        .bind(now)
        .bind(parent.storage)
        .bind(mint::md5_hex(path.as_bytes()))
        .execute(&mut *self.db)
        .await?;
        let target = self.disk(owner, path);
        if let Some(old) = &old {
            versions::keep(self.db, self.data, old, target.clone(), mtime).await?;
        }
        let file = arrived.file;
        blocking(move || file.persist(target).map_err(|e| e.error)).await?;
        let node = tree::node_at(&mut *self.db, owner, path).await?.ok_or(Fault::NOT_FOUND)?;
        versions::note(self.db, node.id, mtime, size, owner).await?;
        Ok((node, old.is_none()))
    }

    /// Makes a folder.
    pub(in crate::demo) async fn make_folder(
        &mut self,
        owner: &str,
        path: &str,
    ) -> Result<Node, Fault> {
        let parent = self.parent(owner, path).await?;
        if tree::node_at(&mut *self.db, owner, path).await?.is_some() {
            return Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "it exists already"));
        }
        let now = mint::now();
        let etag = mint::etag()[..13].to_owned();
        let row = Row {
            path,
            size: 0,
            mtime: now,
            now,
            mime: FOLDER,
            etag,
            permissions: 31,
            checksum: "",
        };
        self.upsert(&parent, &row).await?;
        self.rise(&parent, 0).await?;
        let target = self.disk(owner, path);
        blocking(move || match std::fs::create_dir(target) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        })
        .await?;
        tree::node_at(&mut *self.db, owner, path).await?.ok_or(Fault::NOT_FOUND)
    }

    /// Makes the folders of a path that are missing, outside `files` too.
    pub(in crate::demo) async fn ensure_folders(
        &mut self,
        owner: &str,
        path: &str,
    ) -> Result<(), Fault> {
        let mut parent = tree::node_at(&mut *self.db, owner, "").await?.ok_or(Fault::NOT_FOUND)?;
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for end in ends {
            let path = path.get(..end).unwrap_or_default();
            parent = match tree::node_at(&mut *self.db, owner, path).await? {
                Some(known) => known,
                None => {
                    let (now, etag) = (mint::now(), mint::etag()[..13].to_owned());
                    let row = Row {
                        path,
                        size: 0,
                        mtime: now,
                        now,
                        mime: FOLDER,
                        etag,
                        permissions: 31,
                        checksum: "",
                    };
                    self.upsert(&parent, &row).await?;
                    tree::node_at(&mut *self.db, owner, path).await?.ok_or(Fault::NOT_FOUND)?
                }
            };
        }
        let folder = self.disk(owner, path);
        Ok(blocking(move || std::fs::create_dir_all(folder)).await?)
    }

    /// Takes a node away for good, with all that is below it.
    pub(in crate::demo) async fn remove(&mut self, node: &Node) -> Result<(), Fault> {
        if node.path == "files" {
            return Err(Fault::FORBIDDEN);
        }
        let (low, high) = below(&node.path);
        let files: Vec<(i64,)> = sqlx::query_as(
            "SELECT DISTINCT v.file_id FROM oc_files_versions v JOIN oc_filecache f
               ON f.fileid = v.file_id
             WHERE f.storage = ?1 AND (f.path = ?2 OR f.path > ?3 AND f.path < ?4)",
        )
        .bind(node.storage)
        .bind(&node.path)
        .bind(&low)
        .bind(&high)
        .fetch_all(&mut *self.db)
        .await?;
        for sql in [
            "DELETE FROM oc_files_versions WHERE file_id IN (SELECT fileid FROM oc_filecache
               WHERE storage = ?1 AND (path = ?2 OR path > ?3 AND path < ?4))",
            "DELETE FROM oc_filecache_extended WHERE fileid IN (SELECT fileid FROM oc_filecache
               WHERE storage = ?1 AND (path = ?2 OR path > ?3 AND path < ?4))",
            "DELETE FROM oc_share WHERE file_source IN (SELECT fileid FROM oc_filecache
               WHERE storage = ?1 AND (path = ?2 OR path > ?3 AND path < ?4))",
            "DELETE FROM oc_vcategory_to_object WHERE type = 'files' AND objid IN (SELECT fileid FROM
               oc_filecache WHERE storage = ?1 AND (path = ?2 OR path > ?3 AND path < ?4))",
            "DELETE FROM oc_filecache WHERE storage = ?1 AND (path = ?2 OR path > ?3 AND path < ?4)",
        ] {
            sqlx::query(sql)
                .bind(node.storage)
                .bind(&node.path)
                .bind(&low)
                .bind(&high)
                .execute(&mut *self.db)
                .await?;
        }
        if let Some(parent) = tree::node_by_id(&mut *self.db, node.parent).await? {
            self.rise(&parent, -node.size).await?;
        }
        // Renamed away at once; the bytes go afterwards, outside the transaction.
        let (from, grave) = (self.disk(&node.owner, &node.path), self.data.join(".gone"));
        let to = grave.join(mint::token(16));
        let gone = to.clone();
        blocking(move || match std::fs::rename(from, to) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
        .await?;
        let kept: Vec<PathBuf> =
            files.into_iter().map(|(file,)| versions::folder(self.data, file)).collect();
        tokio::task::spawn_blocking(move || {
            for versions in kept {
                let _ = std::fs::remove_dir_all(versions);
            }
            let _ = std::fs::remove_file(&gone).or_else(|_| std::fs::remove_dir_all(&gone));
        });
        Ok(())
    }

    /// Moves a node, with all that is below it, to another place, perhaps of another account. Its
    /// ids and etags stay; shares are the caller's concern.
    pub(in crate::demo) async fn relocate(
        &mut self,
        node: &Node,
        owner: &str,
        path: &str,
    ) -> Result<(), Fault> {
        if node.owner == owner && (node.path == path || is_below(path, &node.path)) {
            return Err(Fault::Refused(StatusCode::CONFLICT, "a folder cannot go into itself"));
        }
        let parent = self.parent(owner, path).await?;
        if tree::node_at(&mut *self.db, owner, path).await?.is_some() {
            return Err(Fault::Refused(StatusCode::PRECONDITION_FAILED, "it exists already"));
        }
        // As in Nextcloud 34.0.1: it looks up where the new owner has the file, and finds the share.
        if node.owner != owner && self.has_by_group(node.id, owner).await? {
            self.leave_versions(node.id).await?;
        }
        let (low, high) = below(&node.path);
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT fileid, path FROM oc_filecache WHERE storage = ? AND path > ? AND path < ?",
        )
        .bind(node.storage)
        .bind(low)
        .bind(high)
        .fetch_all(&mut *self.db)
        .await?;
        for (id, old) in rows {
            let new = format!("{path}{}", old.get(node.path.len()..).unwrap_or_default());
            self.repath(id, parent.storage, &new).await?;
        }
        self.repath(node.id, parent.storage, path).await?;
        sqlx::query("UPDATE oc_filecache SET parent = ?, name = ? WHERE fileid = ?")
            .bind(parent.id)
            .bind(file_name(path))
            .bind(node.id)
            .execute(&mut *self.db)
            .await?;
        if let Some(old_parent) = tree::node_by_id(&mut *self.db, node.parent).await? {
            self.rise(&old_parent, -node.size).await?;
        }
        self.rise(&parent, node.size).await?;
        let (from, to) = (self.disk(&node.owner, &node.path), self.disk(owner, path));
        Ok(blocking(move || std::fs::rename(from, to)).await?)
    }

    /// Versions stay behind, as in the core's own transfer: those below a node are lost to sight.
    pub(in crate::demo) async fn leave_versions(&mut self, top: i64) -> Result<(), Fault> {
        let rows: Vec<(i64,)> = sqlx::query_as(
            "SELECT DISTINCT v.file_id FROM oc_files_versions v JOIN oc_filecache f
               ON f.fileid = v.file_id JOIN oc_filecache t ON t.storage = f.storage
             WHERE t.fileid = ? AND (f.path = t.path OR f.path > t.path || '/' AND f.path < t.path || '0')",
        )
        .bind(top)
        .fetch_all(&mut *self.db)
        .await?;
        let folders: Vec<PathBuf> =
            rows.into_iter().map(|(file,)| versions::folder(self.data, file)).collect();
        let remove = move || {
            for folder in folders {
                match std::fs::remove_dir_all(folder) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
            Ok(())
        };
        Ok(blocking(remove).await?)
    }

    /// Whether somebody has a node in their files because it is shared to a group of theirs.
    async fn has_by_group(&mut self, node: i64, uid: &str) -> Result<bool, Fault> {
        let (shares,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM oc_share s JOIN oc_group_user g ON g.gid = s.share_with
             WHERE s.share_type = 1 AND s.file_source = ?1 AND g.uid = ?2 AND s.uid_owner <> ?2
               AND NOT EXISTS (SELECT 1 FROM oc_share o WHERE o.parent = s.id AND o.share_type = 2
                 AND o.share_with = ?2 AND o.permissions = 0)",
        )
        .bind(node)
        .bind(uid)
        .fetch_one(&mut *self.db)
        .await?;
        Ok(shares > 0)
    }

    async fn repath(&mut self, id: i64, storage: i64, path: &str) -> Result<(), Fault> {
        sqlx::query(
            "UPDATE oc_filecache SET storage = ?, path = ?, path_hash = ? WHERE fileid = ?",
        )
        .bind(storage)
        .bind(path)
        .bind(mint::md5_hex(path.as_bytes()))
        .bind(id)
        .execute(&mut *self.db)
        .await?;
        Ok(())
    }

    /// The folder that a path is in.
    async fn parent(&mut self, owner: &str, path: &str) -> Result<Node, Fault> {
        let conflict = Fault::Refused(StatusCode::CONFLICT, "the folder does not exist");
        let Some((folder, name)) = path.rsplit_once('/') else { return Err(Fault::FORBIDDEN) };
        if !valid_name(name) {
            return Err(Fault::FORBIDDEN);
        }
        let node = tree::node_at(&mut *self.db, owner, folder).await?.ok_or(conflict)?;
        if node.is_folder() { Ok(node) } else { Err(Fault::FORBIDDEN) }
    }

    /// New etags, sizes and times from a folder up to the root of its storage.
    async fn rise(&mut self, from: &Node, delta: i64) -> Result<(), Fault> {
        let etag = mint::etag()[..13].to_owned();
        let mut at = Some(from.path.as_str());
        while let Some(path) = at {
            sqlx::query(
                "UPDATE oc_filecache SET etag = ?, size = size + ?, mtime = max(mtime, ?)
                 WHERE storage = ? AND path_hash = ?",
            )
            .bind(&etag)
            .bind(delta)
            .bind(mint::now())
            .bind(from.storage)
            .bind(mint::md5_hex(path.as_bytes()))
            .execute(&mut *self.db)
            .await?;
            at = match path {
                "" => None,
                path => Some(path.rsplit_once('/').map_or("", |(parent, _)| parent)),
            };
        }
        Ok(())
    }

    async fn upsert(&mut self, parent: &Node, row: &Row<'_>) -> Result<(), Fault> {
        let mime = mime_id(self.db, row.mime).await?;
        let part = mime_id(self.db, row.mime.split('/').next().unwrap_or_default()).await?;
        sqlx::query(
            "INSERT INTO oc_filecache (storage, path, path_hash, parent, name, mimetype, mimepart,
               size, mtime, storage_mtime, etag, permissions, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT (storage, path_hash) DO UPDATE SET mimetype = ?6, mimepart = ?7, size = ?8,
               mtime = ?9, storage_mtime = ?10, etag = ?11, checksum = ?13",
        )
        .bind(parent.storage)
        .bind(row.path)
        .bind(mint::md5_hex(row.path.as_bytes()))
        .bind(parent.id)
        .bind(file_name(row.path))
        .bind(mime)
        .bind(part)
        .bind(row.size)
        .bind(row.mtime)
        .bind(row.now)
        .bind(&row.etag)
        .bind(row.permissions)
        .bind(row.checksum)
        .execute(&mut *self.db)
        .await?;
        Ok(())
    }
}

struct Row<'a> {
    path: &'a str,
    size: i64,
    mtime: i64,
    now: i64,
    mime: &'static str,
    etag: String,
    permissions: i64,
    checksum: &'a str,
}

/// The place of a node on disk.
pub(in crate::demo) fn on_disk(data: &Path, owner: &str, path: &str) -> PathBuf {
    data.join(owner).join(path)
}

/// The id of a mime type, made when new.
pub(in crate::demo) async fn mime_id(
    db: &mut SqliteConnection,
    mime: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query("INSERT INTO oc_mimetypes (mimetype) VALUES (?) ON CONFLICT DO NOTHING")
        .bind(mime)
        .execute(&mut *db)
        .await?;
    let (id,) = sqlx::query_as("SELECT id FROM oc_mimetypes WHERE mimetype = ?")
        .bind(mime)
        .fetch_one(db)
        .await?;
    Ok(id)
}

/// The type of a file, by its name.
pub(in crate::demo) fn mime_of(path: &str) -> &'static str {
    let extension = file_name(path).rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "mp4" => "video/mp4",
        "mp3" => "audio/mpeg",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

/// The last part of a path.
pub(in crate::demo) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The bounds between which all paths below a folder lie.
fn below(path: &str) -> (String, String) {
    (format!("{path}/"), format!("{path}0"))
}

/// Disk work off the async threads.
pub(in crate::demo) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for good in ["a", "a/b", "100% légal & co #1", "a+b;c=d?.txt", "%2F literal.txt", "🦆"] {
            assert!(valid_name(good), "{good}");
        }
        let long = "x".repeat(251);
        for bad in ["", "..", "a/../b", "a//b", "a\\b", "a\0", ".htaccess", "x.part", &long] {
            assert!(!valid_name(bad), "{bad}");
        }
    }
}
