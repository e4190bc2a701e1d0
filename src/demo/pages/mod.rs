//! The pages: signing in, dashboard, files, calendar, contacts, settings, and link shares.
//!
//! Rendered here from what is in the database, with few scripts: enough to see and to click, in the
//! skeletons that the original has. Whoever is not signed in is sent to the login page and back.

mod layout;
mod share;

use std::fmt::Write as _;
use std::sync::Arc;

use http::StatusCode;

use self::layout::{Layout, Page, render, render_with};
use super::files::change::Change;
use super::files::tree::{Entry, View, join, right};
use super::groupware::overview;
use super::http::{self as answer, Ask, Fault, Reply, redirect, set};
use super::identity::{Identity, Means, Session};
use super::language::Language;
use super::xml::{encode_path, escape};
use super::{StandIn, mint};

/// Files that pages need.
pub(super) fn asset(path: &str) -> Option<Reply> {
    let (kind, body) = match path {
        "/core/css/server.css" => ("text/css", include_str!("../assets/style.css")),
        "/dist/core-main.js" => ("text/javascript", include_str!("../assets/main.js")),
        FIRST_RUN => ("text/javascript", include_str!("../assets/first-run.js")),
        "/core/img/logo.svg" | "/core/img/favicon.ico" => {
            ("image/svg+xml", include_str!("../assets/logo.svg"))
        }
        _ => return None,
    };
    let mut reply = answer::full(StatusCode::OK, kind, body);
    set(&mut reply, "cache-control", "public, max-age=15778463");
    Some(reply)
}

/// Answers a request for a page.
pub(super) async fn handle(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    session: &Session,
    who: Option<&Identity>,
) -> Result<Reply, Fault> {
    let path = ask.path.trim_end_matches('/').to_owned();
    if let Some(rest) = path.strip_prefix("/s/") {
        return share::page(stand, ask, session, rest).await;
    }
    if let Some(rest) = path.strip_prefix("/public.php/dav/files/") {
        return share::dav(stand, ask, rest).await;
    }
    if path == "/login" {
        return Ok(login(ask, session, who));
    }
    let inside = path.is_empty() || path.starts_with("/apps/") || path.starts_with("/settings/");
    let flow = path.strip_prefix("/login/v2/flow/");
    if !inside && flow.is_none() {
        return Ok(not_found(ask, session, who));
    }
    let Some(who) = who else {
        let target = ask.head.uri.path_and_query().map_or("/", |target| target.as_str());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("redirect_url", target)
            .finish();
        return Ok(redirect(StatusCode::SEE_OTHER, &format!("{}/login?{query}", ask.base)));
    };
    if let Some(state) = flow {
        return Ok(grant(ask, session, who, state));
    }
    let language = Language::of(ask);
    let mut page = match (ask.method(), path.as_str()) {
        ("GET" | "HEAD", "") => {
            let to = format!("{}/apps/dashboard/", ask.base);
            return Ok(redirect(StatusCode::SEE_OTHER, &to));
        }
        ("GET" | "HEAD", "/apps/dashboard") => dashboard(stand, who, language).await?,
        ("POST", "/apps/files/folder") => return make_folder(stand, ask, session, who).await,
        ("GET" | "HEAD", files) if files == "/apps/files" || files.starts_with("/apps/files/") => {
            files_page(stand, ask, session, who).await?
        }
        ("GET" | "HEAD", "/apps/calendar") => calendar(stand, who).await?,
        ("GET" | "HEAD", "/apps/contacts") => contacts(stand, who).await?,
        ("DELETE", "/apps/firstrunwizard/wizard") => return close_wizard(stand, ask, session),
        ("GET" | "HEAD", "/settings/user") => settings(stand, who).await?,
        ("GET" | "HEAD", "/settings/users") if who.admin => users(stand).await?,
        _ => return Ok(not_found(ask, session, Some(who))),
    };
    page.language = language;
    page.title = language.say(page.title);
    let wizard = stand.switches.first_run_wizard();
    let scripts: &[&str] = if wizard { &[FIRST_RUN] } else { &[] };
    Ok(render_with(StatusCode::OK, &page, session, Some(who), scripts))
}

