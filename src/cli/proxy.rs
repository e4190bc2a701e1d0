//! `passeur proxy --from ADDR --to URL`: one site, no file, sane defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::say::say;
use super::{Extras, Server, running, running::Stop};
use crate::config::checked::{
    self, AccessLog, Config, Endpoint, Peer, Target, TargetAddress, UpstreamGroup,
};

/// Carry one site, without a configuration file
#[derive(Debug, clap::Args)]
pub(super) struct Proxy {
    /// Where to listen for plain HTTP; port 0 lets the system choose
    #[arg(long, value_name = "ADDR")]
    from: SocketAddr,
    /// The Nextcloud behind it, e.g. http://127.0.0.1:8080
    #[arg(long, value_name = "URL", value_parser = target)]
    to: Target,
    /// Where to listen for HTTPS as well
    #[arg(long, value_name = "ADDR", requires = "certificates")]
    https: Option<SocketAddr>,
    /// Folder of certificates: NAME.crt with NAME.key, or NAME/fullchain.pem with NAME/privkey.pem
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,
    /// Proxies in front of this one, whose X-Forwarded-For is believed (repeatable)
    #[arg(long, value_name = "PEER")]
    trust: Vec<Peer>,
    /// Write a JSON line per request to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Show the guided tours that come with Passeur
    #[arg(long)]
    tours: bool,
    /// Worker threads; 0 is one per core
    #[arg(long, value_name = "N", default_value_t = 0)]
    workers: usize,
}

impl Proxy {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let extras = if self.tours {
            Extras::with_tours(super::tours::tours(None)?)
        } else {
            Extras::default()
        };
        let config = self.config();
        running::block_on(async {
            let stop = Stop::listen()?;
            let server = Server::start_with(config, extras).await?;
            for address in server.addresses() {
                say!("{address}")?;
            }
            stop.wait().await;
            running::stop(server).await;
            Ok(())
        })
    }

    fn config(self) -> Config {
        let mut site = checked::Site::to("site", Vec::new(), UpstreamGroup::to(self.to));
        site.tours.enabled = self.tours;
        let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
        config.listen.http = vec![Endpoint::Tcp(self.from)];
        config.listen.https = self.https.map(Endpoint::Tcp).into_iter().collect();
        config.listen.certificates = self.certificates;
        config.listen.trusted_hops = self.trust;
        config.listen.workers = self.workers;
        config.log.access = match self.access_log {
            None => AccessLog::Off,
            Some(path) if path.as_os_str() == "-" => AccessLog::Stdout,
            Some(path) => AccessLog::File(path),
        };
        config
    }
}

/// What `--to` means; an error is one of the command line.
pub(super) fn target(url: &str) -> anyhow::Result<Target> {
    let url = url::Url::parse(url).context("it is no URL")?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        other => bail!("its scheme is {other}; it has to be http or https"),
    };
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
        bail!("it has to be a host and port alone, without a path or a user");
    }
    let host = url.host_str().context("it names no host")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().context("it names no port")?;
    Ok(Target { tls, http2: false, address: TargetAddress::Tcp { host, port } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port() {
        for (url, shown) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://cloud.example.org", "https://cloud.example.org:443"),
            ("http://[::1]:80/", "http://[::1]:80"),
        ] {
            assert_eq!(target(url).expect("a target").to_string(), shown);
        }
        for url in ["ftp://a", "a:80", "http://a/nextcloud", "http://me@a", "http://a?b", ""] {
            assert!(target(url).is_err(), "{url}");
        }
    }
}
