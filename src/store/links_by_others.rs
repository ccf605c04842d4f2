//! The accounts of users and addresses that a source claims, where another source changed them since
//! the source was last applied. Such a change leaves the claims of the source current, so that a
//! partial pass would not look at them again.

use super::error::StoreError;
use super::read_transaction::ReadTransaction;
use super::sql_value::SqlType;
use crate::kinds::{ADDRESS, USER};
use crate::model::{CompactText, Key, KindId};

/// A user or an address, and an account that it is linked to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountLink {
    pub key: Key,
    pub account: CompactText,
}

/// Both queries ask for resources that are new or whose field is among the changed ones, also those
/// stored apart. A field is the name of a member, so a value that looks like one only adds rows.
const USERS: &str = "SELECT DISTINCT l.user_id, l.account_id FROM changes AS c \
    LEFT JOIN change_values AS v ON v.seq = c.seq \
    JOIN user_accounts AS l ON l.user_id = c.external_id \
    JOIN claims AS k ON k.kind = 'User' AND k.external_id = l.user_id \
    WHERE c.run > ? AND c.kind = 'User' \
    AND (c.verb = 'create' OR c.fields LIKE '%\"accounts\"%' OR v.fields LIKE '%\"accounts\"%') \
    AND k.source = ? AND k.state = 'active'";

const ADDRESSES: &str = "SELECT DISTINCT l.address_id, l.account_id FROM changes AS c \
    LEFT JOIN change_values AS v ON v.seq = c.seq \
    JOIN account_addresses AS l ON l.account_id = c.external_id \
    JOIN claims AS k ON k.kind = 'Address' AND k.external_id = l.address_id \
    WHERE c.run > ? AND c.kind = 'Account' \
    AND (c.verb = 'create' OR c.fields LIKE '%\"addresses\"%' OR v.fields LIKE '%\"addresses\"%') \
    AND k.source = ? AND k.state = 'active'";

impl ReadTransaction {
    /// Returns the users and addresses with all their accounts.
    pub async fn links_by_others(&mut self, source: &str) -> Result<Vec<AccountLink>, StoreError> {
        let sql = "SELECT CAST(coalesce(max(id), 0) AS bigint) FROM runs WHERE source = ?";
        let last = self
            .tx
            .first(sql, &[source.into()], &[SqlType::Int])
            .await?;
        let last = last.map_or(0, |cells| cells[0].int());
        let mut found = Vec::new();
        let queries: [(KindId, &str); 2] = [(USER, USERS), (ADDRESS, ADDRESSES)];
        for (kind, sql) in queries {
            let params = [last.into(), source.into()];
            let rows = self
                .tx
                .fetch(sql, &params, &[SqlType::Id, SqlType::Id])
                .await?;
            found.extend(rows.into_iter().map(|mut cells| AccountLink {
                key: Key {
                    kind,
                    id: cells[0].take_text(),
                },
                account: cells[1].take_text(),
            }));
        }
        Ok(found)
    }
}