/// The script that opens the first-run wizard.
const FIRST_RUN: &str = "/apps/firstrunwizard/js/firstrunwizard-activate.mjs";

/// Closing the first-run wizard: it does not come again.
fn close_wizard(stand: &StandIn, ask: &Ask, session: &Session) -> Result<Reply, Fault> {
    if !super::identity::passes_csrf(ask, Some(session)) {
        return Err(Fault::Refused(StatusCode::PRECONDITION_FAILED, "CSRF check failed"));
    }
    stand.set_first_run_wizard(false);
    Ok(answer::json(StatusCode::OK, &serde_json::json!([])))
}

fn not_found(ask: &Ask, session: &Session, who: Option<&Identity>) -> Reply {
    let content = "<div class=\"body-login-container update\"><h2>Not here</h2>\
        <p class=\"infogroup\">There is no such page, or it is not for you.</p>\
        <p><a class=\"button primary\" href=\"/\">Back to the start</a></p></div>";
    let page = Page {
        layout: Layout::Guest,
        language: Language::of(ask),
        app: "core",
        title: "Not found",
        navigation: String::new(),
        content: content.to_owned(),
    };
    render(StatusCode::NOT_FOUND, &page, session, who)
}

fn login(ask: &Ask, session: &Session, who: Option<&Identity>) -> Reply {
    if who.is_some_and(|who| who.means == Means::Session) {
        return redirect(StatusCode::SEE_OTHER, &format!("{}/apps/dashboard/", ask.base));
    }
    let (token, _) = session.request_token();
    let warning = match ask.query("failed").as_deref() {
        None => "",
        Some("csrf") => "<p class=\"warning\">The page was too old. Try again.</p>",
        Some(_) => "<p class=\"warning\">Wrong login or password.</p>",
    };
    let field = |name| escape(&ask.query(name).unwrap_or_default());
    let content = format!(
        "<div>\n\t<div id=\"login\"><form class=\"login-form\" name=\"login\" method=\"post\" action=\"/login\">{warning}\
         <label for=\"user\">Account name or email</label>\
         <input id=\"user\" type=\"text\" name=\"user\" value=\"{}\" autocomplete=\"username\" autocapitalize=\"none\" required autofocus>\
         <label for=\"password\">Password</label>\
         <input id=\"password\" type=\"password\" name=\"password\" autocomplete=\"current-password\" required>\
         <input type=\"hidden\" name=\"redirect_url\" value=\"{}\">\
         <input type=\"hidden\" name=\"requesttoken\" value=\"{token}\">\
         <input type=\"submit\" value=\"Log in\" data-login-form-submit></form></div>\n</div>",
        field("user"),
        field("redirect_url"),
    );
    let page = Page {
        layout: Layout::Guest,
        language: Language::of(ask),
        app: "core",
        title: "Login",
        navigation: String::new(),
        content,
    };
    render(StatusCode::OK, &page, session, None)
}

/// The page that lets a client in.
fn grant(ask: &Ask, session: &Session, who: &Identity, state: &str) -> Reply {
    let (token, _) = session.request_token();
    let content = format!(
        "<h2>Account access</h2><p>A client asks for access to the account {}.</p>\
         <form method=\"post\" action=\"/login/v2/grant\">\
         <input type=\"hidden\" name=\"stateToken\" value=\"{}\">\
         <input type=\"hidden\" name=\"requesttoken\" value=\"{token}\">\
         <input type=\"submit\" value=\"Grant access\"></form>",
        escape(&who.display),
        escape(state)
    );
    let title = "Connect to your account";
    let language = Language::of(ask);
    let navigation = String::new();
    let page = Page { layout: Layout::Guest, language, app: "core", title, navigation, content };
    render(StatusCode::OK, &page, session, Some(who))
}

