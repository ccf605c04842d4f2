//! What can be wrong on the way of an export, and the way out.

use chrono::TimeDelta;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why an export could not be fetched, read or put away.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A program that does the work is missing.
    #[error("{name} cannot be run: {source}")]
    Program {
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The folder of what was fetched cannot be used.
    #[error("the cache {path} cannot be used: {source}")]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that the configuration names, to be trusted or to let us in, is of no use.
    #[error("{path} cannot be used: {why}")]
    Setting { path: PathBuf, why: String },
    /// There is no such file.
    #[error("{place} does not exist{said}")]
    Missing {
        /// Where it was looked for.
        place: String,
        /// What the other side said of it, if anything.
        said: String,
    },
    /// It is no file one can read.
    #[error("{path} is {what}; Roster does not read it")]
    Irregular {
        path: String,
        /// What it is instead.
        what: String,
    },
    /// Somebody is still writing it.
    #[error("{place} is still being written: {why}")]
    Unfinished {
        place: String,
        /// What shows it.
        why: String,
    },
    /// It became another one in the middle.
    #[error("{place} was written to or replaced while it was read")]
    Swapped { place: String },
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be put away.
    #[error("{path} cannot be moved: {source}")]
    Move {
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The other side did not let us in.
    #[error("{place} denied access: {said}")]
    Authentication { place: String, said: String },
    /// The host is not known to ssh, or is another one now.
    #[error("ssh does not trust the host of {place}: {said}")]
    HostKey {
        place: String,
        /// What ssh said.
        said: String,
    },
    /// The other side cannot be reached.
    #[error("{place} cannot be reached: {said}")]
    Unreachable {
        place: String,
        /// Why.
        said: String,
    },
    /// It took too long.
    #[error("{place} took longer than {} s", .after.as_secs())]
    Timeout {
        place: String,
        /// How long was waited.
        after: Duration,
    },
    /// The other side fell silent.
    #[error("no data from {place} for {} s", .after.as_secs())]
    Silent {
        place: String,
        /// How long was waited.
        after: Duration,
    },
    /// A web server says no.
    #[error("{place} answered {status}{said}")]
    Status {
        place: String,
        status: String,
        /// What it said of it, if anything.
        said: String,
    },
    /// A web server has no time.
    #[error("{place} answered {status}{}", retry_hint(.after.as_ref()))]
    Busy {
        place: String,
        status: String,
        /// When to come again.
        after: Option<TimeDelta>,
    },
    /// A web server sends us where we do not go.
    #[error("{place} redirects to {to}: {why}")]
    Redirect {
        place: String,
        /// Where.
        to: String,
        /// Why not.
        why: String,
    },
    /// It ends too early.
    #[error("{place} ended early: {said}")]
    Truncated {
        place: String,
        /// What shows it.
        said: String,
    },
    /// It has more bytes than it may have.
    #[error("{place} has more than {limit} bytes{}", if *.unpacked { ", unpacked" } else { "" })]
    TooLarge {
        place: String,
        /// How many it may have.
        limit: u64,
        /// Whether that shows only when it is unpacked.
        unpacked: bool,
    },
    /// It is something for people, or the news that something went wrong.
    #[error("{place} does not contain data: {what}")]
    NotData {
        place: String,
        /// What it is instead.
        what: String,
    },
    /// One of several pages failed, and with it all of them.
    #[error("page {page} of {place}: {source}")]
    Page {
        place: String,
        /// Which page, from 1.
        page: usize,
        /// Why.
        source: Box<TransportError>,
    },
    /// There is no room in the cache.
    #[error("no space left for {place}: {source}")]
    Full {
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// It was never fetched, or what was fetched is gone.
    #[error("{place} was never fetched")]
    Unfetched { place: String },
    /// Anything else.
    #[error("{place} cannot be fetched: {said}")]
    Failed {
        place: String,
        /// What was said.
        said: String,
    },
}

impl TransportError {
    /// Whether something came, and was not what it should be.
    #[must_use]
    pub fn is_not_data(&self) -> bool {
        match self {
            Self::NotData { .. } => true,
            Self::Page { source, .. } => source.is_not_data(),
            _ => false,
        }
    }

    /// The way out.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Program { .. } => "install the OpenSSH client and put it on the PATH",
            Self::Cache { .. } => "set `cache:` in roster.yaml to a writable folder",
            Self::Setting { .. } => "check the file named in `ca:` or `auth:` of the source",
            Self::Missing { .. } => {
                "check the name and the folder in `export:`, and that the export has run"
            }
            Self::Irregular { .. } => "name the file itself, in its own folder",
            Self::Unfinished { .. } => {
                "if an upload is running, do nothing; the next pass reads it. To avoid this, upload under another name and rename, or write a done-file afterwards (`done:`)"
            }
            Self::Swapped { .. } => {
                "the next pass reads it; write the export under another name and rename it"
            }
            Self::Read { .. } => "allow the user of Roster to read it",
            Self::Move { .. } => {
                "allow the user of Roster to write to the folder and to `accepted/` and `rejected/` in it, on the same file system"
            }
            Self::Authentication { .. } => {
                "check `auth:` of the source: it must be valid and may read the export"
            }
            Self::HostKey { .. } => {
                "check the key of the host, write it to a file (`ssh-keyscan HOST`), and set `auth: {sshKey: FILE, knownHosts: FILE}`"
            }
            Self::Unreachable { .. } => "check the address, the network and the proxy",
            Self::Timeout { .. } | Self::Silent { .. } => {
                "check the network and the server, or raise `timeout:` of the export"
            }
            Self::Status { .. } => "check the address and the log of its server",
            Self::Busy { .. } => "do nothing if this is temporary; otherwise fetch less often",
            Self::Redirect { .. } => "use the final address of the export",
            Self::Truncated { .. } => {
                "nothing was applied; the next pass fetches it again"
            }
            Self::TooLarge { .. } => {
                "check the file; if it is correct, raise `limit:` of the export, for example `limit: 4GiB`"
            }
            Self::NotData { .. } => {
                "open the address with the same credentials; the session may have expired, or the address is that of a page"
            }
            Self::Page { source, .. } => return source.help(),
            Self::Full { .. } => "free some space, or set `cache:` in roster.yaml to another folder",
            Self::Unfetched { .. } => "run `roster plan`, which fetches it first",
            Self::Failed { .. } => "run again with `-v`",
        }
        .to_owned()
    }
}

fn retry_hint(after: Option<&TimeDelta>) -> String {
    after.map_or_else(String::new, |after| {
        format!("; retry after {} s", after.num_seconds())
    })
}

/// The lines that say something, on one line.
pub(super) fn one_line(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let brief = lines.collect::<Vec<_>>().join("; ");
    let shown = brief.chars().filter(|c| !c.is_control());
    shown.take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_again_is_said() {
        let busy = |after| TransportError::Busy {
            place: "https://erp.example/c".to_owned(),
            status: "503 Service Unavailable".to_owned(),
            after,
        };
        assert_eq!(
            busy(Some(TimeDelta::seconds(120))).to_string(),
            "https://erp.example/c answered 503 Service Unavailable; retry after 120 s"
        );
        assert!(busy(None).to_string().ends_with("503 Service Unavailable"));
    }

    #[test]
    fn what_is_said_stands_on_one_line() {
        assert_eq!(one_line("a\n\n  b\u{1b}[31m\n"), "a; b[31m");
    }
}
