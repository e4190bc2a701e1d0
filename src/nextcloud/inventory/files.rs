//! Files: one folder at a time, for people who look around, or all there is below one, as a stream.

use serde::Serialize;

use super::Obstacle;
use super::collection::filled;
use crate::dav::client::{Client, Depth, Entries, Entry, Error, Path, Property};
use crate::nextcloud::ocs::ShareType;
use crate::nextcloud::properties as p;

/// A file or folder.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Where it is, from the root of the DAV server: `files/alice/Photos`.
    pub path: Path,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Its number within the instance.
    pub file_id: Option<u64>,
    /// Bytes, of a folder with all that is below.
    pub size: u64,
    /// Its entity tag, with quotes.
    pub etag: Option<String>,
    /// Seconds since 1970 at which it was changed last.
    pub mtime: Option<i64>,
    /// Seconds since 1970 at which it was made, where the instance knows.
    pub ctime: Option<i64>,
    /// `SHA1:… MD5:…`, where the instance knows.
    pub checksums: Option<String>,
    /// Files directly in a folder.
    pub files: Option<u64>,
    /// Folders directly in a folder.
    pub folders: Option<u64>,
    /// The kinds of shares there are of it.
    pub shares: Vec<ShareType>,
    /// Whether the account likes it.
    pub favorite: bool,
    /// Who locked it, if somebody did.
    pub locked_by: Option<String>,
    /// Why it cannot be handed over, if it cannot.
    pub obstacle: Option<Obstacle>,
}

/// A folder with what is directly in it.
#[derive(Clone, Debug, Serialize)]
pub struct Folder {
    /// The folder.
    pub itself: Node,
    /// What is in it, in the order of the instance.
    pub children: Vec<Node>,
}

/// More than this is not shown of one folder.
const MAX_CHILDREN: usize = 100_000;

const WANTED: [Property; 17] = [
    p::RESOURCE_TYPE,
    p::ETAG,
    p::LAST_MODIFIED,
    p::CONTENT_LENGTH,
    p::SIZE,
    p::FILE_ID,
    p::OWNER_ID,
    p::PERMISSIONS,
    p::SHARE_TYPES,
    p::FAVORITE,
    p::CHECKSUMS,
    p::MOUNT_TYPE,
    p::IS_ENCRYPTED,
    p::CREATION_TIME,
    p::FILE_COUNT,
    p::FOLDER_COUNT,
    p::LOCK_OWNER,
];

/// Enough to tell what goes from what stays. A property that a node does not have costs the instance
/// a query of its database, for each node.
const SURVEYED: [Property; 9] = [
    p::RESOURCE_TYPE,
    p::ETAG,
    p::CONTENT_LENGTH,
    p::SIZE,
    p::FILE_ID,
    p::PERMISSIONS,
    p::MOUNT_TYPE,
    p::IS_ENCRYPTED,
    p::LOCK_OWNER,
];

/// The same, with how much is in folders.
const COUNTED: [Property; 11] = [
    p::RESOURCE_TYPE,
    p::ETAG,
    p::CONTENT_LENGTH,
    p::SIZE,
    p::FILE_ID,
    p::PERMISSIONS,
    p::MOUNT_TYPE,
    p::IS_ENCRYPTED,
    p::LOCK_OWNER,
    p::FILE_COUNT,
    p::FOLDER_COUNT,
];

/// A folder with what is directly in it; `None` if there is no such thing.
///
/// # Errors
/// As [`Error`] says.
pub async fn folder(client: &Client, path: &Path) -> Result<Option<Folder>, Error> {
    let entries = match client.propfind(path, Depth::One, &WANTED).await {
        Err(error) if error.is_not_found() => return Ok(None),
        entries => entries?,
    };
    let mut nodes = Walk { entries };
    let mut itself = None;
    let mut children = Vec::new();
    // One by one: what was said of each takes more room than what is kept of it.
    while let Some(node) = nodes.next().await? {
        if node.path == *path {
            itself = Some(node);
        } else if children.len() == MAX_CHILDREN {
            return Err(Error::TooLarge("number of entries"));
        } else {
            children.push(node);
        }
    }
    Ok(itself.map(|itself| Folder { itself, children }))
}

