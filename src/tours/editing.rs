//! Writing tours on the pages themselves: who may, what they wrote, and what is wrong with it.
//!
//! A link of the host's becomes a session, once, by a click (a program that looks at links in mails
//! must not use it up). The session is a cookie that no script reads; pages get the editor in the
//! place of the player's loader, from the same tag, as long as it goes on. Invariant: a draft is seen
//! by its session alone, is only ever text that is checked as files of a catalogue are, and reaches
//! nobody else's pages: it is exported, and it is the host who takes it over.
//!
//! Below `/_passeur/tours/`:
//!
//! - `GET edit/LINK` asks, `POST edit/LINK` begins.
//! - `GET draft`: the site's manifest, and the files; `PUT draft`: keeps files and says what is wrong
//!   with them; `DELETE draft`: ends the session.
//! - `GET draft/FILE`: a file, for the preview.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::catalogue::{Catalogue, Files, Problem, Problems};
use super::endpoint::{document, nothing, read, refuse, unavailable};
use super::progress::store::on_runtime;
use super::view::View;
use super::{Source, Tours, tenant};
use crate::body::Body;
use crate::config::checked::{self, HostPattern};
use crate::gateway::{Exchange, Refusal};
use crate::intercept::Answer;
use crate::store::{Editing, Store};

/// Where links are.
pub const LINKS: &str = "/_passeur/tours/edit/";

const SESSION: &str = "passeur-edit";

/// Largest draft, bytes, and how many files it has.
const MOST: usize = 512 << 10;
const MOST_FILES: usize = 64;

const BEGIN: &str = include_str!("editing.html");

/// Where sessions and drafts are kept.
pub struct Desk {
    store: Store,
    runtime: Handle,
}

/// Why there can be no link.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    /// Pages of the site have no tours, so no editor either.
    #[error("tours are off at the site `{0}`: set `enabled = true` in its [tours]")]
    Off(String),
    /// It is one of many instances.
    #[error("the site `{0}` has many hosts: say which one is meant")]
    WhichHost(String),
    /// It is not one of the site's.
    #[error("`{host}` is no host of the site `{site}`")]
    Host {
        /// The site.
        site: String,
        /// What was given.
        host: String,
    },
    /// It cannot be the id of a tour.
    #[error("`{0}` cannot be the id of a tour: a-z, 0-9 and `-`, with a letter first")]
    Tour(String),
}

/// Where a tour is to be edited.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The site, as everything of tours is kept for it.
    pub tenant: String,
    /// The host, if the site has one of its own.
    pub host: Option<String>,
}

impl Place {
    /// The place of a site, or of one instance of it.
    ///
    /// # Errors
    /// Why nothing can be edited there.
    pub fn of(site: &checked::Site, host: Option<&str>, tour: &str) -> Result<Self, NoPlace> {
        let name = || site.name.clone();
        let is_id = tour.starts_with(|c: char| c.is_ascii_lowercase())
            && tour.len() <= 60
            && tour.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_id {
            return Err(NoPlace::Tour(tour.to_owned()));
        }
        if !site.tours.enabled {
            return Err(NoPlace::Off(name()));
        }
        let exact = site.hosts.iter().find_map(|pattern| match pattern {
            HostPattern::Exact(host) => Some(host.clone()),
            HostPattern::Wildcard(_) => None,
        });
        let host = match host.map(str::to_ascii_lowercase) {
            Some(host) if site.hosts.is_empty() || takes(site, &host) => Some(host),
            Some(host) => return Err(NoPlace::Host { site: name(), host }),
            None if exact.is_none() && !site.hosts.is_empty() => {
                return Err(NoPlace::WhichHost(name()));
            }
            None => exact,
        };
        let tenant = tenant(site, host.as_deref().unwrap_or_default());
        Ok(Self { tenant, host })
    }
}

fn takes(site: &checked::Site, host: &str) -> bool {
    site.hosts.iter().any(|pattern| match pattern {
        HostPattern::Exact(exact) => exact == host,
        HostPattern::Wildcard(above) => {
            host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == above)
        }
    })
}

// === impl Desk ===

impl Desk {
    /// In this store; `runtime` is the one on which it was opened.
    #[must_use]
    pub fn new(store: Store, runtime: Handle) -> Self {
        Self { store, runtime }
    }

