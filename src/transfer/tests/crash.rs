//! Dying: at every moment of every engine, and of undoing, another worker ends where an
//! undisturbed one does.
//!
//! Every case is a copy of one small world, so that ids and entity tags can be compared. A step has
//! six moments: every fifth one of all is tried, so that each step and each kind of moment is among
//! them; `PASSEUR_EVERY_MOMENT=1` tries all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;

use super::hand_over::{link, to, tree};
use super::world::{self, Running, World, calendar, put};
use crate::nextcloud::ocs::{NewShare, ShareType};
use crate::nextcloud::{self, inventory};
use crate::transfer::Fault;
use crate::transfer::model::{Id, Request, State};

/// Cases at a time.
const AT_ONCE: usize = 12;

/// What can be seen of the accounts.
type Seen = Vec<String>;

async fn small() -> World {
    let world = World::bare().await;
    let alice = world.dav("alice");
    put(&alice, "alice", "/Work/inner/a b.txt", "a").await;
    put(&alice, "alice", "/Work/é%.txt", "b").await;
    let star = nextcloud::files("alice").and_then(|top| top.walk("/Work/é%.txt")).expect("a path");
    let set = crate::dav::client::Change::Set(nextcloud::properties::FAVORITE, "1".to_owned());
    alice.proppatch(&star, &[set]).await.expect("a favourite");
    calendar(&alice, "alice", "club", 3).await;
    put(&world.dav("carol"), "carol", "/Carol's/c.txt", "c").await;
    let incoming = to("/Carol's", "alice");
    world.acting("carol").ocs().create_share(&incoming).await.expect("a share");
    let ocs = world.acting("alice").ocs();
    let group = NewShare { share_type: ShareType::Group, ..to("/Work", "board") };
    for share in [link("/Work"), group, to("/Work/inner", "carol"), to("/Work/inner", "bob")] {
        ocs.create_share(&share).await.expect("a share");
    }
    world
}

/// `other`: only the outcome of a copy is compared, which has ids of its own.
async fn see(world: &World, other: Option<&Running>) -> Seen {
    let mut seen = Seen::new();
    for uid in ["alice", "bob", "carol"] {
        let acting = match other {
            Some(other) => other.instance.acting(uid, &world::app()),
            None => world.acting(uid),
        };
        let dav = acting.dav();
        match other {
            None => {
                seen.extend(tree(world, uid, "").await.into_iter().map(|l| format!("{uid} {l}")))
            }
            Some(_) => {
                let top = nextcloud::files(uid).expect("a path");
                let mut walk = inventory::walk(&dav, &top).await.expect("a walk");
                while let Some(node) = walk.next().await.expect("a node") {
                    let size = if node.is_folder { 0 } else { node.size };
                    seen.push(format!("{uid} {} {size} {}", node.path, node.favorite));
                }
            }
        }
        if other.is_none() {
            let shares = world::shares(world, uid).await;
            seen.extend(shares.into_iter().map(|share| format!("{uid} shares {share}")));
        }
        for one in inventory::calendars(&dav, uid).await.expect("calendars") {
            let invited: Vec<String> =
                one.invitees.iter().map(|i| format!("{} {}", i.principal, i.may_write)).collect();
            seen.push(format!("{uid} {} {} {invited:?} {}", one.uri, one.name, one.link.is_some()));
            let (count, _) = inventory::count(&dav, &one.path).await.expect("a count");
            seen.push(format!("{uid} {} has {count}", one.uri));
        }
    }
    seen.sort();
    seen
}

/// Counts the moments, and dies at one of them.
fn dies(at: usize) -> (Fault, Arc<AtomicUsize>, Arc<std::sync::Mutex<String>>) {
    let (passed, name) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let (count, told): (_, Arc<std::sync::Mutex<String>>) =
        (Arc::clone(&passed), Arc::clone(&name));
    let fault: Fault = Arc::new(move |moment| {
        let dies = count.fetch_add(1, Ordering::SeqCst) == at;
        if dies {
            moment.clone_into(&mut told.lock().expect("a lock"));
        }
        dies
    });
    (fault, passed, name)
}

struct Setting {
    request: serde_json::Value,
    database: bool,
    elsewhere: bool,
}

