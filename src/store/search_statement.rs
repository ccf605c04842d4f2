//! The SQL of a search: what an index finds, and what is looked at row by row.

use super::dialect::SqlDialect;
use super::search_cursor::SearchCursor;
use super::search_query::SearchQuery;
use super::sql_condition::SqlCondition;
use super::sql_value::SqlValue;
use super::tables::{self, LinkTable};
use super::{search_words, visibility};
use crate::kinds::{self, ACCOUNT};
use crate::model::{CompactText, KindId};

/// A search of one kind. The rows of the kind are `t`.
pub(super) struct SearchStatement<'a> {
    dialect: &'static SqlDialect,
    kind: KindId,
    words: Vec<&'a str>,
    /// The tables.
    from: String,
    /// The column with the external id.
    id: String,
    /// What an index answers.
    indexed: SqlCondition,
    /// What is looked at row by row, beside the words.
    filters: SqlCondition,
}

/// A part of the resources.
#[derive(Debug, Default)]
pub(super) struct SearchPart {
    /// Only ids after this one.
    pub(super) after: CompactText,
    /// Only ids up to this one.
    pub(super) end: Option<CompactText>,
    /// A condition on the column `{id}`, or nothing.
    pub(super) only: SqlCondition,
}

impl<'a> SearchStatement<'a> {
    /// `None` if nothing of the kind can match.
    pub(super) fn new(
        dialect: &'static SqlDialect,
        kind: KindId,
        wanted: &SearchQuery<'a>,
    ) -> Option<Self> {
        let table = kinds::get(kind).table;
        let words = wanted.words.into_iter().flat_map(str::split_whitespace);
        let mut search = Self {
            dialect,
            kind,
            words: words.collect(),
            from: format!("{table} AS t"),
            id: "t.external_id".to_owned(),
            indexed: SqlCondition::default(),
            filters: SqlCondition::default(),
        };
        if let Some(account) = wanted.account {
            search.of_account(account)?;
        }
        if let Some(id) = wanted.id {
            let of = SqlCondition::new(format!("{} = ?", search.id), [id.into()]);
            search.indexed.and(of);
        }
        if let Some(source) = wanted.source {
            // One look into an index for each row.
            let name = kinds::get(kind).name;
            let claimed = "EXISTS (SELECT 1 FROM claims AS c WHERE c.source = ? AND c.kind = ? \
                           AND c.external_id = t.external_id AND c.state = 'active')";
            let of = SqlCondition::new(claimed, [source.into(), name.into()]);
            search.filters.and(of);
        }
        if wanted.pending && kind != ACCOUNT {
            return None;
        }
        // Literals, because an index on a part of the rows answers nothing else.
        if wanted.pending {
            search
                .indexed
                .and(SqlCondition::new("t.approval = 'pending'", []));
        }
        if wanted.blocked {
            // Every kind with a status can be blocked, and no other.
            if !kinds::get(kind).has_status {
                return None;
            }
            let of = SqlCondition::new("t.blocked IS NOT NULL", []);
            search.filters.and(of);
        }
        if let Some(viewer) = wanted.as_user {
            let seen = visibility::condition(kind)?;
            search
                .indexed
                .and(SqlCondition::new(format!("t.{seen}"), [viewer.into()]));
        }
        match wanted.status {
            // Kinds without a status have neither active nor inactive resources.
            Some(_) if !kinds::get(kind).has_status => return None,
            Some("inactive") => search
                .indexed
                .and(SqlCondition::new("t.status = 'inactive'", [])),
            Some(status) => search
                .filters
                .and(SqlCondition::new("t.status = ?", [status.into()])),
            None => {}
        }
        Some(search)
    }

