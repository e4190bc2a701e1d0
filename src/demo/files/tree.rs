//! An account's files as it sees them: its home, with what others share with it mounted inside.
//!
//! A name in the tree ("Association/Budget") resolves to a row of `oc_filecache` in somebody's
//! storage. A share works only while the one who owns it can reach the file, so a hand-over that forgets
//! a share's owner breaks it here as it does in a real instance: it is still listed, but empty. Folders above a mount show
//! an etag that changes with it, or sync clients would not look inside.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Row};
use unicode_normalization::UnicodeNormalization as _;

use crate::demo::mint;

/// The rights of a share or a row.
pub(in crate::demo) mod right {
    pub(in crate::demo) const READ: i64 = 1;
    pub(in crate::demo) const UPDATE: i64 = 2;
    pub(in crate::demo) const CREATE: i64 = 4;
    pub(in crate::demo) const DELETE: i64 = 8;
    pub(in crate::demo) const SHARE: i64 = 16;
    pub(in crate::demo) const ALL: i64 = 31;
}

/// The type of a folder.
pub(in crate::demo) const FOLDER: &str = "httpd/unix-directory";
/// How deep shares of shares are followed.
const MAX_RESHARES: u8 = 4;

/// A row of `oc_filecache`.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Node {
    pub(in crate::demo) id: i64,
    pub(in crate::demo) storage: i64,
    /// Within the storage: `files/…`.
    pub(in crate::demo) path: String,
    pub(in crate::demo) parent: i64,
    pub(in crate::demo) name: String,
    pub(in crate::demo) mime: String,
    pub(in crate::demo) size: i64,
    pub(in crate::demo) mtime: i64,
    pub(in crate::demo) etag: String,
    pub(in crate::demo) permissions: i64,
    pub(in crate::demo) checksum: Option<String>,
    /// The account whose home the storage is.
    pub(in crate::demo) owner: String,
}

/// A share as its recipient sees it.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Mount {
    /// Where it is in the recipient's tree, without a leading slash.
    pub(in crate::demo) target: String,
    pub(in crate::demo) root: Node,
    pub(in crate::demo) rights: i64,
    /// Whoever shared it cannot reach it any more: it is listed, but there is nothing inside.
    pub(in crate::demo) broken: bool,
    /// The rows of `oc_share` behind it: id, type, and the override row of a group share.
    pub(in crate::demo) shares: Vec<(i64, i64, Option<i64>)>,
}

/// A node at its place in somebody's tree.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Entry {
    /// In the viewer's tree, without slashes at the ends; empty is the root.
    pub(in crate::demo) name: String,
    pub(in crate::demo) node: Node,
    /// What the viewer may do with it.
    pub(in crate::demo) rights: i64,
    /// It is, or is inside, something that was shared with the viewer.
    pub(in crate::demo) shared: bool,
    /// It is the root of what was shared.
    pub(in crate::demo) mount_root: bool,
}

/// An account's tree at one moment.
#[derive(Clone, Debug)]
pub(in crate::demo) struct View {
    pub(in crate::demo) uid: String,
    pub(in crate::demo) mounts: Vec<Mount>,
}

/// A place in a storage, whether or not something is there.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Place {
    pub(in crate::demo) owner: String,
    pub(in crate::demo) path: String,
    rights: i64,
    mount: Option<usize>,
    mount_root: bool,
}

impl Node {
    /// Whether it is a folder.
    pub(in crate::demo) fn is_folder(&self) -> bool {
        self.mime == FOLDER
    }
}

