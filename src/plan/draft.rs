//! One declared resource against its row: what would happen to it, before any guard.

use super::compare::{self, Verdict};
use super::hold::{Hold, Member};
use super::rules::{Mode, Rules};
use super::types::{Reason, Verb};
use crate::check::{Definitions, Outcome};
use crate::diagnostic::{Code, Diagnostic, Origin, codes};
use crate::kinds::{self, Kind};
use crate::model::{
    Change, Claim, ClaimState, Declared, Desired, Digest, FieldRef, Key, Row, SecretState,
    Snapshot, Value,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a draft is made from.
pub(super) struct Context<'a> {
    pub desired: &'a Desired,
    pub stored: &'a Snapshot,
    pub rules: &'a Rules,
    pub definitions: &'a Definitions,
}

/// What would happen to one declared resource.
#[derive(Debug)]
pub(super) struct Draft {
    pub reason: Reason,
    /// `None`: nothing changes and nothing new is claimed.
    pub outcome: Option<Outcome>,
    /// Whether the claim has to be written though nothing changes.
    pub refresh: bool,
    /// Fields that keep what the claim said of them: they were held or only reported.
    pub open: BTreeSet<FieldRef>,
    /// What of it is held, with what approval of it would add: see [`Part`].
    pub parts: Vec<Part>,
    pub notes: Vec<Diagnostic>,
}

/// A part of a draft that is held unless approved: then `full` takes the place of the field.
#[derive(Debug)]
pub(super) struct Part {
    pub hold: Hold,
    /// The change to make when it is approved; `None` when the whole draft is held.
    pub full: Option<Change>,
}

impl Context<'_> {
    /// Who decides a field: the source's own authority, and `shop` fields are seeds at most.
    pub fn mode(&self, kind: &Kind, field: &FieldRef) -> Mode {
        match self.rules.authority.mode(kind, field) {
            Mode::Enforce => self.rules.shop.mode(kind, field),
            mode => mode,
        }
    }

    /// Whether this source comes before the other in the declared order, if both are in it.
    pub fn first(&self, other: &str) -> Option<bool> {
        let place = |name: &str| self.rules.order.iter().position(|named| &**named == name);
        Some(place(&self.desired.source)? < place(other)?)
    }

    /// Where a resource is declared, or, by this source's claim, was.
    pub fn origin(&self, key: &Key) -> Option<Origin> {
        if let Some(declared) = self.desired.resources.get(key) {
            return Some(Origin {
                path: declared.path.clone(),
                at: declared.at,
            });
        }
        let claim = self.stored.claim(&self.desired.source, key)?;
        Some(Origin {
            path: claim.path.clone(),
            at: claim.at,
        })
    }

    fn field_origin(&self, declared: &Declared, field: &FieldRef) -> Origin {
        Origin {
            path: declared.path.clone(),
            at: declared
                .stated(field)
                .map_or(declared.at, |stated| stated.at),
        }
    }
}

