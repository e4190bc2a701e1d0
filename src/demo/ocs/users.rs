//! `cloud/user`, `cloud/users`, `cloud/groups`: who there is, for themselves and for admins.
//!
//! What changes accounts asks for the account's own password, as the original's password
//! confirmation does: app passwords and external apps are refused.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Row as _;

use super::{Outcome, Refusal};
use crate::demo::files::quota;
use crate::demo::http::Ask;
use crate::demo::identity::{self, Identity, Means};
use crate::demo::{StandIn, db, seed};

/// `cloud/user`.
pub(super) async fn own(stand: &StandIn, who: &Identity) -> Outcome {
    details(stand, &who.uid, who.admin).await
}

/// What is below `cloud/`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &[&str],
) -> Outcome {
    match (ask.method(), rest) {
        ("GET", ["users", uid])
            if *uid != "details"
                && (who.admin || *uid == who.uid || leads(stand, &who.uid, uid).await?) =>
        {
            details(stand, uid, who.admin).await
        }
        ("GET", ["users", uid]) if *uid != "details" => Err(Refusal::With(998, "")),
        ("GET", ["users" | "groups"] | ["users", "details"]) if !who.admin => {
            let led = led_by(stand, &who.uid).await?;
            if led.is_empty() {
                let message = "Logged in account must be at least a sub admin";
                return Err(Refusal::With(403, message));
            }
            match rest {
                ["groups"] => Ok(json!({ "groups": led })),
                _ => {
                    let mut found = search(stand, ask).await?;
                    let mut kept = Vec::new();
                    for uid in found.drain(..) {
                        if leads(stand, &who.uid, &uid).await? {
                            kept.push(uid);
                        }
                    }
                    Ok(json!({ "users": kept }))
                }
            }
        }
        ("GET", ["users", uid, "subadmins"]) if who.admin => {
            exists(stand, uid).await?;
            Ok(json!(led_by(stand, uid).await?))
        }
        ("GET", ["users", uid, "groups"]) if who.admin || *uid == who.uid => {
            Ok(json!({ "groups": groups_of(stand, uid).await? }))
        }
        ("PUT", ["users", uid]) if *uid == who.uid || who.admin => {
            confirmed(who)?;
            edit(stand, ask, uid, who.admin).await
        }
        _ if !who.admin => Err(Refusal::With(403, "Logged in account must be an admin")),
        ("GET", ["users"]) => {
            let found = search(stand, ask).await?;
            Ok(json!({ "users": found }))
        }
        ("GET", ["users", "details"]) => {
            let mut all = serde_json::Map::new();
            for uid in search(stand, ask).await? {
                all.insert(uid.clone(), details(stand, &uid, true).await?);
            }
            Ok(json!({ "users": all }))
        }
        ("POST", ["users"]) => {
            confirmed(who)?;
            create(stand, ask).await
        }
        ("POST" | "DELETE", ["users", uid, what @ ("groups" | "subadmins")]) => {
            confirmed(who)?;
            exists(stand, uid).await?;
            let fields = ask.fields().await?;
            let gid = fields.get("groupid").unwrap_or_default();
            let sql = match (ask.method(), *what) {
                ("POST", "groups") => {
                    "INSERT OR IGNORE INTO oc_group_user (gid, uid)
                     SELECT gid, ?2 FROM oc_groups WHERE gid = ?1"
                }
                ("POST", _) => {
                    "INSERT OR IGNORE INTO oc_group_admin (gid, uid)
                     SELECT gid, ?2 FROM oc_groups WHERE gid = ?1"
                }
                (_, "groups") => "DELETE FROM oc_group_user WHERE gid = ?1 AND uid = ?2",
                _ => "DELETE FROM oc_group_admin WHERE gid = ?1 AND uid = ?2",
            };
            let mut tx = stand.db.write().await?;
            sqlx::query(sql).bind(gid).bind(*uid).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(json!([]))
        }
        ("PUT", ["users", uid, what @ ("enable" | "disable")]) => {
            confirmed(who)?;
            if *uid == who.uid || exists(stand, uid).await.is_err() {
                return Err(Refusal::With(101, ""));
            }
            let mut tx = stand.db.write().await?;
            let value = if *what == "enable" { "true" } else { "false" };
            db::set_preference(&mut tx, uid, "core", "enabled", value).await?;
            tx.commit().await?;
            Ok(json!([]))
        }
        ("GET", ["groups"]) => {
            let rows: Vec<(String,)> = sqlx::query_as("SELECT gid FROM oc_groups ORDER BY gid")
                .fetch_all(&stand.db.read)
                .await?;
            Ok(json!({ "groups": rows.into_iter().map(|(gid,)| gid).collect::<Vec<_>>() }))
        }
        ("GET", ["groups", gid] | ["groups", gid, "users"]) => {
            let rows: Vec<(String,)> =
                sqlx::query_as("SELECT uid FROM oc_group_user WHERE gid = ? ORDER BY uid")
                    .bind(*gid)
                    .fetch_all(&stand.db.read)
                    .await?;
            Ok(json!({ "users": rows.into_iter().map(|(uid,)| uid).collect::<Vec<_>>() }))
        }
        _ => Err(Refusal::NO_METHOD),
    }
}

