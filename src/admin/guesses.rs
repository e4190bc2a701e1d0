//! How often a password may be guessed at a space's door, on top of the instance's own limits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Problem;

/// Wrong passwords within [`WINDOW`].
const MOST: u32 = 5;
const WINDOW: Duration = Duration::from_secs(600);
/// Accounts that are remembered at a time; beyond it, those whose window is over are forgotten.
const REMEMBERED: usize = 10_000;

/// Wrong passwords by site and account.
#[derive(Default)]
pub(super) struct Guesses(Mutex<HashMap<(String, String), Counted>>);

struct Counted {
    since: Instant,
    wrong: u32,
}

impl Guesses {
    /// Counts a try as wrong until [`right`](Self::right) says otherwise, so that many at a time
    /// count as well; refuses if there were too many.
    pub(super) fn count(&self, site: &str, who: &str) -> Result<(), Problem> {
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if guesses.len() >= REMEMBERED {
            guesses.retain(|_, counted| now - counted.since < WINDOW);
        }
        let key = (site.to_owned(), who.to_owned());
        let counted = guesses.entry(key).or_insert(Counted { since: now, wrong: 0 });
        if now - counted.since >= WINDOW {
            *counted = Counted { since: now, wrong: 0 };
        }
        if counted.wrong >= MOST {
            let detail = "Too many wrong passwords. Please try again later.";
            let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
            let left = WINDOW.saturating_sub(now - counted.since);
            return Err(Problem::new(status, "too_many_guesses", detail).after(left));
        }
        counted.wrong += 1;
        Ok(())
    }

    /// The password was right.
    pub(super) fn right(&self, site: &str, who: &str) {
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.remove(&(site.to_owned(), who.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_counted_by_account() {
        let guesses = Guesses::default();
        for _ in 0..MOST {
            assert!(guesses.count("demo", "alice").is_ok());
        }
        assert_eq!(guesses.count("demo", "alice").expect_err("refused").status, 429);
        assert!(guesses.count("demo", "bob").is_ok());
        assert!(guesses.count("other", "alice").is_ok());
        guesses.right("demo", "alice");
        assert!(guesses.count("demo", "alice").is_ok());
    }
}
