//! What is told when a transfer is over: a signed call to the host's webhook, and a notification by
//! Nextcloud to both accounts. Never a mail.
//!
//! Neither is part of the transfer: that one is over and written down, whatever becomes of these.
//! Which process tells is decided by the store, which remembers what nobody was told of. A call
//! that fails is repeated over some hours while this process runs; its receiver can fetch the
//! receipt at any time, so nothing is lost with one that never comes through.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Request};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Api;
use super::work::{Clouds, admin};
use crate::body::Body;
use crate::config::checked::{Cloud, SecretSource, Transfers, UpstreamGroup};
use crate::store::now;
use crate::transfer::model::{ItemState, Receipt, State};
use crate::upstream::{Group, causes};

/// Pauses before a call is repeated.
const AGAIN: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(1800),
    Duration::from_secs(7200),
];
/// How long to wait when the store is away.
const AWAY: Duration = Duration::from_secs(5);
/// Bytes of names in a notification. Nextcloud refuses one of more than 4,000.
const LONGEST: usize = 3600;
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a call did not come through.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("failed to read the secret")]
    Secret(#[from] crate::config::SecretError),
    #[error("failed to set up TLS")]
    Tls(#[from] crate::tls::ClientError),
    #[error("failed to make the request")]
    Request(#[from] http::Error),
    #[error("the address has no host")]
    Host,
    #[error(transparent)]
    Upstream(#[from] crate::upstream::Error),
    #[error("it took longer than {} s", PATIENCE.as_secs())]
    Timeout,
    #[error("it was answered {0}")]
    Status(http::StatusCode),
}

/// Tells of every transfer that ends, for ever. Of several processes, one tells of each.
pub async fn tell_all(api: Arc<Api>) {
    loop {
        match api.transfers.ended(|site| api.clouds.transfers(site).is_some()).await {
            Ok(receipt) => {
                let clouds = Arc::clone(&api.clouds);
                tokio::spawn(async move { tell(&*clouds, &receipt).await });
            }
            Err(error) => {
                tracing::warn!(error = causes(&error), "nobody is told how transfers end");
                tokio::time::sleep(AWAY).await;
            }
        }
    }
}

async fn tell(clouds: &dyn Clouds, receipt: &Receipt) {
    let Some(settings) = clouds.transfers(&receipt.site) else { return };
    let Transfers { notify, webhook, webhook_secret, .. } = settings;
    // Nobody has to know of what never began.
    let moved = receipt.items.iter().any(|item| item.state != ItemState::Pending);
    let notified = async {
        if notify && (moved || receipt.state != State::Cancelled) {
            notify_accounts(clouds, receipt).await;
        }
    };
    let called = async {
        if let (Some(webhook), Some(secret)) = (webhook, webhook_secret) {
            call(&webhook, &secret, receipt).await;
        }
    };
    futures_util::future::join(notified, called).await;
}

async fn call(webhook: &Cloud, secret: &SecretSource, receipt: &Receipt) {
    let delivery = uuid::Uuid::now_v7().to_string();
    let kind = format!("transfer.{}", receipt.state.word());
    let body = json!({ "type": kind, "delivery": delivery, "receipt": receipt }).to_string();
    for pause in std::iter::once(Duration::ZERO).chain(AGAIN) {
        tokio::time::sleep(pause).await;
        match call_once(webhook, secret, &delivery, &body).await {
            Ok(()) => return,
            Err(error) => {
                let error = causes(&error);
                tracing::warn!(id = %receipt.id, %webhook, error, "the webhook was not heard");
            }
        }
    }
    tracing::error!(id = %receipt.id, %webhook, "the webhook was given up");
}

async fn call_once(
    webhook: &Cloud,
    secret: &SecretSource,
    delivery: &str,
    body: &str,
) -> Result<(), Error> {
    let group = Group::new(&UpstreamGroup::to(webhook.target.clone()))?;
    let path = if webhook.folder.is_empty() { "/" } else { webhook.folder.as_str() };
    let request = Request::post(path)
        .header(HOST, webhook.target.authority().ok_or(Error::Host)?)
        .header(USER_AGENT, HeaderValue::from_static("Passeur"))
        .header(CONTENT_TYPE, "application/json")
        .header("passeur-delivery", delivery)
        .header("passeur-signature", signature(&secret.read()?, now() / 1000, body))
        .body(Body::from(body.to_owned()))?;
    let answer = tokio::time::timeout(PATIENCE, group.send(request)).await;
    let answer = answer.map_err(|_| Error::Timeout)??;
    if answer.status().is_success() { Ok(()) } else { Err(Error::Status(answer.status())) }
}

/// `t=SECONDS,v1=HEX`: an HMAC-SHA256 over the time, a full stop and the body, so that an old call
/// cannot be sent again as a new one.
fn signature(secret: &SecretString, time: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={tag}")
}

async fn notify_accounts(clouds: &dyn Clouds, receipt: &Receipt) {
    if !matches!(receipt.state, State::Done | State::Failed | State::Undone) {
        return;
    }
    let Some(site) = clouds.site(&receipt.site) else { return };
    let Ok(admin) = admin(&site) else { return };
    let admin = admin.ocs();
    let mut accounts: Vec<&str> =
        receipt.items.iter().map(|item| item.recipient.as_str()).collect();
    accounts.push(&receipt.source);
    accounts.sort_unstable();
    accounts.dedup();
    for account in accounts {
        // Recipients of another instance are not known here; the next one may be.
        let user = match admin.user(account).await {
            Ok(Some(user)) => user,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(error = causes(&error), "an account was not notified");
                continue;
            }
        };
        let (subject, message) = words(receipt, account, &user.language);
        if let Err(error) = admin.notify(account, &subject, &message).await {
            tracing::warn!(error = causes(&error), "an account was not notified");
        }
    }
}

/// Subject and text, in the language of the account.
fn words(receipt: &Receipt, account: &str, language: &str) -> (String, String) {
    let Receipt { source, items, state, .. } = receipt;
    let gives = account == source;
    let names: Vec<&str> = items
        .iter()
        .filter(|item| gives || item.recipient == account)
        .map(|item| item.name.as_str())
        .collect();
    let list = listed(&names);
    let french = language.starts_with("fr");
    let subject = match (french, state, gives) {
        (true, State::Undone, _) => format!("Le transfert depuis {source} a été annulé"),
        (false, State::Undone, _) => format!("The hand-over from {source} was undone"),
        (true, State::Cancelled, _) => format!("Le transfert depuis {source} a été interrompu"),
        (false, State::Cancelled, _) => format!("The hand-over from {source} was stopped"),
        (true, State::Failed, _) => format!("Le transfert depuis {source} est incomplet"),
        (false, State::Failed, _) => format!("The hand-over from {source} is incomplete"),
        (true, _, true) => "Vos données ont été transmises".to_owned(),
        (false, _, true) => "What you had was handed over".to_owned(),
        (true, ..) => format!("{source} vous a transmis des données"),
        (false, ..) => format!("You received what {source} had"),
    };
    (subject, list)
}

/// Names with commas between them, as many as there is room for, and how many are left out.
fn listed(names: &[&str]) -> String {
    let mut list = String::new();
    for (number, name) in names.iter().enumerate() {
        if list.len() + name.len() > LONGEST {
            list.push_str(&format!(", … (+{})", names.len() - number));
            break;
        }
        list.push_str(if number == 0 { "" } else { ", " });
        list.push_str(name);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_lists_what_there_is_room_for() {
        assert_eq!(listed(&["Work", "Club"]), "Work, Club");
        let long = "é".repeat(120);
        let list = listed(&vec![long.as_str(); 1500]);
        assert!(list.len() < 4000 && list.ends_with("é, … (+1486)"), "{list}");
    }

    #[test]
    fn a_signature_is_over_time_and_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
        let expected = "t=1700000000,\
            v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
        let made = signature(&"secret".into(), 1_700_000_000, "{}");
        assert_eq!(made, expected);
        assert_ne!(made, signature(&"secret".into(), 1_700_000_001, "{}"));
        assert_ne!(made, signature(&"other".into(), 1_700_000_000, "{}"));
    }
}
