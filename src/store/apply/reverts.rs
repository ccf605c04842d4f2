//! What a revert leaves for the passes of the sources that declare its resources: which fields they
//! leave alone until they are at another revision, and that their claims have to be compared again.
//! Start at `ApplyTransaction::keep_reverted`.

use super::super::connection::{BatchStatement, SqlRow};
use super::super::error::StoreError;
use super::super::incremental_tables::REVERTED_FIELDS;
use super::super::reverted_fields::OF_REMOVAL;
use super::super::some_rows::some_rows;
use super::super::sql_value::{SqlType, SqlValue};
use super::super::tables;
use super::{ApplyTransaction, versions};
use crate::kinds;
use crate::model::{Cell, CompactText, FieldDigests, FieldRef, Key, Row, Value, digest};
use crate::plan::RunField;
use std::collections::{BTreeMap, BTreeSet, HashMap};

const KEY: [SqlType; 2] = [SqlType::Id, SqlType::Id];

/// A source's claim on a resource of the revert.
struct SourceClaim {
    source: CompactText,
    fields: FieldDigests,
    /// Whether the source has removed it.
    is_gone: bool,
}

/// A field that a source must leave alone for now.
struct KeptField<'k> {
    key: &'k Key,
    name: String,
    field: FieldRef,
}

impl KeptField<'_> {
    fn cells(&self) -> SqlRow {
        vec![
            versions::kind_name(self.key),
            SqlValue::from(&self.key.id),
            self.name.as_str().into(),
        ]
    }

    fn record(&self, source: &CompactText, revision: &CompactText, run: i64) -> SqlRow {
        let mut record = vec![SqlValue::from(source)];
        record.extend(self.cells());
        record.extend([SqlValue::from(revision), run.into()]);
        record
    }
}

