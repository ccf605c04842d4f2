//! Scopes: a folder that belongs to one account declares nothing else. Start reading at
//! [`violations`].
//!
//! What a file declares is judged, whether it would change anything or not. A fault that was stored
//! before is therefore none the less an error here.

use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::kinds::{self, ACCOUNT, ADDRESS, Kind, ORGANISATION, POLICY, SETTINGS, USER, effective};
use crate::model::{
    Cell, ClaimState, CompactText, DeclaredResource, Desired, FolderPattern, Key, Snapshot,
    SnapshotLookup, Value, account_of_folder,
};
use std::collections::HashMap;
use std::sync::Arc;

/// The folders of the configuration that belong to one account each.
#[derive(Clone, Debug, Default)]
pub struct AccountFolders {
    /// Each names the account of a path. All that cover a path hold.
    pub patterns: Arc<[FolderPattern]>,
    /// Everything that the files declare which were read, where only what changed is planned: a
    /// resource may also have moved here as it is.
    pub read: Option<Arc<Desired>>,
    /// Whether it is unknown what is stored, so that only the documents are judged.
    pub without_database: bool,
}

impl AccountFolders {
    /// Whether a path is in the folder of another account than this one.
    pub fn is_of_other(&self, path: &str, account: &str) -> bool {
        let mut names = self
            .patterns
            .iter()
            .filter_map(|pattern| pattern.account_in(path));
        names.any(|name| account_of_folder(name) != account)
    }
}

/// The folder of one account, in which a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
struct FolderBoundary<'a> {
    pattern: &'a FolderPattern,
    account: CompactText,
}

/// What is wrong with a declaration.
struct ScopeFault {
    /// What it belongs to instead, after "allows only account `acme` here;".
    what: String,
    field: Option<usize>,
    /// The resource at the other place.
    other: Option<Key>,
    help: &'static str,
}

const MOVE_OUT: &str =
    "Declare it outside the folders of accounts, or in the folder of its own account";
const OWN_ADDRESS: &str = "Give the account an address of its own, or declare the shared one outside the folders of accounts and use `ref:`";

/// Reports everything that a folder of one account declares and that is not that account's.
pub(super) fn violations(
    desired: &Desired,
    stored: &Snapshot,
    folders: &AccountFolders,
) -> Vec<Diagnostic> {
    if folders.patterns.is_empty() {
        return Vec::new();
    }
    let desired = folders.read.as_deref().unwrap_or(desired);
    let check = FolderCheck::new(desired, stored, folders);
    let mut found = Vec::new();
    for declared in &desired.resources {
        for boundary in check.boundaries(&declared.path) {
            let fault = check.fault(declared, boundary);
            found.extend(fault.map(|fault| check.diagnostic(declared, boundary, fault)));
        }
    }
    // An error needs a plan on all files.
    if !found.is_empty() {
        stored.rows.note_lookup(|| SnapshotLookup::Everything);
    }
    found
}

/// Lists by path or id. With the standard hasher, a million of them would be noticed.
type TextMap<'a, V> = HashMap<&'a str, Vec<V>, foldhash::fast::FixedState>;

/// What the checks of one source need, worked out once.
struct FolderCheck<'a> {
    desired: &'a Desired,
    stored: &'a Snapshot,
    folders: &'a AccountFolders,
    boundaries: TextMap<'a, FolderBoundary<'a>>,
    /// The accounts that hold an address, by its id.
    holders: TextMap<'a, &'a Key>,
    /// The accounts whose documents name an address, by its id.
    declarers: TextMap<'a, &'a DeclaredResource>,
}

fn field(kind: &Kind, name: &str) -> usize {
    kind.expect_index(name)
}

fn addresses() -> usize {
    field(kinds::get(ACCOUNT), "addresses")
}

