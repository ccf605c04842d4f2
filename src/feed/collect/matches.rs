//! Finds the stored user that a row without an external id means, where the mapping says by which
//! fields. Exactly one user may fit, and the row must not move that user to another account.

use super::ResourceCollector;
use super::row::RecordView;
use crate::diagnostic::codes;
use crate::feed::mapping::{CellContent, MappingSection, RowMatching, trimmed};
use crate::kinds::read::ValueProblem;
use crate::kinds::{Kind, own_field};
use crate::model::{Cell, CompactText, Key, LineColumn, MatchTerm, MatchedRow, StatedField, Value};
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
        // The fields in their order: the first value that anybody has decides.
        let found = terms.iter().map(|term| (term, matches.of(term)));
        if let Some((term, rows)) = { found }.find(|(_, rows)| !rows.is_empty()) {
            let [one] = rows else {
                let fault = several(kind, term, rows);
                self.hide_kind(kind, at, &fault, None);
                return None;
            };
            let (key, matched) = (Key::new(kind.id, &one.id), Some(one));
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
