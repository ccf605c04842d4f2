//! Drafts a declared resource that is not stored: it is created, or held because somebody removed
//! it. [`draft_unstored`] is the counterpart of the comparison with a row in `draft.rs`.

use super::context::PlanContext;
use super::draft::ResourceDraft;
use super::hold::member;
use super::planned_change;
use super::rules::AuthorityMode;
use super::status::written_status;
use super::types::{StepReason, StepVerb};
use crate::check::{PlannedChange, PlannedOutcome};
use crate::diagnostic::{Code, Diagnostic, Origin, Severity, codes};
use crate::kinds::{self, Kind};
use crate::model::{
    Cell, Claim, ClaimState, DeclaredResource, FieldChange, FieldRef, Key, Row, SecretState,
    StatedField, Value, digest,
};
use std::sync::Arc;

/// Drafts a declared resource that is not stored.
pub(super) fn draft_unstored(
    context: &PlanContext<'_>,
    declared: &Arc<DeclaredResource>,
    claim: Option<&Claim>,
) -> ResourceDraft {
    let key = &declared.key;
    let draft = ResourceDraft::new(StepReason::Declared);
    let origin = || Origin::of_resource(declared);
    // A flag row has no other values: a customer created from it would be empty.
    if context.desired.partial && is_flag(declared) {
        let message = format!("{key} does not exist: nothing to deactivate, delete or unlink");
        return draft.note(
            Diagnostic::new(codes::NOT_FOUND, message)
                .for_resource(key)
                .at(origin()),
        );
    }
    if written_status(declared) == Some("deleted") {
        let message = format!("{key} does not exist: nothing to delete");
        return draft.note(
            Diagnostic::new(codes::NO_OP, message)
                .for_resource(key)
                .at(origin()),
        );
    }
    // Before the question of authority: an id that was deleted is never reused, whoever declares
    // it.
    if context.stored.retired.contains(key) {
        return draft_retired(context, declared, claim, draft);
    }
    if !context.rules.authority.decides_existence(key.kind) {
        let message = format!("{key} does not exist, and this source may not create it");
        return draft.note(
            Diagnostic::new(codes::OBSERVED, message)
                .for_resource(key)
                .at(origin()),
        );
    }
    let outcome = create(context, declared);
    let mut draft = ResourceDraft {
        outcome: Some(outcome),
        ..draft
    };
    // An active claim means that the row existed and something else than Roster removed it, perhaps
    // to take access away.
    let claims = context.stored.claims.get(key).into_iter().flatten();
    let mut others = claims.filter(|claim| claim.state == ClaimState::Active);
    if let Some(claim) = claim.or_else(|| others.next()) {
        draft.reason = StepReason::Drift;
        let index = kinds::get(key.kind).status_index();
        // A status declared anew is a decision to have the resource back; an unchanged one is not.
        let said = declared.cell(index).map(digest::short_digest);
        if said.is_none() || claim.fields.get("status") == said {
            let message = format!(
                "{key} was removed from the database by another source or program; creating it again restores access"
            );
            return hold_create(context, key, draft, codes::REACTIVATION, message);
        }
    }
    draft
}

/// Whether a row of an export only deactivates or deletes its resource, or only unlinks addresses
/// from it.
fn is_flag(declared: &DeclaredResource) -> bool {
    let kind = kinds::get(declared.key.kind);
    let only_removes = |stated: &StatedField| match &stated.cell {
        Cell::Amend(amend) => amend.add.is_empty_list() && !amend.remove.is_empty(),
        _ => false,
    };
    let says = |stated: &StatedField| {
        let field = stated.field.own().map(|index| &kind.fields[index]);
        let required = field.is_some_and(|field| field.required);
        required && stated.cell.value().is_some() && !only_removes(stated)
    };
    let flagged = matches!(written_status(declared), Some("inactive" | "deleted"));
    (flagged || declared.cells.iter().any(only_removes)) && !declared.cells.iter().any(says)
}

