//! Accounts: their names, whether they may sign in, their quota.

use serde::{Deserialize, Serialize};

use crate::nextcloud::db::{Database, Error, text};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account id.
    pub uid: String,
    /// What people see; the id if there is no name.
    pub display_name: String,
    /// The first address for mail.
    pub email: Option<String>,
    /// False if an admin disabled it.
    pub enabled: bool,
    /// `5 GB`, `none`, `default`, as the admin set it.
    pub quota: Option<String>,
    /// Seconds since 1970; none if never.
    pub last_login: Option<i64>,
    /// Groups by id.
    pub groups: Vec<String>,
}

const COLUMNS: [&str; 6] = ["uid", "name", "email", "enabled", "quota", "login"];

/// Accounts of every backend: `oc_accounts` has also those of LDAP, `oc_users` those who never
/// got there.
const ACCOUNTS: &str = "SELECT a.uid AS uid, COALESCE(u.displayname, n.configvalue) AS name, \
     m.configvalue AS email, e.configvalue AS enabled, q.configvalue AS quota, l.configvalue AS login \
     FROM (SELECT uid FROM *PREFIX*users UNION SELECT uid FROM *PREFIX*accounts) a \
     LEFT JOIN *PREFIX*users u ON u.uid = a.uid \
     LEFT JOIN *PREFIX*preferences n ON n.userid = a.uid AND n.appid = 'user_ldap' AND n.configkey = 'displayName' \
     LEFT JOIN *PREFIX*preferences m ON m.userid = a.uid AND m.appid = 'settings' AND m.configkey = 'email' \
     LEFT JOIN *PREFIX*preferences e ON e.userid = a.uid AND e.appid = 'core' AND e.configkey = 'enabled' \
     LEFT JOIN *PREFIX*preferences q ON q.userid = a.uid AND q.appid = 'files' AND q.configkey = 'quota' \
     LEFT JOIN *PREFIX*preferences l ON l.userid = a.uid AND l.appid = 'login' AND l.configkey = 'lastLogin'";

// === impl Database ===

impl Database {
    /// Accounts by id, from the one after `after` on, at most `limit`; those with `search` in their
    /// id, name or address if given.
    ///
    /// # Errors
    /// As queries fail.
    pub async fn accounts(
        &self,
        search: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Account>, Error> {
        let like = format!("%{}%", escaped(&search.to_lowercase()));
        let inner = format!(
            "{ACCOUNTS} WHERE a.uid > ? AND (LOWER(a.uid) LIKE ? ESCAPE '!' \
             OR LOWER(COALESCE(u.displayname, n.configvalue, '')) LIKE ? ESCAPE '!' \
             OR LOWER(COALESCE(m.configvalue, '')) LIKE ? ESCAPE '!') ORDER BY a.uid LIMIT {limit}"
        );
        let args = vec![text(after), text(like.clone()), text(like.clone()), text(like)];
        let mut accounts = Vec::new();
        for cells in self.rows(&COLUMNS, &inner, args).await? {
            accounts.push(self.account_of(&cells).await?);
        }
        accounts.sort_by(|a, b| a.uid.cmp(&b.uid));
        Ok(accounts)
    }

    /// One account.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`] if there is none.
    pub async fn account(&self, uid: &str) -> Result<Account, Error> {
        let inner = format!("{ACCOUNTS} WHERE a.uid = ?");
        match self.row(&COLUMNS, &inner, vec![text(uid)]).await? {
            Some(cells) => self.account_of(&cells).await,
            None => Err(Error::UnknownAccount(uid.to_owned())),
        }
    }

    async fn account_of(
        &self,
        cells: &crate::nextcloud::db::pool::Cells,
    ) -> Result<Account, Error> {
        let uid = cells.text(0);
        let known = |column: usize| cells.optional(column).filter(|value| !value.is_empty());
        let inner = "SELECT gid FROM *PREFIX*group_user WHERE uid = ?";
        let groups = self.rows(&["gid"], inner, vec![text(&uid)]).await?;
        let mut groups: Vec<String> = groups.iter().map(|cells| cells.text(0)).collect();
        groups.sort();
        Ok(Account {
            display_name: known(1).unwrap_or(&uid).to_owned(),
            email: known(2).map(str::to_owned),
            enabled: known(3) != Some("false"),
            quota: known(4).map(str::to_owned),
            last_login: cells.int(5).ok().filter(|&at| at > 0),
            groups,
            uid,
        })
    }
}

/// Text for the inside of a LIKE pattern with `!` as its escape.
pub(in crate::nextcloud::db) fn escaped(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
