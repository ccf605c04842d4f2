//! What a command costs: CPU of all its threads, wall time and peak memory, each command alone.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What something cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Seconds of user and system time, of a database server too.
    pub cpu: f64,
    /// Seconds that passed.
    pub wall: f64,
    /// Bytes of memory at most, of the command alone.
    pub peak: u64,
}

/// A command that ended: what it cost, and what it said.
pub struct Ran {
    /// The whole of it.
    pub cost: Cost,
    /// Its standard output.
    pub stdout: String,
    /// Its log.
    pub stderr: String,
    /// Its exit code.
    pub code: Option<i32>,
}

impl Cost {
    /// What this cost beyond another.
    pub fn beyond(self, other: Self) -> Self {
        Self {
            cpu: self.cpu - other.cpu,
            wall: self.wall - other.wall,
            peak: self.peak,
        }
    }

    /// Two costs one after the other.
    pub fn and(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            wall: self.wall + other.wall,
            peak: self.peak.max(other.peak),
        }
    }

    fn to_json(self) -> Value {
        json!({"cpu": self.cpu, "wall": self.wall, "peak": self.peak})
    }

    /// The cost that a part printed.
    pub fn from_json(text: &str) -> Self {
        let value: Value = serde_json::from_str(text.trim()).expect("a part prints its cost");
        let number = |name: &str| value[name].as_f64().expect("a number");
        Self {
            cpu: number("cpu"),
            wall: number("wall"),
            peak: value["peak"].as_u64().unwrap_or(0),
        }
    }
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

fn used(who: UsageWho) -> Cost {
    let usage = getrusage(who).expect("getrusage of oneself cannot fail");
    let peak = u64::try_from(usage.max_rss()).unwrap_or(0) * 1024;
    Cost {
        cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
        wall: 0.0,
        peak,
    }
}

/// Adds up the stretches of a process that count.
#[derive(Default)]
pub struct Stopwatch(Cost);

impl Stopwatch {
    /// Runs something that counts.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (before, start) = (used(UsageWho::RUSAGE_SELF), Instant::now());
        let result = work();
        self.0.wall += start.elapsed().as_secs_f64();
        self.0.cpu += used(UsageWho::RUSAGE_SELF).beyond(before).cpu;
        result
    }

    /// Prints the sum for the process that started this one.
    pub fn print(self) {
        println!("{}", self.0.to_json());
    }
}

/// Runs a command and measures it.
///
/// Peak memory is only known of all children of a process together, so one is put in between that
/// has this child alone: see [`between`].
pub fn run(program: &Path, arguments: &[&str], directory: &Path) -> Ran {
    let report = tempfile::NamedTempFile::new().expect("a temporary file");
    let this = std::env::current_exe().expect("the path of this program");
    let output = Command::new(this)
        .arg("--between")
        .arg(report.path())
        .arg(program)
        .args(arguments)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("this program starts");
    let text = fs::read_to_string(report.path()).expect("the report");
    Ran {
        cost: Cost::from_json(&text),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
    }
}

/// The process in between: starts a command, and writes down what it cost.
pub fn between(arguments: &[String]) -> i32 {
    let [report, program, rest @ ..] = arguments else {
        return 64;
    };
    let start = Instant::now();
    let status = Command::new(program).args(rest).status();
    let wall = start.elapsed().as_secs_f64();
    let cost = Cost {
        wall,
        ..used(UsageWho::RUSAGE_CHILDREN)
    };
    fs::write(report, cost.to_json().to_string()).expect("the report");
    status.ok().and_then(|status| status.code()).unwrap_or(1)
}

/// Seconds of CPU that a server and all its processes have used, those that ended included.
///
/// `/proc` counts in ticks of 10 ms. None where there is no `/proc`.
pub fn server_cpu(pid: u32) -> Option<f64> {
    let own = ticks(&pid.to_string(), 4)?;
    let running = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.parse::<u32>().ok()?;
        (parent(&name)? == pid).then(|| ticks(&name, 2))?
    });
    Some((own + running.sum::<u64>()) as f64 / 100.0)
}

/// The fields of a process after its name.
fn stat(pid: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

fn parent(pid: &str) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// User and system time and, of four, those of the children that ended.
fn ticks(pid: &str, counters: usize) -> Option<u64> {
    stat(pid)?[11..11 + counters]
        .iter()
        .map(|ticks| ticks.parse::<u64>().ok())
        .sum()
}
