//! When passes of a source run, and when they may apply: `interval`, `schedule`, `timezone` and
//! `windows`. `daemon/schedule` computes times from it.

use super::cron::{self, CronSchedule};
use super::values::parse_duration;
use chrono::TimeDelta;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// The interval if nothing is configured.
const INTERVAL: TimeDelta = TimeDelta::minutes(5);
/// A longer interval or window is taken for a mistake.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// When passes of a source run, and when they may apply.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SourceTiming {
    /// What starts a pass.
    pub trigger: PassTimer,
    /// When a pass may apply. Always, if there are none.
    pub windows: Vec<ApplyWindow>,
}

/// What starts a pass without a request. With both, whichever comes first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassTimer {
    /// The time since the last pass.
    pub interval: Option<TimeDelta>,
    pub schedule: Option<CronSchedule>,
}

impl Default for PassTimer {
    fn default() -> Self {
        Self {
            interval: Some(INTERVAL),
            schedule: None,
        }
    }
}

/// Whether a window allows or denies applying.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowEffect {
    /// Applying is allowed only inside of it.
    Allow,
    /// Applying is denied inside of it.
    Deny,
}

/// A window of time that repeats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApplyWindow {
    pub effect: WindowEffect,
    /// The times at which it begins.
    pub starts: CronSchedule,
    /// How long it lasts, in elapsed time: 60 hours even if the clock changes.
    pub length: TimeDelta,
    written: String,
}

/// As written: `deny: 0 22 * * 5, for: 60h (Europe/Stockholm)`.
impl fmt::Display for ApplyWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.written, self.starts.zone())
    }
}

/// The keys of a source, as written.
#[derive(Debug, Default)]
pub(super) struct TimingSpec {
    pub interval: Option<String>,
    pub schedule: Option<String>,
    pub timezone: Option<String>,
    pub windows: Vec<WindowSpec>,
}

/// `{deny: "0 22 * * 5", for: 60h}` or `{allow: …, for: …}`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowSpec {
    allow: Option<String>,
    deny: Option<String>,
    #[serde(rename = "for")]
    length: Option<String>,
    timezone: Option<String>,
}

impl TimingSpec {
    /// Parses all keys. A schedule replaces the default interval.
    pub fn resolve(&self) -> Result<SourceTiming, String> {
        let zone = zone(self.timezone.as_deref(), Tz::UTC)?;
        let interval = self.interval.as_deref().map(interval).transpose()?;
        let schedule = self.schedule.as_deref();
        let schedule = schedule
            .map(|line| CronSchedule::parse(line, zone))
            .transpose()
            .map_err(|error| format!("schedule: {error}"))?;
        // Whoever writes only a schedule does not expect passes in between.
        let trigger = if interval.is_none() && schedule.is_none() {
            PassTimer::default()
        } else {
            PassTimer { interval, schedule }
        };
        let windows = (1..).zip(&self.windows).map(|(number, file)| {
            file.resolve(zone)
                .map_err(|error| format!("windows: the {}: {error}", ordinal(number)))
        });
        Ok(SourceTiming {
            trigger,
            windows: windows.collect::<Result<_, _>>()?,
        })
    }
}

impl WindowSpec {
    fn resolve(&self, outer: Tz) -> Result<ApplyWindow, String> {
        let (effect, word, line) = match (&self.allow, &self.deny) {
            (Some(line), None) => (WindowEffect::Allow, "allow", line),
            (None, Some(line)) => (WindowEffect::Deny, "deny", line),
            _ => {
                return Err("expected either `allow:` or `deny:` with the cron line of its start, such as `{deny: \"0 22 * * 5\", for: 60h}`".to_owned());
            }
        };
        let Some(text) = &self.length else {
            return Err(format!(
                "`for:` is missing; set how long it lasts, such as `{{{word}: \"{line}\", for: 60h}}`"
            ));
        };
        let starts = CronSchedule::parse(line, zone(self.timezone.as_deref(), outer)?)
            .map_err(|error| format!("{word}: {error}"))?;
        Ok(ApplyWindow {
            effect,
            starts,
            length: length("for", text)?,
            written: format!("{word}: {}, for: {}", line.trim(), text.trim()),
        })
    }
}

fn zone(name: Option<&str>, default: Tz) -> Result<Tz, String> {
    let named = name.map(cron::zone).transpose();
    Ok(named
        .map_err(|error| format!("timezone: {error}"))?
        .unwrap_or(default))
}

