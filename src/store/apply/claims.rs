//! Writes the claims at the end of an apply. The source's own claims come from its steps and from
//! the resources found equal. Claims of other sources on the same rows are advanced where the steps
//! left their fields alone, and are otherwise left stale so that their next pass looks again. Start
//! at `ApplyTransaction::write_claims`.

use super::super::claim::{self, ClaimRow};
use super::super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::super::error::StoreError;
use super::super::row_writer::RowWriter;
use super::super::sql_value::{SqlType, SqlValue};
use super::{ApplyRequest, ApplyTransaction, changes_row, versions};
use crate::kinds;
use crate::model::{Claim, ClaimState, CompactText, FieldDigests, Key};
use crate::plan::{ClaimAction, Step, StepClaim, StepReason, StepVerb};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The column types of a key: kind and external id.
const KEY: [SqlType; 2] = [SqlType::Id, SqlType::Id];

/// A claim that this plan writes for its own source.
enum OwnClaim<'a> {
    /// Declared by a step.
    Step(&'a Step, &'a StepClaim),
    /// Declared by a resource that equals its row.
    Agreed(&'a Key, &'a Claim),
}

impl<'a> OwnClaim<'a> {
    fn key(&self) -> &'a Key {
        match self {
            Self::Step(step, _) => &step.key,
            Self::Agreed(key, _) => key,
        }
    }

    fn to_row(&self, apply: &ApplyRequest<'a>) -> ClaimRow<'a> {
        let source = &apply.plan.source;
        let (source, revision, key) = (&source.name, &source.revision, self.key());
        match self {
            Self::Agreed(_, claim) => ClaimRow {
                source,
                key,
                digest: claim.digest,
                fields: Cow::Borrowed(&claim.fields),
                seen_version: claim.seen_version,
                state: claim.state,
                origin: Some((&claim.path, claim.position)),
                revision,
            },
            Self::Step(step, claimed) => {
                let (digest, fields) = match claimed.digests() {
                    Cow::Borrowed(known) => (known.digest, Cow::Borrowed(&known.fields)),
                    Cow::Owned(taken) => (taken.digest, Cow::Owned(taken.fields)),
                };
                ClaimRow {
                    source,
                    key,
                    digest,
                    fields,
                    seen_version: apply.version_after(step),
                    state: ClaimState::Active,
                    origin: step.origin.as_ref().map(|from| (&from.path, from.at)),
                    revision,
                }
            }
        }
    }
}

impl<'a> ApplyTransaction<'a> {
    /// Writes all claims; returns how many of the source's own.
    pub(super) async fn write_claims(&mut self) -> Result<u64, StoreError> {
        // First, because it compares `seen_version` with the version before this run; afterwards
        // this source's own claims carry the new one.
        self.update_other_claims().await?;
        let mut written = self.remove_claims().await?;
        let name = Arc::clone(&self.apply.plan.source.name);
        let known = "SELECT 1 FROM claims WHERE source = ? LIMIT 1";
        // A source without claims takes the bulk path; a plain insert there needs no conflict
        // check.
        let fresh = !self.tx.has_rows(known, &[SqlValue::text(&name)]).await?;
        let own = self.own_claims();
        written += own.len() as u64;
        // Turned into rows one by one as they are sent: all at once they would need more memory
        // than the plan itself.
        let apply = self.apply;
        let rows = own.iter().map(|own| own.to_row(apply));
        if fresh {
            let put = |claim: ClaimRow<'_>, out: &mut RowWriter<'_>| {
                claim.values().into_iter().for_each(|value| out.put(value));
            };
            self.tx.load("claims", &claim::COLUMNS, rows, put).await?;
        } else {
            let (sql, types) = (upsert(), claim::COLUMNS.map(|(_, ty)| ty));
            let rows = rows.map(|claim| claim.values().map(SqlValue::from).into());
            let batch = BatchStatement {
                sql: &sql,
                types: &types,
            };
            self.tx.batch(&batch, rows).await?;
        }
        let stored = self.steps().filter(|step| step.verb != StepVerb::Create);
        let agreed = self
            .apply
            .plan
            .claim_updates
            .iter()
            .map(|agreed| &agreed.key);
        let keys: Vec<&Key> = stored.map(|step| &step.key).chain(agreed).collect();
        invalidate_other_sources(&mut self.tx, &name, &keys).await?;
        Ok(written)
    }

