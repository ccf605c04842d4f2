//! Exports of a real sshd.

use crate::support::ssh_server::Server;
use crate::transport::scene::{Scene, growing};
use roster::transport::{ExportChange, ExportLocation, TransportError};
use serde_json::json;
use std::fs::{self, File, FileTimes};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

const ONE: &str = "id;name\n1;Acme\n";
const TWO: &str = "id;name\n1;Acme\n2;Bolt\n";

/// A folder that a server shows.
struct Served {
    scene: Scene,
    server: Server,
}

impl Served {
    fn start() -> Option<Self> {
        let scene = Scene::new();
        scene.write("out/customers.csv", ONE);
        let server = Server::start(&scene.path("out"))?;
        Some(Self { scene, server })
    }

    fn at(&self, name: &str, key: &str, hosts: &str) -> ExportLocation {
        let url = self.server.url(&self.scene.path("out"));
        let url = url.replacen("ssh://", "sftp://", 1);
        self.scene.place(json!({
            "sftp": format!("{url}/{name}"),
            "auth": {"sshKey": self.server.key(key), "knownHosts": self.server.known_hosts(hosts)},
        }))
    }

    fn place(&self, name: &str) -> ExportLocation {
        self.at(name, "client", "host")
    }

    /// A file that was written so long ago.
    fn write(&self, name: &str, text: &str, ago: u64) -> PathBuf {
        let path = self.scene.write(&format!("out/{name}"), text);
        let file = File::options().append(true).open(&path).expect("a file");
        let time = SystemTime::now() - Duration::from_secs(ago);
        file.set_times(FileTimes::new().set_modified(time))
            .expect("its time");
        path
    }
}

#[test]
fn a_file_is_fetched_when_it_is_another_one() {
    let Some(served) = Served::start() else {
        return;
    };
    let place = served.place("customers.csv");
    assert_eq!(
        served.scene.get(&place),
        (ExportChange::First, ONE.to_owned())
    );
    assert_eq!(
        served.scene.get(&place),
        (ExportChange::Same, ONE.to_owned())
    );
    let path = served.write("customers.csv", TWO, 600);
    assert_eq!(
        served.scene.get(&place),
        (ExportChange::Changed, TWO.to_owned())
    );
    let written = fs::metadata(path).unwrap().modified().unwrap();
    let written: chrono::DateTime<chrono::Utc> = written.into();
    let modified = served.scene.kept(&place).1.modified.unwrap();
    assert_eq!(modified.timestamp(), written.timestamp());
}

#[test]
fn the_newest_is_fetched_whatever_it_is_called() {
    let Some(served) = Served::start() else {
        return;
    };
    served.write("new *[1]? it's.csv", TWO, 0);
    served.write("new-old.csv", ONE, 3_600);
    served.write("new-half.csv.part", ONE, 0);
    let place = served.place("new*");
    assert_eq!(
        served.scene.get(&place),
        (ExportChange::First, TWO.to_owned())
    );
    assert_eq!(served.scene.kept(&place).1.name, "new *[1]? it's.csv");
}

#[test]
fn a_done_file_opens_the_gate() {
    let Some(served) = Served::start() else {
        return;
    };
    let ExportLocation { kind: way, .. } = served.place("customers.csv");
    let roster::transport::LocationKind::Sftp(mut sftp) = way else {
        panic!("no sftp")
    };
    sftp.done = Some(".done".to_owned());
    let place = ExportLocation {
        kind: roster::transport::LocationKind::Sftp(sftp),
        ..served.place("customers.csv")
    };
    assert!(
        served
            .scene
            .fails(&place)
            .ends_with("customers.csv.done is not there")
    );
    served.write("customers.done", "", 0);
    assert_eq!(served.scene.get(&place).1, ONE);
}

#[test]
fn a_file_that_is_still_being_written_is_not_fetched() {
    let Some(served) = Served::start() else {
        return;
    };
    let path = served.scene.path("out/customers.csv");
    let place = served.place("customers.csv");
    let error = growing(&path, || served.scene.fetch(&place)).unwrap_err();
    assert!(
        matches!(error, TransportError::Unfinished { .. }),
        "{error}"
    );
    assert_eq!(served.scene.get(&place).0, ExportChange::First);
}

#[test]
fn what_cannot_be_fetched_is_told_apart() {
    let Some(served) = Served::start() else {
        return;
    };
    fs::create_dir(served.scene.path("out/folder.csv")).unwrap();
    let error = |place: &ExportLocation| {
        let error = served.scene.fetch(place).unwrap_err();
        assert!(!error.help().is_empty());
        error
    };
    let denied = error(&served.at("customers.csv", "stranger", "host"));
    assert!(
        matches!(denied, TransportError::Authentication { .. }),
        "{denied}"
    );
    let unknown = error(&served.at("customers.csv", "client", "stranger"));
    assert!(
        matches!(unknown, TransportError::HostKey { .. }),
        "{unknown}"
    );
    for name in ["none.csv", "none/customers.csv"] {
        let missing = error(&served.place(name));
        assert!(
            matches!(missing, TransportError::Missing { .. }),
            "{missing}"
        );
    }
    let folder = error(&served.place("folder.csv"));
    assert!(
        matches!(folder, TransportError::Irregular { .. }),
        "{folder}"
    );
    let mut large = served.place("customers.csv");
    large.limit = 5;
    assert!(matches!(error(&large), TransportError::TooLarge { .. }));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let away = served
        .scene
        .place(json!({"sftp": format!("sftp://127.0.0.1:{port}/c.csv")}));
    let away = error(&away);
    assert!(matches!(away, TransportError::Unreachable { .. }), "{away}");
}
