//! Meetings that get another organiser. The old text is in the journal, so that it comes back byte
//! by byte. Nobody is mailed: every request of [`crate::dav::client`] says so.

use http_body_util::BodyExt as _;

use super::collections::collection;
use super::{Error, Kind, Outcome, Who, World};
use crate::dav::client::{self, Cause, Client, Conditions, Path, Put, Upload};

/// The largest event.
const MAX: usize = 16 << 20;

/// Writes a text over another; nothing else is written over.
pub(super) async fn rewrite(
    world: &World,
    who: &Who,
    (uri, name): (&str, &str),
    (old, new): (&str, &str),
) -> Result<Outcome, Error> {
    let client = world.dav(who)?;
    let path = collection(Kind::Calendar, &who.uid, uri)?.join(name)?;
    let (text, etag) = read(&client, &path).await?;
    if text == old {
        write(&client, &path, new, etag).await?;
    } else if text != new {
        return Err(Error::Conflict(format!("{name:?} was changed since")));
    }
    Ok(Outcome::Done)
}

/// An object as it is, with its entity tag.
pub(crate) async fn read(client: &Client, path: &Path) -> Result<(String, Option<String>), Error> {
    let download = client.get(path, None).await?;
    let broken = |cause: Cause| client::Error::Unanswered { sent: true, source: cause };
    let body = http_body_util::Limited::new(download.body, MAX);
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    let text = String::from_utf8(bytes.to_vec());
    let text = text.map_err(|_| Error::Conflict(format!("`{path}` is no text")))?;
    Ok((text, download.etag))
}

async fn write(
    client: &Client,
    path: &Path,
    text: &str,
    etag: Option<String>,
) -> Result<(), Error> {
    let kind = Some("text/calendar; charset=utf-8".to_owned());
    let conditions = etag.map_or(Conditions::Always, Conditions::IfMatch);
    let put = Put { kind, conditions, ..Put::default() };
    client.put(path, Upload::of(text.to_owned()), &put).await?;
    Ok(())
}
