//! `apps/user_status`: what people say of themselves, and who sees it: everybody who is signed in.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, Refusal};
use crate::demo::http::Ask;
use crate::demo::identity::Identity;
use crate::demo::{StandIn, mint};

const KINDS: [&str; 6] = ["online", "away", "dnd", "busy", "invisible", "offline"];

type Row = (String, String, bool, Option<String>, Option<String>);

/// What is below `apps/user_status/api/v1/`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &[&str],
) -> Outcome {
    match (ask.method(), rest) {
        ("GET", ["user_status"]) => {
            let found = find(stand, Some(&who.uid)).await?;
            let row = found.first().ok_or(Refusal::With(404, "No status for the current user"))?;
            Ok(show(row, true))
        }
        ("PUT", ["user_status", "status"]) => {
            let fields = ask.fields().await?;
            let kind = fields.get("statusType").unwrap_or_default();
            if !KINDS.contains(&kind) {
                return Err(Refusal::With(400, "Invalid status type"));
            }
            set(stand, who, Some(kind), None).await
        }
        ("PUT", ["user_status", "message", "custom"]) => {
            let fields = ask.fields().await?;
            let message = fields.get("message").unwrap_or_default().to_owned();
            let icon = fields.get("statusIcon").unwrap_or_default().to_owned();
            set(stand, who, None, Some((message, icon))).await
        }
        ("DELETE", ["user_status", "message"]) => {
            set(stand, who, None, Some(Default::default())).await?;
            Ok(json!([]))
        }
        ("GET", ["statuses"]) => {
            let found = find(stand, None).await?;
            Ok(found.iter().map(|row| show(row, false)).collect())
        }
        ("GET", ["statuses", uid]) => {
            let found = find(stand, Some(uid)).await?;
            let none = Refusal::With(404, "No status for the requested userId");
            found.first().map(|row| show(row, false)).ok_or(none)
        }
        _ => Err(Refusal::NO_METHOD),
    }
}

async fn find(stand: &StandIn, uid: Option<&str>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT user_id, status, is_user_defined, custom_message, custom_icon FROM oc_user_status
         WHERE ?1 IS NULL OR user_id = ?1 ORDER BY status_timestamp DESC LIMIT 200",
    )
    .bind(uid)
    .fetch_all(&stand.db.read)
    .await
}

fn show((uid, status, defined, message, icon): &Row, own: bool) -> Value {
    let hidden = !own && status == "invisible";
    let status = if hidden { "offline" } else { status };
    let mut data = json!({ "userId": uid, "message": message, "icon": icon, "clearAt": null,
        "status": status });
    if own && let Value::Object(fields) = &mut data {
        fields.insert("messageId".into(), Value::Null);
        fields.insert("messageIsPredefined".into(), false.into());
        fields.insert("statusIsUserDefined".into(), (*defined).into());
    }
    data
}

async fn set(
    stand: &StandIn,
    who: &Identity,
    kind: Option<&str>,
    message: Option<(String, String)>,
) -> Outcome {
    let mut tx = stand.db.write().await?;
    sqlx::query(
        "INSERT INTO oc_user_status (user_id, status, status_timestamp, is_user_defined)
         VALUES (?1, coalesce(?2, 'offline'), ?3, 1)
         ON CONFLICT (user_id) DO UPDATE SET status = coalesce(?2, status), status_timestamp = ?3",
    )
    .bind(&who.uid)
    .bind(kind)
    .bind(mint::now())
    .execute(&mut *tx)
    .await?;
    if let Some((message, icon)) = message {
        sqlx::query(
            "UPDATE oc_user_status SET custom_message = nullif(?, ''), custom_icon = nullif(?, '')
             WHERE user_id = ?",
        )
        .bind(message)
        .bind(icon)
        .bind(&who.uid)
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    let found = find(stand, Some(&who.uid)).await?;
    found.first().map(|row| show(row, true)).ok_or(Refusal::NOT_FOUND)
}
