//! A manifest as a tree of nodes with their byte ranges. Unlike the reader in `events`, it keeps
//! aliases as nodes of their own, because an edit must know what is shared. Start with
//! [`NodeTree::read`].

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A node and its bytes, without anchor and tag. The bytes of a block scalar are its content.
#[derive(Clone, Debug)]
pub(super) struct SpannedNode {
    pub range: Range<usize>,
    pub shape: NodeShape,
    /// Its anchor; 0 for none.
    pub anchor: usize,
    /// Whether it is a flow collection (`[..]`, `{..}`) or inside one.
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
    /// The entry of a mapping with this key.
    pub fn entry(&self, name: &str) -> Option<&(SpannedNode, SpannedNode)> {
        let NodeShape::Map(entries) = &self.shape else {
            return None;
        };
        entries.iter().find(|(key, _)| key.text() == Some(name))
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            NodeShape::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    /// Whether the value is absent, as after `name:`.
    pub fn is_empty(&self) -> bool {
        matches!(self.shape, NodeShape::Scalar(ScalarStyle::Plain, _)) && self.range.is_empty()
    }

    /// Whether it is a block scalar (`|` or `>`).
    pub fn is_block_scalar(&self) -> bool {
        matches!(
            self.shape,
            NodeShape::Scalar(ScalarStyle::Literal | ScalarStyle::Folded, _)
        )
    }

    /// The end of its text, without the blank lines behind it.
    pub fn end(&self, text: &str) -> usize {
        // The parser ends a block collection at the next token, which may be after blank lines and
        // comments that belong to something else.
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

#[derive(Debug, Default)]
pub(super) struct NodeTree {
    /// One root per document.
    pub roots: Vec<SpannedNode>,
    /// The anchors that an alias refers to.
    pub aliased: HashSet<usize>,
    /// The path of each resource from the root, by the byte of its external id, or of its start if
    /// it has none.
    resource_paths: HashMap<usize, Vec<usize>>,
}

impl NodeTree {
    /// Reads a text. Returns `None` if it is not valid YAML.
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
        // One pass over the tree, so that many edits of a large file do not each search it.
        let mut places = HashMap::new();
        for (index, root) in nodes.roots.iter().enumerate() {
            index_resources(root, &mut vec![index], &mut places);
        }
        nodes.resource_paths = places;
        Some(nodes)
    }

    /// The mapping of a resource, by the byte of its external id, with all nodes around it.
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

/// Records the path of each mapping.
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
        // A block collection ends with its last child: the event's own end is the next token.
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
