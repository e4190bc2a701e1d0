//! The resources that a request names in its header: `Destination` (RFC 4918, 10.3) and the tags in
//! `If` (10.4). Nextcloud looks at their paths only, so a `Destination` on another site would be
//! carried out on this one: somebody must compare the authorities, and that is Passeur.
//!
//! Invariant: a [`Target`] is a view of what was sent, nothing is decoded or written anew. What can
//! be read in two ways (no scheme but two slashes, a backslash or a second `@` in the authority) is
//! [`Malformed`]; what a path or an entity tag looks like is left to the origin.

use http::HeaderValue;

/// A resource that a header field names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target<'a> {
    /// `http` or `https`, in any case; none, if it is a path only.
    pub scheme: Option<&'a str>,
    /// Host and port as written, without user information; none, if it is a path only.
    pub authority: Option<&'a str>,
    /// The path and all that follows it, as written; empty where an address has no path.
    pub path: &'a [u8],
}

/// Why a header field was not understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// The authority is missing, or has characters that do not belong there.
    #[error("malformed authority")]
    Authority,
    /// The lists of an `If` do not follow its grammar.
    #[error("malformed list of conditions")]
    List,
    /// It is neither a path nor an address.
    #[error("neither an absolute path nor an address")]
    Relative,
    /// It has another scheme than http or https.
    #[error("foreign scheme")]
    Scheme,
}

/// The tags of an `If` field, in order; it ends with the first error.
#[derive(Clone, Debug)]
pub struct Tagged<'a> {
    rest: &'a [u8],
    lists: Lists,
}

/// What came before, in an `If`: lists are either all tagged, or none is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lists {
    Nothing,
    Untagged,
    /// A tag, but no list for it yet.
    Tag,
    Tagged,
    /// Nothing more is to be had.
    Over,
}

/// Reads a `Destination` field.
///
/// # Errors
///
/// It is neither an absolute path nor an address of the web.
pub fn destination(value: &HeaderValue) -> Result<Target<'_>, Malformed> {
    Target::parse(value.as_bytes().trim_ascii())
}

/// Reads the resources that the lists of an `If` field are about; none, if they are all about the
/// resource of the request.
#[must_use]
pub fn tagged_resources(value: &HeaderValue) -> Tagged<'_> {
    Tagged { rest: value.as_bytes(), lists: Lists::Nothing }
}

// === impl Target ===

impl<'a> Target<'a> {
    fn parse(reference: &'a [u8]) -> Result<Self, Malformed> {
        if reference.starts_with(b"//") {
            return Err(Malformed::Relative);
        }
        if reference.starts_with(b"/") {
            return Ok(Self { scheme: None, authority: None, path: reference });
        }
        let colon = memchr::memchr(b':', reference).ok_or(Malformed::Relative)?;
        let scheme = ascii(&reference[..colon]).ok_or(Malformed::Relative)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(Malformed::Scheme);
        }
        let rest = reference[colon + 1..].strip_prefix(b"//").ok_or(Malformed::Authority)?;
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = ascii(authority).ok_or(Malformed::Authority)?;
        let (user, authority) = authority.split_once('@').unwrap_or(("", authority));
        if !user.chars().all(|c| is_name(c) || c == ':') || split_port(authority).is_none() {
            return Err(Malformed::Authority);
        }
        Ok(Self { scheme: Some(scheme), authority: Some(authority), path })
    }

    /// The host as written, with the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> Option<&'a str> {
        self.authority.and_then(split_port).map(|(host, _)| host)
    }

    /// The port, written or meant.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let secure = self.scheme?.eq_ignore_ascii_case("https");
        let (_, port) = split_port(self.authority?)?;
        Some(port.unwrap_or(if secure { 443 } else { 80 }))
    }
}

// === impl Tagged ===

impl<'a> Iterator for Tagged<'a> {
    type Item = Result<Target<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_tag().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.lists = Lists::Over;
        }
        item
    }
}

impl<'a> Tagged<'a> {
    fn next_tag(&mut self) -> Result<Option<Target<'a>>, Malformed> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            match (self.rest.first(), self.lists) {
                (_, Lists::Over) => return Ok(None),
                (None, Lists::Tagged | Lists::Untagged) => return Ok(None),
                (Some(b'('), lists) => {
                    let tagged = matches!(lists, Lists::Tag | Lists::Tagged);
                    self.lists = if tagged { Lists::Tagged } else { Lists::Untagged };
                    self.skip_list()?;
                }
                (Some(b'<'), Lists::Nothing | Lists::Tagged) => {
                    self.lists = Lists::Tag;
                    return Target::parse(self.enclosed(b'>')?).map(Some);
                }
                _ => return Err(Malformed::List),
            }
        }
    }

    /// Goes past a list, which may be empty. What its tokens and tags are is not looked at.
    fn skip_list(&mut self) -> Result<(), Malformed> {
        self.rest = &self.rest[1..];
        loop {
            self.rest = self.rest.trim_ascii_start();
            match self.rest {
                [b')', rest @ ..] => {
                    self.rest = rest;
                    return Ok(());
                }
                [b'<', ..] => {
                    self.enclosed(b'>')?;
                }
                [b'[', ..] => self.skip_entity_tag()?,
                [b'N' | b'n', b'o' | b'O', b't' | b'T', rest @ ..] => self.rest = rest,
                _ => return Err(Malformed::List),
            }
        }
    }

    /// Goes past `["…"]`, in whose quotes anything may be.
    fn skip_entity_tag(&mut self) -> Result<(), Malformed> {
        let inside = self.rest[1..].trim_ascii_start();
        let inside = inside.strip_prefix(b"W/").unwrap_or(inside);
        if let Some(quoted) = inside.strip_prefix(b"\"") {
            let end = memchr::memchr(b'"', quoted).ok_or(Malformed::List)?;
            self.rest = &quoted[end..];
        }
        self.enclosed(b']').map(drop)
    }

    /// Goes past the next `close`; what is between it and the byte now at the front.
    fn enclosed(&mut self, close: u8) -> Result<&'a [u8], Malformed> {
        let end = memchr::memchr(close, self.rest).ok_or(Malformed::List)?;
        let inside = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        Ok(inside)
    }
}

