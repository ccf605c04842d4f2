//! The types of a finished plan: plan, step, change and hold. A [`Plan`] is immutable and complete,
//! and the same input gives the same bytes. Nothing filters it afterwards: whatever is not to be
//! applied was held while it was made.

use super::commit_approvals::CommitApproval;
use super::effects::PlanEffects;
use super::impact::StepImpact;
use super::plan_base::PlanBase;
use super::preview::PlanPreview;
use super::runtime_changes::RuntimeChanges;
use super::step_claim::StepClaim;
use super::undone_change::UndoneChange;
use super::visibility::PlanVisibility;
use crate::diagnostic::{Code, Diagnostic, Origin, Severity};
use crate::kinds;
use crate::model::{
    Claim, CompactText, DeclaredResource, FieldChange, FieldRef, HeldStep, Key, StatedField,
    TakenLogin, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What makes the database equal what one source declares, and what is held.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The source and its revision.
    pub source: SourceRef,
    /// The identity of the database; `None` while there is none.
    pub database: Option<String>,
    /// The name of the environment.
    pub environment: Option<String>,
    /// Counts.
    pub summary: PlanSummary,
    /// What apply does, in order.
    pub steps: Vec<Step>,
    /// What is held.
    pub held: Vec<HoldEntry>,
    /// Stored resources of kinds without status that their source no longer declares.
    pub orphans: Vec<Key>,
    /// Claims given up because another source still declares the resource.
    pub released: Vec<Key>,
    /// The overrides and approvals that were used, as given.
    pub accepted: Vec<String>,
    /// The approvals by signed commits that were found, to be recorded. Not part of a saved plan.
    pub commit_approvals: Vec<CommitApproval>,
    /// All diagnostics.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether errors refused the plan: then there are no steps.
    pub errored: bool,
    /// Whether only some resources were planned, by `--target` or a PATH.
    pub partial: bool,
    /// Claims to write although their resource does not change. Not part of a saved plan.
    pub claim_updates: Vec<ClaimUpdate>,
    /// What the steps use up of each budget of the guards.
    pub budget_use: BTreeMap<String, u64>,
    /// Of how many each of these budgets was a share, before the plan.
    pub budget_bases: BTreeMap<String, u64>,
    /// The steps that guards held, to be remembered: a later pass holds them again.
    pub remembered_steps: Vec<HeldStep>,
    /// The remembered steps that no longer apply; not part of a saved plan.
    pub forgotten_steps: Vec<HeldStep>,
    /// The declared resources that are not as their source says, or about which there is something
    /// to say: the next pass has to look at them again. Not part of a saved plan.
    pub unsettled: BTreeSet<Key>,
    /// The resources that a pass has to look at again although their declaration stays: something of
    /// them is open or held, or was found while reading them. What rules say of a change is not
    /// among this, since it is said once.
    pub open: BTreeSet<Key>,
    /// The sources that have to be read or accepted before it is decided what becomes of resources
    /// that this one no longer declares and still claims. Not part of a saved plan.
    pub waits_for: BTreeSet<String>,
    /// The login names of an export that users keep, to be stored with their links.
    pub logins: Vec<TakenLogin>,
    /// The stored fields that no source declares, for `--exact`.
    pub undeclared: Vec<(Key, String)>,
    /// Who gains or loses what by the steps.
    pub effects: PlanEffects,
    /// Who sees more or less by the steps, which only the database can tell.
    pub visibility: PlanVisibility,
    /// The resources of its entries by account, where somebody looked them up for readers. Not part of
    /// a saved plan.
    pub accounts: BTreeMap<CompactText, Vec<Key>>,
    /// The base that it was compared with.
    pub base: Option<PlanBase>,
    /// Why it can only be looked at, if it cannot be applied.
    pub preview: Option<PlanPreview>,
    /// Whether it is the part of a plan that is new beside its base.
    pub is_part: bool,
}

impl Plan {
    /// The exit code of a command that made this plan, by precedence: 1 errors, 3 a hold waits for
    /// a decision, 2 (only when `detailed`) there are steps, 0 nothing of that. Steps and holds that
    /// wait at the base of the plan already do not count.
    #[must_use]
    pub fn exit_code(&self, detailed: bool) -> u8 {
        let wrong = self.errored
            || self.diagnostics.iter().any(Diagnostic::is_error)
            || self.held.iter().any(HoldEntry::is_error);
        if wrong {
            1
        } else if self
            .held
            .iter()
            .any(|held| !held.root.is_standing() && !held.is_on_base)
        {
            3
        } else {
            2 * u8::from(detailed && !self.steps.iter().all(|step| step.is_on_base))
        }
    }

    /// How many findings are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let found = self.diagnostics.iter();
        found.filter(|found| found.severity == severity).count()
    }
}

/// A source at a revision.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceRef {
    pub name: Arc<str>,
    /// A git commit or a content digest.
    pub revision: Arc<str>,
}

