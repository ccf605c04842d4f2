//! What a manifest without a status means: active, unless somebody decided otherwise. An inactive
//! row is activated only if this source deactivated it; anything else is held until somebody
//! decides.

use super::context::PlanContext;
use super::draft::{DraftPart, ResourceDraft};
use super::hold::{Hold, HoldMember, field_member, member};
use super::regained;
use super::rules::PeerSource;
use super::stored_ends;
use super::types::{StepReason, StepVerb};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Claim, ClaimState, DeclaredResource, FieldChange, Key, Row, Value};

/// The status that a manifest writes out, if any.
pub(super) fn written_status(declared: &DeclaredResource) -> Option<&str> {
    declared
        .value(kinds::get(declared.key.kind).status_index())?
        .as_text()
}

/// Whether the manifest gives no status and the row is inactive. What that means depends on the
/// other sources, of which the claim knows nothing.
pub(super) fn is_undecided(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: &Row,
) -> bool {
    let kind = kinds::get(declared.key.kind);
    let index = kind.status_index();
    // What an export leaves out stays as it is.
    !context.desired.partial
        && kind.has_status
        && declared.cell(index).is_none()
        && row.values[index].as_ref().and_then(Value::as_text) == Some("inactive")
        // It is over by its stored end, which is nobody's decision of today.
        && !stored_ends::stays_ended(context, declared, row)
}

/// Adds what a missing status asks of an inactive row: an activation, or a hold.
pub(super) fn unwritten_status(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: &Row,
    active: Option<&Claim>,
    draft: &mut ResourceDraft,
    changes: &mut Vec<FieldChange>,
) {
    if !is_undecided(context, declared, row) {
        return;
    }
    let key = &declared.key;
    let index = kinds::get(key.kind).status_index();
    let before = row.values[index].clone();
    // Another source gives a status, so the absence of one here says nothing.
    if context
        .rules
        .peers
        .iter()
        .any(|peer| decides_status(context, peer, key))
    {
        return;
    }
    let field = kinds::own_field(index);
    if let Some(run) = context.reverting_run(key, &field) {
        draft.keep_reverted(field, run);
        return;
    }
    let change = FieldChange {
        field,
        before,
        after: Some(Value::text("active")),
    };
    // This source deactivated it itself, or its date did, so it may take that back.
    let taken_back = active.is_some_and(|claim| {
        claim.fields.get("status") == Some(regained::inactive())
            || stored_ends::has_ended(row, &context.desired.as_of)
    });
    if draft.reason == StepReason::Returned || taken_back {
        changes.push(change);
        return;
    }
    draft.open_fields.insert(change.field.clone());
    if active.is_none() {
        let message = format!(
            "{key} is stored as inactive, and the manifest gives no status; write `status: inactive` or `status: active`"
        );
        // The whole adoption waits, so that an approval covers all of its values.
        let mut all = changes.clone();
        all.push(change.clone());
        all.sort_by(|a, b| a.field.cmp(&b.field));
        let held = HoldMember {
            whole: true,
            ..member(context, key, StepVerb::Adopt, all)
        };
        let hold = Hold::single(codes::ADOPT_INACTIVE, message, held);
        draft.parts.push(DraftPart {
            hold,
            full: Some(change),
        });
    } else {
        let message = deactivated_elsewhere(key);
        let hold = Hold::single(
            codes::REACTIVATION,
            message,
            field_member(context, key, change.clone()),
        );
        draft.parts.push(DraftPart {
            hold,
            full: Some(change),
        });
    }
}

/// Whether another source gives the resource a status, or did in its last pass. A status that it
/// withdraws counts until its own pass has withdrawn it.
fn decides_status(context: &PlanContext<'_>, peer: &PeerSource, key: &Key) -> bool {
    let field = kinds::own_field(kinds::get(key.kind).status_index());
    let claim = context.stored.claim(&peer.name, key);
    context.statement(peer, key, &field, "status").is_some()
        || claim.is_some_and(|claim| {
            let stands = claim.state == ClaimState::Active && !peer.absent_keys.contains(key);
            stands && claim.fields.get("status").is_some()
        })
}

/// What a hold says of a resource that is declared active and stored as inactive.
pub(super) fn deactivated_elsewhere(key: &Key) -> String {
    format!(
        "{key} was deactivated by another source or program; activating it again restores access"
    )
}
