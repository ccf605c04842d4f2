//! Code spans, in which no value is Markdown.

use super::wording::visible;

/// Returns a text as a code span, so that nothing in it is Markdown, HTML, a mention or a link.
pub(super) fn code(text: &str) -> String {
    let text = visible(text);
    if text.is_empty() {
        // Two backticks with nothing between them would start a longer fence.
        return "` `".to_owned();
    }
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // A backtick at the end would become part of the fence, and Markdown strips one space from both
    // ends.
    let ends = |c| text.starts_with(c) || text.ends_with(c);
    let pad = if ends('`') || ends(' ') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}
