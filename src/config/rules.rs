//! `guards:` and `authority:` as written. Names of kinds and fields are checked here, because a
//! misspelt guard would protect nothing.

use super::values::{DAY, parse_duration};
use crate::diagnostic::none_called;
use crate::kinds::{self, Field};
use crate::model::{FieldRef, KindId};
use crate::plan::{
    AuthorityMode, EffectBudget, EffectName, GuardLimit, GuardLimits, SourceAuthority,
    distinct_people,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// `authority: {Account: {existence: false, enforce: [..], seed: [..], observe: [..]}}`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthoritySpec {
    existence: Option<bool>,
    #[serde(default)]
    enforce: Vec<String>,
    #[serde(default)]
    seed: Vec<String>,
    #[serde(default)]
    observe: Vec<String>,
}

impl AuthoritySpec {
    pub fn resolve(&self, kind: &str, authority: &mut SourceAuthority) -> Result<(), String> {
        let kind = known_kind(kind)?;
        if self.existence == Some(false) {
            authority.undecided_kinds.insert(kind.id);
        }
        let modes = [
            (AuthorityMode::Enforce, &self.enforce),
            (AuthorityMode::Seed, &self.seed),
            (AuthorityMode::Observe, &self.observe),
        ];
        for (mode, fields) in modes {
            for field in fields {
                known_field(kind, field)?;
                if authority
                    .fields
                    .insert((kind.id, field.clone()), mode)
                    .is_some()
                {
                    // Two modes for one field contradict each other, and the order in the file must
                    // not decide.
                    return Err(format!("authority: {}.{field} is named twice", kind.name));
                }
            }
        }
        Ok(())
    }
}

/// `shop: {authority: {User: [phone]}}`: those fields are seeds for every source.
pub(super) fn shop(file: &BTreeMap<String, Vec<String>>) -> Result<SourceAuthority, String> {
    let mut authority = SourceAuthority::default();
    for (kind, fields) in file {
        let kind = known_kind(kind)?;
        for field in fields {
            known_field(kind, field)?;
            authority
                .fields
                .insert((kind.id, field.clone()), AuthorityMode::Seed);
        }
    }
    Ok(authority)
}

/// The most people that an approval may take.
const MOST_APPROVALS: u32 = 10;

/// `approvals: {access.lost: 2}`: how many people have to approve a hold with such an effect.
pub(super) fn approvals(
    written: &BTreeMap<String, u32>,
    approvers: &[String],
) -> Result<BTreeMap<EffectName, u32>, String> {
    let people = distinct_people(approvers);
    let read = written.iter().map(|(word, needed)| {
        let known = EffectName::ALL.iter().map(|name| name.word());
        let name = EffectName::by_word(word);
        let name = name.ok_or_else(|| format!("approvals: {}", none_called("effect", word, known)))?;
        if !(1..=MOST_APPROVALS).contains(needed) {
            return Err(format!(
                "approvals: `{word}` is {needed}; write how many people have to approve, from 1 to {MOST_APPROVALS}"
            ));
        }
        // Nothing with this effect could ever be approved.
        if !people.is_empty() && people.len() < *needed as usize {
            return Err(format!(
                "approvals: `{word}` takes {needed} people, but `approvers` names {}",
                people.len()
            ));
        }
        Ok((name, *needed))
    });
    read.collect()
}

/// `effects: {fields: [User.customFields.x]}`: the fields whose changes are effects.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EffectsSpec {
    #[serde(default)]
    fields: Vec<String>,
}

impl EffectsSpec {
    pub fn resolve(&self) -> Result<BTreeSet<(KindId, FieldRef)>, String> {
        let fields = self.fields.iter().map(|name| {
            let parts = name.split_once('.');
            let (kind, field) =
                parts.ok_or_else(|| format!("effects.fields: `{name}` is not a field"))?;
            let kind = known_kind(kind)?;
            let of_kind = kind.field_ref(field);
            let field = of_kind.filter(|_| known_field(kind, field).is_ok());
            let is_secret = |field: &FieldRef| kind.field(field).is_some_and(Field::is_secret);
            match field {
                Some(field) if !is_secret(&field) => Ok((kind.id, field)),
                _ => Err(format!(
                    "effects.fields: `{name}` is not a field that can be compared"
                )),
            }
        });
        fields.collect()
    }
}

