//! Exports from SFTP servers, fetched with the `sftp` program of OpenSSH, so that the hosts, keys
//! and agents of the user's ssh configuration apply. It never prompts. Start reading at `fetch`.

use super::cache::ExportCache;
use super::error::{TransportError, one_line};
use super::fetched::modified;
use super::file_name::{done_names, matches_pattern, may_be_complete};
use super::incoming::IncomingExport;
use super::location::{ExportLocation, SftpLocation, bracketed};
use super::{CONNECT, ExportMetadata, FetchAnswer, IDLE, PAUSE};
use crate::process::{self, ProcessError};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// A file in a listing of `sftp`, whose times are accurate to the minute.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SftpEntry {
    mode: char,
    size: u64,
    time: String,
    name: String,
}

/// Takes the named file, or the newest that the pattern matches.
pub(super) fn fetch(
    place: &ExportLocation,
    sftp: &SftpLocation,
    kept: &ExportCache,
    incoming: &mut IncomingExport,
) -> Result<FetchAnswer, TransportError> {
    let (folder, pattern) = sftp.path.rsplit_once('/').unwrap_or((".", &sftp.path));
    let folder = if folder.is_empty() { "/" } else { folder };
    // Sorted by time, and with numeric owners, whose names could contain spaces.
    let list = format!("ls -lant {}\n", quoted(folder));
    let listed = listing(&run_batch(place, sftp, kept, &list, || true)?.unwrap_or_default());
    let file = choose(place, sftp, &listed, pattern)?;
    incoming.check_size(file.size)?;
    thread::sleep(PAUSE);
    let (from, to) = (format!("{folder}/{}", file.name), incoming.file_path());
    let local = to.file_name().unwrap_or_default().to_string_lossy();
    // `-p` keeps the time of the file, which a listing shows only to the minute.
    let get = format!("get -p {} {}\n", quoted(&from), quoted(&local));
    // Listed before and after in one session, so that a file that changes during the transfer is
    // noticed.
    let batch = format!("{list}{get}{list}");
    // A file that grows faster than it is fetched would have no end.
    let has_room = || fs::metadata(&to).map_or(0, |taken| taken.len()) <= file.size;
    let ran = run_batch(place, sftp, kept, &batch, has_room);
    let taken = ran.and_then(|said| {
        let Some(said) = said else {
            let why = format!("{} bytes became more", file.size);
            return Err(unfinished(place, why));
        };
        check_unchanged(place, &file, &said)?;
        take(place, &file, &to, incoming)
    });
    // Not needed any more, in whatever state it is.
    let _ = fs::remove_file(&to);
    taken.map(FetchAnswer::New)
}

/// Chooses the file to read.
fn choose(
    place: &ExportLocation,
    sftp: &SftpLocation,
    listed: &[SftpEntry],
    pattern: &str,
) -> Result<SftpEntry, TransportError> {
    let done = sftp.done.as_deref();
    let may = |file: &&SftpEntry| {
        let says_done = done.is_some_and(|ending| file.name.ends_with(ending));
        // A name that is written out counts even if it looks unfinished.
        let named = file.name == pattern;
        named || (may_be_complete(&file.name) && matches_pattern(pattern, &file.name) && !says_done)
    };
    // Newest first, as listed.
    let file = listed
        .iter()
        .find(may)
        .ok_or_else(|| TransportError::Missing {
            place: place.to_string(),
            said: String::new(),
        })?;
    // A link could point to any file that the account can read.
    let what = match file.mode {
        '-' => None,
        'd' => Some("a folder"),
        'l' => Some("a symbolic link"),
        _ => Some("no file"),
    };
    if let Some(what) = what {
        return Err(TransportError::Irregular {
            path: place.to_string(),
            what: what.to_owned(),
        });
    }
    let [name, other] = done_names(&file.name, done.unwrap_or_default());
    let is_done = |file: &SftpEntry| file.name == name || file.name == other;
    if done.is_some() && !listed.iter().any(is_done) {
        return Err(unfinished(place, format!("{name} is not there")));
    }
    Ok(file.clone())
}

