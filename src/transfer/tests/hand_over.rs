//! Whole hand-overs.

use super::world::{World, calendar, put, until_over};
use crate::dav::client::{Depth, Put, Upload};
use crate::demo::{Harm, Trouble};
use crate::nextcloud::inventory;
use crate::nextcloud::ocs::{NewShare, ShareType};
use crate::nextcloud::{self};
use crate::transfer::Error;
use crate::transfer::model::{Engine, ItemState, Kind, Request, ShareKind, ShareOutcome, State};

/// Everything below a path, as lines that can be compared.
pub(super) async fn tree(world: &World, uid: &str, path: &str) -> Vec<String> {
    let top = nextcloud::files(uid).expect("a path").walk(path).expect("a path");
    let client = world.dav(uid);
    let mut walk = inventory::walk(&client, &top).await.expect("a walk");
    let mut lines = Vec::new();
    while let Some(node) = walk.next().await.expect("a node") {
        let below = node.path.below(&top).unwrap_or_default();
        let etag = node.etag.filter(|_| !node.is_folder).unwrap_or_default();
        let size = if node.is_folder { 0 } else { node.size };
        lines.push(format!("{below} {:?} {size} {etag} {}", node.file_id, node.favorite));
    }
    lines.sort();
    lines
}

pub(super) fn link(path: &str) -> NewShare<'_> {
    NewShare {
        path,
        share_type: ShareType::Link,
        share_with: "",
        permissions: Some(1),
        expiration: None,
        label: Some("for the press"),
        note: None,
        password: None,
        attributes: None,
    }
}

