//! What an account has, read from where Nextcloud keeps it.
//!
//! Nothing here writes. Long answers are streams; what an app's table holds is counted only where
//! the app is installed.

mod accounts;
mod books;
mod calendars;
mod files;
mod leftovers;
mod shares;

pub use accounts::Account;
pub use books::AddressBook;
pub use calendars::{Calendar, DavShare, Meetings};
pub use files::{Home, Node, Tally};
pub use leftovers::{AppCount, Leftovers};
pub use shares::{Share, ShareType};

pub(super) use accounts::escaped;
pub(super) use calendars::{BIRTHDAYS, principal};
pub(super) use files::hex;