fn draft_retired(
    context: &PlanContext<'_>,
    declared: &Arc<DeclaredResource>,
    claim: Option<&Claim>,
    draft: ResourceDraft,
) -> ResourceDraft {
    let key = &declared.key;
    let message = format!("{key} was deleted; a deleted id can never be used again");
    let help = "Give it a new externalId, or remove the document";
    let origin = Origin::of_resource(declared);
    // Deleted by an act while its document stayed: the person who did that already decided.
    if claim.is_some_and(|claim| claim.state == ClaimState::Active) {
        let warning = Diagnostic::new(
            codes::RETIRED_ID,
            format!("{message}. The document is ignored"),
        )
        .severity(Severity::Warning);
        return draft.note(warning.help(help).for_resource(key).at(origin));
    }
    let draft = ResourceDraft {
        outcome: Some(create(context, declared)),
        ..draft
    };
    let message = format!("{message}. {help}");
    hold_create(context, key, draft, codes::RETIRED_ID, message)
}

/// The draft, held with every value that it would create.
fn hold_create(
    context: &PlanContext<'_>,
    key: &Key,
    draft: ResourceDraft,
    code: Code,
    message: String,
) -> ResourceDraft {
    let effect = draft.outcome.clone().map(|outcome| PlannedChange {
        key: key.clone(),
        outcome,
    });
    let changes = effect
        .as_ref()
        .map(planned_change::changes)
        .unwrap_or_default();
    draft.held(
        code,
        message,
        member(context, key, StepVerb::Create, changes),
    )
}

/// A create of what is declared, with derived values, but without fields that the source only
/// observes and without passwords that are not available.
fn create(context: &PlanContext<'_>, declared: &Arc<DeclaredResource>) -> PlannedOutcome {
    let kind = kinds::get(declared.key.kind);
    let secret = context.desired.secrets.get(&declared.key);
    let skip = |field: &FieldRef| {
        let unset = kind.field(field).is_some_and(kinds::Field::is_secret)
            && secret != Some(&SecretState::Changed);
        unset || context.mode(kind, field) == AuthorityMode::Observe
    };
    let mut declared = declared.clone();
    // The declaration is shared between all stages, so it is copied only if something has to go.
    if declared.cells.iter().any(|stated| skip(&stated.field)) {
        Arc::make_mut(&mut declared)
            .cells
            .retain(|stated| !skip(&stated.field));
    }
    let mut derived = inferred(kind, &declared, None);
    if kind.applies_to_word.is_some() {
        for (id, definition) in context.definitions.of_kind(kind.id) {
            let field = FieldRef::Custom(id.clone());
            if let Some(default) = &definition.default
                && declared.stated(&field).is_none()
            {
                let after = Some(default.clone());
                derived.push(FieldChange {
                    field,
                    before: None,
                    after,
                });
            }
        }
    }
    derived.sort_by(|a, b| a.field.cmp(&b.field));
    PlannedOutcome::Create { declared, derived }
}

/// Fields that follow from a list with one member and are not stated themselves, such as the main
/// organisation.
pub(super) fn inferred(
    kind: &'static Kind,
    declared: &DeclaredResource,
    row: Option<&Row>,
) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for (index, field) in kind.fields.iter().enumerate() {
        let Some(list) = field.inferred_from.map(|list| kind.expect_index(list)) else {
            continue;
        };
        let Some(members) = declared
            .value(list)
            .filter(|_| declared.value(index).is_none())
        else {
            continue;
        };
        let mut members = members.members();
        let before = row.and_then(|row| row.values[index].clone());
        let after = match (members.next(), members.next()) {
            (Some(only), None) => Some(Value::text(only)),
            (None, _) => None,
            // With several members nobody can tell which one is meant, so the stored one stays.
            (Some(_), Some(_)) => before.clone(),
        };
        if before != after {
            changes.push(FieldChange {
                field: kinds::own_field(index),
                before,
                after,
            });
        }
    }
    changes
}
