//! Effects: the single things that a transfer does at an instance, each with its way back.
//!
//! An effect holds all it needs, as data, because the journal keeps it. Doing it twice is as good
//! as once (`again` says that it may have been done), and [`Effect::revert`] puts back what it did,
//! also where it is not known whether it was done at all.

mod account;
mod apps;
mod collections;
mod content;
mod files;
mod meetings;
mod native;
mod print;
mod shares;

use serde::{Deserialize, Serialize};

use super::Error;
use super::model::{Kind, ShareOutcome};
use super::site::{Who, World};

pub(crate) use collections::{Looks, collection, names};
pub(crate) use content::{Copied, How, Proof, Source};
pub(crate) use meetings::read as read_object;
pub(crate) use native::Handing;
pub(crate) use print::{Over, Print};
pub(crate) use shares::ShareRecord;

/// One thing that a transfer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub(crate) enum Effect {
    /// Looks at what is below a path, or in a collection, to compare it later.
    Look { who: Who, kind: Kind, path: String, over: Over },
    /// Looks at the shares that an account made.
    NoteShares { who: Who },
    /// Looks at the favourites of an account.
    NoteFavourites { who: Who },
    /// Makes a folder; one that is there is as good only if `shared`.
    MakeFolder { who: Who, path: String, may_exist: bool },
    /// Removes a folder that a transfer made, which must be empty.
    RemoveFolder { who: Who, path: String },
    /// Shares a folder with an account, which may do everything in it.
    ShareFolder { owner: String, path: String, with: String },
    /// Ends such a share.
    UnshareFolder { owner: String, path: String, with: String },
    /// Ends a share from the source to the recipient: files cannot be shared with their owner.
    DropShare { record: ShareRecord, owner: String },
    /// The recipient leaves a share of what is handed over, to a group, a team or a room.
    LeaveShare { record: ShareRecord, who: String },
    /// Moves a file or folder.
    Move { who: Who, from: String, to: String, file_id: Option<u64> },
    /// Sees to it that a share of a moved node is the new owner's.
    SettleShare { record: ShareRecord, from: String, to: String, path: String, keep: bool },
    /// Marks files as favourites.
    Favourites { who: Who, paths: Vec<String> },
    /// Makes a calendar or an address book.
    MakeCollection { who: Who, kind: Kind, uri: String, looks: Looks },
    /// Shares a collection with a principal.
    ShareCollection { owner: Who, kind: Kind, uri: String, principal: String, write: bool },
    /// Ends such a share.
    UnshareCollection { owner: Who, kind: Kind, uri: String, principal: String, write: bool },
    /// Moves objects from a collection of the source into one that it may write to.
    /// `to` is the name that the recipient's collection has with the recipient.
    MoveObjects {
        who: Who,
        recipient: String,
        kind: Kind,
        from: String,
        to: String,
        names: Vec<String>,
        /// Whether the recipient was invited to the source's collection, and may write.
        invited: Option<bool>,
    },
    /// Makes a public link to a calendar.
    Publish { owner: Who, uri: String },
    /// Disables an account: with the admin's password, or by a row of the database.
    Disable { uid: String, record: Option<crate::nextcloud::db::Record> },
    /// Changes rows of the site's database, in one transaction.
    Rewrite { record: crate::nextcloud::db::Record },
    /// Writes a meeting anew.
    Rehome { who: Who, uri: String, object: String, old: String, new: String },
    /// Shares to another account what its owner shares already.
    Reshare { id: String, owner: String, with: String },
    /// Gives a thing of an app to another account.
    Give { kind: Kind, id: u64, from: String, to: String },
    /// Offers files by the instance's own transfer.
    Offer { handing: Handing },
    /// Accepts such an offer: from now on the instance may carry it out.
    Accept { handing: Handing, offer: String },
    /// Waits until the instance has carried it out, or so many seconds since 1970.
    Arrive { handing: Handing, offer: String, until: i64 },
    /// Takes an offer back that was not carried out.
    Withdraw { recipient: String, offer: String },
    /// Copies files to another account, or another instance.
    CopyFiles {
        from: Who,
        to: Who,
        files: Vec<Source>,
        #[serde(default)]
        how: How,
    },
    /// Copies objects of a collection likewise.
    CopyObjects { from: Who, to: Who, kind: Kind, uri: String, into: String, names: Vec<String> },
}

