//! Every rule has a page that tells the truth: its bad tree raises exactly this code, its good tree
//! does not.

use crate::support::pages::{Fence, command, execute, fences, markdown, root, write};
use crate::support::parallel::in_parallel;
use roster::diagnostic::{Code, codes};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Pages whose example takes more than two trees: bytes that are not text, a second process, an act, an export.
const PROSE: &[&str] = &[
    "accept-trailer",
    "authority-waits",
    "claim-unconfigured",
    "column-blank",
    "column-missing",
    "column-unknown",
    "encoding",
    "ends-soon",
    "not-in-plan",
    "environment-mismatch",
    "feed-not-data",
    "feed-shrunk",
    "feed-stale",
    "feed-truncated",
    "flags-both",
    "header-blank",
    "header-duplicate",
    "header-repeated",
    "id-zeros",
    "invariant",
    "invitation-unusable",
    "json-mixed",
    "json-not-list",
    "json-number-id",
    "json-shape",
    "legal-user-exists",
    "list-empty-item",
    "lock-timeout",
    "map-parent",
    "map-required-custom-field",
    "match-unclear",
    "mojibake",
    "not-found",
    "not-reverted",
    "password-weak",
    "polarity-unpinned",
    "replacement-character",
    "login-taken",
    "reverted",
    "row-conflict",
    "row-quote",
    "row-width",
    "schema-newer",
    "schema-old",
    "source-unreadable",
    "stale-plan",
    "user-erased",
];

/// More rounds of approving and applying than any page needs.
const MOST_ROUNDS: usize = 5;

type Tree = BTreeMap<String, String>;

#[test]
fn every_example_raises_its_code_and_only_when_it_should() {
    let names: Vec<&str> = Code::all().map(Code::name).collect();
    let names: Vec<&str> = names
        .into_iter()
        .filter(|name| !PROSE.contains(name))
        .collect();
    let results = in_parallel(&names, |name| Page::read(name).run());
    let failures: Vec<String> = names
        .iter()
        .zip(results)
        .filter_map(|(name, result)| Some(format!("{name}: {}", result.err()?)))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} pages fail:\n\n{}",
        failures.len(),
        names.len(),
        failures.join("\n\n")
    );
}

#[test]
fn every_page_belongs_to_a_code() {
    let pages: BTreeSet<String> = markdown("specs/rules")
        .iter()
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "README")
        .collect();
    let codes: BTreeSet<String> = Code::all().map(|code| code.name().to_owned()).collect();
    assert_eq!(pages, codes);
}

#[test]
fn every_page_says_what_the_table_says() {
    for code in Code::all() {
        let page = code.page();
        assert!(
            page.starts_with(&format!("# {code}\n\n")),
            "{code}: its title"
        );
        assert!(code.summary().ends_with('.'), "{code}: one sentence first");
        let says = |name: &str| {
            let start = format!("- {name}: ");
            page.lines().find_map(|line| line.strip_prefix(&start))
        };
        assert_eq!(
            says("severity"),
            Some(&*code.severity().to_string()),
            "{code}"
        );
        assert_eq!(says("djust"), code.rule().djust, "{code}");
        let prose = PROSE.contains(&code.name());
        assert_eq!(says("shown"), prose.then_some("prose"), "{code}");
    }
}

#[test]
fn every_executable_page_has_a_bad_and_a_good_tree() {
    for code in Code::all().filter(|code| !PROSE.contains(&code.name())) {
        let page = Page::read(code.name());
        assert!(!page.bad.is_empty() && !page.good.is_empty(), "{code}");
        assert_ne!(page.bad, page.good, "{code}");
        let config = page.config();
        assert_eq!(config["sources"][0]["directory"], "manifests", "{code}");
        assert_eq!(
            config["sources"].get(1).is_some(),
            !page.other.is_empty(),
            "{code}"
        );
    }
}

#[test]
fn the_list_of_rules_is_complete() {
    let list = std::fs::read_to_string(root("specs/rules/README.md")).expect("the list");
    for code in Code::all() {
        let row = format!(
            "| [`{code}`]({code}.md) | {} | {} |",
            code.severity(),
            code.summary()
        );
        assert!(list.lines().any(|line| line == row), "missing: {row}");
    }
    let rows = list.lines().filter(|line| line.starts_with("| [`")).count();
    assert_eq!(rows, codes::ALL.len());
}

