//! Scheduling: what a change of an event sends to others.
//!
//! Guests and organisers with an account here get the event in their own calendar and a message in
//! their inbox; everybody with an address gets a mail, if it says something new and the event is not
//! over, which goes to the sink. `Schedule-Reply: F` and `X-NC-Scheduling: false` stop all of it, and
//! a MOVE never begins it. What became of each message is written into the event, which then has
//! another etag than the client's text would: the answer names none.

use sqlx::SqliteConnection;

use super::itip::{self, Message};
use super::store::{self, Access, Collection, Kind};
use super::{object, write};
use crate::demo::http::{Ask, Fault};
use crate::demo::mail::Mail;
use crate::demo::{StandIn, db, mint};

/// A change of an event, by somebody, that others may have to hear of.
pub(super) struct Change<'a> {
    pub(super) collection: &'a Collection,
    /// Who changes it.
    pub(super) by: &'a str,
    /// The text before, and after.
    pub(super) old: Option<&'a [u8]>,
    pub(super) new: Option<&'a [u8]>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The event with the messages' fates, if there were messages.
    pub(super) text: Option<String>,
    mails: Vec<Mail>,
}

impl Outcome {
    /// Sends the mails, once the change is safe.
    pub(super) fn send(self, stand: &StandIn) {
        self.mails.into_iter().for_each(|mail| stand.mails.send(mail));
    }
}

/// Whether the client wants others to hear of it.
pub(super) fn wanted(ask: &Ask) -> bool {
    ask.header("schedule-reply") != Some("F") && ask.header("x-nc-scheduling") != Some("false")
}

/// Tells the others.
pub(super) async fn tell(
    stand: &StandIn,
    db: &mut SqliteConnection,
    change: &Change<'_>,
) -> Result<Outcome, Fault> {
    let Change { collection, by, old, new } = *change;
    let mut mine = addresses(stand, &collection.owner).await?;
    if new.is_some() && collection.access != Access::Own {
        mine.extend(addresses(stand, by).await?);
    }
    let text = |bytes: Option<&[u8]>| bytes.and_then(|b| String::from_utf8(b.to_vec()).ok());
    let (old, new) = (text(old), text(new));
    let messages = itip::messages(old.as_deref(), new.as_deref(), &mine);
    let mut outcome = Outcome::default();
    let mut statuses = Vec::new();
    for message in &messages {
        let status = deliver(db, message, &mut outcome.mails).await?;
        statuses.push((message.to.clone(), status));
    }
    if !messages.is_empty() {
        outcome.text = new.map(|new| itip::with_statuses(&new, &statuses));
    }
    Ok(outcome)
}

/// The addresses that are an account's.
async fn addresses(stand: &StandIn, uid: &str) -> Result<Vec<String>, sqlx::Error> {
    let mail = db::preference(&stand.db.read, uid, "settings", "email").await?;
    let mail = mail.filter(|mail| !mail.is_empty()).map(|m| itip::normal(&format!("mailto:{m}")));
    let principal = format!("/remote.php/dav/principals/users/{uid}/");
    Ok(mail.into_iter().chain([principal]).collect())
}

async fn deliver(
    db: &mut SqliteConnection,
    message: &Message,
    mails: &mut Vec<Mail>,
) -> Result<&'static str, Fault> {
    let here = match account(db, &message.to).await? {
        Some(uid) => locally(db, message, &uid, mails).await?,
        None => "3.7",
    };
    let (Some(from), Some(to)) =
        (message.from.strip_prefix("mailto:"), message.to.strip_prefix("mailto:"))
    else {
        return Ok(here);
    };
    let event = object::event(itip::invitation(message).as_bytes());
    if event.is_none_or(|event| event.last < mint::now()) {
        return Ok(here);
    }
    if !to.contains('@') {
        return Ok("5.0");
    }
    if !message.news {
        return Ok("1.0");
    }
    mails.push(Mail {
        method: message.method.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        uid: message.uid.clone(),
        summary: message.summary.clone(),
    });
    Ok("1.1")
}

