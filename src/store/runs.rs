//! Reads one run and its changes, and finds runs by what they came from.

use super::Store;
use super::error::StoreError;
use super::history::{
    ChangeRecord, RUN_TYPES, RUNS, RunRecord, TYPES, record, run_record, select_first_changes,
};
use super::incremental_tables::RUN_CAUSES;
use super::letter_case::lowered_forms;
use super::migrate;
use super::sql_condition::SqlCondition;
use super::sql_value::{SqlType, SqlValue, escape_like};
use std::collections::BTreeMap;

/// How many of the newest runs a search looks at, and of how many it returns the causes.
const SEARCHED_RUNS: u32 = 5000;
const MAX_CAUSES: u32 = 50;
/// How many words of a search count.
const MAX_WORDS: usize = 8;

/// How many resources of a kind a run changed in one way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeCount {
    pub kind: String,
    pub verb: String,
    pub count: usize,
}

impl Store {
    /// Returns the revision that a source was last applied at as a whole.
    pub async fn applied_revision(&self, source: &str) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the sources").await? else {
            return Ok(None);
        };
        let sql = "SELECT revision FROM sources WHERE name = ?";
        let found = tx.first(sql, &[source.into()], &[SqlType::Text]).await?;
        Ok(found.map(|mut cells| cells[0].take_text().into()))
    }

    /// Returns the latest run that committed at a moment, in milliseconds since 1970, or earlier.
    pub async fn run_at(&self, at: i64) -> Result<Option<i64>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the runs").await? else {
            return Ok(None);
        };
        let sql = "SELECT max(id) FROM runs WHERE finished_at <= ?";
        let found = tx.first(sql, &[at.into()], &[SqlType::Int]).await?;
        Ok(found.and_then(|cells| cells[0].as_int()))
    }

    pub async fn run(&self, id: i64) -> Result<Option<RunRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read a run").await? else {
            return Ok(None);
        };
        let sql = format!("{RUNS} WHERE id = ?");
        let found = tx.first(&sql, &[id.into()], &RUN_TYPES).await?;
        Ok(found.map(|cells| run_record(&cells)))
    }

    /// Returns what the runs from one to another came from, as JSON, by run.
    pub async fn run_causes(
        &self,
        first: i64,
        last: i64,
    ) -> Result<BTreeMap<i64, String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the causes of runs").await? else {
            return Ok(BTreeMap::new());
        };
        // The schema of the release before has none.
        if !migrate::has_table(&mut tx, RUN_CAUSES).await? {
            return Ok(BTreeMap::new());
        }
        let sql = "SELECT run, document FROM run_causes WHERE run >= ? AND run <= ?";
        let types = [SqlType::Int, SqlType::Text];
        let found = tx.fetch(sql, &[first.into(), last.into()], &types).await?;
        let causes = found.into_iter();
        let causes = causes.map(|mut cells| (cells[0].int(), cells[1].take_text().into()));
        Ok(causes.collect())
    }

    /// Returns the newest runs of a revision that begins so.
    pub async fn runs_of_revision(
        &self,
        revision: &str,
        limit: usize,
    ) -> Result<Vec<RunRecord>, StoreError> {
        let Some(mut tx) = self
            .begin_schema_read("read the runs of a revision")
            .await?
        else {
            return Ok(Vec::new());
        };
        let sql =
            format!("{RUNS} WHERE revision >= ? AND revision < ? ORDER BY id DESC LIMIT {limit}");
        let end = SqlValue::text(format!("{revision}\u{10ffff}"));
        let found = tx.fetch(&sql, &[revision.into(), end], &RUN_TYPES).await?;
        Ok(found.iter().map(|cells| run_record(cells)).collect())
    }

    /// Returns the causes of the newest runs that contain a text, as JSON with their runs, newest
    /// first. Only among the last runs, because no index answers that.
    pub async fn run_causes_with(&self, text: &str) -> Result<Vec<(i64, String)>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("search the causes of runs").await? else {
            return Ok(Vec::new());
        };
        // The schema of the release before has none.
        if !migrate::has_table(&mut tx, RUN_CAUSES).await? {
            return Ok(Vec::new());
        }
        let words = text.split_whitespace().take(MAX_WORDS);
        let each = words.map(|word| {
            let forms = lowered_forms(word).into_iter();
            let forms = forms.map(|form| {
                let pattern = format!("%{}%", escape_like(&form));
                SqlCondition::new(
                    "lower(document) LIKE ? ESCAPE '!'",
                    [SqlValue::text(pattern)],
                )
            });
            SqlCondition::joined(forms, " OR ").within("({})")
        });
        let found = SqlCondition::joined(each, " AND ").within(&format!(
            "SELECT run, document FROM run_causes WHERE run > (SELECT max(id) FROM runs) - {SEARCHED_RUNS} \
             AND {{}} ORDER BY run DESC LIMIT {MAX_CAUSES}"
        ));
        let types = [SqlType::Int, SqlType::Text];
        let found = tx
            .fetch(&found.sql, &found.params, &types)
            .await?
            .into_iter();
        let found = found.map(|mut cells| (cells[0].int(), cells[1].take_text().into()));
        Ok(found.collect())
    }

    /// How many changes of each kind and verb a run made.
    pub async fn change_counts(&self, run: i64) -> Result<Vec<ChangeCount>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("count the changes of a run").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT kind, verb, count(*) FROM changes WHERE run = ? \
                   GROUP BY kind, verb ORDER BY kind, verb";
        let types = [SqlType::Text, SqlType::Text, SqlType::Int];
        let found = tx.fetch(sql, &[run.into()], &types).await?;
        let counts = found.into_iter().map(|mut cells| ChangeCount {
            kind: cells[0].take_text().into(),
            verb: cells[1].take_text().into(),
            count: usize::try_from(cells[2].int()).unwrap_or_default(),
        });
        Ok(counts.collect())
    }

    /// Returns the changes of one run after a position in the sequence of all changes, oldest
    /// first.
    pub async fn changes_of(
        &self,
        run: i64,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the changes of a run").await? else {
            return Ok(Vec::new());
        };
        // By run and number, as the index is: by the number alone, PostgreSQL may go through the
        // changes of all later runs.
        let condition = "c.run = ? AND c.seq > ?";
        let sql = select_first_changes(condition, "c.run, c.seq", i64::from(limit));
        let params = [run.into(), after.into()];
        let found = tx.fetch(&sql, &params, &TYPES).await?;
        Ok(found.into_iter().map(record).collect())
    }
}
