//! Works on transfers that were started: claims one, does it step by step, gives it back.
//!
//! A claim is a lease that a heartbeat renews. Whoever lost it (the process slept, the store was
//! away) writes nothing more: each write names the claim's fence, and the work is dropped where it
//! stands. Another worker then goes on from the journal. Holds end with the item, with this
//! process, or after [`HOLD`], whichever comes first.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use super::engines::{self, Handed, Task};
use super::journal::{Journal, Wishes};
use super::model::{Engine, Item, ItemState, Kind, Plan, State};
use super::site::World;
use super::{Error, Halt, Transfers, undo};
use crate::site::live::{Hold, Live, Tree};
use crate::store::transfers::{Claim, Ending, ItemRow, TransferRow};
use crate::store::{self, now};

/// How long this process looks away where nothing wakes it.
const LOOK: Duration = Duration::from_secs(1);
/// How long it takes at most until a worker hears what a person wants.
const HEAR: Duration = Duration::from_secs(2);
/// How often those who watch are told how far an item is, unless it makes no progress.
const TELL: Duration = Duration::from_secs(1);
/// After so many tellings of one item, they come half as often.
const TELLINGS: u32 = 200;
/// How long a hold lasts unless it is renewed.
const HOLD: Duration = Duration::from_secs(90);
/// How often a transfer may wait in vain before it fails.
const MAX_ATTEMPTS: i64 = 20;

