//! The nonce of an answer, from its `Content-Security-Policy` fields.
//!
//! Only the header says what a browser will run: what the page says may be anybody's text. A policy
//! is never changed. The nonce has to be valid under *every* policy that restricts scripts, as a
//! browser enforces all of them; a policy without any rule for scripts (`frame-ancestors`, as web
//! servers add it) allows all scripts, and so does not matter.

use http::HeaderMap;
use http::header::CONTENT_SECURITY_POLICY;

/// Why there is no nonce.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// No policy that restricts scripts, where Nextcloud always sends one.
    NoPolicy,
    /// A policy restricts scripts, and not by a nonce.
    NoNonce,
    /// No nonce is valid under all policies.
    Differ,
}

/// The nonce that all policies of an answer accept, as it stands in them.
///
/// # Errors
/// Why there is none.
pub fn nonce(headers: &HeaderMap) -> Result<&str, Reason> {
    let mut common: Option<Vec<&str>> = None;
    for field in headers.get_all(CONTENT_SECURITY_POLICY) {
        let field = field.to_str().map_err(|_| Reason::NoNonce)?;
        for policy in field.split(',') {
            let Some(sources) = script_sources(policy) else { continue };
            let nonces: Vec<&str> = sources.split_ascii_whitespace().filter_map(nonce_of).collect();
            if nonces.is_empty() {
                return Err(Reason::NoNonce);
            }
            match &mut common {
                None => common = Some(nonces),
                Some(common) => common.retain(|nonce| nonces.contains(nonce)),
            }
        }
    }
    common.ok_or(Reason::NoPolicy)?.first().copied().ok_or(Reason::Differ)
}

/// The sources that hold for `<script>` elements under one policy; the first directive of a name
/// counts (CSP3, 2.2.1 and 6.8.1).
fn script_sources(policy: &str) -> Option<&str> {
    ["script-src-elem", "script-src", "default-src"].iter().find_map(|wanted| {
        policy.split(';').find_map(|directive| {
            let directive = directive.trim_ascii();
            let end = directive.find(|c: char| c.is_ascii_whitespace()).unwrap_or(directive.len());
            let (name, sources) = directive.split_at(end);
            name.eq_ignore_ascii_case(wanted).then_some(sources)
        })
    })
}

/// The value of `'nonce-…'`: base64, as the grammar has it, so that it can stand in an attribute.
fn nonce_of(source: &str) -> Option<&str> {
    let inner = source.strip_prefix('\'')?.strip_suffix('\'')?;
    let (prefix, value) = inner.split_at_checked("nonce-".len())?;
    let digits = value.trim_end_matches('=');
    let is_base64 = !digits.is_empty()
        && value.len() - digits.len() <= 2
        && value.len() <= 256
        && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b));
    (prefix.eq_ignore_ascii_case("nonce-") && is_base64).then_some(value)
}

impl Reason {
    /// A short name for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NoPolicy => "no_policy",
            Reason::NoNonce => "no_nonce",
            Reason::Differ => "policies_differ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(policies: &[&str]) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for policy in policies {
            headers.append(CONTENT_SECURITY_POLICY, policy.parse().unwrap());
        }
        nonce(&headers).map(str::to_owned)
    }

    #[test]
    fn nextcloud_30_and_later() {
        let policy = "default-src 'none';base-uri 'none';script-src 'nonce-AB+/c=';\
                      script-src-elem 'strict-dynamic' 'nonce-AB+/c=';connect-src 'self'";
        assert_eq!(of(&[policy]), Ok("AB+/c=".to_owned()));
        assert_eq!(of(&[policy, policy]), Ok("AB+/c=".to_owned()));
        assert_eq!(of(&["script-src 'self' 'nonce-x1'"]), Ok("x1".to_owned()));
        assert_eq!(of(&["SCRIPT-SRC\t'self' 'NONCE-x1'"]), Ok("x1".to_owned()));
        assert_eq!(of(&["default-src 'nonce-x1'"]), Ok("x1".to_owned()));
    }

    #[test]
    fn the_most_specific_directive_counts_and_of_two_the_first() {
        assert_eq!(of(&["script-src 'nonce-a';script-src-elem 'self'"]), Err(Reason::NoNonce));
        assert_eq!(of(&["script-src 'nonce-a';script-src 'nonce-b'"]), Ok("a".to_owned()));
        assert_eq!(of(&["default-src 'none'"]), Err(Reason::NoNonce));
    }

    #[test]
    fn all_policies_have_to_agree() {
        let differ = Err(Reason::Differ);
        assert_eq!(of(&["script-src 'nonce-a'", "script-src 'nonce-b'"]), differ);
        assert_eq!(of(&["script-src 'nonce-a', script-src 'nonce-b'"]), differ);
        assert_eq!(of(&["script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b'"]), Ok("b".into()));
        assert_eq!(of(&["script-src 'nonce-a'", "script-src 'self'"]), Err(Reason::NoNonce));
        assert_eq!(of(&["script-src 'nonce-a'", "frame-ancestors 'self'"]), Ok("a".into()));
        assert_eq!(of(&["frame-ancestors 'self'"]), Err(Reason::NoPolicy));
        assert_eq!(of(&[]), Err(Reason::NoPolicy));
    }

    #[test]
    fn what_could_leave_an_attribute_is_no_nonce() {
        for bad in
            ["'nonce-'", "'nonce-a\"b'", "'nonce-a>'", "'nonce-a===='", "nonce-a", "'nonce-=a'"]
        {
            assert_eq!(of(&[&format!("script-src {bad}")]), Err(Reason::NoNonce), "{bad}");
        }
    }
}
