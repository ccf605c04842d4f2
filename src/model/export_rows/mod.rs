//! What each row of an accepted export names, so that the next export is only read where it differs.
//! For every row there is its digest, the resources that it names, and which of their fields it
//! fills; nothing that it says of them. [`ExportRowSet`] holds the rows sorted by digest in the bytes
//! in which they are stored, a few dozen for each.
//!
//! Some rows have to be decoded again although they are the same: see [`RowStanding`].

mod packed_row;

pub use packed_row::{PackedRowName, RowName, RowStanding};

use super::{CompactText, Digest, FieldRef, KindId, LineColumn};
use packed_row::{names, pack, row_length};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Bits below this stand for a kind's own fields, the others for custom fields.
const OWN_FIELDS: u32 = 32;
/// How many rows a stored bucket has, about. A changed row rewrites its bucket.
const BUCKET_ROWS: usize = 256;
/// How many rows share an entry of the index, about.
const INDEXED_ROWS: usize = 2;
/// The bytes of a digest.
const DIGEST: usize = size_of::<Digest>();

/// What the rows of an export say together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportRowFacts {
    /// What decides, besides its text, what a row says.
    pub layout: Digest,
    /// The custom fields that rows fill, each with a bit of its own.
    pub custom_fields: Vec<CompactText>,
    /// How many resources of each kind the export declares.
    pub declared: BTreeMap<KindId, u64>,
    /// In how many of them each field has a value.
    pub filled: BTreeMap<(KindId, FieldRef), u64>,
}

impl ExportRowFacts {
    /// The bit of a field; `None` when there are more fields than bits.
    pub fn bit(&mut self, field: &FieldRef) -> Option<u128> {
        let at = match field {
            FieldRef::Own(index) => {
                let index = u32::from(*index);
                return (index < OWN_FIELDS).then(|| 1 << index);
            }
            FieldRef::Custom(id) => {
                let known = self.custom_fields.iter().position(|it| it == id);
                known.unwrap_or_else(|| {
                    self.custom_fields.push(id.clone());
                    self.custom_fields.len() - 1
                })
            }
        };
        1_u128.checked_shl(OWN_FIELDS + u32::try_from(at).ok()?)
    }

    /// Sets what the export declares as a whole.
    pub fn set_totals(
        &mut self,
        declared: &BTreeMap<KindId, u64>,
        filled: &[(KindId, FieldRef, u64)],
    ) {
        self.declared.clone_from(declared);
        let filled = filled.iter();
        let filled = filled.map(|(kind, field, count)| ((*kind, field.clone()), *count));
        self.filled = filled.collect();
    }

    /// The fields of some bits.
    pub fn fields(&self, bits: u128) -> impl Iterator<Item = FieldRef> {
        let set = (0..u128::BITS).filter(move |at| bits & (1 << at) != 0);
        set.filter_map(|at| match at.checked_sub(OWN_FIELDS) {
            None => Some(FieldRef::Own(u8::try_from(at).ok()?)),
            Some(custom) => {
                let id = self.custom_fields.get(usize::try_from(custom).ok()?)?;
                Some(FieldRef::Custom(id.clone()))
            }
        })
    }
}

/// The rows of an export, sorted by digest, each once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportRowSet {
    digests: Vec<Digest>,
    /// The standing of each row and what it names.
    packed: Vec<u8>,
    /// Where each row begins in `packed`.
    starts: Vec<u32>,
    /// For each value of the first `index_bits` of a digest, the first row from there on.
    index: Vec<u32>,
    index_bits: u8,
    /// How many bits of a digest name its bucket.
    bits: u8,
    pub facts: ExportRowFacts,
}

/// Makes a set of buckets that arrive one after the other, so that no two copies of the rows are
/// held at once.
#[derive(Debug)]
pub struct ExportRowSetBuilder {
    set: ExportRowSet,
    /// How many bytes all buckets have.
    bytes: usize,
}

impl ExportRowSetBuilder {
    /// Begins a set whose buckets have so many bytes together.
    pub fn new(bits: u8, facts: ExportRowFacts, bytes: usize) -> Self {
        let set = ExportRowSet {
            bits,
            facts,
            ..ExportRowSet::default()
        };
        Self { set, bytes }
    }

