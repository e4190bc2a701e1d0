//! What a transfer would do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Engine, Kind, Request};

/// What a transfer would do. Making one changes nothing on the site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// SHA-256 over everything that matters in it, in hexadecimal; starting needs it. The same
    /// plan made again has the same hash; anything that changed on the site gives another.
    pub hash: String,
    /// The site's name.
    pub site: String,
    /// What was asked for, without its secrets.
    pub request: Request,
    /// What would be handed over, in the order of work.
    pub items: Vec<Item>,
    /// Folders that are joined with ones of the recipient. The source's go once they are empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<String>,
    /// What stays with the source, and why.
    pub excluded: Vec<Excluded>,
    /// What must be put right first; empty if it may start.
    pub blocking: Vec<Block>,
    /// What a person should know before starting.
    pub warnings: Vec<String>,
    /// How much it is.
    pub estimate: Estimate,
    /// When it was made: RFC 3339.
    pub made_at: String,
    /// Until when it may be started: RFC 3339.
    pub expires_at: String,
}

/// One thing to hand over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// Its number in the plan, from 1.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// The path below the source's files (`/Work/Report.odt`), or the last segment of a
    /// collection's address, or the number of an app's thing.
    pub path: String,
    /// Who receives it.
    pub recipient: String,
    /// Where it ends: a path below the recipient's files, or the last segment of an address.
    pub destination: String,
    /// How.
    pub engine: Engine,
    /// Why this engine.
    pub reason: String,
    /// How many files, events or cards it holds.
    pub count: u64,
    /// How many bytes; 0 where the instance does not say.
    pub size: u64,
    /// The file id, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<u64>,
    /// The etag or sync token it had.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mark: String,
    /// What stays as it is.
    pub kept: Vec<String>,
    /// What is lost, or made again.
    pub lost: Vec<String>,
    /// Its shares, and what becomes of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<SharePlan>,
}

/// A share of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SharePlan {
    /// The instance's number of it; none for shares of collections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What it shares: a path below the source's files, or a collection.
    pub path: String,
    /// With whom: an account, a group, a link …
    pub kind: ShareKind,
    /// The account or group; empty for a link.
    pub with: String,
    /// Whether it stays, is made again, or ends.
    pub becomes: super::ShareOutcome,
}

/// With whom something is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShareKind {
    /// An account of the instance.
    User,
    /// A group.
    Group,
    /// Whoever has the link.
    Link,
    /// A mail address.
    Mail,
    /// An account of another instance.
    Remote,
    /// A team.
    Team,
    /// A conversation of Talk.
    Room,
    /// Anything else.
    Other,
}

/// Something that stays with the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Excluded {
    /// What it is; none if it is none of the kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Its path or address.
    pub path: String,
    /// Why it stays.
    pub reason: String,
}

/// Something that must be put right before the plan may start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Block {
    /// What it is, for machines.
    pub code: BlockCode,
    /// What it is and the way out, for people.
    pub detail: String,
    /// The item it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
}

/// Why a plan may not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockCode {
    /// The recipient has too little space.
    Quota,
    /// The recipient may not have so many calendars or address books.
    TooManyCollections,
    /// Passeur may not act for an account.
    NoAccess,
    /// The recipient is disabled.
    RecipientDisabled,
    /// Files are encrypted.
    Encrypted,
    /// The recipient has something of the same name, and the request says to fail then.
    NameClash,
    /// The engine that was asked for cannot do an item.
    EngineCannot,
    /// Something that was asked for is not there.
    Missing,
    /// The site is in maintenance mode.
    Maintenance,
}

/// How much a plan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// Files, events and cards.
    pub objects: u64,
    /// Bytes that change their owner.
    pub bytes: u64,
    /// Bytes that go through Passeur.
    pub bytes_carried: u64,
    /// Requests to the site, about.
    pub requests: u64,
    /// Seconds, about; waiting for the site's limits included.
    pub seconds: u64,
}