/// A part of undoing: all early ones, in reverse order, come before all late ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Early,
    Late,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "came")]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// What was looked at.
    Looked(Print),
    /// The shares that there are; none if the account may not be asked.
    Shares { shares: Option<Vec<ShareRecord>> },
    /// The favourites that there are, below the account's files.
    Favourites { paths: Vec<String> },
    /// It was there already, and is not ours.
    Existed,
    /// It is shared, and the other account sees it there.
    Shared { id: String, target: String },
    /// What became of a share.
    Settled { outcome: ShareOutcome, id: String, url: Option<String>, note: String },
    /// The address of a public link.
    Published { url: Option<String> },
    /// It is offered under this number.
    Offered { id: String },
    /// It is there now, below the recipient's files.
    Arrived { at: String },
    /// What was copied.
    Copied { files: Vec<Copied> },
    /// So many objects were stored; of so many the instance says that it has the very same bytes.
    Stored { count: u64, confirmed: u64 },
    /// Those that were not marked before.
    Marked { paths: Vec<String> },
}

// === impl Effect ===

impl Effect {
    /// Does it. `again`: it may have been done before.
    pub async fn perform(&self, world: &World, again: bool) -> Result<Outcome, Error> {
        match self {
            Effect::Look { who, kind, path, over } => {
                print::look(world, who, *kind, path, *over).await.map(Outcome::Looked)
            }
            Effect::NoteShares { who } => shares::note(world, who).await,
            Effect::NoteFavourites { who } => files::favourites(world, who).await,
            Effect::MakeFolder { who, path, may_exist } => {
                files::make_folder(world, who, path, *may_exist, again).await
            }
            Effect::RemoveFolder { who, path } => files::remove_folder(world, who, path).await,
            Effect::ShareFolder { owner, path, with } => {
                shares::share_folder(world, owner, path, with).await
            }
            Effect::UnshareFolder { owner, path, with } => {
                shares::unshare_folder(world, owner, path, with).await
            }
            Effect::DropShare { record, owner } => shares::drop_share(world, record, owner).await,
            Effect::LeaveShare { record, who } => shares::leave(world, record, who).await,
            Effect::Move { who, from, to, file_id } => {
                files::relocate(world, who, from, to, *file_id).await
            }
            Effect::SettleShare { record, from, to, path, keep } => {
                shares::settle(world, record, from, to, path, (*keep, again)).await
            }
            Effect::Favourites { who, paths } => files::favour(world, who, paths).await,
            Effect::MakeCollection { who, kind, uri, looks } => {
                collections::make(world, who, *kind, uri, looks, again).await
            }
            Effect::ShareCollection { owner, kind, uri, principal, write } => {
                collections::share(world, owner, *kind, uri, principal, *write).await
            }
            Effect::UnshareCollection { owner, kind, uri, principal, .. } => {
                collections::unshare(world, owner, *kind, uri, principal).await
            }
            Effect::MoveObjects { who, recipient, kind, from, to, names, .. } => {
                let owner = Who::here(recipient);
                collections::move_objects(world, (who, from), (&owner, to), *kind, names).await
            }
            Effect::Publish { owner, uri } => collections::publish(world, owner, uri).await,
            Effect::Rewrite { record } => {
                let database = world.database().await?;
                let applied = database.apply(record).await;
                database.close().await;
                applied?;
                Ok(Outcome::Done)
            }
            Effect::Disable { uid, record } => {
                account::disable(world, uid, record.as_ref(), again).await
            }
            Effect::Rehome { who, uri, object, old, new } => {
                meetings::rewrite(world, who, (uri, object), (old, new)).await
            }
            Effect::Reshare { id, owner, with } => shares::reshare(world, id, owner, with).await,
            Effect::Give { kind, id, from, to } => apps::give(world, *kind, *id, (from, to)).await,
            Effect::Offer { handing } => native::offer(world, handing, again).await,
            Effect::Accept { handing, offer } => native::accept(world, handing, offer).await,
            Effect::Arrive { handing, offer, until } => {
                native::arrive(world, handing, offer, *until).await
            }
            Effect::Withdraw { recipient, offer } => {
                native::withdraw(world, recipient, offer).await.map(|()| Outcome::Done)
            }
            Effect::CopyFiles { from, to, files, how } => {
                content::copy_files(world, (from, to), files, *how, again).await
            }
            Effect::CopyObjects { from, to, kind, uri, into, names } => {
                content::copy_objects(world, (from, to), *kind, (uri, into), names).await
            }
        }
    }

