//! Input that a trusted importer survives: each entry of the catalogue with its outcome. Nothing
//! makes the program panic or hang.

mod consequences;
mod diagnostics;
mod emptied;
mod semantics;
mod syntax;
mod values;

use crate::support::workspace::{Ran, Workspace, account, run_within, sqlite, user};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

/// Nobody waits longer for a tree of this size.
const PATIENCE: Duration = Duration::from_secs(20);

/// What comes of a tree.
enum Then {
    /// Errors of exactly these rules.
    Errors(&'static [&'static str]),
    /// No error, and warnings of exactly these rules.
    Warnings(&'static [&'static str]),
}
use Then::{Errors, Warnings};

const FINE: Then = Warnings(&[]);

/// Runs, and neither panics nor hangs.
#[track_caller]
fn survives(ws: &Workspace, arguments: &[&str]) -> Ran {
    let (ran, ended) = run_within(&mut ws.command(arguments), PATIENCE);
    assert!(ended, "it hung: {ran}");
    assert!(matches!(ran.code, Some(0..=4)), "it broke: {ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    ran
}

#[track_caller]
fn outcome(about: &str, ws: &Workspace, then: &Then) {
    let ran = survives(ws, &["validate", "manifests"]);
    let set = |codes: &[&str]| {
        codes
            .iter()
            .map(|&code| code.to_owned())
            .collect::<BTreeSet<_>>()
    };
    let (errors, warnings) = match then {
        Errors(codes) => (set(codes), None),
        Warnings(codes) => (set(&[]), Some(set(codes))),
    };
    assert_eq!(ran.codes("error"), errors, "{about}: {ran}");
    if let Some(warnings) = warnings {
        assert_eq!(ran.codes("warning"), warnings, "{about}: {ran}");
    }
    assert_eq!(ran.code, Some(i32::from(!errors.is_empty())), "{about}");
    // In the words for people, too.
    let mut text = ws.command(&["validate", "manifests"]);
    let (text, ended) = run_within(text.env("ROSTER_OUTPUT", "text"), PATIENCE);
    assert!(ended && text.code == ran.code, "{about}: {text}");
}

/// Each case is an entry of the catalogue, the bytes of a manifest, and what comes of it.
fn cases(cases: &[(&str, Vec<u8>, Then)]) {
    let ws = sqlite();
    for (about, bytes, then) in cases {
        ws.write("manifests/all.yaml", bytes);
        outcome(about, &ws, then);
    }
}

fn tag(name: &str) -> Vec<u8> {
    format!("kind: Tag\nexternalId: premium\nname: {name}\n").into_bytes()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[test]
fn files_and_encodings() {
    let text = "kind: Tag\nexternalId: premium\nname: ";
    cases(&[
        ("1 zero bytes", Vec::new(), FINE),
        (
            "3 cut within a quote",
            joined(&[text.as_bytes(), b"\"Prem"]),
            Errors(&["yaml-syntax"]),
        ),
        (
            "3 cut within a character",
            joined(&[text.as_bytes(), b"Fj\xc3"]),
            Errors(&["encoding"]),
        ),
        (
            "12 conflict markers",
            b"<<<<<<< HEAD\nkind: Tag\n=======\nkind: Store\n>>>>>>> theirs\n".to_vec(),
            Errors(&["yaml-syntax"]),
        ),
        (
            "13 a byte order mark",
            joined(&[b"\xef\xbb\xbf", &tag("Premium")]),
            FINE,
        ),
        (
            "13 two of them",
            joined(&[b"\xef\xbb\xbf\xef\xbb\xbf", &tag("Premium")]),
            FINE,
        ),
        (
            "14 UTF-16 of a spreadsheet",
            utf16("kind: Tag\nexternalId: premium\nname: Premium\n"),
            Errors(&["encoding"]),
        ),
        (
            "15 Windows-1252",
            joined(&[text.as_bytes(), b"Caf\xe9\n"]),
            Errors(&["encoding"]),
        ),
        (
            "15 two encodings",
            joined(&[&tag("Café"), b"---\n", text.as_bytes(), b"Caf\xe9\n"]),
            Errors(&["encoding"]),
        ),
        ("16 what was garbled before", tag("CafÃ©"), FINE),
        (
            "18 a NUL",
            joined(&[text.as_bytes(), b"a\0b\n"]),
            Errors(&["yaml-syntax"]),
        ),
        (
            "18 half a character in JSON",
            b"{\"kind\": \"Tag\", \"externalId\": \"premium\", \"name\": \"\\ud800\"}".to_vec(),
            Errors(&["yaml-syntax"]),
        ),
        (
            "19 a typographic quote at the end",
            joined(&[text.as_bytes(), "\"Premium”\n".as_bytes()]),
            Errors(&["yaml-syntax"]),
        ),
    ]);
}

#[test]
fn a_line_without_an_end_is_over_the_limit() {
    let ws = sqlite();
    ws.tree(joined(&[
        b"kind: Tag\nexternalId: premium\nname: ",
        &vec![b'a'; 65 << 20],
    ]));
    outcome("9 a single line of 65 MiB", &ws, &Errors(&["yaml-limit"]));
    ws.tree(joined(&[
        b"kind: Tag\nexternalId: premium\nname: ",
        &vec![b'a'; 50_000],
    ]));
    outcome("29 a name of 50,000 characters", &ws, &Errors(&["length"]));
}

#[test]
fn paths_stay_below_the_root() {
    let ws = sqlite();
    let valid = tag("Premium");
    ws.write(
        "outside.yaml",
        "kind: Tag\nexternalId: foreign\nname: Foreign\n",
    );
    ws.write("manifests/all.yaml", &valid);
    symlink(ws.path("outside.yaml"), ws.path("manifests/link.yaml")).expect("a link");
    outcome("11 a link to the outside", &ws, &Errors(&["path-escape"]));
    ws.remove("manifests/link.yaml");

    symlink(ws.path("manifests"), ws.path("manifests/again")).expect("a link");
    let ran = survives(&ws, &["validate", "manifests"]);
    assert!(
        ran.code == Some(0) || ran.codes("error").contains("path-escape"),
        "11 a circle of links: {ran}"
    );
    fs::remove_file(ws.path("manifests/again")).expect("removed");

    fs::create_dir(ws.path("manifests/folder.yaml")).expect("a folder");
    ws.write(
        "manifests/folder.yaml/store.yaml",
        "kind: Store\nexternalId: north\nname: North\n",
    );
    outcome("11 a folder called x.yaml", &ws, &FINE);
    ws.remove("manifests/folder.yaml");

    let fifo = ws.path("manifests/pipe.yaml");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .expect("mkfifo")
            .success()
    );
    let ran = survives(&ws, &["validate", "manifests"]);
    assert_eq!(ran.code, Some(1), "11 a pipe that nobody writes: {ran}");
    ws.remove("manifests/pipe.yaml");

    for file in ["../outside.yaml", "/etc/hostname", "a/../../outside.yaml"] {
        ws.tree(format!(
            "kind: Terms\nexternalId: terms\ntitle: Terms\nfile: {file}\n"
        ));
        outcome("11 a file of terms outside", &ws, &Errors(&["path-escape"]));
    }
}

#[test]
fn yaml_and_json() {
    let bomb = (1..12).fold(
        "x-a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned(),
        |text, n| {
            let all = vec![format!("*a{}", n - 1); 9].join(", ");
            text + &format!("x-a{n}: &a{n} [{all}]\n")
        },
    );
    let merge = "x-base: &base {civility: MR, groups: [FOC_User]}\nkind: User\n<<: *base\nexternalId: u-1\nfirstName: Nils\nlastName: Berg\n\
        email: n@roster.example\nphone: \"+461\"\naccounts: [acme]\n";
    let deep = |open: &str, close: &str, n: usize| {
        format!("x-deep: {}{}\n", open.repeat(n), close.repeat(n)).into_bytes()
    };
    let json = |text: &str| text.as_bytes().to_vec();
    cases(&[
        (
            "41 an alias bomb",
            joined(&[bomb.as_bytes(), &tag("Premium")]),
            Errors(&["yaml-limit"]),
        ),
        (
            "41 an anchor in itself",
            joined(&[b"x-a: &a [*a]\n", &tag("Premium")]),
            Errors(&["yaml-limit"]),
        ),
        (
            "41 an unknown alias",
            tag("*nobody"),
            Errors(&["yaml-syntax"]),
        ),
        (
            "41 merge keys",
            joined(&[merge.as_bytes(), account("acme", "").as_bytes()]),
            FINE,
        ),
        (
            "41 a key twice",
            joined(&[&tag("Premium"), b"name: Other\n"]),
            Errors(&["duplicate-key"]),
        ),
        (
            "41 several documents",
            joined(&[
                &tag("Premium"),
                b"---\n---\nkind: Store\nexternalId: north\nname: North\n...\n",
            ]),
            FINE,
        ),
        (
            "41 tabs",
            b"kind: Tag\nexternalId: premium\n\tname: Premium\n".to_vec(),
            Errors(&["yaml-syntax"]),
        ),
        (
            "41 a tag of its own",
            tag("!ruby/object:Gem Premium"),
            Errors(&["wrong-type"]),
        ),
        (
            "41 a list where text belongs",
            tag("[Premium]"),
            Errors(&["wrong-type"]),
        ),
        (
            "42 deep JSON",
            joined(&[&tag("Premium"), &deep("[", "]", 100_000)]),
            Errors(&["yaml-limit"]),
        ),
        (
            "42 deep mappings",
            joined(&[&tag("Premium"), &deep("{a: ", "}", 100_000)]),
            Errors(&["yaml-limit"]),
        ),
        (
            "42 deep blocks",
            joined(&[
                b"x-deep:\n".as_slice(),
                (1..3_000)
                    .map(|n| format!("{}a:\n", " ".repeat(n)))
                    .collect::<String>()
                    .as_bytes(),
            ]),
            Errors(&["yaml-limit"]),
        ),
        (
            "42 a JSON key twice",
            json("{\"kind\": \"Tag\", \"externalId\": \"a\", \"name\": \"A\", \"name\": \"B\"}"),
            Errors(&["duplicate-key"]),
        ),
        (
            "42 no number",
            json(
                "{\"kind\": \"CustomField\", \"externalId\": \"n\", \"appliesTo\": \"user\", \"name\": \"N\", \"type\": \"number\", \"default\": NaN}",
            ),
            Errors(&["custom-field-type"]),
        ),
        (
            "42 a huge number",
            json("{\"kind\": \"Settings\", \"organisationDepth\": 1e400}"),
            Errors(&["wrong-type"]),
        ),
        (
            "42 a list at the top",
            json("[{\"kind\": \"Tag\"}]"),
            Errors(&["wrong-type"]),
        ),
        (
            "42 text at the top",
            json("premium"),
            Errors(&["wrong-type"]),
        ),
        (
            "42 a string instead of a collection",
            json("users: karin"),
            Errors(&["wrong-type"]),
        ),
        (
            "42 a kind nobody knows",
            json("kind: Acount\nexternalId: a\n"),
            Errors(&["unknown-kind"]),
        ),
        (
            "43 one record twice",
            joined(&[&tag("Premium"), b"---\n", &tag("Premium")]),
            Errors(&["duplicate-resource"]),
        ),
        (
            "51 deleted and changed in one file",
            joined(&[
                &tag("Premium"),
                b"---\nkind: Tag\nexternalId: premium\nstatus: deleted\n",
            ]),
            Errors(&["duplicate-resource"]),
        ),
    ]);
}

#[test]
fn one_record_in_two_files_names_both() {
    let ws = sqlite();
    ws.write("manifests/a.yaml", tag("Premium")).write(
        "manifests/b.json",
        "{\"kind\": \"Tag\", \"externalId\": \"premium\", \"name\": \"Gold\"}",
    );
    let ran = survives(&ws, &["validate", "manifests"]);
    assert_eq!(
        ran.codes("error"),
        ["duplicate-resource".to_owned()].into(),
        "43: {ran}"
    );
    assert!(
        ran.stdout.contains("a.yaml") && ran.stdout.contains("b.json"),
        "{ran}"
    );
}

#[test]
fn a_thousand_mistakes_are_all_told_in_order() {
    let ws = sqlite();
    let faulty: String = (0..1_000)
        .map(|n| user(&format!("u-{n}"), "nowhere", "phone: none"))
        .collect();
    ws.tree(faulty);
    let ran = survives(&ws, &["validate", "manifests"]);
    let found = ran.findings();
    assert_eq!(
        found
            .iter()
            .filter(|line| line.starts_with("error phone"))
            .count(),
        1_000
    );
    assert_eq!(
        found
            .iter()
            .filter(|line| line.starts_with("error reference"))
            .count(),
        1_000
    );
}
