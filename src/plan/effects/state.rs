//! The directory below and above some changes, as far as effects ask for it. Nothing is copied: a
//! resource is its row, with the changes of each [`DeltaLayer`] on top. Rows are looked up in the
//! snapshot, so that a partial one learns what it lacks.

use super::fields::EffectFields;
use crate::check::{PlannedChange, PlannedOutcome};
use crate::kinds;
use crate::model::{
    CompactText, DeclaredResource, FieldChange, FieldRef, Key, KeyedList, KindId, Link, Row,
    Snapshot, SnapshotLookup, Value,
};
use crate::plan::types::{HoldEntry, StepVerb};
use crate::plan::visibility::ReachingChange;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Changes that apply together.
pub(in crate::plan) struct DeltaLayer<'a> {
    changes: LayerChanges<'a>,
    /// All of them by kind, sorted by resource.
    by_kind: BTreeMap<KindId, Vec<ResourceDelta<'a>>>,
}

enum LayerChanges<'a> {
    Planned(&'a KeyedList<PlannedChange>),
    Held(BTreeMap<&'a Key, Vec<&'a HoldEntry>>),
}

/// One change to one resource.
#[derive(Clone, Copy)]
pub(super) struct ResourceDelta<'a> {
    pub key: &'a Key,
    body: DeltaBody<'a>,
}

#[derive(Clone, Copy)]
enum DeltaBody<'a> {
    Create(Option<&'a DeclaredResource>, &'a [FieldChange]),
    /// Lists are whole or reduced to the members that differ.
    Change(&'a [FieldChange]),
    Delete,
}

impl<'a> DeltaLayer<'a> {
    /// What is planned.
    pub fn planned(planned: &'a KeyedList<PlannedChange>) -> Self {
        let all = planned.iter().map(ResourceDelta::of_planned);
        Self {
            by_kind: by_kind(all),
            changes: LayerChanges::Planned(planned),
        }
    }

    /// What is held.
    pub fn held(entries: impl Iterator<Item = &'a HoldEntry>) -> Self {
        let mut held: BTreeMap<&Key, Vec<&HoldEntry>> = BTreeMap::new();
        for entry in entries {
            held.entry(&entry.key).or_default().push(entry);
        }
        let all = held.values().flatten().copied();
        Self {
            by_kind: by_kind(all.map(ResourceDelta::of_held)),
            changes: LayerChanges::Held(held),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }

    /// The changes of one resource, in the order in which they apply.
    pub(super) fn of(&self, key: &Key) -> impl Iterator<Item = ResourceDelta<'a>> + use<'a> {
        let (planned, held) = match &self.changes {
            LayerChanges::Planned(planned) => (planned.get(key), None),
            LayerChanges::Held(held) => (None, held.get(key)),
        };
        let held: Vec<&'a HoldEntry> = held.cloned().unwrap_or_default();
        let planned = planned.map(ResourceDelta::of_planned);
        planned
            .into_iter()
            .chain(held.into_iter().map(ResourceDelta::of_held))
    }

    /// All changes of resources of a kind, sorted by resource.
    pub(super) fn of_kind(&self, kind: KindId) -> &[ResourceDelta<'a>] {
        self.by_kind.get(&kind).map_or(&[], Vec::as_slice)
    }
}

fn by_kind<'a>(
    all: impl Iterator<Item = ResourceDelta<'a>>,
) -> BTreeMap<KindId, Vec<ResourceDelta<'a>>> {
    let mut by_kind: BTreeMap<KindId, Vec<ResourceDelta<'_>>> = BTreeMap::new();
    for delta in all {
        by_kind.entry(delta.key.kind).or_default().push(delta);
    }
    for deltas in by_kind.values_mut() {
        deltas.sort_by(|a, b| a.key.cmp(b.key));
    }
    by_kind
}

impl<'a> ResourceDelta<'a> {
    fn of_planned(planned: &'a PlannedChange) -> Self {
        Self {
            key: &planned.key,
            body: match &planned.outcome {
                PlannedOutcome::Create { declared, derived } => {
                    DeltaBody::Create(Some(declared), derived)
                }
                PlannedOutcome::Change(changes) => DeltaBody::Change(changes),
                PlannedOutcome::Delete(_) => DeltaBody::Delete,
            },
        }
    }

