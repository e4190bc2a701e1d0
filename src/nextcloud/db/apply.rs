//! Applying and undoing a [`Record`]: one transaction, one guarded statement per row.
//!
//! Each statement names the row as it was, so it matches one row or none. One: it was changed.
//! None, and the row is as it should be: it was changed before (a crash after the commit, or
//! Nextcloud itself). Anything else ends the transaction with nothing written.

use super::change::{Applied, Change, Expected, Record, Row, Table};
use super::error::Error;
use super::pool::{Arg, Dialect, Tx};
use super::schema::Columns;
use super::{Database, text};

// === impl Database ===

impl Database {
    /// Applies a record. Again after a crash, it finds that it is done.
    ///
    /// # Errors
    /// [`Error::Untested`] unless this version was tried or forced, [`Error::Changed`] and
    /// [`Error::Clash`] if a row is not as it was; then nothing was written.
    pub async fn apply(&self, record: &Record) -> Result<Applied, Error> {
        self.writable().await?;
        self.write(record).await
    }

    /// Puts everything back as it was before [`Database::apply`].
    ///
    /// # Errors
    /// As for [`Database::apply`]: rows that someone changed since are not overwritten.
    pub async fn undo(&self, record: &Record) -> Result<Applied, Error> {
        self.writable().await?;
        self.write(&record.inverse()).await
    }

    async fn write(&self, record: &Record) -> Result<Applied, Error> {
        // Asked before the transaction: the answers are kept, and each needs a connection.
        for change in &record.changes {
            self.schema.require(&self.pool, &self.prefix, change.table()).await?;
        }
        let mut tx = self.pool.begin().await?;
        match self.write_all(&mut tx, record).await {
            Ok(applied) => tx.commit().await.map(|()| applied),
            Err(error) => {
                // The cause matters more than a connection that died while rolling back.
                drop(tx.rollback().await);
                Err(error)
            }
        }
    }

    async fn write_all(&self, tx: &mut Tx, record: &Record) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for change in &record.changes {
            match self.write_one(tx, change).await? {
                true => applied.changed += 1,
                false => applied.already += 1,
            }
        }
        self.refresh(tx, record).await?;
        // A record that is done already owes nothing: what it relied on may be gone since.
        if applied.changed > 0 {
            for Expected { table, key, values } in &record.expected {
                let columns = self.columns(table.name()).await?;
                if !self.statement(*table, &columns).is_as(tx, key, values, true).await? {
                    return Err(self.changed(*table, key));
                }
            }
        }
        Ok(applied)
    }

    /// Since 34, who has which share mounted is kept, and looked at again only if this says so.
    /// No setting means yes.
    async fn refresh(&self, tx: &mut Tx, record: &Record) -> Result<(), Error> {
        for account in &record.refresh {
            let sql = "UPDATE *PREFIX*preferences SET configvalue = '1' WHERE userid = ? \
                 AND appid = 'files_sharing' AND configkey = 'user_needs_share_refresh' AND configvalue = '0'";
            let sql = self.dialect().translate(sql, &self.prefix);
            tx.execute(sql, vec![text(account)]).await?;
        }
        Ok(())
    }

    /// True if the row changed now, false if it was so already.
    async fn write_one(&self, tx: &mut Tx, change: &Change) -> Result<bool, Error> {
        let table = change.table();
        let columns = self.columns(table.name()).await?;
        let statement = self.statement(table, &columns);
        let (changed, so_already) = match change {
            Change::Update { key, before, after, .. } => {
                let changed = statement.update(tx, key, before, after).await?;
                (changed, changed > 0 || statement.is_as(tx, key, after, false).await?)
            }
            Change::Delete { key, row, .. } => {
                let changed = statement.delete(tx, key, row).await?;
                (changed, changed > 0 || !statement.is_as(tx, key, &Row::new(), false).await?)
            }
            Change::Insert { key, row, .. } => {
                match statement.is_as(tx, key, &Row::new(), false).await? {
                    true => (0, statement.is_as(tx, key, row, false).await?),
                    false => (statement.insert(tx, row).await?, true),
                }
            }
        };
        match (changed, so_already) {
            (1, _) => Ok(true),
            (0, true) => Ok(false),
            _ => Err(self.changed(table, change.key())),
        }
    }

    fn statement<'a>(&'a self, table: Table, columns: &'a Columns) -> Statement<'a> {
        let name = format!("{}{}", self.prefix, table.name());
        Statement { dialect: self.dialect(), name, columns, database: self }
    }

    fn changed(&self, table: Table, key: &Row) -> Error {
        let pairs: Vec<String> = key
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")))
            .collect();
        Error::Changed { table: format!("{}{}", self.prefix, table.name()), key: pairs.join(", ") }
    }
}

