//! Runs git as a command line program: with which environment, for how long, and how its failures
//! are read. Nothing in the caller's environment that points git elsewhere reaches it (Roster may
//! run inside a hook), git never prompts, no hook runs, and secrets go only into the environment of
//! the process that needs them. Start reading at `local` and `remote`.

use super::error::GitError;
use super::location::{GitAuth, GitLocation};
use crate::process::{self, ProcessError};
use secrecy::ExposeSecret;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Variables of the caller that git may see: how to reach remotes and which certificates to trust.
const ALLOWED_VARIABLES: [&str; 10] = [
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_PROXY_SSL_CAINFO",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_NO_VERIFY",
];

/// Settings for every call, which override the configuration of git.
const SETTINGS: [(&str, &str); 12] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("protocol.ext.allow", "never"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("gc.autoDetach", "false"),
    ("maintenance.autoDetach", "false"),
    ("log.showSignature", "false"),
    // A server that is packing sends a few bytes now and then, so only silence counts as too slow.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "30"),
    ("advice.detachedHead", "false"),
    // Larger objects are streamed instead of held in memory.
    ("core.bigFileThreshold", "32m"),
];

/// A credential helper that reads from its environment.
const HELPER: &str = r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$ROSTER_GIT_USERNAME" "$ROSTER_GIT_PASSWORD"; }; f"#;

/// Git on a mirror, without access to the remote.
pub(super) fn local(repository: &Path) -> Command {
    let mut command = git();
    let safe = repository.to_string_lossy().into_owned();
    configure(&mut command, &[("safe.directory".to_owned(), safe)]);
    command.arg("--git-dir").arg(repository);
    command
}

/// Git on a mirror, with the credentials of the remote.
pub(super) fn remote(repository: &Path, place: &GitLocation) -> Command {
    let mut command = git();
    let mut settings = vec![(
        "safe.directory".to_owned(),
        repository.to_string_lossy().into_owned(),
    )];
    let mut ssh = "ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oControlMaster=no -oControlPath=none".to_owned();
    match &place.auth {
        GitAuth::GitConfig => {}
        GitAuth::Password { username, password } => {
            // The helper is bound to the host of the url, so that a redirect cannot obtain the
            // password. The empty helper before it clears those that are configured: they would
            // store the password.
            let host = format!("credential.{}.helper", origin(&place.url));
            settings.push(("credential.helper".to_owned(), String::new()));
            settings.push((host, HELPER.to_owned()));
            command
                .env("ROSTER_GIT_USERNAME", username)
                .env("ROSTER_GIT_PASSWORD", password.expose_secret());
        }
        GitAuth::Key { key, known_hosts } => {
            ssh += &format!(
                " -oIdentitiesOnly=yes -oIdentityAgent=none -i {}",
                quoted(key)
            );
            if let Some(hosts) = known_hosts {
                let option = format!("-oUserKnownHostsFile=\"{}\"", hosts.display());
                ssh += &format!(
                    " {} -oGlobalKnownHostsFile=none -oStrictHostKeyChecking=yes",
                    quoted(Path::new(&option))
                );
            }
        }
    }
    // An ssh command of the user, for example for a jump host, is respected unless the source has a
    // key of its own.
    let own = matches!(place.auth, GitAuth::Key { .. });
    let given = ["GIT_SSH", "GIT_SSH_COMMAND"];
    if own || given.iter().all(|name| std::env::var_os(name).is_none()) {
        command
            .env_remove("GIT_SSH")
            .env("GIT_SSH_VARIANT", "ssh")
            .env("GIT_SSH_COMMAND", ssh);
    }
    configure(&mut command, &settings);
    command.arg("--git-dir").arg(repository);
    command
}

/// Git with an environment reduced to what it needs.
pub(super) fn git() -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        let foreign = shown.starts_with("GIT_") && !ALLOWED_VARIABLES.contains(&&*shown);
        // Variables of Roster, which include secrets, do not concern git.
        if foreign || shown.starts_with("ROSTER_") {
            command.env_remove(&name);
        }
    }
    configure(&mut command, &[]);
    command
        // The messages of git are parsed, so they must be in English.
        .env("LC_ALL", "C")
        .env_remove("LANGUAGE")
        // A prompt would wait for ever in a daemon.
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS_REQUIRE", "never")
        // A read must not create a lock file in a repository that somebody works in.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .stdin(Stdio::null())
        // A group of its own, so that a timeout also ends the ssh and helper processes of git.
        .process_group(0);
    command
}

