//! What a commit may hold beside manifests.

use super::{TAG, TWO, go, place, plan};
use crate::support::git_remote::Remote;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

#[test]
fn a_finding_shows_its_line_of_the_commit() {
    let (place, remote) = place(&TWO.replace("name: New", "nmae: New"));
    remote.write("manifests/all.yaml", "tags: []\n");
    let ran = go(&place, &["validate", "--output", "text"]).exits(1);
    assert!(ran.stdout.contains("nmae: New}]"), "{ran}");
    let github = go(&place, &["validate", "--output", "github"]).exits(1);
    assert!(
        github.stdout.contains("file=manifests/all.yaml,line=1"),
        "{github}"
    );
    go(&place, &["fmt"]).exits(64);
}

#[test]
fn links_are_followed_below_the_root_only() {
    let (place, remote) = place(TAG);
    let manifests = remote.work().join("manifests");
    let link = |target: &str, name: &str| symlink(target, manifests.join(name)).expect("a link");
    remote.write(
        "manifests/.shared/more.yaml",
        "tags: [{externalId: more, name: More}]\n",
    );
    remote.write(
        "manifests/.shared/deep/deep.yaml",
        "tags: [{externalId: deep, name: Deep}]\n",
    );
    link("all.yaml", "again.yaml");
    link(".shared/more.yaml", "more.yaml");
    link(".shared/deep", "folder");
    remote.push("links");
    let steps = plan(&place).exits(0).steps();
    assert_eq!(
        steps,
        ["create Tag/deep", "create Tag/more", "create Tag/premium"]
    );

    remote.write("outside.yaml", TWO);
    link("../outside.yaml", "outside.yaml");
    remote.push("outside");
    let outside = plan(&place).exits(1);
    assert_eq!(
        outside.codes("error").into_iter().collect::<Vec<_>>(),
        ["path-escape"]
    );
    remote.git(&["rm", "-q", "manifests/outside.yaml"]);
    link("/etc", "etc");
    remote.push("a folder outside");
    assert!(plan(&place).exits(1).codes("error").contains("path-escape"));
    remote.git(&["rm", "-q", "manifests/etc"]);
    link("nowhere.yaml", "broken.yaml");
    link("round.yaml", "round.yaml");
    remote.push("broken");
    let broken = plan(&place).exits(1);
    assert!(
        broken.codes("error").contains("source-unreadable"),
        "{broken}"
    );
    remote.write("manifests/.rosterignore", "broken.yaml\nround.yaml\n");
    remote.push("left out");
    assert_eq!(plan(&place).exits(0).steps().len(), 3);
}

#[test]
fn a_submodule_and_a_pointer_are_refused() {
    let (place, remote) = place(TAG);
    go(&place, &["apply", "--yes"]).exits(0);
    let other = Remote::with(TWO);
    remote.git(&[
        "submodule",
        "--quiet",
        "add",
        &other.url(),
        "manifests/module",
    ]);
    remote.push("a submodule");
    let module = plan(&place).exits(1);
    assert!(module.stdout.contains("git submodule"), "{module}");
    remote.write("manifests/.rosterignore", "module\n");
    remote.push("left out");
    assert_eq!(plan(&place).exits(0).steps().len(), 0);

    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    remote.write("manifests/large.yaml", pointer);
    remote.push("a pointer");
    let large = plan(&place).exits(1);
    assert!(large.stdout.contains("Git LFS pointer"), "{large}");
    assert!(
        large.codes("error").contains("source-unreadable"),
        "{large}"
    );
}

#[test]
fn what_is_too_large_is_not_taken_in() {
    let (place, remote) = place(TAG);
    remote.write("manifests/huge.yaml", vec![b'#'; (64 << 20) + 1]);
    remote.push("huge");
    let ran = plan(&place).exits(1);
    assert!(ran.codes("error").contains("yaml-limit"), "{ran}");
    // Git was asked on, after it was cut off.
    assert!(ran.codes("error").len() == 1, "{ran}");
}

