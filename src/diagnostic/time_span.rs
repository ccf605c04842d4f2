//! Durations and distances in time, as people say them.

use chrono::TimeDelta;

/// Formats a duration in its largest unit: `3 min`.
#[must_use]
pub fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        // Hours up to two days: `1 days` would be imprecise for 47 hours.
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Formats the distance of a time from now: `in 3 min`, or `3 min ago`.
#[must_use]
pub fn distance(ahead: TimeDelta) -> String {
    let length = span(ahead.abs());
    if ahead > TimeDelta::zero() {
        format!("in {length}")
    } else {
        format!("{length} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_their_largest_unit() {
        let shown = |seconds| distance(TimeDelta::seconds(seconds));
        assert_eq!(shown(-59), "59 s ago");
        assert_eq!(shown(90), "in 1 min");
        assert_eq!(shown(-7200), "2 h ago");
        assert_eq!(shown(172_800), "in 2 days");
    }
}