    fn of_held(held: &'a HoldEntry) -> Self {
        Self {
            key: &held.key,
            body: match held.verb {
                StepVerb::Create => DeltaBody::Create(None, &held.changes),
                StepVerb::Delete => DeltaBody::Delete,
                _ => DeltaBody::Change(&held.changes),
            },
        }
    }

    /// Whether the resource comes or goes as a whole.
    pub fn is_whole(&self) -> bool {
        !matches!(self.body, DeltaBody::Change(_))
    }

    /// The change of one field; of a resource that comes or goes there is none.
    pub fn change(&self, field: &FieldRef) -> Option<&'a FieldChange> {
        match self.body {
            DeltaBody::Change(changes) => changes.iter().find(|change| change.field == *field),
            DeltaBody::Create(..) | DeltaBody::Delete => None,
        }
    }

    fn created(&self, field: &FieldRef) -> Option<&'a Value> {
        let DeltaBody::Create(declared, derived) = self.body else {
            return None;
        };
        let stated = declared.and_then(|declared| declared.stated(field)?.cell.value());
        let derived = || derived.iter().find(|change| change.field == *field);
        stated.or_else(|| derived()?.after.as_ref())
    }

    fn applied(&self, field: &FieldRef, value: Option<Cow<'a, Value>>) -> Option<Cow<'a, Value>> {
        match self.body {
            DeltaBody::Create(..) => self.created(field).map(Cow::Borrowed),
            DeltaBody::Delete => None,
            DeltaBody::Change(_) => match self.change(field) {
                Some(change) => changed(value.as_deref(), change),
                None => value,
            },
        }
    }
}

impl ReachingChange for ResourceDelta<'_> {
    fn key(&self) -> &Key {
        self.key
    }

    fn creates(&self) -> bool {
        matches!(self.body, DeltaBody::Create(..))
    }

    fn deletes(&self) -> bool {
        matches!(self.body, DeltaBody::Delete)
    }

    fn change_of(&self, field: &FieldRef) -> Option<Cow<'_, FieldChange>> {
        if let Some(after) = self.created(field) {
            return Some(Cow::Owned(FieldChange {
                field: field.clone(),
                before: None,
                after: Some(after.clone()),
            }));
        }
        self.change(field).map(Cow::Borrowed)
    }
}

/// A value after a change.
fn changed<'a>(value: Option<&Value>, change: &'a FieldChange) -> Option<Cow<'a, Value>> {
    match change.before.as_ref().or(change.after.as_ref()) {
        Some(Value::List(_) | Value::Links(_)) => change.merged_list(value).map(Cow::Owned),
        _ => change.after.as_ref().map(Cow::Borrowed),
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = &CompactText> {
    value.into_iter().flat_map(Value::members)
}

pub(super) fn links(value: Option<&Value>) -> &[Link] {
    value.map_or(&[], Value::as_links)
}

/// The stored rows with some layers of changes on top.
pub(super) struct EffectState<'a> {
    stored: &'a Snapshot,
    layers: Vec<&'a DeltaLayer<'a>>,
    pub fields: &'a EffectFields,
}

/// One resource in a state.
pub(super) struct ResourceFacts<'a> {
    row: Option<&'a Row>,
    deltas: Vec<ResourceDelta<'a>>,
}

impl<'a> EffectState<'a> {
    pub fn new(
        stored: &'a Snapshot,
        layers: Vec<&'a DeltaLayer<'a>>,
        fields: &'a EffectFields,
    ) -> Self {
        Self {
            stored,
            layers,
            fields,
        }
    }

