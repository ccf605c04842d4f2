//! The hidden first line of a comment, by which the next plan finds and replaces it.

use crate::plan::Plan;

/// How every marker begins.
pub const MARKER_START: &str = "<!-- roster:plan ";

/// Returns the marker of a plan. Plans of other sources or environments have others, so each keeps
/// a comment of its own.
pub(super) fn of(plan: &Plan) -> String {
    let mut marker = format!("{MARKER_START}source={}", encoded(&plan.source.name));
    if let Some(environment) = &plan.environment {
        marker.extend([" environment=", &encoded(environment)]);
    }
    marker + " -->"
}

/// Splits Markdown into comments, each with its marker.
#[must_use]
pub fn split_comments(markdown: &str) -> Vec<(&str, &str)> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in markdown.split_inclusive('\n') {
        if line.starts_with(MARKER_START) && line.trim_end().ends_with(" -->") {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([markdown.len()]);
    let comments = starts.iter().copied().zip(ends).map(|(start, end)| {
        let comment = markdown[start..end].trim_end();
        (
            comment.lines().next().unwrap_or_default().trim_end(),
            comment,
        )
    });
    comments.collect()
}

/// Leaves only characters that can neither end the marker nor be changed by a platform.
fn encoded(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        // Two hyphens would end an HTML comment.
        let doubles = byte == b'-' && out.ends_with('-');
        if byte.is_ascii_alphanumeric() || b"._".contains(&byte) || byte == b'-' && !doubles {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_one_html_comment_whatever_the_names() {
        let mut plan = Plan::default();
        plan.source.name = "a--> <b>".into();
        plan.environment = Some("köln".to_owned());
        let marker = of(&plan);
        assert_eq!(
            marker,
            "<!-- roster:plan source=a-%2D%3E%20%3Cb%3E environment=k%C3%B6ln -->"
        );
    }

    #[test]
    fn a_file_of_several_plans_has_several_comments() {
        let one = "<!-- roster:plan source=a -->\n### A\n\n```diff\n+ x\n```";
        let two = "<!-- roster:plan source=b -->\n### B";
        let file = format!("{one}\n\n{two}\n");
        let found = split_comments(&file);
        assert_eq!(
            found,
            [
                ("<!-- roster:plan source=a -->", one),
                ("<!-- roster:plan source=b -->", two),
            ]
        );
        assert_eq!(split_comments("### no marker\n"), []);
    }
}
