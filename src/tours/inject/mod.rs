//! Puts one tag into pages of signed-in people, and touches nothing else.
//!
//! The request has to look like a navigation ([`gates`]), the answer has to be a page with one nonce
//! under all its policies ([`csp`]), and its first bytes have to be those of Nextcloud's layout for
//! signed-in people ([`page`]). Until that is known the beginning is held, at most 64 KiB. The tag
//! goes before the first script of the head, so that it runs before Nextcloud's own.
//!
//! Whatever is not as expected passes to the byte, header included, and is counted with a reason.
//! The request is not changed: pages come in the coding that the browser asked for, and leave in it.

pub mod csp;
pub mod gates;
mod held;
pub mod page;
pub mod tag;
#[cfg(test)]
mod tests;
pub mod versions;

use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Response};

use self::held::{Held, Open};
use self::tag::Tag;
use super::assets::Asset;
use super::view::View;
use super::{Tours, tenant};
use crate::body::Body;
use crate::coding::{self, Coding};
use crate::config::checked::{Progress, Wizard};
use crate::dav::path::Kind;
use crate::gateway::Exchange;
use crate::intercept::{Answer, Inner, Rule};
use crate::site::Site;

/// The rule; without tours it wants nothing.
#[derive(Clone, Default)]
pub struct Inject(Option<Arc<Tours>>);

/// An answer that may get a tag.
struct Candidate {
    nonce: String,
    coding: Option<Coding>,
}

/// The body of an answer in the content coding of this name with `tag` in it, or as it came: what
/// [`Inject`] does without its header, for measuring and for fuzzing.
pub async fn splice(body: Body, coding: Option<&str>, tag: &str) -> Body {
    match held::hold(body, coding.and_then(Coding::named), false).await {
        Held::Page(open) => open.insert(tag, None),
        Held::Other(_, body) => body,
    }
}

// === impl Inject ===

impl Inject {
    /// Injects what `tours` show.
    #[must_use]
    pub fn new(tours: Arc<Tours>) -> Self {
        Self(Some(tours))
    }
}

impl Rule for Inject {
    fn wants(&self, exchange: &Exchange) -> bool {
        let site = &exchange.site.config;
        let is_shown = |tours: &Arc<Tours>| site.tours.enabled || tours.door(site).is_some();
        exchange.kind == Kind::Web
            && self.0.as_ref().is_some_and(is_shown)
            && gates::may_be_page(&exchange.request)
    }

    async fn carry<S: Inner>(self, exchange: Box<Exchange>, mut inner: S) -> Answer {
        let site = Arc::clone(&exchange.site);
        let view = self.0.as_ref().and_then(|tours| Some((tours, tours.view(&site.config)?)));
        let is_shown =
            |tours: &Tours, view: &View| view.is_on() || tours.door(&site.config).is_some();
        let Some((tours, view)) = view.filter(|(tours, view)| is_shown(tours, view)) else {
            return inner.call(exchange).await;
        };
        let tenant = tenant(&site.config, &exchange.authority);
        let editor = tours.editor(&view, &tenant, exchange.request.headers()).await;
        let response = inner.call(exchange).await?;
        Ok(tours.inject(response, &view, &site, &tenant, editor).await)
    }
}

// === impl Tours ===

impl Tours {
    /// The editor, for those who have a session of it; it takes the place of the loader.
    async fn editor(&self, view: &View, tenant: &str, headers: &HeaderMap) -> Option<&Arc<Asset>> {
        let desk = self.desk.get().filter(|_| view.is_on())?;
        let session = desk.session(tenant, headers).await;
        // Without its store there is no editor; pages go on.
        session.ok().flatten().and_then(|_| self.player.editor())
    }

    async fn inject(
        &self,
        response: Response<Body>,
        view: &View,
        site: &Site,
        tenant: &str,
        editor: Option<&Arc<Asset>>,
    ) -> Response<Body> {
        let candidate = match Candidate::of(&response) {
            Ok(Some(candidate)) => candidate,
            Ok(None) => return response,
            Err(reason) => {
                site.metrics.tours().count(reason);
                return response;
            }
        };
        let (mut parts, body) = response.into_parts();
        let is_instead = view.is_on() && view.settings.wizard == Wizard::Instead;
        let open = match held::hold(body, candidate.coding, is_instead).await {
            Held::Page(open) => open,
            Held::Other(reason, body) => {
                site.metrics.tours().count(reason.as_str());
                return Response::from_parts(parts, body);
            }
        };
        let loader = editor.unwrap_or(&view.loader).url();
        let tag = self.tag(&open, &candidate.nonce, &loader, view, site, tenant);
        let cut = open.wizard();
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length: Option<u64> = length.and_then(|text| text.parse().ok());
        coding::forget_bytes(&mut parts.headers);
        if let (Some(length), None) = (length, candidate.coding) {
            let without = cut.as_ref().map_or(0, |cut| cut.len() as u64);
            let length = (length + tag.len() as u64).saturating_sub(without);
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        site.metrics.tours().count("injected");
        Response::from_parts(parts, open.insert(&tag, cut))
    }

    fn tag(
        &self,
        open: &Open,
        nonce: &str,
        loader: &str,
        view: &View,
        site: &Site,
        tenant: &str,
    ) -> String {
        let page = &open.page;
        let progress = match self.preview {
            Some(_) => Progress::Local,
            None => view.settings.progress,
        };
        Tag {
            nonce,
            loader,
            site: tenant,
            progress: progress.as_str(),
            token: &self.keeping().key.sign(tenant, &page.user),
            apps: &self.versions.of(page.version_hash, &page.sheets),
            wizard: view.settings.wizard.as_str(),
            admin: self.door(&site.config),
            preview: self.preview.as_deref(),
        }
        .render()
    }
}

// === impl Candidate ===

impl Candidate {
    /// `None` for an answer that is no page; the reason, if a page cannot be changed.
    fn of(response: &Response<Body>) -> Result<Option<Self>, &'static str> {
        match gates::check_answer(response) {
            Ok(()) => {}
            Err(gates::Reason::NoPage) => return Ok(None),
            Err(reason) => return Err(reason.as_str()),
        }
        let nonce = csp::nonce(response.headers()).map_err(csp::Reason::as_str)?.to_owned();
        let coding = coding::of(response.headers()).map_err(|_| "content_encoding")?;
        Ok(Some(Self { nonce, coding }))
    }
}
