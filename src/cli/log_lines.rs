//! The log on stderr: one line per event, whatever the event quotes.

use super::output;
use crate::diagnostic::visible;
use std::io::{self, Write};

/// Writes each event on one line, with all control characters visible.
pub struct LogLineWriter<W> {
    out: W,
    /// Whether the escape sequences of styles come from the logger itself.
    styled: bool,
}

/// The log on stderr.
pub fn to_stderr() -> LogLineWriter<io::Stderr> {
    LogLineWriter {
        out: io::stderr(),
        styled: output::colored(&io::stderr()),
    }
}

impl<W: Write> Write for LogLineWriter<W> {
    /// The logger writes a whole event at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = escaped(text.strip_suffix('\n').unwrap_or(&text), self.styled);
        self.out.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

// A file name or a server's answer may contain line breaks or escape sequences, and could forge log
// lines or hide text.
fn escaped(line: &str, styled: bool) -> String {
    let mut parts = line.split('\u{1b}');
    let mut out = visible(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        let style = part.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        let style = style.filter(|(style, _)| {
            styled
                && style
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b';')
        });
        if let Some((style, rest)) = style {
            out.push_str(&format!("\u{1b}[{style}m"));
            out.push_str(&visible(rest));
        } else {
            out.push_str("\\u{1b}");
            out.push_str(&visible(part));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_hides_nothing() {
        let mut out = Vec::new();
        let mut log = LogLineWriter {
            out: &mut out,
            styled: false,
        };
        log.write_all(b"INFO a\nPlan: 0 to create\x1b[2J.yaml\n")
            .expect("written");
        let line = String::from_utf8(out).expect("text");
        assert_eq!(line, "INFO a\\nPlan: 0 to create\\u{1b}[2J.yaml\n");
        assert_eq!(
            escaped("\u{1b}[1mb\u{1b}[0m\u{1b}[2J", true),
            "\u{1b}[1mb\u{1b}[0m\\u{1b}[2J"
        );
    }
}
