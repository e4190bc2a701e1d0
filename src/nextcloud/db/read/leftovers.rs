//! What an account has besides files, calendars and contacts: what stays behind, or needs its
//! app's own way to be handed over.

use serde::{Deserialize, Serialize};

use super::calendars::principal;
use crate::nextcloud::db::pool::Arg;
use crate::nextcloud::db::{Database, Dialect, Error, text};

/// Counts of what no engine moves by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// Files and folders in the bin.
    pub trash: u64,
    /// Older versions of files: a server's move takes them along, the core's transfer does not.
    pub versions: u64,
    /// Favourites and personal tags on files.
    pub favourites: u64,
    /// Custom WebDAV properties, on files and collections.
    pub properties: u64,
    /// Reminders on files.
    pub reminders: u64,
    /// Files that the account locked by hand.
    pub locks: u64,
    /// Tags of the system on files in the home.
    pub tags: u64,
    /// Subscriptions to other calendars.
    pub subscriptions: u64,
    /// Invitations that wait in the inbox for a client.
    pub inbox: u64,
    /// Files that other servers share to the account.
    pub remote_shares: u64,
    /// What other apps keep, where they are installed.
    pub apps: Vec<AppCount>,
}

/// What one app has of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCount {
    /// The app's id.
    pub app: String,
    /// What it is: `boards`, `polls`, …
    pub what: String,
    /// How many.
    pub count: u64,
}

/// Where an app keeps something that has an owner.
struct Place {
    app: &'static str,
    what: &'static str,
    table: &'static str,
    /// The column with the account's id.
    owner: &'static str,
    /// Columns that must have a value, too.
    also: &'static [(&'static str, &'static str)],
}

const fn place(
    app: &'static str,
    what: &'static str,
    table: &'static str,
    owner: &'static str,
    also: &'static [(&'static str, &'static str)],
) -> Place {
    Place { app, what, table, owner, also }
}

const APPS: &[Place] = &[
    place("calendar", "appointment pages", "calendar_appt_configs", "user_id", &[]),
    place("calendar", "proposals", "calendar_proposal_dts", "uid", &[]),
    place("dav", "absences", "dav_absence", "user_id", &[]),
    place("dav", "delegations", "dav_cal_proxy", "owner_id", &[]),
    place("deck", "boards", "deck_boards", "owner", &[("deleted_at", "0")]),
    place("deck", "cards", "deck_cards", "owner", &[("deleted_at", "0")]),
    place("files", "transfers waiting for an answer", "user_transfer_owner", "source_user", &[]),
    place("files_external", "personal mounts", "external_applicable", "value", &[("type", "3")]),
    place("forms", "forms", "forms_v2_forms", "owner_id", &[]),
    place("mail", "accounts", "mail_accounts", "user_id", &[]),
    place("photos", "albums", "photos_albums", "user", &[]),
    place("polls", "polls", "polls_polls", "owner", &[]),
    place(
        "spreed",
        "conversations",
        "talk_attendees",
        "actor_id",
        &[("actor_type", "users"), ("participant_type", "1")],
    ),
    place("tables", "applications", "tables_contexts_context", "owner_id", &[]),
    place("tables", "tables", "tables_tables", "ownership", &[]),
    place("tables", "views", "tables_views", "ownership", &[]),
    place("webhook_listeners", "webhooks", "webhook_listeners", "user_id", &[]),
];

/// Rows about files that a person sees in one home.
const IN_HOME: &str =
    "IN (SELECT fileid FROM *PREFIX*filecache WHERE storage = ? AND path LIKE 'files/%')";

// === impl Database ===

