//! `passeur serve --config F`: the proxy of a host, by its configuration.

use std::path::PathBuf;

use super::{Extras, Server, running, running::Stop};
use crate::config::{Reloader, log_problems};
use crate::upstream::causes;

/// Serve the sites of a configuration
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// The main configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/passeur/passeur.toml")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        running::block_on(async {
            let stop = Stop::listen()?;
            let hangups = running::hangups()?;
            let (loaded, reloader) = Reloader::load(&self.config)?;
            log_problems(&loaded.warnings);
            let tours = super::tours::tours(None)?;
            let extras = Extras { reloads: Some(reloader.reloads()), ..Extras::with_tours(tours) };
            let server = Server::start_with(loaded.config, extras).await?;
            for address in server.addresses() {
                tracing::info!(%address, "listening");
            }
            let apply = |config| {
                let applied = server.apply(config);
                if let Err(error) = &applied {
                    tracing::error!(error = causes(error), "configuration not applied");
                }
                applied.is_ok()
            };
            tokio::select! {
                () = reloader.run(hangups, apply, || server.reload_certificates()) => {}
                () = stop.wait() => {}
            }
            running::stop(server).await;
            Ok(())
        })
    }
}
