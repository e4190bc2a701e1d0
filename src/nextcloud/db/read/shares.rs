//! Shares of files: what an account shares, and what is shared to it.

use serde::{Deserialize, Serialize};

use crate::nextcloud::db::pool::Cells;
use crate::nextcloud::db::{Database, Error, text};

/// One row of `oc_share`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its id.
    pub id: i64,
    /// To whom, by kind.
    pub kind: ShareType,
    /// Account, group, address, … ; none for links.
    pub with: Option<String>,
    /// Whose file it is.
    pub owner: String,
    /// Who shared it: another than the owner for a reshare.
    pub initiator: String,
    /// The group share whose row for one member this is.
    pub parent: Option<i64>,
    /// The file id.
    pub file: i64,
    /// Below the home of its owner (`files/…`); none if the file is gone.
    pub path: Option<String>,
    /// Where the recipient has it: `/Budget`.
    pub target: String,
    /// Bits: 1 read, 2 update, 4 create, 8 delete, 16 share.
    pub permissions: u32,
    /// Of a link.
    pub token: Option<String>,
    /// As the database writes it.
    pub expiration: Option<String>,
    /// Whether it has a password.
    pub password: bool,
    /// Of a link.
    pub label: Option<String>,
}

/// To whom a share is, as Nextcloud numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareType {
    /// An account.
    User,
    /// A group.
    Group,
    /// One member's own place of a group share.
    UserOfGroup,
    /// Everyone with the link.
    Link,
    /// A mail address, with a link.
    Mail,
    /// An account of another server.
    Remote,
    /// A circle (team).
    Circle,
    /// A guest.
    Guest,
    /// A group of another server.
    RemoteGroup,
    /// A conversation of Talk.
    Room,
    /// One member's own place of a conversation's share.
    UserOfRoom,
    /// A card of Deck.
    Deck,
    /// One member's own place of a card's share.
    UserOfDeck,
    /// Another kind, by its number.
    Other(u32),
}

const COLUMNS: [&str; 14] = [
    "id",
    "share_type",
    "share_with",
    "uid_owner",
    "uid_initiator",
    "parent",
    "file_source",
    "path",
    "file_target",
    "permissions",
    "token",
    "expiration",
    "password",
    "label",
];

// === impl Database ===

impl Database {
    /// Shares of files that an account owns or shared on, with the rows of single members.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn outgoing(&self, uid: &str) -> Result<Vec<Share>, Error> {
        self.shares("(s.uid_owner = ? OR s.uid_initiator = ?)", &[uid, uid]).await
    }

    /// Shares to an account, by name or through its groups and teams.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn incoming(&self, uid: &str) -> Result<Vec<Share>, Error> {
        let mut condition = "s.uid_owner <> ? AND ((s.share_type IN (0, 2, 11, 13) AND s.share_with = ?) \
             OR (s.share_type = 1 AND s.share_with IN (SELECT gid FROM *PREFIX*group_user WHERE uid = ?))"
            .to_owned();
        let mut args = vec![uid; 3];
        if self.has("circles_member").await? {
            condition.push_str(
                " OR (s.share_type = 7 AND s.share_with IN \
                 (SELECT circle_id FROM *PREFIX*circles_member WHERE user_id = ? AND user_type = 1))",
            );
            args.push(uid);
        }
        condition.push(')');
        self.shares(&condition, &args).await
    }

    pub(in crate::nextcloud::db) async fn shares(
        &self,
        condition: &str,
        args: &[&str],
    ) -> Result<Vec<Share>, Error> {
        let inner = format!(
            "SELECT s.id AS id, s.share_type AS share_type, s.share_with AS share_with, s.uid_owner AS uid_owner, \
             s.uid_initiator AS uid_initiator, s.parent AS parent, s.file_source AS file_source, f.path AS path, \
             s.file_target AS file_target, s.permissions AS permissions, s.token AS token, \
             s.expiration AS expiration, CASE WHEN s.password IS NULL THEN 0 ELSE 1 END AS password, s.label AS label \
             FROM *PREFIX*share s LEFT JOIN *PREFIX*filecache f ON f.fileid = s.file_source \
             WHERE s.item_type IN ('file', 'folder') AND {condition}"
        );
        let args = args.iter().map(|&arg| text(arg)).collect();
        let rows = self.rows(&COLUMNS, &inner, args).await?;
        let mut shares = rows.iter().map(share).collect::<Result<Vec<_>, _>>()?;
        shares.sort_by_key(|share| share.id);
        Ok(shares)
    }
}

fn share(cells: &Cells) -> Result<Share, Error> {
    let known = |column: usize| cells.optional(column).map(str::to_owned);
    let owner = cells.text(3);
    Ok(Share {
        id: cells.int(0)?,
        kind: ShareType::from(u32::try_from(cells.int(1)?).unwrap_or(u32::MAX)),
        with: known(2),
        initiator: known(4).filter(|uid| !uid.is_empty()).unwrap_or_else(|| owner.clone()),
        owner,
        parent: cells.optional(5).map(|_| cells.int(5)).transpose()?,
        file: cells.int(6)?,
        path: known(7),
        target: cells.text(8),
        permissions: u32::try_from(cells.int(9)?).unwrap_or(0),
        token: known(10),
        expiration: known(11),
        password: cells.int(12)? == 1,
        label: known(13).filter(|label| !label.is_empty()),
    })
}

// === impl ShareType ===

impl From<u32> for ShareType {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::User,
            1 => Self::Group,
            2 => Self::UserOfGroup,
            3 => Self::Link,
            4 => Self::Mail,
            6 => Self::Remote,
            7 => Self::Circle,
            8 => Self::Guest,
            9 => Self::RemoteGroup,
            10 => Self::Room,
            11 => Self::UserOfRoom,
            12 => Self::Deck,
            13 => Self::UserOfDeck,
            other => Self::Other(other),
        }
    }
}