    /// Whose session a request shows.
    pub(super) async fn session(
        &self,
        tenant: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Editing>, Refusal> {
        let Some(session) = cookie(headers) else { return Ok(None) };
        let (store, tenant) = (self.store.clone(), tenant.to_owned());
        let asking = async move { store.tour_editing(&tenant, &session).await };
        on_runtime(&self.runtime, asking).await.map_err(unavailable)
    }

    async fn opens(&self, tenant: &str, link: &SecretString) -> Result<bool, Refusal> {
        let (store, tenant, link) = (self.store.clone(), tenant.to_owned(), link.clone());
        let asking = async move { store.tour_link_opens(&tenant, &link).await };
        on_runtime(&self.runtime, asking).await.map_err(unavailable)
    }

    async fn begin(
        &self,
        tenant: &str,
        link: SecretString,
    ) -> Result<Option<SecretString>, Refusal> {
        let (store, tenant) = (self.store.clone(), tenant.to_owned());
        let asking = async move { store.begin_tour_editing(&tenant, &link).await };
        on_runtime(&self.runtime, asking).await.map_err(unavailable)
    }

    async fn keep(&self, id: String, draft: String) -> Result<(), Refusal> {
        let store = self.store.clone();
        let asking = async move { store.keep_tour_draft(&id, &draft).await };
        on_runtime(&self.runtime, asking).await.map_err(unavailable)
    }

    async fn end(&self, id: String) -> Result<(), Refusal> {
        let store = self.store.clone();
        let asking = async move { store.end_tour_editing(&id).await };
        on_runtime(&self.runtime, asking).await.map_err(unavailable)
    }
}

// === impl Tours ===

impl Tours {
    /// A link; the page asks whether to begin, and a click does.
    pub(super) async fn edit(&self, tenant: &str, link: &str, exchange: Exchange) -> Answer {
        let desk = self.desk()?;
        let link = SecretString::from(link);
        match *exchange.request.method() {
            Method::GET if desk.opens(tenant, &link).await? => Ok(page()),
            Method::POST => {
                let session = desk.begin(tenant, link).await?.ok_or_else(used_up)?;
                let home = &exchange.site.config.access.folder;
                Ok(begun(&session, exchange.secure, home))
            }
            Method::GET => Err(used_up()),
            _ => Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.")),
        }
    }

    /// What the editor asks.
    pub(super) async fn draft(
        &self,
        tenant: &str,
        view: &View,
        file: Option<&str>,
        exchange: Exchange,
    ) -> Answer {
        let desk = self.desk()?;
        let editing = desk.session(tenant, exchange.request.headers()).await?;
        let editing = editing.ok_or_else(|| {
            refuse(StatusCode::UNAUTHORIZED, "The session of the editor has ended.")
        })?;
        match (exchange.request.method().clone(), file) {
            (Method::GET, None) => Ok(document(self.opened(view, &editing).to_string())),
            (Method::GET, Some(file)) => match written(&editing.draft).remove(file) {
                Some(text) => Ok(document(text)),
                None => Err(refuse(StatusCode::NOT_FOUND, "The draft has no such file.")),
            },
            (Method::PUT, None) => {
                let bytes = read(exchange.request.into_body(), MOST).await?;
                let files = serde_json::from_slice(&bytes).ok();
                let Some(files) = files.filter(|files| is_draft(files, &editing.tour)) else {
                    return Err(refuse(
                        StatusCode::BAD_REQUEST,
                        "These are no files of this tour.",
                    ));
                };
                let problems = self.problems(view, &files);
                desk.keep(editing.id, json!(files).to_string()).await?;
                Ok(document(json!({ "problems": problems }).to_string()))
            }
            (Method::DELETE, None) => {
                desk.end(editing.id).await?;
                let mut answer = nothing();
                let gone = format!("{SESSION}=; Path=/; Max-Age=0");
                if let Ok(gone) = HeaderValue::try_from(gone) {
                    answer.headers_mut().insert(SET_COOKIE, gone);
                }
                Ok(answer)
            }
            _ => Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.")),
        }
    }

    fn desk(&self) -> Result<&Desk, Refusal> {
        self.desk.get().ok_or_else(|| refuse(StatusCode::NOT_FOUND, "There is no editor here."))
    }

    /// The draft, or what the site has of the tour so far.
    fn opened(&self, view: &View, editing: &Editing) -> Value {
        let mut files = written(&editing.draft);
        if files.is_empty() {
            let site = self.files_of(view);
            let mine = |path: &&String| is_file(path, &editing.tour);
            let found = site.0.keys().filter(mine);
            let text = |path: &String| String::from_utf8(site.0[path].to_vec()).ok();
            files = found.filter_map(|path| Some((path.clone(), text(path)?))).collect();
        }
        json!({
            "tour": editing.tour,
            "ends": editing.ends_at,
            "manifest": view.manifest,
            "files": files,
        })
    }

    /// What is wrong with a draft, among the other files of the site.
    fn problems(&self, view: &View, files: &BTreeMap<String, String>) -> Vec<Value> {
        let draft = files.iter().map(|(path, text)| (path.clone(), Bytes::from(text.clone())));
        let all = self.files_of(view).overlaid(Files(draft.collect()));
        let problems = match Catalogue::new(&all) {
            Ok(catalogue) => catalogue.warnings().to_vec(),
            Err(Problems(problems)) => problems,
        };
        let of_draft = |problem: &Problem| files.contains_key(&problem.file);
        let told = problems.into_iter().filter(of_draft).map(|problem| {
            json!({
                "file": problem.file, "line": problem.line, "message": problem.message,
                "error": problem.is_error,
            })
        });
        told.collect()
    }