    /// Limits it to what belongs to an account: it names the account, or the account names it.
    fn of_account(&mut self, account: &str) -> Option<()> {
        let (link, own, other) = match account_condition(self.kind)? {
            AccountCondition::Column(column) => {
                let of = SqlCondition::new(format!("t.{column} = ?"), [account.into()]);
                self.indexed.and(of);
                return Some(());
            }
            AccountCondition::Link { link, own, other } => (link, own, other),
        };
        // Starts at the links: of a million users it finds the few of the account in their order.
        self.from = format!(
            "{} AS l JOIN {} ON t.external_id = l.{own}",
            link.name, self.from
        );
        self.id = format!("l.{own}");
        let of = SqlCondition::new(format!("l.{other} = ?"), [account.into()]);
        self.indexed.and(of);
        Some(())
    }

    /// Whether rows are looked at that may not match.
    pub(super) fn filters(&self) -> bool {
        !self.words.is_empty() || !self.filters.is_empty()
    }

    /// How many rows are looked at for a page.
    pub(super) fn part(&self) -> usize {
        self.dialect.searched_texts / search_words::comparisons(self.kind, &self.words)
    }

    /// How many words can be looked up in indexes. None if another index finds few resources.
    pub(super) fn looked_up_words(&self) -> usize {
        if self.indexed.is_empty() {
            self.words.len()
        } else {
            0
        }
    }

    /// Selects the ids of resources in which a word begins something, of each index at most so many.
    pub(super) fn beginnings(&self, word: usize, most: usize) -> SqlCondition {
        let word = self.words.get(word).copied().unwrap_or_default();
        let each = search_words::beginnings(self.dialect, self.kind, word);
        let limited = format!("SELECT * FROM ({{}} LIMIT {most}) AS s");
        let each = each.into_iter().map(|one| one.within(&limited));
        SqlCondition::joined(each, " UNION ALL ")
    }

    pub(super) fn cursor(&self, text: &str) -> SearchCursor {
        SearchCursor::parse(text, self.words.len())
    }

    pub(super) fn cursor_text(&self, cursor: &SearchCursor) -> String {
        cursor.text(self.words.len())
    }

    /// Selects the matching ids of a part, sorted.
    pub(super) fn select(&self, part: &SearchPart, limit: usize) -> SqlCondition {
        let id = &self.id;
        let mut conditions = part.scope(id);
        conditions.and(self.indexed.clone());
        conditions.and(self.filters.clone());
        let words = search_words::contain(self.dialect, self.kind, &self.words, |column| {
            let mut scope = part.scope(column);
            scope.and(self.indexed_ids(column));
            scope
        });
        conditions.and(words);
        // Limits are numbers and no parameters: of those, PostgreSQL expects a tenth of the table.
        conditions.within(&format!(
            "SELECT {id} FROM {} WHERE {{}} ORDER BY {id} LIMIT {limit}",
            self.from
        ))
    }

    /// Selects the last id of the part after an id; nothing if there are fewer rows.
    pub(super) fn end_of_part(&self, after: &CompactText, count: usize) -> SqlCondition {
        let id = &self.id;
        let mut conditions = SqlCondition::new(format!("{id} > ?"), [after.into()]);
        conditions.and(self.indexed.clone());
        conditions.within(&format!(
            "SELECT {id} FROM {} WHERE {{}} ORDER BY {id} LIMIT 1 OFFSET {}",
            self.from,
            count.saturating_sub(1)
        ))
    }

    /// The condition that a column is an id that the index finds.
    fn indexed_ids(&self, column: &str) -> SqlCondition {
        if self.indexed.is_empty() {
            return SqlCondition::default();
        }
        let select = format!(
            "{column} IN (SELECT {} FROM {} WHERE {{}})",
            self.id, self.from
        );
        self.indexed.clone().within(&select)
    }
}

impl SearchPart {
    /// The condition that a column of ids is in the part.
    fn scope(&self, column: &str) -> SqlCondition {
        let mut scope = SqlCondition::new(format!("{column} > ?"), [SqlValue::from(&self.after)]);
        if let Some(end) = &self.end {
            scope.and(SqlCondition::new(format!("{column} <= ?"), [end.into()]));
        }
        let mut only = self.only.clone();
        only.sql = only.sql.replace("{id}", column);
        scope.and(only);
        scope
    }
}

