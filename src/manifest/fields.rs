//! Reads the value of one field according to its type and adds a cell. Covers scalars, lists,
//! groups such as `legalUser`, and custom fields; links are in `links`, secrets in `secret`,
//! documents in `file_field`. Start with `ManifestParser::field`.

use super::document::ManifestParser;
use super::entries::MappingEntries;
use super::keys;
use super::nodes::{DocumentError, NodeEvent, YamlScalar};
use super::syntax;
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::kinds::read::{MAX_CUSTOM_CHARS, check_id, quoted};
use crate::kinds::{Field, FieldType, Kind, SetItem, own_field};
use crate::model::{
    Cell, CompactText, FieldRef, LineColumn, SalvagedReferences, StatedField, Value,
};

impl<'a> ManifestParser<'a, '_> {
    /// Reads the value of the field at `index`, whose name is at `name_at`.
    pub(super) fn field(
        &mut self,
        kind: &'static Kind,
        index: u8,
        name_at: LineColumn,
    ) -> Result<(), DocumentError> {
        let field = &kind.fields[usize::from(index)];
        let (node, at) = self.reader.next()?;
        let value = match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => {
                self.blank(kind, index, name_at);
                return Ok(());
            }
            NodeEvent::Scalar(scalar) => self.scalar(kind, field, &scalar, at),
            NodeEvent::List if field.ty.is_list() => {
                // Set aside, because an inline resource in this list has lists of its own.
                let around = std::mem::take(&mut self.partial_list);
                let value = self.list(field, at)?;
                let loose = std::mem::replace(&mut self.partial_list, around);
                // The readable members are kept as references: they prevent the removal of what
                // they name, although the list itself is not applied.
                if value.is_none() {
                    let left = SalvagedReferences {
                        members: loose.members,
                        all: !loose.lost,
                        at,
                    };
                    self.salvaged_fields.push((FieldRef::Own(index), left));
                }
                self.take(index, value, at);
                return Ok(());
            }
            NodeEvent::Map if field.is_secret() => self.secret(field, at)?,
            other => {
                let template = self.reader.template(&other);
                self.reader.skip(&other)?;
                match template {
                    Some(mark) => self.template(field.name, at, mark),
                    None => self.report_wrong_shape(field, &other, at),
                }
                None
            }
        };
        if value.is_none() {
            self.note_unreadable_field(index, at);
        }
        self.take(index, value, at);
        Ok(())
    }

    fn take(&mut self, index: u8, value: Option<Value>, at: LineColumn) {
        if let Some(value) = value {
            self.push_cell(FieldRef::Own(index), Cell::Value(value), at);
        }
    }

    /// Records that a field, or a group of fields, is present under a misspelt name.
    pub(super) fn lose_field(&mut self, kind: &'static Kind, name: &str, at: LineColumn) {
        let one = kind.field_ref(name).into_iter();
        for field in one.chain(kind.group(name).map(own_field)) {
            if let FieldRef::Own(index) = field {
                self.note_unreadable_field(index, at);
            }
        }
    }

    /// Records that a field is present but its value cannot be read, so its stored value is kept.
    pub(super) fn note_unreadable_field(&mut self, index: u8, at: LineColumn) {
        let left = SalvagedReferences {
            members: Vec::new(),
            all: false,
            at,
        };
        self.salvaged_fields.push((FieldRef::Own(index), left));
    }

    fn push_cell(&mut self, field: FieldRef, cell: Cell, at: LineColumn) {
        self.cells.push(StatedField {
            field,
            cell,
            position: at,
        });
    }

    fn blank(&mut self, kind: &'static Kind, index: u8, at: LineColumn) {
        if usize::from(index) == kind.status_index() {
            // For other fields a blank keeps the stored value. Here it might be read as "not
            // active", so it must be spelled out.
            let found = Diagnostic::new(codes::ENUM, "the status is blank").field("status");
            let help = "Write `active`, `inactive` or `deleted`, or leave the line out";
            self.sink.report(at, found.help(help));
            return;
        }
        self.push_cell(FieldRef::Own(index), Cell::Blank, at);
    }

    fn scalar(
        &mut self,
        kind: &'static Kind,
        field: &'static Field,
        scalar: &YamlScalar<'a>,
        at: LineColumn,
    ) -> Option<Value> {
        match field.ty {
            // `passwordFrom: hunter2`: the value is probably the password itself, so it is not
            // quoted.
            FieldType::Secret => {
                self.plain_password(field.name, at);
                return None;
            }
            FieldType::File => return self.file(field, &scalar.text, at),
            _ if field.ty.is_list() => {
                let help = format!("Write `{}: [..]`", field.name);
                self.wrong_type(field.name, at, "must be a list", &help);
                return None;
            }
            _ => {}
        }
        let value = self.read(field, &scalar.text, at)?;
        // The only value of this field is `deleted`, and Settings cannot be deleted.
        if kind.singleton.is_some()
            && std::ptr::eq(field, &raw const kind.fields[kind.status_index()])
        {
            let message = format!("{} cannot be deleted", kind.name);
            let found = Diagnostic::new(codes::ENUM, message).field(field.name);
            self.sink.report(
                at,
                found.help("Remove the document; the defaults then apply"),
            );
            return None;
        }
        Some(value)
    }

    fn read(&mut self, field: &'static Field, text: &str, at: LineColumn) -> Option<Value> {
        match field.read(text) {
            Ok(reading) => {
                if let Some(warning) = reading.warning {
                    self.sink.reading(warning, at, field.name);
                }
                Some(reading.value)
            }
            Err(fault) => {
                self.sink.reading(fault, at, field.name);
                None
            }
        }
    }

    /// Reports `name: {{ name }}`, which YAML reads as a mapping.
    pub(super) fn template(&mut self, field: &str, at: LineColumn, mark: &str) {
        let found = Diagnostic::new(codes::WRONG_TYPE, syntax::unfilled(mark));
        let name = field.rsplit('.').next().unwrap_or(field);
        let found = found.help(syntax::fill(name, mark)).field(field);
        self.sink.report(at, found);
    }

    fn report_wrong_shape(&mut self, field: &'static Field, node: &NodeEvent<'a>, at: LineColumn) {
        let (what, help) = match (&field.ty, node) {
            (FieldType::Secret, _) => (
                "must be a mapping",
                "Write `{env: ROSTER_SECRET_…}` or `{file: name}`".to_owned(),
            ),
            (ty, _) if ty.is_list() => ("must be a list", format!("Write `{}: [..]`", field.name)),
            (_, NodeEvent::List) => (
                "must be one value, not a list",
                format!("Write `{}: ..`", field.name),
            ),
            _ => (
                "must be one value, not a mapping",
                format!("Write `{}: ..`", field.name),
            ),
        };
        self.wrong_type(field.name, at, what, &help);
    }

    fn list(
        &mut self,
        field: &'static Field,
        at: LineColumn,
    ) -> Result<Option<Value>, DocumentError> {
        let dated = self.dated_items.len();
        let value = match &field.ty {
            FieldType::Links { .. } => self.links(field, at)?,
            ty => self.members(field)?.map(|members| list_value(ty, members)),
        };
        // A list of which every item has ended is empty, and nobody wrote `[]`.
        let is_written_empty = self.dated_items.len() == dated;
        // The value is returned all the same: the Settings may make the field optional, and then
        // the diagnostic is dropped.
        if field.required && is_written_empty && value.as_ref().is_some_and(Value::is_empty_list) {
            let message = format!("`{}` is required; it cannot be set to `[]`", field.name);
            let found = Diagnostic::new(codes::CLEAR_REQUIRED, message).field(field.name);
            let help = "Name at least one, or leave the line out to keep the stored value";
            self.sink.report(at, found.help(help));
        }
        Ok(value)
    }

    /// Reads the items of a list after its start. Returns `None` if one of them is invalid.
    fn members(
        &mut self,
        field: &'static Field,
    ) -> Result<Option<Vec<CompactText>>, DocumentError> {
        let mut members = Vec::new();
        let mut whole = true;
        loop {
            let (node, at) = self.reader.next()?;
            match node {
                NodeEvent::End | NodeEvent::Eof if whole => return Ok(Some(members)),
                NodeEvent::End | NodeEvent::Eof => {
                    // A list with an invalid item is not applied: as a set it would remove what the
                    // item means.
                    self.partial_list.members.extend(members);
                    self.partial_list.lost = true;
                    return Ok(None);
                }
                NodeEvent::Scalar(scalar) if !scalar.is_blank() => {
                    match self.member(field, &scalar.text, at) {
                        Some(member) => members.push(member),
                        None => whole = false,
                    }
                }
                NodeEvent::Map if field.dated_by.is_some() => {
                    match self.dated_member(field, field.dated_by.unwrap_or_default(), at)? {
                        Some(item) => {
                            let links = self.in_force(field, vec![item], at);
                            members.extend(links.into_iter().map(|link| link.target));
                        }
                        None => whole = false,
                    }
                }
                other => {
                    self.reader.skip(&other)?;
                    self.bad_item(field.name, &other, at);
                    whole = false;
                }
            }
        }
    }

    pub(super) fn bad_item(&mut self, field: &str, node: &NodeEvent<'a>, at: LineColumn) {
        let what = match node {
            NodeEvent::Scalar(_) => "has a blank item",
            _ => "items must be text",
        };
        self.wrong_type(field, at, what, &format!("Write `{field}: [a, b]`"));
    }

    pub(super) fn member(
        &mut self,
        field: &'static Field,
        text: &str,
        at: LineColumn,
    ) -> Option<CompactText> {
        if let FieldType::Set(SetItem::Ref(kind)) = field.ty {
            return self.target(crate::kinds::get(kind), field.name, text, at);
        }
        match self.read(field, text, at)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads the id of a referenced resource.
    pub(super) fn target(
        &mut self,
        kind: &'static Kind,
        field: &str,
        text: &str,
        at: LineColumn,
    ) -> Option<CompactText> {
        match check_id(kind, text) {
            // A warning about the id belongs to the resource itself, not to every reference to it.
            Ok(_) => Some(CompactText::new(text)),
            Err(fault) => {
                self.sink.reading(fault, at, field);
                None
            }
        }
    }

    /// Reads the mapping of a group of fields, such as `legalUser`.
    pub(super) fn group(&mut self, kind: &'static Kind, group: &str) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => return Ok(()),
            NodeEvent::Map => {}
            other => {
                self.reader.skip(&other)?;
                let help = format!("Write `{group}: {{..}}`");
                self.wrong_type(group, at, "must be a mapping", &help);
                return Ok(());
            }
        }
        let mut entries = MappingEntries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            let is_member = |index: &usize| kind.fields[*index].name[group.len() + 1..] == *name;
            if let Some(FieldRef::Own(index)) = kind.group(group).find(is_member).map(own_field) {
                self.field(kind, index, at)?;
            } else {
                self.reader.skip_next()?;
                self.no_member(kind, group, &name, at);
            }
        }
        Ok(())
    }

    fn no_member(&mut self, kind: &'static Kind, group: &str, name: &str, at: LineColumn) {
        let members = kind.group(group);
        let members: Vec<&str> = members
            .map(|index| &kind.fields[index].name[group.len() + 1..])
            .collect();
        let message = format!("`{group}` has no field {}", quoted(name));
        let found = Diagnostic::new(codes::UNKNOWN_FIELD, message);
        let meant = did_you_mean(name, members.iter().copied());
        if let Some(meant) = meant {
            self.lose_field(kind, &format!("{group}.{meant}"), at);
        }
        let help = match meant {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => format!("The fields are {}", members.join(", ")),
        };
        self.sink
            .report(at, found.help(help).field(format!("{group}.{name}")));
    }

    /// Reads `customFields`. Values stay text, because their types are in CustomField resources
    /// that may be in another source.
    pub(super) fn custom(&mut self, kind: &'static Kind) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => return Ok(()),
            NodeEvent::Map => {}
            other => {
                self.reader.skip(&other)?;
                let help = "Write `customFields: {credit-class: A}`";
                self.wrong_type("customFields", at, "must be a mapping", help);
                return Ok(());
            }
        }
        let secrets = kind.fields.iter().any(Field::is_secret);
        let mut entries = MappingEntries::of_ids();
        while let Some((id, at)) = entries.next(&mut self.reader, self.sink)? {
            // A password in a custom field is as public as one in a field of its own.
            if secrets && keys::is_password(&id) {
                self.password(&format!("customFields.{id}"), at)?;
            } else {
                self.custom_value(&id, at)?;
            }
        }
        Ok(())
    }

    fn custom_value(&mut self, id: &str, name_at: LineColumn) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        let name = || format!("customFields.{id}");
        let field = FieldRef::Custom(CompactText::new(id));
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => {
                self.push_cell(field, Cell::Blank, name_at);
            }
            NodeEvent::Scalar(scalar) => {
                match FieldType::LongText(MAX_CUSTOM_CHARS).read(&scalar.text) {
                    Ok(reading) => self.push_cell(field, Cell::Value(reading.value), at),
                    Err(fault) => self.sink.reading(fault, at, &name()),
                }
            }
            NodeEvent::List => {
                if let Some(members) = self.custom_list(&name())? {
                    self.push_cell(field, Cell::Value(Value::List(members.into())), at);
                }
            }
            other => {
                self.reader.skip(&other)?;
                self.wrong_type(
                    &name(),
                    at,
                    "must be one value, not a mapping",
                    "Write one value",
                );
            }
        }
        Ok(())
    }

    fn custom_list(&mut self, name: &str) -> Result<Option<Vec<CompactText>>, DocumentError> {
        let mut members = Vec::new();
        let mut whole = true;
        loop {
            let (node, at) = self.reader.next()?;
            match node {
                NodeEvent::End | NodeEvent::Eof => return Ok(whole.then_some(members)),
                NodeEvent::Scalar(scalar) if !scalar.is_blank() => {
                    match FieldType::LongText(MAX_CUSTOM_CHARS).read(&scalar.text) {
                        // Checked, but kept as written: the definition decides later how to read
                        // it.
                        Ok(_) => members.push(CompactText::new(&scalar.text)),
                        Err(fault) => {
                            self.sink.reading(fault, at, name);
                            whole = false;
                        }
                    }
                }
                other => {
                    self.reader.skip(&other)?;
                    self.bad_item(name, &other, at);
                    whole = false;
                }
            }
        }
    }
}

fn list_value(ty: &FieldType, members: Vec<CompactText>) -> Value {
    if !matches!(ty, FieldType::Ordered(_)) {
        return Value::set(members);
    }
    // `CustomField.options` is the one list whose order counts, so it is not sorted.
    let mut kept: Vec<CompactText> = Vec::with_capacity(members.len());
    let mut seen = std::collections::HashSet::new();
    kept.extend(
        members
            .into_iter()
            .filter(|member| seen.insert(member.clone())),
    );
    Value::List(kept.into())
}
