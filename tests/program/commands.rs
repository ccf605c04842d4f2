//! What is stored, told by the program: get, export, history, why, changes, fmt.

use crate::support::postgres::databases;
use crate::support::program::Place;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const KINDS: [&str; 10] = [
    "settings",
    "terms",
    "stores",
    "tags",
    "customFields",
    "addresses",
    "accounts",
    "organisations",
    "users",
    "policies",
];

/// The company of the examples, applied.
fn company(url: &str) -> Place {
    let place = Place::new(url);
    place.example("company", "company");
    place.ok(&["apply", "--yes", "company"]);
    place
}

#[test]
fn get_prints_one_resource_as_its_manifest_and_what_no_manifest_says() {
    for (engine, url) in databases("get_one") {
        let place = company(&url);
        let text = place.ok(&["get", "user", "tv-1001"]);
        assert!(
            text.starts_with("kind: User\nexternalId: tv-1001\ncivility: MRS\nfirstName: Eva\n"),
            "{engine}: {text}"
        );
        assert!(
            text.contains("  - {account: tallvik, level: administrator}\n"),
            "{text}"
        );
        assert!(
            text.contains("# meta\n#   version: 1\n#   usable: true\n"),
            "{text}"
        );
        let claim = "#   claim: directory (active) accounts/tallvik/users.yaml:2:17, revision ";
        assert!(text.contains(claim), "{text}");
        let user = place.json(&["get", "USERS/tv-1001"]);
        assert_eq!(
            user["accounts"],
            json!([{"account": "tallvik", "level": "administrator"}])
        );
        assert_eq!(user["customFields"], json!({"site-access": false}));
        let meta = &user["meta"];
        assert_eq!(
            meta["login"],
            json!(["eva.lindqvist@tallvik.example", "40010001-1"])
        );
        assert_eq!(
            (&meta["usable"], &meta["access"]),
            (&json!(true), &json!("enabled"))
        );
        assert_eq!(
            (&meta["approval"], &meta["block"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(meta["claims"][0]["source"], "directory");
        assert_eq!(
            meta["claims"][0]["origin"],
            json!({"path": "accounts/tallvik/users.yaml", "line": 2, "column": 17})
        );
        let account = place.json(&["get", "account", "tallvik"]);
        assert_eq!(account["legalUser"]["birthday"], "1971-05-02");
        assert_eq!(
            account["addresses"][1],
            json!({"ref": "hub-goteborg", "shipping": true, "billing": false})
        );
        assert_eq!(account["meta"]["approval"], "approved");
        assert_eq!(account["meta"]["login"], Value::Null);
        let settings = place.json(&["get", "settings"]);
        let groups = json!(["FOC_Admin", "FOC_User", "FOC_Webmaster"]);
        assert_eq!(settings["userGroups"], groups, "{engine}");
    }
}

#[test]
fn get_lists_a_kind() {
    for (engine, url) in databases("get_many") {
        let place = company(&url);
        place.foreign(
            "UPDATE accounts SET approval = 'pending' WHERE external_id = 'tallvik-suomi'",
        );
        place.foreign("UPDATE users SET blocked = 'left' WHERE external_id = 'tv-1002'");
        let row = |kind: &str, id: &str| {
            let text = place.ok(&["get", kind]);
            let row = text.lines().find(|row| row.starts_with(&format!("{id} ")));
            let row = row.unwrap_or_else(|| panic!("{id}: {text}"));
            row.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for (kind, id, expected) in [
            ("accounts", "ID", "ID NAME STATUS"),
            (
                "accounts",
                "tallvik-bygg",
                "tallvik-bygg Tallvik Bygg active",
            ),
            (
                "accounts",
                "tallvik-suomi",
                "tallvik-suomi Tallvik Suomi active, pending",
            ),
            ("user", "ID", "ID NAME STATUS ACCOUNTS"),
            (
                "user",
                "tb-2005",
                "tb-2005 Jonas Fors inactive tallvik-bygg",
            ),
            (
                "user",
                "tv-1002",
                "tv-1002 Johan Ek active, blocked tallvik",
            ),
        ] {
            assert_eq!(row(kind, id), expected);
        }
        let users = place.lines(&["get", "users"]);
        let usable = |id: &str| {
            let user = users
                .iter()
                .find(|user| user["externalId"] == id)
                .expect(id);
            user["meta"]["usable"]
                .as_bool()
                .expect("a user is usable or not")
        };
        assert!(usable("tv-1001"));
        assert!(!usable("tv-1002"), "blocked");
        assert!(!usable("tb-2005"), "inactive");
        assert!(!usable("ts-5001"), "its only account is pending");
        assert!(usable("tv-9002"), "one of three accounts is pending");
        let items = place.json(&["get", "users"]);
        assert_eq!(items["items"].as_array(), Some(&users), "{engine}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    for (_, url) in databases("not_there") {
        let place = Place::new(&url);
        place.ok(&["migrate"]);
        let ran = place.run(&["get", "user", "u-1"]);
        assert_eq!(
            (ran.code, ran.err.as_str()),
            (Some(1), "error: User/u-1 does not exist\n")
        );
        assert_eq!(place.ok(&["get", "users"]), "No User in the database.\n");
        assert_eq!(place.json(&["get", "users"]), json!({"items": []}));
        assert_eq!(place.ok(&["history"]), "No run yet.\n");
        assert_eq!(
            place.ok(&["history", "--verify"]),
            "History verified: 0 runs, 0 changes.\n"
        );
        assert_eq!(place.ok(&["changes"]), "");
        assert_eq!(place.ok(&["export"]), "");
        let place = company(&url);
        for (arguments, code, said) in [
            (&["get", "user", "tv-101"][..], 1, "did you mean `tv-1001`?"),
            (&["get", "people"], 64, "the kinds are Settings"),
            (&["get", "users/a", "b"], 64, "not both"),
            (&["history", "user", "tv-101"], 1, "did you mean `tv-1001`?"),
            (&["history", "users"], 64, "pass `User/ID`"),
            (
                &["history", "user/tv-1001", "--verify"],
                64,
                "leave out the resource",
            ),
            (&["why", "user/tv-101"], 1, "did you mean `tv-1001`?"),
            (&["why", "tv-1001"], 64, "use KIND/ID"),
            (
                &["why", "user/tv-1001", "emial"],
                1,
                "did you mean `email`?",
            ),
            (
                &["why", "user/tv-1001", "company"],
                1,
                "has no value for `company`",
            ),
            (
                &["changes", "--follow", "--output", "json"],
                64,
                "cannot write one JSON document",
            ),
            (&["export", "-o", "company"], 1, "is not empty"),
        ] {
            let ran = place.run(arguments);
            assert_eq!(ran.code, Some(code), "{arguments:?} {ran:?}");
            assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
            assert_eq!(ran.out, "", "{arguments:?}");
        }
    }
}

/// All files below a folder.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .expect("below")
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

/// All that is stored, without what runs say of it.
fn stored(place: &Place) -> Vec<Value> {
    let records = KINDS.iter().flat_map(|kind| {
        let one = if *kind == "settings" {
            "settings/settings"
        } else {
            kind
        };
        place.lines(&["get", one])
    });
    let resources = records.map(|mut resource| {
        resource.as_object_mut().expect("an object").remove("meta");
        resource
    });
    resources.collect()
}

#[test]
fn an_export_comes_to_what_is_stored() {
    let (mut trees, mut streams) = (Vec::new(), Vec::new());
    for (engine, url) in databases("export") {
        let mut place = company(&url);
        place.ok(&["export", "-o", "out"]);
        trees.push(files(&place.path("out")));
        streams.push(place.ok(&["export"]));
        let before = stored(&place);

        place.url = format!("sqlite:{}", place.path("fresh.db").display());
        place.ok(&["apply", "--yes", "out"]);
        assert_eq!(stored(&place), before, "{engine}");

        place.url = url;
        place.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: second, directory: out}]\n",
        );
        let plan = place.json(&["plan"]);
        assert_eq!(plan["errored"], false, "{plan:#}");
        for step in plan["steps"].as_array().expect("steps") {
            assert_eq!(
                (&step["verb"], &step["changes"]),
                (&json!("adopt"), &json!([])),
                "{step}"
            );
        }
        assert_eq!(plan["held"], json!([]));
        place.ok(&["apply", "--yes"]);
        let plan = place.json(&["plan"]);
        assert_eq!(plan["steps"], json!([]), "{engine}");
        assert_eq!(stored(&place), before);
    }
    let first = &trees[0];
    assert!(
        first.contains_key("accounts/tallvik-bygg/users.yaml"),
        "{:?}",
        first.keys()
    );
    assert_eq!(
        first["terms/customer-terms.txt"],
        include_bytes!("../../examples/company/terms/customer-terms.txt")
    );
    let account = String::from_utf8_lossy(&first["accounts/tallvik-bygg/account.yaml"]);
    assert!(account.contains("    label: Depot Åre\n"), "{account}");
    assert!(account.contains("    billing: false\n  - {ref: hub-goteborg, billing: false}\n"));
    assert!(trees.iter().all(|tree| tree == first), "the engines differ");
    assert!(
        streams.iter().all(|stream| *stream == streams[0]),
        "the engines differ"
    );
}

#[test]
fn a_stream_is_as_good_as_a_tree() {
    for (_, url) in databases("stream") {
        let mut place = company(&url);
        let before = stored(&place);
        place.write("one/all.yaml", &place.ok(&["export"]));
        place.write(
            "one/terms/customer-terms.txt",
            include_str!("../../examples/company/terms/customer-terms.txt"),
        );
        place.url = format!("sqlite:{}", place.path("fresh.db").display());
        place.ok(&["apply", "--yes", "one"]);
        assert_eq!(stored(&place), before);
    }
}

#[test]
fn history_tells_runs_and_changes_and_sees_what_was_altered() {
    for (engine, url) in databases("history") {
        let place = company(&url);
        place.edit(
            "company/accounts/tallvik/users.yaml",
            "+46 70 174 06 11",
            "+46 70 174 06 99",
        );
        place.edit(
            "company/accounts/tallvik/users.yaml",
            "groups: [FOC_User]",
            "groups: [FOC_Webmaster]",
        );
        place.ok(&["apply", "--yes", "company"]);
        let runs = place.ok(&["history"]);
        let mut lines = runs.lines();
        assert!(
            lines.next().expect("a header").starts_with("RUN  WHEN"),
            "{runs}"
        );
        let last = lines.next().expect("a run");
        assert!(
            last.starts_with("2    2") && last.ends_with("eva@example.com  2 update"),
            "{runs}"
        );
        assert_eq!(lines.count(), 1);
        let run = &place.json(&["history", "--limit", "1"])["items"][0];
        assert_eq!(
            (&run["id"], &run["counts"]["update"]),
            (&json!(2), &json!(2))
        );
        assert_eq!(run["actor"], "eva@example.com");

        let changes = place.ok(&["history", "user", "tv-1001"]);
        assert!(
            changes.contains("    phone: \"+46701740611\" → \"+46701740699\"\n"),
            "{changes}"
        );
        assert!(
            changes.contains("  update (declared)  directory@"),
            "{changes}"
        );
        assert!(
            changes.contains("  accounts/tallvik/users.yaml:2:17\n"),
            "{changes}"
        );
        let groups = place.ok(&["history", "User/tv-1002", "--limit", "1"]);
        assert!(
            groups.contains("    groups: − [\"FOC_User\"]  + [\"FOC_Webmaster\"]\n"),
            "{groups}"
        );
        let change = &place.lines(&["history", "users", "tv-1001"])[0];
        let fields = json!({"phone": {"before": "+46701740611", "after": "+46701740699"}});
        assert_eq!(change["fields"], fields, "{engine}");

        let verified = place.ok(&["history", "--verify"]);
        assert_eq!(verified, "History verified: 2 runs, 63 changes.\n");
        let sound = json!({"sound": true, "runs": 2, "changes": 63});
        assert_eq!(place.json(&["history", "--verify"]), sound);
        place.foreign("UPDATE changes SET reason = 'drift' WHERE seq = 62");
        let ran = place.run(&["history", "--verify"]);
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.out.starts_with("The history is broken at run 2: "),
            "{}",
            ran.out
        );
        let ran = place.run(&["history", "--verify", "--output", "json"]);
        assert!(ran.out.contains("\"sound\": false"), "{}", ran.out);
    }
}

/// Two sources that say different things of one user, the first before the second.
fn two_sources(url: &str) -> Place {
    let place = Place::new(url);
    place.example("minimal", "a");
    place.write(
        "b/user.yaml",
        "kind: User\nexternalId: elin.granlund\nphone: \"+46 70 999\"\ncompany: Granlund\n",
    );
    place.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources:\n- {name: a, directory: a}\n- {name: b, directory: b}\norder: [a, b]\n",
    );
    place.ok(&["apply", "--yes"]);
    place
}

