//! What a hand-over meets: a MOVE through a share with all it does to shares, transfers by the core
//! itself, accounts, notices, and trouble on the way.

use http::StatusCode;
use passeur::demo::{Harm, Trouble};

use super::support::{FILES, Site, between};

const SHARES: &str = "apps/files_sharing/api/v1/shares";

/// Makes `Top` with `Nested` in alice's home, and bob's `In`, shared with her to move things into.
async fn prepared() -> Site {
    let site = Site::start().await;
    for (uid, path) in [("alice", "Top"), ("alice", "Top/Nested"), ("bob", "In")] {
        let made = site.as_user(uid, "MKCOL", &format!("{FILES}/{uid}/{path}"), &[], "").await;
        assert_eq!(made.status, StatusCode::CREATED);
    }
    for text in ["one", "two!"] {
        let time = [("x-oc-mtime", if text == "one" { "1600000000" } else { "1600000100" })];
        site.as_user("alice", "PUT", &format!("{FILES}/alice/Top/a.txt"), &time, text).await;
    }
    site.share("bob", "path=/In&shareType=0&shareWith=alice&permissions=31").await;
    site
}

async fn move_in(site: &Site) -> StatusCode {
    let to = [("destination", "/remote.php/dav/files/alice/In/Top")];
    site.as_user("alice", "MOVE", &format!("{FILES}/alice/Top"), &to, "").await.status
}

async fn end_share(site: &Site, uid: &str, path: &str) {
    let all = site.ocs(uid, "GET", &format!("{SHARES}?path={path}"), "").await;
    let id = all["ocs"]["data"][0]["id"].as_str().unwrap().to_owned();
    site.ocs(uid, "DELETE", &format!("{SHARES}/{id}"), "").await;
}

#[tokio::test]
async fn a_move_through_a_share_keeps_files_and_breaks_what_the_core_breaks() {
    let site = prepared().await;
    site.share("alice", "path=/Top&shareType=0&shareWith=carol&permissions=31").await;
    site.share("alice", "path=/Top/Nested&shareType=0&shareWith=dave&permissions=31").await;
    let link = site.share("alice", "path=/Top&shareType=3").await;
    let link = format!("/s/{}", link["token"].as_str().unwrap());
    let names = "oc:fileid d:getetag d:getlastmodified";
    let before = site.look("alice", &format!("{FILES}/alice/Top/a.txt"), names).await;
    assert_eq!(move_in(&site).await, StatusCode::CREATED);

    let after = site.look("bob", &format!("{FILES}/bob/In/Top/a.txt"), names).await;
    let props = |body: &str| between(body, "<d:prop>", "</d:prop>");
    assert_eq!(props(&before.body), props(&after.body));
    let id = between(&after.body, "<oc:fileid>", "</oc:fileid>");
    let version = format!("/remote.php/dav/versions/bob/versions/{id}/1600000000");
    assert_eq!(site.as_user("bob", "GET", &version, &[], "").await.body, "one");

    let owners = "SELECT share_type || ' ' || coalesce(share_with, '') || ' ' || uid_owner || ' '
        || uid_initiator FROM oc_share WHERE file_target LIKE '/Top%' OR file_target LIKE '/Nested%'
        ORDER BY share_type, share_with";
    assert_eq!(
        site.rows(owners).await,
        ["0 carol bob alice", "0 dave alice alice", "3  alice alice"]
    );
    assert_eq!(site.ask("GET", &link, &[], "").await.status, StatusCode::OK);

    end_share(&site, "bob", "/In").await;
    // The sharer of what the new owner owns is replaced; the others are lost until repaired.
    assert_eq!(
        site.rows(owners).await,
        ["0 carol bob bob", "0 dave alice alice", "3  alice alice"]
    );
    assert_eq!(site.ask("GET", &link, &[], "").await.status, StatusCode::NOT_FOUND);
    let seen = site.as_user("carol", "GET", &format!("{FILES}/carol/Top/a.txt"), &[], "").await;
    assert_eq!(seen.body, "two!");
    let listed = [("depth", "1")];
    let nested = format!("{FILES}/dave/Nested/");
    let nested = site.as_user("dave", "PROPFIND", &nested, &listed, "").await;
    assert_eq!(
        (nested.status, nested.body.matches("<d:href>").count()),
        (StatusCode::MULTI_STATUS, 1)
    );
    let inside = site.as_user("dave", "GET", &format!("{FILES}/dave/Nested/x"), &[], "").await;
    assert_eq!(inside.status, StatusCode::SERVICE_UNAVAILABLE);

    // The new owner sees the stale shares of his folder, but may not end them.
    let path = format!("{SHARES}?path=/In&reshares=true&subfiles=true");
    let all = site.ocs("bob", "GET", &path, "").await;
    let stale = all["ocs"]["data"].as_array().unwrap().iter().find(|s| s["share_type"] == 3);
    let stale = stale.unwrap()["id"].as_str().unwrap().to_owned();
    let refused = site.ocs("bob", "DELETE", &format!("{SHARES}/{stale}"), "").await;
    assert_eq!(refused["ocs"]["meta"]["statuscode"], 403);
}

