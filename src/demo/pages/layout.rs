//! The skeletons of Nextcloud's pages: who is signed in and the request token on `<head>`, a nonce
//! on every script and in the policy, the header with its menus, the app's `#content`.
//!
//! Whatever comes from people goes through [`escape`]; scripts get JSON in which no tag can end.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Value, json};

use crate::demo::VERSION;
use crate::demo::http::{Reply, full, set};
use crate::demo::identity::{Identity, Session};
use crate::demo::xml::escape;

/// Which skeleton.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layout {
    /// Signed in.
    User,
    /// Signed in, personal settings.
    Settings,
    /// Login and errors.
    Guest,
    /// A link share.
    Public,
}

/// What fills a skeleton.
pub(super) struct Page<'a> {
    pub(super) layout: Layout,
    pub(super) app: &'a str,
    pub(super) title: &'a str,
    /// The navigation beside the content, if there is one.
    pub(super) navigation: String,
    /// HTML.
    pub(super) content: String,
}

/// The apps in the menu.
const APPS: [(&str, &str); 4] = [
    ("dashboard", "Dashboard"),
    ("files", "Files"),
    ("calendar", "Calendar"),
    ("contacts", "Contacts"),
];

/// Assets carry this, as the original's do.
const FINGERPRINT: &str = "f771e41c-0";

/// Makes the page.
pub(super) fn render(
    status: StatusCode,
    page: &Page<'_>,
    session: &Session,
    who: Option<&Identity>,
) -> Reply {
    render_with(status, page, session, who, &[])
}

/// Makes the page with more scripts.
pub(super) fn render_with(
    status: StatusCode,
    page: &Page<'_>,
    session: &Session,
    who: Option<&Identity>,
    scripts: &[&str],
) -> Reply {
    let (token, nonce) = session.request_token();
    let token = if status == StatusCode::OK { token } else { String::new() };
    let mut html = String::with_capacity(16 << 10);
    head(&mut html, page, &token, &nonce, who, scripts);
    match page.layout {
        Layout::User | Layout::Settings => signed_in(&mut html, page, &token, who),
        Layout::Guest => guest(&mut html, page),
        Layout::Public => public(&mut html, page),
    }
    let mut reply = full(status, "text/html; charset=UTF-8", html);
    let worker = if page.layout == Layout::User { "worker-src 'self';" } else { "" };
    let policy = format!(
        "default-src 'none';base-uri 'none';manifest-src 'self';script-src 'nonce-{nonce}';\
         script-src-elem 'strict-dynamic' 'nonce-{nonce}';style-src 'self' 'unsafe-inline';\
         img-src 'self' data: blob: https://*.tile.openstreetmap.org;font-src 'self' data:;\
         connect-src 'self';media-src 'self';frame-src 'self';frame-ancestors 'self';{worker}\
         form-action 'self'"
    );
    set(&mut reply, "content-security-policy", &policy);
    set(&mut reply, "cache-control", "no-cache, no-store, must-revalidate");
    let features = "autoplay 'self';camera 'none';fullscreen 'self';geolocation 'none';\
        microphone 'none';payment 'none'";
    set(&mut reply, "feature-policy", features);
    set(&mut reply, "x-robots-tag", "noindex, nofollow");
    reply
}

fn head(
    html: &mut String,
    page: &Page<'_>,
    token: &str,
    nonce: &str,
    who: Option<&Identity>,
    scripts: &[&str],
) {
    let mut more = String::new();
    for script in scripts {
        let _ = writeln!(
            more,
            "\t\t<script nonce=\"{nonce}\" defer src=\"{script}?v={FINGERPRINT}\"></script>"
        );
    }
    let user = match (page.layout, who) {
        (Layout::User | Layout::Settings, Some(who)) => format!(
            " data-user=\"{}\" data-user-displayname=\"{}\"",
            escape(&who.uid),
            escape(&who.display)
        ),
        _ => String::new(),
    };
    let title = escape(page.title);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n\
         <html class=\"ng-csp\" data-placeholder-focus=\"false\" lang=\"en\" data-locale=\"en\" translate=\"no\" >\n\
         \t<head{user} data-requesttoken=\"{token}\">\n\
         \t\t<meta charset=\"utf-8\">\n\
         \t\t<title>\n\t\t\t{title} - Nextcloud\t\t</title>\n\
         \t\t<meta name=\"csp-nonce\" nonce=\"{nonce}\">\n\
         \t\t<meta name=\"viewport\" content=\"width=device-width, initial-scale=1.0, minimum-scale=1.0\">\n\
         \t\t<meta name=\"theme-color\" content=\"#00679e\">\n\
         \t\t<link rel=\"icon\" href=\"/core/img/logo.svg\">\n\
         \t\t<link rel=\"stylesheet\" href=\"/core/css/server.css?v={FINGERPRINT}\">\n\
         \t\t<script nonce=\"{nonce}\" type=\"importmap\">\n{{\"imports\":{{}}}}\n</script>\n\
         \t\t<script nonce=\"{nonce}\" defer src=\"/dist/core-main.js?v={FINGERPRINT}\"></script>\n{more}\
         \t\t<script nonce=\"{nonce}\">\n{}</script>\n\t</head>\n",
        globals(who)
    );
}

