//! Any request path: its kind does not depend on what comes before Nextcloud's entry points, nor on
//! doubled slashes or the query; and what is WebDAV is nothing else.

use passeur::dav::path::{Kind, is_dav_path};

/// Panics if that is not so.
pub fn check(input: &[u8]) {
    let Ok(path) = std::str::from_utf8(input) else { return };
    let (kind, is_dav) = (Kind::of_path(path), is_dav_path(path));
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    for same in [
        format!("/a/b/{bare}"),
        bare.replace('/', "//"),
        format!("{bare}?/remote.php/dav/files"),
        format!("{bare}/"),
    ] {
        assert_eq!((Kind::of_path(&same), is_dav_path(&same)), (kind, is_dav), "{same}");
    }
    assert!(!is_dav || !matches!(kind, Kind::Web | Kind::WebSocket), "{kind:?}");
}
