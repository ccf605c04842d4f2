//! How words are looked for. A word matches anywhere in an id or a text, ignoring case; no index
//! answers that. Indexes find the resources in which it begins an id, an e-mail address, a name, a
//! customer number or a login name. Start at `contain` and `beginnings`.

use super::dialect::SqlDialect;
use super::letter_case::{lowered_forms, spellings, written_forms};
use super::sql_condition::SqlCondition;
use super::sql_value::SqlValue;
use super::tables::{self, ColumnContent, KindTable};
use crate::kinds::{ACCOUNT, FieldType, USER};
use crate::model::KindId;
use std::collections::BTreeSet;

/// The condition that a resource of the table `t` contains every word. `scope` limits a column of
/// user ids to the users that are looked at.
pub(super) fn contain(
    dialect: &SqlDialect,
    kind: KindId,
    words: &[&str],
    scope: impl Fn(&str) -> SqlCondition,
) -> SqlCondition {
    let columns = texts(tables::for_kind(kind));
    let mut all = SqlCondition::default();
    for word in words {
        let mut any = vec![contains(dialect, &columns, word)];
        if kind == USER {
            any.push(logs_in_as(dialect, word, scope("n.user_id")));
        }
        all.and(SqlCondition::joined(any, " OR ").within("({})"));
    }
    all
}

/// How many texts of a resource the words are compared with.
pub(super) fn comparisons(kind: KindId, words: &[&str]) -> usize {
    let forms = words.iter().map(|word| searched_forms(word).len()).max();
    texts(tables::for_kind(kind)).len() * forms.unwrap_or(1)
}

/// People are looked for by the names that they log in with, too.
fn logs_in_as(dialect: &SqlDialect, word: &str, scope: SqlCondition) -> SqlCondition {
    let mut named = scope;
    named.and(contains(dialect, &["n.name".to_owned()], word));
    // As a list and not as a condition on each user, which would be asked for every one of them.
    named.within(
        "t.external_id IN (SELECT n.user_id FROM user_logins AS n JOIN user_accounts AS l \
         ON l.user_id = n.user_id AND l.account_id = n.account_id WHERE {})",
    )
}

/// The forms of a word in columns that the engine puts into lower case.
fn searched_forms(word: &str) -> BTreeSet<String> {
    let spellings = spellings(word).into_iter();
    spellings.flat_map(|word| lowered_forms(&word)).collect()
}

/// The condition that any of some columns contains a word. Both engines ignore the case of ASCII,
/// and the other letters are in the forms of the word: not every database knows their case.
fn contains(dialect: &SqlDialect, columns: &[String], word: &str) -> SqlCondition {
    let forms = searched_forms(word).into_iter();
    let each = forms.map(|form| {
        if dialect.is_postgres() {
            // Half the time of `LIKE` on each column. `***=` makes the rest a plain text.
            let texts = columns.join(", ");
            let word = SqlValue::text(format!("***={form}"));
            return SqlCondition::new(format!("concat_ws(E'\\n', {texts}) ~* ?"), [word]);
        }
        like(columns, &form)
    });
    SqlCondition::joined(each, " OR ").within("({})")
}

/// The condition that any of some columns contains a text.
fn like(columns: &[String], text: &str) -> SqlCondition {
    let (pattern, escape) = match escaped(text) {
        Some(escaped) => (format!("%{escaped}%"), " ESCAPE '\\'"),
        None => (format!("%{text}%"), ""),
    };
    let each = columns.iter().map(|column| {
        let pattern = SqlValue::text(&pattern);
        SqlCondition::new(format!("{column} LIKE ?{escape}"), [pattern])
    });
    SqlCondition::joined(each, " OR ")
}

/// The text for a pattern, if it has wildcards: a `%` in a word is a character to find.
fn escaped(text: &str) -> Option<String> {
    let is_wildcard = |c: char| matches!(c, '%' | '_' | '\\');
    text.contains(is_wildcard).then(|| {
        let with_escape = |c: char| is_wildcard(c).then_some('\\').into_iter().chain([c]);
        text.chars().flat_map(with_escape).collect()
    })
}

/// The columns that are searched.
fn texts(table: &KindTable) -> Vec<String> {
    let columns = table.columns.iter().filter(|column| match column.content {
        ColumnContent::Id => true,
        ColumnContent::Field(index) => {
            let ty = &table.kind.fields[index].ty;
            matches!(
                ty,
                FieldType::Text(_) | FieldType::Email | FieldType::Phone | FieldType::Vat
            )
        }
        _ => false,
    });
    columns.map(|column| format!("t.{}", column.name)).collect()
}

/// The statements that find by an index the ids of resources in which a word begins something. Some
/// may be of resources that had it once.
pub(super) fn beginnings(dialect: &SqlDialect, kind: KindId, word: &str) -> Vec<SqlCondition> {
    let table = tables::for_kind(kind);
    let name = table.kind.table;
    let mut ids = vec![(name, "external_id", "external_id")];
    match kind {
        USER => ids.push(("user_logins", "user_id", "name")),
        ACCOUNT => ids.push(("customer_numbers", "account_id", "number")),
        _ => {}
    }
    let mut found = Vec::new();
    let written = spellings(word)
        .into_iter()
        .flat_map(|word| written_forms(&word));
    for form in written.collect::<BTreeSet<_>>() {
        for (table, id, column) in &ids {
            let sql =
                format!("SELECT b.{id} FROM {table} AS b WHERE b.{column} >= ? AND b.{column} < ?");
            found.push(SqlCondition::new(sql, range(&form)));
        }
    }
    let [from, to] = dialect.text_order;
    for form in searched_forms(word) {
        for column in tables::searched_columns(table) {
            let sql = format!(
                "SELECT b.external_id FROM {name} AS b \
                 WHERE lower(b.{column}) {from} ? AND lower(b.{column}) {to} ?"
            );
            found.push(SqlCondition::new(sql, range(&form)));
        }
    }
    found
}

/// The first text that begins with a text, and what comes after the last one.
fn range(text: &str) -> [SqlValue; 2] {
    [
        SqlValue::text(text),
        SqlValue::text(format!("{text}\u{10ffff}")),
    ]
}
