//! Checks, under the locks of an apply, that the database is still as the plan saw it: same
//! database, same row versions, no new rows in the way. Any difference makes the plan stale; it is
//! never merged. The rows are locked on the way, and the values that a change gives only in part
//! are read.

use super::super::connection::{BatchStatement, SqlTransaction};
use super::super::error::StoreError;
use super::super::sql_value::{SqlType, SqlValue};
use super::super::tables::{self, ColumnContent, KindTable};
use super::super::{act_deletion, codec, jobs, read, stored_logins, tag_offers};
use super::{ApplyRequest, changes_row, ids};
use crate::kinds::{self, FieldType, TAG, USER};
use crate::model::{CompactText, Key, LoginParts, SmallMap, Value};
use crate::plan::{Plan, Step, StepVerb};
use std::collections::{BTreeMap, HashMap};

/// The stored values of the touched rows that a change gives only in part.
pub(super) type MergeBases<'a> = HashMap<&'a Key, MergeBase>;

#[derive(Debug, Default)]
pub(super) struct MergeBase {
    /// The custom values.
    pub(super) custom: SmallMap<CompactText, Value>,
    /// The ordered lists, by field.
    pub(super) ordered: BTreeMap<usize, Value>,
}

/// Collects what differs about the database as a whole.
pub(super) async fn check_database(
    tx: &mut SqlTransaction,
    apply: &ApplyRequest<'_>,
    identity: &str,
) -> Result<Vec<String>, StoreError> {
    let mut what = Vec::new();
    match apply.plan.database.as_deref() {
        Some(planned) if planned != identity => {
            what.push(format!(
                "it was made for database {planned}, but this is {identity}"
            ));
        }
        // A plan made before the database existed is valid only while nothing was applied to it.
        None if tx.has_rows("SELECT 1 FROM runs LIMIT 1", &[]).await? => {
            what.push("it was made without a database".to_owned());
        }
        _ => {}
    }
    // A saved plan was approved for one apply. Versions alone do not catch a second one of a plan
    // whose new rows somebody has removed since.
    let used = "SELECT 1 FROM runs WHERE plan_id = ?";
    if apply.single_use && tx.has_rows(used, &[apply.plan_id.into()]).await? {
        what.push("it was already applied".to_owned());
    }
    Ok(what)
}

/// Collects the rows that differ from what the plan saw; locks the others and returns their partial
/// values.
pub(super) async fn check_rows<'a>(
    tx: &mut SqlTransaction,
    plan: &'a Plan,
    secret: &[u8; 32],
    what: &mut Vec<String>,
) -> Result<MergeBases<'a>, StoreError> {
    let mut stored = MergeBases::new();
    for table in tables::ALL.iter() {
        let steps = plan
            .steps
            .iter()
            .filter(|step| step.key.kind == table.kind.id);
        let (created, changed): (Vec<&Step>, Vec<&Step>) =
            steps.partition(|step| step.verb == StepVerb::Create);
        check_absent(tx, table, &created, what).await?;
        check_present(tx, table, &changed, what, &mut stored).await?;
    }
    let created = plan
        .steps
        .iter()
        .filter(|step| step.verb == StepVerb::Create);
    let created: Vec<&Key> = created.map(|step| &step.key).collect();
    let has_jobs = jobs::exist(tx).await?;
    let deleted = plan.steps.iter().filter(|step| {
        // Jobs belong to users only.
        has_jobs && step.verb == StepVerb::Delete && step.key.kind == USER
    });
    for step in deleted {
        act_deletion::lock_jobs(tx, &step.key.id).await?;
        for job in jobs::open_jobs(tx, &step.key.id).await? {
            let (id, status) = (job.id, job.status);
            what.push(format!(
                "somebody still works on job {id} ({status}) of {}; complete it first",
                step.key
            ));
        }
    }
    let tags = plan.steps.iter();
    let tags = tags.filter(|step| step.verb == StepVerb::Delete && step.key.kind == TAG);
    for step in tags {
        for offer in tag_offers::tag_offers(tx, &step.key.id).await? {
            what.push(format!("offer {offer} uses {}; remove it first", step.key));
        }
    }
    check_logins(tx, plan, what).await?;
    // A retired id has no row, so only the registry can tell that it must not come back.
    for key in read::retired(tx, secret, &created).await? {
        what.push(format!("{key} was deleted permanently"));
    }
    Ok(stored)
}