impl<'a> FolderCheck<'a> {
    fn new(desired: &'a Desired, stored: &'a Snapshot, folders: &'a AccountFolders) -> Self {
        let mut check = Self {
            desired,
            stored,
            folders,
            boundaries: TextMap::default(),
            holders: TextMap::default(),
            declarers: TextMap::default(),
        };
        for declared in &desired.resources {
            let path = &*declared.path;
            if !check.boundaries.contains_key(path) {
                let of_path = check.boundaries_of(path);
                check.boundaries.insert(path, of_path);
            }
            if declared.key.kind == ACCOUNT {
                let named = declared.value(addresses()).into_iter();
                for id in named.flat_map(Value::members) {
                    check.declarers.entry(id).or_default().push(declared);
                }
            }
        }
        let list = kinds::own_field(addresses());
        for row in stored.rows.iter().filter(|row| row.key.kind == ACCOUNT) {
            for id in row.value(&list).into_iter().flat_map(Value::members) {
                check.holders.entry(id).or_default().push(&row.key);
            }
        }
        check
    }

    /// The folders of accounts in which a file is, also where it was read through a link: whoever
    /// may edit the file is bound by its own folder.
    fn boundaries_of(&self, path: &str) -> Vec<FolderBoundary<'a>> {
        let own = self.desired.linked_files.get(path);
        let paths = [Some(path), own.map(|own| &**own)];
        let mut found: Vec<FolderBoundary<'a>> = Vec::new();
        for path in paths.into_iter().flatten() {
            for pattern in self.folders.patterns.iter() {
                let Some(name) = pattern.account_in(path) else {
                    continue;
                };
                let boundary = FolderBoundary {
                    pattern,
                    account: CompactText::new(account_of_folder(name)),
                };
                if !found.contains(&boundary) {
                    found.push(boundary);
                }
            }
        }
        found
    }

    fn boundaries(&self, path: &str) -> &[FolderBoundary<'a>] {
        self.boundaries.get(path).map_or(&[][..], Vec::as_slice)
    }

    fn fault(
        &self,
        declared: &DeclaredResource,
        boundary: &FolderBoundary<'_>,
    ) -> Option<ScopeFault> {
        match declared.key.kind {
            ACCOUNT if declared.key.id == boundary.account => self.links(declared, boundary),
            ACCOUNT => Some(ScopeFault {
                what: format!("this is account `{}`", declared.key.id),
                field: None,
                other: None,
                help: MOVE_OUT,
            }),
            USER => self.user(declared, boundary),
            ORGANISATION | POLICY => self.of_account(declared, boundary),
            ADDRESS => self.address(declared, boundary),
            kind => Some(ScopeFault {
                what: format!("{} belongs to no account", kinds::get(kind).name),
                field: None,
                other: None,
                help: "Declare it outside the folders of accounts",
            }),
        }
    }

    /// A user who belongs, declared or stored, to another account or to none.
    fn user(
        &self,
        declared: &DeclaredResource,
        boundary: &FolderBoundary<'_>,
    ) -> Option<ScopeFault> {
        let index = field(kinds::get(USER), "accounts");
        let mut stated = match declared.cell(index) {
            Some(Cell::Value(value)) => Some(value.members().collect::<Vec<_>>()),
            Some(Cell::Clear) => Some(Vec::new()),
            // These keep what is stored.
            Some(Cell::Blank | Cell::Amend(_)) | None => None,
        };
        // A link that has not begun is declared today.
        let dated = dated_accounts(declared);
        if let Some(stated) = &mut stated {
            stated.extend(dated.iter());
        }
        let row = self.stored.rows.get(&declared.key);
        let held = row.map(|row| {
            let held = row.value(&kinds::own_field(index)).into_iter();
            held.flat_map(Value::members).collect::<Vec<_>>()
        });
        let is_other = |id: &&&CompactText| ***id != boundary.account;
        let of_other = |ids: &Option<Vec<&CompactText>>| {
            let others = ids.iter().flatten().filter(is_other);
            let others: Vec<&CompactText> = others.copied().collect();
            (!others.is_empty()).then(|| (listed(&others), Key::new(ACCOUNT, others[0])))
        };
        let is_empty = |ids: &Option<Vec<&CompactText>>| ids.as_ref().is_some_and(Vec::is_empty);
        let (what, other) = if let Some((ids, other)) = of_other(&stated) {
            (format!("the user is declared for {ids}"), Some(other))
        } else if is_empty(&stated) && self.own_settings_excuse_accounts() {
            ("the user would belong to no account".to_owned(), None)
        } else if let Some((ids, other)) = of_other(&held) {
            (format!("the user is stored with {ids}"), Some(other))
        } else if is_empty(&held) && !self.was_declared_in(&declared.key, boundary) {
            // Staff without an account are not this account's people either.
            ("the user is stored without an account".to_owned(), None)
        } else if stated.is_none() && held.is_none() && self.creates_without_account(declared) {
            ("the user belongs to no account".to_owned(), None)
        } else {
            return None;
        };
        Some(ScopeFault {
            what,
            field: Some(index),
            other,
            help: "Declare the user outside the folders of accounts, with all accounts",
        })
    }

    /// Whether the folder declared a resource that this source applied. Somebody else took the
    /// account away from such a user, which is a question of drift.
    fn was_declared_in(&self, key: &Key, boundary: &FolderBoundary<'_>) -> bool {
        let claim = self.stored.claim(&self.desired.source, key);
        let claim = claim.filter(|claim| claim.state == ClaimState::Active);
        claim.is_some_and(|claim| {
            let boundaries = self.boundaries_of(&claim.path);
            boundaries.iter().any(|of| of.account == boundary.account)
        })
    }

    /// Whether a user is new and the settings let users be without accounts. Otherwise `required`
    /// reports such a user.
    fn creates_without_account(&self, declared: &DeclaredResource) -> bool {
        !self.folders.without_database && !is_deleted(declared) && {
            let settings = self.stored.rows.get(&kinds::settings_key());
            let field = kinds::own_field(optional_fields());
            let stored = settings.and_then(|row| row.value(&field));
            self.own_settings_excuse_accounts() || excuses_accounts(stored)
        }
    }

    /// Whether the settings of this source let users be without accounts. Otherwise
    /// `clear-required` reports an empty list.
    fn own_settings_excuse_accounts(&self) -> bool {
        let settings = self.desired.resources.get(&kinds::settings_key());
        excuses_accounts(settings.and_then(|settings| settings.value(optional_fields())))
    }

    /// An organisation or policy of another account.
    fn of_account(
        &self,
        declared: &DeclaredResource,
        boundary: &FolderBoundary<'_>,
    ) -> Option<ScopeFault> {
        let kind = kinds::get(declared.key.kind);
        let index = field(kind, "account");
        let stated = declared.value(index).and_then(Value::as_text);
        let row = self.stored.rows.get(&declared.key);
        let held = row.and_then(|row| row.value(&kinds::own_field(index))?.as_text());
        let name = kind.name.to_lowercase();
        let is_other = |id: &&str| **id != *boundary.account;
        let (what, other) = match (stated.filter(is_other), held.filter(is_other)) {
            (Some(id), _) => (format!("the {name} is declared for `{id}`"), id),
            (None, Some(id)) => (format!("the {name} is stored with `{id}`"), id),
            (None, None) => return None,
        };
        Some(ScopeFault {
            what,
            field: Some(index),
            other: Some(Key::new(ACCOUNT, other)),
            help: MOVE_OUT,
        })
    }

    /// An address that another account holds or declares.
    fn address(
        &self,
        declared: &DeclaredResource,
        boundary: &FolderBoundary<'_>,
    ) -> Option<ScopeFault> {
        let holder = self.other_holder(&declared.key, boundary);
        let (what, other) = if let Some(holder) = holder {
            (format!("{holder} holds the address"), holder.clone())
        } else {
            let other = self.other_declarer(&declared.key, boundary)?;
            (format!("{other} has the address too"), other.clone())
        };
        Some(ScopeFault {
            what,
            field: None,
            other: Some(other),
            help: OWN_ADDRESS,
        })
    }

    fn other_holder(&self, address: &Key, boundary: &FolderBoundary<'_>) -> Option<&'a Key> {
        let rows = &self.stored.rows;
        rows.note_lookup(|| SnapshotLookup::Referrers(ACCOUNT, addresses(), address.clone()));
        let holders = self.holders.get(&*address.id).into_iter().flatten();
        let mut others = holders.copied().filter(|key| key.id != boundary.account);
        others.next()
    }

    /// Another account whose document names the address. One in a folder is reported itself: it is in
    /// the folder of another account, or has an address of one.
    fn other_declarer(&self, address: &Key, boundary: &FolderBoundary<'_>) -> Option<&'a Key> {
        let declarers = self.declarers.get(&*address.id).into_iter().flatten();
        let mut others = declarers.filter(|account| {
            account.key.id != boundary.account && self.boundaries(&account.path).is_empty()
        });
        others.next().map(|account| &account.key)
    }

    /// The new links of an account to addresses of other accounts.
    fn links(
        &self,
        account: &DeclaredResource,
        boundary: &FolderBoundary<'_>,
    ) -> Option<ScopeFault> {
        let row = self.stored.rows.get(&account.key);
        let held = row.and_then(|row| row.value(&kinds::own_field(addresses())));
        let is_new =
            |id: &&CompactText| !held.is_some_and(|held| held.members().any(|it| it == *id));
        let named = account.value(addresses()).into_iter();
        let mut named = named.flat_map(Value::members).filter(is_new);
        let other = named.find_map(|id| {
            let address = Key::new(ADDRESS, id);
            let in_other_folder = |path: &str| {
                let own = |other: &FolderBoundary<'_>| other.account == boundary.account;
                !self.boundaries_of(path).iter().all(own)
            };
            let is_other = match self.desired.resources.get(&address) {
                Some(declared) => {
                    in_other_folder(&declared.path)
                        || !self.boundaries(&declared.path).is_empty()
                            && self.other_holder(&address, boundary).is_some()
                }
                // Declared in no folder of this source that was read.
                None => false,
            };
            is_other.then_some(address)
        })?;
        Some(ScopeFault {
            what: format!("the account links {other}, which belongs to another account"),
            field: Some(addresses()),
            other: Some(other),
            help: OWN_ADDRESS,
        })
    }

    fn diagnostic(
        &self,
        declared: &DeclaredResource,
        boundary: &FolderBoundary<'_>,
        fault: ScopeFault,
    ) -> Diagnostic {
        let FolderBoundary { pattern, account } = boundary;
        let message = format!(
            "the scope `{pattern}` allows only account `{account}` here; {}",
            fault.what
        );
        let found = Diagnostic::new(codes::SCOPE, message)
            .for_resource(&declared.key)
            .help(fault.help);
        let kind = kinds::get(declared.key.kind);
        let found = match fault.field {
            Some(index) => found
                .field(kind.fields[index].name)
                .at(Origin::of_field(declared, &kinds::own_field(index))),
            None => found.at(Origin::of_resource(declared)),
        };
        found.related(fault.other.and_then(|key| self.place(&key)))
    }

    /// Where this source declares a resource or, by its claim, used to.
    fn place(&self, key: &Key) -> Option<Origin> {
        if let Some(declared) = self.desired.resources.get(key) {
            return Some(Origin::of_resource(declared));
        }
        let claim = self.stored.claim(&self.desired.source, key)?;
        Some(Origin {
            path: Arc::clone(&claim.path),
            at: claim.position,
        })
    }
}

fn optional_fields() -> usize {
    field(kinds::get(SETTINGS), "optionalFields")
}

/// The accounts to which a user belongs for a time only.
fn dated_accounts(declared: &DeclaredResource) -> Vec<CompactText> {
    let kind = kinds::get(USER);
    let field = effective::dated_items_field(kind);
    let items = field.and_then(|field| declared.stated(&field)?.cell.value());
    let items = effective::dated_items(kind, items);
    let items = items.filter(|item| item.list == "accounts");
    items.map(|item| item.member).collect()
}

fn excuses_accounts(optional: Option<&Value>) -> bool {
    let mut names = optional.into_iter().flat_map(Value::members);
    names.any(|name| name == "User.accounts")
}

fn is_deleted(declared: &DeclaredResource) -> bool {
    let status = kinds::get(declared.key.kind).status_index();
    declared.value(status).and_then(Value::as_text) == Some("deleted")
}

fn listed(ids: &[&CompactText]) -> String {
    let ids: Vec<String> = ids.iter().take(5).map(|id| format!("`{id}`")).collect();
    ids.join(", ")
}
