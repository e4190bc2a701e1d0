//! Calendars and address books.

use http::StatusCode;

use super::support::{Answer, CALENDARS, Site, between};

fn event(uid: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20300101T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn sync(site: &Site, uid: &str, calendar: &str, token: &str) -> Answer {
    let body = format!(
        r#"<d:sync-collection xmlns:d="DAV:"><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"#
    );
    site.as_user(uid, "REPORT", &format!("{CALENDARS}/{uid}/{calendar}/"), &[], body).await
}

#[tokio::test]
async fn calendars_are_found_and_synced_by_token() {
    let site = Site::start().await;
    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:current-user-principal/></d:prop></d:propfind>"#;
    let root = site.as_user("bob", "PROPFIND", "/remote.php/dav/", &[("depth", "0")], body).await;
    let principal = between(&root.body, "<d:current-user-principal><d:href>", "</d:href>");
    let body = body.replace("<d:current-user-principal/>", "<c:calendar-home-set/>");
    let found = site.as_user("bob", "PROPFIND", &principal, &[("depth", "0")], body).await;
    let home = between(&found.body, "<cal:calendar-home-set><d:href>", "</d:href>");
    let listed = site.as_user("bob", "PROPFIND", &home, &[("depth", "1")], "").await;
    assert!(listed.body.contains("/calendars/bob/asso_shared_by_alice/"), "{}", listed.body);

    // What its owner calls private is not for those it is shared with.
    let private = event("private").replace("END:VEVENT", "CLASS:PRIVATE\r\nEND:VEVENT");
    let path = format!("{CALENDARS}/alice/asso/private.ics");
    let put = site.as_user("alice", "PUT", &path, &[], private).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let path = format!("{CALENDARS}/bob/asso_shared_by_alice/private.ics");
    assert_eq!(site.as_user("bob", "GET", &path, &[], "").await.status, StatusCode::NOT_FOUND);

    // Of what is confidential, they see when it is.
    let busy =
        event("busy").replace("END:VEVENT", "SUMMARY:Secret\r\nCLASS:CONFIDENTIAL\r\nEND:VEVENT");
    site.as_user(
        "alice",
        "PUT",
        &format!("{CALENDARS}/alice/personal/busy.ics"),
        &[],
        busy.clone(),
    )
    .await;
    let own = site
        .as_user("alice", "GET", &format!("{CALENDARS}/alice/personal/busy.ics"), &[], "")
        .await;
    assert_eq!(own.body, busy);
    let to = [("destination", "/remote.php/dav/calendars/alice/asso/busy.ics")];
    site.as_user("alice", "MOVE", &format!("{CALENDARS}/alice/personal/busy.ics"), &to, "").await;
    let path = format!("{CALENDARS}/bob/asso_shared_by_alice/busy.ics");
    let seen = site.as_user("bob", "GET", &path, &[], "").await.body;
    assert!(seen.contains("SUMMARY:Busy") && !seen.contains("Secret"), "{seen}");
    site.as_user("alice", "DELETE", &format!("{CALENDARS}/alice/asso/busy.ics"), &[], "").await;

    let first = sync(&site, "bob", "asso_shared_by_alice", "").await;
    assert_eq!(first.body.matches("<d:response>").count(), 13);
    let token = between(&first.body, "<d:sync-token>", "</d:sync-token>");
    let new = format!("{CALENDARS}/bob/asso_shared_by_alice/new.ics");
    let put = site.as_user("bob", "PUT", &new, &[], event("new")).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let twin = format!("{CALENDARS}/bob/asso_shared_by_alice/twin.ics");
    let twin = site.as_user("bob", "PUT", &twin, &[], event("new")).await;
    assert_eq!(twin.status, StatusCode::BAD_REQUEST);
    let gone = format!("{CALENDARS}/alice/asso/ev1.ics");
    assert_eq!(
        site.as_user("alice", "DELETE", &gone, &[], "").await.status,
        StatusCode::NO_CONTENT
    );
    let second = sync(&site, "alice", "asso", &token).await;
    assert_eq!(second.body.matches("<d:response>").count(), 2, "{}", second.body);
    assert!(second.body.contains("ev1.ics</d:href><d:status>HTTP/1.1 404 Not Found"));
    assert!(second.body.contains(&put.header("etag").replace('"', "&quot;")));
    let stale = sync(&site, "alice", "asso", "http://sabre.io/ns/sync/999").await;
    assert_eq!(stale.status, StatusCode::FORBIDDEN);
    assert!(stale.body.contains("valid-sync-token"));

    let read_only = format!("{CALENDARS}/carol/asso_shared_by_alice/x.ics");
    let refused = site.as_user("carol", "PUT", &read_only, &[], event("x")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn objects_move_into_a_shared_collection_as_they_are() {
    let site = Site::start().await;
    let target = format!("{CALENDARS}/bob/taken/");
    assert_eq!(
        site.as_user("bob", "MKCALENDAR", &target, &[], "").await.status,
        StatusCode::CREATED
    );
    let share = r#"<o:share xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><o:set><d:href>principal:principals/users/alice</d:href><o:read-write/></o:set></o:share>"#;
    assert_eq!(
        site.as_user("bob", "POST", &target, &[("content-type", "application/xml")], share)
            .await
            .status,
        StatusCode::OK
    );
    let from = format!("{CALENDARS}/alice/asso/meet.ics");
    let before = site.as_user("alice", "GET", &from, &[], "").await;
    let to = [("destination", "/remote.php/dav/calendars/alice/taken_shared_by_bob/meet.ics")];
    assert_eq!(site.as_user("alice", "MOVE", &from, &to, "").await.status, StatusCode::CREATED);
    let after = site.as_user("bob", "GET", &format!("{target}meet.ics"), &[], "").await;
    assert_eq!((after.header("etag"), &after.body), (before.header("etag"), &before.body));
    assert_eq!(site.as_user("alice", "GET", &from, &[], "").await.status, StatusCode::NOT_FOUND);
    let owner = r#"<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><d:owner/><o:owner-principal/></d:prop></d:propfind>"#;
    let path = format!("{CALENDARS}/alice/taken_shared_by_bob/");
    let seen = site.as_user("alice", "PROPFIND", &path, &[("depth", "0")], owner).await;
    assert!(seen.body.contains("<oc:owner-principal>principals/users/bob</oc:owner-principal>"));
}

#[tokio::test]
async fn cards_are_queried_and_keep_birthdays() {
    let site = Site::start().await;
    let book = "/remote.php/dav/addressbooks/users/alice/membres/";
    let query = r#"<c:addressbook-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/><c:address-data/></d:prop><c:filter><c:prop-filter name="FN"><c:text-match match-type="contains">membre 14</c:text-match></c:prop-filter></c:filter></c:addressbook-query>"#;
    let found = site.as_user("alice", "REPORT", book, &[], query).await;
    assert_eq!(found.body.matches("<d:response>").count(), 1, "{}", found.body);
    let birthday = format!("{CALENDARS}/alice/contact_birthdays/membres-m3.vcf.ics");
    assert_eq!(site.as_user("alice", "GET", &birthday, &[], "").await.status, StatusCode::OK);
    let card = format!("{book}m3.vcf");
    assert_eq!(
        site.as_user("alice", "DELETE", &card, &[], "").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        site.as_user("alice", "GET", &birthday, &[], "").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn events_to_come_are_found_without_an_end() {
    let site = Site::start().await;
    let query = r#"<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><d:getetag/><c:calendar-data/></d:prop><c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="20270110T000000Z"/></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"#;
    let path = format!("{CALENDARS}/alice/asso/");
    let found = site.as_user("alice", "REPORT", &path, &[("depth", "1")], query).await;
    assert!(found.body.contains("SUMMARY:Réunion ev11"), "{}", found.body);
    assert!(found.body.contains("/meet.ics") && !found.body.contains("/ev1.ics"));
}
