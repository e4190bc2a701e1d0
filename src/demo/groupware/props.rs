//! The properties of homes, collections and objects, with the values that clients of CalDAV and
//! CardDAV look for, owners above all: `d:owner`, `oc:owner-principal`, `owner-displayname`.

use std::collections::HashMap;

use sqlx::sqlite::SqlitePool;

use super::sharing;
use super::store::{Access, Collection, Kind, Object};
use crate::demo::http::Fault;
use crate::demo::mint;
use crate::demo::xml::{APPLE, CAL, CARD, CS, DAV, NC_COM, Name, OC, encode_path, escape, name};

/// What a collection's properties need besides its row.
pub(super) struct Extra {
    pub(super) invite: String,
    pub(super) public: Option<String>,
    /// Set by the viewer for itself, by name.
    pub(super) own: HashMap<Name, String>,
}

impl Extra {
    /// Gathers it for a collection as somebody sees it.
    pub(super) async fn gather(
        db: &SqlitePool,
        kind: Kind,
        uid: &str,
        collection: &Collection,
    ) -> Result<Self, Fault> {
        let mine = collection.access == Access::Own;
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT propertyname, propertyvalue FROM oc_properties
             WHERE userid = ? AND propertypath = ?",
        )
        .bind(uid)
        .bind(path(kind, uid, &collection.uri))
        .fetch_all(db)
        .await?;
        let own = rows.into_iter().filter_map(|(full, value)| {
            let (ns, local) = full.strip_prefix('{')?.split_once('}')?;
            Some((name(ns, local), escape(&value)))
        });
        let public = match kind {
            Kind::Calendar if mine => sharing::public_uri(db, collection.id).await?,
            _ => None,
        };
        let invite =
            if mine { sharing::invite(db, kind, collection.id).await? } else { String::new() };
        Ok(Self { invite, public, own: own.collect() })
    }
}

/// The key of a viewer's own properties.
pub(super) fn path(kind: Kind, uid: &str, uri: &str) -> String {
    format!("{}/{uid}/{uri}", kind.root())
}

/// A principal's address.
pub(super) fn principal_href(uid: &str) -> String {
    format!("<d:href>/remote.php/dav/principals/users/{}/</d:href>", encode_path(uid))
}

/// What everything of an account has.
pub(super) fn common(viewer: &str, ns: &str, local: &str) -> Option<String> {
    match (ns, local) {
        (DAV, "current-user-principal") => Some(principal_href(viewer)),
        (DAV, "principal-collection-set") => {
            Some("<d:href>/remote.php/dav/principals/users/</d:href>".to_owned())
        }
        _ => None,
    }
}

/// The names that `allprop` shows of a collection.
pub(super) fn collection_names() -> Vec<Name> {
    [
        (DAV, "resourcetype"),
        (DAV, "displayname"),
        (DAV, "sync-token"),
        (CS, "getctag"),
        (DAV, "owner"),
    ]
    .map(|(ns, local)| name(ns, local))
    .to_vec()
}

/// The names that `allprop` shows of an object.
pub(super) fn object_names() -> Vec<Name> {
    ["getlastmodified", "getcontentlength", "resourcetype", "getetag", "getcontenttype"]
        .map(|local| name(DAV, local))
        .to_vec()
}

/// A home's property.
pub(super) fn home(uid: &str, viewer: &str, ns: &str, local: &str) -> Option<String> {
    match (ns, local) {
        (DAV, "resourcetype") => Some("<d:collection/>".to_owned()),
        (DAV, "owner") => Some(principal_href(uid)),
        (DAV, "current-user-privilege-set") => Some(privileges(true)),
        (DAV, "supported-report-set") => Some(reports(&[])),
        _ => common(viewer, ns, local),
    }
}

/// A collection's property.
pub(super) fn collection(
    kind: Kind,
    viewer: &str,
    collection: &Collection,
    extra: &Extra,
    (ns, local): (&str, &str),
) -> Option<String> {
    if let Some(own) = extra.own.get(&name(ns, local)) {
        return Some(own.clone());
    }
    let token = || format!("http://sabre.io/ns/sync/{}", collection.token);
    match (ns, local) {
        (DAV, "resourcetype") => Some(
            match kind {
                Kind::Calendar => "<d:collection/><cal:calendar/>",
                Kind::Book => "<d:collection/><card:addressbook/>",
            }
            .to_owned(),
        ),
        (DAV, "displayname") => Some(escape(&collection.display)),
        (DAV, "owner") => Some(principal_href(&collection.owner)),
        (DAV, "sync-token") | (CS, "getctag") => Some(token()),
        (DAV, "getetag") => Some(format!("&quot;{}&quot;", collection.token)),
        (DAV, "current-user-privilege-set") => Some(privileges(collection.writable())),
        (DAV, "supported-report-set") => Some(reports(match kind {
            Kind::Calendar => &["cal:calendar-query", "cal:calendar-multiget"],
            Kind::Book => &["card:addressbook-query", "card:addressbook-multiget"],
        })),
        (OC, "owner-principal") if collection.access != Access::Own => {
            Some(format!("principals/users/{}", escape(&collection.owner)))
        }
        (NC_COM, "owner-displayname") => Some(escape(&collection.owner_display)),
        (OC, "invite") => Some(extra.invite.clone()),
        (OC, "read-only") if collection.access == Access::Read => Some("1".to_owned()),
        (OC, "groups") if kind == Kind::Book => Some(String::new()),
        _ => match kind {
            Kind::Calendar => calendar(collection, extra, ns, local),
            Kind::Book => book(collection, ns, local),
        }
        .or_else(|| common(viewer, ns, local)),
    }
}

