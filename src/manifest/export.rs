//! Declares stored rows. States only what a create would not set by itself, so that the files stay
//! short and read back to the same rows.

use super::layout::ManifestResource;
use crate::kinds::effective::EffectivePeriod;
use crate::kinds::{self, Field};
use crate::model::{FieldRef, Row, Value};

/// A row as manifests declare it. `as_of` is the moment at which it was stored: what is inactive
/// then because of a date is not written as inactive.
///
/// Values that a create sets by itself are left out.
#[must_use]
pub fn exported_resource(row: &Row, as_of: &str) -> ManifestResource {
    ManifestResource {
        key: row.key.clone(),
        fields: exported_fields(row, as_of),
    }
}

/// The fields of a row that a manifest must state.
fn exported_fields(row: &Row, as_of: &str) -> Vec<(FieldRef, Value)> {
    let kind = kinds::get(row.key.kind);
    let is_dated = !EffectivePeriod::of_row(row).contains(as_of);
    let own = row.values.iter().enumerate().filter_map(|(index, value)| {
        let value = value
            .as_ref()
            .filter(|value| is_said(&kind.fields[index], value))
            .filter(|_| !(is_dated && index == kind.status_index()))?;
        Some((kinds::own_field(index), value.clone()))
    });
    let custom = row.custom_values.iter();
    let custom = custom.map(|(id, value)| (FieldRef::Custom(id.clone()), value.clone()));
    own.chain(custom).collect()
}

fn is_said(field: &Field, value: &Value) -> bool {
    match field.default.value() {
        Some(default) => default != *value,
        None => !value.is_empty_list(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{ADDRESS, POLICY, TERMS, USER};
    use crate::manifest::layout::{ExistingFiles, document_path, lay_out};
    use crate::manifest::{LoadOptions, Tree, load};
    use crate::model::Cell;
    use crate::model::{Key, KeyedList, SmallMap};
    use std::collections::BTreeMap;

    #[test]
    fn a_document_stays_where_it_was_unless_that_is_no_place_for_it() {
        let kind = kinds::get(TERMS);
        assert_eq!(document_path(kind, "t", "docs/t.pdf"), "docs/t.pdf");
        for path in ["/etc/passwd", "../t.pdf", "a//b", "t.yaml", "c:\\t.pdf"] {
            assert_eq!(document_path(kind, "t/1", path), "terms/t%2F1");
        }
    }

    const TREE: &str = "accounts:\n- externalId: a/b\n  name: A\n  companyRegistrationName: A\n  businessRegistrationNumber: '1'\n  \
        addresses:\n  - {externalId: only, fullName: 'N: #', street: S, zipCode: '1', city: C, country: SE, billing: false, \
        customFields: {note: \"a\\n\\n  b\"}}\n  - ref: shared\n\
        - externalId: B\n  name: B\n  companyRegistrationName: B\n  businessRegistrationNumber: '2'\n  addresses: [ref: shared]\n  status: inactive\n\
        addresses:\n- {externalId: shared, fullName: N, street: S, zipCode: '1', city: C, country: SE, protect: true}\n\
        users:\n- {externalId: u, civility: MR, firstName: F, lastName: L, email: e@x.example, phone: '123', groups: [g], \
        accounts: [B, {account: a/b, level: administrator}]}\n- {externalId: one, civility: MR, firstName: F, lastName: L, \
        email: g@x.example, phone: '123', groups: [g], accounts: [a/b]}\n- {externalId: nobody, civility: MR, firstName: F, lastName: L, \
        email: f@x.example, phone: '123', groups: [g]}\npolicies:\n- {externalId: p, name: P, account: B, reviewed: [u], approvers: [u]}\n";

    fn read(files: &BTreeMap<String, String>) -> BTreeMap<Key, Vec<(FieldRef, Cell)>> {
        let files = files
            .iter()
            .map(|(path, text)| (path.clone(), text.clone().into_bytes()));
        let loaded = load(&Tree::from_files(files), &LoadOptions::default());
        let faults: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter(|found| found.is_error())
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
        let declared = loaded.desired.resources.iter().map(|declared| {
            let cells = declared.cells.iter();
            let cells = cells.map(|stated| (stated.field.clone(), stated.cell.clone()));
            (declared.key.clone(), cells.collect())
        });
        declared.collect()
    }

    fn rows(tree: &BTreeMap<Key, Vec<(FieldRef, Cell)>>) -> KeyedList<Row> {
        let rows = tree.iter().map(|(key, cells)| {
            let kind = kinds::get(key.kind);
            let fields = kind.fields.iter();
            let mut row = Row {
                key: key.clone(),
                version: 1,
                values: fields.map(|field| field.default.value()).collect(),
                custom_values: SmallMap::default(),
                facts: SmallMap::default(),
            };
            for (field, cell) in cells {
                row.set(field, cell.value().cloned());
            }
            row
        });
        rows.collect()
    }

    #[test]
    fn a_directory_reads_back_as_it_is_stored() {
        let tree = read(&[("all.yaml".to_owned(), TREE.to_owned())].into());
        let rows = rows(&tree);
        let items = rows.iter().map(|row| exported_resource(row, ""));
        let exported = lay_out(items.collect(), &ExistingFiles::default());
        let paths: Vec<&str> = exported.manifests.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "accounts/B/account.yaml",
                "accounts/B/policies.yaml",
                "accounts/a%2Fb/account.yaml",
                "accounts/a%2Fb/users.yaml",
                "addresses.yaml",
                "users.yaml"
            ]
        );
        assert_eq!(read(&exported.manifests), tree);
        let account = &exported.manifests["accounts/a%2Fb/account.yaml"];
        assert!(
            account.contains("  - externalId: only\n    fullName: \"N: #\"\n"),
            "{account}"
        );
        assert!(
            account.contains("        b\n    billing: false\n  - ref: shared\n"),
            "{account}"
        );
        for kind in [ADDRESS, USER, POLICY] {
            assert!(rows.iter().any(|row| row.key.kind == kind));
        }
    }
}
