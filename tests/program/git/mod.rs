//! Git repositories as sources: real ones, fetched over files, http and ssh.

mod accept_trailers;
mod reverts;
mod trees;

use crate::support::git_remote::{Remote, configure};
use crate::support::workspace::{LIMIT, Ran, Workspace, account, each, run, sqlite, user, users};
use crate::support::{git_http, git_remote, ssh_server};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

const TOKEN: &str = "sentinel-7f3a9c";

const TAG: &str = "tags: [{externalId: premium, name: Premium}]\n";
const TWO: &str = "tags: [{externalId: premium, name: Premium}, {externalId: new, name: New}]\n";

/// A place whose source is a repository with one file.
fn place(yaml: &str) -> (Workspace, Remote) {
    let (place, remote) = (sqlite(), Remote::with(yaml));
    configure(&place, &remote.url(), "");
    (place, remote)
}

fn go(place: &Workspace, arguments: &[&str]) -> Ran {
    let mut command = place.command(arguments);
    // As in a hook of somebody's repository.
    command
        .env("GIT_DIR", "/nonexistent")
        .env("GIT_INDEX_FILE", "/nonexistent");
    run(command.env("HOME", place.path("")))
}

fn plan(place: &Workspace) -> Ran {
    go(place, &["plan", "-v"])
}

fn apply(place: &Workspace) -> Ran {
    go(place, &["apply", "--yes"])
}

fn revision(ran: &Ran) -> String {
    let plans = ran.plans();
    let revision = plans[0]["source"]["revision"].as_str();
    revision.unwrap_or_default().to_owned()
}

/// The one mirror of a place.
fn mirror(place: &Workspace) -> PathBuf {
    let entries = fs::read_dir(place.path(".roster/cache")).expect("the mirrors");
    let mut paths = entries.flatten().map(|entry| entry.path());
    let mirror = paths.find(|path| path.extension().is_some_and(|ending| ending == "git"));
    mirror.expect("a mirror")
}

#[test]
fn a_repository_is_planned_and_applied_as_the_directory_is() {
    for place in each("git") {
        let remote = Remote::new();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/company");
        let to = remote.work().join("manifests");
        run(Command::new("cp")
            .arg("-r")
            .arg(example)
            .arg(to)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()))
        .exits(0);
        let commit = remote.push("all");
        configure(&place, &remote.url(), ", ref: main");
        let directory = remote.work().join("manifests");
        let config = "apiVersion: roster/v1\nsources: [{name: shop, directory: 'DIR'}]\n";
        place.write(
            "other.yaml",
            config.replace("DIR", &directory.display().to_string()),
        );

        let here = go(&place, &["plan"]).exits(0);
        let there = go(&place, &["plan", "--config", "other.yaml"]).exits(0);
        assert_eq!(
            here.plans()[0]["steps"],
            there.plans()[0]["steps"],
            "{here}"
        );
        assert_eq!(revision(&here), commit);

        apply(&place).exits(0);
        let again = plan(&place).exits(0);
        assert_eq!(again.count("unchanged"), 61, "{again}");
        assert!(!again.stderr.contains("reading files"), "{again}");
        assert!(again.stderr.contains("read 0 of 27 files"), "{again}");
        let told = go(&place, &["history"]).exits(0).stdout;
        assert!(told.contains(&commit), "{told}");
        let why = go(&place, &["why", "Tag/premium"]).exits(0).stdout;
        assert!(why.contains(&commit) && why.contains("tags.yaml"), "{why}");

        remote.write("manifests/more.yaml", TWO.replace("premium", "extra"));
        let next = remote.push("more");
        let more = plan(&place).exits(0);
        assert_eq!(more.steps(), ["create Tag/extra", "create Tag/new"]);
        assert_eq!(revision(&more), next);
        assert!(more.stderr.contains("read 1 of 28 files"), "{more}");
        // Only the terms differ, which no manifest is.
        remote.git(&["rm", "-q", "manifests/more.yaml"]);
        let terms = fs::read_dir(directory.join("terms"))
            .expect("terms")
            .flatten();
        for file in terms {
            fs::write(file.path(), "Other terms.\n").expect("written");
        }
        remote.push("terms");
        assert_eq!(plan(&place).exits(0).changes().len(), 1);
        apply(&place).exits(0);
        assert_eq!(plan(&place).exits(0).count("update"), 0);
    }
}

