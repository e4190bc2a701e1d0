//! What calendars and address books have in common: their owner, their shares, and the settings
//! that accounts keep under their address.

use std::collections::BTreeSet;

use super::{Collection, Remark, key, value};
use crate::nextcloud::db::change::{Change, Record, Row, Table, row};
use crate::nextcloud::db::pool::Arg;
use crate::nextcloud::db::read::principal;
use crate::nextcloud::db::{Database, Error, text};

/// Paths that are longer stand as their SHA-1 in `oc_properties`.
const PATH_BYTES: usize = 250;
/// Names in addresses, and what people see.
const NAME_CHARACTERS: usize = 255;

/// A kind of collection.
pub(super) struct Kind {
    /// For people.
    pub word: &'static str,
    /// The table of collections.
    pub table: Table,
    /// What `oc_dav_shares` calls it.
    pub share: &'static str,
    /// What its addresses begin with, before the account.
    pub root: &'static str,
    /// Settings that a sharee has under the address and an owner in the row itself: under an
    /// owner's address they would hide the row's for ever.
    pub shadowing: &'static [&'static str],
}

// === impl Database ===

impl Database {
    /// The row of a collection that is its owner's.
    pub(super) async fn owned(&self, kind: &Kind, wanted: &Collection) -> Result<Row, Error> {
        let condition = "t.principaluri = ? AND t.uri = ?";
        let args = vec![text(principal(&wanted.from)), text(&wanted.uri)];
        let mut found = self.whole_rows(kind.table, condition, args).await?;
        found.pop().ok_or_else(|| Error::Missing {
            what: format!("{} {:?}", kind.word, wanted.uri),
            owner: wanted.from.clone(),
        })
    }

    /// A record that gives the collection, its link and its settings to the recipient, under the
    /// name `uri`.
    pub(super) async fn given(
        &self,
        kind: &Kind,
        wanted: &Collection,
        collection: &Row,
        uri: &str,
        remarks: &mut Vec<Remark>,
    ) -> Result<Record, Error> {
        let mut record = Record::new(format!(
            "{} {} of {} to {}",
            kind.word, wanted.uri, wanted.from, wanted.to
        ));
        record.changes.push(new_owner(kind, wanted, collection, uri)?);
        if uri != wanted.uri {
            remarks.push(Remark::Renamed { uri: uri.to_owned() });
        }
        self.reshare(kind, wanted, collection, &mut record, remarks).await?;
        self.resettle(kind, wanted, uri, &mut record, remarks).await?;
        Ok(record)
    }

