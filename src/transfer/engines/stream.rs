//! Anything, to another instance or another account: read here, written there, without a disk in
//! between. The source keeps what it has: nothing is removed where it was only copied.
//!
//! Files go folder by folder in batches, each a step of its own: after a crash, no batch that ended
//! is sent again, and of one that had begun only what is not there.

use std::collections::HashSet;

use super::{Handed, Task, compare, object_move, server_move};
use crate::nextcloud::inventory;
use crate::transfer::Error;
use crate::transfer::effect::{Effect, Over, Source};
use crate::transfer::model::Item;
use crate::transfer::site::{Who, file};

/// Files in one step.
const BATCH: usize = 100;
/// Bytes in one step, unless a single file has more.
const BATCH_BYTES: u64 = 8 << 20;
/// Objects in one step.
const OBJECTS: usize = 50;

/// Copies an item.
pub(super) async fn hand_over(task: &mut Task<'_>, item: &Item) -> Result<Handed, Error> {
    let recipient = match task.plan.request.target {
        Some(_) => Who::there(&item.recipient),
        None => Who::here(&item.recipient),
    };
    let before = task.look("before", task.source(), item, &item.path, Over::Names).await?;
    match item.kind.is_node() {
        true => copy_files(task, item, &recipient).await?,
        false => copy_objects(task, item, &recipient).await?,
    }
    if !before.favourites.is_empty() {
        let paths = before.favourites.iter().map(|below| match below.as_str() {
            "" => item.destination.clone(),
            below => format!("{}/{below}", item.destination),
        });
        let mark = Effect::Favourites { who: recipient.clone(), paths: paths.collect() };
        task.step("favourites", mark).await?;
    }
    let after = task.look("after", recipient, item, &item.destination, Over::Names).await?;
    Ok(Handed { check: compare(&before, &after, Over::Names)?, lost: Vec::new(), to: None })
}

async fn copy_files(task: &mut Task<'_>, item: &Item, to: &Who) -> Result<(), Error> {
    server_move::folders_above(task, to, &item.destination).await?;
    let mut number = 0;
    let mut sent = HashSet::new();
    while let Some(begun) = task.journal.begun(&format!("files/{number}")).cloned() {
        if let Effect::CopyFiles { files, .. } = &begun {
            sent.extend(files.iter().map(|file| file.to.clone()));
        }
        task.step(&format!("files/{number}"), begun).await?;
        number += 1;
    }
    let mut batch = Batch { to: to.clone(), from: task.source(), files: Vec::new(), number };
    let mut folders = vec![(item.path.clone(), item.destination.clone())];
    let client = task.world.dav(&task.source())?;
    while let Some((from, into)) = folders.pop() {
        let path = file(&task.plan.request.source, &from)?;
        let folder = inventory::folder(&client, &path).await?;
        let folder = folder.ok_or_else(|| Error::Conflict(format!("{from:?} is gone")))?;
        if !folder.itself.is_folder {
            batch.add(task, &sent, &folder.itself, &from, &into).await?;
            continue;
        }
        server_move::make_folder(task, to, &into).await?;
        for node in folder.children.iter().filter(|node| node.obstacle.is_none()) {
            let Some(name) = node.path.name() else { continue };
            let (from, into) = (format!("{from}/{name}"), format!("{into}/{name}"));
            match node.is_folder {
                true => folders.push((from, into)),
                false => batch.add(task, &sent, node, &from, &into).await?,
            }
        }
        // Files never wait for folders that come later.
        batch.send(task).await?;
    }
    batch.send(task).await
}

/// Files that go together.
struct Batch {
    from: Who,
    to: Who,
    files: Vec<Source>,
    number: u32,
}

impl Batch {
    async fn add(
        &mut self,
        task: &mut Task<'_>,
        sent: &HashSet<String>,
        node: &inventory::Node,
        from: &str,
        into: &str,
    ) -> Result<(), Error> {
        if sent.contains(into) {
            return Ok(());
        }
        let bytes: u64 = self.files.iter().map(|file| file.size).sum();
        if self.files.len() >= BATCH || (bytes + node.size > BATCH_BYTES && bytes > 0) {
            self.send(task).await?;
        }
        self.files.push(Source {
            from: from.to_owned(),
            to: into.to_owned(),
            size: node.size,
            mtime: node.mtime,
            checksum: node.checksums.clone(),
        });
        Ok(())
    }

    async fn send(&mut self, task: &mut Task<'_>) -> Result<(), Error> {
        if self.files.is_empty() {
            return Ok(());
        }
        let files = std::mem::take(&mut self.files);
        let copy = Effect::CopyFiles { from: self.from.clone(), to: self.to.clone(), files };
        task.step(&format!("files/{}", self.number), copy).await?;
        self.number += 1;
        Ok(())
    }
}

async fn copy_objects(task: &mut Task<'_>, item: &Item, to: &Who) -> Result<(), Error> {
    let found = object_move::describe(task, item).await?;
    let make = Effect::MakeCollection {
        who: to.clone(),
        kind: item.kind,
        uri: item.destination.clone(),
        looks: found.looks,
    };
    task.step("make", make).await?;
    let source = task.source();
    let names = object_move::objects(task, &source, item.kind, &item.path).await?;
    for (number, names) in names.chunks(OBJECTS).enumerate() {
        let copy = Effect::CopyObjects {
            from: source.clone(),
            to: to.clone(),
            kind: item.kind,
            uri: item.path.clone(),
            into: item.destination.clone(),
            names: names.to_vec(),
        };
        task.step(&format!("objects/{number}"), copy).await?;
    }
    Ok(())
}
