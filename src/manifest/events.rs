//! Reads the YAML documents of a file as nodes. Aliases are expanded within a budget, positions are
//! those in the file, and one parser runs through all documents until one of them is broken. Start
//! at `NodeReader::begin` and `next`.

use super::nodes::{
    AnchorPlaces, DocumentError, DocumentErrorDetail, MappingKey, NodeEvent, RecordedNodes,
    check_collection_tag, opens, scalar,
};
use super::split::DocumentSpan;
use super::syntax;
use crate::diagnostic::codes;
use crate::model::LineColumn;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

/// How deep lists and mappings may nest. The readers above recurse, so a file of brackets would
/// overflow the stack.
const DEPTH: u32 = 64;
/// The help for too many levels.
const FLATTEN: &str = "Use fewer levels; no resource needs this many";
/// How many nodes the aliases of one document may expand to. Nested aliases grow exponentially: the
/// "billion laughs" attack.
const EXPANDED: u32 = 100_000;
type RecordedEvents<'a> = Rc<[(RecordedEvent<'a>, LineColumn)]>;

/// A recorded part of an anchored node.
#[derive(Clone, Debug)]
enum RecordedEvent<'a> {
    Node(NodeEvent<'a>),
    Alias(usize),
}

/// Nodes to be replayed, and the next one.
struct ReplayFrame<'a> {
    events: RecordedEvents<'a>,
    next: usize,
    /// The position of the alias they stand for.
    alias: Option<LineColumn>,
}

/// An anchored node that has not ended.
struct OpenAnchor<'a> {
    anchor: usize,
    depth: u32,
    events: Vec<(RecordedEvent<'a>, LineColumn)>,
}

/// Reads nodes from the documents of a file, one document after the other.
pub(super) struct NodeReader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// How many bytes and lines of the file come before the parser's text.
    bytes_before: usize,
    lines_before: u32,
    /// The bytes of the current document, and the number of its first line.
    part: Range<usize>,
    part_line: u32,
    /// The start of the mapping that began last.
    begun: usize,
    /// Whether the parser cannot continue.
    broken: bool,
    ended: bool,
    depth: u32,
    /// Nodes to replay before the parser's, the last frame first.
    frames: Vec<ReplayFrame<'a>>,
    anchors: HashMap<usize, RecordedEvents<'a>>,
    open: Vec<OpenAnchor<'a>>,
    expanded: u32,
    /// The positions of the nodes that aliases refer to.
    pub anchors_at: Rc<AnchorPlaces>,
    /// Where a `#` after a space ends a plain value, although probably no comment was meant.
    pub comment_cuts: Vec<LineColumn>,
    /// The anchored scalars without an alias so far, as `&Co` in `name: &Co KG`.
    pub unnamed: BTreeMap<usize, LineColumn>,
    /// The keys seen in the mappings that are open, the innermost last.
    pub keys: Vec<MappingKey<'a>>,
}

