//! Exports of a real FTP server (pyftpdlib), with TLS and without.

use crate::transport::scene::{Scene, growing, say, text};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use roster::transport::{ExportChange, ExportLocation, TransportError, fetch};
use serde_json::{Value, json};
use std::fs::{self, File, FileTimes};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

const ONE: &str = "id;name\n1;Acme\n";
const TWO: &str = "id;name\n1;Acme\n2;Bolt\n";
const SECRET: &str = "sentinel-7f3a9c";

/// A server and the folder that it shows.
struct Served {
    scene: Scene,
    child: Child,
    port: u16,
}

/// A Python that has the server: Debian's own has its packages.
fn python() -> Option<&'static str> {
    let has = |python: &&str| {
        let mut command = Command::new(python);
        command.args(["-W", "ignore", "-c", "import pyftpdlib.servers, OpenSSL"]);
        let ran = command.stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    };
    ["/usr/bin/python3", "python3"].into_iter().find(has)
}

impl Served {
    /// Starts one; none where it is not installed, which fails in CI.
    fn start(mode: &str) -> Option<Self> {
        let Some(python) = python() else {
            let missing = "pyftpdlib is missing: install python3-pyftpdlib and python3-openssl";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            say(&format!("NOT TESTED: {missing}"));
            return None;
        };
        let scene = Scene::new();
        scene.write("out/customers.csv", ONE);
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        scene.write("ca.pem", cert.pem());
        let both = format!("{}{}", signing_key.serialize_pem(), cert.pem());
        let both = scene.write("server.pem", both);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/transport/ftpd.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([
                scene.path("out").as_os_str(),
                mode.as_ref(),
                both.as_os_str(),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("its port");
        let port = line.trim().parse().expect("a port");
        Some(Self { scene, child, port })
    }

    fn place(&self, scheme: &str, name: &str, more: &Value) -> ExportLocation {
        let mut value = json!({
            "ftp": format!("{scheme}://localhost:{}/{name}", self.port),
            "auth": {"username": "eva", "password": SECRET},
        });
        for (key, more) in more.as_object().expect("a mapping") {
            value[key] = more.clone();
        }
        self.scene.place(value)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("its end");
    }
}

#[test]
fn a_file_is_fetched_in_every_way_that_is_asked_for() {
    for (mode, scheme, more) in [
        ("explicit", "ftp", json!({"ca": "ca.pem"})),
        ("implicit", "ftps", json!({"ca": "ca.pem"})),
        ("plain", "ftp", json!({"plain": true})),
    ] {
        let Some(served) = Served::start(mode) else {
            return;
        };
        let place = served.place(scheme, "customers.csv", &more);
        assert_eq!(
            served.scene.get(&place),
            (ExportChange::First, ONE.to_owned()),
            "{mode}"
        );
        assert_eq!(served.scene.get(&place).0, ExportChange::Same);
        served.scene.write("out/customers.csv", TWO);
        assert_eq!(
            served.scene.get(&place),
            (ExportChange::Changed, TWO.to_owned())
        );
        assert!(served.scene.kept(&place).1.modified.is_some());
    }
}

#[test]
fn a_large_file_comes_whole_and_the_newest_of_several() {
    let Some(served) = Served::start("explicit") else {
        return;
    };
    let many: String = (0..200_000)
        .map(|n| format!("{n};Customer {n}\n"))
        .collect();
    served.scene.write("out/all/customers-2.csv", &many);
    served.scene.write("out/all/customers-3.csv.part", "half");
    let old = served.scene.write("out/all/customers-9.csv", ONE);
    let file = File::options().append(true).open(old).unwrap();
    let time = SystemTime::now() - Duration::from_hours(1);
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
    let place = |name| served.place("ftp", name, &json!({"ca": "ca.pem", "done": ".done"}));
    let message = served.scene.fails(&place("all/customers-*"));
    assert!(
        message.ends_with("customers-2.csv.done is not there"),
        "{message}"
    );
    served.scene.write("out/all/customers-2.done", "");
    assert!(served.scene.get(&place("all/customers-*")).1 == many);
    let kept = served.scene.kept(&place("all/customers-*")).1;
    assert_eq!(kept.name, "customers-2.csv");
}

#[test]
fn a_file_that_is_still_being_written_is_not_fetched() {
    let Some(served) = Served::start("explicit") else {
        return;
    };
    let path = served.scene.path("out/customers.csv");
    let place = served.place("ftp", "customers.csv", &json!({"ca": "ca.pem"}));
    let error = growing(&path, || served.scene.fetch(&place)).unwrap_err();
    assert!(
        matches!(error, TransportError::Unfinished { .. }),
        "{error}"
    );
    assert_eq!(served.scene.get(&place).0, ExportChange::First);
}

#[test]
fn a_server_that_goes_away_in_the_middle_leaves_what_was_there() {
    let Some(mut served) = Served::start("slow") else {
        return;
    };
    let place = served.place("ftp", "customers.csv", &json!({"plain": true}));
    served.scene.get(&place);
    served
        .scene
        .write("out/customers.csv", "a".repeat(5_000_000));
    let error = thread::scope(|scope| {
        let fetching = scope.spawn(|| fetch(&place, &served.scene.path("cache")));
        // The first bytes of it are here.
        let folder = served.scene.kept(&place).0;
        let incoming = folder.with_file_name("incoming");
        let half = || fs::metadata(&incoming).is_ok_and(|file| file.len() > 0);
        while !half() && !fetching.is_finished() {
            thread::yield_now();
        }
        served.child.kill().expect("killed");
        fetching.join().expect("no panic").unwrap_err()
    });
    assert!(matches!(error, TransportError::Truncated { .. }), "{error}");
    assert_eq!(text(&served.scene.kept(&place).0), ONE);
}

#[test]
fn what_cannot_be_fetched_is_told_apart() {
    let Some(served) = Served::start("explicit") else {
        return;
    };
    let error = |place: &ExportLocation| {
        let error = served.scene.fetch(place).unwrap_err();
        assert!(!error.to_string().contains(SECRET), "{error}");
        error
    };
    let wrong = json!({"ca": "ca.pem", "auth": {"username": "eva", "password": "wrong"}});
    let denied = error(&served.place("ftp", "customers.csv", &wrong));
    assert!(
        matches!(denied, TransportError::Authentication { .. }),
        "{denied}"
    );
    let missing = error(&served.place("ftp", "none.csv", &json!({"ca": "ca.pem"})));
    assert!(
        matches!(missing, TransportError::Missing { .. }),
        "{missing}"
    );
    let stranger = error(&served.place("ftp", "customers.csv", &json!({})));
    assert!(
        matches!(stranger, TransportError::Unreachable { .. }),
        "{stranger}"
    );
    assert!(
        stranger.to_string().to_lowercase().contains("certificate"),
        "{stranger}"
    );
    let large = served.place("ftp", "customers.csv", &json!({"ca": "ca.pem", "limit": 5}));
    assert!(matches!(error(&large), TransportError::TooLarge { .. }));
}

#[test]
fn a_server_without_tls_is_told_no_password() {
    let Some(served) = Served::start("plain") else {
        return;
    };
    let place = served.place("ftp", "customers.csv", &json!({}));
    let error = served.scene.fetch(&place).unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}
