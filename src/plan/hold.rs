//! A hold: its members, its id, and its entries in a plan. A rule that holds something returns
//! [`Hold`]s and changes nothing; approvals and all that follows are up to the
//! [`HoldLedger`](super::hold_ledger::HoldLedger).

use super::context::PlanContext;
use super::effects::PlanEffects;
use super::exceeded_limit::ExceededLimit;
use super::planned_change;
use super::types::{HoldEntry, StepVerb};
use crate::check::{DeletionConsequence, PlannedChange};
use crate::diagnostic::{Code, Origin};
use crate::kinds::{self, Kind};
use crate::model::{Cell, Digest, FieldChange, HeldStep, Key, Value, digest};
use std::collections::BTreeSet;

/// A group of effects, or parts of them, held until somebody decides.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub code: Code,
    /// The rule at the root, when this is held because of an error or another hold. No approval
    /// lets such a hold through.
    pub root: Option<Code>,
    pub message: String,
    pub count: Option<u64>,
    pub total: Option<u64>,
    pub limit: Option<u64>,
    pub accept_option: Option<String>,
    pub members: Vec<HoldMember>,
    /// The limits of guards that it exceeds.
    pub limits: Vec<ExceededLimit>,
    /// What it is decided by besides its changes, such as the numbers of queries. Others make another
    /// hold.
    pub facts: BTreeSet<String>,
    /// What to remember of its members while they are held; the id of the hold is filled in later.
    pub records: Vec<HeldStep>,
}

/// One resource's part in a hold.
#[derive(Clone, Debug)]
pub(super) struct HoldMember {
    pub key: Key,
    pub verb: StepVerb,
    pub origin: Option<Origin>,
    pub changes: Vec<FieldChange>,
    /// Whether the whole effect is held, not only these fields.
    pub whole: bool,
    /// For a presumed rename: the resource that replaces this one.
    pub becomes: Option<Key>,
    /// The other resources that the effect deletes or changes. They are held and approved with it.
    pub consequences: Box<[DeletionConsequence]>,
}

impl Hold {
    pub fn single(code: Code, message: impl Into<String>, member: HoldMember) -> Self {
        Self {
            members: vec![member],
            ..Self::without_members(code, message)
        }
    }

    pub fn without_members(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            root: None,
            message: message.into(),
            count: None,
            total: None,
            limit: None,
            accept_option: None,
            members: Vec::new(),
            limits: Vec::new(),
            facts: BTreeSet::new(),
            records: Vec::new(),
        }
    }

    /// The id that an approval names. Any other value in the hold gives another id, so an approval
    /// never covers values that nobody saw.
    pub fn id(&self, source: &str, salt: &str) -> String {
        let mut members: Vec<&HoldMember> = self.members.iter().collect();
        // Sorted, so that the id does not depend on the order in which the rules found the members.
        members.sort_by(|a, b| (&a.key, a.verb).cmp(&(&b.key, b.verb)));
        let mut hasher = blake3::Hasher::new();
        // The salt is the identity of the database: an approval is valid there only.
        for part in [salt, source, self.code.name()] {
            feed_text(&mut hasher, part);
        }
        members
            .into_iter()
            .for_each(|member| member.feed(&mut hasher));
        for fact in &self.facts {
            feed_text(&mut hasher, fact);
        }
        Digest::from_hasher(&hasher).to_string()[..16].to_owned()
    }

    /// Drops the members that are approved and notes the approvals used; `None` when nothing is
    /// left.
    pub fn without_approved(
        mut self,
        id: &str,
        approved: &BTreeSet<String>,
        used: &mut Vec<String>,
    ) -> Option<Self> {
        if approved.contains(id) {
            used.push(format!("hold {id}"));
            return None;
        }
        self.members.retain(|member| {
            let part = format!("{id} {}", member.key);
            let kept = !approved.contains(&part);
            if !kept {
                used.push(format!("hold {part}"));
            }
            kept
        });
        (!self.members.is_empty()).then_some(self)
    }

    /// The rule that is the cause of the hold.
    pub fn root_code(&self) -> Code {
        self.root.unwrap_or(self.code)
    }

    pub fn is_approvable(&self) -> bool {
        self.root.is_none() && self.code.is_approvable()
    }

    /// The entries of the hold in a plan, one per member.
    pub fn entries(&self, id: &str) -> impl Iterator<Item = HoldEntry> {
        self.members.iter().map(move |member| HoldEntry {
            verb: member.verb,
            key: member.key.clone(),
            code: self.code,
            root: self.root_code(),
            message: self.message.clone(),
            hold: id.to_owned(),
            count: self.count,
            total: self.total,
            limit: self.limit,
            accept_option: self.accept_option.clone(),
            origin: member.origin.clone(),
            changes: member.reduced().collect(),
            becomes: member.becomes.clone(),
            consequences: planned_change::step_consequences(&member.consequences),
            effects: PlanEffects::default(),
            approvals_needed: 1,
            impact: Box::default(),
            undoes: Box::default(),
            is_on_base: false,
        })
    }
}

