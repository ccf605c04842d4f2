//! Checks `git.ref` as written. An abbreviated commit such as `1234567` or `12e4567` is a number to
//! YAML, and would be changed before anybody sees it.

use granit_parser::{Event, Parser, ScalarStyle};

/// An open list, or an open mapping with the key whose value comes next.
enum RefScanFrame {
    List,
    Map(Option<String>),
}

/// Fails if a `git.ref` reads as a number or a truth value.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut open: Vec<RefScanFrame> = Vec::new();
    for event in Parser::new_from_str(text) {
        // The parser of the configuration reports errors in the file itself.
        let Ok((event, span)) = event else { break };
        match event {
            Event::MappingStart(..) => open.push(RefScanFrame::Map(None)),
            Event::SequenceStart(..) => open.push(RefScanFrame::List),
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                advance_past_value(&mut open);
            }
            Event::Scalar(scalar, style, ..) => {
                if let Some(RefScanFrame::Map(key @ None)) = open.last_mut() {
                    *key = Some(scalar.into_owned());
                    continue;
                }
                if is_reference(&open) && style == ScalarStyle::Plain && !is_text(&scalar) {
                    return Err(format!(
                        "`git.ref` is `{scalar}`, which YAML reads as a number. Quote it: `ref: \"{scalar}\"` (line {}, column {})",
                        span.start.line(),
                        span.start.col() + 1
                    ));
                }
                advance_past_value(&mut open);
            }
            Event::Alias(..) => advance_past_value(&mut open),
            _ => {}
        }
    }
    Ok(())
}

fn advance_past_value(open: &mut [RefScanFrame]) {
    if let Some(RefScanFrame::Map(key)) = open.last_mut() {
        *key = None;
    }
}

fn is_reference(open: &[RefScanFrame]) -> bool {
    let is = |open: &RefScanFrame, name: &str| matches!(open, RefScanFrame::Map(Some(key)) if key == name);
    matches!(open, [.., outer, inner] if is(outer, "git") && is(inner, "ref"))
}

/// Whether a plain scalar is text or empty in YAML.
fn is_text(scalar: &str) -> bool {
    let digits = scalar.trim_start_matches(['+', '-']).replace('_', "");
    // Hexadecimal and the like are not numbers to Rust's parser, but they are to YAML.
    let based = ["0x", "0o", "0b"]
        .iter()
        .any(|base| digits.starts_with(base));
    let number = digits.parse::<f64>().is_ok()
        // Rust also parses `inf` and `nan`, which may be branches.
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let truth = matches!(scalar.to_ascii_lowercase().as_str(), "true" | "false");
    !(based || number || truth)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_commit_that_reads_as_a_number_is_to_be_quoted() {
        let with = |written: &str| {
            check(&format!(
                "sources:\n  - name: a\n    git: {{url: x, ref: {written}}}\n"
            ))
        };
        for number in ["1234567", "0012345", "1e3", "0x12", "12.5", "true"] {
            let error = with(number).expect_err(number);
            assert!(
                error.contains(&format!(
                    "Quote it: `ref: \"{number}\"` (line 3, column 24)"
                )),
                "{error}"
            );
        }
        for text in ["main", "\"1234567\"", "12ab", "v1.2", "1.2.3", "~"] {
            assert_eq!(with(text), Ok(()), "{text}");
        }
        assert_eq!(
            check("sources:\n  - ref: 12\n    git:\n      url: x\n"),
            Ok(())
        );
    }
}
