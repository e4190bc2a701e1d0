//! Handing over: what one account has goes to others.
//!
//! [`Transfers`] is the door: it makes plans, starts them, shows how far they are, and undoes them.
//! A `runner` works on what was started, from the store, so that any process may go on with it.
//! How it fits together: `docs/life-of-a-transfer.md`.
//!
//! Invariants:
//! - planning changes nothing on the site, and what was not planned is not done;
//! - every effect is in the journal before and after it happens, and may be done twice;
//! - nothing of the source is removed: it is moved, and compared before and after;
//! - nobody is mailed ([`crate::dav::client`] and [`crate::nextcloud::ocs`] see to that).

mod effect;
mod engines;
mod error;
mod journal;
mod meter;
pub mod model;
mod plan;
mod receipt;
mod runner;
mod site;
mod telling;
#[cfg(test)]
mod tests;
mod undo;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;

use crate::store::transfers::{NewTransfer, PlanRow, TransferRow};
use crate::store::{self, Store};
use model::{Id, ItemProgress, ItemState, Plan, Receipt, Request, State, Summary, Transfer};
use site::{Secrets, World};
use telling::Sizes;

pub use error::{Error, Halt};
pub use journal::Fault;
pub use receipt::page;
pub use site::{Site, Sites};

/// How the runner works.
#[derive(Clone)]
pub struct Options {
    /// Transfers at a time in this process.
    pub at_once: u32,
    /// How long a worker that does not answer keeps its transfer.
    pub lease: Duration,
    /// Where a test lets the process die.
    pub fault: Option<Fault>,
}

/// The transfers of all sites.
pub struct Transfers {
    store: Store,
    sites: Arc<dyn Sites>,
    options: Options,
    /// There may be something to do.
    wake: Notify,
    /// Something was told.
    told: Notify,
    /// A transfer is over.
    ended: Notify,
    /// How much the transfers are that are at work here.
    sizes: Sizes,
}

impl Default for Options {
    fn default() -> Self {
        Self { at_once: 64, lease: Duration::from_secs(30), fault: None }
    }
}

impl Transfers {
    /// Over a store and the sites of this process. Nothing runs before [`Transfers::run`].
    #[must_use]
    pub fn new(store: Store, sites: Arc<dyn Sites>, options: Options) -> Arc<Self> {
        let (wake, told, ended) = (Notify::new(), Notify::new(), Notify::new());
        Arc::new(Self { store, sites, options, wake, told, ended, sizes: Sizes::default() })
    }

    /// Says what a transfer would do, and keeps it to be started within a day.
    ///
    /// # Errors
    /// As [`Error`] says; what has to be put right first is in [`Plan::blocking`].
    pub async fn plan(&self, site: &str, request: Request) -> Result<Plan, Error> {
        let secrets = Secrets::of(&request);
        let world = World::new(self.site(site)?, secrets.clone(), &request, &*self.sites)?;
        let plan = plan::make(&world, &request, store::now() / 1000).await?;
        let sealed = match secrets.is_empty() {
            true => None,
            false => Some(self.store.seal(&context(&plan.hash), &serde_json::to_vec(&secrets)?)?),
        };
        let expires_at = plan::seconds(&plan.expires_at).unwrap_or_default() * 1000;
        let row = PlanRow { plan: serde_json::to_string(&plan)?, secrets: sealed, expires_at };
        self.store.keep_plan(site, &plan.hash, &row).await?;
        Ok(plan)
    }

    /// A plan that was made, and has not expired.
    ///
    /// # Errors
    /// [`Error::UnknownPlan`], or if the store fails.
    pub async fn planned(&self, site: &str, hash: &str) -> Result<Plan, Error> {
        let row = self.store.plan(site, hash).await?;
        let row = row.ok_or_else(|| Error::UnknownPlan(hash.to_owned()))?;
        Ok(serde_json::from_str(&row.plan)?)
    }

    /// Starts a plan that was made, unless the site has changed since. The same `key` (of the same
    /// caller) starts it once, whatever happens to the answer.
    ///
    /// # Errors
    /// [`Error::UnknownPlan`], [`Error::Stale`], [`Error::Blocked`], and as [`Error`] says.
    pub async fn start(
        &self,
        site: &str,
        hash: &str,
        key: Option<&str>,
        by: &str,
    ) -> Result<Id, Error> {
        let row = self.store.plan(site, hash).await?;
        let row = row.ok_or_else(|| Error::UnknownPlan(hash.to_owned()))?;
        let plan: Plan = serde_json::from_str(&row.plan)?;
        if !plan.blocking.is_empty() {
            return Err(Error::Blocked(plan.blocking));
        }
        let config = self.site(site)?;
        let approval = config.approval;
        let secrets = self.secrets(hash, row.secrets.as_ref())?;
        let world = World::new(config, secrets, &plan.request, &*self.sites)?;
        compare(&plan, &world).await?;
        let id = Id::now_v7();
        let begins_at = plan.request.when.as_deref().and_then(plan::seconds);
        let items: Vec<u32> = plan.items.iter().map(|item| item.id).collect();
        let once = key.map(|key| format!("{by}\0{key}"));
        let number = id.to_string();
        let new = NewTransfer {
            id: &number,
            site,
            state: if approval { State::Awaiting.word() } else { State::Queued.word() },
            plan: &row.plan,
            secrets: row.secrets.as_ref(),
            by,
            once: once.as_deref(),
            begins_at: begins_at.map_or_else(store::now, |at| at * 1000),
            items: &items,
        };
        let made = self.store.make_transfer(&new).await?;
        self.wake.notify_one();
        made.parse().map_err(|_| store::Error::Row("transfer").into())
    }

