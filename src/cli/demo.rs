//! `passeur demo`: everything at once, to try it out: a stand-in for Nextcloud with sample accounts
//! and data, and Passeur in front of it with a certificate made on the spot.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::{Extras, Server, running, running::Stop};
use crate::config::checked::{
    self, Admin, Config, Endpoint, SecretSource, Target, TargetAddress, UpstreamGroup,
};
use crate::demo::{Account, ExternalApp, Options, StandIn};
use crate::tls::{Certificates, self_signed};

/// The name of Passeur as an external app of the stand-in.
const APP: &str = "passeur";

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
    /// Print one line of JSON instead of text for people
    #[arg(long)]
    json: bool,
}

/// What is printed about a demo that runs.
#[derive(serde::Serialize)]
struct Started {
    http: String,
    https: String,
    admin: String,
    upstream: String,
    admin_token: String,
    accounts: Vec<Person>,
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
            let secret = secret(&folder)?;
            let app = ExternalApp { id: APP.to_owned(), secret: secret.text };
            let options = Options { app: Some(app), ..Options::default() };
            let stand_in = StandIn::open(&folder, options).await?;
            let listener = StandIn::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            let upstream = listener.local_addr().context("failed to listen")?;
            let token = token()?;
            let extras = Extras {
                certificates: Some(certificate()?),
                admin_token: Some(token.clone().into()),
                ..Extras::default()
            };
            let server =
                Server::start_with(self.config(upstream, &folder, secret.file), extras).await?;
            let serving = Arc::clone(&stand_in).serve(listener, std::future::pending());
            let serving = tokio::spawn(serving);
            self.print(&self.started(&server, upstream, token, stand_in.accounts()))?;
            stop.wait().await;
            running::stop(server).await;
            serving.abort();
            stand_in.close().await;
            Ok(())
        })
    }

    fn config(&self, upstream: SocketAddr, folder: &Path, secret: PathBuf) -> Config {
        let address = TargetAddress::Tcp { host: upstream.ip().to_string(), port: upstream.port() };
        let target = Target { tls: false, http2: false, address };
        let mut site = checked::Site::to("demo", Vec::new(), UpstreamGroup::to(target));
        // Both doors stay open, so that each can be tried.
        site.redirect_to_https = false;
        site.access.app_secret = Some(SecretSource::File(secret));
        let mut config = Config { sites: vec![Arc::new(site)], ..Config::default() };
        config.listen.http = vec![Endpoint::Tcp(self.http)];
        config.listen.https = vec![Endpoint::Tcp(self.https)];
        config.store.folder = Some(folder.join("store"));
        config.admin = Admin { listen: Some(Endpoint::Tcp(self.admin)), token: None };
        config
    }

    fn started(
        &self,
        server: &Server,
        upstream: SocketAddr,
        admin_token: String,
        accounts: Vec<Account>,
    ) -> Started {
        let person = |Account { uid, password, admin }| Person { uid, password, admin };
        Started {
            http: format!("http://{}", server.http().unwrap_or(self.http)),
            https: format!("https://{}", server.https().unwrap_or(self.https)),
            admin: format!("http://{}", server.admin().unwrap_or(self.admin)),
            upstream: format!("http://{upstream}"),
            admin_token,
            accounts: accounts.into_iter().map(person).collect(),
        }
    }

    fn print(&self, started: &Started) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(started).context("failed to write JSON")?);
            return Ok(());
        }
        let Started { http, https, admin, upstream, admin_token, accounts } = started;
        println!("Passeur carries a stand-in for Nextcloud ({upstream}) at\n");
        println!("  {https}   (the certificate is made on the spot: your browser will ask)");
        println!("  {http}\n");
        println!("Accounts:");
        for Person { uid, password, admin } in accounts {
            println!("  {uid:<8} {password}{}", if *admin { "   (admin)" } else { "" });
        }
        let Some(someone) = accounts.iter().find(|person| !person.admin) else { return Ok(()) };
        let Person { uid, password, .. } = someone;
        println!("\nFour things to try:");
        println!("  1. Open {http}/ in a browser and log in as {uid}.");
        println!("  2. Sync a folder, as the desktop client does, or list it:");
        println!("       nextcloudcmd --non-interactive -u {uid} -p {password} FOLDER {http}");
        println!("       curl -u {uid}:{password} -X PROPFIND {http}/remote.php/dav/files/{uid}/");
        println!("  3. See what was counted:");
        println!("       curl -H 'Authorization: Bearer {admin_token}' {admin}/metrics");
        println!("  4. Hand over what alice has to bob, first only as a plan:");
        println!("       export PASSEUR_URL={admin} PASSEUR_TOKEN={admin_token}");
        println!("       passeur transfer plan --site demo --source alice --recipient bob");
        println!("\nCtrl-C ends it.");
        Ok(())
    }
}

/// The secret that Passeur and the stand-in share, as an external app has one.
struct AppSecret {
    text: String,
    file: PathBuf,
}

/// Makes the secret with the folder, once: the stand-in keeps what it was registered with.
fn secret(folder: &Path) -> anyhow::Result<AppSecret> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = folder.join("appapi.secret");
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    match made {
        Ok(mut made) => made.write_all(token()?.as_bytes()).context("failed to keep a secret")?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).context("failed to keep a secret"),
    }
    let text = std::fs::read_to_string(&file).context("failed to read a secret")?;
    Ok(AppSecret { text, file })
}

fn certificate() -> anyhow::Result<Certificates> {
    let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
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