    /// The share to the recipient goes: it is theirs now. The public link names its publisher,
    /// and would die with that account.
    async fn reshare(
        &self,
        kind: &Kind,
        wanted: &Collection,
        collection: &Row,
        record: &mut Record,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Error> {
        let (from, to) = (principal(&wanted.from), principal(&wanted.to));
        let id =
            value(collection, "id").and_then(|id| id.parse().ok()).ok_or(Error::Value("an id"))?;
        let args = vec![text(kind.share), Arg::Int(id)];
        let mut sharees = BTreeSet::new();
        for share in
            self.whole_rows(Table::DavShares, "t.type = ? AND t.resourceid = ?", args).await?
        {
            let whose = value(&share, "principaluri").unwrap_or_default().to_owned();
            let link = value(&share, "access") == Some("4");
            let table = Table::DavShares;
            match link {
                true if whose == from => record.changes.push(Change::Update {
                    table,
                    key: key(&share, &["id"]),
                    before: row([("principaluri", &from)]),
                    after: row([("principaluri", &to)]),
                }),
                false if whose == to => {
                    record.changes.push(Change::Delete {
                        table,
                        key: key(&share, &["id"]),
                        row: share,
                    });
                }
                false => drop(sharees.insert(whose)),
                true => {}
            }
        }
        let groups = self.account(&wanted.from).await?.groups;
        let back: Vec<String> = groups
            .iter()
            .map(|group| in_group(group))
            .filter(|group| sharees.contains(group))
            .collect();
        if !back.is_empty() {
            remarks.push(Remark::StillSees { principals: back });
        }
        let remote = |sharee: &String| sharee.starts_with("principals/remote-users/");
        let (remote, sharees): (Vec<String>, Vec<String>) = sharees.into_iter().partition(remote);
        if !remote.is_empty() {
            remarks.push(Remark::ShareAgain { principals: remote });
        }
        if !sharees.is_empty() {
            remarks.push(Remark::NewAddress { principals: sharees });
        }
        Ok(())
    }

    /// Settings that accounts have under the old address go to the new one.
    async fn resettle(
        &self,
        kind: &Kind,
        wanted: &Collection,
        uri: &str,
        record: &mut Record,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Error> {
        let Collection { from, to, .. } = wanted;
        let theirs = format!("{}{from}/{}", kind.root, wanted.uri);
        let seen_as = format!("{}_shared_by_{from}", wanted.uri);
        let becomes = format!("{uri}_shared_by_{to}");
        let owned = format!("{}{to}/{uri}", kind.root);
        let mut own_views = 0;
        let mut moves = Vec::new();
        let by_sharees = self.sharee_properties(kind.root, &seen_as).await?;
        // The recipient's come before the former owner's: they are what the recipient is used to.
        let (recipients, others): (Vec<_>, Vec<_>) =
            by_sharees.into_iter().partition(|found| found.1 == *to);
        for (id, user, _) in recipients.into_iter().chain(others) {
            let path = match user == *to {
                true => owned.clone(),
                false => format!("{}{user}/{becomes}", kind.root),
            };
            moves.push((id, user, path));
        }
        for setting in self.properties_at(from, &theirs).await? {
            moves.push((setting, to.clone(), owned.clone()));
        }
        let mut settled = BTreeSet::new();
        for (id, user, path) in moves {
            let Some(setting) =
                self.whole_rows(Table::Properties, "t.id = ?", vec![Arg::Int(id)]).await?.pop()
            else {
                continue;
            };
            let name = value(&setting, "propertyname").unwrap_or_default().to_owned();
            if path == owned && kind.shadowing.contains(&name.as_str()) {
                own_views += 1;
                continue;
            }
            let path = as_stored(&path);
            let taken = self.has_property(&user, &path, &name).await?;
            if taken || !settled.insert((user.clone(), path.clone(), name)) {
                continue;
            }
            record.changes.push(Change::Update {
                table: Table::Properties,
                key: key(&setting, &["id"]),
                before: key(&setting, &["userid", "propertypath"]),
                after: row([("userid", &user), ("propertypath", &path)]),
            });
        }
        if own_views > 0 {
            remarks.push(Remark::OwnView { count: own_views });
        }
        Ok(())
    }

    /// Rows of what one account set at one path.
    async fn properties_at(&self, user: &str, path: &str) -> Result<Vec<i64>, Error> {
        let inner = "SELECT id FROM *PREFIX*properties WHERE userid = ? AND propertypath = ?";
        let found = self.rows(&["id"], inner, vec![text(user), text(as_stored(path))]).await?;
        found.iter().map(|cells| cells.int(0)).collect()
    }

    /// Whether an account has this setting there already.
    pub(super) async fn has_property(
        &self,
        user: &str,
        stored: &str,
        name: &str,
    ) -> Result<bool, Error> {
        let inner = "SELECT id FROM *PREFIX*properties WHERE userid = ? AND propertypath = ? AND propertyname = ?";
        Ok(self.row(&["id"], inner, vec![text(user), text(stored), text(name)]).await?.is_some())
    }

    /// A name that none of the recipient's addresses has: as it was, or with `-1`, `-2`, … as the
    /// core numbers them. Whatever is in the bin keeps its address.
    pub(super) async fn free_uri(
        &self,
        wanted: &Collection,
        tables: &[&str],
    ) -> Result<String, Error> {
        let mut taken = BTreeSet::new();
        for table in tables {
            if self.has(table).await? {
                let inner = format!("SELECT uri FROM *PREFIX*{table} WHERE principaluri = ?");
                let found = self.rows(&["uri"], &inner, vec![text(principal(&wanted.to))]).await?;
                taken.extend(found.iter().map(|cells| cells.text(0)));
            }
        }
        let numbered = (1..).map(|number| format!("{}-{number}", wanted.uri));
        let free = std::iter::once(wanted.uri.clone())
            .chain(numbered)
            .find(|uri| !taken.contains(uri))
            .ok_or(Error::Value("a name"))?;
        fitting(&free).map(str::to_owned)
    }
}

/// How collections name a group that they are shared with: as PHP encodes a form's value.
fn in_group(group: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(group.as_bytes()).collect();
    format!("principals/groups/{encoded}")
}

fn new_owner(
    kind: &Kind,
    wanted: &Collection,
    collection: &Row,
    uri: &str,
) -> Result<Change, Error> {
    let mut after = row([("principaluri", &principal(&wanted.to)), ("uri", uri)]);
    if let Some(name) = &wanted.name {
        after.insert("displayname".to_owned(), Some(fitting(name)?.to_owned()));
    }
    let columns: Vec<&str> = after.keys().map(String::as_str).collect();
    let before = key(collection, &columns);
    Ok(Change::Update { table: kind.table, key: key(collection, &["id"]), before, after })
}

fn fitting(name: &str) -> Result<&str, Error> {
    match name.chars().count() <= NAME_CHARACTERS && !name.is_empty() {
        true => Ok(name),
        false => Err(Error::Value("a name of none or more than 255 characters")),
    }
}

/// A path as `oc_properties` has it.
pub(super) fn as_stored(path: &str) -> String {
    match path.len() > PATH_BYTES {
        true => crate::nextcloud::db::read::hex(
            aws_lc_rs::digest::digest(
                &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
                path.as_bytes(),
            )
            .as_ref(),
        ),
        false => path.to_owned(),
    }
}