    /// Adds the next bucket in ascending order. `None` when it is damaged.
    pub fn add(&mut self, bucket: &[u8]) -> Option<()> {
        let is_first = self.set.is_empty();
        let set = &mut self.set;
        let mut rest = bucket;
        while !rest.is_empty() {
            let (digest, after) = rest.split_first_chunk::<DIGEST>()?;
            let digest = Digest(*digest);
            if set.digests.last().is_some_and(|last| *last >= digest) {
                return None;
            }
            let (row, after) = after.split_at_checked(row_length(after)?)?;
            set.digests.push(digest);
            set.starts.push(u32::try_from(set.packed.len()).ok()?);
            set.packed.extend_from_slice(row);
            rest = after;
        }
        if is_first && !bucket.is_empty() {
            self.make_room(bucket.len());
        }
        Some(())
    }

    /// Makes room for the other buckets after one of so many bytes: their rows are about as long. A
    /// vector that doubles while it grows would take up to twice the memory.
    fn make_room(&mut self, first: usize) {
        let set = &mut self.set;
        let bytes = self.bytes.saturating_sub(first);
        let of_all = |part: usize| part.saturating_mul(bytes) / first;
        let with_margin = |room: usize| room + room / 50;
        let rows = with_margin(of_all(set.len()));
        set.digests.reserve_exact(rows);
        set.starts.reserve_exact(rows);
        let packed = with_margin(of_all(set.packed.len()));
        set.packed.reserve_exact(packed);
    }

    pub fn finish(mut self) -> ExportRowSet {
        self.set.make_index();
        self.set
    }
}

/// How the rows of an export differ from those of the one before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportRowChanges {
    /// The rows that are gone, by their place in the set, in ascending order.
    pub gone: Vec<usize>,
    /// The rows that stay, with their standing from now on.
    pub kept: BTreeMap<usize, RowStanding>,
    pub new: BTreeMap<Digest, (RowStanding, Vec<RowName>)>,
}

/// Rows in the bytes in which they are stored, by bucket.
pub type PackedBuckets = BTreeMap<u32, Vec<u8>>;

impl ExportRowSet {
    /// Makes a set of rows in any order. Of equal rows the first one counts.
    pub fn of(rows: &UnsortedRows, facts: ExportRowFacts) -> Self {
        let mut order: Vec<u32> = (0..).take(rows.digests.len()).collect();
        let digest = |at: &u32| rows.digests[*at as usize];
        order.sort_by_key(|at| (digest(at), *at));
        order.dedup_by_key(|at| digest(at));
        let mut set = Self {
            bits: bits_for(order.len()),
            facts,
            digests: Vec::with_capacity(order.len()),
            packed: Vec::with_capacity(rows.packed.len()),
            starts: Vec::with_capacity(order.len()),
            ..Self::default()
        };
        for at in order {
            let start = u32::try_from(set.packed.len()).unwrap_or(u32::MAX);
            set.starts.push(start);
            set.digests.push(rows.digests[at as usize]);
            set.packed.extend(rows.packed_row(at as usize));
        }
        set.make_index();
        set
    }

    /// Reads a set from its buckets in ascending order. `None` when they are damaged.
    pub fn from_buckets(
        bits: u8,
        facts: ExportRowFacts,
        buckets: impl Iterator<Item = Vec<u8>>,
    ) -> Option<Self> {
        let mut builder = ExportRowSetBuilder::new(bits, facts, 0);
        for bucket in buckets {
            builder.add(&bucket)?;
        }
        Some(builder.finish())
    }

    fn make_index(&mut self) {
        let entries = (self.len() / INDEXED_ROWS).max(1).next_power_of_two();
        self.index_bits = u8::try_from(entries.ilog2()).unwrap_or_default();
        self.index = Vec::with_capacity(entries);
        for (at, digest) in self.digests.iter().enumerate() {
            let prefix = bucket(digest, self.index_bits) as usize;
            let place = u32::try_from(at).unwrap_or(u32::MAX);
            // Also for those before it that no row has.
            self.index.resize(self.index.len().max(prefix + 1), place);
        }
    }

    pub fn len(&self) -> usize {
        self.digests.len()
    }

    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// The place of a row in the set.
    pub fn find(&self, digest: &Digest) -> Option<usize> {
        let prefix = bucket(digest, self.index_bits) as usize;
        let first = *self.index.get(prefix)? as usize;
        let end = self.index.get(prefix + 1).map(|end| *end as usize);
        let rows = &self.digests[first..end.unwrap_or(self.len())];
        let found = rows.iter().position(|known| known == digest)?;
        Some(first + found)
    }

