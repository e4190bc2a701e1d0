//! Who asks: sessions and their cookies, passwords, app passwords, AppAPI, request tokens.
//!
//! The rules are those of Nextcloud 34: a session alone may look but not act (it needs the request
//! token or `OCS-APIRequest`), a session cookie without both same-site cookies is refused outside
//! the pages, Basic credentials bind the session to DAV. Anything that does not check out is
//! nobody. Sessions live in memory and are bounded; the oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use super::http::Ask;
use super::{StandIn, mint};

/// Sessions kept; every DAV request without cookies begins one.
const MAX_SESSIONS: usize = 10_000;

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Means {
    /// Signed in on the page.
    Session,
    /// The account's own password.
    Password,
    /// An app password.
    AppPassword,
    /// An external app acting for the account.
    App,
}

/// Somebody.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) uid: String,
    pub(super) display: String,
    pub(super) admin: bool,
    pub(super) means: Means,
}

/// What a session knows.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) uid: Option<String>,
    /// Began with Basic credentials, so DAV asks for no request token.
    dav: bool,
    secret: [u8; 32],
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    inner: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<String, Session>,
    order: VecDeque<String>,
}

// === impl Sessions ===

impl Sessions {
    /// The session of that cookie.
    pub(super) fn find(&self, id: &str) -> Option<Session> {
        self.lock().sessions.get(id).cloned()
    }

