//! What an apply leaves of the rows of its export, for the next export to be compared with. A row
//! that has to be looked at again, whatever the next export says, is kept as unsettled. Start reading at
//! [`rows_update`].

use crate::diagnostic::{Diagnostic, Severity};
use crate::feed::{OmittedPlace, ReadRows};
use crate::model::export_rows::{
    ExportRowChanges, ExportRowSet, PackedRowName, RowName, RowStanding,
};
use crate::model::{Desired, Digest, Key};
use crate::plan::{Plan, StepVerb};
use crate::store::{ExportRowsUpdate, ExportRowsWrite};
use std::collections::{BTreeMap, HashSet};

/// With more rows to decode again than this, and than a third of all, the whole export is read every
/// time.
const FEW_ROWS: usize = 1_000;

/// What is known of an export whose rows are to be kept.
pub struct RowFacts<'a> {
    pub rows: &'a ReadRows,
    pub desired: &'a Desired,
    pub export: Digest,
    /// The export whose rows are known, if only some were read.
    pub since: Option<Digest>,
    /// The name of the export in diagnostics.
    pub name: &'a str,
    /// What was found while reading it.
    pub found: &'a [Diagnostic],
}

/// The rows to keep of an export that was believed.
pub fn rows_update(of: &RowFacts<'_>, plan: &Plan) -> ExportRowsUpdate {
    if !is_settled(of, plan) {
        return ExportRowsUpdate::Forget;
    }
    let unsettled = UnsettledRows::of(of, plan);
    let recorded = &of.rows.recorded;
    let update = if let (Some(known), Some(since)) = (&of.rows.known, of.since) {
        changed_rows(of, known, since, &unsettled)
    } else {
        let mut set = ExportRowSet::of(&recorded.rows, recorded.facts.clone());
        let mut standings: BTreeMap<usize, RowStanding> = BTreeMap::new();
        for (at, digest) in recorded.rows.digests().iter().enumerate() {
            let standing = unsettled.standing(of.rows, at);
            if let Some(place) = set
                .find(digest)
                .filter(|_| standing != RowStanding::Settled)
            {
                // A row that occurs twice is what the worse of both is.
                let known = standings.entry(place).or_default();
                *known = standing.max(*known);
            }
        }
        set.set_standings(&standings);
        let is_few = is_few(standings.len(), recorded.rows.len());
        is_few.then(|| ExportRowsUpdate::Replace(write_of(of, set)))
    };
    update.unwrap_or(ExportRowsUpdate::Forget)
}

/// All rows of a set, to be stored.
fn write_of(of: &RowFacts<'_>, set: ExportRowSet) -> Box<ExportRowsWrite> {
    Box::new(ExportRowsWrite {
        export: of.export,
        bits: set.bits(),
        buckets: set.buckets(),
        facts: set.facts,
    })
}

/// Whether the next export can be planned by its changed rows alone. What is held does not depend on
/// the other rows: its own rows are open.
fn is_settled(of: &RowFacts<'_>, plan: &Plan) -> bool {
    let desired = of.desired;
    !plan.errored
        && plan.waits_for.is_empty()
        && desired.removals_off.is_empty()
        && desired.hidden_kinds.is_empty()
}

fn is_few(unsettled: usize, rows: usize) -> bool {
    unsettled <= FEW_ROWS.max(rows / 3)
}

/// Which rows have to be decoded again.
struct UnsettledRows<'a> {
    keys: HashSet<&'a Key, foldhash::fast::FixedState>,
    /// The rows with a diagnostic, by their place among those that were decoded.
    places: BTreeMap<usize, RowStanding>,
}

