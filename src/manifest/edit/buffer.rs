//! Finds the text of a resource and of its fields in a manifest, and converts between positions and
//! bytes. Refuses what an alias shares with another place, because changing it would change that
//! place as well.

use super::nodes::{NodeShape, NodeTree, SpannedNode};
use super::{EditRefusal, splice};
use crate::kinds::{self, Kind};
use crate::model::{FieldRef, LineColumn};

/// A file that is being edited.
pub(super) struct EditBuffer<'t> {
    pub body: &'t str,
    pub nodes: &'t NodeTree,
    /// Whether it is JSON, where every text needs double quotes.
    pub json: bool,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl<'t> EditBuffer<'t> {
    pub fn new(body: &'t str, nodes: &'t NodeTree, json: bool) -> Self {
        // Built once: positions are converted for every edit, and a file may have a million lines.
        let mut lines = vec![0];
        while let Some(last) = lines.last().copied() {
            let next = splice::line_end(body, last);
            if next == last || next == body.len() {
                break;
            }
            lines.push(next);
        }
        Self {
            body,
            nodes,
            json,
            lines,
        }
    }

    /// The mapping of the resource whose external id is at this position.
    pub fn resource(&self, at: LineColumn) -> Result<&'t SpannedNode, EditRefusal> {
        let place = self.offset(at);
        let around = place.and_then(|place| self.nodes.resource(place));
        let around =
            around.ok_or_else(|| EditRefusal::new("its position in the file cannot be found"))?;
        // Everything around it counts: an alias to the enclosing list repeats this resource, too.
        if around.iter().any(|node| self.is_shared(node)) {
            return Err(EditRefusal::new(
                "it is below an anchor that aliases refer to",
            ));
        }
        around
            .last()
            .copied()
            .ok_or_else(|| EditRefusal::new("its position in the file cannot be found"))
    }

    /// Whether an alias elsewhere in the file repeats this node.
    pub fn is_shared(&self, node: &SpannedNode) -> bool {
        node.anchor != 0 && self.nodes.aliased.contains(&node.anchor)
    }

    /// The entry of a mapping under a key, or `None`. Refuses a value that is shared with another
    /// place.
    pub fn own_entry(
        &self,
        map: &'t SpannedNode,
        name: &str,
    ) -> Result<Option<&'t (SpannedNode, SpannedNode)>, EditRefusal> {
        let Some(entry) = map.entry(name) else {
            return Ok(None);
        };
        let refused = |why: &str| {
            Err(EditRefusal {
                at: Some(self.pos(entry.1.range.start)),
                why: why.to_owned(),
            })
        };
        match &entry.1.shape {
            NodeShape::Alias => refused("the value is an alias"),
            _ if self.is_shared(&entry.1) => {
                refused("the value has an anchor that aliases refer to")
            }
            _ => Ok(Some(entry)),
        }
    }

    /// The entry of a field: under its name, or inside the mapping of its group.
    pub fn field(
        &self,
        resource: &'t SpannedNode,
        kind: &'static Kind,
        field: &FieldRef,
    ) -> Result<Option<&'t (SpannedNode, SpannedNode)>, EditRefusal> {
        match group_and_name(kind, field) {
            (None, name) => self.own_entry(resource, &name),
            (Some(group), name) => match self.own_entry(resource, &group)? {
                Some((_, members)) => self.own_entry(members, &name),
                None => Ok(None),
            },
        }
    }

    /// The byte at a position.
    pub fn offset(&self, at: LineColumn) -> Option<usize> {
        let line = usize::try_from(at.line.checked_sub(1)?).ok()?;
        let before = usize::try_from(at.column.checked_sub(1)?).ok()?;
        let start = *self.lines.get(line)?;
        let mut chars = self.body[start..].char_indices();
        // Columns count characters, as editors do, and not bytes.
        let column = chars.nth(before).map(|(column, _)| column);
        Some(column.map_or(self.body.len(), |column| start + column))
    }

    /// The position of a byte.
    pub fn pos(&self, at: usize) -> LineColumn {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines[line.saturating_sub(1)];
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        LineColumn {
            line: small(line),
            column: small(self.body[start..at].chars().count() + 1),
        }
    }
}

/// The group that a field is written in, if any, and its name there.
pub(super) fn group_and_name(kind: &'static Kind, field: &FieldRef) -> (Option<String>, String) {
    match field {
        FieldRef::Custom(id) => (Some("customFields".to_owned()), id.to_string()),
        FieldRef::Own(_) => {
            let name = kinds::get(kind.id).field_name(field);
            match name.split_once('.') {
                Some((group, member)) => (Some(group.to_owned()), member.to_owned()),
                None => (None, name),
            }
        }
    }
}
