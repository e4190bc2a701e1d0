//! `passeur sites`: what to do at a site, once.
//!
//! `passeur sites appapi SITE` prints how to register Passeur as an external app of a site's
//! Nextcloud, and looks whether it is. It looks once: each look with a wrong secret counts as an
//! attempt to break in there.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::say::{self, say};
use super::{exit, running};
use crate::config::checked::{Config, Endpoint, HostPattern, Site};
use crate::nextcloud::{Credentials, Error, Instance, principal, properties};
use crate::upstream::causes;

/// What to do at the Nextcloud of a site
#[derive(Debug, clap::Args)]
pub(super) struct Sites {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Appapi(Appapi),
}

/// Show how to register Passeur as an external app of a site, and see whether it is
#[derive(Debug, clap::Args)]
struct Appapi {
    /// The name of the site
    site: String,
    /// The main configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/passeur/passeur.toml")]
    config: PathBuf,
    /// For a wildcard site: which of its hosts
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Where this Nextcloud reaches `appapi.listen`, if not at the address that is written there
    #[arg(long, value_name = "HOST:PORT")]
    reach: Option<String>,
    /// Only look, and print nothing that is secret
    #[arg(long)]
    check: bool,
}

impl Sites {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        match self.command {
            Command::Appapi(appapi) => appapi.run(),
        }
    }
}

impl Appapi {
    fn run(self) -> anyhow::Result<u8> {
        let config = crate::config::load(&self.config)?.config;
        let site = find(&config, &self.site)?;
        let host = host(site, self.host.as_deref())?;
        let credentials = Credentials::of_site(site, &config.appapi, &host)?
            .with_context(|| no_secret(&self.site))?;
        let https = !config.listen.https.is_empty() && site.redirect_to_https;
        let instance = Instance::of_site(site, &host, https)?;
        if !self.check {
            let reach = self.reach(&config)?;
            print(&instance, &credentials, &reach)?;
        }
        running::block_on(async move {
            match look(&instance, &credentials, &site.access.admin).await {
                Ok(release) => {
                    say!("It works: Passeur acts for the accounts of Nextcloud {release}.")?;
                    Ok(0)
                }
                Err(problem) => {
                    say!("It does not work yet: {problem:#}.")?;
                    Ok(exit::LIVE)
                }
            }
        })
    }

    /// Host and port at which Nextcloud finds the listener.
    fn reach(&self, config: &Config) -> anyhow::Result<(String, u16)> {
        let Some(listen) = &config.appapi.listen else {
            bail!(
                "Nextcloud has to reach Passeur when the app is registered: set `listen` in [appapi] \
                 of {}, and start Passeur",
                self.config.display()
            );
        };
        match (&self.reach, listen) {
            (Some(reach), _) => {
                let (host, port) = reach.rsplit_once(':').context("--reach wants HOST:PORT")?;
                Ok((host.to_owned(), port.parse().context("--reach wants HOST:PORT")?))
            }
            (None, Endpoint::Tcp(address)) if is_somewhere(address) => {
                Ok((address.ip().to_string(), address.port()))
            }
            _ => bail!(
                "`appapi.listen` is `{listen}`, which tells Nextcloud no address: say with \
                 --reach HOST:PORT where it finds this"
            ),
        }
    }
}

/// AppAPI cuts addresses at the first colon, so one of IPv6 cannot be told to it.
fn is_somewhere(address: &SocketAddr) -> bool {
    address.is_ipv4() && !address.ip().is_unspecified() && address.port() != 0
}

fn find<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Site> {
    let Some(site) = config.sites.iter().find(|site| site.name == name) else {
        let near = config.sites.iter().map(|site| site.name.as_str());
        let near = near.min_by_key(|known| strsim::damerau_levenshtein(known, name));
        match near {
            Some(near) => bail!("there is no site `{name}`; did you mean `{near}`?"),
            None => bail!("there is no site `{name}`, nor any other"),
        }
    };
    Ok(site)
}

/// The name that the instance is asked by.
fn host(site: &Site, given: Option<&str>) -> anyhow::Result<String> {
    if let Some(given) = given {
        return Ok(given.to_ascii_lowercase());
    }
    match site.hosts.first() {
        Some(HostPattern::Exact(host)) => Ok(host.clone()),
        _ => bail!("`{}` has many hosts: say with --host which one is meant", site.name),
    }
}

fn no_secret(site: &str) -> String {
    format!(
        "there is no secret for `{site}`: set `secret` in [appapi] of passeur.toml, for all sites, \
         or in [access.appapi] of the site's file"
    )
}

fn print(
    instance: &Instance,
    credentials: &Credentials,
    (host, port): &(String, u16),
) -> Result<(), say::Failure> {
    let Credentials::AppApi { id, version, secret } = credentials else { return Ok(()) };
    let info = json!({
        "id": id,
        "name": "Passeur",
        "daemon_config_name": "passeur",
        "version": version,
        "secret": secret.expose_secret(),
        "port": port,
    });
    say!("Once, where `occ` of this Nextcloud is, while Passeur runs:\n")?;
    say!(
        "  occ app_api:daemon:register passeur Passeur manual-install http {} {}",
        quote(host),
        quote(&instance.address())
    )?;
    say!(
        "  occ app_api:app:register {} passeur --json-info {} --wait-finish\n",
        quote(id),
        quote(&info.to_string())
    )?;
    say!("The second line holds the secret: with it, one can be any account there.\n")
}

/// For a shell.
fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// Whether the instance lets Passeur act: the release, or what to do.
async fn look(
    instance: &Instance,
    credentials: &Credentials,
    admin: &str,
) -> anyhow::Result<String> {
    let status = instance.status().await.map_err(|error| {
        anyhow::anyhow!("{} cannot be reached ({})", instance.address(), causes(&error))
    })?;
    if status.maintenance {
        bail!("{} is in maintenance mode", instance.address());
    }
    let acting = instance.acting(admin, credentials);
    let dav = acting.dav().find(&principal(admin)?, &[properties::DISPLAY_NAME]).await;
    match dav.map_err(Error::from) {
        Err(error) if error.is_refused() => bail!(
            "Nextcloud {} refuses the secret, the app is not registered or is off, or there is no \
             account `{admin}` (access.admin)",
            status.release
        ),
        other => other.map(drop)?,
    }
    match acting.ocs().apps().await {
        Ok(_) => Ok(status.release),
        Err(Error::Ocs { code: 403, .. }) => {
            bail!("`{admin}` is no admin there; name one as `admin` in [access]")
        }
        Err(error) if error.is_refused() => bail!("`{admin}` is disabled there"),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_pasted() {
        assert_eq!(quote("https://a.example/x"), "https://a.example/x");
        assert_eq!(quote("{\"a\":\"it's\"}"), "'{\"a\":\"it'\\''s\"}'");
    }
}
