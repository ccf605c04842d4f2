//! Tests of due times and windows, compared with a search of every minute.

use super::*;
use crate::config::CronSchedule;
use chrono_tz::Tz;
use proptest::prelude::*;

const STOCKHOLM: Tz = chrono_tz::Europe::Stockholm;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn every(minutes: i64) -> PassTimer {
    PassTimer {
        interval: Some(TimeDelta::minutes(minutes)),
        schedule: None,
    }
}

fn scheduled(line: &str) -> PassTimer {
    PassTimer {
        interval: None,
        schedule: Some(CronSchedule::parse(line, STOCKHOLM).unwrap()),
    }
}

/// The passes of a day when somebody looks every ten seconds at what is due.
fn passes(trigger: &PassTimer, from: &str, clock: impl Fn(i64) -> i64) -> Vec<DateTime<Utc>> {
    let start = at(from);
    let mut last = Some(start);
    let mut passes = Vec::new();
    for tick in 1..=(86_400 / 10) {
        let now = start + TimeDelta::seconds(clock(tick * 10));
        if next_due(trigger, last, now, 0.0) <= now {
            last = Some(now);
            passes.push(now);
        }
    }
    passes
}

#[test]
fn an_interval_counts_from_the_last_pass_a_tenth_more_or_less() {
    let last = at("2026-05-01T12:00:00Z");
    let now = at("2026-05-01T12:01:00Z");
    let due = |jitter| next_due(&every(10), Some(last), now, jitter);
    assert_eq!(due(0.0), at("2026-05-01T12:10:00Z"));
    assert_eq!(due(-1.0), at("2026-05-01T12:09:00Z"));
    assert_eq!(due(1.0), at("2026-05-01T12:11:00Z"));
    assert_eq!(next_due(&every(10), None, now, 1.0), now);
}

#[test]
fn the_jitter_of_a_pass_is_always_the_same_and_spreads_sources() {
    let last = Some(at("2026-05-01T12:00:00Z"));
    assert!((jitter("erp", last) - jitter("erp", last)).abs() < f64::EPSILON);
    let drawn: Vec<f64> = (0..100)
        .map(|n| jitter(&format!("source-{n}"), last))
        .collect();
    assert!(drawn.iter().all(|drawn| (-1.0..=1.0).contains(drawn)));
    assert!(drawn.iter().any(|drawn| *drawn < -0.5) && drawn.iter().any(|drawn| *drawn > 0.5));
}

#[test]
fn of_interval_and_schedule_the_earlier_counts() {
    let both = PassTimer {
        interval: Some(TimeDelta::hours(8)),
        ..scheduled("0 3 * * *")
    };
    let last = at("2026-05-01T22:00:00+02:00");
    assert_eq!(
        next_due(&both, Some(last), last, 0.0),
        at("2026-05-02T03:00:00+02:00")
    );
    let last = at("2026-05-02T03:00:00+02:00");
    assert_eq!(
        next_due(&both, Some(last), last, 0.0),
        at("2026-05-02T11:00:00+02:00")
    );
}

#[test]
fn what_was_missed_comes_once() {
    let nightly = scheduled("*/15 * * * *");
    let last = at("2026-05-01T12:00:00Z");
    let now = at("2026-05-03T08:07:00Z");
    assert!(next_due(&nightly, Some(last), now, 0.0) <= now);
    assert_eq!(
        next_due(&nightly, Some(now), now, 0.0),
        at("2026-05-03T08:15:00Z")
    );
    // A clock that is put forward by six hours.
    let forward = |second| {
        if second > 3_600 {
            second + 21_600
        } else {
            second
        }
    };
    let passes = passes(&nightly, "2026-05-01T12:00:00Z", forward);
    // A day of quarters of an hour, and one for those that were leapt over.
    assert_eq!(passes.len(), 97);
    assert!(
        passes
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= TimeDelta::minutes(10))
    );
}

#[test]
fn a_clock_that_is_put_back_neither_stalls_passes_nor_starts_a_storm() {
    // After six hours the clock goes back by five.
    let back = |second: i64| {
        if second > 21_600 {
            second - 18_000
        } else {
            second
        }
    };
    for trigger in [every(15), scheduled("*/15 * * * *")] {
        let passes = passes(&trigger, "2026-05-01T12:00:00Z", back);
        assert!((95..=97).contains(&passes.len()), "{}", passes.len());
    }
    // A clock a little ahead, of another replica, is none.
    let last = at("2026-05-01T12:00:02Z");
    let now = at("2026-05-01T12:00:00Z");
    assert_eq!(
        next_due(&every(5), Some(last), now, 0.0),
        at("2026-05-01T12:05:02Z")
    );
}