impl<'r> FromRow<'r, SqliteRow> for Node {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        let storage_name: String = row.try_get("storage_name")?;
        Ok(Self {
            id: row.try_get("fileid")?,
            storage: row.try_get("storage")?,
            path: row.try_get::<Option<String>, _>("path")?.unwrap_or_default(),
            parent: row.try_get("parent")?,
            name: row.try_get::<Option<String>, _>("name")?.unwrap_or_default(),
            mime: row.try_get::<Option<String>, _>("mime")?.unwrap_or_default(),
            size: row.try_get("size")?,
            mtime: row.try_get("mtime")?,
            etag: row.try_get::<Option<String>, _>("etag")?.unwrap_or_default(),
            permissions: row.try_get::<Option<i64>, _>("permissions")?.unwrap_or(0),
            checksum: row.try_get::<Option<String>, _>("checksum")?.filter(|sum| !sum.is_empty()),
            owner: storage_name.strip_prefix("home::").unwrap_or_default().to_owned(),
        })
    }
}

const NODES: &str =
    "SELECT f.fileid, f.storage, f.path, f.parent, f.name, m.mimetype AS mime, f.size,
    f.mtime, f.etag, f.permissions, f.checksum, st.id AS storage_name
    FROM oc_filecache f JOIN oc_storages st ON st.numeric_id = f.storage
    LEFT JOIN oc_mimetypes m ON m.id = f.mimetype";

/// A query for nodes; `tail` is one of the constants of this file.
fn nodes(tail: &'static str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("{NODES} {tail}"))
}

/// The node at a path of an account's storage.
pub(in crate::demo) async fn node_at<'e>(
    db: impl sqlx::SqliteExecutor<'e>,
    owner: &str,
    path: &str,
) -> Result<Option<Node>, sqlx::Error> {
    sqlx::query_as(nodes("WHERE st.id = 'home::' || ? AND f.path_hash = ?"))
        .bind(owner)
        .bind(mint::md5_hex(path.as_bytes()))
        .fetch_optional(db)
        .await
}

/// The node with an id.
pub(in crate::demo) async fn node_by_id<'e>(
    db: impl sqlx::SqliteExecutor<'e>,
    id: i64,
) -> Result<Option<Node>, sqlx::Error> {
    sqlx::query_as(nodes("WHERE f.fileid = ?")).bind(id).fetch_optional(db).await
}

/// The nodes in a folder.
pub(in crate::demo) async fn nodes_in(
    db: &SqlitePool,
    folder: i64,
) -> Result<Vec<Node>, sqlx::Error> {
    sqlx::query_as(nodes("WHERE f.parent = ? ORDER BY f.fileid")).bind(folder).fetch_all(db).await
}

/// Everything below a folder, parents first.
pub(in crate::demo) async fn nodes_below(
    db: &SqlitePool,
    folder: &Node,
) -> Result<Vec<Node>, sqlx::Error> {
    sqlx::query_as(nodes("WHERE f.storage = ? AND f.path > ? AND f.path < ? ORDER BY f.path"))
        .bind(folder.storage)
        .bind(format!("{}/", folder.path))
        .bind(format!("{}0", folder.path))
        .fetch_all(db)
        .await
}

// === impl View ===

impl View {
    /// The tree of an account.
    pub(in crate::demo) async fn open(db: &SqlitePool, uid: &str) -> Result<Self, sqlx::Error> {
        Ok(Self { uid: uid.to_owned(), mounts: mounts(db, uid, MAX_RESHARES).await? })
    }

