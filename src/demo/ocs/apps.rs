//! Things of other apps, as far as handing them over goes: Deck's boards, tables, forms, polls, and
//! what is only counted, conversations and teams. Each has a title and an owner, in the table and
//! the columns that its app has for them; nothing else of these apps is here.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::{Outcome, Refusal};
use crate::demo::StandIn;
use crate::demo::http::{self as answer, Ask, Fault, Reply};
use crate::demo::identity::Identity;

/// A kind of thing: its table, the columns of its title and its owner.
type Kind = (&'static str, &'static str, &'static str);

const BOARDS: Kind = ("oc_deck_boards", "title", "owner");
const TABLES: Kind = ("oc_tables_tables", "title", "ownership");
const FORMS: Kind = ("oc_forms_v2_forms", "title", "owner_id");
const POLLS: Kind = ("oc_polls_polls", "title", "owner");
const ROOMS: Kind = ("oc_talk_rooms", "name", "owner");
const TEAMS: Kind = ("oc_circles_circle", "display_name", "owner");

/// What the sample accounts have.
pub(in crate::demo) async fn fill(db: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
    for ((table, title, owner), text) in [
        (BOARDS, "Summer fête"),
        (TABLES, "Members"),
        (FORMS, "Who brings what?"),
        (POLLS, "When do we meet?"),
        (ROOMS, "Committee"),
        (TEAMS, "Gardeners"),
    ] {
        let sql = format!("INSERT INTO {table} ({title}, {owner}) VALUES (?, 'alice')");
        sqlx::query(AssertSqlSafe(sql)).bind(text).execute(&mut *db).await?;
    }
    Ok(())
}

/// Deck, which is no part of OCS; `rest` is what follows `apps/deck/`.
pub(in crate::demo) async fn deck(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &str,
) -> Result<Reply, Fault> {
    let parts: Vec<&str> = rest.split('/').collect();
    match (ask.method(), parts.as_slice()) {
        ("GET", ["api", "v1.0", "boards"]) => {
            let all = own(stand, BOARDS, &who.uid).await?;
            let board = |(id, title): (i64, String)| {
                let owner = json!({ "primaryKey": who.uid, "uid": who.uid, "type": 0 });
                json!({ "id": id, "title": title, "owner": owner })
            };
            let all: Vec<Value> = all.into_iter().map(board).collect();
            Ok(answer::json(StatusCode::OK, &all.into()))
        }
        ("PUT", ["boards", id, "transferOwner"]) => {
            let to = ask.fields().await?.get("newOwner").unwrap_or_default().to_owned();
            match give(stand, BOARDS, id, Some(&who.uid), &to).await? {
                true => Ok(answer::json(StatusCode::OK, &json!({ "newOwner": to }))),
                false => Err(Fault::FORBIDDEN),
            }
        }
        _ => Err(Fault::NOT_FOUND),
    }
}

/// The other apps; `rest` is what follows `apps/`.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    who: &Identity,
    rest: &[&str],
) -> Outcome {
    let uid = who.uid.as_str();
    match (ask.method(), rest) {
        ("GET", ["tables", "api", "2", "tables"]) => {
            list(stand, TABLES, uid, |id, title| {
                json!({ "id": id, "title": title, "ownership": uid, "isShared": false })
            })
            .await
        }
        ("GET", ["tables", "api", "2", "contexts"]) => Ok(json!([])),
        ("PUT", ["tables", "api", "2", "tables", id, "transfer"]) => {
            let to = ask.fields().await?.get("newOwnerUserId").unwrap_or_default().to_owned();
            given(give(stand, TABLES, id, Some(uid), &to).await?, &to)
        }
        ("GET", ["forms", "api", "v3", "forms"]) => {
            list(stand, FORMS, uid, |id, title| json!({ "id": id, "title": title })).await
        }
        ("PATCH", ["forms", "api", "v3", "forms", id]) => {
            let fields = ask.fields().await?;
            let to = fields.get("keyValuePairs[ownerId]").ok_or(Refusal::With(403, ""))?;
            given(give(stand, FORMS, id, Some(uid), to).await?, to)
        }
        ("GET", ["polls", "api", "v1.0", "polls"]) => {
            let polls = list(stand, POLLS, uid, |id, title| {
                json!({ "id": id, "title": title, "owner": { "id": uid, "userId": uid } })
            });
            Ok(json!({ "polls": polls.await? }))
        }
        ("PUT", ["polls", "api", "v1.0", "poll", id, "transfer", to]) if who.admin => {
            given(give(stand, POLLS, id, None, to).await?, to)
        }
        ("PUT", ["polls", ..]) => Err(Refusal::With(403, "")),
        ("GET", ["spreed", "api", "v4", "room"]) => {
            list(stand, ROOMS, uid, |id, title| {
                json!({ "id": id, "token": format!("room{id}"), "displayName": title, "type": 2,
                    "participantType": 1 })
            })
            .await
        }
        ("GET", ["circles", "circles"]) => {
            list(stand, TEAMS, uid, |id, title| {
                json!({ "id": id.to_string(), "displayName": title, "owner": { "userId": uid } })
            })
            .await
        }
        _ => Err(Refusal::With(404, "Invalid query, please check the syntax.")),
    }
}

fn given(done: bool, to: &str) -> Outcome {
    if done { Ok(json!(to)) } else { Err(Refusal::With(403, "")) }
}

async fn list(
    stand: &StandIn,
    kind: Kind,
    uid: &str,
    one: impl Fn(i64, String) -> Value,
) -> Outcome {
    let all = own(stand, kind, uid).await?;
    Ok(all.into_iter().map(|(id, title)| one(id, title)).collect())
}

async fn own(
    stand: &StandIn,
    (table, title, owner): Kind,
    uid: &str,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let sql = format!("SELECT id, {title} FROM {table} WHERE {owner} = ? ORDER BY id");
    sqlx::query_as(AssertSqlSafe(sql)).bind(uid).fetch_all(&stand.db.read).await
}

/// Whether there was such a thing, of `from` if that is said, and such an account.
async fn give(
    stand: &StandIn,
    (table, _, owner): Kind,
    id: &str,
    from: Option<&str>,
    to: &str,
) -> Result<bool, Fault> {
    let sql = format!(
        "UPDATE {table} SET {owner} = ?1 WHERE id = ?2 AND (?3 IS NULL OR {owner} = ?3) \
         AND EXISTS (SELECT 1 FROM oc_users WHERE uid = ?1)"
    );
    let id: i64 = id.parse().map_err(|_| Fault::NOT_FOUND)?;
    let mut tx = stand.db.write().await?;
    let done =
        sqlx::query(AssertSqlSafe(sql)).bind(to).bind(id).bind(from).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}
