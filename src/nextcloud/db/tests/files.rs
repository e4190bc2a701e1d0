//! Shares, favourites, properties and reminders of moved files.

use super::*;

fn moved() -> Moved {
    let was = vec!["Association".into(), "Helper/Association".into()];
    Moved { from: "alice".into(), to: "bob".into(), roots: vec![Root { file: 20, was }] }
}

#[tokio::test]
async fn shares_below_what_moved_are_the_recipients() {
    for site in Site::everywhere().await {
        let before = site.everything().await;
        let handover = site.database.prepare_shares(&moved()).await.expect("a hand-over");
        assert_eq!(site.everything().await, before, "preparing wrote something");
        let after = site.proves(&handover).await;
        let owners = |id: &str, owner: &str, initiator: &str| {
            let pieces = [
                "share",
                &format!("id={id}"),
                &format!("uid_owner={owner}"),
                &format!("uid_initiator={initiator}"),
            ];
            assert!(has_row(&after, &pieces), "{pieces:?} in {:#?}", difference(&before, &after));
        };
        for id in ["1", "2", "4", "5", "6", "13", "14"] {
            owners(id, "bob", "bob");
        }
        owners("3", "bob", "carol");
        owners("10", "alice", "alice");
        owners("12", "alice", "alice");
        owners("11", "dave", "alice");
        for gone in ["7", "8", "9"] {
            assert!(
                !has_row(&after, &["share", &format!("id={gone}")]),
                "{gone} is a share to oneself"
            );
        }
        assert!(has_row(&after, &["share", "id=1", "token=Se9MQzysJQjfLf7", "stime=100", "note="]));
        assert_eq!(handover.remarks, [Remark::ForeignShare { share: 11, owner: "dave".into() }]);
        // By name, by group, by what is mounted.
        assert_eq!(handover.record.refresh, ["alice", "bob", "carol", "dave", "frank"]);
        for account in ["bob", "carol", "dave"] {
            let pieces = [
                &*format!("userid={account}"),
                "configkey=user_needs_share_refresh",
                "configvalue=1",
            ];
            assert!(has_row(&after, &pieces), "{account}");
        }
    }
}

#[tokio::test]
async fn favourites_properties_and_reminders_go_along() {
    for site in Site::everywhere().await {
        let handover = site.database.prepare_personal(&moved()).await.expect("a hand-over");
        let after = site.proves(&handover).await;
        let is = |pieces: &[&str]| assert!(has_row(&after, pieces), "{pieces:?} in {after:#?}");
        let list = site.number("(SELECT id FROM *PREFIX*vcategory WHERE uid = 'bob' AND category LIKE '%Favorite%')").await;
        is(&["vcategory_to_object", "objid=22", &format!("categoryid={list}")]);
        is(&["vcategory_to_object", "objid=21", &format!("categoryid={list}")]);
        is(&["vcategory_to_object", "objid=4", "categoryid=1"]);
        is(&["vcategory_to_object", "objid=22", "categoryid=3"]);
        is(&["vcategory_to_object", "objid=22", "categoryid=4"]);
        is(&["files_reminders", "id=1", "user_id=bob"]);
        is(&["files_reminders", "id=2", "user_id=alice"]);
        is(&["files_reminders", "id=3", "user_id=alice"]);
        let at = "propertypath=files/bob/From alice/Association";
        is(&["properties", "id=9", "userid=bob", &format!("{at}/Budget")]);
        is(&["properties", "id=10", "userid=bob", at]);
        is(&["properties", "id=12", "userid=alice", "propertypath=files/alice/Association2"]);
        is(&["properties", "id=13", "userid=alice"]);
        is(&["properties", "id=14", "userid=bob", &format!("{at}/deep")]);
        let long = format!("files/bob/From alice/Association/deep/{}.txt", "n".repeat(245));
        let hash = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
            long.as_bytes(),
        );
        is(&[
            "properties",
            "id=11",
            "userid=bob",
            &format!("propertypath={}", read::hex(hash.as_ref())),
        ]);
    }
}

#[tokio::test]
async fn files_that_did_not_move_are_refused() {
    for site in Site::everywhere().await {
        for file in [3, 999, 11] {
            let not_there = Moved { roots: vec![Root { file, was: vec!["x".into()] }], ..moved() };
            let error = site.database.prepare_shares(&not_there).await;
            match file {
                // The home's own folder did move, as far as the database can tell: it is bob's.
                11 => assert!(matches!(error, Err(Error::NotMoved { .. })), "{error:?}"),
                _ => assert!(
                    matches!(error, Err(Error::NotMoved { file: f, .. }) if f == file),
                    "{error:?}"
                ),
            }
        }
        // Prepared, then moved away before it was applied.
        let handover = site.database.prepare_shares(&moved()).await.expect("a hand-over");
        site.run("UPDATE *PREFIX*filecache SET storage = 3 WHERE fileid = 20").await;
        let before = site.everything().await;
        let error = site.database.apply(&handover.record).await.expect_err("an error");
        assert!(matches!(error, Error::Changed { .. }), "{error:?}");
        assert_eq!(site.everything().await, before);
    }
}

#[tokio::test]
async fn a_share_that_nextcloud_gave_over_itself_is_no_obstacle() {
    for site in Site::everywhere().await {
        let handover = site.database.prepare_shares(&moved()).await.expect("a hand-over");
        site.run("UPDATE *PREFIX*share SET uid_owner = 'bob', uid_initiator = 'bob', note = '' WHERE id = 4").await;
        site.run("DELETE FROM *PREFIX*share WHERE id = 7").await;
        let applied = site.database.apply(&handover.record).await.expect("applied");
        assert_eq!(applied.already, 2);
        let done = site.database.prepare_shares(&moved()).await.expect("nothing left");
        assert!(done.record.is_empty(), "{:?}", done.record);
    }
}
