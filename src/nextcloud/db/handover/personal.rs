//! What an account has about files without owning it in the file: favourites, custom properties,
//! reminders. They go along with moved files; the core leaves them behind.

use std::collections::HashMap;

use futures_util::TryStreamExt;

use super::collection::as_stored;
use super::{Handover, Moved, is_below, key, value};
use crate::nextcloud::db::change::{Change, Record, Row, Table, row};
use crate::nextcloud::db::pool::Arg;
use crate::nextcloud::db::read::{Home, Node, escaped};
use crate::nextcloud::db::{Database, Error, text};

// === impl Database ===

impl Database {
    /// What has to change so that the recipient has the former owner's favourites, personal tags,
    /// custom properties and reminders on moved files. What the recipient has already, stays.
    ///
    /// If the recipient never had a favourite, the (empty) list of favourites is made here, as
    /// Nextcloud does: an empty one shows nowhere.
    ///
    /// # Errors
    /// As for [`Database::prepare_shares`].
    pub async fn prepare_personal(&self, moved: &Moved) -> Result<Handover, Error> {
        self.ready(&moved.from, &moved.to).await?;
        let (storage, nodes) = self.settled(moved).await?;
        let mut record =
            Record::new(format!("favourites and properties of {} to {}", moved.from, moved.to));
        self.favour(moved, storage, &nodes, &mut record).await?;
        self.remind(moved, storage, &nodes, &mut record).await?;
        self.describe(moved, storage, &nodes, &mut record).await?;
        Ok(Handover { record, uri: None, remarks: Vec::new() })
    }

    async fn favour(
        &self,
        moved: &Moved,
        storage: i64,
        nodes: &[Node],
        record: &mut Record,
    ) -> Result<(), Error> {
        let inner = "SELECT v.category AS category, o.objid AS objid, o.categoryid AS categoryid, f.path AS path \
             FROM *PREFIX*vcategory v JOIN *PREFIX*vcategory_to_object o ON o.categoryid = v.id AND o.type = v.type \
             JOIN *PREFIX*filecache f ON f.fileid = o.objid WHERE v.uid = ? AND v.type = 'files' AND f.storage = ?";
        let names = ["category", "objid", "categoryid", "path"];
        let mut lists: HashMap<String, String> = HashMap::new();
        for cells in self.rows(&names, inner, vec![text(&moved.from), Arg::Int(storage)]).await? {
            if !is_below(&cells.text(3), nodes) {
                continue;
            }
            let category = cells.text(0);
            let list = match lists.get(&category) {
                Some(list) => list.clone(),
                None => {
                    let list = self.list_of(&moved.to, &category).await?;
                    lists.insert(category, list.clone());
                    list
                }
            };
            let mark = |list: &str| {
                row([("objid", &cells.text(1)), ("categoryid", list), ("type", "files")])
            };
            let (old, new) = (mark(&cells.text(2)), mark(&list));
            if self.is_marked(cells.int(1)?, &list).await? {
                continue;
            }
            let table = Table::VcategoryToObject;
            record.changes.push(Change::Delete { table, key: old.clone(), row: old });
            record.changes.push(Change::Insert { table, key: new.clone(), row: new });
        }
        Ok(())
    }

    /// The recipient's own list (of favourites, or a tag), made if there is none.
    async fn list_of(&self, uid: &str, category: &str) -> Result<String, Error> {
        let inner =
            "SELECT id FROM *PREFIX*vcategory WHERE uid = ? AND type = 'files' AND category = ?";
        let find = || self.row(&["id"], inner, vec![text(uid), text(category)]);
        if let Some(cells) = find().await? {
            return Ok(cells.text(0));
        }
        let sql = "INSERT INTO *PREFIX*vcategory (uid, type, category) VALUES (?, 'files', ?)";
        let sql = self.dialect().translate(sql, &self.prefix);
        let mut tx = self.pool.begin().await?;
        tx.execute(sql, vec![text(uid), text(category)]).await?;
        tx.commit().await?;
        let cells = find().await?.ok_or(Error::Value("a new list of favourites"))?;
        Ok(cells.text(0))
    }

    async fn is_marked(&self, file: i64, list: &str) -> Result<bool, Error> {
        let list = list.parse().map_err(|_| Error::Value("an id"))?;
        let inner = "SELECT objid FROM *PREFIX*vcategory_to_object WHERE objid = ? AND categoryid = ? AND type = 'files'";
        Ok(self.row(&["objid"], inner, vec![Arg::Int(file), Arg::Int(list)]).await?.is_some())
    }

