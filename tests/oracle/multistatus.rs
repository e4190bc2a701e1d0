//! What the multistatus rewriter should do, said a second time and in another way: the whole
//! document as a tree, changed by rule, compared with the tree of what the rewriter wrote.
//!
//! It shares nothing with the rewriter but quick-xml's tokens; namespaces are scoped by maps, one
//! per element. Used by tests and by the fuzz target.

use std::collections::HashMap;

use passeur::dav::multistatus::{Limits, OwnerRule, Reason, Rewriter, Rules};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// A piece of a document. Neighbouring texts are one; CDATA is text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Node {
    Element(Element),
    Text(String),
    /// A comment or a processing instruction, as written.
    Other(String),
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Element {
    pub space: Option<String>,
    pub name: String,
    /// As written, in order.
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
}

const DAV: &str = "DAV:";
const NC_COM: &str = "http://nextcloud.com/ns";
const OC: &str = "http://owncloud.org/ns";

/// Rewrites `input`, cut at `cuts`.
pub fn rewrite(
    input: &[u8],
    rules: &[OwnerRule],
    limits: Limits,
    cuts: &[usize],
) -> (Vec<u8>, Option<Reason>) {
    let mut rewriter = Rewriter::new(Rules::new(rules.iter().cloned()).into(), limits);
    let mut out = Vec::new();
    let mut sink = |bytes: &[u8]| out.extend_from_slice(bytes);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.min(&input.len())).collect();
    cuts.sort_unstable();
    let mut done = 0;
    for cut in cuts {
        rewriter.write(&input[done..cut], &mut sink);
        done = cut;
    }
    rewriter.write(&input[done..], &mut sink);
    rewriter.end(&mut sink);
    (out, rewriter.failed())
}

/// The document as a tree; none, if it is malformed, or if quick-xml sees it otherwise than the
/// rewriter on purpose (a DTD).
pub fn parse(xml: &[u8]) -> Option<Vec<Node>> {
    let xml = std::str::from_utf8(xml).ok()?;
    let mut reader = quick_xml::Reader::from_str(xml.strip_prefix('\u{FEFF}').unwrap_or(xml));
    let mut open = vec![Element::default()];
    let mut scopes = vec![HashMap::from([(String::new(), String::new())])];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                scopes.push(scope(scopes.last()?, &tag)?);
                open.push(element(scopes.last()?, &tag)?);
            }
            Event::Empty(tag) => {
                let scope = scope(scopes.last()?, &tag)?;
                let element = element(&scope, &tag)?;
                open.last_mut()?.children.push(Node::Element(element));
            }
            Event::End(_) => {
                scopes.pop();
                let element = open.pop()?;
                open.last_mut()?.children.push(Node::Element(element));
            }
            Event::Text(text) => add_text(open.last_mut()?, &text.into_inner()),
            Event::CData(text) => add_text(open.last_mut()?, &text.into_inner()),
            Event::GeneralRef(entity) => {
                let raw = format!("&{};", entity.into_inner());
                // What cannot be resolved is kept as it is: only in a value does it matter.
                let text = quick_xml::escape::unescape(&raw).map(String::from).unwrap_or(raw);
                add_text(open.last_mut()?, &text);
            }
            Event::Comment(text) => {
                open.last_mut()?.children.push(Node::Other(format!("<!--{}", text.into_inner())));
            }
            Event::PI(text) => {
                open.last_mut()?.children.push(Node::Other(format!("<?{}", text.into_inner())));
            }
            Event::Decl(_) => {}
            Event::DocType(_) => return None,
            Event::Eof if open.len() == 1 => return open.pop().map(|root| root.children),
            Event::Eof => return None,
        }
    }
}

/// What `document` should become.
pub fn expected(mut document: Vec<Node>, rules: &[OwnerRule]) -> Vec<Node> {
    for root in elements(&mut document, DAV, "multistatus") {
        for response in elements(&mut root.children, DAV, "response") {
            let mut properties: Vec<&mut Element> =
                elements(&mut response.children, DAV, "propstat")
                    .flat_map(|propstat| elements(&mut propstat.children, DAV, "prop"))
                    .flat_map(|prop| prop.children.iter_mut())
                    .filter_map(|node| match node {
                        Node::Element(element) => Some(element),
                        _ => None,
                    })
                    .collect();
            change(&mut properties, rules);
        }
    }
    document
}

