//! Reads resources that are written inside another one, in a nested list of the table of kinds.
//! Their place gives them some of their fields, such as the account of an organisation. A nested
//! list is recorded first and read once the resource around it is complete, because that one may
//! state its own fields in any order. Start at `ManifestParser::read_nested`.

use super::document::{ManifestParser, ResourcePlace};
use super::entries::MappingEntries;
use super::nodes::{DocumentError, NodeEvent};
use super::resource::{ManifestDraft, RecordedList};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::{self, GivenValue, NestedList, own_field};
use crate::model::{Cell, DeclaredResource, LineColumn, StatedField, Value};

/// The place of an entry of a nested list.
#[derive(Clone, Copy)]
pub(super) struct NestedPlace<'o> {
    pub list: &'static NestedList,
    /// The resource around it; `None` if its external id cannot be read.
    outer: Option<&'o DeclaredResource>,
}

impl<'a> ManifestParser<'a, '_> {
    /// Records the value of a nested list.
    pub(super) fn record_nested(
        &mut self,
        draft: &mut ManifestDraft<'a>,
        index: u8,
    ) -> Result<(), DocumentError> {
        let first = self.reader.next()?;
        draft.nested.push(RecordedList {
            list: &draft.kind.nested[usize::from(index)],
            nodes: self.reader.record(first)?,
        });
        Ok(())
    }

    /// Reads a recorded list of the resource `outer`.
    pub(super) fn read_nested(
        &mut self,
        recorded: &RecordedList<'a>,
        outer: Option<&DeclaredResource>,
    ) -> Result<(), DocumentError> {
        self.reader.replay(&recorded.nodes);
        let list = recorded.list;
        let findings = self.sink.diagnostics.len();
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => {}
            NodeEvent::List => self.nested_entries(NestedPlace { list, outer })?,
            other => {
                self.reader.skip(&other)?;
                self.unreadable_nested(list, at, "must be a list");
            }
        }
        // What has no resource of its own is about the one around the list.
        if let Some(outer) = outer {
            self.sink.within(findings, list.name);
            self.sink.attribute(findings, &outer.key);
        }
        Ok(())
    }

    fn nested_entries(&mut self, place: NestedPlace<'_>) -> Result<(), DocumentError> {
        let kind = kinds::get(place.list.kind);
        loop {
            let (node, at) = self.reader.next()?;
            match node {
                NodeEvent::End | NodeEvent::Eof => return Ok(()),
                NodeEvent::Map => {
                    let mut draft = self.draft(kind, at, false);
                    draft.within = Some(place.list);
                    self.nested_entry(draft, place)?;
                }
                other => {
                    self.reader.skip(&other)?;
                    self.unreadable_nested(place.list, at, "items must be mappings");
                }
            }
        }
    }

    fn nested_entry(
        &mut self,
        mut draft: ManifestDraft<'a>,
        place: NestedPlace<'_>,
    ) -> Result<(), DocumentError> {
        let mut entries = MappingEntries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            self.entry(&mut draft, &name, at)?;
        }
        if let Some(outer) = place.outer {
            let at = draft.position();
            self.cells.extend(given_cells(place.list, outer, at));
        }
        self.complete(draft, ResourcePlace::Nested)?;
        Ok(())
    }

    fn unreadable_nested(&mut self, list: &NestedList, at: LineColumn, what: &str) {
        let kind = kinds::get(list.kind);
        self.sink.hide_kind(kind, at);
        let message = format!("`{}` {what}", list.name);
        let help = format!("Write each {} as `- externalId: ..`", kind.name);
        self.sink.fault(codes::WRONG_TYPE, at, message, &help);
    }

    /// Reports a field that the place of an entry gives.
    pub(super) fn report_given(
        &mut self,
        name: &str,
        at: LineColumn,
        list: &NestedList,
    ) -> Result<(), DocumentError> {
        self.reader.skip_next()?;
        let kind = kinds::get(list.kind).name;
        let message = format!("an entry of `{}` has no `{name}`", list.name);
        let found = Diagnostic::new(codes::UNKNOWN_FIELD, message).field(name);
        let help = format!(
            "Remove `{name}`: the place of the entry says it. Or write the {kind} as a document"
        );
        self.sink.report(at, found.help(help));
        Ok(())
    }
}

/// The cells that the place of an entry gives to it.
fn given_cells(
    list: &'static NestedList,
    outer: &DeclaredResource,
    at: LineColumn,
) -> impl Iterator<Item = StatedField> {
    let (kind, around) = (kinds::get(list.kind), kinds::get(outer.key.kind));
    list.given.iter().filter_map(move |(name, value)| {
        let cell = match value {
            GivenValue::OuterId => Cell::Value(Value::text(outer.key.id.as_str())),
            GivenValue::OuterField(field) => {
                Cell::Value(outer.value(around.expect_index(field))?.clone())
            }
            GivenValue::Cleared => Cell::Clear,
        };
        Some(StatedField {
            field: own_field(kind.expect_index(name)),
            cell,
            position: at,
        })
    })
}