/// Checks that nobody was given the login names of the plan in the meantime.
async fn check_logins(
    tx: &mut SqlTransaction,
    plan: &Plan,
    what: &mut Vec<String>,
) -> Result<(), StoreError> {
    let stored = stored_logins::of_taken(tx, &plan.logins).await?;
    for login in &plan.logins {
        let link = (login.user.clone(), login.account.clone());
        let was_given = LoginParts::of(&login.name).is_none_or(|parts| {
            let next = stored.next.get(parts.customer_number);
            next.is_some_and(|next| parts.running_number < *next)
        });
        if was_given || stored.links.contains_key(&login.name) || stored.names.contains_key(&link) {
            what.push(format!("the login {} was given to somebody", login.name));
        }
    }
    Ok(())
}

async fn check_absent(
    tx: &mut SqlTransaction,
    table: &KindTable,
    created: &[&Step],
    what: &mut Vec<String>,
) -> Result<(), StoreError> {
    let name = table.kind.table;
    // On a first load this spares a look-up per new row.
    let any = format!("SELECT 1 FROM {name} LIMIT 1");
    if created.is_empty() || !tx.has_rows(&any, &[]).await? {
        return Ok(());
    }
    let sql = format!(
        "WITH v(id) AS MATERIALIZED ({{rows}}) \
         SELECT t.external_id FROM v JOIN {name} AS t ON t.external_id = v.id"
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id],
    };
    let rows = ids(created.iter().map(|step| &step.key));
    for mut cells in tx.batch_fetch(&batch, rows, &[SqlType::Id]).await? {
        let key = Key::new(table.kind.id, cells[0].take_text());
        what.push(format!("{key} already exists"));
    }
    Ok(())
}

async fn check_present<'a>(
    tx: &mut SqlTransaction,
    table: &KindTable,
    steps: &[&'a Step],
    what: &mut Vec<String>,
    stored: &mut MergeBases<'a>,
) -> Result<(), StoreError> {
    if steps.is_empty() {
        return Ok(());
    }
    let found = versions(tx, table, steps).await?;
    for step in steps {
        match found.get(&step.key.id) {
            None => what.push(format!("{} no longer exists", step.key)),
            Some((version, _)) if Some(*version) != step.version => {
                what.push(format!("{} changed since then", step.key));
            }
            Some(_) => {}
        }
    }
    for ((_, partial), step) in found_in_order(found, steps) {
        // A deletion needs no old values.
        if changes_row(step.verb) {
            stored.insert(&step.key, partial);
        }
    }
    Ok(())
}

fn found_in_order<'a>(
    mut found: HashMap<CompactText, (i64, MergeBase)>,
    steps: &[&'a Step],
) -> Vec<((i64, MergeBase), &'a Step)> {
    let steps = steps.iter();
    steps
        .filter_map(|step| Some((found.remove(&step.key.id)?, *step)))
        .collect()
}

/// Returns the version and partial values of each row, and locks it.
async fn versions(
    tx: &mut SqlTransaction,
    table: &KindTable,
    steps: &[&Step],
) -> Result<HashMap<CompactText, (i64, MergeBase)>, StoreError> {
    let columns: Vec<_> = table
        .columns
        .iter()
        .filter(|column| may_change_in_part(table, column.content))
        .collect();
    let names = columns.iter().map(|column| format!(", t.{}", column.name));
    let more = names.collect::<Vec<_>>().concat();
    let sql = format!(
        "WITH v(id) AS MATERIALIZED ({{rows}}) SELECT t.external_id, t.version{more} \
         FROM v JOIN {} AS t ON t.external_id = v.id{}",
        table.kind.table,
        // The row lock keeps a foreign writer from changing the row between this check and the
        // commit.
        tx.dialect().for_update_t,
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id],
    };
    let mut types = vec![SqlType::Id, SqlType::Int];
    types.extend(columns.iter().map(|column| column.ty));
    let rows = ids(steps.iter().map(|step| &step.key));
    let found = tx.batch_fetch(&batch, rows, &types).await?;
    let rows = found.into_iter().map(|mut cells| {
        let mut partial = MergeBase::default();
        for (column, cell) in columns.iter().zip(&cells[2..]) {
            match (column.content, cell) {
                (ColumnContent::Custom, SqlValue::Text(text)) => {
                    partial.custom = codec::custom(text);
                }
                (ColumnContent::Field(field), SqlValue::Text(text)) => {
                    partial
                        .ordered
                        .insert(field, Value::List(codec::list(text)));
                }
                _ => {}
            }
        }
        (cells[0].take_text(), (cells[1].int(), partial))
    });
    Ok(rows.collect())
}

/// Whether a change of the column may hold only a part of the new value.
fn may_change_in_part(table: &KindTable, holds: ColumnContent) -> bool {
    match holds {
        ColumnContent::Custom => true,
        ColumnContent::Field(field) => matches!(table.kind.fields[field].ty, FieldType::Ordered(_)),
        _ => false,
    }
}

/// The name of the key's kind, as an SQL parameter.
pub(super) fn kind_name(key: &Key) -> SqlValue {
    kinds::get(key.kind).name.into()
}