/// How many resources each verb concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct PlanSummary {
    /// Created.
    pub create: u64,
    /// Updated.
    pub update: u64,
    pub adopt: u64,
    /// Deactivated.
    pub deactivate: u64,
    /// Reactivated.
    pub reactivate: u64,
    /// Deleted.
    pub delete: u64,
    /// Held, wholly or in part and for however many reasons; standing ones included.
    pub held: u64,
    /// Declared and equal.
    pub unchanged: u64,
    /// Stored and claimed by nobody.
    pub unclaimed: u64,
}

impl PlanSummary {
    /// All counts with the names they have in plans, in their order.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, u64); 9] {
        let Self {
            create,
            update,
            adopt,
            deactivate,
            reactivate,
            delete,
            held,
            unchanged,
            unclaimed,
        } = *self;
        [
            ("create", create),
            ("update", update),
            ("adopt", adopt),
            ("deactivate", deactivate),
            ("reactivate", reactivate),
            ("delete", delete),
            ("held", held),
            ("unchanged", unchanged),
            ("unclaimed", unclaimed),
        ]
    }
}

/// What a step does to its resource. The first that fits, in this order, is a step's verb.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StepVerb {
    /// Removes the row and retires its id.
    Delete,
    /// Sets the status to inactive.
    Deactivate,
    /// Inserts a row.
    Create,
    /// Claims a row that this source did not claim, whatever else changes.
    Adopt,
    /// Sets the status to active again.
    Reactivate,
    /// Changes other fields.
    Update,
}

impl StepVerb {
    /// All verbs.
    pub const ALL: [Self; 6] = [
        Self::Delete,
        Self::Deactivate,
        Self::Create,
        Self::Adopt,
        Self::Reactivate,
        Self::Update,
    ];

    /// The verb called `word`.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }

    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Deactivate => "deactivate",
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Reactivate => "reactivate",
            Self::Update => "update",
        }
    }

    /// The sign in text plans.
    pub fn sign(self) -> char {
        match self {
            Self::Delete => '-',
            Self::Deactivate => 'x',
            Self::Create => '+',
            Self::Adopt => 'a',
            Self::Reactivate => 'o',
            Self::Update => '~',
        }
    }
}

impl fmt::Display for StepVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a step is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StepReason {
    /// The source says something new.
    Declared,
    /// The source declares a row it did not claim.
    Adopted,
    /// Somebody else changed the row since.
    Drift,
    /// The source no longer declares it.
    Removed,
    /// It was removed and is declared again.
    Returned,
    /// A person asked for it.
    Requested,
    /// The account that it belongs to is deleted.
    Consequence,
}

impl StepReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Declared,
        Self::Adopted,
        Self::Drift,
        Self::Removed,
        Self::Returned,
        Self::Requested,
        Self::Consequence,
    ];

    /// The reason called `word`.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// The word in plans.
    pub fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Adopted => "adopted",
            Self::Drift => "drift",
            Self::Removed => "removed",
            Self::Returned => "returned",
            Self::Requested => "requested",
            Self::Consequence => "consequence",
        }
    }
}

/// What a step changes.
#[derive(Clone, Debug)]
pub enum StepBody {
    /// A new row: everything declared, and what is derived from it (defaults, inferred values).
    Create {
        /// What was declared.
        declared: Arc<DeclaredResource>,
        /// Values that are not declared; sorted by field.
        derived: Box<[FieldChange]>,
    },
    /// Changes to a stored row, sorted by field; lists are reduced to what differs.
    Changes(Vec<FieldChange>),
}

/// One change to one resource.
#[derive(Clone, Debug)]
pub struct Step {
    /// What happens.
    pub verb: StepVerb,
    /// To which resource.
    pub key: Key,
    /// The version of the row that the plan saw; `None` for a create.
    pub version: Option<i64>,
    /// Why.
    pub reason: StepReason,
    /// Where it is declared, or, of a removal, was.
    pub origin: Option<Origin>,
    /// What the source claims afterwards; `None` when it no longer declares the resource.
    pub claim: Option<StepClaim>,
    /// Field by field.
    pub body: StepBody,
    /// What it does to runtime facts.
    pub runtime: RuntimeChanges,
    /// For a change of an address that several accounts have, these accounts.
    pub accounts: Box<[CompactText]>,
    /// What else goes or changes because of it, by key. Each is a step too.
    pub consequences: Box<[StepConsequence]>,
    /// What the operator's queries say of what it takes out of use.
    pub impact: Box<[StepImpact]>,
    /// The recorded changes that it takes back, which only the history tells.
    pub undoes: Box<[UndoneChange]>,
    /// Whether the plan of the base has it already.
    pub is_on_base: bool,
}

/// What a step does to another resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepConsequence {
    pub verb: StepVerb,
    pub key: Key,
}

