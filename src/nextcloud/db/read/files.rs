//! Files as the file cache has them: one account's home, counted or walked in bounded memory.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::nextcloud::db::pool::{Arg, Cells};
use crate::nextcloud::db::{Database, Error, text};

/// The storage that is an account's home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Whose.
    pub uid: String,
    /// The number of the storage.
    pub storage: i64,
    /// True if its bytes are in an object store.
    pub object_store: bool,
}

/// One file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The file id.
    pub id: i64,
    /// The folder it is in.
    pub parent: i64,
    /// Below the home: `files/Association/Budget`.
    pub path: String,
    /// Bytes; of all that is in it, for a folder. Negative if Nextcloud has not counted yet.
    pub size: i64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// The entity tag, without quotes.
    pub etag: String,
    /// True for folders.
    pub folder: bool,
    /// True for what is encrypted, by the server or end to end.
    pub encrypted: bool,
}

/// What is in a folder, all levels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many files.
    pub files: u64,
    /// How many folders, the folder itself included.
    pub folders: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// How many are encrypted, by the server or end to end.
    pub encrypted: u64,
}

/// Rows read at once while walking.
const PAGE: usize = 2000;
const NODE: [&str; 8] =
    ["fileid", "parent", "path", "size", "mtime", "etag", "folder", "encrypted"];

// === impl Database ===

impl Database {
    /// The home of an account, once its files were set up.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn home(&self, uid: &str) -> Result<Option<Home>, Error> {
        for (kind, object_store) in [("home::", false), ("object::user:", true)] {
            let id = format!("{kind}{uid}");
            // Nextcloud hashes what does not fit into the column.
            let hashed = hex(&<md5::Md5 as md5::Digest>::digest(id.as_bytes()));
            let inner = "SELECT numeric_id FROM *PREFIX*storages WHERE id IN (?, ?)";
            if let Some(cells) =
                self.row(&["numeric_id"], inner, vec![text(id), text(hashed)]).await?
            {
                return Ok(Some(Home {
                    uid: uid.to_owned(),
                    storage: cells.int(0)?,
                    object_store,
                }));
            }
        }
        Ok(None)
    }

    /// One file or folder by its path below the home (`files/…`, as stored, no slash at the end).
    ///
    /// # Errors
    /// As queries fail.
    pub async fn node(&self, home: &Home, path: &str) -> Result<Option<Node>, Error> {
        let inner = nodes("f.storage = ? AND f.path_hash = ?");
        let hash = hex(&<md5::Md5 as md5::Digest>::digest(path.as_bytes()));
        let found = self.row(&NODE, &inner, vec![Arg::Int(home.storage), text(hash)]).await?;
        found.as_ref().map(node).transpose()
    }

    /// Counts all below a folder, and the folder.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn tally(&self, home: &Home, path: &str) -> Result<Tally, Error> {
        let (below, args) = below(home, path);
        let inner = format!(
            "SELECT COUNT(*) AS all_of_them, COALESCE(SUM(CASE WHEN m.id IS NULL THEN 0 ELSE 1 END), 0) AS folders, \
             COALESCE(SUM(CASE WHEN m.id IS NULL AND f.size > 0 THEN f.size ELSE 0 END), 0) AS bytes, \
             COALESCE(SUM(CASE WHEN f.encrypted <> 0 THEN 1 ELSE 0 END), 0) AS encrypted \
             FROM *PREFIX*filecache f LEFT JOIN *PREFIX*mimetypes m \
             ON m.id = f.mimetype AND m.mimetype = 'httpd/unix-directory' WHERE {below}"
        );
        let names = ["all_of_them", "folders", "bytes", "encrypted"];
        let Some(cells) = self.row(&names, &inner, args).await? else {
            return Ok(Tally::default());
        };
        let folders = cells.count(1)?;
        Ok(Tally {
            files: cells.count(0)?.saturating_sub(folders),
            folders,
            bytes: cells.count(2)?,
            encrypted: cells.count(3)?,
        })
    }

    /// A folder and all below it, in no order, one after the other. It is read in pages, so that no
    /// connection waits for whoever reads slowly, and no lock of SQLite stops Nextcloud.
    pub fn walk<'a>(&'a self, home: &Home, path: &str) -> BoxStream<'a, Result<Node, Error>> {
        let (below, args) = below(home, path);
        let inner = nodes(&format!("{below} AND f.fileid > ? ORDER BY f.fileid LIMIT {PAGE}"));
        let pages = async_stream::try_stream! {
            let mut after = 0;
            loop {
                let mut args = args.clone();
                args.push(Arg::Int(after));
                let page = self.rows(&NODE, &inner, args).await?;
                let full = page.len() == PAGE;
                for cells in &page {
                    let node = node(cells)?;
                    after = after.max(node.id);
                    yield node;
                }
                if !full {
                    break;
                }
            }
        };
        pages.boxed()
    }

    /// What is in one folder, this level only.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn children(&self, folder: i64) -> Result<Vec<Node>, Error> {
        let found = self.rows(&NODE, &nodes("f.parent = ?"), vec![Arg::Int(folder)]).await?;
        found.iter().map(node).collect()
    }

    /// A file by its id, with the number of the storage it is in.
    pub(in crate::nextcloud::db) async fn located(
        &self,
        file: i64,
    ) -> Result<Option<(i64, Node)>, Error> {
        let inner = nodes("f.fileid = ?").replacen("f.fileid", "f.storage AS storage, f.fileid", 1);
        let mut names = vec!["storage"];
        names.extend(NODE);
        let Some(cells) = self.row(&names, &inner, vec![Arg::Int(file)]).await? else {
            return Ok(None);
        };
        let storage = cells.int(0)?;
        let rest = Cells::from(cells.into_vec().split_off(1));
        Ok(Some((storage, node(&rest)?)))
    }
}

/// A node and all below it. Not LIKE: SQLite's knows no case, and paths have `%` and `_` in them.
fn below(home: &Home, path: &str) -> (String, Vec<Arg>) {
    let start = format!("{path}/");
    let length = start.chars().count();
    let condition = format!("f.storage = ? AND (f.path = ? OR SUBSTR(f.path, 1, {length}) = ?)");
    (condition, vec![Arg::Int(home.storage), text(path), text(start)])
}

fn nodes(condition: &str) -> String {
    format!(
        "SELECT f.fileid AS fileid, f.parent AS parent, f.path AS path, f.size AS size, f.mtime AS mtime, \
         f.etag AS etag, CASE WHEN m.id IS NULL THEN 0 ELSE 1 END AS folder, f.encrypted AS encrypted \
         FROM *PREFIX*filecache f LEFT JOIN *PREFIX*mimetypes m \
         ON m.id = f.mimetype AND m.mimetype = 'httpd/unix-directory' WHERE {condition}"
    )
}

fn node(cells: &Cells) -> Result<Node, Error> {
    Ok(Node {
        id: cells.int(0)?,
        parent: cells.int(1)?,
        path: cells.text(2),
        size: cells.int(3)?,
        mtime: cells.int(4)?,
        etag: cells.text(5),
        folder: cells.int(6)? == 1,
        encrypted: cells.int(7)? != 0,
    })
}

pub(in crate::nextcloud::db) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
