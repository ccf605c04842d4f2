//! Cron lines in a time zone, with what happens on the two days a year that are not like others.
//!
//! Where the hour is named (`30 2 * * *`, `0 6,18 * * *`) every time of day that the line names comes
//! **once a day**: one that the clock leaps over in spring comes at the first moment after the leap,
//! one that it shows twice in autumn comes the first time. Where the hour is `*` (or `*/2`, or all of
//! them) the line follows the clock: what is leapt over is left out, what is shown twice comes twice,
//! so that `*/15 * * * *` comes every quarter of an hour, whatever the clock does.

use crate::diagnostic::did_you_mean;
use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use std::fmt;

/// No zone has ever been put forward or back by more.
const LONGEST_LEAP: TimeDelta = TimeDelta::hours(26);

/// The fields of a line with its seconds: name and what stands in it.
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
    /// Whether every hour is meant, so that the line follows the clock.
    hourly: bool,
}

impl CronSchedule {
    /// Reads a line of five fields, of six with the seconds first, or a word as `@daily`.
    pub fn parse(written: &str, zone: Tz) -> Result<Self, String> {
        let pattern = pattern(written)?;
        let hours = &pattern.pattern.hours;
        let all = (0..24).all(|hour| pattern.pattern.hour_match(hour).unwrap_or(false));
        let hourly = hours.from_wildcard || all;
        let cron = Self {
            written: written.trim().to_owned(),
            zone,
            pattern,
            hourly,
        };
        // Any moment does: what comes within the next thousands of years comes after this one.
        match cron.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(format!("`{written}` never occurs: no such date exists")),
        }
    }

    /// The zone in which it is read.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first time after `at`; `None` when there is none any more.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = at.with_timezone(&self.zone);
        if self.hourly {
            let next = self.pattern.find_next_occurrence(&local, false).ok()?;
            return Some(next.to_utc());
        }
        // Every wall clock time stands for one moment, and a later one never for an earlier moment.
        let mut wall = local.naive_local();
        loop {
            wall = self.pattern.find_next_occurrence(&wall, false).ok()?;
            let moment = self.resolve_local(wall)?;
            if moment > at {
                return Some(moment);
            }
        }
    }

    /// The last time that is not after `at`; `None` when there was none.
    pub fn last_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = at.with_timezone(&self.zone);
        if self.hourly {
            let last = self.pattern.find_previous_occurrence(&local, true).ok()?;
            return Some(last.to_utc());
        }
        let mut wall = local.naive_local();
        // The second time that a clock shows an hour, all of that hour has been.
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

    /// The moment a wall clock time stands for: the first of two, the end of the leap for one that
    /// was leapt over.
    fn resolve_local(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => {
                Some(moment.to_utc())
            }
            LocalResult::None => self.end_of_leap(wall),
        }
    }

    /// The first moment at which the clock shows `wall` or later, around a leap.
    fn end_of_leap(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let mut before = wall.checked_sub_signed(LONGEST_LEAP)?.and_utc().timestamp();
        let mut after = wall.checked_add_signed(LONGEST_LEAP)?.and_utc().timestamp();
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

/// The zone called so: `Europe/Stockholm`, `UTC`.
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

/// The first field that is wrong by itself, with what belongs there.
fn wrong_field(fields: &[&str]) -> Option<String> {
    let skipped = FIELDS.len() - fields.len();
    let named = FIELDS.iter().enumerate().skip(skipped).zip(fields);
    named.into_iter().find_map(|((at, (name, range)), field)| {
        let mut alone = ["*"; 6];
        alone[at] = field;
        parser().parse(&alone.join(" ")).err().map(|_| {
            format!("`{field}` is not a valid {name}; use {range}, a list `1,2`, a range `1-5` or a step `*/2`")
        })
    })
}

/// What the parser says, without its own names for things.
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
