//! Turns an edit of one resource into splices: changes the fields it states, and adds those it does
//! not. New fields go behind the last one of the resource, or of their group. Start with
//! [`EditBuffer::splices_for`].

use super::buffer::{EditBuffer, group_and_name};
use super::nodes::{NodeShape, SpannedNode};
use super::scalar::ScalarText;
use super::splice::{TextSplice, line_start, new_lines};
use super::{EditRefusal, ManifestEdit};
use crate::kinds::{self, FieldType, Kind};
use crate::manifest::{write, write_text};
use crate::model::{Cell, DeclaredResource, FieldRef, Link, Value};

/// A key and its value to add to a mapping.
#[derive(Clone, Debug)]
pub(super) struct InsertedEntry {
    name: String,
    /// The value as written in a flow mapping.
    flow: FlowValue,
    /// The lines, with the key, as written in a block mapping.
    lines: Vec<String>,
}

/// A value as written in a flow mapping.
#[derive(Clone, Debug)]
enum FlowValue {
    Word(ScalarText),
    Text(String),
}

impl InsertedEntry {
    pub fn of(name: &str, word: ScalarText) -> Self {
        let value = if word.bare {
            word.text.clone()
        } else {
            write_text::scalar(&word.text, false)
        };
        Self {
            name: name.to_owned(),
            lines: vec![format!("{name}: {value}")],
            flow: FlowValue::Word(word),
        }
    }
}

/// The attributes of a link that differ from their defaults.
pub(super) fn link_words(ty: &FieldType, link: &Link) -> Vec<(&'static str, ScalarText)> {
    let said = ty.attributes().iter().zip(link.attributes);
    let said = said.filter_map(|(attribute, choice)| {
        let choice = choice.filter(|choice| *choice != attribute.default)?;
        Some((attribute.name, ScalarText::choice(attribute, choice)))
    });
    said.collect()
}

impl<'t> EditBuffer<'t> {
    /// The changes that an edit makes to the text.
    pub fn splices_for(
        &self,
        edit: &ManifestEdit,
        declared: &DeclaredResource,
    ) -> Result<Vec<TextSplice>, EditRefusal> {
        let kind = kinds::get(edit.key.kind);
        let resource = self.resource(declared.position)?;
        let mut splices = Vec::new();
        let mut missing = Vec::new();
        for (field, cell) in &edit.cells {
            match self.field(resource, kind, field)? {
                Some(entry) => {
                    let before = declared
                        .stated(field)
                        .and_then(|stated| stated.cell.value());
                    let found = self.change_splices(kind, field, entry, before, cell);
                    let at = self.pos(entry.1.range.start);
                    splices.extend(found.map_err(|refusal| EditRefusal {
                        at: refusal.at.or(Some(at)),
                        ..refusal
                    })?);
                }
                // Adding a line would override the merge key, or contradict `clear`, and leave two
                // statements about one field.
                None if declared.stated(field).is_some() => {
                    return Err(EditRefusal::new(
                        "the value comes from a merge key, from `clear` or from the place of the entry, not from its own line",
                    ));
                }
                None => missing.extend(cell.value().map(|value| (field, value))),
            }
        }
        splices.extend(self.insert_splices(kind, &edit.key.id, resource, &missing)?);
        Ok(splices)
    }

    fn change_splices(
        &self,
        kind: &'static Kind,
        field: &FieldRef,
        entry: &'t (SpannedNode, SpannedNode),
        before: Option<&Value>,
        cell: &Cell,
    ) -> Result<Vec<TextSplice>, EditRefusal> {
        let (key, node) = entry;
        let ty = kind.field(field).map(|field| &field.ty);
        match cell {
            Cell::Value(after @ (Value::List(_) | Value::Links(_))) => {
                // A value that could not be read counts as the empty list; the final check decides.
                let none = Value::List(Box::default());
                self.list(ty, entry, before.unwrap_or(&none), after)
            }
            Cell::Value(after) => {
                let word = ScalarText::of(after)
                    .ok_or_else(|| EditRefusal::new("the value is not a single value"))?;
                Ok(vec![self.replace(key, node, &word)?])
            }
            // `""` and not nothing, so that the line still shows that the value was emptied on
            // purpose.
            Cell::Blank => Ok(vec![match &node.shape {
                NodeShape::Scalar(..) if !node.is_block_scalar() => {
                    TextSplice::new(node.range.clone(), "\"\"")
                }
                _ => {
                    return Err(EditRefusal::new("only a value on one line can be blanked"));
                }
            }]),
            Cell::Clear | Cell::Amend(_) => {
                Err(EditRefusal::new("a manifest cannot express this value"))
            }
        }
    }

    /// Adds fields behind the last one of a resource, or of their group in it.
    fn insert_splices(
        &self,
        kind: &'static Kind,
        id: &str,
        resource: &'t SpannedNode,
        missing: &[(&FieldRef, &Value)],
    ) -> Result<Vec<TextSplice>, EditRefusal> {
        let mut own: Vec<InsertedEntry> = Vec::new();
        let mut splices = Vec::new();
        // Fields of one group are adjacent. They are collected and written as one mapping, because
        // a second `customFields:` would be a duplicate key.
        let mut group: Vec<(&FieldRef, &Value)> = Vec::new();
        for (index, (field, value)) in missing.iter().enumerate() {
            let (name, _) = group_and_name(kind, field);
            let Some(name) = name else {
                own.push(self.entry(kind, id, &[(*field, *value)], false)?);
                continue;
            };
            group.push((*field, *value));
            let next = missing.get(index + 1);
            if next
                .and_then(|(field, _)| group_and_name(kind, field).0)
                .as_ref()
                == Some(&name)
            {
                continue;
            }
            let members = std::mem::take(&mut group);
            match self.own_entry(resource, &name)? {
                Some((_, map)) => {
                    let entries = members.iter();
                    let entries = entries.map(|member| self.entry(kind, id, &[*member], true));
                    splices.extend(self.insert(map, &entries.collect::<Result<Vec<_>, _>>()?)?);
                }
                None => own.push(self.entry(kind, id, &members, false)?),
            }
        }
        splices.extend(self.insert(resource, &own)?);
        Ok(splices)
    }