#[test]
fn a_nightly_pass_comes_once_on_the_days_the_clock_changes() {
    let nightly = scheduled("30 2 * * *");
    for (day, shown) in [
        ("2026-03-28T20:00:00Z", "2026-03-29T03:00:00+02:00"),
        ("2026-10-24T20:00:00Z", "2026-10-25T02:30:00+02:00"),
    ] {
        assert_eq!(passes(&nightly, day, |second| second), [at(shown)]);
    }
}

fn deny(line: &str, hours: i64) -> ApplyWindow {
    ApplyWindow::of(WindowEffect::Deny, line, STOCKHOLM, TimeDelta::hours(hours))
}

fn allow(line: &str, hours: i64) -> ApplyWindow {
    ApplyWindow::of(
        WindowEffect::Allow,
        line,
        STOCKHOLM,
        TimeDelta::hours(hours),
    )
}

fn open(until: Option<&str>) -> WindowState {
    WindowState::Open {
        until: until.map(at),
    }
}

#[test]
fn without_windows_everything_is_open() {
    assert_eq!(
        ApplyWindow::state(&[], at("2026-05-01T12:00:00Z")),
        open(None)
    );
}

#[test]
fn a_weekend_is_closed_from_friday_evening_to_monday_morning() {
    let windows = [deny("0 22 * * 5", 60)];
    let state = |time| ApplyWindow::state(&windows, at(time));
    assert_eq!(
        state("2026-05-01T21:59:59+02:00"),
        open(Some("2026-05-01T22:00:00+02:00"))
    );
    let closed = WindowState::Closed {
        by: "deny: 0 22 * * 5 (Europe/Stockholm)".to_owned(),
        until: Some(at("2026-05-04T10:00:00+02:00")),
    };
    assert_eq!(state("2026-05-01T22:00:00+02:00"), closed);
    assert_eq!(state("2026-05-04T09:59:59+02:00"), closed);
    assert!(state("2026-05-04T10:00:00+02:00").is_open());
    // Sixty hours are sixty hours: in spring they end an hour later by the clock.
    let spring = state("2026-03-28T12:00:00+01:00");
    assert!(
        matches!(spring, WindowState::Closed { until: Some(until), .. } if until == at("2026-03-30T11:00:00+02:00"))
    );
}

#[test]
fn outside_of_all_that_is_allowed_is_closed_and_deny_wins() {
    let windows = [
        allow("0 8 * * 1-5", 4),
        allow("0 11 * * 1-5", 6),
        deny("0 9 * * 1", 1),
    ];
    let state = |time| ApplyWindow::state(&windows, at(time));
    let WindowState::Closed { by, until } = state("2026-05-03T12:00:00+02:00") else {
        panic!("a Sunday is closed");
    };
    assert_eq!(
        by,
        "outside of allow: 0 8 * * 1-5 (Europe/Stockholm); allow: 0 11 * * 1-5 (Europe/Stockholm)"
    );
    assert_eq!(until, Some(at("2026-05-04T08:00:00+02:00")));
    assert_eq!(
        state("2026-05-04T08:30:00+02:00"),
        open(Some("2026-05-04T09:00:00+02:00"))
    );
    assert!(
        matches!(state("2026-05-04T09:30:00+02:00"), WindowState::Closed { by, .. } if by.starts_with("deny"))
    );
    // The two that are allowed overlap: one stretch to 17:00.
    assert_eq!(
        state("2026-05-04T10:00:00+02:00"),
        open(Some("2026-05-04T17:00:00+02:00"))
    );
}

#[test]
fn a_deny_that_never_ends_has_no_end_in_sight() {
    for windows in [[deny("0 0 * * *", 24)], [deny("0 * * * *", 24)]] {
        let state = ApplyWindow::state(&windows, at("2026-05-01T12:00:00Z"));
        // The day the clock is put back has 25 hours: a deny of every midnight for 24 leaves one.
        let until = (windows[0].starts.to_string().starts_with("0 0"))
            .then(|| at("2026-10-26T00:00:00+02:00"));
        assert!(
            matches!(state, WindowState::Closed { until: found, .. } if found == until),
            "{state:?}"
        );
    }
    let always = [ApplyWindow::of(
        WindowEffect::Deny,
        "* * * * *",
        Tz::UTC,
        TimeDelta::minutes(1),
    )];
    let state = ApplyWindow::state(&always, at("2026-05-01T12:00:00Z"));
    assert!(matches!(state, WindowState::Closed { until: None, .. }));
}

