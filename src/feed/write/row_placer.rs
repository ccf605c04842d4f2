//! Builds the rows of one resource: which section and which address block holds what. In goes a
//! unit; out come drafts and losses. Start reading at `RowPlacer::place`.

use super::draft::{CellAlternative, ColumnNeeds, DraftConflict, RowDraft};
use super::export_unit::ExportUnit;
use super::invert;
use super::layout::ExportLayout;
use super::loss::{ExportLoss, LossReason};
use super::page::ExportPage;
use crate::feed::mapping::{ColumnCondition, ColumnIndex, FieldMapping};
use crate::kinds::{self, FieldType, Kind};
use crate::model::{CompactText, FieldRef, Row, Value};
use std::collections::BTreeSet;

/// Decides where the parts of resources go.
pub(super) struct RowPlacer<'a> {
    pub layout: &'a ExportLayout<'a>,
    pub page: &'a ExportPage,
}

/// Why something cannot be placed.
enum PlacementError {
    /// The field or address is left out.
    Soft(LossReason),
    /// The row as a whole cannot be written this way.
    Hard(LossReason),
}

impl PlacementError {
    fn why(self) -> LossReason {
        match self {
            Self::Soft(why) | Self::Hard(why) => why,
        }
    }
}

/// A row and what it does not say.
pub(super) type DraftWithLosses = (RowDraft, BTreeSet<ExportLoss>);

