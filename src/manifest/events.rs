//! The events of one YAML document, aliases expanded within a budget.

use crate::diagnostic::{Code, codes};
use crate::model::Pos;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// How deep lists and mappings may nest.
const DEPTH: u32 = 64;
/// How many nodes the aliases of one document may come to.
const EXPANDED: u32 = 100_000;
/// How many bytes one scalar may have.
const SCALAR: usize = 1 << 20;

/// What the reader meets next.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    /// A scalar.
    Scalar(Scalar<'a>),
    /// A list begins; its items and [`Node::End`] follow.
    List,
    /// A mapping begins; keys and values in turn and [`Node::End`] follow.
    Map,
    /// The innermost list or mapping ends.
    End,
    /// The document ends.
    Eof,
}

/// A scalar as written.
#[derive(Clone, Debug)]
pub(super) struct Scalar<'a> {
    /// The text after quotes and escapes are resolved.
    pub text: Cow<'a, str>,
    /// Whether it stands without quotes, so that `~` and `null` are null.
    pub plain: bool,
}

impl Scalar<'_> {
    /// Whether it says nothing: null, empty or only white space.
    pub fn is_blank(&self) -> bool {
        let text = self.text.as_ref();
        match text.as_bytes().first() {
            None => true,
            Some(b'~' | b'n' | b'N') if self.plain => {
                matches!(text, "~" | "null" | "Null" | "NULL")
            }
            Some(first) if first.is_ascii_graphic() => false,
            Some(_) => crate::kinds::read::is_blank(text),
        }
    }
}

/// Why a document cannot be read on.
#[derive(Debug)]
pub(super) struct Fatal {
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
    pub at: Pos,
}

impl Fatal {
    fn limit(message: impl Into<String>, at: Pos) -> Self {
        Self {
            code: codes::YAML_LIMIT,
            message: message.into(),
            help: None,
            at,
        }
    }
}

type Events<'a> = Rc<[(Item<'a>, Pos)]>;

/// What is recorded of an anchored node.
#[derive(Clone, Debug)]
enum Item<'a> {
    Node(Node<'a>),
    Alias(usize),
}

/// An anchored node that has not ended yet.
struct Open<'a> {
    anchor: usize,
    depth: u32,
    events: Vec<(Item<'a>, Pos)>,
}

/// Pulls nodes out of one document.
pub(super) struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// How many lines of the file come before the document.
    before: u32,
    depth: u32,
    /// Nodes to hand out before the parser's, the last frame first.
    frames: Vec<(Events<'a>, usize)>,
    anchors: HashMap<usize, Events<'a>>,
    open: Vec<Open<'a>>,
    expanded: u32,
}