#[tokio::test]
async fn a_share_with_the_new_owner_stops_the_adjusting() {
    let site = prepared().await;
    for with in ["bob", "carol"] {
        site.share("alice", &format!("path=/Top&shareType=0&shareWith={with}&permissions=31"))
            .await;
    }
    assert_eq!(move_in(&site).await, StatusCode::CREATED);
    let owners =
        "SELECT share_with || ' ' || uid_owner FROM oc_share WHERE file_target LIKE '/Top%'
        ORDER BY id";
    assert_eq!(site.rows(owners).await, ["bob alice", "carol alice"]);
}

#[tokio::test]
async fn a_group_share_without_the_right_to_share_makes_the_move_complain() {
    let site = prepared().await;
    site.share("alice", "path=/Top&shareType=1&shareWith=board&permissions=15").await;
    assert_eq!(move_in(&site).await, StatusCode::INTERNAL_SERVER_ERROR);
    // It has moved all the same.
    let there = site.look("bob", &format!("{FILES}/bob/In/Top/"), "oc:owner-id").await;
    assert!(there.body.contains("<oc:owner-id>bob</oc:owner-id>"), "{}", there.body);
    let members = "SELECT share_with || ' ' || file_target FROM oc_share WHERE share_type = 2
        AND file_target = '/Top' ORDER BY share_with";
    assert_eq!(site.rows(members).await, ["alice /Top", "bob /Top"]);
}

#[tokio::test]
async fn quotas_hold_for_moves_into_other_homes() {
    let site = prepared().await;
    site.ocs("admin", "PUT", "cloud/users/bob", "key=quota&value=1").await;
    assert_eq!(move_in(&site).await, StatusCode::INSUFFICIENT_STORAGE);
    let there = site.look("alice", &format!("{FILES}/alice/Top/a.txt"), "oc:fileid").await;
    assert_eq!(there.status, StatusCode::MULTI_STATUS);
}

#[tokio::test]
async fn the_core_transfers_when_the_recipient_accepts_and_cron_runs() {
    let site = prepared().await;
    let link = site.share("alice", "path=/Top&shareType=3").await;
    let link = format!("/s/{}", link["token"].as_str().unwrap());
    let calls = "apps/files/api/v1/transferownership";
    let unknown = site.ocs("alice", "POST", calls, "recipient=nobody&path=/Top").await;
    assert_eq!(unknown["ocs"]["meta"]["statuscode"], 400);
    let offered = site.ocs("alice", "POST", calls, "recipient=bob&path=/Top").await;
    assert_eq!(offered["ocs"]["meta"]["statuscode"], 200, "{offered}");
    let bell = "apps/notifications/api/v2/notifications";
    let seen = site.ocs("bob", "GET", bell, "").await;
    let notice = &seen["ocs"]["data"][0];
    assert_eq!(
        (notice["app"].as_str(), notice["object_type"].as_str()),
        (Some("files"), Some("transfer"))
    );
    let one = format!("{calls}/{}", notice["object_id"].as_str().unwrap());
    assert_eq!(site.ocs("carol", "POST", &one, "").await["ocs"]["meta"]["statuscode"], 403);
    assert_eq!(site.ocs("bob", "POST", &one, "").await["ocs"]["meta"]["statuscode"], 200);
    let still = site.look("alice", &format!("{FILES}/alice/Top/"), "oc:fileid").await;
    assert_eq!(still.status, StatusCode::MULTI_STATUS, "it waits for cron");
    assert_eq!(site.stand.run_jobs().await.unwrap(), 1);
    let listed = [("depth", "infinity")];
    let root = site.as_user("bob", "PROPFIND", &format!("{FILES}/bob/"), &listed, "").await;
    assert!(root.body.contains("/bob/Transferred%20from%20Alice%20on%20"), "{}", root.body);
    assert!(root.body.contains("/Top/a.txt</d:href>"));
    assert_eq!(site.ask("GET", &link, &[], "").await.status, StatusCode::OK);
    let told = site.ocs("alice", "GET", bell, "").await;
    assert!(told.to_string().contains("is complete"), "{told}");
}

