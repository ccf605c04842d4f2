//! Cron lines around the changes of the clock, and the messages for wrong ones.

use super::*;
use proptest::prelude::*;

const STOCKHOLM: Tz = chrono_tz::Europe::Stockholm;
const NEW_YORK: Tz = chrono_tz::America::New_York;

fn cron(line: &str, zone: Tz) -> CronSchedule {
    CronSchedule::parse(line, zone).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// The times from `from` until before `to`, as the clock on the wall shows them.
fn times(line: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
    let cron = cron(line, zone);
    let first = at(from) - TimeDelta::seconds(1);
    std::iter::successors(cron.next_after(first), |last| cron.next_after(*last))
        .take_while(|time| *time < at(to))
        .map(|time| time.with_timezone(&zone).format("%d %H:%M %z").to_string())
        .collect()
}

#[test]
fn a_time_that_is_leapt_over_in_spring_comes_once_at_the_first_moment_after() {
    let (from, to) = ("2026-03-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00");
    assert_eq!(
        times("30 2 * * *", STOCKHOLM, from, to),
        ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]
    );
    let (from, to) = ("2026-03-07T00:00:00-05:00", "2026-03-10T00:00:00-04:00");
    assert_eq!(
        times("30 2 * * *", NEW_YORK, from, to),
        ["07 02:30 -0500", "08 03:00 -0400", "09 02:30 -0400"]
    );
}

#[test]
fn a_time_that_is_shown_twice_in_autumn_comes_the_first_time() {
    let (from, to) = ("2026-10-24T00:00:00+02:00", "2026-10-27T00:00:00+01:00");
    assert_eq!(
        times("30 2 * * *", STOCKHOLM, from, to),
        ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]
    );
    let (from, to) = ("2026-10-31T00:00:00-04:00", "2026-11-03T00:00:00-05:00");
    assert_eq!(
        times("30 1 * * *", NEW_YORK, from, to),
        ["31 01:30 -0400", "01 01:30 -0400", "02 01:30 -0500"]
    );
}

#[test]
fn lists_of_hours_and_minutes_are_times_of_day_too() {
    let spring = ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00");
    assert_eq!(
        times("30 2,14 * * *", STOCKHOLM, spring.0, spring.1),
        ["29 03:00 +0200", "29 14:30 +0200"]
    );
    assert_eq!(
        times("0,30 2-3 * * *", STOCKHOLM, spring.0, spring.1),
        ["29 03:00 +0200", "29 03:30 +0200"]
    );
    let autumn = ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00");
    assert_eq!(
        times("*/30 2 * * *", STOCKHOLM, autumn.0, autumn.1),
        ["25 02:00 +0200", "25 02:30 +0200"]
    );
}

#[test]
fn a_line_of_every_hour_follows_the_clock() {
    let spring = ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00");
    assert_eq!(
        times("*/15 * * * *", STOCKHOLM, spring.0, spring.1),
        [
            "29 01:30 +0100",
            "29 01:45 +0100",
            "29 03:00 +0200",
            "29 03:15 +0200"
        ]
    );
    let autumn = ("2026-10-25T02:30:00+02:00", "2026-10-25T03:30:00+01:00");
    assert_eq!(
        times("30 0-23 * * *", STOCKHOLM, autumn.0, autumn.1),
        ["25 02:30 +0200", "25 02:30 +0100"]
    );
}

#[test]
fn a_leap_at_midnight_keeps_the_day() {
    // Beirut's clocks go from 00:00 to 01:00 on the last Sunday of March.
    let zone = chrono_tz::Asia::Beirut;
    let (from, to) = ("2026-03-28T00:00:00+02:00", "2026-03-31T00:00:00+03:00");
    assert_eq!(times("30 0 * * 0", zone, from, to), ["29 01:00 +0300"]);
}

#[test]
fn what_is_wrong_with_a_line_is_said_by_its_field() {
    let wrong = |line: &str| CronSchedule::parse(line, Tz::UTC).unwrap_err();
    assert!(wrong("*/15 * * *").contains("4 fields"));
    assert!(wrong("0 0 0 * * * 2030").contains("7 fields"));
    assert_eq!(
        wrong("0 25 * * *"),
        "`0 25 * * *` is not a valid cron line: `25` is not a valid hour; use 0-23, a list `1,2`, a range `1-5` or a step `*/2`"
    );
    assert!(wrong("61 0 0 * * *").contains("`61` is not a valid second"));
    assert!(wrong("0 0 * * FOO").contains("`FOO` is not a valid day of the week"));
    assert!(wrong("0/5 * * * *").contains("`0/5` is not a valid minute"));
    assert!(wrong("@nightly").contains("@daily"));
    assert!(wrong("0 0 30 2 *").contains("never occurs"));
    assert!(wrong("").contains("0 fields"));
}

#[test]
fn an_unknown_zone_is_answered_with_the_nearest() {
    assert_eq!(zone("Europe/Stockholm"), Ok(STOCKHOLM));
    assert!(
        zone("Europe/Stokholm")
            .unwrap_err()
            .contains("`Europe/Stockholm`")
    );
    assert!(zone("CET+1").unwrap_err().contains("`UTC`"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Looking forward and looking back see the same times, also around the changes of the clock.
    #[test]
    fn back_and_forth_agree(
        line in prop::sample::select(vec![
            "30 2 * * *", "*/15 * * * *", "0 */2 * * *", "0,30 1-3 * * *", "5 3 * * 0", "* 2 * * *", "0 0 1 * *", "15 */20 2 * * *",
        ]),
        zone in prop::sample::select(vec![STOCKHOLM, NEW_YORK, Tz::UTC, chrono_tz::Asia::Beirut, chrono_tz::Australia::Lord_Howe]),
        // The days around the changes of 2026.
        day in prop::sample::select(vec!["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2026-07-01"]),
        second in -90_000_i64..90_000,
    ) {
        let cron = cron(line, zone);
        let now = at(&format!("{day}T00:00:00Z")) + TimeDelta::seconds(second);
        let next = cron.next_after(now).unwrap();
        prop_assert!(next > now);
        prop_assert_eq!(cron.last_until(next), Some(next));
        let last = cron.last_until(now).unwrap();
        prop_assert!(last <= now);
        prop_assert_eq!(cron.next_after(last), Some(next));
        prop_assert_eq!(cron.last_until(next - TimeDelta::seconds(1)), Some(last));
    }
}