fn calendar(collection: &Collection, extra: &Extra, ns: &str, local: &str) -> Option<String> {
    match (ns, local) {
        (CAL, "supported-calendar-component-set") => {
            let comp = |name: &str| format!("<cal:comp name=\"{}\"/>", escape(name));
            Some(collection.components.split(',').map(comp).collect())
        }
        (CAL, "supported-calendar-data") => {
            Some("<cal:calendar-data content-type=\"text/calendar\" version=\"2.0\"/>".to_owned())
        }
        (CAL, "calendar-description") => collection.description.as_deref().map(escape),
        (CAL, "calendar-timezone") => collection.timezone.as_deref().map(escape),
        (CAL, "schedule-calendar-transp") => Some(
            if collection.transparent { "<cal:transparent/>" } else { "<cal:opaque/>" }.to_owned(),
        ),
        (APPLE, "calendar-color") => collection.color.as_deref().map(escape),
        (APPLE, "calendar-order") => Some(collection.order.to_string()),
        (CS, "publish-url") => {
            let uri = extra.public.as_deref()?;
            Some(format!("<d:href>/remote.php/dav/public-calendars/{}</d:href>", escape(uri)))
        }
        _ => None,
    }
}

fn book(collection: &Collection, ns: &str, local: &str) -> Option<String> {
    match (ns, local) {
        (CARD, "addressbook-description") => collection.description.as_deref().map(escape),
        (CARD, "supported-address-data") => Some(
            "<card:address-data-type content-type=\"text/vcard\" version=\"3.0\"/>\
             <card:address-data-type content-type=\"text/vcard\" version=\"4.0\"/>"
                .to_owned(),
        ),
        (CARD, "max-resource-size") => Some("20971520".to_owned()),
        (OC, "enabled") => Some("1".to_owned()),
        _ => None,
    }
}

/// An object's property.
pub(super) fn object(
    kind: Kind,
    viewer: &str,
    collection: &Collection,
    object: &Object,
    (ns, local): (&str, &str),
) -> Option<String> {
    match (ns, local) {
        (DAV, "getetag") => Some(format!("&quot;{}&quot;", object.etag)),
        (DAV, "getlastmodified") => Some(mint::http_date(object.modified)),
        (DAV, "getcontentlength") => Some(object.data.len().to_string()),
        (DAV, "getcontenttype") => Some(content_type(kind, object)),
        (DAV, "resourcetype") => Some(String::new()),
        (DAV, "owner") => Some(principal_href(&collection.owner)),
        (DAV, "current-user-privilege-set") => Some(privileges(collection.writable())),
        (CAL, "calendar-data") if kind == Kind::Calendar => Some(text(object)),
        (CARD, "address-data") if kind == Kind::Book => Some(text(object)),
        _ => common(viewer, ns, local),
    }
}

/// The type of an object's content.
pub(super) fn content_type(kind: Kind, object: &Object) -> String {
    match kind {
        Kind::Calendar => {
            format!("text/calendar; charset=utf-8; component={}", object.component.to_lowercase())
        }
        Kind::Book => "text/vcard; charset=utf-8".to_owned(),
    }
}

/// An object's text as XML.
pub(super) fn text(object: &Object) -> String {
    // The line ends of the original are kept as they are.
    escape(&String::from_utf8_lossy(&object.data)).replace('\r', "&#13;")
}

fn privileges(write: bool) -> String {
    let names: &[&str] = if write {
        &[
            "write",
            "write-properties",
            "write-content",
            "unlock",
            "bind",
            "unbind",
            "write-acl",
            "read",
            "read-acl",
            "read-current-user-privilege-set",
        ]
    } else {
        &["write-properties", "read", "read-acl", "read-current-user-privilege-set"]
    };
    names.iter().map(|name| format!("<d:privilege><d:{name}/></d:privilege>")).collect()
}

fn reports(more: &[&str]) -> String {
    let all = ["d:sync-collection"].iter().chain(more);
    all.map(|name| {
        format!("<d:supported-report><d:report><{name}/></d:report></d:supported-report>")
    })
    .collect()
}
