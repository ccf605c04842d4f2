//! When the next pass is due, whether it may apply now, and how long to wait after a failure.
//!
//! Nothing here looks at a clock or rolls dice: the time and the jitter (from −1 to 1) are arguments.

use super::state;
use crate::config::{ApplyWindow, PassTimer, Source, WindowEffect};
use crate::plan::IdleReason;
use crate::reconcile::SourceReading;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far ahead of ours the clock of another replica may be before it counts as a jump.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// Further ahead nobody wants to know.
const HORIZON: TimeDelta = TimeDelta::days(366);
/// Windows that open and close more often than this within the horizon are not followed to its end.
const MOST_EDGES: usize = 5_000;

/// When the next pass is due; not after `now` when it is due at once.
///
/// A source that was never looked at is due at once. The interval counts from the start of the last
/// pass, a tenth shorter or longer by `jitter`, so that many sources do not come all together; a
/// schedule is kept to the second. What was missed while nothing ran, or because the clock was put
/// forward, comes once. When the clock was put back (the last pass lies in the future), one pass is
/// due at once and from then on all is as usual.
#[must_use]
pub fn next_due(
    trigger: &PassTimer,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    jitter: f64,
) -> DateTime<Utc> {
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

/// A jitter that stays the same as long as the source and its last pass do, so that asking again
/// does not move the answer: replicas and restarts agree on it.
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
    /// It may.
    Open {
        /// Until then; `None` when no end is in sight.
        until: Option<DateTime<Utc>>,
    },
    /// It may not.
    Closed {
        /// The window that forbids it, as written, or those outside of which this moment lies.
        by: String,
        /// Until then; `None` when no end is in sight.
        until: Option<DateTime<Utc>>,
    },
}

/// Notes of every other source whose window is closed that it writes nothing now.
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
    /// What the windows say together: `deny` wins over `allow`; with any `allow`, all outside of
    /// them is closed; without windows everything is open. A window begins with its first moment
    /// and ends before its last; windows that overlap or touch are one as far as `until` goes.
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

    /// The end of what of it covers `at`; of those that overlap the last to begin ends last.
    fn covered_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = self
            .starts
            .last_until(at)?
            .checked_add_signed(self.length)?;
        (end > at).then_some(end)
    }
}

/// What the windows say at one moment, and the next moment at which that could be otherwise.
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
        // Of two that forbid it the one that does so longest; of two equals the first written.
        let denied = covering(WindowEffect::Deny).reduce(|a, b| if b.0 > a.0 { b } else { a });
        if let Some((look, by)) = denied {
            return Self::Denied { by, look };
        }
        let allowed = covering(WindowEffect::Allow).map(|(end, _)| end).max();
        if allowed.is_none() && of(WindowEffect::Allow).next().is_some() {
            let look = starting(WindowEffect::Allow);
            return Self::Outside { look };
        }
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

/// The next moment at which it is no longer so.
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

/// How long to wait after failures: from 5 seconds, twice as long each time, at most 5 minutes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct PassBackoff {
    failures: u32,
}

impl PassBackoff {
    /// The first wait.
    const FIRST: TimeDelta = TimeDelta::seconds(5);
    /// The longest, before jitter lengthens it to five minutes at most.
    const LONGEST: TimeDelta = TimeDelta::seconds(250);

    /// One more failure.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// A success: the next failure is a first one again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long to wait now, up to a fifth longer by `jitter`; nothing without a failure.
    #[must_use]
    pub fn delay(&self, jitter: f64) -> TimeDelta {
        let Some(doublings) = self.failures.checked_sub(1) else {
            return TimeDelta::zero();
        };
        let base = (Self::FIRST * (1 << doublings.min(6))).min(Self::LONGEST);
        base + scaled(base, 0.1 * (jitter.clamp(-1.0, 1.0) + 1.0))
    }

    /// When to try again after a failure at `at`; at once when the clock was put back since.
    #[must_use]
    pub fn retry_at(&self, at: DateTime<Utc>, now: DateTime<Utc>, jitter: f64) -> DateTime<Utc> {
        if at > now + SKEW {
            return now;
        }
        at + self.delay(jitter)
    }
}

/// A part of it; whole milliseconds are fine enough.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn scaled(delta: TimeDelta, factor: f64) -> TimeDelta {
    TimeDelta::milliseconds((delta.num_milliseconds() as f64 * factor) as i64)
}

/// When another replica made the pass that is only due because time went by.
pub(super) fn recent_pass_elsewhere(
    state: &state::SourceState,
    source: &Source,
    triggers: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let timed = ["interval", "retry"];
    let timed = triggers.iter().all(|trigger| timed.contains(&&**trigger));
    let at = state.last_attempted.as_ref()?.at;
    let due = next_due(&source.timing.trigger, Some(at), now, -1.0);
    (timed && state.failures == 0 && due > now).then_some(at)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
