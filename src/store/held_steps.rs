//! Steps that guards held back until somebody decides. Every apply replaces the records of its
//! source, and every plan reads them, so a hold keeps its id and its numbers from pass to pass.
//! Also marks approvals as used. Start at `record_held_steps`.

use super::connection::{BatchStatement, SqlTransaction};
use super::error::StoreError;
use super::incremental_tables::{APPROVERS, REVERT_HOLDS};
use super::sql_value::{SqlType, SqlValue};
use super::{Store, migrate, schema_versions};
use crate::kinds;
use crate::model::{Digest, HeldStep, Key};
use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: [(&str, SqlType); 12] = [
    ("source", SqlType::Id),
    ("kind", SqlType::Id),
    ("external_id", SqlType::Id),
    ("budget", SqlType::Id),
    ("field", SqlType::Text),
    ("verb", SqlType::Text),
    ("hold", SqlType::Id),
    ("steps", SqlType::Int),
    ("earlier", SqlType::Int),
    ("total", SqlType::Int),
    ("declared", SqlType::Bytes),
    ("step", SqlType::Bytes),
];

/// The schema version that added the table.
const SINCE: i64 = 4;

impl Store {
    /// Returns what guards held of a source's plans and nobody has decided about.
    pub async fn held_steps(&self, source: &str) -> Result<Vec<HeldStep>, StoreError> {
        match self.begin_schema_read("read the holds").await? {
            Some(mut tx) => read(&mut tx, source).await,
            None => Ok(Vec::new()),
        }
    }

    /// Records which holds an import by hand has shown, in place of those of the one before.
    pub async fn record_import_holds(
        &self,
        source: &str,
        holds: &BTreeSet<&str>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write("record the holds").await?;
        migrate::require_current(&mut tx).await?;
        let of = [source.into()];
        tx.run("DELETE FROM import_holds WHERE source = ?", &of)
            .await?;
        for hold in holds {
            let sql = "INSERT INTO import_holds (source, hold) VALUES (?, ?)";
            tx.run(sql, &[source.into(), (*hold).into()]).await?;
        }
        tx.commit().await
    }

    /// Returns the holds that imports by hand have shown.
    pub async fn import_holds(&self) -> Result<BTreeSet<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the holds").await? else {
            return Ok(BTreeSet::new());
        };
        if !migrate::has_table(&mut tx, "import_holds").await? {
            return Ok(BTreeSet::new());
        }
        let sql = "SELECT hold FROM import_holds";
        let found = tx.fetch(sql, &[], &[SqlType::Id]).await?;
        let holds = found.into_iter().map(|mut cells| cells[0].take_text());
        Ok(holds.map(Into::into).collect())
    }

    /// Whether an import by hand has shown the hold.
    pub async fn is_import_hold(&self, hold: &str) -> Result<bool, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the holds").await? else {
            return Ok(false);
        };
        if !migrate::has_table(&mut tx, "import_holds").await? {
            return Ok(false);
        }
        let sql = "SELECT 1 FROM import_holds WHERE hold = ?";
        tx.has_rows(sql, &[hold.into()]).await
    }

    /// Whether a hold is waiting for a decision: recorded by an apply, present in the state of a daemon
    /// that watches the source, or of a revert that somebody asked for.
    pub async fn knows_hold(&self, hold: &str) -> Result<bool, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the holds").await? else {
            return Ok(false);
        };
        if !has_table(&mut tx).await? {
            return Ok(false);
        }
        // A daemon's hold of a pass that applied nothing is only in its state document.
        let sql = "SELECT 1 FROM held_steps WHERE hold = ? \
                   UNION ALL SELECT 1 FROM watched WHERE state LIKE ?";
        let within = SqlValue::text(format!("%\"{hold}\"%"));
        if tx.has_rows(sql, &[hold.into(), within.clone()]).await? {
            return Ok(true);
        }
        if !migrate::has_table(&mut tx, REVERT_HOLDS).await? {
            return Ok(false);
        }
        let sql = format!("SELECT 1 FROM {REVERT_HOLDS} WHERE held LIKE ?");
        tx.has_rows(&sql, &[within]).await
    }
}

async fn has_table(tx: &mut SqlTransaction) -> Result<bool, StoreError> {
    let meta = migrate::meta(tx).await?;
    Ok(meta.is_some_and(|meta| meta.schema >= SINCE))
}

/// Reads the held steps of a source.
pub(super) async fn read(
    tx: &mut SqlTransaction,
    source: &str,
) -> Result<Vec<HeldStep>, StoreError> {
    // The previous schema can be read too, and it has no such table.
    if !has_table(tx).await? {
        return Ok(Vec::new());
    }
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    let sql = format!(
        "SELECT {names} FROM held_steps WHERE source = ? ORDER BY kind, external_id, budget"
    );
    let types = COLUMNS.map(|(_, ty)| ty);
    let found = tx.fetch(&sql, &[source.into()], &types).await?;
    Ok(found.into_iter().filter_map(step).collect())
}

fn step(mut cells: Vec<SqlValue>) -> Option<HeldStep> {
    let kind = kinds::by_name(cells[1].as_text()?)?;
    let count = |cell: &SqlValue| u64::try_from(cell.int()).unwrap_or_default();
    let [steps, earlier, total] = [7, 8, 9].map(|at| count(&cells[at]));
    let [declared, step] =
        [10, 11].map(|at| Digest(cells[at].take_bytes().try_into().unwrap_or_default()));
    let mut text = |at: usize| cells[at].take_text();
    Some(HeldStep {
        source: text(0).as_str().into(),
        key: Key::new(kind.id, text(2)),
        budget: text(3).into(),
        field: text(4).into(),
        verb: text(5).into(),
        hold: text(6).into(),
        count: steps,
        earlier,
        total,
        declared,
        step,
    })
}

