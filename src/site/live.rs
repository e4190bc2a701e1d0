//! What others set for a site while it runs: holds, and accounts shown as others.
//!
//! It is kept by the name of the site and carried over reloads. Requests look at it with one atomic
//! load where nothing is set. A [`Hold`] ends when it is released or when its time is over, whatever
//! becomes of who set it; what it holds are requests that write, never those that read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::dav::multistatus::OwnerRule;
use crate::dav::resource::Resource;

/// The live state of every site, by name.
#[derive(Default)]
pub struct Lives(Mutex<HashMap<String, Arc<Live>>>);

/// The live state of one site.
#[derive(Default)]
pub struct Live {
    set: Mutex<Set>,
    holds: ArcSwapOption<Vec<Held>>,
    owners: ArcSwapOption<Vec<OwnerRule>>,
}

/// What was set, by the name that whoever set it gave.
#[derive(Default)]
struct Set {
    holds: HashMap<String, Held>,
    owners: HashMap<String, Vec<OwnerRule>>,
}

/// Trees that nobody may write into for a while.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    /// What is held.
    pub trees: Vec<Tree>,
    /// How long at most, from now.
    pub time: Duration,
}

/// A tree of an account, or what a link leads to.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Tree {
    /// A folder or file with all below it.
    Files {
        /// The account in whose files it is seen: where others see it too, by a share, they are
        /// held by trees of their own.
        account: String,
        /// Names from the account's root down, joined by `/`; empty for everything.
        path: String,
    },
    /// A calendar, also where others see it as shared.
    Calendar {
        /// The account that owns it.
        account: String,
        /// Its name in the path.
        uri: String,
    },
    /// An address book, also where others see it as shared.
    AddressBook {
        /// The account that owns it.
        account: String,
        /// Its name in the path.
        uri: String,
    },
    /// What a public link leads to.
    Link {
        /// Its token.
        token: String,
    },
}

/// How a request that meets a hold is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// 423: clients of files leave this one alone and come back to it.
    Locked,
    /// 503 with `Retry-After`: for clients that would give up, or try again at once, after 423.
    Busy {
        /// When the hold ends at the latest.
        after: Duration,
    },
}

#[derive(Clone, Debug)]
struct Held {
    trees: Vec<Tree>,
    until: Instant,
}

/// What a request would write to.
#[derive(Clone, Debug)]
pub struct Write<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Whether what is below it is written to as well: moved away, deleted, replaced.
    pub whole: bool,
    /// The account, as far as the request says it outside of its path.
    pub login: Option<&'a str>,
}

// === impl Lives ===

impl Lives {
    /// The live state of a site; made if nobody asked for it before.
    #[must_use]
    pub fn of(&self, site: &str) -> Arc<Live> {
        let mut lives = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match lives.get(site) {
            Some(live) => Arc::clone(live),
            None => Arc::clone(lives.entry(site.to_owned()).or_default()),
        }
    }
}

// === impl Live ===

impl Live {
    /// Holds trees; a hold of the same name is replaced, which is also how it is made longer.
    pub fn hold(&self, name: &str, hold: Hold) {
        let until = Instant::now() + hold.time;
        self.change(|set| {
            set.holds.insert(name.to_owned(), Held { trees: hold.trees, until });
        });
    }

    /// Ends a hold.
    pub fn release(&self, name: &str) {
        self.change(|set| {
            set.holds.remove(name);
        });
    }

    /// The holds that have not ended: name, trees, time left.
    #[must_use]
    pub fn holds(&self) -> Vec<(String, Hold)> {
        let now = Instant::now();
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = set.holds.iter().filter(|(_, held)| held.until > now);
        holds
            .map(|(name, held)| {
                let (trees, time) = (held.trees.clone(), held.until - now);
                (name.clone(), Hold { trees, time })
            })
            .collect()
    }

