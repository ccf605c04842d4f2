//! What `notify` of a user asks for: an invitation when the user is created, and when a source sets
//! a new password. It is put into the outbox in the transaction of the apply, so it is sent if and
//! only if the change was made, and once.

use super::ApplyTransaction;
use crate::kinds::{self, USER};
use crate::model::{FieldRef, Value};
use crate::plan::{Step, StepVerb};
use crate::store::connection::BatchStatement;
use crate::store::error::StoreError;
use crate::store::invitations::{self, NewInvitation, NewInvitations};
use crate::store::sql_value::{SqlType, SqlValue};
use std::collections::{BTreeMap, BTreeSet};

impl ApplyTransaction<'_> {
    /// Invites the new users, and those with a new password, whose source wants them to be told.
    pub(super) async fn invite_notified(&mut self) -> Result<(), StoreError> {
        let notify = kinds::own_field(kinds::get(USER).expect_index("notify"));
        let created = self
            .of_kind(USER, |verb| verb == StepVerb::Create)
            .filter(|step| wants_notice(step, &notify))
            .map(|step| &step.key);
        let changed = self.apply.passwords.keys();
        let changed = changed.filter(|key| key.kind == USER);
        let asked: BTreeSet<&str> = created.chain(changed).map(|key| key.id.as_str()).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let [_, yes] = self.tx.dialect().booleans;
        // Who cannot log in, or has no address, could do nothing with a link.
        let sql = format!(
            "WITH v(id) AS MATERIALIZED ({{rows}}) SELECT u.external_id FROM v \
             JOIN users AS u ON u.external_id = v.id WHERE u.notify = {yes} \
             AND u.status = 'active' AND u.blocked IS NULL AND coalesce(u.email, '') <> '' \
             AND coalesce(u.access, 'unregistered') <> 'disabled'"
        );
        let batch = BatchStatement {
            sql: &sql,
            types: &[SqlType::Id],
        };
        let rows = asked.iter().map(|id| vec![SqlValue::text(id)]);
        let found = self.tx.batch_fetch(&batch, rows, &[SqlType::Id]).await?;
        let by_user: BTreeMap<String, NewInvitation> = found
            .into_iter()
            .map(|mut cells| (cells[0].take_text().into(), NewInvitation::new(|_| None)))
            .collect();
        let new = NewInvitations { by_user: &by_user };
        invitations::replace(&mut self.tx, new, self.now).await?;
        invitations::mark_invited(&mut self.tx, by_user.keys(), self.now).await
    }
}

/// Whether a create declares `notify: true`.
fn wants_notice(step: &Step, notify: &FieldRef) -> bool {
    let change = step.borrowed_change(notify);
    change.is_some_and(|change| change.after == Some(&Value::Bool(true)))
}