    pub fn digest(&self, at: usize) -> Digest {
        self.digests[at]
    }

    pub fn standing(&self, at: usize) -> RowStanding {
        RowStanding::of(self.packed_row(at)[0])
    }

    /// The resources that a row names.
    pub fn names(&self, at: usize) -> impl Iterator<Item = PackedRowName<'_>> {
        names(self.packed_row(at))
    }

    fn packed_row(&self, at: usize) -> &[u8] {
        row(&self.packed, &self.starts, at)
    }

    /// Sets the standing of some rows.
    pub fn set_standings(&mut self, standings: &BTreeMap<usize, RowStanding>) {
        for (at, standing) in standings {
            self.packed[self.starts[*at] as usize] = *standing as u8;
        }
    }

    /// All rows as they are stored.
    pub fn buckets(&self) -> PackedBuckets {
        let mut buckets = PackedBuckets::new();
        for (at, digest) in self.digests.iter().enumerate() {
            let bucket = buckets.entry(bucket(digest, self.bits)).or_default();
            bucket.extend(digest.0);
            bucket.extend(self.packed_row(at));
        }
        buckets
    }

    /// The first row whose bucket is not before this one.
    fn first_of(&self, number: u32) -> usize {
        let is_before = |digest: &Digest| bucket(digest, self.bits) < number;
        self.digests.partition_point(is_before)
    }

    /// The set after some changes.
    #[must_use]
    pub fn changed(&self, changes: &ExportRowChanges, facts: ExportRowFacts) -> Self {
        let mut packed = Vec::new();
        self.pack_changed(changes, 0..self.len(), &changes.new, &mut packed);
        let bits = bits_for(self.len() + changes.new.len() - changes.gone.len());
        Self::from_buckets(bits, facts, [packed].into_iter()).unwrap_or_default()
    }

    /// Whether buckets of the present size still suit so many rows.
    pub fn suits(&self, rows: usize) -> bool {
        self.bits.abs_diff(bits_for(rows)) <= 2
    }

    /// The buckets that some changes touch, as they are afterwards; an empty one is gone.
    pub fn changed_buckets(&self, changes: &ExportRowChanges) -> PackedBuckets {
        let of = |at: &usize| bucket(&self.digests[*at], self.bits);
        let flipped = changes.kept.iter();
        let flipped = flipped.filter(|(at, standing)| self.standing(**at) != **standing);
        let old = changes.gone.iter().chain(flipped.map(|(at, _)| at)).map(of);
        let new = changes.new.keys();
        let touched: BTreeSet<u32> = old
            .chain(new.map(|digest| bucket(digest, self.bits)))
            .collect();
        let rows = touched.into_iter().map(|number| {
            let (start, end) = (self.first_of(number), self.first_of(number + 1));
            let added = changes.new.iter();
            let added = added.filter(|(digest, _)| bucket(digest, self.bits) == number);
            let added = added.map(|(digest, row)| (*digest, row.clone())).collect();
            let mut packed = Vec::new();
            self.pack_changed(changes, start..end, &added, &mut packed);
            (number, packed)
        });
        rows.collect()
    }

    /// Appends some rows as they are after the changes, with the new ones among them.
    fn pack_changed(
        &self,
        changes: &ExportRowChanges,
        rows: Range<usize>,
        new: &BTreeMap<Digest, (RowStanding, Vec<RowName>)>,
        bytes: &mut Vec<u8>,
    ) {
        let mut new = new.iter().peekable();
        let push_new = |bytes: &mut Vec<u8>, digest: &Digest, row: &(RowStanding, Vec<RowName>)| {
            bytes.extend(digest.0);
            pack(bytes, row.0, &row.1);
        };
        for at in rows {
            let digest = self.digests[at];
            while let Some((next, row)) = new.next_if(|(next, _)| **next < digest) {
                push_new(bytes, next, row);
            }
            if changes.gone.binary_search(&at).is_ok() {
                continue;
            }
            bytes.extend(digest.0);
            let standing = changes.kept.get(&at).copied();
            bytes.push(standing.unwrap_or_else(|| self.standing(at)) as u8);
            bytes.extend(&self.packed_row(at)[1..]);
        }
        for (next, row) in new {
            push_new(bytes, next, row);
        }
    }
}

