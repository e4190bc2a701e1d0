//! What kind of traffic a request path stands for, for metrics and for choosing the form of error
//! pages.
//!
//! The path is read as it came: any prefix may come before Nextcloud's entry points (an instance in
//! a sub-folder), doubled slashes and escaped letters are seen through. It is a label and no guard:
//! what must be refused is decided elsewhere, on a normalised copy. Nothing is allocated, as every
//! request passes here.

use percent_encoding::percent_decode_str;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Pages and what belongs to them.
    Web,
    /// WebDAV on files, uploads, trash and versions.
    Files,
    /// CalDAV.
    Calendars,
    /// CardDAV.
    Contacts,
    /// Other WebDAV, OCS, and the polls of clients.
    Sync,
    /// Long-lived connections: push, signalling, office.
    WebSocket,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// The names of all of them, in their order.
    pub const NAMES: [&'static str; Self::COUNT] =
        ["web", "files", "calendars", "contacts", "sync", "websocket"];

    /// A short name for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The kind of a path as it was sent.
    #[must_use]
    pub fn of_path(raw_path: &str) -> Self {
        entry(raw_path).map_or(Kind::Web, |(_, kind, _)| kind)
    }
}

/// Whether a path as it was sent leads to one of Nextcloud's WebDAV servers.
#[must_use]
pub fn is_dav_path(raw_path: &str) -> bool {
    match entry(raw_path) {
        Some((Entry::Remote | Entry::Public, _, mut rest)) => {
            rest.next().is_some_and(is_dav_server)
        }
        _ => false,
    }
}

/// A WebDAV server of Nextcloud, as a path leads to it.
pub(super) struct DavServer<'a> {
    /// `dav`, or one of the old ones.
    pub(super) name: &'static str,
    /// Whether it is the one for visitors without an account.
    pub(super) public: bool,
    /// What follows in the path, as it was sent.
    pub(super) rest: Segments<'a>,
}

/// The WebDAV server that a path leads to.
pub(super) fn dav_server(raw_path: &str) -> Option<DavServer<'_>> {
    let (entry, _, mut rest) = entry(raw_path)?;
    let public = match entry {
        Entry::Remote => false,
        Entry::Public => true,
        _ => return None,
    };
    let server = rest.next()?;
    let name = DAV_SERVERS.into_iter().find(|name| is(server, name))?;
    Some(DavServer { name, public, rest })
}

/// The first entry point in a path, what it makes of the path, and what follows it.
fn entry(raw_path: &str) -> Option<(Entry, Kind, Segments<'_>)> {
    let mut segments = Segments::of(raw_path);
    while let Some(segment) = segments.next() {
        if let Some(entry) = Entry::named(segment)
            && let Some(kind) = entry.kind(segments.clone())
        {
            return Some((entry, kind, segments));
        }
    }
    None
}

/// A segment that says what the following ones mean.
#[derive(Clone, Copy)]
enum Entry {
    Cool,
    Index,
    Ocs,
    Public,
    Push,
    Remote,
    Signaling,
    Status,
    WellKnown,
}

const ENTRIES: [(&str, Entry); 11] = [
    ("remote.php", Entry::Remote),
    ("index.php", Entry::Index),
    ("ocs", Entry::Ocs),
    ("public.php", Entry::Public),
    ("status.php", Entry::Status),
    (".well-known", Entry::WellKnown),
    ("push", Entry::Push),
    ("standalone-signaling", Entry::Signaling),
    ("cool", Entry::Cool),
    ("lool", Entry::Cool),
    ("204", Entry::Status),
];

impl Entry {
    fn named(segment: &str) -> Option<Self> {
        ENTRIES.iter().find(|(name, _)| is(segment, name)).map(|(_, entry)| *entry)
    }

    /// The kind, if what follows belongs to such an entry; for `ocs`, `push` and the like can be
    /// anything else.
    fn kind(self, mut rest: Segments<'_>) -> Option<Kind> {
        let next = rest.next();
        let after = rest.next();
        let is_next = |name| next.is_some_and(|next| is(next, name));
        match self {
            Entry::Remote | Entry::Public => Some(remote(next, after)),
            // A connectivity check of clients; everything else is pages.
            Entry::Index => Some(if is_next("204") { Kind::Sync } else { Kind::Web }),
            Entry::Ocs => (is_next("v1.php") || is_next("v2.php")).then_some(Kind::Sync),
            Entry::Status => next.is_none().then_some(Kind::Sync),
            Entry::WellKnown if is_next("caldav") => Some(Kind::Calendars),
            Entry::WellKnown if is_next("carddav") => Some(Kind::Contacts),
            Entry::WellKnown => Some(Kind::Web),
            Entry::Push if is_next("ws") && after.is_none() => Some(Kind::WebSocket),
            Entry::Signaling if is_next("spreed") => Some(Kind::WebSocket),
            Entry::Cool if is_next("adminws") => Some(Kind::WebSocket),
            Entry::Cool => {
                rest.last().or(after).is_some_and(|last| is(last, "ws")).then_some(Kind::WebSocket)
            }
            Entry::Push | Entry::Signaling => None,
        }
    }
}

/// The kind of what is below `remote.php` or `public.php`.
fn remote(server: Option<&str>, root: Option<&str>) -> Kind {
    let is_server = |name| server.is_some_and(|server| is(server, name));
    let is_root = |names: &[&str]| root.is_some_and(|root| names.iter().any(|name| is(root, name)));
    if is_server("webdav") {
        Kind::Files
    } else if is_server("caldav") {
        Kind::Calendars
    } else if is_server("carddav") {
        Kind::Contacts
    } else if !is_server("dav") {
        Kind::Sync
    } else if is_root(&["files", "uploads", "bulk", "trashbin", "versions"]) {
        Kind::Files
    } else if is_root(&["calendars", "public-calendars", "system-calendars"]) {
        Kind::Calendars
    } else if is_root(&["addressbooks"]) {
        Kind::Contacts
    } else {
        Kind::Sync
    }
}