async fn dashboard(
    stand: &StandIn,
    who: &Identity,
    language: Language,
) -> Result<Page<'static>, Fault> {
    let view = View::open(&stand.db.read, &who.uid).await?;
    let mut recent = match view.entry(&stand.db.read, "").await? {
        Some(root) => view.all(&stand.db.read, root).await?,
        None => Vec::new(),
    };
    recent.retain(|entry| !entry.node.is_folder());
    recent.sort_by_key(|entry| std::cmp::Reverse(entry.node.mtime));
    let files: String = recent
        .iter()
        .take(7)
        .map(|entry| {
            format!("<li><a href=\"{}\">{}</a></li>", link(who, entry), escape(&entry.name))
        })
        .collect();
    let upcoming = overview::events(stand, &who.uid, mint::now()).await?;
    // What began long ago and comes again, such as birthdays, is left out.
    let events: String = upcoming
        .iter()
        .filter(|(when, ..)| *when >= mint::now())
        .take(7)
        .map(|(when, summary, _)| {
            let when = mint::http_date(*when);
            format!("<li>{} <span class=\"note\">{when}</span></li>", escape(summary))
        })
        .collect();
    let [hello, recent, upcoming, customize] =
        ["Hello", "Recent files", "Upcoming events", "Customize"].map(|word| language.say(word));
    let content = format!(
        "<div id=\"app-dashboard\"><h2>{hello}, {}</h2><div class=\"panels\">\
         <div class=\"panel\" data-id=\"recommendations\"><h3>{recent}</h3><ul>{files}</ul></div>\
         <div class=\"panel\" data-id=\"calendar\"><h3>{upcoming}</h3><ul>{events}</ul></div>\
         </div><div class=\"footer\"><button class=\"edit-panels button\">{customize}</button></div></div>",
        escape(&who.display)
    );
    Ok(user_page("dashboard", "Dashboard", String::new(), content))
}

fn user_page(
    app: &'static str,
    title: &'static str,
    navigation: String,
    content: String,
) -> Page<'static> {
    // Whoever renders it sets the language.
    let language = Language::default();
    Page { layout: Layout::User, language, app, title, navigation, content }
}

// === files ===

/// Where an entry's link leads.
fn link(who: &Identity, entry: &Entry) -> String {
    if entry.node.is_folder() {
        let dir: String =
            url::form_urlencoded::byte_serialize(format!("/{}", entry.name).as_bytes()).collect();
        format!("/apps/files/files/{}?dir={dir}", entry.node.id)
    } else {
        format!("/remote.php/dav/files/{}/{}", encode_path(&who.uid), encode_path(&entry.name))
    }
}

