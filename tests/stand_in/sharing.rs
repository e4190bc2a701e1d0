//! Shares and links.

use http::StatusCode;

use super::support::{FILES, Site};

#[tokio::test]
async fn shares_show_their_owner_and_can_be_taken_off() {
    let site = Site::start().await;
    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><o:owner-id/><o:permissions/></d:prop></d:propfind>"#;
    let deep = format!("{FILES}/bob/deep/");
    let found = site.as_user("bob", "PROPFIND", &deep, &[("depth", "0")], body).await;
    assert!(found.body.contains("<oc:owner-id>alice</oc:owner-id>"));
    assert!(found.body.contains("<oc:permissions>SGDNV</oc:permissions>"));
    let refused = site.as_user("bob", "PUT", &format!("{deep}x.txt"), &[], "x").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let taken = site.as_user("bob", "DELETE", &deep, &[], "").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    let taken = site.as_user("bob", "DELETE", &format!("{FILES}/bob/Association"), &[], "").await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    let kept = format!("{FILES}/alice/Association/deep/emoji%20%F0%9F%A6%86.txt");
    assert_eq!(site.as_user("alice", "GET", &kept, &[], "").await.status, StatusCode::OK);

    let shares = "apps/files_sharing/api/v1/shares";
    let made = site
        .ocs("alice", "POST", shares, "path=/Private&shareType=0&shareWith=bob&permissions=1")
        .await;
    assert_eq!(made["ocs"]["meta"]["statuscode"], 200, "{made}");
    let id = made["ocs"]["data"]["id"].as_str().unwrap().to_owned();
    let listed = site.ocs("bob", "GET", &format!("{shares}?shared_with_me=true"), "").await;
    assert!(listed.to_string().contains("\"path\":\"/Private\""), "{listed}");
    let twice = site.ocs("alice", "POST", shares, "path=/Private&shareType=0&shareWith=bob").await;
    assert_eq!(twice["ocs"]["meta"]["statuscode"], 403);
    let one = format!("{shares}/{id}");
    let changed = site.ocs("alice", "PUT", &one, "permissions=3&note=hi").await;
    assert_eq!(changed["ocs"]["data"]["permissions"], 3);
    let foreign = site.ocs("carol", "DELETE", &one, "").await;
    assert_eq!(foreign["ocs"]["meta"]["statuscode"], 404);
    site.ocs("alice", "DELETE", &one, "").await;
    let gone = site.as_user("bob", "GET", &format!("{FILES}/bob/Private/diary.txt"), &[], "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);

    let link = site.ocs("alice", "POST", shares, "path=/Private&shareType=3").await;
    let token = link["ocs"]["data"]["token"].as_str().unwrap();
    let page = site.ask("GET", &format!("/s/{token}"), &[], "").await;
    assert!(page.body.contains("diary.txt") && page.body.contains("id=\"body-public\""));
    let file = site.ask("GET", &format!("/s/{token}/download?path=/diary.txt"), &[], "").await;
    assert_eq!(file.body, "secret");
    let out = site.ask("GET", &format!("/s/{token}/download?path=/../Readme.md"), &[], "").await;
    assert_eq!(out.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_link_asks_for_its_password() {
    let site = Site::start().await;
    let form = "path=/Private&shareType=3&password=ferry&label=L&expireDate=2099-12-31&note=n";
    let share = site.share("alice", form).await;
    assert_eq!((&share["label"], &share["note"]), (&"L".into(), &"n".into()));
    assert_eq!(share["expiration"], "2099-12-31 00:00:00");
    let token = share["token"].as_str().unwrap();
    let page = site.ask("GET", &format!("/s/{token}"), &[], "").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(page.header("location").ends_with("/authenticate/showShare"));
    let dav = format!("/public.php/dav/files/{token}/diary.txt");
    assert_eq!(site.ask("GET", &dav, &[], "").await.status, StatusCode::UNAUTHORIZED);
    // anonymous:ferry
    let with = [("authorization", "Basic YW5vbnltb3VzOmZlcnJ5")];
    assert_eq!(site.ask("GET", &dav, &with, "").await.body, "secret");
    let listed = format!("/public.php/dav/files/{token}/");
    let listed = site.ask("PROPFIND", &listed, &with, "").await;
    assert!(listed.body.contains("/diary.txt</d:href>"), "{}", listed.body);
    assert!(site.stand.refused() > 0);
}

#[tokio::test]
async fn shares_are_listed_as_the_original_lists_them() {
    let site = Site::start().await;
    let shares = "apps/files_sharing/api/v1/shares";
    let count = |answer: serde_json::Value| answer["ocs"]["data"].as_array().unwrap().len();
    let budget = format!("{shares}?path=/Association/Budget");
    assert_eq!(count(site.ocs("alice", "GET", &budget, "").await), 2);
    site.share("carol", "path=/Budget&shareType=0&shareWith=dave&permissions=1").await;
    assert_eq!(count(site.ocs("alice", "GET", &budget, "").await), 2);
    let all = format!("{budget}&reshares=true");
    assert_eq!(count(site.ocs("alice", "GET", &all, "").await), 3);
    let below = format!("{shares}?path=/Association&subfiles=true");
    assert_eq!(count(site.ocs("alice", "GET", &below, "").await), 4);
    let mail = site.share("alice", "path=/Private&shareType=4&shareWith=x@example.org").await;
    assert!(mail["token"].is_string());
    assert_eq!(site.stand.mails()[0].to, "x@example.org");
}
