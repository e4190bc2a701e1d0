//! Host name to site.
//!
//! Exact names first, then the name below one label (`*.example.org`), then the one site that takes
//! everything, if there is one. Finding is one or two hash look-ups, whatever the number of sites.
//! A new table reuses every site of the old one whose settings did not change.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Lives, Site};
use crate::config::checked::{self, HostPattern};
use crate::tls::ClientError;

/// All sites by host.
#[derive(Default)]
pub struct Table {
    exact: HashMap<String, Entry>,
    wildcard: HashMap<String, Entry>,
    any: Option<Arc<Site>>,
    sites: Vec<Arc<Site>>,
    /// The live state of sites, also of those that a reload has changed or taken away.
    lives: Arc<Lives>,
}

#[derive(Clone)]
enum Entry {
    Serve(Arc<Site>),
    Redirect(Arc<Site>),
}

/// What a host name leads to.
pub enum Found {
    /// This site.
    Site(Arc<Site>),
    /// Another name of a site.
    Redirect {
        /// The site.
        site: Arc<Site>,
        /// The host name to use instead.
        host: String,
    },
}

/// Why a table cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to set up site {site}")]
pub struct Error {
    /// Its name.
    pub site: String,
    /// Why.
    #[source]
    pub source: ClientError,
}

impl Table {
    /// A table of `sites`, which keeps those of `previous` that are the same.
    ///
    /// # Errors
    /// If a site cannot be made; `previous` goes on unharmed.
    pub fn new(sites: &[Arc<checked::Site>], previous: &Table) -> Result<Self, Error> {
        let known: HashMap<&str, &Arc<Site>> =
            previous.sites.iter().map(|site| (site.config.name.as_str(), site)).collect();
        let mut table = Table { lives: Arc::clone(&previous.lives), ..Table::default() };
        for config in sites {
            let site = match known.get(config.name.as_str()) {
                Some(site) if site.config == *config => Arc::clone(site),
                _ => Arc::new(
                    Site::new(Arc::clone(config), &table.lives)
                        .map_err(|source| Error { site: config.name.clone(), source })?,
                ),
            };
            table.add(site);
        }
        Ok(table)
    }

    /// The site of a host name: lower case, without port or trailing dot.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<Found> {
        if let Some(entry) = self.exact.get(host) {
            return entry.found(None);
        }
        if let Some((label, parent)) = host.split_once('.')
            && let Some(entry) = self.wildcard.get(parent)
        {
            return entry.found(Some(label));
        }
        self.any.as_ref().map(|site| Found::Site(Arc::clone(site)))
    }

    /// The site with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Site>> {
        self.sites.iter().find(|site| site.config.name == name)
    }

    /// The live state of all sites; the next table has the same.
    #[must_use]
    pub fn lives(&self) -> &Arc<Lives> {
        &self.lives
    }

    /// All sites, in the order of the configuration.
    #[must_use]
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    fn add(&mut self, site: Arc<Site>) {
        if site.config.hosts.is_empty() {
            self.any = Some(Arc::clone(&site));
        }
        for host in &site.config.hosts {
            self.insert(host, Entry::Serve(Arc::clone(&site)));
        }
        for host in &site.config.redirect_from {
            self.insert(host, Entry::Redirect(Arc::clone(&site)));
        }
        self.sites.push(site);
    }

    fn insert(&mut self, host: &HostPattern, entry: Entry) {
        match host {
            HostPattern::Exact(host) => self.exact.insert(host.clone(), entry),
            HostPattern::Wildcard(parent) => self.wildcard.insert(parent.clone(), entry),
        };
    }
}

impl Entry {
    fn found(&self, label: Option<&str>) -> Option<Found> {
        match self {
            Entry::Serve(site) => match label {
                Some(label) => site.instance(label).map(Found::Site),
                None => Some(Found::Site(Arc::clone(site))),
            },
            Entry::Redirect(site) => {
                let host = match site.config.hosts.first()? {
                    HostPattern::Exact(host) => host.clone(),
                    HostPattern::Wildcard(parent) => format!("{}.{parent}", label?),
                };
                Some(Found::Redirect { site: Arc::clone(site), host })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::checked::{Target, TargetAddress, UpstreamGroup};

    fn site(name: &str, hosts: &[&str], redirects: &[&str], upstream: &str) -> Arc<checked::Site> {
        let pattern = |host: &&str| match host.strip_prefix("*.") {
            Some(parent) => HostPattern::Wildcard(parent.to_owned()),
            None => HostPattern::Exact((*host).to_owned()),
        };
        let address = TargetAddress::Tcp { host: upstream.to_owned(), port: 80 };
        let target = Target { tls: false, http2: false, address };
        let hosts = hosts.iter().map(pattern).collect();
        let mut site = checked::Site::to(name, hosts, UpstreamGroup::to(target));
        site.redirect_from = redirects.iter().map(pattern).collect();
        Arc::new(site)
    }

    fn serves(table: &Table, host: &str) -> Option<(String, String)> {
        match table.find(host)? {
            Found::Site(site) => {
                let target = site.upstream.targets()[0].target().to_string();
                Some((site.config.name.clone(), target))
            }
            Found::Redirect { host, .. } => Some(("redirect".to_owned(), host)),
        }
    }

    fn pair(a: &str, b: &str) -> Option<(String, String)> {
        Some((a.to_owned(), b.to_owned()))
    }

    #[test]
    fn exact_names_win_over_wildcards() {
        let sites = [
            site("farm", &["*.frama.example"], &["*.old.example"], "{label}.internal"),
            site("one", &["one.frama.example"], &["www.one.example"], "one"),
        ];
        let table = Table::new(&sites, &Table::default()).expect("a table");
        assert_eq!(serves(&table, "one.frama.example"), pair("one", "http://one:80"));
        assert_eq!(serves(&table, "asso.frama.example"), pair("farm", "http://asso.internal:80"));
        assert_eq!(serves(&table, "asso.old.example"), pair("redirect", "asso.frama.example"));
        assert_eq!(serves(&table, "www.one.example"), pair("redirect", "one.frama.example"));
        assert_eq!(serves(&table, "a.b.frama.example"), None, "one label only");
        assert_eq!(serves(&table, "frama.example"), None);
        assert_eq!(serves(&table, "else.example"), None);
    }

    #[test]
    fn a_label_cannot_become_another_host() {
        let sites = [site("farm", &["*.frama.example"], &[], "{label}.internal")];
        let table = Table::new(&sites, &Table::default()).expect("a table");
        for label in ["a@b", "a/b", "-a", "a-", "a_b", "", "a:1", "é"] {
            assert_eq!(serves(&table, &format!("{label}.frama.example")), None, "{label}");
        }
    }

    #[test]
    fn a_reload_keeps_what_did_not_change() {
        let before = [site("a", &["a.example"], &[], "a"), site("b", &["b.example"], &[], "b")];
        let first = Table::new(&before, &Table::default()).expect("a table");
        let after = [site("a", &["a.example"], &[], "a"), site("b", &["b.example"], &[], "other")];
        let second = Table::new(&after, &first).expect("a table");
        assert!(Arc::ptr_eq(&first.sites()[0], &second.sites()[0]));
        assert!(!Arc::ptr_eq(&first.sites()[1], &second.sites()[1]));
    }
}