fn known_kind(name: &str) -> Result<&'static kinds::Kind, String> {
    kinds::by_name(name).ok_or_else(|| format!("no kind `{name}`"))
}

fn known_field(kind: &kinds::Kind, name: &str) -> Result<(), String> {
    let group = kind.group(name).next().is_some();
    // Custom fields are declared in manifests, so their names are not known here.
    let custom = kind.applies_to_word.is_some()
        && (name == "customFields" || name.starts_with("customFields."));
    if kind.index(name).is_some() || group || custom {
        Ok(())
    } else {
        Err(format!("{} has no field `{name}`", kind.name))
    }
}

/// `guards:` as written. Limits that are missing keep their default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct GuardsSpec {
    deactivate: Option<GuardLimitSpec>,
    delete: Option<GuardLimitSpec>,
    reactivate: Option<GuardLimitSpec>,
    clear: Option<GuardLimitSpec>,
    unlink: Option<GuardLimitSpec>,
    #[serde(default)]
    change: BTreeMap<String, GuardLimitSpec>,
    per_account: Option<GuardLimitSpec>,
    blank: Option<GuardLimitSpec>,
    window: Option<String>,
    #[serde(rename = "access.gained")]
    access_gained: Option<GuardLimitSpec>,
    #[serde(rename = "access.lost")]
    access_lost: Option<GuardLimitSpec>,
    #[serde(rename = "administrator.lost")]
    administrator_lost: Option<GuardLimitSpec>,
    #[serde(rename = "approver.lost")]
    approver_lost: Option<GuardLimitSpec>,
    #[serde(rename = "price.changed")]
    price_changed: Option<GuardLimitSpec>,
    #[serde(rename = "visibility.widened")]
    visibility_widened: Option<GuardLimitSpec>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GuardLimitSpec {
    percent: u64,
    floor: u64,
    max: Option<u64>,
}

impl From<GuardLimitSpec> for GuardLimit {
    fn from(file: GuardLimitSpec) -> Self {
        Self {
            percent: file.percent,
            floor: file.floor,
            max: file.max,
        }
    }
}

impl GuardsSpec {
    pub fn resolve(self) -> Result<(GuardLimits, Duration), String> {
        let mut guards = GuardLimits::default();
        let slots = [
            (&mut guards.deactivate, self.deactivate),
            (&mut guards.delete, self.delete),
            (&mut guards.reactivate, self.reactivate),
            (&mut guards.clear, self.clear),
            (&mut guards.unlink, self.unlink),
            (&mut guards.per_account, self.per_account),
            (&mut guards.blank, self.blank),
        ];
        for (slot, file) in slots {
            if let Some(file) = file {
                *slot = file.into();
            }
        }
        let effects = [
            (EffectBudget::AccessGained, self.access_gained),
            (EffectBudget::AccessLost, self.access_lost),
            (EffectBudget::AdministratorLost, self.administrator_lost),
            (EffectBudget::ApproverLost, self.approver_lost),
            (EffectBudget::PriceChanged, self.price_changed),
            (EffectBudget::VisibilityWidened, self.visibility_widened),
        ];
        for (budget, file) in effects {
            if let Some(file) = file {
                guards.effects.insert(budget, file.into());
            }
        }
        for (name, file) in self.change {
            let (kind, field) = name
                .split_once('.')
                .ok_or_else(|| format!("guards.change: `{name}` is not a field"))?;
            let kind = known_kind(kind)?;
            // `User.accounts.level` names an attribute of links, so only its first part is a field.
            known_field(kind, field.split('.').next().unwrap_or(field))
                .or_else(|_| known_field(kind, field))?;
            guards.change.insert(name, file.into());
        }
        let window = self.window.map_or(Ok(DAY), |text| parse_duration(&text))?;
        Ok((guards, window))
    }
}
