//! How many collections an account may make: ten an hour, and 30 calendars or ten address books in
//! all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::Visit;
use super::store::{Kind, sql};
use crate::demo::http::Fault;
use crate::demo::identity::Means;

const AN_HOUR: Duration = Duration::from_secs(3600);
const PER_HOUR: usize = 10;

/// When who made collections of which kind.
#[derive(Debug, Default)]
pub(in crate::demo) struct Creations(Mutex<HashMap<(bool, String), VecDeque<Instant>>>);

impl Creations {
    /// Counts one more, if there may be one.
    fn count(&self, kind: Kind, uid: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = all.entry((kind == Kind::Book, uid.to_owned())).or_default();
        let now = Instant::now();
        times.retain(|time| now.duration_since(*time) < AN_HOUR);
        let room = times.len() < PER_HOUR;
        if room {
            times.push_back(now);
        }
        room
    }
}

impl Visit<'_> {
    /// Whether one more collection may be made.
    pub(super) async fn check_limits(&self) -> Result<(), Fault> {
        if self.who.means != Means::Session && !self.stand.switches.limits() {
            return Ok(());
        }
        let (most, rate, full) = match self.kind {
            Kind::Calendar => (30, "Too many calendars created", "Calendar limit reached"),
            Kind::Book => (10, "Too many addressbooks created", "AddressBook limit reached"),
        };
        if !self.stand.creations.count(self.kind, &self.who.uid) {
            return Err(Fault::Refused(StatusCode::TOO_MANY_REQUESTS, rate));
        }
        let (count,): (i64,) = sqlx::query_as(sql(
            self.kind,
            "SELECT count(*) FROM {collections} WHERE principaluri = 'principals/users/' || ?",
        ))
        .bind(&self.who.uid)
        .fetch_one(&self.stand.db.read)
        .await?;
        if count >= most { Err(Fault::Refused(StatusCode::FORBIDDEN, full)) } else { Ok(()) }
    }
}
