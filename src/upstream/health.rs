//! What `status.php` says about a target.
//!
//! Maintenance and a pending upgrade are states of a site that works: such a target stays in use,
//! and its 503s pass. Only a target that cannot be reached, or answers something that is no
//! Nextcloud, is down, and then only another target that is up takes its place.

use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

/// The last known state of one target.
#[derive(Debug, Default)]
pub struct Health(AtomicU8);

/// What a probe found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum State {
    /// Not probed yet.
    #[default]
    Unknown = 0,
    /// It serves.
    Up = 1,
    /// It says that it is in maintenance mode.
    Maintenance = 2,
    /// Its code is newer than its database.
    NeedsUpgrade = 3,
    /// It cannot be reached, or is no Nextcloud.
    Down = 4,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    installed: bool,
    maintenance: bool,
    #[serde(default)]
    needs_db_upgrade: bool,
}

impl Health {
    /// The last known state.
    pub fn state(&self) -> State {
        match self.0.load(Ordering::Relaxed) {
            1 => State::Up,
            2 => State::Maintenance,
            3 => State::NeedsUpgrade,
            4 => State::Down,
            _ => State::Unknown,
        }
    }

    /// Whether requests should rather go elsewhere.
    pub fn is_down(&self) -> bool {
        self.state() == State::Down
    }

    /// Writes down a probe; says whether that changed anything.
    pub(super) fn set(&self, state: State) -> bool {
        self.0.swap(state as u8, Ordering::Relaxed) != state as u8
    }
}

impl State {
    /// A stable name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Up => "up",
            State::Maintenance => "maintenance",
            State::NeedsUpgrade => "needs_upgrade",
            State::Down => "down",
        }
    }

    /// Reads an answer of `status.php`.
    pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Self {
        if headers.contains_key("x-nextcloud-maintenance-mode") {
            return State::Maintenance;
        }
        match serde_json::from_slice::<Status>(body) {
            Ok(said) if said.maintenance => State::Maintenance,
            Ok(said) if said.needs_db_upgrade => State::NeedsUpgrade,
            Ok(said) if said.installed && status.is_success() => State::Up,
            _ => State::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: u16, maintenance_header: bool, body: &'static str) -> State {
        let mut headers = HeaderMap::new();
        if maintenance_header {
            headers.insert("x-nextcloud-maintenance-mode", http::HeaderValue::from_static("1"));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        State::of_answer(status, &headers, &Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn maintenance_is_not_down() {
        let body = r#"{"installed":true,"maintenance":true,"needsDbUpgrade":false}"#;
        assert_eq!(state(200, false, body), State::Maintenance);
        assert_eq!(state(503, true, "<html>"), State::Maintenance);
    }

    #[test]
    fn what_is_no_nextcloud_is_down() {
        assert_eq!(state(200, false, "It works!"), State::Down);
        assert_eq!(state(404, false, ""), State::Down);
        assert_eq!(state(200, false, r#"{"installed":false,"maintenance":false}"#), State::Down);
    }

    #[test]
    fn a_serving_one_is_up() {
        let body = r#"{"installed":true,"maintenance":false,"needsDbUpgrade":false}"#;
        assert_eq!(state(200, false, body), State::Up);
        let body = r#"{"installed":true,"maintenance":false,"needsDbUpgrade":true}"#;
        assert_eq!(state(200, false, body), State::NeedsUpgrade);
    }
}
