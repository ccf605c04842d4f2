//! The two sides of a comparison: what a source says, and what the database holds.

use super::{
    Claim, CompactText, DeclaredResource, FieldRef, GuardBase, HeldStep, Key, KeyedList, KindId,
    LineColumn, SnapshotLookup, SnapshotRows, StatedField,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What one source says: its desired state, as of one revision.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The name of the source.
    pub source: Arc<str>,
    /// The git commit, or the digest of everything that was read.
    pub revision: Arc<str>,
    /// What it declares, sorted by key.
    pub resources: KeyedList<Arc<DeclaredResource>>,
    /// Why nothing may be removed in this pass: what hides a key. Empty: removals are on.
    pub removals_off: Vec<String>,
    /// Of every declared password reference, how its content stands to the stored one.
    pub secrets: BTreeMap<Key, SecretState>,
    /// Whether it says only some things of what it names, as an export does: what it does not say
    /// keeps, a status too.
    pub partial: bool,
    /// Of an export, the fields that it has columns for: where it leaves one blank, what it said last
    /// goes on counting.
    pub mapped: BTreeSet<(KindId, FieldRef)>,
    /// What could be made out of a resource's key but not the rest: it is held, not missing.
    pub shielded_keys: BTreeSet<Key>,
    /// Of which kinds some key could not be made out, and why: none of these is missing.
    pub hidden_kinds: BTreeMap<KindId, String>,
    /// The fields whose values are faulty and so are not among the cells: they were said, and what
    /// is wrong with them was reported.
    pub faulty_fields: BTreeSet<(Key, FieldRef)>,
    /// Of which kinds something may stand in what could not be read, and what that is.
    pub unread_kinds: BTreeMap<KindId, Arc<str>>,
    /// The resources whose external id could not be made out.
    pub nameless: Vec<NamelessResource>,
    /// What could be read of the fields whose values are faulty.
    pub salvaged_references: BTreeMap<(Key, FieldRef), SalvagedReferences>,
}

/// A resource whose external id could not be made out, and what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamelessResource {
    pub kind: KindId,
    /// The file.
    pub path: Arc<str>,
    /// Where the id stands, or else the resource.
    pub position: LineColumn,
    /// The fields it states.
    pub cells: Vec<StatedField>,
    /// What is left of its faulty fields.
    pub torn: Vec<(FieldRef, SalvagedReferences)>,
}

impl Desired {
    /// The fields of a resource whose values are faulty.
    pub fn faulty_of(&self, key: &Key) -> impl Iterator<Item = &FieldRef> {
        let first = (key.clone(), FieldRef::Own(0));
        let of_it = self.faulty_fields.range(first..);
        let key = key.clone();
        let of_it = of_it.take_while(move |(of, _)| *of == key);
        of_it.map(|(_, field)| field)
    }
}

/// What could be read of a field whose value is faulty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SalvagedReferences {
    /// Of a list, the members, or the external ids of the targets.
    pub members: Vec<CompactText>,
    /// Whether these are all, so that something else about the members is wrong.
    pub all: bool,
    /// Where the value begins.
    pub at: LineColumn,
}

impl SalvagedReferences {
    /// Whether the value may have named a member.
    pub fn may_name(&self, member: &str) -> bool {
        !self.all || self.members.iter().any(|known| known == member)
    }
}

/// How a declared password stands to the one last applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretState {
    /// The same as last applied.
    Same,
    /// Another, or none was applied.
    Changed,
    /// It is not at hand here: kept, not compared.
    Unavailable,
}

/// What the database holds, read at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The identity that a migration gave the database; `None` while there is none.
    pub database: Option<String>,
    /// The name of the environment the database belongs to.
    pub environment: Option<String>,
    /// The stored resources.
    pub rows: SnapshotRows,
    /// Every source's claims, by key.
    pub claims: HashMap<Key, Vec<Claim>, foldhash::fast::FixedState>,
    /// The declared keys whose external id was deleted and is retired for ever.
    pub retired: BTreeSet<Key>,
    /// Every customer number ever given, and the account it was given to.
    pub customer_numbers: HashMap<CompactText, CompactText>,
    /// How many login names were given out, by customer number.
    pub logins: HashMap<CompactText, u32>,
    /// The ids of holds that a person approved and that have not lapsed.
    pub approved_holds: BTreeSet<String>,
    /// How many accepted feeds in a row have not named what this source claims; of those that were
    /// named last, nothing.
    pub missed_exports: BTreeMap<Key, u32>,
    /// What this source did under each budget of the guards within the window.
    pub budget_use: BTreeMap<String, u64>,
    /// Of a part: the bases of guards that were asked for.
    pub guard_bases: BTreeMap<GuardBase, u64>,
    /// The steps that guards held in earlier passes and nobody has decided about.
    pub held_steps: Vec<HeldStep>,
}

impl Snapshot {
    /// The account that a customer number was given to, whatever became of it.
    pub fn account_with_number(&self, number: &str) -> Option<&CompactText> {
        self.rows
            .note_lookup(|| SnapshotLookup::CustomerNumber(number.into()));
        self.customer_numbers.get(number)
    }

    /// How many login names were built on a customer number.
    pub fn logins_of(&self, number: &str) -> u32 {
        self.rows
            .note_lookup(|| SnapshotLookup::CustomerNumber(number.into()));
        self.logins.get(number).copied().unwrap_or_default()
    }

    /// The base of a guard, which `count` finds out where all rows are here. Of a part it has to be
    /// asked for.
    pub fn guard_base(&self, base: GuardBase, count: impl FnOnce() -> u64) -> u64 {
        if !self.rows.is_partial() {
            return count();
        }
        let known = self.guard_bases.get(&base).copied();
        self.rows.note_lookup(|| SnapshotLookup::Base(base));
        known.unwrap_or_default()
    }

    /// The claim of one source on one resource.
    pub fn claim(&self, source: &str, key: &Key) -> Option<&Claim> {
        self.claims
            .get(key)?
            .iter()
            .find(|claim| &*claim.source == source)
    }
}
