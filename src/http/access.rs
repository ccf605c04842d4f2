//! The access tokens, reloaded when their file changes, and the caller that a request therefore
//! comes from. A broken file never locks everybody out and never opens the server: the tokens read
//! last stay in use. Start at `AccessTokens::open` and `by_token`.

use super::role::{Permission, Role};
use super::token::{self, TokenGrant, TokenHash};
use chrono::Utc;
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The sender of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name in the audit log.
    pub name: Arc<str>,
    pub role: Role,
    /// The sources it may access; `None` for all.
    pub sources: Option<BTreeSet<Arc<str>>>,
    /// How it authenticated.
    pub auth_method: AuthMethod,
    /// What a form must contain so that no other site can send it; only with a session.
    pub csrf: Option<Arc<str>>,
}

/// How a caller authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthMethod {
    /// A token in the `Authorization` header.
    Token,
    /// A session cookie.
    Session,
    /// Not at all, because no tokens are configured.
    Anonymous,
}

impl Caller {
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    pub fn may_access_source(&self, source: &str) -> bool {
        let sources = self.sources.as_ref();
        sources.is_none_or(|sources| sources.contains(source))
    }

    pub(super) fn from_grant(grant: &TokenGrant, by: AuthMethod) -> Self {
        Self {
            name: grant.name.clone(),
            role: grant.role,
            sources: grant.sources.clone(),
            auth_method: by,
            csrf: None,
        }
    }
}

/// Why the token file is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccessError {
    #[error("cannot read the tokens {path}: {reason}")]
    Read {
        /// The token file.
        path: String,
        reason: String,
    },
    /// Everybody on the machine could write the file and so become an administrator.
    #[error("{path} is writable by everyone; run `chmod 600 {path}`")]
    Writable {
        /// Which file.
        path: String,
    },
    /// A line is invalid.
    #[error("{path}:{line}: {message}")]
    Line {
        /// Which file.
        path: String,
        line: usize,
        message: String,
    },
}

/// The tokens in use.
#[derive(Debug)]
pub struct AccessTokens {
    path: Option<PathBuf>,
    insecure: bool,
    state: Mutex<TokenState>,
}

#[derive(Debug, Default)]
struct TokenState {
    grants: Arc<Vec<TokenGrant>>,
    stamp: Option<TokenFileStamp>,
    fault: Option<AccessError>,
}