const DAV_SERVERS: [&str; 4] = ["dav", "webdav", "caldav", "carddav"];

fn is_dav_server(segment: &str) -> bool {
    DAV_SERVERS.iter().any(|name| is(segment, name))
}

/// Whether a raw segment reads `name` once decoded.
fn is(segment: &str, name: &str) -> bool {
    segment == name || segment.contains('%') && percent_decode_str(segment).eq(name.bytes())
}

/// The segments of a raw path that are not empty.
#[derive(Clone)]
pub(super) struct Segments<'a>(std::str::Split<'a, char>);

impl<'a> Segments<'a> {
    fn of(raw_path: &'a str) -> Self {
        let path = raw_path.find(['?', '#']).map_or(raw_path, |end| &raw_path[..end]);
        Self(path.split('/'))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.find(|segment| !segment.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (path, kind) in [
            ("", Kind::Web),
            ("/", Kind::Web),
            ("/apps/files/files/12?dir=/remote.php/dav", Kind::Web),
            ("/index.php/apps/files/remote.php/dav/files/a", Kind::Web),
            ("/s/abc/download", Kind::Web),
            ("/remote.php", Kind::Sync),
            ("/remote.php/dav", Kind::Sync),
            ("/remote.php/dav/", Kind::Sync),
            ("/remote.php/dav/principals/users/a/", Kind::Sync),
            ("/remote.php/dav/systemtags/1", Kind::Sync),
            ("/remote.php/direct/x", Kind::Sync),
            ("/remote.php/dav/files/a/x", Kind::Files),
            ("/remote.php/dav/files", Kind::Files),
            ("/remote.php/dav/filesystem", Kind::Sync),
            ("/remote.php/dav/uploads/a/1/.file", Kind::Files),
            ("/remote.php/dav/bulk", Kind::Files),
            ("/remote.php/dav/trashbin/a/trash", Kind::Files),
            ("/remote.php/dav/versions/a", Kind::Files),
            ("/remote.php/webdav/x", Kind::Files),
            ("/public.php/webdav", Kind::Files),
            ("/public.php/dav/files/token/x", Kind::Files),
            ("/remote.php/dav/calendars/a/asso/x.ics", Kind::Calendars),
            ("/remote.php/dav/public-calendars/x", Kind::Calendars),
            ("/remote.php/caldav/calendars/a", Kind::Calendars),
            ("/.well-known/caldav", Kind::Calendars),
            ("/remote.php/dav/addressbooks/users/a/contacts/", Kind::Contacts),
            ("/remote.php/carddav/", Kind::Contacts),
            ("/.well-known/carddav", Kind::Contacts),
            ("/.well-known/webfinger", Kind::Web),
            ("/nextcloud/remote.php/dav/files/a", Kind::Files),
            ("/a/b/c/remote.php/dav/calendars/a", Kind::Calendars),
            ("//remote.php//dav///files/a", Kind::Files),
            ("/r%65mote.php/d%61v/fil%65s/a", Kind::Files),
            ("/remote%2Ephp%2Fdav/files", Kind::Web),
            ("/ocs/v2.php/cloud/user", Kind::Sync),
            ("/nc/ocs/v1.php/cloud/user", Kind::Sync),
            ("/ocs/else", Kind::Web),
            ("/status.php", Kind::Sync),
            ("/nc/status.php?x", Kind::Sync),
            ("/status.php/x", Kind::Web),
            ("/index.php/204", Kind::Sync),
            ("/204", Kind::Sync),
            ("/push/ws", Kind::WebSocket),
            ("/push/test/cookie", Kind::Web),
            ("/push/remote.php/dav/files", Kind::Files),
            ("/standalone-signaling/spreed", Kind::WebSocket),
            ("/cool/adminws", Kind::WebSocket),
            ("/cool/https%3A%2F%2Fx/ws?WOPISrc=1", Kind::WebSocket),
            ("/cool/https%3A%2F%2Fx/y/ws?WOPISrc=1", Kind::WebSocket),
            ("/cool/a/b/convert", Kind::Web),
            ("remote.php", Kind::Sync),
            ("*", Kind::Web),
            ("/%", Kind::Web),
            ("/é/%ff%f", Kind::Web),
        ] {
            assert_eq!(Kind::of_path(path), kind, "{path}");
        }
    }

    #[test]
    fn dav_paths() {
        for path in [
            "/remote.php/dav",
            "/remote.php/dav/files/a",
            "/nc/remote.php/webdav/x",
            "/remote.php/caldav",
            "/remote.php/carddav/",
            "/public.php/dav/files/t",
            "/public.php/webdav/",
            "//remote.php//d%61v",
        ] {
            assert!(is_dav_path(path), "{path}");
        }
        for path in [
            "",
            "/",
            "/remote.php",
            "/remote.php/direct/x",
            "/index.php/remote.php/dav",
            "/ocs/v2.php/x",
            "/.well-known/remote.php/dav",
            "/remote.php/davx",
            "/apps/dav",
            "/x?/remote.php/dav",
        ] {
            assert!(!is_dav_path(path), "{path}");
        }
    }

    #[test]
    fn names_are_those_of_the_kinds() {
        let kinds =
            [Kind::Web, Kind::Files, Kind::Calendars, Kind::Contacts, Kind::Sync, Kind::WebSocket];
        let names = kinds.map(|kind| format!("{kind:?}").to_ascii_lowercase());
        assert_eq!(names, Kind::NAMES);
        assert_eq!(kinds.map(Kind::as_str), Kind::NAMES);
    }
}