impl Step {
    /// The change of one field. For a create, this is much cheaper than to search
    /// [`Self::changes`].
    #[must_use]
    pub fn change(&self, field: &FieldRef) -> Option<Cow<'_, FieldChange>> {
        let find =
            |changes: &'_ [FieldChange]| changes.iter().position(|change| change.field == *field);
        match &self.body {
            StepBody::Changes(changes) => find(changes).map(|at| Cow::Borrowed(&changes[at])),
            StepBody::Create { declared, derived } => {
                let stated = declared.stated(field);
                match stated.and_then(|stated| self.created(stated)) {
                    Some(change) => Some(Cow::Owned(change)),
                    None => find(derived).map(|at| Cow::Borrowed(&derived[at])),
                }
            }
        }
    }

    /// The changes, field by field; a create has `after` only.
    pub fn changes(&self) -> Cow<'_, [FieldChange]> {
        match &self.body {
            StepBody::Changes(changes) => Cow::Borrowed(changes),
            StepBody::Create { declared, derived } => {
                let said = declared
                    .cells
                    .iter()
                    .filter_map(|stated| self.created(stated));
                let mut changes: Vec<FieldChange> = said.chain(derived.iter().cloned()).collect();
                changes.sort_by(|a, b| a.field.cmp(&b.field));
                Cow::Owned(changes)
            }
        }
    }

    /// What a declared cell of a create writes. An empty list is left out, unless the field has a
    /// default that it must override.
    fn created(&self, stated: &StatedField) -> Option<FieldChange> {
        let value = stated.cell.value()?;
        (!value.is_empty_list() || self.has_default(&stated.field)).then(|| FieldChange {
            field: stated.field.clone(),
            before: None,
            after: Some(value.clone()),
        })
    }

    fn has_default(&self, field: &FieldRef) -> bool {
        let field = kinds::get(self.key.kind).field(field);
        field.is_some_and(|field| field.default.value().is_some())
    }

    /// The name of a changed field.
    pub fn field_name(&self, change: &FieldChange) -> String {
        kinds::get(self.key.kind).field_name(&change.field)
    }
}

/// A resource, or fields of one, that is held, and why.
#[derive(Clone, Debug)]
pub struct HoldEntry {
    /// What would happen.
    pub verb: StepVerb,
    /// To which resource.
    pub key: Key,
    /// By which rule.
    pub code: Code,
    /// The rule at the root. For a `held-dependency`, that is the rule of the hold it depends on.
    pub root: Code,
    /// Why, in words.
    pub message: String,
    /// The id of the hold: what an approval names. Steps held together share it.
    pub hold: String,
    /// For a guard: how many steps it holds.
    pub count: Option<u64>,
    /// For a guard: the base that the count is a share of.
    pub total: Option<u64>,
    /// For a guard: the largest count that it allows.
    pub limit: Option<u64>,
    /// The option that allows it, if there is one.
    pub accept_option: Option<String>,
    /// Where it is declared, or, of a removal, was.
    pub origin: Option<Origin>,
    /// What was held, field by field.
    pub changes: Vec<FieldChange>,
    /// For a presumed rename: the resource that replaces this one.
    pub becomes: Option<Key>,
    /// What else would go or change because of it, by key. It is held with it.
    pub consequences: Box<[StepConsequence]>,
    /// Who would gain or lose what if its hold were approved.
    pub effects: PlanEffects,
    /// How many people have to approve its hold.
    pub approvals_needed: u32,
    /// What the operator's queries say of what it would take out of use.
    pub impact: Box<[StepImpact]>,
    /// The recorded changes that it would take back, which only the history tells.
    pub undoes: Box<[UndoneChange]>,
    /// Whether the plan of the base holds it already.
    pub is_on_base: bool,
}

impl HoldEntry {
    /// Whether an error is at its root: a rule that holds nothing by itself holds what it calls an
    /// error, also where it only warns of it elsewhere.
    pub fn is_error(&self) -> bool {
        self.root.severity() != Severity::Hold
    }

    /// Whether `roster approve hold` lets it through; otherwise something else has to change first.
    #[must_use]
    pub fn is_approvable(&self) -> bool {
        self.code.is_approvable()
    }
}

/// A claim to write although its resource does not change.
#[derive(Clone, Debug)]
pub struct ClaimUpdate {
    /// Which resource.
    pub key: Key,
    /// What to do with the claim.
    pub claim: ClaimAction,
}

/// What becomes of a claim whose resource does not change.
#[derive(Clone, Debug)]
pub enum ClaimAction {
    /// It is written as given (`source` and `revision` are the plan's).
    Write(Box<Claim>),
    /// It is given up: another source declares the resource, or its row is gone.
    Release,
    /// It is marked gone: the resource needs no deactivation.
    Gone,
}

/// The text of a member or scalar, for messages and renderings.
pub fn plain(value: &Value) -> CompactText {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(text) => CompactText::new(text),
        Value::Bool(value) => compact_str::format_compact!("{value}"),
        Value::Int(value) => compact_str::format_compact!("{value}"),
        Value::List(_) | Value::Links(_) => {
            let members: Vec<&str> = value.members().map(CompactText::as_str).collect();
            members.join(", ").into()
        }
    }
}
