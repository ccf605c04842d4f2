//! Reads of an export only the rows that differ from those of the export accepted before, and the
//! rows that go with them.
//!
//! A resource depends on the rows that name it. So every row that names a resource of a new, changed
//! or vanished row is decoded, and of the others it is known that they say what they said. The
//! result is a [`ParsedExport`] whose resources are complete, though not all; everything that it says
//! of the export as a whole is exact. Start reading at [`read_changed`].

use super::collect::{RecordedRows, ResourceCollector};
use super::export_reading::{ExportReading, ParsedExport, count_declared, count_filled};
use super::format::{ROWS_AT_ONCE, RowChoice, RowChooser, RowSelection};
use super::mapping::Mapping;
use crate::kinds::{ACCOUNT, ADDRESS};
use crate::model::export_rows::{ExportRowFacts, ExportRowSet, PackedRowName, RowStanding};
use crate::model::{CompactText, Digest, FieldRef, Key, KindId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{Read, Seek};
use std::sync::Arc;

/// With a third of the rows to read, reading everything is as fast. So many are always few.
const FEW_ROWS: usize = 1_000;

/// Reads what differs from an export whose rows are `known`, and what names the resources in `also`;
/// or says why all of it has to be read.
pub fn read_changed(
    mut input: impl Read + Seek,
    name: &Arc<str>,
    source: &Arc<str>,
    mapping: &Mapping,
    known: &Arc<ExportRowSet>,
    also: &BTreeSet<Key>,
) -> Result<ParsedExport, &'static str> {
    let mut matcher = RowMatcher::new(known, also);
    let first = ExportReading {
        name,
        source,
        mapping,
        rows: RowSelection::ByDigest(&mut matcher),
    };
    let collector = || {
        let rows = RecordedRows::after(&known.facts);
        ResourceCollector::new(mapping, name).with_rows(rows)
    };
    let (mut read, _) = first.read(&mut input, collector());
    if let Some(why) = matcher.stopped {
        return Err(why);
    }
    let changed = read.rows.as_ref().ok_or("its rows cannot be told apart")?;
    if changed.recorded.facts.layout != known.facts.layout {
        return Err("its columns changed");
    }
    let affected = AffectedRows::find(&matcher, &changed.recorded, also);
    if affected.numbers.len() > most_rows(known) {
        return Err("many rows changed");
    }
    if affected.numbers.len() > matcher.decoded.len() {
        let mut numbered = NumberedRows {
            known,
            left: &affected.numbers,
            number: 0,
        };
        let again = ExportReading {
            name,
            source,
            mapping,
            rows: RowSelection::ByDigest(&mut numbered),
        };
        let digest = read.digest;
        read = again.read(&mut input, collector()).0;
        if read.digest != digest {
            return Err("it changed while it was read");
        }
    }
    let gone = matcher.gone();
    affected.complete(read, known, gone, matcher.repeated)
}

fn most_rows(known: &ExportRowSet) -> usize {
    FEW_ROWS.max(known.len() / 3)
}

/// Compares the rows of an export with the known ones, one after the other.
struct RowMatcher<'k> {
    known: &'k ExportRowSet,
    /// For each known row its first number in this export, plus one; 0 while it was not seen.
    seen: Vec<u32>,
    /// The known rows that have to be decoded although they are the same, by place.
    wanted: HashSet<usize, foldhash::fast::FixedState>,
    unknown: HashSet<Digest, foldhash::fast::FixedState>,
    /// The numbers of the rows that were decoded.
    decoded: Vec<u32>,
    number: u32,
    repeated: u64,
    stopped: Option<&'static str>,
}

impl<'k> RowMatcher<'k> {
    fn new(known: &'k ExportRowSet, also: &BTreeSet<Key>) -> Self {
        let also = KeyNames::of(also);
        let names = |at: usize| !also.is_empty() && known.names(at).any(|name| also.has(&name));
        let is_wanted = |at: &usize| known.standing(*at) != RowStanding::Settled || names(*at);
        let wanted = (0..known.len()).filter(is_wanted);
        Self {
            known,
            seen: vec![0; known.len()],
            wanted: wanted.collect(),
            unknown: HashSet::default(),
            decoded: Vec::new(),
            number: 0,
            repeated: 0,
            stopped: None,
        }
    }

    /// Counts the next row, which is a known one.
    fn see(&mut self, at: usize) {
        self.number += 1;
        if self.seen[at] == 0 {
            self.seen[at] = self.number;
        } else {
            self.repeated += 1;
        }
    }

    fn stop(&mut self, why: &'static str) -> RowChoice {
        self.stopped = Some(why);
        RowChoice::Stop
    }

    /// The known rows that the export no longer has.
    fn gone(&self) -> Vec<usize> {
        let seen = self.seen.iter().enumerate();
        let gone = seen.filter(|(_, number)| **number == 0);
        gone.map(|(at, _)| at).collect()
    }
}

