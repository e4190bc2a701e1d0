//! Scheduling: who gets a mail, and when nobody does.

use http::StatusCode;

use super::support::{CALENDARS, Site};

fn meeting(uid: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20350101T100000Z\r\nSUMMARY:Meeting\r\nORGANIZER:mailto:alice@example.org\r\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org\r\n\
         ATTENDEE:mailto:eve@elsewhere.example\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn sent(site: &Site) -> Vec<String> {
    site.stand.mails().iter().map(|mail| format!("{} {}", mail.method, mail.to)).collect()
}

#[tokio::test]
async fn an_organiser_mails_guests_and_fills_calendars() {
    let site = Site::start().await;
    let path = format!("{CALENDARS}/alice/personal/m.ics");
    let put = site.as_user("alice", "PUT", &path, &[], meeting("m", "")).await;
    assert_eq!((put.status, put.header("etag")), (StatusCode::CREATED, ""));
    assert_eq!(sent(&site), ["REQUEST bob@example.org", "REQUEST eve@elsewhere.example"]);
    let stored = site.as_user("alice", "GET", &path, &[], "").await.body;
    assert!(stored.replace("\r\n ", "").contains("SCHEDULE-STATUS=1.1:mailto:eve@"), "{stored}");
    let inbox = "SELECT principaluri FROM oc_schedulingobjects";
    assert_eq!(site.rows(inbox).await, ["principals/users/bob"]);
    let theirs = "SELECT o.uri FROM oc_calendarobjects o JOIN oc_calendars c ON c.id = o.calendarid
        WHERE o.uid = 'm' AND c.principaluri = 'principals/users/bob'";
    let theirs = site.rows(theirs).await;
    let copy = format!("{CALENDARS}/bob/personal/{}", theirs[0]);

    // The guest answers, and the organiser's copy knows.
    let answer = site.as_user("bob", "GET", &copy, &[], "").await.body;
    assert!(answer.contains("SEQUENCE:0"), "{answer}");
    let (bob, mine) = ("PARTSTAT=NEEDS-ACTION:mailto:bob", "PARTSTAT=ACCEPTED:mailto:bob");
    site.as_user("bob", "PUT", &copy, &[], answer.replace(bob, mine)).await;
    assert_eq!(sent(&site).len(), 2, "an answer within the instance is no news");
    let stored = site.as_user("alice", "GET", &path, &[], "").await.body.replace("\r\n ", "");
    assert!(stored.contains("PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:bob"), "{stored}");
    assert!(stored.contains("SCHEDULE-STATUS=1.0:mailto:eve"), "{stored}");

    site.as_user("alice", "DELETE", &path, &[], "").await;
    assert_eq!(sent(&site)[2..], ["CANCEL bob@example.org", "CANCEL eve@elsewhere.example"]);
    let copy = site.as_user("bob", "GET", &copy, &[], "").await.body;
    assert!(copy.contains("SEQUENCE:1\r\nSTATUS:CANCELLED"), "{copy}");
}

#[tokio::test]
async fn hand_overs_send_nothing() {
    let site = Site::start().await;
    let silent: [&[(&str, &str)]; 2] =
        [&[("schedule-reply", "F")], &[("x-nc-scheduling", "false")]];
    for (i, headers) in silent.into_iter().enumerate() {
        let path = format!("{CALENDARS}/alice/personal/s{i}.ics");
        let put = site.as_user("alice", "PUT", &path, headers, meeting(&format!("s{i}"), "")).await;
        assert_eq!(put.status, StatusCode::CREATED);
        assert!(!put.header("etag").is_empty(), "what is stored is what was sent");
        site.as_user("alice", "DELETE", &path, headers, "").await;
    }
    // A MOVE of the organiser's event to another calendar, and one that is long over.
    let from = format!("{CALENDARS}/alice/asso/meet.ics");
    let to = [("destination", "/remote.php/dav/calendars/alice/personal/meet.ics")];
    assert_eq!(site.as_user("alice", "MOVE", &from, &to, "").await.status, StatusCode::CREATED);
    let over = meeting("over", "").replace("20350101", "20200101");
    site.as_user("alice", "PUT", &format!("{CALENDARS}/alice/personal/o.ics"), &[], over).await;
    // Somebody else's event in one's own calendar.
    let foreign = meeting("foreign", "");
    site.as_user("dave", "PUT", &format!("{CALENDARS}/dave/personal/f.ics"), &[], foreign).await;
    assert!(site.stand.mails().is_empty(), "{:?}", site.stand.mails());
}

#[tokio::test]
async fn limits_hold_when_switched_on() {
    let site = Site::start().await;
    site.stand.set_limits(true);
    let mut statuses = Vec::new();
    for i in 0..11 {
        let path = format!("{CALENDARS}/dave/c{i}/");
        statuses.push(site.as_user("dave", "MKCALENDAR", &path, &[], "").await.status.as_u16());
    }
    assert_eq!(statuses, [201, 201, 201, 201, 201, 201, 201, 201, 201, 201, 429]);
    site.stand.set_limits(false);
    let more = site.as_user("dave", "MKCALENDAR", &format!("{CALENDARS}/dave/c11/"), &[], "").await;
    assert_eq!(more.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_published_calendar_is_for_everybody_but_not_all_of_it() {
    let site = Site::start().await;
    let path = format!("{CALENDARS}/alice/asso/");
    let publish = r#"<cs:publish-calendar xmlns:cs="http://calendarserver.org/ns/"/>"#;
    let bare = site.as_user("alice", "POST", &path, &[], publish).await;
    assert_eq!(bare.status, StatusCode::NOT_IMPLEMENTED);
    let kind = [("content-type", "application/xml; charset=utf-8")];
    let done = site.as_user("alice", "POST", &path, &kind, publish).await;
    assert_eq!(done.status, StatusCode::ACCEPTED);
    let private = meeting("hidden", "CLASS:PRIVATE\r\n");
    let quiet = [("schedule-reply", "F")];
    site.as_user("alice", "PUT", &format!("{path}hidden.ics"), &quiet, private).await;
    let token = site.rows("SELECT publicuri FROM oc_dav_shares WHERE access = 4").await;
    let public = format!("/remote.php/dav/public-calendars/{}", token[0]);
    let export = site.ask("GET", &format!("{public}?export"), &[], "").await;
    assert!(export.body.contains("UID:meet") && !export.body.contains("hidden"), "{}", export.body);
    let listed = site.ask("PROPFIND", &format!("{public}/"), &[("depth", "1")], "").await;
    assert!(listed.body.contains("/ev3.ics</d:href>"), "{}", listed.body);
    let none = site.ask("GET", "/remote.php/dav/public-calendars/none", &[], "").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}
