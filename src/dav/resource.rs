//! Which account's file, calendar or address book a path as it was sent leads to.
//!
//! Read the way Nextcloud reads it (sabre/uri's `normalize`, then decoding): any prefix before the
//! entry point, doubled slashes, `.` and `..`, escaped letters and slashes. A path that cannot be
//! read this way leads to no resource. Owned strings, so it is only asked where there is a reason.

use percent_encoding::percent_decode;

use super::path::dav_server;

/// What a path leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Resource {
    /// Something in an account's files, by its path below them.
    Files {
        /// The account's id, where the path says it; old addresses (`webdav`) do not.
        account: Option<String>,
        /// Names from the account's root down; empty for the root itself.
        path: Vec<String>,
    },
    /// A calendar, or an object in it.
    Calendar {
        /// The account in whose calendars it is seen.
        account: String,
        /// Its name in the path; empty for all the account's calendars.
        uri: String,
    },
    /// An address book, or a card in it.
    AddressBook {
        /// The account in whose address books it is seen.
        account: String,
        /// Its name in the path; empty for all the account's address books.
        uri: String,
    },
    /// What a public link leads to.
    Link {
        /// The token in it; old addresses have it in the credentials.
        token: Option<String>,
    },
    /// Many files at once; their paths are in the body.
    Bulk,
}

/// The resource of a raw path (or of an address's path), if it is one of those above.
#[must_use]
pub fn of_path(raw_path: &[u8]) -> Option<Resource> {
    let end = raw_path.iter().position(|byte| b"?#".contains(byte)).unwrap_or(raw_path.len());
    let raw = std::str::from_utf8(&raw_path[..end]).ok()?;
    let server = dav_server(raw)?;
    let names = names(server.rest)?;
    let mut rest = names.iter();
    let name = |name: Option<&String>| name.cloned().unwrap_or_default();
    let principal = |mut rest: std::slice::Iter<'_, String>| (name(rest.next()), name(rest.next()));
    match (server.name, server.public) {
        ("webdav", true) => Some(Resource::Link { token: None }),
        ("webdav", false) => Some(Resource::Files { account: None, path: names }),
        ("dav", true) => {
            (rest.next()? == "files").then(|| Resource::Link { token: rest.next().cloned() })
        }
        ("dav" | "caldav" | "carddav", _) => match rest.next()?.as_str() {
            "files" => Some(Resource::Files {
                account: Some(name(rest.next())),
                path: rest.cloned().collect(),
            }),
            "bulk" => Some(Resource::Bulk),
            "calendars" => {
                let (account, uri) = principal(rest);
                Some(Resource::Calendar { account, uri })
            }
            "addressbooks" if rest.next()? == "users" => {
                let (account, uri) = principal(rest);
                Some(Resource::AddressBook { account, uri })
            }
            _ => None,
        },
        _ => None,
    }
}

/// The decoded names along a path.
fn names<'a>(raw: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    let mut names: Vec<&str> = Vec::new();
    for name in raw {
        match name {
            "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    let mut decoded = Vec::with_capacity(names.len());
    for name in names {
        let name = percent_decode(name.as_bytes()).decode_utf8().ok()?;
        decoded.extend(name.split('/').filter(|name| !name.is_empty()).map(str::to_owned));
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(account: &str, path: &[&str]) -> Option<Resource> {
        let path = path.iter().map(ToString::to_string).collect();
        Some(Resource::Files { account: Some(account.to_owned()), path })
    }

    #[test]
    fn paths_lead_to_resources() {
        for (path, resource) in [
            ("/remote.php/dav/files/alice/a/b.txt", files("alice", &["a", "b.txt"])),
            ("/nc//remote.php//dav/files/al%69ce//a/./x/../b%2Ec", files("alice", &["a", "b.c"])),
            ("/remote.php/dav/files/a%20b@c/%C3%A9%25?x", files("a b@c", &["é%"])),
            ("/remote.php/dav/files/alice/a%2Fb", files("alice", &["a", "b"])),
            ("/remote.php/dav/files/alice", files("alice", &[])),
            ("/remote.php/dav/files/alice/%FF", None),
            (
                "/remote.php/webdav/x/y",
                Some(Resource::Files { account: None, path: vec!["x".into(), "y".into()] }),
            ),
            (
                "/remote.php/dav/calendars/alice/work/1.ics",
                Some(Resource::Calendar { account: "alice".into(), uri: "work".into() }),
            ),
            (
                "/remote.php/caldav/calendars/alice/",
                Some(Resource::Calendar { account: "alice".into(), uri: String::new() }),
            ),
            (
                "/remote.php/dav/addressbooks/users/alice/contacts",
                Some(Resource::AddressBook { account: "alice".into(), uri: "contacts".into() }),
            ),
            ("/remote.php/dav/addressbooks/system/system/system", None),
            ("/remote.php/dav/bulk", Some(Resource::Bulk)),
            ("/public.php/dav/files/TOKEN/x", Some(Resource::Link { token: Some("TOKEN".into()) })),
            ("/public.php/webdav/x", Some(Resource::Link { token: None })),
            ("/remote.php/dav/trashbin/alice/trash", None),
            ("/apps/files/", None),
            ("/index.php/apps/files", None),
        ] {
            assert_eq!(of_path(path.as_bytes()), resource, "{path}");
        }
    }
}
