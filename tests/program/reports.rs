//! The reports for CI: each against the schema of those who read it, several at once, to files that
//! are written as a whole or not at all.

use crate::support::program::Place;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

mod xml;

const ACCOUNTS: &str =
    "accounts:\n  - {externalId: acme, name: Acme, companyRegistrationName: Acme AB}\n";

/// A repository with a source in a folder, and mistakes in it.
fn faulty() -> Place {
    let place = Place::new("sqlite:roster.db");
    fs::create_dir(place.path(".git")).expect("a folder");
    place.write("shop/manifests/accounts.yaml", ACCOUNTS);
    place.write(
        "shop/manifests/tägs & co.yaml",
        "tags:\n  - {externalId: a, nam: A}\n  - {externalId: b, naam: '<B> ]]> \"&'}\n  - {externalId: c, name: C}\n  - {externalId: c, name: C}\n",
    );
    place
}

fn report(place: &Place, format: &str) -> String {
    let ran = place.run(&["validate", "shop/manifests", "--output", format]);
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    ran.out
}

/// The diagnostics as JSON, which the reports are held against.
fn diagnostics(place: &Place) -> Vec<Value> {
    let document: Value = serde_json::from_str(&report(place, "json")).expect("JSON");
    document["diagnostics"].as_array().expect("a list").clone()
}

#[test]
fn sarif_fits_its_schema_and_has_a_result_for_each_diagnostic() {
    let schema = include_str!("../schemas/sarif-2.1.0.json");
    // As published, the pattern of languages is not a regular expression.
    let schema = schema.replace("-[a-zA-Z]{2}]?$", "-[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let place = faulty();
    let sarif: Value = serde_json::from_str(&report(&place, "sarif")).expect("JSON");
    let wrong: Vec<String> = validator
        .iter_errors(&sarif)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    let run = &sarif["runs"][0];
    let (results, found) = (
        run["results"].as_array().expect("results"),
        diagnostics(&place),
    );
    assert_eq!(results.len(), found.len());
    for (result, found) in results.iter().zip(&found) {
        assert_eq!(result["ruleId"], found["code"]);
        let at = result["ruleIndex"].as_u64().expect("a number");
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        let rule = &rules[usize::try_from(at).expect("a place")];
        assert_eq!(rule["id"], found["code"]);
        let page = rule["help"]["markdown"].as_str().expect("a page");
        assert!(page.starts_with(&format!("# {}\n", found["code"].as_str().expect("a code"))));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["region"]["startLine"], found["origin"]["line"]);
        assert_eq!(place["region"]["startColumn"], found["origin"]["column"]);
    }
    let path = &results.last().expect("a result")["locations"][0]["physicalLocation"]["artifactLocation"]
        ["uri"];
    assert_eq!(path, "shop/manifests/t%C3%A4gs%20%26%20co.yaml");
    // Nothing wrong is a run without results, not no run.
    place.write("shop/manifests/tägs & co.yaml", "tags: []\n");
    let sarif: Value = serde_json::from_str(&report(&place, "sarif")).expect("JSON");
    assert!(validator.is_valid(&sarif), "{sarif}");
}