#[test]
fn waits_double_from_five_seconds_to_five_minutes_until_a_success() {
    let mut backoff = PassBackoff::default();
    assert_eq!(backoff.delay(1.0), TimeDelta::zero());
    let waits: Vec<i64> = (0..8)
        .map(|_| {
            backoff.failed();
            backoff.delay(-1.0).num_seconds()
        })
        .collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 250, 250]);
    assert_eq!(backoff.delay(1.0), TimeDelta::minutes(5));
    let failed = at("2026-05-01T12:00:00Z");
    assert_eq!(
        backoff.retry_at(failed, failed, 1.0),
        at("2026-05-01T12:05:00Z")
    );
    let put_back = at("2026-05-01T07:00:00Z");
    assert_eq!(backoff.retry_at(failed, put_back, 1.0), put_back);
    backoff.succeeded();
    backoff.failed();
    assert_eq!(backoff.delay(-1.0), TimeDelta::seconds(5));
}

/// Whether it is open, by looking at every start there ever was near.
fn plainly(windows: &[(ApplyWindow, Vec<DateTime<Utc>>)], at: DateTime<Utc>) -> bool {
    let inside = |window: &ApplyWindow, starts: &[DateTime<Utc>]| {
        starts
            .iter()
            .any(|start| *start <= at && at < *start + window.length)
    };
    let of = |effect| {
        windows
            .iter()
            .filter(move |(window, _)| window.effect == effect)
    };
    let denied = of(WindowEffect::Deny).any(|(window, starts)| inside(window, starts));
    let mut allows = of(WindowEffect::Allow).peekable();
    !denied && (allows.peek().is_none() || allows.any(|(window, starts)| inside(window, starts)))
}

/// The starts by looking at every minute's clock, with what is leapt over at the leap.
fn starts(
    window: &ApplyWindow,
    line: &str,
    zone: Tz,
    from: DateTime<Utc>,
    minutes: i64,
) -> Vec<DateTime<Utc>> {
    let utc = CronSchedule::parse(line, Tz::UTC).unwrap();
    let hourly = line.split(' ').nth(1) == Some("*");
    let shown = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
    let mut found = Vec::new();
    let mut furthest = shown(from - TimeDelta::minutes(1));
    for minute in 0..minutes {
        let at = from + TimeDelta::minutes(minute);
        let wall = shown(at);
        // What the clock has not shown before, from just after the furthest it has shown to now.
        let fresh = if hourly {
            wall
        } else {
            (furthest + TimeDelta::minutes(1)).min(wall + TimeDelta::minutes(1))
        };
        let mut candidate = fresh;
        while candidate <= wall {
            if utc.last_until(candidate.and_utc()) == Some(candidate.and_utc()) {
                found.push(at);
                break;
            }
            candidate += TimeDelta::minutes(1);
        }
        furthest = furthest.max(wall);
    }
    assert!(window.length > TimeDelta::zero());
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// The windows say at every minute of a week what looking at each start says, and `until` is
    /// the first minute at which it changes.
    #[test]
    fn windows_say_what_a_look_at_every_minute_says(
        written in prop::collection::vec((
            prop::sample::select(vec![WindowEffect::Allow, WindowEffect::Deny]),
            prop::sample::select(vec!["0 22 * * 5", "30 2 * * *", "0 */6 * * *", "15 * * * *", "0 8 * * 1-5", "0 0 * * *", "45 1,3 * * 0"]),
            prop::sample::select(vec![STOCKHOLM, Tz::UTC, chrono_tz::America::New_York]),
            prop::sample::select(vec![1_i64, 10, 45, 60, 61, 180, 360, 600, 1_440, 3_600]),
        ), 1..4),
        // Weeks in which clocks change, and one in which they do not.
        week in prop::sample::select(vec!["2026-03-26T00:00:00Z", "2026-10-22T00:00:00Z", "2026-10-29T00:00:00Z", "2026-06-01T00:00:00Z"]),
        offset in 0_i64..(5 * 1_440),
    ) {
        let minutes = 10 * 1_440;
        let from = at(week) - TimeDelta::days(3);
        let windows: Vec<(ApplyWindow, Vec<DateTime<Utc>>)> = written.iter().map(|(effect, line, zone, length)| {
            let window = ApplyWindow::of(*effect, line, *zone, TimeDelta::minutes(*length));
            let starts = starts(&window, line, *zone, from, minutes);
            (window, starts)
        }).collect();
        let plain: Vec<ApplyWindow> = windows.iter().map(|(window, _)| window.clone()).collect();
        let now = at(week) + TimeDelta::minutes(offset);
        let open = plainly(&windows, now);
        let state = ApplyWindow::state(&plain, now);
        prop_assert_eq!(state.is_open(), open);
        let (WindowState::Open { until } | WindowState::Closed { until, .. }) = state;
        let last = from + TimeDelta::minutes(minutes - 1);
        let mut later = (1..minutes).map(|minute| now + TimeDelta::minutes(minute));
        let changes = later.find(|at| *at <= last && plainly(&windows, *at) != open);
        match changes {
            Some(change) => prop_assert_eq!(until, Some(change)),
            None => prop_assert!(until.is_none_or(|until| until > last)),
        }
    }
}
