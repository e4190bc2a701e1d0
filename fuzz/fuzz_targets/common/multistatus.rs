//! Any document: cut anywhere it comes out the same, twice is once, nothing but what the rules name
//! is changed, and what is changed is what the oracle says.

#[path = "../../../tests/oracle/multistatus.rs"]
mod oracle;

use passeur::dav::multistatus::{Limits, OwnerRule};

/// Panics if that is not so.
pub fn check(input: &[u8]) {
    let rules = [
        rule("alice", "bob", "Bob"),
        rule("carol", "x &<%>@", "X ]]> & \"Co\""),
        rule("é x", "alice2", "\r\n"),
    ];
    let wide = Limits { hold: usize::MAX, value: usize::MAX, ..Limits::default() };
    let tight = Limits { attributes: 3, depth: 8, hold: 96, namespaces: 6, token: 160, value: 24 };
    for limits in [wide, Limits::default(), tight] {
        let (whole, reason) = oracle::rewrite(input, &rules, limits, &[]);
        for cuts in cuts(input.len()) {
            let pieces = oracle::rewrite(input, &rules, limits, &cuts);
            assert!(pieces == (whole.clone(), reason), "{limits:?}, cut at {cuts:?}");
        }
        let (twice, _) = oracle::rewrite(&whole, &rules, limits, &[]);
        assert!(twice == whole, "{limits:?}, twice is not once");
    }
    let (out, reason) = oracle::rewrite(input, &rules, wide, &[]);
    if reason.is_none()
        && let Some(document) = oracle::parse(input)
    {
        assert_eq!(oracle::parse(&out), Some(oracle::expected(document, &rules)));
    }
    for none in [&[][..], &[rule("nobody here", "bob", "Bob")]] {
        assert!(oracle::rewrite(input, none, wide, &[]).0 == input, "changed for nobody");
    }
}

/// Where to cut a document of `length` bytes: everywhere, if it is short, and here and there.
fn cuts(length: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    if length <= 2_048 {
        all.push((0..length).collect());
    }
    for step in [2, 7, 61] {
        all.push((length % step..length).step_by(step + length % 5).collect());
    }
    all
}

fn rule(from: &str, to: &str, display_name: &str) -> OwnerRule {
    OwnerRule { from: from.into(), to: to.into(), display_name: display_name.into() }
}
