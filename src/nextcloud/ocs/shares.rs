//! Shares of files and folders.
//!
//! No call here makes the instance mail anybody: new shares are made with `sendMail=false`, and
//! shares by mail, which exist by being mailed, cannot be made.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Client, flag, number, parse, text_or_number};
use crate::nextcloud::Error;

/// With whom something is shared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "i64", into = "i64")]
pub enum ShareType {
    /// 0: an account.
    User,
    /// 1: a group.
    Group,
    /// 3: whoever has the link.
    Link,
    /// 4: a mail address.
    Mail,
    /// 6: an account elsewhere.
    Remote,
    /// 7: a team (circle).
    Team,
    /// 9: a group elsewhere.
    RemoteGroup,
    /// 10: a conversation of Talk.
    Room,
    /// 12: a board of Deck.
    Deck,
    /// Another.
    Other(i64),
}

/// A share.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Share {
    /// Its id.
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    /// With whom.
    pub share_type: ShareType,
    /// Who shared it.
    pub uid_owner: String,
    /// Whose file it is.
    #[serde(default)]
    pub uid_file_owner: String,
    /// The account, group, address … it is shared with; for links, what their password hashes to.
    #[serde(default)]
    pub share_with: Option<String>,
    /// The name of that.
    #[serde(default)]
    pub share_with_displayname: Option<String>,
    /// Where the file is for the account that asks.
    #[serde(default)]
    pub path: Option<String>,
    /// `file` or `folder`.
    #[serde(default)]
    pub item_type: String,
    /// The number of the file.
    #[serde(default, deserialize_with = "number")]
    pub file_source: i64,
    /// Where it is for the account it is shared with.
    #[serde(default)]
    pub file_target: Option<String>,
    /// Bits: 1 read, 2 update, 4 create, 8 delete, 16 share.
    #[serde(default)]
    pub permissions: u32,
    /// What the address of a link ends with.
    #[serde(default)]
    pub token: Option<String>,
    /// The address of a link.
    #[serde(default)]
    pub url: Option<String>,
    /// `2026-12-31 00:00:00`.
    #[serde(default)]
    pub expiration: Option<String>,
    /// The name of a link.
    #[serde(default)]
    pub label: String,
    /// What was written to the recipient.
    #[serde(default)]
    pub note: String,
    /// Whether a link has a password; what it is cannot be read.
    #[serde(default, rename = "password", deserialize_with = "flag")]
    pub has_password: bool,
    /// Whether a link offers no download.
    #[serde(default, deserialize_with = "flag")]
    pub hide_download: bool,
    /// Permissions of apps, as JSON.
    #[serde(default)]
    pub attributes: Option<String>,
    /// Seconds since 1970 at which it was made.
    #[serde(default, deserialize_with = "number")]
    pub stime: i64,
}

/// A share to make.
#[derive(Clone, Debug)]
pub struct NewShare<'a> {
    /// The file or folder, as the account sees it: `/Photos`.
    pub path: &'a str,
    /// With whom; not [`ShareType::Mail`].
    pub share_type: ShareType,
    /// The account, group …; nothing for links.
    pub share_with: &'a str,
    /// Bits as of [`Share::permissions`].
    pub permissions: Option<u32>,
    /// `2026-12-31`.
    pub expiration: Option<&'a str>,
    /// The name of a link.
    pub label: Option<&'a str>,
    /// What is written to the recipient.
    pub note: Option<&'a str>,
    /// The password of a link.
    pub password: Option<&'a str>,
    /// Permissions of apps, as JSON.
    pub attributes: Option<&'a str>,
}

/// What to change of a share; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct ShareChange<'a> {
    /// Bits as of [`Share::permissions`].
    pub permissions: Option<u32>,
    /// `2026-12-31`; empty for never.
    pub expiration: Option<&'a str>,
    /// The name of a link.
    pub label: Option<&'a str>,
    /// What is written to the recipient.
    pub note: Option<&'a str>,
    /// The password of a link; empty for none.
    pub password: Option<&'a str>,
    /// What the address of a link ends with; 31 and later, where the instance allows it.
    pub token: Option<&'a str>,
    /// Permissions of apps, as JSON.
    pub attributes: Option<&'a str>,
    /// Whether a link offers no download.
    pub hide_download: Option<bool>,
}

const SHARES: [&str; 5] = ["apps", "files_sharing", "api", "v1", "shares"];

