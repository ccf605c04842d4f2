use super::*;
use crate::kinds::USER;
use crate::model::RecordedField;
use crate::plan::render::samples::{change, links, set, text};

fn past(verb: RecordedVerb, fields: &[(&str, Option<Value>, Option<Value>)]) -> RecordedChange {
    let user = kinds::get(USER);
    let fields = fields.iter().map(|(name, before, after)| RecordedField {
        field: user.field_ref(name).expect("a field"),
        values: RecordedValues::Known {
            before: before.clone(),
            after: after.clone(),
        },
    });
    RecordedChange {
        key: Key::new(USER, "u-1"),
        verb,
        fields: fields.collect(),
    }
}

fn undone(change: FieldChange, history: &[RecordedChange]) -> Vec<(usize, Vec<String>)> {
    let found = find_undone(&Key::new(USER, "u-1"), &[change], history);
    found.into_iter().collect()
}

#[test]
fn a_value_goes_back_only_behind_the_last_change_of_it() {
    let phone = |before, after| change(USER, "phone", text(before), text(after));
    let newest = past(RecordedVerb::Change, &[("email", text("a@x"), text("b@x"))]);
    let raised = past(RecordedVerb::Change, &[("phone", text("+1"), text("+2"))]);
    let first = past(RecordedVerb::Change, &[("phone", text("+0"), text("+1"))]);
    let made = past(RecordedVerb::Create, &[("phone", None, text("+0"))]);
    let history = [newest, raised, first, made];
    assert_eq!(
        undone(phone("+2", "+1"), &history),
        [(1, vec!["phone".to_owned()])]
    );
    // A new value, a value from long ago, and one that somebody else changed since.
    assert_eq!(undone(phone("+2", "+3"), &history), []);
    assert_eq!(undone(phone("+2", "+0"), &history), []);
    assert_eq!(undone(phone("+9", "+1"), &history), []);
    // The creation gave the value: nothing was there before.
    assert_eq!(undone(phone("+0", "+5"), &history[3..]), []);
}

#[test]
fn members_go_back_one_by_one() {
    let groups = |before, after| change(USER, "groups", before, after);
    let history = [
        past(
            RecordedVerb::Change,
            &[("groups", set(&["old"]), set(&["a"]))],
        ),
        past(RecordedVerb::Change, &[("groups", None, set(&["b"]))]),
        past(RecordedVerb::Create, &[("groups", None, set(&["old"]))]),
    ];
    assert_eq!(
        undone(groups(set(&["a", "b"]), set(&["old"])), &history),
        [
            (0, vec!["groups".to_owned()]),
            (1, vec!["groups".to_owned()])
        ]
    );
    assert_eq!(undone(groups(set(&["c"]), set(&["d"])), &history), []);
    let level = |before: u8, after: u8| {
        let side = |level: u8| links(&[("acme", &[level])]);
        change(USER, "accounts", side(before), side(after))
    };
    let raised = level(0, 1);
    let history = [past(
        RecordedVerb::Change,
        &[("accounts", raised.before, raised.after)],
    )];
    assert_eq!(undone(level(1, 0), &history).len(), 1);
    assert_eq!(undone(level(0, 1), &history), []);
}

#[test]
fn a_creation_is_undone_by_a_deactivation_and_what_is_unknown_by_nothing() {
    let status = |before, after| change(USER, "status", text(before), text(after));
    let made = past(RecordedVerb::Create, &[("phone", None, text("+0"))]);
    let history = [made];
    assert_eq!(
        undone(status("active", "inactive"), &history),
        [(0, Vec::new())]
    );
    assert_eq!(undone(status("inactive", "active"), &history), []);
    let mut erased = past(RecordedVerb::Change, &[("phone", None, None)]);
    erased.fields[0].values = RecordedValues::Unknown;
    let phone = change(USER, "phone", text("+2"), text("+1"));
    let before = past(RecordedVerb::Change, &[("phone", text("+1"), text("+2"))]);
    assert_eq!(undone(phone, &[erased, before]), []);
}

#[test]
fn a_commit_is_named_with_its_subject_and_a_run_by_its_number() {
    let mut undone = UndoneChange {
        run: 12,
        source: "shop".into(),
        revision: "4f2a9c1b03de4f2a9c1b03de4f2a9c1b03de4f2a".into(),
        subject: Some("Correct the phone of Nils".into()),
        is_contained: Some(false),
        reverted_run: None,
        fields: vec!["phone".to_owned()],
    };
    let words = |undone: &UndoneChange, changes| undone.words(changes);
    assert_eq!(
        words(&undone, 1),
        "reverts 4f2a9c1b03de \"Correct the phone of Nils\", which this revision does not contain"
    );
    undone.is_contained = Some(true);
    undone.subject = None;
    assert_eq!(words(&undone, 2), "reverts 4f2a9c1b03de (phone)");
    undone.revision = "96a782582fc996a782582fc996a78258".into();
    assert_eq!(words(&undone, 1), "reverts run 12");
    undone.reverted_run = Some(7);
    assert_eq!(words(&undone, 1), "reverts run 12, which reverted run 7");
}
