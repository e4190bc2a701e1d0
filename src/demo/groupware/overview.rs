//! What pages show of an account's calendars and address books: the same collections and objects
//! that DAV shows, so that nothing private slips out on a page.

use super::object;
use super::store::{self, Kind};
use crate::demo::StandIn;

/// Events that end at or after a time: when they begin, what, in which calendar.
pub(in crate::demo) async fn events(
    stand: &StandIn,
    uid: &str,
    from: i64,
) -> Result<Vec<(i64, String, String)>, sqlx::Error> {
    let db = &stand.db.read;
    let mut found = Vec::new();
    for calendar in store::home(db, Kind::Calendar, uid).await? {
        for event in store::events_between(db, &calendar, from, i64::MAX).await? {
            let Some(event) = object::event(&event.data) else { continue };
            let summary = event.properties.iter().find(|(name, ..)| name == "SUMMARY");
            let summary = summary.map_or("", |(_, _, value)| value).to_owned();
            found.push((event.first, summary, calendar.display.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// Cards: name, mail, in which book.
pub(in crate::demo) async fn cards(
    stand: &StandIn,
    uid: &str,
) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    let db = &stand.db.read;
    let mut found = Vec::new();
    for book in store::home(db, Kind::Book, uid).await? {
        for card in store::objects(db, Kind::Book, &book).await? {
            let Some(card) = object::card(&card.data) else { continue };
            let value = |wanted: &str| {
                let mut all = card.properties.iter().filter(|(name, _)| name == wanted);
                all.next().map(|(_, value)| value.clone()).unwrap_or_default()
            };
            found.push((value("FN"), value("EMAIL"), book.display.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// The names of an account's calendars.
pub(in crate::demo) async fn calendars(
    stand: &StandIn,
    uid: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let all = store::home(&stand.db.read, Kind::Calendar, uid).await?;
    Ok(all.into_iter().map(|calendar| calendar.display).collect())
}
