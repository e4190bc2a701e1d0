//! `passeur proxy --from ADDR --to URL`: one site, no file, sane defaults.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use super::Server;
use crate::config::checked::{self, Config, Endpoint, Target, TargetAddress, UpstreamGroup};

/// Carry one site, without a configuration file.
#[derive(Debug, clap::Args)]
pub(super) struct Proxy {
    /// Where to listen, plain HTTP
    #[arg(long, value_name = "ADDR")]
    from: SocketAddr,
    /// The Nextcloud behind it
    #[arg(long, value_name = "URL")]
    to: url::Url,
    /// Worker threads; 0 is one per core
    #[arg(long, default_value_t = 0)]
    workers: usize,
}

impl Proxy {
    pub(super) fn run(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (Ok(runtime), Some(target)) = (runtime, target(&self.to)) else {
            return ExitCode::from(2);
        };
        let site = checked::Site::to("site", Vec::new(), UpstreamGroup::to(target));
        let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
        config.listen.http = vec![Endpoint::Tcp(self.from)];
        config.listen.workers = self.workers;
        runtime.block_on(async {
            let Ok(server) = Server::start(config).await else { return ExitCode::FAILURE };
            println!("http://{}", server.http().map_or(self.from, |at| at));
            let _ = tokio::signal::ctrl_c().await;
            ExitCode::SUCCESS
        })
    }
}

fn target(url: &url::Url) -> Option<Target> {
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let address = TargetAddress::Tcp { host, port: url.port_or_known_default()? };
    Some(Target { tls, http2: false, address })
}