async fn files_page(
    stand: &StandIn,
    ask: &Ask,
    session: &Session,
    who: &Identity,
) -> Result<Page<'static>, Fault> {
    let dir = ask.query("dir").unwrap_or_default();
    let dir = dir.trim_matches('/');
    let db = &stand.db.read;
    let view = View::open(db, &who.uid).await?;
    let folder = view.entry(db, dir).await?.filter(|entry| entry.node.is_folder());
    let Some(folder) = folder else { return Err(Fault::NOT_FOUND) };
    let mut entries = view.children(db, &folder).await?;
    entries.sort_by_key(|e| (!e.node.is_folder(), e.name.to_lowercase()));
    let mut rows = String::new();
    for entry in &entries {
        push_row(&mut rows, who, entry);
    }
    let (token, _) = session.request_token();
    let base = format!("/remote.php/dav/files/{}/", encode_path(&join(&who.uid, dir)));
    let language = Language::of(ask);
    let [add, upload, folder_word, kind, modified] =
        ["New", "Upload files", "New folder", "Type", "Modified"].map(|word| language.say(word));
    let [name, size, owner] = ["Name", "Size", "Owner"].map(|word| language.say(word));
    let new = if folder.rights & right::CREATE == 0 {
        String::new()
    } else {
        format!(
            "<div data-cy-upload-picker data-upload-base=\"{base}\"><button class=\"button-vue primary\" data-cy-upload-picker-add aria-expanded=\"false\" aria-haspopup=\"menu\">{add}</button>\
             <template id=\"new-menu-template\"><ul role=\"menu\">\
             <li><button role=\"menuitem\" data-cy-upload-picker-menu-entry=\"upload-file\">{upload}</button></li>\
             <li><button role=\"menuitem\" data-cy-upload-picker-menu-entry=\"newFolder\">{folder_word}</button></li></ul></template>\
             <input id=\"upload-input\" type=\"file\" multiple hidden></div>\
             <form id=\"new-folder\" method=\"post\" action=\"/apps/files/folder\" hidden>\
             <input type=\"hidden\" name=\"requesttoken\" value=\"{token}\"><input type=\"hidden\" name=\"dir\" value=\"{}\">\
             <label>{folder_word} <input type=\"text\" name=\"name\" required></label> <input type=\"submit\" value=\"Create\"></form>",
            escape(dir)
        )
    };
    let content = format!(
        "<div class=\"files-list\" data-cy-files-list><div class=\"toolbar\">\
         <nav class=\"breadcrumb\" data-cy-files-content-breadcrumbs>{}</nav>{new}</div>\
         <div class=\"files-list__filters\" data-cy-files-filters><button>{kind}</button> <button>{modified}</button></div>\
         <table class=\"files-list__table\"><thead><tr><th>{name}</th><th>{size}</th><th class=\"optional\">{modified}</th><th class=\"optional\">{owner}</th><th></th></tr></thead>\
         <tbody>{rows}</tbody></table></div>",
        breadcrumbs(dir, language)
    );
    let used = super::files::quota::used(stand, &who.uid).await?;
    let used = readable(i64::try_from(used).unwrap_or(i64::MAX));
    let navigation = files_navigation(&used, language);
    Ok(user_page("files", "Files", navigation, content))
}

fn files_navigation(used: &str, language: Language) -> String {
    let views = [
        ("files", "All files"),
        ("personal", "Personal files"),
        ("recent", "Recent"),
        ("favorites", "Favorites"),
        ("shareoverview", "Shares"),
        ("tags", "Tags"),
        ("trashbin", "Deleted files"),
    ];
    let item = |(id, name): &(&str, &'static str)| {
        let name = language.say(name);
        let active = if *id == "files" { " class=\"active\"" } else { "" };
        format!(
            "<li{active} data-cy-files-navigation-item=\"{id}\"><a href=\"/apps/files/{id}\">{name}</a></li>"
        )
    };
    let list: String = views.iter().map(item).collect();
    let [used_word, settings] = ["used", "Files settings"].map(|word| language.say(word));
    format!(
        "<ul data-cy-files-navigation>{list}</ul><ul class=\"app-navigation-entry__settings\">\
         <li data-cy-files-navigation-settings-quota><span>{used} {used_word}</span></li>\
         <li data-cy-files-navigation-settings-button><button>{settings}</button></li></ul>"
    )
}

fn push_row(rows: &mut String, who: &Identity, entry: &Entry) {
    let name = escape(super::files::change::file_name(&entry.name));
    let icon = if entry.node.is_folder() { "icon icon-folder" } else { "icon icon-file" };
    let owner = if entry.shared { escape(&entry.node.owner) } else { String::new() };
    let _ = write!(
        rows,
        "<tr data-cy-files-list-row data-cy-files-list-row-fileid=\"{}\" data-cy-files-list-row-name=\"{name}\">\
         <td><span class=\"{icon}\"></span><a href=\"{}\">{name}</a></td><td>{}</td><td class=\"optional\">{}</td><td class=\"optional\">{owner}</td>\
         <td data-cy-files-list-row-actions><span data-cy-files-list-row-action=\"sharing-status\"><button aria-label=\"Show sharing options\">⤴</button></span><button aria-label=\"Actions\" aria-haspopup=\"menu\" aria-expanded=\"false\">⋯</button></td></tr>",
        entry.node.id,
        link(who, entry),
        readable(entry.node.size),
        mint::http_date(entry.node.mtime),
    );
}

