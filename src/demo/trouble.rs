//! Trouble on demand, for tests of what must survive it: a request that fails, hangs up, is slow, or
//! does its work and loses the answer.
//!
//! A [`Trouble`] waits for requests by method and part of the path; it strikes `times` times after
//! letting `skip` pass, then it is over. Without troubles a request costs one look at an empty list.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;

/// What happens to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Harm {
    /// It is answered with that status, and nothing is done.
    Status(StatusCode),
    /// The connection is closed without an answer, and nothing is done.
    HangUp,
    /// It is done, then the connection is closed without an answer.
    LoseAnswer,
    /// It waits for that long, then goes on as usual.
    Delay(Duration),
}

/// Trouble for some requests.
#[derive(Clone, Debug)]
pub struct Trouble {
    method: Option<String>,
    path: String,
    skip: u32,
    times: u32,
    harm: Harm,
}

/// All troubles that wait.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<Vec<Trouble>>);

impl Trouble {
    /// Strikes once: the next request with that method (`*` is any) whose decoded path, without
    /// `/index.php`, has that part.
    #[must_use]
    pub fn new(method: &str, path: &str, harm: Harm) -> Self {
        let method = (method != "*").then(|| method.to_owned());
        Self { method, path: path.to_owned(), skip: 0, times: 1, harm }
    }

    /// Lets so many of these requests pass first.
    #[must_use]
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn concerns(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == method) && path.contains(&self.path)
    }
}

impl Troubles {
    pub(super) fn add(&self, trouble: Trouble) {
        self.lock().push(trouble);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// What happens to that request, by the first trouble that concerns it and strikes.
    pub(super) fn meet(&self, method: &str, path: &str) -> Option<Harm> {
        let mut waiting = self.lock();
        let mut met = None;
        for trouble in waiting.iter_mut().filter(|trouble| trouble.concerns(method, path)) {
            if trouble.skip > 0 {
                trouble.skip -= 1;
            } else if trouble.times > 0 && met.is_none() {
                trouble.times -= 1;
                met = Some(trouble.harm);
            }
        }
        waiting.retain(|trouble| trouble.times > 0);
        met
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_strikes_the_requests_it_was_made_for() {
        let troubles = Troubles::default();
        troubles.add(Trouble::new("MOVE", "/files/", Harm::HangUp).skip(1).times(2));
        assert_eq!(troubles.meet("PUT", "/files/a"), None);
        assert_eq!(troubles.meet("MOVE", "/calendars/a"), None);
        let met: Vec<_> = (0..4).map(|_| troubles.meet("MOVE", "/files/a")).collect();
        assert_eq!(met, [None, Some(Harm::HangUp), Some(Harm::HangUp), None]);
        assert!(troubles.lock().is_empty());
    }
}
