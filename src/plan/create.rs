//! A declared resource that is not stored: created, or kept back because somebody removed it.

use super::draft::{Context, Draft, member, written_status};
use super::order;
use super::rules::Mode;
use super::types::{Reason, Verb};
use crate::check::{Effect, Outcome};
use crate::diagnostic::{Code, Diagnostic, Origin, Severity, codes};
use crate::kinds::{self, Kind};
use crate::model::{
    Change, Claim, ClaimState, Declared, FieldRef, Key, Row, SecretState, Stated, Value, digest,
};
use std::sync::Arc;

/// What becomes of a declared resource that is not stored.
pub(super) fn absent(
    context: &Context<'_>,
    declared: &Arc<Declared>,
    claim: Option<&Claim>,
) -> Draft {
    let key = &declared.key;
    let draft = Draft::new(Reason::Declared);
    let origin = || Origin::of(declared);
    if context.desired.partial && is_flag(declared) {
        let message = format!("{key} is not stored: there is nothing to deactivate or delete");
        return draft.note(
            Diagnostic::new(codes::NOT_FOUND, message)
                .of(key)
                .at(origin()),
        );
    }
    if written_status(declared) == Some("deleted") {
        let message = format!("{key} is not stored: there is nothing to delete");
        return draft.note(Diagnostic::new(codes::NO_OP, message).of(key).at(origin()));
    }
    if context.stored.retired.contains(key) {
        return retired(context, declared, claim, draft);
    }
    if !context.rules.authority.existence(key.kind) {
        let message =
            format!("{key} is not stored, and this source does not decide that it exists");
        return draft.note(
            Diagnostic::new(codes::OBSERVED, message)
                .of(key)
                .at(origin()),
        );
    }
    let outcome = create(context, declared);
    let mut draft = Draft {
        outcome: Some(outcome),
        ..draft
    };
    // Whoever declared it had it stored.
    let claims = context.stored.claims.get(key).into_iter().flatten();
    let mut others = claims.filter(|claim| claim.state == ClaimState::Active);
    if let Some(claim) = claim.or_else(|| others.next()) {
        draft.reason = Reason::Drift;
        let index = kinds::get(key.kind).status_index();
        let said = declared.cell(index).map(digest::short);
        if said.is_none() || claim.fields.get("status") == said {
            let message = format!(
                "{key} was removed from the database by somebody else; creating it again gives access back"
            );
            return held(context, key, draft, codes::REACTIVATION, message);
        }
    }
    draft
}

/// Whether a row of an export only takes a resource out of use.
fn is_flag(declared: &Declared) -> bool {
    let kind = kinds::get(declared.key.kind);
    let says = |stated: &Stated| {
        let field = stated.field.own().map(|index| &kind.fields[index]);
        field.is_some_and(|field| field.required) && stated.cell.value().is_some()
    };
    matches!(written_status(declared), Some("inactive" | "deleted"))
        && !declared.cells.iter().any(says)
}

fn retired(
    context: &Context<'_>,
    declared: &Arc<Declared>,
    claim: Option<&Claim>,
    draft: Draft,
) -> Draft {
    let key = &declared.key;
    let message = format!("{key} was deleted, and a deleted id is never used again");
    let help = "give it a new externalId, or take the document out";
    let origin = Origin::of(declared);
    if claim.is_some_and(|claim| claim.state == ClaimState::Active) {
        let warning = Diagnostic::new(
            codes::RETIRED_ID,
            format!("{message}: the document is ignored"),
        )
        .severity(Severity::Warning);
        return draft.note(warning.help(help).of(key).at(origin));
    }
    let draft = Draft {
        outcome: Some(create(context, declared)),
        ..draft
    };
    let message = format!("{message}; {help}");
    held(context, key, draft, codes::RETIRED_ID, message)
}

/// The same draft, held with every value that it would create.
fn held(context: &Context<'_>, key: &Key, draft: Draft, code: Code, message: String) -> Draft {
    let effect = draft.outcome.clone().map(|outcome| Effect {
        key: key.clone(),
        outcome,
    });
    let changes = effect.as_ref().map(order::changes).unwrap_or_default();
    draft.held(code, message, member(context, key, Verb::Create, changes))
}

/// A create: what is declared, without what the source may only observe and passwords that are
/// not at hand, and what follows from it.
fn create(context: &Context<'_>, declared: &Arc<Declared>) -> Outcome {
    let kind = kinds::get(declared.key.kind);
    let secret = context.desired.secrets.get(&declared.key);
    let skip = |field: &FieldRef| {
        let unset = kind.field(field).is_some_and(kinds::Field::secret)
            && secret != Some(&SecretState::Changed);
        unset || context.mode(kind, field) == Mode::Observe
    };
    let mut declared = declared.clone();
    if declared.cells.iter().any(|stated| skip(&stated.field)) {
        Arc::make_mut(&mut declared)
            .cells
            .retain(|stated| !skip(&stated.field));
    }
    let mut derived = inferred(kind, &declared, None);
    if kind.custom.is_some() {
        for (id, definition) in context.definitions.of(kind.id) {
            let field = FieldRef::Custom(id.clone());
            if let Some(default) = &definition.default
                && declared.stated(&field).is_none()
            {
                let after = Some(default.clone());
                derived.push(Change {
                    field,
                    before: None,
                    after,
                });
            }
        }
    }
    derived.sort_by(|a, b| a.field.cmp(&b.field));
    Outcome::Create { declared, derived }
}

/// What follows from a list of one: fields that the table infers and the source does not state.
pub(super) fn inferred(kind: &'static Kind, declared: &Declared, row: Option<&Row>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (index, field) in kind.fields.iter().enumerate() {
        let Some(list) = field.only_of.map(|list| kind.at(list)) else {
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
            (Some(_), Some(_)) => before.clone(),
        };
        if before != after {
            changes.push(Change {
                field: kinds::own(index),
                before,
                after,
            });
        }
    }
    changes
}