fn unfinished(place: &ExportLocation, why: String) -> TransportError {
    TransportError::Unfinished {
        place: place.to_string(),
        why,
    }
}

/// Returns an error unless the file was listed unchanged both before and after the transfer.
fn check_unchanged(
    place: &ExportLocation,
    before: &SftpEntry,
    said: &str,
) -> Result<(), TransportError> {
    let listed = listing(said);
    let now: Vec<&SftpEntry> = listed
        .iter()
        .filter(|file| file.name == before.name)
        .collect();
    let changed = now.iter().find(|now| **now != before);
    match changed {
        // A different size shows a running upload; anything else, such as a missing listing, that
        // the file was replaced.
        Some(now) if now.size != before.size => {
            let why = format!("{} bytes became {}", before.size, now.size);
            Err(unfinished(place, why))
        }
        None if now.len() == 2 => Ok(()),
        _ => Err(TransportError::Swapped {
            place: place.to_string(),
        }),
    }
}

fn take(
    place: &ExportLocation,
    listed: &SftpEntry,
    path: &Path,
    incoming: &mut IncomingExport,
) -> Result<ExportMetadata, TransportError> {
    let fault = |source| TransportError::Cache {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    // A short file after a successful exit would otherwise be read as a complete export.
    if metadata.len() != listed.size {
        let said = format!("received {} of {} bytes", metadata.len(), listed.size);
        let place = place.to_string();
        return Err(TransportError::Truncated { place, said });
    }
    incoming.take_all(file, fault)?;
    Ok(ExportMetadata {
        name: listed.name.clone(),
        // `get -p` preserves the time.
        modified: modified(&metadata),
        ..ExportMetadata::default()
    })
}

/// Runs a batch of commands and returns their output; `None` if it was not to go on.
fn run_batch(
    place: &ExportLocation,
    sftp: &SftpLocation,
    kept: &ExportCache,
    batch: &str,
    may_go_on: impl FnMut() -> bool,
) -> Result<Option<String>, TransportError> {
    // From a file: standard input stays closed, so that nothing can prompt.
    let file = kept.folder().join("incoming-batch");
    fs::write(&file, batch).map_err(|error| kept.fault(error))?;
    let mut command = command(sftp, &file);
    command.current_dir(kept.folder());
    let ended = process::run_while(command, place.timeout, may_go_on);
    let ended = ended.map_err(|stopped| match stopped {
        ProcessError::Program(source) => TransportError::Program {
            name: "sftp",
            source,
        },
        ProcessError::Timeout => TransportError::Timeout {
            place: place.to_string(),
            after: place.timeout,
        },
    })?;
    let Some(ended) = ended else {
        return Ok(None);
    };
    if ended.status.success() {
        return Ok(Some(String::from_utf8_lossy(&ended.stdout).into_owned()));
    }
    Err(classify_error(
        place,
        &String::from_utf8_lossy(&ended.stderr),
    ))
}

fn command(sftp: &SftpLocation, batch: &Path) -> Command {
    let mut command = Command::new("sftp");
    for (name, _) in std::env::vars_os() {
        // Variables of Roster, which include secrets, do not concern ssh.
        if name.to_string_lossy().starts_with("ROSTER_") {
            command.env_remove(&name);
        }
    }
    let options = [
        "BatchMode=yes".to_owned(),
        format!("ConnectTimeout={}", CONNECT.as_secs()),
        format!("ServerAliveInterval={}", IDLE.as_secs() / 2),
        "ServerAliveCountMax=2".to_owned(),
        // A shared connection of the user could be one with other keys, and would outlive the time
        // limit.
        "ControlMaster=no".to_owned(),
        "ControlPath=none".to_owned(),
    ];
    command.args(options.map(|option| format!("-o{option}")));
    if let Some(key) = &sftp.key {
        // Only the configured key is offered. An agent with many keys makes servers refuse after
        // the first few.
        command.args(["-oIdentitiesOnly=yes", "-oIdentityAgent=none"]);
        command.arg("-i").arg(&key.key);
        if let Some(hosts) = &key.known_hosts {
            let mut option = OsString::from("-oUserKnownHostsFile=\"");
            option.push(hosts);
            option.push("\"");
            command
                .arg(option)
                .args(["-oGlobalKnownHostsFile=none", "-oStrictHostKeyChecking=yes"]);
        }
    }
    if let Some(port) = sftp.port {
        command.arg("-P").arg(port.to_string());
    }
    let host = match &sftp.user {
        Some(user) => format!("{user}@{}", bracketed(&sftp.host)),
        None => bracketed(&sftp.host),
    };
    command
        .arg("-b")
        .arg(batch)
        .arg("--")
        .arg(host)
        // The output is parsed, so it must be in English and in UTC.
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env_remove("LANGUAGE")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .stdin(Stdio::null());
    command
}

/// Quotes a name for `sftp`. Quoted names are not patterns.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Returns the entries of a listing in the output.
fn listing(said: &str) -> Vec<SftpEntry> {
    said.lines().filter_map(parse_entry).collect()
}

/// Parses a line such as `-rw-r--r--    ? 0        0            8 Nov 22 08:40 customers.csv`.
fn parse_entry(line: &str) -> Option<SftpEntry> {
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_start();
        let end = rest.find(' ')?;
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    };
    let mode = word()?;
    let (_, _, _) = (word()?, word()?, word()?);
    let size = word()?.parse().ok()?;
    let time = format!("{} {} {}", word()?, word()?, word()?);
    // Everything after one space: names may begin and end with spaces.
    let name = rest.strip_prefix(' ')?;
    // Some servers list full paths.
    let name = name.rsplit('/').next().unwrap_or(name).to_owned();
    Some(SftpEntry {
        mode: mode.chars().next().filter(|_| mode.len() >= 10)?,
        size,
        time,
        name,
    })
}

