//! Accounts and groups.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{Client, flag, number, parse};
use crate::nextcloud::Error;

/// An account.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// Its login name.
    pub id: String,
    /// Whether it may log in.
    #[serde(default = "yes", deserialize_with = "flag")]
    pub enabled: bool,
    /// The name that people see.
    #[serde(default, rename = "displayname")]
    pub display_name: String,
    /// Its mail address.
    pub email: Option<String>,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Groups that it administrates.
    #[serde(default)]
    pub subadmin: Vec<String>,
    /// What it may store.
    #[serde(default)]
    pub quota: Quota,
    /// Milliseconds since 1970 of its last login; 0 if there was none.
    #[serde(default, rename = "lastLogin", deserialize_with = "number")]
    pub last_login: i64,
    /// What knows its password: `Database`, `LDAP`.
    #[serde(default)]
    pub backend: String,
    /// The language it reads, such as `fr`.
    #[serde(default)]
    pub language: String,
}

/// What an account may store, bytes.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Quota {
    /// What fits in; negative where it is not known.
    #[serde(default, deserialize_with = "number")]
    pub free: i64,
    /// What is used.
    #[serde(default, deserialize_with = "number")]
    pub used: i64,
    /// What it may use in all; negative for no limit (`-3`).
    #[serde(default, deserialize_with = "number")]
    pub quota: i64,
}

#[derive(Deserialize)]
struct Details {
    users: Value,
}

fn yes() -> bool {
    true
}

impl Client {
    /// The account that this acts for.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn me(&self) -> Result<User, Error> {
        self.read(&["cloud", "user"], &[]).await
    }

    /// An account; `None` if there is none of that name, or none that the asking account may see.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn user(&self, uid: &str) -> Result<Option<User>, Error> {
        match self.read(&["cloud", "users", uid], &[]).await {
            Ok(user) => Ok(Some(user)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Accounts whose name, display name or mail address holds `search`, in the order of names.
    /// Only for admins and sub-admins.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn users(
        &self,
        search: &str,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<User>, Error> {
        let path = ["cloud", "users", "details"];
        let (limit, offset) = (limit.to_string(), offset.to_string());
        let asked = [("search", search), ("limit", limit.as_str()), ("offset", offset.as_str())];
        let details: Details = self.read(&path, &asked).await?;
        // An empty map is written as an empty list.
        if details.users.as_array().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let users: BTreeMap<String, User> = parse(details.users, &path)?;
        Ok(users.into_values().collect())
    }

    /// Lets an account log in, or not. Only for admins and sub-admins, who must have come with their
    /// password: Nextcloud answers others with 403.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn set_enabled(&self, uid: &str, enabled: bool) -> Result<(), Error> {
        let what = if enabled { "enable" } else { "disable" };
        self.call(Method::PUT, &["cloud", "users", uid, what], &[]).await.map(drop)
    }

    /// The members of a group. Only for admins, and sub-admins of the group.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn members(&self, group: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Members {
            users: Vec<String>,
        }
        let members: Members = self.read(&["cloud", "groups", group, "users"], &[]).await?;
        Ok(members.users)
    }
}
