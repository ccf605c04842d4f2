//! `invitations:`: how long the link of an invitation works, and the file with the key of links.

use super::values::parse_duration;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_TTL: Duration = Duration::from_hours(7 * 24);
/// Beside the database of a new installation, in a folder that only the user of Roster can read.
const DEFAULT_KEY: &str = ".roster/invitation-key";

/// `invitations:` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationsSpec {
    ttl: Option<String>,
    key: Option<PathBuf>,
}

/// How invitations are made.
#[derive(Clone, Debug)]
pub struct InvitationsConfig {
    /// How long a link works.
    pub ttl: Duration,
    /// The file with the key from which the daemon derives links. The database does not contain it.
    pub key: PathBuf,
}

impl Default for InvitationsConfig {
    fn default() -> Self {
        Self {
            ttl: DEFAULT_TTL,
            key: PathBuf::from(DEFAULT_KEY),
        }
    }
}

impl InvitationsConfig {
    /// How long a link works, in milliseconds.
    #[must_use]
    pub fn ttl_millis(&self) -> i64 {
        i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX)
    }
}

impl InvitationsSpec {
    pub(super) fn resolve(self, base: &Path) -> Result<InvitationsConfig, String> {
        let ttl = self.ttl.as_deref().map_or(Ok(DEFAULT_TTL), parse_duration);
        let ttl = ttl.map_err(|error| format!("invitations.ttl: {error}"))?;
        if ttl.is_zero() {
            return Err("invitations.ttl: must not be 0".to_owned());
        }
        let key = self.key.unwrap_or_else(|| PathBuf::from(DEFAULT_KEY));
        Ok(InvitationsConfig {
            ttl,
            key: base.join(key),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<InvitationsConfig, String> {
        let spec: InvitationsSpec = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        spec.resolve(Path::new("/base"))
    }

    #[test]
    fn a_link_works_for_a_week_unless_configured() {
        let default = read("{}").expect("valid");
        assert_eq!(default.ttl, Duration::from_hours(168));
        assert_eq!(default.key, Path::new("/base/.roster/invitation-key"));
        let own = read("{ttl: 12h, key: /etc/roster/key}").expect("valid");
        assert_eq!(own.ttl, Duration::from_hours(12));
        assert_eq!(own.key, Path::new("/etc/roster/key"));
        for (wrong, part) in [
            ("{ttl: 0d}", "ttl"),
            ("{ttl: soon}", "ttl"),
            ("{days: 7}", "days"),
        ] {
            assert!(read(wrong).expect_err("wrong").contains(part), "{wrong}");
        }
    }
}
