//! What a plan may not do without a decision, whatever its number: removing what is protected,
//! deleting, changing what login names are built on.

use super::context::PlanContext;
use super::draft::{field_member, member};
use super::hold::{Hold, HoldMember};
use super::order;
use super::planner::PlanInProgress;
use super::types::{StepReason, StepVerb};
use crate::check::{EffectOutcome, ResourceEffect};
use crate::diagnostic::{Code, Diagnostic, Severity, codes, plural};
use crate::kinds;
use crate::model::{Claim, ClaimState, FieldChange, Key, Value};

/// All of a plan, when something is wrong with the whole of what the source sent.
pub(super) fn hold_doubted_export(context: &PlanContext<'_>, work: &mut PlanInProgress) {
    let Some((code, message)) = &context.rules.doubt else {
        return;
    };
    let mut members: Vec<HoldMember> = work
        .effects
        .iter()
        .map(|effect| effect_member(context, effect, order::verb(context, effect)))
        .collect();
    if members.is_empty() && context.rules.doubt_holds {
        members = members_if_accepted(context);
    }
    if members.is_empty() {
        return nothing_believed(work, *code, message);
    }
    let hold = Hold {
        count: Some(members.len() as u64),
        members,
        ..Hold::without_members(*code, message.clone())
    };
    let held = work.held.len();
    work.hold(context, hold);
    if work.held.len() > held {
        // Nothing of it is accepted, so no claim moves.
        work.claim_updates.clear();
        work.released.clear();
        work.refreshed.clear();
    }
}

/// What an export that would write nothing stands for once it is accepted: what it does not name
/// counts as missing, or what it names as seen.
fn members_if_accepted(context: &PlanContext<'_>) -> Vec<HoldMember> {
    let desired = context.desired;
    let mine = |claims: &[Claim]| {
        let mut mine = claims.iter();
        mine.any(|claim| claim.source == desired.source && claim.state == ClaimState::Active)
    };
    let claimed = context.stored.claims.iter();
    let claimed = claimed
        .filter(|(_, claims)| mine(claims))
        .map(|(key, _)| key);
    let named =
        |key: &&Key| desired.resources.contains(key) || desired.shielded_keys.contains(*key);
    let mut keys: Vec<&Key> = claimed.filter(|key| !named(key)).collect();
    if keys.is_empty() {
        keys.extend(desired.resources.iter().map(|declared| &declared.key));
    }
    keys.sort();
    keys.into_iter()
        .map(|key| HoldMember {
            whole: true,
            ..member(context, key, StepVerb::Update, Vec::new())
        })
        .collect()
}

/// Says that nothing is believed of what would change nothing. What holds no data at all is an error: it
/// would be the same as an export that was read and is fine.
fn nothing_believed(work: &mut PlanInProgress, code: Code, message: &str) {
    let whole = |found: &&mut Diagnostic| found.code == code && found.key.is_none();
    let no_data = code == codes::FEED_NOT_DATA;
    let mut known = work.diagnostics.iter_mut().filter(whole).peekable();
    if known.peek().is_some() && (no_data || code.severity() == Severity::Error) {
        known.for_each(|found| found.severity = Severity::Error);
        return;
    }
    let severity = if no_data {
        Severity::Error
    } else {
        Severity::Warning
    };
    let found = Diagnostic::new(code, message.to_owned()).severity(severity);
    work.diagnostics.push(found);
}

/// What fields would change that an export has suddenly lost.
pub(super) fn hold_doubtful_fields(context: &PlanContext<'_>, work: &mut PlanInProgress) {
    for doubtful in &context.rules.doubtful_fields {
        let of = |effect: &ResourceEffect| match &effect.outcome {
            EffectOutcome::Change(changes) if effect.key.kind == doubtful.kind => {
                let mut changes = changes.iter();
                changes
                    .find(|change| change.field == doubtful.field)
                    .cloned()
            }
            _ => None,
        };
        let held = |(effect, change): (&ResourceEffect, FieldChange)| {
            field_member(context, &effect.key, change)
        };
        let effects = work.effects.iter();
        let members: Vec<HoldMember> = effects
            .filter_map(|effect| Some((effect, of(effect)?)))
            .map(held)
            .collect();
        if members.is_empty() {
            let found = Diagnostic::new(codes::COLUMN_BLANK, doubtful.message.clone());
            work.diagnostics.push(found.severity(Severity::Warning));
            continue;
        }
        for member in &members {
            let fields = work.doubtful_fields.entry(member.key.clone()).or_default();
            fields.insert(doubtful.field.clone());
        }
        let hold = Hold {
            count: Some(doubtful.count),
            total: Some(doubtful.total),
            limit: Some(doubtful.limit),
            members,
            ..Hold::without_members(codes::COLUMN_BLANK, doubtful.message.clone())
        };
        work.hold(context, hold);
    }
}

