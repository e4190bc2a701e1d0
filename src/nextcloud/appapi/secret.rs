//! The secrets that sites know Passeur by as an external app.
//!
//! A site has a secret of its own, or one that is made of the host's: `MAC.HOST`, the MAC being
//! HMAC-SHA256 of the site's host name. So a farm keeps one secret, each instance knows only its
//! own, and one that leaks opens one instance.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::config::SecretError;
use crate::config::checked::{AppApi, Config, Site};

/// What the MACs are for, and no others.
const PURPOSE: &str = "passeur external app 1 ";

/// The secret of a site whose instance is asked by `host`; `None` if it has none.
///
/// # Errors
/// If the file, variable or credential that holds it cannot be read.
pub fn secret(site: &Site, app: &AppApi, host: &str) -> Result<Option<SecretString>, SecretError> {
    match (&site.access.app_secret, &app.secret) {
        (Some(own), _) => own.read().map(Some),
        (None, Some(source)) => Ok(Some(made(&source.read()?, host))),
        (None, None) => Ok(None),
    }
}

/// All secrets, to tell who asks.
#[derive(Default)]
pub struct Secrets {
    /// The names of sites, by the hash of their own secret.
    own: HashMap<[u8; 32], String>,
    common: Option<SecretString>,
}

impl Secrets {
    /// Reads all secrets of a configuration; sites whose secret cannot be read are left out, and
    /// said so.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut secrets = Self::default();
        if let Some(source) = &config.appapi.secret {
            secrets.common = told(source.read(), "appapi");
        }
        for site in &config.sites {
            let Some(source) = &site.access.app_secret else { continue };
            if let Some(secret) = told(source.read(), &site.name) {
                let hash = Sha256::digest(secret.expose_secret());
                secrets.own.insert(hash.into(), site.name.clone());
            }
        }
        secrets
    }

    /// The site, or the host of the site, that this is the secret of.
    #[must_use]
    pub fn site(&self, shown: &str) -> Option<String> {
        let hash: [u8; 32] = Sha256::digest(shown).into();
        if let Some(name) = self.own.get(&hash) {
            return Some(name.clone());
        }
        let (mac, host) = shown.split_once('.')?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&key(self.common.as_ref()?), message(host).as_bytes(), &mac).ok()?;
        Some(host.to_owned())
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("own", &self.own.len()).finish_non_exhaustive()
    }
}

fn made(common: &SecretString, host: &str) -> SecretString {
    let mac = hmac::sign(&key(common), message(host).as_bytes());
    format!("{}.{host}", BASE64_URL_SAFE_NO_PAD.encode(mac.as_ref())).into()
}

fn key(common: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, common.expose_secret().as_bytes())
}

fn message(host: &str) -> String {
    format!("{PURPOSE}{host}")
}

fn told(read: Result<SecretString, SecretError>, whose: &str) -> Option<SecretString> {
    read.inspect_err(|error| {
        tracing::error!(site = whose, error = crate::upstream::causes(error), "no secret");
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::checked::{SecretSource, Target, TargetAddress, UpstreamGroup};

    #[test]
    fn each_secret_opens_one_site() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            Some(SecretSource::File(path))
        };
        let nowhere = Target { tls: false, http2: false, address: TargetAddress::Unix("/".into()) };
        let mut own = Site::to("own", Vec::new(), UpstreamGroup::to(nowhere.clone()));
        own.access.app_secret = file("own", "s3cret");
        let farm = Site::to("farm", Vec::new(), UpstreamGroup::to(nowhere));
        let app = AppApi { listen: None, secret: file("common", "common") };
        let of = |site: &Site, host: &str| {
            let secret = secret(site, &app, host).expect("readable").expect("a secret");
            secret.expose_secret().to_owned()
        };
        let config = Config {
            appapi: app.clone(),
            sites: vec![Arc::new(own.clone()), Arc::new(farm.clone())],
            ..Config::default()
        };
        let secrets = Secrets::of(&config);
        assert_eq!(secrets.site("s3cret").as_deref(), Some("own"));
        assert_eq!(of(&own, "own.example"), "s3cret");
        let a = of(&farm, "a.example.net");
        assert_eq!(secrets.site(&a).as_deref(), Some("a.example.net"));
        assert_eq!(secrets.site(&a.replace("a.example", "b.example")), None);
        for wrong in ["", ".", "common", "x.a.example.net", "."] {
            assert_eq!(secrets.site(wrong), None, "{wrong}");
        }
        assert_eq!(
            secret(&farm, &AppApi::default(), "x").expect("nothing to read").map(drop),
            None
        );
    }
}
