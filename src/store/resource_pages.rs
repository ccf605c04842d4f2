//! Pages of the resources of a kind with everything known about them, all as of one moment.

use super::error::StoreError;
use super::read_transaction::ReadTransaction;
use super::search_query::SearchQuery;
use super::stored_resource::{self, StoredResource};
use super::{Store, search};
use crate::model::{CompactText, KindId};

/// All resources of a kind, or those that a query finds, one page after the other. They stay as they
/// were when the first page was read, since all pages are read in one transaction.
pub struct ResourcePages<'a> {
    /// `None` without a database or schema: there is no page.
    tx: Option<ReadTransaction>,
    kind: KindId,
    wanted: Option<SearchQuery<'a>>,
    limit: u32,
    next: NextPage,
}

/// Where the next page starts.
enum NextPage {
    First,
    /// After an external id, or at the `next` of a search.
    After(String),
    None,
}

impl Store {
    /// Begins to read the resources of a kind: those that a query finds, or all, in pages of so many.
    pub async fn resource_pages<'a>(
        &self,
        kind: KindId,
        wanted: Option<SearchQuery<'a>>,
        limit: u32,
    ) -> Result<ResourcePages<'a>, StoreError> {
        Ok(ResourcePages {
            tx: self.read_transaction().await?,
            kind,
            wanted,
            limit,
            next: NextPage::First,
        })
    }
}

impl ResourcePages<'_> {
    /// Returns the next resources, sorted by external id; none after the last page.
    pub async fn next(&mut self) -> Result<Vec<StoredResource>, StoreError> {
        // A page of a search may be empty and not be the last one.
        loop {
            let after = match &self.next {
                NextPage::First => None,
                NextPage::After(after) => Some(after.clone()),
                NextPage::None => return Ok(Vec::new()),
            };
            let (found, next) = self.page_after(after.as_deref()).await?;
            self.next = next.map_or(NextPage::None, NextPage::After);
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Whether the last page was read. A full page may be the last one without being known as such.
    pub fn is_over(&self) -> bool {
        matches!(self.next, NextPage::None)
    }

    /// Starts again at the first page, at the same moment.
    pub fn rewind(&mut self) {
        self.next = NextPage::First;
    }

    async fn page_after(
        &mut self,
        after: Option<&str>,
    ) -> Result<(Vec<StoredResource>, Option<String>), StoreError> {
        let Some(tx) = &mut self.tx else {
            return Ok((Vec::new(), None));
        };
        if let Some(wanted) = &self.wanted {
            let wanted = SearchQuery {
                after,
                limit: self.limit,
                ..wanted.clone()
            };
            let page = search::page(&mut tx.tx, self.kind, &wanted).await?;
            return Ok((page.found, page.next));
        }
        let (after, limit) = (after.map(CompactText::from), self.limit as usize);
        let found =
            stored_resource::read_page(&mut tx.tx, self.kind, after.as_ref(), limit).await?;
        let last = found.last().filter(|_| found.len() == limit);
        let last = last.map(|last| last.row.key.id.to_string());
        Ok((found, last))
    }
}
