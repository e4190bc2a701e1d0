//! The XML of requests.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use quick_xml::escape::escape;

use super::property::{Change, Property};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
/// What cannot stand in a request target.
const BASE: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// Asks for these properties; for all there are without being asked for, where there are none.
#[must_use]
pub fn propfind_body(properties: &[Property]) -> String {
    let wanted = match properties {
        [] => "<d:allprop/>".to_owned(),
        some => format!("<d:prop>{}</d:prop>", some.iter().map(empty).collect::<String>()),
    };
    format!("{HEAD}<d:propfind xmlns:d=\"DAV:\">{wanted}</d:propfind>")
}

pub(super) fn proppatch_body(changes: &[Change]) -> String {
    let steps: String = changes
        .iter()
        .map(|change| match change {
            Change::Remove(property) => {
                format!("<d:remove><d:prop>{}</d:prop></d:remove>", empty(property))
            }
            set => format!("<d:set><d:prop>{}</d:prop></d:set>", valued(set)),
        })
        .collect();
    format!("{HEAD}<d:propertyupdate xmlns:d=\"DAV:\">{steps}</d:propertyupdate>")
}

pub(super) fn mkcalendar_body(properties: &[Change]) -> String {
    let values: String = properties.iter().map(valued).collect();
    format!(
        "{HEAD}<c:mkcalendar xmlns:c=\"urn:ietf:params:xml:ns:caldav\" xmlns:d=\"DAV:\">\
         <d:set><d:prop>{values}</d:prop></d:set></c:mkcalendar>"
    )
}

pub(super) fn mkaddressbook_body(properties: &[Change]) -> String {
    let values: String = properties.iter().map(valued).collect();
    format!(
        "{HEAD}<d:mkcol xmlns:c=\"urn:ietf:params:xml:ns:carddav\" xmlns:d=\"DAV:\"><d:set><d:prop>\
         <d:resourcetype><d:collection/><c:addressbook/></d:resourcetype>{values}\
         </d:prop></d:set></d:mkcol>"
    )
}

/// The path of a server, escaped as far as a request needs it.
pub(super) fn escape_base(base: &str) -> String {
    utf8_percent_encode(base, BASE).to_string()
}

fn empty(property: &Property) -> String {
    format!("<{}/>", opening(property))
}

fn valued(change: &Change) -> String {
    match change {
        Change::Set(property, text) => element(property, &escape(text.as_str())),
        Change::SetXml(property, xml) => element(property, xml),
        Change::Remove(_) => String::new(),
    }
}

fn element(property: &Property, inside: &str) -> String {
    format!("<{}>{inside}</p:{}>", opening(property), property.name)
}

fn opening(property: &Property) -> String {
    format!("p:{} xmlns:p=\"{}\"", property.name, escape(property.namespace.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let name = Property::new("http://owncloud.org/ns", "x");
        let body = proppatch_body(&[
            Change::Set(name.clone(), "a<b&\"c\"".to_owned()),
            Change::Remove(Property::dav("y")),
        ]);
        assert_eq!(
            body,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><d:propertyupdate xmlns:d=\"DAV:\"><d:set>\
             <d:prop><p:x xmlns:p=\"http://owncloud.org/ns\">a&lt;b&amp;&quot;c&quot;</p:x></d:prop>\
             </d:set><d:remove><d:prop><p:y xmlns:p=\"DAV:\"/></d:prop></d:remove>\
             </d:propertyupdate>"
        );
        assert!(propfind_body(&[]).contains("allprop"));
        assert!(propfind_body(&[name]).contains("<p:x xmlns:p=\"http://owncloud.org/ns\"/>"));
    }
}
