//! Several daemons on one PostgreSQL, and what may happen to them.

use super::api::{Api, until};
use crate::support::cluster::Cluster;
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_remote::Remote;
use crate::support::isolation::container;
use crate::support::workspace::{Workspace, account, say, sqlite, user};
use nix::sys::signal::Signal;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than a lease lasts.
const PAST_THE_LEASE: Duration = Duration::from_secs(17);
const REPLICAS: usize = 3;
const USERS: usize = 12;

/// What commit `n` says: it changes one user beside the keeper.
fn people(names: &[usize]) -> String {
    let users = names
        .iter()
        .enumerate()
        .map(|(at, n)| user(&format!("u-{at}"), "acme", &format!("firstName: N{n}")));
    let keeper = user("keeper", "acme", "groups: [FOC_User, FOC_Webmaster]");
    account("acme", "") + &keeper + &users.collect::<String>()
}

struct Scene {
    ws: Workspace,
    cluster: Cluster,
    remote: Remote,
    served: Vec<Option<DaemonProcess>>,
    names: Vec<usize>,
    /// Each commit with its number.
    commits: BTreeMap<String, usize>,
    /// Those that a pass that came to its end names.
    told: BTreeSet<String>,
    /// A daemon that stands still, and since when.
    still: Option<(usize, Instant)>,
}

impl Scene {
    fn new() -> Option<Self> {
        let cluster = Cluster::new()?;
        let ws = Workspace::on("postgres", cluster.url());
        let remote = Remote::with(&people(&[0; USERS]));
        ws.run(&["migrate"]).exits(0);
        for at in 0..REPLICAS {
            // Each has a mirror of its own, as on a machine of its own.
            let config = format!(
                "apiVersion: roster/v1\ncache: mirror-{at}\nsources:\n  - name: shop\n    git: {{url: '{}', path: manifests}}\n    \
                 interval: 1s\nserve: {{listen: '127.0.0.1:0'}}\n",
                remote.url()
            );
            ws.write(&format!("replica-{at}.yaml"), config);
        }
        let mut scene = Self {
            commits: BTreeMap::from([(remote.head(), 0)]),
            told: BTreeSet::new(),
            ws,
            cluster,
            remote,
            served: (0..REPLICAS).map(|_| None).collect(),
            names: vec![0; USERS],
            still: None,
        };
        (0..REPLICAS).for_each(|at| scene.start(at));
        Some(scene)
    }

    fn start(&mut self, at: usize) {
        let config = format!("replica-{at}.yaml");
        let command = self.ws.command(&["serve", "--config", &config]);
        self.served[at] = Some(DaemonProcess::run(command));
    }

    fn commit(&mut self) {
        let n = self.commits.len();
        self.names[n % USERS] = n;
        self.remote.write("manifests/all.yaml", people(&self.names));
        let commit = self.remote.push(&format!("commit {n}"));
        self.commits.insert(commit, n);
    }

    /// Something bad, at random.
    fn fault(&mut self, rng: &mut impl Rng) {
        if let Some((at, since)) = self.still
            && since.elapsed() > PAST_THE_LEASE
        {
            self.go_on(at);
        }
        let still = self.still.map(|(at, _)| at);
        let up: Vec<usize> = (0..REPLICAS).filter(|at| Some(*at) != still).collect();
        let at = *up.choose(rng).expect("one is up");
        match rng.random_range(0..10) {
            0 => {
                // Killed, whatever it does.
                self.served[at] = None;
                self.start(at);
            }
            1 => {
                self.served[at].take().expect("it is up").ends();
                self.start(at);
            }
            2 if still.is_none() => {
                self.served[at]
                    .as_ref()
                    .expect("it is up")
                    .signal(Signal::SIGSTOP);
                self.still = Some((at, Instant::now()));
            }
            3 => {
                self.cluster.stop(rng.random());
                self.cluster.start();
            }
            4 => self.served[at]
                .as_ref()
                .expect("it is up")
                .signal(Signal::SIGHUP),
            _ => {}
        }
    }

