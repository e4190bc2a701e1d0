//! The instance's own transfer of files: the source offers, the recipient accepts, and a background
//! job of the instance does it when its turn comes.
//!
//! An offer has a number that nobody is told but the recipient, by a notification; those that were
//! there before are known, so that the new one is ours. Where the job puts things is not told at
//! all: it is the new folder in the recipient's files that holds the file of that id.
//!
//! There is no way back by the same way: the recipient would have to offer and wait once more.
//! What was handed over is moved back through a shared folder, as [`super::files`] moves things.

use serde::{Deserialize, Serialize};

use super::{Error, Outcome, Who, World, files, shares};
use crate::dav::client::{Client, Depth};
use crate::nextcloud::ocs::Notification;
use crate::nextcloud::properties as p;
use crate::transfer::site::file;

/// How long until it is looked again whether the job is done.
const LOOK: std::time::Duration = std::time::Duration::from_secs(20);

/// What is handed over, and what was there before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Handing {
    pub source: String,
    pub recipient: String,
    /// Below the source's files.
    pub path: String,
    pub file_id: u64,
    /// Offers to the recipient that were there before.
    pub offers: Vec<String>,
    /// Names in the recipient's root that were there before.
    pub roots: Vec<String>,
    /// A folder that may be made to move things back.
    pub helper: String,
}

