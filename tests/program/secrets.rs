//! A password that a manifest points to is in nothing that Roster prints or stores, but as its hash.

use crate::support::postgres::databases;
use crate::support::program::{Place, dump};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What is planted: from the environment, in a file, and what the first is changed to.
const PLANTED: [&str; 3] = [
    "Xq7-planted-environment",
    "Zw3-planted-in-a-file",
    "Kp9-planted-and-changed",
];

/// All of it in the forms in which it could slip out.
fn traces() -> Vec<Vec<u8>> {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let traces = PLANTED.iter().flat_map(|secret| {
        let (sha, blake) = (Sha256::digest(secret), blake3::hash(secret.as_bytes()));
        [
            secret.as_bytes().to_vec(),
            hex(&sha[..16]).into_bytes(),
            sha[..16].to_vec(),
            hex(&blake.as_bytes()[..16]).into_bytes(),
            blake.as_bytes()[..16].to_vec(),
        ]
    });
    traces.collect()
}

fn must_be_clean(what: &str, bytes: &[u8]) {
    for trace in traces() {
        let found = bytes.windows(trace.len()).any(|window| window == trace);
        assert!(!found, "{what} holds {}", String::from_utf8_lossy(&trace));
    }
}

/// Runs the program with the secrets at hand and looks through what it prints.
fn run(place: &Place, arguments: &[&str]) {
    let reports: &[&str] = match arguments[0] {
        "validate" | "plan" | "show" | "apply" => &["sarif", "junit", "gitlab", "html"],
        _ => &[],
    };
    let formats = ["text", "json", "ndjson", "markdown", "github"];
    for output in formats.iter().chain(reports) {
        let mut command = place.command(arguments);
        let file = std::fs::read_to_string(place.path("current")).expect("the password");
        command
            .env("ROSTER_SECRET_ELIN", file)
            .args(["-vv", "--output", output]);
        let ran = command.output().expect("the program runs");
        let what = format!("roster {} --output {output}", arguments.join(" "));
        must_be_clean(&what, &ran.stdout);
        must_be_clean(&what, &ran.stderr);
        let said = String::from_utf8_lossy(&ran.stderr);
        // A second export finds the directory taken.
        assert!(
            ran.status.success() || said.contains("is not empty"),
            "{what}: {said}"
        );
    }
}

fn planted(url: &str) -> Place {
    let place = Place::new(url);
    place.example("minimal", "m");
    let user = std::fs::read_to_string(place.path("m/user.yaml")).expect("a user");
    let second = user
        .replace("elin.granlund", "karl")
        .replace("elin@", "karl@");
    place.write(
        "m/user.yaml",
        &format!("{user}passwordFrom: {{env: ROSTER_SECRET_ELIN}}\n"),
    );
    place.write(
        "m/karl.yaml",
        &format!("{second}passwordFrom: {{file: karl}}\n"),
    );
    place.write("secrets/karl", PLANTED[1]);
    place.write("current", PLANTED[0]);
    place.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: directory, directory: m}]\nsecrets: {dir: secrets}\n",
    );
    place
}

fn files(root: &Path, each: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(root).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, each);
        } else {
            each(&path, &std::fs::read(&path).expect("a file"));
        }
    }
}

/// Looks through the database; that both hashes are there shows that the passwords came so far.
fn look_into(url: &str) {
    let mut all = Vec::new();
    if let Some(file) = url.strip_prefix("sqlite:") {
        let folder = Path::new(file).parent().expect("a folder");
        files(folder, &mut |path, bytes| {
            must_be_clean(&path.display().to_string(), bytes);
            all.extend_from_slice(bytes);
        });
    } else {
        all = dump(url).into_bytes();
        must_be_clean("the database", &all);
    }
    let hashes = all
        .windows(9)
        .filter(|window| window == b"$argon2id")
        .count();
    assert!(hashes >= 2, "{hashes} hashes");
}

#[test]
fn a_planted_password_is_in_no_output_and_in_no_file() {
    for (_, url) in databases("secrets") {
        let place = planted(&url);
        run(&place, &["validate"]);
        run(&place, &["plan"]);
        run(&place, &["plan", "--detail", "full"]);
        run(&place, &["plan", "--out", "plan.json"]);
        run(&place, &["show", "plan.json", "--detail", "full"]);
        run(&place, &["apply", "--yes"]);
        place.write("current", PLANTED[2]);
        run(&place, &["plan", "--out", "plan.json"]);
        let plan = std::fs::read_to_string(place.path("plan.json")).expect("a plan");
        assert!(
            plan.contains("passwordFrom") && plan.contains("redacted"),
            "{plan}"
        );
        run(&place, &["apply", "--yes"]);
        for arguments in [
            &["get", "users"][..],
            &["get", "user", "karl"],
            &["export"],
            &["history"],
            &["history", "user", "elin.granlund"],
            &["why", "User/elin.granlund"],
            &["why", "User/karl", "passwordFrom"],
            &["changes", "--after", "0"],
            &["plan", "--exact", "--scrub"],
        ] {
            run(&place, arguments);
        }
        run(&place, &["export", "-o", "out"]);
        look_into(&url);
        std::fs::remove_file(place.path("secrets/karl")).expect("removed");
        std::fs::remove_file(place.path("current")).expect("removed");
        files(&place.path("."), &mut |path, bytes| {
            must_be_clean(&path.display().to_string(), bytes);
        });
    }
}

#[test]
fn a_password_that_is_too_weak_is_not_shown_either() {
    let (_, url) = databases("weak").swap_remove(0);
    let place = planted(&url);
    place.write("current", "xq7-planted");
    let mut command = place.command(&["plan", "-vv"]);
    let ran = command
        .env("ROSTER_SECRET_ELIN", "xq7-planted")
        .output()
        .expect("runs");
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!said.contains("xq7-planted"), "{said}");
    assert!(
        said.contains("ROSTER_SECRET_ELIN") || said.contains("passwordFrom"),
        "{said}"
    );
}
