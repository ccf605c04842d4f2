//! Searches the resources of a kind, one page at a time.
//!
//! What an index answers is found at once: all of a kind, those of an account, those that wait for
//! an approval, and those in which a word begins an id, an e-mail address or a name. Words in the
//! middle of a text are found by looking at one resource after the other, in the order of the ids
//! and only a part of them for a page. A page may therefore be short, or empty, and not be the last
//! one. Start at `Store::search`.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::search_cursor::SearchCursor;
use super::search_query::SearchQuery;
use super::search_statement::{SearchPart, SearchStatement};
use super::sql_condition::SqlCondition;
use super::sql_value::{SqlType, SqlValue};
use super::stored_resource::{self, StoredResource};
use super::{Store, visibility};
use crate::model::{CompactText, KindId};
use std::collections::BTreeSet;

/// A page of a search.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    pub found: Vec<StoredResource>,
    /// Where the next page starts; `None` after the last one.
    pub next: Option<String>,
}

/// From this many resources on in which a word begins something, it is found just as fast by
/// looking at all of them.
const MANY_BEGINNINGS: usize = 2_000;
/// How many words of a search are looked up in indexes. A page of text is no search.
const MAX_LOOKED_UP: usize = 8;

impl Store {
    /// Returns a page of the matching resources. Those that an index finds come first, all sorted
    /// by external id.
    pub async fn search(
        &self,
        kind: KindId,
        wanted: &SearchQuery<'_>,
    ) -> Result<SearchPage, StoreError> {
        let Some(mut tx) = self.begin_schema_read("look for resources").await? else {
            return Ok(SearchPage::default());
        };
        page(&mut tx, kind, wanted).await
    }

    /// Returns all matching resources, as of one moment.
    pub async fn search_all(
        &self,
        kind: KindId,
        wanted: &SearchQuery<'_>,
    ) -> Result<Vec<StoredResource>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("look for resources").await? else {
            return Ok(Vec::new());
        };
        let (mut found, mut after) = (Vec::new(), wanted.after.map(str::to_owned));
        loop {
            let wanted = SearchQuery {
                after: after.as_deref(),
                ..wanted.clone()
            };
            let page = page(&mut tx, kind, &wanted).await?;
            found.extend(page.found);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}

pub(super) async fn page(
    tx: &mut SqlTransaction,
    kind: KindId,
    wanted: &SearchQuery<'_>,
) -> Result<SearchPage, StoreError> {
    if wanted.as_user.is_some() {
        visibility::require_views(tx).await?;
    }
    let Some(statement) = SearchStatement::new(tx.dialect(), kind, wanted) else {
        return Ok(SearchPage::default());
    };
    let mut search = SearchInProgress {
        limit: wanted.limit as usize,
        part: wanted
            .part
            .map_or_else(|| statement.part(), |rows| rows as usize),
        found: Vec::new(),
        tx,
        statement,
    };
    let cursor = match wanted.after {
        Some(after) => search.statement.cursor(after),
        None => search.first_cursor().await?,
    };
    let next = search.page(cursor).await?;
    let next = next.map(|cursor| search.statement.cursor_text(&cursor));
    Ok(SearchPage {
        found: stored_resource::read_some(search.tx, kind, &search.found).await?,
        next,
    })
}

struct SearchInProgress<'a> {
    tx: &'a mut SqlTransaction,
    statement: SearchStatement<'a>,
    limit: usize,
    part: usize,
    found: Vec<CompactText>,
}

