//! Cron lines in a time zone, and what happens on the two days a year when the clock changes.
//!
//! If the line names hours (`30 2 * * *`, `0 6,18 * * *`), each time of day comes **once a day**. A
//! time that the clock skips in spring comes at the first moment after it; a time that it shows
//! twice in autumn comes the first time. If the hour is `*` (or `*/2`, or lists all of them), the
//! line follows the clock: skipped times are left out and repeated ones come twice, so
//! `*/15 * * * *` comes every 15 minutes, whatever the clock does.

use crate::diagnostic::did_you_mean;
use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use std::fmt;

/// More than any zone was ever set forward or back. Zones that crossed the date line moved by a
/// whole day.
const LONGEST_LEAP: TimeDelta = TimeDelta::hours(26);

/// The fields of a line with seconds: name and allowed values.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31 or L"),
    ("month", "1-12 or JAN-DEC"),
    ("day of the week", "0-7 or SUN-SAT, 0 and 7 being Sunday"),
];

/// A cron line in a time zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CronSchedule {
    written: String,
    zone: Tz,
    pattern: croner::Cron,
    /// Whether the hour is a wildcard, so that the line follows the clock.
    hourly: bool,
}

impl CronSchedule {
    /// Parses a line of five fields, of six with the seconds first, or a word such as `@daily`.
    pub fn parse(written: &str, zone: Tz) -> Result<Self, String> {
        let pattern = pattern(written)?;
        let hours = &pattern.pattern.hours;
        // `*/1` and `0-23` mean every hour without a wildcard.
        let all = (0..24).all(|hour| pattern.pattern.hour_match(hour).unwrap_or(false));
        let hourly = hours.from_wildcard || all;
        let cron = Self {
            written: written.trim().to_owned(),
            zone,
            pattern,
            hourly,
        };
        // A line such as February 30 would otherwise be accepted and never start a pass. Any start
        // will do for this check.
        match cron.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(format!("`{written}` never occurs: no such date exists")),
        }
    }

    /// The time zone of the line.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first time after `at`; `None` if there is none.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = at.with_timezone(&self.zone);
        if self.hourly {
            let next = self.pattern.find_next_occurrence(&local, false).ok()?;
            return Some(next.to_utc());
        }
        // Searched in local time, because the library would skip or repeat times on the days of a
        // change. Local times map to moments in the same order.
        let mut wall = local.naive_local();
        loop {
            wall = self.pattern.find_next_occurrence(&wall, false).ok()?;
            let moment = self.resolve_local(wall)?;
            if moment > at {
                return Some(moment);
            }
        }
    }

    /// The last time that is not after `at`; `None` if there was none.
    pub fn last_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = at.with_timezone(&self.zone);
        if self.hourly {
            let last = self.pattern.find_previous_occurrence(&local, true).ok()?;
            return Some(last.to_utc());
        }
        let mut wall = local.naive_local();
        // When the clock shows an hour for the second time, all times of that hour have passed, so
        // the search starts later.
        if let LocalResult::Ambiguous(first, _) = self.zone.from_local_datetime(&wall)
            && first < local
        {
            wall += LONGEST_LEAP;
        }
        let mut inclusive = true;
        loop {
            wall = self
                .pattern
                .find_previous_occurrence(&wall, inclusive)
                .ok()?;
            let moment = self.resolve_local(wall)?;
            if moment <= at {
                return Some(moment);
            }
            inclusive = false;
        }
    }

    /// The moment of a local time: the first of two, or the end of the gap for one that was
    /// skipped.
    fn resolve_local(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => {
                Some(moment.to_utc())
            }
            LocalResult::None => self.end_of_leap(wall),
        }
    }

    /// The first moment at which the clock shows `wall` or later. A binary search, because the zone
    /// data do not give the gap.
    fn end_of_leap(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let mut before = wall.checked_sub_signed(LONGEST_LEAP)?.and_utc().timestamp();
        let mut after = wall.checked_add_signed(LONGEST_LEAP)?.and_utc().timestamp();
        // Whole seconds are fine enough: cron has nothing smaller.
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            let shown = self.zone.timestamp_opt(middle, 0).single()?.naive_local();
            if shown < wall {
                before = middle;
            } else {
                after = middle;
            }
        }
        DateTime::from_timestamp(after, 0)
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.written, self.zone)
    }
}

/// The time zone of this name, such as `Europe/Stockholm`.
pub(super) fn zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        let known = TZ_VARIANTS.iter().map(|zone| zone.name());
        let hint = did_you_mean(name, known).unwrap_or("Europe/Stockholm");
        format!("`{name}` is not a time zone; use a name such as `{hint}` or `UTC`")
    })
}

fn parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build()
}

fn pattern(written: &str) -> Result<croner::Cron, String> {
    let line = written.trim();
    let fields: Vec<&str> = line.split_whitespace().collect();
    let word = line.starts_with('@');
    // Checked first, because the parser's message for a wrong count does not say which fields there
    // are.
    if !word && !(5..=6).contains(&fields.len()) {
        let count = match fields.len() {
            1 => "1 field".to_owned(),
            many => format!("{many} fields"),
        };
        return Err(format!(
            "`{written}` is not a valid cron line: it has {count}; use 5 (minute, hour, day of the month, month, day of the week), or 6 with the second first, such as `*/15 * * * *`"
        ));
    }
    parser().parse(line).map_err(|error| {
        if word {
            return format!(
                "`{written}` is not a valid cron line; the words are @hourly, @daily, @weekly, @monthly and @yearly"
            );
        }
        match wrong_field(&fields) {
            Some(wrong) => format!("`{written}` is not a valid cron line: {wrong}"),
            None => format!("`{written}` is not a valid cron line: {}", reason(&error)),
        }
    })
}

/// The first field that is wrong by itself, and what is allowed there.
fn wrong_field(fields: &[&str]) -> Option<String> {
    let skipped = FIELDS.len() - fields.len();
    let named = FIELDS.iter().enumerate().skip(skipped).zip(fields);
    named.into_iter().find_map(|((at, (name, range)), field)| {
        // The parser does not say which field is wrong, so each one is tried in a line of
        // wildcards.
        let mut alone = ["*"; 6];
        alone[at] = field;
        parser().parse(&alone.join(" ")).err().map(|_| {
            format!("`{field}` is not a valid {name}; use {range}, a list `1,2`, a range `1-5` or a step `*/2`")
        })
    })
}

/// The message of the parser, without its own type names.
fn reason(error: &CronError) -> String {
    match error {
        CronError::InvalidPattern(text)
        | CronError::IllegalCharacters(text)
        | CronError::ComponentError(text) => text.trim_end_matches('.').to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
