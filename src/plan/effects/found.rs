//! The effects that were found, with their causes.

use crate::kinds;
use crate::model::{CompactText, FieldRef, Key};
use crate::plan::effect_budget::has_budget;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The number of effects of one name that a plan lists.
const MAX_LISTED: usize = 10_000;
/// The number of users that an effect on visibility names.
const MAX_SEEN: usize = 1_000;

macro_rules! effect_names {
    ($($name:ident $word:literal)*) => {
        /// What somebody gains or loses, or what changes. In the order of the words.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum EffectName { $($name),* }

        impl EffectName {
            /// All names, sorted.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in plans and in the configuration.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

effect_names! {
    AccessGained "access.gained"
    AccessLost "access.lost"
    AdministratorGained "administrator.gained"
    AdministratorLost "administrator.lost"
    ApproverGained "approver.gained"
    ApproverLost "approver.lost"
    BuyingGained "buying.gained"
    BuyingLost "buying.lost"
    FieldChanged "field.changed"
    PriceChanged "price.changed"
    ReviewedGained "reviewed.gained"
    ReviewedLost "reviewed.lost"
    StoreGained "store.gained"
    StoreLost "store.lost"
    VisibilityNarrowed "visibility.narrowed"
    VisibilityWidened "visibility.widened"
}

impl EffectName {
    /// Whether it is about who sees whom.
    #[must_use]
    pub fn is_sight(self) -> bool {
        matches!(self, Self::VisibilityNarrowed | Self::VisibilityWidened)
    }

    /// The effect called `word`.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.word() == word)
    }
}

/// One effect of a plan.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PlanEffect {
    pub name: EffectName,
    /// Whom it concerns: a user, of `price.changed` an account, of `field.changed` any resource.
    pub key: Key,
    /// The account, policy or store, or the name of the field; empty where the effect has none.
    pub object: CompactText,
    /// Of `price.changed` the tags before, of visibility the users.
    pub before: Vec<CompactText>,
    /// Of `price.changed` the tags after.
    pub after: Vec<CompactText>,
    /// How many more users there are, where `before` has only the first.
    pub omitted: u64,
    /// The resources whose steps cause it, sorted.
    pub because: Vec<Key>,
}

/// The effects of a plan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlanEffects {
    /// The first of each name, sorted.
    pub listed: Vec<PlanEffect>,
    /// How many more there are of each name.
    pub omitted: BTreeMap<String, u64>,
}

impl PlanEffects {
    /// Keeps the first of each name, and counts the others.
    pub(crate) fn truncate(&mut self, limit: usize) {
        let mut kept: BTreeMap<EffectName, usize> = BTreeMap::new();
        let omitted = &mut self.omitted;
        self.listed.retain(|effect| {
            let count = kept.entry(effect.name).or_default();
            *count += 1;
            if *count > limit {
                *omitted.entry(effect.name.word().to_owned()).or_default() += 1;
            }
            *count <= limit
        });
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Leaves out effects. How many more there are of a name is only known of all of them.
    pub(in crate::plan) fn retain(&mut self, is_kept: impl Fn(&PlanEffect) -> bool) {
        let before = self.listed.len();
        self.listed.retain(is_kept);
        let kept: BTreeSet<&str> = self.listed.iter().map(|it| it.name.word()).collect();
        let is_all = self.listed.len() == before;
        self.omitted
            .retain(|name, _| is_all || kept.contains(name.as_str()));
    }

    /// The effects of several entries of one hold. An effect that more than one causes is there
    /// once.
    #[must_use]
    pub fn union<'e>(all: impl Iterator<Item = &'e Self>) -> Self {
        let mut union = Self::default();
        for effects in all {
            union.listed.extend_from_slice(&effects.listed);
            for (name, count) in &effects.omitted {
                let omitted = union.omitted.entry(name.clone()).or_default();
                *omitted = (*omitted).max(*count);
            }
        }
        union.listed.sort();
        union.listed.dedup();
        union
    }
}

/// What of a plan causes an effect.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::plan) struct EffectCause {
    pub key: Key,
    /// The change that matters, or `None` if it is the whole step.
    pub field: Option<FieldRef>,
}

impl EffectCause {
    /// The whole step of a resource.
    pub fn whole(key: Key) -> Self {
        Self { key, field: None }
    }
}

/// An effect with the changes that cause it.
#[derive(Debug)]
pub(in crate::plan) struct FoundEffect {
    pub effect: PlanEffect,
    pub causes: BTreeSet<EffectCause>,
}

/// Which effects are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::plan) enum EffectFilter {
    /// The first of each name, and the number of the others.
    First,
    /// All of them.
    All,
    /// Those with a budget, all of them. Users whom the plan creates are in no budget.
    Budgeted,
}

/// The effects found so far.
#[derive(Debug)]
pub(in crate::plan) struct EffectList {
    filter: EffectFilter,
    pub found: Vec<FoundEffect>,
    counts: BTreeMap<EffectName, usize>,
    /// How many were found before this list begins.
    earlier: BTreeMap<EffectName, usize>,
}

/// Effects by the resources whose changes cause them.
pub(super) struct EffectsByCause<'e>(HashMap<&'e Key, Vec<&'e PlanEffect>>);

impl EffectList {
    pub fn new(filter: EffectFilter) -> Self {
        Self {
            filter,
            found: Vec::new(),
            counts: BTreeMap::new(),
            earlier: BTreeMap::new(),
        }
    }

