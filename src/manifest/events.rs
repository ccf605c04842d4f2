//! The events of the YAML documents of a file, aliases expanded within a budget.

use super::entries::Name;
use super::nodes::{Fatal, Node, Problem, Recorded, collection, opens, scalar};
use super::split::Part;
use super::syntax;
use crate::diagnostic::codes;
use crate::model::Pos;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

/// How deep lists and mappings may nest.
const DEPTH: u32 = 64;
/// The way out of too many levels.
const FLATTEN: &str = "take levels out: no resource needs so many";
/// How many nodes the aliases of one document may come to.
const EXPANDED: u32 = 100_000;
type Events<'a> = Rc<[(Item<'a>, Pos)]>;

/// What is recorded of an anchored node.
#[derive(Clone, Debug)]
enum Item<'a> {
    Node(Node<'a>),
    Alias(usize),
}

/// Where the nodes stand that aliases name, by the places of the aliases.
#[derive(Debug, Default)]
pub(super) struct AnchorPlaces(RefCell<HashMap<Pos, Pos>>);

impl AnchorPlaces {
    /// Where what the alias at a place names stands.
    pub fn of(&self, alias: Pos) -> Option<Pos> {
        self.0.borrow().get(&alias).copied()
    }
}

/// Nodes to hand out, and which is the next.
struct Frame<'a> {
    events: Events<'a>,
    next: usize,
    /// Where the alias stands that they are for.
    alias: Option<Pos>,
}

/// An anchored node that has not ended yet.
struct Open<'a> {
    anchor: usize,
    depth: u32,
    events: Vec<(Item<'a>, Pos)>,
}

/// Pulls nodes out of the documents of a file, one document after the other.
pub(super) struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// How many bytes and lines of the file come before the parser's text.
    base: usize,
    before: u32,
    /// The bytes of the document that is being read, and the number of its first line.
    part: Range<usize>,
    part_line: u32,
    /// Where the mapping that began last begins.
    begun: usize,
    /// Whether the parser cannot go on.
    broken: bool,
    /// Whether the document has ended.
    ended: bool,
    depth: u32,
    /// Nodes to hand out before the parser's, the last frame first.
    frames: Vec<Frame<'a>>,
    anchors: HashMap<usize, Events<'a>>,
    open: Vec<Open<'a>>,
    expanded: u32,
    /// Where the nodes stand that aliases name.
    pub anchors_at: Rc<AnchorPlaces>,
    /// Where a `#` after a space ends a plain value though no comment seems to be meant.
    pub cuts: Vec<Pos>,
    /// The anchored scalars that no alias has named so far, as `&Co` in `name: &Co KG`.
    pub unnamed: BTreeMap<usize, Pos>,
    /// The keys seen of the mappings that are open, the innermost last.
    pub keys: Vec<Name<'a>>,
}