#[test]
fn a_branch_a_tag_and_a_commit_are_found() {
    let (place, remote) = place(TAG);
    let first = remote.head();
    remote.git(&["tag", "plain"]);
    remote.git(&["tag", "-a", "-m", "annotated", "v1"]);
    remote.git(&["push", "--quiet", "origin", "plain", "v1"]);
    remote.git(&["checkout", "--quiet", "-b", "feature/x"]);
    remote.write("manifests/all.yaml", TWO);
    let second = remote.push("second");
    for (reference, commit) in [
        ("", &first),
        (", ref: HEAD", &first),
        (", ref: main", &first),
        (", ref: plain", &first),
        (", ref: v1", &first),
        (", ref: refs/tags/v1", &first),
        (", ref: feature/x", &second),
        (&format!(", ref: '{second}'"), &second),
        (&format!(", ref: '{}'", &first[..10]), &first),
    ] {
        configure(&place, &remote.url(), reference);
        assert_eq!(&revision(&plan(&place).exits(0)), commit, "{reference}");
    }
    configure(&place, &remote.url(), ", ref: feature/y");
    let wrong = plan(&place).exits(1);
    assert!(
        wrong.stdout.contains("Did you mean `feature/x`?"),
        "{wrong}"
    );
    assert!(
        wrong.codes("error").contains("source-unreadable"),
        "{wrong}"
    );

    // A reference that is no branch moves like one.
    for yaml in [TAG, TWO] {
        remote.write("manifests/all.yaml", yaml);
        remote.git(&["add", "--all"]);
        remote.git(&["commit", "--quiet", "--allow-empty", "-m", "pull"]);
        remote.git(&["push", "--quiet", "origin", "HEAD:refs/pull/7/merge"]);
        configure(&place, &remote.url(), ", ref: refs/pull/7/merge");
        assert_eq!(revision(&plan(&place).exits(0)), remote.head());
    }
    remote.git(&["reset", "--quiet", "--hard", &second]);

    // A commit that is on no branch any more is handed out by its id.
    remote.git(&["push", "--quiet", "--delete", "origin", "feature/x"]);
    place.remove(".roster/cache");
    git_remote::run(
        &remote.bare(),
        &["config", "uploadpack.allowAnySHA1InWant", "true"],
    );
    configure(&place, &remote.url(), &format!(", ref: '{second}'"));
    assert_eq!(revision(&plan(&place).exits(0)), second);
}

#[test]
fn a_repository_with_long_names_is_read() {
    let (place, remote) = (sqlite(), Remote::new());
    let long = remote.bare().with_file_name("long");
    fs::create_dir(&long).expect("a folder");
    let bare = long.join("bare.git");
    let made = [
        "init",
        "--quiet",
        "--object-format=sha256",
        "--initial-branch=main",
    ];
    git_remote::run(&long, &[&made[..], &["--bare", "bare.git"]].concat());
    git_remote::run(&long, &[&made[..], &["work"]].concat());
    let work = long.join("work");
    fs::create_dir(work.join("manifests")).expect("a folder");
    fs::write(work.join("manifests/all.yaml"), TAG).expect("written");
    git_remote::run(&work, &["add", "."]);
    git_remote::run(&work, &["commit", "--quiet", "-m", "first"]);
    let url = format!("file://{}", bare.display());
    git_remote::run(&work, &["push", "--quiet", &url, "HEAD:main"]);
    configure(&place, &url, ", ref: main");
    for _ in 0..2 {
        assert_eq!(revision(&plan(&place).exits(0)).len(), 64);
    }
}

#[test]
fn another_revision_is_planned_and_not_saved() {
    let (place, remote) = place(TAG);
    apply(&place).exits(0);
    remote.git(&["checkout", "--quiet", "-b", "pull"]);
    remote.write("manifests/all.yaml", TWO);
    let commit = remote.push("pull");
    let at = go(&place, &["plan", "--revision", "pull"]).exits(0);
    assert_eq!(
        (at.steps(), revision(&at)),
        (vec!["create Tag/new".to_owned()], commit.clone())
    );
    assert_eq!(
        go(&place, &["plan", "--revision", &commit])
            .exits(0)
            .steps()
            .len(),
        1
    );
    assert_eq!(plan(&place).exits(0).steps().len(), 0);
    // Nor applied in another form: nobody has merged it.
    place.write("pull.json", &at.stdout);
    let refused = go(&place, &["apply", "pull.json", "--yes"]).exits(1);
    assert!(refused.stderr.contains("not the source's own"), "{refused}");
    go(
        &place,
        &["plan", "--revision", "pull", "--out", "plan.json"],
    )
    .exits(64);
    go(&place, &["plan", "--revision", "nowhere"]).exits(1);
    go(&place, &["plan", "--revision", "pull", "--source", "other"]).exits(64);
}

