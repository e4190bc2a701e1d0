//! Names of properties, and changes to them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The name of a property: a namespace and a local name. Prefixes mean nothing.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Property {
    /// `DAV:`, `http://owncloud.org/ns` …
    pub namespace: Cow<'static, str>,
    /// `getetag`, `favorite` …
    pub name: Cow<'static, str>,
}

/// What to do with a property.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Its value becomes this text.
    Set(Property, String),
    /// Its value becomes this XML, which has to be well-formed on its own.
    SetXml(Property, String),
    /// It is removed.
    Remove(Property),
}

impl Property {
    /// A name that is known beforehand.
    #[must_use]
    pub const fn new(namespace: &'static str, name: &'static str) -> Self {
        Self { namespace: Cow::Borrowed(namespace), name: Cow::Borrowed(name) }
    }

    /// One of `DAV:`.
    #[must_use]
    pub const fn dav(name: &'static str) -> Self {
        Self::new("DAV:", name)
    }

    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }
}

impl std::fmt::Display for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.name)
    }
}