    /// Shows accounts as others in multistatus answers; rules of the same name are replaced.
    pub fn show_owners(&self, name: &str, rules: Vec<OwnerRule>) {
        self.change(|set| {
            set.owners.insert(name.to_owned(), rules);
        });
    }

    /// Ends the rules of a name.
    pub fn unshow_owners(&self, name: &str) {
        self.change(|set| {
            set.owners.remove(name);
        });
    }

    /// Whether anything is held; asked for every request.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.holds.load().is_some()
    }

    /// How a request that writes has to be answered, if something holds it.
    #[must_use]
    pub fn held(&self, write: &Write<'_>) -> Option<Answer> {
        let holds = self.holds.load();
        let now = Instant::now();
        let held = holds.iter().flat_map(|holds| holds.iter()).filter(|held| held.until > now);
        let until = held
            .filter(|held| held.trees.iter().any(|tree| tree.holds(write)))
            .map(|held| held.until)
            .max()?;
        Some(match write.resource {
            Resource::Files { .. } | Resource::Link { .. } => Answer::Locked,
            _ => Answer::Busy { after: until - now },
        })
    }

    /// Whether there are owner rules; asked for every request.
    #[must_use]
    pub fn shows_owners(&self) -> bool {
        self.owners.load().is_some()
    }

    /// The owner rules; `None` if there are none.
    #[must_use]
    pub fn owners(&self) -> Option<Arc<Vec<OwnerRule>>> {
        self.owners.load_full()
    }

    fn change(&self, change: impl FnOnce(&mut Set)) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut set);
        let now = Instant::now();
        set.holds.retain(|_, held| held.until > now);
        let holds: Vec<_> = set.holds.values().cloned().collect();
        self.holds.store((!holds.is_empty()).then(|| Arc::new(holds)));
        let mut owners: Vec<_> = set.owners.iter().collect();
        owners.sort_by_key(|(name, _)| *name);
        let owners: Vec<_> = owners.into_iter().flat_map(|(_, rules)| rules.clone()).collect();
        if owners != self.owners.load().as_deref().cloned().unwrap_or_default() {
            self.owners.store((!owners.is_empty()).then(|| Arc::new(owners)));
        }
    }
}

// === impl Tree ===

impl Tree {
    /// Whether a write touches what is in this tree.
    fn holds(&self, write: &Write<'_>) -> bool {
        match (self, write.resource) {
            (Tree::Files { account, path }, Resource::Files { account: of, path: to }) => {
                let account_is = match (of, write.login) {
                    (Some(of), _) => of == account,
                    // Old addresses: a login name that is clearly another account's is let through.
                    (None, Some(login)) => login == account || login.contains('@'),
                    (None, None) => true,
                };
                account_is && touches(path, to, write.whole)
            }
            (Tree::Files { account, .. }, Resource::Bulk) => {
                write.login.is_none_or(|login| login == account || login.contains('@'))
            }
            (Tree::Calendar { account, uri }, Resource::Calendar { account: of, uri: to })
            | (
                Tree::AddressBook { account, uri },
                Resource::AddressBook { account: of, uri: to },
            ) => {
                (of == account && (to == uri || (to.is_empty() && write.whole)))
                    || (of != account && is_shared_name(to, uri, account))
            }
            (Tree::Link { token }, Resource::Link { token: to }) => {
                to.as_ref().or(write.login.map(str::to_owned).as_ref()).is_none_or(|to| to == token)
            }
            _ => false,
        }
    }
}

/// Whether writing to `to` touches the tree at `path`: it is in it, or takes it along.
fn touches(path: &str, to: &[String], whole: bool) -> bool {
    let mut tree = path.split('/').filter(|name| !name.is_empty());
    let mut to = to.iter();
    loop {
        match (tree.next(), to.next()) {
            (None, _) => return true,
            (Some(_), None) => return whole,
            (Some(name), Some(other)) if name != other => return false,
            _ => {}
        }
    }
}