impl RowChooser for RowMatcher<'_> {
    fn skips(&mut self, digests: &[Digest]) -> usize {
        // Each look waits for the memory, and the processor waits for all of them at once.
        let mut places = [None; ROWS_AT_ONCE];
        for (place, digest) in places.iter_mut().zip(digests) {
            *place = self.known.find(digest);
        }
        for (skipped, place) in places.into_iter().enumerate() {
            match place.filter(|at| !self.wanted.contains(at)) {
                Some(at) => self.see(at),
                None => return skipped,
            }
        }
        places.len()
    }

    fn choose(&mut self, digest: Digest, faulty: bool) -> RowChoice {
        if let Some(at) = self.known.find(&digest) {
            self.see(at);
            if !self.wanted.contains(&at) {
                if faulty {
                    return self.stop("a row that was sound before cannot be read");
                }
                return RowChoice::Skip;
            }
        } else {
            self.number += 1;
            self.repeated += u64::from(!self.unknown.insert(digest));
            if self.unknown.len() > most_rows(self.known) {
                return self.stop("many rows changed");
            }
        }
        self.decoded.push(self.number - 1);
        RowChoice::Decode
    }
}

/// Chooses rows by their numbers, from 0 and in ascending order.
struct NumberedRows<'a> {
    known: &'a ExportRowSet,
    left: &'a [u32],
    number: u32,
}

impl NumberedRows<'_> {
    fn is_next(&self) -> bool {
        self.left.first() == Some(&self.number)
    }
}

impl RowChooser for NumberedRows<'_> {
    fn skips(&mut self, digests: &[Digest]) -> usize {
        for (skipped, digest) in digests.iter().enumerate() {
            if self.is_next() || self.known.find(digest).is_none() {
                return skipped;
            }
            self.number += 1;
        }
        digests.len()
    }

    fn choose(&mut self, _: Digest, _: bool) -> RowChoice {
        let is_next = self.is_next();
        self.number += 1;
        if !is_next {
            return RowChoice::Skip;
        }
        self.left = &self.left[1..];
        RowChoice::Decode
    }
}

/// Some keys, to be looked up by the bytes of an id.
#[derive(Default)]
struct KeyNames(HashMap<KindId, HashSet<CompactText, foldhash::fast::FixedState>>);

impl KeyNames {
    fn of<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Self {
        let mut names = Self::default();
        for key in keys {
            names.insert(key.kind, &key.id);
        }
        names
    }

    fn insert(&mut self, kind: KindId, id: &str) -> bool {
        self.0.entry(kind).or_default().insert(CompactText::new(id))
    }

    fn has(&self, name: &PackedRowName<'_>) -> bool {
        let ids = self.0.get(&name.kind);
        ids.is_some_and(|ids| ids.contains(name.id))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, key: &Key) -> bool {
        self.0
            .get(&key.kind)
            .is_some_and(|ids| ids.contains(&key.id))
    }
}

/// The resources whose rows are all decoded.
struct AffectedRows {
    keys: KeyNames,
    /// Those of them that have to be planned. The others are as they were applied, and something is
    /// reported about a row of theirs.
    planned: KeyNames,
    /// The known rows that name them, by place.
    known: BTreeSet<usize>,
    /// The numbers of the rows to decode, in ascending order.
    numbers: Vec<u32>,
}

impl AffectedRows {
    fn find(matcher: &RowMatcher<'_>, changed: &RecordedRows, also: &BTreeSet<Key>) -> Self {
        let known = matcher.known;
        let (mut keys, mut planned) = (KeyNames::of(also), KeyNames::of(also));
        let is_reported = |digest: &Digest| {
            let at = known.find(digest);
            at.is_some_and(|at| known.standing(at) == RowStanding::Reported)
        };
        for (at, digest) in changed.rows.digests().iter().enumerate() {
            let is_reported = is_reported(digest);
            for name in changed.rows.names(at) {
                keys.insert(name.kind, name.id);
                if !is_reported {
                    planned.insert(name.kind, name.id);
                }
            }
        }
        for at in matcher.gone() {
            for name in known.names(at) {
                keys.insert(name.kind, name.id);
                planned.insert(name.kind, name.id);
            }
        }
        let mut affected = Self {
            keys,
            planned,
            known: BTreeSet::new(),
            numbers: matcher.decoded.clone(),
        };
        // An address with an error holds back the accounts that list it, and one without is applied
        // if one of them has none: so all of these have to be there.
        let (mut accounts, mut planned) = (KeyNames::default(), KeyNames::default());
        affected.add_known(known, |affected, at| {
            let names_address = |keys: &KeyNames| {
                let mut named = known.names(at);
                named.any(|name| name.kind == ADDRESS && keys.has(&name))
            };
            if !names_address(&affected.keys) {
                return;
            }
            let is_planned = names_address(&affected.planned);
            for account in known.names(at).filter(|name| name.kind == ACCOUNT) {
                accounts.insert(account.kind, account.id);
                if is_planned {
                    planned.insert(account.kind, account.id);
                }
            }
        });
        let mut is_new = false;
        for id in accounts.0.into_values().flatten() {
            is_new |= affected.keys.insert(ACCOUNT, &id);
        }
        for id in planned.0.into_values().flatten() {
            affected.planned.insert(ACCOUNT, &id);
        }
        if is_new {
            affected.add_known(known, |_, _| {});
        }
        let seen = affected.known.iter().map(|at| matcher.seen[*at]);
        affected
            .numbers
            .extend(seen.filter_map(|number| number.checked_sub(1)));
        affected.numbers.sort_unstable();
        affected.numbers.dedup();
        affected
    }