impl<'a> UnsettledRows<'a> {
    fn of(of: &'a RowFacts<'_>, plan: &'a Plan) -> Self {
        let deleted = plan
            .steps
            .iter()
            .filter(|step| step.verb == StepVerb::Delete);
        // A warning of a change is not repeated once it was applied.
        let lasts = |found: &&Diagnostic| found.severity != Severity::Warning;
        let lasting = plan.diagnostics.iter().filter(lasts);
        let named = lasting.clone().filter_map(|found| found.key.as_ref());
        let keys = plan.open.iter().chain(named);
        let keys = keys.chain(deleted.map(|step| &step.key));
        let keys = keys
            .chain(of.desired.secrets.keys())
            .chain(of.desired.row_secrets.keys());
        let place = |found: &Diagnostic| {
            let origin = found
                .origin
                .as_ref()
                .filter(|origin| *origin.path == *of.name)?;
            of.rows.recorded.rows.at(origin.at)
        };
        let mut places: BTreeMap<usize, RowStanding> = BTreeMap::new();
        // What was found while reading a row and is no error changes nothing about its resources.
        let reported = of.found.iter().filter(|found| !found.is_error());
        let errors = of.found.iter().filter(|found| found.is_error());
        places.extend(
            reported
                .filter_map(place)
                .map(|at| (at, RowStanding::Reported)),
        );
        let open = lasting.chain(errors).filter_map(place);
        // Those that are only counted belong to rows as well.
        let (wrong, doubtful): (Vec<_>, Vec<_>) =
            of.rows.omitted.iter().partition(|omitted| omitted.is_error);
        let places_of = |omitted: Vec<&OmittedPlace>| {
            let rows = omitted.into_iter();
            rows.filter_map(|omitted| of.rows.recorded.rows.at(omitted.at))
                .collect::<Vec<usize>>()
        };
        places.extend(
            places_of(doubtful)
                .into_iter()
                .map(|at| (at, RowStanding::Reported)),
        );
        places.extend(open.map(|at| (at, RowStanding::Open)));
        places.extend(
            places_of(wrong)
                .into_iter()
                .map(|at| (at, RowStanding::Open)),
        );
        Self {
            keys: keys.collect(),
            places,
        }
    }

    fn names(&self, mut names: impl Iterator<Item = Key>) -> bool {
        !self.keys.is_empty() && names.any(|key| self.keys.contains(&key))
    }

    /// The standing of a decoded row.
    fn standing(&self, rows: &ReadRows, at: usize) -> RowStanding {
        if self.names(rows.recorded.rows.names(at).map(key)) {
            return RowStanding::Open;
        }
        self.places.get(&at).copied().unwrap_or_default()
    }
}

fn key(name: PackedRowName<'_>) -> Key {
    Key::new(name.kind, name.id)
}

/// How the rows differ from the known ones. `None` when too many have to be decoded again.
fn changed_rows(
    of: &RowFacts<'_>,
    known: &ExportRowSet,
    since: Digest,
    unsettled: &UnsettledRows<'_>,
) -> Option<ExportRowsUpdate> {
    let recorded = &of.rows.recorded;
    let mut changes = ExportRowChanges {
        gone: of.rows.gone.clone(),
        ..ExportRowChanges::default()
    };
    let mut decoded: BTreeMap<usize, RowStanding> = BTreeMap::new();
    for (at, digest) in recorded.rows.digests().iter().enumerate() {
        let standing = unsettled.standing(of.rows, at);
        if let Some(place) = known.find(digest) {
            let known = decoded.entry(place).or_default();
            *known = standing.max(*known);
            continue;
        }
        let names = recorded.rows.names(at).map(|name| RowName {
            key: key(name),
            declares: name.declares,
            filled: name.filled,
        });
        let row = changes.new.entry(*digest);
        let row = row.or_insert_with(|| (RowStanding::Settled, names.collect()));
        row.0 = standing.max(row.0);
    }
    for place in 0..known.len() {
        let standing = match decoded.get(&place) {
            Some(standing) => *standing,
            None if unsettled.names(known.names(place).map(key)) => RowStanding::Open,
            None => known.standing(place),
        };
        if standing != known.standing(place) {
            changes.kept.insert(place, standing);
        }
    }
    let rows = known.len() + changes.new.len() - changes.gone.len();
    let left = (0..known.len()).map(|at| {
        let kept = changes.kept.get(&at).copied();
        kept.unwrap_or_else(|| known.standing(at))
    });
    let all = left.chain(changes.new.values().map(|(standing, _)| *standing));
    let again = all.filter(|standing| *standing != RowStanding::Settled);
    if !is_few(again.count(), rows) {
        return None;
    }
    let facts = recorded.facts.clone();
    if !known.suits(rows) {
        let set = known.changed(&changes, facts);
        return Some(ExportRowsUpdate::Replace(write_of(of, set)));
    }
    let write = ExportRowsWrite {
        export: of.export,
        bits: known.bits(),
        buckets: known.changed_buckets(&changes),
        facts,
    };
    Some(ExportRowsUpdate::Change(since, Box::new(write)))
}