impl Client {
    /// All that the account shared, and what others shared on of it.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn shares(&self) -> Result<Vec<Share>, Error> {
        self.read(&SHARES, &[("reshares", "true")]).await
    }

    /// The shares of one file or folder, by anybody who may.
    ///
    /// # Errors
    /// As [`Error`] says; 404 if there is no such file.
    pub async fn shares_of(&self, path: &str) -> Result<Vec<Share>, Error> {
        self.read(&SHARES, &[("path", path), ("reshares", "true")]).await
    }

    /// The shares of what is directly in a folder.
    ///
    /// # Errors
    /// As [`Error`] says; 400 if it is no folder.
    pub async fn shares_within(&self, path: &str) -> Result<Vec<Share>, Error> {
        let asked = [("path", path), ("reshares", "true"), ("subfiles", "true")];
        self.read(&SHARES, &asked).await
    }

    /// What others share with the account.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn shared_with_me(&self) -> Result<Vec<Share>, Error> {
        self.read(&SHARES, &[("shared_with_me", "true")]).await
    }

    /// What others share with the account, and it did not accept yet.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn pending_shares(&self) -> Result<Vec<Share>, Error> {
        self.read(&[&SHARES[..], &["pending"]].concat(), &[]).await
    }

    /// Accepts a pending share.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn accept_share(&self, id: &str) -> Result<(), Error> {
        let path = [&SHARES[..], &["pending", id]].concat();
        self.call(Method::POST, &path, &[]).await.map(drop)
    }

    /// Makes a share. Nobody is mailed.
    ///
    /// # Errors
    /// As [`Error`] says; [`Error::Ocs`] with 400 for shares by mail.
    pub async fn create_share(&self, share: &NewShare<'_>) -> Result<Share, Error> {
        if share.share_type == ShareType::Mail {
            return Err(Error::Ocs {
                call: "POST shares".to_owned(),
                code: 400,
                message: "a share by mail would be mailed".to_owned(),
            });
        }
        let share_type = i64::from(share.share_type).to_string();
        let permissions = share.permissions.map(|bits| bits.to_string());
        let mut given = vec![
            ("path", share.path),
            ("shareType", share_type.as_str()),
            ("shareWith", share.share_with),
            ("sendMail", "false"),
        ];
        let optional = [
            ("permissions", permissions.as_deref()),
            ("expireDate", share.expiration),
            ("label", share.label),
            ("note", share.note),
            ("password", share.password),
            ("attributes", share.attributes),
        ];
        given.extend(present(&optional));
        parse(self.call(Method::POST, &SHARES, &given).await?, &SHARES)
    }

    /// Changes a share.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn update_share(&self, id: &str, change: &ShareChange<'_>) -> Result<Share, Error> {
        let permissions = change.permissions.map(|bits| bits.to_string());
        let optional = [
            ("permissions", permissions.as_deref()),
            ("expireDate", change.expiration),
            ("label", change.label),
            ("note", change.note),
            ("password", change.password),
            ("token", change.token),
            ("attributes", change.attributes),
            ("hideDownload", change.hide_download.map(|hide| if hide { "true" } else { "false" })),
        ];
        let given: Vec<_> = present(&optional).collect();
        let path = [&SHARES[..], &[id]].concat();
        parse(self.call(Method::PUT, &path, &given).await?, &path)
    }

    /// Removes a share; as its recipient, takes oneself out of it. One that is gone already is as
    /// good.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn delete_share(&self, id: &str) -> Result<(), Error> {
        let path = [&SHARES[..], &[id]].concat();
        match self.call(Method::DELETE, &path, &[]).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Takes a share of a group, a team or a room on again that this account had
    /// [left](Self::delete_share); nothing if there is none.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn restore_share(&self, id: &str, kind: ShareType) -> Result<(), Error> {
        let provider = match kind {
            ShareType::Team => "ocCircleShare",
            ShareType::Room => "ocRoomShare",
            _ => "ocinternal",
        };
        let id = format!("{provider}:{id}");
        let path = [&SHARES[..SHARES.len() - 1], &["deletedshares", &id]].concat();
        match self.call(Method::POST, &path, &[]).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// A share; `None` if there is none that the account may see.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn share(&self, id: &str) -> Result<Option<Share>, Error> {
        let path = [&SHARES[..], &[id]].concat();
        let data = match self.call(Method::GET, &path, &[]).await {
            Err(error) if error.is_not_found() => return Ok(None),
            data => data?,
        };
        // A list of one.
        let share = match data {
            Value::Array(shares) => shares.into_iter().next(),
            other => Some(other),
        };
        share.map(|share| parse(share, &path)).transpose()
    }
}

fn present<'a>(
    optional: &'a [(&'a str, Option<&'a str>)],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    optional.iter().filter_map(|(name, value)| Some((*name, (*value)?)))
}

// === impl ShareType ===

impl From<i64> for ShareType {
    fn from(number: i64) -> Self {
        match number {
            0 => ShareType::User,
            1 => ShareType::Group,
            3 => ShareType::Link,
            4 => ShareType::Mail,
            6 => ShareType::Remote,
            7 => ShareType::Team,
            9 => ShareType::RemoteGroup,
            10 => ShareType::Room,
            12 => ShareType::Deck,
            other => ShareType::Other(other),
        }
    }
}

impl From<ShareType> for i64 {
    fn from(kind: ShareType) -> Self {
        match kind {
            ShareType::User => 0,
            ShareType::Group => 1,
            ShareType::Link => 3,
            ShareType::Mail => 4,
            ShareType::Remote => 6,
            ShareType::Team => 7,
            ShareType::RemoteGroup => 9,
            ShareType::Room => 10,
            ShareType::Deck => 12,
            ShareType::Other(other) => other,
        }
    }
}
