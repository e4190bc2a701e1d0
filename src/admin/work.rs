//! What the doors need of transfers and of sites: the seam to those who do the work.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::problem::Problem;
use crate::nextcloud::{Acting, Credentials, Instance};
use crate::transfer::model::{Block, Event, Id, Plan, Receipt, Request, State, Summary, Transfer};

/// Plans and transfers of all sites.
pub trait Work: Send + Sync + 'static {
    /// What a request would do. Changes nothing on the site.
    fn plan<'a>(&'a self, site: &'a str, request: Request) -> BoxFuture<'a, Result<Plan, Fault>>;

    /// A plan that was made before, by its hash.
    fn planned<'a>(&'a self, site: &'a str, hash: &'a str) -> BoxFuture<'a, Result<Plan, Fault>>;

    /// Starts what a plan says, if it still holds.
    fn start<'a>(&'a self, site: &'a str, start: Start) -> BoxFuture<'a, Result<Id, Fault>>;

    /// Transfers, the latest first, and whether there are more.
    fn list<'a>(
        &'a self,
        site: &'a str,
        query: Query,
    ) -> BoxFuture<'a, Result<(Vec<Summary>, bool), Fault>>;

    /// One transfer.
    fn show<'a>(&'a self, site: &'a str, id: Id) -> BoxFuture<'a, Result<Transfer, Fault>>;

    /// What came of it.
    fn receipt<'a>(&'a self, site: &'a str, id: Id) -> BoxFuture<'a, Result<Receipt, Fault>>;

    /// What happened after event `after`, and what happens, until the transfer is over.
    fn events(&self, site: &str, id: Id, after: u64) -> BoxStream<'static, Result<Event, Fault>>;

    /// Changes the course of a transfer.
    fn act<'a>(
        &'a self,
        site: &'a str,
        id: Id,
        action: Action,
        by: &'a str,
    ) -> BoxFuture<'a, Result<(), Fault>>;
}

/// A plan to start.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its hash.
    pub hash: String,
    /// Who starts it.
    pub by: String,
    /// Whether somebody else has to approve it first.
    pub awaits_approval: bool,
}

/// Which transfers are wanted.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Accounts whose name holds this.
    pub search: Option<String>,
    /// In this state.
    pub state: Option<State>,
    /// Started before this one.
    pub before: Option<Id>,
    /// At most so many.
    pub limit: usize,
}

/// What a person can do with a transfer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Stop after the item at work.
    Pause,
    /// Go on.
    Resume,
    /// End it; what was done stays done.
    Cancel,
    /// Put everything back.
    Undo,
    /// Let it begin, as a second person.
    Approve,
}

impl Action {
    /// Its word in addresses and in the audit log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Action::Pause => "pause",
            Action::Resume => "resume",
            Action::Cancel => "cancel",
            Action::Undo => "undo",
            Action::Approve => "approve",
        }
    }

    /// Whether the password is asked for at a space's door: where data moves.
    pub(super) fn asks_password(self) -> bool {
        matches!(self, Action::Undo | Action::Approve)
    }
}

/// Why something was not done with a transfer.
#[derive(Clone, Debug)]
pub struct Fault {
    /// For programs.
    pub code: &'static str,
    /// What HTTP says to it.
    pub status: StatusCode,
    /// For people, with the way out.
    pub detail: String,
    /// What blocks a plan.
    pub blocking: Vec<Block>,
    /// When to come back.
    pub retry_after: Option<Duration>,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let mut problem = Problem::new(fault.status, fault.code, fault.detail);
        problem.blocking = fault.blocking;
        match fault.retry_after {
            Some(after) => problem.after(after),
            None => problem,
        }
    }
}

/// The sites, as they are configured now.
pub trait Clouds: Send + Sync + 'static {
    /// The site with this name.
    fn cloud(&self, name: &str) -> Option<Cloud>;

    /// The names of all sites, in order.
    fn names(&self) -> Vec<String>;
}

/// A site's Nextcloud, and how it may be acted on.
#[derive(Clone)]
pub struct Cloud {
    /// The instance.
    pub instance: Instance,
    /// How Passeur acts for any account, if it is registered as an external app.
    pub app: Option<Credentials>,
    /// The account as which it asks what only an admin may.
    pub admin: String,
    /// Whether a second person has to approve each transfer.
    pub approval: bool,
}

impl Cloud {
    /// Acts for an account.
    pub(super) fn acting(&self, uid: &str) -> Result<Acting, Problem> {
        let app = self.app.as_ref().ok_or_else(|| {
            let detail = "Passeur may not act for accounts of this site yet: set it up as an \
                          external app there (passeur sites appapi SITE says how).";
            Problem::new(StatusCode::CONFLICT, "no_access", detail)
        })?;
        Ok(self.instance.acting(uid, app))
    }
}
