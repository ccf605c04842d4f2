//! Runtime facts that an apply initialises after the rows are written, and what goes with a row:
//! the access of users whose access nobody has set, and acceptances of terms that are no longer
//! valid.

use super::super::act_history::ACT_REASON;
use super::super::departed_users::forget_users;
use super::super::error::StoreError;
use super::super::sql_value::SqlType;
use super::super::terms_acceptances;
use super::settings::InitialAccess;
use super::{ApplyTransaction, ids};
use crate::kinds::act::{ACCESS, ACTS};
use crate::kinds::{self, FieldType, TERMS, USER};
use crate::model::{CompactText, FieldChange, Value};
use crate::plan::StepVerb;

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

/// The hash of a new file; `None` if the content did not change.
pub(super) fn new_content(change: &FieldChange) -> Option<CompactText> {
    let hash = |value: &Option<Value>| {
        let value = value.as_ref();
        value.and_then(kinds::file_sha256).map(CompactText::new)
    };
    let (before, after) = (hash(&change.before), hash(&change.after));
    if before == after { None } else { after }
}
