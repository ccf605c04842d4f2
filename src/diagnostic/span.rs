//! The widths of the values in a manifest, for underlining them. The file is parsed once more for
//! this, only when an error is shown.

use crate::model::LineColumn;
use granit_parser::{Event, Parser};
use std::collections::HashMap;

/// Larger texts are not parsed a second time for the sake of underlines.
const MOST: usize = 8 << 20;

/// The values of a text by where they begin, with the length of their first line in characters.
#[derive(Default)]
pub(super) struct UnderlineWidths(HashMap<LineColumn, usize>);

impl UnderlineWidths {
    /// Parses a text. If it is not YAML or breaks off, only the values before that are known.
    pub fn of(path: &str, text: &str) -> Self {
        let mut spans = Self::default();
        let is_yaml = [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| path.ends_with(end));
        if !is_yaml || text.len() > MOST {
            return spans;
        }
        let mut parser = Parser::new_from_str(text);
        // Stops at the first error. The diagnostic is often about that very error, and what
        // precedes it is still useful.
        while let Some(Ok((event, span))) = parser.next_event() {
            let at = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let pos = LineColumn {
                line: at(span.start.line()),
                column: at(span.start.col()).saturating_add(1),
            };
            let (from, to) = (span.start.byte_offset(), span.end.byte_offset());
            let value = from.zip(to).and_then(|(from, to)| text.get(from..to));
            let first = value.and_then(|value| value.trim_end().lines().next());
            let width = first.map_or(1, |line| line.trim_end().chars().count());
            match event {
                Event::MappingStart(..) | Event::SequenceStart(..) => {
                    spans.0.entry(pos).or_insert(1);
                }
                // The first key of a block mapping begins at the same place as the mapping, and its
                // width is the useful one.
                Event::Scalar(..) | Event::Alias(..) if width > 0 => {
                    spans.0.insert(pos, width);
                }
                _ => {}
            }
        }
        spans
    }

    pub fn width(&self, at: LineColumn) -> Option<usize> {
        self.0.get(&at).copied()
    }
}
