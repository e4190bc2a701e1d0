//! Any `Destination`, and any `If`: what is understood is a view of what was sent, and names the same
//! host as the `url` crate finds.

use http::HeaderValue;
use passeur::dav::destination::{Target, destination, tagged_resources};
use url::{Host, Url};

/// Panics if that is not so.
pub fn check(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    if let Ok(target) = destination(&value) {
        compare(&value, &target);
        let reference = value.as_bytes().trim_ascii();
        assert!(reference.ends_with(target.path));
        if let Some(url) =
            std::str::from_utf8(reference).ok().and_then(|text| Url::parse(text).ok())
        {
            compare_hosts(&target, &url);
        }
    }
    let mut tags = tagged_resources(&value);
    let found: Vec<_> = tags.by_ref().collect();
    assert!(tags.next().is_none());
    let brackets = value.as_bytes().iter().filter(|byte| **byte == b'<').count();
    assert!(found.iter().filter(|tag| tag.is_ok()).count() <= brackets);
    assert!(found.iter().rev().skip(1).all(Result::is_ok), "something follows an error");
    for target in found.iter().flatten() {
        compare(&value, target);
    }
}

/// It is a view, and consistent in itself.
fn compare(value: &HeaderValue, target: &Target<'_>) {
    let range = value.as_bytes().as_ptr_range();
    assert!(range.contains(&target.path.as_ptr()) || target.path.is_empty());
    assert_eq!(target.scheme.is_some(), target.authority.is_some());
    assert_eq!(target.host().is_some(), target.authority.is_some());
    assert_eq!(target.port().is_some(), target.authority.is_some());
    assert!(target.authority.is_some() || target.path.starts_with(b"/"));
    if let (Some(authority), Some(host)) = (target.authority, target.host()) {
        assert!(authority.starts_with(host) && !host.is_empty());
        assert!(!authority.contains(['/', '@', '\\', '?', '#', ' ']));
    }
}

/// Where nothing is normalised, another parser finds the same host and port.
fn compare_hosts(target: &Target<'_>, url: &Url) {
    if let (Some(host), Some(Host::Domain(other))) = (target.host(), url.host())
        && !host.contains('%')
    {
        assert_eq!(host.to_ascii_lowercase(), other);
        assert_eq!(target.port(), url.port_or_known_default());
    }
}
