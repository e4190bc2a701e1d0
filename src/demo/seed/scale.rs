//! Much of everything, made quickly: folders of thousands of files, thousands of accounts.
//!
//! Rows are written in bulk in one transaction, the bytes are links to a few files, so that 20,000
//! files are there in a few seconds. Whatever is overwritten becomes a file of its own, as uploads
//! are put in place by renaming.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::make_account;
use crate::demo::files::change::{Change, blocking, mime_id, valid_name};
use crate::demo::http::Fault;
use crate::demo::{Error, StandIn, mint};

/// How often one file's bytes are linked; filesystems have limits.
const LINKS: usize = 10_000;

impl StandIn {
    /// Makes a folder in an account's root with so many files of one size, `file-00000.txt` and on.
    ///
    /// # Errors
    ///
    /// There is no such account, the folder exists, or the disk or database failed.
    pub async fn fill_folder(
        self: &Arc<Self>,
        uid: &str,
        folder: &str,
        files: usize,
        size: usize,
    ) -> Result<(), Error> {
        fill(self, uid, folder, files, size).await.map_err(|e| Error::Seed(Box::new(e)))
    }

    /// Makes so many accounts, `user00000` and on, each with its uid as password.
    ///
    /// # Errors
    ///
    /// An account of that name exists, or the database failed.
    pub async fn add_accounts(&self, accounts: usize) -> Result<(), Error> {
        add(self, accounts).await.map_err(|e| Error::Seed(Box::new(e)))
    }
}

async fn add(stand: &StandIn, accounts: usize) -> Result<(), Fault> {
    let mut tx = stand.db.write().await?;
    for i in 0..accounts {
        let uid = format!("user{i:05}");
        make_account(&mut tx, &uid, &format!("User {i}"), &uid).await?;
    }
    let data = stand.data.clone();
    blocking(move || {
        for i in 0..accounts {
            std::fs::create_dir_all(data.join(format!("user{i:05}")).join("files"))?;
            std::fs::create_dir_all(data.join(format!("user{i:05}")).join("uploads"))?;
        }
        Ok(())
    })
    .await?;
    Ok(tx.commit().await?)
}

async fn fill(
    stand: &Arc<StandIn>,
    uid: &str,
    folder: &str,
    files: usize,
    size: usize,
) -> Result<(), Fault> {
    if !valid_name(folder) || folder.contains('/') {
        return Err(Fault::BAD_REQUEST);
    }
    let mut tx = stand.db.write().await?;
    let path = format!("files/{folder}");
    let mut change = Change { db: &mut tx, data: &stand.data };
    let node = change.make_folder(uid, &path).await?;
    let mime = mime_id(&mut tx, "text/plain").await?;
    let part = mime_id(&mut tx, "text").await?;
    let now = mint::now();
    for i in 0..files {
        let name = format!("file-{i:05}.txt");
        let path = format!("{path}/{name}");
        sqlx::query(
            "INSERT INTO oc_filecache (storage, path, path_hash, parent, name, mimetype, mimepart,
               size, mtime, storage_mtime, etag, permissions, checksum)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?9, ?9, ?, 27, '')",
        )
        .bind(node.storage)
        .bind(&path)
        .bind(mint::md5_hex(path.as_bytes()))
        .bind(node.id)
        .bind(name)
        .bind(mime)
        .bind(part)
        .bind(i64::try_from(size).unwrap_or(0))
        .bind(now)
        .bind(mint::etag())
        .execute(&mut *tx)
        .await?;
    }
    let total = i64::try_from(files.saturating_mul(size)).unwrap_or(i64::MAX);
    for path in ["", "files", path.as_str()] {
        sqlx::query("UPDATE oc_filecache SET size = size + ? WHERE storage = ? AND path_hash = ?")
            .bind(total)
            .bind(node.storage)
            .bind(mint::md5_hex(path.as_bytes()))
            .execute(&mut *tx)
            .await?;
    }
    let disk = stand.data.join(uid).join(&path);
    blocking(move || links(&disk, files, size)).await?;
    Ok(tx.commit().await?)
}

fn links(folder: &std::path::Path, files: usize, size: usize) -> std::io::Result<()> {
    let mut first = PathBuf::new();
    for i in 0..files {
        let path = folder.join(format!("file-{i:05}.txt"));
        if i % LINKS == 0 {
            let mut file = std::fs::File::create(&path)?;
            file.write_all(&vec![b'x'; size])?;
            first = path;
        } else {
            std::fs::hard_link(&first, path)?;
        }
    }
    Ok(())
}