/// Rows as they are read.
#[derive(Clone, Debug, Default)]
pub struct UnsortedRows {
    digests: Vec<Digest>,
    starts: Vec<u32>,
    packed: Vec<u8>,
    /// Where each row begins.
    places: Vec<LineColumn>,
}

impl UnsortedRows {
    pub fn push(&mut self, digest: Digest, at: LineColumn, names: &[RowName]) {
        self.digests.push(digest);
        self.places.push(at);
        self.starts
            .push(u32::try_from(self.packed.len()).unwrap_or(u32::MAX));
        pack(&mut self.packed, RowStanding::Settled, names);
    }

    pub fn len(&self) -> usize {
        self.digests.len()
    }

    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Whether all of it can be packed: 4 GiB is more than any export needs.
    pub fn fits(&self) -> bool {
        u32::try_from(self.packed.len()).is_ok()
    }

    /// The digests in the order of the rows.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    pub fn names(&self, at: usize) -> impl Iterator<Item = PackedRowName<'_>> {
        names(self.packed_row(at))
    }

    /// The row in which something of the export stands.
    pub fn at(&self, place: LineColumn) -> Option<usize> {
        let is_before = |at: &LineColumn| (at.line, at.column) <= (place.line, place.column);
        self.places.partition_point(is_before).checked_sub(1)
    }

    fn packed_row(&self, at: usize) -> &[u8] {
        row(&self.packed, &self.starts, at)
    }
}

fn row<'p>(packed: &'p [u8], starts: &[u32], at: usize) -> &'p [u8] {
    let end = starts.get(at + 1).map_or(packed.len(), |end| *end as usize);
    &packed[starts[at] as usize..end]
}

fn bits_for(rows: usize) -> u8 {
    let buckets = (rows / BUCKET_ROWS).max(1);
    u8::try_from(buckets.ilog2()).unwrap_or_default()
}