/// What a page asks for.
#[derive(Default)]
struct Page {
    code: String,
    base: Tree,
    stored: Tree,
    bad: Tree,
    good: Tree,
    other: Tree,
    roster: String,
    drift: String,
}

impl Page {
    fn read(name: &str) -> Self {
        let code = Code::by_name(name).expect("a code");
        let mut page = Self {
            code: name.to_owned(),
            ..Self::default()
        };
        for fence in fences(code.page()) {
            page.take(fence);
        }
        page
    }

    fn take(&mut self, fence: Fence) {
        let tree = match (fence.language(), fence.label()) {
            ("console", _) => return,
            ("yaml", "roster") => return self.roster.push_str(&fence.text),
            ("sql", "drift") => return self.drift.push_str(&fence.text),
            (_, "base") => &mut self.base,
            (_, "stored") => &mut self.stored,
            (_, "bad") => &mut self.bad,
            (_, "good") => &mut self.good,
            (_, "other") => &mut self.other,
            (language, label) => panic!("{}: what is `{language} {label}`?", self.code),
        };
        let file = fence.file().unwrap_or("manifests.yaml").to_owned();
        let before = tree.insert(file, fence.text);
        assert_eq!(
            before, None,
            "{}: a file stands twice in one tree",
            self.code
        );
    }

    /// `roster.yaml`: the fence's `source` and `other` go into the sources, the rest to the top.
    fn config(&self) -> Value {
        let own = if self.roster.is_empty() {
            Map::new()
        } else {
            serde_saphyr::from_str(&self.roster).expect("the configuration of the page")
        };
        let mut sources = vec![json!({"name": "directory", "directory": "manifests"})];
        if !self.other.is_empty() {
            sources.push(json!({"name": "other", "directory": "other"}));
        }
        let mut config = json!({"apiVersion": "roster/v1", "database": "sqlite:roster.db"});
        config["sources"] = Value::Array(sources);
        for (key, value) in own {
            match key.as_str() {
                "source" => merge(&mut config["sources"][0], value),
                "other" => merge(&mut config["sources"][1], value),
                _ => merge(&mut config, json!({ key: value })),
            }
        }
        config
    }

    fn run(&self) -> Result<(), String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let sandbox = Sandbox(dir.path());
        // JSON is YAML.
        write(&sandbox.0.join("roster.yaml"), &self.config().to_string());
        sandbox.tree("manifests", [&self.base, &self.stored]);
        sandbox.tree("other", [&Tree::new()]);
        // Without a stored tree the page is about an empty database, unless somebody else was there.
        let somebody = !self.drift.is_empty() || !self.other.is_empty();
        if !self.stored.is_empty() || (somebody && !self.base.is_empty()) {
            sandbox.settle("directory")?;
        }
        if !self.drift.is_empty() {
            execute(&sandbox.0.join("roster.db"), &self.drift)?;
        }
        if !self.other.is_empty() {
            sandbox.tree("other", [&self.other]);
            sandbox.roster(&["apply", "--yes", "--source", "other", "--output", "json"])?;
        }
        sandbox.tree("manifests", [&self.base, &self.bad]);
        self.judge_bad(&sandbox.plan("directory")?)?;
        sandbox.tree("manifests", [&self.base, &self.good]);
        self.judge_good(&sandbox.plan("directory")?)
    }

    fn judge_bad(&self, plan: &Value) -> Result<(), String> {
        if found(plan).contains(&self.code) {
            return self.judge_help(plan);
        }
        Err(format!("the bad tree does not raise it\n{}", told(plan)))
    }

    /// What is wrong says the way out, and all say it in one style.
    fn judge_help(&self, plan: &Value) -> Result<(), String> {
        // What the parser expected where a text is no YAML, its message says.
        let spoken = self.code == "yaml-syntax";
        for finding in plan["diagnostics"].as_array().into_iter().flatten() {
            let help = finding["help"].as_str();
            let own = finding["code"] == self.code && finding["severity"] == "error";
            if own && help.is_none() && !spoken {
                return Err(format!("no way out of {}", finding["message"]));
            }
            let first = help.and_then(|help| help.chars().next());
            if first.is_some_and(char::is_lowercase) {
                return Err(format!("no capital begins: {}", finding["help"]));
            }
        }
        Ok(())
    }

    fn judge_good(&self, plan: &Value) -> Result<(), String> {
        if found(plan).contains(&self.code) {
            return Err(format!("the good tree raises it too\n{}", told(plan)));
        }
        let fatal = findings(plan).any(|finding| finding["severity"] == "error");
        if plan["errored"] != false || fatal {
            return Err(format!("the good tree is not good\n{}", told(plan)));
        }
        Ok(())
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn findings(plan: &Value) -> impl Iterator<Item = &Value> {
    ["diagnostics", "held"]
        .into_iter()
        .flat_map(|list| plan[list].as_array().into_iter().flatten())
}

fn found(plan: &Value) -> BTreeSet<String> {
    findings(plan)
        .filter_map(|finding| Some(finding["code"].as_str()?.to_owned()))
        .collect()
}

/// What a plan says, a line a finding.
fn told(plan: &Value) -> String {
    let line = |finding: &Value| format!("  {}: {}", finding["code"], finding["message"]);
    let lines: Vec<String> = findings(plan).map(line).collect();
    format!(
        "  errored: {}, summary: {}\n{}",
        plan["errored"],
        plan["summary"],
        lines.join("\n")
    )
}

/// A directory with a configuration, a database and trees.
struct Sandbox<'a>(&'a Path);