    /// Adds the known rows that name one of the keys.
    fn add_known(&mut self, known: &ExportRowSet, mut each: impl FnMut(&Self, usize)) {
        for at in 0..known.len() {
            if known.names(at).any(|name| self.keys.has(&name)) {
                self.known.insert(at);
                each(self, at);
            }
        }
    }

    /// Completes what was read with what is known of the other rows.
    fn complete(
        &self,
        mut read: ParsedExport,
        known: &Arc<ExportRowSet>,
        gone: Vec<usize>,
        repeated: u64,
    ) -> Result<ParsedExport, &'static str> {
        let rows = read.rows.as_mut().ok_or("its rows cannot be told apart")?;
        if !read.desired.hidden_kinds.is_empty() {
            return Err("a row has no readable id");
        }
        // A decoded row may name other resources, of which not all rows were decoded.
        let desired = &mut read.desired;
        desired.resources.retain(|it| self.keys.contains(&it.key));
        let mut totals = ExportTotals::of(&known.facts);
        totals.take_away(known, &self.known, &self.keys);
        totals.add(
            &count_filled(&desired.resources),
            &count_declared(&desired.resources),
        );
        let is_planned = |key: &Key| self.planned.contains(key);
        desired.resources.retain(|it| is_planned(&it.key));
        desired.shielded_keys.retain(&is_planned);
        desired.blank_keys.retain(&is_planned);
        desired.faulty_fields.retain(|(key, _)| is_planned(key));
        let facts = ExportRowFacts {
            declared: totals.declared,
            filled: totals.filled,
            ..rows.recorded.facts.clone()
        };
        read.repeated = repeated;
        read.declared.clone_from(&facts.declared);
        let filled = facts.filled.iter();
        read.filled = filled
            .map(|((kind, field), count)| (*kind, field.clone(), *count))
            .collect();
        let decoded = &rows.recorded.rows;
        let named = (0..decoded.len()).flat_map(|at| decoded.names(at));
        let named = KeyNames::of(
            &named
                .map(|name| Key::new(name.kind, name.id))
                .collect::<Vec<_>>(),
        );
        let unnamed = gone.iter().flat_map(|at| known.names(*at));
        let unnamed = unnamed.filter(|name| !named.has(name));
        rows.unnamed = unnamed.map(|name| Key::new(name.kind, name.id)).collect();
        rows.known = Some(Arc::clone(known));
        rows.recorded.facts = facts;
        rows.gone = gone;
        Ok(read)
    }
}

/// How many resources an export declares, and how many values it fills.
struct ExportTotals {
    declared: BTreeMap<KindId, u64>,
    filled: BTreeMap<(KindId, FieldRef), u64>,
}

impl ExportTotals {
    fn of(facts: &ExportRowFacts) -> Self {
        Self {
            declared: facts.declared.clone(),
            filled: facts.filled.clone(),
        }
    }

    /// Takes away what the rows of the export before said of some resources.
    fn take_away(&mut self, known: &ExportRowSet, rows: &BTreeSet<usize>, keys: &KeyNames) {
        let mut before: HashMap<(KindId, &str), (bool, u128)> = HashMap::new();
        let names = rows.iter().flat_map(|at| known.names(*at));
        for name in names.filter(|name| keys.has(name)) {
            let entry = before.entry((name.kind, name.id)).or_default();
            entry.0 |= name.declares;
            entry.1 |= name.filled;
        }
        for ((kind, _), (declared, filled)) in before {
            if declared {
                let count = self.declared.entry(kind).or_default();
                *count = count.saturating_sub(1);
            }
            for field in known.facts.fields(filled) {
                let count = self.filled.entry((kind, field)).or_default();
                *count = count.saturating_sub(1);
            }
        }
    }

    fn add(&mut self, filled: &[(KindId, FieldRef, u64)], declared: &BTreeMap<KindId, u64>) {
        for (kind, field, count) in filled {
            *self.filled.entry((*kind, field.clone())).or_default() += count;
        }
        for (kind, count) in declared {
            *self.declared.entry(*kind).or_default() += count;
        }
        self.filled.retain(|_, count| *count > 0);
        self.declared.retain(|_, count| *count > 0);
    }
}
