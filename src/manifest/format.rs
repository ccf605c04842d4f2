//! `roster fmt`: puts YAML into one layout, with an indent of two, no trailing spaces, and at most
//! one blank line in a row. Comments, order and quotes stay. The result is parsed and compared with
//! the original, and a text whose meaning would change is returned unchanged. Start with
//! `format`; `YamlFormatter` works line by line.

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

/// Returns the text in the common layout. What is not valid YAML is returned unchanged.
#[must_use]
pub fn format(text: &str) -> String {
    // The parser counts a carriage return as a line end, so its line numbers agree with
    // `split('\n')` only without any.
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let Some((meaning, lines)) = read(&unix) else {
        return text.to_owned();
    };
    let Some(formatted) = YamlFormatter::new(&lines).lay_out(&unix) else {
        return text.to_owned();
    };
    // The safety net: the layout rules below need not foresee every construct of YAML.
    match read(&formatted) {
        Some((again, _)) if again == meaning => formatted,
        _ => text.to_owned(),
    }
}

/// What of a text must not change: the events without their positions, and the comments.
#[derive(Default, PartialEq)]
struct YamlMeaning {
    nodes: Vec<String>,
    comments: Vec<String>,
}

impl YamlMeaning {
    fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Comment(text, _) => self.comments.push(text.trim_end().to_owned()),
            // A leading `---` may be dropped, so whether it is explicit does not count.
            Event::DocumentStart(_, version) => self.nodes.push(format!("document {version:?}")),
            event => self.nodes.push(format!("{event:?}")),
        }
    }
}

/// What the parser knows about one line.
#[derive(Clone, Copy, Default)]
struct LineContext {
    /// How many flow lists and mappings are open at its start.
    flow: usize,
    /// Whether it starts inside a scalar that is not a block scalar.
    in_scalar: bool,
}

fn read(text: &str) -> Option<(YamlMeaning, Vec<LineContext>)> {
    let mut meaning = YamlMeaning::default();
    // The parser counts from 1 and may place the end of the last event behind the last line.
    let mut lines = vec![LineContext::default(); text.split('\n').count() + 2];
    let mut open = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let (first, last) = (span.start.line(), span.end.line());
        match &event {
            // From the second line on: the first one begins with structure.
            Event::Scalar(_, style, ..) if !is_block(*style) => {
                lines
                    .get_mut(first + 1..=last)
                    .into_iter()
                    .flatten()
                    .for_each(|line| line.in_scalar = true);
            }
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                open.push((*style == StructureStyle::Flow).then_some(first));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Some(start)) = open.pop() {
                    lines
                        .get_mut(start + 1..=last)
                        .into_iter()
                        .flatten()
                        .for_each(|line| line.flow += 1);
                }
            }
            _ => {}
        }
        meaning.add(&event);
    }
    Some((meaning, lines))
}

fn is_block(style: ScalarStyle) -> bool {
    matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
}

/// A block scalar whose lines are being written.
#[derive(Clone, Copy)]
struct BlockScalar {
    /// The smallest column that belongs to the block.
    parent: usize,
    /// The column its lines are moved to.
    indent: usize,
    /// The original column of its first line, once seen.
    first: Option<usize>,
    /// Whether blank lines at its end are part of the text (`|+`).
    keep: bool,
}

/// The state while a text is written line by line.
struct YamlFormatter<'a> {
    lines: &'a [LineContext],
    out: String,
    /// The columns of the open block collections: the original one and the new one.
    columns: Vec<(usize, usize)>,
    block: Option<BlockScalar>,
    blanks: usize,
}

impl<'a> YamlFormatter<'a> {
    fn new(lines: &'a [LineContext]) -> Self {
        Self {
            lines,
            out: String::new(),
            columns: Vec::new(),
            block: None,
            blanks: 0,
        }
    }