    /// A new session, signed in or not.
    pub(super) fn begin(&self, uid: Option<String>, dav: bool) -> (String, Session) {
        let id = mint::small_token(26);
        let session = Session { uid, dav, secret: mint::random() };
        let mut kept = self.lock();
        while kept.order.len() >= MAX_SESSIONS {
            if let Some(oldest) = kept.order.pop_front() {
                kept.sessions.remove(&oldest);
            }
        }
        kept.order.push_back(id.clone());
        kept.sessions.insert(id.clone(), session.clone());
        (id, session)
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &str) {
        self.lock().sessions.remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Session ===

impl Session {
    /// A request token for a page, and the nonce that goes with it.
    pub(super) fn request_token(&self) -> (String, String) {
        let mask: [u8; 32] = mint::random();
        let nonce = BASE64.encode(mask);
        (format!("{}:{nonce}", BASE64.encode(xor(self.secret, mask))), nonce)
    }

    /// Whether a request token is one of this session's.
    pub(super) fn accepts(&self, token: &str) -> bool {
        let Some((masked, mask)) = token.split_once(':') else { return false };
        let decode = |part: &str| -> Option<[u8; 32]> { BASE64.decode(part).ok()?.try_into().ok() };
        match (decode(masked), decode(mask)) {
            (Some(masked), Some(mask)) => xor(masked, mask) == self.secret,
            _ => false,
        }
    }
}

fn xor(mut a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
    a
}

// === who asks ===

/// The same-site rule: a session cookie outside the pages needs both of its companions.
pub(super) fn passes_same_site(stand: &StandIn, ask: &Ask) -> bool {
    let agent = ask.header("user-agent").unwrap_or_default();
    let old = ["WebDAVFS/", "WebDAVLib/", "Microsoft-WebDAV-MiniRedir"];
    let session = ask.cookie(&stand.instance).is_some() || ask.cookie("nc_token").is_some();
    let both = ["nc_sameSiteCookielax", "nc_sameSiteCookiestrict"]
        .iter()
        .all(|name| ask.cookie(name) == Some("true"));
    !session
        || both
        || ask.header("ocs-apirequest").is_some()
        || old.iter().any(|old| agent.starts_with(old))
}

/// Whether the request proves that a page of ours made it.
pub(super) fn passes_csrf(ask: &Ask, session: Option<&Session>) -> bool {
    let token = ask.header("requesttoken").map(ToOwned::to_owned);
    ask.header("ocs-apirequest").is_some()
        || token
            .or_else(|| ask.query("requesttoken"))
            .zip(session)
            .is_some_and(|(token, session)| session.accepts(&token))
}

/// The DAV rule: a session that began on a page needs a request token to do more than look.
pub(super) fn passes_dav_csrf(ask: &Ask, session: Option<&Session>, who: &Identity) -> bool {
    who.means != Means::Session
        || matches!(ask.method(), "GET" | "HEAD" | "OPTIONS")
        || session.is_some_and(|session| session.dav)
        || passes_csrf(ask, session)
}

/// Finds out who asks.
pub(super) async fn identify(
    stand: &StandIn,
    ask: &Ask,
    session: Option<&Session>,
) -> Result<Option<Identity>, sqlx::Error> {
    let db = &stand.db.read;
    if let Some(credentials) = ask.header("authorization-app-api") {
        return by_app(stand, ask, credentials).await;
    }
    let authorization = ask.header("authorization").and_then(|value| value.split_once(' '));
    match authorization {
        Some((scheme, value)) if scheme.eq_ignore_ascii_case("basic") => {
            let decoded = BASE64.decode(value.trim()).ok().and_then(|b| String::from_utf8(b).ok());
            let Some((login, password)) = decoded.as_deref().and_then(|s| s.split_once(':')) else {
                return Ok(None);
            };
            by_password(stand, login, password).await
        }
        Some((scheme, value)) if scheme.eq_ignore_ascii_case("bearer") => {
            by_token(stand, None, value.trim()).await
        }
        _ => match session.and_then(|session| session.uid.clone()) {
            Some(uid) => account(db, &uid, Means::Session, false).await,
            None => Ok(None),
        },
    }
}

/// Checks a login name (or mail address) and a password or app password.
pub(super) async fn by_password(
    stand: &StandIn,
    login: &str,
    password: &str,
) -> Result<Option<Identity>, sqlx::Error> {
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT u.uid, u.password FROM oc_users u WHERE u.uid_lower = lower(?1) OR u.uid IN
         (SELECT userid FROM oc_preferences WHERE appid = 'settings' AND configkey = 'email'
          AND configvalue = ?1) LIMIT 1",
    )
    .bind(login)
    .fetch_optional(&stand.db.read)
    .await?;
    let Some((uid, hash)) = found else {
        stand.switches.refuse();
        return Ok(None);
    };
    if password_matches(password, &hash) {
        return account(&stand.db.read, &uid, Means::Password, false).await;
    }
    by_token(stand, Some(&uid), password).await
}

/// Whether somebody came with the password of an account that is disabled.
pub(super) async fn is_disabled(stand: &StandIn, ask: &Ask) -> Result<bool, sqlx::Error> {
    let value = ask.header("authorization").and_then(|value| value.split_once(' '));
    let decoded = value.and_then(|(_, value)| BASE64.decode(value.trim()).ok());
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let Some((login, password)) = text.split_once(':') else { return Ok(false) };
    let found: Option<(String,)> = sqlx::query_as(
        "SELECT u.password FROM oc_users u JOIN oc_preferences p ON p.userid = u.uid
         WHERE u.uid_lower = lower(?) AND p.appid = 'core' AND p.configkey = 'enabled'
           AND p.configvalue = 'false'",
    )
    .bind(login)
    .fetch_optional(&stand.db.read)
    .await?;
    Ok(found.is_some_and(|(hash,)| password_matches(password, &hash)))
}

async fn by_token(
    stand: &StandIn,
    uid: Option<&str>,
    token: &str,
) -> Result<Option<Identity>, sqlx::Error> {
    let hash = token_hash(&stand.secret, token);
    let found: Option<(String,)> = sqlx::query_as(
        "SELECT uid FROM oc_authtoken WHERE token = ? AND type = 1
         AND (expires IS NULL OR expires > ?)",
    )
    .bind(hash)
    .bind(mint::now())
    .fetch_optional(&stand.db.read)
    .await?;
    match found {
        Some((owner,)) if uid.is_none_or(|uid| uid == owner) => {
            account(&stand.db.read, &owner, Means::AppPassword, false).await
        }
        _ => {
            stand.switches.refuse();
            Ok(None)
        }
    }
}

async fn by_app(
    stand: &StandIn,
    ask: &Ask,
    credentials: &str,
) -> Result<Option<Identity>, sqlx::Error> {
    let decoded = BASE64.decode(credentials).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
    let (Some((uid, secret)), Some(app)) = (pair, &stand.app) else { return Ok(None) };
    let known = ask.header("ex-app-id") == Some(app.id.as_str())
        && ask.header("ex-app-version").is_some()
        && mint::sha256_hex(secret.as_bytes()) == mint::sha256_hex(app.secret.as_bytes());
    // DAV works for disabled accounts too, OCS does not.
    let disabled_too = ask.path.starts_with("/remote.php/");
    let found =
        if known { account(&stand.db.read, uid, Means::App, disabled_too).await? } else { None };
    if found.is_none() {
        stand.switches.refuse();
    }
    Ok(found)
}

/// The account of that name, if it may be used.
pub(super) async fn account(
    db: &SqlitePool,
    uid: &str,
    means: Means,
    disabled_too: bool,
) -> Result<Option<Identity>, sqlx::Error> {
    let found: Option<(String, String, bool, bool)> = sqlx::query_as(
        "SELECT u.uid, coalesce(u.displayname, u.uid),
           EXISTS (SELECT 1 FROM oc_group_user g WHERE g.uid = u.uid AND g.gid = 'admin'),
           NOT EXISTS (SELECT 1 FROM oc_preferences p WHERE p.userid = u.uid AND p.appid = 'core'
             AND p.configkey = 'enabled' AND p.configvalue = 'false')
         FROM oc_users u WHERE u.uid = ?",
    )
    .bind(uid)
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(|(uid, display, admin, enabled)| {
        (enabled || disabled_too).then_some(Identity { uid, display, admin, means })
    }))
}