    /// The claims that the steps and the equal resources write, sorted by key, one per resource.
    fn own_claims(&self) -> Vec<OwnClaim<'a>> {
        let plan = self.apply.plan;
        let steps = plan
            .steps
            .iter()
            .filter(|step| step.verb != StepVerb::Delete);
        let mut own: Vec<OwnClaim<'a>> = steps
            .filter_map(|step| Some(OwnClaim::Step(step, step.claim.as_ref()?)))
            .collect();
        own.extend(
            plan.claim_updates
                .iter()
                .filter_map(|agreed| match &agreed.claim {
                    ClaimAction::Write(claim) => Some(OwnClaim::Agreed(&agreed.key, claim)),
                    ClaimAction::Release | ClaimAction::Gone => None,
                }),
        );
        // Both engines insert fastest in key order.
        let order = |own: &OwnClaim<'a>| (kinds::get(own.key().kind).name, &own.key().id);
        own.sort_by(|a, b| order(a).cmp(&order(b)));
        // A step wins over an equality note on the same key, because the sort is stable and steps
        // come first. Two rows with one key would also make the upsert fail on PostgreSQL.
        own.dedup_by(|later, first| later.key() == first.key());
        own
    }

    /// Marks the claims on removed resources as gone and deletes the claims that were released.
    async fn remove_claims(&mut self) -> Result<u64, StoreError> {
        let source = SqlValue::text(&self.apply.plan.source.name);
        let (mut gone, mut released): (Vec<SqlRow>, Vec<SqlRow>) = (Vec::new(), Vec::new());
        let row = |key: &Key| vec![source.clone(), versions::kind_name(key), (&key.id).into()];
        for step in self.steps().filter(|step| changes_row(step.verb)) {
            // A gone claim is kept, with the version of the row as this run leaves it: if the
            // resource is declared again, the source may take it back, and a change by somebody
            // else in between shows.
            if step.claim.is_none() && step.reason == StepReason::Removed {
                let mut row = row(&step.key);
                row.push(SqlValue::Int(self.version_after(step)));
                gone.push(row);
            }
        }
        for agreed in &self.apply.plan.claim_updates {
            match agreed.claim {
                ClaimAction::Write(_) => {}
                ClaimAction::Release => released.push(row(&agreed.key)),
                ClaimAction::Gone => {
                    let mut row = row(&agreed.key);
                    // No version: the row is not written by this run, so the one last seen stays.
                    row.push(SqlValue::Null);
                    gone.push(row);
                }
            }
        }
        released.extend(self.apply.plan.released.iter().map(row));
        let sql = "WITH v(source, kind, id, seen) AS MATERIALIZED ({rows}) UPDATE claims AS t \
                   SET state = 'gone', seen_version = coalesce(v.seen, t.seen_version) FROM v \
                   WHERE t.source = v.source AND t.kind = v.kind AND t.external_id = v.id";
        let marked = self
            .run_for_rows(
                sql,
                &[SqlType::Id, SqlType::Id, SqlType::Id, SqlType::Int],
                gone,
            )
            .await?;
        // The two `IN` conditions let SQLite use the index; the `EXISTS` decides. With the `EXISTS`
        // alone it reads the whole table.
        let sql = "WITH v(source, kind, id) AS MATERIALIZED ({rows}) DELETE FROM claims \
                   WHERE kind IN (SELECT kind FROM v) AND external_id IN (SELECT id FROM v) \
                   AND EXISTS (SELECT 1 FROM v WHERE v.source = claims.source \
                     AND v.kind = claims.kind AND v.id = claims.external_id)";
        Ok(marked + self.run_for_rows(sql, &[SqlType::Id; 3], released).await?)
    }

    /// Updates other sources' claims on the resources this plan writes. A claim that was current
    /// and whose fields were left alone moves to the new version; a claim on a row that is created
    /// anew gets version 0.
    async fn update_other_claims(&mut self) -> Result<(), StoreError> {
        let source = SqlValue::text(&self.apply.plan.source.name);
        // With a single source, the common case, one look spares three statements over all steps.
        let others = "SELECT 1 FROM claims WHERE source <> ? LIMIT 1";
        if !self
            .tx
            .has_rows(others, std::slice::from_ref(&source))
            .await?
        {
            return Ok(());
        }
        // No row has version 0, so the other source compares this resource field by field in its
        // next pass.
        let sql = "WITH v(kind, id) AS MATERIALIZED ({rows}) UPDATE claims AS t \
                   SET seen_version = 0 FROM v WHERE t.kind = v.kind AND t.external_id = v.id";
        let created = self.steps().filter(|step| step.verb == StepVerb::Create);
        let rows = created.map(|step| key_cells(&step.key)).collect();
        self.run_for_rows(sql, &KEY, rows).await?;
        let moved = self.claims_to_advance().await?;
        let sql = "WITH v(source, kind, id, seen) AS MATERIALIZED ({rows}) UPDATE claims AS t \
                   SET seen_version = v.seen FROM v \
                   WHERE t.source = v.source AND t.kind = v.kind AND t.external_id = v.id";
        self.run_for_rows(
            sql,
            &[SqlType::Id, SqlType::Id, SqlType::Id, SqlType::Int],
            moved,
        )
        .await?;
        Ok(())
    }

    /// Returns the claims to advance, each with the version it moves to.
    async fn claims_to_advance(&mut self) -> Result<Vec<SqlRow>, StoreError> {
        let sql = "WITH v(kind, id) AS MATERIALIZED ({rows}) \
                   SELECT t.kind, t.external_id, t.source, t.seen_version, t.fields \
                   FROM v JOIN claims AS t ON t.kind = v.kind AND t.external_id = v.id";
        let batch = BatchStatement { sql, types: &KEY };
        let types = [
            SqlType::Id,
            SqlType::Id,
            SqlType::Id,
            SqlType::Int,
            SqlType::Bytes,
        ];
        let steps = self
            .steps()
            .filter(|step| changes_row(step.verb) && self.changes_row(step));
        let mut steps: Vec<&Step> = steps.collect();
        steps.sort_by(|a, b| a.key.cmp(&b.key));
        let rows = steps.iter().map(|step| key_cells(&step.key));
        let rows: Vec<SqlRow> = rows.collect();
        let found = self.tx.batch_fetch(&batch, rows, &types).await?;
        let own = SqlValue::text(&self.apply.plan.source.name);
        let moved = found.into_iter().filter_map(|mut cells| {
            let kind = kinds::by_name(cells[0].as_text()?)?.id;
            let key = Key::new(kind, cells[1].as_text()?);
            let at = steps.binary_search_by(|step| step.key.cmp(&key)).ok()?;
            let fields = FieldDigests::from_packed(cells[4].take_bytes());
            // A claim that was stale before must stay stale: moving it would hide somebody's change
            // from that source for good.
            let current = Some(cells[3].int()) == steps[at].version;
            // Its own claim is advanced here only if the step does not write it anyway.
            let stays = cells[2] == own && steps[at].claim.is_some();
            if !current || stays || touches(steps[at], &fields) {
                return None;
            }
            let seen = SqlValue::Int(self.version_after(steps[at]));
            let [kind, id, source] = [0, 1, 2].map(|at| std::mem::take(&mut cells[at]));
            Some(vec![source, kind, id, seen])
        });
        Ok(moved.collect())
    }
}

