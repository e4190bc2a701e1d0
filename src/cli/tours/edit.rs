//! `passeur tours edit SITE TOUR`: a link that opens the editor once.

use std::path::PathBuf;

use anyhow::{Context, bail};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::cli::say::{remark, say};
use crate::cli::{doors, running};
use crate::config;
use crate::store::Entry;
use crate::tours::editing::{LINKS, Place};

/// Make a link with which somebody writes a tour on the pages themselves; it opens once
#[derive(Debug, clap::Args)]
pub(super) struct Edit {
    /// The site
    #[arg(value_name = "SITE")]
    site: String,
    /// The id of the tour: one that is there, or a new one
    #[arg(value_name = "TOUR")]
    tour: String,
    /// One of the site's hosts, where it has many
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The main configuration file, which says where the store is
    #[arg(long, value_name = "FILE", default_value = "/etc/passeur/passeur.toml")]
    config: PathBuf,
}

impl Edit {
    pub(super) fn run(self) -> anyhow::Result<()> {
        running::block_on(async {
            let config = config::load(&self.config)?.config;
            let site = config.sites.iter().find(|site| site.name == self.site);
            let Some(site) = site else {
                bail!(
                    "no file sets a site `{0}`; for one that the API set, ask the API: \
                     POST /api/v1/sites/{0}/tours/edit",
                    self.site
                );
            };
            let place = Place::of(site, self.host.as_deref(), &self.tour)?;
            let Some(store) = doors::open_store(&config.store).await? else {
                bail!("there is no store: set [store] folder in {}", self.config.display());
            };
            let made = store.invite_tour_editor(&place.tenant, &self.tour, "cli").await;
            let (id, link) = made.context("failed to make a link")?;
            let entry = Entry {
                who: "command line".to_owned(),
                site: site.name.clone(),
                action: "tours.edit".to_owned(),
                subject: id,
                result: "done".to_owned(),
                detail: json!({ "tour": self.tour, "host": place.host }),
                ..Entry::default()
            };
            store.audit(&entry).await.context("failed to write it down")?;
            store.close().await;
            let scheme = if config.listen.https.is_empty() { "http" } else { "https" };
            let host = place.host.unwrap_or_else(|| "YOUR-HOST".to_owned());
            say!("{scheme}://{host}{LINKS}{}", link.expose_secret())?;
            remark!("This is shown once, and opens once, within three days.");
            Ok(())
        })
    }
}