impl Transfers {
    /// Works until `stop`; what is at work then is left to whoever comes next, as after a crash.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let worker = uuid::Uuid::now_v7().to_string();
        let mut tasks = JoinSet::new();
        tokio::pin!(stop);
        loop {
            while tasks.try_join_next().is_some() {}
            let free = tasks.len() < self.options.at_once as usize;
            let claimed = match free {
                true => self.claim(&worker).await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "transfers cannot be claimed");
                    None
                }),
                false => None,
            };
            if let Some(claim) = claimed {
                let this = Arc::clone(&self);
                tasks.spawn(this.work(claim));
                continue;
            }
            tokio::select! {
                () = &mut stop => break,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
        tasks.shutdown().await;
    }

    /// Claims what is to be done next. A site that this process does not have counts as one of its
    /// settings' defaults: its transfer ends with that error.
    async fn claim(&self, worker: &str) -> Result<Option<Claim>, store::Error> {
        let at_once = |site: &str| self.sites.site(site).map_or(1, |site| site.at_once);
        self.store.claim_transfer(worker, self.options.lease, at_once).await
    }

    /// Works on one claim until it ends or is lost.
    pub(super) async fn work(self: Arc<Self>, claim: Claim) {
        let (claim, wishes) = (&claim, Arc::new(Wishes::default()));
        let ended = tokio::select! {
            ended = self.carry_out(claim, &wishes).boxed() => ended,
            lost = self.keep(claim, &wishes) => Err(lost),
        };
        self.sizes.remove(&claim.id);
        let written = match ended {
            Ok(state) => self.end(claim, Ending { state: state.word(), ..Ending::default() }).await,
            Err(error) if error.is_over() => {
                tracing::info!(transfer = claim.id, %error, "left a transfer");
                return;
            }
            Err(error) => self.end_with(claim, error).await,
        };
        if let Err(error) = written {
            tracing::warn!(transfer = claim.id, %error, "the end of a transfer cannot be written");
        }
    }

    /// Renews the claim; comes back only when it is lost.
    async fn keep(&self, claim: &Claim, wishes: &Wishes) -> Error {
        let mut failed = 0;
        let mut heard = tokio::time::Instant::now();
        loop {
            let due = heard + self.options.lease / 3;
            tokio::time::sleep_until(due.min(tokio::time::Instant::now() + HEAR)).await;
            if tokio::time::Instant::now() < due {
                // A store that is away for a moment is met when the claim is renewed.
                if let Ok(wish) = self.store.wish_of(claim).await {
                    wishes.set(wish.as_deref());
                }
                continue;
            }
            heard = tokio::time::Instant::now();
            match self.store.renew_claim(claim, self.options.lease).await {
                Ok(wish) => {
                    failed = 0;
                    wishes.set(wish.as_deref());
                }
                Err(error @ store::Error::LeaseLost(_)) => return error.into(),
                // The store may come back before the lease is over.
                Err(error) if failed >= 2 => return error.into(),
                Err(_) => failed += 1,
            }
        }
    }

    async fn end_with(&self, claim: &Claim, error: Error) -> Result<(), Error> {
        let row = self.store.transfer(&claim.id).await?;
        let row = row.ok_or_else(|| Error::UnknownTransfer(claim.id.clone()))?;
        let text = error.to_string();
        let note = Some(text.as_str());
        let undoing = row.state == State::Undoing.word();
        match error {
            Error::Halted(Halt::Pause) => {
                self.end(claim, Ending { state: State::Paused.word(), ..Ending::default() }).await
            }
            Error::Halted(Halt::Cancel) => {
                self.end(claim, Ending { state: State::Cancelled.word(), ..Ending::default() })
                    .await
            }
            Error::Later { after, in_vain, .. } if row.attempt < MAX_ATTEMPTS => {
                let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
                let next_at = Some(now().saturating_add(after));
                let ending =
                    Ending { state: &row.state, note, next_at, in_vain, ..Ending::default() };
                self.end(claim, ending).await
            }
            _ => {
                let state = if undoing { State::UndoFailed } else { State::Failed };
                self.end(claim, Ending { state: state.word(), note, ..Ending::default() }).await
            }
        }
    }

    async fn end(&self, claim: &Claim, ending: Ending<'_>) -> Result<(), Error> {
        let over = State::of(ending.state).is_some_and(State::is_over);
        let row = self.store.transfer(&claim.id).await?;
        let site = row.as_ref().and_then(|row| self.sites.site(&row.site));
        let undo = site.map_or(Duration::from_secs(7 * 86_400), |site| site.undo);
        let until = now().saturating_add(i64::try_from(undo.as_millis()).unwrap_or(i64::MAX));
        let first_end = row.is_some_and(|row| row.undo_until.is_none());
        let full = Ending {
            ended_at: over.then(now),
            undo_until: (over && first_end).then_some(until),
            ..ending.clone()
        };
        self.store.end_claim(claim, &full).await?;
        let id = id_of(claim)?;
        self.tell(id, None, "state", None, ending.note.unwrap_or(ending.state)).await
    }

    /// Does what a transfer has still to do.
    async fn carry_out(&self, claim: &Claim, wishes: &Arc<Wishes>) -> Result<State, Error> {
        let row = self.store.transfer(&claim.id).await?;
        let row = row.ok_or_else(|| Error::UnknownTransfer(claim.id.clone()))?;
        wishes.set(row.wish.as_deref());
        let plan: Plan = serde_json::from_str(&row.plan)?;
        self.sizes.add(&claim.id, &plan);
        let site = self.site(&row.site)?;
        let secrets = self.secrets(&plan.hash, row.secrets.as_ref())?;
        let mut world = World::new(site, secrets, &plan.request, &*self.sites)?;
        if row.state == State::Undoing.word() {
            return undo::undo(self, claim, &world, &plan).boxed().await;
        }
        world.wishes = Arc::clone(wishes);
        self.begin(claim, &row, &world, &plan).boxed().await?;
        let mut failed = self.hand_over_all(claim, wishes, &world, &plan).boxed().await?;
        if wishes.halt() == Some(Halt::Cancel) {
            world.wishes = Arc::default();
            undo::halves(self, claim, &world, &plan).boxed().await?;
        }
        failed.dedup();
        // What failed can be tried again, and needs what the others needed until then.
        if let (Some(error), None | Some(Halt::Pause)) = (failed.first(), wishes.halt()) {
            return Err(Error::Conflict(error.clone()));
        }
        let mut whole = self.task(claim, 0, wishes, &world, &plan).await?;
        // Also after a cancellation: nothing of ours stays behind.
        wishes.set(wishes.halt().filter(|halt| *halt == Halt::Cancel).map(|_| "cancel"));
        engines::finish(&mut whole).boxed().await?;
        if wishes.halt() == Some(Halt::Cancel) {
            return Err(Error::Halted(Halt::Cancel));
        }
        engines::close(&mut whole).boxed().await?;
        Ok(State::Done)
    }

    /// Looks whether the plan still holds, before anything was done.
    async fn begin(
        &self,
        claim: &Claim,
        row: &TransferRow,
        world: &World,
        plan: &Plan,
    ) -> Result<(), Error> {
        self.tell(id_of(claim)?, Some(claim.fence), "state", None, "at work").await?;
        let untouched = self.store.journal(&claim.id, None).await?.is_empty();
        if untouched && row.begins_at > row.created_at + 1000 {
            super::compare(plan, world).boxed().await?;
        }
        Ok(())
    }

    /// Hands the items over, one by one; says why some could not be.
    async fn hand_over_all(
        &self,
        claim: &Claim,
        wishes: &Wishes,
        world: &World,
        plan: &Plan,
    ) -> Result<Vec<String>, Error> {
        let mut whole = self.task(claim, 0, wishes, world, plan).await?;
        if wishes.halt() != Some(Halt::Cancel) {
            engines::prepare(&mut whole).boxed().await?;
        }
        let states = self.store.transfer_items(&claim.id).await?;
        let mut failed = Vec::new();
        for (item, row) in plan.items.iter().zip(states) {
            if row.state == ItemState::Done.word() {
                continue;
            }
            match wishes.halt() {
                Some(Halt::Cancel) => {
                    if row.state == ItemState::Running.word() {
                        let mut task = self.task(claim, item.id, wishes, world, plan).await?;
                        engines::let_go(&mut task, item).boxed().await?;
                    }
                    break;
                }
                Some(Halt::Pause) => return Err(Error::Halted(Halt::Pause)),
                None => {}
            }
            let mut task = self.task(claim, item.id, wishes, world, plan).await?;
            let held = Held::new(world, claim, plan, item, task.tag);
            world.meter.reset();
            self.set(claim, item, ItemState::Running, None, None).await?;
            let (renewing, telling) = (held.renew(), self.tell_progress(claim, item, world));
            let outcome = tokio::select! {
                outcome = engines::hand_over(&mut task, &whole.journal, item).boxed() => outcome,
                never = renewing => match never {},
                error = telling => Err(error),
            };
            drop(held);
            match outcome {
                // What it has so far is put back, or (copies) undone with the rest.
                Err(Error::Halted(Halt::Cancel)) => {
                    self.keep_progress(claim, item, world, ItemState::Pending).await?;
                    break;
                }
                Ok(handed) => self.set(claim, item, ItemState::Done, Some(&handed), None).await?,
                Err(error) if error.stops_all() => return Err(error),
                Err(error) => {
                    let text = error.to_string();
                    self.set(claim, item, ItemState::Failed, None, Some(&text)).await?;
                    failed.push(format!("{}: {text}", item.name));
                }
            }
        }
        Ok(failed)
    }

    /// Tells those who watch how far an item is; comes back only if that fails.
    async fn tell_progress(&self, claim: &Claim, item: &Item, world: &World) -> Error {
        let mut pause = TELL;
        let mut told = (0, 0);
        let mut tellings = 0;
        loop {
            tokio::time::sleep(pause).await;
            let is = world.meter.read();
            if is == told {
                continue;
            }
            told = is;
            tellings += 1;
            if tellings == TELLINGS {
                (tellings, pause) = (0, pause * 2);
            }
            let written = async {
                self.keep_progress(claim, item, world, ItemState::Running).await?;
                let (objects, all) = (is.0, item.count);
                let text = format!("{}: {objects} of {all}", item.name);
                self.tell(id_of(claim)?, Some(claim.fence), "step", Some(item.id), &text).await
            };
            if let Err(error) = written.await {
                return error;
            }
        }
    }

    async fn keep_progress(
        &self,
        claim: &Claim,
        item: &Item,
        world: &World,
        state: ItemState,
    ) -> Result<(), Error> {
        let (objects, bytes) = world.meter.read();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let row = ItemRow {
            item: item.id,
            state: state.word().to_owned(),
            objects_done: number(objects.min(item.count)),
            bytes_done: number(bytes),
            outcome: None,
            error: None,
        };
        Ok(self.store.set_item(claim, &row).await?)
    }

    pub(super) async fn set(
        &self,
        claim: &Claim,
        item: &Item,
        state: ItemState,
        handed: Option<&Handed>,
        error: Option<&str>,
    ) -> Result<(), Error> {
        let done = |count: u64| match state {
            ItemState::Done => i64::try_from(count).unwrap_or(i64::MAX),
            _ => 0,
        };
        let row = ItemRow {
            item: item.id,
            state: state.word().to_owned(),
            objects_done: done(item.count),
            bytes_done: done(item.size),
            outcome: handed.map(serde_json::to_string).transpose()?,
            error: error.map(str::to_owned),
        };
        self.store.set_item(claim, &row).await?;
        let text = match error {
            Some(error) => format!("{}: {}: {error}", item.name, state.word()),
            None => format!("{}: {}", item.name, state.word()),
        };
        self.tell(id_of(claim)?, Some(claim.fence), "item", Some(item.id), &text).await
    }

    async fn task<'a>(
        &self,
        claim: &'a Claim,
        item: u32,
        wishes: &'a Wishes,
        world: &'a World,
        plan: &'a Plan,
    ) -> Result<Task<'a>, Error> {
        let journal = Journal::open(&self.store, claim, item, self.options.fault.as_ref()).await?;
        // The end of the number: its beginning is the time.
        let tag = claim.id.get(claim.id.len().saturating_sub(8)..).unwrap_or(&claim.id);
        Ok(Task { world, plan, journal, wishes, tag })
    }

    pub(super) async fn journal_of(&self, claim: &Claim, item: u32) -> Result<Journal, Error> {
        Journal::open(&self.store, claim, item, self.options.fault.as_ref()).await
    }

    pub(super) fn lines(&self) -> &crate::store::Store {
        &self.store
    }
}