/// One file or folder; `None` if there is no such thing.
///
/// # Errors
/// As [`Error`] says.
pub async fn node(client: &Client, path: &Path) -> Result<Option<Node>, Error> {
    Ok(client.find(path, &WANTED).await?.map(|entry| Node::of(&entry)))
}

/// All there is below a path, itself included. Memory does not grow with the number of files.
///
/// # Errors
/// As [`Error`] says.
pub async fn walk(client: &Client, path: &Path) -> Result<Walk, Error> {
    let entries = client.propfind(path, Depth::Infinity, &WANTED).await?;
    Ok(Walk { entries })
}

/// The same, with no more of each than tells what can be handed over, and how much it is.
///
/// # Errors
/// As [`Error`] says.
pub async fn survey(client: &Client, path: &Path) -> Result<Walk, Error> {
    let entries = client.propfind(path, Depth::Infinity, &SURVEYED).await?;
    Ok(Walk { entries })
}

/// A folder and what is directly in it, with as much of each, as it comes. What is in the folders
/// in it is counted.
///
/// # Errors
/// As [`Error`] says.
pub async fn children(client: &Client, path: &Path) -> Result<Walk, Error> {
    let entries = client.propfind(path, Depth::One, &COUNTED).await?;
    Ok(Walk { entries })
}

/// A walk through a tree.
#[derive(Debug)]
pub struct Walk {
    entries: Entries,
}

impl Walk {
    /// The next one; `None` after the last.
    ///
    /// # Errors
    /// As [`Error`] says; the walk is over then.
    pub async fn next(&mut self) -> Result<Option<Node>, Error> {
        Ok(self.entries.next().await?.map(|entry| Node::of(&entry)))
    }
}

// === impl Node ===

impl Node {
    fn of(entry: &Entry) -> Self {
        let is_folder = entry.is_collection();
        let length = if is_folder { None } else { entry.number(&p::CONTENT_LENGTH) };
        let modified = entry.text(&p::LAST_MODIFIED);
        Self {
            path: entry.path.clone(),
            is_folder,
            file_id: entry.number(&p::FILE_ID),
            size: length.or_else(|| entry.number(&p::SIZE)).unwrap_or_default(),
            etag: filled(entry.text(&p::ETAG)),
            mtime: modified.and_then(seconds),
            ctime: entry.number(&p::CREATION_TIME).filter(|time| *time > 0),
            checksums: checksums(entry),
            files: entry.number(&p::FILE_COUNT),
            folders: entry.number(&p::FOLDER_COUNT),
            shares: shares(entry),
            favorite: entry.text(&p::FAVORITE) == Some("1"),
            locked_by: filled(entry.text(&p::LOCK_OWNER)),
            obstacle: obstacle(entry),
        }
    }
}

fn seconds(date: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(date).ok()?;
    match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).ok(),
        Err(before) => i64::try_from(before.duration().as_secs()).ok().map(|seconds| -seconds),
    }
}

fn checksums(entry: &Entry) -> Option<String> {
    let all = entry.get(&p::CHECKSUMS)?.children(p::OC, "checksum");
    let all: Vec<&str> = all.map(|one| one.text.trim()).filter(|one| !one.is_empty()).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn shares(entry: &Entry) -> Vec<ShareType> {
    let Some(types) = entry.get(&p::SHARE_TYPES) else { return Vec::new() };
    let numbers =
        types.children(p::OC, "share-type").filter_map(|one| one.text.trim().parse().ok());
    numbers.map(|number: i64| number.into()).collect()
}

/// What is not the account's own to give.
fn obstacle(entry: &Entry) -> Option<Obstacle> {
    if entry.text(&p::IS_ENCRYPTED) == Some("1") {
        return Some(Obstacle::EndToEndEncrypted);
    }
    match entry.text(&p::MOUNT_TYPE).unwrap_or_default() {
        "shared" | "shared-root" => return Some(Obstacle::Received),
        "group" => return Some(Obstacle::GroupFolder),
        "external" | "external-session" => return Some(Obstacle::ExternalStorage),
        _ => {}
    }
    let permissions = entry.text(&p::PERMISSIONS).unwrap_or_default();
    if permissions.contains('S') {
        return Some(Obstacle::Received);
    }
    if permissions.contains('M') {
        return Some(Obstacle::ExternalStorage);
    }
    None
}