/// `core/getapppassword`: an app password for whoever came with the real one.
pub(super) async fn app_password(stand: &StandIn, ask: &Ask, who: &Identity) -> Outcome {
    if who.means != Means::Password {
        return Err(Refusal::With(
            403,
            "You cannot request an new apppassword with an apppassword",
        ));
    }
    let name = ask.header("user-agent").unwrap_or("client").to_owned();
    let mut tx = stand.db.write().await?;
    let password = identity::make_app_password(&mut tx, &stand.secret, &who.uid, &name).await?;
    tx.commit().await?;
    Ok(json!({ "apppassword": password }))
}

/// `core/apppassword/confirm`: whether it is the account's own password.
pub(super) async fn confirm(stand: &StandIn, ask: &mut Ask, who: &Identity) -> Outcome {
    let fields = ask.fields().await?;
    let password = fields.get("password").unwrap_or_default();
    match identity::by_password(stand, &who.uid, password).await? {
        Some(found) if found.uid == who.uid && found.means == Means::Password => {
            Ok(json!({ "lastLogin": crate::store::now() / 1000 }))
        }
        _ => Err(Refusal::With(403, "")),
    }
}

fn confirmed(who: &Identity) -> Result<(), Refusal> {
    match who.means {
        Means::Password => Ok(()),
        _ => Err(Refusal::With(403, "Password confirmation is required")),
    }
}

async fn search(stand: &StandIn, ask: &Ask) -> Result<Vec<String>, Refusal> {
    let needle = ask.query("search").unwrap_or_default().to_lowercase();
    let number = |name: &str| ask.query(name).and_then(|text| text.parse::<i64>().ok());
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT uid FROM oc_users WHERE instr(uid_lower, ?1) OR instr(lower(displayname), ?1)
         ORDER BY uid LIMIT ?2 OFFSET ?3",
    )
    .bind(needle)
    .bind(number("limit").unwrap_or(-1))
    .bind(number("offset").unwrap_or(0))
    .fetch_all(&stand.db.read)
    .await?;
    Ok(rows.into_iter().map(|(uid,)| uid).collect())
}

async fn exists(stand: &StandIn, uid: &str) -> Result<(), Refusal> {
    let found: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM oc_users WHERE uid = ?")
        .bind(uid)
        .fetch_optional(&stand.db.read)
        .await?;
    found.map(|_| ()).ok_or(Refusal::With(404, "User does not exist"))
}

/// The groups that an account leads as sub-admin.
async fn led_by(stand: &StandIn, uid: &str) -> Result<Vec<String>, Refusal> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT gid FROM oc_group_admin WHERE uid = ? ORDER BY gid")
            .bind(uid)
            .fetch_all(&stand.db.read)
            .await?;
    Ok(rows.into_iter().map(|(gid,)| gid).collect())
}

/// Whether an account is sub-admin of a group of another, which is no admin.
async fn leads(stand: &StandIn, leader: &str, uid: &str) -> Result<bool, Refusal> {
    let found: Option<(i64,)> = sqlx::query_as(
        "SELECT 1 FROM oc_group_admin a JOIN oc_group_user u ON u.gid = a.gid
         WHERE a.uid = ?1 AND u.uid = ?2 AND NOT EXISTS
           (SELECT 1 FROM oc_group_user x WHERE x.uid = ?2 AND x.gid = 'admin')",
    )
    .bind(leader)
    .bind(uid)
    .fetch_optional(&stand.db.read)
    .await?;
    Ok(found.is_some())
}

async fn groups_of(stand: &StandIn, uid: &str) -> Result<Vec<String>, Refusal> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT gid FROM oc_group_user WHERE uid = ? ORDER BY gid")
            .bind(uid)
            .fetch_all(&stand.db.read)
            .await?;
    Ok(rows.into_iter().map(|(gid,)| gid).collect())
}