    /// Returns the whole text, or `None` if it has something that cannot be laid out safely.
    fn lay_out(mut self, text: &str) -> Option<String> {
        let lines: Vec<&str> = text.split('\n').collect();
        for (index, line) in lines.iter().enumerate() {
            // The parser counts lines from 1.
            let known = self.lines.get(index + 1).copied().unwrap_or_default();
            if known.in_scalar {
                // Inside a quoted text every blank line is a line break of the value.
                self.flush(usize::MAX);
                self.continuation_line(line, known);
            } else if line.trim().is_empty() {
                self.blank(line);
            } else if !self.block_line(line) {
                self.flush(1);
                if known.flow > 0 {
                    self.continuation_line(line, known);
                } else {
                    self.structure_line(line, &lines[index + 1..])?;
                }
            }
        }
        let end = self.out.trim_end_matches('\n').len();
        let kept = self.block.is_some_and(|block| block.keep);
        // With `|+` the blank lines at the end of the file belong to the value.
        if !kept {
            self.out.truncate(end);
            self.out.push_str(if end > 0 { "\n" } else { "" });
        }
        Some(self.out)
    }

    fn blank(&mut self, line: &str) {
        self.blanks += 1;
        let Some(block) = self.block else { return };
        // Spaces beyond the block's indent are part of its text, even on a line without anything
        // else.
        let extra = block
            .first
            .map_or(0, |first| line.len().saturating_sub(first));
        if extra > 0 {
            self.blanks -= 1;
            self.flush(usize::MAX);
            self.push(block.indent + extra, "");
        }
    }

    fn flush(&mut self, most: usize) {
        // No blank lines at the start of a file.
        let most = if self.out.is_empty() { 0 } else { most };
        for _ in 0..std::mem::take(&mut self.blanks).min(most) {
            self.out.push('\n');
        }
    }

