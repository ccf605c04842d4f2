//! The corpus: a directory of manifests, the same in every run, valid by every rule and not tidy.

use super::lcg::Lcg;
use super::yaml::Yaml;
use std::fs;
use std::io;
use std::path::Path;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// As on the command line.
    pub name: &'static str,
    /// How many users; the other kinds are in proportion.
    pub users: usize,
}

/// The sizes to choose from.
pub const SIZES: [Size; 4] = [
    Size {
        name: "1k",
        users: 1_000,
    },
    Size {
        name: "10k",
        users: 10_000,
    },
    Size {
        name: "100k",
        users: 100_000,
    },
    Size {
        name: "1m",
        users: 1_000_000,
    },
];

const FIRST: &[&str] = &[
    "Karin",
    "Åsa",
    "Jörg",
    "Marie-Claire",
    "Søren",
    "Zoë",
    "Ana",
    "Olav",
    "Päivi",
    "Henrik",
    "Yusuf",
    "Ingrid",
];
const LAST: &[&str] = &[
    "Åslund",
    "Lindqvist",
    "Müller",
    "O'Neill",
    "Dubois",
    "Nygård",
    "Virtanen",
    "Kjær",
    "van den Berg",
    "Öberg",
    "Sánchez",
    "Holm",
];
const TRADES: &[&str] = &[
    "Bygg", "Print", "Logistik", "Verkstad", "Papper", "Handel", "Skog", "Marin", "Energi", "Mat",
];
const CITIES: &[(&str, &str)] = &[
    ("SE", "Östersund"),
    ("SE", "Göteborg"),
    ("DE", "Lübeck"),
    ("DK", "Århus"),
    ("FI", "Jyväskylä"),
    ("FR", "Orléans"),
    ("NO", "Tromsø"),
];
const LEVELS: &[&str] = &["administrator", "user"];
const NOTES: &[&str] = &[
    "moved from the old shop",
    "ask sales before changing",
    "see ticket 4711",
    "TODO: check with finance",
];

/// How many of each kind there are, and in how many files.
impl Size {
    /// Ten users to an account.
    pub fn accounts(self) -> usize {
        self.users / 10
    }

    /// Two to every fourth account.
    pub fn organisations(self) -> usize {
        self.users / 20
    }

    /// Groups of customers.
    pub fn tags(self) -> usize {
        (self.users / 5_000).max(10)
    }

    /// One to every fifth account.
    pub fn policies(self) -> usize {
        self.users / 50
    }

    fn files(self) -> usize {
        (self.users / 850).clamp(24, 1_200)
    }
}

/// One kind's part of the tree.
struct Part {
    folder: &'static str,
    count: usize,
    /// How many files of a hundred.
    share: usize,
    write: fn(Size, &mut Yaml, usize, bool),
}

fn parts(size: Size) -> [Part; 4] {
    [
        Part {
            folder: "accounts",
            count: size.accounts(),
            share: 17,
            write: account,
        },
        Part {
            folder: "organisations",
            count: size.organisations(),
            share: 3,
            write: organisation,
        },
        Part {
            folder: "users",
            count: size.users,
            share: 78,
            write: user,
        },
        Part {
            folder: "policies",
            count: size.policies(),
            share: 2,
            write: policy,
        },
    ]
}

/// Writes the whole corpus below `root`, and says how many bytes it has.
///
/// # Errors
/// When a file cannot be written.
pub fn write(size: Size, root: &Path) -> io::Result<u64> {
    fs::create_dir_all(root)?;
    let mut bytes = 0;
    let mut put = |path: &Path, text: String| {
        bytes += text.len() as u64;
        fs::write(path, text)
    };
    put(
        &root.join("settings.yaml"),
        "kind: Settings\noptionalFields: []\n".to_owned(),
    )?;
    put(&root.join("custom-fields.yaml"), CUSTOM_FIELDS.to_owned())?;
    put(&root.join("tags.yaml"), tags(size))?;
    put(&root.join("hubs.yaml"), hubs())?;
    for part in parts(size) {
        let folder = root.join(part.folder);
        fs::create_dir_all(&folder)?;
        let files = (size.files() * part.share / 100).max(2);
        for file in 0..files {
            let text = text(size, &part, file, files, &[]);
            put(&folder.join(name(file)), text)?;
        }
    }
    Ok(bytes)
}

/// Writes some user files again, so that in each of them the phone of one user is another one (or
/// again the first).
///
/// # Errors
/// When a file cannot be written.
pub fn change(size: Size, root: &Path, users: usize, changed: bool) -> io::Result<()> {
    let part = parts(size)
        .into_iter()
        .find(|part| part.folder == "users")
        .expect("users are a part");
    let files = (size.files() * part.share / 100).max(2);
    for nth in 0..users {
        let file = nth * files / users;
        let others = (0..users).filter(|other| other * files / users == file);
        let all: Vec<usize> = others
            .map(|other| first(size.users, file, files) + 7 + other)
            .collect();
        let of: &[usize] = if changed { &all } else { &[] };
        fs::write(
            root.join("users").join(name(file)),
            text(size, &part, file, files, of),
        )?;
    }
    Ok(())
}

