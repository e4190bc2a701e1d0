//! What people and other workers do to a transfer at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;

use super::hand_over::tree;
use super::world::{World, calendar, put, until_over};
use crate::demo::{Harm, Trouble};
use crate::nextcloud::{Credentials, inventory};
use crate::store;
use crate::store::transfers::NewTransfer;
use crate::transfer::model::{Id, Request, State, words};
use crate::transfer::{Error, Fault, Transfers};

async fn started(world: &World, when: Option<&str>) -> Id {
    put(&world.dav("alice"), "alice", "/Work/a.txt", "a").await;
    calendar(&world.dav("alice"), "alice", "club", 2).await;
    let mut request = Request::all("alice", "bob");
    request.when = when.map(str::to_owned);
    let transfers = world.transfers(None);
    let plan = transfers.plan("demo", request).await.expect("a plan");
    transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer")
}

async fn state(world: &World, id: Id) -> State {
    world.transfers(None).show("demo", id).await.expect("a transfer").summary.state
}

/// Steps whose `after` is in the journal more than once.
async fn twice(world: &World, id: Id) -> Vec<String> {
    let lines = world.store.journal(&id.to_string(), None).await.expect("a journal");
    let mut ended: Vec<String> = lines
        .iter()
        .filter(|line| line.phase == "after")
        .map(|line| format!("{}/{}", line.item, line.step))
        .collect();
    ended.sort();
    let all = ended.clone();
    ended.dedup();
    if ended.len() == all.len() { Vec::new() } else { all }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_do_one_job_once() {
    let world = World::bare().await;
    let id = started(&world, None).await;
    let (one, two) = (world.transfers(None), world.transfers(None));
    let (first, second) = tokio::join!(until_over(&one, id), until_over(&two, id));
    assert_eq!((first, second), (State::Done, State::Done));
    assert_eq!(twice(&world, id).await, Vec::<String>::new());
    let left = tree(&world, "alice", "").await;
    assert!(!left.iter().any(|line| line.starts_with("Work")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_adds_up() {
    let world = World::bare().await;
    let id = started(&world, None).await;
    let transfers = world.transfers(None);
    assert_eq!(until_over(&transfers, id).await, State::Done);
    let shown = transfers.show("demo", id).await.expect("a transfer").summary.progress;
    let told: Vec<_> = transfers.events("demo", id, 0).try_collect().await.expect("events");
    // While it was at work, and once it was over.
    let last = told.iter().rfind(|event| event.kind == "item").expect("an item");
    let end = told.last().expect("an end");
    assert_eq!((last.state, last.progress), (State::Running, shown));
    assert_eq!((end.state, end.progress, shown.items_done), (State::Done, shown, shown.items));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_the_claim_writes_nothing() {
    let world = World::bare().await;
    let id = started(&world, None).await;
    let old = world.store.claim_transfer("old", Duration::ZERO, |_| 1).await.expect("the store");
    let old = old.expect("something to do");
    world.work(None).await;
    assert_eq!(state(&world, id).await, State::Done);
    let refused = world.store.write_line(&old, 1, "late", "before", "null").await;
    assert!(matches!(refused, Err(store::Error::LeaseLost(_))), "{refused:?}");
    // Also in the middle of its work.
    world.transfers(None).work(old).await;
    assert_eq!(state(&world, id).await, State::Done);
    assert_eq!(twice(&world, id).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_overtaken_stops_in_the_middle() {
    let world = Arc::new(World::bare().await);
    let id = started(&world, None).await;
    // At its tenth step another worker takes over and ends the work.
    let (at, done) =
        (Arc::new(std::sync::atomic::AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (other, ended) = (Arc::clone(&world), Arc::clone(&done));
    let handle = tokio::runtime::Handle::current();
    let overtaken: Fault = Arc::new(move |_| {
        if at.fetch_add(1, Ordering::SeqCst) == 20 {
            let other = Arc::clone(&other);
            tokio::task::block_in_place(|| handle.block_on(async move { other.work(None).await }));
            ended.store(true, Ordering::SeqCst);
        }
        false
    });
    world.work(Some(overtaken)).await;
    assert!(done.load(Ordering::SeqCst));
    assert_eq!(state(&world, id).await, State::Done);
    assert_eq!(twice(&world, id).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_can_be_paused_resumed_and_cancelled() {
    let world = World::bare().await;
    let id = started(&world, None).await;
    let transfers = world.transfers(None);
    transfers.pause("demo", id).await.expect("to pause");
    assert_eq!(state(&world, id).await, State::Paused);
    assert!(
        world.store.claim_transfer("w", Duration::ZERO, |_| 1).await.expect("the store").is_none()
    );
    transfers.resume("demo", id).await.expect("to go on");
    // Dies somewhere, is paused there, and cancelled: what was made goes, what went stays.
    let left = std::sync::atomic::AtomicU32::new(0);
    let fault: Fault = Arc::new(move |_| left.fetch_add(1, Ordering::SeqCst) == 40);
    world.work(Some(fault)).await;
    assert_eq!(state(&world, id).await, State::Running);
    transfers.pause("demo", id).await.expect("to pause");
    transfers.cancel("demo", id).await.expect("to cancel");
    world.work(None).await;
    assert_eq!(state(&world, id).await, State::Cancelled);
    let helpers = tree(&world, "bob", "").await;
    assert!(!helpers.iter().any(|line| line.starts_with(".passeur")), "{helpers:?}");
    let refused = transfers.resume("demo", id).await;
    assert!(matches!(refused, Err(Error::WrongState { .. })), "{refused:?}");
    assert_eq!(world.undo(id).await, State::Undone);
    assert_eq!(tree(&world, "alice", "/Work").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_approves() {
    let world = World::bare().await.with_approval();
    let id = started(&world, None).await;
    let transfers = world.transfers(None);
    assert_eq!(state(&world, id).await, State::Awaiting);
    assert!(
        world.store.claim_transfer("w", Duration::ZERO, |_| 1).await.expect("the store").is_none()
    );
    let refused = transfers.approve("demo", id, "test").await;
    assert!(matches!(refused, Err(Error::SamePerson)), "{refused:?}");
    transfers.approve("demo", id, "another").await.expect("to approve");
    let refused = transfers.approve("demo", id, "third").await;
    assert!(matches!(refused, Err(Error::WrongState { .. })), "{refused:?}");
    assert_eq!(until_over(&transfers, id).await, State::Done);
    let shown = transfers.show("demo", id).await.expect("a transfer");
    assert_eq!(shown.summary.approved_by.as_deref(), Some("another"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_time_is_waited_for() {
    let world = World::bare().await;
    let soon = crate::transfer::plan::stamp(store::now() / 1000 + 3600);
    let id = started(&world, Some(&soon)).await;
    assert!(
        world.store.claim_transfer("w", Duration::ZERO, |_| 1).await.expect("the store").is_none()
    );
    assert_eq!(state(&world, id).await, State::Queued);
    let shown = world.transfers(None).show("demo", id).await.expect("a transfer");
    assert_eq!(shown.summary.begins_at.as_deref(), Some(soon.as_str()));
    world.transfers(None).cancel("demo", id).await.expect("to cancel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_do_not_wait_for_one_another() {
    let world = World::bare().await;
    let row = |id: &'static str, site: &'static str| NewTransfer {
        id,
        site,
        state: "queued",
        plan: "{}",
        secrets: None,
        by: "test",
        once: None,
        begins_at: 0,
        items: &[],
    };
    for (id, site) in [("1", "a"), ("2", "a"), ("3", "a"), ("4", "b"), ("5", "c")] {
        world.store.make_transfer(&row(id, site)).await.expect("a transfer");
    }
    let at_once = |site: &str| if site == "a" { 2 } else { 1 };
    let mut claimed = Vec::new();
    for _ in 0..6 {
        let claim = world.store.claim_transfer("w", Duration::from_secs(60), at_once).await;
        claimed.extend(claim.expect("the store").map(|claim| claim.id));
    }
    assert_eq!(claimed, ["1", "2", "4", "5"]);
}

/// A transfer of a calendar with thirty events.
async fn club(world: &World) -> (Arc<Transfers>, Id) {
    calendar(&world.dav("alice"), "alice", "club", 30).await;
    let transfers = world.transfers(None);
    let plan = transfers.plan("demo", Request::all("alice", "bob")).await.expect("a plan");
    let id = transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer");
    (transfers, id)
}

/// Refuses to tell of more than two objects one by one, of where they were and where they are.
fn ask_of_few_objects(world: &World) {
    let refuse = Harm::Status(http::StatusCode::FORBIDDEN);
    world.demo.stand_in.trouble(Trouble::new("PROPFIND", "/club/e ", refuse).skip(4).times(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_before_is_not_asked_for_one_by_one() {
    let world = World::bare().await;
    let (_, id) = club(&world).await;
    let moved: Fault = Arc::new(|moment| moment.ends_with("/objects/0/done"));
    world.work(Some(moved)).await;
    assert_eq!(state(&world, id).await, State::Running);
    ask_of_few_objects(&world);
    world.work(None).await;
    assert_eq!(state(&world, id).await, State::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_takes_effect_at_the_next_object() {
    let world = World::bare().await;
    let (transfers, id) = club(&world).await;
    // Slow enough to be cancelled in the middle.
    let slow = Harm::Delay(Duration::from_millis(50));
    world.demo.stand_in.trouble(Trouble::new("MOVE", "/club", slow).times(1000));
    ask_of_few_objects(&world);
    let runner = {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let run = Arc::clone(&transfers).run(async move { drop(stopped.await) });
        (stop, tokio::spawn(run))
    };
    let club = |uid: &'static str| {
        let client = world.dav(uid);
        async move {
            let calendars = inventory::calendars(&client, uid).await.expect("calendars");
            let Some(club) = calendars.iter().find(|one| one.uri == "club") else { return 0 };
            inventory::count(&client, &club.path).await.map_or(0, |count| count.0)
        }
    };
    while club("bob").await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    transfers.cancel("demo", id).await.expect("to cancel");
    assert_eq!(until_over(&transfers, id).await, State::Cancelled);
    drop(runner.0);
    runner.1.await.expect("the runner");
    let journal = world.store.journal(&id.to_string(), None).await.expect("a journal");
    assert!(!journal.iter().any(|line| line.step == "objects/0" && line.phase == "after"));
    // It is not left half here and half there.
    assert_eq!((club("alice").await, club("bob").await), (30, 0));
    assert_eq!(world.undo(id).await, State::Undone);
    assert_eq!(club("alice").await, 30);
}

async fn is_enabled(world: &World, uid: &str) -> bool {
    let admin = world.acting("admin").ocs();
    admin.user(uid).await.expect("an answer").expect("an account").enabled
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_is_disabled_at_the_end_and_enabled_by_undoing() {
    let by_database = World::bare().await.with_database().await;
    for (world, password) in [(World::bare().await, Some("admin-ferry")), (by_database, None)] {
        put(&world.dav("alice"), "alice", "/Work/a.txt", "a").await;
        let request = serde_json::json!({
            "source": "alice", "recipient": "bob", "after": "disable", "admin_password": password
        });
        let request: Request = serde_json::from_value(request).expect("a request");
        let (id, state) = world.complete(request).await;
        assert_eq!(state, State::Done, "{:#?}", world.transfers(None).receipt("demo", id).await);
        assert!(!is_enabled(&world, "alice").await);
        assert_eq!(world.undo(id).await, State::Undone);
        assert!(is_enabled(&world, "alice").await);
        assert_eq!(tree(&world, "alice", "/Work").await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabling_needs_a_password_that_is_right() {
    let world = World::bare().await;
    put(&world.dav("alice"), "alice", "/Work/a.txt", "a").await;
    for (source, password, named) in [
        ("alice", None, "gives a password"),
        ("alice", Some("wrong"), "admin_password is not"),
        ("admin", Some("admin-ferry"), "stays enabled"),
    ] {
        let request = serde_json::json!({
            "source": source, "recipient": "bob", "after": "disable", "admin_password": password
        });
        let request = serde_json::from_value(request).expect("a request");
        let plan = world.transfers(None).plan("demo", request).await.expect("a plan");
        assert!(plan.blocking.iter().any(|block| block.detail.contains(named)), "{plan:#?}");
    }
}

/// A transfer that failed, because Nextcloud refuses to move one folder.
async fn failed(world: &World) -> Id {
    put(&world.dav("alice"), "alice", "/Play/b.txt", "b").await;
    let refuse = Harm::Status(http::StatusCode::FORBIDDEN);
    world.demo.stand_in.trouble(Trouble::new("MOVE", "alice/Play", refuse).times(100));
    let id = started(world, None).await;
    assert_eq!(until_over(&world.transfers(None), id).await, State::Failed);
    world.demo.stand_in.clear_troubles();
    let left = tree(world, "alice", "").await;
    assert!(left.iter().any(|line| line.starts_with("Play")), "{left:?}");
    assert!(!left.iter().any(|line| line.starts_with("Work")), "{left:?}");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_tried_again() {
    let world = World::bare().await;
    let id = failed(&world).await;
    let transfers = world.transfers(None);
    transfers.resume("demo", id).await.expect("it goes on");
    assert_eq!(until_over(&transfers, id).await, State::Done);
    let left = tree(&world, "alice", "").await;
    assert!(!left.iter().any(|line| line.starts_with("Play")), "{left:?}");
    let there = tree(&world, "bob", "").await;
    assert!(there.iter().any(|line| line.contains("Play/b.txt")), "{there:?}");
    assert!(!there.iter().any(|line| line.contains(".passeur-")), "{there:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_undone() {
    let world = World::bare().await;
    let id = failed(&world).await;
    assert_eq!(world.undo(id).await, State::Undone);
    let left = tree(&world, "alice", "").await;
    assert!(left.iter().any(|line| line.contains("Play/b.txt")), "{left:?}");
    assert!(left.iter().any(|line| line.contains("Work/a.txt")), "{left:?}");
    let there = tree(&world, "bob", "").await;
    assert!(!there.iter().any(|line| line.contains(".passeur-")), "{there:?}");
}

/// The share of the helper folder, as the journal has it.
async fn helper_share(world: &World, id: Id) -> u64 {
    let lines = world.store.journal(&id.to_string(), None).await.expect("a journal");
    let shared = lines.iter().find(|line| line.step == "share/bob" && line.phase == "after");
    let shared: serde_json::Value =
        serde_json::from_str(&shared.expect("a share").body).expect("an outcome");
    shared["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_reaches_nobody_is_made_again() {
    let mut ids = Vec::new();
    for unseen in [0, 2] {
        let world = World::bare().await;
        let nothing = Harm::Status(http::StatusCode::NOT_FOUND);
        let look = Trouble::new("PROPFIND", "/files/alice/.passeur-", nothing);
        world.demo.stand_in.trouble(look.times(unseen));
        let id = started(&world, None).await;
        let transfers = world.transfers(None);
        let state = until_over(&transfers, id).await;
        assert_eq!(state, State::Done, "{:#?}", transfers.receipt("demo", id).await);
        ids.push(helper_share(&world, id).await);
        assert_eq!(world.undo(id).await, State::Undone);
    }
    assert_eq!(ids[0] + 1, ids[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_undone_stays_within_reach() {
    let world = World::bare().await;
    let id = started(&world, None).await;
    assert_eq!(until_over(&world.transfers(None), id).await, State::Done);
    // In the helper folder already, and not on to the source.
    let refuse = Harm::Status(http::StatusCode::NOT_FOUND);
    world.demo.stand_in.trouble(Trouble::new("MOVE", "/alice/.passeur-", refuse).times(100));
    assert_eq!(world.undo(id).await, State::UndoFailed);
    world.demo.stand_in.clear_troubles();
    let there = tree(&world, "bob", "").await;
    assert!(there.iter().any(|line| line.contains(".passeur-")), "{there:?}");
    assert_eq!(world.undo(id).await, State::Undone);
    let left = tree(&world, "alice", "").await;
    assert!(left.iter().any(|line| line.contains("Work/a.txt")), "{left:?}");
    let there = tree(&world, "bob", "").await;
    assert!(!there.iter().any(|line| line.contains(".passeur-")), "{there:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_source_loses_shares_only_without_the_database() {
    let by_database = World::bare().await.with_database().await;
    for (world, is_told) in [(World::bare().await, true), (by_database, false)] {
        put(&world.dav("alice"), "alice", "/Work/a.txt", "a").await;
        let (uid, password) = ("admin".into(), "admin-ferry".into());
        let admin = Credentials::AppPassword { uid, password };
        let admin = world.demo.instance.acting("admin", &admin).ocs();
        admin.set_enabled("alice", false).await.expect("to be disabled");
        let request = Request::all("alice", "bob");
        let plan = world.transfers(None).plan("demo", request).await.expect("a plan");
        let told = plan.warnings.iter().any(|warning| warning == words::DISABLED_SOURCE);
        assert_eq!(told, is_told, "{:?}", plan.warnings);
    }
}
