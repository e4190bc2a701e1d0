//! Notifications: what waits for an account to look at it, and telling it something.

use http::Method;
use serde::Deserialize;

use super::{Client, text_or_number};
use crate::nextcloud::Error;

/// A notification.
#[derive(Clone, Debug, Deserialize)]
pub struct Notification {
    /// Its number.
    pub notification_id: u64,
    /// The app it is from: `files`.
    pub app: String,
    /// What it is about: `transfer`.
    #[serde(default)]
    pub object_type: String,
    /// The id of that.
    #[serde(default, deserialize_with = "text_or_number")]
    pub object_id: String,
    /// Its text, in the account's language.
    #[serde(default)]
    pub subject: String,
}

const NOTIFICATIONS: [&str; 5] = ["apps", "notifications", "api", "v2", "notifications"];

impl Client {
    /// What waits for the account.
    ///
    /// # Errors
    /// As [`Error`] says; 404 where the app is off.
    pub async fn notifications(&self) -> Result<Vec<Notification>, Error> {
        // 204 without a body where there are none.
        match self.call(Method::GET, &NOTIFICATIONS, &[]).await? {
            serde_json::Value::Null => Ok(Vec::new()),
            data => super::parse(data, &NOTIFICATIONS),
        }
    }

    /// Takes a notification away.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn dismiss(&self, id: u64) -> Result<(), Error> {
        let id = id.to_string();
        let path = [&NOTIFICATIONS[..], &[id.as_str()]].concat();
        self.call(Method::DELETE, &path, &[]).await.map(drop)
    }

    /// Tells an account something; only as an admin.
    ///
    /// # Errors
    /// As [`Error`] says; 404 for an unknown account, or where the app is off.
    pub async fn notify(&self, uid: &str, subject: &str, message: &str) -> Result<(), Error> {
        let path = ["apps", "notifications", "api", "v2", "admin_notifications", uid];
        let given = [("shortMessage", subject), ("longMessage", message)];
        self.call(Method::POST, &path, &given).await.map(drop)
    }
}
