//! Inserts, updates and deletes the rows of the kinds. Rows are written set-wise, sorted and
//! grouped by the columns they change, so that the number of statements does not grow with the
//! number of rows. Also stores file contents and the first values of runtime facts.

use super::super::codec;
use super::super::connection::{BatchStatement, SqlRow};
use super::super::error::StoreError;
use super::super::read;
use super::super::row_writer::RowWriter;
use super::super::sql_value::{SqlType, SqlValue, SqlValueRef};
use super::super::tables::{self, ColumnContent, KindTable, TableColumn};
use super::super::{act_deletion, jobs};
use super::initial_facts::new_content;
use super::settings::EffectiveSettings;
use super::{ApplyTransaction, changes_row, ids};
use crate::kinds::{self, FieldType, RuntimeFact, USER};
use crate::model::{CompactText, FieldChange, FieldRef, Key, SmallMap, Value};
use crate::plan::{BorrowedChange, Step, StepVerb};
use std::collections::BTreeMap;

/// The columns that every update fills, besides those that change.
const UPDATED: [(&str, SqlType); 3] = [
    ("external_id", SqlType::Id),
    ("version", SqlType::Int),
    ("updated_at", SqlType::Time),
];

impl ApplyTransaction<'_> {
    /// Inserts the new rows, kind by kind in the order of the table of kinds: referenced kinds come
    /// first.
    pub(super) async fn create_rows(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter() {
            let mut shape = table.shape();
            shape.extend([("created_at", SqlType::Time), ("updated_at", SqlType::Time)]);
            let steps: Vec<&Step> = self
                .of_kind(table.kind.id, |verb| verb == StepVerb::Create)
                .collect();
            if steps.is_empty() {
                continue;
            }
            let facts = RuntimeFacts::of(self);
            let put = |step: &Step, out: &mut RowWriter<'_>| facts.new_row(table, step, out);
            self.tx.load(table.kind.table, &shape, steps, put).await?;
        }
        Ok(())
    }

    /// Updates rows, grouped by the set of columns they change.
    pub(super) async fn update_rows(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter() {
            // A sorted map, so that statements go out in the same order every time.
            let mut groups: BTreeMap<Vec<usize>, Vec<SqlRow>> = BTreeMap::new();
            for step in self.of_kind(table.kind.id, changes_row) {
                if self.changes_row(step) {
                    let (columns, cells) = self.updated_row(table, step);
                    groups.entry(columns).or_default().push(cells);
                }
            }
            for (columns, rows) in groups {
                self.update_group(table, &columns, rows).await?;
            }
        }
        Ok(())
    }

    async fn update_group(
        &mut self,
        table: &KindTable,
        columns: &[usize],
        rows: Vec<SqlRow>,
    ) -> Result<(), StoreError> {
        let changed = columns.iter().map(|at| &table.columns[*at]);
        let mut shape = UPDATED.to_vec();
        shape.extend(changed.map(|column| (column.name.as_str(), column.ty)));
        let (mut names, mut sets) = (Vec::new(), Vec::new());
        for (index, (name, _)) in shape.iter().enumerate() {
            names.push(format!("c{index}"));
            if index > 0 {
                sets.push(format!("{name} = v.c{index}"));
            }
        }
        // MATERIALIZED: otherwise SQLite scans the table instead of using its key.
        let sql = format!(
            "WITH v({}) AS MATERIALIZED ({{rows}}) UPDATE {} AS t SET {} FROM v \
             WHERE t.external_id = v.c0",
            names.join(", "),
            table.kind.table,
            sets.join(", ")
        );
        let types: Vec<SqlType> = shape.iter().map(|(_, ty)| *ty).collect();
        let batch = BatchStatement {
            sql: &sql,
            types: &types,
        };
        self.tx.batch(&batch, rows).await?;
        Ok(())
    }

    /// Returns the columns that a step changes and its row for the batch.
    fn updated_row(&self, table: &KindTable, step: &Step) -> (Vec<usize>, SqlRow) {
        let changes = step.changes();
        let mut cells = vec![
            SqlValue::from(&step.key.id),
            SqlValue::Int(self.version_after(step)),
            SqlValue::Time(self.now),
        ];
        let mut columns = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            if let Some(cell) = self.updated_cell(column, step, &changes) {
                columns.push(at);
                cells.push(cell);
            }
        }
        (columns, cells)
    }

    fn updated_cell(
        &self,
        column: &TableColumn,
        step: &Step,
        changes: &[FieldChange],
    ) -> Option<SqlValue> {
        match column.content {
            ColumnContent::Id | ColumnContent::Version => None,
            ColumnContent::Field(field)
            | ColumnContent::Path(field)
            | ColumnContent::Sha256(field) => {
                let change = change_of_field(changes, field)?;
                // Some lists arrive as a difference only; the full value is built from what
                // `check_rows` read under the lock.
                let stored = self.stored.get(&step.key);
                let whole = stored.and_then(|stored| stored.ordered.get(&field));
                match whole {
                    Some(stored) => {
                        let after = merged(Some(stored), change);
                        Some(codec::cell(column, after.as_ref()).into())
                    }
                    None => Some(codec::cell(column, change.after.as_ref()).into()),
                }
            }
            ColumnContent::Custom => {
                // The column holds all custom fields of a row as one JSON text, so one changed
                // field rewrites it.
                let stored = self.stored.get(&step.key);
                let stored = stored
                    .map(|stored| stored.custom.clone())
                    .unwrap_or_default();
                custom_after(stored, changes)
                    .map(|custom| SqlValue::text(codec::custom_json(custom.iter())))
            }
            ColumnContent::Fact(fact) => RuntimeFacts::of(self)
                .password_fact(fact, &step.key)
                .map(SqlValue::from),
        }
    }

    /// Deletes rows in the reverse order of creation, because referring rows go first. Their links
    /// go by cascade, and their ids are retired for ever.
    pub(super) async fn delete_rows(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter().rev() {
            let steps: Vec<&Step> = self
                .of_kind(table.kind.id, |verb| verb == StepVerb::Delete)
                .collect();
            if steps.is_empty() {
                continue;
            }
            let keys = || steps.iter().map(|step| &step.key);
            if table.kind.id == USER && jobs::exist(&mut self.tx).await? {
                // None of them is open: that was checked before the first write.
                for key in keys() {
                    act_deletion::delete_closed_jobs(&mut self.tx, &key.id).await?;
                }
            }
            let sql = format!(
                "DELETE FROM {} WHERE external_id IN ({{rows}})",
                table.kind.table
            );
            self.run_for_rows(&sql, &[SqlType::Id], ids(keys()).collect())
                .await?;
            let sql = format!(
                "DELETE FROM claims WHERE kind = '{}' AND external_id IN ({{rows}})",
                table.kind.name
            );
            self.run_for_rows(&sql, &[SqlType::Id], ids(keys()).collect())
                .await?;
            // Only a keyed hash is kept: enough to refuse the id later, and it does not reveal the
            // id of somebody who was erased.
            let sql = "INSERT INTO retired_ids (kind, id_hash) {rows} ON CONFLICT DO NOTHING";
            let secret = self.secret;
            let rows = keys().map(|key| {
                let (kind, hash) = read::retired_hash(&secret, key);
                vec![SqlValue::Text(kind), SqlValue::Text(hash)]
            });
            self.run_for_rows(sql, &[SqlType::Id, SqlType::Id], rows.collect())
                .await?;
        }
        Ok(())
    }

    pub(super) async fn run_for_rows(
        &mut self,
        sql: &str,
        types: &[SqlType],
        rows: Vec<SqlRow>,
    ) -> Result<u64, StoreError> {
        self.tx.batch(&BatchStatement { sql, types }, rows).await
    }

    /// Stores file contents.
    pub(super) async fn write_files(&mut self) -> Result<(), StoreError> {
        for step in self.steps().filter(|step| step.verb != StepVerb::Delete) {
            let kind = kinds::get(step.key.kind);
            let fields = kind.fields.iter().enumerate();
            for (index, _) in fields.filter(|(_, field)| matches!(field.ty, FieldType::File)) {
                let change = step.change(&kinds::own_field(index));
                let Some(hash) = change.and_then(|change| new_content(&change)) else {
                    continue;
                };
                if let Some(content) = self.apply.contents.get(&step.key) {
                    let sql = "INSERT INTO file_contents (sha256, content) VALUES (?, ?) \
                               ON CONFLICT DO NOTHING";
                    // Contents are stored by hash, so an unchanged file used by another resource is
                    // there already.
                    let params = [SqlValue::Text(hash), SqlValue::Bytes(content.clone())];
                    self.tx.run(sql, &params).await?;
                }
            }
        }
        Ok(())
    }
}