#[test]
fn a_push_by_force_is_noticed() {
    let (place, remote) = place(TAG);
    let first = remote.head();
    remote.write("manifests/all.yaml", TWO);
    remote.push("second");
    let ahead = apply(&place).exits(0);
    assert!(!ahead.stderr.contains("rewound"), "{ahead}");
    let second = remote.head();
    remote.git(&["reset", "--quiet", "--hard", &first]);
    remote.write("manifests/all.yaml", TWO.replace("Premium", "Best"));
    let third = remote.push("instead");
    let rewound = plan(&place).exits(0);
    assert!(
        rewound.stderr.contains("rewound") && rewound.stderr.contains(&second),
        "{rewound}"
    );
    assert_eq!(revision(&rewound), third);
    let again = plan(&place).exits(0);
    assert!(!again.stderr.contains("rewound"), "{again}");
}

#[test]
fn an_empty_tree_removes_nothing_and_a_large_removal_waits() {
    for place in each("gitempty") {
        let all = format!("{}{}", account("acme", ""), users(0..10, "acme", ""));
        let remote = Remote::with(&all);
        configure(&place, &remote.url(), "");
        apply(&place).exits(0);

        remote.git(&["rm", "-q", "manifests/all.yaml"]);
        remote.push("emptied");
        // The folder is gone with its last file, so that nothing says what it holds.
        let gone = apply(&place).exits(1);
        assert!(gone.stdout.contains("no such folder"), "{gone}");
        assert_eq!(gone.count("deactivate"), 0);

        remote.write("manifests/notes.txt", "nothing here\n");
        remote.push("no manifests");
        let empty = apply(&place).exits(3);
        assert!(empty.rules().contains("empty-source"), "{empty}");
        assert_eq!(empty.count("deactivate"), 0);
        let active = "SELECT count(*) FROM users WHERE status = 'active'";
        assert_eq!(place.value(active).as_deref(), Some("10"));
    }
}

#[test]
fn a_token_opens_http_and_stands_in_no_output() {
    let (place, remote) = place(TAG);
    let root = remote.bare().parent().expect("a folder").to_owned();
    let server = git_http::Server::start(root, TOKEN);
    let with = |auth: &str| {
        configure(&place, &server.url(), auth);
        let mut command = place.command(&["plan", "-vv"]);
        command
            .env("GIT_TOKEN", TOKEN)
            .env("WRONG", format!("wrong-{TOKEN}"));
        run(command.env("HOME", place.path("")))
    };
    for auth in [
        ", auth: '${GIT_TOKEN}'",
        ", auth: {token: '${GIT_TOKEN}', username: eva}",
        ", auth: {username: eva, password: '${GIT_TOKEN}'}",
    ] {
        let ran = with(auth).exits(0);
        assert_eq!(ran.steps(), ["create Tag/premium"]);
        assert!(!said(&ran).contains(TOKEN), "{ran}");
    }
    place.remove(".roster/cache");
    for auth in [", auth: '${WRONG}'", ""] {
        let ran = with(auth).exits(1);
        assert!(!said(&ran).contains(TOKEN), "{ran}");
        assert!(ran.stdout.contains("denied access"), "{ran}");
        assert!(ran.stdout.contains("Check `auth:`"), "{ran}");
    }
    configure(
        &place,
        &server.url().replace("//", &format!("//eva:{TOKEN}@")),
        "",
    );
    let ran = plan(&place).exits(1);
    assert!(ran.stderr.contains("set `auth:"), "{ran}");
    assert!(!said(&ran).contains(TOKEN), "{ran}");
    assert_eq!(
        holding(&place.path(".roster"), TOKEN),
        Vec::<PathBuf>::new()
    );
}

/// All that a command printed.
fn said(ran: &Ran) -> String {
    format!("{}\n{}", ran.stdout, ran.stderr)
}

/// The files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else {
            let bytes = fs::read(&path).expect("a file");
            if bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_key_opens_ssh() {
    let (place, remote) = place(TAG);
    let Some(server) = ssh_server::Server::start(&remote.bare()) else {
        return;
    };
    let url = server.url(&remote.bare());
    let with = |key: &str, hosts: &str| {
        let (key, hosts) = (server.key(key), server.known_hosts(hosts));
        let auth = format!(", auth: {{sshKey: '{key}', knownHosts: '{hosts}'}}");
        configure(&place, &url, &auth);
        plan(&place)
    };
    assert_eq!(
        with("client", "host").exits(0).steps(),
        ["create Tag/premium"]
    );
    let stranger = with("stranger", "host").exits(1);
    assert!(stranger.stdout.contains("denied access"), "{stranger}");
    let impostor = with("client", "stranger").exits(1);
    assert!(
        impostor.stdout.contains("ssh does not trust the host"),
        "{impostor}"
    );
}