fn bucket(digest: &Digest, bits: u8) -> u32 {
    let [a, b, c, d, ..] = digest.0;
    let first = u32::from_be_bytes([a, b, c, d]);
    first.checked_shr(32 - u32::from(bits)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{ACCOUNT, ADDRESS};
    use crate::model::Key;
    use proptest::prelude::*;

    fn digest(seed: u32) -> Digest {
        Digest::of(&seed.to_le_bytes())
    }

    fn standing(seed: usize) -> RowStanding {
        [
            RowStanding::Settled,
            RowStanding::Reported,
            RowStanding::Open,
        ][seed % 3]
    }

    fn names(seed: u32) -> Vec<RowName> {
        let id = format!("{}{seed}", "é".repeat(seed as usize % 90));
        let address = (0..seed % 3).map(|at| RowName {
            key: Key::new(ADDRESS, format!("d-{at}")),
            declares: at == 0,
            filled: u128::MAX >> (seed % 128),
        });
        let account = RowName {
            key: Key::new(ACCOUNT, id),
            declares: !seed.is_multiple_of(4),
            filled: u128::from(seed),
        };
        [account].into_iter().chain(address).collect()
    }

    fn unsorted(seeds: &[u32]) -> UnsortedRows {
        let mut rows = UnsortedRows::default();
        for (line, seed) in (1..).zip(seeds) {
            let at = LineColumn { line, column: 1 };
            rows.push(digest(*seed), at, &names(*seed));
        }
        rows
    }

    fn set(seeds: &[u32]) -> ExportRowSet {
        ExportRowSet::of(&unsorted(seeds), ExportRowFacts::default())
    }

    fn named(set: &ExportRowSet, at: usize) -> Vec<RowName> {
        let found = set.names(at).map(|name| RowName {
            key: Key::new(name.kind, name.id),
            declares: name.declares,
            filled: name.filled,
        });
        found.collect()
    }

    proptest! {
        #[test]
        fn a_set_knows_its_rows_and_is_stored_as_it_is(
            seeds in prop::collection::vec(0..5_000_u32, 0..900),
            others in prop::collection::vec(5_000..6_000_u32, 0..50),
        ) {
            let set = set(&seeds);
            let unlike: BTreeSet<u32> = seeds.iter().copied().collect();
            prop_assert_eq!(set.len(), unlike.len());
            for seed in unlike {
                let at = set.find(&digest(seed)).expect("a row of the export");
                prop_assert_eq!(named(&set, at), names(seed));
            }
            prop_assert!(others.iter().all(|seed| set.find(&digest(*seed)).is_none()));
            let buckets = set.buckets().into_values();
            let again = ExportRowSet::from_buckets(set.bits(), ExportRowFacts::default(), buckets);
            prop_assert_eq!(again, Some(set));
        }

        #[test]
        fn changed_buckets_make_the_changed_set(
            seeds in prop::collection::btree_set(0..5_000_u32, 1..900),
            new in prop::collection::btree_set(5_000..6_000_u32, 0..40),
            gone in prop::collection::btree_set(0..900_usize, 0..40),
            moved in prop::collection::btree_set(0..900_usize, 0..40),
        ) {
            let seeds: Vec<u32> = seeds.into_iter().collect();
            let mut set = set(&seeds);
            let some = (0..set.len()).step_by(7);
            set.set_standings(&some.map(|at| (at, standing(at))).collect());
            let gone: Vec<usize> = gone.into_iter().filter(|at| *at < set.len()).collect();
            let kept = moved.iter().filter(|at| **at < set.len() && !gone.contains(*at));
            let changes = ExportRowChanges {
                kept: kept.map(|at| (*at, standing(*at))).collect(),
                new: new
                    .iter()
                    .map(|seed| (digest(*seed), (standing(*seed as usize), names(*seed))))
                    .collect(),
                gone,
            };
            let mut stored = set.buckets();
            for (bucket, rows) in set.changed_buckets(&changes) {
                if rows.is_empty() {
                    stored.remove(&bucket);
                } else {
                    stored.insert(bucket, rows);
                }
            }
            let facts = ExportRowFacts::default;
            let patched = ExportRowSet::from_buckets(set.bits(), facts(), stored.into_values());
            let patched = patched.expect("sound buckets");
            let changed = set.changed(&changes, facts());
            prop_assert_eq!(patched.len(), set.len() + changes.new.len() - changes.gone.len());
            for at in 0..patched.len() {
                prop_assert_eq!(patched.digest(at), changed.digest(at));
                prop_assert_eq!(patched.standing(at), changed.standing(at));
                prop_assert_eq!(named(&patched, at), named(&changed, at));
                let expected = match (set.find(&patched.digest(at)), changes.new.get(&patched.digest(at))) {
                    (Some(before), _) => changes.kept.get(&before).copied().unwrap_or(set.standing(before)),
                    (None, new) => new.map(|row| row.0).unwrap_or_default(),
                };
                prop_assert_eq!(patched.standing(at), expected);
            }
        }
    }

    #[test]
    fn what_is_damaged_is_not_known() {
        let whole: Vec<u8> = set(&[1, 2, 3]).buckets().into_values().flatten().collect();
        let read = |bytes: &[u8]| {
            ExportRowSet::from_buckets(0, ExportRowFacts::default(), [bytes.to_vec()].into_iter())
        };
        assert!(read(&whole).is_some());
        // Cut between two rows it is a smaller set, whose missing row is decoded as a new one.
        let cuts = (1..whole.len()).filter(|cut| read(&whole[..*cut]).is_some());
        assert_eq!(cuts.count(), 2);
        assert_eq!(read(&[&whole[..], &whole[..]].concat()), None, "twice");
    }

    #[test]
    fn every_field_has_a_bit() {
        let most = crate::kinds::ALL.iter().map(|kind| kind.fields.len()).max();
        assert!(most.is_some_and(|most| most < OWN_FIELDS as usize));
        let mut facts = ExportRowFacts::default();
        let fields = [
            FieldRef::Own(0),
            FieldRef::Custom("badge".into()),
            FieldRef::Own(31),
        ];
        let bits = fields.iter().map(|field| facts.bit(field).expect("a bit"));
        let bits = bits.fold(0, |all, bit| all | bit);
        let found: BTreeSet<FieldRef> = facts.fields(bits).collect();
        assert_eq!(found, fields.into_iter().collect());
        let custom = |at: u32| FieldRef::Custom(format!("c-{at}").into());
        assert_eq!(
            (0..200)
                .filter(|at| facts.bit(&custom(*at)).is_none())
                .count(),
            200 - 95
        );
    }
}
