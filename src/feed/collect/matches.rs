//! Finds the stored user that a row without an external id means, where the mapping says by which
//! fields. Exactly one user may fit, and the row must not move that user to another account.

use super::ResourceCollector;
use super::row::RecordView;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::feed::mapping::{CellContent, MappingSection, RowMatching, trimmed};
use crate::kinds::read::ValueProblem;
use crate::kinds::{Kind, own_field};
use crate::model::{
    Cell, CompactText, FieldRef, Key, LineColumn, MatchTerm, MatchedRow, StatedField, Value,
};
use std::collections::BTreeSet;

/// The resource of a row.
pub(super) struct RowKey<'m> {
    pub key: Key,
    pub at: LineColumn,
    /// The stored user, if the row was matched.
    pub matched: Option<&'m MatchedRow>,
}

impl<'m> ResourceCollector<'m> {
    /// Returns the resource of a row: by its external id, or by the fields that the mapping names.
    pub(super) fn row_key(
        &mut self,
        section: &'m MappingSection,
        row: &RecordView<'_>,
    ) -> Option<RowKey<'m>> {
        let words = &self.mapping.words;
        let has_id = |content: &CellContent| matches!(content, CellContent::Text(text, _) if !trimmed(text).is_empty());
        let is_matched = |matching: &&RowMatching| {
            !matching.fields.is_empty()
                && !row.is_blank()
                && section.id.read(row, words).is_ok_and(|id| !has_id(&id))
        };
        if let Some(matching) = section.matching.as_ref().filter(is_matched) {
            return self.matched_key(section, matching, row);
        }
        let (key, at) = self.key(section.kind, &section.id, row, None)?;
        let matched = None;
        Some(RowKey { key, at, matched })
    }

    fn matched_key(
        &mut self,
        section: &'m MappingSection,
        matching: &'m RowMatching,
        row: &RecordView<'_>,
    ) -> Option<RowKey<'m>> {
        let (kind, at) = (section.kind, row.record.at);
        let terms = self.match_terms(section, matching, row);
        let made = self.made_id(matching, row);
        let wanted = terms.iter().chain(&made).cloned();
        self.collected.unmatched.extend(wanted);
        let Some(matches) = self.matches else {
            self.report_missing_key(kind, &section.id, row, None);
            return None;
        };
        // The fields in their order: the first value that anybody has or had decides.
        for term in &terms {
            let rows = matches.of(term);
            if rows.is_empty() && matches.is_erased(term) {
                self.leave_out_erased(at);
                return None;
            }
            let [one] = rows else {
                if rows.is_empty() {
                    continue;
                }
                let fault = several(kind, term, rows);
                self.hide_kind(kind, at, &fault, None);
                return None;
            };
            let key = Key::new(kind.id, &one.id);
            if let Some(fault) = somebody_else(kind, term, &terms, one) {
                self.collected.shielded.insert(key);
                self.hide_kind(kind, at, &fault, None);
                return None;
            }
            let matched = Some(one);
            return Some(RowKey { key, at, matched });
        }
        if let Some(taken) = made.iter().find(|term| !matches.of(term).is_empty()) {
            let message = format!(
                "the row has no externalId, and the one that the mapping makes, `{}`, belongs to a user that does not fit",
                taken.text
            );
            let fault = ValueProblem::new(codes::MATCH_UNCLEAR, message)
                .help("add the externalId of the user, or a new one");
            self.hide_kind(kind, at, &fault, None);
            return None;
        }
        let Some(otherwise) = &matching.otherwise else {
            self.report_missing_key(kind, &section.id, row, None);
            return None;
        };
        let (key, at) = self.key(kind, otherwise, row, None)?;
        let matched = None;
        Some(RowKey { key, at, matched })
    }

    /// Ignores a row that fits somebody who was erased.
    fn leave_out_erased(&mut self, at: LineColumn) {
        let record = self
            .collected
            .listed
            .as_mut()
            .and_then(|all| all.last_mut());
        if let Some(record) = record {
            record.fits_erased = true;
        }
        // The note is stored, so it must not quote the row.
        let message = "The row has no externalId and fits a user who was erased. It is ignored";
        let help = "Remove it from the source. If somebody else is meant, add an externalId";
        let origin = Origin {
            path: self.path.clone(),
            at,
        };
        let found = Diagnostic::new(codes::USER_ERASED, message);
        self.collected.diagnostics.push(found.help(help).at(origin));
    }

    /// The values of a row by which it may be matched.
    fn match_terms(
        &self,
        section: &MappingSection,
        matching: &RowMatching,
        row: &RecordView<'_>,
    ) -> Vec<MatchTerm> {
        let terms = matching.fields.iter().filter_map(|field| {
            let mut fields = section.fields.iter();
            let mapped = fields.find(|it| it.field == *field && it.attribute.is_none())?;
            let Ok(CellContent::Text(text, _)) = mapped.cell.read(row, &self.mapping.words) else {
                return None;
            };
            let text = match section.kind.field(field) {
                Some(field) => field.ty.match_text(&text),
                None => trimmed(&text).to_owned(),
            };
            (!text.is_empty()).then(|| MatchTerm {
                kind: section.kind.id,
                field: Some(field.clone()),
                text,
            })
        });
        terms.collect()
    }

    /// The external id that the mapping makes for somebody new.
    fn made_id(&self, matching: &RowMatching, row: &RecordView<'_>) -> Option<MatchTerm> {
        let cell = matching.otherwise.as_ref()?;
        let Ok(CellContent::Text(text, _)) = cell.read(row, &self.mapping.words) else {
            return None;
        };
        Some(MatchTerm {
            kind: crate::kinds::USER,
            field: None,
            text: text.to_string(),
        })
    }

    /// Whether the row leaves a matched user in the accounts that the user has; reports it if not.
    /// Only an external id says clearly enough who is meant to get another account.
    pub(super) fn keeps_accounts(
        &mut self,
        kind: &'static Kind,
        row: &RowKey<'_>,
        said: &[StatedField],
    ) -> bool {
        let Some(matched) = row.matched else {
            return true;
        };
        let field = own_field(kind.expect_index("accounts"));
        let Some(stated) = said.iter().find(|stated| stated.field == field) else {
            return true;
        };
        let named: BTreeSet<CompactText> = match stated.cell.value() {
            Some(value) => value.members().cloned().collect(),
            None => return true,
        };
        let replaces = matches!(stated.cell, Cell::Value(Value::Links(_)));
        let fits = named.is_subset(&matched.accounts)
            && !(replaces && named.len() < matched.accounts.len());
        if fits {
            return true;
        }
        let list = |ids: &BTreeSet<CompactText>| {
            let ids: Vec<&str> = ids.iter().map(CompactText::as_str).collect();
            if ids.is_empty() {
                "no account".to_owned()
            } else {
                ids.join(", ")
            }
        };
        let message = format!(
            "the row has no externalId and fits {}, which has {} and not {}",
            row.key,
            list(&matched.accounts),
            list(&named)
        );
        let fault = ValueProblem::new(codes::MATCH_UNCLEAR, message).help(format!(
            "add the externalId `{}` if this user is meant, or a new one if somebody else is",
            matched.id
        ));
        self.collected.shielded.insert(row.key.clone());
        self.faulty(kind, &row.key, &field, &fault, stated.position);
        false
    }
}