    async fn remind(
        &self,
        moved: &Moved,
        storage: i64,
        nodes: &[Node],
        record: &mut Record,
    ) -> Result<(), Error> {
        if !self.has(Table::FilesReminders.name()).await? {
            return Ok(());
        }
        let mut theirs = self.reminders(&moved.to, storage).await?;
        let due = |reminder: &Row| key(reminder, &["file_id", "due_date"]);
        for (reminder, path) in self.reminders(&moved.from, storage).await? {
            let twice = theirs.iter().any(|(other, _)| due(other) == due(&reminder));
            if !is_below(&path, nodes) || twice {
                continue;
            }
            record.changes.push(Change::Update {
                table: Table::FilesReminders,
                key: key(&reminder, &["id"]),
                before: row([("user_id", &moved.from)]),
                after: row([("user_id", &moved.to)]),
            });
            theirs.push((reminder, path));
        }
        Ok(())
    }

    async fn reminders(&self, uid: &str, storage: i64) -> Result<Vec<(Row, String)>, Error> {
        let names = ["id", "file_id", "due_date", "path"];
        let inner = "SELECT r.id AS id, r.file_id AS file_id, r.due_date AS due_date, f.path AS path \
             FROM *PREFIX*files_reminders r JOIN *PREFIX*filecache f ON f.fileid = r.file_id \
             WHERE r.user_id = ? AND f.storage = ?";
        let mut found = Vec::new();
        for cells in self.rows(&names, inner, vec![text(uid), Arg::Int(storage)]).await? {
            let reminder = row([
                ("id", &cells.text(0)),
                ("file_id", &cells.text(1)),
                ("due_date", &cells.text(2)),
            ]);
            found.push((reminder, cells.text(3)));
        }
        Ok(found)
    }

    /// Custom properties are kept by account and path, and a long path as its hash only.
    async fn describe(
        &self,
        moved: &Moved,
        storage: i64,
        nodes: &[Node],
        record: &mut Record,
    ) -> Result<(), Error> {
        let condition =
            "t.userid = ? AND (t.propertypath LIKE ? ESCAPE '!' OR t.propertypath NOT LIKE '%/%')";
        let start = format!("files/{}/", moved.from);
        let args = vec![text(&moved.from), text(format!("{}%", escaped(&start)))];
        let settings = self.whole_rows(Table::Properties, condition, args).await?;
        let hashed = settings.iter().any(|setting| !path_of(setting).contains('/'));
        let hashes =
            if hashed { self.hashed_paths(moved, storage, nodes).await? } else { HashMap::new() };
        for setting in settings {
            let stored = path_of(&setting);
            let Some(path) = hashes.get(stored).cloned().or_else(|| new_path(moved, nodes, stored))
            else {
                continue;
            };
            let path = as_stored(&path);
            let name = value(&setting, "propertyname").unwrap_or_default();
            if self.has_property(&moved.to, &path, name).await? {
                continue;
            }
            record.changes.push(Change::Update {
                table: Table::Properties,
                key: key(&setting, &["id"]),
                before: key(&setting, &["userid", "propertypath"]),
                after: row([("userid", &moved.to), ("propertypath", &path)]),
            });
        }
        Ok(())
    }

    /// For every moved file whose old path was long: its hash, and the new path.
    async fn hashed_paths(
        &self,
        moved: &Moved,
        storage: i64,
        nodes: &[Node],
    ) -> Result<HashMap<String, String>, Error> {
        let home = Home { uid: moved.to.clone(), storage, object_store: false };
        let mut hashes = HashMap::new();
        for (root, top) in moved.roots.iter().zip(nodes) {
            let mut walk = self.walk(&home, &top.path);
            while let Some(node) = walk.try_next().await? {
                let rest = node.path.strip_prefix(&top.path).unwrap_or_default();
                for was in &root.was {
                    let old = format!("files/{}/{}{rest}", moved.from, was.trim_matches('/'));
                    let stored = as_stored(&old);
                    if stored != old {
                        hashes.insert(stored, in_files_of(&moved.to, &node.path));
                    }
                }
            }
        }
        Ok(hashes)
    }
}

fn path_of(setting: &Row) -> &str {
    value(setting, "propertypath").unwrap_or_default()
}

/// Where a path of the former owner is now, if it is one of what was moved.
fn new_path(moved: &Moved, nodes: &[Node], stored: &str) -> Option<String> {
    moved.roots.iter().zip(nodes).find_map(|(root, node)| {
        root.was.iter().find_map(|was| {
            let rest =
                stored.strip_prefix(&format!("files/{}/{}", moved.from, was.trim_matches('/')))?;
            let below = rest.is_empty() || rest.starts_with('/');
            below.then(|| in_files_of(&moved.to, &format!("{}{rest}", node.path)))
        })
    })
}

/// `files/Association` of a home, as WebDAV addresses it: `files/bob/Association`.
fn in_files_of(uid: &str, path: &str) -> String {
    format!("files/{uid}/{}", path.strip_prefix("files/").unwrap_or(path))
}
