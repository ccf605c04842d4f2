//! Applies a plan to a snapshot in memory. The next source of a pass is planned on the result, as
//! if the plan before it had been applied. [`advance`] does to a snapshot what the store does to
//! its tables; the two have to agree, or the second plan is stale when it is applied.

use super::effect_budget::EffectBudget;
use super::types::{ClaimAction, Plan, Step, StepReason, StepVerb};
use crate::kinds::{self, Kind};
use crate::model::{
    Claim, ClaimState, CompactText, FieldChange, HeldStep, Key, Row, SmallMap, Snapshot, Value,
};

pub fn advance(stored: &mut Snapshot, plan: &Plan) {
    let mut gone = Vec::new();
    for step in &plan.steps {
        match step.verb {
            StepVerb::Delete => gone.push(step.key.clone()),
            StepVerb::Create => create(stored, step),
            _ => change(stored, step),
        }
        claim(stored, plan, step);
    }
    // After the loop, in one sweep: removing rows one by one would move the others each time.
    if !gone.is_empty() {
        stored.rows.retain(|row| !gone.contains(&row.key));
        for key in gone {
            stored.claims.remove(&key);
            // The id can never be used again, also not by the next source of this pass.
            stored.retired.insert(key);
        }
    }
    // A new record replaces the old one of the same step; otherwise the same step would be held
    // twice.
    let forgets = |old: &HeldStep| {
        let mut records = plan.forgotten_steps.iter().chain(&plan.remembered_steps);
        records.any(|record| record.is_same_step(old))
    };
    stored.held_steps.retain(|old| !forgets(old));
    stored
        .held_steps
        .extend(plan.remembered_steps.iter().cloned());
    // All sources share the budgets of effects.
    for (budget, count) in &plan.budget_use {
        if EffectBudget::by_name(budget).is_some() {
            *stored.budget_use.entry(budget.clone()).or_default() += count;
        }
    }
    for agreed in &plan.claim_updates {
        match &agreed.claim {
            ClaimAction::Write(claim) => put_claim(stored, &agreed.key, (**claim).clone()),
            ClaimAction::Release => release_claim(stored, &plan.source.name, &agreed.key),
            ClaimAction::Gone => mark_gone(stored, &plan.source.name, &agreed.key),
        }
    }
}

/// The version that follows another: always positive, and never the same one.
pub fn next_version(version: i64) -> i64 {
    if version > 0 {
        version + 1
    } else {
        1 + version.unsigned_abs().cast_signed() % (1 << 52)
    }
}

/// A row with only the defaults of its kind.
pub fn default_row(key: &Key) -> Row {
    let kind = kinds::get(key.kind);
    Row {
        key: key.clone(),
        version: 1,
        values: kind
            .fields
            .iter()
            .map(|field| field.default.value())
            .collect(),
        custom_values: SmallMap::default(),
        facts: kind
            .facts
            .iter()
            .filter_map(|fact| Some((fact.name, CompactText::new(fact.initial?))))
            .collect(),
    }
}

fn create(stored: &mut Snapshot, step: &Step) {
    let mut row = default_row(&step.key);
    let changes = step.changes();
    // Cleared first: a stated list replaces its default instead of being merged into it.
    for change in changes.iter().filter(|change| change.after.is_some()) {
        row.set(&change.field, None);
    }
    set(&mut row, &changes);
    if step.runtime.awaits_approval {
        row.facts.insert("approval", CompactText::new("pending"));
    }
    register(stored, &row);
    let _ = stored.rows.insert(row);
}

fn change(stored: &mut Snapshot, step: &Step) {
    let Some(row) = stored.rows.get_mut(&step.key) else {
        return;
    };
    let changes = step.changes();
    // A step without changes only claims. A new version would make every other claim on the row
    // look outdated.
    if changes.is_empty() {
        return;
    }
    set(row, &changes);
    let before = row.version;
    row.version = next_version(before);
    let (row, kind) = (row.clone(), kinds::get(step.key.kind));
    move_claims(stored, kind, &row, before, &changes);
    register(stored, &row);
}

fn register(stored: &mut Snapshot, row: &Row) {
    if row.key.kind != kinds::ACCOUNT {
        return;
    }
    let index = kinds::get(kinds::ACCOUNT).expect_index("customerNumber");
    if let Some(number) = row.values[index].as_ref().and_then(Value::as_text) {
        // The first account keeps a number for ever, even after its row has another one.
        stored
            .customer_numbers
            .entry(CompactText::new(number))
            .or_insert_with(|| row.key.id.clone());
    }
}

fn set(row: &mut Row, changes: &[FieldChange]) {
    let kind = kinds::get(row.key.kind);
    for change in changes {
        let value = match kind.field(&change.field) {
            Some(field) if field.ty.has_link_table() => {
                change.merged_list(row.value(&change.field))
            }
            _ => change.after.clone(),
        };
        row.set(&change.field, value);
    }
}

/// Moves the claims of other sources to the new version, if they were current and do not concern
/// the changed fields. Otherwise those sources would compare the whole row in the next pass.
fn move_claims(
    stored: &mut Snapshot,
    kind: &Kind,
    row: &Row,
    before: i64,
    changes: &[FieldChange],
) {
    let names: Vec<String> = changes
        .iter()
        .map(|change| kind.field_name(&change.field))
        .collect();
    for claim in stored.claims.get_mut(&row.key).into_iter().flatten() {
        let theirs = names.iter().any(|name| claim.fields.get(name).is_some());
        if claim.seen_version == before && !theirs {
            claim.seen_version = row.version;
        }
    }
}

fn claim(stored: &mut Snapshot, plan: &Plan, step: &Step) {
    let seen = stored.rows.get(&step.key).map_or(0, |row| row.version);
    // Before the claim below: a removal has none, and its mark must see the new version.
    if step.reason == StepReason::Removed {
        mark_gone(stored, &plan.source.name, &step.key);
    }
    let Some(claimed) = &step.claim else {
        return;
    };
    let claimed = claimed.digests().into_owned();
    let Some(origin) = &step.origin else { return };
    let claim = Claim {
        source: plan.source.name.clone(),
        digest: claimed.digest,
        fields: claimed.fields,
        seen_version: seen,
        state: ClaimState::Active,
        path: origin.path.clone(),
        position: origin.at,
        revision: plan.source.revision.clone(),
    };
    put_claim(stored, &step.key, claim);
}

fn put_claim(stored: &mut Snapshot, key: &Key, claim: Claim) {
    let claims = stored.claims.entry(key.clone()).or_default();
    claims.retain(|old| old.source != claim.source);
    claims.push(claim);
    claims.sort_by(|a, b| a.source.cmp(&b.source));
}

fn release_claim(stored: &mut Snapshot, source: &str, key: &Key) {
    if let Some(claims) = stored.claims.get_mut(key) {
        claims.retain(|claim| &*claim.source != source);
        if claims.is_empty() {
            stored.claims.remove(key);
        }
    }
}

fn mark_gone(stored: &mut Snapshot, source: &str, key: &Key) {
    let version = stored.rows.get(key).map(|row| row.version);
    let claims = stored.claims.get_mut(key);
    for claim in claims
        .into_iter()
        .flatten()
        .filter(|claim| &*claim.source == source)
    {
        claim.state = ClaimState::Gone;
        claim.seen_version = version.unwrap_or(claim.seen_version);
    }
}
