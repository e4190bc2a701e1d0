//! Who asks, by the word of the instance itself, and whether that is an admin there.
//!
//! A caller is taken for an admin only if two answers agree: the account's groups hold `admin`, and
//! an admin-only call succeeds as this caller. Cookies are passed on together with the caller's own
//! `requesttoken` and without `OCS-APIRequest`, which would switch Nextcloud's own defence against
//! forged requests off. Whatever goes wrong, the caller is nobody.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, USER_AGENT,
};
use http::{Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};

use super::ocs::{self, User};
use super::{Error, Instance};
use crate::body::Body;
use crate::dav::client;

/// What a client showed to say who it is.
#[derive(Clone, Debug)]
pub struct Caller {
    shown: Shown,
    agent: Option<HeaderValue>,
    address: Option<IpAddr>,
}

#[derive(Clone, Debug)]
enum Shown {
    Authorization(HeaderValue),
    Session { cookie: HeaderValue, token: HeaderValue },
}

/// An account of the instance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Its name.
    pub uid: String,
    /// The name that people see.
    pub display_name: String,
    /// The language it reads, such as `fr`; empty if it chose none.
    pub language: String,
    /// What it may do.
    pub role: Role,
}

/// What an account may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Look after the members of these groups.
    SubAdmin {
        /// The groups.
        groups: Vec<String>,
    },
    /// Look after itself.
    Person,
}

const ADMINS: &str = "admin";

impl Caller {
    /// What a request shows: Basic or Bearer credentials, or a session with its request token.
    /// `None` if it shows neither; a cookie without token could be sent by any page.
    #[must_use]
    pub fn of(fields: &HeaderMap, address: Option<IpAddr>) -> Option<Self> {
        let shown = match fields.get(AUTHORIZATION) {
            Some(value) => Shown::Authorization(secret(value)),
            None => Shown::Session {
                cookie: secret(fields.get(COOKIE)?),
                token: secret(fields.get("requesttoken")?),
            },
        };
        Some(Self { shown, agent: fields.get(USER_AGENT).cloned(), address })
    }

    /// Whether it is a browser's session, which a page could be made to use.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(self.shown, Shown::Session { .. })
    }

    fn show(&self, fields: &mut HeaderMap) {
        match &self.shown {
            Shown::Authorization(value) => {
                fields.insert(AUTHORIZATION, value.clone());
                fields.insert("ocs-apirequest", HeaderValue::from_static("true"));
            }
            Shown::Session { cookie, token } => {
                fields.insert(COOKIE, cookie.clone());
                fields.insert("requesttoken", token.clone());
            }
        }
        if let Some(agent) = &self.agent {
            // Sessions are bound to it.
            fields.insert(USER_AGENT, agent.clone());
        }
    }
}

fn secret(value: &HeaderValue) -> HeaderValue {
    let mut value = value.clone();
    value.set_sensitive(true);
    value
}

impl Role {
    /// Whether it may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        matches!(self, Role::Admin)
    }

    /// Whether it looks after an account that is in these groups.
    #[must_use]
    pub fn looks_after(&self, groups: &[String]) -> bool {
        match self {
            Role::Admin => true,
            // An admin is not a sub-admin's to look after, whatever else it is in.
            Role::SubAdmin { groups: own } => {
                !groups.iter().any(|group| group == ADMINS)
                    && groups.iter().any(|group| own.contains(group))
            }
            Role::Person => false,
        }
    }
}

impl Instance {
    /// Who a caller is; `None` for nobody.
    ///
    /// # Errors
    /// As [`Error`] says; then nothing is known.
    pub async fn identify(&self, caller: &Caller) -> Result<Option<Identity>, Error> {
        let user: User = match self.ask_as(caller, "GET", "cloud/user", Body::Empty).await? {
            Some(data) => serde_json::from_value(data)
                .map_err(|_| client::Error::Malformed("cloud/user: another shape".to_owned()))?,
            None => return Ok(None),
        };
        if !user.enabled {
            return Ok(None);
        }
        let is_admin = user.groups.iter().any(|group| group == ADMINS)
            && self
                .ask_as(caller, "GET", "cloud/apps?filter=enabled", Body::Empty)
                .await?
                .is_some();
        let role = match is_admin {
            true => Role::Admin,
            false if !user.subadmin.is_empty() => Role::SubAdmin { groups: user.subadmin },
            false => Role::Person,
        };
        let User { id, display_name, language, .. } = user;
        Ok(Some(Identity { uid: id, display_name, language, role }))
    }