#[tokio::test]
async fn admins_tell_people_and_people_say_how_they_are() {
    let site = Site::start().await;
    let send = "apps/notifications/api/v2/admin_notifications";
    let form = "shortMessage=Hello&longMessage=World";
    let sent = site.ocs("admin", "POST", &format!("{send}/alice"), form).await;
    assert_eq!(sent["ocs"]["meta"]["statuscode"], 200, "{sent}");
    for (uid, to, status) in [("bob", "alice", 403), ("admin", "nobody", 404)] {
        let answer = site.ocs(uid, "POST", &format!("{send}/{to}"), form).await;
        assert_eq!(answer["ocs"]["meta"]["statuscode"], status);
    }
    let bell = "apps/notifications/api/v2/notifications";
    let seen = site.ocs("alice", "GET", bell, "").await;
    assert_eq!(seen["ocs"]["data"][0]["subject"], "Hello");
    let id = seen["ocs"]["data"][0]["notification_id"].as_i64().unwrap();
    site.ocs("alice", "DELETE", &format!("{bell}/{id}"), "").await;
    assert_eq!(site.ocs("alice", "GET", bell, "").await["ocs"]["data"], serde_json::json!([]));

    let status = "apps/user_status/api/v1";
    let none = site.ocs("alice", "GET", &format!("{status}/user_status"), "").await;
    assert_eq!(none["ocs"]["meta"]["statuscode"], 404);
    site.ocs("alice", "PUT", &format!("{status}/user_status/status"), "statusType=dnd").await;
    let seen = site.ocs("bob", "GET", &format!("{status}/statuses/alice"), "").await;
    assert_eq!(seen["ocs"]["data"]["status"], "dnd");
}

#[tokio::test]
async fn sub_admins_see_their_groups_alone() {
    let site = Site::start().await;
    site.ocs("admin", "POST", "cloud/users/carol/subadmins", "groupid=board").await;
    let own = site.ocs("carol", "GET", "cloud/user", "").await;
    assert_eq!(own["ocs"]["data"]["subadmin"], serde_json::json!(["board"]));
    let users = site.ocs("carol", "GET", "cloud/users", "").await;
    assert_eq!(users["ocs"]["data"]["users"], serde_json::json!(["alice", "bob"]));
    let apps = site.ocs("carol", "GET", "cloud/apps", "").await;
    assert_eq!(apps["ocs"]["meta"]["statuscode"], 403);
    let alice = site.ocs("carol", "GET", "cloud/users/alice", "").await;
    assert_eq!(alice["ocs"]["data"]["id"], "alice");
    let dave = site.ocs("carol", "GET", "cloud/users/dave", "").await;
    assert_eq!(dave["ocs"]["meta"]["statuscode"], 998);
}

#[tokio::test]
async fn trouble_comes_when_asked_for() {
    let site = prepared().await;
    let file = format!("{FILES}/alice/Readme.md");
    site.stand
        .trouble(Trouble::new("GET", "Readme", Harm::Status(StatusCode::BAD_GATEWAY)).skip(1));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(site.as_user("alice", "GET", &file, &[], "").await.status.as_u16());
    }
    assert_eq!(seen, [200, 502, 200]);

    // The answer is lost, the work is done.
    site.stand.trouble(Trouble::new("MOVE", "/Top", Harm::LoseAnswer));
    let account = site.stand.accounts().into_iter().find(|a| a.uid == "alice").unwrap();
    let request = site.attempt(&account, "MOVE", "Top", "In/Top").await;
    assert!(request.is_err(), "{request:?}");
    let there = site.look("bob", &format!("{FILES}/bob/In/Top/a.txt"), "oc:fileid").await;
    assert_eq!(there.status, StatusCode::MULTI_STATUS);
    site.stand.trouble(Trouble::new("*", "/", Harm::HangUp));
    site.stand.clear_troubles();
    assert_eq!(site.as_user("alice", "GET", &file, &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn thousands_are_made_quickly() {
    let site = Site::start().await;
    site.stand.fill_folder("dave", "Many", 2000, 64).await.unwrap();
    site.stand.add_accounts(200).await.unwrap();
    let many = format!("{FILES}/dave/Many/");
    let listed = site.as_user("dave", "PROPFIND", &many, &[("depth", "1")], "").await;
    assert_eq!(listed.body.matches("<d:response>").count(), 2001);
    let one = site.as_user("dave", "GET", &format!("{many}file-01999.txt"), &[], "").await;
    assert_eq!(one.body, "x".repeat(64));
    site.as_user("dave", "PUT", &format!("{many}file-00001.txt"), &[], "new").await;
    let other = site.as_user("dave", "GET", &format!("{many}file-00002.txt"), &[], "").await;
    assert_eq!(other.body, "x".repeat(64), "each file is one of its own");
    let found = site.ocs("admin", "GET", "cloud/users?limit=50&offset=100", "").await;
    assert_eq!(found["ocs"]["data"]["users"].as_array().unwrap().len(), 50);
}
