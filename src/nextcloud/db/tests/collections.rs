//! Calendars and address books.

use super::*;

fn wanted(uri: &str) -> Collection {
    Collection { from: "alice".into(), to: "bob".into(), uri: uri.into(), name: None }
}

#[tokio::test]
async fn a_calendar_goes_with_its_link_and_its_sharees_settings() {
    for site in Site::everywhere().await {
        let before = site.everything().await;
        let handover = site.database.prepare_calendar(&wanted("asso")).await.expect("a hand-over");
        assert_eq!(site.everything().await, before, "preparing wrote something");
        let after = site.proves(&handover).await;
        let is = |pieces: &[&str]| {
            assert!(has_row(&after, pieces), "{pieces:?} in {:#?}", difference(&before, &after))
        };
        is(&[
            "calendars",
            "id=3",
            "principaluri=principals/users/bob",
            "uri=asso",
            "synctoken=14",
            "calendarcolor=#123456",
        ]);
        is(&[
            "dav_shares",
            "access=4",
            "principaluri=principals/users/bob",
            "publicuri=LinkToken1234567",
        ]);
        is(&["dav_shares", "id=2", "principaluri=principals/groups/board"]);
        is(&[
            "properties",
            "id=1",
            "userid=carol",
            "propertypath=calendars/carol/asso_shared_by_bob",
        ]);
        is(&[
            "properties",
            "id=3",
            "userid=bob",
            "propertypath=calendars/bob/asso",
            "propertyvalue=0",
        ]);
        is(&[
            "properties",
            "id=5",
            "userid=bob",
            "propertypath=calendars/bob/asso",
            "propertyvalue=mine",
        ]);
        assert!(
            !has_row(&after, &["dav_shares", "id=1"]),
            "the share to the recipient is still there"
        );
        assert!(!has_row(&after, &["configkey=defaultCalendar"]));
        // One row each of the calendar, the link and the share; three settings; the default.
        assert_eq!(handover.record.changes.len(), 7, "{:#?}", handover.record);
        assert_eq!(handover.uri.as_deref(), Some("asso"));
        assert_eq!(
            handover.remarks,
            [
                Remark::StillSees { principals: vec!["principals/groups/board".into()] },
                Remark::ShareAgain {
                    principals: vec!["principals/remote-users/ZnJhbmtAb3RoZXI".into()]
                },
                Remark::NewAddress {
                    principals: vec![
                        "principals/groups/board".into(),
                        "principals/users/carol".into()
                    ]
                },
                Remark::OwnView { count: 1 },
                Remark::DefaultCalendar,
                Remark::Invitations { count: 1 },
                Remark::AppointmentPages { count: 1 },
            ]
        );
    }
}

#[tokio::test]
async fn a_name_that_is_taken_gets_a_number_that_is_free() {
    for site in Site::everywhere().await {
        let mut collection = wanted("personal");
        collection.name = Some("Personal (Alice)".into());
        let handover = site.database.prepare_calendar(&collection).await.expect("a hand-over");
        // -1 is in the bin, -2 a subscription.
        assert_eq!(handover.uri.as_deref(), Some("personal-3"));
        assert!(handover.remarks.contains(&Remark::Renamed { uri: "personal-3".into() }));
        let after = site.proves(&handover).await;
        assert!(has_row(
            &after,
            &["calendars", "id=1", "uri=personal-3", "displayname=Personal (Alice)"]
        ));
    }
}

#[tokio::test]
async fn what_nobody_can_have_is_refused() {
    for site in Site::everywhere().await {
        let before = site.everything().await;
        let refused = |uri: &str| {
            let collection = wanted(uri);
            let database = &site.database;
            async move { database.prepare_calendar(&collection).await.expect_err("an error") }
        };
        assert!(matches!(refused("contact_birthdays").await, Error::NotTransferable { .. }));
        assert!(matches!(refused("old").await, Error::NotTransferable { .. }));
        assert!(matches!(refused("nope").await, Error::Missing { .. }));
        let same = Collection { to: "alice".into(), ..wanted("asso") };
        assert!(matches!(site.database.prepare_calendar(&same).await, Err(Error::SameAccount(_))));
        let unknown = Collection { to: "zoe".into(), ..wanted("asso") };
        assert!(matches!(
            site.database.prepare_calendar(&unknown).await,
            Err(Error::UnknownAccount(_))
        ));
        let long = Collection { name: Some("n".repeat(256)), ..wanted("asso") };
        assert!(matches!(site.database.prepare_calendar(&long).await, Err(Error::Value(_))));
        assert_eq!(site.everything().await, before);
    }
}

