//! When the next pass is due, whether it may apply now, and how long to wait after a failure. All
//! functions are pure: the time and the jitter (from −1 to 1) are arguments, so tests can use any
//! clock. Start at `next_due` and `ApplyWindow::state`.

use super::state;
use crate::config::{ApplyWindow, PassTimer, Source, WindowEffect};
use crate::plan::IdleReason;
use crate::reconcile::SourceReading;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far ahead of ours the clock of another replica may be before it counts as a jump.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// How far ahead the end of a window is looked for.
const HORIZON: TimeDelta = TimeDelta::days(366);
/// The most openings and closings that are followed. A window of every second would otherwise take
/// millions of steps.
const MOST_EDGES: usize = 5_000;

/// When the next pass is due. Not after `now` if it is due at once.
///
/// A source without any pass is due at once. The interval counts from the last pass and is up to a
/// tenth shorter or longer by `jitter`, so that sources do not all run together; a schedule is kept
/// to the second. Passes that were missed, because nothing ran or the clock was set forward, are
/// made up for once. If the clock was set back (the last pass lies in the future), one pass is due
/// at once.
#[must_use]
pub fn next_due(
    trigger: &PassTimer,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    jitter: f64,
) -> DateTime<Utc> {
    // A last pass in the future would otherwise stop the source until the clock gets there.
    let Some(last) = last.filter(|last| *last <= now + SKEW) else {
        return now;
    };
    let interval = trigger
        .interval
        .and_then(|interval| last.checked_add_signed(interval + scaled(interval, 0.1 * jitter)));
    let schedule = trigger.schedule.as_ref();
    let schedule = schedule.and_then(|schedule| schedule.next_after(last));
    let earlier = [interval, schedule].into_iter().flatten().min();
    earlier.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A jitter that depends only on the source and its last pass. Asking again does not move the
/// answer, and replicas and restarts agree on it.
#[must_use]
pub fn jitter(source: &str, last: Option<DateTime<Utc>>) -> f64 {
    let last = last.map_or(0, |last| last.timestamp_millis());
    let mut hasher = blake3::Hasher::new();
    hasher.update(source.as_bytes());
    hasher.update(&last.to_le_bytes());
    let bytes = hasher.finalize();
    let drawn = u16::from_le_bytes([bytes.as_bytes()[0], bytes.as_bytes()[1]]);
    f64::from(drawn) / f64::from(u16::MAX) * 2.0 - 1.0
}

/// Whether a pass may apply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WindowState {
    /// It may apply.
    Open {
        /// When this ends; `None` if no end is in sight.
        until: Option<DateTime<Utc>>,
    },
    /// It may not apply.
    Closed {
        /// The window that denies it, as written, or the ones that would allow it.
        by: String,
        /// When this ends; `None` if no end is in sight.
        until: Option<DateTime<Utc>>,
    },
}

/// Marks every other source whose window is closed as one that writes nothing now, with the reason.
pub(super) fn note_closed(readings: &mut [SourceReading], index: usize, now: DateTime<Utc>) {
    for (at, reading) in readings.iter_mut().enumerate() {
        let state = ApplyWindow::state(&reading.source.timing.windows, now);
        reading.judged.closed = match state {
            WindowState::Closed { by, .. } if at != index => Some(IdleReason {
                why: format!("the window is closed: {by}"),
                help: format!(
                    "It is applied when the window opens. To apply it now, run `roster reconcile {} --overrule-window --reason ..`.",
                    reading.source.name
                ),
            }),
            _ => None,
        };
    }
}

impl WindowState {
    /// Whether a pass may apply.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

impl ApplyWindow {
    /// The combined state of the windows. `deny` wins over `allow`. If there is any `allow`,
    /// everything outside of all of them is closed; without windows everything is open. The start
    /// of a window belongs to it, its end does not. For `until`, windows that overlap or touch
    /// count as one.
    #[must_use]
    pub fn state(windows: &[Self], now: DateTime<Utc>) -> WindowState {
        let here = WindowVerdict::at(windows, now);
        let until = end_of_state(windows, now, here.is_open());
        match here {
            WindowVerdict::Open { .. } => WindowState::Open { until },
            WindowVerdict::Denied { by, .. } => WindowState::Closed {
                by: by.to_string(),
                until,
            },
            WindowVerdict::Outside { .. } => WindowState::Closed {
                by: outside(windows),
                until,
            },
        }
    }

    /// The end of the occurrence that covers `at`. All occurrences have the same length, so of
    /// overlapping ones the last to begin ends last.
    fn covered_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = self
            .starts
            .last_until(at)?
            .checked_add_signed(self.length)?;
        (end > at).then_some(end)
    }
}

