//! Timestamps as text, without a date library, so that the model stays free of clocks.

/// Formats milliseconds since 1970 as ISO 8601 in UTC: `2026-03-01T09:30:00.250Z`.
#[must_use]
pub fn format_utc(millis: i64) -> String {
    // Euclidean, so that times before 1970 fall into the day before and not after.
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil_date(days);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, rest) = (rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{rest:03}Z")
}

/// Returns the date that is this number of days after 1970-01-01.
///
/// Years start in March here, which makes a leap day the last day of its year. The Gregorian
/// calendar repeats every 400 years, so dates are computed within such an era.
fn civil_date(days: i64) -> (i64, i64, i64) {
    // Days from 0000-03-01 to 1970-01-01; 400 years have 146,097 days, 100 have 36,524, 4 have
    // 1,461.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, every five months have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::format_utc;

    #[test]
    fn moments_read_as_dates_and_times() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_772_357_400_250, "2026-03-01T09:30:00.250Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(format_utc(millis), text);
        }
    }
}
