//! Who runs a command, as history, approvals and leases record it. [`actor`] is asked once per
//! process; the answer does not change while a command runs.

use crate::git;
use std::sync::OnceLock;

/// The longest name that is recorded; it comes from outside and ends up in every run's row.
const LONGEST: usize = 200;

/// The name of whoever runs the command, or `None` when nothing gives one: `ROSTER_ACTOR`, else the
/// person who started the CI job (`GITHUB_ACTOR`, `GITLAB_USER_LOGIN`), else the git user, else the
/// system user.
#[must_use]
pub fn actor() -> Option<&'static str> {
    static ACTOR: OnceLock<Option<String>> = OnceLock::new();
    let found = ACTOR.get_or_init(|| first(|name| std::env::var(name).ok(), git::committer));
    found.as_deref()
}

fn first(
    variable: impl Fn(&str) -> Option<String>,
    user: impl FnOnce() -> Option<String>,
) -> Option<String> {
    let any = |names: &[&str]| {
        let mut named = names.iter().filter_map(|name| variable(name));
        named.find_map(|name| plain(&name))
    };
    // The system user comes last: in CI and in containers it is usually `root` or a runner's name,
    // which tells an auditor nothing.
    any(&["ROSTER_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"])
        .or_else(|| user().and_then(|name| plain(&name)))
        .or_else(|| any(&["USER", "LOGNAME"]))
}

/// The name on one line, without control characters, or `None` when it is blank.
fn plain(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name: String = name.trim().chars().take(LONGEST).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_known_counts() {
        let all = [
            "ROSTER_ACTOR",
            "GITHUB_ACTOR",
            "GITLAB_USER_LOGIN",
            "git",
            "USER",
            "LOGNAME",
        ];
        for (at, expected) in all.iter().enumerate() {
            let known = |name: &str| match all.iter().position(|known| *known == name) {
                Some(place) if place >= at => Some(name.to_owned()),
                // An empty variable names nobody.
                _ => Some(" \n".to_owned()),
            };
            assert_eq!(first(known, || known("git")).as_deref(), Some(*expected));
        }
        assert_eq!(first(|_| None, || None), None);
        let forged = first(|_| Some("eva\nrun 9".to_owned()), || None);
        assert_eq!(forged.as_deref(), Some("evarun 9"));
    }
}