/// A world in which a transfer was started.
async fn started(from: &World, setting: &Setting) -> (World, Option<Running>, Id) {
    let mut world = from.copy().await;
    let mut other = None;
    if setting.elsewhere {
        let (with, running) = world.with_another().await;
        (world, other) = (with, Some(running));
    }
    if setting.database {
        world = world.with_database().await;
    }
    let request: Request = serde_json::from_value(setting.request.clone()).expect("a request");
    // As an instance whose cron runs at the right moment.
    world.demo.stand_in.set_jobs_at_once(true);
    let transfers = world.transfers(None);
    let plan = transfers.plan("demo", request).await.expect("a plan");
    assert_eq!(plan.blocking, []);
    let id = transfers.start("demo", &plan.hash, None, "test").await.expect("a transfer");
    (world, other, id)
}

async fn ends(world: &World, id: Id, wanted: State, case: &str) {
    let transfers = world.transfers(None);
    let shown = transfers.show("demo", id).await.expect("a transfer");
    let errors: Vec<_> = shown.items.iter().filter_map(|item| item.error.clone()).collect();
    assert_eq!(shown.summary.state, wanted, "{case}: {:?} {errors:?}", shown.summary.note);
}

/// Dies at moment `at` of the work, then at moment `undo_at` of the undoing; says how many there are.
async fn one(
    from: &World,
    setting: &Setting,
    (at, undo_at): (usize, usize),
    wanted: Option<&(Seen, Seen)>,
) -> ((usize, usize), (Seen, Seen)) {
    let (world, other, id) = started(from, setting).await;
    let (fault, passed, name) = dies(at);
    world.work(Some(fault)).await;
    let case = format!("dies at {at} ({})", name.lock().expect("a lock"));
    if at != usize::MAX && !name.lock().expect("a lock").is_empty() {
        world.work(None).await;
    }
    ends(&world, id, State::Done, &case).await;
    let after = see(&world, other.as_ref()).await;
    if let Some((undisturbed, _)) = wanted {
        assert_eq!(&after, undisturbed, "{case}");
    }
    world.transfers(None).undo("demo", id).await.expect("to be undone");
    let (fault, undo_passed, name) = dies(undo_at);
    world.work(Some(fault)).await;
    let case = format!("{case}, then at {undo_at} ({})", name.lock().expect("a lock"));
    if !name.lock().expect("a lock").is_empty() {
        world.work(None).await;
    }
    ends(&world, id, State::Undone, &case).await;
    let undone = see(&world, other.as_ref()).await;
    if let Some((_, before)) = wanted {
        assert_eq!(&undone, before, "{case}");
    }
    let mails = world.demo.stand_in.mails().len();
    assert_eq!(mails, 0, "{case}: no mail, ever");
    let moments = (passed.load(Ordering::SeqCst), undo_passed.load(Ordering::SeqCst));
    (moments, (after, undone))
}

/// Every moment of the work and every moment of the undoing, each once.
async fn everywhere(setting: Setting) {
    let from = small().await;
    let before = {
        let (world, other, _) = started(&from, &setting).await;
        see(&world, other.as_ref()).await
    };
    let never = (usize::MAX, usize::MAX);
    let ((work, undo), (after, undone)) = one(&from, &setting, never, None).await;
    assert!(work > 20 && undo > 5, "{work} and {undo} moments");
    assert_eq!(undone, before, "undoing brings everything back");
    assert_ne!(after, before);
    let wanted = (after, before);
    let stride = if std::env::var_os("PASSEUR_EVERY_MOMENT").is_some() { 1 } else { 5 };
    let cases =
        (0..work.max(undo)).step_by(stride).map(|at| one(&from, &setting, (at, at), Some(&wanted)));
    futures_util::stream::iter(cases).buffer_unordered(AT_ONCE).for_each(async |_| {}).await;
}

fn request(more: serde_json::Value) -> serde_json::Value {
    let mut request = serde_json::json!({
        "source": "alice", "recipient": "bob", "destination": "/From alice",
        "selection": {"include": ["/Work"], "calendars": ["club"]}, "conflict": "merge"
    });
    if let (Some(all), serde_json::Value::Object(more)) = (request.as_object_mut(), more) {
        all.extend(more);
    }
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_survive_death_at_every_moment() {
    let more = serde_json::json!({"meetings": "rehome", "incoming": "reshare"});
    everywhere(Setting { request: request(more), database: false, elsewhere: false }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rewriting_survives_death_at_every_moment() {
    let request = request(serde_json::json!({}));
    everywhere(Setting { request, database: true, elsewhere: false }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streaming_survives_death_at_every_moment() {
    let request = request(serde_json::json!({"target": {"url": "other"}}));
    everywhere(Setting { request, database: false, elsewhere: true }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_transfer_of_the_instance_survives_death_at_every_moment() {
    let request = request(serde_json::json!({"engine": "native"}));
    everywhere(Setting { request, database: false, elsewhere: false }).await;
}