pub(super) fn to<'a>(path: &'a str, uid: &'a str) -> NewShare<'a> {
    NewShare { share_type: ShareType::User, share_with: uid, label: None, ..link(path) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_changes_hands_and_comes_back() {
    let world = World::new().await;
    let alice = world.dav("alice");
    for name in ["50%.txt", "a+b;c#d?e&f.txt", "%2F", "é.txt", "e\u{301}.txt", "\"it's\" 😀"] {
        put(&alice, "alice", &format!("/Odd names/deep/{name}"), name).await;
    }
    put(&alice, "alice", "/Shared/inner/x.txt", "x").await;
    calendar(&alice, "alice", "club", 5).await;
    let ocs = world.acting("alice").ocs();
    let first = ocs.create_share(&link("/Shared")).await.expect("a link");
    ocs.create_share(&to("/Shared/inner", "carol")).await.expect("a share");
    ocs.create_share(&to("/Shared", "bob")).await.expect("a share");
    ocs.create_share(&to("/Odd names", "bob")).await.expect("a share");
    let before = tree(&world, "alice", "").await;
    let mails = world.demo.stand_in.mails().len();

    let request =
        Request { destination: Some("/From {source}".to_owned()), ..Request::all("alice", "bob") };
    let (id, state) = world.complete(request).await;
    let transfers = world.transfers(None);
    let receipt = transfers.receipt("demo", id).await.expect("a receipt");
    assert_eq!(state, State::Done, "{receipt:#?}");
    assert!(receipt.items.iter().all(|item| item.state == ItemState::Done), "{receipt:#?}");
    let moved = tree(&world, "bob", "/From alice/Odd names").await;
    // The two ways to write é are one name to Nextcloud.
    assert_eq!(moved.len(), 7);
    let folder = receipt.items.iter().find(|item| item.from == "/Shared").expect("the folder");
    let new = folder.shares.iter().find(|share| share.kind == ShareKind::Link).expect("its link");
    assert_ne!(new.outcome, ShareOutcome::Lost, "{new:?}");
    let change = new.link.as_ref().expect("a change");
    assert_eq!(Some(&change.old), first.url.as_ref());
    assert!(change.new.is_some());
    let shares = world.acting("bob").ocs().shares().await.expect("shares");
    let share = shares.iter().find(|share| share.share_with.as_deref() == Some("carol"));
    assert_eq!(share.expect("a share").uid_file_owner, "bob");
    assert!(!shares.iter().any(|share| share.share_with.as_deref() == Some("bob")));
    let calendars = inventory::calendars(&world.dav("bob"), "bob").await.expect("calendars");
    let club = calendars.iter().find(|one| one.uri == "club").expect("the calendar");
    assert_eq!(club.name, "Calendar club");
    assert_eq!(inventory::count(&world.dav("bob"), &club.path).await.expect("a count").0, 5);
    assert!(super::super::page(&receipt).contains("done and verified"));

    assert_eq!(world.undo(id).await, State::Undone, "{:?}", transfers.receipt("demo", id).await);
    assert_eq!(tree(&world, "alice", "").await, before);
    let shares = world.acting("alice").ocs().shares().await.expect("shares");
    let mut with: Vec<_> = shares.iter().filter_map(|share| share.share_with.clone()).collect();
    with.sort();
    assert!(with.contains(&"bob".to_owned()) && with.contains(&"carol".to_owned()), "{with:?}");
    let calendars = inventory::calendars(&world.dav("bob"), "bob").await.expect("calendars");
    assert!(!calendars.iter().any(|one| one.uri == "club"));
    assert_eq!(world.demo.stand_in.mails().len(), mails, "no mail, ever");
}

/// Private events are not shown to those who have a calendar shared, which the source has while it
/// moves: what became of them is seen by the recipient, and on the way back by the source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_events_are_not_lost_with_the_answer() {
    let world = World::new().await;
    calendar(&world.dav("alice"), "alice", "club", 5).await;
    let lose = Trouble::new("MOVE", "/club", Harm::LoseAnswer).times(5);
    world.demo.stand_in.trouble(lose.clone());
    let (id, state) = world.complete(Request::all("alice", "bob")).await;
    let receipt = world.transfers(None).receipt("demo", id).await.expect("a receipt");
    assert_eq!(state, State::Done, "{receipt:#?}");
    world.demo.stand_in.trouble(lose);
    assert_eq!(world.undo(id).await, State::Undone);
    let calendars = inventory::calendars(&world.dav("alice"), "alice").await.expect("calendars");
    let club = calendars.iter().find(|one| one.uri == "club").expect("the calendar");
    assert_eq!(inventory::count(&world.dav("alice"), &club.path).await.expect("a count").0, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gave_a_published_calendar_away_does_not_get_it_shared() {
    let world = World::bare().await;
    let alice = world.dav("alice");
    calendar(&alice, "alice", "club", 2).await;
    let club = nextcloud::calendars("alice").and_then(|top| top.join("club")).expect("a path");
    nextcloud::collections::publish(&alice, &club).await.expect("a link");
    let (id, state) = world.complete(Request::all("alice", "bob")).await;
    assert_eq!(state, State::Done, "{:#?}", world.transfers(None).receipt("demo", id).await);
    let plan = world.transfers(None).show("demo", id).await.expect("a transfer").plan;
    let item = plan.items.iter().find(|item| item.path == "club").expect("the calendar");
    assert!(item.shares.iter().all(|share| share.kind == ShareKind::Link), "{:#?}", item.shares);
    let calendars = inventory::calendars(&world.dav("bob"), "bob").await.expect("calendars");
    let club = calendars.iter().find(|one| one.uri == item.destination).expect("the calendar");
    assert!(club.link.is_some());
    assert_eq!(club.invitees, []);
    let left = inventory::calendars(&alice, "alice").await.expect("calendars");
    assert!(
        left.iter().all(|one| one.obstacle != Some(inventory::Obstacle::Received)),
        "{left:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_go_along_where_the_recipient_had_it_by_a_group() {
    let world = World::bare().await;
    let alice = world.dav("alice");
    let file = "/Minutes/may.odt";
    put(&alice, "alice", file, "first").await;
    let path = nextcloud::files("alice").and_then(|home| home.walk(file)).expect("a path");
    for (text, mtime) in [("second", 1_600_000_000), ("third", 1_600_001_000)] {
        let put = Put { mtime: Some(mtime), ..Put::default() };
        alice.put(&path, Upload::of(text.to_owned()), &put).await.expect("to be stored");
    }
    let group = NewShare { share_type: ShareType::Group, ..to("/Minutes", "board") };
    world.acting("alice").ocs().create_share(&group).await.expect("a share");
    let id = inventory::node(&alice, &path).await.expect("an answer").and_then(|node| node.file_id);
    let id = id.expect("a file");
    let had = versions(&world, "alice", id).await;
    assert!(had > 1, "{had}");
    let (transfer, state) = world.complete(Request::all("alice", "bob")).await;
    assert_eq!(state, State::Done, "{:#?}", world.transfers(None).receipt("demo", transfer).await);
    assert_eq!(versions(&world, "bob", id).await, had);
    assert_eq!(world.undo(transfer).await, State::Undone);
    assert_eq!(versions(&world, "alice", id).await, had);
    let received = world.acting("bob").ocs().shared_with_me().await.expect("shares");
    assert!(received.iter().any(|share| share.share_type == ShareType::Group), "{received:#?}");
}

/// How many versions an account finds of a file.
async fn versions(world: &World, uid: &str, file: u64) -> usize {
    let path = format!("versions/{uid}/versions/{file}");
    let path = crate::dav::client::Path::root().walk(&path).expect("a path");
    let asked = [nextcloud::properties::ETAG];
    let all = world.dav(uid).propfind(&path, Depth::One, &asked).await.expect("an answer");
    all.all(100).await.expect("versions").len() - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_changes_nothing_and_goes_stale() {
    let world = World::new().await;
    let transfers = world.transfers(None);
    let before = tree(&world, "alice", "").await;
    let plan = transfers.plan("demo", Request::all("alice", "bob")).await.expect("a plan");
    assert_eq!(tree(&world, "alice", "").await, before);
    assert!(plan.items.iter().any(|item| item.engine == Engine::ServerMove));
    assert!(plan.items.iter().any(|item| item.kind == Kind::AddressBook));
    let again = transfers.plan("demo", Request::all("alice", "bob")).await.expect("a plan");
    assert_eq!(again.hash, plan.hash);
    put(&world.dav("alice"), "alice", "/new.txt", "new").await;
    let refused = transfers.start("demo", &plan.hash, None, "test").await.expect_err("stale");
    assert!(matches!(refused, Error::Stale(_)), "{refused}");
    for (source, recipient) in [("nobody", "bob"), ("alice", "nobody")] {
        let refused = transfers.plan("demo", Request::all(source, recipient)).await;
        assert!(matches!(refused, Err(Error::UnknownAccount(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_chosen_goes() {
    let world = World::new().await;
    let alice = world.dav("alice");
    for path in ["/Work/a.txt", "/Work/b.tmp", "/Work/sub/c.txt", "/Private/d.txt"] {
        put(&alice, "alice", path, path).await;
    }
    let request = serde_json::json!({
        "source": "alice", "recipient": "bob", "destination": "/",
        "selection": {"include": ["/Work"], "exclude": ["/Work/*.tmp"]}
    });
    let (_, state) = world.complete(serde_json::from_value(request).expect("a request")).await;
    assert_eq!(state, State::Done);
    let names = |lines: Vec<String>| -> Vec<String> {
        lines.iter().filter_map(|l| l.split(' ').next().map(str::to_owned)).collect()
    };
    assert_eq!(names(tree(&world, "bob", "/Work").await), ["", "a.txt", "sub", "sub/c.txt"]);
    assert_eq!(names(tree(&world, "alice", "/Work").await), ["", "b.tmp"]);
    assert_eq!(names(tree(&world, "alice", "/Private").await), ["", "d.txt", "diary.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_starts_once() {
    let world = World::new().await;
    let transfers = world.transfers(None);
    let plan = transfers.plan("demo", Request::all("alice", "bob")).await.expect("a plan");
    let one = transfers.start("demo", &plan.hash, Some("k"), "test").await.expect("a transfer");
    let two = transfers.start("demo", &plan.hash, Some("k"), "test").await.expect("the same");
    assert_eq!(one, two);
    assert_eq!(until_over(&transfers, one).await, State::Done);
    assert_eq!(transfers.list(Some("demo"), None, 10).await.expect("a list").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_instance_gets_copies() {
    let (world, other) = World::new().await.with_another().await;
    let alice = world.dav("alice");
    calendar(&alice, "alice", "club", 4).await;
    let mails = world.demo.stand_in.mails().len();
    let request = serde_json::json!({
        "source": "alice", "recipient": "bob", "destination": "/Copy", "target": {"url": "other"}
    });
    let (id, state) = world.complete(serde_json::from_value(request).expect("a request")).await;
    let transfers = world.transfers(None);
    let receipt = transfers.receipt("demo", id).await.expect("a receipt");
    assert_eq!(state, State::Done, "{receipt:#?}");
    assert!(receipt.items.iter().all(|item| item.engine == Engine::Stream));
    let bob = other.instance.acting("bob", &super::world::app());
    let calendars = inventory::calendars(&bob.dav(), "bob").await.expect("calendars");
    assert!(calendars.iter().any(|one| one.uri == "club"));
    assert_eq!(world.demo.stand_in.mails().len(), mails);
    assert_eq!(other.stand_in.mails().len(), 0);
    assert_eq!(world.undo(id).await, State::Undone);
    let calendars = inventory::calendars(&bob.dav(), "bob").await.expect("calendars");
    assert!(!calendars.iter().any(|one| one.uri == "club"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_data_goes_and_comes_back() {
    let world = World::new().await;
    let shares = |uid: &'static str| super::world::shares(&world, uid);
    let before = (tree(&world, "alice", "").await, shares("alice").await);
    let (id, state) = world.complete(Request::all("alice", "bob")).await;
    let transfers = world.transfers(None);
    assert_eq!(state, State::Done, "{:#?}", transfers.receipt("demo", id).await);
    assert_eq!(world.undo(id).await, State::Undone, "{:#?}", transfers.receipt("demo", id).await);
    assert_eq!((tree(&world, "alice", "").await, shares("alice").await), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_are_joined() {
    let world = World::bare().await;
    for (uid, path) in
        [("alice", "/Work/a.txt"), ("alice", "/Work/sub/b.txt"), ("bob", "/Work/sub/b.txt")]
    {
        put(&world.dav(uid), uid, path, uid).await;
    }
    let before = tree(&world, "bob", "").await;
    let request = serde_json::json!({
        "source": "alice", "recipient": "bob", "destination": "/", "conflict": "merge",
        "selection": {"include": ["/Work"]}
    });
    let (id, state) = world.complete(serde_json::from_value(request).expect("a request")).await;
    assert_eq!(state, State::Done);
    let lines = tree(&world, "bob", "/Work").await;
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split(" Some").next()).collect();
    assert_eq!(names, ["", "a.txt", "sub", "sub/b (2).txt", "sub/b.txt"]);
    let left = tree(&world, "alice", "").await;
    assert_eq!(left.len(), 1, "no empty folders: {left:?}");
    assert_eq!(world.undo(id).await, State::Undone);
    assert_eq!(tree(&world, "bob", "").await, before);
    let back = tree(&world, "alice", "/Work").await;
    let names: Vec<&str> = back.iter().filter_map(|line| line.split(" Some").next()).collect();
    assert_eq!(names, ["", "a.txt", "sub", "sub/b.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meetings_get_a_new_organiser_without_a_mail() {
    let world = World::bare().await;
    calendar(&world.dav("alice"), "alice", "club", 12).await;
    let request = serde_json::json!({
        "source": "alice", "recipient": "bob", "meetings": "rehome",
        "selection": {"calendars": ["club"]}
    });
    let (bob, now) = (world.dav("bob"), crate::store::now() / 1000);
    let club = nextcloud::calendars("bob").and_then(|top| top.join("club")).expect("a path");
    let (id, state) = world.complete(serde_json::from_value(request).expect("a request")).await;
    assert_eq!(state, State::Done);
    let own = inventory::addresses(&bob, "bob").await.expect("addresses");
    let found = inventory::future_meetings(&bob, &club, &own, now, 100).await.expect("meetings");
    assert!(found.0.len() > 3, "{found:?}");
    assert_eq!(world.demo.stand_in.mails().len(), 0);
    assert_eq!(world.undo(id).await, State::Undone);
    let alice = world.dav("alice");
    let club = nextcloud::calendars("alice").and_then(|top| top.join("club")).expect("a path");
    let own = inventory::addresses(&alice, "alice").await.expect("addresses");
    let back = inventory::future_meetings(&alice, &club, &own, now, 100).await.expect("meetings");
    assert_eq!(back.0.len(), found.0.len());
    assert_eq!(world.demo.stand_in.mails().len(), 0);
}
