//! Errors of fetching an export. Each variant has its own remedy (`TransportError::help`), which is
//! why so many are told apart.

use super::fetched::IDLE;
use super::location::ExportLocation;
use chrono::TimeDelta;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A program that Roster needs is missing.
    #[error("{name} cannot be run: {source}")]
    Program {
        name: &'static str,
        source: io::Error,
    },
    /// The cache folder is not usable.
    #[error("the cache {path} cannot be used: {source}")]
    Cache { path: PathBuf, source: io::Error },
    /// A file named in the configuration, for trust or credentials, is not usable.
    #[error("{path} cannot be used: {why}")]
    Setting { path: PathBuf, why: String },
    #[error("{place} does not exist{said}")]
    Missing {
        /// Where it was expected.
        place: String,
        /// What the server said about it, if anything.
        said: String,
    },
    /// It is not a regular file.
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
        /// What shows that.
        why: String,
    },
    /// It was replaced while it was read.
    #[error("{place} was written to or replaced while it was read")]
    Swapped { place: String },
    #[error("{path} cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// It cannot be moved away.
    #[error("{path} cannot be moved: {source}")]
    Move { path: PathBuf, source: io::Error },
    /// The server denied access.
    #[error("{place} denied access: {said}")]
    Authentication { place: String, said: String },
    /// The host key is unknown to ssh, or has changed.
    #[error("ssh does not trust the host of {place}: {said}")]
    HostKey { place: String, said: String },
    /// The server cannot be reached.
    #[error("{place} cannot be reached: {said}")]
    Unreachable { place: String, said: String },
    /// The whole fetch took too long.
    #[error("{place} took longer than {} s", .after.as_secs())]
    Timeout { place: String, after: Duration },
    /// The server sent nothing for too long.
    #[error("no data from {place} for {} s", .after.as_secs())]
    Silent { place: String, after: Duration },
    /// A web server answered with an error.
    #[error("{place} answered {status}{said}")]
    Status {
        place: String,
        status: String,
        /// What it said about it, if anything.
        said: String,
    },
    /// A web server is overloaded.
    #[error("{place} answered {status}{}", retry_hint(.after.as_ref()))]
    Busy {
        place: String,
        status: String,
        /// When to try again.
        after: Option<TimeDelta>,
    },
    /// A web server redirects to an address that Roster does not follow.
    #[error("{place} redirects to {to}: {why}")]
    Redirect {
        place: String,
        to: String,
        why: String,
    },
    /// It ended too early.
    #[error("{place} ended early: {said}")]
    Truncated {
        place: String,
        /// What shows that.
        said: String,
    },
    /// It is larger than allowed.
    #[error("{place} has more than {limit} bytes{}", if *.unpacked { ", unpacked" } else { "" })]
    TooLarge {
        place: String,
        /// The limit in bytes.
        limit: u64,
        /// Whether this showed only after unpacking.
        unpacked: bool,
    },
    /// It is an HTML page, or reports an error.
    #[error("{place} does not contain data: {what}")]
    NotData {
        place: String,
        /// What it is instead.
        what: String,
    },
    /// One of several pages failed, which fails all of them.
    #[error("page {page} of {place}: {source}")]
    Page {
        place: String,
        /// The page, counted from 1.
        page: usize,
        source: Box<TransportError>,
    },
    /// The disk of the cache is full.
    #[error("no space left for {place}: {source}")]
    Full { place: String, source: io::Error },
    /// It was never fetched, or its cache is gone.
    #[error("{place} was never fetched")]
    Unfetched { place: String },
    /// Any other failure.
    #[error("{place} cannot be fetched: {said}")]
    Failed { place: String, said: String },
}

impl TransportError {
    /// Returns whether something was received that is not an export.
    #[must_use]
    pub fn is_not_data(&self) -> bool {
        match self {
            Self::NotData { .. } => true,
            Self::Page { source, .. } => source.is_not_data(),
            _ => false,
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Program { .. } => "Install the OpenSSH client and put it on the PATH",
            Self::Cache { .. } => "Set `cache:` in roster.yaml to a writable folder",
            Self::Setting { .. } => "Check the file named in `ca:` or `auth:` of the source",
            Self::Missing { .. } => {
                "Check the name and the folder in `export:`, and that the export has run"
            }
            Self::Irregular { .. } => "Name the file itself, in its own folder",
            Self::Unfinished { .. } => {
                "If an upload is running, do nothing; the next pass reads it. To avoid this, upload under another name and rename, or write a done-file afterwards (`done:`)"
            }
            Self::Swapped { .. } => {
                "The next pass reads it; write the export under another name and rename it"
            }
            Self::Read { .. } => "Allow the user of Roster to read it",
            Self::Move { .. } => {
                "Allow the user of Roster to write to the folder and to `accepted/` and `rejected/` in it, on the same file system"
            }
            Self::Authentication { .. } => {
                "Check `auth:` of the source: it must be valid and may read the export"
            }
            Self::HostKey { .. } => {
                "Check the key of the host, write it to a file (`ssh-keyscan HOST`), and set `auth: {sshKey: FILE, knownHosts: FILE}`"
            }
            Self::Unreachable { .. } => "Check the address, the network and the proxy",
            Self::Timeout { .. } | Self::Silent { .. } => {
                "Check the network and the server, or raise `timeout:` of the export"
            }
            Self::Status { .. } => "Check the address and the log of its server",
            Self::Busy { .. } => "Do nothing if this is temporary; otherwise fetch less often",
            Self::Redirect { .. } => "Use the final address of the export",
            Self::Truncated { .. } => {
                "Nothing was applied; the next pass fetches it again"
            }
            Self::TooLarge { .. } => {
                "Check the file; if it is correct, raise `limit:` of the export, for example `limit: 4GiB`"
            }
            Self::NotData { .. } => {
                "Open the address with the same credentials; the session may have expired, or the address is that of a page"
            }
            Self::Page { source, .. } => return source.help(),
            Self::Full { .. } => "Free some space, or set `cache:` in roster.yaml to another folder",
            Self::Unfetched { .. } => "Run `roster plan`, which fetches it first",
            Self::Failed { .. } => "Run again with `-v`",
        }
        .to_owned()
    }
}

fn retry_hint(after: Option<&TimeDelta>) -> String {
    after.map_or_else(String::new, |after| {
        format!("; retry after {} s", after.num_seconds())
    })
}

/// Joins the lines that are not blank into one.
pub(super) fn one_line(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let brief = lines.collect::<Vec<_>>().join("; ");
    let shown = brief.chars().filter(|c| !c.is_control());
    shown.take(300).collect()
}

/// Builds the error for a request that was not sent or not answered.
pub(super) fn send_error(
    place: &ExportLocation,
    to: &str,
    error: &reqwest::Error,
) -> TransportError {
    if error.is_timeout() && !error.is_connect() {
        return TransportError::Silent {
            place: to.to_owned(),
            after: IDLE,
        };
    }
    // Only the causes: the text of the error itself repeats the address, query included.
    let mut why = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        why.push(error.to_string());
        cause = error.source();
    }
    let why = why.join(": ");
    TransportError::Unreachable {
        place: to.to_owned(),
        said: place.redact(if why.is_empty() {
            "it was not sent"
        } else {
            &why
        }),
    }
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
