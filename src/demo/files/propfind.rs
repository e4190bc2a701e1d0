//! PROPFIND on files, answered here and not by `dav-server`: it must serve `Depth: infinity`, and
//! the properties that clients of Nextcloud live on, with the values they expect (a property that is
//! empty is reported as missing, as recorded).

use std::collections::{HashMap, HashSet};

use dav_server::davpath::DavPath;
use dav_server::ls::DavLockSystem as _;
use http::StatusCode;

use super::tree::{Entry, View};
use super::{properties, quota};
use crate::demo::http::{Ask, Fault, Reply, multistatus};
use crate::demo::xml::{
    DAV, Multistatus, NC, Name, OC, Wanted, encode_path, escape, name, push_element,
};
use crate::demo::{StandIn, mint};

/// What the whole answer shares.
struct Facts<'a> {
    stand: &'a StandIn,
    quota: Option<u64>,
    display: HashMap<String, String>,
    favorites: HashSet<i64>,
    shares: HashMap<i64, Vec<i64>>,
    own: HashMap<String, Vec<(Name, String)>>,
    locks: HashMap<String, String>,
    /// When files were made and uploaded.
    times: HashMap<i64, (i64, i64)>,
    /// Files and folders directly in a folder.
    inside: HashMap<i64, (i64, i64)>,
}

/// Answers a PROPFIND below `base` (no slash at its end).
pub(super) async fn propfind(
    stand: &StandIn,
    ask: &mut Ask,
    uid: &str,
    base: &str,
    at: &str,
) -> Result<Reply, Fault> {
    let body = ask.read(1 << 20).await?;
    let wanted = Wanted::from_body(&body).ok_or(Fault::BAD_REQUEST)?;
    let db = &stand.db.read;
    let view = View::open(db, uid).await?;
    let top = view.entry(db, at).await?.ok_or(Fault::NOT_FOUND)?;
    let entries = match ask.header("depth") {
        Some("0") => vec![top],
        _ if !top.node.is_folder() => vec![top],
        Some("1") => {
            let mut entries = view.children(db, &top).await?;
            entries.insert(0, top);
            entries
        }
        None | Some("infinity" | "Infinity") => view.all(db, top).await?,
        Some(_) => return Err(Fault::BAD_REQUEST),
    };
    answer(stand, uid, base, at, &wanted, &entries).await
}

/// REPORT `oc:filter-files`: the favourites, wherever they are.
pub(super) async fn favorites(
    stand: &StandIn,
    uid: &str,
    base: &str,
    at: &str,
    wanted: &Wanted,
) -> Result<Reply, Fault> {
    let db = &stand.db.read;
    let view = View::open(db, uid).await?;
    let top = view.entry(db, at).await?.ok_or(Fault::NOT_FOUND)?;
    let favorites = favorites_of(stand, uid).await?;
    let mut entries = view.all(db, top).await?;
    entries.retain(|entry| favorites.contains(&entry.node.id));
    answer(stand, uid, base, at, wanted, &entries).await
}

async fn answer(
    stand: &StandIn,
    uid: &str,
    base: &str,
    at: &str,
    wanted: &Wanted,
    entries: &[Entry],
) -> Result<Reply, Fault> {
    let facts = Facts::gather(stand, uid, at, wanted, entries).await?;
    let mut out = Multistatus::new();
    for entry in entries {
        let slash = if entry.node.is_folder() { "/" } else { "" };
        let name = if entry.name.is_empty() { String::new() } else { format!("/{}", entry.name) };
        let href = format!("{base}{}{slash}", encode_path(&name));
        let own = facts.own.get(&properties::key(uid, &entry.name));
        let mut all = default_names(entry);
        all.extend(own.into_iter().flatten().map(|(name, _)| name.clone()));
        out.response(&href, wanted, &all, |ns, local| {
            facts.value(entry, ns, local).or_else(|| {
                let mine = own?.iter().find(|((n, l), _)| n == ns && l == local);
                mine.map(|(_, value)| value.clone())
            })
        });
    }
    Ok(multistatus(out.finish("")))
}

/// What `allprop` shows.
fn default_names(entry: &Entry) -> Vec<Name> {
    let names: &[&str] = if entry.node.is_folder() {
        &["getlastmodified", "resourcetype", "quota-used-bytes", "quota-available-bytes", "getetag"]
    } else {
        &["getlastmodified", "getcontentlength", "resourcetype", "getetag", "getcontenttype"]
    };
    names.iter().map(|local| name(DAV, local)).collect()
}

