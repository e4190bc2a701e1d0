//! Who asks at a door, and what they may do there.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::nextcloud::identity::{self, Identity, Role};

/// What a token may open. `docs/operations.md` lists them for people.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look: accounts, inventories, plans, transfers, receipts.
    Read,
    /// Plan, start, pause, resume, cancel and undo transfers.
    Transfer,
    /// Approve transfers that another person started.
    Approve,
    /// Read the audit log.
    Audit,
    /// Make, list and revoke tokens.
    Tokens,
    /// Read the metrics.
    Metrics,
    /// Set and remove sites.
    Sites,
    /// Make links to the editor of tours.
    Tours,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `token NAME`, or `account UID`.
    pub who: String,
    /// From where.
    pub address: Option<IpAddr>,
    /// By which door.
    pub door: Door,
    scopes: BTreeSet<Scope>,
    /// The only sites it may touch; `None`: all.
    sites: Option<BTreeSet<String>>,
}

/// The way in.
#[derive(Clone, Debug)]
pub enum Door {
    /// The operator's listener.
    Host,
    /// A site's own origin.
    Space(Arc<Person>),
}

/// An account at a space's door.
#[derive(Debug)]
pub struct Person {
    /// Who it is by the word of the instance.
    pub identity: Identity,
    /// What it showed.
    pub shown: identity::Caller,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 8] = [
        Scope::Read,
        Scope::Transfer,
        Scope::Approve,
        Scope::Audit,
        Scope::Tokens,
        Scope::Metrics,
        Scope::Sites,
        Scope::Tours,
    ];

    fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Transfer => "transfer",
            Scope::Approve => "approve",
            Scope::Audit => "audit",
            Scope::Tokens => "tokens",
            Scope::Metrics => "metrics",
            Scope::Sites => "sites",
            Scope::Tours => "tours",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// There is no such scope.
#[derive(Debug, thiserror::Error)]
#[error("there is no scope `{}`: it is one of read, transfer, approve, audit, tokens, metrics, sites, tours, or site:NAME", .0.escape_debug())]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        let found = Scope::ALL.into_iter().find(|scope| scope.word() == word);
        found.ok_or_else(|| UnknownScope(word.chars().take(40).collect()))
    }
}

/// Reads the words of a token: scopes, and `site:NAME` for each site it is limited to.
///
/// # Errors
/// If a word is neither.
pub fn read_scopes(
    words: &[String],
) -> Result<(BTreeSet<Scope>, Option<BTreeSet<String>>), UnknownScope> {
    let mut scopes = BTreeSet::new();
    let mut sites = BTreeSet::new();
    for word in words {
        match word.strip_prefix("site:") {
            Some("") => return Err(UnknownScope(word.clone())),
            Some(site) => drop(sites.insert(site.to_owned())),
            None => drop(scopes.insert(word.parse()?)),
        }
    }
    Ok((scopes, (!sites.is_empty()).then_some(sites)))
}

impl Caller {
    /// Somebody with the token that the configuration (or the demo) names: may do everything.
    pub(super) fn operator() -> Self {
        Self {
            who: "token admin".to_owned(),
            address: None,
            door: Door::Host,
            scopes: Scope::ALL.into(),
            sites: None,
        }
    }

    /// Somebody with a token of the store. A token whose words this version does not know opens
    /// nothing.
    pub(super) fn of_token(token: &crate::store::Token) -> Self {
        let (scopes, sites) =
            read_scopes(&token.scopes).unwrap_or((BTreeSet::new(), Some(BTreeSet::new())));
        let who = format!("token {}", token.name);
        Self { who, address: None, door: Door::Host, scopes, sites }
    }

    /// An account of a site that looks after others there; `None` if it does not.
    pub(super) fn of_account(site: &str, person: Person, address: Option<IpAddr>) -> Option<Self> {
        let scopes = match person.identity.role {
            Role::Admin => {
                vec![Scope::Read, Scope::Transfer, Scope::Approve, Scope::Audit]
            }
            Role::SubAdmin { .. } => vec![Scope::Read, Scope::Transfer, Scope::Approve],
            Role::Person => return None,
        };
        Some(Self {
            who: format!("account {}", person.identity.uid),
            address,
            door: Door::Space(Arc::new(person)),
            scopes: scopes.into_iter().collect(),
            sites: Some(BTreeSet::from([site.to_owned()])),
        })
    }

    /// The same, from an address.
    pub(super) fn from(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// The words of what it may do.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        self.scopes.iter().copied().collect()
    }

    /// Whether it may do something.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it may touch a site.
    #[must_use]
    pub fn sees(&self, site: &str) -> bool {
        self.sites.as_ref().is_none_or(|sites| sites.contains(site))
    }

    /// Whether it may give somebody else these words: nobody gives what they do not have.
    pub(super) fn may_give(
        &self,
        scopes: &BTreeSet<Scope>,
        sites: Option<&BTreeSet<String>>,
    ) -> bool {
        let within = match (&self.sites, sites) {
            (None, _) => true,
            (Some(own), Some(sites)) => sites.is_subset(own),
            (Some(_), None) => false,
        };
        within && scopes.is_subset(&self.scopes)
    }

    /// The account behind it, at a space's door.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        match &self.door {
            Door::Host => None,
            Door::Space(person) => Some(person),
        }
    }

    /// Refuses who may not do something, or may not do it with this site. A site that it may not
    /// touch looks like one that is not there.
    pub(super) fn needs(&self, scope: Scope, site: Option<&str>) -> Result<(), Problem> {
        if let Some(site) = site
            && !self.sees(site)
        {
            return Err(Problem::unknown_site(site));
        }
        if !self.has(scope) {
            let detail = format!("This needs the scope `{scope}`, which these credentials lack.");
            return Err(Problem::forbidden("missing_scope", detail));
        }
        Ok(())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::unauthorized("Nobody is known to ask."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(words: &[&str]) -> Caller {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let (scopes, sites) = read_scopes(&words).expect("scopes");
        Caller { scopes, sites, ..Caller::operator() }
    }

    #[test]
    fn a_caller_may_do_what_its_words_say() {
        let reader = caller(&["read", "site:a"]);
        assert!(reader.needs(Scope::Read, Some("a")).is_ok());
        let refused = |scope, site| reader.needs(scope, site).expect_err("refused").status;
        assert_eq!(refused(Scope::Transfer, Some("a")), 403);
        assert_eq!(refused(Scope::Read, Some("b")), 404, "as if it were not there");
    }

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        let all = BTreeSet::from([Scope::Read]);
        let sites = BTreeSet::from(["a".to_owned()]);
        let limited = caller(&["read", "tokens", "site:a"]);
        assert!(limited.may_give(&all, Some(&sites)));
        assert!(!limited.may_give(&all, None));
        assert!(!limited.may_give(&BTreeSet::from([Scope::Transfer]), Some(&sites)));
        assert!(caller(&["read"]).may_give(&all, None));
    }

    #[test]
    fn words_that_are_none_are_refused() {
        for word in ["admin", "", "site:", "READ"] {
            assert!(read_scopes(&[word.to_owned()]).is_err(), "{word}");
        }
    }
}