impl ApplyTransaction<'_> {
    /// Records which fields the sources leave alone after `run`: those that it has set back and
    /// those that needed no step, unless they are as they are declared. Called after the claims were
    /// written and before the record of foreign writes is settled. Returns how many fields there
    /// are.
    pub(super) async fn keep_reverted(
        &mut self,
        run: i64,
        left_alone: &[RunField],
    ) -> Result<u64, StoreError> {
        let kept = self.fields_to_keep(left_alone);
        let keys: BTreeSet<&Key> = kept.iter().map(|kept| kept.key).collect();
        let claims = self.claims_on(&keys).await?;
        let revisions = self.revisions_before(run, &claims).await?;
        let rows = self.rows_after(&keys).await?;
        let mut records: Vec<SqlRow> = Vec::new();
        let mut count = 0;
        for field in &kept {
            let Some(row) = rows.get(field.key) else {
                continue;
            };
            let of = claims.get(field.key).into_iter().flatten();
            let (gone, active): (Vec<_>, Vec<_>) = of.partition(|claim| claim.is_gone);
            if is_active(field, row) {
                // A removal happens once. Only a note can say that the resource is still there.
                records.extend(
                    gone.iter()
                        .map(|claim| field.record(&claim.source, &OF_REMOVAL.into(), run)),
                );
            }
            let before = records.len();
            for claim in active {
                if says(field, &claim.fields, row.value(&field.field)) {
                    continue;
                }
                for revision in revisions.get(&claim.source).into_iter().flatten() {
                    records.push(field.record(&claim.source, revision, run));
                }
            }
            count += u64::from(records.len() > before);
        }
        // What an earlier revert said of these fields is over, and so is all that the run said that is
        // reverted now.
        if let Some(revert) = self.apply.reverts {
            let sql = format!("DELETE FROM {REVERTED_FIELDS} WHERE run = ?");
            self.tx.run(&sql, &[revert.run.into()]).await?;
        }
        let sql = format!(
            "WITH v(kind, id, field) AS MATERIALIZED ({{rows}}) DELETE FROM {REVERTED_FIELDS} \
             WHERE (kind, external_id, field) IN (SELECT kind, id, field FROM v)"
        );
        let over = kept.iter().map(KeptField::cells).collect();
        self.run_for_rows(&sql, &[SqlType::Id; 3], over).await?;
        let sql = format!(
            "INSERT INTO {REVERTED_FIELDS} (source, kind, external_id, field, revision, run) \
             {{rows}} ON CONFLICT DO NOTHING"
        );
        let types = [
            SqlType::Id,
            SqlType::Id,
            SqlType::Id,
            SqlType::Id,
            SqlType::Id,
            SqlType::Int,
        ];
        self.run_for_rows(&sql, &types, records).await?;
        // No row has version 0, so every source compares these resources in its next pass.
        let sql = "WITH v(kind, id) AS MATERIALIZED ({rows}) UPDATE claims AS t \
                   SET seen_version = 0 FROM v WHERE t.kind = v.kind AND t.external_id = v.id";
        let stepped = self.steps().map(|step| key_cells(&step.key)).collect();
        self.run_for_rows(sql, &KEY, stepped).await?;
        Ok(count)
    }

    fn fields_to_keep<'k>(&self, left_alone: &'k [RunField]) -> Vec<KeptField<'k>>
    where
        Self: 'k,
    {
        let stepped = self.apply.plan.steps.iter().flat_map(|step| {
            let changes = step.changes().into_owned().into_iter();
            changes.map(|change| KeptField {
                key: &step.key,
                name: step.field_name(&change),
                field: change.field,
            })
        });
        let others = left_alone.iter().filter_map(|other| {
            let field = kinds::get(other.key.kind).field_ref(&other.field)?;
            Some(KeptField {
                key: &other.key,
                name: other.field.clone(),
                field,
            })
        });
        stepped.chain(others).collect()
    }

    /// The claims of all sources on some resources.
    async fn claims_on(
        &mut self,
        keys: &BTreeSet<&Key>,
    ) -> Result<HashMap<Key, Vec<SourceClaim>>, StoreError> {
        let sql = "WITH v(kind, id) AS MATERIALIZED ({rows}) \
                   SELECT t.kind, t.external_id, t.source, t.fields, t.state FROM v \
                   JOIN claims AS t ON t.kind = v.kind AND t.external_id = v.id";
        let batch = BatchStatement { sql, types: &KEY };
        let types = [
            SqlType::Id,
            SqlType::Id,
            SqlType::Id,
            SqlType::Bytes,
            SqlType::Text,
        ];
        let keys: Vec<SqlRow> = keys.iter().map(|key| key_cells(key)).collect();
        let mut claims: HashMap<Key, Vec<SourceClaim>> = HashMap::new();
        for mut cells in self.tx.batch_fetch(&batch, keys, &types).await? {
            let kind = cells[0].as_text().and_then(kinds::by_name);
            let Some(kind) = kind else { continue };
            let key = Key {
                kind: kind.id,
                id: cells[1].take_text(),
            };
            claims.entry(key).or_default().push(SourceClaim {
                source: cells[2].take_text(),
                fields: FieldDigests::from_packed(cells[3].take_bytes()),
                is_gone: cells[4].as_text() == Some("gone"),
            });
        }
        Ok(claims)
    }

    /// The revisions at which the sources were last applied, before `run`, and those that they are at
    /// by now. A saved plan and one of a part leave no checkpoint, so the last run counts too.
    async fn revisions_before(
        &mut self,
        run: i64,
        claims: &HashMap<Key, Vec<SourceClaim>>,
    ) -> Result<BTreeMap<CompactText, Vec<CompactText>>, StoreError> {
        let mut revisions: BTreeMap<CompactText, Vec<CompactText>> = BTreeMap::new();
        for claim in claims.values().flatten() {
            if revisions.contains_key(&claim.source) {
                continue;
            }
            let of = SqlValue::from(&claim.source);
            let sql = "SELECT revision FROM sources WHERE name = ?";
            let applied = self
                .tx
                .first(sql, std::slice::from_ref(&of), &[SqlType::Text])
                .await?;
            let sql = "SELECT revision FROM runs WHERE source = ? AND id < ? \
                       ORDER BY id DESC LIMIT 1";
            let last = self
                .tx
                .first(sql, &[of, run.into()], &[SqlType::Text])
                .await?;
            let newest = self
                .apply
                .reverts
                .and_then(|of| of.newest.get(&*claim.source));
            let all = applied.into_iter().chain(last);
            let all = all.map(|mut cells| cells[0].take_text());
            let all = all.chain(newest.map(CompactText::new)).collect();
            revisions.insert(claim.source.clone(), all);
        }
        Ok(revisions)
    }

    /// Some rows as this apply leaves them.
    async fn rows_after(&mut self, keys: &BTreeSet<&Key>) -> Result<HashMap<Key, Row>, StoreError> {
        let mut rows = HashMap::new();
        for table in tables::ALL.iter() {
            let keys = keys.iter().filter(|key| key.kind == table.kind.id);
            let ids: Vec<&CompactText> = keys.map(|key| &key.id).collect();
            if ids.is_empty() {
                continue;
            }
            let found = some_rows(&mut self.tx, table, &ids).await?;
            rows.extend(found.into_iter().map(|row| (row.key.clone(), row)));
        }
        Ok(rows)
    }
}

fn key_cells(key: &Key) -> SqlRow {
    vec![versions::kind_name(key), SqlValue::from(&key.id)]
}

/// Whether a field is the status of a resource, and that is active.
fn is_active(field: &KeptField<'_>, row: &Row) -> bool {
    let kind = kinds::get(field.key.kind);
    let is_status = kind.has_status && field.field.own() == Some(kind.status_index());
    is_status && row.value(&field.field).and_then(Value::as_text) == Some("active")
}

/// Whether a source declares this value of a field. A resource without a status is declared active.
fn says(field: &KeptField<'_>, claimed: &FieldDigests, value: Option<&Value>) -> bool {
    let Some(said) = claimed.get(&field.name) else {
        let status = kinds::get(field.key.kind).status_index();
        let is_status = field.field.own() == Some(status);
        return is_status && value.and_then(Value::as_text) == Some("active");
    };
    let value = value.filter(|value| !value.is_empty_list());
    match value {
        Some(value) => digest::short_digest(&Cell::Value(value.clone())) == said,
        None => digest::short_digest(&Cell::Clear) == said,
    }
}
