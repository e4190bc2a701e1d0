//! What is asked for.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Engine, Kind};

/// What to hand over, to whom, and how. Only `source` and a recipient are needed.
///
/// ```json
/// {"source": "alice", "recipient": "bob", "selection": "all"}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The account that gives.
    pub source: String,
    /// The account that receives what no assignment gives to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Parts that go to accounts of their own; the first that takes an item has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<Assignment>,
    /// What is handed over.
    #[serde(default)]
    pub selection: Selection,
    /// The folder in the recipient's files: `{source}`, `{source_name}` and `{date}` are filled in;
    /// `/` is the root. Default: `Transferred from {source_name} on {date}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// What to do where the recipient has something of the same name.
    #[serde(default)]
    pub conflict: Conflict,
    /// What becomes of the source's shares.
    #[serde(default)]
    pub shares: Shares,
    /// What becomes of what others shared to the source.
    #[serde(default)]
    pub incoming: Incoming,
    /// What becomes of future meetings with guests.
    #[serde(default)]
    pub meetings: Meetings,
    /// What becomes of earlier versions where files are carried.
    #[serde(default)]
    pub versions: Versions,
    /// How files are compared where they are carried.
    #[serde(default)]
    pub verify: Verify,
    /// What is done with the source account at the end.
    #[serde(default)]
    pub after: After,
    /// When to begin: a time by RFC 3339; at once without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Use this engine where it can do the item, instead of the one the planner would choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// Another instance to hand over to; the same one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// An app password of the source, for sites where Passeur has no access of its own. It is
    /// sealed in the store and forgotten at the end.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, write_only)]
    pub source_password: Option<Secret>,
    /// An app password of the recipient, likewise.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, write_only)]
    pub recipient_password: Option<Secret>,
    /// The password that the site's admin (`access.admin`) logs in with: Nextcloud asks for it when
    /// an account is disabled, and takes no app password there. Needed for `after` on sites whose
    /// database Passeur does not have. It is sealed likewise, until undoing is over.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, write_only)]
    pub admin_password: Option<Secret>,
}

/// A part of the selection that goes to one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// Who receives it.
    pub recipient: String,
    /// What.
    pub selection: Selection,
}

/// What is handed over: the word `all`, or parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Selection {
    /// Everything that can be.
    All(All),
    /// Some of it.
    Parts(Parts),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum All {
    /// Everything that can be.
    #[default]
    All,
}

/// Parts of what an account has. A kind is handed over if it is among `kinds`, or if something of
/// it is named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parts {
    /// Whole kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Files and folders by path, or by glob (`/Work/**`); empty: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Files and folders that stay, by path or by glob.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Calendars by the last segment of their address; empty: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<String>,
    /// Address books by the last segment of their address; empty: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub address_books: Vec<String>,
}

/// What to do where the recipient has something of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The newcomer gets a number: `Report (2).odt`.
    #[default]
    Rename,
    /// Folders are joined; files of the same name get a number.
    Merge,
    /// The source keeps it.
    Skip,
    /// The plan is blocked.
    Fail,
}

/// What becomes of the source's shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shares {
    /// They stay, or are made again with the same rights.
    #[default]
    Keep,
    /// They end.
    Drop,
    /// Only public links stay.
    Links,
}

/// What becomes of what others shared to the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Incoming {
    /// The source keeps it.
    #[default]
    Leave,
    /// Their owners share it to the recipient, too.
    Reshare,
}

/// What becomes of future meetings with guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meetings {
    /// The source stays their organiser.
    #[default]
    Leave,
    /// The recipient becomes their organiser; no mail is sent.
    Rehome,
}

/// What becomes of earlier versions of files that are carried; those that the instance moves keep
/// them in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Versions {
    /// They are written there one after the other, which takes a question for each file.
    #[default]
    Keep,
    /// Only what files have now goes.
    Latest,
}

/// How files that are carried are compared with what arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// By the checksum that the receiving instance computes as they arrive, where it does.
    #[default]
    Arrival,
    /// Also by reading each of them again where it is kept.
    Reread,
}

