//! Invariants that must hold whoever writes: an active account keeps an active user, and an active
//! policy keeps an active approver. The planner checks them too, but another source or program may
//! have written since. Candidates are collected before anything is written and checked just before
//! the commit, so only what this run took away is judged.

use super::super::connection::{BatchStatement, SqlRow};
use super::super::error::{ApplyError, StoreError};
use super::super::sql_value::{SqlType, SqlValue};
use super::super::tables::{self, LinkTable};
use super::links::{LinkDelta, change_of};
use super::{ApplyTransaction, deactivates, ids};
use crate::kinds::{self, ACCOUNT, POLICY, USER};
use crate::model::{CompactText, Key, KindId};
use crate::plan::{Step, StepVerb};
use std::collections::BTreeSet;

/// An active resource must keep an active user at the other end of its links.
struct ActiveUserInvariant {
    code: &'static str,
    /// The kind that must keep a user.
    keeper: KindId,
    /// The kind whose list field holds the links.
    lister: KindId,
    field: &'static str,
    message: &'static str,
}

const ALL: [ActiveUserInvariant; 2] = [
    ActiveUserInvariant {
        code: "last-user",
        keeper: ACCOUNT,
        lister: USER,
        field: "accounts",
        message: "would take the last active user of the active account",
    },
    ActiveUserInvariant {
        code: "policy-approvers",
        keeper: POLICY,
        lister: POLICY,
        field: "approvers",
        message: "would take the last active approver of the active policy",
    },
];

/// The resources that may lose a user in this run, one set per invariant.
pub(super) type InvariantCandidates = Vec<BTreeSet<CompactText>>;

impl ActiveUserInvariant {
    fn links(&self) -> &'static LinkTable {
        tables::for_kind(self.lister).link_named(self.field)
    }

    /// The link table's columns for the keeper and for the user.
    fn columns(&self) -> (&'static str, &'static str) {
        let links = self.links();
        if self.keeper == self.lister {
            (&links.owner, &links.member)
        } else {
            (&links.member, &links.owner)
        }
    }
}

impl ApplyTransaction<'_> {
    /// Collects the resources that lose a user in this run. Called before the first write, because
    /// afterwards the links are gone.
    pub(super) async fn invariant_candidates(&mut self) -> Result<InvariantCandidates, StoreError> {
        let leaving: Vec<Key> = self
            .of_kind(USER, |_| true)
            .filter(|step| deactivates_user(step))
            .map(|step| step.key.clone())
            .collect();
        let mut watched = InvariantCandidates::new();
        for invariant in &ALL {
            let mut keepers = self.keepers_losing_links(invariant);
            // `firstUser` may be switched off, and then an account may end up without a user.
            // Policies always need an approver.
            if invariant.keeper != ACCOUNT || self.settings.first_user {
                keepers.extend(self.keepers_linked_to(invariant, &leaving).await?);
            } else {
                keepers.clear();
            }
            watched.push(keepers);
        }
        Ok(watched)
    }

    /// The keepers whose links a step removes.
    fn keepers_losing_links(&self, invariant: &ActiveUserInvariant) -> BTreeSet<CompactText> {
        let table = invariant.links();
        let mut keepers = BTreeSet::new();
        for step in self.of_kind(invariant.lister, super::changes_row) {
            let Some(change) = change_of(step, table) else {
                continue;
            };
            let went = LinkDelta::from_change(&change).removed;
            if invariant.keeper != invariant.lister {
                keepers.extend(went);
            } else if !went.is_empty() {
                keepers.insert(step.key.id.clone());
            }
        }
        keepers
    }

    /// The keepers that are linked to these users.
    async fn keepers_linked_to(
        &mut self,
        invariant: &ActiveUserInvariant,
        users: &[Key],
    ) -> Result<BTreeSet<CompactText>, StoreError> {
        let (keeper, user) = invariant.columns();
        let sql = format!(
            "WITH v(id) AS MATERIALIZED ({{rows}}) SELECT l.{keeper} \
             FROM v JOIN {} AS l ON l.{user} = v.id",
            invariant.links().name
        );
        let batch = BatchStatement {
            sql: &sql,
            types: &[SqlType::Id],
        };
        let rows = ids(users.iter());
        let found = self.tx.batch_fetch(&batch, rows, &[SqlType::Id]).await?;
        Ok(found
            .into_iter()
            .map(|mut cells| cells[0].take_text())
            .collect())
    }

    /// Fails if a candidate is active and has no active user left.
    pub(super) async fn check_invariants(
        &mut self,
        watched: &InvariantCandidates,
    ) -> Result<(), ApplyError> {
        // One violation is enough: the whole transaction is rolled back.
        for (invariant, keepers) in ALL.iter().zip(watched) {
            let (keeper, user) = invariant.columns();
            let sql = format!(
                "WITH v(id) AS MATERIALIZED ({{rows}}) SELECT k.external_id \
                 FROM v JOIN {} AS k ON k.external_id = v.id WHERE k.status = 'active' \
                 AND NOT EXISTS (SELECT 1 FROM {} AS l JOIN users AS u ON u.external_id = l.{user} \
                 WHERE l.{keeper} = k.external_id AND u.status = 'active')",
                kinds::get(invariant.keeper).table,
                invariant.links().name,
            );
            let batch = BatchStatement {
                sql: &sql,
                types: &[SqlType::Id],
            };
            let rows: Vec<SqlRow> = keepers.iter().map(|id| vec![SqlValue::from(id)]).collect();
            let broken = self.tx.batch_fetch(&batch, rows, &[SqlType::Id]).await?;
            if let Some(mut cells) = broken.into_iter().next() {
                let key = Key::new(invariant.keeper, cells[0].take_text());
                return Err(ApplyError::Invariant {
                    code: invariant.code,
                    message: format!("{} {}", invariant.message, key.id),
                    key,
                });
            }
        }
        Ok(())
    }
}

/// Whether a step deactivates or deletes a user.
fn deactivates_user(step: &Step) -> bool {
    let deactivated = || {
        step.changes()
            .iter()
            .any(|change| deactivates(step, change))
    };
    step.verb == StepVerb::Delete || (step.verb != StepVerb::Create && deactivated())
}
