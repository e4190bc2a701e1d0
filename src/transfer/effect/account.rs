//! Effects on an account as a whole.
//!
//! Nextcloud asks an admin for the password again before it disables an account, and takes neither an
//! app password nor an external app's word for it (`PasswordConfirmationRequired`). Where Passeur has
//! the database, the one row that says so is enough.

use super::{Error, Outcome, World};
use crate::nextcloud::db::Record;

/// Disables an account; one that is disabled already is nothing of ours.
pub(super) async fn disable(
    world: &World,
    uid: &str,
    record: Option<&Record>,
    again: bool,
) -> Result<Outcome, Error> {
    match record {
        Some(record) if record.changes.is_empty() => return Ok(Outcome::Existed),
        Some(record) => {
            let database = world.database().await?;
            let applied = database.apply(record).await;
            database.close().await;
            applied?;
        }
        None => {
            let admin = confirmed(world)?;
            if !again && admin.user(uid).await?.is_some_and(|user| !user.enabled) {
                return Ok(Outcome::Existed);
            }
            admin.set_enabled(uid, false).await?;
        }
    }
    Ok(Outcome::Done)
}

/// Enables it again, unless somebody did.
pub(super) async fn enable(world: &World, uid: &str, record: Option<&Record>) -> Result<(), Error> {
    let Some(record) = record else {
        return Ok(confirmed(world)?.set_enabled(uid, true).await?);
    };
    let database = world.database().await?;
    let undone = match database.account(uid).await {
        Ok(account) if account.enabled => Ok(()),
        Ok(_) => database.undo(record).await.map(drop),
        Err(error) => Err(error),
    };
    database.close().await;
    Ok(undone?)
}

fn confirmed(world: &World) -> Result<crate::nextcloud::ocs::Client, Error> {
    world.confirmed().ok_or_else(|| Error::NoAccess(world.site.access.admin.clone()))
}