#[test]
fn junit_fits_its_schema_and_has_a_failed_case_for_each_error() {
    let schema = xml::parse(include_str!("../schemas/junit-10.xsd")).expect("XML");
    let place = faulty();
    let errors = diagnostics(&place);
    let errors: Vec<&Value> = errors
        .iter()
        .filter(|found| found["severity"] == "error")
        .collect();
    let text = report(&place, "junit");
    let suites = xml::parse(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
    xml::validate(&schema, &suites).unwrap_or_else(|why| panic!("{why}: {text}"));
    let cases = suites.all("testcase");
    assert_eq!(cases.len(), errors.len());
    assert!(cases.len() > 2, "{text}");
    for (case, error) in cases.iter().zip(&errors) {
        let failures = case.all("failure");
        assert_eq!(failures.len(), 1, "{text}");
        assert_eq!(failures[0].attribute("type"), error["code"].as_str());
        assert_eq!(failures[0].attribute("message"), error["message"].as_str());
    }
    assert_eq!(
        suites.attribute("failures"),
        Some(&*errors.len().to_string())
    );
    place.write("shop/manifests/tägs & co.yaml", "tags: []\n");
    let text = report(&place, "junit");
    let suites = xml::parse(&text).expect("XML");
    xml::validate(&schema, &suites).unwrap_or_else(|why| panic!("{why}: {text}"));
    assert_eq!(suites.all("testcase").len(), 1);
    assert_eq!(suites.all("failure").len(), 0);
    // The check itself finds what is wrong.
    let odd = xml::parse("<testsuites><testsuite name='a'><testcase/></testsuite></testsuites>")
        .expect("XML");
    assert!(xml::validate(&schema, &odd).is_err());
}

#[test]
fn gitlab_gets_its_members_and_fingerprints_that_outlive_other_edits() {
    let place = faulty();
    let read = || -> Vec<Value> { serde_json::from_str(&report(&place, "gitlab")).expect("JSON") };
    let before = read();
    assert_eq!(before.len(), diagnostics(&place).len());
    let prints = |all: &[Value]| -> BTreeSet<String> {
        all.iter()
            .map(|one| one["fingerprint"].as_str().expect("text").to_owned())
            .collect()
    };
    for one in &before {
        let members: Vec<&String> = one.as_object().expect("an object").keys().collect();
        assert_eq!(
            members,
            [
                "description",
                "check_name",
                "fingerprint",
                "severity",
                "location"
            ]
        );
        assert!(
            ["info", "minor", "major", "critical", "blocker"]
                .contains(&one["severity"].as_str().expect("text"))
        );
        assert!(
            one["location"]["path"]
                .as_str()
                .is_some_and(|path| path.starts_with("shop/manifests/"))
        );
        assert!(
            one["location"]["lines"]["begin"]
                .as_u64()
                .is_some_and(|line| line > 0)
        );
    }
    assert_eq!(prints(&before).len(), before.len(), "each has its own");
    place.edit(
        "shop/manifests/tägs & co.yaml",
        "tags:\n",
        "# moved\n\ntags:\n",
    );
    let after = read();
    assert_eq!(prints(&before), prints(&after));
    assert_ne!(before, after, "the lines moved");
}

#[test]
fn reports_count_what_they_leave_out() {
    let place = faulty();
    let tags = |count: usize| {
        let lines = (0..count).map(|n| format!("  - {{externalId: t-{n}, nam: T}}\n"));
        format!("tags:\n{}", lines.collect::<String>())
    };
    let file = "shop/manifests/tägs & co.yaml";
    place.write(file, &tags(1_700));
    let text = report(&place, "junit");
    let suites = xml::parse(&text).expect("XML");
    let schema = xml::parse(include_str!("../schemas/junit-10.xsd")).expect("XML");
    xml::validate(&schema, &suites).unwrap_or_else(|why| panic!("{why}"));
    let cases = suites.all("testcase");
    let unknown: Vec<_> = cases
        .iter()
        .filter(|case| case.all("failure")[0].attribute("type") == Some("unknown-field"))
        .collect();
    assert_eq!(unknown.len(), 1_001);
    let rest = unknown[1_000];
    assert_eq!(rest.attribute("classname"), Some(file));
    let message =
        "700 more errors of unknown-field in tägs & co.yaml not shown; fix the first 1000";
    let failure = rest.all("failure")[0].clone();
    assert_eq!(failure.attribute("message"), Some(message));
    let count = cases.len().to_string();
    assert_eq!(suites.attribute("tests"), Some(&*count));
    assert_eq!(suites.all("testsuite")[0].attribute("tests"), Some(&*count));

    let gitlab = || -> Value {
        let all: Vec<Value> = serde_json::from_str(&report(&place, "gitlab")).expect("JSON");
        let mut rest = all.into_iter().filter(|one| {
            let description = one["description"].as_str().unwrap_or_default();
            one["check_name"] == "unknown-field" && description.contains(" not shown; ")
        });
        let found = rest.next().expect("an entry that counts the rest");
        assert_eq!(rest.next(), None);
        found
    };
    let rest = gitlab();
    assert_eq!(rest["description"], message);
    assert_eq!(rest["severity"], "major");
    assert_eq!(rest["location"]["path"], file);
    // It stays the same one with another count.
    place.write(file, &tags(1_500));
    let fewer = gitlab();
    assert_ne!(fewer["description"], rest["description"]);
    assert_eq!(fewer["fingerprint"], rest["fingerprint"]);
}

#[test]
fn a_page_has_everything_in_it_and_no_value_becomes_markup() {
    let place = faulty();
    let html = report(&place, "html");
    for part in [
        "<html lang=\"en\">",
        "default-src 'none'",
        "prefers-color-scheme: dark",
        "type=\"search\"",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    for remote in ["http://", "https://", " src=", "@import", "url("] {
        assert!(!html.contains(remote), "{remote}");
    }
    assert!(!html.contains("<B>"), "{html}");
    assert!(html.contains("unknown-field"), "{html}");
}

#[test]
fn several_formats_are_written_at_once_and_each_file_as_a_whole() {
    let place = faulty();
    place.write("plan.md", "old");
    let ran = place.run(&[
        "plan",
        "shop/manifests",
        "--output",
        "markdown=plan.md",
        "--output",
        "sarif=plan.sarif",
        "--output",
        "json",
        "--output",
        "html=plan.html",
        "--output",
        "text=plan.txt",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let plan: Value = serde_json::from_str(&ran.out).expect("stdout is JSON alone");
    assert_eq!(plan["errored"], true);
    let read = |name: &str| fs::read_to_string(place.path(name)).expect(name);
    assert!(read("plan.md").starts_with("<!-- roster:plan source=directory -->\n### Refused: "));
    assert!(read("plan.sarif").contains("\"version\": \"2.1.0\""));
    assert!(read("plan.html").starts_with("<!DOCTYPE html>"));
    assert!(
        read("plan.txt").ends_with(" errors.\n"),
        "{}",
        read("plan.txt")
    );
    // Of those without a file, only one has a place.
    for (arguments, why) in [
        (
            &["--output", "json", "--output", "sarif"][..],
            "`--output json` and `--output sarif` both go to stdout",
        ),
        (
            &["--output", "json=a", "--output", "sarif=a"],
            "two formats go to a",
        ),
        (
            &["--output", "json=a", "--output", "sarif=./a"],
            "two formats go to ./a",
        ),
        // The file is there already, under two names.
        (
            &[
                "--output",
                "html=plan.md",
                "--output",
                "sarif=shop/../plan.md",
            ],
            "two formats go to shop/../plan.md",
        ),
        (&["--output", "sarif="], "the file is missing"),
        (&["--output", "pdf"], "no format `pdf`"),
    ] {
        let ran = place.run(&[&["validate", "shop/manifests"], arguments].concat());
        assert_eq!(ran.code, Some(64), "{ran:?}");
        assert!(ran.err.contains(why), "{ran:?}");
    }
    // The saved plan is one of the files.
    let ran = place.run(&["plan", "--out", "a", "--output", "markdown=./a"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(
        ran.err
            .contains("`--out` and `--output markdown` both go to ./a"),
        "{ran:?}"
    );
    let ran = place.run(&["history", "--output", "sarif"]);
    assert_eq!(ran.code, Some(64));
    assert!(
        ran.err
            .contains("`--output sarif` is only for `roster validate`, "),
        "{ran:?}"
    );
    let ran = place.run(&["plan", "shop/manifests", "--output", "json=none/plan.json"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("error: cannot write none/plan.json: "),
        "{ran:?}"
    );
}

#[test]
fn nothing_is_applied_if_a_file_cannot_be_written() {
    let place = Place::new("sqlite:roster.db");
    place.write(
        "manifests/tags.yaml",
        "tags:\n  - {externalId: a, name: A}\n",
    );
    let apply = |file: &str| place.run(&["apply", "manifests", "--yes", "--output", file]);
    let ran = apply("html=none/page.html");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("error: cannot write none/page.html: "),
        "{ran:?}"
    );
    assert!(!place.path("roster.db").exists());
    let ran = apply("json=applied.json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let applied = fs::read_to_string(place.path("applied.json")).expect("written");
    let applied: Value = serde_json::from_str(&applied).expect("JSON");
    assert_eq!(
        (&applied["outcome"], &applied["run"]),
        (&"applied".into(), &1.into())
    );
    // The sources are one document, which is there when all are done.
    let config = "apiVersion: roster/v1\nsources:\n  - {name: a, directory: manifests}\n  - {name: b, directory: more}\n";
    let several = Place::new("sqlite:roster.db");
    several.write("roster.yaml", config);
    several.write(
        "manifests/tags.yaml",
        "tags:\n  - {externalId: a, name: A}\n",
    );
    several.write("more/tags.yaml", "tags:\n  - {externalId: b, name: B}\n");
    let sarif = several.ok(&["apply", "--yes", "--output", "sarif"]);
    let sarif: Value = serde_json::from_str(&sarif).expect("one document");
    assert_eq!(sarif["runs"].as_array().map(Vec::len), Some(1));
    let again = apply("json=applied.json");
    assert!(
        again
            .out
            .ends_with("No changes. The directory matches the manifests.\n"),
        "{again:?}"
    );
}

#[test]
fn pseudonyms_are_those_of_the_database_and_stay_the_same() {
    let place = Place::new("sqlite:roster.db");
    place.example("company", "company");
    place.ok(&["apply", "--yes", "company"]);
    place.edit(
        "company/people/group.yaml",
        "firstName: Aleksi",
        "firstName: Alexi",
    );
    let plan = ["plan", "company", "--output", "markdown"];
    let masked = place.ok(&plan);
    assert!(
        masked.contains("User/tv-9002") && masked.contains("-     firstName: (masked "),
        "{masked}"
    );
    assert!(
        !masked.contains("Alexi") && !masked.contains("Aleksi"),
        "{masked}"
    );
    assert_eq!(masked, place.ok(&plan));
    // A saved plan has the same ones where its database is, and none elsewhere.
    place.ok(&["plan", "company", "--out", "plan.json"]);
    let step = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.contains("firstName: "))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        step(&place.ok(&["show", "plan.json", "--output", "markdown"])),
        step(&masked)
    );
    let mut elsewhere = place.command(&["show", "plan.json", "--output", "markdown"]);
    let elsewhere = elsewhere
        .env("ROSTER_DATABASE", "sqlite:none.db")
        .output()
        .expect("runs");
    let elsewhere = String::from_utf8(elsewhere.stdout).expect("UTF-8");
    assert_eq!(
        step(&elsewhere),
        ["-     firstName: (masked)", "+     firstName: (masked)"]
    );
    let shown = place.ok(&[&plan[..], &["--show-personal"]].concat());
    assert!(
        shown.contains("-     firstName: Aleksi\n+     firstName: Alexi\n"),
        "{shown}"
    );
    let other = Place::new("sqlite:roster.db");
    other.example("company", "company");
    other.ok(&["apply", "--yes", "company"]);
    other.edit(
        "company/people/group.yaml",
        "firstName: Aleksi",
        "firstName: Alexi",
    );
    assert_ne!(
        step(&other.ok(&plan)),
        step(&masked),
        "another database has another key"
    );
}
