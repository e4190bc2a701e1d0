//! `passeur demo`: everything at once, to try it out: a stand-in for Nextcloud with sample accounts
//! and data, and Passeur in front of it with a certificate made on the spot.

mod commands;

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::say::say;
use super::{Extras, Server, running, running::Stop};
use crate::config::checked::{
    self, Access, Admin, Cloud, Config, Endpoint, HostPattern, SecretSource, Target, TargetAddress,
    UpstreamGroup,
};
use crate::demo::{Account, ExternalApp, Options, StandIn};
use crate::tls::{Certificates, self_signed};

/// Try everything with a small stand-in for Nextcloud
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Where to listen for plain HTTP; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Where to listen for HTTPS
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    https: SocketAddr,
    /// Where to listen for operators: health and metrics
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9180")]
    admin: SocketAddr,
    /// Keep the stand-in's accounts and data in this folder, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run a second stand-in beside it, the site demo2, to hand things over to another instance
    #[arg(long)]
    second: bool,
    /// Let a second person approve each hand-over
    #[arg(long)]
    approval: bool,
    /// Print one line of JSON instead of text for people
    #[arg(long)]
    json: bool,
    /// Take commands for tests from standard input, one JSON object a line
    #[arg(long, hide = true)]
    commands: bool,
}

/// What is printed about a demo that runs.
#[derive(serde::Serialize)]
struct Started {
    http: String,
    https: String,
    admin: String,
    upstream: String,
    /// The second stand-in's own address; as a site it answers to `demo2.localhost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    second: Option<String>,
    admin_token: String,
    accounts: Vec<Person>,
}

/// A stand-in, ready to be served, and where the secret is that lets Passeur act for its accounts.
struct Stage {
    stand: Arc<StandIn>,
    listener: tokio::net::TcpListener,
    address: SocketAddr,
    secret: PathBuf,
}

#[derive(serde::Serialize)]
struct Person {
    uid: String,
    password: String,
    admin: bool,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<()> {
        // Removed when the demo ends.
        let temporary = match &self.data {
            Some(_) => None,
            None => Some(tempfile::tempdir().context("failed to make a temporary folder")?),
        };
        let folder = self.data.clone().or(temporary.as_ref().map(|dir| dir.path().to_owned()));
        let folder = folder.unwrap_or_default();
        running::block_on(async {
            let stop = Stop::listen()?;
            let first = Stage::open(&folder).await?;
            let second = match self.second {
                true => Some(Stage::open(&folder.join(".second")).await?),
                false => None,
            };
            let token = token()?;
            let extras = Extras {
                certificates: Some(certificate()?),
                admin_token: Some(token.clone().into()),
                ..Extras::with_tours(super::tours::tours(None)?)
            };
            let config = self.config(&folder, &first, second.as_ref());
            let server = Server::start_with(config, extras).await?;
            let started = self.started(&server, &first, second.as_ref(), token);
            let stand = Arc::clone(&first.stand);
            let serving: Vec<_> =
                [Some(first), second].into_iter().flatten().map(Stage::serve).collect();
            self.print(&started)?;
            let obeying = self.commands.then(|| tokio::spawn(commands::obey(stand)));
            stop.wait().await;
            if let Some(obeying) = obeying {
                obeying.abort();
            }
            running::stop(server).await;
            for (stand, serving) in serving {
                serving.abort();
                stand.close().await;
            }
            Ok(())
        })
    }

    fn config(&self, folder: &Path, first: &Stage, second: Option<&Stage>) -> Config {
        let mut site = first.site("demo", Vec::new());
        site.access.hand_over_to = second
            .iter()
            .map(|second| Cloud { target: second.target(), folder: String::new() })
            .collect();
        site.tours.enabled = true;
        site.transfers.approval = self.approval;
        let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
        if let Some(second) = second {
            let host = HostPattern::Exact("demo2.localhost".to_owned());
            config.sites.push(Arc::new(second.site("demo2", vec![host])));
        }
        config.listen.http = vec![Endpoint::Tcp(self.http)];
        config.listen.https = vec![Endpoint::Tcp(self.https)];
        config.store.folder = Some(folder.join(".store"));
        config.admin = Admin { listen: Some(Endpoint::Tcp(self.admin)), token: None };
        config
    }

