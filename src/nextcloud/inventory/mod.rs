//! What an account has: files, calendars, address books, and what of it cannot be handed over.
//!
//! Nothing is changed by looking. Whatever can be large comes as a stream, entry by entry. What
//! belongs to an account is told by owners and mount types, never by names.

mod books;
mod calendars;
mod collection;
mod files;
mod meetings;

use serde::{Deserialize, Serialize};

pub use books::{Book, book, books};
pub use calendars::{Calendar, calendar, calendars, deleted_objects};
pub use collection::{Invitee, Object, count, objects};
pub use files::{Folder, Node, Walk, children, folder, node, survey, walk};
pub use meetings::{Meeting, addresses, future_meetings, rehomed};

/// Why something cannot be handed over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Obstacle {
    /// It is somebody else's, shared with the account.
    #[error("it belongs to somebody else, who shares it with this account")]
    Received,
    /// It is in a team or group folder.
    #[error("it is in a folder of a group, which belongs to no account")]
    GroupFolder,
    /// It is on storage mounted from elsewhere.
    #[error("it is on external storage")]
    ExternalStorage,
    /// It is end-to-end encrypted: only its owner's devices can read it.
    #[error("it is end-to-end encrypted, so only its owner's devices can read it")]
    EndToEndEncrypted,
    /// The instance makes it by itself, such as the calendar of birthdays.
    #[error("the instance makes it by itself")]
    Generated,
    /// A calendar that is fetched from an address elsewhere.
    #[error("it is a subscription to an address elsewhere")]
    Subscription,
}
