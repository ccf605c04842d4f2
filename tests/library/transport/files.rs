//! Files of this machine, and folders into which they are put.

use crate::transport::scene::{Scene, growing, text};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use roster::transport::{ExportChange, TransportError, settle};
use serde_json::json;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

const ONE: &str = "id;name\n1;Acme\n";
const TWO: &str = "id;name\n1;Acme\n2;Bolt\n";

fn set_time(path: &Path, ago: u64) {
    let time = SystemTime::now() - Duration::from_secs(ago);
    let file = File::options().append(true).open(path).expect("a file");
    let times = FileTimes::new().set_modified(time);
    file.set_times(times).expect("its time");
}

#[test]
fn a_file_is_read_when_it_is_another_one() {
    let scene = Scene::new();
    let path = scene.write("out/customers.csv", ONE);
    let place = scene.place(json!({"file": "out/customers.csv"}));
    assert_eq!(scene.get(&place), (ExportChange::First, ONE.to_owned()));
    assert_eq!(scene.get(&place), (ExportChange::Same, ONE.to_owned()));
    let before = scene.kept(&place).0;
    scene.write("out/customers.csv", TWO);
    assert_eq!(scene.get(&place), (ExportChange::Changed, TWO.to_owned()));
    // Who was reading reads on.
    assert_eq!(text(&before), ONE);
    // Written again, and the same.
    scene.write("out/customers.csv", TWO);
    assert_eq!(scene.get(&place).0, ExportChange::Same);
    let fetched = scene.kept(&place).1;
    assert_eq!(fetched.name, "customers.csv");
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(fetched.modified, Some(written.into()));
    // It holds personal data.
    let folder = fs::metadata(scene.path("cache/feeds")).unwrap();
    assert!(folder.is_dir());
    let cache = fs::metadata(scene.path("cache")).unwrap();
    assert_eq!(cache.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_file_that_is_still_being_written_is_not_read() {
    let scene = Scene::new();
    let path = scene.write("customers.csv", ONE);
    let place = scene.place(json!({"file": "customers.csv"}));
    let error = growing(&path, || scene.fetch(&place)).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("customers.csv is still being written: "),
        "{said}"
    );
    assert!(scene.names("cache/feeds").len() == 1);
    assert_eq!(scene.get(&place).0, ExportChange::First);
}

#[test]
fn a_done_file_says_that_a_file_is_complete() {
    let scene = Scene::new();
    let path = scene.write("customers.csv", ONE);
    let place = scene.place(json!({"file": "customers.csv", "done": ".done"}));
    let said = scene.fails(&place);
    assert!(
        said.ends_with("customers.csv is still being written: customers.csv.done is not there")
    );
    scene.write("customers.done", "");
    assert_eq!(scene.get(&place).0, ExportChange::First);
    // The one of the day before says nothing of the file of today.
    set_time(&scene.path("customers.done"), 3_600);
    fs::write(&path, TWO).unwrap();
    let said = scene.fails(&place);
    assert!(said.ends_with("customers.done is older than it"), "{said}");
    scene.write("customers.done", "");
    assert_eq!(scene.get(&place), (ExportChange::Changed, TWO.to_owned()));
}

#[test]
fn the_newest_that_a_pattern_fits_is_read() {
    let scene = Scene::new();
    set_time(&scene.write("out/customers-a.csv", TWO), 50);
    set_time(&scene.write("out/customers-b.csv", ONE), 100);
    scene.write("out/customers-c.csv.part", "half");
    scene.write("out/.customers-d.csv", "hidden");
    let place = scene.place(json!({"file": "out/customers-*"}));
    assert_eq!(scene.get(&place), (ExportChange::First, TWO.to_owned()));
    assert_eq!(scene.kept(&place).1.name, "customers-a.csv");
    let none = scene.place(json!({"file": "out/users-*.csv"}));
    assert!(scene.fails(&none).contains(" does not exist"));
}

#[test]
fn what_is_no_file_is_refused() {
    let scene = Scene::new();
    fs::create_dir(scene.path("folder.csv")).unwrap();
    mkfifo(&scene.path("pipe.csv"), Mode::S_IRUSR).unwrap();
    let outside = scene.write("elsewhere/secret.csv", ONE);
    fs::create_dir(scene.path("in")).unwrap();
    symlink(outside, scene.path("in/out.csv")).unwrap();
    for (file, said) in [
        (
            "folder.csv",
            "folder.csv is a folder; Roster does not read it",
        ),
        ("pipe.csv", "pipe.csv is a pipe; Roster does not read it"),
        (
            "in/out.csv",
            "in/out.csv is a symbolic link to outside its folder; Roster does not read it",
        ),
        ("none.csv", "none.csv does not exist"),
    ] {
        let place = scene.place(json!({"file": file}));
        let message = scene.fails(&place);
        assert!(message.ends_with(said), "{message}");
    }
    // Within its folder it is a file by another name.
    scene.write("in/2026.csv", ONE);
    symlink("2026.csv", scene.path("in/latest.csv")).unwrap();
    let place = scene.place(json!({"file": "in/latest.csv"}));
    assert_eq!(scene.get(&place).1, ONE);
}

#[test]
fn too_large_a_file_is_not_read() {
    let scene = Scene::new();
    scene.write("customers.csv", ONE);
    let place = scene.place(json!({"file": "customers.csv", "limit": 10}));
    assert!(scene.fails(&place).ends_with("has more than 10 bytes"));
}

#[test]
fn a_page_for_people_is_no_export_wherever_it_is() {
    let scene = Scene::new();
    scene.write("customers.csv", "<!DOCTYPE html>\n<title>Sign in</title>");
    let place = scene.place(json!({"file": "customers.csv"}));
    let error = scene.fetch(&place).unwrap_err();
    assert!(error.is_not_data(), "{error}");
}

#[test]
fn a_drop_folder_is_emptied_file_by_file() {
    let scene = Scene::new();
    scene.write("in/customers_10.csv", TWO);
    scene.write("in/customers_2.csv", ONE);
    scene.write("in/customers_1.csv.part", "half");
    fs::create_dir(scene.path("in/customers_0.csv")).unwrap();
    let place = scene.place(json!({"drop": {"folder": "in", "pattern": "*.csv"}}));
    assert_eq!(scene.get(&place), (ExportChange::First, ONE.to_owned()));
    let first = scene.kept(&place).1;
    assert_eq!(first.name, "customers_2.csv");
    // Until it is dealt with it is the one that counts.
    assert_eq!(scene.get(&place).0, ExportChange::Same);
    let reports = [
        ("report.txt", b"fine".to_vec()),
        ("rows.csv", b"x".to_vec()),
    ];
    settle(&place, &first, true, &reports).unwrap();
    // Twice is once.
    settle(&place, &first, true, &reports).unwrap();
    let names = scene.names("in/accepted");
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].ends_with("Z-customers_2.csv"));
    assert!(names[1].ends_with("Z-customers_2.csv.report.txt"));
    assert!(names[2].ends_with("Z-customers_2.csv.rows.csv"));
    assert_eq!(text(&scene.path("in/accepted").join(&names[0])), ONE);

    assert_eq!(scene.get(&place), (ExportChange::Changed, TWO.to_owned()));
    settle(&place, &scene.kept(&place).1, false, &[]).unwrap();
    assert_eq!(scene.names("in/rejected").len(), 1);
    // Nothing more came: what was read last stands.
    assert_eq!(scene.get(&place), (ExportChange::Same, TWO.to_owned()));
    assert_eq!(
        scene.names("in"),
        [
            "accepted",
            "customers_0.csv",
            "customers_1.csv.part",
            "rejected"
        ]
    );
}

