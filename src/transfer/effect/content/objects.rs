//! Events and cards: few bytes each, read and stored one by one. Every request that stores one
//! carries both headers without which the instance would mail its guests.

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use md5::{Digest as _, Md5};

use super::super::collections::collection;
use super::super::{Kind, Outcome, Who, World};
use super::{AT_ONCE, Error, bare, side_by_side};
use crate::dav::client::{Cause, Client, Path, Put, Retry, Upload};

/// The largest event or card.
const MAX_OBJECT: usize = 16 << 20;

/// Copies objects of a collection that this transfer made.
pub(in crate::transfer::effect) async fn copy_objects(
    world: &World,
    (from, to): (&Who, &Who),
    kind: Kind,
    (uri, into): (&str, &str),
    names: &[String],
) -> Result<Outcome, Error> {
    let (giver, taker) = (&world.dav(from)?, &world.dav(to)?);
    let (source, target) = (&collection(kind, &from.uid, uri)?, &collection(kind, &to.uid, into)?);
    let content_type = match kind {
        Kind::AddressBook => "text/vcard; charset=utf-8",
        _ => "text/calendar; charset=utf-8",
    };
    let tally = world.meter.tally();
    let copies = names.iter().map(|name| {
        let (world, tally) = (world, &tally);
        async move {
            let read = read(world, giver, &source.join(name)?).await?;
            let size = read.len() as u64;
            let is_confirmed = store(world, taker, &target.join(name)?, read, content_type).await?;
            tally.add(1, size);
            Ok(is_confirmed)
        }
        .boxed()
    });
    let confirmed = side_by_side(copies.collect(), AT_ONCE).await?;
    let confirmed = confirmed.into_iter().filter(|is_confirmed| *is_confirmed).count() as u64;
    tally.keep();
    Ok(Outcome::Stored { count: names.len() as u64, confirmed })
}

async fn read(world: &World, giver: &Client, path: &Path) -> Result<bytes::Bytes, Error> {
    let download = giver.get(path, None).await?;
    let broken = |cause: Cause| crate::dav::client::Error::Unanswered { sent: true, source: cause };
    let body = http_body_util::Limited::new(download.body, MAX_OBJECT);
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    if let Some(pace) = &world.pace {
        pace.pass(bytes.len() as u64).await;
    }
    Ok(bytes)
}

/// Whether the instance says that it has exactly these bytes: the entity tag of an event or a card
/// is the MD5 of its text (`CalDavBackend`, `CardDavBackend`).
async fn store(
    world: &World,
    taker: &Client,
    path: &Path,
    bytes: bytes::Bytes,
    content_type: &str,
) -> Result<bool, Error> {
    let sum: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let put = Put { kind: Some(content_type.to_owned()), ..Put::default() };
    let lane = world.lanes.enter().await;
    match taker.put(path, Upload::of(bytes), &put).await {
        Ok(stored) => Ok(stored.etag.is_some_and(|etag| bare(&etag) == sum)),
        Err(error) => {
            if error.retry() != Retry::Never {
                world.lanes.narrow(lane);
            }
            Err(error.into())
        }
    }
}
