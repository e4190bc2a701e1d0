//! The multistatus rewriter: fixtures, recordings of a real Nextcloud, and properties.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

#[path = "oracle/multistatus.rs"]
mod oracle;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use passeur::dav::multistatus::{Limits, OwnerRule, Reason, Rewriter, Rules};
use proptest::prelude::*;
use serde::Deserialize;

/// What a fixture's `rules.toml` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    owner: Vec<Owner>,
    failed: Option<String>,
    #[serde(default)]
    limits: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    from: String,
    to: String,
    display_name: String,
}

impl Case {
    fn rules(&self) -> Vec<OwnerRule> {
        self.owner.iter().map(|owner| rule(&owner.from, &owner.to, &owner.display_name)).collect()
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (name, value) in &self.limits {
            *match name.as_str() {
                "attributes" => &mut limits.attributes,
                "depth" => &mut limits.depth,
                "hold" => &mut limits.hold,
                "namespaces" => &mut limits.namespaces,
                "token" => &mut limits.token,
                "value" => &mut limits.value,
                other => panic!("unknown limit {other}"),
            } = *value;
        }
        limits
    }
}

#[test]
fn fixtures() {
    let inputs = fixture_inputs();
    assert!(inputs.len() > 50);
    for path in inputs {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let beside = |with| fs::read(path.with_file_name(name.replace("in.xml", with))).unwrap();
        let case: Case = toml::from_slice(&beside("rules.toml")).unwrap();
        let (rules, limits) = (case.rules(), case.limits());
        let (input, expected) = (fs::read(&path).unwrap(), beside("out.xml"));

        let (out, reason) = oracle::rewrite(&input, &rules, limits, &[]);
        assert_eq!(text(&out), text(&expected), "{name}");
        assert_eq!(out, expected, "{name}");
        assert_eq!(reason.map(Reason::as_str), case.failed.as_deref(), "{name}");

        let bytewise: Vec<usize> = (0..input.len()).collect();
        let bytewise = oracle::rewrite(&input, &rules, limits, &bytewise);
        assert_eq!(bytewise, (out.clone(), reason), "{name}, byte by byte");
        assert_eq!(oracle::rewrite(&out, &rules, limits, &[]).0, out, "{name}, twice");
        assert_eq!(oracle::rewrite(&input, &[], limits, &[]).0, input, "{name}, without rules");
    }
}

#[test]
fn recordings_of_a_real_nextcloud() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings/nextcloud-34/http");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no recordings at {}", folder.display());
        return;
    };
    let rules = [rule("alice", "zoé & co", "Zoé <Z>")];
    let mut changed = Vec::new();
    for path in files.map(|file| file.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let recording = fs::read(&path).unwrap();
        let body = memchr::memmem::find(&recording, b"\r\n\r\n").unwrap() + 4;
        let body = &recording[body..];
        if !name.starts_with("dav-") || !recording.starts_with(b"HTTP/1.1 207") {
            continue;
        }
        let (out, reason) = oracle::rewrite(body, &rules, Limits::default(), &[]);
        assert_eq!(reason, None, "{name}");
        let expected = oracle::expected(oracle::parse(body).unwrap(), &rules);
        assert_eq!(oracle::parse(&out), Some(expected), "{name}");
        assert_eq!(text(&out), by_replacing(&text(body)), "{name}");
        for step in [1, 2, 3, 1000] {
            let cuts: Vec<usize> = (0..body.len()).step_by(step).collect();
            assert!(oracle::rewrite(body, &rules, Limits::default(), &cuts).0 == out, "{name}");
        }
        assert!(oracle::rewrite(body, &[], Limits::default(), &[]).0 == body, "{name}");
        if out != body {
            changed.push(name);
        }
    }
    changed.sort();
    let with_owners =
        ["dav-addressbooks", "dav-calendars", "dav-propfind-deep", "dav-propfind-root"];
    assert_eq!(changed, with_owners.map(|name| format!("{name}.http")));
}

