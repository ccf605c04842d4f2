//! What a source was read at: a git commit, or a digest of its content.

/// How many characters of a revision are shown: as many as tell commits apart.
pub const SHORT_REVISION: usize = 12;

/// Whether a revision is a full id of a git commit. Content digests are shorter.
#[must_use]
pub fn is_commit(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}
