//! `invitations:`: the file with the key from which the links of invitations are made.

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Beside the database of a new installation, in a folder that only the user of Roster can read.
const DEFAULT_KEY: &str = ".roster/invitation-key";

/// `invitations:` as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationsSpec {
    key: Option<PathBuf>,
}

/// How invitations are made.
#[derive(Clone, Debug)]
pub struct InvitationsConfig {
    /// The file with the key from which the daemon derives links. The database does not contain it.
    pub key: PathBuf,
}

impl Default for InvitationsConfig {
    fn default() -> Self {
        Self {
            key: PathBuf::from(DEFAULT_KEY),
        }
    }
}

impl InvitationsSpec {
    pub(super) fn resolve(self, base: &Path) -> InvitationsConfig {
        let key = self.key.unwrap_or_else(|| PathBuf::from(DEFAULT_KEY));
        InvitationsConfig {
            key: base.join(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<InvitationsConfig, String> {
        let spec: InvitationsSpec = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        Ok(spec.resolve(Path::new("/base")))
    }

    #[test]
    fn the_key_is_beside_the_configuration_unless_it_says_where() {
        let default = read("{}").expect("valid");
        assert_eq!(default.key, Path::new("/base/.roster/invitation-key"));
        let own = read("{key: /etc/roster/key}").expect("valid");
        assert_eq!(own.key, Path::new("/etc/roster/key"));
        assert!(read("{days: 7}").expect_err("wrong").contains("days"));
    }
}
