//! Whether the scopes judge a file that was not read differently now: an account that was read may
//! have got an address that is declared in the folder of another one.

use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Desired, Key, Snapshot, Value};
use crate::plan::AccountFolders;
use crate::store::{ReadTransaction, StoreError};
use std::collections::BTreeMap;

/// Why files that were not read matter to the scopes. `read` is what the others declare, and
/// `stored` has the rows of what changed.
pub async fn why_unread_folders_matter(
    transaction: &mut ReadTransaction,
    source: &str,
    (read, stored): (&Desired, &Snapshot),
    folders: &AccountFolders,
) -> Result<Option<&'static str>, StoreError> {
    if folders.patterns.is_empty() {
        return Ok(None);
    }
    for (address, accounts) in unread_addresses(read, stored) {
        let path = transaction.only_file_naming(source, &address).await?;
        let is_foreign = if let Some(path) = path {
            let mut accounts = accounts.iter();
            accounts.any(|account| folders.is_of_other(&path, &account.id))
        } else {
            // Moved since its claim was written, or declared by another source.
            let claims = transaction.claims_on([&address].into_iter()).await?;
            let mut claims = claims.iter();
            claims.any(|claim| claim.active && claim.source == *source)
        };
        if is_foreign {
            return Ok(Some(
                "an account has an address of another account's folder",
            ));
        }
    }
    Ok(None)
}

/// The addresses that accounts have and that were not read, with these accounts.
fn unread_addresses<'a>(read: &'a Desired, stored: &'a Snapshot) -> BTreeMap<Key, Vec<&'a Key>> {
    let list = kinds::get(ACCOUNT).expect_index("addresses");
    let mut found: BTreeMap<Key, Vec<&Key>> = BTreeMap::new();
    let accounts = read.resources.iter();
    for account in accounts.filter(|declared| declared.key.kind == ACCOUNT) {
        let row = Some(&account.key).filter(|key| stored.rows.has_read(key));
        let row = row.and_then(|key| stored.rows.get(key));
        let held = row.and_then(|row| row.value(&kinds::own_field(list)));
        let named = [account.value(list), held].into_iter().flatten();
        for id in named.flat_map(Value::members) {
            let address = Key::new(ADDRESS, id);
            if !read.resources.contains(&address) {
                found.entry(address).or_default().push(&account.key);
            }
        }
    }
    found
}