    /// Whether `password` is the password of the account that a caller is, and not one of its app
    /// passwords. Asked as the caller, so that the instance's own limits on guesses count for them.
    ///
    /// # Errors
    /// As [`Error`] says; then nothing is known.
    pub async fn confirm_password(
        &self,
        caller: &Caller,
        password: &SecretString,
    ) -> Result<bool, Error> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("password", password.expose_secret())
            .finish();
        let answer = self.ask_as(caller, "PUT", "core/apppassword/confirm", form.into()).await?;
        Ok(answer.is_some())
    }

    /// The account that a name and a password belong to; app passwords count. `None` for nobody.
    ///
    /// # Errors
    /// As [`Error`] says; then nothing is known.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &SecretString,
        address: Option<IpAddr>,
    ) -> Result<Option<Identity>, Error> {
        let pair = BASE64_STANDARD.encode(format!("{login}:{}", password.expose_secret()));
        let Ok(value) = HeaderValue::from_str(&format!("Basic {pair}")) else { return Ok(None) };
        let shown = Shown::Authorization(secret(&value));
        self.identify(&Caller { shown, agent: None, address }).await
    }

    /// An OCS call as the caller; `None` if the instance says no.
    async fn ask_as(
        &self,
        caller: &Caller,
        method: &str,
        path: &str,
        body: Body,
    ) -> Result<Option<serde_json::Value>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/ocs/v2.php/{path}", self.folder()))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .map_err(|error| client::Error::Source(error.into()))?;
        caller.show(request.headers_mut());
        let answer = self.send(request, caller.address).await?;
        match answer.status() {
            // Not logged in, not the right token, not allowed, not the right password.
            StatusCode::UNAUTHORIZED
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::FORBIDDEN
            | StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND => Ok(None),
            _ => ocs::unwrap(answer, path.to_owned()).await.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(fields: &[(&'static str, &'static str)]) -> Option<Caller> {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)));
        Caller::of(&fields.collect(), None)
    }

    #[test]
    fn a_cookie_alone_says_nothing() {
        assert!(caller(&[]).is_none());
        assert!(caller(&[("cookie", "a=b")]).is_none());
        assert!(caller(&[("requesttoken", "t")]).is_none());
        assert!(
            caller(&[("cookie", "a=b"), ("requesttoken", "t")]).is_some_and(|c| c.is_session())
        );
    }

    #[test]
    fn a_session_keeps_nextclouds_own_defence() {
        let mut fields = HeaderMap::new();
        let session = [("cookie", "a=b"), ("requesttoken", "t"), ("ocs-apirequest", "true")];
        caller(&session).expect("a caller").show(&mut fields);
        assert!(!fields.contains_key("ocs-apirequest"));
        fields.clear();
        let basic = [("cookie", "a=b"), ("authorization", "Basic eA==")];
        caller(&basic).expect("a caller").show(&mut fields);
        assert!(!fields.contains_key("cookie"));
        assert!(!format!("{fields:?}").contains("eA=="));
    }

    #[test]
    fn a_sub_admin_does_not_look_after_admins() {
        let role = Role::SubAdmin { groups: vec!["board".to_owned()] };
        let groups =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(role.looks_after(&groups(&["board", "x"])));
        assert!(!role.looks_after(&groups(&["board", "admin"])));
        assert!(!role.looks_after(&groups(&["x"])));
        assert!(!Role::Person.looks_after(&groups(&["board"])));
    }
}
