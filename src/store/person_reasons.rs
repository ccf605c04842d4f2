//! What people said when they acted on others, and the names that the audit log has of proposals: it
//! may quote a user too. What was said about the user is read with the acts and the history.

use super::act_history::ACT_REASON;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::person_texts::PersonText;
use super::sql_value::{SqlType, SqlValue};
use crate::kinds;
use crate::model::Key;
use serde_json::{Value as Json, json};

/// The tables with a reason beside their other columns: table, subject, time.
const REASONS: [(&str, &str, &str); 3] = [
    ("approvals", "resource", "approved_at"),
    ("source_approvals", "source", "approved_at"),
    ("suspensions", "source", "at"),
];

/// Passes what was said about others to `each`.
pub(super) async fn visit_reasons(
    tx: &mut SqlTransaction,
    key: &Key,
    mut each: impl FnMut(&PersonText),
) -> Result<(), StoreError> {
    let name = key.to_string();
    let is_own = |subject: &str| {
        let hold = subject.strip_suffix(&*name);
        hold.is_some_and(|hold| hold.is_empty() || hold.ends_with(' '))
    };
    let mut pass_on = |place, subject: String, at, content: Json| {
        each(&PersonText {
            place,
            subject,
            at,
            content: content.to_string().into_bytes(),
            answer: None,
        });
    };
    let (int, text) = (SqlType::Int, SqlType::Text);
    let sql = "SELECT at, act, subject, reason FROM acts ORDER BY at, id";
    for mut cells in tx.fetch(sql, &[], &[int, text, text, text]).await? {
        let [act, subject, reason] = [1, 2, 3].map(|at| String::from(cells[at].take_text()));
        if !is_own(&subject) {
            let content = json!({"act": act, "subject": subject, "reason": reason});
            pass_on("acts", subject, cells[0].int(), content);
        }
    }
    for (table, subject, at) in REASONS {
        let sql = format!("SELECT {at}, {subject}, reason FROM {table} ORDER BY {at}, {subject}");
        for mut cells in tx.fetch(&sql, &[], &[int, text, text]).await? {
            let [subject, reason] = [1, 2].map(|at| String::from(cells[at].take_text()));
            if !is_own(&subject) {
                pass_on(table, subject, cells[0].int(), json!({"reason": reason}));
            }
        }
    }
    let sql = "SELECT r.finished_at, c.kind, c.external_id, c.verb, v.fields \
               FROM changes AS c JOIN change_values AS v ON v.seq = c.seq \
               JOIN runs AS r ON r.id = c.run WHERE c.reason = ? \
               AND NOT (c.kind = ? AND c.external_id = ?) AND c.external_id IS NOT NULL \
               ORDER BY c.seq";
    let own = kinds::get(key.kind).name;
    let params = [ACT_REASON.into(), own.into(), SqlValue::text(&key.id)];
    for mut cells in tx
        .fetch(sql, &params, &[int, text, text, text, text])
        .await?
    {
        let [kind, id, verb, fields] = [1, 2, 3, 4].map(|at| String::from(cells[at].take_text()));
        let fields: Json = serde_json::from_str(&fields).unwrap_or_default();
        if let Some(reason) = fields.get("reason") {
            let content = json!({"kind": kind, "externalId": id, "verb": verb, "reason": reason});
            pass_on(
                "change_values.fields",
                format!("{kind}/{id}"),
                cells[0].int(),
                content,
            );
        }
    }
    Ok(())
}
