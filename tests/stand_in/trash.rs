//! Trash bins and versions.

use http::StatusCode;

use super::support::{CALENDARS, FILES, Site, between, wanted};

#[tokio::test]
async fn deleted_files_come_back_with_id_versions_and_shares() {
    let site = Site::start().await;
    let file = format!("{FILES}/alice/Private/v.txt");
    for (time, text) in [("1600000000", "one"), ("1600000100", "two!"), ("1600000200", "three")] {
        site.as_user("alice", "PUT", &file, &[("x-oc-mtime", time)], text).await;
    }
    let id = site.look("alice", &file, "oc:fileid").await.body;
    let id = between(&id, "<oc:fileid>", "</oc:fileid>");
    let versions = format!("/remote.php/dav/versions/alice/versions/{id}/");
    let deep = [("depth", "1")];
    let listed = site.as_user("alice", "PROPFIND", &versions, &deep, "").await;
    assert_eq!(listed.body.matches("<d:response>").count(), 4, "{}", listed.body);
    let restore = [("destination", "/remote.php/dav/versions/alice/restore/target")];
    let old = format!("{versions}1600000000");
    assert_eq!(site.as_user("alice", "MOVE", &old, &restore, "").await.status, StatusCode::CREATED);
    assert_eq!(site.as_user("alice", "GET", &file, &[], "").await.body, "one");
    let foreign = format!("/remote.php/dav/versions/bob/versions/{id}/1600000000");
    assert_eq!(site.as_user("bob", "GET", &foreign, &[], "").await.status, StatusCode::NOT_FOUND);

    site.share("alice", "path=/Private/v.txt&shareType=0&shareWith=bob").await;
    site.as_user("alice", "DELETE", &file, &[], "").await;
    let seen = site.as_user("bob", "GET", &format!("{FILES}/bob/v.txt"), &[], "").await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    let trash = "/remote.php/dav/trashbin/alice/trash/";
    let names = wanted("nc:trashbin-original-location nc:trashbin-deleted-by-id oc:fileid");
    let listed = site.as_user("alice", "PROPFIND", trash, &deep, names).await.body;
    assert!(listed.contains("<nc:trashbin-original-location>Private/v.txt<"), "{listed}");
    assert!(listed.contains(&format!("<oc:fileid>{id}</oc:fileid>")));
    let item = format!("{trash}v.txt.d{}", between(&listed, "v.txt.d", "</d:href>"));
    assert_eq!(site.as_user("alice", "GET", &item, &[], "").await.body, "one");
    let back = [("destination", "/remote.php/dav/trashbin/alice/restore/v.txt")];
    assert_eq!(site.as_user("alice", "MOVE", &item, &back, "").await.status, StatusCode::CREATED);
    let seen = site.as_user("bob", "GET", &format!("{FILES}/bob/v.txt"), &[], "").await;
    assert_eq!(seen.body, "one");
    let skip = [("x-nc-skip-trashbin", "true")];
    site.as_user("alice", "DELETE", &file, &skip, "").await;
    let listed = site.as_user("alice", "PROPFIND", trash, &deep, "").await;
    assert_eq!(listed.body.matches("<d:response>").count(), 1);
}

#[tokio::test]
async fn folders_are_deleted_restored_and_purged_whole() {
    let site = Site::start().await;
    let trash = "/remote.php/dav/trashbin/alice/trash/";
    let folder = format!("{FILES}/alice/Association");
    site.as_user("alice", "DELETE", &folder, &[], "").await;
    let listed = site.as_user("alice", "PROPFIND", trash, &[("depth", "1")], "").await.body;
    let item = format!("{trash}Association.d{}", between(&listed, "Association.d", "</d:href>"));
    let inside = site.as_user("alice", "PROPFIND", &item, &[("depth", "1")], "").await;
    assert!(inside.body.contains("Budget/</d:href>"), "{}", inside.body);
    let back = [("destination", "/remote.php/dav/trashbin/alice/restore/x")];
    site.as_user("alice", "MOVE", &item, &back, "").await;
    let kept = format!("{FILES}/bob/Association/Budget/plan.ods");
    assert_eq!(site.as_user("bob", "GET", &kept, &[], "").await.body, "plan v2 of 3");
    site.as_user("alice", "DELETE", &folder, &[], "").await;
    let emptied = site.as_user("alice", "DELETE", trash, &[], "").await;
    assert_eq!(emptied.status, StatusCode::NO_CONTENT);
    let left = "SELECT path FROM oc_filecache WHERE path LIKE 'files_trashbin/files/%'";
    assert!(site.rows(left).await.is_empty());
}

#[tokio::test]
async fn deleted_events_wait_in_the_calendars_trash_bin() {
    let site = Site::start().await;
    let event = format!("{CALENDARS}/alice/asso/ev1.ics");
    let text = site.as_user("alice", "GET", &event, &[], "").await.body;
    site.as_user("alice", "DELETE", &event, &[], "").await;
    assert_eq!(site.as_user("alice", "GET", &event, &[], "").await.status, StatusCode::NOT_FOUND);
    let objects = format!("{CALENDARS}/alice/trashbin/objects/");
    let listed = site.as_user("alice", "PROPFIND", &objects, &[("depth", "1")], "").await;
    assert_eq!(listed.status, StatusCode::NOT_IMPLEMENTED);
    let query = r#"<c:calendar-query xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:d="DAV:" xmlns:n="http://nextcloud.com/ns"><d:prop><n:calendar-uri/><d:getetag/></d:prop><c:filter><c:comp-filter name="VCALENDAR"/></c:filter></c:calendar-query>"#;
    let listed = site.as_user("alice", "REPORT", &objects, &[], query).await.body;
    assert!(listed.contains(">asso</x1:calendar-uri>"), "{listed}");
    // As long as it is there, its UID is taken: the original fails in the same way.
    let again = site.as_user("alice", "PUT", &event, &[], text).await;
    assert_eq!(again.status, StatusCode::INTERNAL_SERVER_ERROR);
    let item = between(&listed, "<d:href>", "</d:href>");
    let back = [("destination", "/remote.php/dav/calendars/alice/trashbin/restore/file")];
    assert_eq!(site.as_user("alice", "MOVE", &item, &back, "").await.status, StatusCode::CREATED);
    assert_eq!(site.as_user("alice", "GET", &event, &[], "").await.status, StatusCode::OK);

    let calendar = format!("{CALENDARS}/alice/asso/");
    site.as_user("alice", "DELETE", &calendar, &[], "").await;
    let gone = site.as_user("alice", "PROPFIND", &calendar, &[("depth", "0")], "").await;
    assert!(gone.body.contains("deleted-calendar"), "{}", gone.body);
    let shared = format!("{CALENDARS}/bob/asso_shared_by_alice/");
    assert_eq!(
        site.as_user("bob", "PROPFIND", &shared, &[], "").await.status,
        StatusCode::NOT_FOUND
    );
    let back = [("destination", "/remote.php/dav/calendars/alice/trashbin/restore/calendar")];
    site.as_user("alice", "MOVE", &calendar, &back, "").await;
    let there = site.as_user("bob", "PROPFIND", &shared, &[("depth", "0")], "").await;
    assert_eq!(there.status, StatusCode::MULTI_STATUS);
    let for_good = [("x-nc-caldav-no-trashbin", "1")];
    site.as_user("alice", "DELETE", &calendar, &for_good, "").await;
    let gone = site.as_user("alice", "PROPFIND", &calendar, &[], "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}
