//! What the core does to shares when a file passes from one home to another by a MOVE through a
//! share: its `Updater`, with its gaps.
//!
//! It looks at the mover's own shares of what moved, first those with people, then those with groups,
//! by age. Each gets the new owner and no more rights than the share it went into; one that may not
//! be shared on is deleted. What it cannot do ends it: a share with the new owner (the MOVE still
//! succeeds), or a new owner who also has the file through a share without the right to pass it on
//! (the MOVE answers 500, though the file has moved). Shares of what lies below, links, and shares
//! that others made keep the old owner: that is what a hand-over has to repair.

use sqlx::SqliteConnection;

use super::tree::{Mount, Node, View, is_below, right};

/// A share of the mover: id, type, with whom, rights.
type Own = (i64, i64, String, i64);

/// Adjusts the shares of `node`, which `mover` has just moved from where `node` still says it is.
/// `into` is the share that it went into, if any; `view` is the new owner's tree before the move.
/// Gives the complaint that the MOVE is answered with, if there is one.
pub(super) async fn adjust(
    db: &mut SqliteConnection,
    mover: &str,
    node: &Node,
    into: Option<&Mount>,
    view: &View,
) -> Result<Option<String>, sqlx::Error> {
    let shares: Vec<Own> = sqlx::query_as(
        "SELECT id, share_type, coalesce(share_with, ''), permissions FROM oc_share
         WHERE file_source = ? AND uid_initiator = ? AND share_type IN (0, 1) ORDER BY share_type, id",
    )
    .bind(node.id)
    .bind(mover)
    .fetch_all(&mut *db)
    .await?;
    let owner = into.map_or(mover, |mount| mount.root.owner.as_str());
    for (id, kind, with, permissions) in shares {
        let most = into.map_or(right::ALL, |mount| mount.rights);
        if most & right::SHARE == 0 {
            sqlx::query("DELETE FROM oc_share WHERE id = ?1 OR parent = ?1")
                .bind(id)
                .execute(&mut *db)
                .await?;
            continue;
        }
        if kind == 0 && with == owner {
            return Ok(None);
        }
        if into.is_some() && !may_pass_on(view, node) {
            return Ok(Some(format!("You are not allowed to share {}", node.name)));
        }
        sqlx::query("UPDATE oc_share SET uid_owner = ?, permissions = ? WHERE id = ?")
            .bind(owner)
            .bind(permissions & most)
            .bind(id)
            .execute(&mut *db)
            .await?;
        sqlx::query("UPDATE oc_share SET uid_owner = ? WHERE parent = ? AND share_type = 2")
            .bind(owner)
            .bind(id)
            .execute(&mut *db)
            .await?;
    }
    Ok(None)
}

/// Whether the account has the node through no share that forbids to pass it on.
fn may_pass_on(view: &View, node: &Node) -> bool {
    let covers = |mount: &&Mount| {
        mount.root.storage == node.storage
            && (mount.root.path == node.path || is_below(&node.path, &mount.root.path))
    };
    view.mounts.iter().filter(covers).all(|mount| !mount.broken && mount.rights & right::SHARE != 0)
}

/// What the core does when a share ends: whoever passed the file on, and cannot reach it any more, is
/// replaced by the one who had shared it with them, where the rows still name the file's owner. As
/// with [`adjust`], a second way to the file, broken or without the right to pass it on, prevents it.
pub(in crate::demo) async fn promote(
    db: &mut SqliteConnection,
    node: &Node,
    lost: &[String],
    sharer: &View,
) -> Result<(), sqlx::Error> {
    for uid in lost {
        let shares: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT id, file_source FROM oc_share WHERE uid_initiator = ?1 AND uid_owner = ?2
             AND share_type IN (0, 1, 3, 4, 6) AND file_source IN (SELECT fileid FROM oc_filecache
               WHERE storage = ?3 AND (path = ?4 OR path > ?4 || '/' AND path < ?4 || '0'))",
        )
        .bind(uid)
        .bind(&node.owner)
        .bind(node.storage)
        .bind(&node.path)
        .fetch_all(&mut *db)
        .await?;
        for (id, file) in shares {
            let shared = super::tree::node_by_id(&mut *db, file).await?;
            if shared.is_some_and(|shared| may_pass_on(sharer, &shared)) {
                sqlx::query("UPDATE oc_share SET uid_initiator = ?1 WHERE id = ?2 OR parent = ?2")
                    .bind(&sharer.uid)
                    .bind(id)
                    .execute(&mut *db)
                    .await?;
            }
        }
    }
    Ok(())
}