    /// Builds the entry for some fields, either in their resource or `within` their group.
    fn entry(
        &self,
        kind: &'static Kind,
        id: &str,
        said: &[(&FieldRef, &Value)],
        within: bool,
    ) -> Result<InsertedEntry, EditRefusal> {
        let none = || EditRefusal::new("the value is empty");
        let text = write::fields(kind, id, said.iter().copied(), &|_| None);
        // `fields` begins with the externalId and the group's own line, which exist already.
        let head = usize::from(kind.singleton.is_none()) + usize::from(within);
        let indent = if within { "  " } else { "" };
        let lines = text.lines().skip(head);
        let lines = lines.map(|line| line.strip_prefix(indent).unwrap_or(line).to_owned());
        let (first, _) = said.first().ok_or_else(none)?;
        let (group, name) = group_and_name(kind, first);
        let pairs = said.iter().map(|(field, value)| {
            let name = self.styled(
                &ScalarText::text(&group_and_name(kind, field).1),
                None,
                true,
            );
            format!("{name}: {}", self.flow_value(kind, field, value))
        });
        let flow = match &group {
            Some(_) if !within => format!("{{{}}}", pairs.collect::<Vec<_>>().join(", ")),
            _ => self.flow_value(kind, first, said[0].1),
        };
        Ok(InsertedEntry {
            name: group.filter(|_| !within).unwrap_or(name),
            flow: FlowValue::Text(flow),
            lines: lines.collect(),
        })
    }

    /// A value as written in a flow mapping.
    fn flow_value(&self, kind: &'static Kind, field: &FieldRef, value: &Value) -> String {
        if let Some(word) = ScalarText::of(value) {
            return self.styled(&word, None, true);
        }
        let ty = kind.field(field).map(|field| &field.ty);
        let members: Vec<String> = match (value, ty) {
            (Value::Links(links), Some(ty)) => {
                links.iter().map(|link| self.link(ty, link)).collect()
            }
            (value, _) => value
                .members()
                .map(|member| self.styled(&ScalarText::text(member), None, true))
                .collect(),
        };
        format!("[{}]", members.join(", "))
    }

    /// Adds entries behind the last one of a mapping.
    pub fn insert(
        &self,
        map: &SpannedNode,
        entries: &[InsertedEntry],
    ) -> Result<Option<TextSplice>, EditRefusal> {
        let NodeShape::Map(known) = &map.shape else {
            let why = match &map.shape {
                NodeShape::Scalar(..) => "the key has no mapping yet",
                _ => "the key does not hold a mapping",
            };
            return if entries.is_empty() {
                Ok(None)
            } else {
                Err(EditRefusal::new(why))
            };
        };
        if entries.is_empty() {
            return Ok(None);
        }
        let pairs: Vec<String> = entries.iter().map(|entry| self.flow_pair(entry)).collect();
        let Some((key, value)) = known.last() else {
            // An empty mapping is always `{}`; the new entries go before its closing brace.
            let at = map.range.end.saturating_sub(1);
            return Ok(Some(TextSplice::insert(at, pairs.join(", "))));
        };
        if !map.flow {
            let (first, _) = &known[0];
            let column = self.pos(first.range.start).column;
            let indent = " ".repeat(usize::try_from(column).unwrap_or(1) - 1);
            let lines = entries.iter().flat_map(|entry| &entry.lines);
            let lines = lines.map(|line| match line.as_str() {
                "" => String::new(),
                line => format!("{indent}{line}"),
            });
            let after = value.end(self.body).max(key.range.end);
            return Ok(Some(new_lines(
                self.body,
                after,
                &lines.collect::<Vec<_>>(),
            )));
        }
        // In `{a: 1, b:}` nothing marks where the value ends.
        if value.is_empty() {
            return Err(EditRefusal::new("the last value of the mapping is empty"));
        }
        let line = line_start(self.body, key.range.start);
        let before = &self.body[line..key.range.start];
        // If the last key has a line of its own, as in indented JSON, so does a new one.
        let between = if before.trim().is_empty() && line > map.range.start {
            let end = super::splice::line_break(self.body);
            format!(",{end}{before}")
        } else {
            ", ".to_owned()
        };
        let new = pairs.iter().map(|pair| format!("{between}{pair}"));
        Ok(Some(TextSplice::insert(
            value.range.end,
            new.collect::<String>(),
        )))
    }

    fn flow_pair(&self, entry: &InsertedEntry) -> String {
        match &entry.flow {
            FlowValue::Word(word) => self.pair(&entry.name, word),
            FlowValue::Text(text) => {
                let name = self.styled(&ScalarText::text(&entry.name), None, true);
                format!("{name}: {text}")
            }
        }
    }
}