/// Changes whenever the file changes. The size and time alone would miss an edit within the clock's
/// resolution, or a file that was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct TokenFileStamp {
    device_and_inode: (u64, u64),
    size: u64,
    mode: u32,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl TokenFileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device_and_inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            mode: metadata.mode(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl AccessTokens {
    /// Reads the file. Without a file there are no tokens: everybody may read, and with `insecure`
    /// everybody may do everything.
    pub fn open(path: Option<&Path>, insecure: bool) -> Result<Self, AccessError> {
        let mut state = TokenState::default();
        if let Some(path) = path {
            let (grants, stamp) = read(path)?;
            state.grants = Arc::new(grants);
            state.stamp = Some(stamp);
        }
        Ok(Self {
            path: path.map(Path::to_owned),
            insecure,
            state: Mutex::new(state),
        })
    }

    pub fn by_token(&self, token: &str) -> Option<TokenGrant> {
        self.by_hash(&TokenHash::of(token))
    }

    /// Returns the grant of the token with this hash. All hashes are compared, so that the response
    /// time reveals nothing.
    pub(super) fn by_hash(&self, hash: &TokenHash) -> Option<TokenGrant> {
        // The clock of this moment: a token must not work until the file is read again after its
        // expiry.
        let now = Utc::now();
        let grants = self.grants();
        let mut found = None;
        for grant in grants.iter() {
            if grant.hash.constant_time_eq(hash) {
                found = Some(grant);
            }
        }
        found.filter(|grant| !grant.expired(now)).cloned()
    }

    /// The caller without a token; `None` if tokens are configured.
    pub fn anonymous_caller(&self) -> Option<Caller> {
        if self.path.is_some() {
            return None;
        }
        let role = if self.insecure {
            Role::Administrator
        } else {
            Role::Viewer
        };
        Some(Caller {
            name: "anyone".into(),
            role,
            sources: None,
            auth_method: AuthMethod::Anonymous,
            csrf: None,
        })
    }

    /// What is wrong with the file since it was last read successfully; the tokens read then stay
    /// in use.
    pub fn fault(&self) -> Option<AccessError> {
        self.refresh();
        self.lock().fault.clone()
    }

    fn grants(&self) -> Arc<Vec<TokenGrant>> {
        self.refresh();
        Arc::clone(&self.lock().grants)
    }

    /// Checks for a change on every request, so that a revoked token is refused at once.
    fn refresh(&self) {
        let Some(path) = &self.path else { return };
        let stamp = fs::metadata(path)
            .ok()
            .map(|metadata| TokenFileStamp::of(&metadata));
        let mut state = self.lock();
        if stamp == state.stamp {
            return;
        }
        // Before the file is read: a broken file is then reported once and not on every request.
        state.stamp = stamp;
        match read(path) {
            Ok((grants, stamp)) => {
                tracing::info!(tokens = grants.len(), "tokens reloaded");
                state.grants = Arc::new(grants);
                // Of the file that was read, which may be newer than the one looked at above.
                state.stamp = Some(stamp);
                state.fault = None;
            }
            Err(error) => {
                tracing::error!("{error}; the previous tokens stay in use");
                state.fault = Some(error);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TokenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<(Vec<TokenGrant>, TokenFileStamp), AccessError> {
    let shown = || path.display().to_string();
    let cannot = |error: std::io::Error| AccessError::Read {
        path: shown(),
        reason: error.to_string(),
    };
    let file = fs::File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    // The opened file is checked and not the path, which could point elsewhere by now.
    if metadata.mode() & 0o002 != 0 {
        return Err(AccessError::Writable { path: shown() });
    }
    // Only a warning: the file has hashes and no tokens, and some deployments mount it for a group.
    if metadata.mode() & 0o077 != 0 {
        tracing::warn!(
            "{} is readable by others than its owner; run `chmod 600` on it",
            shown()
        );
    }
    let text = std::io::read_to_string(file).map_err(cannot)?;
    let grants = token::parse(&text).map_err(|(line, message)| AccessError::Line {
        path: shown(),
        line,
        message,
    })?;
    Ok((grants, TokenFileStamp::of(&metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn write(path: &Path, text: &str) {
        fs::write(path, text).expect("the file");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    #[test]
    fn what_is_revoked_is_refused_at_once_and_a_broken_file_changes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens");
        let (ada, ada_token) =
            TokenGrant::create("ada", Role::Viewer, None, None).expect("a token");
        let (bob, bob_token) =
            TokenGrant::create("bob", Role::Operator, None, None).expect("a token");
        write(&path, &format!("{}\n{}\n", ada.line(), bob.line()));
        let access = AccessTokens::open(Some(&path), false).expect("valid");
        assert_eq!(
            access.by_token(&ada_token).map(|grant| grant.role),
            Some(Role::Viewer)
        );
        assert!(access.anonymous_caller().is_none());

        write(&path, &format!("{}\n", bob.line()));
        assert!(access.by_token(&ada_token).is_none());
        assert!(access.by_token(&bob_token).is_some());

        write(&path, "ada viewer\n");
        assert!(access.by_token(&bob_token).is_some());
        let fault = access.fault().expect("a fault").to_string();
        assert!(fault.contains("tokens:1: the hash is missing"), "{fault}");

        fs::remove_file(&path).expect("removed");
        assert!(access.by_token(&bob_token).is_some());
        assert!(matches!(access.fault(), Some(AccessError::Read { .. })));
        write(&path, &ada.line());
        assert!(access.fault().is_none() && access.by_token(&bob_token).is_none());
    }

    #[test]
    fn a_file_that_everybody_writes_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens");
        write(&path, "");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o602)).expect("its mode");
        let error = AccessTokens::open(Some(&path), false).expect_err("open to all");
        assert!(matches!(error, AccessError::Writable { .. }));
        assert!(AccessTokens::open(Some(&dir.path().join("none")), false).is_err());
    }

    #[test]
    fn what_has_expired_is_worth_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens");
        let past = token::parse_expiry("2020-01-01").ok();
        let (old, token) = TokenGrant::create("old", Role::Viewer, past, None).expect("a token");
        write(&path, &old.line());
        let access = AccessTokens::open(Some(&path), false).expect("valid");
        assert!(access.by_token(&token).is_none());
    }

    #[test]
    fn without_tokens_everybody_reads_and_insecurely_everybody_may_all() {
        let role = |insecure| {
            let access = AccessTokens::open(None, insecure).expect("no file");
            access.anonymous_caller().map(|caller| caller.role)
        };
        assert_eq!(role(false), Some(Role::Viewer));
        assert_eq!(role(true), Some(Role::Administrator));
    }
}