/// The runtime facts that an apply writes: initial values and passwords.
struct RuntimeFacts<'a> {
    settings: EffectiveSettings,
    now: i64,
    passwords: &'a BTreeMap<Key, String>,
}

impl<'a> RuntimeFacts<'a> {
    fn of(pass: &ApplyTransaction<'a>) -> Self {
        Self {
            settings: pass.settings,
            now: pass.now,
            passwords: pass.apply.passwords,
        }
    }

    /// Writes a new row: the declared values, or the defaults.
    fn new_row(&self, table: &KindTable, step: &Step, out: &mut RowWriter<'_>) {
        let given = step.borrowed_changes();
        for column in &table.columns {
            match column.content {
                ColumnContent::Id => out.put(&step.key.id),
                ColumnContent::Version => out.put(1),
                ColumnContent::Field(field)
                | ColumnContent::Path(field)
                | ColumnContent::Sha256(field) => {
                    let mut given = given.iter();
                    let said = given.find(|given| given.field.own() == Some(field));
                    match said.and_then(|given| given.after) {
                        Some(value) => out.put(codec::cell(column, Some(value))),
                        None => out.put(default_value(table.kind.fields[field].default)),
                    }
                }
                ColumnContent::Custom => out.put(match custom_values(&given).next() {
                    Some(_) => SqlValueRef::Owned(codec::custom_json(custom_values(&given))),
                    None => SqlValueRef::Static("{}"),
                }),
                ColumnContent::Fact(fact) => out.put(self.fact(fact, step)),
            }
        }
        out.put(SqlValueRef::Time(self.now));
        out.put(SqlValueRef::Time(self.now));
    }