#[test]
fn why_names_who_set_a_field_and_what_that_overruled() {
    for (engine, url) in databases("why") {
        let place = two_sources(&url);
        let why = |field: &str| place.json(&["why", "User/elin.granlund", field]);
        let phone = why("phone");
        let field = &phone["fields"][0];
        assert_eq!(field["value"], "+46701740605", "{engine}: {phone:#}");
        assert_eq!(
            (&field["setBy"]["source"], &field["setBy"]["run"]),
            (&json!("a"), &json!(1))
        );
        assert_eq!(field["setBy"]["origin"]["path"], "user.yaml");
        assert_eq!(field["declaredBy"], json!(["a"]));
        let origin = json!({"path": "user.yaml", "line": 3, "column": 8});
        let overruled = json!([{"source": "b", "value": "+4670999", "origin": origin}]);
        assert_eq!(
            (&field["overruled"], &field["waiting"]),
            (&overruled, &json!([]))
        );
        assert_eq!(phone["changedElsewhere"], false);
        let company = &why("company")["fields"][0];
        assert_eq!(
            (&company["setBy"]["source"], &company["setBy"]["run"]),
            (&json!("b"), &json!(2))
        );
        assert_eq!(
            (&company["declaredBy"], &company["overruled"]),
            (&json!(["b"]), &json!([]))
        );
        let text = place.ok(&["why", "user/elin.granlund", "phone"]);
        assert!(
            text.contains("phone = \"+46701740605\"\n    set by a in run 1 at "),
            "{text}"
        );
        assert!(
            text.contains("\n    b declares \"+4670999\" (user.yaml:3:8): overridden\n"),
            "{text}"
        );

        place.edit("a/user.yaml", "+46 70 174 06 05", "+46 70 174 06 06");
        let field = &why("phone")["fields"][0];
        assert_eq!(field["waiting"][0]["value"], "+46701740606", "{field:#}");
        assert_eq!(
            (&field["declaredBy"], &field["overruled"]),
            (&json!([]), &json!([]))
        );

        place.foreign("UPDATE users SET phone = '+46000' WHERE external_id = 'elin.granlund'");
        let phone = why("phone");
        assert_eq!(phone["changedElsewhere"], true, "{engine}");
        assert_eq!(phone["fields"][0]["changedElsewhere"], true);
        assert_eq!(why("email")["fields"][0]["changedElsewhere"], false);
        let text = place.ok(&["why", "user/elin.granlund"]);
        assert!(
            text.contains("  Another program changed the row after Roster wrote it"),
            "{text}"
        );
        assert!(text.contains("\nfirstName = \"Elin\"\n"), "{text}");
    }
}