/// Records what a plan held and which approvals it used, and deletes the records that are settled.
pub(super) async fn record_held_steps(
    tx: &mut SqlTransaction,
    plan: &Plan,
) -> Result<(), StoreError> {
    use_approvals(tx, plan).await?;
    if plan.remembered_steps.is_empty() && plan.forgotten_steps.is_empty() {
        return Ok(());
    }
    // Old and new records are deleted first, because the numbers of a hold that stays may have
    // changed.
    let old = plan.forgotten_steps.iter().chain(&plan.remembered_steps);
    let keys = old.map(|step| {
        vec![
            SqlValue::text(&step.source),
            kinds::get(step.key.kind).name.into(),
            SqlValue::from(&step.key.id),
            step.budget.as_str().into(),
        ]
    });
    let sql = "WITH v(source, kind, id, budget) AS MATERIALIZED ({rows}) \
               DELETE FROM held_steps WHERE EXISTS (SELECT 1 FROM v \
               WHERE v.source = held_steps.source AND v.kind = held_steps.kind \
               AND v.id = held_steps.external_id AND v.budget = held_steps.budget)";
    let types = &[SqlType::Id; 4];
    tx.batch(&BatchStatement { sql, types }, keys).await?;
    let int = |number: u64| SqlValue::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let rows = plan.remembered_steps.iter().map(|step| {
        vec![
            SqlValue::text(&step.source),
            kinds::get(step.key.kind).name.into(),
            SqlValue::from(&step.key.id),
            step.budget.as_str().into(),
            step.field.as_str().into(),
            step.verb.as_str().into(),
            step.hold.as_str().into(),
            int(step.count),
            int(step.earlier),
            int(step.total),
            SqlValue::Bytes(step.declared.0.to_vec()),
            SqlValue::Bytes(step.step.0.to_vec()),
        ]
    });
    tx.insert("held_steps", &COLUMNS, rows).await?;
    Ok(())
}

/// The approvals since `since` that no apply has used: `HOLD`, or `HOLD KIND/ID` for one resource.
pub(super) async fn unused_approvals(
    tx: &mut SqlTransaction,
    since: i64,
) -> Result<BTreeSet<String>, StoreError> {
    let unused = if has_table(tx).await? {
        "AND NOT EXISTS (SELECT 1 FROM used_approvals u WHERE u.hold = a.hold \
         AND u.resource = a.resource AND u.approved_at = a.approved_at)"
    } else {
        ""
    };
    let sql = format!("SELECT hold, resource FROM approvals a WHERE approved_at >= ? {unused}");
    let found = tx
        .fetch(&sql, &[since.into()], &[SqlType::Id, SqlType::Id])
        .await?;
    let names = found.into_iter().map(|mut cells| {
        let (hold, resource) = (cells[0].take_text(), cells[1].take_text());
        format!("{hold} {resource}").trim_end().to_owned()
    });
    Ok(names.collect())
}

/// Who approved each hold, or a resource of it, since a moment and since that was last used.
pub(super) async fn approvers(
    tx: &mut SqlTransaction,
    since: i64,
) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
    // Before there was this table, one person was enough.
    let schema = migrate::meta(tx).await?.map_or(0, |meta| meta.schema);
    if schema_versions::adds_table(schema, APPROVERS) {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT hold, resource, approver FROM hold_approvers a WHERE approved_at >= ? \
               AND NOT EXISTS (SELECT 1 FROM used_approvals u WHERE u.hold = a.hold \
               AND u.resource = a.resource AND u.approved_at >= a.approved_at)";
    let types = [SqlType::Id, SqlType::Id, SqlType::Text];
    let found = tx.fetch(sql, &[since.into()], &types).await?;
    let mut approvers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mut cells in found {
        let [hold, resource, approver] = [0, 1, 2].map(|at| cells[at].take_text());
        let name = format!("{hold} {resource}").trim_end().to_owned();
        approvers.entry(name).or_default().insert(approver.into());
    }
    Ok(approvers)
}

/// Marks the approvals that a plan used. The same steps at a later time need a new decision, so with
/// the approval of a hold those of its parts are used up, and the other way round: what is left of the
/// hold is another one.
async fn use_approvals(tx: &mut SqlTransaction, plan: &Plan) -> Result<(), StoreError> {
    let used = plan.accepted.iter().filter_map(|used| {
        let approval = used.strip_prefix("hold ")?;
        approval.split(' ').next()
    });
    for hold in used.collect::<BTreeSet<&str>>() {
        let sql = "INSERT INTO used_approvals (hold, resource, approved_at) \
                   SELECT hold, resource, approved_at FROM approvals \
                   WHERE hold = ? ON CONFLICT DO NOTHING";
        tx.run(sql, &[hold.into()]).await?;
    }
    Ok(())
}

/// Moves the held steps of one source to another.
pub(super) async fn transfer_held_steps(
    tx: &mut SqlTransaction,
    from: &str,
    to: &str,
) -> Result<(), StoreError> {
    if !has_table(tx).await? {
        return Ok(());
    }
    let sql = "DELETE FROM held_steps WHERE source = ?";
    tx.run(sql, &[to.into()]).await?;
    let sql = "UPDATE held_steps SET source = ? WHERE source = ?";
    tx.run(sql, &[to.into(), from.into()]).await?;
    Ok(())
}

/// Deletes the held steps of a source.
pub(super) async fn delete_held_steps(
    tx: &mut SqlTransaction,
    source: &str,
) -> Result<(), StoreError> {
    if has_table(tx).await? {
        let sql = "DELETE FROM held_steps WHERE source = ?";
        tx.run(sql, &[source.into()]).await?;
    }
    Ok(())
}
