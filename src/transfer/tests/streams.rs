//! Carrying to another instance: versions, progress, cancelling, and never over what is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;

use super::hand_over::tree;
use super::world::{Running, World, app, put, until_over};
use crate::dav::client::{Client, Depth, Path, Put, Upload};
use crate::demo::{Harm, Trouble};
use crate::nextcloud::{self, inventory};
use crate::transfer::Fault;
use crate::transfer::model::{ItemState, Request, State, words};

fn request(more: serde_json::Value) -> Request {
    let mut request = serde_json::json!({
        "source": "alice", "recipient": "bob", "destination": "/From alice",
        "selection": {"include": ["/Work"]}, "target": {"url": "other"}
    });
    if let (Some(all), serde_json::Value::Object(more)) = (request.as_object_mut(), more) {
        all.extend(more);
    }
    serde_json::from_value(request).expect("a request")
}

fn there(other: &Running) -> Client {
    other.instance.acting("bob", &app()).dav()
}

/// What a file has and had, the oldest first: time and text.
async fn history(client: &Client, uid: &str, path: &str) -> Vec<(i64, String)> {
    let at = nextcloud::files(uid).and_then(|top| top.walk(path)).expect("a path");
    let node = inventory::node(client, &at).await.expect("an answer").expect("the file");
    let id = node.file_id.expect("an id").to_string();
    let top = Path::of(["versions", uid, "versions", &id]).expect("a path");
    let entries = client.propfind(&top, Depth::One, &[]).await.expect("versions");
    let mut all = Vec::new();
    for entry in entries.all(100).await.expect("versions") {
        let time = entry.path.name().and_then(|name| name.parse().ok());
        if let Some(time) = time.filter(|_| entry.path != top) {
            let path = if Some(time) == node.mtime { &at } else { &entry.path };
            all.push((time, text(client, path).await));
        }
    }
    all.sort();
    all
}

async fn text(client: &Client, path: &Path) -> String {
    use http_body_util::BodyExt as _;
    let body = client.get(path, None).await.expect("a file").body;
    String::from_utf8(body.collect().await.expect("its bytes").to_bytes().to_vec()).expect("text")
}

