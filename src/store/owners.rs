//! Accounts shown as others, kept over restarts: what a hand-over leaves where the instance itself
//! cannot show the new owner. `site::Live` is what requests see of it.

use super::{Error, Store, now, on};

/// One account of a site shown as another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShownOwner {
    /// The site.
    pub site: String,
    /// Who set it: a transfer's id, say.
    pub name: String,
    /// The account that the instance reports.
    pub from: String,
    /// The account shown instead.
    pub to: String,
    /// Its display name.
    pub display_name: String,
    /// When it ends, milliseconds since 1970.
    pub until: Option<i64>,
}

type Row = (String, String, String, String, String, Option<i64>);

impl Store {
    /// Keeps an owner rule; one with the same site and name is replaced.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_owner(&self, rule: &ShownOwner) -> Result<(), Error> {
        on!(self.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO shown_owner (site, name, source, recipient, display_name, until) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (site, name) DO UPDATE SET \
                 source = excluded.source, recipient = excluded.recipient, \
                 display_name = excluded.display_name, until = excluded.until",
            )
            .bind(&rule.site)
            .bind(&rule.name)
            .bind(&rule.from)
            .bind(&rule.to)
            .bind(&rule.display_name)
            .bind(rule.until)
            .execute(pool)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Ends an owner rule.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn drop_owner(&self, site: &str, name: &str) -> Result<(), Error> {
        on!(self.engine, writer => |pool| {
            sqlx::query("DELETE FROM shown_owner WHERE site = $1 AND name = $2")
                .bind(site)
                .bind(name)
                .execute(pool)
                .await
                .map(drop)
        })?;
        Ok(())
    }

    /// All owner rules that have not ended.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn owners(&self) -> Result<Vec<ShownOwner>, Error> {
        let rows: Vec<Row> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT site, name, source, recipient, display_name, until FROM shown_owner \
                 WHERE until IS NULL OR until > $1 ORDER BY site, name",
            )
            .bind(now())
            .fetch_all(pool)
            .await
        })?;
        let rule = |(site, name, from, to, display_name, until)| ShownOwner {
            site,
            name,
            from,
            to,
            display_name,
            until,
        };
        Ok(rows.into_iter().map(rule).collect())
    }
}
