//! The text of a manifest as a tree of nodes that know their bytes. Unlike in the reader, an alias
//! is a node of its own here, because an edit must not change what it repeats.

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A node and the bytes it covers, without anchor and tag; for a block scalar, its content.
#[derive(Clone, Debug)]
pub(super) struct SpannedNode {
    pub range: Range<usize>,
    pub shape: NodeShape,
    /// The anchor on it; 0 for none.
    pub anchor: usize,
    /// Whether it is a flow collection or inside one.
    pub flow: bool,
}

#[derive(Clone, Debug)]
pub(super) enum NodeShape {
    Scalar(ScalarStyle, String),
    List(Vec<SpannedNode>),
    Map(Vec<(SpannedNode, SpannedNode)>),
    Alias,
}

impl SpannedNode {
    /// Returns the entry of a key in a mapping.
    pub fn entry(&self, name: &str) -> Option<&(SpannedNode, SpannedNode)> {
        let NodeShape::Map(entries) = &self.shape else {
            return None;
        };
        entries.iter().find(|(key, _)| key.text() == Some(name))
    }

    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            NodeShape::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing at all is written there.
    pub fn is_empty(&self) -> bool {
        matches!(self.shape, NodeShape::Scalar(ScalarStyle::Plain, _)) && self.range.is_empty()
    }

    /// Whether it is a block scalar, written below its key.
    pub fn is_block_scalar(&self) -> bool {
        matches!(
            self.shape,
            NodeShape::Scalar(ScalarStyle::Literal | ScalarStyle::Folded, _)
        )
    }

    /// The end of its text, without blank lines after it.
    pub fn end(&self, text: &str) -> usize {
        let own = text[self.range.clone()].trim_end().len() + self.range.start;
        match &self.shape {
            _ if self.flow => self.range.end,
            NodeShape::List(items) => items.last().map_or(own, |item| item.end(text)),
            NodeShape::Map(entries) => entries
                .last()
                .map_or(own, |(key, value)| value.end(text).max(key.range.end)),
            NodeShape::Scalar(..) | NodeShape::Alias => own,
        }
    }
}

/// The nodes of a file.
#[derive(Debug, Default)]
pub(super) struct NodeTree {
    /// One per document.
    pub roots: Vec<SpannedNode>,
    /// The anchors that some alias refers to.
    pub aliased: HashSet<usize>,
    /// The path from the root to each resource, by the position of its external id or, without one,
    /// of its start.
    resource_paths: HashMap<usize, Vec<usize>>,
}

impl NodeTree {
    /// Reads the nodes; `None` if the text is not YAML.
    pub fn read(text: &str) -> Option<Self> {
        let options = granit_parser::options! {
            emit_comments: false,
            disallow_directives: true,
        };
        let mut reading = NodeTreeBuilder::default();
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.ok()?;
            let range = span.start.byte_offset()?..span.end.byte_offset()?;
            reading.handle_event(event, range);
        }
        let mut nodes = reading.nodes;
        let mut places = HashMap::new();
        for (index, root) in nodes.roots.iter().enumerate() {
            index_resources(root, &mut vec![index], &mut places);
        }
        nodes.resource_paths = places;
        Some(nodes)
    }

    /// Returns the mapping of a resource by the position of its external id, with the nodes around
    /// it.
    pub fn resource(&self, at: usize) -> Option<Vec<&SpannedNode>> {
        let way = self.resource_paths.get(&at)?;
        let mut node = self.roots.get(*way.first()?)?;
        let mut around = vec![node];
        for step in &way[1..] {
            node = match &node.shape {
                NodeShape::List(items) => items.get(*step)?,
                NodeShape::Map(entries) => &entries.get(*step)?.1,
                _ => return None,
            };
            around.push(node);
        }
        Some(around)
    }
}

/// Records the path to each mapping.
fn index_resources(
    node: &SpannedNode,
    way: &mut Vec<usize>,
    places: &mut HashMap<usize, Vec<usize>>,
) {
    match &node.shape {
        NodeShape::Map(entries) => {
            if let Some((_, id)) = node.entry("externalId") {
                places.insert(id.range.start, way.clone());
            } else {
                places
                    .entry(node.range.start)
                    .or_insert_with(|| way.clone());
            }
            for (index, (_, value)) in entries.iter().enumerate() {
                way.push(index);
                index_resources(value, way, places);
                way.pop();
            }
        }
        NodeShape::List(items) => {
            for (index, item) in items.iter().enumerate() {
                way.push(index);
                index_resources(item, way, places);
                way.pop();
            }
        }
        _ => {}
    }
}

/// A list or mapping that has not ended.
struct OpenCollection {
    range: Range<usize>,
    anchor: usize,
    flow: bool,
    is_map: bool,
    children: Vec<SpannedNode>,
}

#[derive(Default)]
struct NodeTreeBuilder {
    nodes: NodeTree,
    open: Vec<OpenCollection>,
}

impl NodeTreeBuilder {
    fn handle_event(&mut self, event: Event<'_>, range: Range<usize>) {
        let within = self.open.last().is_some_and(|open| open.flow);
        let shape = match event {
            Event::Scalar(text, style, anchor, _) => {
                let shape = NodeShape::Scalar(style, text.into_owned());
                return self.put(shape, range, anchor, within);
            }
            Event::Alias(anchor) => {
                self.nodes.aliased.insert(anchor);
                return self.put(NodeShape::Alias, range, 0, within);
            }
            Event::SequenceStart(style, anchor, _) => (style, anchor, false),
            Event::MappingStart(style, anchor, _) => (style, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => return self.close(&range),
            _ => return,
        };
        let (style, anchor, is_map) = shape;
        self.open.push(OpenCollection {
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
            // A block collection has no closing mark: it ends with its last child, not where the
            // parser notices.
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
            NodeShape::Map(entries)
        } else {
            NodeShape::List(open.children)
        };
        self.put(shape, open.range.start..end, open.anchor, open.flow);
    }

    fn put(&mut self, shape: NodeShape, range: Range<usize>, anchor: usize, flow: bool) {
        let node = SpannedNode {
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
