//! `apps/files/api/v1/transferownership`: an account offers a file or folder to another, which accepts
//! and leaves the rest to a background job.
//!
//! As in the original: accepting only queues the job; it moves what it was given into a new folder
//! `Transferred from NAME on DATE` of the recipient, re-owns the shares of all that moved, ends those
//! with the recipient, and leaves versions, favourites and properties behind.

use std::sync::Arc;

use serde_json::json;

use super::{Notice, Outcome, Refusal, notify};
use crate::demo::files::change::Change;
use crate::demo::files::tree::{self, View};
use crate::demo::http::{Ask, Fault};
use crate::demo::identity::Identity;
use crate::demo::{Error, StandIn, mint};

const JOB: &str = "OCA\\Files\\BackgroundJob\\TransferOwnership";

/// An offer: from whom, to whom, which file, what it is called.
type Offer = (String, String, i64, String);

/// What is below `transferownership`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &[&str],
) -> Outcome {
    match (ask.method(), rest) {
        ("POST", []) => offer(stand, ask, who).await,
        ("POST" | "DELETE", [id]) => {
            let id: i64 = id.parse().map_err(|_| Refusal::With(404, ""))?;
            let (_, to, ..) = find(stand, id).await?.ok_or(Refusal::With(404, ""))?;
            if to != who.uid {
                return Err(Refusal::With(403, ""));
            }
            answer(stand, id, ask.method() == "POST").await
        }
        _ => Err(Refusal::NO_METHOD),
    }
}

async fn find(stand: &StandIn, id: i64) -> Result<Option<Offer>, sqlx::Error> {
    sqlx::query_as(
        "SELECT source_user, target_user, file_id, node_name FROM oc_user_transfer_owner WHERE id = ?",
    )
    .bind(id)
    .fetch_optional(&stand.db.read)
    .await
}

async fn offer(stand: &StandIn, ask: &mut Ask, who: &Identity) -> Outcome {
    let fields = ask.fields().await?;
    let to = fields.get("recipient").unwrap_or_default();
    let path = fields.get("path").unwrap_or_default().trim_matches('/');
    let known: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM oc_users WHERE uid = ?")
        .bind(to)
        .fetch_optional(&stand.db.read)
        .await?;
    let view = View::open(&stand.db.read, &who.uid).await?;
    let entry = view.entry(&stand.db.read, path).await?;
    let (Some(_), Some(entry)) = (known, entry) else { return Err(Refusal::With(400, "")) };
    if entry.node.owner != who.uid {
        return Err(Refusal::With(403, ""));
    }
    let mut tx = stand.db.write().await?;
    let id = sqlx::query(
        "INSERT INTO oc_user_transfer_owner (source_user, target_user, file_id, node_name)
         VALUES (?, ?, ?, ?)",
    )
    .bind(&who.uid)
    .bind(to)
    .bind(entry.node.id)
    .bind(&entry.node.name)
    .execute(&mut *tx)
    .await?
    .last_insert_rowid();
    let name = &entry.node.name;
    let notice = Notice {
        app: "files",
        user: to,
        object: ("transfer", id.to_string()),
        subject: format!("Incoming ownership transfer from @{}", who.uid),
        message: format!("Do you want to accept {name}?"),
        actions: &[("Accept", "POST", true), ("Reject", "DELETE", false)],
        link: format!("{}/ocs/v2.php/apps/files/api/v1/transferownership/{id}", ask.base),
    };
    notify(&mut tx, &notice).await?;
    tx.commit().await?;
    Ok(json!([]))
}