impl Database {
    /// Counts what stays behind.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn leftovers(&self, uid: &str) -> Result<Leftovers, Error> {
        let principal = principal(uid);
        let mut left = Leftovers {
            trash: self.count("files_trash", "user", &[], uid).await?,
            favourites: self.favourites(uid).await?,
            properties: self.count("properties", "userid", &[], uid).await?,
            reminders: self.count("files_reminders", "user_id", &[], uid).await?,
            locks: self.count("files_lock", "user_id", &[], uid).await?,
            subscriptions: self
                .count("calendarsubscriptions", "principaluri", &[], &principal)
                .await?,
            inbox: self.count("schedulingobjects", "principaluri", &[], &principal).await?,
            remote_shares: self.count("share_external", "user", &[], uid).await?,
            ..Leftovers::default()
        };
        if let Some(home) = self.home(uid).await? {
            // The present content of a file has a row among its versions, too.
            let versions = format!(
                "SELECT COUNT(*) - COUNT(DISTINCT file_id) AS how_many FROM *PREFIX*files_versions WHERE file_id {IN_HOME}"
            );
            left.versions =
                self.counted("files_versions", &versions, Arg::Int(home.storage)).await?;
            let tags = format!(
                "SELECT COUNT(*) AS how_many FROM *PREFIX*systemtag_object_mapping \
                 WHERE objecttype = 'files' AND {} {IN_HOME}",
                self.number("objectid")
            );
            left.tags =
                self.counted("systemtag_object_mapping", &tags, Arg::Int(home.storage)).await?;
        }
        let teams = self.teams(uid).await?;
        if teams > 0 {
            left.apps.push(AppCount {
                app: "circles".to_owned(),
                what: "teams".to_owned(),
                count: teams,
            });
        }
        for place in APPS {
            let count = self.count(place.table, place.owner, place.also, uid).await?;
            if count > 0 {
                left.apps.push(AppCount {
                    app: place.app.to_owned(),
                    what: place.what.to_owned(),
                    count,
                });
            }
        }
        Ok(left)
    }

    /// Rows of a table; none if this site has no such table, or not with these columns.
    async fn count(
        &self,
        table: &str,
        owner: &str,
        also: &[(&str, &str)],
        value: &str,
    ) -> Result<u64, Error> {
        let columns = self.columns(table).await?;
        if !columns.contains_key(owner) || !also.iter().all(|(name, _)| columns.contains_key(*name))
        {
            return Ok(0);
        }
        let dialect = self.dialect();
        let mut inner = format!(
            "SELECT COUNT(*) AS how_many FROM *PREFIX*{table} WHERE {} = ?",
            dialect.quoted(owner)?
        );
        let mut args = vec![text(value)];
        for (name, value) in also {
            inner.push_str(&format!(" AND {} = ?", dialect.text(&dialect.quoted(name)?)));
            args.push(text(*value));
        }
        let cells = self.row(&["how_many"], &inner, args).await?;
        cells.map_or(Ok(0), |cells| cells.count(0))
    }

    /// Teams that the account owns; not the one that every account is by itself.
    async fn teams(&self, uid: &str) -> Result<u64, Error> {
        let inner = "SELECT COUNT(*) AS how_many FROM *PREFIX*circles_member \
             WHERE user_id = ? AND user_type = 1 AND level = 9 AND circle_id <> single_id";
        match self.columns("circles_member").await?.contains_key("single_id") {
            true => self.counted("circles_member", inner, text(uid)).await,
            false => Ok(0),
        }
    }

    async fn favourites(&self, uid: &str) -> Result<u64, Error> {
        let inner = "SELECT COUNT(*) AS how_many FROM *PREFIX*vcategory_to_object o \
             JOIN *PREFIX*vcategory c ON c.id = o.categoryid AND c.type = o.type \
             WHERE o.type = 'files' AND c.uid = ?";
        self.counted("vcategory_to_object", inner, text(uid)).await
    }

    async fn counted(&self, table: &str, inner: &str, arg: Arg) -> Result<u64, Error> {
        if !self.has(table).await? {
            return Ok(0);
        }
        let cells = self.row(&["how_many"], inner, vec![arg]).await?;
        cells.map_or(Ok(0), |cells| cells.count(0))
    }

    /// Text as a number.
    fn number(&self, expression: &str) -> String {
        match self.dialect() {
            Dialect::MySql => format!("CAST({expression} AS SIGNED)"),
            Dialect::Postgres | Dialect::Sqlite => format!("CAST({expression} AS BIGINT)"),
        }
    }
}