impl HoldMember {
    fn reduced(&self) -> impl Iterator<Item = FieldChange> {
        let kind = kinds::get(self.key.kind);
        self.changes
            .iter()
            .cloned()
            .map(move |change| reduced(kind, change))
    }

    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        self.feed(&mut hasher);
        Digest::from_hasher(&hasher)
    }

    /// Feeds nothing that the same pass writes, such as claims or versions: the id that was printed
    /// must still be the id after the rest of the plan is applied.
    fn feed(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&[self.key.kind.0]);
        feed_text(hasher, &self.key.id);
        feed_text(hasher, self.verb.word());
        for change in self.reduced() {
            for value in [change.before, change.after] {
                let cell = value.map_or(Cell::Clear, Cell::Value);
                let mut fed = Vec::new();
                digest::encode_stated(&mut fed, &change.field, &cell);
                hasher.update(&fed);
            }
        }
        // An approval covers only those that were shown.
        for consequence in planned_change::step_consequences(&self.consequences) {
            hasher.update(&[consequence.key.kind.0]);
            feed_text(hasher, &consequence.key.id);
            feed_text(hasher, consequence.verb.word());
        }
    }
}

/// A member of a hold.
pub(super) fn member(
    context: &PlanContext<'_>,
    key: &Key,
    verb: StepVerb,
    changes: Vec<FieldChange>,
) -> HoldMember {
    HoldMember {
        key: key.clone(),
        verb,
        origin: context.origin(key),
        changes,
        whole: false,
        becomes: None,
        consequences: Box::default(),
    }
}

/// One field as a member of a hold. The verb is that of the field alone: the other changes of the
/// resource are applied now, and the hold must keep its id afterwards.
pub(super) fn field_member(
    context: &PlanContext<'_>,
    key: &Key,
    change: FieldChange,
) -> HoldMember {
    let status = kinds::get(key.kind).status_index();
    let verb = match change.after.as_ref().and_then(Value::as_text) {
        _ if change.field.own() != Some(status) => StepVerb::Update,
        Some("inactive") => StepVerb::Deactivate,
        _ => StepVerb::Reactivate,
    };
    member(context, key, verb, vec![change])
}

/// A whole effect as a member of a hold.
pub(super) fn effect_member(
    context: &PlanContext<'_>,
    effect: &PlannedChange,
    verb: StepVerb,
) -> HoldMember {
    HoldMember {
        whole: true,
        consequences: effect.consequences().into(),
        ..member(context, &effect.key, verb, planned_change::changes(effect))
    }
}

/// A change of a set, reduced to the members that differ. Ordered lists stay whole.
pub(super) fn reduced(kind: &Kind, change: FieldChange) -> FieldChange {
    match kind.field(&change.field) {
        Some(field) if field.ty.has_link_table() => change.reduced(),
        _ => change,
    }
}

fn feed_text(hasher: &mut blake3::Hasher, text: &str) {
    // With the length first, so that "ab", "c" and "a", "bc" give different ids.
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
