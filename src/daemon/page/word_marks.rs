//! Marks the words that differ between two long texts, so that nobody has to compare them by eye.

use crate::diagnostic::visible;
use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};

/// The length in characters from which two texts are compared word by word.
const LONG: usize = 60;
/// The length from which they are not: comparing takes time, and marks everywhere help nobody.
const TOO_LONG: usize = 20_000;

/// Returns both texts with what is only in one of them marked; `None` if they are short enough to be
/// read.
pub(super) fn marked(before: &str, after: &str) -> Option<(Markup, Markup)> {
    let is_long = |text: &str| text.chars().count() > LONG || text.contains('\n');
    let fits = before.len().max(after.len()) <= TOO_LONG;
    if !(fits && is_long(before) && is_long(after)) {
        return None;
    }
    let diff = TextDiff::from_words(before, after);
    // The diff has one change for each word. Joined into runs, a phrase gets one mark.
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, run)) if *tag == change.tag() => run.push_str(change.value()),
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    let side = |marked: ChangeTag| {
        let shown = runs
            .iter()
            .filter(|(tag, _)| *tag == ChangeTag::Equal || *tag == marked);
        html! {
            @for (tag, run) in shown {
                @if *tag == ChangeTag::Equal { (visible_lines(run)) } @else { mark { (visible_lines(run)) } }
            }
        }
    };
    Some((side(ChangeTag::Delete), side(ChangeTag::Insert)))
}

/// Makes hidden characters visible, but keeps line breaks.
pub(super) fn visible_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_differ_are_marked() {
        let before = "The office is open on all weekdays from nine in the morning until five.";
        let after = before.replace("nine", "<ten>");
        let (left, right) = marked(before, &after).expect("long texts");
        assert!(left.into_string().contains("from <mark>nine</mark> in the"));
        assert!(
            right
                .into_string()
                .contains("from <mark>&lt;ten&gt;</mark> in the")
        );
        assert!(marked("short", "texts").is_none());
        assert!(marked(&"word ".repeat(9000), &after).is_none());
    }
}
