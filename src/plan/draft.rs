//! Drafts what would happen to one declared resource, before any rule or guard.
//!
//! [`draft`] compares it with its row field by field (`compare.rs`), or makes a create of it
//! (`create.rs`). The result is a [`ResourceDraft`]: the change with its reason, the parts that
//! wait for a decision, and what the claim says afterwards.

use super::compare::{self, FieldVerdict};
use super::context::PlanContext;
use super::hold::{Hold, HoldMember, field_member, member};
use super::rules::AuthorityMode;
use super::types::{StepReason, StepVerb};
use super::waiting_fields::WaitingField;
use super::{
    create, dated_changes, dropped_members, forbid, retired_references, status, step_claim,
    stored_ends,
};
use crate::check::PlannedOutcome;
use crate::diagnostic::{Code, Diagnostic, Origin, codes};
use crate::kinds::{self, Kind};
use crate::model::{
    Claim, ClaimState, CompactText, DeclaredResource, FieldChange, FieldRef, Key, Row, SecretState,
    Value,
};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct ResourceDraft {
    pub reason: StepReason,
    /// `None` when nothing changes and nothing new is claimed.
    pub outcome: Option<PlannedOutcome>,
    /// Whether the claim has to be written although nothing changes.
    pub refresh_claim: bool,
    /// Fields whose claim stays as it is, because they were held or only reported.
    pub open_fields: BTreeSet<FieldRef>,
    /// What the claim records of open fields nevertheless: the members of a list or, as an empty
    /// text, the value. The row has it, or had it until it was taken away outside Roster.
    pub recorded: Vec<(FieldRef, CompactText)>,
    /// The held parts, with what approving each would add.
    pub parts: Vec<DraftPart>,
    pub notes: Vec<Diagnostic>,
    /// Fields left to another source that writes nothing now.
    pub waiting: Vec<WaitingField>,
    /// Fields that a revert has set back, each with the run.
    pub reverted: Vec<(FieldRef, i64)>,
}

/// A held part of a draft; when it is approved, `full` replaces the change of its field.
#[derive(Clone, Debug)]
pub(super) struct DraftPart {
    pub hold: Hold,
    /// The change to make on approval; `None` when the whole draft is held.
    pub full: Option<FieldChange>,
}

impl ResourceDraft {
    pub fn new(reason: StepReason) -> Self {
        Self {
            reason,
            outcome: None,
            refresh_claim: false,
            open_fields: BTreeSet::new(),
            recorded: Vec::new(),
            parts: Vec::new(),
            notes: Vec::new(),
            waiting: Vec::new(),
            reverted: Vec::new(),
        }
    }

    /// Leaves a field as a run has set it back.
    pub fn keep_reverted(&mut self, field: FieldRef, run: i64) {
        self.open_fields.insert(field.clone());
        self.reverted.push((field, run));
    }

    pub fn note(mut self, note: Diagnostic) -> Self {
        self.notes.push(note);
        self
    }

    /// Notes that a source which writes nothing now takes precedence at a field.
    fn note_waiting(&mut self, key: &Key, peer: Option<Arc<str>>, field: &FieldRef, written: bool) {
        let field = kinds::get(key.kind).field_name(field);
        self.waiting.extend(peer.map(|peer| WaitingField {
            peer,
            field,
            written,
        }));
    }

    /// The draft, held as a whole.
    pub fn held(mut self, code: Code, message: String, member: HoldMember) -> Self {
        let hold = Hold::single(
            code,
            message,
            HoldMember {
                whole: true,
                ..member
            },
        );
        self.parts.push(DraftPart { hold, full: None });
        self
    }
}

