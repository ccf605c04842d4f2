//! `specs/openapi.json` is current.

use roster::http::document;
use std::path::Path;

#[test]
fn the_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/openapi.json");
    let document = document(roster::daemon::api::routes());
    let schemas = document["components"]["schemas"].as_object();
    let two = schemas
        .into_iter()
        .flatten()
        .find(|(name, _)| name.ends_with("AsRead"));
    assert!(two.is_none(), "read and written in two forms: {two:?}");
    let text = format!("{document:#}\n");
    if std::env::var("SNAPSHOTS").is_ok_and(|it| it == "overwrite") {
        std::fs::write(&path, &text).expect("the document");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let stale = "run `SNAPSHOTS=overwrite cargo test --test documents`";
    assert!(stored == text, "specs/openapi.json is not current: {stale}");
}