/// The globals that scripts of pages expect.
fn globals(who: Option<&Identity>) -> String {
    let roots: serde_json::Map<String, Value> =
        APPS.iter().map(|(id, _)| ((*id).to_owned(), format!("/apps/{id}").into())).collect();
    let config = json!({
        "version": VERSION, "versionstring": VERSION.rsplit_once('.').map_or(VERSION, |(v, _)| v),
        "auto_logout": false, "modRewriteWorking": true, "session_keepalive": true,
    });
    let mut out = String::new();
    for (name, value) in [
        ("_oc_debug", json!(false)),
        ("_oc_isadmin", json!(who.is_some_and(|who| who.admin))),
        ("_oc_webroot", json!("")),
        ("_oc_appswebroots", Value::Object(roots)),
        ("_oc_config", config),
    ] {
        let value = value.to_string().replace('<', "\\u003c");
        let _ = writeln!(out, "var {name}={value};");
    }
    out
}

const NO_SCRIPT: &str = "\t\t<noscript>\n\t<div id=\"nojavascript\">\n\t\t<div>Menus need JavaScript.</div>\n\t</div>\n</noscript>\n";

fn signed_in(html: &mut String, page: &Page<'_>, token: &str, who: Option<&Identity>) {
    let body = if page.layout == Layout::Settings { "body-settings" } else { "body-user" };
    let (app, title) = (page.app, escape(page.title));
    let navigation = if page.navigation.is_empty() {
        String::new()
    } else {
        format!(
            "<nav id=\"app-navigation\" class=\"app-navigation\" aria-label=\"{title}\">{}</nav>",
            page.navigation
        )
    };
    let _ = write!(
        html,
        "\t<body dir=\"ltr\" id=\"{body}\" data-theme-default  data-themes=default>\n{NO_SCRIPT}\
         \t\t<div id=\"initial-state-container\" style=\"display: none;\">\n{}\t</div>\n\n\
         \t\t<div id=\"skip-actions\">\n\
         \t\t\t<a href=\"#app-content\" class=\"button primary skip-navigation skip-content\">Skip to main content</a>\
         \t\t\t<a href=\"#app-navigation\" class=\"button primary skip-navigation\">Skip to navigation of app</a>\
         \t\t</div>\n\n\
         \t\t<header id=\"header\">\n\t\t\t<div class=\"header-start\">\n\
         \t\t\t\t<a href=\"/\" aria-label=\"Go to Dashboard\" id=\"nextcloud\"><div class=\"logo logo-icon\"></div></a>\n\
         \t\t\t\t<nav id=\"header-start__appmenu\">{}</nav>\n\t\t\t</div>\n\n\
         \t\t\t<div class=\"header-end\">\n\t\t\t\t<div id=\"unified-search\"><button class=\"unified-search-input__button\" aria-label=\"Unified search\">⌕</button></div>\n\
         \t\t\t\t<div id=\"notifications\"><button class=\"notifications-button\" aria-label=\"Notifications\" aria-expanded=\"false\">🔔</button></div>\n\
         \t\t\t\t<div id=\"contactsmenu\"><button aria-label=\"Search contacts\" aria-expanded=\"false\">👥</button></div>\n\
         \t\t\t\t<div id=\"user-menu\">{}</div>\n\t\t\t</div>\n\t\t</header>\n\n\
         \t\t<div id=\"content\" class=\"app-{app}\">\n\
         \t\t\t<h1 class=\"hidden-visually\" id=\"page-heading-level-1\">\n\t\t\t\t{title}\t\t\t</h1>\n\
         {navigation}<main id=\"app-content\" class=\"app-content\">{}</main>\n\t\t</div>\n\
         \t\t<div id=\"profiler-toolbar\"></div>\n\t</body>\n</html>\n",
        initial_state(app),
        app_menu(),
        user_menu(token, who),
        page.content,
    );
}

