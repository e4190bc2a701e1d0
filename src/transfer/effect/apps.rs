//! Things of other apps: each is given away by its app's own call, as the account that owns it, or
//! as an admin where the app wants one. Who owns it is asked before and afterwards, as the account
//! that is to have it: an app that says yes and does nothing is found out.

use super::{Error, Kind, Outcome, Who, World};
use crate::nextcloud::ocs::Client;

/// Gives a thing to another account, unless it has it.
pub(super) async fn give(
    world: &World,
    kind: Kind,
    id: u64,
    (from, to): (&str, &str),
) -> Result<Outcome, Error> {
    let (giver, taker) = (world.ocs(&Who::here(from))?, world.ocs(&Who::here(to))?);
    if owns(&taker, kind, id, to).await? {
        return Ok(Outcome::Done);
    }
    match kind {
        Kind::Board => giver.give_board(id, to).await?,
        Kind::Table => giver.give_table(id, to).await?,
        Kind::Form => giver.give_form(id, to).await?,
        Kind::Poll => {
            let admin = world.admin().ok_or_else(|| Error::NoAccess("an admin".to_owned()))?;
            admin.give_poll(id, to).await?;
        }
        _ => return Err(Error::Conflict(format!("{kind:?} is no thing of an app"))),
    }
    match owns(&taker, kind, id, to).await? {
        true => Ok(Outcome::Done),
        false => Err(Error::Mismatch(format!("{to:?} does not own {kind:?} {id}"))),
    }
}

/// Whether the account, as which is asked, owns a thing.
async fn owns(ocs: &Client, kind: Kind, id: u64, uid: &str) -> Result<bool, Error> {
    Ok(match kind {
        Kind::Board => ocs.boards().await?.iter().any(|one| one.id == id && one.owner == uid),
        Kind::Table => ocs.tables().await?.iter().any(|one| one.id == id && one.ownership == uid),
        // Only own forms are listed.
        Kind::Form => ocs.forms().await?.iter().any(|one| one.id == id),
        Kind::Poll => ocs.polls().await?.iter().any(|one| one.id == id && one.owner == uid),
        _ => false,
    })
}
