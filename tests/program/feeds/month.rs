//! A month of git and ERP side by side.
//!
//! The ERP decides names, sales decides websites in git, the shop decides telephone numbers. Nights bring
//! outages, exports cut short, half exports, blank cells, accounts that are blocked and some that are gone.

use super::{account, begin, column, file};
use crate::support::git_remote::Remote;
use crate::support::workspace::{Ran, Workspace, each};
use std::collections::BTreeMap;

const DAYS: u32 = 30;
/// Accounts that both know, and accounts that only the ERP knows.
const SHARED: u32 = 12;
const OWN: u32 = 8;

/// What the ERP holds of an account.
#[derive(Clone)]
struct Customer {
    name: String,
    website: String,
    blocked: bool,
}

/// What came of a night.
#[derive(PartialEq, Debug)]
enum Night {
    Accepted,
    Lost,
}

struct Month {
    ws: Workspace,
    remote: Remote,
    erp: BTreeMap<String, Customer>,
    sites: BTreeMap<u32, u32>,
    phones: BTreeMap<u32, String>,
    /// What of the ERP was believed last.
    believed: BTreeMap<String, Customer>,
    /// How many names of each account were believed, one after the other.
    names: BTreeMap<String, u32>,
}

impl Month {
    fn new(ws: Workspace) -> Self {
        begin(&ws);
        let customer = |id: &String| Customer {
            name: format!("{id} AB"),
            website: "https://erp.example/".to_owned() + id,
            blocked: false,
        };
        let ids = (1..=SHARED).map(|n| format!("a-{n}"));
        let ids = ids.chain((1..=OWN).map(|n| format!("e-{n}")));
        let erp: BTreeMap<String, Customer> = ids.map(|id| (id.clone(), customer(&id))).collect();
        let remote = Remote::new();
        let url = remote.url();
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base}}\n  \
                 - name: erp\n    export: {{file: erp.csv, preset: djust-accounts}}\n    \
                 authority: {{Account: {{seed: [website], observe: [managerName]}}}}\n    \
                 complete: {{trailer: '#EOF;{{n}}', shrink: 20%}}\n    absence: {{after: 3, action: deactivate}}\n  \
                 - name: sales\n    git: {{url: '{url}', path: manifests}}\n    \
                 authority: {{Account: {{seed: [name]}}}}\nshop: {{authority: {{User: [phone]}}}}\norder: [erp, sales]\n"
            ),
        );
        Self {
            ws,
            remote,
            names: erp.keys().map(|id| (id.clone(), 1)).collect(),
            believed: erp.clone(),
            erp,
            sites: (1..=SHARED).map(|n| (n, 0)).collect(),
            phones: BTreeMap::new(),
        }
    }

    /// What sales commits.
    fn commit(&self) {
        for (n, version) in &self.sites {
            let yaml = format!(
                "accounts:\n  - externalId: a-{n}\n    name: Only for the beginning\n    website: https://a-{n}.example/{version}\n    managerName: Eva\n\
                 users:\n  - {{externalId: u-{n}, civility: MRS, firstName: U, lastName: N{version}, email: u{n}@x.example, phone: '+46 1', groups: [FOC_Admin], accounts: [a-{n}]}}\n"
            );
            self.remote.write(&format!("manifests/a-{n}.yaml"), yaml);
        }
        self.remote.push("a day of sales");
    }

    /// The export of a night; `without` are left out.
    fn export(&self, without: &[&str], blank: Option<u32>) -> String {
        let there = self
            .erp
            .iter()
            .filter(|(id, _)| !without.contains(&id.as_str()));
        let rows: Vec<String> = there
            .enumerate()
            .map(|(n, (id, customer))| {
                // Now and then a cell is blank.
                let site = if blank.is_some_and(|day| (n + day as usize).is_multiple_of(7)) {
                    ""
                } else {
                    &customer.website
                };
                let cells = [
                    ("Account Name", &*customer.name),
                    ("Account Website", site),
                    ("Inactive", if customer.blocked { "TRUE" } else { "FALSE" }),
                ];
                account(id, &format!("d-{id}"), &cells)
            })
            .collect();
        let text = file(&rows);
        format!("{text}#EOF;{}\r\n", rows.len())
    }

    /// Applies everything, and finds nothing to do afterwards.
    fn apply(&mut self, day: u32, night: &Night) {
        let ran = self.ws.run(&["apply", "--yes"]);
        let wanted: &[i32] = if *night == Night::Accepted {
            &[0]
        } else {
            &[1, 3]
        };
        assert!(
            wanted.contains(&ran.code.unwrap_or(-1)),
            "day {day}: {night:?}: {ran}"
        );
        let again = self.ws.run(&["plan"]);
        assert_eq!(again.steps(), Vec::<String>::new(), "day {day}: {again}");
        // Whatever the ERP does, what sales and the shop say is planned, and never refused.
        let sales = ran
            .plans()
            .into_iter()
            .find(|plan| plan["source"]["name"] == "sales");
        let sales = sales.expect("a plan of sales");
        assert_eq!(sales["errored"], false, "day {day}: {sales}");
        assert_eq!(
            sales["held"].as_array().map(Vec::len),
            Some(0),
            "day {day}: {sales}"
        );
        if *night == Night::Accepted {
            for (id, customer) in &self.erp {
                let before = &self.believed[id];
                *self.names.entry(id.clone()).or_default() +=
                    u32::from(before.name != customer.name);
            }
            self.believed = self.erp.clone();
        }
    }

    /// Every field is at the value of whoever decides it.
    fn check(&self, day: u32, gone: &[&str]) {
        let accounts = column(
            &self.ws,
            "SELECT external_id || '|' || name || '|' || status || '|' || coalesce(website, '') || '|' || coalesce(manager_name, '') FROM accounts ORDER BY external_id",
        );
        let wanted: Vec<String> = self
            .believed
            .iter()
            .map(|(id, customer)| {
                let inactive = customer.blocked || gone.contains(&id.as_str());
                let status = if inactive { "inactive" } else { "active" };
                let shared = id.strip_prefix("a-").and_then(|n| n.parse().ok());
                let (site, manager) = match shared {
                    Some(n) => (format!("https://{id}.example/{}", self.sites[&n]), "Eva"),
                    None => (format!("https://erp.example/{id}"), ""),
                };
                format!("{id}|{}|{status}|{site}|{manager}", customer.name)
            })
            .collect();
        assert_eq!(accounts, wanted, "day {day}");
        let phones = column(&self.ws, "SELECT phone FROM users ORDER BY external_id");
        let mut users: Vec<(String, u32)> = (1..=SHARED).map(|n| (format!("u-{n}"), n)).collect();
        users.sort();
        let wanted: Vec<String> = users
            .iter()
            .map(|(_, n)| self.phones.get(n).cloned().unwrap_or("+461".into()))
            .collect();
        assert_eq!(phones, wanted, "day {day}");
    }
}

