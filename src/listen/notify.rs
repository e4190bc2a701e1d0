//! Tells systemd how it is: ready, reloading, stopping, alive.
//!
//! Without `NOTIFY_SOCKET` nothing happens. A message that cannot be sent is not worth stopping
//! for: it is logged, and systemd has its own time limits.

use std::time::Duration;

use sd_notify::NotifyState;

/// Connections are accepted; also the end of a reload.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// A reload begins. systemd wants to know when, by its own clock.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "failed to tell systemd of a reload"),
    }
}

/// A stop begins, and may take so long.
pub fn stopping(at_most: Duration) {
    let micros = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    send(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    send(&[NotifyState::Status(text)]);
}

/// Reports to systemd's watchdog for ever, if there is one. It is to run where connections are
/// accepted: if that hangs, the reports end and systemd restarts.
pub async fn watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        send(&[NotifyState::Watchdog]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "failed to notify systemd");
    }
}