impl Draft {
    fn new(reason: Reason) -> Self {
        Self {
            reason,
            outcome: None,
            refresh: false,
            open: BTreeSet::new(),
            parts: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn note(mut self, note: Diagnostic) -> Self {
        self.notes.push(note);
        self
    }

    /// The same, all of it held.
    fn held(mut self, code: Code, message: String, member: Member) -> Self {
        let hold = Hold::of(
            code,
            message,
            Member {
                whole: true,
                ..member
            },
        );
        self.parts.push(Part { hold, full: None });
        self
    }
}

/// The digest of what is declared: the cheap test for "nothing new".
pub(super) fn digest_of(declared: &Declared) -> Digest {
    declared.digest(kinds::fingerprint(), &[])
}

/// Drafts what would happen to a declared resource; `None`: nothing, and the claim is current.
pub(super) fn draft(context: &Context<'_>, declared: &Arc<Declared>) -> Option<Draft> {
    let key = &declared.key;
    let claim = context.stored.claim(&context.desired.source, key);
    let Some(row) = context.stored.rows.get(key) else {
        return Some(absent(context, declared, claim));
    };
    let secret = context.desired.secrets.get(key) == Some(&SecretState::Changed);
    let current = claim.is_some_and(|claim| {
        claim.state == ClaimState::Active
            && claim.seen == row.version
            && claim.digest == digest_of(declared)
    });
    if current && !secret {
        return None;
    }
    Some(present(context, declared, row, claim))
}

/// The status a manifest writes out, if it does.
fn written_status(declared: &Declared) -> Option<&str> {
    declared
        .value(kinds::get(declared.key.kind).status_index())?
        .as_text()
}

fn absent(context: &Context<'_>, declared: &Arc<Declared>, claim: Option<&Claim>) -> Draft {
    let key = &declared.key;
    let draft = Draft::new(Reason::Declared);
    let origin = || Origin {
        path: declared.path.clone(),
        at: declared.at,
    };
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
    let member = member(context, key, Verb::Create, None, Vec::new());
    let mut draft = Draft {
        outcome: Some(outcome),
        ..draft
    };
    if let Some(claim) = claim {
        draft.reason = Reason::Drift;
        let index = kinds::get(key.kind).status_index();
        let said = declared.cell(index).map(crate::model::digest::short);
        if said.is_none() || claim.fields.get("status") == said {
            let message = format!(
                "{key} was removed from the database by somebody else; creating it again gives access back"
            );
            return draft.held(codes::REACTIVATION, message, member);
        }
    }
    draft
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
    let origin = Origin {
        path: declared.path.clone(),
        at: declared.at,
    };
    if claim.is_some_and(|claim| claim.state == ClaimState::Active) {
        let warning = Diagnostic::new(
            codes::RETIRED_ID,
            format!("{message}: the document is ignored"),
        )
        .severity(crate::diagnostic::Severity::Warning);
        return draft.note(warning.help(help).of(key).at(origin));
    }
    let member = member(context, key, Verb::Create, None, Vec::new());
    let mut draft = Draft {
        outcome: Some(create(context, declared)),
        ..draft
    };
    draft = draft.held(codes::RETIRED_ID, format!("{message}; {help}"), member);
    draft
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
fn inferred(kind: &'static Kind, declared: &Declared, row: Option<&Row>) -> Vec<Change> {
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

fn present(
    context: &Context<'_>,
    declared: &Arc<Declared>,
    row: &Row,
    claim: Option<&Claim>,
) -> Draft {
    let key = &declared.key;
    let kind = kinds::get(key.kind);
    if written_status(declared) == Some("deleted") {
        let reason = if claim.is_some() {
            Reason::Declared
        } else {
            Reason::Adopted
        };
        return Draft {
            outcome: Some(Outcome::Delete),
            ..Draft::new(reason)
        };
    }
    let active = claim.filter(|claim| claim.state == ClaimState::Active);
    let returned = active.is_none() && gone(context, key);
    let mut draft = Draft::new(match (active, returned) {
        (_, true) => Reason::Returned,
        (None, false) => Reason::Adopted,
        (Some(_), false) => Reason::Declared,
    });
    let mut changes = Vec::new();
    let (mut declared_anew, mut drifted) = (false, false);
    for stated in &declared.cells {
        if kind.field(&stated.field).is_some_and(kinds::Field::secret) {
            continue;
        }
        let verdict = compare::compare(context, kind, key, stated, row, active);
        declared_anew |= matches!(verdict, Verdict::Set { drift: false, .. });
        drifted |= matches!(
            verdict,
            Verdict::Set { drift: true, .. } | Verdict::Regain { .. }
        );
        take(context, declared, row, verdict, &mut draft, &mut changes);
    }
    changes.extend(inferred(kind, declared, Some(row)));
    changes.extend(password(context, kind, declared, row));
    unwritten_status(context, declared, row, active, &mut draft, &mut changes);
    released(context, declared, row, active, &mut draft);
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    if draft.reason == Reason::Declared && drifted && !declared_anew {
        draft.reason = Reason::Drift;
    }
    let adopts = claim.is_none();
    draft.refresh =
        changes.is_empty() && !adopts && draft.open.is_empty() && draft.parts.is_empty();
    if adopts || !changes.is_empty() || draft.parts.iter().any(|part| part.full.is_some()) {
        draft.outcome = Some(Outcome::Change(changes));
    }
    rejected(context, key, row, &mut draft);
    draft
}

/// Whether some source declared the resource until it was removed.
fn gone(context: &Context<'_>, key: &Key) -> bool {
    let claims = context.stored.claims.get(key);
    claims.is_some_and(|claims| claims.iter().any(|claim| claim.state == ClaimState::Gone))
}

/// Takes one field's verdict into the draft.
fn take(
    context: &Context<'_>,
    declared: &Declared,
    row: &Row,
    verdict: Verdict,
    draft: &mut Draft,
    changes: &mut Vec<Change>,
) {
    let key = &declared.key;
    let name = |change: &Change| kinds::get(key.kind).field_name(&change.field);
    let told = |code, change: &Change, message: String| {
        Diagnostic::new(code, message)
            .of(key)
            .field(name(change))
            .at(context.field_origin(declared, &change.field))
    };
    let part = |code, change: &Change, message: String| {
        let held = member(
            context,
            key,
            Verb::Update,
            Some(row.version),
            vec![change.clone()],
        );
        Part {
            hold: Hold::of(code, message, held),
            full: Some(change.clone()),
        }
    };
    match verdict {
        Verdict::Keep => {}
        Verdict::Set { change, .. } => changes.push(change),
        Verdict::Observed(change) => {
            let message = format!(
                "{key}: {} differs from what is stored; this source only observes it",
                name(&change)
            );
            draft.notes.push(told(codes::OBSERVED, &change, message));
            draft.open.insert(change.field);
        }
        Verdict::Reported(change) => {
            let message = format!(
                "{key}: {} was changed by somebody else; drift is only reported",
                name(&change)
            );
            draft.notes.push(told(codes::DRIFT, &change, message));
            draft.open.insert(change.field);
        }
        Verdict::Conflict(change, others) => {
            let message = format!(
                "{key}: {} is enforced with another value by {}; name both in `order:` of the configuration, or let one of them `seed` or `observe` it",
                name(&change),
                others.join(", "),
            );
            draft.open.insert(change.field.clone());
            draft.parts.push(part(codes::CONFLICT, &change, message));
        }
        Verdict::Regain { whole, rest } => {
            let message = format!(
                "{key}: {} was taken away by somebody else; writing it again gives access back",
                name(&whole)
            );
            draft.open.insert(whole.field.clone());
            draft.parts.push(part(codes::REACTIVATION, &whole, message));
            changes.extend(rest);
        }
    }
}

/// A new password: its content differs from the one last applied.
fn password(
    context: &Context<'_>,
    kind: &'static Kind,
    declared: &Declared,
    row: &Row,
) -> Option<Change> {
    let changed = context.desired.secrets.get(&declared.key) == Some(&SecretState::Changed);
    let stated = declared
        .cells
        .iter()
        .find(|stated| changed && kind.field(&stated.field).is_some_and(kinds::Field::secret))?;
    Some(Change {
        field: stated.field.clone(),
        before: row.value(&stated.field).cloned(),
        after: stated.cell.value().cloned(),
    })
}

/// A manifest without a status means active: what that asks of an inactive row.
fn unwritten_status(
    context: &Context<'_>,
    declared: &Declared,
    row: &Row,
    active: Option<&Claim>,
    draft: &mut Draft,
    changes: &mut Vec<Change>,
) {
    let key = &declared.key;
    let kind = kinds::get(key.kind);
    let index = kind.status_index();
    let before = row.values[index].clone();
    let inactive = before.as_ref().and_then(Value::as_text) == Some("inactive");
    if !kind.status || !inactive || declared.cell(index).is_some() {
        return;
    }
    if context
        .rules
        .peers
        .iter()
        .any(|peer| decides_status(context, peer, key))
    {
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

/// Whether another source writes a status for the resource.
fn decides_status(context: &Context<'_>, peer: &super::rules::Peer, key: &Key) -> bool {
    let field = kinds::own(kinds::get(key.kind).status_index());
    match &peer.desired {
        Some(desired) => desired
            .resources
            .get(key)
            .is_some_and(|theirs| theirs.stated(&field).is_some()),
        None => context.stored.claim(&peer.name, key).is_some_and(|claim| {
            claim.state == ClaimState::Active && claim.fields.get("status").is_some()
        }),
    }
}

/// Fields that the source declared and no longer declares: they keep their value.
fn released(
    context: &Context<'_>,
    declared: &Declared,
    row: &Row,
    active: Option<&Claim>,
    draft: &mut Draft,
) {
    let kind = kinds::get(declared.key.kind);
    for name in active.iter().flat_map(|claim| claim.fields.fields()) {
        let Some(field) = kind.field_ref(name) else {
            continue;
        };
        let kept = row
            .value(&field)
            .is_some_and(|value| !value.is_empty_list());
        let implied = field.own() == Some(kind.status_index());
        if kept && !implied && declared.stated(&field).is_none() {
            let note = Diagnostic::new(
                codes::FIELD_RELEASED,
                format!(
                    "{}: {name} is no longer declared and keeps its value",
                    declared.key
                ),
            );
            let note = note.help(format!("write `clear: [{name}]` to remove it"));
            let origin = context.field_origin(declared, &field);
            draft
                .notes
                .push(note.of(&declared.key).field(name).at(origin));
        }
    }
}

/// A rejected account is still declared: nothing of it is written until a person decides.
fn rejected(context: &Context<'_>, key: &Key, row: &Row, draft: &mut Draft) {
    if row
        .facts
        .get("approval")
        .is_none_or(|approval| approval != "rejected")
    {
        return;
    }
    let changes = match &draft.outcome {
        Some(Outcome::Change(changes)) => changes.clone(),
        _ => Vec::new(),
    };
    let message = format!("{key} was rejected and is still declared; take it out of the manifests");
    let held = member(context, key, Verb::Update, Some(row.version), changes);
    let hold = Hold::of(
        codes::ACCOUNT_REJECTED,
        message,
        Member {
            whole: true,
            ..held
        },
    );
    draft.refresh = false;
    draft.parts.push(Part { hold, full: None });
}

/// One resource's part in a hold.
pub(super) fn member(
    context: &Context<'_>,
    key: &Key,
    verb: Verb,
    version: Option<i64>,
    changes: Vec<Change>,
) -> Member {
    Member {
        key: key.clone(),
        verb,
        version,
        origin: context.origin(key),
        changes,
        whole: false,
    }
}

/// What is claimed of a declared resource: the fields that say something.
pub(super) fn fields_of(declared: &Declared) -> crate::model::FieldDigests {
    let kind = kinds::get(declared.key.kind);
    let said = declared.cells.iter();
    let said = said.filter(|stated| compare::says_something(&stated.field, &stated.cell));
    crate::model::FieldDigests::of(
        said.map(|stated| (kind.field_name(&stated.field), &stated.cell)),
    )
}