#[test]
fn names_in_accepted_never_collide() {
    let scene = Scene::new();
    let place = scene.place(json!({"drop": "in"}));
    for _ in 0..3 {
        scene.write("in/customers.csv", ONE);
        scene.get(&place);
        settle(
            &place,
            &scene.kept(&place).1,
            true,
            &[("report.txt", Vec::new())],
        )
        .unwrap();
    }
    assert_eq!(scene.names("in/accepted").len(), 6);
    assert_eq!(scene.names("in"), ["accepted"]);
}

#[test]
fn a_file_that_was_replaced_after_it_was_read_stays() {
    let scene = Scene::new();
    let place = scene.place(json!({"drop": "in"}));
    scene.write("in/customers.csv", ONE);
    scene.get(&place);
    let read = scene.kept(&place).1;
    scene.write("in/customers.csv", TWO);
    settle(&place, &read, true, &[]).unwrap();
    assert_eq!(scene.names("in"), ["customers.csv"]);
    assert_eq!(scene.get(&place), (ExportChange::Changed, TWO.to_owned()));
}

#[test]
fn done_files_open_the_gate_and_leave_with_their_file() {
    let scene = Scene::new();
    scene.write("in/a.csv", ONE);
    scene.write("in/b.csv", TWO);
    scene.write("in/b.csv.ok", "");
    let place = scene.place(json!({"drop": "in", "done": ".ok"}));
    assert_eq!(scene.get(&place), (ExportChange::First, TWO.to_owned()));
    settle(&place, &scene.kept(&place).1, true, &[]).unwrap();
    assert_eq!(scene.names("in"), ["a.csv", "accepted"]);
    let names = scene.names("in/accepted");
    assert!(names[1].ends_with("Z-b.csv.ok"), "{names:?}");
    // The other one is not complete, and what was read stands.
    assert_eq!(scene.get(&place).0, ExportChange::Same);
    scene.write("in/a.ok", "");
    assert_eq!(scene.get(&place), (ExportChange::Changed, ONE.to_owned()));
}

#[test]
fn an_empty_folder_has_no_export_yet() {
    let scene = Scene::new();
    fs::create_dir(scene.path("in")).unwrap();
    let place = scene.place(json!({"drop": {"folder": "in", "pattern": "*.csv"}}));
    let error = scene.fetch(&place).unwrap_err();
    assert!(matches!(error, TransportError::Missing { .. }), "{error}");
    let none = scene.place(json!({"drop": "nowhere"}));
    assert!(scene.fails(&none).contains(" does not exist"));
}

#[test]
fn a_damaged_cache_is_filled_again() {
    let scene = Scene::new();
    scene.write("customers.csv", ONE);
    let place = scene.place(json!({"file": "customers.csv"}));
    scene.get(&place);
    fs::write(scene.kept(&place).0, "half").unwrap();
    assert_eq!(scene.get(&place), (ExportChange::First, ONE.to_owned()));
    let folder = scene.kept(&place).0.parent().unwrap().to_owned();
    fs::write(folder.join("meta.json"), "{\"name\": ").unwrap();
    assert_eq!(scene.get(&place), (ExportChange::First, ONE.to_owned()));
}

#[test]
fn many_may_fetch_at_once() {
    let scene = Scene::new();
    scene.write("customers.csv", ONE);
    let place = scene.place(json!({"file": "customers.csv"}));
    thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| scene.fetch(&place)))
            .collect();
        let news = all.into_iter().map(|one| one.join().unwrap().unwrap().news);
        let firsts = news.filter(|news| *news == ExportChange::First);
        assert_eq!(firsts.count(), 1);
    });
}