    fn push(&mut self, indent: usize, content: &str) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(content);
        self.out.push('\n');
    }

    /// Writes a line inside a flow list, a flow mapping or a scalar that began on an earlier line.
    fn continuation_line(&mut self, line: &str, known: LineContext) {
        let content = line.trim();
        if content.is_empty() {
            self.out.push('\n');
            return;
        }
        let closes = usize::from(!known.in_scalar && content.starts_with([']', '}']));
        let depth = known.flow.max(1) - closes;
        let base = self.columns.last().map_or(0, |column| column.1);
        self.push(base + 2 * depth, content);
    }

    /// Writes a line of the open block scalar, or returns `false` if the block has ended.
    fn block_line(&mut self, line: &str) -> bool {
        let Some(mut block) = self.block else {
            return false;
        };
        let column = indent(line);
        if column < block.parent {
            let keep = block.keep;
            self.block = None;
            if keep {
                self.flush(usize::MAX);
            }
            return false;
        }
        let first = *block.first.get_or_insert(column);
        self.block = Some(block);
        self.flush(usize::MAX);
        // Relative indentation inside a block is text; only the block as a whole moves.
        self.push(block.indent + column.saturating_sub(first), &line[column..]);
        true
    }

    /// Writes a line with block structure.
    fn structure_line(&mut self, line: &str, rest: &[&str]) -> Option<()> {
        let content = line.trim();
        if is_marker(line) {
            self.columns.clear();
            // A `---` at the very start separates nothing.
            if content != "---" || !self.out.is_empty() {
                self.push(0, content);
            }
            return Some(());
        }
        if content.starts_with('#') {
            let column = self.comment_column(indent(line), rest);
            self.push(column, content);
            return Some(());
        }
        self.structure(line)
    }

    fn structure(&mut self, line: &str) -> Option<()> {
        let mut old = indent(line);
        let mut new = self.column(old);
        let mut content = line.trim();
        let mut laid = String::new();
        let start = new;
        let mut parent = (old, new);
        while let Some(item) = content
            .strip_prefix('-')
            .filter(|item| item.starts_with(' '))
        {
            let inner = item.trim_start();
            // In `- # note` the item is on the next line, at a column that is not known yet.
            if inner.starts_with('#') {
                break;
            }
            parent = (old, new);
            old += content.len() - inner.len();
            new += 2;
            self.columns.push((old, new));
            laid.push_str("- ");
            content = inner;
        }
        laid.push_str(content);
        self.push(start, &laid);
        if let Some(header) = block_header(content) {
            // An explicit indent (`|2`) counts from the parent's column; moving the block would
            // change its text.
            if header.contains(|c: char| c.is_ascii_digit()) {
                return None;
            }
            // Directly after `- ` the block's parent is the dash, not the column behind it.
            let own = if content.starts_with(['|', '>']) {
                parent
            } else {
                (old, new)
            };
            self.block = Some(BlockScalar {
                parent: own.0 + 1,
                indent: own.1 + 2,
                first: None,
                keep: header.contains('+'),
            });
        }
        Some(())
    }

    /// The new column of a structure line that began at this column.
    fn column(&mut self, old: usize) -> usize {
        while self.columns.last().is_some_and(|column| column.0 > old) {
            self.columns.pop();
        }
        match self.columns.last() {
            Some(&(column, new)) if column == old => new,
            Some(&(_, new)) => {
                self.columns.push((old, new + 2));
                new + 2
            }
            None => {
                self.columns.push((old, 0));
                0
            }
        }
    }

    /// The new column of a comment: that of the line below, if both began at the same column.
    fn comment_column(&self, old: usize, rest: &[&str]) -> usize {
        let is_structure =
            |line: &&&str| !matches!(line.trim().as_bytes().first(), None | Some(b'#'));
        let next = rest
            .iter()
            .find(is_structure)
            .map_or(0, |line| indent(line));
        let known = self.columns.iter().rev().find(|column| column.0 <= old);
        // The line below may begin a nested collection, whose column is registered only when that
        // line is written.
        let opens = known.is_some_and(|column| next == old && column.0 < old);
        known.map_or(0, |column| column.1) + if opens { 2 } else { 0 }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_marker(line: &str) -> bool {
    let marker = line
        .get(..3)
        .is_some_and(|start| start == "---" || start == "...");
    line.starts_with('%') || (marker && matches!(line.as_bytes().get(3), None | Some(b' ' | b'\t')))
}

/// The block scalar header at the end of a line: `|`, `>-` or `|2+`.
fn block_header(content: &str) -> Option<&str> {
    let content = content.split(" #").next().unwrap_or(content).trim_end();
    let header = content.rsplit(' ').next()?;
    let is_header = header.starts_with(['|', '>'])
        && header[1..]
            .bytes()
            .all(|byte| matches!(byte, b'+' | b'-' | b'0'..=b'9'))
        && header.len() <= 3;
    is_header.then_some(header)
}

#[cfg(test)]
mod tests {
    use super::format;
    use proptest::prelude::*;

    fn check(before: &str, after: &str) {
        assert_eq!(format(before), after, "{before}");
        assert_eq!(format(after), after, "again");
    }

    #[test]
    fn lays_out_and_keeps_comments_and_order() {
        check(
            "---\n\n# who\nusers:   \n    # first\n    -   externalId: b   # id\n        groups:\n        - z\n\n\n\n        - a\n        notify:  true\n    - {externalId: a,\n       company: 'x\n  y'\n      }\n\n",
            "# who\nusers:\n  # first\n  - externalId: b   # id\n    groups:\n    - z\n\n    - a\n    notify:  true\n  - {externalId: a,\n      company: 'x\n      y'\n    }\n",
        );
        check(
            "a:\n      b: |\n         one\n           two  \n\n\n         three\n\n\n      c: >-\n         x\nd: 1",
            "a:\n  b: |\n    one\n      two  \n\n\n    three\n\n  c: >-\n    x\nd: 1\n",
        );
        check("a: 1\r\n---   \r\nb: 2\r\n", "a: 1\n---\nb: 2\n");
        check("a:\r    b: [1,\r\n 2]\r", "a:\n  b: [1,\n    2]\n");
        check("- |\n  x\n-    - y\n", "- |\n  x\n- - y\n");
        check("", "");
    }

    #[test]
    fn what_would_change_or_is_no_yaml_stays() {
        for text in ["a: [1\n", "a: |2\n    x\n", "? a\n: b  \n? c\n:   d\n"] {
            let once = format(text);
            assert_eq!(format(&once), once);
        }
        assert_eq!(format("a: [1\n"), "a: [1\n");
        assert_eq!(format("a: |2\n    x\n"), "a: |2\n    x\n");
        assert_eq!(format("a: |+\n  x\n\n\n"), "a: |+\n  x\n\n\n");
    }

    proptest! {
        #[test]
        fn once_is_enough_and_nothing_panics(lines in proptest::collection::vec(
            "( {0,5})(- |-  )?(a: |b:|c: \\||# x|'q|d: \\[|\\]|x|- y|---|\"z\"|  |e: >\\+)", 0..10
        )) {
            let once = format(&lines.join("\n"));
            prop_assert_eq!(format(&once), once);
        }
    }
}
