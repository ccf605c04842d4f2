//! The plan document, which is also the saved plan. The same plan gives the same bytes. Each step
//! is one line, and only one batch of steps is in memory, because a first plan has as many steps as
//! resources.

use super::list::one_line;
use super::{
    AccountEntriesDocument, DiagnosticDocument, DocumentList, EffectDocument, HoldDocument,
    KeyDocument, RememberedStepDocument, StepDocument, TakenLoginDocument, UndeclaredDocument,
    VisibilityChangeDocument, present,
};
use crate::model::CompactText;
use crate::plan::{HoldEntry, Plan, PlanBase, PlanPreview, PlanSummary, SourceRef, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

/// The version of the format. A program that reads `1.x` can read every `1.y` without new members.
pub const FORMAT_VERSION: &str = "1.0";

// The types of steps and holds are parameters, because a saved plan converts each one while it is
// read.
/// A plan.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[serde(bound(
    serialize = "S: Serialize + Send + Sync, H: Serialize + Send + Sync",
    deserialize = "S: Deserialize<'de>, H: Deserialize<'de>"
))]
#[schemars(!deny_unknown_fields, rename = "PlanDocument")]
pub struct PlanDocument<'a, S = StepDocument<'a>, H = HoldDocument<'a>> {
    /// The version of the format.
    pub format_version: Cow<'a, str>,
    /// The id of the plan: the SHA-256 of the document on one line, without `id`, `database`,
    /// `remembered`, `undeclared`, `visibility`, `visibilityOmitted`, `accounts`, `base`,
    /// `diagnostics` and every `origin`, `reverts` and `alreadyOnBase`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(required)]
    pub id: Option<Cow<'a, str>>,
    /// The source and its revision.
    #[serde(serialize_with = "one_line")]
    #[schemars(with = "SourceRefDocument<'a>")]
    pub source: SourceRefDocument<'a>,
    /// The identity of the database. `null` if there is none yet.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub database: Option<Option<Cow<'a, str>>>,
    /// The name of the environment.
    pub environment: Option<Cow<'a, str>>,
    /// The number of resources per verb.
    #[serde(serialize_with = "one_line")]
    #[schemars(with = "PlanSummary")]
    pub summary: PlanSummary,
    /// What apply does, in order.
    pub steps: DocumentList<'a, S>,
    /// The holds.
    pub held: DocumentList<'a, H>,
    /// Stored resources of kinds without status that their source no longer declares.
    pub orphans: DocumentList<'a, KeyDocument<'a>>,
    /// Claims that the source gives up because another source declares the resource.
    pub released: DocumentList<'a, KeyDocument<'a>>,
    /// The overrides and approvals that were used.
    pub accepted: Vec<Cow<'a, str>>,
    /// The login names that users bring along with an export and keep.
    #[serde(default, skip_serializing_if = "DocumentList::is_empty")]
    pub logins: DocumentList<'a, TakenLoginDocument<'a>>,
    /// How much of each budget of the guards the steps use.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        serialize_with = "one_line"
    )]
    #[schemars(with = "BTreeMap<String, BudgetDocument>")]
    pub budgets: BTreeMap<String, BudgetDocument>,
    /// The steps that guards held, as a later pass needs them.
    #[serde(default, skip_serializing_if = "DocumentList::is_empty")]
    pub remembered: DocumentList<'a, RememberedStepDocument<'a>>,
    /// With `--exact`: the stored fields that no source declares.
    #[serde(default, skip_serializing_if = "DocumentList::is_empty")]
    pub undeclared: DocumentList<'a, UndeclaredDocument<'a>>,
    /// Who gains or loses what by the steps, sorted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schemars(required)]
    pub effects: Option<DocumentList<'a, EffectDocument<'a>>>,
    /// How many more effects of each name there are, where `effects` has only the first.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        serialize_with = "one_line"
    )]
    #[schemars(with = "BTreeMap<String, u64>")]
    pub effects_omitted: BTreeMap<String, u64>,
    /// The users who see more or less by the steps, with what they gain and lose.
    #[serde(default, skip_serializing_if = "DocumentList::is_empty")]
    pub visibility: DocumentList<'a, VisibilityChangeDocument<'a>>,
    /// How many more users see more or less, where `visibility` has only the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub visibility_omitted: u64,
    /// What the plan does by account. Absent if it was not looked up, as for more than 2,000 entries.
    #[serde(default, skip_serializing_if = "DocumentList::is_empty")]
    pub accounts: DocumentList<'a, AccountEntriesDocument<'a>>,
    /// The base that the plan was compared with: what waits there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PlanBaseDocument<'a>>,
    /// The diagnostics.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(required)]
    pub diagnostics: Option<DocumentList<'a, DiagnosticDocument<'a>>>,
    /// Whether errors refused the plan. It then has no steps.
    pub errored: bool,
    /// Whether only some resources of the source were planned, by `--target` or a PATH.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// What the plan shows that cannot be applied. Absent: it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PlanPreview>,
}

