//! At a terminal nothing is applied without a yes, however it is printed.

use crate::support::postgres::databases;
use crate::support::program::Place;
use nix::pty::openpty;
use std::fs::File;
use std::io::Write;
use std::process::{Output, Stdio};

/// Runs the program with a terminal at which somebody types an answer.
fn answered(place: &Place, arguments: &[&str], answer: &str) -> Output {
    let terminal = openpty(None, None).expect("a terminal");
    let mut command = place.command(arguments);
    command.stdin(Stdio::from(terminal.slave));
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = File::from(terminal.master);
    keys.write_all(answer.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn nothing_is_applied_without_a_yes() {
    for (engine, url) in databases("asked") {
        let place = Place::new(&url);
        place.example("minimal", "minimal");
        place.ok(&["migrate"]);
        let before = place.ok(&["plan", "minimal"]);
        assert!(before.contains("to create"), "{engine}: {before}");
        for output in ["text", "markdown", "github", "ndjson"] {
            let ran = answered(&place, &["apply", "minimal", "--output", output], "y\n");
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert_eq!(ran.status.code(), Some(1), "{engine}, {output}: {said}");
            assert!(said.contains("Type `yes` to confirm"), "{output}: {said}");
            assert!(
                said.contains("declined; nothing was applied"),
                "{output}: {said}"
            );
        }
        // Nothing of a JSON answer is printed before the end, so nobody can be asked.
        let ran = answered(&place, &["apply", "minimal", "--output", "json"], "yes\n");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(64), "{engine}: {said}");
        assert!(said.contains("Pass `--yes`"), "{said}");
        assert_eq!(place.ok(&["plan", "minimal"]), before, "{engine}");

        let ran = answered(&place, &["apply", "minimal"], "yes\n");
        assert_eq!(ran.status.code(), Some(0), "{engine}");
        let again = place.ok(&["plan", "minimal"]);
        assert!(again.contains("No changes."), "{engine}: {again}");
    }
}
