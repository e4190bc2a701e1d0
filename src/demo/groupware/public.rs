//! `public-calendars/TOKEN`: a published calendar, for everybody who has its address, to read. What
//! its owner calls private is not shown.

use std::sync::Arc;

use http::StatusCode;

use super::report::Report;
use super::store::{self, Access, Kind};
use super::{Visit, no_method};
use crate::demo::StandIn;
use crate::demo::http::{Ask, Fault, Reply, full, multistatus};
use crate::demo::identity::{Identity, Means};
use crate::demo::xml::{Element, Multistatus, Wanted};

/// Answers a request; `rest` is what follows `public-calendars/`.
pub(in crate::demo) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    rest: &str,
) -> Result<Reply, Fault> {
    let (token, name) = rest.split_once('/').unwrap_or((rest, ""));
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT c.principaluri, c.uri FROM oc_calendars c JOIN oc_dav_shares s ON s.resourceid = c.id
         WHERE s.type = 'calendar' AND s.access = 4 AND s.publicuri = ? AND c.deleted_at IS NULL",
    )
    .bind(token)
    .fetch_optional(&stand.db.read)
    .await?;
    let (principal, uri) = found.ok_or(Fault::NOT_FOUND)?;
    let owner = principal.rsplit('/').next().unwrap_or_default();
    let mut db = stand.db.read.acquire().await?;
    let collection = store::own(&mut db, Kind::Calendar, owner, &uri).await?;
    drop(db);
    let mut collection = collection.ok_or(Fault::NOT_FOUND)?;
    collection.access = Access::Read;
    token.clone_into(&mut collection.uri);
    let nobody = Identity {
        uid: String::new(),
        display: String::new(),
        admin: false,
        means: Means::Session,
    };
    let base = "/remote.php/dav/public-calendars".to_owned();
    let visit = Visit { stand, who: &nobody, kind: Kind::Calendar, base };
    let body = ask.read(1 << 20).await?;
    let object = match name {
        "" => None,
        name => {
            let found = store::object(&stand.db.read, Kind::Calendar, &collection, name).await?;
            Some(found.ok_or(Fault::NOT_FOUND)?)
        }
    };
    match (ask.method(), object) {
        ("GET" | "HEAD", None) => visit.export(&collection).await,
        ("GET" | "HEAD", Some(object)) => Ok(full(StatusCode::OK, "text/calendar", object.data)),
        ("PROPFIND", None) => {
            let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
            let mut out = Multistatus::new();
            visit.push(&mut out, &wanted, &collection).await?;
            if ask.header("depth").is_some_and(|depth| depth != "0") {
                let db = &stand.db.read;
                for object in store::objects(db, Kind::Calendar, &collection).await? {
                    visit.push_object(&mut out, &wanted, &collection, &object);
                }
            }
            Ok(multistatus(out.finish("")))
        }
        ("REPORT", None) => {
            let root = Element::parse(&body).ok_or(Fault::BAD_REQUEST)?;
            let href = visit.href(token);
            let report =
                Report { kind: Kind::Calendar, viewer: "", collection: &collection, href: &href };
            report.answer(&stand.db.read, &root).await
        }
        _ => Err(no_method()),
    }
}
