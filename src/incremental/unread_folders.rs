//! Whether the scopes judge a file that was not read differently now: the accounts of its users or
//! addresses may have changed elsewhere.

use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Desired, Key, Snapshot, Value};
use crate::plan::AccountFolders;
use crate::store::{AccountLink, ReadTransaction, StoreError};
use std::collections::BTreeMap;

/// Why files that were not read matter to the scopes, because of what other sources have changed
/// since this one was last applied, or are about to change. `others` is what these declare
/// differently.
pub async fn why_others_matter_to_folders<'d>(
    transaction: &mut ReadTransaction,
    source: &str,
    folders: &AccountFolders,
    others: impl Iterator<Item = &'d Desired>,
) -> Result<Option<&'static str>, StoreError> {
    if folders.patterns.is_empty() {
        return Ok(None);
    }
    let mut links = transaction.links_by_others(source).await?;
    let accounts = others.flat_map(|desired| &desired.resources);
    for account in accounts.filter(|declared| declared.key.kind == ACCOUNT) {
        let named = account.value(addresses()).into_iter();
        links.extend(named.flat_map(Value::members).map(|id| AccountLink {
            key: Key::new(ADDRESS, id),
            account: account.key.id.clone(),
        }));
    }
    let why = "another source gave somebody or an address another account";
    are_of_other_folders(transaction, source, folders, links)
        .await
        .map(|found| found.then_some(why))
}

/// Why files that were not read matter to the scopes: an account that was read may have got an
/// address that is declared in the folder of another one. `read` is what the read files declare, and
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
    let links = unread_addresses(read, stored);
    let why = "an account has an address of another account's folder";
    are_of_other_folders(transaction, source, folders, links)
        .await
        .map(|found| found.then_some(why))
}

/// Whether one of these is declared in the folder of an account other than the one it is linked to.
async fn are_of_other_folders(
    transaction: &mut ReadTransaction,
    source: &str,
    folders: &AccountFolders,
    links: Vec<AccountLink>,
) -> Result<bool, StoreError> {
    let mut accounts: BTreeMap<Key, Vec<AccountLink>> = BTreeMap::new();
    for link in links {
        accounts.entry(link.key.clone()).or_default().push(link);
    }
    for (key, links) in accounts {
        let path = transaction.only_file_naming(source, &key).await?;
        let is_foreign = if let Some(path) = path {
            let mut links = links.iter();
            links.any(|link| folders.is_of_other(&path, &link.account))
        } else {
            // Moved since its claim was written, or declared by another source.
            let claims = transaction.claims_on([&key].into_iter()).await?;
            let mut claims = claims.iter();
            claims.any(|claim| claim.active && claim.source == *source)
        };
        if is_foreign {
            return Ok(true);
        }
    }
    Ok(false)
}

fn addresses() -> usize {
    kinds::get(ACCOUNT).expect_index("addresses")
}

/// The addresses that accounts have and that were not read.
fn unread_addresses(read: &Desired, stored: &Snapshot) -> Vec<AccountLink> {
    let list = kinds::own_field(addresses());
    let mut found = Vec::new();
    let accounts = read.resources.iter();
    for account in accounts.filter(|declared| declared.key.kind == ACCOUNT) {
        let row = Some(&account.key).filter(|key| stored.rows.has_read(key));
        let row = row.and_then(|key| stored.rows.get(key));
        let held = row.and_then(|row| row.value(&list));
        let named = [account.value(addresses()), held].into_iter().flatten();
        for id in named.flat_map(Value::members) {
            let key = Key::new(ADDRESS, id);
            if !read.resources.contains(&key) {
                let account = account.key.id.clone();
                found.push(AccountLink { key, account });
            }
        }
    }
    found
}