/// The recordings are plain enough to be changed by text.
fn by_replacing(body: &str) -> String {
    let href = |account| {
        format!("<d:owner><d:href>/remote.php/dav/principals/users/{account}/</d:href></d:owner>")
    };
    body.replace("<oc:owner-id>alice<", "<oc:owner-id>zoé &amp; co<")
        .replace("<oc:owner-display-name>Alice<", "<oc:owner-display-name>Zoé &lt;Z&gt;<")
        .replace(">Alice</x1:owner-displayname>", ">Zoé &lt;Z&gt;</x1:owner-displayname>")
        .replace(
            ">principals/users/alice</oc:owner-",
            ">principals/users/zo%C3%A9%20%26%20co</oc:owner-",
        )
        .replace(&href("alice"), &href("zo%C3%A9%20%26%20co"))
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let head = "<d:multistatus xmlns:d='DAV:' xmlns:oc='http://owncloud.org/ns'><d:response>\
                <d:propstat><d:prop>";
    let endless = [
        ("text", "<d:x>", "x"),
        ("comment", "<!--", "-"),
        ("cdata", "<d:x><![CDATA[", "]]"),
        ("value", "<oc:owner-id>", "x"),
        ("value of pieces", "<oc:owner-id>", "x<!---->"),
        ("waiting name", "<oc:owner-display-name>A</oc:owner-display-name>", "<d:x>x</d:x>"),
        ("many waiting names", "", "<oc:owner-display-name>A</oc:owner-display-name>"),
        ("name", "<", "x"),
        ("attribute", "<d:x a='", "x"),
        ("attributes", "<d:x", " a"),
        ("end tag", "</", "x"),
        ("instruction", "<?x ", "?"),
        ("elements", "", "<d:x>"),
        ("namespaces", "", "<d:x xmlns:a='b'>"),
        ("space before the end of a tag", "<d:x", " "),
    ];
    let rules = std::sync::Arc::new(Rules::new([rule("alice", "bob", "Bob")]));
    for (what, begin, more) in endless {
        let mut rewriter = Rewriter::new(rules.clone(), Limits::default());
        let (mut came, mut went) = (0_usize, 0);
        let more = more.repeat(4096 / more.len());
        for piece in [head, begin].into_iter().chain(std::iter::repeat_n(more.as_str(), 256)) {
            came += piece.len();
            rewriter.write(piece.as_bytes(), &mut |bytes| went += bytes.len());
            assert!(came - went < 96 * 1024, "{what}: {} bytes are held", came - went);
        }
        rewriter.end(&mut |bytes| went += bytes.len());
        assert_eq!(came, went, "{what}");
    }
}

#[test]
fn large_answers_are_rewritten_to_the_end() {
    let entry = "<d:response><d:propstat><d:prop><oc:owner-display-name>Alice\
                 </oc:owner-display-name><d:x/><oc:owner-id>alice</oc:owner-id></d:prop>\
                 </d:propstat></d:response>";
    let answer = format!(
        "<d:multistatus xmlns:d='DAV:' xmlns:oc='http://owncloud.org/ns'>{}</d:multistatus>",
        entry.repeat(2_000)
    );
    let cuts: Vec<usize> = (0..answer.len()).step_by(16 * 1024 - 1).collect();
    let (out, reason) = oracle::rewrite(
        answer.as_bytes(),
        &[rule("alice", "bob", "Bob")],
        Limits::default(),
        &cuts,
    );
    assert_eq!(reason, None);
    assert!(text(&out) == answer.replace("alice", "bob").replace("Alice", "Bob"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_come_out_as_the_oracle_says(
        document in document(),
        cuts in prop::collection::vec(0..4000_usize, 0..20),
    ) {
        let rules = rules();
        let (out, reason) = oracle::rewrite(document.as_bytes(), &rules, Limits::default(), &[]);
        prop_assert_eq!(reason, None);
        let cut = oracle::rewrite(document.as_bytes(), &rules, Limits::default(), &cuts);
        prop_assert_eq!(text(&cut.0), text(&out));
        prop_assert_eq!(text(&oracle::rewrite(&out, &rules, Limits::default(), &[]).0), text(&out));
        let tree = oracle::parse(document.as_bytes()).unwrap();
        prop_assert_eq!(oracle::parse(&out).unwrap(), oracle::expected(tree, &rules));
    }

    #[test]
    fn broken_documents_are_cut_and_repeated_alike(
        document in document(),
        at in any::<prop::sample::Index>(),
        removed in 0..6_usize,
        put in prop::sample::select(vec![
            "", "<", ">", "&", "\"", "<!DOCTYPE x>", "</d:prop>", "<!--", "]]>", "<oc:owner-id>", "\0",
        ]),
        invalid in any::<bool>(),
        cuts in prop::collection::vec(0..4000_usize, 0..20),
        limits in (2..9_usize, 8..300_usize, 4..40_usize).prop_map(|(depth, hold, value)| Limits {
            depth, hold, value, ..Limits::default()
        }),
    ) {
        let mut document = document.into_bytes();
        let at = at.index(document.len());
        let removed = removed.min(document.len() - at);
        document.splice(at..at + removed, put.bytes().chain(invalid.then_some(0xC3)));
        let (out, reason) = oracle::rewrite(&document, &rules(), limits, &[]);
        let cut = oracle::rewrite(&document, &rules(), limits, &cuts);
        prop_assert_eq!((text(&cut.0), cut.1), (text(&out), reason));
        prop_assert!(oracle::rewrite(&out, &rules(), limits, &[]).0 == out);
        prop_assert!(oracle::rewrite(&document, &[], limits, &[]).0 == document);
    }
}

// === documents ===

/// A well-formed multistatus with any prefixes, properties in any order, values in any notation.
fn document() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        [("d", "xmlns:d"), ("oc", "xmlns:oc")],
        [("oc", "xmlns:oc"), ("d", "xmlns:d")],
        [("", "xmlns"), ("o", "xmlns:o")],
        [("D", "xmlns:D"), ("", "xmlns")],
    ]);
    (names, prop::collection::vec(prop::collection::vec(part(), 0..8), 0..5)).prop_map(
        |([(dav, bind_dav), (oc, bind_oc)], responses)| {
            let name = |prefix: &str, local: &str| {
                if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
            };
            let mut xml = String::new();
            for parts in responses {
                let parts: String = parts.into_iter().collect();
                xml += &format!(
                    "<@response> <@propstat><@prop>{parts}</@prop></@propstat></@response>"
                );
            }
            let xml = format!(
                "<@multistatus {bind_dav}=\"DAV:\" {bind_oc}='http://owncloud.org/ns'>{xml}\
                 </@multistatus>"
            );
            named(&named(&xml, '@', |local| name(dav, local)), '%', |local| name(oc, local))
        },
    )
}