fn name(file: usize) -> String {
    format!("{file:04}.yaml")
}

/// The first resource of a file.
fn first(count: usize, file: usize, files: usize) -> usize {
    count * file / files
}

/// One file: every second one is a collection, the others have one document a resource.
fn text(size: Size, part: &Part, file: usize, files: usize, changed: &[usize]) -> String {
    let collection = file % 2 == 1;
    let mut yaml = Yaml::new(collection);
    if collection {
        yaml.line(&format!("{}:", part.folder));
    }
    for index in first(part.count, file, files)..first(part.count, file + 1, files) {
        (part.write)(size, &mut yaml, index, changed.contains(&index));
    }
    yaml.into_text()
}

const CUSTOM_FIELDS: &str = "\
customFields:
  - {externalId: credit-class, appliesTo: account, name: Credit class, type: list, options: [A, B, C, D]}
  - {externalId: sales-region, appliesTo: account, name: Sales region, type: text}
  - {externalId: cost-centre, appliesTo: user, name: Cost centre, type: text}
  - {externalId: badge, appliesTo: user, name: Badge, type: number}
  - {externalId: key-person, appliesTo: user, name: Key person, type: boolean}
  - {externalId: floor, appliesTo: address, name: Floor, type: text}
";

fn tags(size: Size) -> String {
    let mut text = String::from("# Groups for prices.\ntags:\n");
    for index in 0..size.tags() {
        text.push_str(&format!(
            "  - externalId: tag-{index:03}\n    name: Group {index}\n"
        ));
    }
    text
}

const HUBS: u64 = 10;

fn hubs() -> String {
    let mut yaml = Yaml::new(true);
    yaml.line("addresses:");
    for hub in 0..HUBS {
        yaml.begin("Address", &format!("hub-{hub}"), "");
        yaml.text("fullName", &format!("Hub {hub}"));
        yaml.text("street", &format!("Kajen {hub}"));
        yaml.text("zipCode", "41104");
        yaml.text("city", "Göteborg");
        yaml.text("country", "SE");
    }
    yaml.into_text()
}

fn account_id(index: usize) -> String {
    format!("{:010}", 1_000_000 + index * 7)
}

fn user_id(index: usize) -> String {
    format!("u-{index:07}")
}

fn has_organisations(account: usize) -> bool {
    account.is_multiple_of(4)
}

/// An organisation of an account: 0 is the root, 1 lies below it.
fn organisation_id(account: usize, nth: usize) -> String {
    format!("org-{}", account / 4 * 2 + nth)
}

fn account(size: Size, yaml: &mut Yaml, index: usize, _: bool) {
    let lcg = &mut Lcg::of(1, index);
    let place @ (country, _) = CITIES[index % CITIES.len()];
    let name = format!("{} {} {index}", lcg.one(LAST), lcg.one(TRADES));
    untidy(yaml, lcg);
    yaml.begin("Account", &account_id(index), note(lcg));
    yaml.text("name", &name);
    yaml.text("companyRegistrationName", &format!("{name} AB"));
    yaml.text(
        "businessRegistrationNumber",
        &format!("{}-{}", lcg.digits(6), lcg.digits(4)),
    );
    let vat = vat(country, lcg);
    yaml.text("vatNumber", &vat);
    if lcg.once_in(3) {
        yaml.text("website", &format!("https://www.firma-{index}.example/"));
    }
    yaml.text("customerNumber", &(1_000_000 + index * 7).to_string());
    let tags: Vec<String> = (0..lcg.below(3))
        .map(|_| format!("tag-{:03}", lcg.below(size.tags() as u64)))
        .collect();
    yaml.list("tags", &tags);
    let mut addresses: Vec<String> = (0..1 + lcg.below(3))
        .map(|nth| address(index, nth, place, lcg))
        .collect();
    // The hubs are in Sweden, where VAT numbers of others would be a warning.
    if country == "SE" && lcg.once_in(5) {
        addresses.push(format!("{{ref: hub-{}, billing: false}}", lcg.below(HUBS)));
    }
    yaml.items("addresses", &addresses);
    let class = lcg.one(&["A", "B", "C", "D"]);
    yaml.map(
        "customFields",
        &[("credit-class", class), ("sales-region", country)],
    );
}

