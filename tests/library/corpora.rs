//! The fuzz targets on their corpora: what was found once stays found.

#[path = "../fuzz/claims.rs"]
mod claims;
#[path = "../fuzz/feeds.rs"]
mod feeds;

use std::fs;
use std::path::Path;

#[test]
fn any_document_can_be_read_and_formatted() {
    replay("document", claims::document);
}

#[test]
fn any_directory_can_be_checked_planned_and_settles() {
    replay("validate", claims::validate);
}

#[test]
fn any_export_in_csv_can_be_read() {
    replay("feed_csv", feeds::csv);
}

#[test]
fn any_export_in_json_can_be_read() {
    replay("feed_json", feeds::json);
}

#[test]
fn any_export_in_json_lines_can_be_read() {
    replay("feed_jsonl", feeds::jsonl);
}

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in fs::read_dir(&corpus).expect("a corpus") {
        let path = entry.expect("an entry").path();
        // Of a check that fails, the test shows which file it was on.
        println!("{}", path.display());
        check(&fs::read(&path).expect("a file of the corpus"));
        files += 1;
    }
    assert!(files >= 10, "only {files} files in {}", corpus.display());
}
