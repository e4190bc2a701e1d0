//! Which account is shown as which, prepared so that applying a rule is a lookup and a copy.
//!
//! Invariant: an account that is shown is never itself the source of a rule, so that rewriting
//! twice equals rewriting once. Chains (A as B, B as C) are therefore joined (A as C), and rules
//! that form a circle are left out, as they have no answer.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use quick_xml::escape::partial_escape;

/// One account shown as another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnerRule {
    /// The account id that the instance reports.
    pub from: String,
    /// The account id shown instead.
    pub to: String,
    /// The display name shown instead; the id, where it is empty.
    pub display_name: String,
}

/// All rules of a site.
#[derive(Debug, Default)]
pub struct Rules {
    by_account: HashMap<Box<str>, usize>,
    shown: Vec<Shown>,
}

/// What is shown for one account, escaped for XML text.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) name: String,
    /// The id as a segment of a path.
    segment: String,
}

/// What a path segment keeps as it is: the same as sabre/dav, which makes the answers.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'(')
    .remove(b')')
    .remove(b':')
    .remove(b'@');

// === impl Rules ===

impl Rules {
    /// Prepares `rules`. Of several for one account the last counts; rules without an account, and
    /// those that lead back to where they start, are left out.
    pub fn new(rules: impl IntoIterator<Item = OwnerRule>) -> Self {
        let rules: HashMap<String, OwnerRule> = rules
            .into_iter()
            .filter(|rule| !rule.from.is_empty() && !rule.to.is_empty())
            .map(|rule| (rule.from.clone(), rule))
            .collect();
        let mut made = Self::default();
        for (from, rule) in &rules {
            if let Some(last) = follow(&rules, rule) {
                made.by_account.insert(from.as_str().into(), made.shown.len());
                made.shown.push(Shown::new(&last.to, &last.display_name));
            }
        }
        made
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    pub(super) fn of_account(&self, account: &str) -> Option<usize> {
        self.by_account.get(account).copied()
    }

    /// The rule for the account that a principal's address ends with, and that address with the
    /// account replaced.
    pub(super) fn of_principal(&self, address: &str) -> Option<(usize, String)> {
        let body = address.strip_suffix('/').unwrap_or(address);
        let (parent, account) = body.rsplit_once('/')?;
        if !ends_in(parent, "principals/users") && !ends_in(parent, "principals") {
            return None;
        }
        let rule = self.of_account(&percent_decode_str(account).decode_utf8().ok()?)?;
        let (before, after) = (&address[..=parent.len()], &address[body.len()..]);
        let new = [before, &self.shown[rule].segment, after].concat();
        Some((rule, partial_escape(new).into_owned()))
    }

    pub(super) fn shown(&self, rule: usize) -> &Shown {
        &self.shown[rule]
    }
}

// === impl Shown ===

impl Shown {
    fn new(id: &str, name: &str) -> Self {
        let name = if name.is_empty() { id } else { name };
        Self {
            id: escaped(id),
            name: escaped(name),
            segment: utf8_percent_encode(id, SEGMENT).to_string(),
        }
    }
}

/// The last rule of the chain that begins with `first`; none, if it is a circle.
fn follow<'a>(
    rules: &'a HashMap<String, OwnerRule>,
    first: &'a OwnerRule,
) -> Option<&'a OwnerRule> {
    let mut rule = first;
    for _ in 0..rules.len() {
        match rules.get(&rule.to) {
            Some(next) => rule = next,
            None => return Some(rule),
        }
    }
    None
}

/// Escapes for XML text; characters that XML cannot hold at all become U+FFFD.
fn escaped(text: &str) -> String {
    let is_xml = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    let text: String = text.chars().map(|c| if is_xml(c) { c } else { '\u{FFFD}' }).collect();
    partial_escape(text).into_owned()
}

/// Whether `path` ends in `tail`, at a segment boundary.
fn ends_in(path: &str, tail: &str) -> bool {
    path.strip_suffix(tail).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[(&str, &str)]) -> Rules {
        Rules::new(list.iter().map(|(from, to)| OwnerRule {
            from: (*from).into(),
            to: (*to).into(),
            display_name: format!("The {to}"),
        }))
    }

    fn id_of(rules: &Rules, account: &str) -> Option<String> {
        rules.of_account(account).map(|rule| rules.shown(rule).id.clone())
    }

    #[test]
    fn chains_are_joined_and_circles_left_out() {
        let made = rules(&[("a", "b"), ("b", "c"), ("x", "y"), ("y", "x"), ("z", "y"), ("s", "s")]);
        assert_eq!(id_of(&made, "a").as_deref(), Some("c"));
        assert_eq!(id_of(&made, "b").as_deref(), Some("c"));
        assert_eq!(made.shown(made.of_account("a").unwrap()).name, "The c");
        for circular in ["x", "y", "z", "s", "c"] {
            assert_eq!(made.of_account(circular), None, "{circular}");
        }
    }

    #[test]
    fn the_last_rule_for_an_account_counts() {
        assert_eq!(id_of(&rules(&[("a", "b"), ("a", "c")]), "a").as_deref(), Some("c"));
        assert!(rules(&[("", "b"), ("a", "")]).is_empty());
    }

    #[test]
    fn what_is_shown_is_escaped() {
        let made = Rules::new([OwnerRule {
            from: "a".into(),
            to: "b&<é>'".into(),
            display_name: "x\u{1}]]>\r".into(),
        }]);
        let shown = made.shown(0);
        assert_eq!(shown.id, "b&amp;&lt;é&gt;'");
        assert_eq!(shown.name, "x\u{FFFD}]]&gt;&#13;");
        assert_eq!(shown.segment, "b%26%3C%C3%A9%3E%27");
        let named = Rules::new([OwnerRule {
            from: "a".into(),
            to: "b".into(),
            display_name: String::new(),
        }]);
        assert_eq!(named.shown(0).name, "b");
    }

    #[test]
    fn principals_keep_all_but_the_account() {
        let made = rules(&[("alice", "bob smith"), ("é x", "f@g")]);
        for (address, expected) in [
            (
                "/remote.php/dav/principals/users/alice/",
                "/remote.php/dav/principals/users/bob%20smith/",
            ),
            (
                "/nc/remote.php/dav/principals/users/alice",
                "/nc/remote.php/dav/principals/users/bob%20smith",
            ),
            ("principals/users/alice", "principals/users/bob%20smith"),
            (
                "https://h/?&x/principals/users/alic%65/",
                "https://h/?&amp;x/principals/users/bob%20smith/",
            ),
            ("principals/users/%C3%A9%20x", "principals/users/f@g"),
            ("principals/users/é x", "principals/users/f@g"),
            ("/remote.php/caldav/principals/alice/", "/remote.php/caldav/principals/bob%20smith/"),
        ] {
            let new = made.of_principal(address).map(|(_, new)| new);
            assert_eq!(new.as_deref(), Some(expected), "{address}");
        }
        for address in [
            "",
            "/",
            "alice",
            "/alice",
            "principals/users/",
            "principals/groups/alice",
            "principals/users/alice/calendar-proxy-read",
            "principals/users/alice//",
            "xprincipals/users/alice",
            "principals/users/ALICE",
            "principals/users/%FF",
            "principals/system/system",
        ] {
            assert_eq!(made.of_principal(address), None, "{address}");
        }
    }
}
