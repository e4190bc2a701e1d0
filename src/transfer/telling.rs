//! What is told of transfers: to those who watch one, as it happens, and, once it is over, to those
//! who are to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;

use super::model::{Event, Id, Plan, Progress, Receipt, State};
use super::{Error, Transfers, plan};
use crate::store;

/// How often it is looked whether another process ended a transfer, or died of it.
const LOOK_FOR_ENDINGS: Duration = Duration::from_secs(5);

/// How much transfers are, by their number: with it, nobody has to read their plans again, which may
/// be large, for each thing that is told.
#[derive(Default)]
pub(super) struct Sizes(Mutex<HashMap<String, Progress>>);

/// How much a plan is, of which nothing is done.
pub(super) fn size(plan: &Plan) -> Progress {
    Progress {
        items: plan.items.len() as u64,
        objects: plan.items.iter().map(|item| item.count).sum(),
        bytes: plan.items.iter().map(|item| item.size).sum(),
        ..Progress::default()
    }
}

impl Sizes {
    /// Remembers one that is at work.
    pub fn add(&self, id: &str, plan: &Plan) {
        self.all().insert(id.to_owned(), size(plan));
    }

    /// Forgets it.
    pub fn remove(&self, id: &str) {
        self.all().remove(id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transfers {
    /// What happens with a transfer, from after `seq` on, until it is over.
    pub fn events(
        self: &Arc<Self>,
        site: &str,
        id: Id,
        seq: u64,
    ) -> impl Stream<Item = Result<Event, Error>> + Send + use<> {
        let (this, site) = (Arc::clone(self), site.to_owned());
        async_stream::try_stream! {
            let mut seq = i64::try_from(seq).unwrap_or(i64::MAX);
            // The end is written down before it is told: it is waited for once more, and not for
            // ever, as the process that was to tell it may have died.
            let (mut ended, mut waited) = (false, false);
            loop {
                let over = this.state(&site, id).await?.is_over();
                let told = this.store.told(&id.to_string(), seq).await?;
                let none = told.is_empty();
                for (number, at, body) in told {
                    seq = number;
                    let mut event: Event = serde_json::from_str(&body)?;
                    event.seq = u64::try_from(number).unwrap_or_default();
                    event.at = plan::stamp(at / 1000);
                    ended = event.state.is_over();
                    yield event;
                }
                if none && over && (ended || waited) {
                    break;
                }
                if none {
                    waited = over;
                    // Another process may be the one that tells.
                    let _ = tokio::time::timeout(Duration::from_secs(1), this.told.notified()).await;
                }
            }
        }
    }

    /// What came of a transfer that is over, and of which nobody was told: it is for the caller to
    /// tell, and for no other process. Waits until there is one. `has`: the sites of this process.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn ended(&self, has: impl Fn(&str) -> bool) -> Result<Receipt, Error> {
        loop {
            // Registered before the look: no end is missed in between.
            let ended = self.ended.notified();
            for (site, id) in self.store.untold_transfers().await? {
                if !has(&site) || !self.store.take_ending(&id).await? {
                    continue;
                }
                let id = id.parse().map_err(|_| store::Error::Row("transfer"))?;
                let receipt = self.receipt(&site, id).await?;
                // Or it goes on by now, and will end again.
                if receipt.state.is_over() {
                    return Ok(receipt);
                }
            }
            let _ = tokio::time::timeout(LOOK_FOR_ENDINGS, ended).await;
        }
    }

    /// Tells those who watch. `fence`: as the worker of the transfer.
    pub(super) async fn tell(
        &self,
        id: Id,
        fence: Option<i64>,
        kind: &str,
        item: Option<u32>,
        text: &str,
    ) -> Result<(), Error> {
        let (state, progress) = self.standing(&id.to_string()).await?;
        let event = Event {
            seq: 0,
            at: String::new(),
            kind: kind.to_owned(),
            item,
            state,
            progress,
            text: text.to_owned(),
        };
        self.store.tell(&id.to_string(), fence, &serde_json::to_string(&event)?).await?;
        self.told.notify_waiters();
        if event.state.is_over() {
            self.ended.notify_waiters();
        }
        Ok(())
    }

    /// Where a transfer stands, and how far it is.
    async fn standing(&self, id: &str) -> Result<(State, Progress), Error> {
        let unknown = || Error::UnknownTransfer(id.to_owned());
        let size = self.sizes.all().get(id).copied();
        let Some(size) = size else {
            let row = self.store.transfer(id).await?.ok_or_else(unknown)?;
            let summary = self.full(row).await?.summary;
            return Ok((summary.state, summary.progress));
        };
        let standing = self.store.standing(id).await?.ok_or_else(unknown)?;
        let state = State::of(&standing.state).ok_or(store::Error::Row("transfer"))?;
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        let progress = Progress {
            items_done: number(standing.items_done),
            items_failed: number(standing.items_failed),
            objects_done: number(standing.objects_done),
            bytes_done: number(standing.bytes_done),
            ..size
        };
        Ok((state, progress))
    }
}