impl<'a> Reader<'a> {
    /// A reader of a file, before its first document.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            parser: parser(text),
            base: 0,
            before: 0,
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
            cuts: Vec::new(),
            unnamed: BTreeMap::new(),
            keys: Vec::new(),
        }
    }

    /// Begins the document of a part of the file, which comes after those begun before; `false`
    /// when the part holds none, only comments.
    pub fn begin(&mut self, part: &Part) -> Result<bool, Fatal> {
        self.depth = 0;
        self.expanded = 0;
        self.frames.clear();
        self.anchors.clear();
        self.open.clear();
        self.keys.clear();
        self.part = part.range.clone();
        self.part_line = part.line;
        if std::mem::take(&mut self.broken) {
            self.parser = parser(&self.text[part.range.start..]);
            self.base = part.range.start;
            self.before = part.line - 1;
        }
        loop {
            match self.parser.peek() {
                Some(Ok((Event::DocumentStart(..), span))) => {
                    let at = span.start.byte_offset().unwrap_or_default();
                    if self.base + at >= part.range.end {
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

    /// Reads the document to the end of its part, so that a fault behind its content is seen.
    pub fn finish(&mut self, part: &Part) -> Result<(), Fatal> {
        while !self.ended {
            self.next()?;
        }
        if let Some(Err(error)) = self.parser.peek() {
            let at = error.marker().byte_offset().unwrap_or_default();
            if self.base + at < part.range.end {
                return Err(self.syntax(&error));
            }
        }
        Ok(())
    }

    /// The mark of a template, as `{{ name }}`, where that is what a mapping that has just begun is.
    pub fn template(&self, begun: &Node<'a>) -> Option<&'a str> {
        let text = self.text.get(self.begun..)?;
        let line = text.lines().next().filter(|line| line.starts_with("{{"))?;
        let end = line.find("}}").map_or(line.len(), |end| end + 2);
        matches!(begun, Node::Map).then_some(&line[..end])
    }

    /// Gives the document up: the next one is begun at its own part of the file.
    pub fn give_up(&mut self) {
        self.broken = true;
    }

    /// The next node and where it stands.
    pub fn next(&mut self) -> Result<(Node<'a>, Pos), Fatal> {
        let replayed = if self.frames.is_empty() {
            None
        } else {
            self.replayed()?
        };
        let (node, at) = match replayed {
            Some(found) => found,
            None => self.parsed()?,
        };
        match node {
            Node::List | Node::Map if self.depth == DEPTH => {
                let message = format!("lists and mappings nest more than {DEPTH} deep");
                return Err(Fatal::limit(message, FLATTEN, at));
            }
            Node::List | Node::Map => self.depth += 1,
            Node::End => self.depth = self.depth.saturating_sub(1),
            Node::Scalar(_) | Node::Eof => {}
        }
        Ok((node, at))
    }

    /// Passes over the rest of a node whose first event has been taken.
    pub fn skip(&mut self, first: &Node<'a>) -> Result<(), Fatal> {
        let mut depth = opens(first);
        while depth > 0 {
            let (node, _) = self.next()?;
            match node {
                Node::End => depth -= 1,
                Node::Eof => break,
                node => depth += opens(&node),
            }
        }
        Ok(())
    }

    /// Passes over the next node.
    pub fn skip_next(&mut self) -> Result<(), Fatal> {
        let (node, _) = self.next()?;
        self.skip(&node)
    }

    /// Takes the rest of a node whose first event has been taken, to be read later.
    pub fn record(&mut self, first: (Node<'a>, Pos)) -> Result<Recorded<'a>, Fatal> {
        let depth = opens(&first.0);
        self.record_to(first, depth)
    }

    /// Takes the rest of a mapping whose first key has been taken, to be read later.
    pub fn record_open(&mut self, key: (Node<'a>, Pos)) -> Result<Recorded<'a>, Fatal> {
        self.record_to(key, 1)
    }

    fn record_to(&mut self, first: (Node<'a>, Pos), depth: u32) -> Result<Recorded<'a>, Fatal> {
        let mut depth = depth;
        let mut nodes = vec![first];
        while depth > 0 {
            let (node, at) = self.next()?;
            match node {
                Node::End => depth -= 1,
                Node::Eof => break,
                ref node => depth += opens(node),
            }
            nodes.push((node, at));
        }
        Ok(Recorded { nodes })
    }

    /// Hands out recorded nodes before anything else.
    pub fn replay(&mut self, recorded: &Recorded<'a>) {
        let events = recorded.nodes.iter();
        let events = events.map(|(node, at)| (Item::Node(node.clone()), *at));
        self.frames.push(Frame {
            events: events.collect(),
            next: 0,
            alias: None,
        });
    }

    fn replayed(&mut self) -> Result<Option<(Node<'a>, Pos)>, Fatal> {
        while let Some(frame) = self.frames.last_mut() {
            let Some((item, at)) = frame.events.get(frame.next).cloned() else {
                self.frames.pop();
                continue;
            };
            frame.next += 1;
            // What an alias stands for is read where the alias is.
            let at = frame.alias.unwrap_or(at);
            match item {
                Item::Node(node) => return Ok(Some((node, at))),
                Item::Alias(anchor) => self.expand(anchor, at)?,
            }
        }
        Ok(None)
    }

    fn parsed(&mut self) -> Result<(Node<'a>, Pos), Fatal> {
        loop {
            if self.ended {
                return Ok((Node::Eof, Pos::default()));
            }
            // One match, so that the large event is not moved on its way.
            let (node, anchor, at) = match self.parser.next_event() {
                Some(Ok((Event::Scalar(text, style, anchor, tag), span))) => {
                    let at = self.pos(&span);
                    if style == ScalarStyle::Plain {
                        // Where there is no value at all, the parser says `~`.
                        let blank = text.is_empty() || text == "~";
                        self.see_cut(&span, at, blank);
                    }
                    if anchor != 0 {
                        self.unnamed.insert(anchor, at);
                    }
                    (scalar(text, style, tag.as_deref(), at)?, anchor, at)
                }
                Some(Ok((Event::MappingStart(_, anchor, tag), span))) => {
                    let at = self.pos(&span);
                    self.begun = self.base + span.start.byte_offset().unwrap_or_default();
                    collection(tag.as_deref(), "map", at)?;
                    (Node::Map, anchor, at)
                }
                Some(Ok((Event::SequenceStart(_, anchor, tag), span))) => {
                    let at = self.pos(&span);
                    collection(tag.as_deref(), "seq", at)?;
                    (Node::List, anchor, at)
                }
                Some(Ok((Event::MappingEnd | Event::SequenceEnd, span))) => {
                    (Node::End, 0, self.pos(&span))
                }
                Some(Ok((Event::Alias(anchor), span))) => {
                    let at = self.pos(&span);
                    self.unnamed.remove(&anchor);
                    self.keep(&Item::Alias(anchor), at);
                    self.expand(anchor, at)?;
                    match self.replayed()? {
                        Some(found) => return Ok(found),
                        None => continue,
                    }
                }
                None | Some(Ok((Event::DocumentEnd | Event::StreamEnd, _))) => {
                    self.ended = true;
                    (Node::Eof, 0, Pos::default())
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(self.syntax(&error)),
            };
            if anchor != 0 || !self.open.is_empty() {
                self.remember(&node, anchor, at);
            }
            return Ok((node, at));
        }
    }

    /// `name: Foo #1`: to YAML, the name is `Foo`; and with `name: #1` there is none. A value that is
    /// not there has the place of the sign before it.
    fn see_cut(&mut self, span: &Span, at: Pos, blank: bool) {
        let end = self.base + span.end.byte_offset().unwrap_or_default();
        let bytes = self.text.as_bytes();
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
            return;
        };
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
        if mark > 0 && rest[mark] == b'#' && rest.get(mark + 1).is_some_and(is_word) {
            self.cuts.push(at);
        }
    }

    fn pos(&self, span: &Span) -> Pos {
        self.place(span.start.line(), span.start.col())
    }

    fn place(&self, line: usize, column: usize) -> Pos {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Pos {
            line: small(line).saturating_add(self.before),
            column: small(column).saturating_add(1),
        }
    }

    /// Records what anchored nodes that are still open, or open here, are made of.
    fn remember(&mut self, node: &Node<'a>, anchor: usize, at: Pos) {
        self.keep(&Item::Node(node.clone()), at);
        match node {
            Node::End => self.close(),
            node if anchor != 0 => {
                let events = vec![(Item::Node(node.clone()), at)];
                if opens(node) == 0 {
                    self.anchors.insert(anchor, events.into());
                } else {
                    self.open.push(Open {
                        anchor,
                        depth: self.depth,
                        events,
                    });
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, item: &Item<'a>, at: Pos) {
        for open in &mut self.open {
            open.events.push((item.clone(), at));
        }
    }

    /// Called at the end of a collection, before the depth goes down.
    fn close(&mut self) {
        if let Some(open) = self.open.pop_if(|open| open.depth + 1 == self.depth) {
            self.anchors.insert(open.anchor, open.events.into());
        }
    }

    fn expand(&mut self, anchor: usize, at: Pos) -> Result<(), Fatal> {
        let Some(events) = self.anchors.get(&anchor) else {
            return Err(Fatal::limit(
                "an alias within the very node it names",
                "write what is meant in place of the alias",
                at,
            ));
        };
        let size = u32::try_from(events.len()).unwrap_or(u32::MAX);
        self.expanded = self.expanded.saturating_add(size);
        if self.expanded > EXPANDED {
            let message =
                format!("the aliases of this document come to more than {EXPANDED} nodes");
            let help = "write it out, or split the file into several";
            return Err(Fatal::limit(message, help, at));
        }
        if let Some((_, anchor)) = events.first() {
            let mut anchors = self.anchors_at.0.borrow_mut();
            anchors.entry(at).or_insert(*anchor);
        }
        self.frames.push(Frame {
            events: Rc::clone(events),
            next: 0,
            alias: Some(at),
        });
        Ok(())
    }

    fn syntax(&self, error: &ScanError) -> Fatal {
        let at = self.place(error.marker().line(), error.marker().col());
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return Fatal::limit("nested too deep to be read", FLATTEN, at);
        }
        let (text, begin) = (&self.text[self.part.clone()], self.part.start);
        let byte = error.marker().byte_offset().unwrap_or_default() + self.base;
        let advice = syntax::advise(error, text, byte.saturating_sub(begin));
        let place = |byte: usize| {
            let head = &text[..byte.min(text.len())];
            let line = head.rsplit('\n').next().unwrap_or_default();
            let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            Pos {
                line: small(head.matches('\n').count()).saturating_add(self.part_line),
                column: small(line.chars().count()).saturating_add(1),
            }
        };
        let at = advice.at.map_or(at, place);
        Fatal(Box::new(Problem {
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