    /// Where a name leads.
    pub(in crate::demo) fn place(&self, name: &str) -> Place {
        // Names are kept composed, as the original keeps them: `é` is one file however it is sent.
        let composed: String = name.nfc().collect();
        let name = composed.as_str();
        let inside = |mount: &Mount| -> Option<String> {
            let rest = name.strip_prefix(mount.target.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
        };
        // The longest target wins: a mount may be inside another.
        let best = self
            .mounts
            .iter()
            .enumerate()
            .filter_map(|(i, mount)| inside(mount).map(|rest| (i, mount, rest)))
            .max_by_key(|(_, mount, _)| mount.target.len());
        match best {
            Some((i, mount, rest)) => Place {
                owner: mount.root.owner.clone(),
                path: format!("{}{rest}", mount.root.path),
                rights: mount.rights,
                mount: Some(i),
                mount_root: rest.is_empty(),
            },
            None => Place {
                owner: self.uid.clone(),
                path: if name.is_empty() { "files".into() } else { format!("files/{name}") },
                rights: right::ALL,
                mount: None,
                mount_root: false,
            },
        }
    }

    /// The mount that a place is in.
    pub(in crate::demo) fn mount_of(&self, place: &Place) -> Option<&Mount> {
        self.mounts.get(place.mount?)
    }

    /// The mount at exactly that name.
    pub(in crate::demo) fn mount_at(&self, name: &str) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.target == name)
    }

    /// The broken mount that a name is at or below.
    pub(in crate::demo) fn broken_at(&self, name: &str) -> Option<&Mount> {
        let broken = self.mounts.iter().filter(|mount| mount.broken);
        broken.into_iter().find(|mount| mount.target == name || is_below(name, &mount.target))
    }

    /// What is at a name.
    pub(in crate::demo) async fn entry(
        &self,
        db: &SqlitePool,
        name: &str,
    ) -> Result<Option<Entry>, sqlx::Error> {
        let place = self.place(name);
        let node = node_at(db, &place.owner, &place.path).await?;
        Ok(node.map(|node| self.dress(name.to_owned(), node, &place)))
    }

    /// What is in a folder.
    pub(in crate::demo) async fn children(
        &self,
        db: &SqlitePool,
        folder: &Entry,
    ) -> Result<Vec<Entry>, sqlx::Error> {
        let mut entries = Vec::new();
        if self.broken_at(&folder.name).is_some() {
            return Ok(entries);
        }
        for node in nodes_in(db, folder.node.id).await? {
            let name = join(&folder.name, &node.name);
            let place = self.place(&name);
            if !place.mount_root {
                entries.push(self.dress(name, node, &place));
            }
        }
        for mount in &self.mounts {
            let parent = mount.target.rsplit_once('/').map_or("", |(parent, _)| parent);
            if parent == folder.name {
                let place = self.place(&mount.target);
                entries.push(self.dress(mount.target.clone(), mount.root.clone(), &place));
            }
        }
        Ok(entries)
    }

    /// A folder and all that is below it, parents first.
    pub(in crate::demo) async fn all(
        &self,
        db: &SqlitePool,
        top: Entry,
    ) -> Result<Vec<Entry>, sqlx::Error> {
        let mut roots = vec![top.clone()];
        let below = |mount: &&Mount| is_below(&mount.target, &top.name);
        for mount in self.mounts.iter().filter(below) {
            let place = self.place(&mount.target);
            roots.push(self.dress(mount.target.clone(), mount.root.clone(), &place));
        }
        let mut entries = Vec::new();
        for root in roots {
            let inside = root.node.is_folder() && self.broken_at(&root.name).is_none();
            let below = if inside { nodes_below(db, &root.node).await? } else { Vec::new() };
            let (prefix, skip) = (root.name.clone(), root.node.path.len() + 1);
            entries.push(root);
            for node in below {
                let Some(rest) = node.path.get(skip..) else { continue };
                let name = join(&prefix, rest);
                let place = self.place(&name);
                if place.path == node.path && place.owner == node.owner {
                    entries.push(self.dress(name, node, &place));
                }
            }
        }
        Ok(entries)
    }

    fn dress(&self, name: String, mut node: Node, place: &Place) -> Entry {
        if place.mount.is_none() && node.is_folder() {
            let below = || self.mounts.iter().filter(|mount| is_below(&mount.target, &name));
            if below().next().is_some() {
                let etags: String = below().map(|m| format!("::{}", m.root.etag)).collect();
                node.etag = mint::md5_hex(format!("{}{etags}", node.etag).as_bytes());
                node.size += below().map(|mount| mount.root.size).sum::<i64>();
            }
        }
        let mut rights = node.permissions & place.rights;
        if place.mount_root {
            // Whoever received it may rename it and take it off.
            rights |= right::DELETE | (if node.is_folder() { right::UPDATE } else { 0 });
        }
        let shared = place.mount.is_some();
        Entry { name, node, rights, shared, mount_root: place.mount_root }
    }
}

