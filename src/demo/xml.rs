//! Just enough XML for DAV: read a request into a tree with names resolved by namespace, write
//! answers the way Nextcloud does (`d:`, `oc:`, `nc:` declared once, everything else `x1:` in place).
//!
//! Request bodies come from the network: depth and size are bounded, entities beyond the five of
//! XML are refused, anything malformed is `None`.

use std::fmt::Write as _;

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

pub(super) const DAV: &str = "DAV:";
pub(super) const OC: &str = "http://owncloud.org/ns";
pub(super) const NC: &str = "http://nextcloud.org/ns";
/// The calendar extras use `.com`, a trap of the original that is kept.
pub(super) const NC_COM: &str = "http://nextcloud.com/ns";
pub(super) const CAL: &str = "urn:ietf:params:xml:ns:caldav";
pub(super) const CARD: &str = "urn:ietf:params:xml:ns:carddav";
pub(super) const CS: &str = "http://calendarserver.org/ns/";
pub(super) const APPLE: &str = "http://apple.com/ns/ical/";

const MAX_DEPTH: usize = 64;

/// A name: namespace and local part.
pub(super) type Name = (String, String);

/// An element of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    pub(super) ns: String,
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    pub(super) text: String,
}

impl Element {
    /// Reads a document.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut reader = NsReader::from_str(text);
        let mut open: Vec<Element> = vec![Element::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    if open.len() > MAX_DEPTH {
                        return None;
                    }
                    open.push(Self::begin(&reader, &start)?);
                }
                Event::Empty(start) => {
                    let element = Self::begin(&reader, &start)?;
                    open.last_mut()?.children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop()?;
                    open.last_mut()?.children.push(element);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(text.as_ref()),
                Event::CData(text) => open.last_mut()?.text.push_str(text.as_ref()),
                Event::GeneralRef(entity) => {
                    let into = open.last_mut()?;
                    match entity.resolve_char_ref().ok()? {
                        Some(c) => into.text.push(c),
                        None => into.text.push_str(resolve_predefined_entity(entity.as_ref())?),
                    }
                }
                Event::DocType(_) => return None,
                Event::Eof => break,
                _ => {}
            }
        }
        let mut root = open.pop()?;
        (open.is_empty() && root.children.len() == 1).then(|| root.children.pop())?
    }

    fn begin(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Option<Self> {
        let (ns, local) = reader.resolver().resolve_element(start.name());
        let ns = match ns {
            ResolveResult::Bound(ns) => ns.as_ref().to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return None,
        };
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            let key = attribute.key.local_name().as_ref().to_owned();
            let value = quick_xml::escape::unescape(attribute.value.as_ref()).ok()?.into_owned();
            attributes.push((key, value));
        }
        Some(Self { ns, name: local.as_ref().to_owned(), attributes, ..Self::default() })
    }

    /// Whether this is the element of that name.
    pub(super) fn is(&self, ns: &str, name: &str) -> bool {
        self.ns == ns && self.name == name
    }

    /// The first child of that name.
    pub(super) fn child(&self, ns: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(ns, name))
    }

    /// All children of that name.
    pub(super) fn all<'a>(
        &'a self,
        ns: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Self> + 'a {
        self.children.iter().filter(move |child| child.is(ns, name))
    }

    /// An attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Which properties a request asks for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// `allprop`, or no body.
    All,
    /// `propname`.
    Names,
    /// `prop`.
    These(Vec<Name>),
}

impl Wanted {
    /// From the element that holds `prop`, `allprop` or `propname`.
    pub(super) fn of(parent: &Element) -> Self {
        if let Some(prop) = parent.child(DAV, "prop") {
            let name = |e: &Element| (e.ns.clone(), e.name.clone());
            return Self::These(prop.children.iter().map(name).collect());
        }
        if parent.child(DAV, "propname").is_some() { Self::Names } else { Self::All }
    }

    /// From the body of a PROPFIND.
    pub(super) fn from_body(body: &[u8]) -> Option<Self> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Some(Self::All);
        }
        let root = Element::parse(body)?;
        root.is(DAV, "propfind").then(|| Self::of(&root))
    }

    /// Whether that property is asked for by name.
    pub(super) fn names(&self, ns: &str, name: &str) -> bool {
        matches!(self, Self::These(these) if these.iter().any(|(n, l)| n == ns && l == name))
    }
}

/// A multistatus answer in the making.
pub(super) struct Multistatus {
    out: String,
}

impl Multistatus {
    pub(super) fn new() -> Self {
        let mut out = String::with_capacity(4096);
        out.push_str("<?xml version=\"1.0\"?>\n<d:multistatus");
        for (prefix, ns) in PREFIXES {
            let _ = write!(out, " xmlns:{prefix}=\"{ns}\"");
        }
        out.push('>');
        Self { out }
    }