impl<'a> Reader<'a> {
    /// A reader of the document `text` that begins at `line` of its file.
    pub fn new(text: &'a str, line: u32) -> Self {
        let options = granit_parser::options! {
            emit_comments: false,
            disallow_directives: true,
        };
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            before: line - 1,
            depth: 0,
            frames: Vec::new(),
            anchors: HashMap::new(),
            open: Vec::new(),
            expanded: 0,
        }
    }

    /// The next node and where it stands.
    pub fn next(&mut self) -> Result<(Node<'a>, Pos), Fatal> {
        let (node, at) = match self.replayed()? {
            Some(found) => found,
            None => self.parsed()?,
        };
        match node {
            Node::List | Node::Map if self.depth == DEPTH => {
                let message = format!("lists and mappings nest more than {DEPTH} deep");
                return Err(Fatal::limit(message, at));
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
        self.frames.push((events.collect(), 0));
    }

    fn replayed(&mut self) -> Result<Option<(Node<'a>, Pos)>, Fatal> {
        while let Some((events, next)) = self.frames.last_mut() {
            let Some((item, at)) = events.get(*next).cloned() else {
                self.frames.pop();
                continue;
            };
            *next += 1;
            match item {
                Item::Node(node) => return Ok(Some((node, at))),
                Item::Alias(anchor) => self.expand(anchor, at)?,
            }
        }
        Ok(None)
    }

    fn parsed(&mut self) -> Result<(Node<'a>, Pos), Fatal> {
        loop {
            let (event, span) = match self.parser.next_event() {
                Some(Ok(found)) => found,
                Some(Err(error)) => return Err(self.syntax(&error)),
                None => return Ok((Node::Eof, Pos::default())),
            };
            let at = self.pos(&span);
            let (node, anchor) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    (self.scalar(text, style, tag.as_deref(), at)?, anchor)
                }
                Event::MappingStart(_, anchor, tag) => {
                    collection(tag.as_deref(), "map", at)?;
                    (Node::Map, anchor)
                }
                Event::SequenceStart(_, anchor, tag) => {
                    collection(tag.as_deref(), "seq", at)?;
                    (Node::List, anchor)
                }
                Event::MappingEnd | Event::SequenceEnd => (Node::End, 0),
                Event::Alias(anchor) => {
                    self.keep(&Item::Alias(anchor), at);
                    self.expand(anchor, at)?;
                    match self.replayed()? {
                        Some(found) => return Ok(found),
                        None => continue,
                    }
                }
                Event::StreamEnd => (Node::Eof, 0),
                _ => continue,
            };
            if anchor != 0 || !self.open.is_empty() {
                self.remember(&node, anchor, at);
            }
            return Ok((node, at));
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

    fn scalar(
        &self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: Pos,
    ) -> Result<Node<'a>, Fatal> {
        if text.len() > SCALAR {
            return Err(Fatal::limit("a text of more than 1 MiB", at));
        }
        let plain = style == ScalarStyle::Plain;
        let plain = match tag {
            None => plain,
            Some(tag) => plain && !is_text(tag, at)?,
        };
        Ok(Node::Scalar(Scalar { text, plain }))
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
            return Err(Fatal::limit("an alias within the very node it names", at));
        };
        let size = u32::try_from(events.len()).unwrap_or(u32::MAX);
        self.expanded = self.expanded.saturating_add(size);
        if self.expanded > EXPANDED {
            let message = format!("the aliases of this document come to more than {EXPANDED} nodes");
            return Err(Fatal::limit(message, at));
        }
        self.frames.push((Rc::clone(events), 0));
        Ok(())
    }

    fn syntax(&self, error: &ScanError) -> Fatal {
        let at = self.place(error.marker().line(), error.marker().col());
        let (code, help) = match error.kind() {
            ErrorKind::RecursionLimitExceeded => (codes::YAML_LIMIT, None),
            ErrorKind::DirectiveDisallowed => (
                codes::YAML_SYNTAX,
                Some("leave lines that start with `%` out: the version is YAML 1.2".to_owned()),
            ),
            ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::TabAtBlockScalarStart => (
                codes::YAML_SYNTAX,
                Some("indent with spaces, never with tabs".to_owned()),
            ),
            _ => (codes::YAML_SYNTAX, None),
        };
        Fatal {
            code,
            message: error.info(),
            help,
            at,
        }
    }
}

/// A node that was taken whole, to be read later.
pub(super) struct Recorded<'a> {
    pub nodes: Vec<(Node<'a>, Pos)>,
}

impl<'a> Recorded<'a> {
    /// The scalar that the key `name` of a recorded mapping, begun at its first key, has.
    pub fn value_of(&self, name: &str) -> Option<(&Scalar<'a>, Pos)> {
        let mut depth = 0;
        let mut is_key = true;
        let mut found = false;
        for (node, at) in &self.nodes {
            match node {
                Node::Scalar(scalar) if depth == 0 && is_key => found = scalar.text == name,
                Node::Scalar(scalar) if depth == 0 && found => return Some((scalar, *at)),
                Node::List | Node::Map => depth += 1,
                Node::End if depth == 0 => return None,
                Node::End => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                is_key = !is_key;
            }
        }
        None
    }
}

fn opens(node: &Node<'_>) -> u32 {
    u32::from(matches!(node, Node::List | Node::Map))
}

/// Whether the tag makes the scalar a text; `!!int` and the like leave it as it reads.
fn is_text(tag: &Tag, at: Pos) -> Result<bool, Fatal> {
    if tag.original_parts() == ("!", "") || tag.is_yaml_core_schema_tag("str") {
        return Ok(true);
    }
    match tag.core_suffix() {
        Some("int" | "bool" | "float" | "null") => Ok(false),
        _ => Err(custom(tag, at)),
    }
}

fn collection(tag: Option<&Tag>, own: &str, at: Pos) -> Result<(), Fatal> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(own) => Err(custom(tag, at)),
        _ => Ok(()),
    }
}

fn custom(tag: &Tag, at: Pos) -> Fatal {
    Fatal {
        code: codes::WRONG_TYPE,
        message: format!("the tag `{}` means nothing here", tag.original()),
        help: Some("leave it out".to_owned()),
        at,
    }
}
