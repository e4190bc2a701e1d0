//! Leases: one process at a time does something, and if it dies another takes over.
//!
//! Each time a lease changes hands its fencing number grows. Whoever writes under a lease says so in
//! the statement itself (`… WHERE EXISTS (SELECT 1 FROM lease WHERE name = $1 AND fence = $2)`), so
//! that a process that was asleep while another took over cannot write any more.

use std::time::Duration;

use super::{Error, Store, now, on};

/// A lease that was had when it was taken or renewed last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// What it is about.
    pub name: String,
    /// Who has it.
    pub owner: String,
    /// Grows each time it changes hands.
    pub fence: i64,
}

impl Store {
    /// Takes a lease for a time, if nobody else has it; also one of the same owner's, which counts
    /// as another process: it gets a new number.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_lease(
        &self,
        name: &str,
        owner: &str,
        time: Duration,
    ) -> Result<Option<Lease>, Error> {
        let now = now();
        let fence: Option<(i64,)> = on!(self.engine, writer => |pool| {
            sqlx::query_as(
                "INSERT INTO lease (name, owner, fence, until) VALUES ($1, $2, 1, $3) \
                 ON CONFLICT (name) DO UPDATE SET \
                 owner = excluded.owner, fence = lease.fence + 1, until = excluded.until \
                 WHERE lease.until <= $4 OR lease.owner = excluded.owner RETURNING fence",
            )
            .bind(name)
            .bind(owner)
            .bind(now.saturating_add(millis(time)))
            .bind(now)
            .fetch_optional(pool)
            .await
        })?;
        Ok(fence.map(|(fence,)| Lease { name: name.to_owned(), owner: owner.to_owned(), fence }))
    }

    /// Keeps a lease for some more time, from now on.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another process has taken it over.
    pub async fn renew_lease(&self, lease: &Lease, time: Duration) -> Result<(), Error> {
        self.set_lease(lease, now().saturating_add(millis(time))).await
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another process has taken it over already.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.set_lease(lease, 0).await
    }

    async fn set_lease(&self, lease: &Lease, until: i64) -> Result<(), Error> {
        let changed = on!(self.engine, writer => |pool| {
            sqlx::query("UPDATE lease SET until = $1 WHERE name = $2 AND fence = $3")
                .bind(until)
                .bind(&lease.name)
                .bind(lease.fence)
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        if changed == 1 { Ok(()) } else { Err(Error::LeaseLost(lease.name.clone())) }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
