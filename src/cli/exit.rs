//! What the exit codes of `passeur` mean.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; for `check`, nothing is wrong (there may be warnings) |
//! | 1 | something failed while it ran: a port is taken, a folder cannot be written |
//! | 2 | the command line or the configuration is wrong; nothing was started |
//! | 3 | `check --live`: the configuration is right, but a site behind it is not |
//! | 141 | nobody reads standard output any more (`passeur … \| head -1`); what a shell says of others then |

use std::process::ExitCode;

/// Something failed while it ran.
pub const FAILURE: u8 = 1;
/// The command line or the configuration is wrong. Also what clap uses.
pub const CONFIGURATION: u8 = 2;
/// A live check found something wrong with a site.
pub const LIVE: u8 = 3;
/// Nobody reads standard output any more: 128 and the number of SIGPIPE.
pub const UNREAD: u8 = 141;

/// The exit code of a number above; 0 is success.
#[must_use]
pub fn code(number: u8) -> ExitCode {
    ExitCode::from(number)
}
