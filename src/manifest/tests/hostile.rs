//! Hostile and broken input: it must neither hang the reader nor hide the documents beside it.

use super::*;
use std::fmt::Write as _;

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let loaded = yaml(
        "kind: Tag\nexternalId: a\n---\nkind: Tag\nexternalId: [b\n---\nkind: Tag\nexternalId: c\nfoo: 1\n",
    );
    assert_eq!(names(&loaded), ["Tag/a", "Tag/c"]);
    let codes: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|found| found.code.name())
        .collect();
    assert_eq!(codes, ["yaml-syntax", "unknown-field"]);
    assert_eq!(loaded.desired.removals_off.len(), 1);
}

#[test]
fn documents_and_faults_keep_to_their_parts() {
    let loaded = yaml(
        "# only a comment\n---\nkind: Tag\nexternalId: &a a\n...\n# more\n---\nkind: Tag\nexternalId: *a\n---\n\
         # comment\n---\n{kind: Tag, externalId: b} c\n---\nkind: Tag\nexternalId: d\nname: |\n  x\n---\n\
         kind: Tag\nexternalId: e\nfoo: 1\n---\n'\n---\nkind: Tag\nexternalId: f\n",
    );
    assert_eq!(names(&loaded), ["Tag/a", "Tag/d", "Tag/e", "Tag/f"]);
    let lines: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|found| {
            (
                found.code.name(),
                found.origin.as_ref().map(|origin| origin.at.line),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            // An alias to an anchor of another document.
            ("yaml-syntax", Some(4)),
            ("yaml-syntax", Some(9)),
            ("yaml-syntax", Some(13)),
            ("wrong-type", Some(18)),
            ("unknown-field", Some(22)),
            ("yaml-syntax", Some(24)),
        ]
    );
    let unclean: Vec<_> = loaded
        .documents
        .iter()
        .filter(|document| !document.clean)
        .map(|document| document.line)
        .collect();
    assert_eq!(unclean, [2, 7, 12, 14, 19, 23]);
}

#[test]
fn what_is_not_yaml_says_so() {
    for text in [
        "kind: Tag\n\texternalId: a\n",
        "kind: Tag\nexternalId: 'a\n",
        "kind: Tag\nexternalId: \"\\ud800\"\n",
        "kind: Tag\nexternalId: a\0b\n",
        "%YAML 1.1\n---\nkind: Tag\n",
        "a: *nowhere\n",
    ] {
        let loaded = yaml(text);
        let codes: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|found| found.code.name())
            .collect();
        assert!(!codes.is_empty(), "{text:?}");
        assert!(names(&loaded).is_empty(), "{text:?} {:?}", names(&loaded));
        assert!(!loaded.desired.removals_off.is_empty(), "{text:?}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over_and_other_encodings_refused() {
    for marks in ["\u{feff}", "\u{feff}\u{feff}"] {
        let loaded = yaml(&format!("{marks}kind: Tag\nexternalId: a\n"));
        assert_eq!(
            (found(&loaded), names(&loaded)),
            (vec![], vec!["Tag/a".to_owned()])
        );
    }
    for (bytes, place) in [
        (&b"kind: Tag\nname: caf\xe9\n"[..], "encoding 2:10"),
        (&b"\xff\xfek\0i\0n\0d\0"[..], "encoding 1:1"),
    ] {
        let tree = Tree::from_files([("a.yaml".to_owned(), bytes.to_vec())]);
        let loaded = load(&tree, &LoadOptions::default());
        assert_eq!(found(&loaded), [place]);
        assert_eq!(loaded.desired.removals_off.len(), 1);
    }
}

#[test]
fn conflict_markers_are_named() {
    let loaded =
        yaml("kind: Tag\nexternalId: a\n<<<<<<< HEAD\nname: A\n=======\nname: B\n>>>>>>> other\n");
    assert_eq!(found(&loaded), ["yaml-syntax 3:1"]);
    assert!(loaded.diagnostics[0].message.contains("conflict marker"));
}

#[test]
fn bombs_are_limits() {
    let mut bomb = "x-a0: &a0 [a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..40 {
        let below = format!("*a{}", level - 1);
        let _ = writeln!(
            bomb,
            "x-a{level}: &a{level} [{}]",
            [below.as_str(); 9].join(", ")
        );
    }
    bomb.push_str("users: []\n");
    let deep = format!("x-a: {}{}\n", "[".repeat(100), "]".repeat(100));
    let very_deep = "[".repeat(100_000);
    let json = "{\"a\":".repeat(5000);
    let block: String = (0..300)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect::<String>();
    let cases = [
        bomb,
        deep,
        very_deep,
        json,
        block,
        "x-a: &a [*a]\n".to_owned(),
        format!("x-a: {}\n", "a".repeat(2 << 20)),
    ];
    for text in cases {
        let loaded = yaml(&text);
        let codes: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|found| found.code.name())
            .collect();
        assert_eq!(codes.last(), Some(&"yaml-limit"), "{}", &text[..40]);
        assert_eq!(loaded.desired.removals_off.len(), 1);
    }
}

