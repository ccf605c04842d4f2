//! Looks for rows that somebody changed without a trace: with triggers switched off, or by setting
//! their version. A scrub compares every stored value with what the claims recorded of it, page by
//! page, so it neither reads what did not change nor holds the directory.

use crate::config::Source;
use crate::diagnostic::plural;
use crate::kinds;
use crate::model::{ClaimState, CompactText, Key};
use crate::plan;
use crate::stop_flag::StopFlag;
use crate::store::{ClaimedRow, ReadTransaction, StoreError};
use std::collections::BTreeMap;

/// More rows than these are no faster to look at one by one.
const MANY: usize = 20_000;

/// What a scrub found of one source.
#[derive(Clone, Debug, Default)]
pub struct HiddenWrites {
    /// The rows that may have other values than its claims recorded, each with the file that declares
    /// it.
    pub rows: BTreeMap<Key, CompactText>,
    /// How many stored resources no source claims.
    pub unclaimed: u64,
}

/// Finds the hidden writes on the rows of each source, by its name. A source whose claims do not add
/// up has a reason instead: everything of it has to be read.
pub async fn hidden_writes(
    transaction: &mut ReadTransaction,
    sources: &[&Source],
    stop: &StopFlag,
) -> Result<BTreeMap<String, Result<HiddenWrites, &'static str>>, StoreError> {
    let mut scans = Vec::new();
    for source in sources {
        let applied = transaction.source_checkpoint(&source.name).await?;
        let orphans = applied.map(|applied| applied.orphans).unwrap_or_default();
        scans.push(SourceScan::new(source, orphans));
    }
    let mut unclaimed = 0;
    for kind in kinds::ALL {
        let mut after: Option<CompactText> = None;
        loop {
            let page = transaction.claimed_rows(kind.id, after.as_ref()).await?;
            let Some(last) = page.last().filter(|_| !stop.is_set()) else {
                break;
            };
            after = Some(last.row.key.id.clone());
            unclaimed += page.iter().filter(|it| it.claims.is_empty()).count() as u64;
            for scan in &mut scans {
                page.iter().for_each(|claimed| scan.look_at(claimed));
            }
        }
    }
    let mut found = BTreeMap::new();
    for scan in scans {
        // Of a claim without a row, the walk over the rows sees nothing.
        let claims = transaction.active_claims(&scan.source.name).await?;
        let is_whole = claims == scan.claims;
        let rows = scan.rows;
        let writes = match (is_whole, rows.len() > MANY) {
            (true, false) => Ok(HiddenWrites { rows, unclaimed }),
            (false, _) => Err("a row that it claims is not stored"),
            (_, true) => Err("many stored values are not what was applied"),
        };
        if let Ok(writes) = &writes {
            tracing::info!(
                "source {}: compared {} with what was applied; {} changed without a trace",
                scan.source.name,
                plural(claims, "stored resource"),
                writes.rows.len()
            );
        }
        found.insert(scan.source.name.to_string(), writes);
    }
    Ok(found)
}

struct SourceScan<'s> {
    source: &'s Source,
    is_export: bool,
    /// Nothing declares any more what these should be.
    orphans: Vec<Key>,
    /// How many active claims have rows.
    claims: u64,
    rows: BTreeMap<Key, CompactText>,
}

impl<'s> SourceScan<'s> {
    fn new(source: &'s Source, orphans: Vec<Key>) -> Self {
        Self {
            source,
            is_export: source.feed().is_some(),
            orphans,
            claims: 0,
            rows: BTreeMap::new(),
        }
    }

    fn look_at(&mut self, claimed: &ClaimedRow) {
        let (row, claims) = (&claimed.row, &claimed.claims);
        let own = claims.iter().find(|it| *it.source == *self.source.name);
        let Some(own) = own.filter(|it| it.state == ClaimState::Active) else {
            return;
        };
        self.claims += 1;
        let is_wanted = self.rows.len() <= MANY && !self.orphans.contains(&row.key);
        if is_wanted && plan::may_have_changed(row, own, claims, self.is_export) {
            let path = CompactText::new(&own.path);
            self.rows.insert(row.key.clone(), path);
        }
    }
}
