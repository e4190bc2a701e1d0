//! What is read.

use futures_util::TryStreamExt;

use super::*;

#[tokio::test]
async fn accounts_of_every_backend_are_listed() {
    for site in Site::everywhere().await {
        let all = site.database.accounts("", "", 100).await.expect("accounts");
        let ids: Vec<&str> = all.iter().map(|account| account.uid.as_str()).collect();
        assert_eq!(ids, ["alice", "bob", "carol", "dave", "erin"]);
        let alice = site.database.account("alice").await.expect("an account");
        assert_eq!(
            alice,
            Account {
                uid: "alice".into(),
                display_name: "Alice".into(),
                email: Some("alice@example.org".into()),
                enabled: true,
                quota: Some("5 GB".into()),
                last_login: Some(1_795_327_839),
                groups: vec!["board".into()],
            }
        );
        assert!(!site.database.account("dave").await.expect("an account").enabled);
        assert_eq!(site.database.account("carol").await.expect("an account").display_name, "carol");
        assert_eq!(
            site.database.account("erin").await.expect("an account").display_name,
            "Erin of LDAP"
        );
        for (search, found) in [("ALI", 1), ("ldap", 1), ("%", 0), ("_", 0), ("example.org", 1)] {
            assert_eq!(
                site.database.accounts(search, "", 100).await.expect("accounts").len(),
                found,
                "{search}"
            );
        }
        let page = site.database.accounts("", "bob", 2).await.expect("accounts");
        assert_eq!(
            page.iter().map(|account| account.uid.as_str()).collect::<Vec<_>>(),
            ["carol", "dave"]
        );
        assert!(matches!(site.database.account("zoe").await, Err(Error::UnknownAccount(_))));
    }
}

#[tokio::test]
async fn a_home_is_counted_and_walked() {
    for site in Site::everywhere().await {
        let home = site.database.home("alice").await.expect("a query").expect("a home");
        assert_eq!((home.storage, home.object_store), (1, false));
        assert!(site.database.home("carol").await.expect("a query").expect("a home").object_store);
        assert_eq!(site.database.home("dave").await.expect("a query"), None);
        let tally = site.database.tally(&home, "files").await.expect("a tally");
        assert_eq!(tally, Tally { files: 2, folders: 2, bytes: 907, encrypted: 1 });
        // `PrivateX.txt` only begins like it.
        let tally = site.database.tally(&home, "files/Private").await.expect("a tally");
        assert_eq!(tally, Tally { files: 1, folders: 1, bytes: 900, encrypted: 0 });
        let nodes: Vec<Node> =
            site.database.walk(&home, "files/Private").try_collect().await.expect("nodes");
        let mut paths: Vec<&str> = nodes.iter().map(|node| node.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["files/Private", "files/Private/100%_a.txt"]);
        let node = site
            .database
            .node(&home, "files/Private/100%_a.txt")
            .await
            .expect("a query")
            .expect("a node");
        assert_eq!(
            (node.id, node.parent, node.size, node.folder, node.encrypted),
            (4, 3, 900, false, false)
        );
        assert_eq!(site.database.children(2).await.expect("nodes").len(), 2);
    }
}

#[tokio::test]
async fn shares_are_read_both_ways() {
    for site in Site::everywhere().await {
        let outgoing = site.database.outgoing("alice").await.expect("shares");
        assert_eq!(outgoing.len(), 14);
        let link = outgoing.iter().find(|share| share.id == 1).expect("a link");
        assert_eq!((link.kind, link.token.as_deref()), (ShareType::Link, Some("Se9MQzysJQjfLf7")));
        assert_eq!(link.path.as_deref(), Some("files/From alice/Association/Budget"));
        let odd = outgoing.iter().find(|share| share.id == 9).expect("a share");
        assert!(
            odd.password
                && odd.expiration.as_deref().is_some_and(|at| at.starts_with("2027-01-02"))
        );
        assert_eq!(odd.label.as_deref(), Some("Étiquette"));
        let reshare = outgoing.iter().find(|share| share.id == 3).expect("a reshare");
        assert_eq!((reshare.owner.as_str(), reshare.initiator.as_str()), ("alice", "carol"));
        let incoming: Vec<i64> =
            site.database.incoming("bob").await.expect("shares").iter().map(|s| s.id).collect();
        assert_eq!(incoming, [4, 6, 7, 8, 9, 11]);
    }
}

#[tokio::test]
async fn collections_are_read_with_what_is_in_them() {
    for site in Site::everywhere().await {
        let calendars = site.database.calendars("alice").await.expect("calendars");
        assert_eq!(calendars.len(), 4);
        let asso = calendars.iter().find(|calendar| calendar.uri == "asso").expect("a calendar");
        assert_eq!((asso.objects, asso.deleted_objects, asso.sync_token), (4, 1, 14));
        assert_eq!(asso.link.as_deref(), Some("LinkToken1234567"));
        assert_eq!(asso.shares.len(), 4);
        assert!(
            asso.shares
                .iter()
                .any(|share| share.principal == "principals/users/bob" && share.writable)
        );
        assert!(calendars.iter().any(|calendar| calendar.uri == "old" && calendar.deleted));
        assert!(
            calendars
                .iter()
                .any(|calendar| calendar.uri == "contact_birthdays" && calendar.generated)
        );
        let meetings =
            site.database.meetings("alice", asso.id, 1_790_000_000).await.expect("meetings");
        assert_eq!(meetings, Meetings { organised: 1, invited: 1 });
        let books = site.database.address_books("alice").await.expect("books");
        assert_eq!(
            books.iter().map(|book| (book.uri.as_str(), book.cards)).collect::<Vec<_>>(),
            [("contacts", 1), ("membres", 2)]
        );
    }
}

#[tokio::test]
async fn what_stays_behind_is_counted() {
    for site in Site::everywhere().await {
        let left = site.database.leftovers("alice").await.expect("leftovers");
        let count = |what: &str| left.apps.iter().find(|app| app.what == what).map(|app| app.count);
        assert_eq!((left.trash, left.versions, left.favourites, left.properties), (2, 1, 5, 8));
        assert_eq!((left.reminders, left.tags, left.inbox, left.locks), (3, 1, 1, 0));
        assert_eq!(
            (count("boards"), count("teams"), count("appointment pages"), count("polls")),
            (Some(1), Some(1), Some(1), None)
        );
    }
}
