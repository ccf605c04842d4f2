//! Shows times: how far away they are, and exactly on hover.

use crate::diagnostic::distance;
use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

/// Shows the distance of a time from now, and as its tooltip the time in UTC.
pub(super) fn relative(at: DateTime<Utc>) -> Markup {
    let exact = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let text = at.format("%Y-%m-%d %H:%M UTC");
    html! { time datetime=(exact) title=(text) { (distance(at - Utc::now())) } }
}

/// Shows a time given in milliseconds since 1970, as the database stores it.
pub(super) fn milliseconds(at: i64) -> Markup {
    relative(DateTime::from_timestamp_millis(at).unwrap_or_default())
}