/// A source at a revision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct SourceRefDocument<'a> {
    /// The name of the source.
    pub name: Cow<'a, str>,
    /// A git commit or a content digest.
    pub revision: Cow<'a, str>,
}

impl<'a> From<&'a SourceRef> for SourceRefDocument<'a> {
    fn from(source: &'a SourceRef) -> Self {
        Self {
            name: Cow::Borrowed(&source.name),
            revision: Cow::Borrowed(&source.revision),
        }
    }
}

/// The base that a plan was compared with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct PlanBaseDocument<'a> {
    /// A git commit or a content digest.
    pub revision: Cow<'a, str>,
    /// The users whose sight changes just so at the base already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub visibility: Vec<Cow<'a, str>>,
}

impl<'a> From<&'a PlanBase> for PlanBaseDocument<'a> {
    fn from(base: &'a PlanBase) -> Self {
        let users = base.sight.iter().map(|user| Cow::Borrowed(user.as_str()));
        Self {
            revision: Cow::Borrowed(&base.revision),
            visibility: users.collect(),
        }
    }
}

impl From<PlanBaseDocument<'_>> for PlanBase {
    fn from(read: PlanBaseDocument<'_>) -> Self {
        Self {
            revision: read.revision.into(),
            sight: read.visibility.iter().map(CompactText::new).collect(),
        }
    }
}

/// How much of a budget a plan uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct BudgetDocument {
    /// The number of steps.
    pub count: u64,
    /// The number of resources that they are a share of.
    pub of: u64,
}

impl<'a> PlanDocument<'a> {
    /// The part of the document that determines the id of a plan.
    fn identity(plan: &'a Plan) -> Self {
        let budgets = plan.budget_use.iter().map(|(name, count)| {
            let of = plan.budget_bases.get(name).copied().unwrap_or_default();
            (name.clone(), BudgetDocument { count: *count, of })
        });
        // Without origins: moving a manifest to another line changes nothing that is applied, and
        // must not change the id. Without what is reverted: that depends on which commits are known
        // where the plan is made.
        let step = |step: &'a Step| StepDocument {
            origin: None,
            reverts: Vec::new(),
            already_on_base: false,
            ..StepDocument::from(step)
        };
        let hold = |held: &'a HoldEntry| HoldDocument {
            origin: None,
            reverts: Vec::new(),
            already_on_base: false,
            ..HoldDocument::from(held)
        };
        Self {
            format_version: Cow::Borrowed(FORMAT_VERSION),
            id: None,
            // Without the database, the same plan has the same id wherever it is made.
            source: (&plan.source).into(),
            database: None,
            environment: plan.environment.as_deref().map(Cow::Borrowed),
            summary: plan.summary,
            steps: DocumentList::of(&plan.steps, step),
            held: DocumentList::of(&plan.held, hold),
            orphans: DocumentList::of(&plan.orphans, KeyDocument::from),
            released: DocumentList::of(&plan.released, KeyDocument::from),
            accepted: plan
                .accepted
                .iter()
                .map(|it| Cow::Borrowed(&**it))
                .collect(),
            logins: DocumentList::of(&plan.logins, TakenLoginDocument::from),
            budgets: budgets.collect(),
            remembered: DocumentList::default(),
            undeclared: DocumentList::default(),
            // People approve what they read here, so an edited effect must be detected.
            effects: Some(DocumentList::of(&plan.effects.listed, EffectDocument::from)),
            effects_omitted: plan.effects.omitted.clone(),
            // It follows from the steps and from what is stored beside them.
            visibility: DocumentList::default(),
            visibility_omitted: 0,
            // They are found again where the plan is shown.
            accounts: DocumentList::default(),
            // It depends on another revision.
            base: None,
            // Diagnostics are for readers. A new wording must not change the id.
            diagnostics: None,
            errored: plan.errored,
            partial: plan.partial,
            preview: plan.preview,
        }
    }
}