fn id_of(claim: &Claim) -> Result<super::model::Id, Error> {
    claim.id.parse().map_err(|_| store::Error::Row("transfer").into())
}

/// Writers are kept away from an item while this lives.
struct Held {
    live: Arc<Live>,
    name: String,
    trees: Vec<Tree>,
}

impl Held {
    fn new(world: &World, claim: &Claim, plan: &Plan, item: &Item, tag: &str) -> Self {
        let source = &plan.request.source;
        let mut trees = vec![tree(item.kind, source, &item.path)];
        if plan.request.target.is_none() {
            trees.push(tree(item.kind, &item.recipient, &item.destination));
            if item.engine == Engine::ServerMove {
                let helper = format!(".passeur-{tag}");
                trees.push(tree(Kind::Folder, &item.recipient, &helper));
            }
        }
        let name = format!("transfer {} {}", claim.id, item.id);
        let held = Self { live: Arc::clone(&world.site.live), name, trees };
        held.hold();
        held
    }

    fn hold(&self) {
        self.live.hold(&self.name, Hold { trees: self.trees.clone(), time: HOLD });
    }

    async fn renew(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(HOLD / 3).await;
            self.hold();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.live.release(&self.name);
    }
}

fn tree(kind: Kind, account: &str, path: &str) -> Tree {
    let account = account.to_owned();
    match kind {
        Kind::Calendar => Tree::Calendar { account, uri: path.to_owned() },
        Kind::AddressBook => Tree::AddressBook { account, uri: path.to_owned() },
        _ => Tree::Files { account, path: path.trim_matches('/').to_owned() },
    }
}