/// Recognises the failure in the output of `sftp`.
fn classify_error(place: &ExportLocation, said: &str) -> TransportError {
    let folded = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| folded.contains(word));
    let lines = said.lines().filter(|line| {
        let noise = line.starts_with("Warning:") || line.starts_with("Connection closed");
        !noise && !line.trim_matches(['@', ' ']).is_empty()
    });
    let told = one_line(&lines.collect::<Vec<_>>().join("\n"));
    let place = place.to_string();
    let said = if told.is_empty() {
        one_line(said)
    } else {
        told
    };
    match () {
        // The order matters: the output for a specific failure can contain the words of a general
        // one.
        () if has(HOST_KEY) => TransportError::HostKey { place, said },
        () if has(MISSING) => TransportError::Missing {
            place,
            said: format!(": {said}"),
        },
        () if has(DENIED) => TransportError::Authentication { place, said },
        () if has(UNREACHABLE) => TransportError::Unreachable { place, said },
        () => TransportError::Failed { place, said },
    }
}

const HOST_KEY: &[&str] = &[
    "host key verification failed",
    "remote host identification has changed",
];
const MISSING: &[&str] = &["not found", "no such file"];
const DENIED: &[&str] = &[
    "permission denied",
    "too many authentication failures",
    "identity file",
];
const UNREACHABLE: &[&str] = &[
    "could not resolve hostname",
    "connection refused",
    "connection timed out",
    "operation timed out",
    "timed out",
    "connection reset",
    "connection closed",
    "network is unreachable",
    "no route to host",
    "broken pipe",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_with_blanks_in_names() {
        let said = "sftp> ls -lant \"out\"\n\
            drwxr-xr-x    ? 0        0            4096 Nov 22 08:40 .\n\
            -rw-r--r--    ? 0        0               8 Nov 22 08:40 all customers.csv\n\
            -rw-r--r--    1 1000     1000   5000000000 Nov 22  2025 out/b.csv\n";
        let files = listing(said);
        assert_eq!(files.len(), 3);
        assert_eq!(
            files[1],
            SftpEntry {
                mode: '-',
                size: 8,
                time: "Nov 22 08:40".to_owned(),
                name: "all customers.csv".to_owned(),
            }
        );
        assert_eq!((files[2].size, &*files[2].name), (5_000_000_000, "b.csv"));
    }
}