    /// An empty list that goes on after this one, and keeps nothing that would not be listed.
    pub(super) fn next(&self) -> Self {
        Self {
            earlier: self.counts.clone(),
            ..Self::new(self.filter)
        }
    }

    /// Adds an effect of a user on something else, which may be empty.
    pub(super) fn add(
        &mut self,
        name: EffectName,
        key: &Key,
        object: &str,
        causes: impl FnOnce() -> BTreeSet<EffectCause>,
    ) {
        if self.takes(name) {
            self.push(blank(name, key, object), causes());
        }
    }

    pub(super) fn add_field(&mut self, key: &Key, field: &FieldRef, cause: EffectCause) {
        let name = kinds::get(key.kind).field_name(field);
        self.add(EffectName::FieldChanged, key, &name, || [cause].into());
    }

    pub(super) fn add_price(
        &mut self,
        key: &Key,
        before: &BTreeSet<CompactText>,
        after: &BTreeSet<CompactText>,
        causes: impl FnOnce() -> BTreeSet<EffectCause>,
    ) {
        if self.takes(EffectName::PriceChanged) {
            let effect = PlanEffect {
                before: before.iter().cloned().collect(),
                after: after.iter().cloned().collect(),
                ..blank(EffectName::PriceChanged, key, "")
            };
            self.push(effect, causes());
        }
    }

    pub(super) fn add_sight(
        &mut self,
        name: EffectName,
        key: &Key,
        sees: &[CompactText],
        causes: impl FnOnce() -> BTreeSet<EffectCause>,
    ) {
        if self.takes(name) {
            let named = &sees[..sees.len().min(MAX_SEEN)];
            let effect = PlanEffect {
                before: named.to_vec(),
                omitted: (sees.len() - named.len()) as u64,
                ..blank(name, key, "")
            };
            self.push(effect, causes());
        }
    }

    /// Counts an effect. Returns whether it is kept too. Those of one name come in their order, so
    /// the first are kept.
    fn takes(&mut self, name: EffectName) -> bool {
        let count = self.counts.entry(name).or_default();
        *count += 1;
        match self.filter {
            EffectFilter::First => {
                let earlier = self.earlier.get(&name).copied().unwrap_or_default();
                earlier + *count <= MAX_LISTED
            }
            EffectFilter::All => true,
            EffectFilter::Budgeted => has_budget(name),
        }
    }

    fn push(&mut self, mut effect: PlanEffect, causes: BTreeSet<EffectCause>) {
        let keys: BTreeSet<&Key> = causes.iter().map(|cause| &cause.key).collect();
        effect.because = keys.into_iter().cloned().collect();
        self.found.push(FoundEffect { effect, causes });
    }

    /// Adds what was found about later resources.
    pub(super) fn append(&mut self, later: Self) {
        for (name, count) in later.counts {
            *self.counts.entry(name).or_default() += count;
        }
        self.found.extend(later.found);
    }

    /// The effects by the resources that cause them: a bad merge holds as many steps as it causes
    /// effects, and looking through all for each would never end.
    pub(super) fn by_cause(&self) -> EffectsByCause<'_> {
        let mut by_cause: HashMap<&Key, Vec<&PlanEffect>> = HashMap::new();
        for effect in self.found.iter().map(|it| &it.effect) {
            for key in &effect.because {
                by_cause.entry(key).or_default().push(effect);
            }
        }
        EffectsByCause(by_cause)
    }

    /// The effects to show.
    pub fn into_effects(self) -> PlanEffects {
        let found = self.found.into_iter().map(|it| it.effect);
        first_effects(found.collect(), self.counts)
    }
}

impl EffectsByCause<'_> {
    /// The effects that changes of one resource cause.
    pub(super) fn of(&self, key: &Key) -> PlanEffects {
        let own = self.0.get(key).into_iter().flatten();
        let own: Vec<PlanEffect> = own.copied().cloned().collect();
        let mut counts = BTreeMap::new();
        for effect in &own {
            *counts.entry(effect.name).or_default() += 1;
        }
        first_effects(own, counts)
    }
}

/// The first effects of each name, sorted, and the number of the others.
fn first_effects(mut listed: Vec<PlanEffect>, counts: BTreeMap<EffectName, usize>) -> PlanEffects {
    listed.sort_by(|a, b| {
        let place = |it: &PlanEffect| (it.name, kinds::get(it.key.kind).name);
        (place(a), a).cmp(&(place(b), b))
    });
    let mut kept: BTreeMap<EffectName, usize> = BTreeMap::new();
    listed.retain(|effect| {
        let count = kept.entry(effect.name).or_default();
        *count += 1;
        *count <= MAX_LISTED
    });
    let omitted = counts.into_iter().filter(|(_, count)| *count > MAX_LISTED);
    let omitted =
        omitted.map(|(name, count)| (name.word().to_owned(), (count - MAX_LISTED) as u64));
    PlanEffects {
        omitted: omitted.collect(),
        listed,
    }
}

fn blank(name: EffectName, key: &Key, object: &str) -> PlanEffect {
    PlanEffect {
        name,
        key: key.clone(),
        object: CompactText::new(object),
        before: Vec::new(),
        after: Vec::new(),
        omitted: 0,
        because: Vec::new(),
    }
}
