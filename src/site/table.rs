//! Host name to site.
//!
//! Exact names first, then the name below one label (`*.example.org`), then the one site that takes
//! everything, if there is one. Finding is one or two hash look-ups, whatever the number of sites.
//! A new table reuses every site of the old one whose settings did not change.

use std::collections::{HashMap, HashSet};
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
    /// Where in `sites` a name is.
    names: HashMap<String, usize>,
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
        let mut table = Table { lives: Arc::clone(&previous.lives), ..Table::default() };
        table.sites.reserve(sites.len());
        table.exact.reserve(sites.len());
        for config in sites {
            let site = match previous.named(&config.name) {
                Some(site) if Arc::ptr_eq(&site.config, config) || site.config == *config => {
                    Arc::clone(site)
                }
                _ => table.make(config)?,
            };
            table.add(site);
        }
        Ok(table)
    }

    /// A table like this one, with `changed` sites new or in the place of their namesakes, and
    /// without those that are `gone`. Costs a copy of the maps, whatever the number of changes.
    ///
    /// # Errors
    /// If a site cannot be made; this table goes on unharmed.
    pub fn with(
        &self,
        changed: &[Arc<checked::Site>],
        gone: &HashSet<&str>,
    ) -> Result<Self, Error> {
        let out: HashSet<&str> =
            changed.iter().map(|site| site.name.as_str()).chain(gone.iter().copied()).collect();
        let stays = |site: &Arc<Site>| !out.contains(site.config.name.as_str());
        let mut table = Table {
            exact: self.exact.clone(),
            wildcard: self.wildcard.clone(),
            any: self.any.clone().filter(stays),
            sites: self.sites.iter().filter(|site| stays(site)).cloned().collect(),
            names: HashMap::new(),
            lives: Arc::clone(&self.lives),
        };
        table.exact.retain(|_, entry| stays(entry.site()));
        table.wildcard.retain(|_, entry| stays(entry.site()));
        table.names = table.sites.iter().enumerate().map(place).collect();
        for config in changed {
            let site = table.make(config)?;
            table.add(site);
        }
        Ok(table)
    }

    fn make(&self, config: &Arc<checked::Site>) -> Result<Arc<Site>, Error> {
        Site::new(Arc::clone(config), &self.lives)
            .map(Arc::new)
            .map_err(|source| Error { site: config.name.clone(), source })
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
        self.names.get(name).and_then(|place| self.sites.get(*place))
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
        self.names.extend([place((self.sites.len(), &site))]);
        self.sites.push(site);
    }

    fn insert(&mut self, host: &HostPattern, entry: Entry) {
        match host {
            HostPattern::Exact(host) => self.exact.insert(host.clone(), entry),
            HostPattern::Wildcard(parent) => self.wildcard.insert(parent.clone(), entry),
        };
    }
}

fn place((index, site): (usize, &Arc<Site>)) -> (String, usize) {
    (site.config.name.clone(), index)
}

impl Entry {
    fn site(&self) -> &Arc<Site> {
        match self {
            Entry::Serve(site) | Entry::Redirect(site) => site,
        }
    }

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

    #[test]
    fn one_site_is_exchanged_for_another() {
        let before =
            [site("a", &["a.example"], &["w.example"], "a"), site("b", &["b.example"], &[], "b")];
        let first = Table::new(&before, &Table::default()).expect("a table");
        let changed = [site("a", &["c.example"], &[], "a")];
        let second = first.with(&changed, &HashSet::new()).expect("a table");
        assert_eq!(serves(&second, "c.example"), pair("a", "http://a:80"));
        assert_eq!(serves(&second, "a.example"), None);
        assert_eq!(serves(&second, "w.example"), None);
        let (old, new) = (first.named("b").expect("a site"), second.named("b").expect("a site"));
        assert!(Arc::ptr_eq(old, new));
        let third = second.with(&[], &HashSet::from(["a"])).expect("a table");
        assert_eq!((third.sites().len(), serves(&third, "c.example")), (1, None));
        assert!(third.named("a").is_none() && third.named("b").is_some());
    }
}
