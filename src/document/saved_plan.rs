//! Reads saved plans back. What was written is read exactly, and anything else is refused.
//!
//! Two things are not in a saved plan and do not come back: the cells that a created resource
//! declares (its changes are there), and secrets, whose values read back as empty text.

use super::effect::read_effects;
use super::plan::plan_id_without_effects;
use super::{
    AccountEntriesDocument, DocumentList, HoldDocument, PlanDocument, StepDocument, plan_id,
};
use crate::diagnostic::Diagnostic;
use crate::plan::visibility::PlanVisibility;
use crate::plan::{HoldEntry, Plan, PlanBase, SourceRef, Step};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::marker::PhantomData;

/// Why a text is not a saved plan.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// It is not JSON, or not a plan.
    #[error("this is not a plan saved by `roster plan --out`: {0}")]
    Form(#[from] serde_json::Error),
    /// It was saved in a format that this version does not read.
    #[error(
        "this plan has format {0}; this version of Roster reads 1.x. Run `roster plan --out` again"
    )]
    Version(String),
    /// Its id does not match its content.
    #[error(
        "this plan was changed after it was saved: its id is {saved}, but its content has {computed}"
    )]
    Changed {
        /// The id in the file.
        saved: String,
        /// The id of its content.
        computed: String,
    },
}

/// Reads a saved plan. Also returns its id.
pub fn parse_plan(text: &str) -> Result<(Plan, String), SavedPlanError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct FormatVersion {
        format_version: String,
    }
    let document = serde_json::from_str::<SavedPlanDocument>(text);
    let version = match &document {
        Ok(document) => Some(document.format_version.to_string()),
        // In a newer format, only the version can be expected to be readable.
        Err(_) => serde_json::from_str::<FormatVersion>(text)
            .ok()
            .map(|version| version.format_version),
    };
    // The version first: a newer format must not be reported as a broken file.
    if let Some(version) = version.filter(|version| !version.starts_with("1.")) {
        return Err(SavedPlanError::Version(version));
    }
    let mut document = document?;
    let knows_effects = document.effects.is_some();
    let saved = document.id.take().unwrap_or_default().into_owned();
    let plan = into_plan(document).map_err(serde_json::Error::custom)?;
    // Computed from what was read, so that a value edited after the review is detected.
    let computed = if knows_effects {
        plan_id(&plan)
    } else {
        plan_id_without_effects(&plan)
    };
    if saved == computed {
        Ok((plan, saved))
    } else {
        Err(SavedPlanError::Changed { saved, computed })
    }
}

/// Reads a saved plan, or the plans of several sources as `--output json` writes them. Also returns
/// their ids.
pub fn parse_plans(text: &str) -> Result<Vec<(Plan, String)>, SavedPlanError> {
    #[derive(Deserialize)]
    struct SavedPlanList<'a> {
        #[serde(borrow)]
        plans: Vec<&'a RawValue>,
    }
    match parse_plan(text) {
        Ok(plan) => Ok(vec![plan]),
        Err(SavedPlanError::Form(error)) => match serde_json::from_str::<SavedPlanList>(text) {
            Ok(list) => list.plans.iter().map(|it| parse_plan(it.get())).collect(),
            Err(_) => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}

/// A plan whose steps and holds are converted while it is read. The documents of all of them would
/// take more memory than the plan.
type SavedPlanDocument = PlanDocument<
    'static,
    FromDocument<StepDocument<'static>, Step>,
    FromDocument<HoldDocument<'static>, HoldEntry>,
>;

/// A value that is read through its document, so that errors are reported with their position.
struct FromDocument<D, T>(T, PhantomData<D>);

impl<'de, D: Deserialize<'de>, T: TryFrom<D, Error = String>> Deserialize<'de>
    for FromDocument<D, T>
{
    fn deserialize<F: Deserializer<'de>>(from: F) -> Result<Self, F::Error> {
        let value = T::try_from(D::deserialize(from)?).map_err(F::Error::custom)?;
        Ok(Self(value, PhantomData))
    }
}

fn into_plan(read: SavedPlanDocument) -> Result<Plan, String> {
    let source = SourceRef {
        name: read.source.name.into(),
        revision: read.source.revision.into(),
    };
    let budgets = read.budgets.into_iter();
    let (budget_use, budget_bases) = budgets
        .map(|(name, budget)| ((name.clone(), budget.count), (name, budget.of)))
        .unzip();
    let remembered = read.remembered.into_vec().into_iter();
    let remembered = remembered.map(|step| step.into_step(&source.name));
    let steps = read.steps.into_vec().into_iter();
    let held = read.held.into_vec().into_iter();
    let diagnostics = read.diagnostics.unwrap_or_default().into_vec().into_iter();
    Ok(Plan {
        budget_use,
        budget_bases,
        remembered_steps: remembered.collect(),
        source,
        database: read.database.flatten().map(Cow::into_owned),
        environment: read.environment.map(Cow::into_owned),
        summary: read.summary,
        steps: steps.map(|read| read.0).collect(),
        held: held.map(|read| read.0).collect(),
        orphans: values(read.orphans),
        released: values(read.released),
        accepted: read.accepted.into_iter().map(Cow::into_owned).collect(),
        diagnostics: diagnostics
            .map(Diagnostic::try_from)
            .collect::<Result<_, _>>()?,
        errored: read.errored,
        partial: read.partial,
        preview: read.preview,
        undeclared: values(read.undeclared),
        logins: values(read.logins),
        effects: read_effects(
            read.effects.map(DocumentList::into_vec),
            read.effects_omitted,
        )?,
        visibility: PlanVisibility {
            changes: values(read.visibility),
            omitted: read.visibility_omitted,
        },
        accounts: AccountEntriesDocument::read(read.accounts.into_vec())?,
        base: read.base.map(PlanBase::from),
        ..Plan::default()
    })
}

fn values<D, T: From<D>>(read: DocumentList<'_, D>) -> Vec<T> {
    read.into_vec().into_iter().map(T::from).collect()
}
