//! Reads one resource: a mapping of its kind's keys becomes cells. A resource whose external id
//! cannot be read is kept as nameless, so that nothing is removed that it may have meant. Start at
//! `ManifestParser::resource`.

use super::document::{ManifestParser, ParsedResource};
use super::entries::MappingEntries;
use super::keys::{self, ManifestKey};
use super::nodes::{DocumentError, NodeEvent};
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::kinds::read::{check_id, quoted};
use crate::kinds::{FieldType, Kind, own_field};
use crate::model::{
    Cell, CompactText, DeclaredResource, FieldRef, Key, LineColumn, NamelessResource, StatedField,
    Value,
};
use std::collections::HashMap;
use std::sync::Arc;

/// The index of each field's cell among the cells of a resource.
type Places = HashMap<FieldRef, usize>;

/// A resource being read.
pub(super) struct ManifestDraft {
    pub kind: &'static Kind,
    at: LineColumn,
    id: Option<(CompactText, LineColumn)>,
    /// Whether an invalid externalId was written, and where.
    bad_id: bool,
    id_at: Option<LineColumn>,
    /// The index of its first cell.
    cells: usize,
    /// The index of its first diagnostic.
    pub findings: usize,
    /// The index of its first salvaged field.
    salvaged_fields_start: usize,
    clear: Vec<(CompactText, LineColumn)>,
    /// Whether it is a document of its own, with a head.
    single: bool,
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
        if let Some(declared) = self.finish(draft) {
            self.found.push(ParsedResource {
                kind: kind.id,
                declared,
                inline: false,
            });
        }
        Ok(())
    }

    pub(super) fn draft(&self, kind: &'static Kind, at: LineColumn, single: bool) -> ManifestDraft {
        ManifestDraft {
            kind,
            at,
            id: None,
            bad_id: false,
            id_at: None,
            cells: self.cells.len(),
            findings: self.sink.diagnostics.len(),
            salvaged_fields_start: self.salvaged_fields.len(),
            clear: Vec::new(),
            single,
        }
    }

    /// Drops a draft of which nothing is kept.
    pub(super) fn discard(&mut self, draft: &ManifestDraft) {
        self.cells.truncate(draft.cells);
        self.salvaged_fields.truncate(draft.salvaged_fields_start);
    }

    /// Reads the value of one key of a resource.
    pub(super) fn entry(
        &mut self,
        draft: &mut ManifestDraft,
        name: &str,
        at: LineColumn,
    ) -> Result<(), DocumentError> {
        match keys::slot(draft.kind.id, name) {
            Some(ManifestKey::Field(index)) => self.field(draft.kind, index, at),
            Some(ManifestKey::Id) => self.id(draft, at),
            Some(ManifestKey::Group) => self.group(draft.kind, name),
            Some(ManifestKey::Custom) => self.custom(draft.kind),
            Some(ManifestKey::Clear) => self.clear(draft),
            Some(ManifestKey::Header) if draft.single && name == "apiVersion" => self.api_version(),
            Some(ManifestKey::Header) if draft.single => self.reader.skip_next(),
            Some(ManifestKey::Password) => self.password(name, at),
            Some(ManifestKey::Fact) => self.fact(name, at),
            Some(ManifestKey::Header) | None => self.unknown(draft, name, at),
        }
    }

    fn id(&mut self, draft: &mut ManifestDraft, name_at: LineColumn) -> Result<(), DocumentError> {
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
        draft: &mut ManifestDraft,
        name: &str,
        at: LineColumn,
    ) -> Result<(), DocumentError> {
        self.reader.skip_next()?;
        let kind = draft.kind;
        let message = format!("{} has no field {}", kind.name, quoted(name));
        let found = Diagnostic::new(codes::UNKNOWN_FIELD, message).field(name);
        let meant = keys::suggest_key(kind, name);
        // Reporting the intended key as missing would repeat the same mistake.
        match meant.and_then(|meant| Some((meant, keys::slot(kind.id, meant)?))) {
            Some((_, ManifestKey::Id)) => draft.bad_id = true,
            Some((meant, ManifestKey::Field(_) | ManifestKey::Group)) => {
                self.lose_field(kind, meant, at);
            }
            _ => {}
        }
        let help = match meant {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => format!("The fields are {}", kind.manifest_keys().join(", ")),
        };
        self.sink.report(at, found.help(help));
        Ok(())
    }

    fn clear(&mut self, draft: &mut ManifestDraft) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => return Ok(()),
            NodeEvent::List => {}
            other => {
                self.reader.skip(&other)?;
                self.wrong_type("clear", at, "must be a list", "Write `clear: [website]`");
                return Ok(());
            }
        }
        loop {
            match self.reader.next()? {
                (NodeEvent::End | NodeEvent::Eof, _) => return Ok(()),
                (NodeEvent::Scalar(scalar), at) => {
                    draft.clear.push((CompactText::new(&scalar.text), at));
                }
                (other, at) => {
                    self.reader.skip(&other)?;
                    self.wrong_type(
                        "clear",
                        at,
                        "items must be names of fields",
                        "Write `clear: [website]`",
                    );
                }
            }
        }
    }

    /// Completes a resource; `None` if its key is unknown.
    pub(super) fn finish(&mut self, mut draft: ManifestDraft) -> Option<Arc<DeclaredResource>> {
        let clear = std::mem::take(&mut draft.clear);
        // A hostile file may clear thousands of names; looking each one up in a list of thousands
        // of cells would be quadratic.
        let mut stated = Places::default();
        if !clear.is_empty() {
            let cells = self.cells[draft.cells..].iter().enumerate();
            stated = cells.map(|(at, cell)| (cell.field.clone(), at)).collect();
        }
        for (name, at) in clear {
            self.clear_field(&draft, &mut stated, &name, at);
        }
        let Some((id, at)) = self.known_id(&mut draft) else {
            let nameless = NamelessResource {
                kind: draft.kind.id,
                path: Arc::clone(&self.sink.path),
                position: draft.id_at.unwrap_or(draft.at),
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
            .map(|stated| clear_to_empty_list(draft.kind, stated))
            .collect();
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
    fn salvage(&mut self, draft: &ManifestDraft, key: &Key) {
        let cells = &self.cells[draft.cells..];
        let torn = self.salvaged_fields.drain(draft.salvaged_fields_start..);
        let lost = torn.filter(|(field, _)| cells.iter().all(|cell| cell.field != *field));
        let lost = lost.map(|(field, left)| ((key.clone(), field), left));
        self.salvaged.extend(lost);
    }

    fn known_id(&mut self, draft: &mut ManifestDraft) -> Option<(CompactText, LineColumn)> {
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

    fn clear_field(
        &mut self,
        draft: &ManifestDraft,
        stated: &mut Places,
        name: &str,
        at: LineColumn,
    ) {
        let kind = draft.kind;
        let group: Vec<usize> = kind.group(name).collect();
        if !group.is_empty() {
            for index in group {
                self.clear_cell(draft, stated, &own_field(index), name, at);
            }
            return;
        }
        let Some(field) = kind.field_ref(name) else {
            self.unknown_clear(kind, name, at);
            return;
        };
        if !may_be_cleared(kind, &field) {
            let message = format!("`{name}` cannot be cleared");
            let found = Diagnostic::new(codes::CLEAR_REQUIRED, message).field(name);
            let help = format!("Remove `{name}` from `clear:`, or write a value");
            self.sink.report(at, found.help(help));
        }
        self.clear_cell(draft, stated, &field, name, at);
    }

    fn clear_cell(
        &mut self,
        draft: &ManifestDraft,
        places: &mut Places,
        field: &FieldRef,
        name: &str,
        at: LineColumn,
    ) {
        let place = places.get(field).map(|place| draft.cells + place);
        match place.and_then(|place| self.cells.get_mut(place)) {
            None => {
                places.insert(field.clone(), self.cells.len() - draft.cells);
                self.cells.push(StatedField {
                    field: field.clone(),
                    cell: Cell::Clear,
                    position: at,
                });
            }
            Some(stated) if matches!(stated.cell, Cell::Value(_)) => {
                let set = stated.position;
                let message = format!("`{name}` is both cleared and set");
                let found = Diagnostic::new(codes::CLEAR_UNKNOWN, message).field(name);
                let found = found
                    .help("Keep one of them")
                    .related([self.sink.origin(set)]);
                self.sink.report(at, found);
            }
            Some(stated) => {
                stated.cell = Cell::Clear;
                stated.position = at;
            }
        }
    }

    fn unknown_clear(&mut self, kind: &'static Kind, name: &str, at: LineColumn) {
        let message = format!("{} has no field {} to clear", kind.name, quoted(name));
        let mut found = Diagnostic::new(codes::CLEAR_UNKNOWN, message).field("clear");
        let known = kind.fields.iter().map(|field| field.name);
        if name == "externalId" {
            found = Diagnostic::new(codes::CLEAR_REQUIRED, "`externalId` cannot be cleared");
        } else if let Some(meant) = did_you_mean(name, known) {
            found = found.help(format!("Did you mean `{meant}`?"));
        }
        self.sink.report(at, found);
    }
}

/// A cleared list is the empty list, like `[]`, even if the list has a default: the default only
/// stands in for a list that nobody declares.
fn clear_to_empty_list(kind: &Kind, stated: StatedField) -> StatedField {
    if stated.cell != Cell::Clear || !may_be_cleared(kind, &stated.field) {
        return stated;
    }
    let none = match kind.field(&stated.field).map(|field| &field.ty) {
        Some(FieldType::Links { .. }) => Value::links([]),
        Some(ty) if ty.is_list() => Value::List([].into()),
        _ => return stated,
    };
    StatedField {
        cell: Cell::Value(none),
        ..stated
    }
}

/// Whether `clear:` may name a field: not a required field, a secret or the status.
fn may_be_cleared(kind: &Kind, field: &FieldRef) -> bool {
    let Some(index) = field.own() else {
        return true;
    };
    let field = &kind.fields[index];
    !field.required && !field.is_secret() && index != kind.status_index()
}
