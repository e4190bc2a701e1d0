//! How far a transfer is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Id, Kind, Plan};

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A second person must approve it.
    Awaiting,
    /// It waits for its time, or for a worker.
    Queued,
    /// It is at work, or waits to try something again.
    Running,
    /// A person paused it.
    Paused,
    /// It ended, and every item was verified.
    Done,
    /// It ended, and some items could not be handed over; resuming tries them again.
    Failed,
    /// A person ended it; what was done stays done, and can be undone.
    Cancelled,
    /// It is being put back.
    Undoing,
    /// It was put back.
    Undone,
    /// It was put back but for some items, which the receipt names.
    UndoFailed,
}

/// A transfer as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// Its number.
    #[schema(value_type = String)]
    pub id: Id,
    /// The site's name.
    pub site: String,
    /// Where it stands.
    pub state: State,
    /// The account that gives.
    pub source: String,
    /// Who receives.
    pub recipients: Vec<String>,
    /// How far it is.
    pub progress: Progress,
    /// Who started it.
    pub by: String,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// When it was started: RFC 3339.
    pub created_at: String,
    /// When it begins, if later: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<String>,
    /// When it ended: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Until when it can be undone: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<String>,
    /// What it waits for, or why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A transfer with all its items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transfer {
    /// The same as in lists.
    #[serde(flatten)]
    pub summary: Summary,
    /// What it does.
    pub plan: Plan,
    /// Where each item stands, in the plan's order.
    pub items: Vec<ItemProgress>,
}

/// Where one item stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemProgress {
    /// Its number in the plan.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// `pending`, `running`, `done`, `failed`, `undone` or `kept` (could not be undone).
    pub state: ItemState,
    /// Files, events or cards that are over.
    pub objects_done: u64,
    /// Bytes that are over.
    pub bytes_done: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where one item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Its turn has not come.
    Pending,
    /// It is being handed over.
    Running,
    /// It was handed over, and verified.
    Done,
    /// It could not be handed over.
    Failed,
    /// It was put back.
    Undone,
    /// It could not be put back.
    Kept,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Items in the plan.
    pub items: u64,
    /// Items that are over.
    pub items_done: u64,
    /// Items that failed.
    pub items_failed: u64,
    /// Files, events and cards in the plan.
    pub objects: u64,
    /// Files, events and cards that are over.
    pub objects_done: u64,
    /// Bytes in the plan.
    pub bytes: u64,
    /// Bytes that are over.
    pub bytes_done: u64,
}

/// One thing that happened, as server-sent events tell it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number in the transfer, from 1: the `id` of the server-sent event.
    pub seq: u64,
    /// When: RFC 3339.
    pub at: String,
    /// `state`, `item`, `step`, `retry` or `note`.
    pub kind: String,
    /// The item it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Where the transfer stands.
    pub state: State,
    /// How far it is.
    pub progress: Progress,
    /// What happened, for people.
    pub text: String,
}

// === impl State ===

impl State {
    /// Whether nothing more happens by itself.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(
            self,
            State::Done | State::Failed | State::Cancelled | State::Undone | State::UndoFailed
        )
    }

    /// Its word, as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Awaiting => "awaiting",
            State::Queued => "queued",
            State::Running => "running",
            State::Paused => "paused",
            State::Done => "done",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Undoing => "undoing",
            State::Undone => "undone",
            State::UndoFailed => "undo_failed",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [
            State::Awaiting,
            State::Queued,
            State::Running,
            State::Paused,
            State::Done,
            State::Failed,
            State::Cancelled,
            State::Undoing,
            State::Undone,
            State::UndoFailed,
        ]
        .into_iter()
        .find(|state| state.word() == word)
    }
}

// === impl ItemState ===

impl ItemState {
    /// Its word, as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ItemState::Pending => "pending",
            ItemState::Running => "running",
            ItemState::Done => "done",
            ItemState::Failed => "failed",
            ItemState::Undone => "undone",
            ItemState::Kept => "kept",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        use ItemState::{Done, Failed, Kept, Pending, Running, Undone};
        [Pending, Running, Done, Failed, Undone, Kept].into_iter().find(|s| s.word() == word)
    }
}
