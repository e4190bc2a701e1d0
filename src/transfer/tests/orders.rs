//! What people and other workers do to a transfer at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::hand_over::tree;
use super::world::{World, calendar, put, until_over};
use crate::store;
use crate::transfer::model::{Id, Request, State};
use crate::transfer::{Error, Fault};

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
async fn who_lost_the_claim_writes_nothing() {
    let world = World::bare().await;
    let id = started(&world, None).await;
    let old = world.store.claim_transfer("old", Duration::ZERO, 1).await.expect("the store");
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
    assert!(world.store.claim_transfer("w", Duration::ZERO, 1).await.expect("the store").is_none());
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
    assert!(world.store.claim_transfer("w", Duration::ZERO, 1).await.expect("the store").is_none());
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
    assert!(world.store.claim_transfer("w", Duration::ZERO, 1).await.expect("the store").is_none());
    assert_eq!(state(&world, id).await, State::Queued);
    let shown = world.transfers(None).show("demo", id).await.expect("a transfer");
    assert_eq!(shown.summary.begins_at.as_deref(), Some(soon.as_str()));
    world.transfers(None).cancel("demo", id).await.expect("to cancel");
}
