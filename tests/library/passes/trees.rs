//! Two directories and an export that somebody edits at random, well or badly.

use crate::support::dice::Dice;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A document: its values by field. Each document is a file.
type Document = BTreeMap<&'static str, String>;

/// What the sources say: documents by `KIND/ID`, and the rows of the export by account.
#[derive(Clone)]
pub struct Trees {
    a: BTreeMap<String, Document>,
    b: BTreeMap<String, Document>,
    erp: BTreeMap<usize, [String; 4]>,
}

const ACCOUNTS: usize = 8;
const USERS: usize = 16;

/// What somebody does in the database.
pub const BY_HAND: [&str; 6] = [
    "UPDATE users SET phone = '+4699' WHERE external_id = 'u-3'",
    "UPDATE users SET status = 'inactive' WHERE external_id = 'u-7'",
    "DELETE FROM policies WHERE external_id = 'p-2'",
    "UPDATE accounts SET website = 'https://by.hand' WHERE external_id = 'a-4'",
    "DELETE FROM user_groups WHERE user_id = 'u-5'",
    "UPDATE accounts SET status = 'inactive' WHERE external_id = 'a-6'",
];

fn document(kind: &str, id: &str, fields: &[(&'static str, &str)]) -> Document {
    let head = [("kind", kind), ("externalId", id)];
    let all = head.iter().chain(fields);
    all.map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

fn account(at: usize) -> Document {
    let address = format!(
        "[{{externalId: d-{at}, fullName: A, street: S 1, zipCode: 211 20, city: C, country: SE}}]"
    );
    let (id, number) = (format!("a-{at}"), format!("\"{}\"", 1000 + at));
    let fields = [
        ("name", "Company"),
        ("companyRegistrationName", "Company AB"),
        ("businessRegistrationNumber", &*number),
        ("customerNumber", &*number),
        ("tags", "[t-0]"),
        ("addresses", &*address),
    ];
    document("Account", &id, &fields)
}

fn user(at: usize, account: usize) -> Document {
    let (id, email) = (format!("u-{at}"), format!("u{at}@example.com"));
    let (account, phone) = (format!("[a-{account}]"), format!("\"+46{:06}\"", 1000 + at));
    let fields = [
        ("civility", "MRS"),
        ("firstName", "First"),
        ("lastName", "Last"),
        ("email", &*email),
        ("phone", &*phone),
        ("groups", "[FOC_User]"),
        ("accounts", &*account),
    ];
    document("User", &id, &fields)
}

impl Trees {
    pub fn new() -> Self {
        let mut trees = Self {
            a: BTreeMap::new(),
            b: BTreeMap::new(),
            erp: BTreeMap::new(),
        };
        let class = [
            ("appliesTo", "account"),
            ("name", "Class"),
            ("type", "list"),
            ("options", "[A, B]"),
        ];
        put(&mut trees.a, document("CustomField", "class", &class));
        put(&mut trees.a, document("Tag", "t-0", &[("name", "Tag")]));
        for at in 0..ACCOUNTS {
            put(&mut trees.a, account(at));
            let (reviewed, approver) = (format!("[u-{}]", at * 2), format!("[u-{}]", at * 2 + 1));
            let of = format!("a-{at}");
            let policy = [
                ("name", "Policy"),
                ("account", &*of),
                ("reviewed", &*reviewed),
                ("approvers", &*approver),
            ];
            put(
                &mut trees.a,
                document("Policy", &format!("p-{at}"), &policy),
            );
        }
        for at in 0..USERS {
            put(&mut trees.a, user(at, at / 2));
        }
        put(&mut trees.b, document("Tag", "t-1", &[("name", "Tag")]));
        for at in 0..4 {
            trees.erp.insert(at, row("Company"));
        }
        trees
    }

    /// One thing that somebody changes.
    pub fn edit(&mut self, dice: &mut Dice) {
        match dice.roll(10) {
            0..=4 => self.edit_own(dice),
            5..=7 => self.edit_other(dice),
            _ => self.edit_export(dice),
        }
    }

    /// One thing that somebody changes in one source.
    pub fn edit_source(&mut self, source: usize, dice: &mut Dice) {
        match source {
            0 => self.edit_own(dice),
            1 => self.edit_other(dice),
            _ => self.edit_export(dice),
        }
    }

    /// The directory that declares most resources.
    fn edit_own(&mut self, dice: &mut Dice) {
        let user_of = format!("User/u-{}", dice.roll(USERS + 1));
        let account_of = format!("Account/a-{}", dice.roll(ACCOUNTS + 1));
        let policy = format!("Policy/p-{}", dice.roll(ACCOUNTS));
        let set = |tree: &mut BTreeMap<String, Document>, key: &str, field, value: &str| {
            if let Some(document) = tree.get_mut(key) {
                document.insert(field, value.to_owned());
            }
        };
        let a = &mut self.a;
        match dice.roll(20) {
            0 | 1 => set(
                a,
                &user_of,
                "phone",
                dice.one_of(&["\"+46111111\"", "\"+46222222\"", "12"]),
            ),
            2 => set(
                a,
                &user_of,
                "email",
                dice.one_of(&["u1@example.com", "n1@example.com", "n2@example.com"]),
            ),
            3 => set(a, &user_of, "status", dice.one_of(&["active", "inactive"])),
            4 => set(
                a,
                &user_of,
                "accounts",
                dice.one_of(&["[a-1]", "[a-1, a-2]", "[nowhere]"]),
            ),
            5 => set(
                a,
                &user_of,
                "groups",
                dice.one_of(&["[FOC_Admin]", "[FOC_User]", "[Nobody]"]),
            ),
            6 | 7 => set(
                a,
                &account_of,
                "name",
                dice.one_of(&["Company", "Firm", "Works"]),
            ),
            8 => set(
                a,
                &account_of,
                "status",
                dice.one_of(&["active", "inactive"]),
            ),
            9..=11 => {
                let custom = [
                    "{class: A}",
                    "{class: B}",
                    "{class: Z}",
                    "{klass: A}",
                    "{class: }",
                ];
                set(a, &account_of, "customFields", dice.one_of(&custom));
            }
            12 => set(a, &policy, "status", dice.one_of(&["active", "inactive"])),
            13 => set(
                a,
                &policy,
                "reviewed",
                dice.one_of(&["[u-1]", "[u-2, u-3]"]),
            ),
            14 => set(
                a,
                "CustomField/class",
                "options",
                dice.one_of(&["[A, B]", "[B]", "[A, B, Z]"]),
            ),
            15 => {
                let settings = dice.one_of(&["customer-number", "email"]);
                put(a, document("Settings", "", &[("loginMode", settings)]));
            }
            16 | 17 => {
                for key in [&user_of, &account_of] {
                    let field = dice.one_of(&["status", "customFields", "tags"]);
                    a.get_mut(key).map(|document| document.remove(field));
                }
            }
            18 => _ = a.remove(&[user_of, policy][dice.roll(2)]),
            _ => {
                let at = dice.roll(USERS + 2);
                put(a, user(at, at / 2 % ACCOUNTS));
            }
        }
    }

    /// The directory that adds to some resources of the other one.
    fn edit_other(&mut self, dice: &mut Dice) {
        let id = format!("u-{}", dice.roll(USERS));
        let of = format!("a-{}", dice.roll(ACCOUNTS));
        let b = &mut self.b;
        match dice.roll(9) {
            0 => put(
                b,
                document(
                    "User",
                    &id,
                    &[("status", dice.one_of(&["inactive", "active"]))],
                ),
            ),
            1 => put(b, document("User", &id, &[("company", "Works")])),
            2 => put(b, document("User", &id, &[("phone", "\"+46333333\"")])),
            3 => {
                let at = USERS + dice.roll(2);
                put(b, user(at, dice.roll(ACCOUNTS)));
            }
            4 => put(
                b,
                document(
                    "Account",
                    &of,
                    &[("customFields", dice.one_of(&["{class: A}", "{class: Q}"]))],
                ),
            ),
            5 => {
                let ty = dice.one_of(&["text", "number"]);
                let fields = [("appliesTo", "account"), ("name", "More"), ("type", ty)];
                put(b, document("CustomField", "more", &fields));
            }
            6 => put(
                b,
                document(
                    "Account",
                    &of,
                    &[("customFields", dice.one_of(&["{more: x}", "{more: 5}"]))],
                ),
            ),
            _ => {
                let keys: Vec<String> = b.keys().cloned().collect();
                b.remove(&keys[dice.roll(keys.len())]);
                put(b, document("Tag", "t-1", &[("name", "Tag")]));
            }
        }
    }

    fn edit_export(&mut self, dice: &mut Dice) {
        let at = dice.roll(ACCOUNTS + 2);
        match dice.roll(6) {
            0 => _ = self.erp.remove(&at),
            1 => _ = self.erp.insert(at, row(dice.one_of(&["Company", "Werk"]))),
            cell => {
                let cells = self.erp.entry(at).or_insert_with(|| row("Company"));
                let (column, values): (usize, &[&str]) = match cell {
                    2 => (1, &["", "https://erp.example"]),
                    3 => (2, &["", "TRUE", "FALSE"]),
                    4 => (3, &["", "A", "B", "Q"]),
                    _ => (0, &["Company", "Werk"]),
                };
                dice.one_of(values).clone_into(&mut cells[column]);
            }
        }
        self.erp.entry(0).or_insert_with(|| row("Company"));
    }

    /// Writes the files that differ, a document each.
    pub fn write(&self, root: &Path) {
        for (name, tree) in [("a", &self.a), ("b", &self.b)] {
            let root = root.join(name);
            fs::create_dir_all(&root).unwrap();
            let file = |key: &str| format!("{}.yaml", key.replace('/', "-"));
            for entry in fs::read_dir(&root).unwrap() {
                let entry = entry.unwrap();
                let there = entry.file_name().into_string().unwrap();
                if !tree.keys().any(|key| file(key) == there) {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
            for (key, document) in tree {
                let mut text = String::new();
                for (field, value) in document {
                    let _ = writeln!(text, "{field}: {value}");
                }
                let path = root.join(file(key));
                if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                    fs::write(path, text).unwrap();
                }
            }
        }
        fs::write(root.join("erp.csv"), self.export()).unwrap();
    }

    fn export(&self) -> String {
        let mut text = "Account External Id;Account Name;Company Registration Name;Business Registration Number;Account Website;Inactive;customField_class;Address External Id;Address Full Name;Address Country;Address City;Address Zip Code;Address Street Name\r\n".to_owned();
        for (at, [name, website, inactive, class]) in &self.erp {
            let _ = write!(
                text,
                "a-{at};{name};Company AB;{};{website};{inactive};{class};d-{at};A;SE;C;211 20;S 1\r\n",
                1000 + at
            );
        }
        text
    }
}

fn row(name: &str) -> [String; 4] {
    [name.to_owned(), String::new(), String::new(), String::new()]
}

fn put(tree: &mut BTreeMap<String, Document>, mut document: Document) {
    if document["kind"] == "Settings" {
        document.remove("externalId");
    }
    let id = document.get("externalId").cloned().unwrap_or_default();
    tree.insert(format!("{}/{id}", document["kind"]), document);
}