/// Writes the SQL for one table.
struct Statement<'a> {
    dialect: Dialect,
    name: String,
    columns: &'a Columns,
    database: &'a Database,
}

/// SQL that grows, with the values for its placeholders.
#[derive(Default)]
struct Sql {
    text: String,
    args: Vec<Arg>,
}

// === impl Statement ===

impl Statement<'_> {
    async fn update(
        &self,
        tx: &mut Tx,
        key: &Row,
        before: &Row,
        after: &Row,
    ) -> Result<u64, Error> {
        let mut sql = Sql::new(&format!("UPDATE {} SET ", self.name));
        for (position, (name, value)) in after.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            sql.push(
                &format!("{separator}{} = {}", self.dialect.quoted(name)?, self.value(name)?),
                value,
            );
        }
        self.push_where(&mut sql, key, before)?;
        self.run(tx, sql).await
    }

    async fn delete(&self, tx: &mut Tx, key: &Row, row: &Row) -> Result<u64, Error> {
        let mut sql = Sql::new(&format!("DELETE FROM {}", self.name));
        self.push_where(&mut sql, key, row)?;
        self.run(tx, sql).await
    }

    async fn insert(&self, tx: &mut Tx, row: &Row) -> Result<u64, Error> {
        let names: Result<Vec<String>, Error> =
            row.keys().map(|name| self.dialect.quoted(name)).collect();
        let mut sql =
            Sql::new(&format!("INSERT INTO {} ({}) VALUES (", self.name, names?.join(", ")));
        for (position, (name, value)) in row.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            sql.push(&format!("{separator}{}", self.value(name)?), value);
        }
        sql.text.push(')');
        self.run(tx, sql).await
    }

    /// Whether there is such a row with these values; if `lock`, nobody changes it until the end.
    async fn is_as(&self, tx: &mut Tx, key: &Row, values: &Row, lock: bool) -> Result<bool, Error> {
        let mut sql = Sql::new(&format!("SELECT 1 FROM {}", self.name));
        self.push_where(&mut sql, key, values)?;
        if lock && self.dialect != Dialect::Sqlite {
            sql.text.push_str(" FOR UPDATE");
        }
        let text = self.dialect.translate(&sql.text, &self.database.prefix);
        tx.finds(text, sql.args).await
    }

    fn push_where(&self, sql: &mut Sql, key: &Row, values: &Row) -> Result<(), Error> {
        for (position, (name, value)) in key.iter().enumerate() {
            let word = if position == 0 { " WHERE" } else { " AND" };
            sql.push(
                &format!("{word} {} = {}", self.dialect.quoted(name)?, self.value(name)?),
                value,
            );
        }
        for (name, value) in values {
            let column = self.dialect.quoted(name)?;
            let same = match self.dialect {
                Dialect::MySql => format!(" AND {column} <=> ?"),
                // As text: JSON has no equality.
                Dialect::Postgres => format!(" AND CAST({column} AS TEXT) IS NOT DISTINCT FROM ?"),
                Dialect::Sqlite => format!(" AND {column} IS ?"),
            };
            sql.push(&same, value);
        }
        Ok(())
    }

    /// A placeholder for a value of this column, which comes as text.
    fn value(&self, name: &str) -> Result<String, Error> {
        let kind = self
            .columns
            .get(name)
            .ok_or_else(|| Error::Schema(format!("column {}.{name}", self.name)))?;
        Ok(match self.dialect {
            // The type's name is the server's own.
            Dialect::Postgres => format!("CAST(? AS {kind})"),
            Dialect::MySql | Dialect::Sqlite => "?".to_owned(),
        })
    }

    async fn run(&self, tx: &mut Tx, sql: Sql) -> Result<u64, Error> {
        let text = self.dialect.translate(&sql.text, &self.database.prefix);
        tx.execute(text, sql.args).await.map_err(|error| match error {
            Error::Query(source) if is_taken(&source) => {
                Error::Clash { table: self.name.clone(), source }
            }
            other => other,
        })
    }
}

// === impl Sql ===

impl Sql {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), args: Vec::new() }
    }

    fn push(&mut self, text: &str, value: &Option<String>) {
        self.text.push_str(text);
        self.args.push(value.clone().map_or(Arg::Null, Arg::Text));
    }
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}