    /// Puts it back, and says where a link is that had to be made again. Without an outcome, it may
    /// not have been done.
    pub async fn put_back(
        &self,
        world: &World,
        outcome: Option<&Outcome>,
        part: Part,
    ) -> Result<Option<String>, Error> {
        match (self, part) {
            (Effect::SettleShare { record, from, to, .. }, Part::Late) => {
                shares::unsettle(world, record, from, to, outcome).await
            }
            _ => self.revert(world, outcome).await.map(|()| None),
        }
    }

    async fn revert(&self, world: &World, outcome: Option<&Outcome>) -> Result<(), Error> {
        match self {
            Effect::Look { .. } | Effect::NoteShares { .. } | Effect::NoteFavourites { .. } => {
                Ok(())
            }
            Effect::MakeFolder { who, path, .. } => match outcome {
                Some(Outcome::Existed) => Ok(()),
                _ => files::remove_folder(world, who, path).await.map(drop),
            },
            Effect::RemoveFolder { who, path } => {
                files::make_folder(world, who, path, true, true).await.map(drop)
            }
            Effect::ShareFolder { owner, path, with } => {
                shares::unshare_folder(world, owner, path, with).await.map(drop)
            }
            Effect::UnshareFolder { owner, path, with } => {
                shares::share_folder(world, owner, path, with).await.map(drop)
            }
            Effect::DropShare { record, owner } => shares::put_back(world, record, owner).await,
            Effect::LeaveShare { record, who } => shares::come_back(world, record, who).await,
            Effect::Move { who, from, to, file_id } => {
                files::relocate(world, who, to, from, *file_id).await.map(drop)
            }
            Effect::SettleShare { record, to, .. } => {
                shares::withdraw(world, record, to, outcome).await
            }
            Effect::Favourites { who, .. } => match outcome {
                Some(Outcome::Marked { paths }) => files::disfavour(world, who, paths).await,
                _ => Ok(()),
            },
            Effect::MakeCollection { who, kind, uri, .. } => {
                collections::remove(world, who, *kind, uri).await
            }
            Effect::ShareCollection { owner, kind, uri, principal, .. } => {
                collections::unshare(world, owner, *kind, uri, principal).await.map(drop)
            }
            Effect::UnshareCollection { owner, kind, uri, principal, write } => {
                collections::share(world, owner, *kind, uri, principal, *write).await.map(drop)
            }
            Effect::MoveObjects { who, recipient, kind, from, to, names, invited } => {
                let ends = (who, recipient.as_str());
                collections::move_back(world, ends, *kind, (from, to), names, *invited).await
            }
            Effect::Publish { owner, uri } => collections::unpublish(world, owner, uri).await,
            Effect::Rewrite { record } => {
                let database = world.database().await?;
                let undone = database.undo(record).await;
                database.close().await;
                undone?;
                Ok(())
            }
            Effect::Disable { uid, record } => match outcome {
                Some(Outcome::Existed) => Ok(()),
                _ => account::enable(world, uid, record.as_ref()).await,
            },
            Effect::Rehome { who, uri, object, old, new } => {
                meetings::rewrite(world, who, (uri, object), (new, old)).await.map(drop)
            }
            Effect::Reshare { id, owner, with } => {
                shares::end_reshare(world, id, owner, with, outcome).await
            }
            Effect::Give { kind, id, from, to } => {
                apps::give(world, *kind, *id, (to, from)).await.map(drop)
            }
            Effect::Offer { handing } => match outcome {
                Some(Outcome::Offered { id }) => {
                    native::withdraw(world, &handing.recipient, id).await
                }
                _ => native::withdraw_new(world, handing).await,
            },
            Effect::Accept { handing, offer } => native::bring_back(world, handing, offer).await,
            // Accepting is what is put back.
            Effect::Arrive { .. } | Effect::Withdraw { .. } => Ok(()),
            Effect::CopyFiles { to, files, .. } => {
                content::remove_copies(world, to, files, outcome).await
            }
            // The collection they are in goes with them.
            Effect::CopyObjects { .. } => Ok(()),
        }
    }

    /// Whether nothing changes by it.
    pub fn only_looks(&self) -> bool {
        matches!(
            self,
            Effect::Look { .. } | Effect::NoteShares { .. } | Effect::NoteFavourites { .. }
        )
    }

    /// When it is put back. Shares end before their files are moved back, and are the source's
    /// again once all files are.
    pub fn parts(&self) -> &'static [Part] {
        match self {
            Effect::SettleShare { .. } => &[Part::Early, Part::Late],
            Effect::DropShare { .. } | Effect::LeaveShare { .. } => &[Part::Late],
            _ => &[Part::Early],
        }
    }
}
