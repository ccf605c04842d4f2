//! Tests of loading manifests. The submodules are by topic; the helpers for all of them are here.

mod cells;
mod codes;
mod hostile;
mod nested;
mod tree;

use super::{LoadOptions, LoadedManifests, Tree, load};
use crate::kinds;
use crate::model::{Cell, DeclaredResource, Key, Value};

/// Loads one manifest.
pub(super) fn yaml(text: &str) -> LoadedManifests {
    files(&[("a.yaml", text)])
}

/// Loads manifests by path.
pub(super) fn files(files: &[(&str, &str)]) -> LoadedManifests {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    load(&Tree::from_files(files), &LoadOptions::default())
}

/// Returns all diagnostics as `code line:column`, in order.
pub(super) fn found(loaded: &LoadedManifests) -> Vec<String> {
    loaded
        .diagnostics
        .iter()
        .map(|found| {
            let at = found
                .origin
                .as_ref()
                .map(|origin| origin.at)
                .unwrap_or_default();
            format!("{} {}:{}", found.code, at.line, at.column)
        })
        .collect()
}

/// The resource `Kind/id`.
pub(super) fn resource<'a>(loaded: &'a LoadedManifests, name: &str) -> &'a DeclaredResource {
    let (kind, id) = name.split_once('/').expect("Kind/id");
    let key = Key::new(kinds::by_name(kind).expect("a kind").id, id);
    let resources = &loaded.desired.resources;
    resources
        .get(&key)
        .unwrap_or_else(|| panic!("no {name}: {:?}", loaded.diagnostics))
}

/// The cell of a field, by its name as in plans.
pub(super) fn cell<'a>(loaded: &'a LoadedManifests, name: &str, field: &str) -> Option<&'a Cell> {
    let declared = resource(loaded, name);
    let field = kinds::get(declared.key.kind)
        .field_ref(field)
        .expect("a field");
    declared.stated(&field).map(|stated| &stated.cell)
}

/// The text of a field.
pub(super) fn text<'a>(loaded: &'a LoadedManifests, name: &str, field: &str) -> Option<&'a str> {
    cell(loaded, name, field)?.value().and_then(Value::as_text)
}

/// Returns the names of all declared resources.
pub(super) fn names(loaded: &LoadedManifests) -> Vec<String> {
    let resources = loaded.desired.resources.iter();
    resources.map(|declared| declared.key.to_string()).collect()
}
