//! Reads one resource: a mapping of its kind's keys becomes cells. A resource whose external id
//! cannot be read is kept as nameless, so that nothing is removed that it may have meant. Start at
//! `ManifestParser::resource`.

use super::document::{ManifestParser, ParsedResource, ResourcePlace};
use super::entries::MappingEntries;
use super::keys::{self, ManifestKey};
use super::nodes::{DocumentError, NodeEvent, RecordedNodes};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::{check_id, quoted};
use crate::kinds::{Kind, NestedList, effective};
use crate::model::{CompactText, DeclaredResource, Key, LineColumn, NamelessResource, StatedField};
use std::sync::Arc;

/// A resource being read.
pub(super) struct ManifestDraft<'a> {
    pub kind: &'static Kind,
    at: LineColumn,
    id: Option<(CompactText, LineColumn)>,
    /// Whether an invalid externalId was written, and where.
    bad_id: bool,
    id_at: Option<LineColumn>,
    /// The index of its first cell.
    pub cells: usize,
    /// The index of its first list item with dates.
    dated_items: usize,
    /// The index of its first diagnostic.
    pub findings: usize,
    /// The index of its first salvaged field.
    salvaged_fields_start: usize,
    pub clear: Vec<(CompactText, LineColumn)>,
    /// Whether it is a document of its own, with a head.
    single: bool,
    /// The nested list that it is an entry of.
    pub within: Option<&'static NestedList>,
    /// Its own nested lists, which are read once it is complete.
    pub nested: Vec<RecordedList<'a>>,
}

/// A nested list that was recorded to be read later.
pub(super) struct RecordedList<'a> {
    pub list: &'static NestedList,
    pub nodes: RecordedNodes<'a>,
}

impl ManifestDraft<'_> {
    /// The position of its external id, or where it starts.
    pub fn position(&self) -> LineColumn {
        self.id_at.unwrap_or(self.at)
    }

    /// The nested list that gives it the field with this name.
    fn giver(&self, name: &str) -> Option<&'static NestedList> {
        self.within.filter(|list| list.gives(name))
    }
}