/// The verdict of the windows at one moment, and the next moment at which it can change.
enum WindowVerdict<'a> {
    Open {
        look: Option<DateTime<Utc>>,
    },
    Denied {
        by: &'a ApplyWindow,
        look: DateTime<Utc>,
    },
    Outside {
        look: Option<DateTime<Utc>>,
    },
}

impl<'a> WindowVerdict<'a> {
    fn at(windows: &'a [ApplyWindow], at: DateTime<Utc>) -> Self {
        let of = |effect| windows.iter().filter(move |window| window.effect == effect);
        let covering =
            |effect| of(effect).filter_map(|window| Some((window.covered_until(at)?, window)));
        let starting = |effect| {
            of(effect)
                .filter_map(|window| window.starts.next_after(at))
                .min()
        };
        // If several windows deny, the one that ends last is named; on a tie, the first written.
        let denied = covering(WindowEffect::Deny).reduce(|a, b| if b.0 > a.0 { b } else { a });
        if let Some((look, by)) = denied {
            return Self::Denied { by, look };
        }
        let allowed = covering(WindowEffect::Allow).map(|(end, _)| end).max();
        if allowed.is_none() && of(WindowEffect::Allow).next().is_some() {
            let look = starting(WindowEffect::Allow);
            return Self::Outside { look };
        }
        // An open window ends when it runs out or when a `deny` begins, whichever is first.
        let look = starting(WindowEffect::Deny)
            .into_iter()
            .chain(allowed)
            .min();
        Self::Open { look }
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    fn next_change(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Open { look } | Self::Outside { look } => *look,
            Self::Denied { look, .. } => Some(*look),
        }
    }
}

/// When the state changes next, across windows that overlap or touch.
fn end_of_state(windows: &[ApplyWindow], now: DateTime<Utc>, open: bool) -> Option<DateTime<Utc>> {
    let mut at = now;
    for _ in 0..MOST_EDGES {
        at = WindowVerdict::at(windows, at).next_change()?;
        if at > now + HORIZON {
            return None;
        }
        if WindowVerdict::at(windows, at).is_open() != open {
            return Some(at);
        }
    }
    None
}

fn outside(windows: &[ApplyWindow]) -> String {
    let allows = windows
        .iter()
        .filter(|window| window.effect == WindowEffect::Allow);
    let allows: Vec<String> = allows.map(ToString::to_string).collect();
    format!("outside of {}", allows.join("; "))
}

/// The wait after failures: from 5 seconds, doubled each time, at most 5 minutes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct PassBackoff {
    failures: u32,
}

impl PassBackoff {
    /// The first wait.
    const FIRST: TimeDelta = TimeDelta::seconds(5);
    /// The longest wait. Jitter adds up to a fifth, which makes five minutes.
    const LONGEST: TimeDelta = TimeDelta::seconds(250);

    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The next failure counts as the first one again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The number of consecutive failures.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait after the last failure, up to a fifth longer by `jitter`. Zero without a failure.
    #[must_use]
    pub fn delay(&self, jitter: f64) -> TimeDelta {
        let Some(doublings) = self.failures.checked_sub(1) else {
            return TimeDelta::zero();
        };
        // 6 doublings exceed the longest wait; more would overflow the shift.
        let base = (Self::FIRST * (1 << doublings.min(6))).min(Self::LONGEST);
        base + scaled(base, 0.1 * (jitter.clamp(-1.0, 1.0) + 1.0))
    }

    /// When to try again after a failure at `at`. At once if the clock was set back since then.
    #[must_use]
    pub fn retry_at(&self, at: DateTime<Utc>, now: DateTime<Utc>, jitter: f64) -> DateTime<Utc> {
        if at > now + SKEW {
            return now;
        }
        at + self.delay(jitter)
    }
}

/// Multiplies, to whole milliseconds.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn scaled(delta: TimeDelta, factor: f64) -> TimeDelta {
    TimeDelta::milliseconds((delta.num_milliseconds() as f64 * factor) as i64)
}

/// The time of a recent pass by another replica, if this one is due only because time went by.
pub(super) fn recent_pass_elsewhere(
    state: &state::SourceState,
    source: &Source,
    triggers: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let timed = ["interval", "retry"];
    let timed = triggers.iter().all(|trigger| timed.contains(&&**trigger));
    let at = state.last_attempted.as_ref()?.at;
    // Counted with the shortest interval that any jitter gives, so that a pass which may be due is
    // never skipped.
    let due = next_due(&source.timing.trigger, Some(at), now, -1.0);
    (timed && state.failures == 0 && due > now).then_some(at)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