async fn answer(stand: &Arc<StandIn>, id: i64, accept: bool) -> Outcome {
    let mut tx = stand.db.write().await?;
    sqlx::query(
        "DELETE FROM oc_notifications WHERE app = 'files' AND object_type = 'transfer' AND object_id = ?",
    )
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    if accept {
        let job = i64::from_be_bytes(mint::random()) >> 1;
        sqlx::query("INSERT INTO oc_jobs (id, class, argument) VALUES (?, ?, ?)")
            .bind(job.saturating_abs())
            .bind(JOB)
            .bind(json!({ "id": id }).to_string())
            .execute(&mut *tx)
            .await?;
    } else {
        sqlx::query("DELETE FROM oc_user_transfer_owner WHERE id = ?")
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    if accept && stand.switches.jobs_at_once() {
        run(stand).await?;
    }
    Ok(json!([]))
}

impl StandIn {
    /// Runs the background jobs that wait, as cron would; gives how many there were.
    ///
    /// # Errors
    ///
    /// The database or the disk failed.
    pub async fn run_jobs(&self) -> Result<usize, Error> {
        run(self).await.map_err(|e| Error::Job(Box::new(e)))
    }
}

async fn run(stand: &StandIn) -> Result<usize, Fault> {
    let jobs: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, argument FROM oc_jobs WHERE class = ? ORDER BY id")
            .bind(JOB)
            .fetch_all(&stand.db.read)
            .await?;
    for (job, argument) in &jobs {
        let argument: serde_json::Value = serde_json::from_str(argument).unwrap_or_default();
        let id = argument["id"].as_i64().unwrap_or(0);
        if let Some(offer) = find(stand, id).await? {
            let done = hand_over(stand, &offer).await;
            if let Err(error) = &done {
                tracing::warn!(error = ?error, "stand-in could not transfer");
            }
            close(stand, id, &offer, done.is_ok()).await?;
        }
        let mut tx = stand.db.write().await?;
        sqlx::query("DELETE FROM oc_jobs WHERE id = ?").bind(job).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(jobs.len())
}

/// Tells both, and forgets the offer.
async fn close(stand: &StandIn, id: i64, offer: &Offer, done: bool) -> Result<(), Fault> {
    let (from, to, _, name) = offer;
    let mut tx = stand.db.write().await?;
    for (user, other) in [(from, to), (to, from)] {
        let subject = match (done, user == from) {
            (true, true) => format!("Your transfer of {name} to @{other} is complete"),
            (true, false) => format!("The transfer of {name} from @{other} is complete"),
            (false, true) => format!("Your transfer of {name} to @{other} failed"),
            (false, false) => format!("The transfer of {name} from @{other} failed"),
        };
        let object = ("transfer", id.to_string());
        notify(&mut tx, &Notice { app: "files", user, object, subject, ..Notice::default() })
            .await?;
    }
    sqlx::query("DELETE FROM oc_user_transfer_owner WHERE id = ?")
        .bind(id)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// What the core's service does.
async fn hand_over(stand: &StandIn, (from, to, file, _): &Offer) -> Result<(), Fault> {
    let node = tree::node_by_id(&stand.db.read, *file).await?.ok_or(Fault::NOT_FOUND)?;
    if from == to || node.owner != *from {
        return Err(Fault::FORBIDDEN);
    }
    let size = u64::try_from(node.size).unwrap_or(0);
    let room = crate::demo::files::quota::room(stand, to).await?;
    if room.is_some_and(|room| size > room) {
        return Err(Fault::Refused(http::StatusCode::INSUFFICIENT_STORAGE, "Insufficient space"));
    }
    let moved = if node.path == "files" {
        tree::nodes_in(&stand.db.read, node.id).await?
    } else {
        vec![node]
    };
    let display: Option<(String,)> =
        sqlx::query_as("SELECT coalesce(displayname, uid) FROM oc_users WHERE uid = ?")
            .bind(from)
            .fetch_optional(&stand.db.read)
            .await?;
    let name = display.map_or_else(|| from.clone(), |(name,)| name);
    let clean = name.replace(['\\', '/', ':', '.', '?', '#', '\'', '"'], "-");
    let when = mint::iso_date(mint::now()).replace('T', " ").replace(':', "-");
    let when = when.get(..19).unwrap_or_default();
    let mut tx = stand.db.write().await?;
    let mut change = Change { db: &mut tx, data: &stand.data };
    let path = format!("files/Transferred from {clean} on {when}");
    // Two in the same second share it.
    let folder = match tree::node_at(&mut *change.db, to, &path).await? {
        Some(folder) => folder,
        None => change.make_folder(to, &path).await?,
    };
    for node in &moved {
        change.relocate(node, to, &format!("{}/{}", folder.path, node.name)).await?;
    }
    for node in &moved {
        change.leave_versions(node.id).await?;
    }
    for sql in [
        "DELETE FROM oc_share WHERE share_type = 0 AND share_with = ?2 AND uid_owner = ?1
           AND file_source IN (SELECT f.fileid FROM oc_filecache f JOIN oc_storages s
             ON s.numeric_id = f.storage WHERE s.id = 'home::' || ?2 AND f.path > ?3 || '/'
             AND f.path < ?3 || '0')",
        "UPDATE oc_share SET uid_initiator = ?2 WHERE uid_initiator = ?1 AND uid_owner = ?1
           AND file_source IN (SELECT f.fileid FROM oc_filecache f JOIN oc_storages s
             ON s.numeric_id = f.storage WHERE s.id = 'home::' || ?2 AND f.path > ?3 || '/'
             AND f.path < ?3 || '0')",
        "UPDATE oc_share SET uid_owner = ?2 WHERE uid_owner = ?1
           AND file_source IN (SELECT f.fileid FROM oc_filecache f JOIN oc_storages s
             ON s.numeric_id = f.storage WHERE s.id = 'home::' || ?2 AND f.path > ?3 || '/'
             AND f.path < ?3 || '0')",
    ] {
        sqlx::query(sql).bind(from).bind(to).bind(&folder.path).execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}
