//! Calendars, and the future meetings in them.

use serde::Serialize;

use super::Obstacle;
use crate::dav::client::{Client, Depth, Entry, Error, Path, Property};
use crate::nextcloud::acting;
use crate::nextcloud::properties as p;

/// A calendar.
#[derive(Clone, Debug, Serialize)]
pub struct Calendar {
    /// Where it is, from the root of the DAV server.
    pub path: Path,
    /// The last part of its address.
    pub uri: String,
    /// The name that people see.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// `#RRGGBB`.
    pub color: Option<String>,
    /// Its place in a list.
    pub order: Option<i64>,
    /// Its time zone, as iCalendar.
    pub timezone: Option<String>,
    /// The parts it may have: `VEVENT`, `VTODO`.
    pub components: Vec<String>,
    /// Whether it says nothing about being free or busy.
    pub transparent: bool,
    /// With whom it is shared.
    pub invitees: Vec<Invitee>,
    /// The address of its public link.
    pub link: Option<String>,
    /// What changes with every change in it.
    pub ctag: Option<String>,
    /// What a client synchronises from.
    pub sync_token: Option<String>,
    /// Why it cannot be handed over, if it cannot.
    pub obstacle: Option<Obstacle>,
}

/// Somebody whom a collection is shared with.
#[derive(Clone, Debug, Serialize)]
pub struct Invitee {
    /// The principal: `principals/users/bob`.
    pub principal: Path,
    /// The name that people see.
    pub name: Option<String>,
    /// Whether it may be changed.
    pub may_write: bool,
}

/// A meeting to come, of which somebody has to be told if it changes hands.
#[derive(Clone, Debug, Serialize)]
pub struct Meeting {
    /// The object.
    pub path: Path,
    /// What it is called.
    pub summary: String,
    /// When it begins (or began, if it recurs), as iCalendar has it.
    pub start: String,
    /// Whether it recurs.
    pub recurs: bool,
    /// The address of who invites.
    pub organizer: String,
    /// The addresses of who is invited.
    pub guests: Vec<String>,
}

/// All calendars that an account sees, its own and others', those with an [`Obstacle`] included.
///
/// # Errors
/// As [`Error`] says.
pub async fn calendars(client: &Client, uid: &str) -> Result<Vec<Calendar>, Error> {
    let _ = (client, acting::calendars(uid)?, Depth::One, p::INVITE);
    Err(Error::Malformed("not written yet".to_owned()))
}

/// The meetings of a calendar that are to come (`now`: seconds since 1970) and have guests.
///
/// # Errors
/// As [`Error`] says.
pub async fn future_meetings(
    client: &Client,
    calendar: &Path,
    now: i64,
) -> Result<Vec<Meeting>, Error> {
    let _ = (client, calendar, now);
    Err(Error::Malformed("not written yet".to_owned()))
}

const _: Option<(Entry, Property)> = None;