async fn details(stand: &StandIn, uid: &str, admin: bool) -> Outcome {
    let row = sqlx::query(
        "SELECT coalesce(u.displayname, u.uid) AS display,
           (SELECT configvalue FROM oc_preferences p WHERE p.userid = u.uid AND appid = 'settings'
             AND configkey = 'email') AS mail,
           (SELECT configvalue FROM oc_preferences p WHERE p.userid = u.uid AND appid = 'login'
             AND configkey = 'lastLogin') AS seen,
           (SELECT configvalue FROM oc_preferences p WHERE p.userid = u.uid AND appid = 'login'
             AND configkey = 'firstLogin') AS began,
           (SELECT configvalue FROM oc_preferences p WHERE p.userid = u.uid AND appid = 'core'
             AND configkey = 'enabled') AS enabled
         FROM oc_users u WHERE u.uid = ?",
    )
    .bind(uid)
    .fetch_optional(&stand.db.read)
    .await?;
    let Some(row) = row else { return Err(Refusal::With(404, "User does not exist")) };
    let display: String = row.try_get("display")?;
    let mail: Option<String> = row.try_get("mail")?;
    let number = |column: &str| -> Result<i64, sqlx::Error> {
        let text: Option<String> = row.try_get(column)?;
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    let (seen, began) = (number("seen")?, number("began")?);
    let enabled: Option<String> = row.try_get("enabled")?;
    let (limit, used) = (quota::limit(stand, uid).await?, quota::used(stand, uid).await?);
    let quota = match limit {
        Some(limit) => {
            let free = limit.saturating_sub(used);
            let relative = used.saturating_mul(10_000) / limit.max(1);
            json!({ "free": free, "used": used, "total": limit, "quota": limit,
                "relative": f64::from(u32::try_from(relative).unwrap_or(u32::MAX)) / 100.0 })
        }
        None => json!({ "free": -3, "used": used, "total": -3, "relative": 0, "quota": -3 }),
    };
    let mut data = json!({
        "enabled": enabled.as_deref() != Some("false"), "id": uid,
        "firstLoginTimestamp": began, "lastLoginTimestamp": seen, "lastLogin": seen * 1000,
        "backend": "Database", "subadmin": led_by(stand, uid).await?, "quota": quota, "manager": "", "email": mail,
        "additional_mail": [], "displayname": display, "display-name": display, "phone": "",
        "address": "", "website": "", "twitter": "", "organisation": "", "role": "",
        "headline": "", "biography": "", "profile_enabled": "1",
        "groups": groups_of(stand, uid).await?, "language": "en", "locale": "",
        "notify_email": null,
        "backendCapabilities": { "setDisplayName": true, "setPassword": true },
    });
    if admin && let Value::Object(fields) = &mut data {
        let folder = stand.data.join(uid).to_string_lossy().into_owned();
        fields.insert("storageLocation".into(), folder.into());
    }
    Ok(data)
}

async fn create(stand: &Arc<StandIn>, ask: &mut Ask) -> Outcome {
    let fields = ask.fields().await?;
    let uid = fields.get("userid").unwrap_or_default().to_owned();
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"_.@-".contains(&b);
    if uid.is_empty() || uid.len() > 64 || uid.starts_with('.') || !uid.bytes().all(fine) {
        return Err(Refusal::With(101, "Invalid account name"));
    }
    if exists(stand, &uid).await.is_ok() {
        return Err(Refusal::With(102, "User already exists"));
    }
    let display = fields.get("displayName").filter(|d| !d.is_empty()).unwrap_or(&uid).to_owned();
    let password = fields.get("password").unwrap_or_default().to_owned();
    for folder in ["files", "uploads"] {
        let folder = stand.data.join(&uid).join(folder);
        tokio::fs::create_dir_all(folder).await.map_err(crate::demo::http::Fault::from)?;
    }
    let mut tx = stand.db.write().await?;
    seed::make_account(&mut tx, &uid, &display, &password).await?;
    tx.commit().await?;
    Ok(json!({ "id": uid }))
}

async fn edit(stand: &StandIn, ask: &mut Ask, uid: &str, admin: bool) -> Outcome {
    exists(stand, uid).await?;
    let fields = ask.fields().await?;
    let (key, value) = (fields.get("key").unwrap_or_default(), fields.get("value"));
    let value = value.unwrap_or_default();
    let mut tx = stand.db.write().await?;
    match key {
        "quota" if admin => {
            if value != "none" && quota::parse(value).is_none() {
                return Err(Refusal::With(101, "Invalid quota value"));
            }
            db::set_preference(&mut tx, uid, "files", "quota", value).await?;
        }
        "email" => db::set_preference(&mut tx, uid, "settings", "email", value).await?,
        "display" | "displayname" | "password" => {
            let (sql, value) = if key == "password" {
                ("UPDATE oc_users SET password = ? WHERE uid = ?", identity::password_hash(value))
            } else {
                ("UPDATE oc_users SET displayname = ? WHERE uid = ?", value.to_owned())
            };
            sqlx::query(sql).bind(value).bind(uid).execute(&mut *tx).await?;
        }
        _ => return Err(Refusal::With(113, "this field cannot be edited")),
    }
    tx.commit().await?;
    Ok(json!([]))
}