/// Whether a step changes a field that a claim declares.
fn touches(step: &Step, fields: &FieldDigests) -> bool {
    let changes = step.changes();
    let mut names = changes.iter().map(|change| step.field_name(change));
    names.any(|name| fields.get(&name).is_some())
}

fn key_cells(key: &Key) -> SqlRow {
    vec![versions::kind_name(key), SqlValue::from(&key.id)]
}

fn upsert() -> String {
    let names = claim::COLUMNS.map(|(name, _)| name);
    let sets: Vec<String> = names[3..]
        .iter()
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        "INSERT INTO claims ({}) {{rows}} ON CONFLICT (source, kind, external_id) \
         DO UPDATE SET {}",
        names.join(", "),
        sets.join(", ")
    )
}

/// Above this many keys, every other source reads all its files again instead.
const MANY: usize = 20_000;

/// Makes the other sources look again at what they declare of these resources. A manifest without a
/// status means something different when the row is inactive, so an unchanged file may still have a
/// new outcome.
async fn invalidate_other_sources(
    tx: &mut SqlTransaction,
    source: &str,
    keys: &[&Key],
) -> Result<(), StoreError> {
    if keys.len() > MANY {
        // An empty fingerprint never equals a computed one, so the checkpoint of each other source
        // no longer counts and its next pass reads everything.
        let sql = "UPDATE sources SET fingerprint = ? WHERE name <> ?";
        tx.run(sql, &[SqlValue::Bytes(Vec::new()), source.into()])
            .await?;
        return Ok(());
    }
    let mut files: BTreeSet<(CompactText, CompactText)> = BTreeSet::new();
    // Only inactive rows matter: on an active row an absent status declares nothing new.
    for kind in kinds::ALL.into_iter().filter(|kind| kind.has_status) {
        let sql = format!(
            "SELECT c.source, c.path FROM claims c JOIN {} r ON r.external_id = c.external_id \
             WHERE c.kind = '{}' AND c.state = 'active' AND r.status = 'inactive' \
             AND c.external_id IN ({{rows}})",
            kind.table, kind.name
        );
        let batch = BatchStatement {
            sql: &sql,
            types: &[SqlType::Id],
        };
        let keys = keys.iter().filter(|key| key.kind == kind.id);
        let rows = keys.map(|key| vec![SqlValue::from(&key.id)]);
        let found = tx
            .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Text])
            .await?;
        let found = found.into_iter();
        files.extend(found.map(|mut cells| (cells[0].take_text(), cells[1].take_text())));
    }
    for (other, path) in files.iter().filter(|(other, _)| other.as_str() != source) {
        // Without a digest the file counts as changed, and is parsed again in the next pass.
        let sql = "UPDATE files SET digest = NULL WHERE source = ? AND path = ?";
        tx.run(sql, &[other.into(), path.into()]).await?;
    }
    Ok(())
}
