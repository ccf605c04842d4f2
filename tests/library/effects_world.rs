//! A small directory as one source declares it, and the roads by which a plan may change what
//! people can do in it.

use crate::support::dice::Dice;
use crate::support::directory;
use roster::kinds::{self, ACCOUNT, ORGANISATION, POLICY, STORE, TAG, USER};
use roster::model::{
    Cell, CompactText, DeclaredResource, Desired, FieldRef, Key, KindId, Link, Snapshot,
    StatedField, Value,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

pub const ACCOUNTS: usize = 3;
pub const USERS: usize = 7;
const ORGANISATIONS: usize = 4;
const POLICIES: usize = 3;
const TAGS: usize = 2;
const STORES: usize = 2;
/// The number of roads.
pub const ROADS: usize = 27;

/// What is declared, by resource.
#[derive(Clone)]
pub struct World {
    base: Desired,
    pub declared: BTreeMap<Key, DeclaredResource>,
    /// How many users and accounts were added.
    added: usize,
}

fn members(dice: &mut Dice, prefix: &str, count: usize, once_in: usize) -> String {
    let ids = (0..count).filter(|_| dice.once_in(once_in));
    let ids: Vec<String> = ids.map(|at| format!("{prefix}{at}")).collect();
    ids.join(", ")
}

fn yaml(dice: &mut Dice) -> String {
    let mut text = format!(
        "settings: [{{externalId: settings, firstUser: off, organisationDepth: 9, accountApproval: false, adminSeesAccount: {}, \
         optionalFields: [Account.addresses, User.phone, User.email, User.accounts, Policy.reviewed]}}]\n\
         customFields: [{{externalId: tier, name: Tier, appliesTo: user, type: text}}]\n",
        !dice.once_in(4)
    );
    for (collection, prefix, count) in [("tags", "t", TAGS), ("stores", "s", STORES)] {
        let _ = writeln!(text, "{collection}:");
        for at in 0..count {
            let _ = writeln!(text, "  - {{externalId: {prefix}{at}, name: N{at}}}");
        }
    }
    text += "accounts:\n";
    for at in 0..ACCOUNTS {
        let tags = members(dice, "t", TAGS, 2);
        let _ = writeln!(
            text,
            "  - {{externalId: a{at}, name: A{at}, companyRegistrationName: A{at}, businessRegistrationNumber: 55601{at}, tags: [{tags}]}}"
        );
    }
    text += "organisations:\n";
    let mut homes = Vec::new();
    for at in 0..ORGANISATIONS {
        let above = (at > 0 && !dice.once_in(3)).then(|| dice.roll(at));
        let account = above.map_or_else(|| dice.roll(ACCOUNTS), |above| homes[above]);
        homes.push(account);
        let parent = above.map_or(String::new(), |above| format!(", parent: o{above}"));
        let _ = writeln!(
            text,
            "  - {{externalId: o{at}, name: O{at}, account: a{account}{parent}}}"
        );
    }
    text += "users:\n";
    let mut linked: Vec<Vec<usize>> = Vec::new();
    for at in 0..USERS {
        let accounts: Vec<usize> = (0..ACCOUNTS).filter(|_| dice.once_in(2)).collect();
        let organisations = (0..ORGANISATIONS).filter(|at| accounts.contains(&homes[*at]));
        let organisations: Vec<String> = organisations
            .filter(|_| dice.once_in(2))
            .map(|at| format!("o{at}"))
            .collect();
        let links = accounts.iter().map(|account| {
            let level = ["user", "user", "administrator"][dice.roll(3)];
            format!("{{account: a{account}, level: {level}}}")
        });
        let links: Vec<String> = links.collect();
        let group = ["FOC_User", "FOC_User", "FOC_User, FOC_Admin"][dice.roll(3)];
        let stores = members(dice, "s", STORES, 2);
        let _ = writeln!(
            text,
            "  - {{externalId: u{at}, civility: MR, firstName: F, lastName: L{at}, groups: [{group}], accounts: [{}], organisations: [{}], stores: [{stores}], customFields: {{tier: T{}}}}}",
            links.join(", "),
            organisations.join(", "),
            dice.roll(3)
        );
        linked.push(accounts);
    }
    text += "policies:\n";
    for at in 0..POLICIES {
        let account = at % ACCOUNTS;
        let users = (0..USERS).filter(|user| linked[*user].contains(&account));
        let users: Vec<String> = users.map(|user| format!("u{user}")).collect();
        let reviewed = users.iter().filter(|_| dice.once_in(2)).cloned();
        let reviewed: Vec<String> = reviewed.collect();
        let approvers = users.iter().take(1 + dice.roll(2)).cloned();
        let approvers: Vec<String> = approvers.collect();
        if !approvers.is_empty() {
            let _ = writeln!(
                text,
                "  - {{externalId: p{at}, name: P{at}, account: a{account}, reviewed: [{}], approvers: [{}]}}",
                reviewed.join(", "),
                approvers.join(", ")
            );
        }
    }
    text
}

impl World {
    pub fn random(dice: &mut Dice) -> Self {
        let (base, found) = directory::read("directory", &Snapshot::default(), &yaml(dice));
        let mut errors = found.iter().filter(|found| found.is_error());
        assert!(errors.next().is_none(), "{found:#?}");
        let resources = base.resources.iter();
        let declared = resources.map(|it| (it.key.clone(), DeclaredResource::clone(it)));
        Self {
            declared: declared.collect(),
            base,
            added: 0,
        }
    }

    pub fn desired(&self) -> Desired {
        let resources = self.declared.values().cloned().map(Arc::new);
        Desired {
            resources: resources.collect(),
            revision: "1".into(),
            ..self.base.clone()
        }
    }

    fn set(&mut self, key: &Key, name: &str, value: Option<Value>) {
        let Some(declared) = self.declared.get_mut(key) else {
            return;
        };
        let field = kinds::get(key.kind).field_ref(name).expect("a field");
        let at = declared.cells.iter().position(|cell| cell.field == field);
        let position = declared.position;
        if let Some(at) = at {
            declared.cells.remove(at);
        }
        if name != "status" || value.is_some() {
            declared.cells.push(StatedField {
                field,
                cell: value.map_or(Cell::Clear, Cell::Value),
                position,
            });
        }
        declared.cells.sort_by(|a, b| a.field.cmp(&b.field));
    }

    fn value(&self, key: &Key, name: &str) -> Option<&Value> {
        let field = kinds::get(key.kind).field_ref(name)?;
        self.declared.get(key)?.stated(&field)?.cell.value()
    }

    fn toggle(&mut self, key: &Key, name: &str, member: &str) {
        let old = self.value(key, name).into_iter().flat_map(Value::members);
        let mut all: Vec<CompactText> = old.cloned().collect();
        let before = all.len();
        all.retain(|it| it != member);
        if all.len() == before {
            all.push(member.into());
        }
        self.set(key, name, Some(Value::set(all)));
    }

    fn toggle_status(&mut self, key: &Key) {
        let inactive = self.value(key, "status").and_then(Value::as_text) == Some("inactive");
        let becomes = if inactive { "active" } else { "inactive" };
        self.set(key, "status", Some(Value::text(becomes)));
    }

    fn change_link(&mut self, user: &Key, account: &str, road: usize, dice: &mut Dice) {
        let old = self
            .value(user, "accounts")
            .map_or(&[][..], Value::as_links);
        let mut links: Vec<Link> = old.to_vec();
        let at = links.iter().position(|link| link.target == account);
        match (at, road) {
            (Some(at), 0) => _ = links.remove(at),
            (Some(at), _) => {
                let level = &mut links[at].attributes[0];
                *level = Some(u8::from(*level != Some(1)));
            }
            (None, _) => links.push(Link {
                target: account.into(),
                attributes: [Some(u8::from(dice.once_in(2))), None],
            }),
        }
        self.set(user, "accounts", Some(Value::links(links)));
    }

    /// Changes something by one of the roads.
    pub fn edit(&mut self, road: usize, dice: &mut Dice) {
        let of = |kind: KindId, prefix: &str, at: usize| Key::new(kind, format!("{prefix}{at}"));
        let account = of(ACCOUNT, "a", dice.roll(ACCOUNTS));
        let user = of(USER, "u", dice.roll(USERS));
        let organisation = of(ORGANISATION, "o", dice.roll(ORGANISATIONS));
        let policy = of(POLICY, "p", dice.roll(POLICIES));
        let tag = of(TAG, "t", dice.roll(TAGS));
        let store = of(STORE, "s", dice.roll(STORES));
        match road {
            0 => self.toggle_status(&account),
            1 => self.toggle_status(&user),
            2 | 3 => self.change_link(&user, &account.id, road - 2, dice),
            4 => self.toggle(&user, "groups", "FOC_Admin"),
            5 => self.toggle(&user, "organisations", &organisation.id),
            6 => {
                let parent = of(ORGANISATION, "o", dice.roll(ORGANISATIONS));
                let parent = (!dice.once_in(3)).then(|| Value::text(&parent.id));
                self.set(&organisation, "parent", parent);
            }
            7 => self.set(&organisation, "account", Some(Value::text(&account.id))),
            8 => self.toggle(&account, "tags", &tag.id),
            9 => self.toggle_status(&tag),
            10 | 11 => {
                let list = ["approvers", "reviewed"][road - 10];
                let user = self.user_of(&policy, dice).unwrap_or(user);
                self.toggle(&policy, list, &user.id);
            }
            12 => self.toggle_status(&policy),
            13 => self.set(&policy, "account", Some(Value::text(&account.id))),
            14 => self.toggle(&user, "stores", &store.id),
            15 => self.toggle_status(&store),
            16 => {
                let key = kinds::settings_key();
                let sees = self.value(&key, "adminSeesAccount") == Some(&Value::Bool(false));
                self.set(&key, "adminSeesAccount", Some(Value::Bool(sees)));
            }
            17 => {
                let tier = dice.one_of(&["T0", "T1", "T2", ""]);
                let tier = (!tier.is_empty()).then(|| Value::text(tier));
                self.set(&user, "customFields.tier", tier);
            }
            18 => self.add_user(&user, &account, dice),
            19 => self.add_account(&account, &user, dice),
            20 => self.remove(&[user, policy, organisation, tag][dice.roll(4)]),
            21 => self.remove(&[account, store][dice.roll(2)]),
            22 => {
                let key = [user, policy, account][dice.roll(3)].clone();
                self.set(&key, "status", Some(Value::text("deleted")));
            }
            23 => self.add_organisation(&organisation, &account, &user, dice),
            24 | 25 => {
                // Most of the people at once.
                let status = ["inactive", "active"][road - 24];
                for at in (0..USERS).filter(|_| !dice.once_in(4)) {
                    self.set(&of(USER, "u", at), "status", Some(Value::text(status)));
                }
                for at in (0..ACCOUNTS).filter(|_| status == "active") {
                    self.set(&of(ACCOUNT, "a", at), "status", Some(Value::text(status)));
                }
            }
            _ => {
                let name = ["stores", "groups", "organisations"][dice.roll(3)];
                let value = if name == "groups" { "FOC_User" } else { "" };
                let value = Some(value).filter(|it| !it.is_empty());
                let value = Value::set(value.into_iter().map(CompactText::new));
                self.set(&user, name, Some(value));
            }
        }
    }

    /// Some user of the account of a policy.
    fn user_of(&self, policy: &Key, dice: &mut Dice) -> Option<Key> {
        let account = self.value(policy, "account")?.as_text()?;
        let users = self.declared.keys().filter(|key| {
            let accounts = self.value(key, "accounts").filter(|_| key.kind == USER);
            accounts.is_some_and(|it| it.members().any(|id| id == account))
        });
        let users: Vec<&Key> = users.collect();
        (!users.is_empty()).then(|| users[dice.roll(users.len())].clone())
    }

    /// Sets some of what is declared inactive.
    pub fn end_some(&mut self, dice: &mut Dice) {
        let all = [ACCOUNT, USER, POLICY, TAG, STORE];
        let keys = self.declared.keys().filter(|key| all.contains(&key.kind));
        let keys: Vec<Key> = keys.filter(|_| dice.once_in(7)).cloned().collect();
        keys.iter().for_each(|key| self.toggle_status(key));
    }

    fn remove(&mut self, key: &Key) {
        self.declared.remove(key);
    }

    fn copy(&mut self, key: &Key, id: String) -> Option<Key> {
        let copied = self.declared.get(key)?.clone();
        let key = Key::new(key.kind, id);
        self.declared.insert(
            key.clone(),
            DeclaredResource {
                key: key.clone(),
                ..copied
            },
        );
        self.set(&key, "status", None);
        Some(key)
    }

    fn add_user(&mut self, user: &Key, account: &Key, dice: &mut Dice) {
        self.added += 1;
        if let Some(key) = self.copy(user, format!("u-new{}", self.added)) {
            self.change_link(&key, &account.id, 1, dice);
        }
    }

    fn add_account(&mut self, account: &Key, user: &Key, dice: &mut Dice) {
        self.added += 1;
        let number = format!("77701{}", self.added);
        if let Some(key) = self.copy(account, format!("a-new{}", self.added)) {
            self.set(
                &key,
                "businessRegistrationNumber",
                Some(Value::text(number)),
            );
            self.change_link(user, &key.id, 1, dice);
        }
    }

    fn add_organisation(&mut self, old: &Key, account: &Key, user: &Key, dice: &mut Dice) {
        self.added += 1;
        if let Some(key) = self.copy(old, format!("o-new{}", self.added)) {
            if dice.once_in(2) {
                self.set(&key, "account", Some(Value::text(&account.id)));
                self.set(&key, "parent", None);
            }
            self.toggle(user, "organisations", &key.id);
        }
    }

    /// What is declared as a manifest.
    pub fn yaml(&self) -> String {
        let mut text = String::new();
        for declared in self.declared.values() {
            let kind = kinds::get(declared.key.kind);
            let _ = writeln!(
                text,
                "---\nkind: {}\nexternalId: {}",
                kind.name, declared.key.id
            );
            let mut cleared = Vec::new();
            for stated in &declared.cells {
                match (&stated.field, &stated.cell) {
                    (FieldRef::Custom(id), Cell::Value(value)) => {
                        let _ = writeln!(text, "customFields: {{{id}: {}}}", written(value));
                    }
                    (_, Cell::Value(value)) => {
                        let name = kind.field_name(&stated.field);
                        let _ = writeln!(text, "{name}: {}", written(value));
                    }
                    (field, _) => cleared.push(kind.field_name(field)),
                }
            }
            if !cleared.is_empty() {
                let _ = writeln!(text, "clear: [{}]", cleared.join(", "));
            }
        }
        text
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{:?}", text.as_str()),
        Value::Bool(is) => is.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::List(all) => format!("[{}]", all.join(", ")),
        Value::Links(all) => {
            let links = all.iter().map(|link| {
                let level = ["user", "administrator"][usize::from(link.attributes[0].unwrap_or(0))];
                format!("{{account: {}, level: {level}}}", link.target)
            });
            format!("[{}]", links.collect::<Vec<_>>().join(", "))
        }
    }
}