#[tokio::test]
async fn an_address_book_goes_and_its_birthdays_are_told() {
    for site in Site::everywhere().await {
        let handover =
            site.database.prepare_address_book(&wanted("membres")).await.expect("a hand-over");
        let after = site.proves(&handover).await;
        assert!(has_row(
            &after,
            &["addressbooks", "id=2", "principaluri=principals/users/bob", "synctoken=16"]
        ));
        assert!(!has_row(&after, &["dav_shares", "id=5"]));
        assert!(has_row(&after, &["dav_shares", "id=7"]), "a share of another book went");
        assert!(has_row(&after, &["propertypath=addressbooks/users/carol/membres_shared_by_bob"]));
        let stale = Remark::Birthdays { account: "alice".into(), stale: 1 };
        assert!(handover.remarks.contains(&stale), "{:?}", handover.remarks);
        let clash =
            site.database.prepare_address_book(&wanted("contacts")).await.expect("a hand-over");
        assert_eq!(clash.uri.as_deref(), Some("contacts-1"));
        // Named after the book: bob's own book of that name makes such events, too, but not of this card.
        assert!(clash.remarks.contains(&Remark::Birthdays { account: "alice".into(), stale: 1 }));
        assert!(clash.remarks.contains(&Remark::Birthdays { account: "bob".into(), stale: 0 }));
        site.proves(&clash).await;
    }
}

#[tokio::test]
async fn nothing_is_written_if_a_row_changed_meanwhile() {
    for site in Site::everywhere().await {
        let handover = site.database.prepare_calendar(&wanted("asso")).await.expect("a hand-over");
        // Carol's colour is the last but few: what comes before is rolled back.
        site.run("UPDATE *PREFIX*properties SET propertypath = 'elsewhere' WHERE id = 1").await;
        let before = site.everything().await;
        let error = site.database.apply(&handover.record).await.expect_err("an error");
        assert!(matches!(&error, Error::Changed { key, .. } if key == "id=1"), "{error:?}");
        assert_eq!(site.everything().await, before);
    }
}

#[tokio::test]
async fn an_undo_keeps_what_happened_since_and_refuses_what_it_would_overwrite() {
    for site in Site::everywhere().await {
        let handover = site.database.prepare_calendar(&wanted("asso")).await.expect("a hand-over");
        site.database.apply(&handover.record).await.expect("applied");
        site.run("UPDATE *PREFIX*calendars SET synctoken = 15, displayname = 'New' WHERE id = 3")
            .await;
        site.run(
            "INSERT INTO *PREFIX*calendarobjects (id, uri, calendarid) VALUES (90, 'new.ics', 3)",
        )
        .await;
        // Alice made another calendar of that name: her address is taken.
        site.run(
            "INSERT INTO *PREFIX*calendars (id, principaluri, displayname, uri) \
             VALUES (90, 'principals/users/alice', 'Asso', 'asso')",
        )
        .await;
        let before = site.everything().await;
        let error = site.database.undo(&handover.record).await.expect_err("an error");
        assert!(matches!(error, Error::Clash { .. }), "{error:?}");
        assert_eq!(site.everything().await, before);
        site.run("DELETE FROM *PREFIX*calendars WHERE id = 90").await;
        site.database.undo(&handover.record).await.expect("undone");
        let after = site.everything().await;
        assert!(has_row(
            &after,
            &[
                "calendars",
                "id=3",
                "principaluri=principals/users/alice",
                "displayname=New",
                "synctoken=15"
            ]
        ));
        // Handed over again, and from bob to carol: the record of the first is not theirs.
        site.database.apply(&handover.record).await.expect("applied");
        site.run(
            "UPDATE *PREFIX*calendars SET principaluri = 'principals/users/carol' WHERE id = 3",
        )
        .await;
        let error = site.database.undo(&handover.record).await.expect_err("an error");
        assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    }
}
