//! Lists that an export feeds: what goes, what stays, and what is held.

use super::{account, begin, column, file, import};
use crate::support::workspace::{Ran, Workspace, each, sqlite};

const ACCOUNTS: &[&str] = &["a-1", "a-2", "a-3"];

const CONTACTS: &str = "apiVersion: roster/v1
name: contacts
users:
  externalId: id
  fields: {civility: {constant: MR}, firstName: name, lastName: name, email: mail, phone: {constant: '+46 1'},
    groups: {constant: FOC_User, list: add}, accounts: company}
";

const MEMBERS: &str = "apiVersion: roster/v1
name: members
users:
  externalId: id
  fields: {civility: {constant: MR}, firstName: name, lastName: name, email: mail, phone: {constant: '+46 1'},
    groups: {constant: FOC_User, list: add}, accounts: {column: company, list: rows},
    accounts.level: {column: level, values: {Administratör: administrator, Användare: user}}}
";

/// Three accounts, each with a user of its own who stays.
fn companies(ws: &Workspace) {
    begin(ws);
    let rows: Vec<String> = ACCOUNTS
        .iter()
        .map(|id| account(id, &format!("d-{id}"), &[]))
        .collect();
    import(ws, "accounts.csv", file(&rows), &[]).exits(0);
    let staying = ACCOUNTS.iter().map(|id| {
        format!("  - {{externalId: stay-{id}, civility: MR, firstName: S, lastName: S, email: s{id}@x.example, phone: '+46 1', groups: [FOC_Admin], accounts: [{id}]}}\n")
    });
    let users = format!("users:\n{}", staying.collect::<String>());
    ws.write("base/users.yaml", users);
    ws.run(&["apply", "base", "--yes"]).exits(0);
    ws.write("contacts.yaml", CONTACTS);
    ws.write("members.yaml", MEMBERS);
}

fn bring(ws: &Workspace, mapping: &str, rows: &[&str]) -> Ran {
    let text = format!("id;name;mail;company;level\n{}\n", rows.join("\n"));
    ws.write("users.csv", text);
    let arguments = ["import", "users.csv", "--mapping", mapping, "--yes"];
    ws.run(&arguments)
}

fn links(ws: &Workspace, user: &str) -> Vec<String> {
    let query = format!(
        "SELECT account_id FROM user_accounts WHERE user_id = '{user}' ORDER BY account_id"
    );
    column(ws, &query)
}

#[test]
fn a_contact_that_changes_company_leaves_the_old_one() {
    for ws in each("leaves") {
        companies(&ws);
        let row = |company: &str| format!("c-1;Karin;k@x.example;{company};");
        bring(&ws, "contacts.yaml", &[&row("a-1")]).exits(0);
        assert_eq!(links(&ws, "c-1"), ["a-1"]);
        // What somebody else linked stays, whatever the export says.
        ws.sql(
            "INSERT INTO user_accounts (user_id, account_id, level) VALUES ('c-1', 'a-3', 'user')",
        );
        // A blank cell says nothing, and the export still knows what it said before.
        bring(&ws, "contacts.yaml", &[&row("")]).exits(0);
        assert_eq!(links(&ws, "c-1"), ["a-1", "a-3"]);
        // Of four people, two see more by it.
        let held = bring(&ws, "contacts.yaml", &[&row("a-2")]).exits(3);
        ws.approve(&held.hold("guard"));
        bring(&ws, "contacts.yaml", &[&row("a-2")]).exits(0);
        assert_eq!(links(&ws, "c-1"), ["a-2", "a-3"]);
        let again = bring(&ws, "contacts.yaml", &[&row("a-2")]).exits(0);
        assert_eq!(again.steps(), Vec::<String>::new(), "{again}");
    }
}

