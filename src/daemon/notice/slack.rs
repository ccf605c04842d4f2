//! The Slack form of a notice: blocks, and a text for clients that cannot show blocks.

use super::{Notice, NoticeDetail, line, truncate};
use serde_json::{Value, json};

/// The number of details. Nobody reads a long message to its end, and the page has the rest.
const MAX_DETAILS: usize = 10;
/// Slack refuses a message with a text over 3,000 characters or a header over 150. Some room is
/// left, because escaping makes a text longer.
const LONGEST: usize = 2_900;
const LONGEST_HEADER: usize = 140;
const LONGEST_DETAIL: usize = 250;

/// Returns the message of a notice.
#[must_use]
pub fn slack(notice: &Notice) -> String {
    // A `plain_text` header is not escaped. Everything else here is `mrkdwn` and has to be.
    let header = truncate(&notice.title(), LONGEST_HEADER);
    let summary = escaped(&truncate(&notice.summary, LONGEST / 2));
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": header}}),
        section(&summary),
    ];
    if !notice.details.is_empty() {
        blocks.push(section(&list(&notice.details)));
    }
    if let Some(command) = &notice.command {
        let command = truncate(&escaped(&line(command)), LONGEST / 2);
        blocks.push(section(&format!("To approve:\n```{command}```")));
    }
    blocks.push(json!({
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": context(notice)}],
    }));
    let text = format!("{}: {summary}", escaped(&notice.title()));
    json!({"text": text, "blocks": blocks}).to_string()
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

fn list(details: &[NoticeDetail]) -> String {
    let mut lines: Vec<String> = details.iter().take(MAX_DETAILS).map(item).collect();
    let more = details.len().saturating_sub(MAX_DETAILS);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

fn item(detail: &NoticeDetail) -> String {
    // A backtick in an id would end the code span early.
    let head = detail.head().join(" ").replace('`', "'");
    let head = escaped(&truncate(&head, LONGEST_DETAIL / 2));
    let what = escaped(&truncate(&line(&detail.what), LONGEST_DETAIL / 2));
    match head.as_str() {
        "" => format!("• {what}"),
        head => format!("• `{head}` {what}"),
    }
}

fn context(notice: &Notice) -> String {
    let since = notice.since.format("since %Y-%m-%d %H:%M UTC").to_string();
    let revision = notice.revision.as_ref();
    let revision =
        revision.map(|revision| format!("revision {}", escaped(&truncate(revision, 64))));
    let counts = notice.counts.iter();
    let counts = counts.map(|(what, count)| format!("{} {count}", escaped(what)));
    let link = notice.url.as_ref();
    // In `<URL|text>` a bar would end the URL.
    let link = link.map(|url| format!("<{}|open>", escaped(url).replace('|', "%7C")));
    let parts: Vec<String> = [since]
        .into_iter()
        .chain(revision)
        .chain(counts)
        .chain(link)
        .collect();
    parts.join(" · ")
}

/// Escapes the three characters that Slack asks for. Otherwise an id such as `<!channel>` would
/// notify everyone.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