/// What is done with the source account at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Nothing.
    #[default]
    Nothing,
    /// It is disabled.
    Disable,
}

/// Another instance, which must be on the site's list of targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Another site of this Passeur, by name, or the address of a Nextcloud.
    pub url: String,
    /// An app password of the recipient there; not needed for a site that Passeur may act on.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, write_only)]
    pub password: Option<Secret>,
}

/// A secret of a request: it is read, and never written.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Secret(#[serde(deserialize_with = "secret")] pub SecretString);

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

// === impl Secret ===

impl PartialEq for Secret {
    /// Plans are compared without their secrets.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

// === impl Request ===

impl Request {
    /// A request for everything `source` has.
    #[must_use]
    pub fn all(source: &str, recipient: &str) -> Self {
        Self {
            source: source.to_owned(),
            recipient: Some(recipient.to_owned()),
            assignments: Vec::new(),
            selection: Selection::default(),
            destination: None,
            conflict: Conflict::default(),
            shares: Shares::default(),
            incoming: Incoming::default(),
            meetings: Meetings::default(),
            versions: Versions::default(),
            verify: Verify::default(),
            after: After::default(),
            when: None,
            engine: None,
            target: None,
            source_password: None,
            recipient_password: None,
            admin_password: None,
        }
    }

    /// Everyone who would receive something, each once.
    #[must_use]
    pub fn recipients(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.assignments.iter().map(|a| a.recipient.as_str()).collect();
        all.extend(self.recipient.as_deref());
        all.sort_unstable();
        all.dedup();
        all
    }
}

// === impl Selection ===

impl Default for Selection {
    fn default() -> Self {
        Selection::All(All::All)
    }
}

impl Selection {
    /// Whether things of this kind are among it at all.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        let Selection::Parts(parts) = self else { return true };
        let named = match kind {
            Kind::File | Kind::Folder => !parts.include.is_empty() || !parts.exclude.is_empty(),
            Kind::Calendar => !parts.calendars.is_empty(),
            Kind::AddressBook => !parts.address_books.is_empty(),
            _ => false,
        };
        let listed = match kind {
            Kind::File | Kind::Folder => parts.kinds.iter().any(|kind| kind.is_node()),
            kind => parts.kinds.contains(&kind),
        };
        named || listed
    }

    /// Whether the collection `uri` of this kind is among it.
    #[must_use]
    pub fn has_collection(&self, kind: Kind, uri: &str) -> bool {
        let Selection::Parts(parts) = self else { return true };
        let named = match kind {
            Kind::Calendar => &parts.calendars,
            Kind::AddressBook => &parts.address_books,
            _ => return false,
        };
        self.has(kind) && (named.is_empty() || named.iter().any(|name| name == uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_request_is_for_everything() {
        let request: Request =
            serde_json::from_str(r#"{"source":"alice","recipient":"bob","selection":"all"}"#)
                .expect("a request");
        assert_eq!(request, Request::all("alice", "bob"));
        assert!(request.selection.has(Kind::Folder) && request.selection.has(Kind::Poll));
    }

    #[test]
    fn a_secret_is_never_written() {
        let request: Request = serde_json::from_str(
            r#"{"source":"a","recipient":"b","source_password":"hunter2","target":{"url":"x","password":"hunter3"}}"#,
        )
        .expect("a request");
        let json = serde_json::to_string(&request).expect("JSON");
        assert!(!json.contains("hunter"), "{json}");
        assert!(!format!("{request:?}").contains("hunter"));
    }

    #[test]
    fn parts_take_what_they_name() {
        let selection: Selection =
            serde_json::from_str(r#"{"kinds":["folder"],"calendars":["work"]}"#).expect("parts");
        assert!(selection.has(Kind::File) && selection.has(Kind::Calendar));
        assert!(!selection.has(Kind::AddressBook));
        assert!(selection.has_collection(Kind::Calendar, "work"));
        assert!(!selection.has_collection(Kind::Calendar, "personal"));
        assert!(serde_json::from_str::<Selection>(r#"{"calendar":["work"]}"#).is_err());
        assert!(serde_json::from_str::<Selection>(r#""everything""#).is_err());
    }
}
