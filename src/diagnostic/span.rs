//! How wide the values of a manifest are, by where they begin.

use crate::model::LineColumn;
use granit_parser::{Event, Parser};
use std::collections::HashMap;

/// A larger text is not read for the sake of a few underlines.
const MOST: usize = 8 << 20;

/// The values of a text that could be read, and how many characters of its first line each has.
#[derive(Default)]
pub(super) struct UnderlineWidths(HashMap<LineColumn, usize>);

impl UnderlineWidths {
    /// Those of a file; of one that is no YAML, or in which YAML breaks off, those before that.
    pub fn of(path: &str, text: &str) -> Self {
        let mut spans = Self::default();
        let is_yaml = [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| path.ends_with(end));
        if !is_yaml || text.len() > MOST {
            return spans;
        }
        let mut parser = Parser::new_from_str(text);
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
                // The first key of a block mapping begins where the mapping does.
                Event::Scalar(..) | Event::Alias(..) if width > 0 => {
                    spans.0.insert(pos, width);
                }
                _ => {}
            }
        }
        spans
    }

    /// How many characters the value that begins at a place has.
    pub fn width(&self, at: LineColumn) -> Option<usize> {
        self.0.get(&at).copied()
    }
}
