//! Looks up the stored users that rows without an external id mean: by e-mail address, by the value
//! of a custom field, or by the external id that a mapping would give to somebody new.

use super::connection::{BatchStatement, SqlTransaction};
use super::error::StoreError;
use super::letter_case::lowered_forms;
use super::sql_value::{SqlType, SqlValue};
use super::{Store, codec, erased_ids};
use crate::kinds::{self, Kind, USER};
use crate::model::{CompactText, FieldRef, MatchTerm, MatchedRow, RowMatches, Value};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// Returns the stored resources that these values belong to. Deleted ones have no row any more.
    pub async fn row_matches(&self, terms: &BTreeSet<MatchTerm>) -> Result<RowMatches, StoreError> {
        let mut matches = RowMatches::default();
        let Some(mut tx) = self.begin_schema_read("match rows without an id").await? else {
            return Ok(matches);
        };
        let mut by_field: BTreeMap<&Option<FieldRef>, Vec<&MatchTerm>> = BTreeMap::new();
        for term in terms.iter().filter(|term| term.kind == USER) {
            by_field.entry(&term.field).or_default().push(term);
        }
        let kind = kinds::get(USER);
        for (field, terms) in by_field {
            let found = match field {
                None => by_column(&mut tx, kind, "external_id", &terms).await?,
                Some(FieldRef::Own(index)) => {
                    let column = kind.fields[usize::from(*index)].column;
                    by_column(&mut tx, kind, &format!("lower({column})"), &terms).await?
                }
                Some(FieldRef::Custom(id)) => by_custom_field(&mut tx, kind, id).await?,
            };
            add_matching(&mut matches, field.as_ref(), &terms, found);
        }
        for term in erased_ids::erased_terms(&mut tx, terms).await? {
            matches.add_erased(term);
        }
        read_accounts(&mut tx, &mut matches).await?;
        read_custom_values(&mut tx, terms, &mut matches).await?;
        Ok(matches)
    }
}

/// The ids and values that may match; they are compared exactly afterwards.
type Candidates = Vec<(CompactText, String)>;

async fn by_column(
    tx: &mut SqlTransaction,
    kind: &Kind,
    column: &str,
    terms: &[&MatchTerm],
) -> Result<Candidates, StoreError> {
    let value = column
        .strip_prefix("lower(")
        .and_then(|column| column.strip_suffix(')'))
        .unwrap_or(column);
    let sql = format!(
        "SELECT external_id, {value} FROM {} WHERE {column} IN ({{rows}}) ORDER BY external_id",
        kind.table
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id],
    };
    let forms = terms.iter().flat_map(|term| lowered_forms(&term.text));
    let forms: BTreeSet<String> = forms.collect();
    let rows = forms.into_iter().map(|form| vec![SqlValue::text(form)]);
    let found = tx
        .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Text])
        .await?;
    let found = found.into_iter();
    Ok(found
        .map(|mut cells| (cells[0].take_text(), cells[1].take_text().to_string()))
        .collect())
}

/// Custom values are JSON, and no index holds them: every user that has the field is read.
async fn by_custom_field(
    tx: &mut SqlTransaction,
    kind: &Kind,
    id: &CompactText,
) -> Result<Candidates, StoreError> {
    let sql = format!(
        "SELECT external_id, custom_fields FROM {} WHERE custom_fields LIKE ? ESCAPE '\\' \
         ORDER BY external_id",
        kind.table
    );
    let name = serde_json::Value::from(id.as_str()).to_string();
    let escaped = name.replace('\\', "\\\\").replace(['%', '_'], "_");
    let pattern = SqlValue::text(format!("%{escaped}:%"));
    let found = tx
        .fetch(&sql, &[pattern], &[SqlType::Id, SqlType::Text])
        .await?;
    let found = found.into_iter().filter_map(|mut cells| {
        let value = custom_text(&cells[1].take_text(), id)?;
        Some((cells[0].take_text(), value))
    });
    Ok(found.collect())
}

/// A custom value in the form in which it is compared.
fn custom_text(custom: &str, id: &CompactText) -> Option<String> {
    match codec::custom(custom).get(id)? {
        Value::Text(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn add_matching(
    matches: &mut RowMatches,
    field: Option<&FieldRef>,
    terms: &[&MatchTerm],
    found: Candidates,
) {
    let ty = field.and_then(|field| kinds::get(USER).field(field));
    let by_text: BTreeMap<&str, &MatchTerm> =
        terms.iter().map(|term| (&*term.text, *term)).collect();
    for (id, value) in found {
        let text = match ty {
            Some(field) => field.ty.match_text(&value),
            None => value,
        };
        if let Some(term) = by_text.get(&*text) {
            let row = MatchedRow {
                id,
                ..MatchedRow::default()
            };
            matches.add((*term).clone(), row);
        }
    }
}

async fn read_accounts(
    tx: &mut SqlTransaction,
    matches: &mut RowMatches,
) -> Result<(), StoreError> {
    let ids: BTreeSet<CompactText> = matches.rows_mut().map(|(_, row)| row.id.clone()).collect();
    let batch = BatchStatement {
        sql: "SELECT user_id, account_id FROM user_accounts WHERE user_id IN ({rows})",
        types: &[SqlType::Id],
    };
    let rows = ids.iter().map(|id| vec![SqlValue::from(id)]);
    let found = tx
        .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Id])
        .await?;
    let mut accounts: BTreeMap<CompactText, BTreeSet<CompactText>> = BTreeMap::new();
    for mut cells in found {
        let account = cells[1].take_text();
        accounts
            .entry(cells[0].take_text())
            .or_default()
            .insert(account);
    }
    for (_, row) in matches.rows_mut() {
        row.accounts = accounts.get(&row.id).cloned().unwrap_or_default();
    }
    Ok(())
}

/// Reads the custom values of the fields that were looked up, which tell people apart.
async fn read_custom_values(
    tx: &mut SqlTransaction,
    terms: &BTreeSet<MatchTerm>,
    matches: &mut RowMatches,
) -> Result<(), StoreError> {
    let fields = terms.iter().filter_map(|term| match &term.field {
        Some(FieldRef::Custom(id)) => Some(id),
        _ => None,
    });
    let fields: BTreeSet<&CompactText> = fields.collect();
    if fields.is_empty() {
        return Ok(());
    }
    let ids: BTreeSet<CompactText> = matches.rows_mut().map(|(_, row)| row.id.clone()).collect();
    let batch = BatchStatement {
        sql: "SELECT external_id, custom_fields FROM users WHERE external_id IN ({rows})",
        types: &[SqlType::Id],
    };
    let rows = ids.iter().map(|id| vec![SqlValue::from(id)]);
    let found = tx
        .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Text])
        .await?;
    let custom: BTreeMap<CompactText, CompactText> = found
        .into_iter()
        .map(|mut cells| (cells[0].take_text(), cells[1].take_text()))
        .collect();
    for (_, row) in matches.rows_mut() {
        let values = fields.iter().filter_map(|field| {
            let text = custom_text(custom.get(&row.id)?, field)?;
            Some(((*field).clone(), text))
        });
        row.custom_values = values.collect();
    }
    Ok(())
}
