//! What shows an instance for whom Passeur acts, and when to stop showing it.
//!
//! A wrong secret feeds the instance's brute-force protection, which then slows down everybody
//! behind Passeur. So a credential that was answered 401 is not shown again. One case is not about
//! the credential: an external app that acts for an account which is disabled (OCS) or gone (all)
//! gets 401 as well, while others are fine. There, only this account is given up, unless the
//! credential has never worked, or fails for several accounts in a row.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Accounts in a row for which an app may be refused before it is given up.
const DOUBTS: u32 = 3;

/// A way to act for accounts.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// As an external app (AppAPI), for any account.
    AppApi {
        /// The id it is registered with.
        id: String,
        /// The version it is registered with; a higher one would be taken over.
        version: String,
        /// The secret it is registered with.
        secret: SecretString,
    },
    /// By an app password (or the password) of one account.
    AppPassword {
        /// The login name.
        uid: String,
        /// The password.
        password: SecretString,
    },
}

/// Where a credential is shown.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Surface {
    Dav,
    Ocs,
}

/// What is known of the credentials shown to one instance.
#[derive(Default)]
pub(super) struct Standing {
    known: Mutex<HashMap<[u8; 32], Record>>,
}

#[derive(Default)]
struct Record {
    proven: bool,
    given_up: bool,
    /// Refusals since it was last accepted.
    doubts: u32,
    refused_for: HashSet<(String, Surface)>,
}

// === impl Credentials ===

impl Credentials {
    /// Adds what shows that a request is made for `uid`.
    pub(super) fn show(&self, uid: &str, fields: &mut HeaderMap) {
        match self {
            Credentials::AppApi { id, version, secret } => {
                let pair = BASE64_STANDARD.encode(format!("{uid}:{}", secret.expose_secret()));
                insert(fields, "aa-version", "2.2.0", false);
                insert(fields, "ex-app-id", id, false);
                insert(fields, "ex-app-version", version, false);
                insert(fields, "authorization-app-api", &pair, true);
            }
            Credentials::AppPassword { uid, password } => {
                let pair = BASE64_STANDARD.encode(format!("{uid}:{}", password.expose_secret()));
                insert(fields, AUTHORIZATION.as_str(), &format!("Basic {pair}"), true);
            }
        }
    }

    /// Tells credentials apart without keeping them.
    fn fingerprint(&self) -> [u8; 32] {
        let (kind, name, secret) = match self {
            Credentials::AppApi { id, secret, .. } => ("app", id, secret),
            Credentials::AppPassword { uid, password } => ("password", uid, password),
        };
        let mut hash = Sha256::new();
        for part in [kind, name, secret.expose_secret()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

fn insert(fields: &mut HeaderMap, name: &'static str, value: &str, secret: bool) {
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(secret);
        fields.insert(name, value);
    }
}

// === impl Standing ===

impl Standing {
    /// Whether there is any use in showing it.
    pub(super) fn allows(&self, credentials: &Credentials, uid: &str, surface: Surface) -> bool {
        let known = self.lock();
        known.get(&credentials.fingerprint()).is_none_or(|record| {
            !record.given_up && !record.refused_for.contains(&(uid.to_owned(), surface))
        })
    }

    /// It was accepted.
    pub(super) fn accepted(&self, credentials: &Credentials) {
        let mut known = self.lock();
        let record = known.entry(credentials.fingerprint()).or_default();
        record.proven = true;
        record.doubts = 0;
    }

    /// It was refused with 401.
    pub(super) fn refused(&self, credentials: &Credentials, uid: &str, surface: Surface) {
        let mut known = self.lock();
        let record = known.entry(credentials.fingerprint()).or_default();
        record.doubts += 1;
        record.given_up |= matches!(credentials, Credentials::AppPassword { .. })
            || !record.proven
            || record.doubts >= DOUBTS;
        record.refused_for.insert((uid.to_owned(), surface));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Record>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Credentials {
        Credentials::AppApi { id: "x".into(), version: "1".into(), secret: "s".into() }
    }

    #[test]
    fn one_refusal_is_enough() {
        let standing = Standing::default();
        let password = Credentials::AppPassword { uid: "a".into(), password: "p".into() };
        standing.accepted(&password);
        standing.refused(&password, "a", Surface::Dav);
        assert!(!standing.allows(&password, "a", Surface::Ocs));
        let other = Credentials::AppPassword { uid: "a".into(), password: "q".into() };
        assert!(standing.allows(&other, "a", Surface::Ocs));

        let standing = Standing::default();
        standing.refused(&app(), "a", Surface::Dav);
        assert!(!standing.allows(&app(), "b", Surface::Dav));
    }

    #[test]
    fn a_disabled_account_does_not_stop_the_others() {
        let standing = Standing::default();
        standing.accepted(&app());
        standing.refused(&app(), "gone", Surface::Ocs);
        assert!(!standing.allows(&app(), "gone", Surface::Ocs));
        assert!(standing.allows(&app(), "gone", Surface::Dav));
        assert!(standing.allows(&app(), "b", Surface::Ocs));
        standing.accepted(&app());
        standing.refused(&app(), "b", Surface::Dav);
        standing.refused(&app(), "c", Surface::Dav);
        assert!(standing.allows(&app(), "d", Surface::Dav));
        standing.refused(&app(), "d", Surface::Dav);
        assert!(!standing.allows(&app(), "e", Surface::Dav));
    }

    #[test]
    fn no_secret_is_shown() {
        let mut fields = HeaderMap::new();
        let secret = Credentials::AppPassword { uid: "a".into(), password: "hunter2".into() };
        secret.show("a", &mut fields);
        assert!(!format!("{secret:?} {fields:?}").contains("hunter2"));
        assert!(fields.values().all(HeaderValue::is_sensitive));
    }
}
