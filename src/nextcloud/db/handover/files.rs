//! Shares of moved files: their owner is whose home the file is in, in every row of them.
//!
//! A move over WebDAV gives shares on the moved node to the new owner and forgets links and all
//! that is shared below it. They work only while the former owner can reach the files, and die with
//! that account. This is what the core's own transfer does to them, in rows.

use std::collections::BTreeSet;

use super::{Handover, Moved, Remark, is_below, key, value};
use crate::nextcloud::db::change::{Change, Expected, Record, Row, Table, row};
use crate::nextcloud::db::pool::Arg;
use crate::nextcloud::db::read::Node;
use crate::nextcloud::db::{Database, Error, text};

// === impl Database ===

impl Database {
    /// What has to change so that the shares of moved files are the recipient's. Those to the
    /// recipient go (the files are theirs), those that others shared on keep who shared them.
    ///
    /// # Errors
    /// [`Error::NotMoved`] if a file is not in the recipient's home, [`Error::Untested`],
    /// [`Error::UnknownAccount`].
    pub async fn prepare_shares(&self, moved: &Moved) -> Result<Handover, Error> {
        self.ready(&moved.from, &moved.to).await?;
        let (storage, nodes) = self.settled(moved).await?;
        let mut record = Record::new(format!("shares of {} to {}", moved.from, moved.to));
        record.expected = nodes.iter().map(|node| stays(node, storage)).collect();
        let mut remarks = Vec::new();
        let mut touched = BTreeSet::new();
        for (share, path) in self.shares_of(&moved.from, &moved.to, storage).await? {
            if !is_below(&path, &nodes) {
                continue;
            }
            if let Some(change) = new_owner(moved, &share, &mut remarks) {
                touched
                    .extend(value(&share, "file_source").and_then(|file| file.parse::<i64>().ok()));
                record.changes.push(change);
            }
        }
        if !touched.is_empty() {
            record.refresh = self.who_sees(&touched).await?;
            record.refresh.extend([moved.from.clone(), moved.to.clone()]);
            record.refresh.sort();
            record.refresh.dedup();
        }
        Ok(Handover { record, uri: None, remarks })
    }

    /// Shares that name the former owner, or are to the recipient, on files of one storage; with
    /// the files' paths.
    async fn shares_of(
        &self,
        from: &str,
        to: &str,
        storage: i64,
    ) -> Result<Vec<(Row, String)>, Error> {
        let columns = self.schema.require(&self.pool, &self.prefix, Table::Share).await?;
        let mut names: Vec<&str> = columns.keys().map(String::as_str).collect();
        names.push("path");
        let inner = "SELECT t.*, f.path AS path FROM *PREFIX*share t \
             JOIN *PREFIX*filecache f ON f.fileid = t.file_source \
             WHERE f.storage = ? AND t.item_type IN ('file', 'folder') \
             AND (t.uid_owner = ? OR t.uid_initiator = ? OR (t.share_type = 0 AND t.share_with = ?))";
        let args = vec![Arg::Int(storage), text(from), text(from), text(to)];
        let mut found = Vec::new();
        for cells in self.rows(&names, inner, args).await? {
            let mut cells = cells.into_vec();
            let path = cells.pop().flatten().unwrap_or_default();
            let share: Row = columns.keys().cloned().zip(cells).collect();
            found.push((share, path));
        }
        found.sort_by_key(|(share, _)| value(share, "id").and_then(|id| id.parse::<i64>().ok()));
        Ok(found)
    }

    /// Accounts that have one of these files mounted by a share, or will: their shares have to be
    /// looked at again.
    async fn who_sees(&self, files: &BTreeSet<i64>) -> Result<Vec<String>, Error> {
        let mut accounts = BTreeSet::new();
        let mounted = "SELECT user_id AS account FROM *PREFIX*mounts WHERE root_id = ?";
        let shared = "SELECT s.share_with AS account FROM *PREFIX*share s \
             WHERE s.file_source = ? AND s.share_type IN (0, 2, 11, 13) AND s.share_with IS NOT NULL";
        let grouped = "SELECT g.uid AS account FROM *PREFIX*share s \
             JOIN *PREFIX*group_user g ON g.gid = s.share_with WHERE s.file_source = ? AND s.share_type = 1";
        for file in files {
            for inner in [mounted, shared, grouped] {
                let found = self.rows(&["account"], inner, vec![Arg::Int(*file)]).await?;
                accounts.extend(found.iter().map(|cells| cells.text(0)));
            }
        }
        Ok(accounts.into_iter().collect())
    }
}

/// That a moved file is where it is.
fn stays(node: &Node, storage: i64) -> Expected {
    Expected {
        table: Table::Filecache,
        key: row([("fileid", &node.id.to_string())]),
        values: row([("storage", &storage.to_string()), ("path", &node.path)]),
    }
}

/// What becomes of one share, if anything.
fn new_owner(moved: &Moved, share: &Row, remarks: &mut Vec<Remark>) -> Option<Change> {
    let (from, to) = (moved.from.as_str(), moved.to.as_str());
    let owner = value(share, "uid_owner").unwrap_or_default();
    if owner != from && owner != to {
        let id = value(share, "id").and_then(|id| id.parse().ok()).unwrap_or(0);
        remarks.push(Remark::ForeignShare { share: id, owner: owner.to_owned() });
        return None;
    }
    let key = key(share, &["id"]);
    if value(share, "share_type") == Some("0") && value(share, "share_with") == Some(to) {
        return Some(Change::Delete { table: Table::Share, key, row: share.clone() });
    }
    let mut before = Row::new();
    let mut after = Row::new();
    let mut becomes = |column: &str, new: &str| {
        before.insert(column.to_owned(), share.get(column).cloned().flatten());
        after.insert(column.to_owned(), Some(new.to_owned()));
    };
    for column in ["uid_owner", "uid_initiator"] {
        if value(share, column) == Some(from) {
            becomes(column, to);
        }
    }
    if share.get("note").is_some_and(Option::is_none) {
        // The core writes a share's empty note as such whenever it saves the share.
        becomes("note", "");
    }
    let owned = after.contains_key("uid_owner") || after.contains_key("uid_initiator");
    owned.then_some(Change::Update { table: Table::Share, key, before, after })
}