    fn started(
        &self,
        server: &Server,
        first: &Stage,
        second: Option<&Stage>,
        admin_token: String,
    ) -> Started {
        let person = |Account { uid, password, admin }| Person { uid, password, admin };
        Started {
            http: format!("http://{}", server.http().unwrap_or(self.http)),
            https: format!("https://{}", server.https().unwrap_or(self.https)),
            admin: format!("http://{}", server.admin().unwrap_or(self.admin)),
            upstream: format!("http://{}", first.address),
            second: second.map(|second| format!("http://{}", second.address)),
            admin_token,
            accounts: first.stand.accounts().into_iter().map(person).collect(),
        }
    }

    fn print(&self, started: &Started) -> anyhow::Result<()> {
        if self.json {
            say!("{}", serde_json::to_string(started).context("failed to write JSON")?)?;
            return Ok(());
        }
        let Started { http, https, admin, upstream, second, admin_token, accounts } = started;
        say!("Passeur carries a stand-in for Nextcloud ({upstream}) at\n")?;
        say!("  {https}   (the certificate is made on the spot: your browser will ask)")?;
        say!("  {http}\n")?;
        if let Some(second) = second {
            say!("A second one ({second}), the site demo2, answers to demo2.localhost.\n")?;
        }
        say!("Accounts:")?;
        for Person { uid, password, admin } in accounts {
            say!("  {uid:<8} {password}{}", if *admin { "   (admin)" } else { "" })?;
        }
        let Some(someone) = accounts.iter().find(|person| !person.admin) else { return Ok(()) };
        let Person { uid, password, .. } = someone;
        say!("\nFour things to try:")?;
        say!("  1. Open {http}/ in a browser and log in as {uid}.")?;
        say!("  2. Sync a folder, as the desktop client does, or list it:")?;
        say!("       nextcloudcmd --non-interactive -u {uid} -p {password} FOLDER {http}")?;
        say!("       curl -u {uid}:{password} -X PROPFIND {http}/remote.php/dav/files/{uid}/")?;
        say!("  3. See what was counted:")?;
        say!("       curl -H 'Authorization: Bearer {admin_token}' {admin}/metrics")?;
        say!("  4. Hand over what alice has to bob: first the plan, then all of it:")?;
        say!("       export PASSEUR_URL={admin} PASSEUR_TOKEN={admin_token}")?;
        say!("       passeur transfer plan --site demo --source alice --recipient bob")?;
        say!("       passeur transfer run --site demo --source alice --recipient bob")?;
        say!("\nCtrl-C ends it.")?;
        Ok(())
    }
}

impl Stage {
    async fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to make the folder {}", folder.display()))?;
        let secret = folder.join(".appapi-secret");
        let source = SecretSource::File(secret.clone());
        keep_secret(&secret)?;
        let text = secrecy::ExposeSecret::expose_secret(&source.read()?).to_owned();
        let app = ExternalApp { id: Access::default().app, secret: text };
        let options = Options { app: Some(app), ..Options::default() };
        let stand = StandIn::open(folder, options).await?;
        let listener = StandIn::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr().context("failed to listen")?;
        Ok(Self { stand, listener, address, secret })
    }

    fn target(&self) -> Target {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        Target { tls: false, http2: false, address: TargetAddress::Tcp { host, port } }
    }

    fn site(&self, name: &str, hosts: Vec<HostPattern>) -> checked::Site {
        let mut site = checked::Site::to(name, hosts, UpstreamGroup::to(self.target()));
        // Both doors stay open, so that each can be tried.
        site.redirect_to_https = false;
        site.access.app_secret = Some(SecretSource::File(self.secret.clone()));
        site
    }

    fn serve(self) -> (Arc<StandIn>, tokio::task::JoinHandle<Result<(), crate::demo::Error>>) {
        let serving = Arc::clone(&self.stand).serve(self.listener, std::future::pending());
        (self.stand, tokio::spawn(serving))
    }
}

/// A secret for an external app, made at the first start, for its owner to read alone.
fn keep_secret(path: &Path) -> anyhow::Result<()> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(mut file) => writeln!(file, "{}", token()?),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(e) => Err(e),
    }
    .with_context(|| format!("failed to keep a secret in {}", path.display()))
}

fn certificate() -> anyhow::Result<Certificates> {
    let hosts = ["localhost", "demo2.localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let (certificate, key) =
        self_signed::generate(&hosts).context("failed to make a certificate")?;
    Ok(Certificates::from_pem(certificate.as_bytes(), key.as_bytes())?)
}

/// A token for the operator's listener, new at each start.
fn token() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
