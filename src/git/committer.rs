//! Who commits on this machine, according to git. The last resort for the name of whoever runs a
//! command.

use super::command::git;
use crate::process;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the e-mail address of commits, or else the name, if git knows either.
#[must_use]
pub fn committer() -> Option<String> {
    ["user.email", "user.name"].into_iter().find_map(setting)
}

fn setting(name: &str) -> Option<String> {
    let mut ask = git();
    ask.args(["config", "--get", name]);
    let ended = process::run(ask, TIMEOUT).ok()?;
    let said = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
    (ended.status.success() && !said.is_empty()).then_some(said)
}