/// Values for scripts, as base64 of JSON in hidden inputs.
fn initial_state(app: &str) -> String {
    use base64::Engine as _;
    let mut out = String::new();
    for (key, value) in [
        ("core-active-app", json!(app)),
        ("core-config", json!({ "version": VERSION })),
        ("core-user", json!({ "language": "en" })),
        ("core-apps", APPS.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect()),
    ] {
        let value = base64::engine::general_purpose::STANDARD.encode(value.to_string());
        let _ = writeln!(
            out,
            "\t\t\t<input type=\"hidden\" id=\"initial-state-{key}\" value=\"{value}\">"
        );
    }
    out
}

/// The app grid: absent until opened.
fn app_menu() -> String {
    let items: String = APPS
        .iter()
        .map(|(id, name)| format!("<a class=\"app-item\" href=\"/apps/{id}/\">{name}</a>"))
        .collect();
    format!(
        "<button class=\"app-menu__waffle\" aria-label=\"Apps\" aria-expanded=\"false\" aria-haspopup=\"true\">☰</button>\
         <template id=\"app-menu-template\">{items}</template>"
    )
}

/// The account menu: there, but hidden.
fn user_menu(token: &str, who: Option<&Identity>) -> String {
    let Some(who) = who else { return String::new() };
    let initial = who.display.chars().next().map(String::from).unwrap_or_default();
    let token = url::form_urlencoded::byte_serialize(token.as_bytes()).collect::<String>();
    let users = if who.admin {
        "<li id=\"core_users\"><a href=\"/settings/users\">Accounts</a></li>"
    } else {
        ""
    };
    format!(
        "<nav class=\"header-menu account-menu\" aria-label=\"Settings menu\">\
         <button class=\"header-menu__trigger\" aria-controls=\"header-menu-user-menu\" aria-expanded=\"false\" aria-label=\"Settings menu\">\
         <span class=\"avatardiv\">{}</span></button>\
         <div id=\"header-menu-user-menu\" class=\"header-menu__wrapper\" style=\"display: none;\">\
         <ul class=\"account-menu__list\"><li id=\"profile\"><span class=\"note\">{}</span></li>\
         <li id=\"settings\"><a href=\"/settings/user\">Settings</a></li>{users}\
         <li id=\"logout\"><a href=\"/logout?requesttoken={token}\">Log out</a></li></ul></div></nav>",
        escape(&initial.to_uppercase()),
        escape(&who.display)
    )
}

const FOOTER: &str = "<p class=\"info\">A stand-in for Nextcloud, with sample data</p>";

fn guest(html: &mut String, page: &Page<'_>) {
    let _ = write!(
        html,
        "\t<body id=\"body-login\"  data-themes=\"\">\n{NO_SCRIPT}\
         \t\t<div id=\"initial-state-container\" style=\"display: none;\">\n\t</div>\n\
         \t\t<div class=\"wrapper\">\n\t\t\t<div class=\"v-align\">\n\
         \t\t\t\t<header>\n\t\t\t\t\t<div id=\"header\" class=\"header-guest\">\n\
         \t\t\t\t\t\t<div class=\"logo\"></div>\n\t\t\t\t\t</div>\n\t\t\t\t</header>\n\
         \t\t\t\t<div class=\"guest-content\">\n\
         \t\t\t\t\t<h1 class=\"hidden-visually\">\n\t\t\t\t\t\tNextcloud\t\t\t\t\t</h1>\n\
         {}\n\t\t\t\t</div>\n\t\t\t</div>\n\t\t</div>\n\
         \t\t<footer class=\"guest-box \">{FOOTER}</footer>\n\t</body>\n</html>\n",
        page.content
    );
}

fn public(html: &mut String, page: &Page<'_>) {
    let title = escape(page.title);
    let _ = write!(
        html,
        "<body id=\"body-public\"  data-themes=\"\">\n{NO_SCRIPT}\
         \t<div id=\"skip-actions\"><a href=\"#content\" class=\"button primary skip-navigation skip-content\">Skip to main content</a></div>\n\
         \t<header id=\"header\">\n\t\t<div class=\"header-start\">\n\
         \t\t\t<div id=\"nextcloud\" class=\"header-appname\"><div class=\"logo logo-icon\"></div>\
         <div class=\"header-info\"><span class=\"header-title\">{title}</span></div></div>\n\t\t</div>\n\
         \t\t<div class=\"header-end\"><div id=\"public-page-menu\"></div><div id=\"public-page-user-menu\"></div></div>\n\
         \t</header>\n\t<div id=\"content\" class=\"app-{}\">\n\
         \t\t<h1 class=\"hidden-visually\">{title}</h1>\n\
         <main class=\"app-content\">{}</main>\n\t</div>\n\
         \t<footer class=\"guest-box\">{FOOTER}</footer>\n</body>\n</html>\n",
        page.app, page.content
    );
}
