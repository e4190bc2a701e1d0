//! A print of something: how much it is, and a digest over all of it, to compare before and after.
//!
//! Of a tree that the instance moves as a whole its top is enough: the etag of a folder changes with
//! anything in it, so that the same id, etag, size and counts are the same tree. Where things are
//! copied, or are objects of a collection, all of them are listed. That is read as it comes, in
//! bounded memory: the digest does not depend on the order of the entries, since each is hashed alone
//! and the hashes are added.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::collections::collection;
use super::{Error, Kind, Who, World};
use crate::dav::client::Depth;
use crate::nextcloud::inventory::{self, Node};
use crate::nextcloud::properties as p;
use crate::transfer::site::file;

/// Favourites that are remembered; more are named in the receipt as lost.
const MAX_FAVOURITES: usize = 5_000;

/// What the digest is over, besides names and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Over {
    /// What the instance says of the top of a tree: its id, etag and size, and how many files and
    /// folders are directly in it.
    Top,
    /// File ids and etags: the very same things.
    Ids,
    /// Nothing more: what another instance has of the same things. Bytes are compared by
    /// checksum, one by one, as they go over.
    Names,
}

/// How much something is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Print {
    /// Files, events or cards; of the top of a tree what is directly in it.
    pub count: u64,
    /// Bytes, where the instance says.
    pub size: u64,
    /// Over all of it, hexadecimal.
    pub digest: String,
    /// Favourites of the account that looked, relative to the path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub favourites: Vec<String>,
}

/// Takes a print.
pub(super) async fn look(
    world: &World,
    who: &Who,
    kind: Kind,
    path: &str,
    over: Over,
) -> Result<Print, Error> {
    match (kind.is_node(), over) {
        (true, Over::Top) => look_at_top(world, who, path).await,
        (true, _) => look_at_files(world, who, path, over).await,
        (false, _) => look_at_objects(world, who, kind, path, over).await,
    }
}

async fn look_at_top(world: &World, who: &Who, path: &str) -> Result<Print, Error> {
    let top = file(&who.uid, path)?;
    let node = inventory::node(&world.dav(who)?, &top).await?;
    let node = node.ok_or_else(|| Error::Conflict(format!("{path:?} of {:?} is gone", who.uid)))?;
    let (files, folders) = (node.files.unwrap_or_default(), node.folders.unwrap_or_default());
    let numbers = [node.file_id.unwrap_or_default(), node.size, files, folders];
    let [id, size, files, folders] = numbers.map(|number| number.to_string());
    let etag = node.etag.as_deref().unwrap_or_default();
    Ok(Print {
        count: if node.is_folder { numbers[2] + numbers[3] } else { 1 },
        size: node.size,
        digest: format!("{:032x}", digest(&[&id, etag, &size, &files, &folders])),
        favourites: Vec::new(),
    })
}

async fn look_at_files(world: &World, who: &Who, path: &str, over: Over) -> Result<Print, Error> {
    let top = file(&who.uid, path)?;
    let client = world.dav(who)?;
    let mut walk = inventory::walk(&client, &top).await?;
    let mut print = Print::default();
    let mut sum = 0_u128;
    while let Some(node) = walk.next().await? {
        let name = node.path.below(&top).unwrap_or_default();
        sum = sum.wrapping_add(hash(&node, &name, over));
        if !node.is_folder {
            print.count += 1;
            print.size += node.size;
        }
        if node.favorite && print.favourites.len() < MAX_FAVOURITES {
            print.favourites.push(name);
        }
    }
    print.digest = format!("{sum:032x}");
    Ok(print)
}

async fn look_at_objects(
    world: &World,
    who: &Who,
    kind: Kind,
    uri: &str,
    over: Over,
) -> Result<Print, Error> {
    let top = collection(kind, &who.uid, uri)?;
    let mut entries = world.dav(who)?.propfind(&top, Depth::One, &[p::ETAG]).await?;
    let mut print = Print::default();
    let mut sum = 0_u128;
    while let Some(entry) = entries.next().await? {
        let Some(name) = entry.path.below(&top).filter(|name| !name.is_empty()) else { continue };
        let hash = match over {
            Over::Ids | Over::Top => digest(&[&name, entry.text(&p::ETAG).unwrap_or_default()]),
            Over::Names => digest(&[&composed(&name), ""]),
        };
        sum = sum.wrapping_add(hash);
        print.count += 1;
    }
    print.digest = format!("{sum:032x}");
    Ok(print)
}

fn hash(node: &Node, name: &str, over: Over) -> u128 {
    // A folder's own size and etag follow from what is in it.
    let size = if node.is_folder { "folder".to_owned() } else { node.size.to_string() };
    if over == Over::Names {
        return digest(&[&composed(name), &size]);
    }
    let id = node.file_id.unwrap_or_default().to_string();
    let etag = node.etag.as_deref().filter(|_| !node.is_folder).unwrap_or_default();
    digest(&[name, &size, &id, etag])
}

/// A name as every instance has it: accents are one letter with what they stand on.
pub(super) fn composed(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    name.nfc().collect()
}

fn digest(parts: &[&str]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize()[..16]);
    u128::from_be_bytes(first)
}
