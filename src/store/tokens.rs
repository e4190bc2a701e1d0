//! Bearer tokens: 32 random bytes, shown once, of which the store keeps a SHA-256 only.
//!
//! (No slow hash: there is nothing to guess in 256 random bits.) Scopes are words that the store
//! does not understand; whoever checks a token does.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Error, Store, now, on};

/// What every token begins with, so that people and scanners of leaks know one when they see it.
const PREFIX: &str = "passeur_";
/// A use is written down when the last one was longer ago than this, milliseconds.
const USED_EVERY: i64 = 60_000;

/// A token, without what opens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Its id, a UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub created_at: i64,
    /// Who made it.
    pub created_by: String,
    /// When it ends by itself, if ever.
    pub expires_at: Option<i64>,
    /// When it was used last, to the minute.
    pub used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What it opens.
    pub scopes: &'a [String],
    /// Who makes it.
    pub created_by: &'a str,
    /// When it ends by itself, milliseconds since 1970.
    pub expires_at: Option<i64>,
}

type Row = (String, String, String, i64, String, Option<i64>, Option<i64>, Option<i64>);

impl Store {
    /// Makes a token. What opens is in the answer, and nowhere else.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn create_token(&self, new: &NewToken<'_>) -> Result<(Token, SecretString), Error> {
        let secret = SecretString::from(PREFIX.to_owned() + random()?.expose_secret());
        let token = Token {
            id: Uuid::now_v7().to_string(),
            name: new.name.to_owned(),
            scopes: new.scopes.to_vec(),
            created_at: now(),
            created_by: new.created_by.to_owned(),
            expires_at: new.expires_at,
            used_at: None,
            revoked_at: None,
        };
        on!(self.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO token (id, name, hash, scopes, created_at, created_by, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&token.id)
            .bind(&token.name)
            .bind(hash(&secret))
            .bind(token.scopes.join(" "))
            .bind(token.created_at)
            .bind(&token.created_by)
            .bind(token.expires_at)
            .execute(pool)
            .await
            .map(drop)
        })?;
        Ok((token, secret))
    }

    /// The token that `secret` is, if it is one that still opens.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn token(&self, secret: &SecretString) -> Result<Option<Token>, Error> {
        if !secret.expose_secret().starts_with(PREFIX) {
            return Ok(None);
        }
        let now = now();
        let row: Option<Row> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at \
                 FROM token WHERE hash = $1 AND revoked_at IS NULL \
                 AND (expires_at IS NULL OR expires_at > $2)",
            )
            .bind(hash(secret))
            .bind(now)
            .fetch_optional(pool)
            .await
        })?;
        let Some(token) = row.map(token) else { return Ok(None) };
        if token.used_at.is_none_or(|used| used + USED_EVERY < now) {
            on!(self.engine, writer => |pool| {
                sqlx::query("UPDATE token SET used_at = $1 WHERE id = $2")
                    .bind(now)
                    .bind(&token.id)
                    .execute(pool)
                    .await
                    .map(drop)
            })?;
        }
        Ok(Some(token))
    }

    /// All tokens, also those that no longer open, the oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tokens(&self) -> Result<Vec<Token>, Error> {
        let rows: Vec<Row> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at \
                 FROM token ORDER BY id",
            )
            .fetch_all(pool)
            .await
        })?;
        Ok(rows.into_iter().map(token).collect())
    }

    /// Ends a token; says whether it was one that opened.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revoke_token(&self, id: &str) -> Result<bool, Error> {
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query("UPDATE token SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
                .bind(now())
                .bind(id)
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(changed > 0)
    }
}

/// 32 random bytes that can stand in an address.
pub(super) fn random() -> Result<SecretString, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| super::seal::Error::Failed)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes).into())
}

pub(super) fn hash(secret: &SecretString) -> Vec<u8> {
    Sha256::digest(secret.expose_secret().as_bytes()).to_vec()
}

fn token(row: Row) -> Token {
    let (id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at) = row;
    let scopes = scopes.split_whitespace().map(str::to_owned).collect();
    Token { id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at }
}
