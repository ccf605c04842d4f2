//! Inserting, updating and deleting the rows of the kinds, set-wise.

use super::super::codec;
use super::super::connection::{Batch, Cells};
use super::super::error::StoreError;
use super::super::lent::{Lent, Out};
use super::super::param::{Param, Ty};
use super::super::read;
use super::super::tables::{self, Column, Holds, KindTable};
use super::{Pass, changes_row, ids, values};
use crate::kinds::{self, Fact, Type};
use crate::model::Change;
use crate::model::{FieldRef, Key, SmallMap, Text, Value};
use crate::plan::{Step, Verb};
use std::collections::BTreeMap;

/// The columns of a row that its updates fill beside those that change.
const UPDATED: [(&str, Ty); 3] = [
    ("external_id", Ty::Id),
    ("version", Ty::Int),
    ("updated_at", Ty::Time),
];

impl Pass<'_> {
    /// Inserts the new rows, kind by kind: what others refer to comes first.
    pub(super) async fn create_rows(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter() {
            let mut shape = table.shape();
            shape.extend([("created_at", Ty::Time), ("updated_at", Ty::Time)]);
            let steps: Vec<&Step> = self
                .of_kind(table.kind.id, |verb| verb == Verb::Create)
                .collect();
            if steps.is_empty() {
                continue;
            }
            let facts = Facts::of(self);
            let put = |step: &Step, out: &mut Out<'_>| facts.new_row(table, step, out);
            self.tx.load(table.kind.table, &shape, steps, put).await?;
        }
        Ok(())
    }

    /// Updates rows, those with the same changed columns together.
    pub(super) async fn update_rows(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter() {
            let mut groups: BTreeMap<Vec<usize>, Vec<Cells>> = BTreeMap::new();
            for step in self.of_kind(table.kind.id, changes_row) {
                if self.writes(step) {
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
        rows: Vec<Cells>,
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
        let sql = format!(
            "WITH v({}) AS MATERIALIZED ({{rows}}) UPDATE {} AS t SET {} FROM v \
             WHERE t.external_id = v.c0",
            names.join(", "),
            table.kind.table,
            sets.join(", ")
        );
        let types: Vec<Ty> = shape.iter().map(|(_, ty)| *ty).collect();
        let batch = Batch {
            sql: &sql,
            types: &types,
        };
        self.tx.batch(&batch, rows).await?;
        Ok(())
    }

    /// Which columns a step changes, and the row of the batch that does it.
    fn updated_row(&self, table: &KindTable, step: &Step) -> (Vec<usize>, Cells) {
        let changes = step.changes();
        let mut cells = vec![
            Param::from(&step.key.id),
            Param::Int(self.version_after(step)),
            Param::Time(self.now),
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

    fn updated_cell(&self, column: &Column, step: &Step, changes: &[Change]) -> Option<Param> {
        match column.holds {
            Holds::Id | Holds::Version => None,
            Holds::Field(field) | Holds::Path(field) | Holds::Sha256(field) => {
                let change = of_field(changes, field)?;
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
            Holds::Custom => {
                let stored = self.stored.get(&step.key);
                let stored = stored
                    .map(|stored| stored.custom.clone())
                    .unwrap_or_default();
                custom_after(stored, changes)
                    .map(|custom| Param::text(codec::custom_json(custom.iter())))
            }
            Holds::Fact(fact) => Facts::of(self).set(fact, &step.key).map(Param::from),
        }
    }

    /// Deletes rows, in reverse; their links go with them, their ids are retired for ever.
    pub(super) async fn delete_rows(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter().rev() {
            let steps: Vec<&Step> = self
                .of_kind(table.kind.id, |verb| verb == Verb::Delete)
                .collect();
            if steps.is_empty() {
                continue;
            }
            let keys = || steps.iter().map(|step| &step.key);
            let sql = format!(
                "DELETE FROM {} WHERE external_id IN ({{rows}})",
                table.kind.table
            );
            self.each(&sql, &[Ty::Id], ids(keys()).collect()).await?;
            let sql = format!(
                "DELETE FROM claims WHERE kind = '{}' AND external_id IN ({{rows}})",
                table.kind.name
            );
            self.each(&sql, &[Ty::Id], ids(keys()).collect()).await?;
            let sql = "INSERT INTO retired_ids (kind, id_hash) {rows} ON CONFLICT DO NOTHING";
            let secret = self.secret;
            let rows = keys().map(|key| {
                let (kind, hash) = read::retired_hash(&secret, key);
                vec![Param::Text(kind), Param::Text(hash)]
            });
            self.each(sql, &[Ty::Id, Ty::Id], rows.collect()).await?;
        }
        Ok(())
    }

    /// Runs a statement for some rows.
    pub(super) async fn each(
        &mut self,
        sql: &str,
        types: &[Ty],
        rows: Vec<Cells>,
    ) -> Result<u64, StoreError> {
        self.tx.batch(&Batch { sql, types }, rows).await
    }

    /// Stores the contents of files; a new content of terms resets every acceptance.
    pub(super) async fn write_files(&mut self) -> Result<(), StoreError> {
        let mut reset = false;
        for step in self.steps().filter(|step| step.verb != Verb::Delete) {
            let kind = kinds::get(step.key.kind);
            let fields = kind.fields.iter().enumerate();
            for (index, _) in fields.filter(|(_, field)| matches!(field.ty, Type::File)) {
                let change = step.change(&kinds::own(index));
                let Some(hash) = change.and_then(|change| new_file(&change)) else {
                    continue;
                };
                reset = true;
                if let Some(content) = self.apply.contents.get(&step.key) {
                    let sql = "INSERT INTO file_contents (sha256, content) VALUES (?, ?) \
                               ON CONFLICT DO NOTHING";
                    let params = [Param::Text(hash), Param::Bytes(content.clone())];
                    self.tx.run(sql, &params).await?;
                }
            }
        }
        if reset {
            let sql = "UPDATE users SET terms_accepted = NULL, terms_accepted_at = NULL \
                       WHERE terms_accepted IS NOT NULL";
            self.tx.run(sql, &[]).await?;
        }
        Ok(())
    }
}

/// The hash of the file that a change of a file field brings in.
fn new_file(change: &Change) -> Option<Text> {
    let hash = |value: &Option<Value>| value.as_ref().and_then(codec::sha256).map(Text::new);
    let (before, after) = (hash(&change.before), hash(&change.after));
    if before == after { None } else { after }
}

/// What an apply writes of runtime facts: their start, and passwords.
struct Facts<'a> {
    approval: bool,
    now: i64,
    passwords: &'a BTreeMap<Key, String>,
}

impl<'a> Facts<'a> {
    fn of(pass: &Pass<'a>) -> Self {
        Self {
            approval: pass.settings.approval,
            now: pass.now,
            passwords: pass.apply.passwords,
        }
    }

    /// A new row: what was declared, else what absence means.
    fn new_row(&self, table: &KindTable, step: &Step, out: &mut Out<'_>) {
        let given = values::all(step);
        for column in &table.columns {
            match column.holds {
                Holds::Id => out.put(&step.key.id),
                Holds::Version => out.put(1),
                Holds::Field(field) | Holds::Path(field) | Holds::Sha256(field) => {
                    let mut given = given.iter();
                    let said = given.find(|given| given.field.own() == Some(field));
                    match said.and_then(|given| given.after) {
                        Some(value) => out.put(codec::cell(column, Some(value))),
                        None => out.put(otherwise(table.kind.fields[field].default)),
                    }
                }
                Holds::Custom => out.put(match values::custom(&given).next() {
                    Some(_) => Lent::Made(codec::custom_json(values::custom(&given))),
                    None => Lent::Word("{}"),
                }),
                Holds::Fact(fact) => out.put(self.fact(fact, &step.key)),
            }
        }
        out.put(Lent::Time(self.now));
        out.put(Lent::Time(self.now));
    }

    fn fact(&self, fact: &Fact, key: &Key) -> Lent<'a> {
        match self.set(fact, key) {
            Some(set) => set,
            None => self.initial(fact).map(Lent::Word).into(),
        }
    }

    fn initial(&self, fact: &Fact) -> Option<&'static str> {
        match fact.column {
            "approval" if self.approval => Some("pending"),
            _ => fact.initial,
        }
    }

    /// A fact that a new password sets.
    fn set(&self, fact: &Fact, key: &Key) -> Option<Lent<'a>> {
        match fact.column {
            "password_hash" => self.passwords.get(key).map(|hash| Lent::Text(hash)),
            "password_temporary" => self.passwords.get(key).map(|_| Lent::Word("true")),
            _ => None,
        }
    }
}

/// What a column holds of a field of which nothing is said.
fn otherwise(default: kinds::Default) -> Lent<'static> {
    match default {
        kinds::Default::None => Lent::Null,
        kinds::Default::Text(word) => Lent::Word(word),
        kinds::Default::Bool(value) => Lent::Bool(value),
        kinds::Default::Int(value) => Lent::Int(value),
        kinds::Default::List(words) => Lent::Made(codec::json_list(words)),
    }
}

fn of_field(changes: &[Change], field: usize) -> Option<&Change> {
    changes
        .iter()
        .find(|change| change.field.own() == Some(field))
}

/// The custom values after a step; `None` when it changes none.
fn custom_after(
    mut custom: SmallMap<Text, Value>,
    changes: &[Change],
) -> Option<SmallMap<Text, Value>> {
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

/// The whole value after a change, of a list of which the change has only what differs.
fn merged(stored: Option<&Value>, change: &Change) -> Option<Value> {
    let (Some(Value::List(stored)), Some(Value::List(went)), Some(Value::List(came))) =
        (stored, &change.before, &change.after)
    else {
        return change.after.clone();
    };
    if stored == went {
        return Some(Value::List(came.clone()));
    }
    let stay = stored.iter().filter(|member| !went.contains(member));
    let ordered = !stored.is_sorted();
    let mut members: Vec<Text> = stay.chain(came).cloned().collect();
    if !ordered {
        members.sort_unstable();
    }
    Some(Value::List(members.into()))
}