impl RowPlacer<'_> {
    /// Builds the rows of a resource again.
    pub fn place(&self, unit: &mut ExportUnit<'_>) {
        unit.drafts.clear();
        unit.losses.clear();
        let placed = match &unit.drop_reason {
            Some(why) => Err(why.clone()),
            None => self.rows_of(unit),
        };
        match placed {
            Ok(rows) => {
                for (draft, losses) in rows {
                    unit.drafts.push(draft);
                    unit.losses.extend(losses);
                }
            }
            Err(why) => {
                unit.losses.insert(ExportLoss {
                    key: unit.row.key.clone(),
                    field: None,
                    why,
                });
            }
        }
    }

    fn rows_of(&self, unit: &ExportUnit<'_>) -> Result<Vec<DraftWithLosses>, LossReason> {
        let sections = &self.layout.mapping.sections;
        let kind = unit.row.key.kind;
        let of_kind = || (0..sections.len()).filter(|at| sections[*at].kind.id == kind);
        let says =
            |at: &usize| !sections[*at].fields.is_empty() || sections[*at].custom_prefix.is_some();
        let mut why = LossReason::NoColumn;
        // Sections with fields first: one that only has an id, such as for links, would say nothing
        // of the resource.
        let whole = of_kind()
            .filter(says)
            .chain(of_kind().filter(|at| !says(at)));
        for at in whole {
            match self.base_draft(at, unit) {
                Ok(mut base) => {
                    base.1.extend(self.unmapped_fields(at, unit));
                    return Ok(self.with_addresses(base, unit));
                }
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    /// Builds a row of a section, without addresses.
    pub(super) fn base_draft(
        &self,
        at: usize,
        unit: &ExportUnit<'_>,
    ) -> Result<DraftWithLosses, LossReason> {
        let section = &self.layout.mapping.sections[at];
        let mut draft = RowDraft::new(at);
        let row = &*unit.row;
        // Conditions and the id first. They narrow columns, and a field that shares one must then
        // fit, not the reverse.
        self.put_conditions(&mut draft, &section.when, unit)?;
        let id = [row.key.id.to_string()];
        self.put_fixed(&mut draft, &section.id, &id, unit)?;
        for custom in &self.layout.custom[at] {
            let value = row.custom_values.get(&custom.id);
            let text = value.map(plain_text);
            // In JSON the member is left out instead, which says nothing.
            if text.is_none() && custom.required && !unit.deleted && !self.layout.form.is_json() {
                return Err(LossReason::Blank(custom.id.clone()));
            }
            if text
                .as_ref()
                .is_some_and(|text| !self.layout.can_hold(text))
            {
                return Err(LossReason::Text);
            }
            let list = matches!(value, Some(Value::List(_)));
            draft.custom.push(text.map(|text| (text, list)));
        }
        // A conflict is only a loss here. An address with one may still fit into another row, so
        // there it counts.
        let (mut losses, mut conflict) = (BTreeSet::new(), None);
        for field in &section.fields {
            self.put_field(
                &mut draft,
                section.kind,
                row,
                field,
                unit,
                (&mut losses, &mut conflict),
            );
        }
        let status = kinds::own_field(section.kind.status_index());
        // A row for a deleted resource that does not say so would bring it back.
        if unit.deleted && !draft.says.contains(&(row.key.clone(), status)) {
            return Err(LossReason::NoWord("deleted".to_owned()));
        }
        Ok((draft, losses))
    }

    /// Writes one field of a resource, or records it as lost.
    pub(super) fn put_field(
        &self,
        draft: &mut RowDraft,
        kind: &'static Kind,
        row: &Row,
        field: &FieldMapping,
        unit: &ExportUnit<'_>,
        (losses, conflict): (&mut BTreeSet<ExportLoss>, &mut Option<LossReason>),
    ) {
        // An empty list and no value are both written as blank, which says nothing.
        let Some(value) = row
            .value(&field.field)
            .filter(|value| !value.is_empty_list())
        else {
            return;
        };
        let mut name = kind.field_name(&field.field);
        let texts = match field.attribute {
            None => Ok(self.texts(kind, field, value)),
            Some(attribute) => {
                let of = kind
                    .field(&field.field)
                    .map_or(&[][..], |field| field.ty.attributes());
                name = format!("{name}.{}", of[attribute].name);
                choice(value, attribute, of[attribute].choices)
            }
        };
        let words = &self.layout.mapping.words;
        // A cell that takes one value gets the first member, and the rest is a loss.
        let said = texts.and_then(|texts| {
            let one = (!fits_one(field, &texts)).then_some(LossReason::Several);
            let ways = invert::invert_cell(
                &field.cell,
                &texts[..if one.is_some() { 1 } else { texts.len() }],
                draft,
                words,
            )?;
            Ok((ways, one))
        });
        let put = match said {
            Ok((ways, several)) => self.put(draft, ways, unit).map(|()| several),
            Err(why) => Err(PlacementError::Soft(why)),
        };
        let mut lose = |why| {
            losses.insert(ExportLoss {
                key: row.key.clone(),
                field: Some(name.clone()),
                why,
            });
        };
        match put {
            Ok(several) => {
                draft.says.insert((row.key.clone(), field.field.clone()));
                several.into_iter().for_each(lose);
            }
            Err(PlacementError::Soft(why)) => lose(why),
            Err(PlacementError::Hard(why)) => {
                lose(why.clone());
                conflict.get_or_insert(why);
            }
        }
    }

    /// The texts that a cell must yield for the value to be read.
    fn texts(&self, kind: &'static Kind, field: &FieldMapping, value: &Value) -> Vec<String> {
        let words = &self.layout.mapping.words;
        let ty = kind.field(&field.field).map(|field| &field.ty);
        let dated = field
            .cell
            .steps
            .contains(&crate::feed::mapping::TextTransform::Date);
        match (ty, value) {
            (Some(FieldType::Country), Value::Text(code)) => vec![words.write_country(code)],
            // The `date` step formats the date when it is inverted.
            (Some(FieldType::PastDate), Value::Text(day)) if !dated => {
                vec![words.write_date(day).unwrap_or_else(|| day.to_string())]
            }
            (_, Value::List(_) | Value::Links(_)) => {
                value.members().map(CompactText::to_string).collect()
            }
            (_, value) => vec![plain_text(value)],
        }
    }

    /// Narrows a row in the first way that fits.
    fn put(
        &self,
        draft: &mut RowDraft,
        ways: Vec<ColumnNeeds>,
        unit: &ExportUnit<'_>,
    ) -> Result<(), PlacementError> {
        let mut stop = PlacementError::Soft(LossReason::NoColumn);
        for mut needs in ways {
            for (column, alts) in &mut needs {
                // A column to avoid may still be blank.
                if unit.avoided_columns.contains(&(draft.section, *column)) {
                    alts.retain(|alt| alt.text.is_empty());
                }
            }
            if let Some((column, _)) = needs.iter().find(|(_, alts)| alts.is_empty()) {
                stop = PlacementError::Soft(self.shared(*column));
                continue;
            }
            match draft.narrow(&needs, |text| self.layout.can_hold(text)) {
                Ok(()) => return Ok(()),
                Err(DraftConflict::ColumnTaken(column)) => {
                    stop = PlacementError::Hard(self.shared(column));
                }
                Err(DraftConflict::Text) => stop = PlacementError::Soft(LossReason::Text),
            }
        }
        Err(stop)
    }

    fn shared(&self, column: ColumnIndex) -> LossReason {
        LossReason::Shared(self.layout.name(column).to_owned())
    }

    /// Writes what the row cannot do without.
    pub(super) fn put_fixed(
        &self,
        draft: &mut RowDraft,
        cell: &crate::feed::mapping::CellMapping,
        texts: &[String],
        unit: &ExportUnit<'_>,
    ) -> Result<(), LossReason> {
        let ways = invert::invert_cell(cell, texts, draft, &self.layout.mapping.words)?;
        self.put(draft, ways, unit).map_err(PlacementError::why)?;
        draft.fixed.extend(cell.columns());
        Ok(())
    }

    /// Makes a row meet its conditions. `blank: false` is met by the fields and shows when the row
    /// is read again.
    pub(super) fn put_conditions(
        &self,
        draft: &mut RowDraft,
        when: &[ColumnCondition],
        unit: &ExportUnit<'_>,
    ) -> Result<(), LossReason> {
        for when in when {
            let words = &self.layout.mapping.words;
            let alts: Vec<CellAlternative> = match (when.blank, when.truth) {
                (Some(true), _) => vec![CellAlternative::blank()],
                (Some(false), _) => continue,
                (None, Some(truth)) => vec![CellAlternative::word(words.write_boolean(truth))],
                (None, None) => when.among.iter().map(CellAlternative::word).collect(),
            };
            let needs = vec![(when.column, alts)];
            self.put(draft, vec![needs], unit)
                .map_err(PlacementError::why)?;
            draft.fixed.insert(when.column);
        }
        Ok(())
    }

    /// Returns what the section has no column for.
    fn unmapped_fields(&self, at: usize, unit: &ExportUnit<'_>) -> BTreeSet<ExportLoss> {
        let section = &self.layout.mapping.sections[at];
        let row = &*unit.row;
        let blocks = !section.blocks.is_empty();
        let mut losses = unmapped_values(
            section.kind,
            row,
            &section.fields,
            section.custom_prefix.is_some(),
        );
        // Addresses are placed by their blocks.
        losses.retain(|loss| !(blocks && loss.field.as_deref() == Some("addresses")));
        // Of a deleted resource only the deletion has to be said.
        if unit.deleted {
            losses.clear();
        }
        losses
    }
}

/// Returns the values that no field of a mapping covers.
pub(super) fn unmapped_values(
    kind: &'static Kind,
    row: &Row,
    fields: &[FieldMapping],
    every: bool,
) -> BTreeSet<ExportLoss> {
    let has = |field: &FieldRef| fields.iter().any(|known| known.field == *field);
    let own = row.values.iter().enumerate().filter_map(|(index, value)| {
        let (value, field) = (value.as_ref()?, &kind.fields[index]);
        // A default is what a reader gets without the column, so nothing is lost.
        let said = !value.is_empty_list() && field.default.value().as_ref() != Some(value);
        let left = said && !field.is_secret() && !has(&kinds::own_field(index));
        left.then(|| field.name.to_owned())
    });
    let custom = row
        .custom_values
        .keys()
        .filter(|id| !every && !has(&FieldRef::Custom((*id).clone())));
    let custom = custom.map(|id| format!("customFields.{id}"));
    let attributes = row.values.iter().enumerate().flat_map(|(index, value)| {
        let (field, of) = (kinds::own_field(index), &kind.fields[index]);
        let links = value.as_ref().map_or(&[][..], Value::as_links);
        let attributes = of.ty.attributes().iter().enumerate();
        let left = attributes.filter(move |(nth, attribute)| {
            let inline = matches!(of.ty, FieldType::Links { inline: true, .. });
            let mapped = fields
                .iter()
                .any(|known| known.field == field && known.attribute == Some(*nth));
            let said = links.iter().any(|link| {
                link.attributes[*nth].is_some_and(|choice| choice != attribute.default)
            });
            said && !mapped && !inline
        });
        left.map(move |(_, attribute)| format!("{}.{}", of.name, attribute.name))
    });
    let names = own.chain(custom).chain(attributes.collect::<Vec<_>>());
    names
        .map(|field| ExportLoss {
            key: row.key.clone(),
            field: Some(field),
            why: LossReason::NoColumn,
        })
        .collect()
}

fn fits_one(field: &FieldMapping, texts: &[String]) -> bool {
    field.cell.list.is_some() || texts.len() == 1
}

/// Returns the attribute that all members share.
fn choice(value: &Value, attribute: usize, choices: &[&str]) -> Result<Vec<String>, LossReason> {
    let mut said = value
        .as_links()
        .iter()
        .map(|link| link.attributes[attribute]);
    let first = said.next().flatten();
    match first {
        // A row has one column for the attribute of all its members.
        Some(first) if said.all(|other| other == Some(first)) => {
            Ok(vec![choices[usize::from(first)].to_owned()])
        }
        _ => Err(LossReason::Several),
    }
}

/// Returns the text that is read as this value.
pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Number(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::List(_) | Value::Links(_) => {
            let members: Vec<&str> = value.members().map(CompactText::as_str).collect();
            members.join("||")
        }
    }
}
