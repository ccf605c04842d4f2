//! Exports that must be survived: each entry of the catalogue through the program, with its rule and what is
//! stored afterwards. `tests/library/transport` has those of the way here, `src/feed/format/tests` the forms in full.

use super::{account, begin, codes, column, file, import};
use crate::support::workspace::{Ran, Workspace, sqlite};
use serde_json::json;

/// What comes of an export: the rules that speak, and whether anything may have changed.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    codes: &'static [&'static str],
    then: Then,
}

/// What is stored afterwards of `a-1`, which is there, and of `a-9`, which is not.
#[derive(PartialEq, Clone, Copy)]
enum Then {
    /// Both as before.
    Nothing,
    /// `a-9` is there, and `a-1` is as before.
    Rest,
    /// `a-9` is there, and `a-1` is called so.
    Named(&'static str),
}
use Then::{Named, Nothing, Rest};

const ALL: Then = Named("Acme AB");

fn case(
    name: &'static str,
    bytes: impl AsRef<[u8]>,
    codes: &'static [&'static str],
    then: Then,
) -> Case {
    Case {
        name,
        bytes: bytes.as_ref().to_vec(),
        codes,
        then,
    }
}

/// A row that renames `a-1`, and one that creates `a-9`.
fn two() -> [String; 2] {
    [
        account("a-1", "d-1", &[("Account Name", "Acme AB")]),
        account("a-9", "d-9", &[]),
    ]
}

fn good() -> String {
    file(&two())
}

/// The same with another first row.
fn first(cells: &[(&str, &str)]) -> String {
    let id = cells.iter().any(|(name, _)| *name == "Account External Id");
    let own = if id {
        super::row(cells)
    } else {
        account("a-1", "d-1", cells)
    };
    file(&[own, two()[1].clone()])
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// The bytes of Windows-1252 for the letters used here.
fn windows(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).expect("Latin 1"))
        .collect()
}

fn cases() -> Vec<Case> {
    let good = good();
    let cut = |end: usize| good.as_bytes()[..end].to_vec();
    let named = first(&[("Account Name", "Åre AB")]);
    let letter = named.find("Åre AB").expect("there") + 1;
    let replaced = |from: &str, to: &str| good.replacen(from, to, 1);
    let quoted = format!("\"{}", two()[0]);
    let renamed = first(&[("Account Name", "Acme AB")]);
    vec![
        case("1 nothing at all", "", &["feed-not-data"], Nothing),
        case(
            "2 a header alone",
            good.lines().next().expect("one"),
            &[],
            Nothing,
        ),
        case(
            "3 cut within a row",
            cut(good.len() - 30),
            &["row-width", "feed-truncated"],
            Nothing,
        ),
        case(
            "3 cut within a quote",
            format!("{}\r\n{quoted}", good.lines().next().expect("one")),
            &["row-quote"],
            Nothing,
        ),
        case(
            "3 cut within a letter",
            &named.as_bytes()[..letter],
            &["feed-truncated"],
            Nothing,
        ),
        case(
            "7 a page",
            "<!doctype html><html><title>Log in</title></html>",
            &["feed-not-data"],
            Nothing,
        ),
        case(
            "8 an error",
            json!({"error": "token expired"}).to_string(),
            &["feed-not-data"],
            Nothing,
        ),
        case("9 one endless line", vec![b'x'; 3 << 20], &[], Nothing),
        case("13 two marks", format!("\u{feff}\u{feff}{good}"), &[], ALL),
        case("14 UTF-16 of a spreadsheet", utf16(&good), &[], ALL),
        case("15 Windows-1252", windows(&renamed), &[], ALL),
        case(
            "16 decoded wrongly before",
            first(&[("Account Name", "BjÃ¶rkens")]),
            &["mojibake"],
            Named("BjÃ¶rkens"),
        ),
        case(
            "17 an id in other code points",
            file(&[
                account("a-1", "d-1", &[("Account Name", "Acme AB")]),
                account("a-9", "d-9", &[]),
                account("Åre", "d-7", &[]),
                account("A\u{30a}re", "d-8", &[]),
            ]),
            &["id-case"],
            ALL,
        ),
        case(
            "17 marks that nobody sees",
            first(&[("Account Name", "\u{a0}Acme AB\u{200b}")]),
            &[],
            ALL,
        ),
        case(
            "19 a quote that is none",
            first(&[("Account Name", "\"Acme AB”")]),
            &["row-quote"],
            Rest,
        ),
        case(
            "21 decimal commas beside semicolons",
            first(&[
                ("Account Name", "Acme AB"),
                ("Address Street Name", "Torget 1,5, 2,5, 3,5, 4,5, 5,5, 6,5"),
            ]),
            &[],
            Named("Acme AB"),
        ),
        case(
            "18 zero bytes",
            replaced("Acme AB", "Ac\0me"),
            &["encoding"],
            Rest,
        ),
        case("20 another delimiter", good.replace(';', ","), &[], ALL),
        case("22 sep=", format!("sep=;\r\n{good}"), &[], ALL),
        case(
            "23 an open quote",
            replaced("a-1;", "\"a-1;"),
            &["row-quote"],
            Rest,
        ),
        case(
            "24 carriage returns alone",
            good.replace("\r\n", "\r"),
            &[],
            ALL,
        ),
        case(
            "25 a header twice",
            replaced("Account Website", "Account Name"),
            &["header-duplicate"],
            Nothing,
        ),
        case(
            "25 in another case",
            replaced("Account Website", "ACCOUNT  NAME"),
            &["header-duplicate"],
            Nothing,
        ),
        case(
            "26 no column of ids",
            replaced("Account External Id", "Kundnr"),
            &["column-missing"],
            Nothing,
        ),
        case(
            "27 a row too long",
            replaced("Acme AB;", "Acme AB;;;"),
            &["row-width"],
            Rest,
        ),
        case(
            "28 the header again",
            format!("{good}{}\r\n", good.lines().next().expect("one")),
            &["header-repeated"],
            ALL,
        ),
        case(
            "28 a row of totals",
            format!("{good}TOTAL;1234\r\n"),
            &["row-width"],
            ALL,
        ),
        case(
            "29 blank rows",
            good.replace("\r\n", "\r\n;;;;;;;;;;;;;;;;;\r\n\r\n"),
            &[],
            ALL,
        ),
        case(
            "29 a cell of 50,000 letters",
            first(&[("Account Name", &"x".repeat(50_000))]),
            &["length"],
            Rest,
        ),
        case(
            "30 a formula",
            first(&[("Account Name", "=cmd|'/C calc'!A0")]),
            &[],
            Named("=cmd|'/C calc'!A0"),
        ),
        case(
            "31 a number where text was",
            first(&[
                ("Account Name", "x"),
                ("Account External Id", "1,2E+11"),
                ("Address External Id", "d-1"),
            ]),
            &["scientific-notation"],
            Rest,
        ),
        case(
            "32 what a spreadsheet ruined",
            first(&[("Account Name", "#REF!")]),
            &["spreadsheet-error"],
            Rest,
        ),
        case(
            "34 a word for a boolean",
            first(&[("Inactive", "peut-être")]),
            &["bool"],
            Rest,
        ),
        case(
            "36 spaces around an id",
            first(&[
                ("Account Name", "Acme AB"),
                ("Account External Id", " a-1 "),
                ("Address External Id", "d-1"),
            ]),
            &[],
            ALL,
        ),
        case(
            "36 another case",
            first(&[
                ("Account External Id", "A-1"),
                ("Address External Id", "d-1"),
            ]),
            &["id-case"],
            Rest,
        ),
        case(
            "38 an empty member",
            first(&[
                ("Account Name", "Acme AB"),
                ("Customer Tag External Id", "premium||||"),
            ]),
            &["list-empty-item"],
            ALL,
        ),
        case(
            "40 statements and escapes",
            first(&[("Account Name", "' OR '1'='1' --%_ ${HOME}")]),
            &[],
            Named("' OR '1'='1' --%_ ${HOME}"),
        ),
        case(
            "42 deep nesting",
            format!("[{}{}]", "[".repeat(200), "]".repeat(200)),
            &[],
            Nothing,
        ),
        case(
            "42 a key twice",
            r#"[{"accountExternalId": "a-1", "accountName": "x", "accountName": "y"}]"#,
            &["duplicate-key"],
            Nothing,
        ),
        case(
            "39 a custom field that nobody defined",
            first(&[("Account Name", "Acme AB")])
                .replace("customField_credit-class", "customField_nobody")
                .replace(
                    ";Acme AB;Acme;556012-3456;;;;;;",
                    ";Acme AB;Acme;556012-3456;;;;;x;",
                ),
            &["custom-field-unknown"],
            Rest,
        ),
        case(
            "42 half a letter",
            r#"[{"accountExternalId": "a-1", "accountName": "\ud800"}]"#,
            &[],
            Nothing,
        ),
        case(
            "42 no list",
            r#"{"accountExternalId": "a-1"}"#,
            &["json-not-list"],
            Nothing,
        ),
        case(
            "42 not a number",
            r#"[{"accountExternalId": "a-1", "accountName": NaN}]"#,
            &[],
            Nothing,
        ),
        case(
            "51 changed and deleted at once",
            file(&[
                two()[0].clone(),
                account(
                    "a-1",
                    "d-1",
                    &[("Account Name", "Acme AB"), ("Deleted", "TRUE")],
                ),
            ]),
            &["deletes-not-allowed"],
            Nothing,
        ),
    ]
}

