//! Runtime facts that an apply initialises after the rows are written: the access of users whose
//! access nobody has set.

use super::super::acts::ACT_REASON;
use super::super::error::StoreError;
use super::super::sql_value::SqlType;
use super::settings::InitialAccess;
use super::{ApplyTransaction, ids};
use crate::kinds::USER;
use crate::kinds::act::{ACCESS, ACTS};
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

    async fn run_for_users(&mut self, sql: &str, of: StepVerb) -> Result<(), StoreError> {
        let users = self.of_kind(USER, |verb| verb == of);
        let users = ids(users.map(|step| &step.key)).collect();
        self.run_for_rows(sql, &[SqlType::Id], users).await?;
        Ok(())
    }
}