fn breadcrumbs(dir: &str, language: Language) -> String {
    let mut out = format!("<a href=\"/apps/files/\">{}</a>", language.say("All files"));
    let mut so_far = String::new();
    for part in dir.split('/').filter(|part| !part.is_empty()) {
        let _ = write!(so_far, "/{part}");
        let to: String = url::form_urlencoded::byte_serialize(so_far.as_bytes()).collect();
        let _ = write!(out, " › <a href=\"/apps/files/files?dir={to}\">{}</a>", escape(part));
    }
    out
}

/// A size as people read it.
fn readable(size: i64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KB", size >> 10),
        _ => format!("{} MB", size >> 20),
    }
}

async fn make_folder(
    stand: &Arc<StandIn>,
    ask: &mut Ask,
    session: &Session,
    who: &Identity,
) -> Result<Reply, Fault> {
    let fields = ask.fields().await?;
    if !fields.get("requesttoken").is_some_and(|token| session.accepts(token)) {
        return Err(Fault::FORBIDDEN);
    }
    let dir = fields.get("dir").unwrap_or_default().trim_matches('/');
    let name = join(dir, fields.get("name").unwrap_or_default().trim_matches('/'));
    let view = View::open(&stand.db.read, &who.uid).await?;
    let folder = view.entry(&stand.db.read, dir).await?.ok_or(Fault::NOT_FOUND)?;
    if folder.rights & right::CREATE == 0 || !super::files::change::valid_name(&name) {
        return Err(Fault::FORBIDDEN);
    }
    let place = view.place(&name);
    let mut tx = stand.db.write().await?;
    let mut change = Change { db: &mut tx, data: &stand.data };
    change.make_folder(&place.owner, &place.path).await?;
    tx.commit().await?;
    let dir: String = url::form_urlencoded::byte_serialize(format!("/{dir}").as_bytes()).collect();
    Ok(redirect(StatusCode::SEE_OTHER, &format!("{}/apps/files/files?dir={dir}", ask.base)))
}

// === calendar, contacts, settings ===

async fn calendar(stand: &StandIn, who: &Identity) -> Result<Page<'static>, Fault> {
    let mut rows = String::new();
    for (when, summary, calendar) in overview::events(stand, &who.uid, 0).await?.iter().take(500) {
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td class=\"optional\">{}</td></tr>",
            escape(summary),
            mint::http_date(*when),
            escape(calendar)
        );
    }
    let content = format!(
        "<table><thead><tr><th>Event</th><th>Begins</th><th class=\"optional\">Calendar</th></tr></thead><tbody>{rows}</tbody></table>"
    );
    let names = overview::calendars(stand, &who.uid).await?;
    let list: String = names
        .iter()
        .map(|name| format!("<li><a href=\"/apps/calendar/\">{}</a></li>", escape(name)))
        .collect();
    let navigation = format!(
        "<div class=\"app-navigation-header\"><button class=\"new-event\">New event</button> \
         <button class=\"today\">Today</button> <span class=\"datepicker-button-section\">\
         <button class=\"datepicker-button-section__previous\">‹</button>\
         <button class=\"datepicker-button-section__next\">›</button></span></div>\
         <ul>{list}<li class=\"app-navigation-entry-new-calendar\"><button>New calendar</button></li></ul>\
         <div class=\"navigation-calendar-settings\"><button>Calendar settings</button></div>"
    );
    Ok(user_page("calendar", "Calendar", navigation, content))
}

async fn contacts(stand: &StandIn, who: &Identity) -> Result<Page<'static>, Fault> {
    let mut rows = String::new();
    for (name, mail, book) in overview::cards(stand, &who.uid).await?.iter().take(500) {
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td class=\"optional\">{}</td></tr>",
            escape(name),
            escape(mail),
            escape(book)
        );
    }
    let content = format!(
        "<table><thead><tr><th>Name</th><th>Email</th><th class=\"optional\">Address book</th></tr></thead><tbody>{rows}</tbody></table>"
    );
    let navigation = "<div class=\"import-and-new-contact-buttons\"><button>New contact</button> <button>Import</button></div>\
        <ul><li id=\"everyone\" class=\"active\"><a href=\"/apps/contacts/\">All contacts</a></li>\
        <li id=\"newgroup\"><button>New group</button></li><li id=\"newcircle\"><button>New team</button></li></ul>\
        <div class=\"contacts-settings\"><button>Contacts settings</button></div>";
    Ok(user_page("contacts", "Contacts", navigation.to_owned(), content))
}