async fn favorites_of(stand: &StandIn, uid: &str) -> Result<HashSet<i64>, sqlx::Error> {
    let rows: Vec<(i64,)> = sqlx::query_as(
        "SELECT o.objid FROM oc_vcategory_to_object o JOIN oc_vcategory c ON c.id = o.categoryid
         WHERE c.uid = ? AND c.type = 'files' AND c.category = ?",
    )
    .bind(uid)
    .bind(properties::FAVORITE)
    .fetch_all(&stand.db.read)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

impl<'a> Facts<'a> {
    async fn gather(
        stand: &'a StandIn,
        uid: &str,
        at: &str,
        wanted: &Wanted,
        entries: &[Entry],
    ) -> Result<Facts<'a>, Fault> {
        let db = &stand.db.read;
        let names: Vec<(String, String)> =
            sqlx::query_as("SELECT uid, coalesce(displayname, uid) FROM oc_users")
                .fetch_all(db)
                .await?;
        let mut shares: HashMap<i64, Vec<i64>> = HashMap::new();
        if wanted.names(OC, "share-types") {
            let rows: Vec<(i64, i64)> = sqlx::query_as(
                "SELECT DISTINCT file_source, share_type FROM oc_share
                 WHERE uid_owner = ?1 OR uid_initiator = ?1 ORDER BY share_type",
            )
            .bind(uid)
            .fetch_all(db)
            .await?;
            for (file, kind) in rows.into_iter().filter(|(_, kind)| *kind != 2) {
                shares.entry(file).or_default().push(kind);
            }
        }
        Ok(Facts {
            stand,
            quota: quota::room(stand, uid).await?,
            display: names.into_iter().collect(),
            favorites: favorites_of(stand, uid).await?,
            shares,
            own: properties::load(db, uid, at).await?,
            locks: locks(stand, uid, wanted, entries).await,
            times: times(stand, wanted).await?,
            inside: inside(stand, wanted).await?,
        })
    }

    /// The value of a property as XML; `None` if the node has none.
    fn value(&self, entry: &Entry, ns: &str, local: &str) -> Option<String> {
        let folder = entry.node.is_folder();
        match ns {
            DAV => self.dav_value(entry, local, folder),
            OC => self.oc_value(entry, local, folder),
            NC => match local {
                "has-preview" | "is-mount-root" => {
                    Some((local == "is-mount-root" && entry.mount_root).to_string())
                }
                "mount-type" => Some(if entry.shared { "shared" } else { "" }.to_owned()),
                "contained-folder-count" | "contained-file-count" => {
                    let inside = self.inside.get(&entry.node.id).copied().unwrap_or_default();
                    let count = if local == "contained-file-count" { inside.0 } else { inside.1 };
                    folder.then(|| count.to_string())
                }
                "lock" => Some("0".to_owned()),
                "creation_time" => {
                    Some(self.times.get(&entry.node.id).map_or(0, |t| t.0).to_string())
                }
                "upload_time" => {
                    Some(self.times.get(&entry.node.id).map_or(0, |t| t.1).to_string())
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn dav_value(&self, entry: &Entry, local: &str, folder: bool) -> Option<String> {
        let node = &entry.node;
        match local {
            "getlastmodified" => Some(mint::http_date(node.mtime)),
            "getetag" => Some(format!("&quot;{}&quot;", node.etag)),
            "resourcetype" => Some(if folder { "<d:collection/>" } else { "" }.to_owned()),
            "getcontentlength" if !folder => Some(node.size.to_string()),
            "getcontenttype" if !folder => Some(node.mime.clone()),
            "displayname" => Some(escape(super::change::file_name(&entry.name))),
            "quota-used-bytes" if folder => Some(node.size.to_string()),
            "quota-available-bytes" if folder => {
                Some(self.quota.map_or("-3".to_owned(), |room| room.to_string()))
            }
            "supportedlock" => Some(SUPPORTED_LOCK.to_owned()),
            "lockdiscovery" => Some(self.locks.get(&entry.name).cloned().unwrap_or_default()),
            "creationdate" => None,
            _ => None,
        }
    }

    fn oc_value(&self, entry: &Entry, local: &str, folder: bool) -> Option<String> {
        let node = &entry.node;
        match local {
            "id" => Some(file_id(self.stand, node.id)),
            "fileid" => Some(node.id.to_string()),
            "permissions" => Some(entry.permissions()),
            "size" => Some(node.size.to_string()),
            "owner-id" => Some(escape(&node.owner)),
            "owner-display-name" => {
                Some(escape(self.display.get(&node.owner).unwrap_or(&node.owner)))
            }
            "favorite" => Some(i32::from(self.favorites.contains(&node.id)).to_string()),
            "share-types" => {
                let kinds = self.shares.get(&node.id).map_or(&[][..], Vec::as_slice);
                let kind = |kind| format!("<oc:share-type>{kind}</oc:share-type>");
                Some(kinds.iter().map(kind).collect())
            }
            "checksums" => {
                let sum = node.checksum.as_deref()?;
                Some(format!("<oc:checksum>{}</oc:checksum>", escape(sum)))
            }
            "tags" => Some(String::new()),
            "comments-unread" => Some("0".to_owned()),
            "data-fingerprint" => Some(String::new()),
            "downloadURL" if !folder => Some(String::new()),
            _ => None,
        }
    }
}

async fn times(stand: &StandIn, wanted: &Wanted) -> Result<HashMap<i64, (i64, i64)>, sqlx::Error> {
    if !wanted.names(NC, "creation_time") && !wanted.names(NC, "upload_time") {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as("SELECT fileid, creation_time, upload_time FROM oc_filecache_extended")
            .fetch_all(&stand.db.read)
            .await?;
    Ok(rows.into_iter().map(|(id, made, uploaded)| (id, (made, uploaded))).collect())
}

/// How many files and folders are directly in each folder.
async fn inside(stand: &StandIn, wanted: &Wanted) -> Result<HashMap<i64, (i64, i64)>, sqlx::Error> {
    if !wanted.names(NC, "contained-file-count") && !wanted.names(NC, "contained-folder-count") {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT f.parent, sum(m.mimetype <> 'httpd/unix-directory'),
           sum(m.mimetype = 'httpd/unix-directory')
         FROM oc_filecache f JOIN oc_mimetypes m ON m.id = f.mimetype GROUP BY f.parent",
    )
    .fetch_all(&stand.db.read)
    .await?;
    Ok(rows.into_iter().map(|(id, files, folders)| (id, (files, folders))).collect())
}

/// `oc:id`: the file id, padded, and the instance.
pub(super) fn file_id(stand: &StandIn, id: i64) -> String {
    format!("{id:08}{}", stand.instance)
}

const SUPPORTED_LOCK: &str = "<d:lockentry><d:lockscope><d:exclusive/></d:lockscope><d:locktype>\
    <d:write/></d:locktype></d:lockentry><d:lockentry><d:lockscope><d:shared/></d:lockscope>\
    <d:locktype><d:write/></d:locktype></d:lockentry>";

async fn locks(
    stand: &StandIn,
    uid: &str,
    wanted: &Wanted,
    entries: &[Entry],
) -> HashMap<String, String> {
    let mut found = HashMap::new();
    if !wanted.names(DAV, "lockdiscovery") {
        return found;
    }
    let system = stand.locks(uid);
    for entry in entries {
        let Ok(path) = DavPath::new(&encode_path(&format!("/{}", entry.name))) else { continue };
        let active: String = system.discover(&path).await.iter().map(active_lock).collect();
        found.insert(entry.name.clone(), active);
    }
    found
}

fn active_lock(lock: &dav_server::ls::DavLock) -> String {
    let scope = if lock.shared { "shared" } else { "exclusive" };
    let depth = if lock.deep { "infinity" } else { "0" };
    // What the client said of itself: text, or elements with text (`href`).
    let mut owner = String::new();
    for node in lock.owner.iter().flat_map(|owner| owner.children.iter()) {
        if let Some(text) = node.as_text() {
            owner.push_str(&escape(text));
        } else if let Some(child) = node.as_element() {
            let text = child.get_text().map(|text| escape(&text)).unwrap_or_default();
            push_element(
                &mut owner,
                child.namespace.as_deref().unwrap_or_default(),
                &child.name,
                &text,
            );
        }
    }
    let timeout = lock.timeout.map_or("Infinite".into(), |t| format!("Second-{}", t.as_secs()));
    format!(
        "<d:activelock><d:locktype><d:write/></d:locktype><d:lockscope><d:{scope}/></d:lockscope>\
         <d:depth>{depth}</d:depth><d:owner>{owner}</d:owner><d:timeout>{timeout}</d:timeout>\
         <d:locktoken><d:href>{}</d:href></d:locktoken></d:activelock>",
        escape(&lock.token)
    )
}

/// The answer for somebody else's home: an empty folder.
pub(super) fn empty_home(href: &str) -> Reply {
    let mut out = Multistatus::new();
    let all = [name(DAV, "resourcetype")];
    let value = |ns: &str, local: &str| {
        (ns == DAV && local == "resourcetype").then(|| "<d:collection/>".to_owned())
    };
    out.response(href, &Wanted::All, &all, value);
    let mut reply = multistatus(out.finish(""));
    *reply.status_mut() = StatusCode::MULTI_STATUS;
    reply
}
