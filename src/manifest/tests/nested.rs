//! Resources that are written inside another one, in a nested list.

use super::{cell, files, found, names, text, yaml};
use crate::model::Cell;

const NESTED: &str = "accounts:
- organisations:
  - name: North
    organisations:
    - {externalId: umea, name: Umeå, organisations: [{externalId: dock, name: Dock}]}
    - {externalId: lulea, name: Luleå, status: inactive, customFields: {cost: 7}}
    externalId: north
  - externalId: south
  externalId: acme
  name: Acme
";

#[test]
fn the_place_of_an_entry_gives_its_account_and_its_parent() {
    let loaded = yaml(NESTED);
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(
        names(&loaded),
        [
            "Account/acme",
            "Organisation/dock",
            "Organisation/lulea",
            "Organisation/north",
            "Organisation/south",
            "Organisation/umea"
        ]
    );
    for (id, parent) in [
        ("dock", Some("umea")),
        ("umea", Some("north")),
        ("lulea", Some("north")),
        ("north", None),
        ("south", None),
    ] {
        let name = format!("Organisation/{id}");
        assert_eq!(text(&loaded, &name, "account"), Some("acme"), "{name}");
        assert_eq!(text(&loaded, &name, "parent"), parent, "{name}");
    }
    // Nothing above it: its place says so, and moving it up has an effect.
    let top = cell(&loaded, "Organisation/north", "parent");
    assert_eq!(top, Some(&Cell::Clear));
    assert_eq!(
        text(&loaded, "Organisation/lulea", "status"),
        Some("inactive")
    );
    let place = super::resource(&loaded, "Organisation/umea").position;
    assert_eq!((place.line, place.column), (5, 20));
    assert_eq!(loaded.documents[0].keys, 0..6);
}

#[test]
fn a_document_of_an_organisation_takes_nested_ones_too() {
    let loaded = yaml(
        "kind: Organisation\norganisations: [{externalId: b, name: B}]\nexternalId: a\naccount: acme\n",
    );
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(text(&loaded, "Organisation/b", "account"), Some("acme"));
    assert_eq!(text(&loaded, "Organisation/b", "parent"), Some("a"));
    // An update need not state the account. Then the place gives none either.
    let loaded = yaml("organisations: [{externalId: a, organisations: [{externalId: b}]}]");
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(cell(&loaded, "Organisation/b", "account"), None);
    assert_eq!(text(&loaded, "Organisation/b", "parent"), Some("a"));
}

#[test]
fn mistakes_are_reported_at_the_entry() {
    for (entry, code, message, help) in [
        (
            "{externalId: o, nmae: O}",
            "unknown-field 1:60",
            "Organisation has no field `nmae`",
            "Did you mean `name`?",
        ),
        (
            "{externalId: o, account: acme}",
            "unknown-field 1:60",
            "an entry of `organisations` has no `account`",
            "Remove `account`: the place of the entry says it. Or write the Organisation as a document",
        ),
        (
            "{externalId: o, kind: Organisation}",
            "unknown-field 1:60",
            "Organisation has no field `kind`",
            "The fields are externalId, name, status, protect, organisations, customFields, clear",
        ),
        (
            "{name: O}",
            "required 1:44",
            "an Organisation without an externalId",
            "Give it a unique id",
        ),
        (
            "o",
            "wrong-type 1:44",
            "`organisations` items must be mappings",
            "Write each Organisation as `- externalId: ..`",
        ),
        (
            "{externalId: o, organisations: {externalId: p}}",
            "wrong-type 1:75",
            "`organisations` must be a list",
            "Write each Organisation as `- externalId: ..`",
        ),
        (
            "{externalId: o, blocked: yes}",
            "runtime-field 1:60",
            "`blocked` is set at run time and cannot be declared",
            "Leave it out. Roster stores it with the resource",
        ),
    ] {
        let loaded = yaml(&format!(
            "accounts: [{{externalId: a, organisations: [{entry}]}}]"
        ));
        assert_eq!(found(&loaded), [code], "{entry}");
        let problem = &loaded.diagnostics[0];
        assert_eq!(problem.message, message, "{entry}");
        assert_eq!(problem.help.as_deref(), Some(help), "{entry}");
        // What cannot be read may be any organisation, so none is removed.
        let kept = !loaded.desired.removals_off.is_empty();
        assert!(kept || !loaded.desired.unread_kinds.is_empty(), "{entry}");
    }
}

#[test]
fn an_organisation_is_written_once() {
    let inline = "accounts:\n- externalId: a\n  organisations: [{externalId: o, name: O}]\n";
    let document = "kind: Organisation\nexternalId: o\nname: O\naccount: a\n";
    for (path, again) in [("0.yaml", document), ("z.yaml", document)] {
        let loaded = files(&[("m.yaml", inline), (path, again)]);
        // At the entry, wherever the document stands.
        assert_eq!(found(&loaded), ["duplicate-resource 3:32"], "{path}");
        let problem = &loaded.diagnostics[0];
        let place = problem.origin.as_ref().map(ToString::to_string);
        assert_eq!(place.as_deref(), Some("m.yaml:3:32"));
        assert_eq!(problem.related[0].to_string(), format!("{path}:2:13"));
        assert_eq!(problem.help.as_deref(), Some("Keep one of them"));
        assert!(!loaded.desired.removals_off.is_empty());
    }
    // Unlike an address, it cannot be written in two accounts.
    let loaded = files(&[
        ("a.yaml", inline),
        ("b.yaml", &inline.replace("externalId: a", "externalId: b")),
    ]);
    assert_eq!(found(&loaded), ["duplicate-resource 3:32"]);
    let loaded = yaml(
        "accounts: [{externalId: a, organisations: [{externalId: o, organisations: [{externalId: o}]}]}]",
    );
    assert_eq!(found(&loaded), ["duplicate-resource 1:89"]);
}

#[test]
fn blank_lists_anchors_and_merge_keys_work() {
    for blank in ["", "~", "[]"] {
        let loaded = yaml(&format!(
            "accounts: [{{externalId: a, organisations: {blank}}}]"
        ));
        assert_eq!(found(&loaded), Vec::<String>::new());
        assert_eq!(names(&loaded), ["Account/a"]);
    }
    let loaded = yaml(
        "x-base: &base {name: O}\nx-list: &list [{externalId: o, <<: *base}]\naccounts: [{externalId: a, organisations: *list}]\n",
    );
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(text(&loaded, "Organisation/o", "name"), Some("O"));
    assert_eq!(text(&loaded, "Organisation/o", "account"), Some("a"));
    let loaded = yaml("accounts: [{organisations: [{externalId: o}]}]");
    assert_eq!(found(&loaded), ["required 1:12"]);
    assert!(!loaded.desired.removals_off.is_empty());
}

#[test]
fn absurd_nesting_is_an_error() {
    let deep = |levels: usize| {
        let open = "{externalId: o, organisations: [";
        let text = format!("accounts: [{}{}]", open.repeat(levels), "]}".repeat(levels));
        yaml(&text.replacen("externalId: o", "externalId: a", 1))
    };
    let loaded = deep(500);
    assert_eq!(loaded.diagnostics[0].code.name(), "yaml-limit");
    assert!(!loaded.desired.unread_kinds.is_empty());
}