impl<'a> From<&'a Plan> for PlanDocument<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self {
            id: Some(plan_id(plan).into()),
            database: Some(plan.database.as_deref().map(Cow::Borrowed)),
            steps: DocumentList::of(&plan.steps, StepDocument::from),
            held: DocumentList::of(&plan.held, HoldDocument::from),
            remembered: DocumentList::of(&plan.remembered_steps, RememberedStepDocument::from),
            undeclared: DocumentList::of(&plan.undeclared, UndeclaredDocument::from),
            visibility: DocumentList::of(&plan.visibility.changes, VisibilityChangeDocument::from),
            visibility_omitted: plan.visibility.omitted,
            accounts: DocumentList::from_vec(AccountEntriesDocument::all(plan)),
            base: plan.base.as_ref().map(PlanBaseDocument::from),
            diagnostics: Some(DocumentList::of(
                &plan.diagnostics,
                DiagnosticDocument::from,
            )),
            ..Self::identity(plan)
        }
    }
}

/// Several plans.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanListDocument<'a> {
    /// The version of the format.
    pub format_version: &'static str,
    /// The plans, in the order of the configuration.
    pub plans: Vec<PlanDocument<'a>>,
}

impl<'a> PlanListDocument<'a> {
    #[must_use]
    pub fn new(plans: impl Iterator<Item = &'a Plan>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            plans: plans.map(PlanDocument::from).collect(),
        }
    }
}

/// Writes a document with one line per member and per entry of a list.
pub fn write(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    serde_json::to_writer_pretty(&mut out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes a plan as one document.
pub fn write_plan(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    write(&PlanDocument::from(plan), out)
}

/// The id of a plan: the SHA-256, in hexadecimal, of its document on one line, without `id`,
/// `database`, `remembered`, `undeclared`, `visibility`, `visibilityOmitted`, `accounts`, `base`,
/// `diagnostics` and every `origin`, `reverts` and `alreadyOnBase`.
///
/// # Panics
/// Never: a hasher takes every byte.
#[must_use]
pub fn plan_id(plan: &Plan) -> String {
    id_of(&PlanDocument::identity(plan))
}

/// The id that a release which knew no effects gave to a plan.
///
/// # Panics
/// Never: a hasher takes every byte.
pub(super) fn plan_id_without_effects(plan: &Plan) -> String {
    let hold = |held| HoldDocument {
        origin: None,
        reverts: Vec::new(),
        already_on_base: false,
        effects: None,
        ..HoldDocument::from(held)
    };
    id_of(&PlanDocument {
        held: DocumentList::of(&plan.held, hold),
        effects: None,
        ..PlanDocument::identity(plan)
    })
}

fn id_of(identity: &PlanDocument<'_>) -> String {
    let mut hasher = BufWriter::new(Sha256::new());
    serde_json::to_writer(&mut hasher, &identity).expect("a hasher takes every byte");
    hasher.flush().expect("a hasher takes every byte");
    format!("{:x}", hasher.get_ref().clone().finalize())
}

// Serde wants a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
