//! What has to change in the database for a hand-over, worked out before anything is written.
//!
//! Each `prepare_…` reads, refuses what cannot be, and answers with a [`Handover`]: the record to
//! keep in the journal and to [`Database::apply`], and what a person should know. The floor is
//! what the core's own commands change; the gaps that these leave are closed.

mod account;
mod books;
mod calendars;
mod collection;
mod files;
mod personal;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::change::{Record, Row, Table};
use super::pool::Arg;
use super::read::Node;
use super::{Database, Error};

/// Files and folders that lie in the recipient's home now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Who had them.
    pub from: String,
    /// Whose home they are in.
    pub to: String,
    /// The topmost of them; what is inside comes along.
    pub roots: Vec<Root>,
}

/// One file or folder that was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Its file id, which a move inside one server keeps.
    pub file: i64,
    /// Where its former owner had it, below the home's files (`Association/Budget`): before the
    /// move, and in the shared folder it was moved through, if there was one.
    pub was: Vec<String>,
}

/// A calendar or an address book to hand over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Who has it.
    pub from: String,
    /// Who gets it.
    pub to: String,
    /// Its name in addresses, with its present owner.
    pub uri: String,
    /// What people will see, if that should change.
    pub name: Option<String>,
}

/// A hand-over that is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// What to journal, then to apply.
    pub record: Record,
    /// The name in addresses that a collection gets.
    pub uri: Option<String>,
    /// What changes for people, and what somebody has to do.
    pub remarks: Vec<Remark>,
}

/// Something to tell, for the plan and the receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "about")]
pub enum Remark {
    /// The former owner's pages for appointments point at a calendar that went away.
    AppointmentPages {
        /// How many.
        count: u64,
    },
    /// Birthdays in this account's calendar do not follow by themselves. Missing ones come with
    /// `occ dav:sync-birthday-calendar`; stale ones stay until the account switches its calendar of
    /// birthdays off and on.
    Birthdays {
        /// Whose.
        account: String,
        /// Events there that the book no longer makes.
        stale: u64,
    },
    /// It was where invitations of the former owner went; Nextcloud picks another of theirs.
    DefaultCalendar,
    /// A share on one of the files belongs to somebody else; it was left alone.
    ForeignShare {
        /// Its id.
        share: i64,
        /// Who owns it.
        owner: String,
    },
    /// Guests who answer by the links of these mails are not written into the event any more.
    Invitations {
        /// How many links are open.
        count: u64,
    },
    /// The recipient had it by a share, with a name or colour of their own: now the owner's count.
    OwnView {
        /// How many settings.
        count: u64,
    },
    /// The recipient's addresses had this name already, so it has another.
    Renamed {
        /// The new one.
        uri: String,
    },
    /// These are on other servers, which keep the address with the former owner's name: share it
    /// with them again.
    ShareAgain {
        /// Principals: `principals/remote-users/…`.
        principals: Vec<String>,
    },
    /// The former owner still sees it, as a member of these groups.
    StillSees {
        /// Principals: `principals/groups/board`.
        principals: Vec<String>,
    },
    /// These see it at a new address; clients find it by themselves at their next look.
    NewAddress {
        /// Principals: `principals/users/carol`.
        principals: Vec<String>,
    },
}

// === impl Database ===

impl Database {
    /// Two different accounts that exist, and a version that may be written.
    async fn ready(&self, from: &str, to: &str) -> Result<(), Error> {
        self.writable().await?;
        if from == to {
            return Err(Error::SameAccount(from.to_owned()));
        }
        self.account(from).await?;
        self.account(to).await.map(drop)
    }

    /// Whole rows, as they are: every column, as text.
    async fn whole_rows(
        &self,
        table: Table,
        condition: &str,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>, Error> {
        let columns = self.schema.require(&self.pool, &self.prefix, table).await?;
        let names: Vec<&str> = columns.keys().map(String::as_str).collect();
        let inner = format!("SELECT t.* FROM *PREFIX*{} t WHERE {condition}", table.name());
        let named = |cells: super::pool::Cells| -> Row {
            names.iter().map(|&name| name.to_owned()).zip(cells.into_vec()).collect()
        };
        self.stream(&names, &inner, args).map_ok(named).try_collect().await
    }

    /// The roots of moved files as they lie in the recipient's home now.
    async fn settled(&self, moved: &Moved) -> Result<(i64, Vec<Node>), Error> {
        let not_moved = |file| Error::NotMoved { file, owner: moved.to.clone() };
        let first = moved.roots.first().map_or(0, |root| root.file);
        let home = self.home(&moved.to).await?.ok_or_else(|| not_moved(first))?;
        let mut nodes = Vec::new();
        for root in &moved.roots {
            match self.located(root.file).await? {
                Some((storage, node))
                    if storage == home.storage && node.path.starts_with("files/") =>
                {
                    nodes.push(node);
                }
                _ => return Err(not_moved(root.file)),
            }
        }
        Ok((home.storage, nodes))
    }
}

/// A value of a row that is there.
fn value<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    row.get(column).and_then(Option::as_deref)
}

/// The columns of a row that name it.
fn key(row: &Row, columns: &[&str]) -> Row {
    columns.iter().filter_map(|&name| Some((name.to_owned(), row.get(name)?.clone()))).collect()
}

/// Whether a path is one of the nodes' or below one.
fn is_below(path: &str, nodes: &[Node]) -> bool {
    nodes.iter().any(|node| {
        path.strip_prefix(&node.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}
