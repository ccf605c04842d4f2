//! The stored texts that may quote a user anywhere in them: pushes and their answers, reports on
//! exports, plans, states and passes of the daemon, notices, and answers of acts. The store does not
//! look into them. They are read one by one, because a push or a plan may be large.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::SqlType;

/// A stored text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonText {
    /// The table and the column: `imports.body`.
    pub place: &'static str,
    /// What it belongs to: the name of the source, or the id of the push or notice.
    pub subject: String,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    pub content: Vec<u8>,
    /// Of the body of a push, its answer; empty until there is one.
    pub answer: Option<String>,
}

/// A column with such texts.
struct TextColumn {
    place: &'static str,
    table: &'static str,
    /// The column by which its rows are read one by one.
    key: (&'static str, SqlType),
    subject: &'static str,
    at: &'static str,
    content: (&'static str, SqlType),
    /// A column with the answer, if the content has one.
    answer: Option<&'static str>,
}

const COLUMNS: [TextColumn; 11] = [
    TextColumn {
        place: "imports.body",
        table: "imports",
        key: ("id", SqlType::Id),
        subject: "id",
        at: "at",
        content: ("body", SqlType::Bytes),
        answer: Some("answer"),
    },
    TextColumn {
        place: "imports.answer",
        table: "imports",
        key: ("id", SqlType::Id),
        subject: "id",
        at: "ended_at",
        content: ("answer", SqlType::Text),
        answer: None,
    },
    TextColumn {
        place: "imports.held",
        table: "imports",
        key: ("id", SqlType::Id),
        subject: "id",
        at: "at",
        content: ("held", SqlType::Text),
        answer: None,
    },
    TextColumn {
        place: "reports.report",
        table: "reports",
        key: ("source", SqlType::Id),
        subject: "source",
        at: "at",
        content: ("report", SqlType::Bytes),
        answer: None,
    },
    TextColumn {
        place: "watched.plan",
        table: "watched",
        key: ("source", SqlType::Id),
        subject: "source",
        at: "at",
        content: ("plan", SqlType::Bytes),
        answer: None,
    },
    TextColumn {
        place: "watched.state",
        table: "watched",
        key: ("source", SqlType::Id),
        subject: "source",
        at: "at",
        content: ("state", SqlType::Text),
        answer: None,
    },
    TextColumn {
        place: "passes.document",
        table: "passes",
        key: ("at", SqlType::Int),
        subject: "source",
        at: "at",
        content: ("document", SqlType::Text),
        answer: None,
    },
    TextColumn {
        place: "run_causes.document",
        table: "run_causes",
        key: ("run", SqlType::Int),
        subject: "source",
        at: "at",
        content: ("document", SqlType::Text),
        answer: None,
    },
    TextColumn {
        place: "revert_holds.held",
        table: "revert_holds",
        key: ("run", SqlType::Int),
        subject: "source",
        at: "at",
        content: ("held", SqlType::Text),
        answer: None,
    },
    TextColumn {
        place: "outbox.notice",
        table: "outbox",
        key: ("id", SqlType::Id),
        subject: "id",
        at: "created_at",
        content: ("notice", SqlType::Text),
        answer: None,
    },
    TextColumn {
        place: "act_keys.answer",
        table: "act_keys",
        key: ("at", SqlType::Int),
        subject: "actor",
        at: "at",
        content: ("answer", SqlType::Text),
        answer: None,
    },
];

/// Passes every stored text to `each`.
pub(super) async fn visit_texts(
    tx: &mut SqlTransaction,
    mut each: impl FnMut(&PersonText),
) -> Result<(), StoreError> {
    for column in &COLUMNS {
        let (table, (key, key_type)) = (column.table, column.key);
        let (content, content_type) = column.content;
        let sql = format!(
            "SELECT DISTINCT {key} FROM {table} WHERE {content} IS NOT NULL ORDER BY {key}"
        );
        for keys in tx.fetch(&sql, &[], &[key_type]).await? {
            let (subject, at) = (column.subject, column.at);
            let answer = column.answer.unwrap_or("NULL");
            let sql = format!(
                "SELECT {subject}, {at}, {content}, {answer} FROM {table} \
                 WHERE {key} = ? AND {content} IS NOT NULL ORDER BY {subject}"
            );
            let types = [SqlType::Text, SqlType::Int, content_type, SqlType::Text];
            for mut cells in tx.fetch(&sql, &keys, &types).await? {
                let content = match content_type {
                    SqlType::Bytes => cells[2].take_bytes(),
                    _ => cells[2].take_text().as_bytes().to_vec(),
                };
                each(&PersonText {
                    place: column.place,
                    subject: cells[0].take_text().into(),
                    at: cells[1].int(),
                    content,
                    answer: column.answer.map(|_| cells[3].take_text().into()),
                });
            }
        }
    }
    Ok(())
}

/// The tables with such texts.
#[cfg(test)]
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|column| column.table)
}