/// Drafts what would happen to a declared resource; `None` when nothing does and the claim is
/// current.
pub(super) fn draft(
    context: &PlanContext<'_>,
    declared: &Arc<DeclaredResource>,
) -> Option<ResourceDraft> {
    let key = &declared.key;
    let claim = context.stored.claim(&context.desired.source, key);
    let Some(row) = context.stored.rows.get(key) else {
        let mut draft = create::draft_unstored(context, declared, claim);
        retired_references::hold_retired(context, declared, None, &mut draft);
        return Some(draft);
    };
    let secret = context.desired.secrets.get(key) == Some(&SecretState::Changed);
    // The cheap test that makes a pass over 100,000 equal resources fast: same declaration and same
    // row version as last time.
    let current = claim.is_some_and(|claim| {
        claim.state == ClaimState::Active
            && claim.seen_version == row.version
            && claim.digest == step_claim::digest_of(context, declared)
    });
    let known = current && !secret && !context.rules.scrub;
    if known && !status::is_undecided(context, declared, row) {
        return None;
    }
    let mut draft = draft_stored(context, declared, row, claim);
    retired_references::hold_retired(context, declared, Some(row), &mut draft);
    // The claim already says what the comparison found.
    let nothing = draft.refresh_claim && draft.parts.is_empty() && draft.notes.is_empty();
    (!(known && nothing)).then_some(draft)
}

fn draft_stored(
    context: &PlanContext<'_>,
    declared: &Arc<DeclaredResource>,
    row: &Row,
    claim: Option<&Claim>,
) -> ResourceDraft {
    let key = &declared.key;
    let kind = kinds::get(key.kind);
    if status::written_status(declared) == Some("deleted") {
        return deletion(context, declared, row, claim);
    }
    // A claim that is marked gone has nothing to say about drift: the resource was removed since.
    let active = claim.filter(|claim| claim.state == ClaimState::Active);
    let returned = active.is_none() && was_removed(context, key);
    let mut draft = ResourceDraft::new(match (active, returned) {
        (_, true) => StepReason::Returned,
        (None, false) => StepReason::Adopted,
        (Some(_), false) => StepReason::Declared,
    });
    let mut changes = Vec::new();
    let (mut declared_anew, mut drifted) = (false, false);
    let lapsed = dated_changes::lapsed_fields(context, declared, active);
    for stated in declared.cells.iter().chain(&lapsed) {
        if kind
            // Passwords are compared by keyed digest, in `password` below.
            .field(&stated.field)
            .is_some_and(kinds::Field::is_secret)
        {
            continue;
        }
        let absent = dropped_members::unlinked_in_vain(declared, stated, row);
        draft.notes.extend(absent);
        let verdict = match stored_ends::reverting_run(context, kind, declared, stated, row) {
            Some(run) => FieldVerdict::Reverted(stated.field.clone(), run),
            None => compare::compare(context, kind, key, stated, row, active),
        };
        declared_anew |= matches!(verdict, FieldVerdict::Set { drift: false, .. });
        drifted |= matches!(
            verdict,
            FieldVerdict::Set { drift: true, .. } | FieldVerdict::Regain { .. }
        );
        add_verdict(context, declared, verdict, &mut draft, &mut changes);
    }
    // A cell that could not be read was stated nevertheless: its claim stands, so it is not
    // released.
    draft
        .open_fields
        .extend(context.desired.faulty_of(key).cloned());
    for change in create::inferred(kind, declared, Some(row)) {
        match context.reverting_run_of_inferred(kind, key, &change.field) {
            Some(run) => draft.keep_reverted(change.field, run),
            None => changes.push(change),
        }
    }
    changes.extend(password(context, kind, declared, row));
    status::unwritten_status(context, declared, row, active, &mut draft, &mut changes);
    // A blank cell of an export says nothing, so it releases nothing.
    if !context.desired.partial {
        note_released_fields(context, declared, row, active, &mut draft);
    }
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    // One field declared anew makes the whole step the source's own doing; it is drift only if all
    // of it is.
    if draft.reason == StepReason::Declared && drifted && !declared_anew {
        draft.reason = StepReason::Drift;
    }
    let adopts = claim.is_none();
    draft.refresh_claim = changes.is_empty() && !adopts;
    if adopts || !changes.is_empty() || draft.parts.iter().any(|part| part.full.is_some()) {
        draft.outcome = Some(PlannedOutcome::Change(changes));
    }
    // Last, because it holds all the changes collected above.
    hold_rejected_account(context, key, row, &mut draft);
    draft
}