#[test]
fn what_cannot_be_reached_is_named_and_takes_nothing_away() {
    let all = format!("{}{}", account("acme", ""), user("u-1", "acme", ""));
    let (place, remote) = place(&all);
    apply(&place).exits(0);
    let both = format!(
        "apiVersion: roster/v1\nsources:\n  - name: shop\n    git: {{url: '{}', path: manifests}}\n  - name: more\n    directory: more\n",
        remote.url()
    );
    place.write("roster.yaml", both).write("more/tag.yaml", TAG);
    apply(&place).exits(0);

    let away = remote.bare().with_extension("away");
    fs::rename(remote.bare(), &away).expect("moved");
    let ran = go(&place, &["apply", "--yes", "--source", "shop"]).exits(1);
    assert!(ran.stdout.contains("no git repository at"), "{ran}");
    assert_eq!(ran.steps().len() + ran.held().len(), 0);
    // Another source goes on, and what the lost one declared stands by its claims.
    place.write("more/tag.yaml", TWO);
    let other = go(&place, &["apply", "--yes", "--source", "more"]).exits(0);
    assert_eq!(other.steps(), ["create Tag/new"]);
    assert!(
        other.stderr.contains("source shop could not be fetched"),
        "{other}"
    );
    fs::rename(&away, remote.bare()).expect("moved back");
    assert_eq!(plan(&place).exits(0).steps().len(), 0);

    configure(&place, "http://127.0.0.1:1/x.git", "");
    assert!(plan(&place).exits(1).stdout.contains("cannot be reached"));
    configure(&place, "https://git.invalid/x.git", "");
    assert!(plan(&place).exits(1).stdout.contains("cannot be reached"));
}

#[test]
fn a_repository_without_a_commit_is_said() {
    let (place, remote) = (sqlite(), Remote::new());
    for reference in ["", ", ref: main"] {
        configure(&place, &remote.url(), reference);
        let ran = plan(&place).exits(1);
        assert!(ran.stdout.contains("has no commit"), "{ran}");
        assert!(ran.codes("error").contains("source-unreadable"), "{ran}");
    }
}

#[test]
fn a_damaged_mirror_is_made_anew() {
    let (place, remote) = place(TAG);
    plan(&place).exits(0);
    let mirror = mirror(&place);
    fs::write(mirror.join("HEAD"), "").expect("written");
    plan(&place).exits(0);
    fs::remove_file(mirror.join("HEAD")).expect("removed");
    plan(&place).exits(0);
    fs::remove_dir_all(mirror.join("objects")).expect("removed");
    fs::create_dir(mirror.join("objects")).expect("made");
    assert_eq!(plan(&place).exits(0).steps(), ["create Tag/premium"]);
    // One object is lost: the file itself.
    let blob = remote.git(&["rev-parse", "HEAD:manifests/all.yaml"]);
    let loose = mirror.join("objects").join(&blob[..2]).join(&blob[2..]);
    fs::remove_file(&loose).expect("a loose object");
    assert_eq!(plan(&place).exits(0).steps(), ["create Tag/premium"]);
    // One whose content is spoiled is seen when it is read, and the next run repairs that.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&loose, mode).expect("writable");
    let mut bytes = fs::read(&loose).expect("an object");
    let last = bytes.len() - 1;
    bytes[last] ^= 0xff;
    fs::write(&loose, bytes).expect("written");
    assert!(
        plan(&place)
            .exits(1)
            .codes("error")
            .contains("source-unreadable")
    );
    assert_eq!(plan(&place).exits(0).steps(), ["create Tag/premium"]);
    // What a killed git leaves: a lock on a branch that moves.
    fs::write(mirror.join("refs/heads/main.lock"), "").expect("written");
    fs::write(mirror.join("packed-refs.lock"), "").expect("written");
    remote.write("manifests/all.yaml", TWO);
    remote.push("second");
    assert_eq!(plan(&place).exits(0).steps().len(), 2);
}

