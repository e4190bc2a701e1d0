//! The elements that are open, and the namespaces in force, as far as is needed to say where in a
//! multistatus one stands.
//!
//! Invariant: what is open was well-formed: names match, attributes are quoted and unique, and all
//! of it stays within [`Limits`]. Anything else is a [`Reason`] to stop interpreting. Prefixes mean
//! nothing here: names are compared by namespace URI, and a URI is compared after its character
//! references are resolved, as clients do.

use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attributes;
use quick_xml::name::{Namespace, NamespaceError, NamespaceResolver, QName, ResolveResult};

use super::{Limits, Reason};

/// A namespace that matters, or another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Space {
    Dav,
    NextcloudCom,
    OwnCloud,
    Other,
}

pub(super) struct Tree {
    /// The names of the open elements, one after the other.
    names: Vec<u8>,
    /// Where each of them begins.
    starts: Vec<usize>,
    spaces: NamespaceResolver,
    limits: Limits,
}

/// What the bytes of an XML name may be; good enough to tell names from garbage.
const CLASS: [Class; 256] = {
    let mut table = [Class::Never; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => Class::Start,
            b'0'..=b'9' | b'-' | b'.' => Class::Inside,
            b' ' | b'\t' | b'\r' | b'\n' => Class::Space,
            _ => Class::Never,
        };
        byte += 1;
    }
    table
};

#[derive(Clone, Copy, Eq, PartialEq)]
enum Class {
    Start,
    Inside,
    Space,
    Never,
}

// === impl Tree ===

impl Tree {
    pub(super) fn new(mut limits: Limits) -> Self {
        // As deep as the namespaces can be counted.
        limits.depth = limits.depth.min(usize::from(u16::MAX));
        let mut spaces = NamespaceResolver::default();
        spaces.set_max_namespace_bindings(limits.namespaces);
        Self { names: Vec::new(), starts: Vec::new(), spaces, limits }
    }

    /// How many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.starts.len()
    }

    /// Opens the element whose tag, without its brackets, is `tag`.
    pub(super) fn open(&mut self, tag: &[u8]) -> Result<(), Reason> {
        let name = name_length(tag)?;
        if self.starts.len() >= self.limits.depth || self.names.len() > self.limits.token {
            return Err(Reason::TooDeep);
        }
        self.starts.push(self.names.len());
        self.names.extend_from_slice(&tag[..name]);
        if name < tag.len() { self.attributes(tag, name) } else { Ok(()) }
    }

    /// Closes the element called `name`.
    pub(super) fn close(&mut self, name: &[u8]) -> Result<(), Reason> {
        if self.starts.last().is_none_or(|start| &self.names[*start..] != name) {
            return Err(Reason::Malformed);
        }
        self.close_last();
        Ok(())
    }

    /// Closes the element opened last.
    pub(super) fn close_last(&mut self) {
        if usize::from(self.spaces.level()) >= self.starts.len() {
            self.spaces.set_level(u16::try_from(self.starts.len().saturating_sub(1)).unwrap_or(0));
        }
        if let Some(start) = self.starts.pop() {
            self.names.truncate(start);
        }
    }

    /// The name of the element opened last, without its prefix.
    pub(super) fn local_name(&self) -> &[u8] {
        let name = self.name();
        memchr::memchr(b':', name).map_or(name, |colon| &name[colon + 1..])
    }

    /// The namespace of the element opened last.
    pub(super) fn space(&self) -> Space {
        let Ok(name) = std::str::from_utf8(self.name()) else { return Space::Other };
        match self.spaces.resolve_element(QName(name)).0 {
            ResolveResult::Bound(Namespace("DAV:")) => Space::Dav,
            // Calendars and address books use this one, not `http://nextcloud.org/ns`.
            ResolveResult::Bound(Namespace("http://nextcloud.com/ns")) => Space::NextcloudCom,
            ResolveResult::Bound(Namespace("http://owncloud.org/ns")) => Space::OwnCloud,
            _ => Space::Other,
        }
    }

    fn name(&self) -> &[u8] {
        &self.names[self.starts.last().copied().unwrap_or(0)..]
    }

    /// Checks the attributes of a start tag, and notes the namespaces it declares.
    fn attributes(&mut self, tag: &[u8], name: usize) -> Result<(), Reason> {
        if memchr::memchr(b'<', &tag[name..]).is_some() {
            return Err(Reason::Malformed);
        }
        let tag = std::str::from_utf8(tag).map_err(|_| Reason::Encoding)?;
        for (n, attribute) in Attributes::new(tag, name).enumerate() {
            if n == self.limits.attributes {
                return Err(Reason::TooManyAttributes);
            }
            let attribute = attribute.map_err(|_| Reason::Malformed)?;
            if let Some(prefix) = attribute.key.as_namespace_binding() {
                let uri = attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|_| Reason::Malformed)?;
                self.spaces.set_level(u16::try_from(self.starts.len()).unwrap_or(u16::MAX));
                self.spaces.add(prefix, Namespace(&uri)).map_err(|error| match error {
                    NamespaceError::TooManyBindings(_) => Reason::TooManyAttributes,
                    _ => Reason::Malformed,
                })?;
            }
        }
        Ok(())
    }
}

/// How long the name is that a start tag begins with.
fn name_length(tag: &[u8]) -> Result<usize, Reason> {
    let class = |byte: &u8| CLASS[usize::from(*byte)];
    if tag.first().map(class) != Some(Class::Start) {
        return Err(Reason::Malformed);
    }
    let length = tag.iter().position(|byte| !matches!(class(byte), Class::Start | Class::Inside));
    match length {
        None => Ok(tag.len()),
        Some(length) if class(&tag[length]) == Class::Space => Ok(length),
        Some(_) => Err(Reason::Malformed),
    }
}