/// A property, or what comes between; `@` stands for the prefix of `DAV:`, `%` for the other one.
fn part() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "",
        "alice",
        "carol",
        "&#97;lice",
        "<![CDATA[alice]]>",
        "al<!--%owner-id-->ice",
        "A&amp;B",
        "al<![CDATA[]]>ice<?x?>",
        "alice<@x/>",
        "é ☃ 日本",
        "é x",
        "a&#x0d;b",
    ]);
    let address = prop::sample::select(vec![
        "/remote.php/dav/principals/users/alice/",
        "principals/users/alice",
        "principals/users/x",
        "/nc/remote.php/dav/principals/users/%C3%A9%20x/",
        "<![CDATA[principals/users/]]>alice",
        "",
        "principals/users/é x",
        "/a&amp;b/principals/carol",
    ]);
    (0..13_u8, value, address).prop_map(|(kind, value, address)| match kind {
        0..=2 => format!("<%owner-id>{value}</%owner-id>"),
        3..=5 => format!("<%owner-display-name>{value}</%owner-display-name>"),
        6 => format!("<@owner><@href>{address}</@href></@owner>"),
        7 => format!("<%owner-principal>{address}</%owner-principal>"),
        8 => format!("<%owner-principal> <@href>{address}</@href>\n</%owner-principal>"),
        9 => format!("<@owner><@x><%owner-id>{value}</%owner-id></@x></@owner>"),
        10 => format!("</@prop><@status>x</@status></@propstat><@propstat><@prop>{value}"),
        11 => format!("</@prop></@propstat></@response><@response><@propstat><@prop>{value}"),
        _ => format!("<@getetag a='&gt;' >&quot;{value}\u{a0}&quot;</@getetag>\r\n<%x/>"),
    })
}

/// Replaces `mark` before a name by what `name` makes of the name.
fn named(xml: &str, mark: char, name: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = xml;
    while let Some(at) = rest.find(mark) {
        let after = &rest[at + 1..];
        let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(after.len());
        // A percent sign of an address stays what it is.
        let is_name = rest[..at].ends_with(['<', '/']) && end > 0;
        let is_name = is_name || rest[..at].ends_with("<!--");
        out.push_str(&rest[..at]);
        if is_name {
            out.push_str(&name(&after[..end]))
        } else {
            out.push_str(&rest[at..=at])
        }
        rest = if is_name { &after[end..] } else { after };
    }
    out + rest
}

fn rules() -> Vec<OwnerRule> {
    vec![rule("alice", "bob & <co>", "Bob & ]]>"), rule("é x", "z", "\u{e9}\r")]
}

fn rule(from: &str, to: &str, display_name: &str) -> OwnerRule {
    OwnerRule { from: from.into(), to: to.into(), display_name: display_name.into() }
}

fn fixture_inputs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/multistatus");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut inputs: Vec<_> =
        files.filter(|path| path.to_string_lossy().ends_with(".in.xml")).collect();
    inputs.sort();
    inputs
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
