//! The held entries of a plan.

use super::change_reading::changes;
use super::step::ConsequenceDocument;
use super::{
    EffectDocument, FieldChangeDocument, ImpactDocument, OriginDocument, UndoneChangeDocument,
    present, read_effects,
};
use crate::diagnostic::{Code, Origin};
use crate::model::{Key, KindId};
use crate::plan::{HoldEntry, StepVerb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A step, or a part of one, that is held.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct HoldDocument<'a> {
    /// What would happen.
    pub verb: StepVerb,
    /// The kind of the resource.
    pub kind: KindId,
    /// The external id of the resource.
    pub external_id: Cow<'a, str>,
    /// The code of the rule.
    pub code: Code,
    /// The code of the rule at the root, if the step is held because another one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Code>,
    /// What is held, and why.
    pub message: Cow<'a, str>,
    /// The id for an approval. Steps that are held together share it.
    pub hold: Cow<'a, str>,
    /// For a guard: the number of steps under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// For a guard: the number of resources that the steps are a share of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// For a guard: the largest number that it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The option of `roster apply` that applies it.
    #[serde(rename = "override", default, skip_serializing_if = "Option::is_none")]
    pub accept_option: Option<Cow<'a, str>>,
    /// Where the resource is declared or, for a removal, was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginDocument<'a>>,
    /// The held changes, one per field.
    pub changes: Vec<FieldChangeDocument<'a>>,
    /// The external id of the resource that seems to be the same under a new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub becomes: Option<Cow<'a, str>>,
    /// What else would go or change because of it. It is held, and approved, with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequences: Vec<ConsequenceDocument<'a>>,
    /// Who would gain or lose what if its hold were approved.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schemars(required)]
    pub effects: Option<Vec<EffectDocument<'a>>>,
    /// How many more effects of each name there are, where `effects` has only the first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub effects_omitted: BTreeMap<String, u64>,
    /// How many people have to approve its hold, if one is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals_needed: Option<u32>,
    /// What the queries of `impact` say of what it would take out of use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub impact: Vec<ImpactDocument<'a>>,
    /// The recorded changes that it would take back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<UndoneChangeDocument<'a>>,
    /// Whether the plan of the base holds it already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_on_base: bool,
}

impl<'a> From<&'a HoldEntry> for HoldDocument<'a> {
    fn from(held: &'a HoldEntry) -> Self {
        Self {
            verb: held.verb,
            kind: held.key.kind,
            external_id: Cow::Borrowed(&*held.key.id),
            code: held.code,
            root: (held.root != held.code).then_some(held.root),
            message: Cow::Borrowed(&held.message),
            hold: Cow::Borrowed(&held.hold),
            count: held.count,
            of: held.total,
            limit: held.limit,
            accept_option: held.accept_option.as_deref().map(Cow::Borrowed),
            origin: held.origin.as_ref().map(OriginDocument::from),
            changes: FieldChangeDocument::all(
                held.key.kind,
                held.verb == StepVerb::Create,
                &held.changes,
            ),
            becomes: held.becomes.as_ref().map(|key| Cow::Borrowed(&*key.id)),
            consequences: ConsequenceDocument::all(&held.consequences),
            effects: Some(
                held.effects
                    .listed
                    .iter()
                    .map(EffectDocument::from)
                    .collect(),
            ),
            effects_omitted: held.effects.omitted.clone(),
            approvals_needed: (held.approvals_needed > 1).then_some(held.approvals_needed),
            impact: ImpactDocument::all(&held.impact),
            reverts: UndoneChangeDocument::all(&held.undoes),
            already_on_base: held.is_on_base,
        }
    }
}

impl TryFrom<HoldDocument<'_>> for HoldEntry {
    type Error = String;

    fn try_from(read: HoldDocument<'_>) -> Result<Self, String> {
        let key = Key::new(read.kind, read.external_id);
        Ok(Self {
            verb: read.verb,
            code: read.code,
            root: read.root.unwrap_or(read.code),
            message: read.message.into_owned(),
            hold: read.hold.into_owned(),
            count: read.count,
            total: read.of,
            limit: read.limit,
            accept_option: read.accept_option.map(Cow::into_owned),
            origin: read.origin.map(Origin::from),
            changes: changes(&key, read.changes)?,
            becomes: read.becomes.map(|id| Key::new(key.kind, id)),
            consequences: ConsequenceDocument::read(read.consequences),
            effects: read_effects(read.effects, read.effects_omitted)?,
            approvals_needed: read.approvals_needed.unwrap_or(1),
            impact: ImpactDocument::read(read.impact)?,
            undoes: UndoneChangeDocument::read(&read.reverts),
            is_on_base: read.already_on_base,
            key,
        })
    }
}
