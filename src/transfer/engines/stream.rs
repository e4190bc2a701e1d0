//! Anything, to another instance or another account: read here, written there, without a disk in
//! between. The source keeps what it has: nothing is removed where it was only copied.
//!
//! Files go in batches, each a step of its own, and some batches are under way at a time: while one
//! is written, the next is read. After a crash, no batch that ended is sent again, and of one that
//! had begun only what is not there. A pause or a cancellation begins no other batch, and waits for
//! those under way.

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use super::{Handed, Task, compare, object_move, server_move};
use crate::nextcloud::inventory;
use crate::transfer::Error;
use crate::transfer::effect::{Effect, How, Outcome, Over, Proof, Source};
use crate::transfer::journal::{Begun, Done};
use crate::transfer::model::{Item, Verify, Versions, words};
use crate::transfer::site::{Who, World, file};

/// Files in one step.
const BATCH: usize = 100;
/// Bytes in one step, unless a single file has more.
const BATCH_BYTES: u64 = 8 << 20;
/// Objects in one step.
const OBJECTS: usize = 50;
/// Steps under way: with what they read, three times [`BATCH_BYTES`] at most.
const UNDER_WAY: usize = 3;

/// Copies an item.
pub(super) async fn hand_over(task: &mut Task<'_>, item: &Item) -> Result<Handed, Error> {
    let recipient = match task.plan.request.target {
        Some(_) => Who::there(&item.recipient),
        None => Who::here(&item.recipient),
    };
    let before = task.look("before", task.source(), item, &item.path, Over::Names).await?;
    let mut flight = Flight::new(task.world);
    let walked = match item.kind.is_node() {
        true => copy_files(task, &mut flight, item, &recipient).boxed().await,
        false => copy_objects(task, &mut flight, item, &recipient).boxed().await,
    };
    // What is under way is written down, whatever happened to the rest.
    let landed = flight.land_all(task).await;
    walked.and(landed)?;
    if !before.favourites.is_empty() {
        let paths = before.favourites.iter().map(|below| match below.as_str() {
            "" => item.destination.clone(),
            below => format!("{}/{below}", item.destination),
        });
        let mark = Effect::Favourites { who: recipient.clone(), paths: paths.collect() };
        task.step("favourites", mark).await?;
    }
    let is_right = |after: super::Print| compare(&before, &after, Over::Names);
    let mut check =
        task.verify("after", recipient, item, &item.destination, Over::Names, is_right).await?;
    check.over = flight.proofs.said();
    Ok(Handed { check, lost: Vec::new(), to: None })
}

async fn copy_files<'a>(
    task: &mut Task<'a>,
    flight: &mut Flight<'a>,
    item: &Item,
    to: &Who,
) -> Result<(), Error> {
    let mut ours = server_move::folders_above(task, to, &item.destination).await?;
    let mut batch = Batch::new(task, to);
    flight.take_up(task, &mut batch).await?;
    let mut folders = vec![(item.path.clone(), item.destination.clone(), ours)];
    let client = task.world.dav(&task.source())?;
    while let Some((from, into, above)) = folders.pop() {
        let path = file(&task.plan.request.source, &from)?;
        let folder = flight.during(inventory::folder(&client, &path)).await?;
        let folder = folder.ok_or_else(|| Error::Conflict(format!("{from:?} is gone")))?;
        if !folder.itself.is_folder {
            batch.add(task, flight, (&folder.itself, above), &from, &into).await?;
            continue;
        }
        ours = flight.during(make_folder(task, to, &into, above)).await?;
        for node in folder.children.iter().filter(|node| node.obstacle.is_none()) {
            let Some(name) = node.path.name() else { continue };
            let (from, into) = (format!("{from}/{name}"), format!("{into}/{name}"));
            match node.is_folder {
                true => folders.push((from, into, ours)),
                false => batch.add(task, flight, (node, ours), &from, &into).await?,
            }
        }
    }
    batch.send(task, flight).await
}

/// Makes a folder; says whether this transfer did. Within one of its own there is nothing to be
/// looked for.
async fn make_folder(
    task: &mut Task<'_>,
    who: &Who,
    path: &str,
    above_is_ours: bool,
) -> Result<bool, Error> {
    if !above_is_ours {
        return server_move::make_folder(task, who, path).await;
    }
    let make = Effect::MakeFolder { who: who.clone(), path: path.to_owned(), may_exist: true };
    Ok(task.step(&format!("folder{path}"), make).await? == Outcome::Done)
}

/// Files that go together.
struct Batch {
    from: Who,
    to: Who,
    how: How,
    files: Vec<Source>,
    number: u32,
    /// What batches had that were begun before.
    sent: HashSet<String>,
}

impl Batch {
    fn new(task: &Task<'_>, to: &Who) -> Self {
        let request = &task.plan.request;
        let how = How {
            versions: request.versions == Versions::Keep,
            reread: request.verify == Verify::Reread,
        };
        let (from, to) = (task.source(), to.clone());
        Self { from, to, how, files: Vec::new(), number: 0, sent: HashSet::new() }
    }

