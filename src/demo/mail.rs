//! The mail sink: what a real instance would have sent, kept to be looked at. Nothing leaves.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Mails kept; the oldest goes first.
const MAX_MAILS: usize = 10_000;

/// A mail that would have been sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mail {
    /// What it does: `REQUEST`, `CANCEL` or `REPLY`.
    pub method: String,
    /// Who it answers to: the organiser's or guest's address.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// The event's UID.
    pub uid: String,
    /// The event's title.
    pub summary: String,
}

/// All mails.
#[derive(Debug, Default)]
pub(super) struct Mails(Mutex<Vec<Mail>>);

impl Mails {
    pub(super) fn send(&self, mail: Mail) {
        let mut kept = self.lock();
        if kept.len() >= MAX_MAILS {
            kept.remove(0);
        }
        kept.push(mail);
    }

    pub(super) fn all(&self) -> Vec<Mail> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Mail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
