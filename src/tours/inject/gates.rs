//! Which exchanges may carry a page for a tag, by their header alone.
//!
//! A request is let in only if it looks like the navigation of a person's browser: everything else
//! (clients, scripts, frames, DAV, OCS, share pages) never waits and is never read. Nextcloud gives
//! the same page to scripts, so the request decides as much as the page.

use http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, RANGE,
    USER_AGENT,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

/// What the first segment of an app's pages can be; tells where the path of a sub-folder ends.
const ENTRIES: [&str; 9] = ["apps", "settings", "f", "u", "call", "s", "login", "core", "ocs"];

/// First segments that never lead to a page of a signed-in person.
const NEVER: [&str; 13] = [
    ".well-known",
    "core",
    "cron.php",
    "login",
    "logout",
    "lostpassword",
    "ocm",
    "ocm-provider",
    "ocs",
    "public.php",
    "remote.php",
    "s",
    "status.php",
];

/// Beginnings of the names of programs that call themselves a browser, and are a client.
const CLIENTS: [&str; 8] = [
    "nextcloud-android",
    "nextcloud-ios",
    "nextcloud-talk",
    "mirall",
    "nextcloud outlook",
    "filelink",
    "csyncoc",
    "nextcloud-python",
];

/// Whether a request is a navigation of a browser that could end in a page of a signed-in person.
#[must_use]
pub fn may_be_page<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && is_navigation(headers)
        && !headers.contains_key(RANGE)
        && !headers.contains_key(AUTHORIZATION)
        && may_be_page_path(request.uri().path())
}

fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(destination) = text("sec-fetch-dest") {
        return destination == "document"
            && text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    }
    // Browsers only send the above to HTTPS and to loopback.
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let scripted = ["x-requested-with", "ocs-apirequest", "requesttoken"];
    accepts.into_iter().any(|accept| accept.contains("text/html"))
        && !scripted.iter().any(|name| headers.contains_key(*name))
        && agent.starts_with("Mozilla/5.0")
        && !is_client(agent)
}

fn is_client(agent: &str) -> bool {
    let agent = agent.to_ascii_lowercase();
    CLIENTS.iter().any(|client| agent.contains(client))
}

/// Nextcloud may be in any sub-folder, so the path is read from its first known segment on.
fn may_be_page_path(path: &str) -> bool {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().to_ascii_lowercase())
        .collect();
    if segments.iter().any(|segment| segment == "directediting") {
        return false;
    }
    let is_known =
        |segment: &String| ENTRIES.contains(&segment.as_str()) || NEVER.contains(&segment.as_str());
    let first = match segments.iter().position(|segment| segment == "index.php") {
        Some(at) => segments.get(at + 1),
        None => segments.iter().find(|segment| is_known(segment)),
    };
    first.is_none_or(|first| !NEVER.contains(&first.as_str()))
}

/// Why an answer to a navigation is not looked into.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// It may be kept and given to somebody else.
    Cacheable,
    /// Its content type names another character set than UTF-8.
    Charset,
    /// It is a download, an error, a redirect, another type: nothing to look into.
    NoPage,
}

/// Whether an answer may be such a page.
///
/// # Errors
/// Why not.
pub fn check_answer<B>(response: &Response<B>) -> Result<(), Reason> {
    let headers = response.headers();
    let is_page = response.status() == StatusCode::OK
        && !headers.contains_key(CONTENT_DISPOSITION)
        && !headers.contains_key(CONTENT_RANGE)
        && !headers.contains_key("x-nextcloud-maintenance-mode");
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    if !is_page || !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/html")) {
        return Err(Reason::NoPage);
    }
    let mut parameters = parts.filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let is_utf8 = |(_, value): (&str, &str)| {
        let value = value.trim().trim_matches('"');
        value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8")
    };
    if !charset.is_none_or(is_utf8) {
        return Err(Reason::Charset);
    }
    let cache = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let is_private = |value: &str| value.contains("no-store") || value.contains("private");
    if cache.into_iter().any(is_private) { Ok(()) } else { Err(Reason::Cacheable) }
}

impl Reason {
    /// A short name for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Cacheable => "cacheable",
            Reason::Charset => "charset",
            Reason::NoPage => "no_page",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/156";

