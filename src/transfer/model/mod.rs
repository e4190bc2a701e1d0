//! What a transfer is, in the words that the API, the command line and the store share.
//!
//! All types here are plain data in JSON. What a person asks for is a [`Request`]; what would come
//! of it is a [`Plan`]; a plan that was started is a [`Transfer`]; what came of it is a [`Receipt`].
//! Fields are only ever added, since plans and receipts of older versions stay in the store.

mod plan;
mod progress;
mod receipt;
mod request;
pub mod words;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use plan::{Block, BlockCode, Estimate, Excluded, Item, Plan, ShareKind, SharePlan};
pub use progress::{Event, ItemProgress, ItemState, Progress, State, Summary, Transfer};
pub use receipt::{Check, ItemReceipt, LinkChange, Receipt, ShareOutcome, ShareReceipt};
pub use request::{
    After, All, Assignment, Conflict, Incoming, Meetings, Parts, Request, Secret, Selection,
    Shares, Target, Verify, Versions,
};

/// What kind of thing is handed over.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One file.
    File,
    /// A folder with all that is in it.
    Folder,
    /// A calendar with its events and tasks.
    Calendar,
    /// An address book with its cards.
    AddressBook,
    /// A board of the Deck app.
    Board,
    /// A table of the Tables app.
    Table,
    /// A form of the Forms app.
    Form,
    /// A poll of the Polls app.
    Poll,
}

/// A way to hand an item over; `docs/life-of-a-transfer.md` compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Files: the source account moves them into a folder that the recipient shared to it.
    ServerMove,
    /// Calendars and address books: each object is moved into a fresh collection.
    ObjectMove,
    /// Files: the instance's own transfer, which the recipient accepts.
    Native,
    /// Collections and shares: their owner is changed in the instance's database.
    Rewrite,
    /// Anything: read here, written there, also to another instance.
    Stream,
    /// Things of other apps: their app's own way to give them to another account.
    App,
}

/// The number of a transfer: a UUID of version 7, so that ids sort by time.
pub type Id = uuid::Uuid;

// === impl Kind ===

impl Kind {
    /// Whether it lives in the tree of files.
    #[must_use]
    pub fn is_node(self) -> bool {
        matches!(self, Kind::File | Kind::Folder)
    }

    /// Whether it is a collection of DAV objects.
    #[must_use]
    pub fn is_collection(self) -> bool {
        matches!(self, Kind::Calendar | Kind::AddressBook)
    }
}
