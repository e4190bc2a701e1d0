//! Effects on shares of files.
//!
//! A share whose file changes hands over WebDAV keeps its old owner more often than not. It is
//! looked at as the new owner; where it is not theirs, it is made again with the same rights. No
//! call here mails anybody; shares by mail and to other instances exist by a message, and end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Error, Outcome, Who, World};
use crate::nextcloud::ocs::{Client, NewShare, Share, ShareChange, ShareType};
use crate::transfer::model::{ShareKind, ShareOutcome, words};

/// Everything that may be done with a folder: read, update, create, delete, share.
const ALL: u32 = 31;

/// How often a share is made again of which the other account gets nothing, and how long a transfer
/// waits then.
const SHARE_TRIES: u32 = 3;
const SHARE_PAUSE: Duration = Duration::from_secs(30);

/// A share, as far as it can be made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShareRecord {
    pub id: String,
    /// The number of its kind, as in OCS.
    pub kind: i64,
    pub with: String,
    pub initiator: String,
    pub owner: String,
    /// Below the owner's files.
    pub path: String,
    pub file_id: i64,
    pub permissions: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    #[serde(default)]
    pub has_password: bool,
    #[serde(default)]
    pub hide_download: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<String>,
}

/// Notes the shares that an account made, and those that others made of its files.
pub(super) async fn note(world: &World, who: &Who) -> Result<Outcome, Error> {
    match world.ocs(who)?.shares().await {
        Ok(shares) => {
            let shares = shares.iter().map(ShareRecord::from).collect();
            Ok(Outcome::Shares { shares: Some(shares) })
        }
        // A disabled account cannot be asked.
        Err(error) if error.is_refused() => Ok(Outcome::Shares { shares: None }),
        Err(error) => Err(error.into()),
    }
}

/// Shares a folder read-write with an account, and sees that the account has it.
pub(super) async fn share_folder(
    world: &World,
    owner: &str,
    path: &str,
    with: &str,
) -> Result<Outcome, Error> {
    let ocs = world.ocs(&Who::here(owner))?;
    for _ in 0..SHARE_TRIES {
        let share = match folder_share(&ocs, path, with).await? {
            Some(share) => share,
            None => ocs.create_share(&to_account(path, with)).await?,
        };
        let target = share.file_target.clone().unwrap_or_else(|| path.to_owned());
        if is_mounted(world, with, &target).await? {
            return Ok(Outcome::Shared { id: share.id, target });
        }
        // Where accounts have to accept shares.
        match world.ocs(&Who::here(with))?.accept_share(&share.id).await {
            Err(error) if error.is_not_found() => {}
            accepted => accepted?,
        }
        if is_mounted(world, with, &target).await? {
            return Ok(Outcome::Shared { id: share.id, target });
        }
        // An account gets what is shared by an event within the instance, which may fail (a locked
        // database) while the share stays. Only another share makes another event.
        ocs.delete_share(&share.id).await?;
    }
    let why = format!("{with} does not get the folder {path} that {owner} shares");
    Err(Error::Later { after: SHARE_PAUSE, why, in_vain: true })
}

fn to_account<'a>(path: &'a str, with: &'a str) -> NewShare<'a> {
    NewShare {
        path,
        share_type: ShareType::User,
        share_with: with,
        permissions: Some(ALL),
        expiration: None,
        label: None,
        note: None,
        password: None,
        attributes: None,
    }
}

async fn is_mounted(world: &World, with: &str, target: &str) -> Result<bool, Error> {
    let at = crate::transfer::site::file(with, target)?;
    let seen = world.dav(&Who::here(with))?;
    Ok(seen.find(&at, &[crate::nextcloud::properties::FILE_ID]).await?.is_some())
}

/// Ends such a share.
pub(super) async fn unshare_folder(
    world: &World,
    owner: &str,
    path: &str,
    with: &str,
) -> Result<Outcome, Error> {
    let ocs = world.ocs(&Who::here(owner))?;
    if let Some(share) = folder_share(&ocs, path, with).await? {
        ocs.delete_share(&share.id).await?;
    }
    Ok(Outcome::Done)
}