impl Sandbox<'_> {
    /// Makes a folder hold these files and no others.
    fn tree<'t>(&self, folder: &str, trees: impl IntoIterator<Item = &'t Tree>) {
        let folder = self.0.join(folder);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("the tree before");
        }
        std::fs::create_dir_all(&folder).expect("a tree");
        for (file, text) in trees.into_iter().flatten() {
            write(&folder.join(file), text);
        }
    }

    /// Applies until nothing is left to do, approving what is held.
    fn settle(&self, source: &str) -> Result<(), String> {
        for _ in 0..MOST_ROUNDS {
            self.roster(&["apply", "--yes", "--source", source, "--output", "json"])?;
            let plan = self.plan(source)?;
            let holds = waiting(&plan);
            let steps = plan["steps"]
                .as_array()
                .is_none_or(|steps| !steps.is_empty());
            if holds.is_empty() && !steps {
                return Ok(());
            }
            for hold in holds {
                self.roster(&["approve", "hold", &hold, "--reason", "test"])?;
            }
        }
        let plan = self.plan(source)?;
        Err(format!("what is stored does not settle\n{}", told(&plan)))
    }

    fn plan(&self, source: &str) -> Result<Value, String> {
        let out = self.roster(&["plan", "--output", "json", "--source", source])?;
        serde_json::from_str(&out).map_err(|error| format!("the plan is not JSON: {error}\n{out}"))
    }

    /// Runs the binary: 0 and 3 (something is held) are fine, and so is 1 when a plan says why.
    fn roster(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = command(env!("CARGO_BIN_EXE_roster"), self.0);
        let out = command
            .args(arguments)
            .output()
            .map_err(|error| error.to_string())?;
        let (text, log) = (
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr),
        );
        let planned = arguments[0] == "plan" && text.trim_start().starts_with('{');
        match out.status.code() {
            Some(0 | 3) => Ok(text),
            Some(1) if planned => Ok(text),
            _ => Err(format!(
                "roster {} ends with {}\n{text}{log}",
                arguments.join(" "),
                out.status
            )),
        }
    }
}

/// The ids of holds that wait for a decision.
fn waiting(plan: &Value) -> BTreeSet<String> {
    let held = plan["held"].as_array().into_iter().flatten();
    let standing = |entry: &&Value| {
        let code = entry["code"].as_str().and_then(Code::by_name);
        code.is_some_and(Code::is_standing)
    };
    held.filter(|entry| !standing(entry))
        .filter_map(|entry| Some(entry["hold"].as_str()?.to_owned()))
        .collect()
}
