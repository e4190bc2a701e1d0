//! Repairs entity tags that a compressing server between here and Nextcloud has bent.
//!
//! Apache's mod_deflate makes `"x"` into `"x-gzip"`, nginx makes it `W/"x"`. Nextcloud knows neither:
//! a client that sends such a tag back in `If-Match` gets 412 for ever, or never notices that its
//! upload was refused. So the answer gets its tag back from `OC-ETag`, which nobody touches, and the
//! conditions of a request lose what was added.
//!
//! Invariant: a field that needs no repair, or is not understood, stays as it is, byte for byte.

use http::HeaderValue;

/// What servers append within the quotes.
const SUFFIXES: [&[u8]; 6] = [b"--gzip", b"-gzip", b";gzip", b"-br", b"-deflate", b"-zstd"];

/// The value of an `If-Match` or `If-None-Match` without what was added to its tags; none, if
/// there is nothing to repair.
#[must_use]
pub fn repair(value: &HeaderValue) -> Option<HeaderValue> {
    let value = value.as_bytes();
    let mut out = Vec::new();
    let mut done = 0;
    for tag in (Tags { list: value, at: 0 }) {
        let Tag { start, weak, end } = tag?;
        let opaque = &value[start + weak + 1..end];
        let bare = without_suffixes(opaque);
        if weak > 0 || bare.len() < opaque.len() {
            out.extend_from_slice(&value[done..start]);
            out.push(b'"');
            out.extend_from_slice(bare);
            done = end;
        }
    }
    if done == 0 {
        return None;
    }
    out.extend_from_slice(&value[done..]);
    HeaderValue::from_bytes(&out).ok()
}

/// The tags of a list, each as where it is; `None` where the list is malformed.
struct Tags<'a> {
    list: &'a [u8],
    at: usize,
}

struct Tag {
    start: usize,
    /// The length of its `W/`.
    weak: usize,
    /// Where its closing quote is.
    end: usize,
}

// === impl Tags ===

impl Iterator for Tags<'_> {
    type Item = Option<Tag>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
        self.at += self.list[self.at..].iter().take_while(|byte| is_between(byte)).count();
        if self.at == self.list.len() {
            return None;
        }
        let tag = self.tag();
        self.at = tag.as_ref().map_or(self.list.len(), |tag| tag.end + 1);
        Some(tag)
    }
}

impl Tags<'_> {
    fn tag(&self) -> Option<Tag> {
        let start = self.at;
        let weak = if self.list[start..].starts_with(b"W/") { 2 } else { 0 };
        let opaque = self.list[start + weak..].strip_prefix(b"\"")?;
        let end = start + weak + 1 + memchr::memchr(b'"', opaque)?;
        let ends = self.list.get(end + 1).is_none_or(|next| matches!(next, b' ' | b'\t' | b','));
        ends.then_some(Tag { start, weak, end })
    }
}

/// A tag without what was added, unless nothing would be left of it.
fn without_suffixes(mut opaque: &[u8]) -> &[u8] {
    while let Some(bare) = SUFFIXES.iter().find_map(|suffix| opaque.strip_suffix(*suffix))
        && !bare.is_empty()
    {
        opaque = bare;
    }
    opaque
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(value: &[u8]) -> Option<Vec<u8>> {
        let repaired = repair(&HeaderValue::from_bytes(value).unwrap())?;
        assert_eq!(repair(&repaired), None, "twice is once");
        Some(repaired.as_bytes().to_vec())
    }

    #[test]
    fn what_was_added_is_taken_away() {
        for (bent, straight) in [
            (r#""abc-gzip""#, r#""abc""#),
            (r#"W/"abc""#, r#""abc""#),
            (r#"W/"abc-gzip""#, r#""abc""#),
            (r#""abc--gzip""#, r#""abc""#),
            (r#""abc;gzip""#, r#""abc""#),
            (r#""abc-br-gzip""#, r#""abc""#),
            (r#""a", W/"b" ,"c-br",, "d-deflate" "#, r#""a", "b" ,"c",, "d" "#),
            (r#""a,-gzip","b""#, r#""a,","b""#),
            (r#""a, W/", "b-zstd""#, r#""a, W/", "b""#),
            ("\"\u{e9}-gzip\"", "\"\u{e9}\""),
        ] {
            assert_eq!(repaired(bent.as_bytes()).as_deref(), Some(straight.as_bytes()), "{bent}");
        }
        assert_eq!(repaired(b"\"\xff-br\"").as_deref(), Some(&b"\"\xff\""[..]));
    }

    #[test]
    fn the_rest_stays() {
        for value in [
            "",
            " ",
            "*",
            " * ",
            r#""abc""#,
            r#""a", "b""#,
            r#""""#,
            r#"W/*"#,
            r#""-gzip""#,
            r#""gzip""#,
            r#""abc-GZIP""#,
            r#""abc-gzip"#,
            r#"abc-gzip"#,
            r#""a-gzip"x"#,
            r#""a-gzip", b"#,
            r#"w/"a""#,
            r#"W/ "a""#,
            r#"*, "a-gzip""#,
            r#""a-gzip""b""#,
        ] {
            assert_eq!(repaired(value.as_bytes()), None, "{value}");
        }
    }
}