async fn folder_share(ocs: &Client, path: &str, with: &str) -> Result<Option<Share>, Error> {
    let shares = match ocs.shares_of(path).await {
        Err(error) if error.is_not_found() => return Ok(None),
        shares => shares?,
    };
    Ok(shares.into_iter().find(|share| {
        share.share_type == ShareType::User && share.share_with.as_deref() == Some(with)
    }))
}

/// Shares to another account, as its owner, what is shared already; with the same rights.
pub(super) async fn reshare(
    world: &World,
    id: &str,
    owner: &str,
    with: &str,
) -> Result<Outcome, Error> {
    let ocs = world.ocs(&Who::here(owner))?;
    let lost = |note: &str| {
        let (id, note) = (String::new(), note.to_owned());
        Ok(Outcome::Settled { outcome: ShareOutcome::Lost, id, url: None, note })
    };
    let Some(share) = ocs.share(id).await? else { return lost(words::NOT_REMADE) };
    let record = ShareRecord { kind: 0, with: with.to_owned(), ..ShareRecord::from(&share) };
    let made = match folder_share(&ocs, &record.path, with).await? {
        Some(there) => there,
        None => match make(&ocs, &record, &record.path).await {
            Ok((made, _)) => made,
            Err(Error::Instance(crate::nextcloud::Error::Ocs {
                code: 403 | 404, message, ..
            })) => {
                return lost(&message);
            }
            Err(error) => return Err(error),
        },
    };
    let (id, note) = (made.id, String::new());
    Ok(Outcome::Settled { outcome: ShareOutcome::Remade, id, url: None, note })
}

/// Ends such a share. Without an outcome it may be there: it was not before.
pub(super) async fn end_reshare(
    world: &World,
    id: &str,
    owner: &str,
    with: &str,
    outcome: Option<&Outcome>,
) -> Result<(), Error> {
    let ocs = world.ocs(&Who::here(owner))?;
    let made = match outcome {
        Some(Outcome::Settled { outcome: ShareOutcome::Remade, id, .. }) => Some(id.clone()),
        Some(_) => None,
        None => match ocs.share(id).await? {
            Some(share) => {
                let path = share.path.unwrap_or_default();
                folder_share(&ocs, &path, with).await?.map(|there| there.id)
            }
            None => None,
        },
    };
    if let Some(made) = made {
        ocs.delete_share(&made).await?;
    }
    Ok(())
}

/// Ends a share to the recipient: as its owner, or, where that account is disabled, as who has it.
pub(super) async fn drop_share(
    world: &World,
    record: &ShareRecord,
    owner: &str,
) -> Result<Outcome, Error> {
    match world.ocs(&Who::here(owner))?.delete_share(&record.id).await {
        Err(error) if error.is_refused() => {
            world.ocs(&Who::here(&record.with))?.delete_share(&record.id).await?;
        }
        done => done?,
    }
    Ok(Outcome::Done)
}

/// Leaves a share to a group, a team or a room, as one of its members.
pub(super) async fn leave(
    world: &World,
    record: &ShareRecord,
    who: &str,
) -> Result<Outcome, Error> {
    world.ocs(&Who::here(who))?.delete_share(&record.id).await?;
    Ok(Outcome::Done)
}

/// Comes back to it; one that was made again meanwhile was not left.
pub(super) async fn come_back(world: &World, record: &ShareRecord, who: &str) -> Result<(), Error> {
    let kind = ShareType::from(record.kind);
    Ok(world.ocs(&Who::here(who))?.restore_share(&record.id, kind).await?)
}

/// Makes a share that was ended again.
pub(super) async fn put_back(
    world: &World,
    record: &ShareRecord,
    owner: &str,
) -> Result<(), Error> {
    let ocs = world.ocs(&Who::here(owner))?;
    if twin(&ocs, record, &record.path, "").await?.is_none() {
        make(&ocs, record, &record.path).await?;
    }
    Ok(())
}

