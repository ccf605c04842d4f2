//! The first load on PostgreSQL: rows go into tables without foreign keys and secondary indexes,
//! which are made afterwards. Kept up row by row they cost more than the rows.

use super::super::error::StoreError;
use super::super::param::Ty;
use super::super::schema;
use super::Pass;
use crate::plan::Verb;

/// From how many new rows on it is worth it.
const MANY: usize = 10_000;

/// What is taken away from the tables in `{tables}`, and how it is put back.
const EXTRAS: &str = "\
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname), \
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname, \
                  pg_get_constraintdef(k.oid)) \
    FROM pg_constraint AS k JOIN pg_class AS t ON t.oid = k.conrelid \
    WHERE k.contype = 'f' AND t.relnamespace = quote_ident(current_schema())::regnamespace \
      AND t.relname IN ({tables}) \
    UNION ALL \
    SELECT format('DROP INDEX %s', x.indexrelid::regclass), pg_get_indexdef(x.indexrelid) \
    FROM pg_index AS x JOIN pg_class AS t ON t.oid = x.indrelid \
    WHERE NOT x.indisunique AND t.relnamespace = quote_ident(current_schema())::regnamespace \
      AND t.relname IN ({tables})";

/// A table that somebody else owns: who only writes may not take anything away.
const STRANGERS: &str = "\
    SELECT 1 FROM pg_class AS t WHERE t.relkind = 'r' AND t.relname IN ({tables}) \
      AND t.relnamespace = quote_ident(current_schema())::regnamespace \
      AND NOT pg_has_role(t.relowner, 'USAGE') LIMIT 1";

impl Pass<'_> {
    /// Strips the tables for a large first load, and gives the statements that put everything
    /// back and count the rows for the optimiser; empty when it is no such load.
    pub(super) async fn strip(&mut self) -> Result<String, StoreError> {
        let new = self
            .steps()
            .filter(|step| step.verb == Verb::Create)
            .take(MANY)
            .count();
        let first = self.tx.dialect().numbered && new == MANY;
        if !first || self.tx.any("SELECT 1 FROM runs LIMIT 1", &[]).await? {
            return Ok(String::new());
        }
        let tables = schema::table_names();
        let quoted: Vec<String> = tables.iter().map(|name| format!("'{name}'")).collect();
        let of_tables = |sql: &str| sql.replace("{tables}", &quoted.join(", "));
        if self.tx.any(&of_tables(STRANGERS), &[]).await? {
            return Ok(String::new());
        }
        let found = self
            .tx
            .fetch(&of_tables(EXTRAS), &[], &[Ty::Text, Ty::Text])
            .await?;
        let (mut away, mut back) = (Vec::new(), Vec::new());
        for mut cells in found {
            away.push(cells[0].take_text().to_string());
            back.push(cells[1].take_text().to_string());
        }
        self.tx.script(&away.join(";\n")).await?;
        // Indexes first: they stand last.
        back.reverse();
        back.push(format!("ANALYZE {}", tables.join(", ")));
        Ok(back.join(";\n"))
    }

    /// Puts back what was taken away.
    pub(super) async fn dress(&mut self, back: &str) -> Result<(), StoreError> {
        if back.is_empty() {
            Ok(())
        } else {
            self.tx.script(back).await
        }
    }
}
