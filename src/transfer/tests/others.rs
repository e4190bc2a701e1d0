//! The instance's own transfer, and what other apps have.

use super::hand_over::{link, to, tree};
use super::world::{World, put};
use crate::nextcloud::ocs::{NewShare, ShareType};
use crate::transfer::model::{Engine, Kind, Request, ShareOutcome, State, words};

fn native() -> Request {
    let request = serde_json::json!({
        "source": "alice", "recipient": "bob", "destination": "/From alice", "engine": "native",
        "selection": {"include": ["/Work", "/note.txt"]}
    });
    serde_json::from_value(request).expect("a request")
}

async fn shared() -> World {
    let world = World::bare().await;
    let alice = world.dav("alice");
    for path in ["/Work/inner/a.txt", "/Work/b.txt", "/note.txt"] {
        put(&alice, "alice", path, path).await;
    }
    let ocs = world.acting("alice").ocs();
    let group = NewShare { share_type: ShareType::Group, ..to("/Work", "board") };
    for share in [link("/Work"), group, to("/Work/inner", "carol"), to("/Work/inner", "bob")] {
        ocs.create_share(&share).await.expect("a share");
    }
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instance_hands_over_itself_and_it_comes_back() {
    let world = shared().await;
    let before = (tree(&world, "alice", "").await, super::world::shares(&world, "alice").await);
    world.demo.stand_in.set_jobs_at_once(true);
    let (id, state) = world.complete(native()).await;
    let receipt = world.transfers(None).receipt("demo", id).await.expect("a receipt");
    assert_eq!(state, State::Done, "{receipt:#?}");
    assert!(receipt.items.iter().all(|item| item.engine == Engine::Native));
    let ids = |lines: &[String]| -> Vec<String> {
        lines.iter().filter(|line| line.contains(".txt")).cloned().collect()
    };
    let moved = tree(&world, "bob", "/From alice").await;
    assert_eq!(ids(&moved), ids(&before.0), "ids and etags stay");
    let all: Vec<_> = receipt.items.iter().flat_map(|item| &item.shares).collect();
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all.iter().all(|share| share.outcome == ShareOutcome::Kept), "{all:#?}");
    let roots = tree(&world, "bob", "").await;
    assert!(!roots.iter().any(|line| line.starts_with("Transferred from")), "{roots:#?}");
    assert_eq!(world.undo(id).await, State::Undone);
    let after = (tree(&world, "alice", "").await, super::world::shares(&world, "alice").await);
    assert_eq!(after, before);
    assert_eq!(world.demo.stand_in.mails().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_for_the_instance_and_can_be_cancelled() {
    let world = shared().await;
    let before = tree(&world, "alice", "").await;
    let transfers = world.transfers(None);
    let plan = transfers.plan("demo", native()).await.expect("a plan");
    assert!(plan.warnings.iter().any(|one| one == words::NATIVE_WAITS));
    let id = transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer");
    world.work(None).await;
    let shown = transfers.show("demo", id).await.expect("a transfer").summary;
    assert_eq!(shown.state, State::Running, "it waits: {shown:?}");
    assert!(shown.note.is_some_and(|note| note.contains("cron")));
    assert_eq!(tree(&world, "alice", "").await, before);
    transfers.cancel("demo", id).await.expect("to be cancelled");
    world.work(None).await;
    let shown = transfers.show("demo", id).await.expect("a transfer").summary;
    assert_eq!(shown.state, State::Cancelled, "{shown:?}");
    // What was accepted is not carried out any more.
    world.demo.stand_in.run_jobs().await.expect("jobs");
    assert_eq!(tree(&world, "alice", "").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_carried_out_while_it_waited_is_found() {
    let world = shared().await;
    let before = tree(&world, "alice", "").await;
    let transfers = world.transfers(None);
    let plan = transfers.plan("demo", native()).await.expect("a plan");
    let id = transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer");
    world.work(None).await;
    assert_eq!(world.demo.stand_in.run_jobs().await.expect("jobs"), 2, "both were offered at once");
    // It would look again by itself after a while.
    transfers.pause("demo", id).await.expect("to be paused");
    transfers.resume("demo", id).await.expect("to go on");
    world.work(None).await;
    let shown = transfers.show("demo", id).await.expect("a transfer").summary;
    assert_eq!(shown.state, State::Done, "{shown:?}");
    assert_eq!(world.undo(id).await, State::Undone);
    assert_eq!(tree(&world, "alice", "").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn things_of_apps_go_and_come_back() {
    let world = World::new().await;
    let kinds = [Kind::Board, Kind::Table, Kind::Form, Kind::Poll];
    let request = serde_json::json!({
        "source": "alice", "recipient": "bob", "selection": {"kinds": kinds}
    });
    let plan = world.transfers(None);
    let everything = plan.plan("demo", Request::all("alice", "bob")).await.expect("a plan");
    let by_hand: Vec<_> = everything
        .excluded
        .iter()
        .filter(|one| [words::TALK_BY_HAND, words::TEAMS_BY_HAND].contains(&one.reason.as_str()))
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(by_hand, ["Committee", "Gardeners"]);
    let (id, state) = world.complete(serde_json::from_value(request).expect("a request")).await;
    let receipt = world.transfers(None).receipt("demo", id).await.expect("a receipt");
    assert_eq!(state, State::Done, "{receipt:#?}");
    assert_eq!(receipt.items.iter().map(|item| item.kind).collect::<Vec<_>>(), kinds);
    assert!(receipt.items.iter().all(|item| item.engine == Engine::App));
    let bob = world.acting("bob").ocs();
    assert_eq!(bob.boards().await.expect("boards")[0].title, "Summer fête");
    assert_eq!(bob.tables().await.expect("tables")[0].ownership, "bob");
    assert_eq!(bob.forms().await.expect("forms").len(), 1);
    assert_eq!(bob.polls().await.expect("polls")[0].owner, "bob");
    assert_eq!(world.undo(id).await, State::Undone);
    assert_eq!(bob.polls().await.expect("polls").len(), 0);
    let alice = world.acting("alice").ocs();
    assert_eq!(alice.boards().await.expect("boards")[0].owner, "alice");
    assert_eq!(alice.forms().await.expect("forms").len(), 1);
}