#[test]
fn hostile_exports_have_the_outcome_that_is_written_down() {
    let mut wrong = Vec::new();
    for case in cases() {
        let ws = sqlite();
        begin(&ws);
        import(&ws, "before.csv", file(&[account("a-1", "d-1", &[])]), &[]).exits(0);
        ws.write("export", &case.bytes);
        let ran = run(&ws, "export");
        let mut said = codes(&ran);
        let plans = ran.plans();
        let held = plans
            .iter()
            .flat_map(|plan| plan["held"].as_array().into_iter().flatten());
        said.extend(held.filter_map(|held| held["code"].as_str().map(str::to_owned)));
        let silent = case.codes.iter().any(|code| !said.contains(*code));
        let name = ws.value("SELECT name FROM accounts WHERE external_id = 'a-1'");
        let there = !column(&ws, "SELECT 1 FROM accounts WHERE external_id = 'a-9'").is_empty();
        let (wanted, new) = match case.then {
            Nothing => ("Acme", false),
            Rest => ("Acme", true),
            Named(name) => (name, true),
        };
        // Whatever it was, nobody is switched off, and once more it has nothing to do.
        let inactive = column(
            &ws,
            "SELECT external_id FROM accounts WHERE status <> 'active'",
        );
        let again = run(&ws, "export").steps();
        if silent
            || name.as_deref() != Some(wanted)
            || there != new
            || !inactive.is_empty()
            || !again.is_empty()
        {
            wrong.push(format!(
                "{}: {said:?}, {name:?}, {there}, {inactive:?}, {again:?}",
                case.name
            ));
        }
        ws.run(&["history", "--verify"]).exits(0);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Imports whatever it is, and it ends as a program does.
fn run(ws: &Workspace, name: &str) -> Ran {
    let ran = ws.run(&["import", name, "--preset", "djust-accounts", "--yes"]);
    assert!([0, 1, 3].contains(&ran.code.unwrap_or(-1)), "{ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    ran
}