#[test]
fn a_fetch_that_is_killed_or_hangs_leaves_a_mirror_that_works() {
    let (place, remote) = place(TAG);
    let root = remote.bare().parent().expect("a folder").to_owned();
    let server = git_http::Server::start(root, TOKEN);
    configure(&place, &server.url(), &format!(", auth: {TOKEN}"));
    plan(&place).exits(0);

    // Short only where it is waited for: a busy machine may need a second for a fetch that works.
    let short = format!(", auth: {TOKEN}, timeout: 1s");
    configure(&place, &server.url(), &short);
    server.silent.store(true, Ordering::SeqCst);
    let late = plan(&place).exits(1);
    assert!(late.stdout.contains("did not answer within 1 s"), "{late}");
    drop(server.waiting.recv_timeout(LIMIT).expect("a request"));

    configure(&place, &server.url(), &format!(", auth: {TOKEN}"));
    let mut running = place.command(&["plan"]).spawn().expect("the program");
    let held = server.waiting.recv_timeout(LIMIT).expect("a request");
    running.kill().expect("killed");
    running.wait().expect("its end");
    server.silent.store(false, Ordering::SeqCst);
    // Whatever git it left behind ends now, and gives the mirror free.
    drop(held);
    assert_eq!(plan(&place).exits(0).steps(), ["create Tag/premium"]);
}

#[test]
fn many_may_fetch_at_once() {
    let (place, remote) = place(TAG);
    for round in 0..3 {
        remote.write(
            "manifests/all.yaml",
            TAG.replace("Premium", &format!("P{round}")),
        );
        remote.push("next");
        let running: Vec<_> = (0..6)
            .map(|_| place.command(&["plan"]).spawn().expect("the program"))
            .collect();
        for child in running {
            let out = child.wait_with_output().expect("its end");
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(0), "{said}");
        }
    }
}

#[test]
fn a_disk_that_takes_no_more_is_said() {
    let (place, remote) = place(TAG);
    // Nothing that makes it small.
    let digest = |n: u32| *blake3::hash(&n.to_le_bytes()).as_bytes();
    let large: Vec<u8> = (0..10_000).flat_map(digest).collect();
    remote.write("manifests/large.bin", large);
    remote.push("large");
    // No file may become larger than 20 kB, and who tries is told so instead of being killed.
    let script = "trap '' XFSZ; ulimit -f 40; exec \"$0\" plan";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_roster")])
        .current_dir(place.path(""))
        .env("HOME", place.path(""))
        .env("ROSTER_DATABASE", &place.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ran = run(&mut command).exits(1);
    assert!(ran.stdout.contains("no space left"), "{ran}");
    assert_eq!(plan(&place).exits(0).steps(), ["create Tag/premium"]);
}

#[test]
fn another_default_branch_is_no_push_by_force() {
    let (place, remote) = (sqlite(), Remote::with(TAG));
    let config = format!(
        "apiVersion: roster/v1\nsources:\n  - name: shop\n    git: {{url: '{}', path: manifests}}\n",
        remote.url()
    );
    place.write("roster.yaml", config);
    apply(&place).exits(0);
    remote.git(&["checkout", "--quiet", "--orphan", "trunk"]);
    remote.write("manifests/all.yaml", TWO);
    remote.git(&["add", "--all"]);
    remote.git(&["commit", "--quiet", "-m", "anew"]);
    remote.git(&[
        "push",
        "--quiet",
        &remote.bare().display().to_string(),
        "trunk",
    ]);
    let bare = remote.bare().display().to_string();
    remote.git(&[
        "--git-dir",
        &bare,
        "symbolic-ref",
        "HEAD",
        "refs/heads/trunk",
    ]);
    let ran = plan(&place).exits(0);
    assert!(
        ran.stderr
            .contains("the default branch of the remote changed"),
        "{ran}"
    );
    assert!(!ran.stderr.contains("force"), "{ran}");
}

#[test]
fn an_empty_file_of_a_commit_hides_what_it_declared() {
    let (place, remote) = place(TAG);
    remote.write(
        "manifests/more.yaml",
        "stores: [{externalId: north, name: North}]\n",
    );
    remote.push("two files");
    apply(&place).exits(0);
    remote.write("manifests/more.yaml", "");
    remote.push("cut");
    let ran = apply(&place).exits(0);
    assert_eq!(ran.steps(), Vec::<String>::new());
    assert!(ran.codes("warning").contains("removals-off"), "{ran}");
    remote.git(&["rm", "--quiet", "manifests/more.yaml"]);
    remote.push("gone");
    assert_eq!(apply(&place).exits(0).steps().len(), 1);
}
