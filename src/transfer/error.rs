//! What can go wrong with a transfer, and what to do then.

use std::time::Duration;

use super::model::{Block, State};
use crate::dav::client::{self, Retry};
use crate::{nextcloud, store};

/// Why something about a transfer cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such site.
    #[error("there is no site {0:?}")]
    UnknownSite(String),
    /// There is no such transfer.
    #[error("there is no transfer {0:?}")]
    UnknownTransfer(String),
    /// There is no such plan, or it expired.
    #[error("there is no plan {0:?}: make it again")]
    UnknownPlan(String),
    /// There is no such account.
    #[error("there is no account {0:?}")]
    UnknownAccount(String),
    /// Nobody can hand over to themselves.
    #[error("recipient: source and recipient are the same account")]
    SameAccount,
    /// Who started a transfer cannot approve it.
    #[error("another person than who started it has to approve it")]
    SamePerson,
    /// Something in the request makes no sense.
    #[error("{field}: {why}")]
    Invalid {
        /// Where.
        field: &'static str,
        /// What is wrong, and the way out.
        why: String,
    },
    /// The site changed since the plan was made.
    #[error("the site changed since the plan was made: look at a new one ({0})")]
    Stale(String),
    /// The plan may not be started.
    #[error("the plan is blocked: {}", .0.first().map_or("", |block| block.detail.as_str()))]
    Blocked(Vec<Block>),
    /// The transfer is not in a state for that.
    #[error("the transfer is {}, which leaves nothing to {wanted}", is.word())]
    WrongState {
        /// What it is.
        is: State,
        /// What was wanted.
        wanted: &'static str,
    },
    /// It can no longer be undone.
    #[error("the time to undo it is over")]
    TooLate,
    /// Passeur has no way to act for an account.
    #[error(
        "there is no access to act for {0:?}: register Passeur as an external app, or give an app password"
    )]
    NoAccess(String),
    /// Something is in the way, or gone.
    #[error("{0}")]
    Conflict(String),
    /// What was compared after an item differs from what was before.
    #[error("after the move, {0}")]
    Mismatch(String),
    /// The instance says no, or nothing.
    #[error(transparent)]
    Instance(#[from] nextcloud::Error),
    /// The site's database says no, or nothing.
    #[error(transparent)]
    Database(#[from] nextcloud::db::Error),
    /// Passeur's own database failed, or another worker has the transfer now.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What is in the store cannot be read.
    #[error("what is stored about the transfer cannot be read")]
    Stored(#[from] serde_json::Error),
    /// To be tried again.
    #[error("{why}")]
    Later {
        /// When.
        after: Duration,
        /// What it waits for.
        why: String,
        /// Whether waiting counts as a failed try.
        in_vain: bool,
    },
    /// A person wants it to stop here.
    #[error("stopped by a person")]
    Halted(Halt),
    /// A test ends the process here.
    #[error("the process ends here")]
    Killed,
}

/// What a person wants of a transfer at work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Halt {
    /// To go on later.
    Pause,
    /// Not to go on.
    Cancel,
}

// === impl Error ===

impl Error {
    /// A stable name for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::UnknownSite(_) => "unknown_site",
            Error::UnknownTransfer(_) => "unknown_transfer",
            Error::UnknownPlan(_) => "unknown_plan",
            Error::UnknownAccount(_) => "unknown_account",
            Error::SameAccount => "same_account",
            Error::SamePerson => "same_person",
            Error::Invalid { .. } => "invalid",
            Error::Stale(_) => "stale_plan",
            Error::Blocked(_) => "blocked",
            Error::WrongState { .. } => "wrong_state",
            Error::TooLate => "too_late",
            Error::NoAccess(_) => "no_access",
            Error::Conflict(_) => "conflict",
            Error::Mismatch(_) => "mismatch",
            Error::Instance(nextcloud::Error::NotListed(_)) => "target_not_listed",
            Error::Instance(error) if error.is_refused() => "access_refused",
            Error::Instance(_) => "site_unreachable",
            Error::Database(_) => "database",
            Error::Store(_) | Error::Stored(_) => "store",
            Error::Later { .. } => "maintenance",
            Error::Halted(_) | Error::Killed => "stopped",
        }
    }

    /// An error of the request.
    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Error::Invalid { field, why: why.into() }
    }

    /// Whether the whole transfer stops here, and not just an item.
    pub(crate) fn stops_all(&self) -> bool {
        matches!(
            self,
            Error::Store(_)
                | Error::Stored(_)
                | Error::Later { .. }
                | Error::Halted(_)
                | Error::Killed
                | Error::NoAccess(_)
        ) || matches!(self, Error::Instance(error) if error.is_refused())
    }

    /// Whether somebody else works on it now, or this process is to end: nothing may be written.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Error::Store(store::Error::LeaseLost(_)) | Error::Killed)
    }

    /// Whether the instance would answer otherwise after a while.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Error::Instance(error) => error.retry(),
            Error::Database(
                nextcloud::db::Error::Query(_)
                | nextcloud::db::Error::Connect { .. }
                | nextcloud::db::Error::Timeout(_),
            ) => Retry::Safe,
            _ => Retry::Never,
        }
    }

    /// How long the instance wants to be left alone; maintenance mode and rate limits say so.
    pub(crate) fn waits(&self) -> Option<(Duration, bool)> {
        match self {
            Error::Instance(nextcloud::Error::Http(error)) if error.is_maintenance() => {
                Some((Duration::from_secs(30), true))
            }
            Error::Instance(nextcloud::Error::Http(error)) if error.retry_after().is_some() => {
                error.retry_after().map(|after| (after, true))
            }
            Error::Instance(nextcloud::Error::Http(error))
                if error.status().is_some_and(|status| status.as_u16() == 429) =>
            {
                Some((Duration::from_secs(60), true))
            }
            Error::Instance(nextcloud::Error::Ocs { code: 429, .. }) => {
                Some((Duration::from_secs(60), true))
            }
            _ => None,
        }
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        Error::Instance(error.into())
    }
}

impl From<client::PathError> for Error {
    fn from(error: client::PathError) -> Self {
        Error::Instance(error.into())
    }
}
