//! What is in a folder of an account, page by page.
//!
//! WebDAV has no pages: a folder of 20,000 is read as a whole. So what was just read is remembered for
//! a moment, and later pages and searches come from it: they belong together, and the instance is
//! asked once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Api, accounts};
use crate::admin::caller::{Caller, Scope};
use crate::admin::given::{Asked, At};
use crate::admin::problem::Problem;
use crate::admin::work::acting;
use crate::dav::client::Path;
use crate::nextcloud;
use crate::nextcloud::inventory::{self, Node};
use crate::transfer::Site;
use crate::transfer::model::Kind;

/// The most that is given at a time.
const MOST: usize = 500;
/// How long a listing is remembered.
const KEPT_FOR: Duration = Duration::from_secs(120);
/// Entries of all listings that are remembered.
const KEPT: usize = 100_000;

#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Wanted {
    /// The folder, from the account's root: `/Photos`.
    #[serde(default)]
    path: String,
    /// Only what has this in its name.
    #[serde(default)]
    search: String,
    /// At most so many; 500 if not said, 500 at most.
    limit: Option<usize>,
    /// From this one on; 0 reads the folder anew.
    #[serde(default)]
    offset: usize,
}

/// What is in a folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entries {
    /// Folders first, by name.
    entries: Vec<Entry>,
    /// How many there are, with those that are not in this page.
    total: usize,
    /// Whether there are more.
    more: bool,
}

/// A file or folder.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FolderEntry)]
pub(super) struct Entry {
    name: String,
    /// From the account's root, beginning with `/`.
    path: String,
    /// `file` or `folder`.
    kind: Kind,
    /// Bytes, of a folder with all that is below.
    size: u64,
    /// Files and folders directly in it, of a folder, where the instance says.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Whether there are shares of it.
    shared: bool,
    /// Why it cannot be handed over; absent where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    barred: Option<String>,
}

/// Folders that were just read, the latest last.
#[derive(Default)]
pub(super) struct Listings(Mutex<VecDeque<Listing>>);

struct Listing {
    key: Key,
    read: Instant,
    entries: Arc<[Entry]>,
}

/// Site, account, folder.
type Key = (String, String, String);

/// What is directly in a folder of an account.
#[utoipa::path(get, path = "/sites/{site}/accounts/{uid}/files", tag = "accounts",
    params(("site" = String, Path), ("uid" = String, Path), Wanted),
    responses((status = 200, body = Entries), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At((site, uid)): At<(String, String)>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Entries>, Problem> {
    caller.needs(Scope::Read, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    api.looks_after(&caller, &cloud, &[&uid]).await?;
    let is_first = wanted.offset == 0 && wanted.search.is_empty();
    let key = (site, uid, wanted.path);
    let known = (!is_first).then(|| api.listings.find(&key)).flatten();
    let all = match known {
        Some(known) => known,
        None => {
            let read: Arc<[Entry]> = read(&cloud, &key.1, &key.2).await?.into();
            api.listings.keep(key, Arc::clone(&read));
            read
        }
    };
    let search = wanted.search.to_lowercase();
    let limit = wanted.limit.unwrap_or(MOST).clamp(1, MOST);
    Ok(Json(page(&all, &search, wanted.offset, limit)))
}

fn page(all: &[Entry], search: &str, offset: usize, limit: usize) -> Entries {
    let found = || all.iter().filter(|entry| entry.name.to_lowercase().contains(search));
    let total = if search.is_empty() { all.len() } else { found().count() };
    let entries = found().skip(offset).take(limit).cloned().collect();
    Entries { entries, total, more: total > offset.saturating_add(limit) }
}

async fn read(cloud: &Site, uid: &str, path: &str) -> Result<Vec<Entry>, Problem> {
    let root = nextcloud::files(uid).map_err(nextcloud::Error::from)?;
    let path = root.walk(path).map_err(|error| {
        Problem::bad("bad_path", format!("`path` is no path of a folder: {error}."))
    })?;
    let folder = inventory::folder(&acting(cloud, uid)?.dav(), &path).await?;
    let missing = || Problem::not_found("unknown_folder", "There is no such folder.");
    let mut children = folder.ok_or_else(missing)?.children;
    children.sort_by_cached_key(|node| {
        let name = node.path.name().unwrap_or_default();
        (!node.is_folder, name.to_lowercase(), name.to_owned())
    });
    Ok(children.iter().map(|node| entry(node, &root)).collect())
}

fn entry(node: &Node, root: &Path) -> Entry {
    let count = node.files.zip(node.folders).map(|(files, folders)| files + folders);
    Entry {
        name: node.path.name().unwrap_or_default().to_owned(),
        path: accounts::place(node, root),
        kind: if node.is_folder { Kind::Folder } else { Kind::File },
        size: node.size,
        count: count.filter(|_| node.is_folder),
        shared: !node.shares.is_empty(),
        barred: node.obstacle.map(|obstacle| obstacle.to_string()),
    }
}

impl Listings {
    fn find(&self, key: &Key) -> Option<Arc<[Entry]>> {
        let listings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |known: &&Listing| known.key == *key && known.read.elapsed() < KEPT_FOR;
        listings.iter().rev().find(is_it).map(|known| Arc::clone(&known.entries))
    }

    fn keep(&self, key: Key, entries: Arc<[Entry]>) {
        let mut listings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listings.retain(|known| known.key != key && known.read.elapsed() < KEPT_FOR);
        listings.push_back(Listing { key, read: Instant::now(), entries });
        let mut kept: usize = listings.iter().map(|known| known.entries.len().max(1)).sum();
        while kept > KEPT
            && let Some(oldest) = listings.pop_front()
        {
            kept -= oldest.entries.len().max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Entry {
        let (name, path) = (name.to_owned(), format!("/{name}"));
        Entry { name, path, kind: Kind::File, size: 1, count: None, shared: false, barred: None }
    }

    fn key(path: &str) -> Key {
        ("demo".to_owned(), "alice".to_owned(), path.to_owned())
    }

    #[test]
    fn a_page_says_how_many_there_are() {
        let all: Vec<Entry> = ["Ab", "aB", "c"].map(named).into();
        let found = page(&all, "ab", 1, 1);
        assert_eq!((found.total, found.more), (2, false));
        assert_eq!(found.entries[0].name, "aB");
        let found = page(&all, "", 0, 2);
        assert_eq!((found.total, found.more, found.entries.len()), (3, true, 2));
        assert!(page(&all, "", usize::MAX, 2).entries.is_empty());
    }

    #[test]
    fn only_so_much_is_remembered() {
        let listings = Listings::default();
        let large: Arc<[Entry]> = vec![named("a"); KEPT - 1].into();
        listings.keep(key("/a"), Arc::clone(&large));
        listings.keep(key("/b"), Arc::from([named("b")]));
        assert!(listings.find(&key("/a")).is_some() && listings.find(&key("/b")).is_some());
        listings.keep(key("/c"), large);
        assert!(listings.find(&key("/a")).is_none() && listings.find(&key("/c")).is_some());
        let other = ("demo".to_owned(), "bob".to_owned(), "/c".to_owned());
        assert!(listings.find(&other).is_none(), "of another account");
    }
}