/// A delete. If the row is protected and the manifest also writes `protect: false`, only that is
/// written now and the delete waits for the next pass.
fn deletion(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: &Row,
    claim: Option<&Claim>,
) -> ResourceDraft {
    let mut draft = ResourceDraft::new(match claim {
        Some(_) => StepReason::Declared,
        None => StepReason::Adopted,
    });
    draft.outcome = Some(PlannedOutcome::Delete(Box::default()));
    let kind = kinds::get(row.key.kind);
    let protect = kinds::own_field(kind.protect_index());
    let (on, off) = (Some(Value::Bool(true)), Some(Value::Bool(false)));
    let releases = declared.value(kind.protect_index()) == off.as_ref()
        && context.mode(kind, &protect) == AuthorityMode::Enforce;
    if !releases || row.values[kind.protect_index()] != on {
        return draft;
    }
    // Only `protect` is written now, so the claim must not take the other fields for applied.
    let others = declared.cells.iter().map(|stated| &stated.field);
    draft.open_fields = others.filter(|field| **field != protect).cloned().collect();
    let message = forbid::released_message(&row.key);
    let held = member(context, &row.key, StepVerb::Delete, Vec::new());
    draft.parts.push(DraftPart {
        hold: Hold::single(codes::PROTECTED, message, held),
        full: None,
    });
    draft.outcome = Some(PlannedOutcome::Change(vec![FieldChange {
        field: protect,
        before: on,
        after: off,
    }]));
    draft
}

/// Whether some source declared the resource before it was removed.
fn was_removed(context: &PlanContext<'_>, key: &Key) -> bool {
    let claims = context.stored.claims.get(key);
    claims.is_some_and(|claims| claims.iter().any(|claim| claim.state == ClaimState::Gone))
}

/// What a hold says of a value that gave access and was taken away since this source declared it.
fn taken_elsewhere(key: &Key, field: &FieldRef) -> String {
    let kind = kinds::get(key.kind);
    if *field == kinds::own_field(kind.status_index()) {
        return status::deactivated_elsewhere(key);
    }
    format!(
        "{key}: {} was taken away by another source or program; writing it again restores access",
        kind.field_name(field)
    )
}

/// Adds the verdict on one field to the draft.
fn add_verdict(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    verdict: FieldVerdict,
    draft: &mut ResourceDraft,
    changes: &mut Vec<FieldChange>,
) {
    let key = &declared.key;
    let name = |change: &FieldChange| kinds::get(key.kind).field_name(&change.field);
    let told = |code, change: &FieldChange, message: String| {
        Diagnostic::new(code, message)
            .for_resource(key)
            .field(name(change))
            .at(Origin::of_field(declared, &change.field))
    };
    let part = |code, change: &FieldChange, message: String| DraftPart {
        hold: Hold::single(code, message, field_member(context, key, change.clone())),
        full: Some(change.clone()),
    };
    match verdict {
        FieldVerdict::Keep => {}
        FieldVerdict::Reverted(field, run) => draft.keep_reverted(field, run),
        FieldVerdict::Yield(field, idle) => {
            draft.note_waiting(key, idle, &field, false);
            draft.open_fields.insert(field);
        }
        FieldVerdict::Set { change, .. } => {
            let first = compare::preceding_idle_peer(context, kinds::get(key.kind), key, &change);
            draft.note_waiting(key, first, &change.field, true);
            changes.push(change);
        }
        FieldVerdict::Observed(change) => {
            let message = format!(
                "{key}: {} differs from the stored value; this source only observes it",
                name(&change)
            );
            draft.notes.push(told(codes::OBSERVED, &change, message));
            draft.open_fields.insert(change.field);
        }
        FieldVerdict::Reported(change) => {
            let message = format!(
                "{key}: {} was changed outside Roster; this source only reports drift",
                name(&change)
            );
            draft.notes.push(told(codes::DRIFT, &change, message));
            draft.open_fields.insert(change.field);
        }
        FieldVerdict::Conflict(change, others) => {
            let message = format!(
                "{key}: {} is enforced with a different value by {}; name both sources in `order:` of the configuration, or set one of them to `seed` or `observe`",
                name(&change),
                others.join(", "),
            );
            draft.open_fields.insert(change.field.clone());
            draft.parts.push(part(codes::CONFLICT, &change, message));
        }
        FieldVerdict::Regain {
            whole,
            rest,
            recorded,
        } => {
            let message = taken_elsewhere(key, &whole.field);
            draft.open_fields.insert(whole.field.clone());
            let field = || whole.field.clone();
            let recorded = recorded.into_iter().map(|member| (field(), member));
            draft.recorded.extend(recorded);
            let mut part = part(codes::REACTIVATION, &whole, message);
            if let Some(rest) = &rest {
                // The part written at once is not in the hold, so its id is the same in the next
                // pass, which finds that part done.
                part.hold.members[0].changes[0]
                    .before
                    .clone_from(&rest.after);
            }
            draft.parts.push(part);
            changes.extend(rest);
        }
    }
}

