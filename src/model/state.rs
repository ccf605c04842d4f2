//! The two inputs of a plan: [`Desired`], which is what a source declares, and [`Snapshot`], which
//! is what the database holds.
//!
//! Many fields of [`Desired`] are about what could not be read. They keep the planner from taking
//! an unreadable resource for a removed one, since that would deactivate a customer because of a
//! typo.

use super::{
    Claim, CompactText, DeclaredResource, FieldRef, GuardBase, HeldStep, Key, KeyedList, KindId,
    LineColumn, RevertedFields, RowLogin, SecretText, SnapshotLookup, SnapshotRows, StatedField,
    StoredLogins,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The desired state that one source declares at one revision.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    pub source: Arc<str>,
    /// The git commit, or a digest of everything that was read.
    pub revision: Arc<str>,
    /// The moment at which its dates were judged, such as `2026-12-31T00:00:00Z`.
    pub as_of: Arc<str>,
    /// The declared resources, sorted by key.
    pub resources: KeyedList<Arc<DeclaredResource>>,
    /// Why nothing may be removed in this pass. Empty if removals are on.
    pub removals_off: Vec<String>,
    /// For each declared password, whether it differs from the one last applied.
    pub secrets: BTreeMap<Key, SecretState>,
    /// The passwords that the rows of an export hold. They are hashed by an apply, and go nowhere
    /// else.
    pub row_secrets: BTreeMap<Key, SecretText>,
    /// The login names in the rows of an export, in their order.
    pub logins: Vec<RowLogin>,
    /// Whether it states only part of what it names, as an export does. What it does not state
    /// keeps its stored value, the status included.
    pub partial: bool,
    /// The fields for which an export has columns. Where a cell is blank, the value it had in the
    /// last export still counts.
    pub mapped: BTreeSet<(KindId, FieldRef)>,
    /// Resources of which only the key could be read. They are held, not missing.
    pub shielded_keys: BTreeSet<Key>,
    /// Resources that an export names without declaring them, because a cell is blank. They are not
    /// missing, and say nothing to other sources.
    pub blank_keys: BTreeSet<Key>,
    /// Kinds of which some key could not be read, with the reason. No resource of them counts as
    /// missing.
    pub hidden_kinds: BTreeMap<KindId, String>,
    /// Fields with a faulty value, which is not among the cells. They count as stated, and what is
    /// wrong with them has been reported.
    pub faulty_fields: BTreeSet<(Key, FieldRef)>,
    /// Kinds that something unreadable may declare, with a description of it.
    pub unread_kinds: BTreeMap<KindId, Arc<str>>,
    /// Resources whose external id could not be read.
    pub nameless: Vec<NamelessResource>,
    /// What could be read of faulty fields.
    pub salvaged_references: BTreeMap<(Key, FieldRef), SalvagedReferences>,
    /// The files that were read through a symbolic link, with their own paths below the root.
    pub linked_files: BTreeMap<Arc<str>, Arc<str>>,
}

/// A resource whose external id could not be read, with what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamelessResource {
    pub kind: KindId,
    pub path: Arc<str>,
    /// The position of the id or, without one, of the resource.
    pub position: LineColumn,
    pub cells: Vec<StatedField>,
    /// What could be read of its faulty fields.
    pub torn: Vec<(FieldRef, SalvagedReferences)>,
}

impl Desired {
    /// Returns the faulty fields of a resource.
    pub fn faulty_of(&self, key: &Key) -> impl Iterator<Item = &FieldRef> {
        // The smallest field, so that the range starts at the first entry of the resource.
        let first = (key.clone(), FieldRef::Own(0));
        let of_it = self.faulty_fields.range(first..);
        let key = key.clone();
        let of_it = of_it.take_while(move |(of, _)| *of == key);
        of_it.map(|(_, field)| field)
    }
}

/// The readable part of a field with a faulty value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SalvagedReferences {
    /// The readable members of the list, or the external ids of the targets.
    pub members: Vec<CompactText>,
    /// Whether these are all members, so that only an attribute of one of them is wrong.
    pub all: bool,
    /// The start of the value.
    pub at: LineColumn,
}

