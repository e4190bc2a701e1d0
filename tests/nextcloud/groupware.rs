//! Calendars and address books.

use futures_util::TryStreamExt as _;
use passeur::dav::client::{Change, Overwrite, Put, Trash, Upload};
use passeur::nextcloud::collections::{self, Right};
use passeur::nextcloud::inventory::{
    Obstacle, addresses, book, books, calendar, calendars, count, deleted_objects, future_meetings,
    objects,
};
use passeur::nextcloud::{addressbooks, calendars as calendars_of, principal, properties};

use super::{Cloud, unique};

fn event(uid: &str, organizer: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//passeur//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20350105T100000Z\r\nDTEND:20350105T110000Z\r\n\
         SUMMARY:Board\r\nORGANIZER:{organizer}\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:guest@\
         example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[tokio::test]
async fn events_move_into_anothers_calendar() {
    let cloud = Cloud::start().await;
    let (alice, bob) = (cloud.acting("alice").dav(), cloud.acting("bob").dav());
    let uri = unique("calendar");
    let own = calendars_of("alice").unwrap().join(&uri).unwrap();
    let new = calendars_of("bob").unwrap().join(&uri).unwrap();
    let named = [
        Change::Set(properties::DISPLAY_NAME, "Board & <co>".to_owned()),
        Change::Set(properties::CALENDAR_COLOR, "#112233".to_owned()),
    ];
    alice.mkcalendar(&own, &named).await.unwrap();
    let taken = alice.mkcalendar(&own, &named).await.unwrap_err();
    assert_eq!(taken.status().unwrap(), 405);
    let mut all = addresses(&alice, "alice").await.unwrap();
    all.push("mailto:alice@example.org".to_owned());
    let object = own.join("a b.ics").unwrap();
    let put = Put { kind: Some("text/calendar; charset=utf-8".to_owned()), ..Put::default() };
    let text = event(&uri, "mailto:alice@example.org");
    alice.put(&object, Upload::of(text), &put).await.unwrap();
    let (meetings, more) = future_meetings(&alice, &own, &all, 1_790_000_000, 10).await.unwrap();
    assert!(!more);
    assert_eq!(meetings[0].guests, ["mailto:guest@example.org"]);
    assert_eq!(count(&alice, &own).await.unwrap().0, 1);

    bob.mkcalendar(&new, &named).await.unwrap();
    collections::share(&bob, &new, &principal("alice").unwrap(), Right::Write).await.unwrap();
    let seen = calendar(&bob, "bob", &uri).await.unwrap().unwrap();
    assert_eq!(seen.name, "Board & <co>");
    assert_eq!(seen.invitees[0].principal, principal("alice").unwrap());
    assert!(seen.invitees[0].may_write && seen.obstacle.is_none(), "{seen:?}");
    let received = calendars(&alice, "alice").await.unwrap();
    let received = received.iter().find(|c| c.uri == format!("{uri}_shared_by_bob")).unwrap();
    assert_eq!(received.obstacle, Some(Obstacle::Received));

    let before: Vec<_> = objects(&alice, &own).await.unwrap().try_collect().await.unwrap();
    let to = received.path.join("a b.ics").unwrap();
    alice.move_to(&object, &to, Overwrite::No).await.unwrap();
    let after: Vec<_> = objects(&bob, &new).await.unwrap().try_collect().await.unwrap();
    assert_eq!(after[0].etag, before[0].etag);
    assert!(alice.find(&object, &[]).await.unwrap().is_none());
    collections::unshare(&bob, &new, &principal("alice").unwrap()).await.unwrap();
    assert!(calendar(&bob, "bob", &uri).await.unwrap().unwrap().invitees.is_empty());

    collections::publish(&bob, &new).await.unwrap();
    let link = calendar(&bob, "bob", &uri).await.unwrap().unwrap().link.unwrap();
    assert!(link.contains("/public-calendars/"), "{link}");
    collections::unpublish(&bob, &new).await.unwrap();
    assert_eq!(calendar(&bob, "bob", &uri).await.unwrap().unwrap().link, None);

    bob.delete(&new.join("a b.ics").unwrap(), Trash::Keep).await.unwrap();
    let deleted = deleted_objects(&bob, "bob").await.unwrap();
    assert!(deleted.is_empty() || deleted.get(&uri) == Some(&1), "{deleted:?}");
    alice.delete(&own, Trash::Skip).await.unwrap();
    bob.delete(&new, Trash::Skip).await.unwrap();
}

#[tokio::test]
async fn cards_move_into_anothers_book() {
    let cloud = Cloud::start().await;
    let (alice, bob) = (cloud.acting("alice").dav(), cloud.acting("bob").dav());
    let uri = unique("book");
    let own = addressbooks("alice").unwrap().join(&uri).unwrap();
    let new = addressbooks("bob").unwrap().join(&uri).unwrap();
    let named = [Change::Set(properties::DISPLAY_NAME, "Members".to_owned())];
    alice.mkaddressbook(&own, &named).await.unwrap();
    bob.mkaddressbook(&new, &named).await.unwrap();
    collections::share(&bob, &new, &principal("alice").unwrap(), Right::Write).await.unwrap();
    let card = format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uri}\r\nFN:Zoë\r\nEND:VCARD\r\n");
    let put = Put { kind: Some("text/vcard".to_owned()), ..Put::default() };
    let object = own.join("z.vcf").unwrap();
    alice.put(&object, Upload::of(card), &put).await.unwrap();
    let received = books(&alice, "alice").await.unwrap();
    let received = received.iter().find(|b| b.uri == format!("{uri}_shared_by_bob")).unwrap();
    assert_eq!(received.obstacle, Some(Obstacle::Received));
    alice.move_to(&object, &received.path.join("z.vcf").unwrap(), Overwrite::No).await.unwrap();
    assert_eq!(count(&bob, &new).await.unwrap().0, 1);
    let seen = book(&bob, "bob", &uri).await.unwrap().unwrap();
    assert_eq!((seen.name.as_str(), seen.obstacle), ("Members", None));
    alice.delete(&own, Trash::Skip).await.unwrap();
    bob.delete(&new, Trash::Skip).await.unwrap();
}

#[tokio::test]
async fn what_an_instance_makes_by_itself_is_no_ones_to_give() {
    let cloud = Cloud::start().await;
    let client = cloud.acting("alice").dav();
    for one in calendars(&client, "alice").await.unwrap() {
        let generated = one.uri == "contact_birthdays";
        let shared = one.uri.contains("_shared_by_");
        match one.obstacle {
            Some(Obstacle::Generated) => assert!(generated, "{one:?}"),
            Some(Obstacle::Received) => assert!(shared, "{one:?}"),
            None => assert!(!generated && !shared, "{one:?}"),
            other => panic!("{other:?}"),
        }
        assert!(!["inbox", "outbox", "trashbin"].contains(&one.uri.as_str()));
    }
    let books = books(&client, "alice").await.unwrap();
    let generated = books.iter().filter(|book| book.uri.starts_with("z-"));
    for book in generated {
        assert_eq!(book.obstacle, Some(Obstacle::Generated), "{book:?}");
    }
    assert!(books.iter().any(|book| book.obstacle.is_none()));
}
