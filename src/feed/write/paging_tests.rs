//! However a directory is cut into pages, what is written is the same.

use super::test_pages::write_pages;
use super::tests::{FORMS, directory};
use super::{DirectoryChanges, WriteFormat};
use crate::feed::mapping::Mapping;
use crate::feed::preset;
use crate::kinds;
use crate::model::{Key, KeyedList, Row};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What was written, with the lines about what was not.
fn written(
    mapping: &Mapping,
    form: WriteFormat,
    what: (&KeyedList<Row>, Option<&DirectoryChanges>),
    size: usize,
) -> (String, Vec<String>) {
    let mut bytes = Vec::new();
    let summary = write_pages(mapping, form, what, size, &mut bytes).expect("written");
    let lines = summary.losses.lines().collect();
    (String::from_utf8_lossy(&bytes).into_owned(), lines)
}

/// Reads its rows as accounts and as users, so a page cannot know every resource that is read.
const TWO_KINDS: &str = "{apiVersion: roster/v1, name: m, accounts: {externalId: ID, fields: {name: NAME}}, \
    users: {externalId: ID, fields: {firstName: NAME}}}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pages_of_any_size_say_the_same(rows in directory(), size in 1..4_usize) {
        let presets = preset::names().map(|name| preset::mapping(name).expect("a preset"));
        let own = Mapping::parse(TWO_KINDS).expect("a mapping");
        for mapping in presets.chain([own]) {
            for form in FORMS.into_iter().filter(|form| super::check_format(&mapping, *form).is_ok()) {
                let whole = written(&mapping, form, (&rows, None), usize::MAX);
                prop_assert_eq!(written(&mapping, form, (&rows, None), size), whole);
            }
        }
    }

    #[test]
    fn pages_of_changes_say_the_same(rows in directory(), size in 1..4_usize) {
        let mut keys: BTreeSet<Key> = rows.iter().map(|row| row.key.clone()).collect();
        keys.insert(Key::new(kinds::ACCOUNT, "gone"));
        let account = keys.iter().find(|key| key.kind == kinds::ACCOUNT).expect("one").clone();
        let unlinked = BTreeMap::from([(account, BTreeSet::from(["d-gone".into()]))]);
        let changes = DirectoryChanges { keys, unlinked };
        let mapping = preset::mapping("djust-accounts").expect("a preset");
        let whole = written(&mapping, FORMS[0], (&rows, Some(&changes)), usize::MAX);
        prop_assert!(whole.0.contains("\ngone,"), "{}", whole.0);
        prop_assert_eq!(written(&mapping, FORMS[0], (&rows, Some(&changes)), size), whole);
    }
}
