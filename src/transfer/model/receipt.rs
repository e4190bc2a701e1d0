//! What came of a transfer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::progress::ItemState;
use super::{Engine, Id, Kind, ShareKind, State};

/// The verified result of a transfer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The transfer's number.
    #[schema(value_type = String)]
    pub id: Id,
    /// The site's name.
    pub site: String,
    /// The account that gave.
    pub source: String,
    /// How it ended.
    pub state: State,
    /// Who started it.
    pub by: String,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// When it was started: RFC 3339.
    pub created_at: String,
    /// When it ended: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Until when it can be undone: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<String>,
    /// The plan it followed.
    pub plan: String,
    /// What came of each item.
    pub items: Vec<ItemReceipt>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// What came of one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemReceipt {
    /// Its number in the plan.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// Where it was.
    pub from: String,
    /// Who has it now.
    pub recipient: String,
    /// Where it is now.
    pub to: String,
    /// How it was handed over.
    pub engine: Engine,
    /// Where it stands.
    pub state: ItemState,
    /// What stayed as it was.
    pub kept: Vec<String>,
    /// What was lost.
    pub lost: Vec<String>,
    /// What became of each share.
    pub shares: Vec<ShareReceipt>,
    /// What was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShareOutcome {
    /// It is the same share, and the recipient owns it.
    Kept,
    /// A new one with the same rights stands in its place.
    Remade,
    /// It ended.
    Lost,
}

/// What became of one share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShareReceipt {
    /// What it shares, as the source saw it.
    pub path: String,
    /// With whom.
    pub kind: ShareKind,
    /// The account or group; empty for a link.
    pub with: String,
    /// What became of it.
    pub outcome: ShareOutcome,
    /// Its old and new link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkChange>,
    /// What else is to know: a password that could not be kept, why it ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A public link before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkChange {
    /// What it was.
    pub old: String,
    /// What it is; none if it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// What was compared before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Files, events or cards before.
    pub count_before: u64,
    /// Files, events or cards after.
    pub count_after: u64,
    /// Bytes before.
    pub size_before: u64,
    /// Bytes after.
    pub size_after: u64,
    /// A digest over the names and marks of everything before, in hexadecimal.
    pub digest_before: String,
    /// The same after.
    pub digest_after: String,
    /// What the digest is over: `ids`, `etags` or `checksums`.
    pub over: String,
}
