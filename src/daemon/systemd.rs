//! Reports the state of the daemon to systemd through its notify socket: starting, ready, reloading,
//! stopping and, with `WatchdogSec=`, alive.

use super::setup::{CurrentSetup, DaemonSetup};
use super::signals::ControlSignal;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// How much more time a start asks for while the database is unreachable. Asked again with each
/// attempt.
const STARTING: Duration = Duration::from_mins(2);

/// Reports that the start waits for the database, so that systemd does not end it.
pub(super) fn starting() {
    let more = u32::try_from(STARTING.as_micros()).unwrap_or(u32::MAX);
    notify_systemd(&[
        NotifyState::ExtendTimeoutUsec(more),
        NotifyState::Status("waiting for the database"),
    ]);
}

/// Reports that the daemon is ready, at the start and after each reload.
pub(super) fn ready() {
    notify_systemd(&[NotifyState::Ready, NotifyState::Status("running")]);
}

/// Reports a stop or a reload.
pub(super) fn notify_signal(asked: ControlSignal) {
    let now = NotifyState::monotonic_usec_now().ok();
    match asked {
        ControlSignal::End => notify_systemd(&[NotifyState::Stopping]),
        ControlSignal::Reload => {
            // With `Type=notify-reload` systemd ignores a reload message without the time.
            let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(now).collect();
            notify_systemd(&states);
        }
    }
}

/// Reports that the daemon is alive, while the server runs and no pass hangs. Otherwise it stops
/// reporting, and systemd restarts the daemon.
pub(super) async fn watchdog(current: Arc<CurrentSetup>, server: AbortHandle) {
    let Some(every) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut hung = None;
    loop {
        // Twice in each period, so that one late wakeup does not end the process.
        tokio::time::sleep(every / 2).await;
        let hangs = if server.is_finished() {
            Some("no longer serving".to_owned())
        } else {
            stuck_source(&current.get())
        };
        match &hangs {
            None => notify_systemd(&[NotifyState::Watchdog]),
            // Logged once for each cause, not twice a period until systemd acts.
            Some(what) if hangs != hung => {
                tracing::error!("{what}; no longer reporting to systemd");
            }
            Some(_) => {}
        }
        hung = hangs;
    }
}

/// The first source whose pass exceeds `serve.stuckAfter`.
fn stuck_source(setup: &DaemonSetup) -> Option<String> {
    let most = setup.config.serve.stuck_after;
    let mut workers = setup.workers.values();
    let hung = workers.find(|worker| worker.pass_duration().is_some_and(|time| time > most))?;
    let most = most.as_secs();
    Some(format!(
        "source {}: a pass has been running for {most} s",
        hung.source
    ))
}

fn notify_systemd(states: &[NotifyState<'_>]) {
    // Fails where there is no systemd, which is normal.
    let _ = sd_notify::notify(states);
}
