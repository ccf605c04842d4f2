//! Runtime facts that an apply initialises after the rows are written, and what goes with a row:
//! the access of users whose access nobody has set, and acceptances of terms that are no longer
//! valid.

use super::super::act_history::ACT_REASON;
use super::super::connection::{BatchStatement, SqlRow};
use super::super::departed_users::forget_users;
use super::super::error::StoreError;
use super::super::sql_value::{SqlType, SqlValue};
use super::super::terms_acceptances;
use super::settings::InitialAccess;
use super::{ApplyTransaction, ids};
use crate::kinds::act::{ACCESS, ACTS, BLOCK, REJECT, ResourceAct};
use crate::kinds::{self, FieldType, Kind, TERMS, USER};
use crate::model::{CompactText, FieldChange, Value};
use crate::plan::StepVerb;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The acts that keep a resource from being used, whoever creates its row anew. `initial_access`
/// does the same for the access of users.
const RESTRICTIONS: [&ResourceAct; 2] = [&BLOCK, &REJECT];

impl ApplyTransaction<'_> {
    /// Gives adopted users the initial access of the settings, and takes it from created ones whose
    /// access a person once decided. Runs before the history is written, which says who they are.
    pub(super) async fn set_initial_access(&mut self) -> Result<(), StoreError> {
        // Everybody starts as unregistered without the help of this function.
        if self.settings.access == InitialAccess::Unregistered {
            return Ok(());
        }
        // A user who was removed by another program and is created again: no act may be undone.
        let acts = ACTS.iter().filter(|act| act.fact == ACCESS);
        let acts: Vec<String> = acts.map(|act| format!("'{}'", act.name)).collect();
        let sql = format!(
            "UPDATE users SET access = 'unregistered' WHERE external_id IN ({{rows}}) \
             AND EXISTS (SELECT 1 FROM changes AS c WHERE c.kind = 'User' \
               AND c.external_id = users.external_id AND c.reason = '{ACT_REASON}' \
               AND c.verb IN ({}))",
            acts.join(", ")
        );
        self.run_for_users(&sql, StepVerb::Create).await?;
        // Only rows that Roster sees for the first time: stored users keep their access.
        let sql = format!(
            "UPDATE users SET access = '{}' WHERE external_id IN ({{rows}}) \
             AND (access IS NULL OR access = 'unregistered') \
             AND NOT EXISTS (SELECT 1 FROM changes AS c WHERE c.kind = 'User' \
               AND c.external_id = users.external_id)",
            self.settings.access.word()
        );
        self.run_for_users(&sql, StepVerb::Adopt).await
    }

    /// Blocks and rejects again what people had blocked or rejected, where another program removed
    /// the row and it is created anew. The permission of an earlier act is not restored.
    pub(super) async fn restore_restrictions(&mut self) -> Result<(), StoreError> {
        for kind in kinds::ALL {
            let created = self.of_kind(kind.id, |verb| verb == StepVerb::Create);
            let created: Vec<SqlRow> = ids(created.map(|step| &step.key)).collect();
            for restriction in RESTRICTIONS {
                if restriction.is_for(kind) && !created.is_empty() {
                    self.restore(kind, restriction, created.clone()).await?;
                }
            }
        }
        Ok(())
    }

    async fn restore(
        &mut self,
        kind: &Kind,
        restriction: &ResourceAct,
        created: Vec<SqlRow>,
    ) -> Result<(), StoreError> {
        let acts = ACTS.iter().filter(|act| act.fact == restriction.fact);
        let acts: Vec<String> = acts.map(|act| format!("'{}'", act.name)).collect();
        let sql = format!(
            "WITH v(id) AS MATERIALIZED ({{rows}}) SELECT c.external_id, c.verb, a.fields FROM v \
             JOIN changes AS c ON c.kind = '{}' AND c.external_id = v.id \
             JOIN change_values AS a ON a.seq = c.seq \
             WHERE c.reason = '{ACT_REASON}' AND c.verb IN ({}) ORDER BY c.seq",
            kind.name,
            acts.join(", ")
        );
        let (id, text) = (SqlType::Id, SqlType::Text);
        let batch = BatchStatement {
            sql: &sql,
            types: &[id],
        };
        let found = self
            .tx
            .batch_fetch(&batch, created, &[id, text, text])
            .await?;
        let mut last = BTreeMap::new();
        for mut cells in found {
            let [id, verb, said] = [0, 1, 2].map(|at| cells[at].take_text());
            last.insert(id, (verb, said));
        }
        let sql = format!(
            "UPDATE {} SET {} = ? WHERE external_id = ?",
            kind.table, restriction.fact
        );
        for (id, (_, said)) in last
            .iter()
            .filter(|(_, (verb, _))| verb == restriction.name)
        {
            let reason = reason(said);
            let value = restriction.value_after("", &reason);
            let params = [SqlValue::text_or_null(value), id.into()];
            self.tx.run(&sql, &params).await?;
        }
        Ok(())
    }

    /// Deletes the acceptances of earlier versions of new terms, and of deleted terms.
    pub(super) async fn reset_acceptances(&mut self) -> Result<(), StoreError> {
        let terms = self.of_kind(TERMS, |verb| verb != StepVerb::Delete);
        for step in terms.collect::<Vec<_>>() {
            let fields = kinds::get(TERMS).fields.iter().enumerate();
            for (index, _) in fields.filter(|(_, field)| matches!(field.ty, FieldType::File)) {
                let change = step.change(&kinds::own_field(index));
                if let Some(version) = change.and_then(|change| new_content(&change)) {
                    terms_acceptances::reset(&mut self.tx, &step.key.id, &version).await?;
                }
            }
        }
        let sql = "DELETE FROM terms_acceptances WHERE terms_id IN ({rows})";
        let gone = self.of_kind(TERMS, |verb| verb == StepVerb::Delete);
        let gone = ids(gone.map(|step| &step.key)).collect();
        self.run_for_rows(sql, &[SqlType::Id], gone).await?;
        Ok(())
    }

    /// Deletes what is kept about deleted users, and about earlier users of new ids, whose rows
    /// another program removed: a new person must not inherit a link or an acceptance.
    pub(super) async fn forget_departed_users(&mut self) -> Result<(), StoreError> {
        let gone = self.of_kind(USER, |verb| {
            matches!(verb, StepVerb::Delete | StepVerb::Create)
        });
        let gone = ids(gone.map(|step| &step.key)).collect();
        forget_users(&mut self.tx, gone).await
    }

    async fn run_for_users(&mut self, sql: &str, of: StepVerb) -> Result<(), StoreError> {
        let users = self.of_kind(USER, |verb| verb == of);
        let users = ids(users.map(|step| &step.key)).collect();
        self.run_for_rows(sql, &[SqlType::Id], users).await?;
        Ok(())
    }
}

/// What a person said about an act, from its values in the history.
fn reason(values: &str) -> String {
    let values: Json = serde_json::from_str(values).unwrap_or_default();
    let reason = values["reason"].as_str();
    reason.unwrap_or("the reason was erased").to_owned()
}

/// The hash of a new file; `None` if the content did not change.
pub(super) fn new_content(change: &FieldChange) -> Option<CompactText> {
    let hash = |value: &Option<Value>| {
        let value = value.as_ref();
        value.and_then(kinds::file_sha256).map(CompactText::new)
    };
    let (before, after) = (hash(&change.before), hash(&change.after));
    if before == after { None } else { after }
}