/// How a resource belongs to an account.
enum AccountCondition {
    /// By a column of its own.
    Column(&'static str),
    /// By a link, with the columns for the resource and the account.
    Link {
        link: &'static LinkTable,
        own: &'static str,
        other: &'static str,
    },
}

/// Whether resources of a kind can be searched by account.
pub fn has_account(kind: KindId) -> bool {
    account_condition(kind).is_some()
}

fn account_condition(kind: KindId) -> Option<AccountCondition> {
    let table = tables::for_kind(kind);
    let mut own = table.links.iter();
    if let Some(link) = own.find(|link| link.target == Some(ACCOUNT)) {
        return Some(AccountCondition::Link {
            link,
            own: &link.owner,
            other: &link.member,
        });
    }
    if let Some(index) = table.kind.account_fields().next() {
        return Some(AccountCondition::Column(table.kind.fields[index].column));
    }
    let mut others = tables::for_kind(ACCOUNT).links.iter();
    let link = others.find(|link| link.target == Some(kind))?;
    Some(AccountCondition::Link {
        link,
        own: &link.member,
        other: &link.owner,
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialect::SQLITE;
    use super::super::schema_versions;
    use super::*;
    use crate::kinds::{ADDRESS, ORGANISATION, POLICY, TAG, USER};
    use rusqlite::Connection;

    fn query_plan(database: &Connection, select: &SqlCondition) -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN {}", select.sql);
        let mut statement = database.prepare(&sql).expect("a query");
        assert_eq!(statement.parameter_count(), select.params.len(), "{sql}");
        let empty = vec![""; select.params.len()];
        let lines = statement.query_map(rusqlite::params_from_iter(empty), |row| row.get(3));
        lines.expect("a plan").map(Result::unwrap).collect()
    }

    /// Of a million rows, only those between two ids or in an index are read, and none are sorted.
    #[test]
    fn a_page_reads_no_whole_table_and_sorts_nothing() {
        let database = Connection::open_in_memory().expect("a database");
        for statement in schema_versions::create(&SQLITE) {
            database.execute_batch(&statement).expect("the schema");
        }
        let any = SearchQuery::default();
        let of_account = SearchQuery {
            account: Some("a"),
            ..any.clone()
        };
        let with_words = SearchQuery {
            words: Some("some words"),
            ..any.clone()
        };
        let inactive = SearchQuery {
            status: Some("inactive"),
            ..any.clone()
        };
        let pending = SearchQuery {
            pending: true,
            ..any.clone()
        };
        let words_of_account = SearchQuery {
            words: Some("some words"),
            ..of_account.clone()
        };
        let mut seen = 0;
        for (kind, wanted) in [
            (USER, &any),
            (USER, &of_account),
            (USER, &with_words),
            (USER, &inactive),
            (USER, &words_of_account),
            (ACCOUNT, &pending),
            (ACCOUNT, &inactive),
            (ACCOUNT, &with_words),
            (ORGANISATION, &of_account),
            (POLICY, &of_account),
            (ADDRESS, &of_account),
            (TAG, &of_account),
        ] {
            let search = SearchStatement::new(&SQLITE, kind, wanted).expect("a search");
            let part = SearchPart {
                after: "a".into(),
                end: search.filters().then(|| "z".into()),
                only: SqlCondition::default(),
            };
            let mut selects = vec![
                search.select(&part, 50),
                search.end_of_part(&part.after, 50),
            ];
            for word in 0..search.looked_up_words() {
                selects.push(search.beginnings(word, 50));
            }
            for select in selects {
                let lines = query_plan(&database, &select);
                let slow = |line: &&String| {
                    // What a subquery found is no table.
                    let scan = line.starts_with("SCAN") && !line.starts_with("SCAN s");
                    scan || line.contains("ORDER BY")
                };
                let slow: Vec<_> = lines.iter().filter(slow).collect();
                assert!(slow.is_empty(), "{}:\n{}", select.sql, lines.join("\n"));
                seen += 1;
            }
        }
        assert!(seen > 20, "{seen}");
    }
}