/// How often each name was written, by the history.
fn written(ran: &Ran) -> BTreeMap<String, u32> {
    let mut written = BTreeMap::new();
    let all: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    for change in all["items"].as_array().expect("changes") {
        if change["kind"] == "Account" && !change["fields"]["name"].is_null() {
            let id = change["externalId"].as_str().expect("an id").to_owned();
            *written.entry(id).or_default() += 1;
        }
    }
    written
}

#[test]
fn a_month_of_git_and_erp_ends_where_each_decides() {
    for ws in each("month") {
        let mut month = Month::new(ws);
        month.commit();
        month.ws.write("erp.csv", month.export(&[], None));
        month
            .ws
            .run(&["apply", "--yes", "--source", "directory"])
            .exits(0);
        month
            .ws
            .run(&["approve", "source", "erp", "--reason", "begins"])
            .exits(0);
        month.apply(0, &Night::Accepted);
        month.check(0, &[]);
        let mut missed = 0;
        for day in 1..=DAYS {
            let id = format!("a-{}", day % SHARED + 1);
            if let Some(customer) = month.erp.get_mut(&id) {
                customer.name = format!("{id} of day {day}");
                customer.website = format!("https://erp.example/{id}/{day}");
            }
            let blocked = (10..20).contains(&day);
            month.erp.get_mut("a-3").expect("a-3").blocked = blocked;
            let without: &[&str] = if day >= 22 { &["e-2"] } else { &[] };
            let whole = month.export(without, Some(day));
            let night = match day {
                day if day % 5 == 0 => {
                    month.ws.remove("erp.csv");
                    Night::Lost
                }
                day if day % 7 == 0 => {
                    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
                    month.ws.write("erp.csv", lines[..lines.len() - 3].concat());
                    Night::Lost
                }
                day if day % 11 == 0 => {
                    let half: Vec<&str> = ["e-1", "e-2", "e-3", "e-4", "e-5", "e-6"].into();
                    month.ws.write("erp.csv", month.export(&half, Some(day)));
                    Night::Lost
                }
                _ => {
                    month.ws.write("erp.csv", whole);
                    missed += u32::from(!without.is_empty());
                    Night::Accepted
                }
            };
            *month.sites.get_mut(&(day % 5 + 1)).expect("a site") = day;
            month.commit();
            let user = day % SHARED + 1;
            let phone = format!("+4670{day:04}");
            month.ws.sql(&format!(
                "UPDATE users SET phone = '{phone}' WHERE external_id = 'u-{user}'"
            ));
            month.phones.insert(user, phone);
            month.apply(day, &night);
            month.check(day, if missed >= 3 { &["e-2"] } else { &[] });
        }
        assert!(missed >= 3);
        // No value was ever written twice for one decision.
        let changes = month.ws.run(&["changes", "--after", "0"]).exits(0);
        assert_eq!(written(&changes), month.names);
        month.ws.run(&["history", "--verify"]).exits(0);
    }
}
