//! Pages of stored resources with the claims on them, for a scan that must not hold a whole kind.

use super::error::StoreError;
use super::read_transaction::ReadTransaction;
use super::some_rows::WantedResources;
use super::tables::column_names_and_types;
use super::{claim, source};
use crate::kinds;
use crate::model::{Claim, CompactText, KindId, Row};
use std::collections::HashMap;

/// How many rows a page has. Larger pages are no faster.
const PAGE_ROWS: usize = 2_000;

/// A stored resource and all claims on it.
pub struct ClaimedRow {
    pub row: Row,
    pub claims: Vec<Claim>,
}

impl ReadTransaction {
    /// Returns the next resources of a kind after an id, in the order of their ids. An empty page is
    /// the end.
    pub async fn claimed_rows(
        &mut self,
        kind: KindId,
        after: Option<&CompactText>,
    ) -> Result<Vec<ClaimedRow>, StoreError> {
        let rows = self.rows_after(kind, after, PAGE_ROWS).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let wanted = WantedResources::Between(&first.key.id, &last.key.id);
        let (names, types) = column_names_and_types(&claim::COLUMNS);
        let kind = kinds::get(kind).name;
        let sql = format!("SELECT {names} FROM claims WHERE kind = '{kind}' {{of}}");
        let found = wanted.fetch(&mut self.tx, &sql, ("AND", "external_id"), &types);
        let mut reader = claim::ClaimReader::default();
        let mut claims: HashMap<CompactText, Vec<Claim>> = HashMap::new();
        for mut cells in found.await? {
            if let Some((key, claim)) = reader.read(&mut cells) {
                claims.entry(key.id).or_default().push(claim);
            }
        }
        let claimed = rows.into_iter().map(|row| ClaimedRow {
            claims: claims.remove(&row.key.id).unwrap_or_default(),
            row,
        });
        Ok(claimed.collect())
    }

    /// Counts the active claims of a source, whether their rows are stored or not.
    pub async fn active_claims(&mut self, name: &str) -> Result<u64, StoreError> {
        source::claimed(&mut self.tx, name).await
    }
}