/// Rows that refuse removal, and deletes that the configuration does not allow.
pub(super) fn hold_forbidden_removals(context: &PlanContext<'_>, work: &mut PlanInProgress) {
    let mut holds = Vec::new();
    for effect in &work.effects {
        let verb = order::verb(context, effect);
        if !matches!(verb, StepVerb::Delete | StepVerb::Deactivate) {
            continue;
        }
        let Some(row) = context.stored.rows.get(&effect.key) else {
            continue;
        };
        let held = |code, message: String| {
            Hold::single(code, message, effect_member(context, effect, verb))
        };
        let protect = kinds::get(effect.key.kind).protect_index();
        if row.values[protect] == Some(Value::Bool(true)) {
            holds.push(removal_hold(context, work, effect, verb));
        } else if verb == StepVerb::Delete && !context.rules.allow_delete {
            let message = format!(
                "{} would be deleted permanently; deletes need `allowDelete: true` or `--allow-delete`",
                effect.key
            );
            holds.push(held(codes::DELETES_NOT_ALLOWED, message));
        }
    }
    holds.into_iter().for_each(|hold| work.hold(context, hold));
}

/// Only what removes is held: the rest of a declared resource goes on, so that a manifest that
/// releases it and removes it gets its way in the next pass.
fn removal_hold(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    effect: &ResourceEffect,
    verb: StepVerb,
) -> Hold {
    let kind = kinds::get(effect.key.kind);
    let of = |index| move |change: &FieldChange| change.field.own() == Some(index);
    let mut member = effect_member(context, effect, verb);
    let released = member.changes.iter().any(of(kind.protect_index()));
    let (status, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut member.changes)
        .into_iter()
        .partition(of(kind.status_index()));
    member.whole = rest.is_empty();
    member.changes = status;
    let key = &effect.key;
    let message = match (released, work.reason(key)) {
        (true, _) => released_message(key),
        (false, StepReason::Removed) => {
            format!("{key} is protected; apply `protect: false` first, then remove it")
        }
        (false, _) => format!("{key} is protected; write `protect: false` too"),
    };
    Hold::single(codes::PROTECTED, message, member)
}

/// Why a removal waits though its manifest releases the resource.
pub(super) fn released_message(key: &Key) -> String {
    format!("{key} is protected; this plan applies `protect: false`, and the next one removes it")
}

/// An effect as a member of a hold, all of it.
pub(super) fn effect_member(
    context: &PlanContext<'_>,
    effect: &ResourceEffect,
    verb: StepVerb,
) -> HoldMember {
    HoldMember {
        whole: true,
        ..member(context, &effect.key, verb, order::changes(effect))
    }
}

/// Numbers that login names are built on and that have logins: new names mean that everybody of
/// the account logs in otherwise.
pub(super) fn login_changes(context: &PlanContext<'_>, work: &mut PlanInProgress) {
    let number = kinds::own_field(kinds::get(kinds::ACCOUNT).expect_index("customerNumber"));
    let mut holds = Vec::new();
    for effect in work
        .effects
        .iter()
        .filter(|effect| effect.key.kind == kinds::ACCOUNT)
    {
        let EffectOutcome::Change(changes) = &effect.outcome else {
            continue;
        };
        let Some(change) = changes.iter().find(|change| change.field == number) else {
            continue;
        };
        let logins = change
            .before
            .as_ref()
            .and_then(Value::as_text)
            .map_or(0, |old| context.stored.logins_of(old));
        if logins > 0 {
            let held = field_member(context, &effect.key, change.clone());
            let message = format!(
                "{}: the customer number changes; {} would get new names",
                effect.key,
                plural(logins, "login")
            );
            holds.push(Hold::single(codes::LOGIN_CHANGE, message, held));
        }
    }
    holds.into_iter().for_each(|hold| work.hold(context, hold));
}
