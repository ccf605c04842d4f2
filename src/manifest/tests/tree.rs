use super::*;
use std::fs;
use std::path::Path;

const TAG: &str = "kind: Tag\nexternalId: ";

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    fs::write(file, text).expect("a file");
}

fn read(root: &Path) -> LoadedManifests {
    load(&Tree::read(root), &LoadOptions::default())
}

#[test]
fn a_walk_takes_manifests_and_leaves_the_rest() {
    let root = tempfile::tempdir().expect("a folder");
    for (path, id) in [
        ("b/x.yaml", "1"),
        ("a.yml", "2"),
        ("c.json", "x"),
        ("x.yaml/y.yaml", "3"),
        (".hidden.yaml", "no"),
        (".git/x.yaml", "no"),
        ("roster.yaml", "no"),
        ("notes.txt", "no"),
        ("drafts/x.yaml", "no"),
        ("b/skip.yaml", "no"),
    ] {
        write(root.path(), path, &format!("{TAG}{id}\n"));
    }
    write(
        root.path(),
        "c.json",
        "{\"tags\": [{\"externalId\": \"4\"}]}",
    );
    write(root.path(), ".rosterignore", "drafts/\n");
    write(root.path(), "b/.rosterignore", "/skip.yaml\n");
    write(root.path(), ".gitignore", "*.yaml\n");
    let loaded = read(root.path());
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(names(&loaded), ["Tag/1", "Tag/2", "Tag/3", "Tag/4"]);
    let paths: Vec<_> = loaded
        .documents
        .iter()
        .map(|document| &*document.path)
        .collect();
    assert_eq!(paths, ["a.yml", "b/x.yaml", "c.json", "x.yaml/y.yaml"]);
}

#[test]
fn memory_and_disk_come_to_the_same() {
    let root = tempfile::tempdir().expect("a folder");
    let all = [
        ("a.yaml", "kind: Tag\nexternalId: a\n"),
        (".rosterignore", "b.yaml"),
        ("b.yaml", "x: ["),
    ];
    for (path, text) in all {
        write(root.path(), path, text);
    }
    let disk = read(root.path());
    let memory = files(&all);
    assert_eq!(disk.desired.revision, memory.desired.revision);
    assert_eq!(names(&disk), names(&memory));
    assert!(memory.diagnostics.is_empty());
}

#[test]
fn a_missing_root_is_never_an_empty_one() {
    let root = tempfile::tempdir().expect("a folder");
    let loaded = read(&root.path().join("nowhere"));
    assert_eq!(found(&loaded), ["source-unreadable 0:0"]);
    assert_eq!(loaded.desired.removals_off.len(), 1);
    let empty = read(root.path());
    assert!(empty.diagnostics.is_empty() && empty.desired.removals_off.is_empty());
}

#[cfg(unix)]
#[test]
fn links_may_not_leave_the_root() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().expect("a folder");
    write(outside.path(), "o.yaml", &format!("{TAG}o\n"));
    let root = tempfile::tempdir().expect("a folder");
    write(root.path(), "a.yaml", &format!("{TAG}a\n"));
    write(root.path(), ".data/b.yaml", &format!("{TAG}b\n"));
    write(
        root.path(),
        "t.yaml",
        "kind: Terms\nexternalId: t\nfile: out.txt\n",
    );
    symlink(outside.path().join("o.yaml"), root.path().join("o.yaml")).expect("a link");
    symlink(outside.path().join("o.yaml"), root.path().join("out.txt")).expect("a link");
    symlink(outside.path(), root.path().join("out")).expect("a link");
    symlink(".data/b.yaml", root.path().join("b.yaml")).expect("a link");
    symlink("a.yaml", root.path().join("same.yaml")).expect("a link");
    symlink(".", root.path().join("loop")).expect("a link");
    symlink("nowhere", root.path().join("dangling.yaml")).expect("a link");
    let loaded = read(root.path());
    assert_eq!(names(&loaded), ["Terms/t", "Tag/a", "Tag/b"]);
    let places: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|d| format!("{} {}", d.code, d.origin.as_ref().expect("a place")))
        .collect();
    assert_eq!(
        places,
        [
            "source-unreadable dangling.yaml",
            "path-escape o.yaml",
            "path-escape out",
            "path-escape t.yaml:3:7"
        ]
    );
    assert_eq!(loaded.desired.removals_off.len(), 4);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let root = tempfile::tempdir().expect("a folder");
    let socket = root.path().join("x.yaml");
    let _held = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    assert_eq!(found(&read(root.path())), ["source-unreadable 0:0"]);
}

#[test]
fn of_a_file_of_many_documents_those_that_may_name_an_id_are_enough() {
    let text = "kind: Tag\nexternalId: a\n---\ntags: [{externalId: old}, {externalId: wanted}]\n---\n\
                kind: Tag\nexternalId: \"\\x77anted\"\n---\nkind: Tag\nexternalId: ]\n";
    let tree = Tree::from_files([("a.yaml".to_owned(), text.into())]);
    let options = LoadOptions {
        naming: Some("wanted".into()),
        ..LoadOptions::default()
    };
    let loaded = load(&tree, &options);
    assert_eq!(names(&loaded), ["Tag/old", "Tag/wanted"]);
    // An id that is written with an escape counts, and every document stays in its place.
    assert_eq!(found(&loaded), ["duplicate-resource 7:13"]);
    let lines: Vec<_> = loaded.documents.iter().map(|it| it.line).collect();
    assert_eq!(lines, [3, 5]);
}
