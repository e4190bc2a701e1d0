//! `apps/notifications`: what the bell shows, per account, and the messages that admins send.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::{Outcome, Refusal};
use crate::demo::http::Ask;
use crate::demo::identity::Identity;
use crate::demo::{StandIn, mint};

/// A notification, as its app makes it.
#[derive(Clone, Debug, Default)]
pub(in crate::demo) struct Notice<'a> {
    pub(in crate::demo) app: &'a str,
    pub(in crate::demo) user: &'a str,
    /// What it is about: type and id.
    pub(in crate::demo) object: (&'a str, String),
    pub(in crate::demo) subject: String,
    pub(in crate::demo) message: String,
    /// Label, method, whether it is the first choice; all lead to `link`.
    pub(in crate::demo) actions: &'a [(&'a str, &'a str, bool)],
    pub(in crate::demo) link: String,
}

/// Shows somebody a notification; gives its id.
pub(in crate::demo) async fn notify(
    db: &mut SqliteConnection,
    notice: &Notice<'_>,
) -> Result<i64, sqlx::Error> {
    let actions: Value = notice
        .actions
        .iter()
        .map(|(label, method, primary)| {
            json!({ "label": label, "link": notice.link, "type": method, "primary": primary })
        })
        .collect();
    let done = sqlx::query(
        "INSERT INTO oc_notifications (app, user, timestamp, object_type, object_id, subject,
           message, link, actions) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?)",
    )
    .bind(notice.app)
    .bind(notice.user)
    .bind(mint::now())
    .bind(notice.object.0)
    .bind(&notice.object.1)
    .bind(&notice.subject)
    .bind(&notice.message)
    .bind(actions.to_string())
    .execute(db)
    .await?;
    Ok(done.last_insert_rowid())
}

type Row = (i64, String, String, i64, String, String, String, String, String);

/// What is below `apps/notifications/api/VERSION/`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    version: &str,
    rest: &[&str],
) -> Outcome {
    let number = |id: &str| id.parse::<i64>().map_err(|_| Refusal::With(404, ""));
    match (ask.method(), rest) {
        ("GET", ["notifications"]) => {
            let rows = find(stand, &who.uid, None).await?;
            Ok(rows.iter().map(|row| show(ask, row)).collect())
        }
        ("GET", ["notifications", id]) => {
            let rows = find(stand, &who.uid, Some(number(id)?)).await?;
            rows.first().map(|row| show(ask, row)).ok_or(Refusal::With(404, ""))
        }
        ("DELETE", ["notifications", rest @ ..]) if rest.len() < 2 => {
            let id = rest.first().map(|id| number(id)).transpose()?;
            let mut tx = stand.db.write().await?;
            sqlx::query(
                "DELETE FROM oc_notifications WHERE user = ?1 AND (?2 IS NULL OR notification_id = ?2)",
            )
            .bind(&who.uid)
            .bind(id)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(json!([]))
        }
        ("POST", ["admin_notifications", _]) if !who.admin => {
            Err(Refusal::With(403, "Logged in account must be an admin"))
        }
        ("POST", ["admin_notifications", uid]) => send(stand, ask, version, uid).await,
        _ => Err(Refusal::NO_METHOD),
    }
}

async fn find(stand: &StandIn, uid: &str, id: Option<i64>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT notification_id, app, user, timestamp, object_type, object_id, subject, message,
           actions FROM oc_notifications
         WHERE user = ?1 AND (?2 IS NULL OR notification_id = ?2)
         ORDER BY notification_id DESC LIMIT 25",
    )
    .bind(uid)
    .bind(id)
    .fetch_all(&stand.db.read)
    .await
}

fn show(ask: &Ask, row: &Row) -> Value {
    let (id, app, user, time, kind, object, subject, message, actions) = row;
    let actions: Value = serde_json::from_str(actions).unwrap_or_default();
    json!({
        "notification_id": id, "app": app, "user": user, "datetime": mint::iso_date(*time),
        "object_type": kind, "object_id": object, "subject": subject, "message": message,
        "link": "", "subjectRich": subject, "subjectRichParameters": [], "messageRich": message,
        "messageRichParameters": [], "icon": format!("{}/core/img/logo.svg", ask.base),
        "shouldNotify": true, "actions": actions,
    })
}

async fn send(stand: &StandIn, ask: &mut Ask, version: &str, uid: &str) -> Outcome {
    let fields = ask.fields().await?;
    let (short, long) = match version {
        "v1" | "v2" => ("shortMessage", "longMessage"),
        _ => ("subject", "message"),
    };
    let known: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM oc_users WHERE uid = ?")
        .bind(uid)
        .fetch_optional(&stand.db.read)
        .await?;
    if known.is_none() {
        return Err(Refusal::With(404, ""));
    }
    let subject = fields.get(short).unwrap_or_default();
    let message = fields.get(long).unwrap_or_default();
    if subject.is_empty() || subject.len() > 255 || message.len() > 4000 {
        return Err(Refusal::With(400, ""));
    }
    let notice = Notice {
        app: "admin_notifications",
        user: uid,
        object: ("admin_notifications", format!("{:x}", mint::now())),
        subject: subject.to_owned(),
        message: message.to_owned(),
        ..Notice::default()
    };
    let mut tx = stand.db.write().await?;
    let id = notify(&mut tx, &notice).await?;
    tx.commit().await?;
    Ok(if version == "v3" { json!({ "id": id }) } else { json!([]) })
}