/// Whose address that is here.
async fn account(db: &mut SqliteConnection, address: &str) -> Result<Option<String>, sqlx::Error> {
    let found: Option<(String,)> = sqlx::query_as(
        "SELECT u.uid FROM oc_users u WHERE '/remote.php/dav/principals/users/' || u.uid || '/' = ?1
         OR u.uid IN (SELECT userid FROM oc_preferences WHERE appid = 'settings'
           AND configkey = 'email' AND 'mailto:' || lower(configvalue) = ?1) LIMIT 1",
    )
    .bind(address)
    .fetch_optional(db)
    .await?;
    Ok(found.map(|(uid,)| uid))
}

/// Into the inbox and the calendar of somebody here.
async fn locally(
    db: &mut SqliteConnection,
    message: &Message,
    uid: &str,
    mails: &mut Vec<Mail>,
) -> Result<&'static str, Fault> {
    let text = itip::invitation(message);
    into_inbox(db, uid, &text).await?;
    let known: Option<(String, String, Vec<u8>)> = sqlx::query_as(
        "SELECT c.uri, o.uri, CAST(o.calendardata AS BLOB) FROM oc_calendarobjects o
         JOIN oc_calendars c ON c.id = o.calendarid
         WHERE c.principaluri = 'principals/users/' || ? AND o.uid = ? AND o.calendartype = 0
           AND o.deleted_at IS NULL AND c.deleted_at IS NULL LIMIT 1",
    )
    .bind(uid)
    .bind(&message.uid)
    .fetch_optional(&mut *db)
    .await?;
    let (calendar, uri, text) = match (message.method, known) {
        ("REQUEST", Some((calendar, uri, _))) => (calendar, uri, Some(text)),
        ("REQUEST", None) => {
            let name = format!("sabredav-{}.ics", uuid::Uuid::now_v7());
            ("personal".to_owned(), name, Some(text))
        }
        ("CANCEL", Some((calendar, uri, old))) => {
            (calendar, uri, Some(itip::cancelled(&String::from_utf8_lossy(&old), message.sequence)))
        }
        ("REPLY", Some((calendar, uri, old))) => {
            let old = String::from_utf8_lossy(&old).into_owned();
            let new = itip::with_answer(&old, message);
            let new = match new {
                Some(new) => Some(pass_on(db, message, &old, new, mails).await?),
                None => None,
            };
            (calendar, uri, new)
        }
        _ => return Ok("5.0"),
    };
    let collection = store::own(db, Kind::Calendar, uid, &calendar).await?;
    let (Some(collection), Some(text)) = (collection, text) else { return Ok("5.0") };
    write::put(db, Kind::Calendar, &collection, &uri, text.as_bytes()).await?;
    Ok("1.2")
}

/// The other guests get the event with a guest's answer; a mail tells them nothing new.
async fn pass_on(
    db: &mut SqliteConnection,
    answer: &Message,
    old: &str,
    new: String,
    mails: &mut Vec<Mail>,
) -> Result<String, Fault> {
    let organizer = std::slice::from_ref(&answer.to);
    let mut statuses = Vec::new();
    for mut message in itip::messages(Some(old), Some(&new), organizer) {
        if message.to != answer.from {
            message.news = false;
            let status = Box::pin(deliver(db, &message, mails)).await?;
            statuses.push((message.to, status));
        }
    }
    Ok(itip::with_statuses(&new, &statuses))
}

async fn into_inbox(db: &mut SqliteConnection, uid: &str, text: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oc_schedulingobjects (principaluri, calendardata, uri, lastmodified, etag, size)
         VALUES ('principals/users/' || ?, ?, ?, ?, ?, ?)",
    )
    .bind(uid)
    .bind(text.as_bytes())
    .bind(format!("sabredav-{}.ics", uuid::Uuid::now_v7()))
    .bind(mint::now())
    .bind(mint::md5_hex(text.as_bytes()))
    .bind(i64::try_from(text.len()).unwrap_or(i64::MAX))
    .execute(db)
    .await?;
    Ok(())
}