    fn fact(&self, fact: &RuntimeFact, step: &Step) -> SqlValueRef<'a> {
        match self.password_fact(fact, &step.key) {
            Some(set) => set,
            None => self.initial(fact, step).map(SqlValueRef::Static).into(),
        }
    }

    fn initial(&self, fact: &RuntimeFact, step: &Step) -> Option<&'static str> {
        match fact.column {
            // A saved plan promised it, even if the setting was switched off since then: only a
            // person approves.
            "approval" if self.settings.approval || step.runtime.awaits_approval => Some("pending"),
            "access" => Some(self.settings.access.word()),
            _ => fact.initial,
        }
    }

    /// A fact that a new password sets.
    fn password_fact(&self, fact: &RuntimeFact, key: &Key) -> Option<SqlValueRef<'a>> {
        match fact.column {
            "password_hash" | "password_applied" => {
                self.passwords.get(key).map(|hash| SqlValueRef::Text(hash))
            }
            // Passwords that come from a source are temporary: the user changes it at the first
            // login.
            "password_temporary" => self.passwords.get(key).map(|_| SqlValueRef::Static("true")),
            _ => None,
        }
    }
}

/// The column value of a field that was not declared.
fn default_value(default: kinds::FieldDefault) -> SqlValueRef<'static> {
    match default {
        kinds::FieldDefault::None => SqlValueRef::Null,
        kinds::FieldDefault::Text(word) => SqlValueRef::Static(word),
        kinds::FieldDefault::Bool(value) => SqlValueRef::Bool(value),
        kinds::FieldDefault::Int(value) => SqlValueRef::Int(value),
        kinds::FieldDefault::List(words) => SqlValueRef::Owned(codec::json_list(words)),
    }
}

/// The custom values among some of a create, sorted by id.
fn custom_values<'g>(
    given: &'g [BorrowedChange<'g>],
) -> impl Iterator<Item = (&'g CompactText, &'g Value)> + use<'g> {
    given.iter().filter_map(|given| match given.field {
        FieldRef::Custom(id) => Some((id, given.after?)),
        FieldRef::Own(_) => None,
    })
}

fn change_of_field(changes: &[FieldChange], field: usize) -> Option<&FieldChange> {
    changes
        .iter()
        .find(|change| change.field.own() == Some(field))
}

/// The custom values after a step; `None` if it changes none.
fn custom_after(
    mut custom: SmallMap<CompactText, Value>,
    changes: &[FieldChange],
) -> Option<SmallMap<CompactText, Value>> {
    let mut any = false;
    for change in changes {
        let FieldRef::Custom(id) = &change.field else {
            continue;
        };
        any = true;
        match merged(custom.get(id), change) {
            Some(value) => custom.insert(id.clone(), value),
            None => custom.remove(id),
        };
    }
    any.then_some(custom)
}

/// The whole value after a change; a change of a list may hold only the difference.
fn merged(stored: Option<&Value>, change: &FieldChange) -> Option<Value> {
    let (Some(Value::List(stored)), Some(Value::List(went)), Some(Value::List(came))) =
        (stored, &change.before, &change.after)
    else {
        return change.after.clone();
    };
    // The change holds the whole list and not a difference.
    if stored == went {
        return Some(Value::List(came.clone()));
    }
    let stay = stored.iter().filter(|member| !went.contains(member));
    // A list whose stored members are sorted is a set, and stays sorted; any other order was chosen
    // and is kept.
    let ordered = !stored.is_sorted();
    let mut members: Vec<CompactText> = stay.chain(came).cloned().collect();
    if !ordered {
        members.sort_unstable();
    }
    Some(Value::List(members.into()))
}