    /// `ours`: whether this transfer made the folder that the file goes into.
    async fn add<'a>(
        &mut self,
        task: &mut Task<'a>,
        flight: &mut Flight<'a>,
        (node, ours): (&inventory::Node, bool),
        from: &str,
        into: &str,
    ) -> Result<(), Error> {
        if self.sent.contains(into) {
            return Ok(());
        }
        let bytes: u64 = self.files.iter().map(|file| file.size).sum();
        if self.files.len() >= BATCH || (bytes + node.size > BATCH_BYTES && bytes > 0) {
            self.send(task, flight).await?;
        }
        self.files.push(Source {
            from: from.to_owned(),
            to: into.to_owned(),
            size: node.size,
            mtime: node.mtime,
            checksum: node.checksums.clone(),
            etag: node.etag.clone(),
            file_id: node.file_id,
            ours,
        });
        Ok(())
    }

    async fn send<'a>(
        &mut self,
        task: &mut Task<'a>,
        flight: &mut Flight<'a>,
    ) -> Result<(), Error> {
        if self.files.is_empty() {
            return Ok(());
        }
        let files = std::mem::take(&mut self.files);
        let (from, to, how) = (self.from.clone(), self.to.clone(), self.how);
        let copy = Effect::CopyFiles { from, to, files, how };
        flight.begin(task, &format!("files/{}", self.number), copy).await?;
        self.number += 1;
        Ok(())
    }
}

async fn copy_objects<'a>(
    task: &mut Task<'a>,
    flight: &mut Flight<'a>,
    item: &Item,
    to: &Who,
) -> Result<(), Error> {
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
        flight.begin(task, &format!("objects/{number}"), copy).await?;
    }
    Ok(())
}

/// Steps that are under way.
struct Flight<'a> {
    world: &'a World,
    running: FuturesUnordered<BoxFuture<'a, Result<Done, Error>>>,
    /// Those that are over, and are still to be written down.
    landed: Vec<Result<Done, Error>>,
    proofs: Proofs,
}

impl<'a> Flight<'a> {
    fn new(world: &'a World) -> Self {
        let (running, landed) = (FuturesUnordered::new(), Vec::new());
        Self { world, running, landed, proofs: Proofs::default() }
    }

    /// Batches that were begun before: those that ended are only counted.
    async fn take_up(&mut self, task: &mut Task<'a>, batch: &mut Batch) -> Result<(), Error> {
        while let Some(begun) = task.journal.begun(&format!("files/{}", batch.number)).cloned() {
            if let Effect::CopyFiles { files, .. } = &begun {
                batch.sent.extend(files.iter().map(|file| file.to.clone()));
            }
            self.begin(task, &format!("files/{}", batch.number), begun).await?;
            batch.number += 1;
        }
        Ok(())
    }

    /// Begins a step as soon as there is room for it, unless a person wants the transfer to stop.
    async fn begin(
        &mut self,
        task: &mut Task<'a>,
        step: &str,
        effect: Effect,
    ) -> Result<(), Error> {
        let bytes = match &effect {
            Effect::CopyFiles { files, .. } => files.iter().map(|file| file.size).sum(),
            _ => 0,
        };
        if let Some(halt) = task.wishes.halt()
            && task.journal.ended(step).is_none()
        {
            return Err(Error::Halted(halt));
        }
        match task.journal.begin(step, effect).await? {
            Begun::Ended(outcome) => {
                let tally = self.world.meter.tally();
                tally.add(self.proofs.add(&outcome), bytes);
                tally.keep();
            }
            Begun::Doing(doing) => self.running.push(doing.perform(self.world).boxed()),
        }
        while self.running.len() >= UNDER_WAY {
            let landed = self.running.next().await;
            self.landed.extend(landed);
        }
        self.write(task).await
    }

    /// Something else, without letting go of what is under way.
    async fn during<T>(&mut self, other: impl Future<Output = T>) -> T {
        tokio::pin!(other);
        loop {
            tokio::select! {
                biased;
                outcome = other.as_mut() => return outcome,
                Some(landed) = self.running.next() => self.landed.push(landed),
            }
        }
    }

    /// Waits for all of it.
    async fn land_all(&mut self, task: &mut Task<'a>) -> Result<(), Error> {
        while let Some(landed) = self.running.next().await {
            self.landed.push(landed);
        }
        self.write(task).await
    }

    /// Writes down what is over; the first that failed is the error.
    async fn write(&mut self, task: &mut Task<'a>) -> Result<(), Error> {
        let mut failed = None;
        for landed in std::mem::take(&mut self.landed) {
            match landed {
                Ok(done) => {
                    let outcome = task.journal.end(done).await?;
                    self.proofs.add(&outcome);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// How it is known that copies are as they should be.
#[derive(Default)]
struct Proofs {
    reread: u64,
    arrived: u64,
    size: u64,
}

impl Proofs {
    /// Adds what came of a step; gives how many objects it had.
    fn add(&mut self, outcome: &Outcome) -> u64 {
        match outcome {
            Outcome::Copied { files } => {
                for copied in files {
                    match copied.proof {
                        Proof::Reread => self.reread += 1,
                        Proof::Arrival => self.arrived += 1,
                        Proof::Size => self.size += 1,
                    }
                }
                files.len() as u64
            }
            Outcome::Stored { count, confirmed } => {
                self.arrived += confirmed;
                self.size += count - confirmed.min(count);
                *count
            }
            _ => 0,
        }
    }

    /// What was compared, no more than is true.
    fn said(&self) -> String {
        let all = self.reread + self.arrived + self.size;
        match (self.reread, self.size) {
            (_, 0) if self.reread == all => words::CHECKED_AGAIN.to_owned(),
            (_, 0) => words::CHECKED_ARRIVAL.to_owned(),
            (_, size) => words::with(words::CHECKED_SIZES, format_args!("{size} of {all}")),
        }
    }
}