impl<'a> ManifestParser<'a, '_> {
    /// Reads a resource whose mapping has begun.
    pub(super) fn resource(
        &mut self,
        kind: &'static Kind,
        at: LineColumn,
        mut entries: MappingEntries<'a>,
        single: bool,
    ) -> Result<(), DocumentError> {
        let mut draft = self.draft(kind, at, single);
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            self.entry(&mut draft, &name, at)?;
        }
        self.complete(draft, ResourcePlace::Document)?;
        Ok(())
    }

    /// Completes a resource and what is nested in it; `None` if its key is unknown.
    pub(super) fn complete(
        &mut self,
        mut draft: ManifestDraft<'a>,
        place: ResourcePlace,
    ) -> Result<Option<Arc<DeclaredResource>>, DocumentError> {
        let nested = std::mem::take(&mut draft.nested);
        let declared = self.finish(draft);
        self.found
            .extend(declared.iter().map(|declared| ParsedResource {
                kind: declared.key.kind,
                declared: Arc::clone(declared),
                place,
            }));
        for recorded in &nested {
            self.read_nested(recorded, declared.as_deref())?;
        }
        Ok(declared)
    }

    pub(super) fn draft(
        &self,
        kind: &'static Kind,
        at: LineColumn,
        single: bool,
    ) -> ManifestDraft<'a> {
        ManifestDraft {
            kind,
            at,
            id: None,
            bad_id: false,
            id_at: None,
            cells: self.cells.len(),
            dated_items: self.dated_items.len(),
            findings: self.sink.diagnostics.len(),
            salvaged_fields_start: self.salvaged_fields.len(),
            clear: Vec::new(),
            single,
            within: None,
            nested: Vec::new(),
        }
    }

    /// Drops a draft of which nothing is kept.
    pub(super) fn discard(&mut self, draft: &ManifestDraft<'_>) {
        self.cells.truncate(draft.cells);
        self.dated_items.truncate(draft.dated_items);
        self.salvaged_fields.truncate(draft.salvaged_fields_start);
    }

    /// Reads the value of one key of a resource.
    pub(super) fn entry(
        &mut self,
        draft: &mut ManifestDraft<'a>,
        name: &str,
        at: LineColumn,
    ) -> Result<(), DocumentError> {
        if let Some(list) = draft.giver(name) {
            return self.report_given(name, at, list);
        }
        match keys::slot(draft.kind.id, name) {
            Some(ManifestKey::Field(index)) => self.field(draft.kind, index, at),
            Some(ManifestKey::Id) => self.id(draft, at),
            Some(ManifestKey::Group) => self.group(draft.kind, name),
            Some(ManifestKey::Nested(index)) => self.record_nested(draft, index),
            Some(ManifestKey::Custom) => self.custom(draft.kind),
            Some(ManifestKey::Clear) => self.clear(draft),
            Some(ManifestKey::Header) if draft.single && name == "apiVersion" => self.api_version(),
            Some(ManifestKey::Header) if draft.single => self.reader.skip_next(),
            Some(ManifestKey::Password) => self.password(name, at),
            Some(ManifestKey::Fact) => self.fact(name, at),
            Some(ManifestKey::Header) | None => self.unknown(draft, name, at),
        }
    }

    fn id(
        &mut self,
        draft: &mut ManifestDraft<'_>,
        name_at: LineColumn,
    ) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        // Until a valid id is found: a faulty one must not also be reported as missing.
        draft.bad_id = true;
        draft.id_at = Some(at);
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => {
                let message = "the externalId is blank";
                let found = Diagnostic::new(codes::REQUIRED, message).field("externalId");
                self.sink.report(name_at, found.help("Give it a unique id"));
            }
            NodeEvent::Scalar(scalar) => match check_id(draft.kind, &scalar.text) {
                Ok(warning) => {
                    draft.id = Some((CompactText::new(&scalar.text), at));
                    if let Some(warning) = warning {
                        self.sink.reading(warning, at, "externalId");
                    }
                }
                Err(fault) => self.sink.reading(fault, at, "externalId"),
            },
            other => {
                let template = self.reader.template(&other);
                self.reader.skip(&other)?;
                let help = "Write `externalId: acme`";
                match template {
                    Some(mark) => self.template("externalId", at, mark),
                    None => self.wrong_type("externalId", at, "must be text", help),
                }
            }
        }
        Ok(())
    }

    pub(super) fn wrong_type(&mut self, field: &str, at: LineColumn, what: &str, help: &str) {
        let found = Diagnostic::new(codes::WRONG_TYPE, format!("`{field}` {what}"));
        self.sink.report(at, found.help(help).field(field));
    }

    pub(super) fn password(&mut self, name: &str, at: LineColumn) -> Result<(), DocumentError> {
        self.reader.skip_next()?;
        self.plain_password(name, at);
        Ok(())
    }

    /// Reports a password without repeating it.
    pub(super) fn plain_password(&mut self, field: &str, at: LineColumn) {
        let found = Diagnostic::new(
            codes::SECRET_IN_GIT,
            format!("`{field}` contains a password"),
        );
        let help = "Remove the password, change it, and write `passwordFrom: {env: \
                    ROSTER_SECRET_…}`, or `{file: name}` for a file in the secrets directory";
        self.sink.report(at, found.help(help).field(field));
    }

    fn fact(&mut self, name: &str, at: LineColumn) -> Result<(), DocumentError> {
        self.reader.skip_next()?;
        let message = format!("`{name}` is set at run time and cannot be declared");
        let found = Diagnostic::new(codes::RUNTIME_FIELD, message).field(name);
        self.sink.report(
            at,
            found.help("Leave it out. Roster stores it with the resource"),
        );
        Ok(())
    }

    fn unknown(
        &mut self,
        draft: &mut ManifestDraft<'_>,
        name: &str,
        at: LineColumn,
    ) -> Result<(), DocumentError> {
        self.reader.skip_next()?;
        let kind = draft.kind;
        let message = format!("{} has no field {}", kind.name, quoted(name));
        let found = Diagnostic::new(codes::UNKNOWN_FIELD, message).field(name);
        let meant = keys::suggest_key(kind, name).filter(|meant| draft.giver(meant).is_none());
        // Reporting the intended key as missing would repeat the same mistake.
        match meant.and_then(|meant| Some((meant, keys::slot(kind.id, meant)?))) {
            Some((_, ManifestKey::Id)) => draft.bad_id = true,
            Some((meant, ManifestKey::Field(_) | ManifestKey::Group)) => {
                self.lose_field(kind, meant, at);
            }
            _ => {}
        }
        let help = if let Some(meant) = meant {
            format!("Did you mean `{meant}`?")
        } else {
            let mut known = kind.manifest_keys();
            known.retain(|name| draft.giver(name).is_none());
            format!("The fields are {}", known.join(", "))
        };
        self.sink.report(at, found.help(help));
        Ok(())
    }

    fn finish(&mut self, mut draft: ManifestDraft<'_>) -> Option<Arc<DeclaredResource>> {
        self.clear_fields(&mut draft);
        self.push_dated_items(draft.kind, draft.dated_items);
        self.check_period(draft.kind, draft.cells);
        let Some((id, at)) = self.known_id(&mut draft) else {
            let nameless = NamelessResource {
                kind: draft.kind.id,
                path: Arc::clone(&self.sink.path),
                position: draft.position(),
                cells: self.cells.drain(draft.cells..).collect(),
                torn: self
                    .salvaged_fields
                    .drain(draft.salvaged_fields_start..)
                    .collect(),
            };
            self.nameless.push(nameless);
            return None;
        };
        let key = Key {
            kind: draft.kind.id,
            id,
        };
        self.sink.attribute(draft.findings, &key);
        self.salvage(&draft, &key);
        // Collected again, because `split_off` would keep the capacity of the largest resource for
        // every one.
        let cells = self.cells.drain(draft.cells..);
        let mut cells: Vec<StatedField> = cells
            .map(|stated| Self::clear_to_empty_list(draft.kind, stated))
            .collect();
        effective::settle_status(draft.kind, &mut cells, self.as_of);
        // The diff walks declared and stored cells side by side and relies on the order.
        if !cells.is_sorted_by(|a, b| a.field < b.field) {
            cells.sort_by(|a, b| a.field.cmp(&b.field));
        }
        Some(Arc::new(DeclaredResource {
            key,
            path: Arc::clone(&self.sink.path),
            position: at,
            cells,
        }))
    }

    /// Keeps the readable parts of a resource's faulty fields, except of fields that are declared
    /// validly as well.
    fn salvage(&mut self, draft: &ManifestDraft<'_>, key: &Key) {
        let cells = &self.cells[draft.cells..];
        let torn = self.salvaged_fields.drain(draft.salvaged_fields_start..);
        let lost = torn.filter(|(field, _)| cells.iter().all(|cell| cell.field != *field));
        let lost = lost.map(|(field, left)| ((key.clone(), field), left));
        self.salvaged.extend(lost);
    }

    fn known_id(&mut self, draft: &mut ManifestDraft<'_>) -> Option<(CompactText, LineColumn)> {
        if let Some(id) = draft.id.take() {
            return Some(id);
        }
        if let (Some(only), false) = (draft.kind.singleton, draft.bad_id) {
            return Some((CompactText::new(only), draft.at));
        }
        if !draft.bad_id {
            let message = format!("{} without an externalId", draft.kind.with_article());
            let found = Diagnostic::new(codes::REQUIRED, message).field("externalId");
            self.sink
                .report(draft.at, found.help("Give it a unique id"));
        }
        // The unreadable id may be that of any resource of the source.
        self.sink
            .block_removals(draft.at, "the externalId cannot be read");
        None
    }
}