    /// Stops the daemon that is within a transaction of an apply, if one is caught at it.
    fn freeze(&mut self) -> Option<usize> {
        let holder = self
            .ws
            .column("SELECT pid FROM leases WHERE holder IS NOT NULL");
        let holder = holder.into_iter().flatten().next()?;
        let is_holder = |served: &Option<DaemonProcess>| {
            served
                .as_ref()
                .is_some_and(|served| served.pid().to_string() == holder)
        };
        let at = self.served.iter().position(is_holder)?;
        let served = self.served[at].as_ref()?;
        served.signal(Signal::SIGSTOP);
        let within = "SELECT 1 FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid \
                      JOIN pg_class c ON c.oid = l.relation AND c.relname = 'leases' \
                      WHERE l.mode = 'RowShareLock' AND a.state = 'idle in transaction'";
        if self.ws.column(within).is_empty() {
            served.signal(Signal::SIGCONT);
            return None;
        }
        self.still = Some((at, Instant::now()));
        Some(at)
    }

    fn go_on(&mut self, at: usize) {
        self.served[at]
            .as_ref()
            .expect("it is there")
            .signal(Signal::SIGCONT);
        self.still = None;
    }

    /// Each user's first name, by id.
    fn rows(&self) -> Vec<Option<String>> {
        self.ws.column(
            "SELECT first_name FROM users WHERE external_id LIKE 'u-%' \
             ORDER BY CAST(substr(external_id, 3) AS INTEGER)",
        )
    }

    fn settles(&self) {
        let wanted: Vec<_> = self.names.iter().map(|n| Some(format!("N{n}"))).collect();
        until("the last commit", || (self.rows() == wanted).then_some(()));
    }

    /// Reads which commits the runs and the passes name; of the passes only the latest are kept. Whoever
    /// was stopped between a run and telling of its pass, of the first commit of all, has named the run.
    fn listen(&mut self) {
        let runs = self.ws.column("SELECT revision FROM runs");
        self.told.extend(runs.into_iter().flatten());
        let passes = self.ws.column("SELECT document FROM passes");
        for pass in passes.iter().flatten() {
            let pass: Value = serde_json::from_str(pass).expect("a document");
            if !["applied", "unchanged"].contains(&pass["outcome"].as_str().unwrap_or_default()) {
                continue;
            }
            let commits = &pass["commits"];
            let listed = commits["listed"].as_array().into_iter().flatten();
            let named = listed.filter_map(|commit| commit["revision"].as_str());
            self.told.extend(named.map(str::to_owned));
        }
    }

    /// Commits were applied in their order, none twice, each is named by a pass, and the history holds.
    fn holds(&mut self) {
        // A pass is told of after what it applied.
        until("every commit is named", || {
            self.listen();
            let told = |commit: &String| self.told.contains(commit);
            self.commits.keys().all(told).then_some(())
        });
        let revisions = self.ws.column("SELECT revision FROM runs ORDER BY id");
        let applied: Vec<usize> = revisions
            .iter()
            .flatten()
            .map(|revision| self.commits[revision])
            .collect();
        assert!(applied.is_sorted_by(|a, b| a < b), "{applied:?}");
        assert_eq!(applied.last(), Some(&(self.commits.len() - 1)));
        let verified = self
            .ws
            .run(&["history", "--verify", "--output", "text"])
            .exits(0);
        assert!(verified.stdout.contains("runs"), "{verified}");
        say(&format!(
            "{} commits, {} runs",
            self.commits.len(),
            applied.len()
        ));
    }

    /// Kilobytes that each daemon holds.
    fn memory(&self) -> Vec<u64> {
        let served = self.served.iter().flatten();
        let sizes = served.map(|served| {
            let status = fs::read_to_string(format!("/proc/{}/status", served.pid()));
            let status = status.unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
                .unwrap_or_default()
        });
        sizes.collect()
    }