fn ascii(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())
}

/// Whether a host's name may contain `c`.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=".contains(c)
}

/// Host and port of a well-formed authority.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(address) => {
            let inside = address.find(']')?;
            let is_address = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
            address[..inside].chars().all(is_address).then_some(inside + 2)?
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            authority[..end].chars().all(is_name).then_some(end)?
        }
    };
    let (host, port) = authority.split_at(end);
    if host.is_empty() || host == "[]" {
        return None;
    }
    match port.strip_prefix(':') {
        None => port.is_empty().then_some((host, None)),
        Some("") => Some((host, None)),
        Some(port) => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            Some((host, Some(port.parse().ok().filter(|_| digits)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target<'_>, Malformed> {
        Target::parse(text.as_bytes())
    }

    #[test]
    fn addresses_and_paths() {
        for (text, host, port, path) in [
            ("/remote.php/dav/x", None, None, "/remote.php/dav/x"),
            ("/", None, None, "/"),
            ("/a//b?c#d", None, None, "/a//b?c#d"),
            ("/é %zz\\", None, None, "/é %zz\\"),
            ("http://a.example/x", Some("a.example"), Some(80), "/x"),
            ("HTTPS://A.Example:8443/%2F%25", Some("A.Example"), Some(8443), "/%2F%25"),
            ("https://[::1]:443/x", Some("[::1]"), Some(443), "/x"),
            ("https://[::1]", Some("[::1]"), Some(443), ""),
            ("http://a:/x", Some("a"), Some(80), "/x"),
            ("http://a?b@c", Some("a"), Some(80), "?b@c"),
            ("http://user:word@a:1/x@y", Some("a"), Some(1), "/x@y"),
        ] {
            let target = parse(text).unwrap();
            assert_eq!((target.host(), target.port()), (host, port), "{text}");
            assert_eq!(target.path, path.as_bytes(), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (text, error) in [
            ("", Malformed::Relative),
            ("x/y", Malformed::Relative),
            ("//other.example/x", Malformed::Relative),
            ("\\\\other.example/x", Malformed::Relative),
            ("é:x", Malformed::Relative),
            ("ftp://a/x", Malformed::Scheme),
            ("javascript:x", Malformed::Scheme),
            ("http:/x", Malformed::Authority),
            ("http:\\\\a/x", Malformed::Authority),
            ("http:///x", Malformed::Authority),
            ("http://:80/x", Malformed::Authority),
            ("http://a\\@b/x", Malformed::Authority),
            ("http://b\\/x", Malformed::Authority),
            ("http://a@b@c/x", Malformed::Authority),
            ("http://a b/x", Malformed::Authority),
            ("http://é/x", Malformed::Authority),
            ("http://a:99999/x", Malformed::Authority),
            ("http://a:+1/x", Malformed::Authority),
            ("http://a:1:2/x", Malformed::Authority),
            ("http://[::1/x", Malformed::Authority),
            ("http://[]/x", Malformed::Authority),
            ("http://[::1]x/x", Malformed::Authority),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    fn tags(text: &str) -> Result<Vec<String>, Malformed> {
        let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
        tagged_resources(&value)
            .map(|tag| tag.map(|tag| String::from_utf8_lossy(tag.path).into_owned()))
            .collect()
    }

    #[test]
    fn tags_of_lists() {
        for (text, paths) in [
            ("(<opaquelocktoken:1>)", &[][..]),
            ("(<a>[\"b\"]) ( Not <http://c.example/d> [W/\"e)<f>\"])", &[]),
            ("</x> (<a>) (Not<b>)\t<http://h/y>([\"z\"])", &["/x", "/y"]),
            ("<http://h/x>(<a> [\"]<http://i/j>(\"])", &["/x"]),
            ("([unquoted])", &[]),
            ("()", &[]),
        ] {
            assert_eq!(tags(text), Ok(paths.iter().map(ToString::to_string).collect()), "{text}");
        }
    }

    #[test]
    fn lists_that_do_not_follow_the_grammar() {
        for text in [
            "",
            " ",
            "x",
            "(",
            "(<a>",
            "(<a",
            "([\"a)",
            "(x)",
            ")",
            "</x>",
            "</x> </y> (<a>)",
            "(<a>) </x> (<b>)",
            "</x> (<a>), (<b>)",
            "((<a>))",
            "</x",
            "(\"a\")",
        ] {
            assert_eq!(tags(text), Err(Malformed::List), "{text}");
        }
        assert_eq!(tags("<//h/x> (<a>)"), Err(Malformed::Relative));
    }
}