fn address(account: usize, nth: u64, (country, city): (&str, &str), lcg: &mut Lcg) -> String {
    let zip = match country {
        "SE" | "DE" | "FI" | "FR" => format!("1{}", lcg.digits(4)),
        _ => format!("1{}", lcg.digits(3)),
    };
    let (person, street, number) = (lcg.one(LAST), lcg.one(LAST), 1 + lcg.below(99));
    format!(
        "{{externalId: ad-{account}-{nth}, fullName: \"{person} {account}\", street: \"{street}gatan {number}\", \
         zipCode: \"{zip}\", city: {city}, country: \"{country}\"}}"
    )
}

fn vat(country: &str, lcg: &mut Lcg) -> String {
    let digits = match country {
        "SE" => 12,
        "DE" | "NO" => 9,
        "FR" => 11,
        _ => 8,
    };
    format!("{country}{}", lcg.digits(digits))
}

fn organisation(_: Size, yaml: &mut Yaml, index: usize, _: bool) {
    let lcg = &mut Lcg::of(2, index);
    let (account, nth) = (index / 2 * 4, index % 2);
    untidy(yaml, lcg);
    yaml.begin("Organisation", &organisation_id(account, nth), note(lcg));
    yaml.text("name", &format!("{} {}", lcg.one(TRADES), lcg.one(LAST)));
    yaml.text("account", &account_id(account));
    if nth == 1 {
        yaml.text("parent", &organisation_id(account, 0));
    }
}

fn user(size: Size, yaml: &mut Yaml, index: usize, changed: bool) {
    let lcg = &mut Lcg::of(3, index);
    let account = index / 10;
    let (first, last) = (lcg.one(FIRST), lcg.one(LAST));
    untidy(yaml, lcg);
    yaml.begin("User", &user_id(index), note(lcg));
    yaml.text("civility", lcg.one(&["MISS", "MRS", "MR"]));
    yaml.text("firstName", first);
    yaml.text("lastName", last);
    yaml.text(
        "email",
        &format!("kontakt.inkop.{index}@avdelning.firma-{account}.example"),
    );
    let phone = format!("+46{}{:07}", 10 + lcg.below(89), index);
    yaml.text("phone", if changed { "+4611223344" } else { &phone });
    if !lcg.once_in(4) {
        yaml.text(
            "company",
            &format!("{} {} Aktiebolag", lcg.one(LAST), lcg.one(TRADES)),
        );
    }
    let leader = index.is_multiple_of(10);
    let groups: &[&str] = if leader {
        &["FOC_Admin", "FOC_User"]
    } else {
        &["FOC_User"]
    };
    yaml.list(
        "groups",
        &groups.iter().map(ToString::to_string).collect::<Vec<_>>(),
    );
    let level = if leader {
        "administrator"
    } else {
        lcg.one(LEVELS)
    };
    let mut accounts = vec![format!(
        "{{account: \"{}\", level: {level}}}",
        account_id(account)
    )];
    if lcg.once_in(10) {
        accounts.push(format!(
            "\"{}\"",
            account_id((account + 1) % size.accounts())
        ));
    }
    yaml.items("accounts", &accounts);
    if has_organisations(account) && lcg.once_in(2) {
        let nth = lcg.below(2) as usize;
        yaml.list("organisations", &[organisation_id(account, nth)]);
    }
    if index % 10 > 3 && lcg.once_in(50) {
        yaml.text("status", "inactive");
    }
    let (centre, badge) = (format!("K{}", lcg.digits(4)), format!("1{}", lcg.digits(4)));
    match lcg.below(4) {
        0 => yaml.map(
            "customFields",
            &[("cost-centre", &centre), ("badge", &badge)],
        ),
        1 | 2 => yaml.map(
            "customFields",
            &[
                ("cost-centre", &centre),
                ("badge", &badge),
                ("key-person", "true"),
            ],
        ),
        _ => {}
    }
}

fn policy(_: Size, yaml: &mut Yaml, index: usize, _: bool) {
    let lcg = &mut Lcg::of(4, index);
    let account = index * 5;
    untidy(yaml, lcg);
    yaml.begin("Policy", &format!("pol-{index}"), note(lcg));
    yaml.text("name", &format!("Purchases of {index}"));
    yaml.prose("message", "Your order waits for a colleague who looks at it before it is sent to us, as your company wants it.");
    yaml.text("account", &account_id(account));
    let user = |nth: usize| user_id(account * 10 + nth);
    yaml.list("reviewed", &[user(1), user(2), user(3)]);
    yaml.list("approvers", &[user(0)]);
}

/// A tenth of the resources is written as people write.
fn untidy(yaml: &mut Yaml, lcg: &mut Lcg) {
    yaml.untidy = lcg.once_in(10);
}

fn note(lcg: &mut Lcg) -> &'static str {
    lcg.one(NOTES)
}