#[test]
fn changes_come_in_order_whatever_the_parts() {
    for (engine, url) in databases("changes") {
        let place = company(&url);
        let all = place.lines(&["changes"]);
        let seqs: Vec<_> = all
            .iter()
            .filter_map(|change| change["seq"].as_i64())
            .collect();
        assert_eq!(seqs, (1..=61).collect::<Vec<_>>(), "{engine}");
        assert_eq!(
            (&all[0]["kind"], &all[0]["verb"]),
            (&json!("Settings"), &json!("create"))
        );
        assert_eq!(all[0]["fields"]["loginMode"], json!({"after": "both"}));
        assert!(all[0]["at"].as_str().is_some_and(|at| at.ends_with('Z')));
        assert_eq!(
            place.lines(&["changes", "--after", "40", "--limit", "5"]),
            all[40..45]
        );
        assert_eq!(
            place.json(&["changes", "--after", "58"])["items"].as_array(),
            Some(&all[58..].to_vec())
        );
        let text = place.ok(&["changes", "--after", "60"]);
        assert_eq!(
            text.lines().count(),
            1,
            "one object a line without being asked"
        );
    }
}

#[test]
fn a_follower_sees_every_change_once_and_stops_when_told() {
    for (engine, url) in databases("follow") {
        let place = Place::new(&url);
        let mut command = place.command(&["changes", "--after", "0", "--follow"]);
        let mut follower = command.stdout(Stdio::piped()).spawn().expect("a follower");
        let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
        let mut next = || {
            let line = lines.next().expect("a line").expect("text");
            let change: Value = serde_json::from_str(&line).expect("JSON");
            change["seq"].as_i64().expect("a seq")
        };
        place.example("minimal", "m");
        place.ok(&["apply", "--yes", "m"]);
        assert_eq!([next(), next(), next()], [1, 2, 3], "{engine}");
        place.edit("m/user.yaml", "firstName: Elin", "firstName: Ellen");
        place.ok(&["apply", "--yes", "m"]);
        assert_eq!(next(), 4);
        stop(&follower);
        assert_eq!(follower.wait().expect("an end").code(), Some(0));
        assert!(lines.next().is_none(), "nothing comes twice");
    }
}