impl SearchInProgress<'_> {
    /// Begins with the word that begins something in the fewest resources, if any does in a few.
    async fn first_cursor(&mut self) -> Result<SearchCursor, StoreError> {
        let mut best = None;
        for word in 0..self.statement.looked_up_words().min(MAX_LOOKED_UP) {
            let Some(count) = self.count_beginnings(word).await? else {
                continue;
            };
            if count > 0 && best.is_none_or(|(fewest, _)| count < fewest) {
                best = Some((count, word));
            }
        }
        let after = CompactText::default();
        Ok(match best {
            Some((_, word)) => SearchCursor::Beginnings { word, after },
            None => SearchCursor::All { after },
        })
    }

    /// How many resources an index finds for a word; `None` if there are many.
    async fn count_beginnings(&mut self, word: usize) -> Result<Option<usize>, StoreError> {
        let most = MANY_BEGINNINGS + 1;
        let all = self.statement.beginnings(word, most);
        let counted = all.within("SELECT count(*) FROM ({}) AS found");
        let types = [SqlType::Int];
        let row = self.tx.first(&counted.sql, &counted.params, &types).await?;
        let count = row.map_or(0, |cells| cells[0].int());
        let count = usize::try_from(count).unwrap_or_default();
        Ok((count < most).then_some(count))
    }

    /// A condition on the column `{id}` with the ids that an index finds for a word. As a list of
    /// ids: with a query, PostgreSQL may go through the whole table in its order instead.
    async fn beginnings(&mut self, word: usize, is: &str) -> Result<SqlCondition, StoreError> {
        // There may be more by now than when the search began.
        let all = self.statement.beginnings(word, 10 * MANY_BEGINNINGS);
        let rows = self.tx.fetch(&all.sql, &all.params, &[SqlType::Id]).await?;
        let ids = rows.iter().filter_map(|cells| cells[0].as_text());
        let ids = serde_json::to_string(&ids.collect::<BTreeSet<_>>()).unwrap_or_default();
        let [open, close] = self.tx.dialect().json_texts;
        let sql = format!("{{id}} {is} ({open}?{close})");
        Ok(SqlCondition::new(sql, [SqlValue::text(ids)]))
    }

    /// Fills the page; returns where the next one starts.
    async fn page(&mut self, cursor: SearchCursor) -> Result<Option<SearchCursor>, StoreError> {
        let others = match cursor {
            SearchCursor::Beginnings { word, after } => {
                let only = self.beginnings(word, "IN").await?;
                let part = SearchPart {
                    after,
                    end: None,
                    only,
                };
                if let Some(after) = self.fill(&part).await? {
                    return Ok(Some(SearchCursor::Beginnings { word, after }));
                }
                let after = CompactText::default();
                SearchCursor::Others { word, after }
            }
            others => others,
        };
        let (only, after) = match &others {
            SearchCursor::Others { word, after } => {
                (self.beginnings(*word, "NOT IN").await?, after.clone())
            }
            SearchCursor::All { after } | SearchCursor::Beginnings { after, .. } => {
                (SqlCondition::default(), after.clone())
            }
        };
        let end = self.end_of_part(&after).await?;
        let part = SearchPart {
            after,
            end: end.clone(),
            only,
        };
        let full = self.fill(&part).await?;
        // A full page may be the last one; then the next is empty. Counting all matches would cost
        // more.
        Ok(full.or(end).map(|after| others.at(after)))
    }

    /// Adds what a part has to the page; returns the last id if the page is full.
    async fn fill(&mut self, part: &SearchPart) -> Result<Option<CompactText>, StoreError> {
        let left = self.limit - self.found.len();
        let select = self.statement.select(part, left);
        let rows = self
            .tx
            .fetch(&select.sql, &select.params, &[SqlType::Id])
            .await?;
        self.found
            .extend(rows.into_iter().map(|mut cells| cells[0].take_text()));
        let full = self.found.len() >= self.limit;
        Ok(full.then(|| self.found.last().cloned()).flatten())
    }

    /// The last id of the part after an id; `None` if it reaches to the end, or if every resource
    /// in it matches.
    async fn end_of_part(
        &mut self,
        after: &CompactText,
    ) -> Result<Option<CompactText>, StoreError> {
        if !self.statement.filters() {
            return Ok(None);
        }
        let select = self.statement.end_of_part(after, self.part);
        let last = self
            .tx
            .first(&select.sql, &select.params, &[SqlType::Id])
            .await?;
        Ok(last.map(|mut cells| cells[0].take_text()))
    }
}
