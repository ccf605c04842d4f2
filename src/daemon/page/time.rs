//! Shows times: in UTC, and how long ago.

use crate::diagnostic::distance;
use chrono::{DateTime, SecondsFormat, Utc};
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