    fn ends(mut self) {
        if let Some((at, _)) = self.still {
            self.go_on(at);
        }
        self.served
            .drain(..)
            .flatten()
            .for_each(DaemonProcess::ends);
    }
}

/// A stream of commits while daemons and the database are stopped and started; `ROSTER_STEADY=600`
/// makes it last so many seconds.
#[test]
fn no_commit_is_lost_or_applied_twice_whatever_happens_to_replicas() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    scene.settles();
    let seed = rand::rng().random();
    say(&format!("the seed of this run is {seed}"));
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let steady = std::env::var("ROSTER_STEADY").ok();
    let steady = steady.and_then(|text| text.parse().ok()).unwrap_or(30);
    let begin = Instant::now();
    let mut next = begin;
    let mut shown = 0;
    while begin.elapsed() < Duration::from_secs(steady) {
        scene.commit();
        scene.fault(&mut rng);
        next += Duration::from_secs(1);
        thread::park_timeout(next.saturating_duration_since(Instant::now()));
        if begin.elapsed().as_secs() / 30 > shown {
            shown = begin.elapsed().as_secs() / 30;
            say(&format!("{} s: {:?} kB", shown * 30, scene.memory()));
            scene.listen();
        }
    }
    if let Some((at, _)) = scene.still {
        scene.go_on(at);
    }
    scene.settles();
    scene.holds();
    say(&format!("at the end: {:?} kB", scene.memory()));
    scene.ends();
}

#[test]
fn a_daemon_that_stood_still_brings_nothing_old_back() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    scene.settles();
    let stopped = scene.served[0].as_ref().expect("it is up");
    stopped.signal(Signal::SIGSTOP);
    for _ in 0..3 {
        scene.commit();
        scene.settles();
    }
    scene.go_on(0);
    scene.commit();
    scene.settles();
    scene.holds();
    scene.ends();
}

#[test]
fn containers_of_one_name_are_told_apart() {
    let replica = |inside: bool| {
        let ws = sqlite();
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nserve: {listen: '127.0.0.1:0'}\n",
        );
        let command = ws.command(&["serve", "--config", "roster.yaml"]);
        let command = if inside {
            container(&command)?
        } else {
            command
        };
        let mut served = DaemonProcess::run(command);
        let address = served.address();
        let status = Api {
            address,
            token: None,
        }
        .document("/api/v1/status");
        let replica = status["replica"].as_str().expect("a name").to_owned();
        let (host, pid) = replica.rsplit_once(':').expect("host and process");
        Some((host.to_owned(), pid.to_owned()))
    };
    let (Some(one), Some(other)) = (replica(true), replica(true)) else {
        return;
    };
    assert_eq!((&*one.1, &*other.1), ("1", "1"));
    assert_ne!(one.0, other.0);
    let names = [&one.0, &other.0].map(|host| host.split('#').next());
    assert_eq!(names[0], names[1]);
    // Whoever shares boot and process numbers sees whether the other one is gone.
    let (here, there) = (replica(false), replica(false));
    assert_eq!(here.map(|it| it.0), there.map(|it| it.0));
}

#[test]
fn a_daemon_that_stands_still_within_an_apply_holds_nobody_up_for_long() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    scene.settles();
    let frozen = (1..).find_map(|round| {
        // Enough to be caught at.
        let users = (0..3000).map(|n| {
            user(
                &format!("more-{n}"),
                "acme",
                &format!("firstName: R{round}"),
            )
        });
        let users = users.collect::<String>();
        scene.remote.write("manifests/more.yaml", users);
        scene.commit();
        let begin = Instant::now();
        let mut frozen = None;
        while frozen.is_none() && begin.elapsed() < Duration::from_secs(8) {
            frozen = scene.freeze();
        }
        frozen
    });
    let frozen = frozen.expect("caught in the end");
    scene.commit();
    scene.settles();
    scene.go_on(frozen);
    scene.commit();
    scene.settles();
    scene.holds();
    scene.ends();
}