#[test]
fn merge_bombs_are_limits_too() {
    let mut bomb = "x-a0: &a0 {k0: 1, k1: 1}\n".to_owned();
    for level in 1..60 {
        let below = level - 1;
        let _ = writeln!(bomb, "x-a{level}: &a{level} {{<<: [*a{below}, *a{below}]}}");
    }
    bomb.push_str("kind: Tag\nexternalId: a\n<<: *a59\n");
    let loaded = yaml(&bomb);
    assert_eq!(
        loaded.diagnostics.last().map(|found| found.code.name()),
        Some("yaml-limit")
    );
}

#[test]
fn tags_and_many_keys() {
    assert_eq!(
        found(&yaml("kind: !mine Tag\nexternalId: a\n")),
        ["wrong-type 1:13"]
    );
    assert_eq!(
        found(&yaml("kind: !!str Tag\nexternalId: !!str 1\n")),
        Vec::<String>::new()
    );
    let mut many = "kind: Account\nexternalId: a\ncustomFields:\n".to_owned();
    for key in 0..50_000 {
        let _ = writeln!(many, "  k{key}: v");
    }
    many.push_str("  k7: w\n");
    let loaded = yaml(&many);
    assert_eq!(found(&loaded), ["duplicate-key 50004:3"]);
    assert_eq!(resource(&loaded, "Account/a").cells.len(), 50_000);
}

#[test]
fn thousands_of_mistakes_are_all_reported() {
    let text: String = (0..5000)
        .map(|n| format!("---\nkind: Tag\nexternalId: t{n}\nnaem: x\n"))
        .collect();
    let loaded = yaml(&text);
    assert_eq!(loaded.diagnostics.len(), 5000);
    assert!(
        loaded
            .diagnostics
            .is_sorted_by_key(|found| found.origin.clone())
    );
}

#[test]
fn of_a_tree_with_more_errors_than_anyone_reads_nothing_is_used() {
    let wrong = |file: usize, count: usize| {
        let users: String = (0..count)
            .map(|n| format!("- {{externalId: u{file}-{n}, x: 1, y: 2}}\n"))
            .collect();
        (format!("f{file}.yaml"), format!("users:\n{users}"))
    };
    let twice = format!("users:\n{}", "- {externalId: x}\n".repeat(100_200));
    for tree in [
        (0..3).map(|file| wrong(file, 25_000)).collect(),
        vec![wrong(0, 60_000)],
        vec![("f0.yaml".to_owned(), twice)],
    ] {
        let tree: Vec<(&str, &str)> = tree
            .iter()
            .map(|(p, t): &(String, String)| (&**p, &**t))
            .collect();
        let loaded = files(&tree);
        assert_eq!(loaded.resources(), 0);
        assert_eq!(loaded.desired.removals_off, ["more than 100,000 errors"]);
        assert_eq!(loaded.desired.unread_kinds.len(), crate::kinds::ALL.len());
        assert_eq!(loaded.files.len(), tree.len());
        let errors = loaded.diagnostics.iter().filter(|found| found.is_error());
        assert_eq!(errors.count(), 100_001);
        let last = loaded.diagnostics.last().expect("findings");
        assert_eq!(
            last.message,
            "more than 100,000 errors; nothing of this source is used"
        );
    }
    // Warnings do not discard the source; they are counted.
    let hash = "#x".repeat(3);
    let users: String = (0..10_200)
        .map(|n| format!("- {{externalId: u{n}, firstName: A {hash}\n  }}\n"))
        .collect();
    let loaded = yaml(&format!("users:\n{users}"));
    assert_eq!(loaded.resources(), 10_200);
    let more = loaded
        .diagnostics
        .iter()
        .find(|found| found.message.contains("more"));
    let more = more.map(|found| found.message.as_str());
    assert_eq!(more, Some("200 more of these in this file"));
}

#[test]
fn nasty_texts_are_values_or_findings_but_never_more() {
    for value in [
        "\"${HOME}\"",
        "\"'; DROP TABLE users; --\"",
        "\"%_\"",
        "=cmd|' /C calc'!A0",
        "Ã©",
    ] {
        let loaded = yaml(&format!("kind: Account\nexternalId: a\nname: {value}\n"));
        assert_eq!(found(&loaded), Vec::<String>::new(), "{value}");
    }
    for value in ["\"a\\nb\"", "\"\\e[31m\"", "\"a\\0b\""] {
        let loaded = yaml(&format!("kind: Account\nexternalId: a\nname: {value}\n"));
        assert_eq!(found(&loaded), ["wrong-type 3:7"], "{value}");
    }
}

proptest::proptest! {
    #[test]
    fn no_mixture_of_yaml_panics(
        parts in proptest::collection::vec("[a-z:,\\[\\]{}&*|>'\"#<~?%@! \n\t-]{0,12}|externalId: |kind: User\n|accounts: |addresses: |ref: |---\n|<<: \\*a|&a |clear: |passwordFrom: |customFields: |users:\n- |x-a: |\\PC", 0..30),
        start in 0usize..3,
    ) {
        let head = ["", "kind: User\nexternalId: a\n", "accounts:\n- externalId: a\n  "][start];
        let loaded = yaml(&format!("{head}{}", parts.concat()));
        let declared: usize = loaded.documents.iter().map(|document| document.keys.len()).sum();
        proptest::prop_assert!(loaded.resources() <= declared);
    }
}
