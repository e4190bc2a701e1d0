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
use crate::demo::language::Language;
use crate::demo::xml::escape;

/// A drawing of 24 by 24 in the colour of the text around it.
macro_rules! icon {
    ($path:literal) => {
        concat!(
            "<svg viewBox=\"0 0 24 24\" width=\"20\" height=\"20\" fill=\"currentColor\" aria-hidden=\"true\"><path d=\"",
            $path,
            "\"/></svg>"
        )
    };
}

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
    pub(super) language: Language,
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
    let lang = page.language.code();
    let title = escape(page.title);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n\
         <html class=\"ng-csp\" data-placeholder-focus=\"false\" lang=\"{lang}\" data-locale=\"{lang}\" translate=\"no\" >\n\
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
        "\t<body dir=\"{}\" id=\"{body}\" data-theme-default  data-themes=default>\n{NO_SCRIPT}\
         \t\t<div id=\"initial-state-container\" style=\"display: none;\">\n{}\t</div>\n\n\
         \t\t<div id=\"skip-actions\">\n\
         \t\t\t<a href=\"#app-content\" class=\"button primary skip-navigation skip-content\">Skip to main content</a>\
         \t\t\t<a href=\"#app-navigation\" class=\"button primary skip-navigation\">Skip to navigation of app</a>\
         \t\t</div>\n\n\
         \t\t<header id=\"header\">\n\t\t\t<div class=\"header-start\">\n\
         \t\t\t\t<a href=\"/\" aria-label=\"Go to Dashboard\" id=\"nextcloud\"><div class=\"logo logo-icon\"></div></a>\n\
         \t\t\t\t<nav id=\"header-start__appmenu\">{}</nav>\n\t\t\t</div>\n\n\
         \t\t\t<div class=\"header-end\">\n\t\t\t\t<div id=\"unified-search\"><button class=\"unified-search-input__button\" aria-label=\"Unified search\">{SEARCH}</button></div>\n\
         \t\t\t\t<div id=\"notifications\"><button class=\"notifications-button\" aria-label=\"Notifications\" aria-expanded=\"false\">{BELL}</button></div>\n\
         \t\t\t\t<div id=\"contactsmenu\"><button aria-label=\"Search contacts\" aria-expanded=\"false\">{PEOPLE}</button></div>\n\
         \t\t\t\t<div id=\"user-menu\">{}</div>\n\t\t\t</div>\n\t\t</header>\n\n\
         \t\t<div id=\"content\" class=\"app-{app}\">\n\
         \t\t\t<h1 class=\"hidden-visually\" id=\"page-heading-level-1\">\n\t\t\t\t{title}\t\t\t</h1>\n\
         {navigation}<main id=\"app-content\" class=\"app-content\">{}</main>\n\t\t</div>\n\
         \t\t<div id=\"profiler-toolbar\"></div>\n\t</body>\n</html>\n",
        page.language.direction(),
        initial_state(app, page.language),
        app_menu(page.language),
        user_menu(token, who, page.language),
        page.content,
    );
}

/// Values for scripts, as base64 of JSON in hidden inputs.
fn initial_state(app: &str, language: Language) -> String {
    use base64::Engine as _;
    let mut out = String::new();
    for (key, value) in [
        ("core-active-app", json!(app)),
        ("core-config", json!({ "version": VERSION })),
        ("core-user", json!({ "language": language.code() })),
        (
            "core-apps",
            APPS.iter().map(|(id, name)| json!({ "id": id, "name": language.say(name) })).collect(),
        ),
    ] {
        let value = base64::engine::general_purpose::STANDARD.encode(value.to_string());
        let _ = writeln!(
            out,
            "\t\t\t<input type=\"hidden\" id=\"initial-state-{key}\" value=\"{value}\">"
        );
    }
    out
}

// Drawn, because not every machine has a font with these signs.
const SEARCH: &str = icon!(
    "M10 3a7 7 0 1 0 4.2 12.6l5.1 5.1 1.4-1.4-5.1-5.1A7 7 0 0 0 10 3m0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10"
);
const BELL: &str = icon!(
    "M12 2a2 2 0 0 0-2 2 7 7 0 0 0-5 6.7V17l-2 2v1h18v-1l-2-2v-6.300A7 7 0 0 0 14 4a2 2 0 0 0-2-2m-2 19a2 2 0 0 0 4 0z"
);
const PEOPLE: &str = icon!(
    "M8 5a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7m8.500 1a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 13.500c-3 0-7 1.500-7 4.500v2h14v-2c0-3-4-4.500-7-4.500m8.500 0-1 .1c1 .9 1.500 2 1.500 3.400v3h6v-2c0-3-3.500-4.500-6.500-4.500"
);
const WAFFLE: &str = icon!(
    "M4 4h4v4H4zm6 0h4v4h-4zm6 0h4v4h-4zM4 10h4v4H4zm6 0h4v4h-4zm6 0h4v4h-4zM4 16h4v4H4zm6 0h4v4h-4zm6 0h4v4h-4z"
);

/// The app grid: absent until opened.
fn app_menu(language: Language) -> String {
    let items: String = APPS
        .iter()
        .map(|(id, name)| {
            let name = language.say(name);
            format!("<a class=\"app-item\" href=\"/apps/{id}/\">{name}</a>")
        })
        .collect();
    format!(
        "<button class=\"app-menu__waffle\" aria-label=\"Apps\" aria-expanded=\"false\" aria-haspopup=\"true\">{WAFFLE}</button>\
         <template id=\"app-menu-template\">{items}</template>"
    )
}

/// The account menu: there, but hidden.
fn user_menu(token: &str, who: Option<&Identity>, language: Language) -> String {
    let Some(who) = who else { return String::new() };
    let initial = who.display.chars().next().map(String::from).unwrap_or_default();
    let token = url::form_urlencoded::byte_serialize(token.as_bytes()).collect::<String>();
    let users = if who.admin {
        let accounts = language.say("Accounts");
        format!("<li id=\"core_users\"><a href=\"/settings/users\">{accounts}</a></li>")
    } else {
        String::new()
    };
    let (settings, leave) = (language.say("Settings"), language.say("Log out"));
    format!(
        "<nav class=\"header-menu account-menu\" aria-label=\"Settings menu\">\
         <button class=\"header-menu__trigger\" aria-controls=\"header-menu-user-menu\" aria-expanded=\"false\" aria-label=\"Settings menu\">\
         <span class=\"avatardiv\">{}</span></button>\
         <div id=\"header-menu-user-menu\" class=\"header-menu__wrapper\" style=\"display: none;\">\
         <ul class=\"account-menu__list\"><li id=\"profile\"><span class=\"note\">{}</span></li>\
         <li id=\"settings\"><a href=\"/settings/user\">{settings}</a></li>{users}\
         <li id=\"logout\"><a href=\"/logout?requesttoken={token}\">{leave}</a></li></ul></div></nav>",
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