    /// The resource, if it exists.
    pub fn facts(&self, key: &Key) -> Option<ResourceFacts<'a>> {
        let row = self.stored.rows.get(key);
        let layers = self.layers.iter();
        let deltas: Vec<_> = layers.flat_map(|layer| layer.of(key)).collect();
        let exists = match deltas.last() {
            Some(last) => !last.deletes() && (row.is_some() || deltas[0].creates()),
            None => row.is_some(),
        };
        exists.then_some(ResourceFacts { row, deltas })
    }

    pub fn stored(&self) -> &'a Snapshot {
        self.stored
    }

    /// The resources of a kind that the layers change.
    pub fn touched(&self, kind: KindId) -> impl Iterator<Item = &'a Key> {
        let layers = self.layers.iter();
        layers
            .flat_map(move |layer| layer.of_kind(kind))
            .map(|delta| delta.key)
    }

    pub fn facts_of(&self, kind: KindId, id: &str) -> Option<ResourceFacts<'a>> {
        self.facts(&Key::new(kind, id))
    }

    /// Whether a resource is there, active and not blocked.
    pub fn is_in_use(&self, kind: KindId, id: &str) -> bool {
        self.facts_of(kind, id).is_some_and(|it| it.is_in_use())
    }

    /// Whether an account is active, approved and not blocked.
    pub fn is_usable(&self, account: &str) -> bool {
        let facts = self.facts_of(kinds::ACCOUNT, account);
        facts.is_some_and(|it| it.is_in_use() && it.is_approved(|| self.new_accounts_wait()))
    }

    fn new_accounts_wait(&self) -> bool {
        self.setting(self.fields.account_approval) == Some(Value::Bool(true))
    }

    /// A setting, or its default.
    pub fn setting(&self, index: usize) -> Option<Value> {
        let settings = self.facts(&kinds::settings_key());
        let value = settings.and_then(|it| Some(it.value(index)?.into_owned()));
        let field = &kinds::get(kinds::SETTINGS).fields[index];
        value.or_else(|| field.default.value())
    }

    /// The resources of a kind that refer to one of some ids by a field, here or without the upper
    /// layers, sorted.
    pub fn referrers(
        &self,
        kind: KindId,
        field: usize,
        ids: &BTreeSet<CompactText>,
    ) -> BTreeSet<Key> {
        if ids.is_empty() {
            return BTreeSet::new();
        }
        let target = kinds::get(kind).references().find(|(at, _)| *at == field);
        let target = target.map_or(kind, |(_, target)| target);
        let rows = &self.stored.rows;
        rows.note_lookups(|| {
            let ids = ids.iter();
            ids.map(|id| SnapshotLookup::Referrers(kind, field, Key::new(target, id)))
        });
        let refers = |value: Option<&Value>| match value {
            Some(Value::Text(id)) => ids.contains(id),
            value => members(value).any(|id| ids.contains(id)),
        };
        let own = kinds::own_field(field);
        let read = rows.iter().as_slice().par_iter();
        let read = read.filter(|row| row.key.kind == kind && refers(row.value(&own)));
        let mut found: BTreeSet<Key> = read.map(|row| row.key.clone()).collect();
        let touched = self.touched(kind).filter(|key| {
            let facts = self.facts(key);
            facts.is_some_and(|it| refers(it.value(field).as_deref()))
        });
        found.extend(touched.cloned());
        found
    }
}

impl<'a> ResourceFacts<'a> {
    pub fn value(&self, index: usize) -> Option<Cow<'a, Value>> {
        let field = kinds::own_field(index);
        let value = self.row.and_then(|row| row.value(&field));
        let deltas = self.deltas.iter();
        deltas.fold(value.map(Cow::Borrowed), |value, delta| {
            delta.applied(&field, value)
        })
    }

    pub fn text(&self, index: usize) -> Option<CompactText> {
        match self.value(index)?.as_ref() {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The members of a list, sorted.
    pub fn members(&self, index: usize) -> BTreeSet<CompactText> {
        let value = self.value(index);
        members(value.as_deref()).cloned().collect()
    }

    /// Whether it is active and not blocked.
    pub fn is_in_use(&self) -> bool {
        let kind = self
            .row
            .map_or_else(|| self.deltas[0].key.kind, |row| row.key.kind);
        let status = self.value(kinds::get(kind).status_index());
        let is_active = status.is_none_or(|status| status.as_text() == Some("active"));
        is_active
            && self
                .row
                .is_none_or(|row| row.facts.get("blocked").is_none())
    }

    fn is_approved(&self, new_ones_wait: impl FnOnce() -> bool) -> bool {
        match self.row {
            Some(row) => {
                let approval = row.facts.get("approval");
                approval.is_none_or(|approval| approval == "approved")
            }
            None => !new_ones_wait(),
        }
    }
}
