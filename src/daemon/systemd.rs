//! What systemd is told: when the daemon is ready, reloads and ends, and that it lives.

use super::setup::{CurrentSetup, DaemonSetup};
use super::signals::ControlSignal;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// How long a start may go on from here: the database is not there yet.
const STARTING: Duration = Duration::from_mins(2);

/// That the daemon waits for its database: that is no reason to end it.
pub(super) fn starting() {
    let more = u32::try_from(STARTING.as_micros()).unwrap_or(u32::MAX);
    notify_systemd(&[
        NotifyState::ExtendTimeoutUsec(more),
        NotifyState::Status("waiting for the database"),
    ]);
}

/// That it is at work, under the configuration that it read last.
pub(super) fn ready() {
    notify_systemd(&[NotifyState::Ready, NotifyState::Status("at work")]);
}

/// What it was asked to do.
pub(super) fn notify_signal(asked: ControlSignal) {
    let now = NotifyState::monotonic_usec_now().ok();
    match asked {
        ControlSignal::End => notify_systemd(&[NotifyState::Stopping]),
        ControlSignal::Reload => {
            let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(now).collect();
            notify_systemd(&states);
        }
    }
}

/// Says that the daemon lives, as often as systemd wants to hear it, while its doors are open and no
/// pass hangs: who is not heard of is started anew.
pub(super) async fn watchdog(current: Arc<CurrentSetup>, doors: AbortHandle) {
    let Some(every) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut hung = None;
    loop {
        tokio::time::sleep(every / 2).await;
        let hangs = if doors.is_finished() {
            Some("no longer serving".to_owned())
        } else {
            stuck_source(&current.get())
        };
        match &hangs {
            None => notify_systemd(&[NotifyState::Watchdog]),
            Some(what) if hangs != hung => {
                tracing::error!("{what}; no longer reporting to systemd");
            }
            Some(_) => {}
        }
        hung = hangs;
    }
}

/// The first source whose pass does not end.
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
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}