/// Why a row means somebody else than the user it fits by one value: the user has another contact
/// id. One mailbox may belong to several people.
fn somebody_else(
    kind: &Kind,
    by: &MatchTerm,
    terms: &[MatchTerm],
    row: &MatchedRow,
) -> Option<ValueProblem> {
    let other = terms.iter().find(|term| match &term.field {
        Some(FieldRef::Custom(id)) => row.custom_values.get(id).is_some_and(|it| *it != term.text),
        _ => false,
    })?;
    let name = |term: &MatchTerm| {
        let field = term.field.as_ref().map(|field| kind.field_name(field));
        field.unwrap_or_default()
    };
    let message = format!(
        "the row has no externalId and fits {} by its `{}`, but that user has another `{}`",
        Key::new(kind.id, &row.id),
        name(by),
        name(other)
    );
    Some(
        ValueProblem::new(codes::MATCH_UNCLEAR, message).help(format!(
            "add the externalId `{}` if this user is meant, or a new one if somebody else is",
            row.id
        )),
    )
}

fn several(kind: &Kind, term: &MatchTerm, rows: &[MatchedRow]) -> ValueProblem {
    let field = term.field.as_ref().map(|field| kind.field_name(field));
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let message = format!(
        "the row has no externalId, and its `{}` fits {} stored {}: {}",
        field.unwrap_or_default(),
        rows.len(),
        kind.collection,
        ids.join(", ")
    );
    ValueProblem::new(codes::MATCH_UNCLEAR, message).help("add the externalId of the one meant")
}