/// How a declared password compares with the one last applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretState {
    Same,
    /// It differs, or none was applied.
    Changed,
    /// The secret is not available on this machine. The stored password is kept without a
    /// comparison.
    Unavailable,
}

/// The contents of the database, or the part that a plan needs, read at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The identity that a migration gave the database. `None` before the first migration.
    pub database: Option<String>,
    /// The name of the environment the database belongs to.
    pub environment: Option<String>,
    /// The latest day that it is anywhere on earth when this is read, as `YYYY-MM-DD`.
    pub today: CompactText,
    pub rows: SnapshotRows,
    /// The claims of all sources, by key.
    pub claims: HashMap<Key, Vec<Claim>, foldhash::fast::FixedState>,
    /// Keys, declared or referred to, whose external id was deleted. A retired id is never used
    /// again.
    pub retired: BTreeSet<Key>,
    /// The jobs that somebody still works on, of users whose deletion is declared: each with its
    /// status.
    pub open_jobs: BTreeMap<Key, Vec<(String, String)>>,
    /// The offers that use tags whose deletion is declared.
    pub tag_offers: BTreeMap<Key, Vec<String>>,
    /// What is stored about the login names that the export brings along.
    pub logins_of_rows: StoredLogins,
    /// All customer numbers ever used, each with its account.
    pub customer_numbers: HashMap<CompactText, CompactText>,
    /// The number of login names that contain a customer number.
    pub logins: HashMap<CompactText, u32>,
    /// The ids of holds whose approval has not lapsed.
    pub approved_holds: BTreeSet<String>,
    /// By whom each hold was approved, or the resource of a hold (`HOLD KIND/ID`), where that is known.
    pub approvers: BTreeMap<String, BTreeSet<String>>,
    /// For claimed resources that the last accepted export did not name, the number of exports in a
    /// row that did not.
    pub missed_exports: BTreeMap<Key, u32>,
    /// What this source used of each guard's budget within the window.
    pub budget_use: BTreeMap<String, u64>,
    /// The bases of guards that a partial snapshot was asked for.
    /// The kinds of which a partial snapshot cannot hold all rows.
    pub large_kinds: BTreeSet<KindId>,
    pub guard_bases: BTreeMap<GuardBase, u64>,
    /// Steps that guards held in earlier passes and that are not decided yet.
    pub held_steps: Vec<HeldStep>,
    /// The fields of this source's resources that a revert has set back.
    pub reverted: RevertedFields,
}

impl Snapshot {
    /// Returns the account that a customer number was given to, even if it has been deleted.
    pub fn account_with_number(&self, number: &str) -> Option<&CompactText> {
        // A partial snapshot that was not asked for this number answers "nobody". The note makes
        // the pass read it and plan again, so the wrong answer is never applied.
        self.rows
            .note_lookup(|| SnapshotLookup::CustomerNumber(number.into()));
        self.customer_numbers.get(number)
    }

    /// Returns the number of login names that contain a customer number.
    pub fn logins_of(&self, number: &str) -> u32 {
        self.rows
            .note_lookup(|| SnapshotLookup::CustomerNumber(number.into()));
        self.logins.get(number).copied().unwrap_or_default()
    }

    /// Returns the base of a guard. With all rows at hand, `count` counts it; for a partial
    /// snapshot the database does.
    pub fn guard_base(&self, base: GuardBase, count: impl FnOnce() -> u64) -> u64 {
        if !self.rows.is_partial() {
            return count();
        }
        // Counting the rows of a part would give a base of a few, of which any change is a large
        // share.
        let known = self.guard_bases.get(&base).copied();
        self.rows.note_lookup(|| SnapshotLookup::Base(base));
        known.unwrap_or_default()
    }

    pub fn claim(&self, source: &str, key: &Key) -> Option<&Claim> {
        self.claims
            .get(key)?
            .iter()
            .find(|claim| &*claim.source == source)
    }
}