/// Sees to it that a share of what is now `to`'s at `path` is `to`'s, too, or ends it.
pub(super) async fn settle(
    world: &World,
    record: &ShareRecord,
    from: &str,
    to: &str,
    path: &str,
    (keep, again): (bool, bool),
) -> Result<Outcome, Error> {
    let new_owner = world.ocs(&Who::here(to))?;
    let settled = |outcome, id: String, url, note: &str| Outcome::Settled {
        outcome,
        id,
        url,
        note: note.to_owned(),
    };
    let present = new_owner.share(&record.id).await?;
    if let (Some(share), true) = (&present, keep)
        && share.uid_file_owner == to
    {
        return Ok(settled(ShareOutcome::Kept, record.id.clone(), share.url.clone(), ""));
    }
    if keep
        && again
        && let Some(twin) = twin(&new_owner, record, path, &record.id).await?
    {
        return Ok(settled(ShareOutcome::Remade, twin.id, twin.url, ""));
    }
    let gone = end(world, record, from, to).await?;
    if !keep {
        return Ok(settled(ShareOutcome::Lost, String::new(), None, words::AS_ASKED));
    }
    if let Some(why) = cannot_be_made(record) {
        return Ok(settled(ShareOutcome::Lost, String::new(), None, why));
    }
    match make(&new_owner, record, path).await {
        Ok((share, note)) => Ok(settled(ShareOutcome::Remade, share.id, share.url, &note)),
        Err(Error::Instance(crate::nextcloud::Error::Ocs { code: 403 | 404, message, .. })) => {
            let why = match gone {
                true => message,
                false => words::OLD_SHARE_IN_THE_WAY.to_owned(),
            };
            Ok(settled(ShareOutcome::Lost, String::new(), None, &why))
        }
        Err(error) => Err(error),
    }
}

/// The beginning of the way back: what would be in the way of moving the file back.
pub(super) async fn withdraw(
    world: &World,
    record: &ShareRecord,
    to: &str,
    outcome: Option<&Outcome>,
) -> Result<(), Error> {
    let Some(Outcome::Settled { outcome, id, .. }) = outcome else { return Ok(()) };
    // The source may be in the group, and would have the file twice.
    if *outcome == ShareOutcome::Remade || (*outcome == ShareOutcome::Kept && record.kind == 1) {
        world.ocs(&Who::here(to))?.delete_share(id).await?;
    }
    Ok(())
}

/// The way back, once the file is the source's again. Says where a link is that was made again: at
/// its old address only if the admin allows own ones.
pub(super) async fn unsettle(
    world: &World,
    record: &ShareRecord,
    from: &str,
    to: &str,
    outcome: Option<&Outcome>,
) -> Result<Option<String>, Error> {
    let old_owner = world.ocs(&Who::here(from))?;
    if let Some(Outcome::Settled { outcome: ShareOutcome::Remade, id, .. }) = outcome {
        world.ocs(&Who::here(to))?.delete_share(id).await?;
        old_owner.delete_share(id).await?;
    }
    if let Some(share) = old_owner.share(&record.id).await? {
        if share.uid_file_owner == from {
            return Ok(None);
        }
        world.ocs(&Who::here(to))?.delete_share(&record.id).await?;
    }
    if cannot_be_made(record).is_some() {
        return Ok(None);
    }
    let there = match twin(&old_owner, record, &record.path, "").await? {
        Some(twin) => twin,
        None => make(&old_owner, record, &record.path).await?.0,
    };
    Ok(there.url.filter(|_| record.kind == 3))
}