    /// The transfers of a site, or of all, the newest first; at most `limit`, older than `before`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(
        &self,
        site: Option<&str>,
        before: Option<Id>,
        limit: u32,
    ) -> Result<Vec<Summary>, Error> {
        let before = before.map(|id| id.to_string());
        let rows = self.store.transfers(site, before.as_deref(), limit.min(1000)).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(self.full(row).await?.summary);
        }
        Ok(all)
    }

    /// A transfer with its plan and items.
    ///
    /// # Errors
    /// [`Error::UnknownTransfer`], or if the store fails.
    pub async fn show(&self, site: &str, id: Id) -> Result<Transfer, Error> {
        self.full(self.row(site, id).await?).await
    }

    /// Stops a transfer where it is, to go on later.
    ///
    /// # Errors
    /// [`Error::WrongState`], and as [`Error`] says.
    pub async fn pause(&self, site: &str, id: Id) -> Result<(), Error> {
        let from = [State::Queued, State::Running];
        if self.turn(site, id, &from, State::Paused, None).await? {
            return self.tell(id, None, "state", None, "paused").await;
        }
        self.wish(site, id, "pause").await
    }

    /// Goes on with a transfer that was paused, or tries again what failed.
    ///
    /// # Errors
    /// [`Error::WrongState`], and as [`Error`] says.
    pub async fn resume(&self, site: &str, id: Id) -> Result<(), Error> {
        let undoing = [State::UndoFailed];
        let from = [State::Paused, State::Failed];
        if self.turn(site, id, &from, State::Queued, None).await?
            || self.turn(site, id, &undoing, State::Undoing, None).await?
        {
            self.wake.notify_one();
            return self.tell(id, None, "state", None, "goes on").await;
        }
        self.wrong_state(site, id, "resume").await
    }

    /// Ends a transfer. What was handed over stays so, and can be undone.
    ///
    /// # Errors
    /// [`Error::WrongState`], and as [`Error`] says.
    pub async fn cancel(&self, site: &str, id: Id) -> Result<(), Error> {
        if self.turn(site, id, &[State::Awaiting], State::Cancelled, None).await? {
            return self.tell(id, None, "state", None, "cancelled").await;
        }
        // A worker has to tidy up.
        let from = [State::Paused, State::Failed];
        if self.turn(site, id, &from, State::Queued, None).await? {
            self.store.wish_transfer(&id.to_string(), "cancel").await?;
            self.wake.notify_one();
            return Ok(());
        }
        self.wish(site, id, "cancel").await
    }

    /// Puts everything back.
    ///
    /// # Errors
    /// [`Error::WrongState`], [`Error::TooLate`], and as [`Error`] says.
    pub async fn undo(&self, site: &str, id: Id) -> Result<(), Error> {
        let row = self.row(site, id).await?;
        if row.undo_until.is_some_and(|until| until < store::now()) {
            return Err(Error::TooLate);
        }
        let from = [State::Done, State::Failed, State::Cancelled, State::UndoFailed];
        if self.turn(site, id, &from, State::Undoing, None).await? {
            self.wake.notify_one();
            return self.tell(id, None, "state", None, "is being undone").await;
        }
        self.wrong_state(site, id, "undo").await
    }

    /// Lets a transfer begin that waits for a second person, who must not be the first.
    ///
    /// # Errors
    /// [`Error::WrongState`], [`Error::SamePerson`], and as [`Error`] says.
    pub async fn approve(&self, site: &str, id: Id, by: &str) -> Result<(), Error> {
        if self.row(site, id).await?.by == by {
            return Err(Error::SamePerson);
        }
        if self.turn(site, id, &[State::Awaiting], State::Queued, Some(by)).await? {
            self.wake.notify_one();
            return self.tell(id, None, "state", None, "approved").await;
        }
        self.wrong_state(site, id, "approve").await
    }

    /// Ends a transfer that waits for a second person, who says why, and must not be the first.
    ///
    /// # Errors
    /// [`Error::WrongState`], [`Error::SamePerson`], and as [`Error`] says.
    pub async fn decline(&self, site: &str, id: Id, by: &str, why: &str) -> Result<(), Error> {
        if self.row(site, id).await?.by == by {
            return Err(Error::SamePerson);
        }
        let note = model::words::with(model::words::DECLINED, format_args!("{by}: {why}"));
        if self.store.decline_transfer(&id.to_string(), &note).await? {
            return self.tell(id, None, "state", None, &note).await;
        }
        self.wrong_state(site, id, "decline").await
    }

    /// What came of a transfer so far.
    ///
    /// # Errors
    /// [`Error::UnknownTransfer`], or if the store fails.
    pub async fn receipt(&self, site: &str, id: Id) -> Result<Receipt, Error> {
        let row = self.row(site, id).await?;
        receipt::make(&self.store, &row).await
    }

    fn site(&self, name: &str) -> Result<Site, Error> {
        self.sites.site(name).ok_or_else(|| Error::UnknownSite(name.to_owned()))
    }

    fn secrets(&self, hash: &str, sealed: Option<&store::Sealed>) -> Result<Secrets, Error> {
        use secrecy::ExposeSecret as _;
        let Some(sealed) = sealed else { return Ok(Secrets::default()) };
        let opened = self.store.unseal(&context(hash), sealed)?;
        Ok(serde_json::from_slice(opened.expose_secret())?)
    }

    async fn row(&self, site: &str, id: Id) -> Result<TransferRow, Error> {
        let row = self.store.transfer(&id.to_string()).await?;
        // Whoever may see one site learns nothing of the others.
        row.filter(|row| row.site == site).ok_or_else(|| Error::UnknownTransfer(id.to_string()))
    }

    async fn state(&self, site: &str, id: Id) -> Result<State, Error> {
        state_of(&self.row(site, id).await?)
    }

    async fn turn(
        &self,
        site: &str,
        id: Id,
        from: &[State],
        to: State,
        by: Option<&str>,
    ) -> Result<bool, Error> {
        self.row(site, id).await?;
        let from: Vec<&str> = from.iter().map(|state| state.word()).collect();
        Ok(self.store.turn_transfer(&id.to_string(), &from, to.word(), by).await?)
    }

    /// Asks the worker of a transfer for something.
    async fn wish(&self, site: &str, id: Id, wish: &'static str) -> Result<(), Error> {
        match self.state(site, id).await? {
            State::Queued | State::Running => {
                self.store.wish_transfer(&id.to_string(), wish).await?;
                self.wake.notify_one();
                Ok(())
            }
            is => Err(Error::WrongState { is, wanted: wish }),
        }
    }

    async fn wrong_state(&self, site: &str, id: Id, wanted: &'static str) -> Result<(), Error> {
        Err(Error::WrongState { is: self.state(site, id).await?, wanted })
    }

    async fn full(&self, row: TransferRow) -> Result<Transfer, Error> {
        let plan: Plan = serde_json::from_str(&row.plan)?;
        let rows = self.store.transfer_items(&row.id).await?;
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        let mut progress = telling::size(&plan);
        let mut items = Vec::with_capacity(rows.len());
        for (item, row) in plan.items.iter().zip(rows) {
            let state = ItemState::of(&row.state).ok_or(store::Error::Row("transfer_item"))?;
            progress.objects_done += number(row.objects_done);
            progress.bytes_done += number(row.bytes_done);
            progress.items_done += u64::from(state == ItemState::Done);
            progress.items_failed += u64::from(state == ItemState::Failed);
            items.push(ItemProgress {
                id: item.id,
                kind: item.kind,
                name: item.name.clone(),
                state,
                objects_done: number(row.objects_done),
                bytes_done: number(row.bytes_done),
                error: row.error,
            });
        }
        let state = state_of(&row)?;
        let later = row.begins_at > row.created_at + 1000;
        let summary = Summary {
            id: row.id.parse().map_err(|_| store::Error::Row("transfer"))?,
            site: row.site,
            state,
            source: plan.request.source.clone(),
            recipients: plan.request.recipients().into_iter().map(str::to_owned).collect(),
            progress,
            by: row.by,
            approved_by: row.approved_by,
            created_at: plan::stamp(row.created_at / 1000),
            begins_at: later.then(|| plan::stamp(row.begins_at / 1000)),
            ended_at: row.ended_at.map(|at| plan::stamp(at / 1000)),
            undo_until: row.undo_until.map(|at| plan::stamp(at / 1000)),
            note: row.note,
        };
        Ok(Transfer { summary, plan, items })
    }
}

/// Makes the plan again, and says if it differs.
async fn compare(plan: &Plan, world: &World) -> Result<(), Error> {
    let made_at = plan::seconds(&plan.made_at).unwrap_or_default();
    let again = plan::make(world, &plan.request, made_at).boxed().await?;
    if again.hash == plan.hash {
        return Ok(());
    }
    let differs = plan.items.iter().find(|item| !again.items.contains(item));
    Err(Error::Stale(match (differs, again.blocking.first()) {
        (_, Some(block)) => block.detail.clone(),
        (Some(item), None) => format!("{:?} is not what it was", item.path),
        (None, None) => "there is more than there was".to_owned(),
    }))
}

fn state_of(row: &TransferRow) -> Result<State, Error> {
    State::of(&row.state).ok_or_else(|| store::Error::Row("transfer").into())
}

/// What secrets are sealed for.
fn context(hash: &str) -> String {
    format!("transfer {hash}")
}
