//! Calendars, what is in them, and the meetings to come.

use serde::Serialize;

use super::Obstacle;
use super::collection::{Invitee, filled, invitees, is_of};
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

const WANTED: [Property; 15] = [
    p::RESOURCE_TYPE,
    p::DISPLAY_NAME,
    p::OWNER,
    p::OWNER_PRINCIPAL,
    p::INVITE,
    p::PUBLISH_URL,
    p::CALENDAR_DESCRIPTION,
    p::CALENDAR_COLOR,
    p::CALENDAR_ORDER,
    p::CALENDAR_TIMEZONE,
    p::COMPONENTS,
    p::TRANSPARENT,
    p::CTAG,
    p::SYNC_TOKEN,
    p::SOURCE,
];
/// Nobody has as many.
const MAX_CALENDARS: usize = 10_000;
/// The calendar that the core makes of contacts (`BirthdayService`).
const BIRTHDAYS: &str = "contact_birthdays";
/// What the calendars of apps begin with (`ExternalCalendar`).
const APP_GENERATED: &str = "app-generated--";

/// All calendars that an account sees, its own and others', those with an [`Obstacle`] included.
///
/// # Errors
/// As [`Error`] says.
pub async fn calendars(client: &Client, uid: &str) -> Result<Vec<Calendar>, Error> {
    let home = acting::calendars(uid)?;
    let entries = client.propfind(&home, Depth::One, &WANTED).await?.all(MAX_CALENDARS).await?;
    Ok(entries.iter().filter_map(|entry| Calendar::of(entry, uid)).collect())
}

/// One calendar; `None` if there is none.
///
/// # Errors
/// As [`Error`] says.
pub async fn calendar(client: &Client, uid: &str, uri: &str) -> Result<Option<Calendar>, Error> {
    let path = acting::calendars(uid)?.join(uri)?;
    let entry = client.find(&path, &WANTED).await?;
    Ok(entry.and_then(|entry| Calendar::of(&entry, uid)))
}

/// How many deleted objects of each calendar the account's trash bin holds, by the calendars' last
/// part of address. Nothing where the instance has no such bin.
///
/// # Errors
/// As [`Error`] says.
pub async fn deleted_objects(
    client: &Client,
    uid: &str,
) -> Result<std::collections::BTreeMap<String, u64>, Error> {
    const FROM: Property = Property::new(p::NC_COM, "calendar-uri");
    // A PROPFIND of the bin is refused; a query is not.
    let query = "<c:calendar-query xmlns:c=\"urn:ietf:params:xml:ns:caldav\" xmlns:d=\"DAV:\" \
                 xmlns:n=\"http://nextcloud.com/ns\"><d:prop><n:calendar-uri/></d:prop><c:filter>\
                 <c:comp-filter name=\"VCALENDAR\"/></c:filter></c:calendar-query>";
    let bin = acting::calendars(uid)?.join("trashbin")?.join("objects")?;
    let mut counts = std::collections::BTreeMap::new();
    let mut entries = match client.report(&bin, Depth::One, query.to_owned()).await {
        Err(error) if matches!(error.status().map(|s| s.as_u16()), Some(404 | 405 | 501)) => {
            return Ok(counts);
        }
        entries => entries?,
    };
    while let Some(entry) = entries.next().await? {
        if let Some(uri) = entry.text(&FROM) {
            *counts.entry(uri.to_owned()).or_default() += 1;
        }
    }
    Ok(counts)
}

impl Calendar {
    /// What an entry says, if it is a calendar: the inbox, the outbox and the bin are none.
    fn of(entry: &Entry, uid: &str) -> Option<Self> {
        let is_subscription = entry.is_a(p::CALENDARSERVER, "subscribed");
        let is_bin = entry.is_a(p::NC_COM, "deleted-calendar");
        if is_bin || !(entry.is_a(p::CALDAV, "calendar") || is_subscription) {
            return None;
        }
        let uri = entry.path.name()?.to_owned();
        let obstacle = match () {
            () if !is_of(entry, uid) => Some(Obstacle::Received),
            () if is_subscription => Some(Obstacle::Subscription),
            () if uri == BIRTHDAYS || uri.starts_with(APP_GENERATED) => Some(Obstacle::Generated),
            () => None,
        };
        let components = entry.get(&p::COMPONENTS).map(|set| {
            let names = set.children(p::CALDAV, "comp").filter_map(|comp| comp.attribute("name"));
            names.map(str::to_owned).collect()
        });
        let link = entry.get(&p::PUBLISH_URL).and_then(|url| url.child("DAV:", "href"));
        let opacity = entry.get(&p::TRANSPARENT);
        Some(Self {
            path: entry.path.clone(),
            name: filled(entry.text(&p::DISPLAY_NAME)).unwrap_or_else(|| uri.clone()),
            uri,
            description: filled(entry.text(&p::CALENDAR_DESCRIPTION)),
            color: filled(entry.text(&p::CALENDAR_COLOR)),
            order: entry.number(&p::CALENDAR_ORDER),
            timezone: filled(entry.text(&p::CALENDAR_TIMEZONE)),
            components: components.unwrap_or_default(),
            transparent: opacity.is_some_and(|o| o.child(p::CALDAV, "transparent").is_some()),
            invitees: invitees(entry, uid),
            link: filled(link.map(|href| href.text.trim())),
            ctag: filled(entry.text(&p::CTAG)),
            sync_token: filled(entry.text(&p::SYNC_TOKEN)),
            obstacle,
        })
    }
}