fn interval(text: &str) -> Result<TimeDelta, String> {
    length("interval", text)
}

fn length(key: &str, text: &str) -> Result<TimeDelta, String> {
    let read = parse_duration(text.trim()).map_err(|error| format!("{key}: {error}"))?;
    let read = TimeDelta::from_std(read).unwrap_or(TimeDelta::MAX);
    if read < TimeDelta::seconds(1) || read > LONGEST {
        return Err(format!("{key}: `{text}` is out of range; use 1s to 366d"));
    }
    Ok(read)
}

fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        more => format!("{more}th"),
    }
}

#[cfg(test)]
impl ApplyWindow {
    /// A window of a test.
    pub(crate) fn of(effect: WindowEffect, line: &str, zone: Tz, length: TimeDelta) -> Self {
        let word = if effect == WindowEffect::Allow {
            "allow"
        } else {
            "deny"
        };
        Self {
            effect,
            starts: CronSchedule::parse(line, zone).unwrap(),
            length,
            written: format!("{word}: {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(yaml: &str) -> Result<SourceTiming, String> {
        #[derive(Deserialize)]
        struct TimingKeys {
            interval: Option<String>,
            schedule: Option<String>,
            timezone: Option<String>,
            #[serde(default)]
            windows: Vec<WindowSpec>,
        }
        let keys: TimingKeys = serde_saphyr::from_str(yaml).unwrap();
        let file = TimingSpec {
            interval: keys.interval,
            schedule: keys.schedule,
            timezone: keys.timezone,
            windows: keys.windows,
        };
        file.resolve()
    }

    #[test]
    fn without_a_word_a_source_is_looked_at_every_five_minutes() {
        let trigger = timing("{}").unwrap().trigger;
        assert_eq!(trigger.interval, Some(TimeDelta::minutes(5)));
        assert!(trigger.schedule.is_none());
    }

    #[test]
    fn a_schedule_takes_the_place_of_the_interval_nobody_wrote() {
        let yaml = "schedule: '0 3 * * *'\ntimezone: Europe/Stockholm\n";
        let trigger = timing(yaml).unwrap().trigger;
        assert_eq!(trigger.interval, None);
        let schedule = trigger.schedule.unwrap();
        assert_eq!(schedule.to_string(), "0 3 * * * (Europe/Stockholm)");
        let both = timing(&format!("interval: 1h\n{yaml}")).unwrap().trigger;
        assert_eq!(both.interval, Some(TimeDelta::hours(1)));
        assert!(both.schedule.is_some());
    }

    #[test]
    fn windows_take_the_time_zone_of_their_source_unless_they_have_one() {
        let yaml = "timezone: Europe/Stockholm\nwindows:\n  - {deny: '0 22 * * 5', for: 60h}\n  - {allow: '0 6 * * *', for: 12h, timezone: America/New_York}\n";
        let windows = timing(yaml).unwrap().windows;
        let shown: Vec<String> = windows.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "deny: 0 22 * * 5, for: 60h (Europe/Stockholm)",
                "allow: 0 6 * * *, for: 12h (America/New_York)"
            ]
        );
        assert_eq!(windows[0].length, TimeDelta::hours(60));
    }

    #[test]
    fn every_mistake_says_what_would_be_right() {
        let wrong = |yaml: &str| timing(yaml).unwrap_err();
        assert_eq!(
            wrong("interval: 0s"),
            "interval: `0s` is out of range; use 1s to 366d"
        );
        assert!(wrong("interval: often").starts_with("interval: `often` is not a duration"));
        assert!(wrong("schedule: '0 24 * * *'").starts_with(
            "schedule: `0 24 * * *` is not a valid cron line: `24` is not a valid hour"
        ));
        assert!(wrong("timezone: Europe/Stokholm").contains("`Europe/Stockholm`"));
        assert!(
            wrong("windows: [{for: 2h}]")
                .starts_with("windows: the first: expected either `allow:` or `deny:`")
        );
        assert!(wrong("windows: [{deny: '0 1 * * *'}]").contains("`for:` is missing"));
        assert!(
            wrong("windows: [{deny: '0 1 * * *', for: 1h}, {deny: '0 * *', for: 1h}]")
                .starts_with("windows: the second: deny: `0 * *`")
        );
    }
}