/// Ends a share, as whoever may. False if nobody could.
async fn end(world: &World, record: &ShareRecord, from: &str, to: &str) -> Result<bool, Error> {
    for uid in [from, record.initiator.as_str(), to] {
        match world.ocs(&Who::here(uid))?.delete_share(&record.id).await {
            Ok(()) if world.ocs(&Who::here(to))?.share(&record.id).await?.is_none() => {
                return Ok(true);
            }
            Ok(()) => {}
            Err(error) if error.is_refused() => {}
            Err(crate::nextcloud::Error::Ocs { code: 403, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// A share of the same thing with the same account, group or label, that is not the same.
async fn twin(
    ocs: &Client,
    record: &ShareRecord,
    path: &str,
    not: &str,
) -> Result<Option<Share>, Error> {
    let shares = match ocs.shares_of(path).await {
        Err(error) if error.is_not_found() => return Ok(None),
        shares => shares?,
    };
    Ok(shares.into_iter().find(|share| {
        let other = ShareRecord::from(share);
        share.id != not
            && other.kind == record.kind
            && other.with == record.with
            && other.label == record.label
            && other.permissions == record.permissions
            && share.uid_owner == share.uid_file_owner
    }))
}

fn cannot_be_made(record: &ShareRecord) -> Option<&'static str> {
    match ShareType::from(record.kind) {
        ShareType::Mail => Some(words::BY_MAIL),
        ShareType::Remote | ShareType::RemoteGroup => Some(words::REMOTE),
        ShareType::Deck | ShareType::Other(_) => Some(words::OF_AN_APP),
        _ => None,
    }
}

/// Makes a share like the one of the record; says what could not be kept.
async fn make(ocs: &Client, record: &ShareRecord, path: &str) -> Result<(Share, String), Error> {
    let is_link = record.kind == 3;
    let mut notes = Vec::new();
    // A link that had a password never stands open, not even for a moment.
    let password = match record.has_password {
        true => {
            notes.push(words::PASSWORD);
            Some(unknown_password()?)
        }
        false => None,
    };
    let new = NewShare {
        path,
        share_type: ShareType::from(record.kind),
        share_with: if is_link { "" } else { &record.with },
        permissions: Some(record.permissions),
        expiration: record.expiration.as_deref(),
        label: Some(record.label.as_str()).filter(|label| !label.is_empty()),
        note: Some(record.note.as_str()).filter(|note| !note.is_empty()),
        password: password.as_deref(),
        attributes: record.attributes.as_deref(),
    };
    let mut share = ocs.create_share(&new).await?;
    if is_link && record.hide_download {
        let change = ShareChange { hide_download: Some(true), ..ShareChange::default() };
        share = ocs.update_share(&share.id, &change).await?;
    }
    if let (true, Some(token)) = (is_link, &record.token) {
        // 31 and later keep the address, where the admin allows own tokens.
        let change = ShareChange { token: Some(token), ..ShareChange::default() };
        match ocs.update_share(&share.id, &change).await {
            Ok(same) => share = same,
            Err(crate::nextcloud::Error::Ocs { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((share, notes.join("; ")))
}

/// Long, and with all kinds of characters, to satisfy policies.
fn unknown_password() -> Result<String, Error> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|_| Error::Conflict("the system gives no randomness".to_owned()))?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("Aa1!{hex}"))
}

// === impl ShareRecord ===

impl ShareRecord {
    /// With whom.
    pub fn share_kind(&self) -> ShareKind {
        match ShareType::from(self.kind) {
            ShareType::User => ShareKind::User,
            ShareType::Group => ShareKind::Group,
            ShareType::Link => ShareKind::Link,
            ShareType::Mail => ShareKind::Mail,
            ShareType::Remote | ShareType::RemoteGroup => ShareKind::Remote,
            ShareType::Team => ShareKind::Team,
            ShareType::Room => ShareKind::Room,
            ShareType::Deck | ShareType::Other(_) => ShareKind::Other,
        }
    }

    /// Whether it can be made again over OCS.
    pub fn can_be_made(&self) -> bool {
        cannot_be_made(self).is_none()
    }
}

impl From<&Share> for ShareRecord {
    fn from(share: &Share) -> Self {
        let is_link = share.share_type == ShareType::Link;
        // Links tell what their password hashes to as whom they are shared with.
        let with = share.share_with.clone().filter(|_| !is_link).unwrap_or_default();
        let date = share.expiration.as_deref().and_then(|date| date.split(' ').next());
        Self {
            id: share.id.clone(),
            kind: share.share_type.into(),
            with,
            initiator: share.uid_owner.clone(),
            owner: share.uid_file_owner.clone(),
            path: share.path.clone().unwrap_or_default(),
            file_id: share.file_source,
            permissions: share.permissions,
            token: share.token.clone(),
            url: share.url.clone(),
            expiration: date.filter(|date| !date.is_empty()).map(str::to_owned),
            label: share.label.clone(),
            note: share.note.clone(),
            has_password: share.has_password,
            hide_download: share.hide_download,
            attributes: share.attributes.clone(),
        }
    }
}
