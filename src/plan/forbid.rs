//! What a plan may not do without a decision, whatever the number: removing protected resources,
//! deleting, changing what login names are built on, and following an export in doubt. Each rule
//! looks at what is left of the plan and returns what it holds.

use super::consequence_holds;
use super::context::PlanContext;
use super::hold::{Hold, HoldMember, effect_member, field_member, member};
use super::hold_ledger::RuleOutcome;
use super::planned_change::{self, change_of};
use super::remainder::PlanRemainder;
use super::rules::DoubtfulField;
use super::types::{StepReason, StepVerb};
use crate::check::PlannedChange;
use crate::diagnostic::{Code, Diagnostic, Severity, codes, plural};
use crate::kinds;
use crate::model::{Claim, ClaimState, FieldChange, Key, KeyedList, Value};
use std::collections::BTreeSet;

/// Holds the whole plan when the export as a whole is in doubt.
pub(super) fn hold_doubted_export(context: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    let Some((code, message)) = &context.rules.doubt else {
        return RuleOutcome::default();
    };
    let effects = left.effects.iter();
    let mut members: Vec<HoldMember> = effects
        .map(|effect| effect_member(context, effect, planned_change::verb(context, effect)))
        .collect();
    // An export without effects still moves its counts of missed exports when it is accepted, so
    // there is something to decide.
    if members.is_empty() && context.rules.doubt_holds {
        members = members_if_accepted(context);
    }
    if members.is_empty() {
        return RuleOutcome::default();
    }
    let hold = Hold {
        count: Some(members.len() as u64),
        members,
        ..Hold::without_members(*code, message.clone())
    };
    RuleOutcome {
        is_whole_source: true,
        ..vec![hold].into()
    }
}

/// Adds the doubts about an export that would change nothing, so that nothing can be held.
pub(super) fn with_doubts(
    context: &PlanContext<'_>,
    effects: &KeyedList<PlannedChange>,
    mut diagnostics: Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let rules = context.rules;
    if let Some((code, message)) = &rules.doubt
        && effects.is_empty()
        && (!rules.doubt_holds || members_if_accepted(context).is_empty())
    {
        note_disbelief(&mut diagnostics, *code, message);
    }
    let fields = rules.doubtful_fields.iter();
    let idle = fields.filter(|doubtful| doubtful_members(context, effects, doubtful).is_empty());
    let warnings = idle.map(|doubtful| {
        let found = Diagnostic::new(codes::COLUMN_BLANK, doubtful.message.clone());
        found.severity(Severity::Warning)
    });
    diagnostics.extend(warnings);
    diagnostics
}

/// What accepting an export without effects decides about: what it does not name counts as missing,
/// or else what it names as seen.
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

/// Says that an export is in doubt although it would change nothing. One without any data is an
/// error, or it would look like an export that is fine.
fn note_disbelief(diagnostics: &mut Vec<Diagnostic>, code: Code, message: &str) {
    let whole = |found: &&mut Diagnostic| found.code == code && found.key.is_none();
    let no_data = code == codes::FEED_NOT_DATA;
    let mut known = diagnostics.iter_mut().filter(whole).peekable();
    if known.peek().is_some() && (no_data || code.severity() == Severity::Error) {
        known.for_each(|found| found.severity = Severity::Error);
        return;
    }
    let severity = if no_data {
        Severity::Error
    } else {
        Severity::Warning
    };
    diagnostics.push(Diagnostic::new(code, message.to_owned()).severity(severity));
}

/// Holds the changes to fields that have suddenly lost their values.
pub(super) fn hold_doubtful_fields(context: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    let fields = context.rules.doubtful_fields.iter();
    let holds = fields.map(|doubtful| Hold {
        count: Some(doubtful.count),
        total: Some(doubtful.total),
        limit: Some(doubtful.limit),
        members: doubtful_members(context, &left.effects, doubtful),
        ..Hold::without_members(codes::COLUMN_BLANK, doubtful.message.clone())
    });
    let holds: Vec<Hold> = holds.filter(|hold| !hold.members.is_empty()).collect();
    holds.into()
}

fn doubtful_members(
    context: &PlanContext<'_>,
    effects: &KeyedList<PlannedChange>,
    doubtful: &DoubtfulField,
) -> Vec<HoldMember> {
    let effects = effects.iter();
    let of_kind = effects.filter(|effect| effect.key.kind == doubtful.kind);
    let members = of_kind.filter_map(|effect| {
        let change = change_of(effect, &doubtful.field)?;
        Some(field_member(context, &effect.key, change.clone()))
    });
    members.collect()
}

/// Holds the parts that were drafted as held, unless they are approved.
pub(super) fn hold_draft_parts(_: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    RuleOutcome {
        parts: left.parts.clone(),
        ..RuleOutcome::default()
    }
}