/// A file that was written three times.
async fn with_history(client: &Client) {
    put(client, "alice", "/Work/plain.txt", "plain").await;
    let at = nextcloud::files("alice").and_then(|top| top.walk("/Work/old.txt")).expect("a path");
    for (time, text) in [(1_600_000_000, "one"), (1_600_000_100, "two"), (1_600_000_200, "six")] {
        let put = Put { mtime: Some(time), ..Put::default() };
        client.put(&at, Upload::of(text), &put).await.expect("to be stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_written_again_wherever_it_dies() {
    let from = World::bare().await;
    with_history(&from.dav("alice")).await;
    let wanted = history(&from.dav("alice"), "alice", "/Work/old.txt").await;
    assert_eq!(wanted.len(), 3, "{wanted:?}");
    // The answer to each of the three is lost in turn, and once nothing is.
    for skip in 0..4 {
        let (world, other) = from.copy().await.with_another().await;
        other.stand_in.trouble(Trouble::new("PUT", "old.txt", Harm::LoseAnswer).skip(skip));
        let (id, state) = world.complete(request(serde_json::json!({}))).await;
        let receipt = world.transfers(None).receipt("demo", id).await.expect("a receipt");
        assert_eq!(state, State::Done, "{skip}: {receipt:#?}");
        assert_eq!(history(&there(&other), "bob", "/From alice/Work/old.txt").await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_files_have_now_goes_if_that_was_asked_for() {
    let (world, other) = World::bare().await.with_another().await;
    with_history(&world.dav("alice")).await;
    let (_, state) = world.complete(request(serde_json::json!({"versions": "latest"}))).await;
    assert_eq!(state, State::Done);
    assert_eq!(history(&there(&other), "bob", "/From alice/Work/old.txt").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receipt_says_what_was_compared() {
    for (verify, said) in [("arrival", words::CHECKED_ARRIVAL), ("reread", words::CHECKED_AGAIN)] {
        let (world, other) = World::bare().await.with_another().await;
        let alice = world.dav("alice");
        for number in 0..5 {
            put(&alice, "alice", &format!("/Work/{number}.txt"), "small").await;
        }
        put(&alice, "alice", "/Work/blank ", "its name ends with a blank").await;
        put(&alice, "alice", "/Work/large.bin", &"large".repeat(300_000)).await;
        let (id, state) = world.complete(request(serde_json::json!({"verify": verify}))).await;
        let receipt = world.transfers(None).receipt("demo", id).await.expect("a receipt");
        assert_eq!(state, State::Done, "{receipt:#?}");
        let check = receipt.items[0].check.as_ref().expect("a check");
        assert_eq!(check.over, said);
        let blank = nextcloud::files("bob").and_then(|top| top.walk("/From alice/Work/blank "));
        let blank = text(&there(&other), &blank.expect("a path")).await;
        assert_eq!(blank, "its name ends with a blank");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_there_meanwhile_is_not_written_over() {
    let (world, other) = World::bare().await.with_another().await;
    put(&world.dav("alice"), "alice", "/note.txt", "alice's").await;
    let bob = there(&other);
    let wanted = request(serde_json::json!({
        "destination": "/", "selection": {"include": ["/note.txt"]}
    }));
    let transfers = world.transfers(None);
    let plan = transfers.plan("demo", wanted).await.expect("a plan");
    assert_eq!(plan.items[0].destination, "/note.txt");
    let id = transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer");
    put(&bob, "bob", "/note.txt", "bob's").await;
    assert_eq!(until_over(&transfers, id).await, State::Failed);
    let shown = transfers.show("demo", id).await.expect("a transfer");
    let error = shown.items[0].error.clone().unwrap_or_default();
    assert!(error.contains("is there already"), "{error}");
    let note = nextcloud::files("bob").and_then(|top| top.walk("/note.txt")).expect("a path");
    assert_eq!(text(&bob, &note).await, "bob's");
    // Nor does undoing take it away.
    world.undo(id).await;
    assert_eq!(text(&bob, &note).await, "bob's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_is_heard_within_an_item() {
    const FILES: usize = 2_000;
    let (world, other) = World::bare().await.with_another().await;
    let filled = world.demo.stand_in.fill_folder("alice", "Work", FILES, 20);
    filled.await.expect("files");
    let begun = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&begun);
    let watch: Fault = Arc::new(move |moment| {
        told.fetch_or(moment == "1/files/3/before", Ordering::SeqCst);
        false
    });
    // From the fourth on, each takes its time.
    let slow = Harm::Delay(std::time::Duration::from_secs(1));
    other.stand_in.trouble(Trouble::new("POST", "bulk", slow).skip(3).times(100));
    let transfers = world.transfers(Some(watch));
    let plan = transfers.plan("demo", request(serde_json::json!({}))).await.expect("a plan");
    let id = transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer");
    let canceller = {
        let transfers = Arc::clone(&transfers);
        tokio::spawn(async move {
            while !begun.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            // Not before something was told of it.
            while transfers.show("demo", id).await?.items[0].objects_done == 0 {
                tokio::task::yield_now().await;
            }
            transfers.cancel("demo", id).await
        })
    };
    assert_eq!(until_over(&transfers, id).await, State::Cancelled);
    canceller.await.expect("a task").expect("to be cancelled");
    let shown = transfers.show("demo", id).await.expect("a transfer");
    let item = &shown.items[0];
    assert_eq!(item.state, ItemState::Pending);
    let copied = tree_of(&there(&other)).await.iter().filter(|path| path.ends_with(".txt")).count();
    assert!((300..FILES).contains(&copied), "{copied}");
    assert_eq!(item.objects_done, copied as u64, "what is written down is what is there");
    let events: Vec<_> = transfers.events("demo", id, 0).collect().await;
    let told = events.iter().flatten().filter(|event| event.kind == "step");
    assert!(told.clone().all(|event| event.progress.objects_done <= FILES as u64));
    assert!(told.count() > 0, "progress is told of");
    assert_eq!(world.undo(id).await, State::Undone);
    assert_eq!(tree_of(&there(&other)).await, Vec::<String>::new());
    assert_eq!(tree(&world, "alice", "/Work").await.len(), FILES + 1);
}

async fn tree_of(client: &Client) -> Vec<String> {
    let top = nextcloud::files("bob").expect("a path");
    let mut walk = inventory::walk(client, &top).await.expect("a walk");
    let mut all = Vec::new();
    while let Some(node) = walk.next().await.expect("a node") {
        all.extend(node.path.below(&top).filter(|below| !below.is_empty()));
    }
    all
}