/// All owner properties of one response.
fn change(properties: &mut [&mut Element], rules: &[OwnerRule]) {
    let rule_of = |account: &str| rules.iter().find(|rule| rule.from == account);
    // Which rule each name follows: that of the last owner before it, else the first one after it,
    // else that of the last principal.
    let owner_at: Vec<Option<Option<&OwnerRule>>> = properties
        .iter()
        .map(|p| (p.is(OC, "owner-id")).then(|| p.value()).flatten().map(|id| rule_of(&id)))
        .collect();
    let mut principal = None;
    for property in properties.iter_mut() {
        let is_bare = property.is(OC, "owner-principal");
        if !is_bare && !property.is(DAV, "owner") {
            continue;
        }
        let bare = is_bare.then(|| property.value()).flatten();
        let hrefs = elements(&mut property.children, DAV, "href");
        let found: Vec<_> = hrefs.filter_map(|href| address(href, rules)).collect();
        principal = found.last().copied().or(principal);
        if bare.is_some() {
            principal = address(property, rules).or(principal);
        }
    }
    for (n, property) in properties.iter_mut().enumerate() {
        if property.value().is_none() {
            continue;
        }
        if property.is(OC, "owner-id") {
            if let Some(Some(rule)) = owner_at[n] {
                property.set_value(&rule.to);
            }
        } else if property.is(OC, "owner-display-name") || property.is(NC_COM, "owner-displayname")
        {
            let before = owner_at[..n].iter().rev().find_map(|owner| *owner);
            let known = before.or_else(|| owner_at[n..].iter().find_map(|owner| *owner));
            if let Some(rule) = known.unwrap_or(principal) {
                property.set_value(&rule.display_name);
            }
        }
    }
}

/// Changes the address of a principal that is the value of `element`.
fn address<'a>(element: &mut Element, rules: &'a [OwnerRule]) -> Option<&'a OwnerRule> {
    let value = element.value()?;
    let mut segments: Vec<String> = value.split('/').map(String::from).collect();
    let last = segments.len() - 1 - usize::from(value.ends_with('/'));
    let is_user = last >= 1 && segments[last - 1] == "principals"
        || last >= 2 && segments[last - 2] == "principals" && segments[last - 1] == "users";
    if !is_user {
        return None;
    }
    let account = percent_encoding::percent_decode_str(&segments[last]).decode_utf8().ok()?;
    let rule = rules.iter().find(|rule| rule.from == account)?;
    segments[last] = rule
        .to
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            b'-' | b'.' | b'_' | b'~' | b'(' | b')' | b':' | b'@' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    element.set_value(&segments.join("/"));
    Some(rule)
}

impl Element {
    fn is(&self, space: &str, name: &str) -> bool {
        self.space.as_deref() == Some(space) && self.name == name
    }

    /// The text within; none, if there is none, or an element.
    fn value(&self) -> Option<String> {
        let mut value = String::new();
        for child in &self.children {
            match child {
                Node::Element(_) => return None,
                Node::Text(text) => value.push_str(text),
                Node::Other(_) => {}
            }
        }
        (!value.is_empty()).then_some(value)
    }

    /// Puts `value` where the first text is, and nothing where the others are.
    fn set_value(&mut self, value: &str) {
        let mut value = Some(value.to_owned());
        self.children.retain_mut(|child| match child {
            Node::Text(text) => value.take().map(|value| *text = value).is_some(),
            _ => true,
        });
    }
}

fn elements<'a>(
    nodes: &'a mut [Node],
    space: &'static str,
    name: &'static str,
) -> impl Iterator<Item = &'a mut Element> {
    nodes.iter_mut().filter_map(move |node| match node {
        Node::Element(element) if element.is(space, name) => Some(element),
        _ => None,
    })
}

fn add_text(element: &mut Element, text: &str) {
    match element.children.last_mut() {
        _ if text.is_empty() => {}
        Some(Node::Text(before)) => before.push_str(text),
        _ => element.children.push(Node::Text(text.to_owned())),
    }
}

fn scope(outer: &HashMap<String, String>, tag: &BytesStart<'_>) -> Option<HashMap<String, String>> {
    let mut scope = outer.clone();
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let key = attribute.key.0;
        let prefix = if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") };
        if let Some(prefix) = prefix {
            let uri = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            scope.insert(prefix.to_owned(), uri.into_owned());
        }
    }
    Some(scope)
}

fn element(scope: &HashMap<String, String>, tag: &BytesStart<'_>) -> Option<Element> {
    let full = tag.name();
    let (prefix, name) = full.0.split_once(':').unwrap_or(("", full.0));
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        attributes.push((attribute.key.0.to_owned(), attribute.value.into_owned()));
    }
    Some(Element {
        space: scope.get(prefix).filter(|uri| !uri.is_empty()).cloned(),
        name: name.to_owned(),
        attributes,
        children: Vec::new(),
    })
}