impl Handing {
    /// Notes what is there before anything is done. `own`: offers that this transfer made, of which
    /// the recipient is told once more when they are carried out; `earlier`: what it handed over
    /// before, into folders that may be there by now.
    pub async fn note(
        world: &World,
        (source, recipient): (&str, &str),
        (path, file_id): (&str, u64),
        helper: String,
        earlier: &[Handing],
        own: Vec<String>,
    ) -> Result<Self, Error> {
        let who = Who::here(recipient);
        let mut offers = offers(&world.ocs(&who)?.notifications().await?);
        offers.extend(own);
        let roots = match earlier.iter().find(|one| one.recipient == recipient) {
            Some(first) => first.roots.clone(),
            None => names(&world.dav(&who)?, recipient).await?,
        };
        Ok(Self {
            source: source.to_owned(),
            recipient: recipient.to_owned(),
            path: path.to_owned(),
            file_id,
            offers,
            roots,
            helper,
        })
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Offers it, unless an earlier try did.
pub(super) async fn offer(world: &World, handing: &Handing, again: bool) -> Result<Outcome, Error> {
    let recipient = world.ocs(&Who::here(&handing.recipient))?;
    if again && let Some(id) = new_offer(&recipient.notifications().await?, handing) {
        return Ok(Outcome::Offered { id });
    }
    let source = world.ocs(&Who::here(&handing.source))?;
    source.offer_ownership(&handing.recipient, &handing.path).await?;
    let id = new_offer(&recipient.notifications().await?, handing).ok_or_else(|| {
        Error::Conflict(format!(
            "{:?} got no notification of the offer, without which nobody can accept it: is the \
             app notifications on?",
            handing.recipient
        ))
    })?;
    Ok(Outcome::Offered { id })
}

/// Accepts an offer. One that is gone was carried out, or is known to be refused later.
pub(super) async fn accept(
    world: &World,
    handing: &Handing,
    offer: &str,
) -> Result<Outcome, Error> {
    match world.ocs(&Who::here(&handing.recipient))?.accept_ownership(offer).await {
        Err(error) if error.is_not_found() => Ok(Outcome::Done),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Outcome::Done),
    }
}

/// Sees whether the instance has done it.
pub(super) async fn arrive(
    world: &World,
    handing: &Handing,
    offer: &str,
    until: i64,
) -> Result<Outcome, Error> {
    if let Some(at) = arrived(world, handing).await? {
        return Ok(Outcome::Arrived { at });
    }
    // The source is told how it ended, whichever way.
    let told = world.ocs(&Who::here(&handing.source))?.notifications().await?;
    let is_over = told.iter().any(|one| is_of_a_transfer(one) && one.object_id == offer);
    if let Some(at) = arrived(world, handing).await? {
        return Ok(Outcome::Arrived { at });
    }
    if is_over {
        let why =
            format!("the instance could not hand over {:?}: its own log says why", handing.path);
        return Err(Error::Conflict(why));
    }
    if crate::store::now() / 1000 > until {
        let why = "the instance did not run the transfer in a day: do its background jobs (cron) \
                   run? Resume when they do";
        return Err(Error::Conflict(why.to_owned()));
    }
    let why = "it waits until the instance runs its background jobs (cron)".to_owned();
    Err(Error::Later { after: LOOK, why, in_vain: false })
}

/// Takes an offer back. One that was carried out is gone, and nothing happens.
pub(super) async fn withdraw(world: &World, recipient: &str, offer: &str) -> Result<(), Error> {
    match world.ocs(&Who::here(recipient))?.reject_ownership(offer).await {
        Err(error) if error.is_not_found() => Ok(()),
        done => Ok(done?),
    }
}

/// Takes back what an interrupted try may have offered.
pub(super) async fn withdraw_new(world: &World, handing: &Handing) -> Result<(), Error> {
    let recipient = world.ocs(&Who::here(&handing.recipient))?;
    match new_offer(&recipient.notifications().await?, handing) {
        Some(offer) => withdraw(world, &handing.recipient, &offer).await,
        None => Ok(()),
    }
}

/// Brings it back to where it was, if it has left.
pub(super) async fn bring_back(world: &World, handing: &Handing, offer: &str) -> Result<(), Error> {
    let (source, recipient) = (Who::here(&handing.source), Who::here(&handing.recipient));
    withdraw(world, &handing.recipient, offer).await?;
    if id_at(&world.dav(&source)?, &handing.source, &handing.path).await? == Some(handing.file_id) {
        return tidy(world, handing).await;
    }
    let helped = format!("{}/{}", handing.helper, handing.name());
    let at = arrived(world, handing).await?;
    if let Some(at) = &at {
        files::make_folder(world, &source, &handing.helper, true, true).await?;
        let (owner, with) = (&handing.source, &handing.recipient);
        let shared = shares::share_folder(world, owner, &handing.helper, with).await?;
        let Outcome::Shared { target, .. } = shared else {
            return Err(Error::Conflict("the helper folder is not shared".to_owned()));
        };
        let to = format!("{}/{}", target.trim_end_matches('/'), handing.name());
        files::relocate(world, &recipient, at, &to, Some(handing.file_id)).await?;
        shares::unshare_folder(world, owner, &handing.helper, with).await?;
    } else if id_at(&world.dav(&source)?, &handing.source, &helped).await? != Some(handing.file_id)
    {
        let (path, uid) = (&handing.path, &handing.recipient);
        return Err(Error::Conflict(format!(
            "{path:?} is not where the instance put it for {uid:?}"
        )));
    }
    files::relocate(world, &source, &helped, &handing.path, Some(handing.file_id)).await?;
    if let Some((folder, _)) = at.as_deref().and_then(|at| at.rsplit_once('/')) {
        files::remove_folder(world, &recipient, folder).await?;
    }
    tidy(world, handing).await
}

async fn tidy(world: &World, handing: &Handing) -> Result<(), Error> {
    let source = Who::here(&handing.source);
    files::remove_folder(world, &source, &handing.helper).await.map(drop)
}

/// Where the job has put it: in a folder of the recipient's root that is new.
async fn arrived(world: &World, handing: &Handing) -> Result<Option<String>, Error> {
    let client = world.dav(&Who::here(&handing.recipient))?;
    for root in names(&client, &handing.recipient).await? {
        let at = format!("/{root}/{}", handing.name());
        if !handing.roots.contains(&root)
            && id_at(&client, &handing.recipient, &at).await? == Some(handing.file_id)
        {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The names of the folders in an account's root.
async fn names(client: &Client, uid: &str) -> Result<Vec<String>, Error> {
    let root = file(uid, "")?;
    let mut inside = client.propfind(&root, Depth::One, &[p::RESOURCE_TYPE]).await?;
    let mut names = Vec::new();
    while let Some(entry) = inside.next().await? {
        if entry.path != root && entry.is_collection() {
            names.extend(entry.path.name().map(str::to_owned));
        }
    }
    Ok(names)
}

async fn id_at(client: &Client, uid: &str, path: &str) -> Result<Option<u64>, Error> {
    let found = client.find(&file(uid, path)?, &[p::FILE_ID]).await?;
    Ok(found.and_then(|entry| entry.number(&p::FILE_ID)))
}

fn is_of_a_transfer(notification: &Notification) -> bool {
    notification.app == "files" && notification.object_type == "transfer"
}

fn offers(notifications: &[Notification]) -> Vec<String> {
    let of = notifications.iter().filter(|one| is_of_a_transfer(one));
    of.map(|one| one.object_id.clone()).collect()
}

fn new_offer(notifications: &[Notification], handing: &Handing) -> Option<String> {
    let new = offers(notifications).into_iter().filter(|id| !handing.offers.contains(id));
    // Numbers grow: whatever else came meanwhile was offered before.
    new.max_by_key(|id| id.parse::<u64>().unwrap_or(0))
}
