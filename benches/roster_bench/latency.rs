//! The API and the page of a running daemon: how long a request takes, with a run for every ten
//! users in the history.

use super::corpus;
use super::rows::{Bench, Engine};
use super::table::Table;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CONFIG: &str = "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: manifests}\n\
    serve: {listen: '127.0.0.1:0', limits: {rate: 100000}}\n";
/// How often each request is sent, one after the other.
const TIMES: usize = 25;
/// The most milliseconds that the slowest of a hundred may take.
const TARGET: f64 = 100.0;
/// How often a file is saved.
const SAVES: usize = 6;
/// How long the daemon may take for its first pass.
const FIRST_PASS: Duration = Duration::from_secs(600);

/// A request, by what it does.
struct Request {
    what: &'static str,
    path: String,
}

impl Bench {
    /// Fills the history and asks a daemon.
    pub fn latency(&self, engine: &Engine, database: &str, table: &mut Table) {
        let file = self.path("runs.sql");
        fs::write(&file, runs(self.size.users / 10)).expect("a script");
        self.client(engine, database, &file);
        fs::write(self.path("served.yaml"), CONFIG).expect("the configuration");
        let daemon = Daemon::start(database, &self.path(""));
        let mut all = Vec::new();
        for Request { what, path } in self.requests() {
            let mut times: Vec<f64> = (0..TIMES).map(|_| daemon.time(&path)).collect();
            times.sort_by(f64::total_cmp);
            let name = |which: &str| format!("{what}: {which}");
            table.amount(engine.name, name("p50"), at(&times, 50), "ms", None);
            table.amount(
                engine.name,
                name("slowest"),
                at(&times, 100),
                "ms",
                Some(TARGET),
            );
            all.extend(times);
        }
        all.sort_by(f64::total_cmp);
        let (p50, p99) = (at(&all, 50), at(&all, 99));
        table.amount(
            engine.name,
            "API and page, every request: p50",
            p50,
            "ms",
            None,
        );
        table.amount(
            engine.name,
            "API and page, every request: p99",
            p99,
            "ms",
            Some(TARGET),
        );
        table.amount(
            engine.name,
            "daemon, warm start: resident",
            daemon.resident() / 1e6,
            "MB",
            Some(120.0),
        );
        self.saves(engine, &daemon, table);
    }