/// Passes settings through the environment, because every user can see arguments.
fn configure(command: &mut Command, more: &[(String, String)]) {
    let fixed = SETTINGS.iter().map(|(key, value)| (*key, *value));
    let more = more.iter().map(|(key, value)| (&**key, &**value));
    let mut count = 0;
    for (key, value) in fixed.chain(more) {
        command
            .env(format!("GIT_CONFIG_KEY_{count}"), key)
            .env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    command.env("GIT_CONFIG_COUNT", count.to_string());
}

/// Returns the scheme and host of a url, which a password is bound to.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// Quotes a path for the shell to which git passes the ssh command.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

/// The result of running git.
pub(super) struct GitOutput {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl GitOutput {
    /// The first line of the output.
    pub(super) fn line(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.lines().next().unwrap_or_default().to_owned()
    }
}

/// Runs git and returns its result, whatever it is.
pub(super) fn run(command: Command, place: &GitLocation) -> Result<GitOutput, GitError> {
    let ended =
        process::run(command, place.timeout).map_err(|stopped| stopped_error(stopped, place))?;
    Ok(GitOutput {
        status: ended.status,
        stdout: ended.stdout,
        stderr: place.redact(&String::from_utf8_lossy(&ended.stderr)),
    })
}

/// Runs git and turns a failure into an error.
pub(super) fn run_checked(command: Command, place: &GitLocation) -> Result<GitOutput, GitError> {
    let ran = run(command, place)?;
    if ran.status.success() {
        Ok(ran)
    } else {
        Err(GitError::classify(place, &ran.stderr))
    }
}

/// Runs git and passes on each part of its output that ends in a zero byte as it arrives. The first
/// error ends git.
pub(super) fn stream_parts(
    command: Command,
    place: &GitLocation,
    mut take: impl FnMut(&[u8]) -> Result<(), GitError>,
) -> Result<(), GitError> {
    let (mut rest, mut wrong) = (Vec::new(), None);
    // Streamed, because the listing of a hostile or mistaken repository can be larger than memory.
    let ended = process::stream(command, place.timeout, |part| {
        rest.extend_from_slice(part);
        let mut from = 0;
        while let Some(length) = rest[from..].iter().position(|byte| *byte == 0) {
            if let Err(error) = take(&rest[from..from + length]) {
                wrong = Some(error);
                return false;
            }
            from += length + 1;
        }
        rest.drain(..from);
        true
    });
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    match ended.map_err(|stopped| stopped_error(stopped, place))? {
        Some(ended) if !ended.status.success() => {
            let said = place.redact(&String::from_utf8_lossy(&ended.stderr));
            Err(GitError::classify(place, &said))
        }
        _ => Ok(()),
    }
}

fn stopped_error(stopped: ProcessError, place: &GitLocation) -> GitError {
    match stopped {
        ProcessError::Program(error) => GitError::Program(error),
        ProcessError::Timeout => GitError::Timeout {
            url: place.url.clone(),
            after: place.timeout,
        },
    }
}

/// Runs git with the lock as its standard input, so that the lock is held for as long as git lives,
/// even if Roster is killed.
pub(super) fn run_locked(
    mut command: Command,
    lock: &File,
    place: &GitLocation,
) -> Result<GitOutput, GitError> {
    let held = lock.try_clone().map_err(GitError::Program)?;
    command.stdin(held);
    run_checked(command, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_for_the_host_of_the_url() {
        for (url, expected) in [
            ("https://git.example/a/b.git", "https://git.example"),
            ("http://me@localhost:8080/x", "http://localhost:8080"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }

    #[test]
    fn a_quote_in_a_path_stays_in_the_path() {
        assert_eq!(quoted(Path::new("/it's")), r"'/it'\''s'");
    }
}