#[test]
fn a_path_that_is_no_folder_of_the_commit_is_unreadable() {
    let (place, remote) = place(TAG);
    remote.write("nested/.gitkeep", "");
    symlink("manifests", remote.work().join("link")).expect("a link");
    remote.push("more");
    for (path, expected) in [
        ("nowhere", "no such folder"),
        ("manifests/all.yaml/x", "no such folder"),
        ("link", "it is a symbolic link"),
    ] {
        crate::support::git_remote::configure(&place, &remote.url(), &format!(", path: '{path}'"));
        let ran = plan(&place).exits(1);
        assert!(ran.stdout.contains(expected), "{path}: {ran}");
        assert!(ran.codes("error").contains("source-unreadable"), "{ran}");
    }
    for path in ["", "./manifests/", "manifests/all.yaml"] {
        crate::support::git_remote::configure(&place, &remote.url(), &format!(", path: '{path}'"));
        assert_eq!(
            plan(&place).exits(0).steps(),
            ["create Tag/premium"],
            "{path}"
        );
    }
}

#[test]
fn a_configuration_in_the_tree_is_ignored_and_said() {
    let (place, remote) = place(TAG);
    remote.write(
        "manifests/roster.yaml",
        "apiVersion: roster/v1\nguards: {deactivate: {percent: 100}}\n",
    );
    remote.push("a configuration");
    for _ in 0..2 {
        let ran = go(&place, &["apply", "--yes"]).exits(0);
        assert!(ran.codes("note").contains("config-ignored"), "{ran}");
    }
}

#[test]
fn names_in_any_bytes_are_read_or_said() {
    let (place, remote) = place(TAG);
    remote.write(
        "manifests/Kundér \"x\"\n.yaml",
        "tags: [{externalId: odd, name: Odd}]\n",
    );
    remote.push("an odd name");
    assert_eq!(plan(&place).exits(0).steps().len(), 2);
    let name = std::ffi::OsStr::from_bytes(b"latin-\xe9.yaml");
    std::fs::write(remote.work().join("manifests").join(name), TAG).expect("written");
    remote.push("not UTF-8");
    let ran = plan(&place).exits(1);
    assert!(ran.stdout.contains("its name is not UTF-8"), "{ran}");
    assert!(ran.codes("error").contains("source-unreadable"), "{ran}");
}

/// A tree of these lines, as `git ls-tree` prints them; its id.
fn tree(remote: &Remote, lines: &str) -> String {
    let mut make = Command::new("git");
    make.arg("mktree").current_dir(remote.work());
    let mut make = make
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git");
    let mut stdin = make.stdin.take().expect("a pipe");
    stdin.write_all(lines.as_bytes()).expect("written");
    drop(stdin);
    let made = make.wait_with_output().expect("a tree");
    assert!(made.status.success());
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}

/// Pushes a commit whose folder `manifests` is this tree.
fn commit(remote: &Remote, folder: &str) {
    let root = tree(remote, &format!("040000 tree {folder}\tmanifests\n"));
    let commit = remote.git(&["commit-tree", &root, "-m", "made to be large"]);
    let to = format!("{commit}:refs/heads/main");
    remote.git(&["push", "--quiet", "--force", "origin", &to]);
}

#[test]
fn a_commit_that_would_never_be_listed_is_refused_with_its_limit() {
    let (place, remote) = place(TAG);
    go(&place, &["apply", "--yes"]).exits(0);
    let blob = remote.git(&["hash-object", "-w", "manifests/all.yaml"]);
    let file = tree(&remote, &format!("100644 blob {blob}\ta.yaml\n"));
    // A tree of empty folders holds no file at all.
    for leaf in [file, tree(&remote, "")] {
        let double = |below: String, _| {
            let both = format!("040000 tree {below}\ta\n040000 tree {below}\tb\n");
            tree(&remote, &both)
        };
        let bomb = (0..40).fold(leaf.clone(), double);
        commit(&remote, &bomb);
        let wide = plan(&place).exits(1);
        assert!(wide.stdout.contains("2500000 files and folders"), "{wide}");
        assert!(wide.codes("error").contains("source-unreadable"), "{wide}");
        assert!(wide.steps().is_empty(), "{wide}");

        let nest = |below: String, _| tree(&remote, &format!("040000 tree {below}\ta\n"));
        let deep = (0..200).fold(leaf, nest);
        commit(&remote, &deep);
        let deep = plan(&place).exits(1);
        assert!(deep.stdout.contains("64 deep"), "{deep}");
    }
    // Nothing was removed, and it goes on with the next good commit.
    remote.push("good again");
    assert_eq!(plan(&place).exits(0).steps().len(), 0);
}
