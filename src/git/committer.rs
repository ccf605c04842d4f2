//! Who commits here, as git is set up.

use super::command::git;
use crate::process;
use std::time::Duration;

/// How long git may take to say it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The e-mail address that commits would carry, else the name; nothing where git knows neither.
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