/// A new password, when its content differs from the one last applied.
fn password(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    declared: &DeclaredResource,
    row: &Row,
) -> Option<FieldChange> {
    let changed = context.desired.secrets.get(&declared.key) == Some(&SecretState::Changed);
    let stated = declared.cells.iter().find(|stated| {
        changed
            && kind
                .field(&stated.field)
                .is_some_and(kinds::Field::is_secret)
    })?;
    Some(FieldChange {
        field: stated.field.clone(),
        before: row.value(&stated.field).cloned(),
        after: stated.cell.value().cloned(),
    })
}

/// Notes the fields that the source no longer declares and that keep their value, all in one note.
fn note_released_fields(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: &Row,
    active: Option<&Claim>,
    draft: &mut ResourceDraft,
) {
    let kind = kinds::get(declared.key.kind);
    let (mut names, mut clearable) = (Vec::new(), Vec::new());
    for name in active.iter().flat_map(|claim| claim.fields.fields()) {
        let Some(field) = kind.field_ref(name) else {
            continue;
        };
        let kept = row
            .value(&field)
            .is_some_and(|value| !value.is_empty_list());
        let lapses = kind.field(&field).is_some_and(|field| field.lapses);
        let implied = field.own() == Some(kind.status_index()) || lapses;
        // A faulty value already has its own diagnostic.
        let of_field = (declared.key.clone(), field.clone());
        let faulty = context.desired.faulty_fields.contains(&of_field);
        if !kept || implied || faulty || declared.stated(&field).is_some() {
            continue;
        }
        // Required fields and passwords cannot be cleared, so the help does not offer it.
        let fixed = kind
            .field(&field)
            .is_some_and(|field| field.required || field.is_secret());
        names.push(name);
        clearable.extend((!fixed).then_some(name));
    }
    let keep = match names.as_slice() {
        [] => return,
        [_] => "is no longer declared and keeps its value",
        _ => "are no longer declared and keep their values",
    };
    let message = format!("{}: {} {keep}", declared.key, names.join(", "));
    let mut note = Diagnostic::new(codes::FIELD_RELEASED, message)
        .for_resource(&declared.key)
        .at(Origin::of_resource(declared));
    if let [name] = names.as_slice() {
        note = note.field(*name);
    }
    if !clearable.is_empty() {
        let them = if clearable.len() == 1 { "it" } else { "them" };
        note = note.help(format!(
            "Write `clear: [{}]` to remove {them}",
            clearable.join(", ")
        ));
    }
    draft.notes.push(note);
}

/// Holds everything of a rejected account that is still declared, until a person decides.
fn hold_rejected_account(
    context: &PlanContext<'_>,
    key: &Key,
    row: &Row,
    draft: &mut ResourceDraft,
) {
    if row
        .facts
        .get("approval")
        .is_none_or(|approval| approval != "rejected")
    {
        return;
    }
    let changes = match &draft.outcome {
        Some(PlannedOutcome::Change(changes)) => changes.clone(),
        _ => Vec::new(),
    };
    let message = format!(
        "{key} was rejected but is still declared; remove it from the source, or approve it: \
         `roster approve account`"
    );
    let held = member(context, key, StepVerb::Update, changes);
    let hold = Hold::single(
        codes::ACCOUNT_REJECTED,
        message,
        HoldMember {
            whole: true,
            ..held
        },
    );
    // The claim stays as it was, so that the change is found again once the account is accepted.
    draft.refresh_claim = false;
    draft.parts.push(DraftPart { hold, full: None });
}
