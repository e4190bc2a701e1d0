//! Effects on files and folders.

use super::{Error, Outcome, Who, World};
use crate::dav::client::{Change, Client, Depth, Overwrite, Path, Trash};
use crate::nextcloud::properties as p;
use crate::transfer::site::file;

/// Favourites that are remembered.
const MAX_FAVOURITES: usize = 5_000;

/// Makes a folder. One that is there counts as ours only if this was tried before.
pub(super) async fn make_folder(
    world: &World,
    who: &Who,
    path: &str,
    may_exist: bool,
    again: bool,
) -> Result<Outcome, Error> {
    let client = world.dav(who)?;
    match client.mkcol(&file(&who.uid, path)?).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error) if error.status().is_some_and(|status| status.as_u16() == 405) => {
            match (may_exist, again) {
                // Nobody had it when this was first tried.
                (_, true) => Ok(Outcome::Done),
                (true, false) => Ok(Outcome::Existed),
                (false, false) => {
                    Err(Error::Conflict(format!("{path:?} is there already, for {:?}", who.uid)))
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes a folder, unless something is in it: then it is left, since that is not ours.
pub(super) async fn remove_folder(world: &World, who: &Who, path: &str) -> Result<Outcome, Error> {
    let client = world.dav(who)?;
    let folder = file(&who.uid, path)?;
    let mut inside = match client.propfind(&folder, Depth::One, &[p::FILE_ID]).await {
        Err(error) if error.is_not_found() => return Ok(Outcome::Done),
        inside => inside?,
    };
    while let Some(entry) = inside.next().await? {
        if entry.path != folder {
            return Ok(Outcome::Existed);
        }
    }
    match client.delete(&folder, Trash::Skip).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(Outcome::Done),
    }
}

/// Moves; also where it was moved already, or where the answer was lost.
pub(super) async fn relocate(
    world: &World,
    who: &Who,
    from: &str,
    to: &str,
    file_id: Option<u64>,
) -> Result<Outcome, Error> {
    let client = world.dav(who)?;
    let (from, to) = (file(&who.uid, from)?, file(&who.uid, to)?);
    let refused = match client.move_to(&from, &to, Overwrite::No).await {
        Ok(_) => return Ok(Outcome::Done),
        Err(error) => error,
    };
    match refused.status().map(|status| status.as_u16()) {
        // Gone from there, taken here, or nobody knows: it may have been moved.
        None | Some(404 | 408 | 409 | 412 | 500..) => {}
        _ => return Err(refused.into()),
    }
    let there = id_of(&client, &to).await?;
    let is_it = match (there, file_id) {
        (None, _) => false,
        (Some(there), Some(wanted)) if there == Some(wanted) => true,
        // Some storages give another id: it is gone from where it was.
        (Some(_), _) => id_of(&client, &from).await?.is_none(),
    };
    if is_it {
        return Ok(Outcome::Done);
    }
    if there.is_some() && refused.status().is_some_and(|status| status.as_u16() == 412) {
        return Err(Error::Conflict(format!("`{to}` is there already")));
    }
    Err(refused.into())
}

/// The favourites of an account, asked for as a whole (`FilesReportPlugin`).
pub(super) async fn favourites(world: &World, who: &Who) -> Result<Outcome, Error> {
    let ask = "<oc:filter-files xmlns:d=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\"><d:prop>\
               <oc:fileid/></d:prop><oc:filter-rules><oc:favorite>1</oc:favorite>\
               </oc:filter-rules></oc:filter-files>";
    let home = file(&who.uid, "")?;
    let mut entries = world.dav(who)?.report(&home, Depth::Infinity, ask.to_owned()).await?;
    let mut paths = Vec::new();
    while let Some(entry) = entries.next().await? {
        let below = entry.path.below(&home).filter(|below| !below.is_empty());
        if let (Some(below), true) = (below, paths.len() < MAX_FAVOURITES) {
            paths.push(format!("/{below}"));
        }
    }
    Ok(Outcome::Favourites { paths })
}

/// Marks favourites; says which were none before.
pub(super) async fn favour(world: &World, who: &Who, paths: &[String]) -> Result<Outcome, Error> {
    let client = world.dav(who)?;
    let mut marked = Vec::new();
    for path in paths {
        let at = file(&who.uid, path)?;
        let Some(entry) = client.find(&at, &[p::FAVORITE]).await? else { continue };
        if entry.text(&p::FAVORITE) != Some("1") {
            client.proppatch(&at, &[Change::Set(p::FAVORITE, "1".to_owned())]).await?;
        }
        marked.push(path.clone());
    }
    Ok(Outcome::Marked { paths: marked })
}

/// Takes the marks away.
pub(super) async fn disfavour(world: &World, who: &Who, paths: &[String]) -> Result<(), Error> {
    let client = world.dav(who)?;
    for path in paths {
        match client.proppatch(&file(&who.uid, path)?, &[Change::Remove(p::FAVORITE)]).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// `None` if there is nothing, else its id as far as the instance says.
async fn id_of(client: &Client, path: &Path) -> Result<Option<Option<u64>>, Error> {
    Ok(client.find(path, &[p::FILE_ID]).await?.map(|entry| entry.number(&p::FILE_ID)))
}