    /// From the save of one file to the run that applied it.
    fn saves(&self, engine: &Engine, daemon: &Daemon, table: &mut Table) {
        let mut times: Vec<f64> = (0..SAVES)
            .map(|nth| {
                let before = daemon.last_run();
                let begun = Instant::now();
                let change = nth % 2 == 0;
                corpus::change(self.size, &self.path("manifests"), 1, change).expect("the corpus");
                while daemon.last_run() == before {
                    assert!(begun.elapsed() < FIRST_PASS, "no pass applied it");
                    std::thread::sleep(Duration::from_millis(5));
                }
                begun.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        table.amount(
            engine.name,
            "daemon, a saved file is applied after: p50",
            at(&times, 50),
            "ms",
            Some(550.0),
        );
    }

    /// What a daemon keeps in memory once a first load is over.
    pub fn resident(&self, engine: &Engine, table: &mut Table) {
        // A minute is long, and what a small directory leaves says nothing.
        if self.size.users < 100_000 {
            return;
        }
        let database = engine.database(self, "loaded");
        if engine.cluster.is_some() {
            self.roster(&database, &["migrate"]);
        }
        let daemon = Daemon::start(&database, &self.path(""));
        std::thread::sleep(Duration::from_secs(60));
        table.amount(
            engine.name,
            "daemon, a minute after a first load: resident",
            daemon.resident() / 1e6,
            "MB",
            Some(250.0),
        );
    }

    /// Lists and pages at their beginning, in the middle and near the end, one resource of each
    /// size, and searches that find everything, one, and nothing.
    fn requests(&self) -> Vec<Request> {
        let (users, runs) = (self.size.users, self.size.users / 10);
        let user = |index: usize| format!("u-{index:07}");
        let account = format!("{:010}", 1_000_000 + users / 20 * 7);
        let (middle, last) = (user(users / 2), user(users - 40));
        let (api, page) = ("/api/v1/resources", "/resources");
        let paths = [
            ("status", "/api/v1/status".to_owned()),
            ("metrics", "/metrics".to_owned()),
            ("holds", "/api/v1/holds".to_owned()),
            ("runs", "/api/v1/runs".to_owned()),
            (
                "runs, in the middle",
                format!("/api/v1/runs?before={}", runs / 2),
            ),
            ("run", format!("/api/v1/runs/{}", runs / 2)),
            (
                "changes of the first load",
                format!("/api/v1/runs/1/changes?after={}", users / 2),
            ),
            ("changes", format!("/api/v1/changes?after={users}")),
            ("list", format!("{api}/User")),
            ("list, 500", format!("{api}/User?limit=500")),
            ("list, in the middle", format!("{api}/User?after={middle}")),
            ("list, near the end", format!("{api}/User?after={last}")),
            ("list, inactive", format!("{api}/User?status=inactive")),
            (
                "list, of an account",
                format!("{api}/User?account={account}"),
            ),
            ("list, as a user", format!("{api}/User?asUser={middle}")),
            ("visible", format!("/api/v1/visible/{middle}")),
            ("search, nothing", format!("{api}/User?q=no-such-word")),
            ("search, everything", format!("{api}/User?q=kontakt")),
            (
                "search, an e-mail",
                format!("{api}/User?q=kontakt.inkop.{}@", users / 2),
            ),
            (
                "search, a part of an e-mail",
                format!("{api}/User?q=inkop.{}@", users / 2),
            ),
            ("search, a name", format!("{api}/User?q=Karin+%C3%96berg")),
            (
                "search, a part of a company",
                format!("{api}/Account?q=rkstad"),
            ),
            ("resource", format!("{api}/User/{middle}")),
            ("history", format!("{api}/User/{middle}/history")),
            ("why", format!("{api}/User/{middle}/why")),
            ("page: inbox", "/".to_owned()),
            ("page: source", "/sources/directory".to_owned()),
            ("page: runs", "/runs".to_owned()),
            ("page: run", "/runs/1".to_owned()),
            ("page: resources", format!("{page}?kind=User")),
            ("page: search", format!("{page}?kind=User&q=no-such-word")),
            ("page: account", format!("{page}/Account/{account}")),
            ("page: user", format!("{page}/User/{middle}")),
        ];
        let request = |(what, path)| Request { what, path };
        paths.into_iter().map(request).collect()
    }
}

/// Copies the first run and one of its changes, so often that the history has this many runs.
fn runs(count: usize) -> String {
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    );
    format!(
        "INSERT INTO runs SELECT n.i + w.last_run, r.source, r.revision, r.plan_id, r.actor, r.started_at, \
           r.finished_at, r.counts, r.outcome, r.head_before, r.head FROM n, runs AS r, write AS w WHERE r.id = 1;\n\
         INSERT INTO changes SELECT n.i + w.last_seq, n.i + w.last_run, c.kind, c.external_id, c.id_digest, c.verb, \
           c.reason, c.fields, c.personal_digest, c.path, c.line, c.col FROM n, changes AS c, write AS w \
           WHERE c.seq = w.last_seq;\n\
         UPDATE write SET last_run = last_run + {count}, last_seq = last_seq + {count};\n"
    )
    .replace("INSERT INTO runs SELECT", &format!("INSERT INTO runs {numbers} SELECT"))
    .replace("INSERT INTO changes SELECT", &format!("INSERT INTO changes {numbers} SELECT"))
}

/// The number that so many of a hundred are not above.
fn at(sorted: &[f64], hundredth: usize) -> f64 {
    let index = (sorted.len() * hundredth).div_ceil(100).max(1) - 1;
    sorted[index.min(sorted.len() - 1)]
}

/// A daemon that has had its first pass. Killed at the end.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    fn start(database: &str, directory: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_roster"))
            .args(["serve", "--config", "served.yaml", "--database", database])
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the daemon");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("listening at http://")?;
                rest.split_whitespace().next().map(str::to_owned)
            })
            .expect("the daemon says where it listens");
        // Its log must be read, or it would wait for somebody to do so.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let daemon = Self { child, address };
        let begun = Instant::now();
        while !daemon.has_passed() {
            assert!(begun.elapsed() < FIRST_PASS, "no pass ended");
            std::thread::sleep(Duration::from_millis(200));
        }
        daemon
    }

    /// Bytes of memory in use.
    fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or_default() * 1024.0
    }

    fn last_run(&self) -> serde_json::Value {
        let answer = self.get("/api/v1/runs?limit=1").expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let runs: serde_json::Value = serde_json::from_str(body).expect("JSON");
        runs["items"][0]["id"].clone()
    }

    /// Whether the source had a pass and none is under way.
    fn has_passed(&self) -> bool {
        let status = self.get("/api/v1/status").expect("an answer");
        let (_, body) = status.split_once("\r\n\r\n").expect("a body");
        let status: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let source = &status["sources"][0];
        !source["ended"].is_null() && source["activity"]["now"] == "waiting"
    }

    fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Milliseconds from the connection to the last byte of the answer.
    fn time(&self, path: &str) -> f64 {
        let begun = Instant::now();
        let answer = self.get(path).expect("an answer");
        let elapsed = begun.elapsed().as_secs_f64() * 1000.0;
        assert!(
            answer
                .lines()
                .next()
                .is_some_and(|line| line.contains(" 200 ")),
            "{path}: {answer}"
        );
        elapsed
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