/// Holds the removal of protected rows, and deletes that the configuration does not allow.
pub(super) fn hold_forbidden_removals(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
) -> RuleOutcome {
    let mut holds = Vec::new();
    let (mut covered, mut approved) = (BTreeSet::new(), Vec::new());
    let followers = consequence_holds::keys(left);
    for effect in &left.effects {
        let verb = planned_change::verb(context, effect);
        if !matches!(verb, StepVerb::Delete | StepVerb::Deactivate) {
            continue;
        }
        let Some(row) = context.stored.rows.get(&effect.key) else {
            continue;
        };
        let held = |code, message: String| {
            Hold::single(code, message, effect_member(context, effect, verb))
        };
        // Protection first: `--allow-delete` must not be enough to delete a protected row.
        let protect = kinds::get(effect.key.kind).protect_index();
        if row.values[protect] == Some(Value::Bool(true)) {
            holds.push(removal_hold(context, left, effect, verb));
            covered.extend(followers_of(effect));
            approved.extend(held_links(context, effect));
        } else if verb == StepVerb::Delete
            && !context.rules.allow_delete
            && !followers.contains(&effect.key)
        {
            let message = format!(
                "{} would be deleted permanently{}; deletes need `allowDelete: true` or `--allow-delete`",
                effect.key,
                consequence_holds::summary(effect.consequences())
            );
            holds.push(held(codes::DELETES_NOT_ALLOWED, message));
            covered.extend(followers_of(effect));
            approved.extend(held_links(context, effect));
        } else if verb == StepVerb::Delete {
            approved.extend(lost_links(context, effect));
        }
    }
    RuleOutcome {
        approved,
        covered,
        ..holds.into()
    }
}

/// What only goes or changes with a resource. Whoever decides about the resource decides about these.
/// A user whom the plan changes anyway is not among them: a guard must see the rest of that change.
fn followers_of(effect: &PlannedChange) -> impl Iterator<Item = Key> {
    let followers = effect.consequences().iter();
    let alone = followers.filter(|consequence| consequence.alone);
    alone.map(|consequence| consequence.key.clone())
}

/// What changes with a held account in users whom the plan changes anyway. It is held with the
/// account, so no guard counts it.
fn held_links(context: &PlanContext<'_>, effect: &PlannedChange) -> Vec<HoldMember> {
    let followers = effect.consequences().iter();
    let others = followers.filter(|consequence| !consequence.alone);
    let linked = others.filter_map(|it| Some((&it.key, it.changes.as_ref()?)));
    linked
        .map(|(key, changes)| member(context, key, StepVerb::Update, changes.clone()))
        .collect()
}

/// The links that go with an account. Whoever allows the delete allows this, so it counts against no
/// budget; users who become inactive do.
fn lost_links(context: &PlanContext<'_>, effect: &PlannedChange) -> Vec<HoldMember> {
    let followers = effect.consequences().iter();
    let linked = followers.filter_map(|it| Some((&it.key, it.changes.as_ref()?)));
    let links = linked.map(|(key, changes)| {
        let status = kinds::own_field(kinds::get(key.kind).status_index());
        let mut links = changes.clone();
        links.retain(|change| change.field != status);
        member(context, key, StepVerb::Update, links)
    });
    links.collect()
}

/// Holds only the removal itself. The other changes go on, so that a manifest that writes `protect:
/// false` and removes the resource succeeds in the next pass.
fn removal_hold(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    effect: &PlannedChange,
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
    let message = match (released, left.reason(key)) {
        (true, _) => released_message(key),
        (false, StepReason::Removed) => {
            format!("{key} is protected; apply `protect: false` first, then remove it")
        }
        (false, StepReason::Requested) => {
            format!("{key} is protected, so it stays active; apply `protect: false` first")
        }
        (false, _) => format!("{key} is protected; write `protect: false` too"),
    };
    Hold::single(codes::PROTECTED, message, member)
}

/// Says why a removal waits although its manifest releases the resource.
pub(super) fn released_message(key: &Key) -> String {
    format!("{key} is protected; this plan applies `protect: false`, and the next one removes it")
}

/// Holds new customer numbers of accounts with logins. Login names contain the number, so every
/// user of the account would have to log in with another name.
pub(super) fn hold_login_changes(context: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    let number = kinds::own_field(kinds::get(kinds::ACCOUNT).expect_index("customerNumber"));
    let effects = left.effects.iter();
    let accounts = effects.filter(|effect| effect.key.kind == kinds::ACCOUNT);
    let mut holds = Vec::new();
    for effect in accounts {
        let Some(change) = change_of(effect, &number) else {
            continue;
        };
        let old = change.before.as_ref().and_then(Value::as_text);
        let logins = old.map_or(0, |old| context.stored.logins_of(old));
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
    holds.into()
}
