//! At a terminal nothing is applied without a yes, however it is printed.

use crate::support::postgres::databases;
use crate::support::program::Place;
use nix::pty::openpty;
use std::fs::File;
use std::io::{Read, Write};
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

/// Runs the program with stdout at a terminal, and returns what it shows there.
fn shown(command: &mut std::process::Command) -> (Option<i32>, String) {
    let terminal = openpty(None, None).expect("a terminal");
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(terminal.slave))
        .stderr(Stdio::null())
        .spawn();
    // The command keeps its end of the terminal open until it is dropped or used again.
    command.stdout(Stdio::null());
    let mut shown = Vec::new();
    // Linux ends a terminal that nobody has open any more with an error.
    let _ = File::from(terminal.master).read_to_end(&mut shown);
    let code = child.expect("started").wait().expect("an end").code();
    (code, String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn a_plan_at_a_terminal_goes_through_the_pager() {
    let place = Place::new("sqlite:none.db");
    place.example("minimal", "minimal");
    let plan = |arguments: &[&str], pager: &str| {
        let mut command = place.command(&[&["plan", "minimal"], arguments].concat());
        command.env("PAGER", pager).env("NO_COLOR", "1");
        let (code, text) = shown(&mut command);
        assert_eq!(code, Some(0), "{arguments:?}, {pager}: {text}");
        text
    };
    let paged = place.path("paged.txt");
    let summary = "Plan: 3 to create";
    let into_file = "cat > paged.txt";
    assert_eq!(plan(&[], into_file), "");
    let text = std::fs::read_to_string(&paged).expect("the pager ran");
    assert!(text.contains(summary), "{text}");
    std::fs::remove_file(&paged).expect("removed");
    for (arguments, pager) in [
        (&["--no-pager"][..], into_file),
        (&["--output", "json"], into_file),
        (&[], ""),
        (&[], "cat"),
        (&[], "roster-has-no-such-pager"),
    ] {
        let text = plan(arguments, pager);
        let is_plan = text.contains(summary) || text.contains("\"create\":3");
        assert!(is_plan, "{arguments:?}, {pager}: {text}");
        assert!(!paged.exists(), "{arguments:?}");
    }
    // Whoever leaves the pager before the end has seen enough.
    assert_eq!(plan(&["--detail", "full"], "true"), "");
    // Nothing is paged where nobody looks.
    let mut piped = place.command(&["plan", "minimal"]);
    let ran = piped.env("PAGER", into_file).output().expect("runs");
    assert!(String::from_utf8_lossy(&ran.stdout).contains(summary));
    assert!(!paged.exists());
}
