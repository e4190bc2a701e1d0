//! Sites and transfers, as the doors use them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;

use super::problem::Problem;
use crate::config::checked::{self, Transfers};
use crate::nextcloud::Acting;
use crate::transfer::model::{Id, State};
use crate::transfer::{self, Error, Site, Sites};

/// The sites, as they are configured now.
pub trait Clouds: Sites + 'static {
    /// The names of all sites, in order.
    fn names(&self) -> Vec<String>;

    /// What the settings of a site say of transfers.
    fn transfers(&self, name: &str) -> Option<Transfers>;

    /// A site as it is configured.
    fn settings(&self, name: &str) -> Option<Arc<checked::Site>>;
}

/// What a person can do with a transfer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
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
    /// Do not let it begin, as a second person.
    Decline,
}

impl Action {
    /// Its word in the audit log.
    pub(super) fn word(self) -> &'static str {
        match self {
            Action::Pause => "pause",
            Action::Resume => "resume",
            Action::Cancel => "cancel",
            Action::Undo => "undo",
            Action::Approve => "approve",
            Action::Decline => "decline",
        }
    }

    /// Whether it is for a second person, and not for the one who started.
    pub(super) fn is_of_another(self) -> bool {
        matches!(self, Action::Approve | Action::Decline)
    }

    /// Does it; `why` is told where it is declined.
    pub(super) async fn carry_out(
        self,
        transfers: &transfer::Transfers,
        site: &str,
        id: Id,
        by: &str,
        why: &str,
    ) -> Result<(), Error> {
        match self {
            Action::Pause => transfers.pause(site, id).await,
            Action::Resume => transfers.resume(site, id).await,
            Action::Cancel => transfers.cancel(site, id).await,
            Action::Undo => transfers.undo(site, id).await,
            Action::Approve => transfers.approve(site, id, by).await,
            Action::Decline => transfers.decline(site, id, by, why).await,
        }
    }
}

/// Acts for an account of a site.
pub(super) fn acting(site: &Site, uid: &str) -> Result<Acting, Problem> {
    let app = site.app.as_ref().ok_or_else(|| {
        let detail = "Passeur may not act for accounts of this site yet: set it up as an external \
                      app there (passeur sites appapi SITE says how).";
        Problem::new(StatusCode::CONFLICT, "no_access", detail)
    })?;
    Ok(site.instance.acting(uid, app))
}

/// Acts for the account that is asked what only an admin may know.
pub(super) fn admin(site: &Site) -> Result<Acting, Problem> {
    acting(site, &site.access.admin)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = sentence(&error.to_string());
        match error {
            Error::UnknownSite(site) => Problem::unknown_site(&site),
            Error::UnknownTransfer(_) => Problem::not_found("unknown_transfer", detail),
            Error::UnknownPlan(_) => Problem::not_found("unknown_plan", detail),
            Error::UnknownAccount(_) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_account", detail)
            }
            Error::SameAccount => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "same_account", detail)
            }
            Error::SamePerson => Problem::forbidden("same_person", detail),
            Error::Invalid { .. } => Problem::bad("bad_request", detail),
            Error::Stale(_) => Problem::new(StatusCode::CONFLICT, "stale_plan", detail),
            Error::Blocked(blocking) => {
                Problem { blocking, ..Problem::new(StatusCode::CONFLICT, "blocked", detail) }
            }
            Error::WrongState { .. } => Problem::new(StatusCode::CONFLICT, "wrong_state", detail),
            Error::TooLate => Problem::new(StatusCode::CONFLICT, "too_late", detail),
            Error::NoAccess(_) => Problem::new(StatusCode::CONFLICT, "no_access", detail),
            Error::Conflict(_) => Problem::new(StatusCode::CONFLICT, "conflict", detail),
            Error::Instance(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Database(error) => {
                tracing::warn!(error = crate::upstream::causes(&error), "the site's database");
                Problem::new(StatusCode::BAD_GATEWAY, "database", detail)
            }
            Error::Later { after, .. } => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "later", detail).after(after)
            }
            _ => {
                tracing::error!(error = crate::upstream::causes(&error), "a transfer failed");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail)
                    .after(Duration::from_secs(60))
            }
        }
    }
}

/// A fragment as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    first + letters.as_str() + end
}

/// The state that a query names.
pub(super) fn state(word: &str) -> Result<State, Problem> {
    State::of(word).ok_or_else(|| {
        let word: String = word.chars().take(40).collect();
        Problem::bad("bad_query", format!("There is no state `{}`.", word.escape_debug()))
    })
}