#[test]
fn many_contacts_that_change_company_at_once_are_held() {
    let ws = sqlite();
    companies(&ws);
    let rows = |company: &str| -> Vec<String> {
        (1..=6)
            .map(|n| format!("c-{n};N{n};n{n}@x.example;{company};"))
            .collect()
    };
    let all = |rows: &[String]| {
        bring(
            &ws,
            "contacts.yaml",
            &rows.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    };
    all(&rows("a-1")).exits(0);
    let held = all(&rows("a-2")).exits(3);
    assert!(!held.holds("guard").is_empty(), "{held}");
    assert_eq!(links(&ws, "c-1"), ["a-1"]);
    let again = all(&rows("a-2")).exits(3);
    assert_eq!(again.holds("guard"), held.holds("guard"));
    assert_eq!(links(&ws, "c-1"), ["a-1"]);
}

#[test]
fn rows_of_memberships_are_the_whole_set_with_levels() {
    for ws in each("members") {
        companies(&ws);
        let one = "m-1;Karin;k@x.example;a-1;Administratör";
        let two = "m-1;Karin;k@x.example;a-2;Användare";
        bring(&ws, "members.yaml", &[one, two]).exits(0);
        assert_eq!(links(&ws, "m-1"), ["a-1", "a-2"]);
        let level = "SELECT level FROM user_accounts WHERE user_id = 'm-1' AND account_id = 'a-1'";
        assert_eq!(ws.value(level).as_deref(), Some("administrator"));
        // A row that does not say its company: the set is not whole, and nobody is taken out.
        bring(&ws, "members.yaml", &[one, "m-1;Karin;k@x.example;;"]).exits(0);
        assert_eq!(links(&ws, "m-1"), ["a-1", "a-2"]);
        bring(&ws, "members.yaml", &[one]).exits(0);
        assert_eq!(links(&ws, "m-1"), ["a-1"]);
        let again = bring(&ws, "members.yaml", &[one]).exits(0);
        assert_eq!(again.steps(), Vec::<String>::new(), "{again}");
    }
}

#[test]
fn an_address_that_is_changed_and_linked_in_one_record_holds_the_record() {
    for ws in each("record") {
        companies(&ws);
        let moved = [
            ("Address Street Name", "Nygatan 9"),
            ("Account Name", "Renamed"),
        ];
        let ran = import(
            &ws,
            "link.csv",
            file(&[account("a-2", "d-a-1", &moved)]),
            &[],
        )
        .exits(1);
        assert!(
            ran.codes("error").contains("address-link-and-update"),
            "{ran}"
        );
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        let linked = "SELECT count(*) FROM account_addresses WHERE account_id = 'a-2' AND address_id = 'd-a-1'";
        assert_eq!(ws.value(linked).as_deref(), Some("0"));
    }
}

#[test]
fn a_record_with_one_wrong_address_is_held_whole() {
    let ws = sqlite();
    companies(&ws);
    let wrong = [("Address Country", "QQ"), ("Account Name", "Renamed")];
    let right = [
        ("Address Street Name", "Nygatan 9"),
        ("Account Name", "Renamed"),
    ];
    let rows = [
        account("a-1", "d-new", &right),
        account("a-1", "d-a-1", &wrong),
        account("a-2", "d-a-2", &right),
    ];
    let ran = import(&ws, "wrong.csv", file(&rows), &[]).exits(1);
    assert!(
        ran.steps()
            .iter()
            .all(|step| !step.contains("a-1") && !step.contains("d-new")),
        "{ran}"
    );
    assert_eq!(ran.steps().len(), 2, "{ran}");
}

#[test]
fn numbered_addresses_have_ids_that_stay() {
    let ws = sqlite();
    begin(&ws);
    ws.write("numbered.yaml", "apiVersion: roster/v1
name: numbered
accounts:
  externalId: no
  fields: {name: name, companyRegistrationName: name, businessRegistrationNumber: reg}
  addresses:
    numbered: 3
    externalId: {template: '{no}-{n}'}
    fields: {fullName: name, street: 'address {n} street', city: 'address {n} city', zipCode: 'address {n} zip', country: {constant: SE}}
");
    let text = "no;name;reg;address 1 street;address 1 city;address 1 zip;address 2 street;address 2 city;address 2 zip\n\
        k-1;Acme;556012-3456;Torget 1;Åre;837 52;Hamnen 2;Lund;222 22\nk-2;Beta;556098-7654;Torget 2;Åre;837 52;;;\n";
    ws.write("numbered.csv", text);
    let arguments = [
        "import",
        "numbered.csv",
        "--mapping",
        "numbered.yaml",
        "--yes",
    ];
    ws.run(&arguments).exits(0);
    let ids = "SELECT external_id FROM addresses ORDER BY external_id";
    assert_eq!(column(&ws, ids), ["k-1-1", "k-1-2", "k-2-1"]);
    assert_eq!(ws.run(&arguments).exits(0).steps(), Vec::<String>::new());
}

#[test]
fn the_user_file_of_djust_names_every_column_but_the_email() {
    let ws = sqlite();
    companies(&ws);
    let import = |header: &str| {
        let row = "p-1;MR;P;P;p1@x.example;+4663123456;FOC_User;;;a-1;;FALSE;FALSE;";
        ws.write("users.csv", format!("{header}\n{row}\n"));
        ws.run(&["import", "users.csv", "--preset", "djust-users", "--yes"])
    };
    let rest =
        "groups;organisationIds;mainOrganisationId;accountIds;password;inactive;delete;storeIds";
    // A column without a name anywhere else may be anything.
    let ran = import(&format!(
        "externalId;civility;firstName;;lastName;phone;{rest}"
    ));
    assert!(ran.exits(1).codes("error").contains("header-blank"));
    let ran = import(&format!(
        "externalId;civility;firstName;lastName;;phone;{rest}"
    ));
    assert_eq!(ran.exits(0).steps(), ["create User/p-1"]);
    let email = "SELECT email FROM users WHERE external_id = 'p-1'";
    assert_eq!(ws.value(email).as_deref(), Some("p1@x.example"));
    let ran = import(&format!(
        "externalId;civility;firstName;lastName;;phone;{rest}"
    ));
    assert_eq!(ran.exits(0).steps(), Vec::<String>::new());
    let both = import(&format!(
        "externalId;civility;firstName;lastName;;Email;{rest}"
    ));
    assert!(both.codes("error").contains("header-duplicate"), "{both}");
}

#[test]
fn a_password_is_never_shown() {
    let ws = sqlite();
    companies(&ws);
    ws.write("secret.csv", "externalId;civility;firstName;lastName;email;phone;groups;accountIds;password\n\
        p-1;MR;P;P;p1@x.example;+46 1;FOC_User;a-1;Hunter2secret\np-2;MR;P;P;p2@x.example;+46 1;FOC_User;a-1;Hunter3secret\n");
    let ran = ws
        .run(&[
            "import",
            "secret.csv",
            "--preset",
            "djust-users",
            "--yes",
            "--report",
            "report.csv",
        ])
        .exits(0);
    assert!(!ran.codes("warning").contains("column-unknown"), "{ran}");
    let hashes = "SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'";
    assert_eq!(ws.value(hashes).as_deref(), Some("2"));
    let shown = ws.run(&["feed", "inspect", "secret.csv"]).exits(0);
    let report = std::fs::read_to_string(ws.path("report.csv")).expect("a report");
    for text in [&ran.stdout, &ran.stderr, &shown.stdout, &report] {
        assert!(!text.contains("Hunter"), "{text}");
    }
}

#[test]
fn a_status_is_mapped_or_asked_for_and_never_ignored() {
    let ws = sqlite();
    begin(&ws);
    for (name, cells, pinned) in [
        ("Active (0/1)", ["1", "0"], true),
        ("Locked", ["x", ""], true),
        ("On Hold", ["yes", "no"], true),
        ("LOEVM", ["X", ""], true),
        ("Löschvormerkung", ["X", ""], true),
        ("Status", ["Active", "Blocked"], true),
        ("Status", ["A", "B"], false),
        ("Status", ["1", "0"], false),
        ("geblokkeerd", ["soms", "nooit"], false),
        ("Account State", ["A", "I"], false),
        ("Life Cycle", ["1", "2"], false),
        ("Stato", ["A", "I"], false),
        ("Valid To", ["2020-01-01", ""], false),
        ("Slutdatum", ["2021-06-30", ""], false),
        ("Ceased", ["x", ""], true),
        ("Utgått", ["x", ""], true),
        ("Flag", ["Y", "N"], false),
        ("FLG_2", ["1", "0"], false),
        ("Kennzeichen", ["X", ""], false),
        ("Code", ["ja", "nej"], false),
    ] {
        let text = format!(
            "customer_no;name;vat;{name}\n1;A;SE556012345601;{}\n2;B;SE556098765401;{}\n",
            cells[0], cells[1]
        );
        ws.write("x.csv", text);
        let mapping = ws.run(&["feed", "map", "x.csv"]).exits(0).stdout;
        let ignored =
            mapping.contains(&format!("- {name}")) || mapping.contains(&format!("- \"{name}\""));
        assert!(!ignored, "{mapping}");
        ws.write("x.yaml", &mapping);
        let ran = ws.run(&["import", "x.csv", "--mapping", "x.yaml", "--yes"]);
        let refused = ran.stderr.contains("polarity-unpinned");
        assert_eq!(refused, !pinned, "{name}: {mapping}\n{ran}");
    }
}

#[test]
fn numbered_addresses_are_found_by_the_names_of_their_columns() {
    let rows = [
        "orgnr",
        "Torget 1;837 52;Åre;SE;Gatan 2;411 18;Göteborg;SE;;;;",
        ";;;;Gatan 3;411 18;Göteborg;SE;;;;",
    ];
    for pattern in [
        "Address {n} {f}",
        "{f}{n}",
        "addr_{n}_{f}",
        "Adresse {n}: {f}",
        "{f} ({n})",
    ] {
        let names = ["Street", "Zip", "City", "Country"];
        let columns = (1..=3).flat_map(|n: u8| {
            names.map(|name| pattern.replace("{n}", &n.to_string()).replace("{f}", name))
        });
        let columns: Vec<String> = columns.collect();
        let ws = sqlite();
        begin(&ws);
        ws.write(
            "x.csv",
            format!(
                "customer_no;name;{};{}\n1;A;556012-0001;{}\n2;B;556012-0002;{}\n",
                rows[0],
                columns.join(";"),
                rows[1],
                rows[2]
            ),
        );
        let mapping = ws.run(&["feed", "map", "x.csv", "-o", "x.yaml"]).exits(0);
        let ran = ws
            .run(&["import", "x.csv", "--mapping", "x.yaml", "--yes"])
            .exits(0);
        let ids = column(
            &ws,
            "SELECT external_id FROM addresses ORDER BY external_id",
        );
        assert_eq!(ids, ["1-1", "1-2", "2-2"], "{pattern}: {mapping}{ran}");
    }
    // Two lines of a street are one address.
    let ws = sqlite();
    ws.write(
        "x.csv",
        "customer_no;name;address1;address2;zip;city;country\n1;A;Torget 1;c/o B;837 52;Åre;SE\n",
    );
    let mapping = ws.run(&["feed", "map", "x.csv"]).exits(0).stdout;
    assert!(
        !mapping.contains("numbered") && mapping.contains("additionalStreet: address2"),
        "{mapping}"
    );
}

#[test]
fn two_presets_that_read_a_header_differently_are_asked_about() {
    let ws = sqlite();
    ws.write("users.csv", "externalId,civility,firstName,lastName,email,phone,inactive\nu-1,MR,A,B,a@x.example,+46 1,TRUE\n");
    let shown = ws
        .run(&["feed", "inspect", "users.csv", "--output", "text"])
        .exits(0);
    assert!(
        shown
            .stdout
            .contains("`--preset djust-users` or `--preset djust-users-legacy`"),
        "{shown}"
    );
    let ran = ws.run(&["feed", "map", "users.csv"]).exits(64);
    assert!(
        ran.stderr.contains("`inactive`") && ran.stderr.contains("djust-users-legacy"),
        "{ran}"
    );
    ws.run(&["feed", "map", "users.csv", "--preset", "djust-users"])
        .exits(0);
}

#[test]
fn odoo_without_the_column_that_tells_companies_from_contacts_is_refused() {
    let ws = sqlite();
    begin(&ws);
    ws.write("p.csv", "id,name,parent_id/id,company_type,type,email\nc1,Azur,,company,contact,\ns1,Azur Sud,c1,company,contact,s@x.example\n");
    let ran = ws
        .run(&["import", "p.csv", "--preset", "odoo-partner", "--yes"])
        .exits(1);
    assert!(ran.rules().contains("column-missing"), "{ran}");
    assert_eq!(ws.value("SELECT count(*) FROM users").as_deref(), Some("0"));
}

#[test]
fn a_company_within_a_company_of_odoo_is_an_account() {
    let ws = sqlite();
    let row = |id: &str, company: &str, parent: &str, kind: &str| {
        format!(
            "{id},Azur {id},{company},{parent},{kind},Torget 1,Lyon,69002,FR,FR12345678901,{id}@x.example,+33 4 00 00 00 00\n"
        )
    };
    let text = "id,name,is_company,parent_id/id,type,street,city,zip,country_id,vat,email,phone\n"
        .to_owned()
        + &row("top", "True", "", "Contact")
        + &row("sub", "True", "top", "Contact")
        + &row("person", "False", "sub", "Contact")
        + &row("hub", "False", "top", "Delivery Address");
    ws.write("odoo.csv", text);
    ws.write(
        "base/base.yaml",
        "settings: {externalId: settings, optionalFields: [User.civility]}\n",
    );
    ws.run(&["apply", "base", "--yes"]);
    let ran = ws.run(&["import", "odoo.csv", "--preset", "odoo-partner", "--yes"]);
    let accounts = "SELECT external_id FROM accounts ORDER BY external_id";
    assert_eq!(column(&ws, accounts), ["sub", "top"], "{ran}");
    assert!(!ran.stdout.contains("User/sub"), "{ran}");
}

#[test]
fn a_word_that_the_mapping_does_not_know_is_told_in_the_words_that_it_does() {
    let ws = sqlite();
    companies(&ws);
    let strict = MEMBERS.replace("Användare: user}", "Användare: user}, otherwise: error");
    ws.write("strict.yaml", strict);
    let ran = bring(&ws, "strict.yaml", &["c-1;Karin;k@x.example;a-1;Chef"]);
    let told = "`Chef` is not one of Administratör, Användare";
    assert!(ran.to_string().contains(told), "{ran}");
}
