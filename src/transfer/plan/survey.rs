//! What an account has of files, as a plan needs it: the topmost folders and files that go as a
//! whole, how much each of them is, and what stays.
//!
//! To list every file takes an instance longer than to hand them over. So folders are looked into
//! one by one, and those without folders in them not at all: the one above says how many files they
//! have, and how large. Where that is no way (patterns with wildcards; a disabled account, which
//! does not tell what others share with it; too many folders), all is listed at once, as it comes.
//!
//! A folder in which something stays (received shares, group folders, external storage, end-to-end
//! encryption, patterns) is taken apart: another look counts its parts. Memory grows with the number
//! of what goes as a whole and of folders looked into, not with the number of files.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::Draft;
use super::files::{destination, names};
use super::select::Chooser;
use crate::dav::client::{Client, Path};
use crate::nextcloud::inventory::{self, Node, Obstacle};
use crate::nextcloud::{self};
use crate::transfer::Error;
use crate::transfer::model::Conflict;
use crate::transfer::site::Who;

/// Levels of folders that are joined; deeper ones get a number.
const MAX_LEVELS: usize = 64;
/// Folders that are looked into one by one. With more of them, one listing of all is quicker.
const MAX_LOOKS: usize = 50;

/// Locks that are named.
const MAX_LOCKED: usize = 20;

/// Something that goes as a whole.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub recipient: String,
    pub is_folder: bool,
    pub file_id: Option<u64>,
    pub etag: String,
    /// Files.
    pub count: u64,
    /// Bytes.
    pub size: u64,
}

/// What a survey found.
#[derive(Default)]
pub(super) struct Found {
    pub units: BTreeMap<String, Unit>,
    /// Topmost things that stay, with the reason.
    pub stays: BTreeMap<String, Option<Obstacle>>,
    /// Folders that are taken apart to be joined with ones of the recipient.
    pub joined: Vec<String>,
    /// What goes and is locked by somebody, and by whom. Locks further below are in nobody's way:
    /// they go with their files.
    pub locked: Vec<(String, String)>,
}

/// How to look at an account's files.
struct Look<'a> {
    client: Client,
    home: Path,
    chooser: &'a Chooser,
    /// Folders to look into in any case; none if all has to be listed.
    inside: Option<BTreeSet<String>>,
}

/// Looks once, and once more where folders have to be taken apart.
pub(super) async fn survey(draft: &Draft<'_>, chooser: &Chooser) -> Result<Found, Error> {
    let source = &draft.request.source;
    let client = draft.world.dav(&Who::here(source))?;
    let inside = inside(draft, chooser).await?;
    let look = Look { client, home: nextcloud::files(source)?, chooser, inside };
    let first = look.at(&BTreeSet::new()).await?;
    let mut apart: BTreeSet<String> =
        first.stays.keys().flat_map(|path| above(path)).map(str::to_owned).collect();
    let taken_apart = apart.iter().any(|path| first.units.contains_key(path.as_str()));
    let mut found = if taken_apart { look.at(&apart).await? } else { first };
    // Folders that are joined are taken apart, level by level.
    let mut all_joined = Vec::new();
    for _ in 0..MAX_LEVELS {
        let joined = joined(draft, &found).await?;
        if joined.is_empty() {
            break;
        }
        apart.extend(joined.iter().cloned());
        all_joined.extend(joined);
        found = look.at(&apart).await?;
    }
    found.joined = all_joined;
    Ok(found)
}

/// The folders above all that is chosen by name, and above what others share with the account.
/// None if that cannot be known.
async fn inside(draft: &Draft<'_>, chooser: &Chooser) -> Result<Option<BTreeSet<String>>, Error> {
    let Some(named) = chooser.names().filter(|_| draft.source.enabled) else { return Ok(None) };
    let source = Who::here(&draft.request.source);
    let received = draft.world.ocs(&source)?.shared_with_me().await?;
    let received = received.into_iter().filter_map(|share| share.path.or(share.file_target));
    let mut inside = BTreeSet::new();
    for path in named.into_iter().chain(received) {
        inside.extend(above(&path).map(str::to_owned));
    }
    Ok(Some(inside))
}

/// Folders that meet one of the same name at the recipient, and are to be joined with it.
async fn joined(draft: &Draft<'_>, found: &Found) -> Result<Vec<String>, Error> {
    let mut joined = Vec::new();
    if draft.request.conflict != Conflict::Merge {
        return Ok(joined);
    }
    let folder = destination(draft);
    let mut taken: HashMap<(String, String), BTreeMap<String, bool>> = HashMap::new();
    for (path, unit) in found.units.iter().filter(|(_, unit)| unit.is_folder) {
        let wanted = format!("{folder}{path}");
        let (parent, name) = wanted.rsplit_once('/').unwrap_or(("", &wanted));
        let key = (unit.recipient.clone(), parent.to_owned());
        if !taken.contains_key(&key) {
            let names = names(draft, &unit.recipient, parent).await?;
            taken.insert(key.clone(), names);
        }
        if taken.get(&key).and_then(|names| names.get(name)) == Some(&true) {
            joined.push(path.clone());
        }
    }
    Ok(joined)
}