    fn request(path: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn navigates(path: &str) -> bool {
        may_be_page(&request(path, &[("sec-fetch-dest", "document")]))
    }

    #[test]
    fn pages_of_apps_wherever_nextcloud_is() {
        for path in [
            "/",
            "/index.php",
            "/apps/files/",
            "/index.php/apps/files/files/12?dir=/s/login",
            "/nextcloud/",
            "/nextcloud/index.php/settings/user",
            "/a/b/apps/calendar/",
            "/f/12",
            "/apps/dashboard/",
            "/call/abc",
            "/settings/admin/ai",
        ] {
            assert!(navigates(path), "{path}");
        }
        for path in [
            "/remote.php/dav/files/a/x.html",
            "/public.php/dav/x",
            "/ocs/v2.php/cloud/user",
            "/status.php",
            "/cron.php",
            "/s/token",
            "/index.php/s/token",
            "/nextcloud/s/token",
            "/login",
            "/index.php/login/flow",
            "/login/v2/flow/x",
            "/logout",
            "/lostpassword",
            "/.well-known/caldav",
            "/core/preview?x",
            "/%63ore/x",
            "/index.php/LOGIN",
            "/apps/files/directEditing/tok",
            "/ocm-provider/",
        ] {
            assert!(!navigates(path), "{path}");
        }
    }

    #[test]
    fn only_navigations_of_browsers() {
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let agent = ("user-agent", BROWSER);
        let is = |fields: &[(&str, &str)]| may_be_page(&request("/apps/files/", fields));
        assert!(is(&[("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")]));
        assert!(is(&[html, agent]));
        for other in ["iframe", "empty", "image", "script", "embed"] {
            assert!(!is(&[html, agent, ("sec-fetch-dest", other)]), "{other}");
        }
        assert!(!is(&[("sec-fetch-dest", "document"), ("sec-fetch-mode", "cors")]));
        assert!(!is(&[("sec-fetch-dest", "document"), ("range", "bytes=0-1")]));
        assert!(!is(&[html, agent, ("authorization", "Basic YTpi")]));
        for scripted in ["x-requested-with", "ocs-apirequest", "requesttoken"] {
            assert!(!is(&[html, agent, (scripted, "true")]), "{scripted}");
        }
        assert!(!is(&[html]));
        assert!(!is(&[agent, ("accept", "*/*")]));
        let mirall = "Mozilla/5.0 (Linux) mirall/3.14.0 (Nextcloud)";
        assert!(!is(&[html, ("user-agent", mirall)]));
        assert!(!is(&[html, ("user-agent", "Mozilla/5.0 (Android) Nextcloud-android/3.30")]));
    }

    fn answer(status: u16, fields: &[(&str, &str)]) -> Result<(), Reason> {
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        check_answer(&response.body(()).unwrap())
    }

    #[test]
    fn only_private_pages() {
        let html = ("content-type", "text/html; charset=UTF-8");
        let private = ("cache-control", "no-cache, no-store, must-revalidate");
        assert_eq!(answer(200, &[html, private]), Ok(()));
        assert_eq!(answer(200, &[("content-type", "TEXT/HTML"), private]), Ok(()));
        assert_eq!(answer(200, &[html]), Err(Reason::Cacheable));
        assert_eq!(answer(200, &[html, ("cache-control", "public")]), Err(Reason::Cacheable));
        let other = ("content-type", "text/html; charset=iso-8859-1");
        assert_eq!(answer(200, &[other, private]), Err(Reason::Charset));
        for status in [206, 302, 304, 404, 503] {
            assert_eq!(answer(status, &[html, private]), Err(Reason::NoPage), "{status}");
        }
        let none = Err(Reason::NoPage);
        assert_eq!(answer(200, &[html, private, ("content-disposition", "attachment")]), none);
        assert_eq!(answer(200, &[html, private, ("content-range", "bytes 0-1/2")]), none);
        assert_eq!(answer(200, &[html, private, ("x-nextcloud-maintenance-mode", "1")]), none);
        assert_eq!(answer(200, &[("content-type", "application/json"), private]), none);
        assert_eq!(answer(200, &[private]), none);
    }
}
