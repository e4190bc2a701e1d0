//! Where a recipient has a received share: renaming and taking off, without touching the share of
//! anybody else. A group share gets a row of its own for that member (type 2).

use sqlx::SqliteConnection;

use super::tree::Mount;
use crate::demo::mint;

/// Puts a received share at another name.
pub(super) async fn put(
    db: &mut SqliteConnection,
    uid: &str,
    mount: &Mount,
    name: &str,
) -> Result<(), sqlx::Error> {
    let target = format!("/{name}");
    for &(share, kind, own) in &mount.shares {
        match (kind, own) {
            (1, None) => override_share(db, uid, share, Some(&target)).await?,
            (_, own) => {
                sqlx::query("UPDATE oc_share SET file_target = ? WHERE id = ?")
                    .bind(&target)
                    .bind(own.unwrap_or(share))
                    .execute(&mut *db)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Takes a received share off.
pub(super) async fn take_off(
    db: &mut SqliteConnection,
    uid: &str,
    mount: &Mount,
) -> Result<(), sqlx::Error> {
    for &(share, kind, own) in &mount.shares {
        match (kind, own) {
            (1, None) => override_share(db, uid, share, None).await?,
            (1, Some(own)) => {
                sqlx::query("UPDATE oc_share SET permissions = 0 WHERE id = ?")
                    .bind(own)
                    .execute(&mut *db)
                    .await?;
            }
            _ => {
                sqlx::query("DELETE FROM oc_share WHERE id = ?")
                    .bind(share)
                    .execute(&mut *db)
                    .await?;
            }
        }
    }
    Ok(())
}

/// A member's own row of a group share: at another name, or taken off.
async fn override_share(
    db: &mut SqliteConnection,
    uid: &str,
    share: i64,
    target: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oc_share (share_type, share_with, uid_owner, uid_initiator, parent, item_type,
           item_source, file_source, file_target, permissions, stime, accepted)
         SELECT 2, ?2, uid_owner, uid_initiator, id, item_type, item_source, file_source,
           coalesce(?3, file_target), CASE WHEN ?3 IS NULL THEN 0 ELSE permissions END, ?4, 1
         FROM oc_share WHERE id = ?1",
    )
    .bind(share)
    .bind(uid)
    .bind(target)
    .bind(mint::now())
    .execute(db)
    .await?;
    Ok(())
}
