//! Who runs a command, for history, approvals and leases.

use crate::git;
use std::sync::OnceLock;

/// How long the name may be that is recorded.
const LONGEST: usize = 200;

/// Who runs the command: `ROSTER_ACTOR`, who started the CI job (`GITHUB_ACTOR`,
/// `GITLAB_USER_LOGIN`), the user of git, or the user of the system; `None` when nothing says so.
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
    any(&["ROSTER_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"])
        .or_else(|| user().and_then(|name| plain(&name)))
        .or_else(|| any(&["USER", "LOGNAME"]))
}

/// The name on one line; nothing when nothing is left of it.
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
