//! What is no YAML, with the place, what is wrong and what to write.

use crate::adversarial::diagnostics::{told, validated};
use crate::support::workspace::sqlite;

/// A text, where it is wrong, and words of the message and the help.
type Case = (&'static str, &'static str, &'static str, &'static str);

#[track_caller]
fn check(path: &str, cases: &[Case]) {
    for (text, place, message, help) in cases {
        let ws = sqlite();
        ws.write(&format!("manifests/{path}"), text);
        let said = validated(&ws, "text").stdout;
        assert_eq!(said.matches("error[").count(), 1, "{text}\n{said}");
        for words in [&*format!("--> {path}:{place}\n"), message, help] {
            assert!(said.contains(words), "{text}\n{words}\n{said}");
        }
    }
}

/// Of a tag whose name is the value.
#[track_caller]
fn check_values(cases: &[Case]) {
    for (value, place, message, help) in cases {
        let text = format!("kind: Tag\nexternalId: a\nname: {value}\n");
        let said = told(&text);
        assert_eq!(said.matches("error[").count(), 1, "{text}\n{said}");
        for words in [&*format!("--> all.yaml:3:{place}\n"), message, help] {
            assert!(said.contains(words), "{text}\n{words}\n{said}");
        }
    }
}

#[test]
fn a_value_that_needs_quotes() {
    check_values(&[
        (
            "'L'Oréal'",
            "10",
            "text follows the closing quote",
            "`name: \"L'Oréal\"`",
        ),
        (
            "\"VIP\" customers",
            "13",
            "text follows the closing quote",
            "`name: '\"VIP\" customers'`",
        ),
        (
            "[VIP] customers",
            "13",
            "text follows the closing bracket",
            "`name: \"[VIP] customers\"`",
        ),
        (
            "{VIP} customers",
            "13",
            "text follows the closing bracket",
            "`name: \"{VIP} customers\"`",
        ),
        (
            "> 1000 EUR",
            "7",
            "`>` starts a text on the lines below",
            "`name: \"> 1000 EUR\"`",
        ),
        (
            "| x",
            "7",
            "`|` starts a text on the lines below",
            "`name: \"| x\"`",
        ),
        ("? x", "7", "cannot start with `? `", "`name: \"? x\"`"),
        (
            "Foo: Bar",
            "10",
            "cannot contain `: `",
            "`name: \"Foo: Bar\"`",
        ),
        (
            "“Foo: Bar”",
            "11",
            "cannot contain `: `",
            "`name: \"Foo: Bar\"`",
        ),
        ("%5", "7", "cannot start with `%`", "`name: \"%5\"`"),
        (
            "`x`",
            "7",
            "cannot start with a backtick",
            "`name: \"`x`\"`",
        ),
        (", x", "7", "cannot start with `,`", "`name: \", x\"`"),
        ("*x", "7", "no anchor of this name", "`name: \"*x\"`"),
    ]);
}

#[test]
fn quotes_and_what_is_in_them() {
    check_values(&[
        (
            "\"C:\\path\"",
            "10",
            "`\\p` is not a valid escape",
            "`'C:\\path'`",
        ),
        (
            "\"C:\\path\"",
            "10",
            "`\\p` is not a valid escape",
            "`\"C:\\\\path\"`",
        ),
        (
            "\"it's \\p\"",
            "13",
            "`\\p` is not a valid escape",
            "Double each backslash: `\"it's \\\\p\"`",
        ),
        (
            "\"Foo",
            "7",
            "this quote is not closed",
            "Close the quote: `\"Foo\"`",
        ),
        (
            "'Foo",
            "7",
            "this quote is not closed",
            "Close the quote: `'Foo'`",
        ),
    ]);
    let open = "tags:\n  - externalId: a\n    name: 'B\n  - externalId: b\n    name: it's\n";
    check(
        "a.yaml",
        &[(open, "3:11", "this quote is not closed", "`'B'`")],
    );
}

#[test]
fn lines_that_do_not_fit() {
    check(
        "a.yaml",
        &[
            (
                "kind: Tag\nexternalId: a\n name: B\n",
                "3:2",
                "indented further than `externalId`",
                "Write it at the start of the line, like `externalId`",
            ),
            (
                "tags:\n  - externalId: a\n     name: B\n",
                "3:6",
                "indented further than `externalId`",
                "Indent it by 4 spaces, like `externalId`",
            ),
            (
                "tags:\n  - externalId: a\n   name: B\n",
                "3:4",
                "a key is indented by 3 spaces, unlike any line above",
                "Indent it by 4 spaces",
            ),
            (
                "tags:\n  - externalId: a\n    name: A\n - externalId: b\n",
                "4:2",
                "a list item is indented by 1 space, unlike any line above",
                "Indent it by 2 spaces",
            ),
            (
                "kind: Tag\nexternalId:a\nname: B\n",
                "2:11",
                "a space is missing after `externalId:`",
                "`externalId: a`",
            ),
            (
                "tags:\n  - externalId:a\n    name: B\n",
                "2:15",
                "a space is missing after `externalId:`",
                "`externalId: a`",
            ),
            (
                "kind:Tag\n",
                "1:1",
                "must be a mapping",
                "after the colon: `kind: Tag`",
            ),
            (
                "kind: Tag\nexternalId a\nname: B\n",
                "2:1",
                "no colon",
                "Write `externalId: a`",
            ),
            (
                "tags:\n  - - x\n",
                "2:5",
                "must be a mapping",
                "one `-` for each item",
            ),
        ],
    );
}