async fn settings(stand: &StandIn, who: &Identity) -> Result<Page<'static>, Fault> {
    let mail = super::db::preference(&stand.db.read, &who.uid, "settings", "email").await?;
    let groups: Vec<(String,)> =
        sqlx::query_as("SELECT gid FROM oc_group_user WHERE uid = ? ORDER BY gid")
            .bind(&who.uid)
            .fetch_all(&stand.db.read)
            .await?;
    let groups: Vec<String> = groups.into_iter().map(|(gid,)| gid).collect();
    let used = super::files::quota::used(stand, &who.uid).await?;
    let used = readable(i64::try_from(used).unwrap_or(i64::MAX));
    let mut boxes = String::new();
    for (id, title, value) in [
        ("avatar", "Profile picture", who.display.chars().take(1).collect()),
        ("displayname", "Full name", who.display.clone()),
        ("email", "Email", mail.unwrap_or_default()),
        ("details", "Groups", groups.join(", ")),
        ("language", "Language", "English".to_owned()),
        ("profile", "Storage used", used),
    ] {
        let _ = write!(
            boxes,
            "<div class=\"personal-settings-setting-box\"><div id=\"vue-{id}-section\"><h3>{title}</h3>{}</div></div>",
            escape(&value)
        );
    }
    let content = format!(
        "<div id=\"settings-app\"></div><div id=\"original-settings-content\" data-active-section-id=\"personal-info\" data-active-section-type=\"personal\">\
         <div id=\"personal-settings\"><h2>Personal info</h2>{boxes}</div></div>"
    );
    let mut navigation = String::from(
        "<div class=\"app-navigation-personal\"><div class=\"app-navigation-caption\">Personal</div><ul><li class=\"active\"><a href=\"/settings/user\">Personal info</a></li></ul></div>",
    );
    if who.admin {
        navigation.push_str("<div class=\"app-navigation-administration\"><div class=\"app-navigation-caption\">Administration</div><ul><li><a href=\"/settings/users\">Accounts</a></li></ul></div>");
    }
    let mut page = user_page("settings", "Personal info", navigation, content);
    page.layout = Layout::Settings;
    Ok(page)
}

async fn users(stand: &StandIn) -> Result<Page<'static>, Fault> {
    let all: Vec<(String, String)> =
        sqlx::query_as("SELECT uid, coalesce(displayname, uid) FROM oc_users ORDER BY uid")
            .fetch_all(&stand.db.read)
            .await?;
    let row = |(uid, name): &(String, String)| {
        format!(
            "<tr data-cy-user-row=\"{0}\"><td>{0}</td><td>{1}</td>\
             <td data-cy-user-list-cell-actions><button data-cy-user-list-action-edit aria-label=\"Edit\">✎</button></td></tr>",
            escape(uid),
            escape(name)
        )
    };
    let rows: String = all.iter().map(row).collect();
    let content = format!(
        "<h2>Accounts</h2><table data-cy-user-list><thead><tr><th>Account name</th><th>Display name</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
    );
    let navigation = "<button id=\"new-user-button\" class=\"button\">New account</button>\
        <ul><li><a href=\"/settings/user\">Personal info</a></li><li class=\"active\"><a href=\"/settings/users\">Accounts</a></li></ul>\
        <div class=\"app-navigation-caption\">Groups</div><ul data-cy-users-settings-navigation-groups><li><a href=\"/settings/users\">admin</a></li></ul>";
    let mut page = user_page("settings", "Accounts", navigation.to_owned(), content);
    page.layout = Layout::Settings;
    Ok(page)
}
