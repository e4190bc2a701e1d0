//! Tokens for the host's door.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Api;
use crate::admin::caller::{Caller, Scope, read_scopes};
use crate::admin::given::{At, Given};
use crate::admin::problem::Problem;
use crate::store::{self, NewToken, now};

/// Milliseconds of a day.
const DAY: i64 = 24 * 3_600_000;

/// A token, without what opens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    id: String,
    name: String,
    /// Scopes, and `site:NAME` for each site it is limited to.
    scopes: Vec<String>,
    /// Milliseconds since 1970.
    created_at: i64,
    created_by: String,
    /// Milliseconds since 1970; absent if it does not end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// Milliseconds since 1970, to the minute; absent if it was never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
    /// Milliseconds since 1970; absent if it was not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
}

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
}

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    /// What people call it.
    name: String,
    /// Scopes, and `site:NAME` for each site it is to be limited to.
    scopes: Vec<String>,
    /// After how many days it ends; never, if not said.
    days: Option<u32>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Made {
    #[serde(flatten)]
    token: Token,
    /// What opens: shown this once.
    secret: String,
}

/// All tokens, also those that no longer open.
#[utoipa::path(get, path = "/tokens", tag = "tokens",
    responses((status = 200, body = Tokens), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<Tokens>, Problem> {
    caller.needs(Scope::Tokens, None)?;
    let tokens = api.store.tokens().await?;
    Ok(Json(Tokens { tokens: tokens.into_iter().map(Token::from).collect() }))
}

/// Makes a token.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = New,
    responses((status = 201, body = Made), (status = "default", body = Problem)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(new): Given<New>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    caller.needs(Scope::Tokens, None)?;
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        let detail = "`name` has to be 1 to 100 characters, without control characters.";
        return Err(Problem::bad("bad_name", detail));
    }
    let (scopes, sites) =
        read_scopes(&new.scopes).map_err(|e| Problem::bad("unknown_scope", format!("{e}.")))?;
    if scopes.is_empty() {
        return Err(Problem::bad("unknown_scope", "`scopes` has to name at least one scope."));
    }
    if !caller.may_give(&scopes, sites.as_ref()) {
        let detail = "A token cannot open more than the one it is made with.";
        return Err(Problem::forbidden("missing_scope", detail));
    }
    let made = NewToken {
        name,
        scopes: &new.scopes,
        created_by: &caller.who,
        expires_at: new.days.map(|days| now() + i64::from(days) * DAY),
    };
    let (token, secret) = api.store.create_token(&made).await?;
    let detail = json!({ "name": token.name, "scopes": token.scopes });
    api.note(&caller, "", "token.create", &token.id, Ok(()), detail).await?;
    let made = Made { token: token.into(), secret: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Ends a token.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(id): At<String>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::Tokens, None)?;
    if !api.store.revoke_token(&id).await? {
        return Err(Problem::not_found("unknown_token", "There is no such token that opens."));
    }
    api.note(&caller, "", "token.revoke", &id, Ok(()), serde_json::Value::Null).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<store::Token> for Token {
    fn from(token: store::Token) -> Self {
        let store::Token { id, name, scopes, created_at, created_by, .. } = token;
        let store::Token { expires_at, used_at, revoked_at, .. } = token;
        Self { id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at }
    }
}
