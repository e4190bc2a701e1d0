//! What tests and tours can turn on and off while the stand-in runs.
//!
//! Each switch begins as a fresh Nextcloud 34 is: no maintenance, limits for pages only, background
//! jobs run when cron would, and the first-run wizard is gone, as it is for whoever has closed it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::StandIn;
use super::mail::Mail;
use super::trouble::Trouble;

/// The switches and counters.
#[derive(Debug, Default)]
pub(super) struct Switches {
    maintenance: AtomicBool,
    limits: AtomicBool,
    jobs_at_once: AtomicBool,
    first_run_wizard: AtomicBool,
    refused: AtomicU64,
}

impl Switches {
    pub(super) fn maintenance(&self) -> bool {
        self.maintenance.load(Ordering::Relaxed)
    }

    pub(super) fn limits(&self) -> bool {
        self.limits.load(Ordering::Relaxed)
    }

    pub(super) fn jobs_at_once(&self) -> bool {
        self.jobs_at_once.load(Ordering::Relaxed)
    }

    pub(super) fn first_run_wizard(&self) -> bool {
        self.first_run_wizard.load(Ordering::Relaxed)
    }

    /// Counts a wrong password or secret.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

impl StandIn {
    /// Turns maintenance mode on or off.
    pub fn set_maintenance(&self, on: bool) {
        self.switches.maintenance.store(on, Ordering::Relaxed);
    }

    /// Whether the limits on new calendars and address books (ten an hour, 30 and 10 in all) hold for
    /// everybody. Off, they hold for pages only: 34.0.1 does not know who asks when clients and
    /// external apps make collections.
    pub fn set_limits(&self, on: bool) {
        self.switches.limits.store(on, Ordering::Relaxed);
    }

    /// Whether background jobs run as soon as they are queued, and not only by
    /// [`run_jobs`](Self::run_jobs).
    pub fn set_jobs_at_once(&self, on: bool) {
        self.switches.jobs_at_once.store(on, Ordering::Relaxed);
    }

    /// Whether pages carry the script of the first-run wizard.
    pub fn set_first_run_wizard(&self, on: bool) {
        self.switches.first_run_wizard.store(on, Ordering::Relaxed);
    }

    /// How many wrong passwords and secrets have come: what a real instance holds against an address.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.switches.refused.load(Ordering::Relaxed)
    }

    /// The mails that a real instance would have sent so far, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.all()
    }

    /// Makes trouble for requests to come.
    pub fn trouble(&self, trouble: Trouble) {
        self.troubles.add(trouble);
    }

    /// No more trouble.
    pub fn clear_troubles(&self) {
        self.troubles.clear();
    }
}