impl Entry {
    /// `oc:permissions`.
    pub(in crate::demo) fn permissions(&self) -> String {
        let may = |right: i64| self.rights & right != 0;
        let mut out = String::new();
        for (letter, applies) in [
            ("S", self.shared),
            ("R", may(right::SHARE)),
            ("G", may(right::READ)),
            ("D", may(right::DELETE)),
            ("NV", may(right::UPDATE) || self.mount_root),
            ("W", !self.node.is_folder() && may(right::UPDATE)),
            ("CK", self.node.is_folder() && may(right::CREATE)),
        ] {
            if applies {
                out.push_str(letter);
            }
        }
        out
    }
}

/// A folder's name and a child's.
pub(in crate::demo) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether a name is inside a folder of that name.
pub(in crate::demo) fn is_below(name: &str, folder: &str) -> bool {
    folder.is_empty() && !name.is_empty()
        || name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

// === mounts ===

const INCOMING: &str = "SELECT s.id, s.share_type, s.permissions, s.uid_owner, s.file_source,
      coalesce(o.file_target, s.file_target) AS target, o.id, o.permissions
    FROM oc_share s LEFT JOIN oc_share o
      ON o.parent = s.id AND o.share_type = 2 AND o.share_with = ?1
    WHERE s.item_type IN ('file', 'folder') AND s.uid_owner <> ?1
      AND coalesce(s.uid_initiator, '') <> ?1 AND (s.expiration IS NULL OR s.expiration > datetime('now'))
      AND ((s.share_type = 0 AND s.share_with = ?1) OR (s.share_type = 1 AND s.share_with IN
        (SELECT gid FROM oc_group_user WHERE uid = ?1)))
    ORDER BY s.id";

type Incoming = (i64, i64, i64, String, i64, String, Option<i64>, Option<i64>);

async fn mounts(db: &SqlitePool, uid: &str, depth: u8) -> Result<Vec<Mount>, sqlx::Error> {
    let rows: Vec<Incoming> = sqlx::query_as(INCOMING).bind(uid).fetch_all(db).await?;
    let mut mounts: Vec<Mount> = Vec::new();
    for (id, kind, permissions, owner, file, target, own, own_permissions) in rows {
        // A group share that this member took off has an override without rights.
        if own_permissions == Some(0) {
            continue;
        }
        let share = (id, kind, own);
        if let Some(known) = mounts.iter_mut().find(|mount| mount.root.id == file) {
            known.rights |= permissions;
            known.shares.push(share);
            continue;
        }
        let Some(root) = node_by_id(db, file).await? else { continue };
        // In the trash bin it is with nobody.
        if !root.path.starts_with("files/") {
            continue;
        }
        let broken = !Box::pin(reaches(db, &owner, &root, depth)).await?;
        let target = target.trim_matches('/').to_owned();
        mounts.push(Mount { target, root, rights: permissions, broken, shares: vec![share] });
    }
    Ok(mounts)
}

/// Whether an account can still get at a file, its own or shared with it.
pub(in crate::demo) async fn reaches(
    db: &SqlitePool,
    uid: &str,
    node: &Node,
    depth: u8,
) -> Result<bool, sqlx::Error> {
    if node.owner == uid {
        return Ok(true);
    }
    if depth == 0 {
        return Ok(false);
    }
    let mounts = mounts(db, uid, depth - 1).await?;
    let covers = |mount: &Mount| {
        !mount.broken
            && mount.root.storage == node.storage
            && (mount.root.path == node.path || is_below(&node.path, &mount.root.path))
    };
    Ok(mounts.iter().any(covers))
}

/// As [`reaches`], from outside.
pub(in crate::demo) async fn can_reach(
    db: &SqlitePool,
    uid: &str,
    node: &Node,
) -> Result<bool, sqlx::Error> {
    reaches(db, uid, node, MAX_RESHARES).await
}