/// Whether `name` is what others see a shared calendar or address book under.
fn is_shared_name(name: &str, uri: &str, account: &str) -> bool {
    name.strip_prefix(uri).and_then(|rest| rest.strip_prefix("_shared_by_")) == Some(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::resource::of_path;

    fn hold(trees: &[Tree]) -> Hold {
        Hold { trees: trees.to_vec(), time: Duration::from_secs(60) }
    }

    fn files(path: &str) -> Tree {
        Tree::Files { account: "alice".into(), path: path.into() }
    }

    fn held(live: &Live, path: &str, whole: bool, login: Option<&str>) -> bool {
        let resource = of_path(path.as_bytes()).expect("a resource");
        live.held(&Write { resource: &resource, whole, login }).is_some()
    }

    #[test]
    fn a_tree_holds_what_is_in_it_and_what_takes_it_along() {
        let live = Live::default();
        assert!(!live.is_holding());
        live.hold("1", hold(&[files("a/b")]));
        assert!(live.is_holding());
        for (path, whole, expected) in [
            ("/remote.php/dav/files/alice/a/b", false, true),
            ("/remote.php/dav/files/alice/a/b/c/d", false, true),
            ("/remote.php/dav/files/alice/a%2Fb/c", false, true),
            ("/remote.php/dav/files/alice/a", false, false),
            ("/remote.php/dav/files/alice/a", true, true),
            ("/remote.php/dav/files/alice/a/bc", false, false),
            ("/remote.php/dav/files/alice/x", true, false),
            ("/remote.php/dav/files/bob/a/b", false, false),
        ] {
            assert_eq!(held(&live, path, whole, None), expected, "{path}");
        }
        assert!(held(&live, "/remote.php/webdav/a/b", false, Some("alice")));
        assert!(held(&live, "/remote.php/webdav/a/b", false, None), "it may be alice");
        assert!(!held(&live, "/remote.php/webdav/a/b", false, Some("bob")));
        assert!(held(&live, "/remote.php/dav/bulk", false, Some("alice")));
        assert!(!held(&live, "/remote.php/dav/bulk", false, Some("bob")));
        live.release("1");
        assert!(!live.is_holding());
    }

    #[test]
    fn a_calendar_is_held_where_others_see_it() {
        let live = Live::default();
        let work = Tree::Calendar { account: "alice".into(), uri: "work".into() };
        live.hold("1", hold(&[work, Tree::Link { token: "T".into() }]));
        for (path, expected) in [
            ("/remote.php/dav/calendars/alice/work/1.ics", true),
            ("/remote.php/dav/calendars/alice/home/1.ics", false),
            ("/remote.php/dav/calendars/bob/work_shared_by_alice/1.ics", true),
            ("/remote.php/dav/calendars/bob/work/1.ics", false),
            ("/remote.php/dav/addressbooks/users/alice/work/1.vcf", false),
            ("/public.php/dav/files/T/x", true),
            ("/public.php/dav/files/U/x", false),
        ] {
            assert_eq!(held(&live, path, false, None), expected, "{path}");
        }
    }

    #[test]
    fn a_hold_ends_with_its_time() {
        let live = Live::default();
        live.hold("1", Hold { trees: vec![files("")], time: Duration::ZERO });
        assert!(!held(&live, "/remote.php/dav/files/alice/a", false, None));
        assert!(live.holds().is_empty());
    }

    #[test]
    fn owners_of_all_names_count() {
        let live = Live::default();
        let rule = |from: &str| OwnerRule {
            from: from.to_owned(),
            to: "bob".to_owned(),
            display_name: String::new(),
        };
        live.show_owners("1", vec![rule("alice")]);
        live.show_owners("2", vec![rule("carol")]);
        let froms = || live.owners().map(|rules| rules.iter().map(|r| r.from.clone()).collect());
        assert_eq!(froms(), Some(vec!["alice".to_owned(), "carol".to_owned()]));
        live.unshow_owners("1");
        live.unshow_owners("2");
        assert_eq!(froms(), None::<Vec<String>>);
    }
}
