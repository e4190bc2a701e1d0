//! `passeur tours preview --to URL TOUR [DIR]`: a proxy of one's own that shows a tour at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;

use crate::cli::say::{remark, say};
use crate::cli::{Extras, Server, proxy, running, running::Stop};
use crate::config::checked::{self, Config, Endpoint, Target, UpstreamGroup};

/// Show a tour at once on the pages of a Nextcloud, only to you
#[derive(Debug, clap::Args)]
pub(super) struct Preview {
    /// The id of the tour
    #[arg(value_name = "TOUR")]
    tour: String,
    /// Your folder of tours; its files are read again when they change
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The Nextcloud to show it on, e.g. http://127.0.0.1:8080
    #[arg(long, value_name = "URL", value_parser = proxy::target)]
    to: Target,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    from: SocketAddr,
}

/// How often files are looked at.
const EVERY: std::time::Duration = std::time::Duration::from_secs(1);

impl Preview {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if !self.from.ip().is_loopback() {
            bail!("a preview is for you alone: listen on 127.0.0.1 or [::1]");
        }
        running::block_on(async {
            let stop = Stop::listen()?;
            let tours = super::tours(Some(self.tour.clone()))?;
            let config = self.config();
            if let Some((_, broken)) = tours.apply(&config).into_iter().next() {
                bail!("{broken}");
            }
            if !tours.has(&self.tour) {
                bail!("there is no tour `{}`", self.tour);
            }
            let extras = Extras::with_tours(Arc::clone(&tours));
            let server = Server::start_with(config.clone(), extras).await?;
            for address in server.addresses() {
                say!("{address}")?;
            }
            tokio::select! {
                () = stop.wait() => {}
                () = follow(&tours, &config) => {}
            }
            running::stop(server).await;
            Ok(())
        })
    }

    fn config(&self) -> Config {
        let mut site = checked::Site::to("preview", Vec::new(), UpstreamGroup::to(self.to.clone()));
        site.tours.enabled = true;
        site.tours.folder.clone_from(&self.folder);
        site.tours.progress = checked::Progress::Local;
        site.tours.counters = false;
        site.tours.report_missing = 0;
        let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
        config.listen.http = vec![Endpoint::Tcp(self.from)];
        config
    }
}

/// Takes over what is written; says once what is wrong with it.
async fn follow(tours: &crate::tours::Tours, config: &Config) {
    let mut told = String::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let broken = tours.apply(config);
        let text = broken.iter().map(|(_, broken)| broken.to_string()).collect::<String>();
        if text != told && !text.is_empty() {
            remark!("{text}");
        }
        told = text;
    }
}
