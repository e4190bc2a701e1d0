//! The stand-in for Nextcloud, driven over loopback as clients drive it.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, in its helpers too")]

mod access;
mod calendars;
mod files;
mod handover;
mod scheduling;
mod sharing;
mod support;
mod trash;