impl Look<'_> {
    /// `apart`: folders in which something stays.
    async fn at(&self, apart: &BTreeSet<String>) -> Result<Found, Error> {
        if let Some(inside) = &self.inside
            && let Some(found) = self.one_by_one(inside, apart).await?
        {
            return Ok(found);
        }
        let mut found = Found::default();
        let mut nodes = inventory::survey(&self.client, &self.home).await?;
        while let Some(node) = nodes.next().await? {
            let Some(path) = self.path_of(&node) else { continue };
            let much = if node.is_folder { (0, 0) } else { (1, node.size) };
            see(&mut found, self.chooser, apart, &path, &node, much);
        }
        Ok(found)
    }

    /// Looks into one folder after the other; `None` if they are too many.
    async fn one_by_one(
        &self,
        inside: &BTreeSet<String>,
        apart: &BTreeSet<String>,
    ) -> Result<Option<Found>, Error> {
        let mut found = Found::default();
        let mut folders = VecDeque::from([String::new()]);
        let mut looks = 0;
        while let Some(folder) = folders.pop_front() {
            looks += 1;
            if looks > MAX_LOOKS {
                return Ok(None);
            }
            let at = self.home.walk(&folder)?;
            let mut nodes = inventory::children(&self.client, &at).await?;
            while let Some(node) = nodes.next().await? {
                let Some(path) = self.path_of(&node).filter(|_| node.path != at) else { continue };
                let into = node.is_folder
                    && node.obstacle.is_none()
                    && (inside.contains(&path)
                        || apart.contains(&path)
                        || (node.folders != Some(0) && self.chooser.recipient(&path).is_some()));
                let much = match (node.is_folder, into) {
                    (false, _) => (1, node.size),
                    (true, true) => (0, 0),
                    (true, false) => (node.files.unwrap_or_default(), node.size),
                };
                see(&mut found, self.chooser, apart, &path, &node, much);
                if into {
                    folders.push_back(path);
                }
            }
        }
        Ok(Some(found))
    }

    fn path_of(&self, node: &Node) -> Option<String> {
        let below = node.path.below(&self.home).filter(|below| !below.is_empty())?;
        Some(format!("/{below}"))
    }
}

/// Takes note of a file or folder, which comes after those above it. `much`: files and bytes that
/// nothing else will tell of.
fn see(
    found: &mut Found,
    chooser: &Chooser,
    apart: &BTreeSet<String>,
    path: &str,
    node: &Node,
    much: (u64, u64),
) {
    if above(path).any(|folder| matches!(found.stays.get(folder), Some(Some(_)))) {
        return;
    }
    if let Some(obstacle) = node.obstacle {
        found.stays.insert(path.to_owned(), Some(obstacle));
        return;
    }
    let recipient = chooser.recipient(path);
    let unit = above(path).find(|folder| found.units.contains_key(*folder));
    if let Some(unit) = unit.and_then(|folder| found.units.get_mut(folder)) {
        if recipient == Some(unit.recipient.as_str()) {
            unit.count += much.0;
            unit.size += much.1;
        } else {
            // The unit is taken apart at the second look.
            found.stays.insert(path.to_owned(), None);
        }
        return;
    }
    match recipient {
        Some(recipient) if !(node.is_folder && apart.contains(path)) => {
            if let Some(who) = &node.locked_by
                && found.locked.len() < MAX_LOCKED
            {
                found.locked.push((path.to_owned(), who.clone()));
            }
            let unit = Unit {
                recipient: recipient.to_owned(),
                is_folder: node.is_folder,
                file_id: node.file_id,
                etag: node.etag.clone().unwrap_or_default(),
                count: much.0,
                size: much.1,
            };
            found.units.insert(path.to_owned(), unit);
        }
        // Named only where what it lies in goes.
        None if above(path).any(|folder| apart.contains(folder)) => {
            let named = above(path).any(|folder| found.stays.contains_key(folder));
            if !named {
                found.stays.insert(path.to_owned(), None);
            }
        }
        _ => {}
    }
}

/// The folders above a path, from the top.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).filter(|folder| !folder.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_above_a_path() {
        assert_eq!(above("/a/b/c").collect::<Vec<_>>(), ["/a", "/a/b"]);
        assert_eq!(above("/a").count(), 0);
    }

    fn node(path: &str, is_folder: bool, locked_by: Option<&str>) -> Node {
        Node {
            path: Path::root().walk(path).expect("a path"),
            is_folder,
            file_id: None,
            size: 1,
            etag: None,
            mtime: None,
            ctime: None,
            checksums: None,
            files: None,
            folders: None,
            shares: Vec::new(),
            favorite: false,
            locked_by: locked_by.map(str::to_owned),
            obstacle: None,
        }
    }

    #[test]
    fn a_lock_counts_on_what_is_moved_itself() {
        let request = serde_json::from_str(r#"{"source":"a","recipient":"b","selection":"all"}"#);
        let chooser = Chooser::new(&request.expect("a request"));
        for (apart, locked) in [("", &["/top.txt"][..]), ("/Work", &["/Work/in.txt", "/top.txt"])] {
            let mut found = Found::default();
            let apart = BTreeSet::from([apart.to_owned()]);
            for node in [
                node("/Work", true, None),
                node("/Work/in.txt", false, Some("carol")),
                node("/top.txt", false, Some("carol")),
            ] {
                see(&mut found, &chooser, &apart, &format!("/{}", node.path), &node, (1, 1));
            }
            let named: Vec<&str> = found.locked.iter().map(|(path, _)| path.as_str()).collect();
            assert_eq!(named, locked);
        }
    }
}
