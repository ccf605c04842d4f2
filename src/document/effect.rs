//! Who gains or loses what by a plan.

use crate::kinds::{ACCOUNT, USER};
use crate::model::{CompactText, Key, KindId};
use crate::plan::{EffectName, PlanEffect, PlanEffects};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One effect of a plan. Which members it has follows from `effect`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(!deny_unknown_fields)]
pub struct EffectDocument<'a> {
    /// What somebody gains or loses, or what changes, such as `access.lost`.
    pub effect: Cow<'a, str>,
    /// The external id of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Cow<'a, str>>,
    /// Of `buying.*`, `administrator.*` and `price.changed`: the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Cow<'a, str>>,
    /// Of `approver.*` and `reviewed.*`: the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Cow<'a, str>>,
    /// Of `store.*`: the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<Cow<'a, str>>,
    /// Of `visibility.*`: the users whom the user sees from now on, or no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sees: Option<Vec<Cow<'a, str>>>,
    /// How many more users `sees` has, where it names only the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u64>,
    /// Of `price.changed`: the active tags before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<Cow<'a, str>>>,
    /// Of `price.changed`: the active tags after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<Cow<'a, str>>>,
    /// Of `field.changed`: the kind of the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindId>,
    /// Of `field.changed`: the external id of the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Cow<'a, str>>,
    /// Of `field.changed`: the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Cow<'a, str>>,
    /// The resources, as `KIND/ID`, whose steps cause it.
    pub because: Vec<String>,
}

fn texts(ids: &[CompactText]) -> Vec<Cow<'_, str>> {
    ids.iter().map(|id| Cow::Borrowed(id.as_str())).collect()
}

impl<'a> From<&'a PlanEffect> for EffectDocument<'a> {
    fn from(found: &'a PlanEffect) -> Self {
        let id = Some(Cow::Borrowed(&*found.key.id));
        let object = Some(Cow::Borrowed(found.object.as_str()));
        let mut because: Vec<String> = found.because.iter().map(ToString::to_string).collect();
        because.sort();
        let blank = Self {
            effect: Cow::Borrowed(found.name.word()),
            because,
            ..Self::default()
        };
        let of_user = Self {
            user: id.clone(),
            ..blank.clone()
        };
        match found.name {
            EffectName::AccessGained | EffectName::AccessLost => of_user,
            EffectName::AdministratorGained
            | EffectName::AdministratorLost
            | EffectName::BuyingGained
            | EffectName::BuyingLost => Self {
                account: object,
                ..of_user
            },
            EffectName::ApproverGained
            | EffectName::ApproverLost
            | EffectName::ReviewedGained
            | EffectName::ReviewedLost => Self {
                policy: object,
                ..of_user
            },
            EffectName::StoreGained | EffectName::StoreLost => Self {
                store: object,
                ..of_user
            },
            EffectName::VisibilityNarrowed | EffectName::VisibilityWidened => Self {
                sees: Some(texts(&found.before)),
                omitted: (found.omitted > 0).then_some(found.omitted),
                ..of_user
            },
            EffectName::PriceChanged => Self {
                account: id,
                before: Some(texts(&found.before)),
                after: Some(texts(&found.after)),
                ..blank
            },
            EffectName::FieldChanged => Self {
                kind: Some(found.key.kind),
                external_id: id,
                field: object,
                ..blank
            },
        }
    }
}

/// Reads the effects of a plan or of a held entry. Documents of older releases have none.
pub(crate) fn read_effects<'a>(
    listed: Option<impl IntoIterator<Item = EffectDocument<'a>>>,
    omitted: BTreeMap<String, u64>,
) -> Result<PlanEffects, String> {
    let listed = listed.into_iter().flatten().map(PlanEffect::try_from);
    Ok(PlanEffects {
        listed: listed.collect::<Result<_, _>>()?,
        omitted,
    })
}

impl TryFrom<EffectDocument<'_>> for PlanEffect {
    type Error = String;

    fn try_from(read: EffectDocument<'_>) -> Result<Self, String> {
        let name = EffectName::by_word(&read.effect)
            .ok_or_else(|| format!("`{}` is not an effect", read.effect))?;
        let ids = |ids: Option<Vec<Cow<'_, str>>>| {
            let ids = ids.unwrap_or_default().into_iter();
            ids.map(CompactText::new).collect::<Vec<_>>()
        };
        let (key, object) = match name {
            EffectName::PriceChanged => (Key::new(ACCOUNT, read.account.unwrap_or_default()), None),
            EffectName::FieldChanged => {
                let id = read.external_id.unwrap_or_default();
                (Key::new(read.kind.unwrap_or(USER), id), read.field)
            }
            _ => {
                let object = read.account.or(read.policy).or(read.store);
                (Key::new(USER, read.user.unwrap_or_default()), object)
            }
        };
        let because = read
            .because
            .iter()
            .map(|key| Key::parse(key).ok_or_else(|| format!("`{key}` is not a resource")));
        // Sorted as text in the document, and by kind here.
        let mut because: Vec<Key> = because.collect::<Result<_, _>>()?;
        because.sort();
        Ok(Self {
            name,
            key,
            object: CompactText::new(object.unwrap_or_default()),
            before: match read.sees {
                Some(sees) => ids(Some(sees)),
                None => ids(read.before),
            },
            after: ids(read.after),
            omitted: read.omitted.unwrap_or_default(),
            because,
        })
    }
}
