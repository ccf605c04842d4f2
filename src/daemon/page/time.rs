//! Shows times: in UTC, and how long ago.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use maud::{Markup, html};

/// Shows a time in UTC, with its distance from now.
pub(super) fn time_with_distance(at: DateTime<Utc>) -> Markup {
    let exact = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let text = at.format("%Y-%m-%d %H:%M UTC");
    html! {
        time datetime=(exact) { span { (text) } " (" (distance(at - Utc::now())) ")" }
    }
}

/// Shows a time given in milliseconds since 1970, as the database stores it.
pub(super) fn milliseconds(at: i64) -> Markup {
    time_with_distance(DateTime::from_timestamp_millis(at).unwrap_or_default())
}

fn distance(ahead: TimeDelta) -> String {
    let length = span(ahead.abs());
    if ahead > TimeDelta::zero() {
        format!("in {length}")
    } else {
        format!("{length} ago")
    }
}

/// Formats a duration in its largest unit.
pub(super) fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        // Hours up to two days: `1 days` would be imprecise for 47 hours.
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
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
