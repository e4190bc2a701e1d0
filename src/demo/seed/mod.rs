//! The first state: accounts and a group, then sample files, calendars, contacts and shares, as the
//! recordings' instance had them.
//!
//! Accounts are made where they are missing, samples only once (a row in `oc_appconfig` says that
//! they were), so that an existing folder keeps what was done to it. Everything goes through the
//! same code that requests use, in few transactions, to be there in less than a second.

mod files;
mod groupware;
mod scale;

use std::path::Path;
use std::sync::Arc;

use sqlx::SqliteConnection;

use super::db::{self, Db};
use super::http::Fault;
use super::{Account, Error, StandIn, identity, mint};

/// uid, display name, mail.
const ACCOUNTS: [(&str, &str, &str); 5] = [
    ("admin", "admin", ""),
    ("alice", "Alice", "alice@example.org"),
    ("bob", "Bob", "bob@example.org"),
    ("carol", "Carol", ""),
    ("dave", "Dave", ""),
];

/// The accounts as they may be used.
pub(super) fn sample_accounts() -> Vec<Account> {
    let account = |(uid, ..): &(&str, &str, &str)| Account {
        uid: (*uid).to_owned(),
        password: format!("{uid}-ferry"),
        admin: *uid == "admin",
    };
    ACCOUNTS.iter().map(account).collect()
}

/// Makes the accounts; gives the instance's id and secret.
pub(super) async fn accounts(db: &Db, data: &Path) -> Result<(String, String), Error> {
    let known = db::app_config(&db.read, "passeur-demo", "instanceid").await?;
    let mut tx = db.write().await?;
    if known.is_none() {
        let id = format!("oc{}", mint::small_token(10));
        db::set_app_config(&mut tx, "passeur-demo", "instanceid", &id).await?;
        db::set_app_config(&mut tx, "passeur-demo", "secret", &mint::token(48)).await?;
        db::set_app_config(&mut tx, "core", "vendor", "nextcloud").await?;
        for gid in ["admin", "board"] {
            sqlx::query("INSERT INTO oc_groups (gid, displayname) VALUES (?1, ?1)")
                .bind(gid)
                .execute(&mut *tx)
                .await?;
        }
        for ((uid, display, mail), account) in ACCOUNTS.iter().zip(sample_accounts()) {
            make_account(&mut tx, uid, display, &account.password).await?;
            if !mail.is_empty() {
                db::set_preference(&mut tx, uid, "settings", "email", mail).await?;
            }
        }
        for (gid, uid) in [("admin", "admin"), ("board", "alice"), ("board", "bob")] {
            sqlx::query("INSERT INTO oc_group_user (gid, uid) VALUES (?, ?)")
                .bind(gid)
                .bind(uid)
                .execute(&mut *tx)
                .await?;
        }
    }
    tx.commit().await?;
    let uids: Vec<(String,)> =
        sqlx::query_as("SELECT uid FROM oc_users").fetch_all(&db.read).await?;
    for (uid,) in uids {
        for folder in ["files", "uploads"] {
            let folder = data.join(&uid).join(folder);
            std::fs::create_dir_all(&folder).map_err(|e| Error::Data(folder, e))?;
        }
    }
    let id = db::app_config(&db.read, "passeur-demo", "instanceid").await?.unwrap_or_default();
    let secret = db::app_config(&db.read, "passeur-demo", "secret").await?.unwrap_or_default();
    Ok((id, secret))
}

/// Makes an account, with an empty home.
pub(super) async fn make_account(
    db: &mut SqliteConnection,
    uid: &str,
    display: &str,
    password: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oc_users (uid, displayname, password, uid_lower) VALUES (?1, ?2, ?3, lower(?1))",
    )
    .bind(uid)
    .bind(display)
    .bind(identity::password_hash(password))
    .execute(&mut *db)
    .await?;
    let data = serde_json::json!({ "displayname": { "value": display, "scope": "v2-federated",
        "verified": "0" } });
    sqlx::query("INSERT INTO oc_accounts (uid, data) VALUES (?, ?)")
        .bind(uid)
        .bind(data.to_string())
        .execute(&mut *db)
        .await?;
    make_home(db, uid).await
}

/// The rows of an empty home.
async fn make_home(db: &mut SqliteConnection, uid: &str) -> Result<(), sqlx::Error> {
    let storage = sqlx::query("INSERT INTO oc_storages (id, available) VALUES ('home::' || ?, 1)")
        .bind(uid)
        .execute(&mut *db)
        .await?
        .last_insert_rowid();
    let part = super::files::change::mime_id(db, "httpd").await?;
    let mime = super::files::change::mime_id(db, super::files::tree::FOLDER).await?;
    let mut parent = -1;
    let mut root = 0;
    for (path, permissions) in [("", 23), ("files", 31)] {
        parent = sqlx::query(
            "INSERT INTO oc_filecache (storage, path, path_hash, parent, name, mimetype, mimepart,
               size, mtime, storage_mtime, etag, permissions, checksum)
             VALUES (?1, ?2, ?3, ?4, ?2, ?5, ?6, 0, ?7, ?7, ?8, ?9, '')",
        )
        .bind(storage)
        .bind(path)
        .bind(mint::md5_hex(path.as_bytes()))
        .bind(parent)
        .bind(mime)
        .bind(part)
        .bind(mint::now())
        .bind(&mint::etag()[..13])
        .bind(permissions)
        .execute(&mut *db)
        .await?
        .last_insert_rowid();
        if root == 0 {
            root = parent;
        }
    }
    let point = format!("/{uid}/");
    sqlx::query(
        "INSERT INTO oc_mounts (storage_id, root_id, user_id, mount_point, mount_provider_class,
           mount_point_hash) VALUES (?, ?, ?, ?, 'OC\\Files\\Mount\\LocalHomeMountProvider', ?)",
    )
    .bind(storage)
    .bind(root)
    .bind(uid)
    .bind(&point)
    .bind(mint::md5_hex(point.as_bytes()))
    .execute(db)
    .await?;
    Ok(())
}

/// Fills the accounts, once.
pub(super) async fn samples(stand: &Arc<StandIn>) -> Result<(), Error> {
    if db::app_config(&stand.db.read, "passeur-demo", "samples").await?.is_some() {
        return Ok(());
    }
    fill(stand).await.map_err(|e| Error::Seed(Box::new(e)))
}

async fn fill(stand: &Arc<StandIn>) -> Result<(), Fault> {
    let mut tx = stand.db.write().await?;
    files::fill(stand, &mut tx).await?;
    groupware::fill(stand, &mut tx).await?;
    super::ocs::apps::fill(&mut tx).await?;
    db::set_app_config(&mut tx, "passeur-demo", "samples", "1").await?;
    Ok(tx.commit().await?)
}
