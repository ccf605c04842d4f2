//! An export of an ERP beside the same accounts as YAML.

use super::measure::Cost;
use super::rows::{Bench, Engine};
use super::table::Table;
use std::fmt::Write as _;
use std::fs;

const CITIES: [&str; 6] = ["Östersund", "Åre", "Paris", "Dresden", "Gent", "Göteborg"];
pub const HEAD: &str = "accountExternalId;accountName;accountManagerName;accountWebsite;companyRegistrationName;\
    businessRegistrationNumber;customerTagExternalId;deleted;inactive;addressExternalId;addressFullName;addressCountry;\
    addressCity;addressZipCode;addressStreetName;addressPhoneNumber;shippingAddress;billingAddress\r\n";
const CONFIG: &str = "apiVersion: roster/v1\nsources:\n  - {name: base, directory: base}\n  \
    - {name: erp, export: {file: erp.csv, preset: djust-accounts}}\n";
const BASE: &str = "tags: [{externalId: premium, name: Premium}]\nsettings: [{firstUser: off}]\n";
const FROM_YAML: &str = "apiVersion: roster/v1\nsources: [{name: base, directory: exported}]\n";

/// How the export of a night differs from the usual one: how many rows say something else, and how
/// many are gone.
#[derive(Clone, Copy, Default)]
pub struct Night {
    changed: usize,
    gone: usize,
}

pub const USUAL: Night = Night {
    changed: 0,
    gone: 0,
};
pub const NEXT: Night = Night {
    changed: 10,
    gone: 100,
};

/// As many rows of an account with its address as the corpus has users. What one row in a hundred
/// says of its manager is reported every night.
fn rows(count: usize, night: Night) -> String {
    let mut text = HEAD.to_owned();
    let is_among = |n: usize, some: usize| some > 0 && n.is_multiple_of((count / some).max(1));
    for n in (0..count).filter(|n| !is_among(n + 1, night.gone)) {
        let changed = is_among(n, night.changed);
        let name = format!("Customer {n}{}", if changed { " AB" } else { "" });
        let city = CITIES[n % CITIES.len()];
        let manager = if n % 100 == 50 {
            "BjÃ¶rn Lindqvist"
        } else {
            "Eva Lindqvist"
        };
        write!(
            text,
            "{n:010};{name};{manager};https://c{n}.example;{name};{}-{:04};premium;FALSE;FALSE;d{n:09};{name};SE;{city};\
             {};Storgatan {};+46 {:02} {n:07};TRUE;TRUE\r\n",
            556_000 + n % 400_000, n % 10_000, 10_000 + n % 80_000, n % 200, n % 100
        )
        .expect("text");
    }
    text
}

impl Bench {
    pub fn write_export(&self, night: Night) {
        fs::write(self.path("erp.csv"), rows(self.size.users, night)).expect("the export");
    }

    /// The first load of an export, and a pass in which it is the same.
    pub fn feeds(&self, engine: &Engine, table: &mut Table) {
        let name = engine.name;
        fs::create_dir_all(self.path("base")).expect("a directory");
        fs::write(self.path("base/base.yaml"), BASE).expect("the manifests");
        fs::write(self.path("feeds.yaml"), CONFIG).expect("the configuration");
        fs::write(self.path("from-yaml.yaml"), FROM_YAML).expect("the configuration");
        self.write_export(USUAL);
        let database = engine.database(self, "feeds");
        let on = |config: &str, database: &str, arguments: &[&str]| -> Cost {
            engine.cost(|| self.roster_by(config, database, arguments).cost)
        };
        if engine.cluster.is_some() {
            on("feeds.yaml", &database, &["migrate"]);
        }
        on(
            "feeds.yaml",
            &database,
            &["apply", "--source", "base", "--yes", "-q"],
        );
        on(
            "feeds.yaml",
            &database,
            &["approve", "source", "erp", "--reason", "measured"],
        );
        let load = [
            "apply", "--source", "erp", "--yes", "-q", "--detail", "summary",
        ];
        let first = on("feeds.yaml", &database, &load);
        let rows = self.size.users as f64;
        table.amount(
            name,
            "export, first load: peak",
            first.peak as f64 / rows,
            "bytes a row",
            None,
        );
        // What reading it came upon the first time is not there any more in the second pass.
        on("feeds.yaml", &database, &load);
        let again = self.best(|| {
            on(
                "feeds.yaml",
                &database,
                &["plan", "--source", "erp", "-q", "--detailed-exitcode"],
            )
        });
        let floor = self.best(|| {
            let hash = self.part(&["hash", "base", "erp.csv"]);
            hash.and(engine.cost(|| self.part(&engine.digests(self, &database))))
        });
        table.ratio(
            name,
            "export, nothing changed / hash and read",
            again,
            floor,
            Some(2.0),
        );
        table.amount(
            name,
            "export, nothing changed: peak",
            again.peak as f64 / rows,
            "bytes a row",
            None,
        );
        self.next_export(engine, &database, table);
        let exported = self.path("exported");
        on("feeds.yaml", &database, &["export", "-q", "-o", "exported"]);
        let fresh = engine.database(self, "from_yaml");
        if engine.cluster.is_some() {
            on("from-yaml.yaml", &fresh, &["migrate"]);
        }
        let yaml = on(
            "from-yaml.yaml",
            &fresh,
            &["apply", "--yes", "-q", "--detail", "summary"],
        );
        table.ratio(
            name,
            "export, first load / the same as YAML",
            first,
            yaml,
            Some(1.2),
        );
        fs::remove_dir_all(exported).expect("gone");
    }
}