impl<'a> NodeReader<'a> {
    /// A reader before the first document of a file.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            parser: parser(text),
            bytes_before: 0,
            lines_before: 0,
            part: 0..text.len(),
            part_line: 1,
            begun: 0,
            broken: false,
            ended: true,
            depth: 0,
            frames: Vec::new(),
            anchors: HashMap::new(),
            open: Vec::new(),
            expanded: 0,
            anchors_at: Rc::default(),
            comment_cuts: Vec::new(),
            unnamed: BTreeMap::new(),
            keys: Vec::new(),
        }
    }

    /// Begins the document of a part of the file; parts come in order. Returns `false` if the part
    /// has only comments.
    pub fn begin(&mut self, part: &DocumentSpan) -> Result<bool, DocumentError> {
        self.depth = 0;
        self.expanded = 0;
        self.frames.clear();
        self.anchors.clear();
        self.open.clear();
        self.keys.clear();
        self.part = part.range.clone();
        self.part_line = part.line;
        // After a syntax error the parser cannot go on, so a new one starts at the next part.
        // Positions then need the bytes and lines before it.
        if std::mem::take(&mut self.broken) {
            self.parser = parser(&self.text[part.range.start..]);
            self.bytes_before = part.range.start;
            self.lines_before = part.line - 1;
        }
        loop {
            match self.parser.peek() {
                Some(Ok((Event::DocumentStart(..), span))) => {
                    let at = span.start.byte_offset().unwrap_or_default();
                    // The next document belongs to a later part: this one holds only comments.
                    if self.bytes_before + at >= part.range.end {
                        return Ok(false);
                    }
                    self.parser.next_event();
                    self.ended = false;
                    return Ok(true);
                }
                None | Some(Ok((Event::StreamEnd, _))) => return Ok(false),
                Some(Ok(_)) => drop(self.parser.next_event()),
                Some(Err(error)) => {
                    self.broken = true;
                    return Err(self.syntax(&error));
                }
            }
        }
    }

    /// Reads the document to the end of its part, so that a fault after its content is noticed.
    pub fn finish(&mut self, part: &DocumentSpan) -> Result<(), DocumentError> {
        while !self.ended {
            self.next()?;
        }
        // The parser may have looked ahead into the next part; its error is reported there.
        if let Some(Err(error)) = self.parser.peek() {
            let at = error.marker().byte_offset().unwrap_or_default();
            if self.bytes_before + at < part.range.end {
                return Err(self.syntax(&error));
            }
        }
        Ok(())
    }

    /// The template placeholder, like `{{ name }}`, if that is what a mapping that just began is.
    pub fn template(&self, begun: &NodeEvent<'a>) -> Option<&'a str> {
        let text = self.text.get(self.begun..)?;
        let line = text.lines().next().filter(|line| line.starts_with("{{"))?;
        let end = line.find("}}").map_or(line.len(), |end| end + 2);
        matches!(begun, NodeEvent::Map).then_some(&line[..end])
    }

    /// Abandons a document, begun or not; the next one starts at its own part of the file.
    pub fn give_up(&mut self) {
        self.broken = true;
    }

    /// Returns the next node and its position.
    pub fn next(&mut self) -> Result<(NodeEvent<'a>, LineColumn), DocumentError> {
        let replayed = if self.frames.is_empty() {
            None
        } else {
            self.next_replayed()?
        };
        let (node, at) = match replayed {
            Some(found) => found,
            None => self.next_parsed()?,
        };
        match node {
            NodeEvent::List | NodeEvent::Map if self.depth == DEPTH => {
                let message =
                    format!("lists and mappings are nested more than {DEPTH} levels deep");
                return Err(DocumentError::limit(message, FLATTEN, at));
            }
            NodeEvent::List | NodeEvent::Map => self.depth += 1,
            NodeEvent::End => self.depth = self.depth.saturating_sub(1),
            NodeEvent::Scalar(_) | NodeEvent::Eof => {}
        }
        Ok((node, at))
    }

    /// Skips the rest of a node whose first event has been read.
    pub fn skip(&mut self, first: &NodeEvent<'a>) -> Result<(), DocumentError> {
        let mut depth = opens(first);
        while depth > 0 {
            let (node, _) = self.next()?;
            match node {
                NodeEvent::End => depth -= 1,
                NodeEvent::Eof => break,
                node => depth += opens(&node),
            }
        }
        Ok(())
    }

    /// Skips the next node.
    pub fn skip_next(&mut self) -> Result<(), DocumentError> {
        let (node, _) = self.next()?;
        self.skip(&node)
    }

    /// Records the rest of a node whose first event has been read.
    pub fn record(
        &mut self,
        first: (NodeEvent<'a>, LineColumn),
    ) -> Result<RecordedNodes<'a>, DocumentError> {
        let depth = opens(&first.0);
        self.record_to(first, depth)
    }

    /// Records the rest of a mapping whose first key has been read.
    pub fn record_open(
        &mut self,
        key: (NodeEvent<'a>, LineColumn),
    ) -> Result<RecordedNodes<'a>, DocumentError> {
        self.record_to(key, 1)
    }

    fn record_to(
        &mut self,
        first: (NodeEvent<'a>, LineColumn),
        depth: u32,
    ) -> Result<RecordedNodes<'a>, DocumentError> {
        let mut depth = depth;
        let mut nodes = vec![first];
        while depth > 0 {
            let (node, at) = self.next()?;
            match node {
                NodeEvent::End => depth -= 1,
                NodeEvent::Eof => break,
                ref node => depth += opens(node),
            }
            nodes.push((node, at));
        }
        Ok(RecordedNodes { nodes })
    }

    /// Replays recorded nodes before anything else.
    pub fn replay(&mut self, recorded: &RecordedNodes<'a>) {
        let events = recorded.nodes.iter();
        let events = events.map(|(node, at)| (RecordedEvent::Node(node.clone()), *at));
        self.frames.push(ReplayFrame {
            events: events.collect(),
            next: 0,
            alias: None,
        });
    }

    fn next_replayed(&mut self) -> Result<Option<(NodeEvent<'a>, LineColumn)>, DocumentError> {
        while let Some(frame) = self.frames.last_mut() {
            let Some((item, at)) = frame.events.get(frame.next).cloned() else {
                self.frames.pop();
                continue;
            };
            frame.next += 1;
            // The contents of an alias are reported at the alias, where the reader of the file sees
            // them.
            let at = frame.alias.unwrap_or(at);
            match item {
                RecordedEvent::Node(node) => return Ok(Some((node, at))),
                RecordedEvent::Alias(anchor) => self.expand(anchor, at)?,
            }
        }
        Ok(None)
    }

    fn next_parsed(&mut self) -> Result<(NodeEvent<'a>, LineColumn), DocumentError> {
        loop {
            if self.ended {
                return Ok((NodeEvent::Eof, LineColumn::default()));
            }
            // One match, so that the large event is not moved around.
            let (node, anchor, at) = match self.parser.next_event() {
                Some(Ok((Event::Scalar(text, style, anchor, tag), span))) => {
                    let at = self.pos(&span);
                    if style == ScalarStyle::Plain {
                        // For a missing value the parser reports `~`.
                        let blank = text.is_empty() || text == "~";
                        let end = self.bytes_before + span.end.byte_offset().unwrap_or_default();
                        if is_cut_by_comment(self.text, end, blank) {
                            self.comment_cuts.push(at);
                        }
                    }
                    if anchor != 0 {
                        self.unnamed.insert(anchor, at);
                    }
                    (scalar(text, style, tag.as_deref(), at)?, anchor, at)
                }
                Some(Ok((Event::MappingStart(_, anchor, tag), span))) => {
                    let at = self.pos(&span);
                    self.begun = self.bytes_before + span.start.byte_offset().unwrap_or_default();
                    check_collection_tag(tag.as_deref(), "map", at)?;
                    (NodeEvent::Map, anchor, at)
                }
                Some(Ok((Event::SequenceStart(_, anchor, tag), span))) => {
                    let at = self.pos(&span);
                    check_collection_tag(tag.as_deref(), "seq", at)?;
                    (NodeEvent::List, anchor, at)
                }
                Some(Ok((Event::MappingEnd | Event::SequenceEnd, span))) => {
                    (NodeEvent::End, 0, self.pos(&span))
                }
                Some(Ok((Event::Alias(anchor), span))) => {
                    let at = self.pos(&span);
                    self.unnamed.remove(&anchor);
                    // An anchored node may contain aliases. Recorded as aliases, they are expanded,
                    // and counted against the budget, each time it is repeated.
                    self.record_event(&RecordedEvent::Alias(anchor), at);
                    self.expand(anchor, at)?;
                    match self.next_replayed()? {
                        Some(found) => return Ok(found),
                        None => continue,
                    }
                }
                None | Some(Ok((Event::DocumentEnd | Event::StreamEnd, _))) => {
                    self.ended = true;
                    (NodeEvent::Eof, 0, LineColumn::default())
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(self.syntax(&error)),
            };
            if anchor != 0 || !self.open.is_empty() {
                self.record_anchors(&node, anchor, at);
            }
            return Ok((node, at));
        }
    }

    fn pos(&self, span: &Span) -> LineColumn {
        self.place(span.start.line(), span.start.col())
    }

    fn place(&self, line: usize, column: usize) -> LineColumn {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        LineColumn {
            line: small(line).saturating_add(self.lines_before),
            column: small(column).saturating_add(1),
        }
    }

    /// Records the parts of anchored nodes that are open or that open here.
    fn record_anchors(&mut self, node: &NodeEvent<'a>, anchor: usize, at: LineColumn) {
        self.record_event(&RecordedEvent::Node(node.clone()), at);
        match node {
            NodeEvent::End => self.close(),
            node if anchor != 0 => {
                let events = vec![(RecordedEvent::Node(node.clone()), at)];
                if opens(node) == 0 {
                    self.anchors.insert(anchor, events.into());
                } else {
                    self.open.push(OpenAnchor {
                        anchor,
                        depth: self.depth,
                        events,
                    });
                }
            }
            _ => {}
        }
    }

    fn record_event(&mut self, item: &RecordedEvent<'a>, at: LineColumn) {
        for open in &mut self.open {
            open.events.push((item.clone(), at));
        }
    }

    /// Called at the end of a collection, before the depth decreases.
    fn close(&mut self) {
        if let Some(open) = self.open.pop_if(|open| open.depth + 1 == self.depth) {
            self.anchors.insert(open.anchor, open.events.into());
        }
    }

    // An alias whose anchor is not complete lies inside it, and expanding it would never end.
    fn expand(&mut self, anchor: usize, at: LineColumn) -> Result<(), DocumentError> {
        let Some(events) = self.anchors.get(&anchor) else {
            return Err(DocumentError::limit(
                "an alias is inside the node that it refers to",
                "Write the value instead of the alias",
                at,
            ));
        };
        // Counted before it is expanded, so that the budget also holds for the work and not only
        // for the result.
        let size = u32::try_from(events.len()).unwrap_or(u32::MAX);
        self.expanded = self.expanded.saturating_add(size);
        if self.expanded > EXPANDED {
            let message =
                format!("the aliases of this document expand to more than {EXPANDED} nodes");
            let help = "Write the values without aliases, or split the file";
            return Err(DocumentError::limit(message, help, at));
        }
        if let Some((_, anchor)) = events.first() {
            let mut anchors = self.anchors_at.0.borrow_mut();
            anchors.entry(at).or_insert(*anchor);
        }
        self.frames.push(ReplayFrame {
            events: Rc::clone(events),
            next: 0,
            alias: Some(at),
        });
        Ok(())
    }

    fn syntax(&self, error: &ScanError) -> DocumentError {
        let at = self.place(error.marker().line(), error.marker().col());
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return DocumentError::limit("nested too deeply", FLATTEN, at);
        }
        let (text, part_start) = (&self.text[self.part.clone()], self.part.start);
        let byte = error.marker().byte_offset().unwrap_or_default() + self.bytes_before;
        let advice = syntax::advise(error, text, byte.saturating_sub(part_start));
        let place = |byte: usize| {
            let head = &text[..byte.min(text.len())];
            let line = head.rsplit('\n').next().unwrap_or_default();
            let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            LineColumn {
                // The advice knows bytes within the part; people need lines within the file.
                line: small(head.matches('\n').count()).saturating_add(self.part_line),
                column: small(line.chars().count()).saturating_add(1),
            }
        };
        let at = advice.at.map_or(at, place);
        DocumentError(Box::new(DocumentErrorDetail {
            code: codes::YAML_SYNTAX,
            message: advice.message.unwrap_or_else(|| error.info()),
            help: advice.help,
            at,
            since: advice.since.map_or(at, place).line,
        }))
    }
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let options = granit_parser::options! {
        emit_comments: false,
        disallow_directives: true,
    };
    Parser::new_from_str_with_options(text, options)
}

/// Whether the plain value that ends at byte `end` is followed by a comment that was probably meant
/// as text. To YAML, `name: Foo #1` is `Foo`, and `name: #1` has no value. A missing value
/// (`blank`) has the position of the `:` or `-` before it.
fn is_cut_by_comment(text: &str, end: usize, blank: bool) -> bool {
    let bytes = text.as_bytes();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = bytes[..end.min(bytes.len())]
        .iter()
        .rposition(|byte| !is_space(byte));
    let rest = &bytes[from.map_or(0, |last| last + 1)..];
    let sign = rest.iter().position(|byte| !is_space(byte));
    let rest = match sign.map(|sign| &rest[sign..]) {
        Some([b':' | b'-', rest @ ..]) if blank => rest,
        _ => rest,
    };
    let Some(mark) = rest.iter().position(|byte| !is_space(byte)) else {
        return false;
    };
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    mark > 0 && rest[mark] == b'#' && rest.get(mark + 1).is_some_and(is_word)
}
