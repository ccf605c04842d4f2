//! Property tests of editing: any value that is written reads back, and everything else stays.

use super::{one, set, text};
use crate::kinds;
use crate::manifest::edit::{EditedManifest, edit};
use crate::manifest::{LoadOptions, Tree, load};
use crate::model::{Cell, Key, Value};
use proptest::prelude::*;

/// Texts to which YAML gives a special meaning.
fn awkward() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just(": "),
        Just(" #"),
        Just("- "),
        Just("null"),
        Just("0"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("{"),
        Just("]"),
        Just(","),
        Just("å"),
        Just(" "),
        Just("---"),
        Just("a"),
        Just("%"),
        Just("&x"),
        Just("*y"),
        Just("!"),
        Just("|"),
        Just("~"),
        Just("12:30"),
        Just("😀"),
        Just("?"),
        Just("<<"),
        Just("+46"),
        Just("556012-3456"),
    ];
    let joined = proptest::collection::vec(parts, 1..6).prop_map(|parts| parts.concat());
    prop_oneof![joined, "\\PC{1,30}".prop_map(String::from)].prop_filter("a value", |text| {
        !crate::kinds::read::is_blank(text)
            && !text.trim_start().starts_with('#')
            && !text.contains(|c: char| c.is_control() || crate::kinds::read::is_invisible(c))
    })
}

/// Ways to write a value, all of which read as `Old`.
fn styles() -> impl Strategy<Value = String> {
    let styles = [
        "Old",
        "'Old'",
        "\"Old\"",
        "|-\n      Old",
        ">-\n      Old",
        "&a Old",
        "!!str Old",
        "\"O\\x6cd\"",
    ];
    proptest::sample::select(styles.map(str::to_owned).to_vec())
}

proptest! {
    #[test]
    fn what_is_written_reads_back_and_all_else_stays(
        style in styles(), value in awkward(), crlf in any::<bool>(), flow in any::<bool>(), comment in "( +# [a-z: ]{0,8})?",
    ) {
        let flow = flow && !style.contains('\n');
        let before = if flow {
            format!("# head\nusers: [{{externalId: u, company: {style} , groups: [g]}}] # tail\n")
        } else {
            let comment = if style.contains('\n') { "" } else { comment.trim_end() };
            format!("# head\nusers:\n  - externalId: u # id\n    company: {style}{comment}\n    groups: [g]\n\n# tail\n")
        };
        let before = if crlf { before.replace('\n', "\r\n") } else { before };
        let wanted = Value::text(&value);
        let EditedManifest { text, dropped } = edit("a.yaml", &before, &[one("User/u", &[("company", Cell::Value(wanted.clone()))])]);
        prop_assert!(dropped.is_empty(), "{before}\n{dropped:?}");
        let loaded = load(&Tree::from_files([("a.yaml".to_owned(), text.clone().into_bytes())]), &LoadOptions::default());
        let declared = loaded.desired.resources.get(&Key::parse("User/u").expect("a key")).expect("declared");
        let kind = kinds::get(kinds::USER);
        prop_assert_eq!(declared.value(kind.expect_index("company")), Some(&wanted), "{}", text);
        // Everything before and behind the value is unchanged.
        let cut = |text: &str| {
            let (head, rest) = text.split_once("company:").expect("a head");
            let tail = rest.find(if flow { ", groups" } else { "    groups" }).expect("a tail");
            (head.to_owned(), rest[tail..].to_owned())
        };
        let (old, new) = (cut(&before), cut(&text));
        prop_assert_eq!(&old.0, &new.0);
        prop_assert!(new.1.ends_with(&old.1), "{}", text);
    }

    #[test]
    fn any_members_of_any_list_read_back(
        old in proptest::collection::btree_set("[a-f]{1,2}", 0..5),
        new in proptest::collection::btree_set("[a-f]{1,2}", 0..5),
        lines in any::<bool>(), custom in awkward(),
    ) {
        let items: Vec<&String> = old.iter().collect();
        let list = match (lines && !items.is_empty(), &items) {
            (true, items) => items.iter().map(|item| format!("\n  - {item} # {item}")).collect::<String>(),
            (false, items) => format!(" [{}]", items.iter().map(|item| item.as_str()).collect::<Vec<_>>().join(", ")),
        };
        let before = format!("kind: Account\nexternalId: a\ntags:{list}\n# tail\nname: A\n");
        let members: Vec<&str> = new.iter().map(String::as_str).collect();
        let edits = [one("Account/a", &[("tags", set(&members)), ("customFields.c", text(&custom))])];
        let EditedManifest { text, dropped } = edit("a.yaml", &before, &edits);
        prop_assert!(dropped.is_empty(), "{before}\n{text}\n{dropped:?}");
        prop_assert!(text.contains("# tail\nname: A\n"));
        for item in old.intersection(&new).filter(|_| lines) {
            let line = format!("\n  - {item} # {item}\n");
            prop_assert!(text.contains(&line), "{}", text);
        }
    }

    #[test]
    fn no_file_is_too_hostile(bytes in "(users|accounts|kind|externalId|name|u|[:\\[\\]{}&*|>#,'\"!?\t \\n-]){0,40}") {
        let edits = [one("Account/u", &[("name", text("B"))]), one("User/u", &[("company", text("B"))])];
        let edited = edit("a.yaml", &bytes, &edits);
        let untouched = edited.dropped.len() == edits.len();
        prop_assert!(!untouched || edited.text == bytes);
    }
}
