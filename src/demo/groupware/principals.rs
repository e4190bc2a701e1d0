//! `principals/…` and the root: where clients begin, to find homes from a login.

use http::StatusCode;

use super::props;
use crate::demo::StandIn;
use crate::demo::http::{Ask, Fault, Reply, multistatus};
use crate::demo::identity::Identity;
use crate::demo::xml::{
    CAL, CARD, DAV, Element, Multistatus, NC, OC, Wanted, encode_path, escape, name,
};

/// Answers a request to the root or to a principal; `rest` is what follows `/remote.php/dav/`.
pub(in crate::demo) async fn handle(
    stand: &StandIn,
    ask: &mut Ask,
    who: &Identity,
    rest: &str,
) -> Result<Reply, Fault> {
    let body = ask.read(1 << 20).await?;
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    match (ask.method(), parts.as_slice()) {
        ("OPTIONS", _) => Ok(super::options()),
        ("PROPFIND", [] | ["principals"] | ["principals", "users" | "groups"]) => {
            let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
            let mut out = Multistatus::new();
            let href = format!("/remote.php/dav/{}", rest);
            let href = if href.ends_with('/') { href } else { format!("{href}/") };
            let all = [name(DAV, "resourcetype"), name(DAV, "current-user-principal")];
            out.response(&href, &wanted, &all, |ns, local| match (ns, local) {
                (DAV, "resourcetype") => Some("<d:collection/>".to_owned()),
                _ => props::common(&who.uid, ns, local),
            });
            Ok(multistatus(out.finish("")))
        }
        ("PROPFIND", ["principals", kind @ ("users" | "groups"), id]) => {
            let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
            let mut out = Multistatus::new();
            push(stand, &mut out, who, &wanted, kind, id).await?;
            Ok(multistatus(out.finish("")))
        }
        ("REPORT", ["principals", ..]) => search(stand, &body, who).await,
        ("GET" | "HEAD", _) => {
            let text = "WebDAV lives here: open it with a WebDAV or sync client.\n";
            Ok(crate::demo::http::full(StatusCode::OK, "text/html; charset=UTF-8", text))
        }
        ("PROPFIND", _) => Err(Fault::NOT_FOUND),
        _ => Err(Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, "not for principals")),
    }
}

async fn push(
    stand: &StandIn,
    out: &mut Multistatus,
    who: &Identity,
    wanted: &Wanted,
    kind: &str,
    id: &str,
) -> Result<(), Fault> {
    let sql = if kind == "users" {
        "SELECT coalesce(displayname, uid), (SELECT configvalue FROM oc_preferences p
           WHERE p.userid = u.uid AND appid = 'settings' AND configkey = 'email')
         FROM oc_users u WHERE uid = ?"
    } else {
        "SELECT displayname, NULL FROM oc_groups WHERE gid = ?"
    };
    let found: Option<(String, Option<String>)> =
        sqlx::query_as(sql).bind(id).fetch_optional(&stand.db.read).await?;
    let (display, mail) = found.ok_or(Fault::NOT_FOUND)?;
    let groups: Vec<(String,)> =
        sqlx::query_as("SELECT gid FROM oc_group_user WHERE uid = ? ORDER BY gid")
            .bind(if kind == "users" { id } else { "" })
            .fetch_all(&stand.db.read)
            .await?;
    let encoded = encode_path(id);
    let href = format!("/remote.php/dav/principals/{kind}/{encoded}/");
    let user = kind == "users";
    let to = |path: String| Some(format!("<d:href>/remote.php/dav/{path}</d:href>"));
    let all = [name(DAV, "resourcetype"), name(DAV, "displayname")];
    out.response(&href, wanted, &all, |ns, local| match (ns, local) {
        (DAV, "displayname") => Some(escape(&display)),
        (DAV, "resourcetype") => Some("<d:principal/>".to_owned()),
        (DAV, "principal-URL") => Some(format!("<d:href>{href}</d:href>")),
        (DAV, "group-membership") if user => Some(
            groups
                .iter()
                .map(|(gid,)| {
                    let gid = encode_path(gid);
                    format!("<d:href>/remote.php/dav/principals/groups/{gid}/</d:href>")
                })
                .collect(),
        ),
        (DAV, "alternate-URI-set") => Some(String::new()),
        (CAL, "calendar-home-set") if user => to(format!("calendars/{encoded}/")),
        (CARD, "addressbook-home-set") if user => to(format!("addressbooks/users/{encoded}/")),
        (CAL, "schedule-inbox-URL") if user => to(format!("calendars/{encoded}/inbox/")),
        (CAL, "schedule-outbox-URL") if user => to(format!("calendars/{encoded}/outbox/")),
        (CAL, "calendar-user-type") => Some(if user { "INDIVIDUAL" } else { "GROUP" }.to_owned()),
        (CAL, "calendar-user-address-set") if user => {
            let mail = mail.as_deref().filter(|mail| !mail.is_empty());
            let mail = mail.map(|mail| format!("<d:href>mailto:{}</d:href>", escape(mail)));
            Some(format!("{}<d:href>{href}</d:href>", mail.unwrap_or_default()))
        }
        (OC | NC, _) => None,
        _ => props::common(&who.uid, ns, local),
    });
    Ok(())
}

/// `principal-property-search`: by display name or mail, for sharing.
async fn search(stand: &StandIn, body: &[u8], who: &Identity) -> Result<Reply, Fault> {
    let root = Element::parse(body).ok_or(Fault::BAD_REQUEST)?;
    if !root.is(DAV, "principal-property-search") {
        return Err(Fault::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no such report"));
    }
    let mut texts = root.all(DAV, "property-search").filter_map(|one| one.child(DAV, "match"));
    let needle = texts.next().map(|text| text.text.trim().to_lowercase()).unwrap_or_default();
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT 'users', uid FROM oc_users WHERE instr(uid_lower, ?1)
           OR instr(lower(coalesce(displayname, uid)), ?1)
         UNION ALL SELECT 'groups', gid FROM oc_groups WHERE instr(lower(displayname), ?1)",
    )
    .bind(needle)
    .fetch_all(&stand.db.read)
    .await?;
    let wanted = Wanted::of(&root);
    let mut out = Multistatus::new();
    for (kind, id) in found {
        push(stand, &mut out, who, &wanted, &kind, &id).await?;
    }
    Ok(multistatus(out.finish("")))
}