#[test]
fn brackets_commas_and_comments() {
    check(
        "a.yaml",
        &[
            (
                "tags:\n  - {externalId: x, name: Foo #1}\n",
                "2:31",
                "that hides the closing bracket",
                "`name: \"Foo #1\"`",
            ),
            (
                "tags: [{externalId: a name: B}]\n",
                "1:23",
                "a comma is missing before `name`",
                "`, name: ..`",
            ),
            (
                "tags: [{externalId: a}]]\n",
                "1:24",
                "`]` has no opening bracket",
                "Delete the `]`",
            ),
            (
                "tags: [{externalId: a, name: B]\n",
                "1:8",
                "`{` is closed by `]`",
                "with `}`",
            ),
        ],
    );
    check(
        "a.json",
        &[
            (
                "{\"tags\": [\n  {\"externalId\": \"a\" \"name\": \"B\"}\n]}\n",
                "2:22",
                "a comma is missing after `\"a\"`",
                "Write `\"a\",`",
            ),
            (
                "{\"tags\": [\n  {\"externalId\": \"a\"}\n  {\"externalId\": \"b\"}\n]}\n",
                "3:3",
                "a comma is missing after `}`",
                "Write `},`",
            ),
            (
                "{\"tags\": [\n  // first\n  {\"externalId\": \"a\", \"name\": \"B\"}\n]}\n",
                "2:3",
                "`//` does not start a comment",
                "Delete the comment",
            ),
            (
                "{\"tags\" [\n]}\n",
                "1:9",
                "a colon is missing after `\"tags\"`",
                "`\"tags\": ..`",
            ),
            (
                "{\"tags\": [\n]\n",
                "1:1",
                "`{` is not closed",
                "Close the bracket with `}`",
            ),
        ],
    );
    // To YAML, and so here, these are fine.
    for fine in [
        "{\"tags\": [{\"externalId\": \"a\", \"name\": \"B\",},]}\n",
        "{'tags': [{'externalId': 'a', 'name': 'B'}]}\n",
    ] {
        let said = told(fine);
        assert!(!said.contains("error["), "{said}");
    }
}

#[test]
fn a_template_that_was_not_filled_in() {
    check(
        "a.yaml",
        &[
            (
                "tags:\n{{#each tags}}\n  - externalId: a\n{{/each}}\n",
                "2:1",
                "`{{#each tags}}` is a template placeholder",
                "or delete the line",
            ),
            (
                "{% for t in tags %}\ntags: []\n",
                "1:1",
                "`{% for t in tags %}` is a template placeholder",
                "Run the template",
            ),
            (
                "tags:\n  - externalId: a\n    name: {{ name }}\n",
                "3:11",
                "`{{ name }}` is a template placeholder",
                "`name: \"{{ name }}\"`",
            ),
        ],
    );
}

#[test]
fn what_is_no_text_for_the_reader() {
    let marks = "tags:\n  - externalId: a\n<<<<<<<\n    name: A\n=======\n    name: B\n>>>>>>>\n";
    check(
        "a.yaml",
        &[(marks, "3:1", "a conflict marker", "Resolve the conflict")],
    );
    let ws = sqlite();
    ws.write(
        "manifests/a.yaml",
        b"kind: Tag\nexternalId: a\nname: caf\xe9\n",
    );
    let said = validated(&ws, "text").stdout;
    assert!(
        said.contains("byte 33 is 0xe9 (`é` in Windows-1252)"),
        "{said}"
    );
    let wide = "kind: Tag\n".encode_utf16().flat_map(u16::to_le_bytes);
    ws.write("manifests/a.yaml", wide.collect::<Vec<u8>>());
    let said = validated(&ws, "text").stdout;
    assert!(said.contains("the file is UTF-16, not UTF-8"), "{said}");
}

#[test]
fn the_underline_ends_with_the_value() {
    for (lines, place, width) in [
        (
            "  - {externalId: a, name: A, status: actve, protect: false}",
            "2:38",
            5,
        ),
        ("  - {externalId: a, name: A, protect: nej }", "2:39", 3),
        (
            "  - {externalId: a, name: A, status: \"actve\" }",
            "2:38",
            7,
        ),
        (
            "  - {externalId: a, name: A,\n     status: actve,\n     protect: false}",
            "3:14",
            5,
        ),
        (
            "  - externalId: a\n    name: A\n    status: act, ve # c",
            "4:13",
            7,
        ),
        (
            "  - externalId: a\n    name: A\n    status: act\n      ve",
            "4:13",
            3,
        ),
        (
            "  - externalId: a\n    name: A\n    status: >\n      actve\n",
            "5:7",
            5,
        ),
        (
            "  - externalId: a\n    name: &n A\n    status: *n",
            "4:13",
            2,
        ),
    ] {
        let said = told(&format!("tags:\n{lines}\n"));
        let after = said.split(&format!("--> all.yaml:{place}\n")).nth(1);
        let after = after.unwrap_or_else(|| panic!("{lines}\n{said}"));
        let carets = after.lines().nth(2).unwrap_or_default();
        assert_eq!(carets.matches('^').count(), width, "{lines}\n{said}");
    }
}
