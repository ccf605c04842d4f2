//! The text of a manifest as nodes that know their bytes; an alias is a node of its own here.

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A node and the bytes it takes, without anchor and tag; those of a block scalar are its content.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub range: Range<usize>,
    pub shape: Shape,
    /// The anchor it has; 0 for none.
    pub anchor: usize,
    /// Whether it stands within `[..]` or `{..}`, or is one.
    pub flow: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    Scalar(ScalarStyle, String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Alias,
}

impl Node {
    /// The value of a key of a mapping, with the key.
    pub fn entry(&self, name: &str) -> Option<&(Node, Node)> {
        let Shape::Map(entries) = &self.shape else {
            return None;
        };
        entries.iter().find(|(key, _)| key.text() == Some(name))
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing at all is written there.
    pub fn is_empty(&self) -> bool {
        matches!(self.shape, Shape::Scalar(ScalarStyle::Plain, _)) && self.range.is_empty()
    }

    /// Whether it is written as a block below its key.
    pub fn is_block_scalar(&self) -> bool {
        matches!(
            self.shape,
            Shape::Scalar(ScalarStyle::Literal | ScalarStyle::Folded, _)
        )
    }

    /// The end of what is written of it, without blank lines behind.
    pub fn end(&self, text: &str) -> usize {
        let own = text[self.range.clone()].trim_end().len() + self.range.start;
        match &self.shape {
            _ if self.flow => self.range.end,
            Shape::List(items) => items.last().map_or(own, |item| item.end(text)),
            Shape::Map(entries) => entries
                .last()
                .map_or(own, |(key, value)| value.end(text).max(key.range.end)),
            Shape::Scalar(..) | Shape::Alias => own,
        }
    }
}

/// The nodes of a file.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// One a document.
    pub roots: Vec<Node>,
    /// The anchors that an alias names.
    pub aliased: HashSet<usize>,
    /// Where resources are, by where their external id stands, or they begin: the way from the root.
    places: HashMap<usize, Vec<usize>>,
}

impl Nodes {
    /// Reads them; `None` when the text is not YAML.
    pub fn read(text: &str) -> Option<Self> {
        let options = granit_parser::options! {
            emit_comments: false,
            disallow_directives: true,
        };
        let mut reading = Reading::default();
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.ok()?;
            let range = span.start.byte_offset()?..span.end.byte_offset()?;
            reading.take(event, range);
        }
        let mut nodes = reading.nodes;
        let mut places = HashMap::new();
        for (index, root) in nodes.roots.iter().enumerate() {
            note(root, &mut vec![index], &mut places);
        }
        nodes.places = places;
        Some(nodes)
    }

    /// The mapping of a resource by the place of its external id, with what is around it.
    pub fn resource(&self, at: usize) -> Option<Vec<&Node>> {
        let way = self.places.get(&at)?;
        let mut node = self.roots.get(*way.first()?)?;
        let mut around = vec![node];
        for step in &way[1..] {
            node = match &node.shape {
                Shape::List(items) => items.get(*step)?,
                Shape::Map(entries) => &entries.get(*step)?.1,
                _ => return None,
            };
            around.push(node);
        }
        Some(around)
    }
}

/// Notes where each mapping is.
fn note(node: &Node, way: &mut Vec<usize>, places: &mut HashMap<usize, Vec<usize>>) {
    match &node.shape {
        Shape::Map(entries) => {
            if let Some((_, id)) = node.entry("externalId") {
                places.insert(id.range.start, way.clone());
            } else {
                places
                    .entry(node.range.start)
                    .or_insert_with(|| way.clone());
            }
            for (index, (_, value)) in entries.iter().enumerate() {
                way.push(index);
                note(value, way, places);
                way.pop();
            }
        }
        Shape::List(items) => {
            for (index, item) in items.iter().enumerate() {
                way.push(index);
                note(item, way, places);
                way.pop();
            }
        }
        _ => {}
    }
}

/// A list or mapping that has not ended.
struct Open {
    range: Range<usize>,
    anchor: usize,
    flow: bool,
    is_map: bool,
    children: Vec<Node>,
}

#[derive(Default)]
struct Reading {
    nodes: Nodes,
    open: Vec<Open>,
}

impl Reading {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        let within = self.open.last().is_some_and(|open| open.flow);
        let shape = match event {
            Event::Scalar(text, style, anchor, _) => {
                let shape = Shape::Scalar(style, text.into_owned());
                return self.put(shape, range, anchor, within);
            }
            Event::Alias(anchor) => {
                self.nodes.aliased.insert(anchor);
                return self.put(Shape::Alias, range, 0, within);
            }
            Event::SequenceStart(style, anchor, _) => (style, anchor, false),
            Event::MappingStart(style, anchor, _) => (style, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => return self.close(&range),
            _ => return,
        };
        let (style, anchor, is_map) = shape;
        self.open.push(Open {
            range,
            anchor,
            flow: style == StructureStyle::Flow,
            is_map,
            children: Vec::new(),
        });
    }

    fn close(&mut self, end: &Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        let last = open.children.last().map(|child| child.range.end);
        let end = if open.flow {
            end.end
        } else {
            last.unwrap_or(open.range.end)
        };
        let shape = if open.is_map {
            let mut children = open.children.into_iter();
            let mut entries = Vec::new();
            while let (Some(key), Some(value)) = (children.next(), children.next()) {
                entries.push((key, value));
            }
            Shape::Map(entries)
        } else {
            Shape::List(open.children)
        };
        self.put(shape, open.range.start..end, open.anchor, open.flow);
    }

    fn put(&mut self, shape: Shape, range: Range<usize>, anchor: usize, flow: bool) {
        let node = Node {
            range,
            shape,
            anchor,
            flow,
        };
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.nodes.roots.push(node),
        }
    }
}
