//! The sample calendars and address books, and whom they are shared with.

use sqlx::SqliteConnection;

use crate::demo::StandIn;
use crate::demo::groupware::sharing;
use crate::demo::groupware::store::{self, Kind};
use crate::demo::groupware::write::{self, New};
use crate::demo::http::Fault;

const EVENTS: &str = "VEVENT,VTODO,VJOURNAL";

/// Makes them.
pub(super) async fn fill(stand: &StandIn, db: &mut SqliteConnection) -> Result<(), Fault> {
    for account in stand.accounts() {
        let owner = account.uid.as_str();
        for (uri, display, color) in [
            ("personal", "Personal", "#00679e"),
            ("contact_birthdays", "Contact birthdays", "#E9D859"),
        ] {
            let new = New {
                owner,
                uri,
                display,
                color: Some(color),
                components: "VEVENT",
                ..New::default()
            };
            write::create(db, Kind::Calendar, &new).await?;
        }
        let new = New { owner, uri: "contacts", display: "Contacts", ..New::default() };
        write::create(db, Kind::Book, &new).await?;
    }
    let asso = New {
        owner: "alice",
        uri: "asso",
        display: "Agenda de l'asso",
        color: Some("#00679e"),
        components: EVENTS,
        ..New::default()
    };
    let asso = write::create(db, Kind::Calendar, &asso).await?;
    let membres = New { owner: "alice", uri: "membres", display: "Membres", ..New::default() };
    let membres = write::create(db, Kind::Book, &membres).await?;
    for (kind, id, principal, access) in [
        (Kind::Calendar, asso, "principals/users/bob", 2),
        (Kind::Calendar, asso, "principals/groups/board", 3),
        (Kind::Calendar, asso, "principals/users/carol", 3),
        (Kind::Book, membres, "principals/users/bob", 3),
    ] {
        sharing::set(db, kind, id, principal, Some(access)).await?;
    }
    objects(db).await
}

async fn objects(db: &mut SqliteConnection) -> Result<(), Fault> {
    for i in 0..12 {
        let rule = if i % 3 == 0 { "RRULE:FREQ=WEEKLY;COUNT=10\r\n" } else { "" };
        let text = event(&format!("ev{i}"), i, rule);
        put(db, Kind::Calendar, "asso", &format!("ev{i}.ics"), &text).await?;
    }
    let people = "ORGANIZER;CN=Alice:mailto:alice@example.org\r\n\
        ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org\r\n";
    put(db, Kind::Calendar, "asso", "meet.ics", &event("meet", 12, people)).await?;
    put(db, Kind::Calendar, "personal", "p1.ics", &event("p1", 13, "CLASS:PRIVATE\r\n")).await?;
    for i in 0..15 {
        let text = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:m{i}\r\nFN:Membre {i} Éloïse\r\nN:{i};Membre;;;\r\n\
             EMAIL:m{i}@example.org\r\nBDAY:1990-01-{:02}\r\nEND:VCARD\r\n",
            i + 1
        );
        put(db, Kind::Book, "membres", &format!("m{i}.vcf"), &text).await?;
    }
    Ok(())
}

fn event(uid: &str, day: i32, extra: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Passeur//Stand-in//EN\r\nBEGIN:VEVENT\r\n\
         UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:202701{:02}T100000Z\r\nDURATION:PT1H\r\n\
         SUMMARY:Réunion {uid}\r\n{extra}END:VEVENT\r\nEND:VCALENDAR\r\n",
        day + 5
    )
}

async fn put(
    db: &mut SqliteConnection,
    kind: Kind,
    collection: &str,
    uri: &str,
    text: &str,
) -> Result<(), Fault> {
    let found = store::own(db, kind, "alice", collection).await?.ok_or(Fault::NOT_FOUND)?;
    write::put(db, kind, &found, uri, text.as_bytes()).await?;
    Ok(())
}