    /// The files of the catalogue as it is shown.
    fn files_of(&self, view: &View) -> Files {
        let known = self.catalogues.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get(&Source::of(&view.settings)).map(|known| known.files.clone()).unwrap_or_default()
    }
}

fn written(draft: &str) -> BTreeMap<String, String> {
    serde_json::from_str(draft).unwrap_or_default()
}

fn is_draft(files: &BTreeMap<String, String>, tour: &str) -> bool {
    files.len() <= MOST_FILES && files.keys().all(|path| is_file(path, tour))
}

/// Whether a path is that of a text of the tour, or of the targets that are only its own.
fn is_file(path: &str, tour: &str) -> bool {
    let own = path.strip_prefix(tour).and_then(|rest| rest.strip_prefix('/'));
    let is_locale = |path: &str| {
        let language = path.strip_prefix("locales/").and_then(|name| name.strip_suffix(".json"));
        language.is_some_and(|language| {
            (2..=20).contains(&language.len())
                && language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    };
    own.is_some_and(|own| own == "tour.json" || is_locale(own))
        || path.strip_prefix("targets/own-").and_then(|rest| rest.strip_suffix(".json"))
            == Some(tour)
}

fn cookie(headers: &HeaderMap) -> Option<SecretString> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).map(str::trim);
    let session = pairs.find_map(|pair| pair.strip_prefix(SESSION)?.strip_prefix('='))?;
    (!session.is_empty() && session.len() <= 64).then(|| session.into())
}

/// Asks whether to begin.
fn page() -> Response<Body> {
    let mut response = Response::new(Body::from(BEGIN));
    let headers = response.headers_mut();
    // No `form-action`: it would also bar the way on, which may lead through a sign-in elsewhere.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                  base-uri 'none'";
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("content-security-policy", HeaderValue::from_static(policy));
    // The address opens something.
    headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
    response
}

fn begun(session: &SecretString, secure: bool, home: &str) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SEE_OTHER;
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!(
        "{SESSION}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800{secure}",
        session.expose_secret()
    );
    let headers = response.headers_mut();
    for (name, value) in [(SET_COOKIE, cookie), (LOCATION, format!("{home}/"))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn used_up() -> Refusal {
    let message = "This link was used, or has ended: ask for another one.";
    refuse(StatusCode::GONE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_tour() {
        for path in ["hello/tour.json", "hello/locales/pt-BR.json", "targets/own-hello.json"] {
            assert!(is_file(path, "hello"), "{path}");
        }
        for path in [
            "welcome/tour.json",
            "hello/../welcome/tour.json",
            "hello/locales/../tour.json",
            "hello/locales/a.b.json",
            "hello/media/x.svg",
            "hello-2/tour.json",
            "targets/files.json",
            "targets/own-hello2.json",
            "ui/en.json",
            "/hello/tour.json",
            "",
        ] {
            assert!(!is_file(path, "hello"), "{path}");
        }
    }

    #[test]
    fn a_session_among_other_cookies() {
        let fields = |text: &str| HeaderMap::from_iter([(COOKIE, text.parse().unwrap())]);
        let found = cookie(&fields("a=b; passeur-edit=x; c=d")).unwrap();
        assert_eq!(found.expose_secret(), "x");
        for other in ["passeur-edit2=x", "x-passeur-edit=x", "passeur-edit=", "passeur-edit"] {
            assert!(cookie(&fields(other)).is_none(), "{other}");
        }
    }

    #[test]
    fn where_a_tour_can_be_edited() {
        use crate::config::checked::{Target, TargetAddress, UpstreamGroup};
        let address = TargetAddress::Tcp { host: "a".to_owned(), port: 80 };
        let target = Target { tls: false, http2: false, address };
        let mut site = checked::Site::to("farm", Vec::new(), UpstreamGroup::to(target));
        let place = |site: &checked::Site, host| Place::of(site, host, "hello");
        assert!(matches!(place(&site, None), Err(NoPlace::Off(_))));
        site.tours.enabled = true;
        assert_eq!(place(&site, None).unwrap().host, None);
        site.hosts = vec![HostPattern::Wildcard("example.org".to_owned())];
        assert!(matches!(place(&site, None), Err(NoPlace::WhichHost(_))));
        assert!(matches!(place(&site, Some("example.com")), Err(NoPlace::Host { .. })));
        assert_eq!(place(&site, Some("Blue.example.org")).unwrap().tenant, "blue.farm");
        site.hosts = vec![HostPattern::Exact("a.example.org".to_owned())];
        assert_eq!(place(&site, None).unwrap().host.as_deref(), Some("a.example.org"));
        assert!(matches!(Place::of(&site, None, "../x"), Err(NoPlace::Tour(_))));
    }
}