// === passwords ===

/// A password as `oc_users` keeps it. (Not argon2: sample accounts on loopback need no memory-hard
/// function, and the column's form stays `version|hash`.)
pub(super) fn password_hash(password: &str) -> String {
    let salt = mint::token(16);
    format!("0|sha256${salt}${}", mint::sha256_hex(format!("{salt}{password}").as_bytes()))
}

/// Whether a password is the one that was hashed.
pub(super) fn password_matches(password: &str, hash: &str) -> bool {
    let mut parts = hash.strip_prefix("0|sha256$").unwrap_or_default().splitn(2, '$');
    match (parts.next(), parts.next()) {
        (Some(salt), Some(digest)) => {
            mint::sha256_hex(format!("{salt}{password}").as_bytes()) == digest
        }
        _ => false,
    }
}

/// An app password as `oc_authtoken` keeps it.
pub(super) fn token_hash(secret: &str, token: &str) -> String {
    mint::sha512_hex(format!("{token}{secret}").as_bytes())
}

/// Makes an app password.
pub(super) async fn make_app_password(
    db: &mut SqliteConnection,
    secret: &str,
    uid: &str,
    name: &str,
) -> Result<String, sqlx::Error> {
    let token = mint::token(72);
    sqlx::query(
        "INSERT INTO oc_authtoken (uid, login_name, name, token, type, version, remember,
           last_activity, last_check) VALUES (?1, ?1, ?2, ?3, 1, 2, 0, ?4, ?4)",
    )
    .bind(uid)
    .bind(name)
    .bind(token_hash(secret, &token))
    .bind(mint::now())
    .execute(db)
    .await?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_tokens_belong_to_one_session() {
        let sessions = Sessions::default();
        let (id, session) = sessions.begin(None, false);
        let (_, other) = sessions.begin(None, false);
        let (token, nonce) = session.request_token();
        assert!(token.ends_with(&nonce));
        assert!(session.accepts(&token));
        assert!(!other.accepts(&token));
        assert!(!session.accepts("x:y") && !session.accepts(""));
        sessions.end(&id);
        assert!(sessions.find(&id).is_none());
    }

    #[test]
    fn passwords_are_salted_and_checked() {
        let hash = password_hash("ferry");
        assert_ne!(hash, password_hash("ferry"));
        assert!(password_matches("ferry", &hash));
        assert!(!password_matches("Ferry", &hash));
        assert!(!password_matches("", "") && !password_matches("x", "3|$argon2id$"));
    }
}
