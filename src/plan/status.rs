//! What a manifest without a status means: active, unless somebody decided otherwise.

use super::draft::{Context, Draft, Part, member};
use super::hold::{Hold, Member};
use super::types::{Reason, Verb};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Change, Claim, Declared, Row, Value};

/// A manifest without a status means active: what that asks of an inactive row.
pub(super) fn unwritten_status(
    context: &Context<'_>,
    declared: &Declared,
    row: &Row,
    active: Option<&Claim>,
    draft: &mut Draft,
    changes: &mut Vec<Change>,
) {
    // What an export does not say, it keeps.
    if context.desired.partial {
        return;
    }
    let key = &declared.key;
    let kind = kinds::get(key.kind);
    let index = kind.status_index();
    let before = row.values[index].clone();
    let inactive = before.as_ref().and_then(Value::as_text) == Some("inactive");
    if !kind.status || !inactive || declared.cell(index).is_some() {
        return;
    }
    // Another source that writes a status decides.
    let field = kinds::own(index);
    let says = |peer| context.statement(peer, key, &field, "status").is_some();
    if context.rules.peers.iter().any(says) {
        return;
    }
    let change = Change {
        field: kinds::own(index),
        before,
        after: Some(Value::text("active")),
    };
    let taken_back = active.is_some_and(|claim| claim.fields.get("status").is_some());
    if draft.reason == Reason::Returned || taken_back {
        changes.push(change);
        return;
    }
    let held = |verb| member(context, key, verb, Some(row.version), vec![change.clone()]);
    draft.open.insert(change.field.clone());
    if active.is_none() {
        let message = format!(
            "{key} is stored inactive, and the manifest writes no status; write `status: inactive` to keep it so, or `status: active`"
        );
        let hold = Hold::of(
            codes::ADOPT_INACTIVE,
            message,
            Member {
                whole: true,
                ..held(Verb::Adopt)
            },
        );
        draft.parts.push(Part {
            hold,
            full: Some(change),
        });
    } else {
        let message =
            format!("{key} was deactivated by somebody else; activating it gives access back");
        let hold = Hold::of(codes::REACTIVATION, message, held(Verb::Reactivate));
        draft.parts.push(Part {
            hold,
            full: Some(change),
        });
    }
}