    /// One resource: what `value` knows is found, the rest is not.
    pub(super) fn response(
        &mut self,
        href: &str,
        wanted: &Wanted,
        all: &[Name],
        value: impl Fn(&str, &str) -> Option<String>,
    ) {
        let (these, names_only) = match wanted {
            Wanted::These(these) => (these.as_slice(), false),
            Wanted::All => (all, false),
            Wanted::Names => (all, true),
        };
        let (mut found, mut missing) = (String::new(), String::new());
        for (ns, name) in these {
            match value(ns, name) {
                Some(_) if names_only => push_element(&mut found, ns, name, ""),
                Some(inner) => push_element(&mut found, ns, name, &inner),
                None if matches!(wanted, Wanted::These(_)) => {
                    push_element(&mut missing, ns, name, "");
                }
                None => {}
            }
        }
        let _ = write!(self.out, "<d:response><d:href>{}</d:href>", escape(href));
        if !found.is_empty() || missing.is_empty() {
            self.propstat(&found, "200 OK");
        }
        if !missing.is_empty() {
            self.propstat(&missing, "404 Not Found");
        }
        self.out.push_str("</d:response>");
    }

    /// One resource with a status of its own.
    pub(super) fn status(&mut self, href: &str, status: &str) {
        let href = escape(href);
        let _ = write!(
            self.out,
            "<d:response><d:href>{href}</d:href><d:status>HTTP/1.1 {status}</d:status></d:response>"
        );
    }

    /// One resource with the outcome of a PROPPATCH.
    pub(super) fn patched(&mut self, href: &str, done: &[Name], refused: &[Name]) {
        let list = |names: &[Name]| {
            let mut out = String::new();
            for (ns, name) in names {
                push_element(&mut out, ns, name, "");
            }
            out
        };
        let _ = write!(self.out, "<d:response><d:href>{}</d:href>", escape(href));
        if refused.is_empty() {
            self.propstat(&list(done), "200 OK");
        } else {
            self.propstat(&list(refused), "403 Forbidden");
            if !done.is_empty() {
                self.propstat(&list(done), "424 Failed Dependency");
            }
        }
        self.out.push_str("</d:response>");
    }

    /// The document; `tail` goes before its end.
    pub(super) fn finish(mut self, tail: &str) -> String {
        self.out.push_str(tail);
        self.out.push_str("</d:multistatus>");
        self.out
    }

    fn propstat(&mut self, props: &str, status: &str) {
        let _ = write!(
            self.out,
            "<d:propstat><d:prop>{props}</d:prop><d:status>HTTP/1.1 {status}</d:status></d:propstat>"
        );
    }
}

const PREFIXES: [(&str, &str); 7] = [
    ("d", DAV),
    ("s", "http://sabredav.org/ns"),
    ("cal", CAL),
    ("cs", CS),
    ("card", CARD),
    ("oc", OC),
    ("nc", NC),
];

/// Appends an element whose content is XML already.
pub(super) fn push_element(out: &mut String, ns: &str, name: &str, inner: &str) {
    let known = PREFIXES.iter().find(|(_, uri)| *uri == ns).map(|(prefix, _)| *prefix);
    let (tag, declared) = match known {
        Some(prefix) => (format!("{prefix}:{name}"), String::new()),
        None if ns.is_empty() => (name.to_owned(), " xmlns=\"\"".to_owned()),
        None => (format!("x1:{name}"), format!(" xmlns:x1=\"{}\"", escape(ns))),
    };
    let _ = if inner.is_empty() {
        write!(out, "<{tag}{declared}/>")
    } else {
        write!(out, "<{tag}{declared}>{inner}</{tag}>")
    };
}

/// A name for lists of properties.
pub(super) fn name(ns: &str, local: &str) -> Name {
    (ns.to_owned(), local.to_owned())
}

/// Text as XML and HTML write it.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Not allowed in XML at all.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A path as DAV answers write it: lower-case hex, the few marks kept that the original keeps.
pub(super) fn encode_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-.~()/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_by_namespace() {
        let body = br#"<a:propfind xmlns:a="DAV:" xmlns="http://owncloud.org/ns"><a:prop><fileid/><x xmlns="">&lt;1&#65;</x></a:prop></a:propfind>"#;
        let Some(Wanted::These(these)) = Wanted::from_body(body) else { panic!("a prop list") };
        assert_eq!(these, [name(OC, "fileid"), name("", "x")]);
        let root = Element::parse(body).unwrap();
        assert_eq!(root.children[0].children[1].text, "<1A");
    }

    #[test]
    fn hostile_bodies_are_refused() {
        for body in ["<a", "<a></b>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<p:a/>", ""] {
            assert!(Element::parse(body.as_bytes()).is_none(), "{body}");
        }
        let deep = "<a>".repeat(5000);
        assert!(Element::parse(deep.as_bytes()).is_none());
    }

    #[test]
    fn hrefs_look_as_recorded() {
        assert_eq!(encode_path("/é/a+b;c=d?.txt"), "/%c3%a9/a%2bb%3bc%3dd%3f.txt");
        assert_eq!(encode_path("/quote'\".txt"), "/quote%27%22.txt");
    }
}
