//! Whether an export is like those before it: not much smaller, not without a column, not out of
//! date. A half export that passed for a whole one would deactivate every customer missing from it.
//! Start reading at [`why_unlike_earlier`].

use super::columns;
use super::feeds::ExportFacts;
use crate::config::{CompletenessRule, FeedConfig};
use crate::diagnostic::{Code, codes, plural};
use crate::store::AcceptedExport;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn why_unlike_earlier(
    facts: &ExportFacts,
    export: &FeedConfig,
    accepted: &[AcceptedExport],
) -> Option<(Code, String)> {
    let last = accepted.first();
    // Size first: an export that was cut often lacks columns too, and the row count explains more.
    shrunk(facts, &export.complete, accepted)
        .or_else(|| columns::lost_columns(facts, export, last?))
        .or_else(|| why_stale(facts, export, accepted))
}

fn shrunk(
    facts: &ExportFacts,
    complete: &CompletenessRule,
    accepted: &[AcceptedExport],
) -> Option<(Code, String)> {
    // A page that was sent twice would otherwise hide that another page is missing.
    let records = facts.records - facts.repeated;
    let rows = match facts.repeated {
        0 if records == 1 => "1 row".to_owned(),
        0 => format!("{records} rows"),
        1 => format!("{records} different rows and 1 repeated row"),
        n => format!("{records} different rows and {n} repeated rows"),
    };
    // `minRows` needs no history, so it also protects the very first export.
    if let Some(least) = complete.min_rows.filter(|least| records < *least) {
        let message = format!("the export has {rows}, but `minRows` is {least}");
        return Some((codes::FEED_SHRUNK, message));
    }
    // The median, not the last one: a series of exports that each shrink a little would pass a
    // comparison with the one before.
    let mut counts: Vec<u64> = accepted.iter().map(|accepted| accepted.records).collect();
    counts.sort_unstable();
    let usual = *counts.get(counts.len() / 2)?;
    let shrink = complete.shrink.unwrap_or(SHRINK);
    // Products are compared, so that no division rounds the share down.
    if u128::from(records) * 100 < u128::from(usual) * u128::from(100 - shrink) {
        let message = format!(
            "the export has {rows}, more than {shrink} % fewer than the median {usual} of {}",
            match counts.len() {
                1 => "the last accepted export".to_owned(),
                n => format!("the last {n} accepted exports"),
            }
        );
        return Some((codes::FEED_SHRUNK, message));
    }
    None
}

/// By how many per cent an export may fall below the median where `shrink` is not set.
const SHRINK: u64 = 10;

/// Why the export is out of date, if it is: older than the last accepted one, or than `maxAge`.
pub(super) fn why_stale(
    facts: &ExportFacts,
    export: &FeedConfig,
    accepted: &[AcceptedExport],
) -> Option<(Code, String)> {
    let written = facts.modified_at?;
    // The same bytes with an older time are the same export, perhaps copied; only other contents
    // can undo what was applied since.
    if let Some(last) = accepted.first()
        && last.digest != facts.digest
        && let Some(before) = last.modified_at.filter(|before| written < *before)
    {
        let message = format!(
            "the export was written at {}, before the last accepted export of {}",
            time(written),
            time(before)
        );
        return Some((codes::FEED_STALE, message));
    }
    out_of_time(written, export).map(|message| (codes::FEED_STALE, message))
}

/// Says that the export is older than `maxAge`, or dated in the future, if it is.
pub(super) fn out_of_time(written: i64, export: &FeedConfig) -> Option<String> {
    let most = export.max_age?;
    let now = millis(SystemTime::now())?;
    let (written_at, now_at) = (time(written), time(now));
    // A date in the future would make the export look fresh for as long as the clock is wrong.
    if written.saturating_sub(now) > AHEAD {
        return Some(format!(
            "the export is dated {written_at}, which is in the future (now: {now_at}), so `maxAge` cannot be checked"
        ));
    }
    let age = now.saturating_sub(written);
    if age > i64::try_from(most.as_millis()).unwrap_or(i64::MAX) {
        return Some(format!(
            "the export was written at {written_at}, {} ago, but `maxAge` is {} (now: {now_at})",
            span(age),
            span(i64::try_from(most.as_millis()).unwrap_or(i64::MAX))
        ));
    }
    None
}

/// How far another machine's clock may be ahead, in milliseconds: ten minutes.
const AHEAD: i64 = 10 * 60 * 1000;

fn time(at: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A duration in minutes, hours or days, whichever reads well.
fn span(millis: i64) -> String {
    let minutes = millis / 60_000;
    match minutes {
        ..60 => plural(minutes, "minute"),
        60..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

fn millis(at: SystemTime) -> Option<i64> {
    i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}