/// As Ctrl-C does.
fn stop(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .expect("kill");
    assert!(status.success());
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let (_, url) = databases("gone").swap_remove(0);
    let place = company(&url);
    for arguments in [&["changes", "--follow"][..], &["export"], &["get", "users"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ran = place
            .command(arguments)
            .stdout(writer)
            .output()
            .expect("runs");
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{arguments:?}");
    }
}

#[test]
fn fmt_lays_out_and_check_only_tells() {
    let place = Place::new("sqlite:none.db");
    let odd = "kind: Tag   \nexternalId: a\n\n\n\nname: A # why\n";
    place.write("m/tags/a.yaml", odd);
    place.write("m/b.yaml", "kind: Tag\nexternalId: b\nname: B\n");
    let ran = place.run(&["fmt", "--check", "m"]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(1), "m/tags/a.yaml\n", "")
    );
    assert_eq!(
        std::fs::read_to_string(place.path("m/tags/a.yaml")).expect("a file"),
        odd
    );
    assert_eq!(place.ok(&["fmt", "m"]), "m/tags/a.yaml\n");
    let text = std::fs::read_to_string(place.path("m/tags/a.yaml")).expect("a file");
    assert_eq!(text, "kind: Tag\nexternalId: a\n\nname: A # why\n");
    assert_eq!(place.ok(&["fmt", "--check", "m"]), "");
    place.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: m, directory: m}]\n",
    );
    place.write("m/b.yaml", odd);
    assert!(place.ok(&["fmt"]).ends_with("m/b.yaml\n"));
    let ran = place.run(&["fmt", "nowhere.yaml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("cannot read nowhere.yaml"), "{}", ran.err);
    assert!(!place.path("none.db").exists());
}
