//! Whether an account may log in.

use super::{Handover, key, value};
use crate::nextcloud::db::change::{Change, Record, Table, row};
use crate::nextcloud::db::{Database, Error, text};

impl Database {
    /// What has to change so that an account is disabled, as `occ user:disable` does; nothing if it is
    /// already. Sessions end at their next request.
    ///
    /// # Errors
    /// As for [`Database::prepare_shares`].
    pub async fn prepare_disabled(&self, uid: &str) -> Result<Handover, Error> {
        self.writable().await?;
        self.account(uid).await?;
        let mut record = Record::new(format!("{uid} is disabled"));
        let condition = "t.userid = ? AND t.appid = 'core' AND t.configkey = 'enabled'";
        let found = self.whole_rows(Table::Preferences, condition, vec![text(uid)]).await?;
        let named = [("userid", uid), ("appid", "core"), ("configkey", "enabled")];
        match found.first() {
            Some(setting) if value(setting, "configvalue") == Some("false") => {}
            Some(setting) => record.changes.push(Change::Update {
                table: Table::Preferences,
                key: row(named),
                before: key(setting, &["configvalue"]),
                after: row([("configvalue", "false")]),
            }),
            None => {
                let [user, app, name] = named;
                record.changes.push(Change::Insert {
                    table: Table::Preferences,
                    key: row(named),
                    row: row([user, app, name, ("configvalue", "false")]),
                });
            }
        }
        Ok(Handover { record, uri: None, remarks: Vec::new() })
    }
}
