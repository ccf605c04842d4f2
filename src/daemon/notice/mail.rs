//! The mail form of a notice: a subject and plain text.

use super::{Notice, line, truncate};
use std::fmt::Write;

/// The number of details in a mail.
const MAX_DETAILS: usize = 50;

#[must_use]
pub fn subject(notice: &Notice) -> String {
    let whole = format!("Roster: {}: {}", notice.title(), line(&notice.summary));
    truncate(&whole, 150)
}

/// Returns the text. `meant_for` names the recipients if `mail.redirect` sends it to somebody else.
#[must_use]
pub fn body(notice: &Notice, meant_for: Option<&[String]>) -> String {
    let mut text = head(notice);
    let _ = writeln!(text, "\n{}", notice.summary.trim_end());
    details(&mut text, notice);
    if let Some(command) = &notice.command {
        let _ = writeln!(text, "\nTo approve:\n  {}", line(command));
    }
    if let Some(url) = &notice.url {
        let _ = writeln!(text, "\nMore: {}", line(url));
    }
    if let Some(meant_for) = meant_for {
        let all = meant_for.join(", ");
        let _ = writeln!(
            text,
            "\nThis mail was addressed to {all}; `mail.redirect` sent it here."
        );
    }
    text
}

fn head(notice: &Notice) -> String {
    let since = notice.since.format("%Y-%m-%d %H:%M UTC");
    let mut text = String::new();
    let rows = [
        ("Source", Some(line(&notice.source))),
        (
            "State",
            Some(format!("{}, since {since}", notice.event.word())),
        ),
        ("Environment", notice.environment.as_deref().map(line)),
        ("Revision", notice.revision.as_deref().map(line)),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(text, "{:13}{value}", format!("{name}:"));
        }
    }
    let counts = notice.counts.iter();
    let counts: Vec<String> = counts
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    if !counts.is_empty() {
        let _ = writeln!(text, "{:13}{}", "Counts:", counts.join(", "));
    }
    text
}

fn details(text: &mut String, notice: &Notice) {
    if !notice.details.is_empty() {
        text.push('\n');
    }
    for detail in notice.details.iter().take(MAX_DETAILS) {
        let mut parts = detail.head();
        parts.push(line(&detail.what));
        parts.extend(detail.code.as_ref().map(|code| format!("({code})")));
        let _ = writeln!(text, "- {}", parts.join("  "));
    }
    let more = notice.details.len().saturating_sub(MAX_DETAILS);
    if more > 0 {
        let _ = writeln!(text, "- and {more} more");
    }
}
