//! Keeps a browser session on one of several targets.
//!
//! Nextcloud's session cookie carries the instance id as its name (`oc` and ten more letters or
//! digits). Its value is chosen by the target that opens the session, so that target is learned
//! from `Set-Cookie`; a session that was never seen (another replica, a restart) goes to the
//! target that its value hashes to (rendezvous hashing), the same on every replica.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use http::header::{COOKIE, SET_COOKIE};

/// Sessions remembered per group.
const CAPACITY: usize = 16_384;

/// Which target each session lives on.
#[derive(Default)]
pub(super) struct Sticky {
    learned: Mutex<Learned>,
}

#[derive(Default)]
struct Learned {
    targets: HashMap<u64, usize>,
    order: VecDeque<u64>,
}

impl Sticky {
    /// The target of the session that a request belongs to, among `count`.
    pub(super) fn target(&self, request: &HeaderMap, count: usize) -> Option<usize> {
        let session = session_in(request)?;
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        match learned.targets.get(&session) {
            Some(&target) if target < count => Some(target),
            _ => (0..count).max_by_key(|&target| hash(&(session, target))),
        }
    }

    /// Remembers the session that an answer opens.
    pub(super) fn learn(&self, response: &HeaderMap, target: usize) {
        for line in response.get_all(SET_COOKIE) {
            let Some(session) = session_of_pair(line.as_bytes().split(|&b| b == b';').next())
            else {
                continue;
            };
            let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
            if learned.targets.insert(session, target).is_none() {
                learned.order.push_back(session);
            }
            if learned.order.len() > CAPACITY
                && let Some(oldest) = learned.order.pop_front()
            {
                learned.targets.remove(&oldest);
            }
        }
    }
}

fn session_in(headers: &HeaderMap) -> Option<u64> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&b| b == b';'))
        .find_map(|pair| session_of_pair(Some(pair)))
}

/// The hashed value of `pair` if its name is that of a Nextcloud session.
fn session_of_pair(pair: Option<&[u8]>) -> Option<u64> {
    let pair = pair?.trim_ascii();
    let equals = pair.iter().position(|&b| b == b'=')?;
    let (name, value) = (&pair[..equals], &pair[equals + 1..]);
    let name = name.strip_prefix(b"__Host-").unwrap_or(name);
    let is_session = name.len() == 12
        && name.starts_with(b"oc")
        && name.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (is_session && !value.is_empty()).then(|| hash(&value))
}

/// The same on every replica and after every restart.
fn hash(value: &impl std::hash::Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))])
    }

    #[test]
    fn a_session_stays_where_it_was_opened() {
        let sticky = Sticky::default();
        let request = headers(COOKIE, "nc_sameSiteCookielax=true; ocxt52yk8sp2=abc");
        for target in 0..3 {
            let opened = headers(SET_COOKIE, "ocxt52yk8sp2=abc; path=/; HttpOnly");
            sticky.learn(&opened, target);
            assert_eq!(sticky.target(&request, 3), Some(target));
        }
    }

    #[test]
    fn an_unknown_session_hashes_to_the_same_target_everywhere() {
        let request = headers(COOKIE, "__Host-ocxt52yk8sp2=srlcqh71s2ml");
        let here = Sticky::default().target(&request, 5);
        assert!(here.is_some());
        assert_eq!(here, Sticky::default().target(&request, 5));
    }

    #[test]
    fn other_cookies_are_no_session() {
        let sticky = Sticky::default();
        for cookie in ["oc_sessionPassphrase=x", "ocXT52yk8sp2=x", "ocxt52yk8sp2=", "a=b"] {
            let request = headers(COOKIE, Box::leak(cookie.to_owned().into_boxed_str()));
            assert_eq!(sticky.target(&request, 2), None, "{cookie}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let sticky = Sticky::default();
        for session in 0..CAPACITY + 10 {
            let value = format!("ocxt52yk8sp2={session}");
            let opened = HeaderMap::from_iter([(
                SET_COOKIE,
                http::HeaderValue::try_from(value).expect("a valid value"),
            )]);
            sticky.learn(&opened, 0);
        }
        let learned = sticky.learned.lock().expect("not poisoned");
        assert_eq!(learned.targets.len(), CAPACITY);
        assert_eq!(learned.order.len(), CAPACITY);
    }
}
