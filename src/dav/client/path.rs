//! Where something is on a DAV server, below the address that the client was made for.
//!
//! Invariant: a path is a list of names, each as people see it, never empty, `.` or `..`, and
//! without `/` and control characters. It is escaped in one place, on the way out, so that a name
//! that looks like an escape (`50%25`) or like syntax (`a?b#c;d`) means itself, and is otherwise
//! kept byte for byte (NFC and NFD stay what they are).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// What RFC 3986 calls unreserved stays; everything else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longer than any path of an instance: its database keeps 4,000 characters.
const MAX_BYTES: usize = 64 << 10;

/// A path: `files/alice/Photos 100%.zip`, not escaped.
///
/// Shown and stored without escapes, its names joined by `/`, which no name can hold.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path {
    names: Vec<String>,
}

/// Why something is no path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathError {
    /// A name that leads elsewhere, or nowhere.
    #[error("`{}` cannot be a name in a path", .0.escape_debug())]
    Name(String),
    /// An address that is not below the one of the client.
    #[error("`{}` is not an address below `{base}`", href.escape_debug())]
    Elsewhere {
        /// What came.
        href: String,
        /// Where it should be.
        base: String,
    },
    /// Longer than any path can be.
    #[error("path is longer than 64 KiB")]
    TooLong,
}

impl Path {
    /// The address of the client itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of these names.
    ///
    /// # Errors
    /// If one of them cannot be a name.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        Self::root().down(names)
    }

    /// One step down.
    ///
    /// # Errors
    /// If `name` is empty, `.` or `..`, or holds a slash or a control character.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        self.down([name])
    }

    /// Several steps down: `a/b/c`, not escaped. Slashes at the ends do not matter.
    ///
    /// # Errors
    /// As [`Path::join`].
    pub fn walk(&self, relative: &str) -> Result<Self, PathError> {
        match relative.trim_matches('/') {
            "" => Ok(self.clone()),
            steps => self.down(steps.split('/')),
        }
    }

    fn down<'a>(&self, steps: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        let mut path = self.clone();
        let mut bytes: usize = path.names.iter().map(|name| name.len() + 1).sum();
        for name in steps {
            bytes += name.len() + 1;
            if bytes > MAX_BYTES {
                return Err(PathError::TooLong);
            }
            let leads_elsewhere = matches!(name, "" | "." | "..");
            if leads_elsewhere || name.contains('/') || name.chars().any(char::is_control) {
                return Err(PathError::Name(name.to_owned()));
            }
            path.names.push(name.to_owned());
        }
        Ok(path)
    }

    /// The path of an address as it stands in an answer: path or URL, escaped, of which `base` is
    /// the beginning. Escapes are resolved within each name, once.
    ///
    /// # Errors
    /// If it is not below `base`, or a name of it is none.
    pub fn of_href(href: &str, base: &str) -> Result<Self, PathError> {
        let elsewhere = || PathError::Elsewhere {
            href: href.chars().take(200).collect(),
            base: base.to_owned(),
        };
        let path = match href.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => {
                rest.find('/').map_or("/", |slash| &rest[slash..])
            }
            _ => href,
        };
        let decode = |name: &str| {
            percent_decode_str(name)
                .decode_utf8()
                .map(|name| name.into_owned())
                .map_err(|_| elsewhere())
        };
        if path.len() > 3 * MAX_BYTES {
            return Err(PathError::TooLong);
        }
        let mut steps = path.split('/').filter(|step| !step.is_empty());
        for wanted in base.split('/').filter(|step| !step.is_empty()) {
            if steps.next().map(decode).transpose()?.as_deref() != Some(wanted) {
                return Err(elsewhere());
            }
        }
        let steps = steps.map(decode).collect::<Result<Vec<_>, _>>()?;
        Self::of(steps.iter().map(String::as_str))
    }

    /// Its names, from the top.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The last name; `None` for the root.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.names.last().map(String::as_str)
    }

    /// One step up; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.names.split_last()?;
        Some(Self { names: above.to_vec() })
    }

    /// What is left of it below `above`, not escaped; `None` if it is not below, `""` if it is the
    /// same.
    #[must_use]
    pub fn below(&self, above: &Path) -> Option<String> {
        self.names.strip_prefix(above.names.as_slice()).map(|names| names.join("/"))
    }

    /// As it is sent: escaped, each name after a `/`.
    #[must_use]
    pub fn escaped(&self) -> String {
        self.names.iter().fold(String::new(), |mut path, name| {
            path.push('/');
            path.extend(utf8_percent_encode(name, ESCAPED));
            path
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("/"))
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::root().walk(&text)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_mean_themselves() {
        for (name, escaped) in [
            ("50%25", "/50%2525"),
            ("%2F", "/%252F"),
            ("a?b#c;d&e+f", "/a%3Fb%23c%3Bd%26e%2Bf"),
            ("\"'", "/%22%27"),
            ("é e\u{301} 😀", "/%C3%A9%20e%CC%81%20%F0%9F%98%80"),
            (".hidden", "/.hidden"),
        ] {
            let path = Path::root().join(name).unwrap();
            assert_eq!(path.escaped(), escaped);
            assert_eq!(Path::of_href(&format!("/dav{escaped}"), "/dav").unwrap(), path);
        }
    }

    #[test]
    fn nothing_leads_elsewhere() {
        for name in ["", ".", "..", "a/b", "a\0b", "a\nb"] {
            assert!(matches!(Path::root().join(name), Err(PathError::Name(_))), "{name:?}");
        }
        for href in ["/dav/%2e%2e/x", "/dav/a%2Fb", "/dav/./x", "/other/x", "/da", "x", "/dav/%ff"]
        {
            assert!(Path::of_href(href, "/dav").is_err(), "{href}");
        }
        assert_eq!(Path::of_href("http://h/dav//x/", "/dav").unwrap().to_string(), "x");
        assert_eq!(Path::of_href("/dav", "/dav").unwrap(), Path::root());
        assert!(Path::root().walk(&"a/".repeat(70_000)).is_err());
    }

    proptest! {
        #[test]
        fn an_escaped_path_comes_back(names in prop::collection::vec("[^/\\p{Cc}]{1,20}", 0..5)) {
            prop_assume!(names.iter().all(|name| name != "." && name != ".."));
            let path = Path::of(names.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(&Path::of_href(&format!("/x{}", path.escaped()), "/x").unwrap(), &path);
            prop_assert_eq!(&Path::try_from(String::from(path.clone())).unwrap(), &path);
        }

        #[test]
        fn no_address_makes_it_panic(href in ".{0,60}") {
            let _ = Path::of_href(&href, "/remote.php/dav");
        }
    }
}
