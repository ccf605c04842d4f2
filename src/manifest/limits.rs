//! How large a source may be. Anything larger is either hostile or a wrong path, such as the root
//! of a disk. The limits are far above real directories and only keep the process within its
//! memory.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// How many files and folders a source may have.
pub const ENTRIES: usize = 500_000;
/// How deep folders may nest.
pub const DEPTH: usize = 64;
/// How many bytes all manifests of a commit may have.
pub const BYTES: u64 = 1 << 30;
/// How many errors the files of a source may have; with more, nothing of the source is used.
pub const ERRORS: usize = 100_000;
/// How many warnings and notes of one rule are kept per file.
pub const CALM: usize = 10_000;

/// Counts the errors in all files of one source, across threads.
#[derive(Debug, Default)]
pub struct ErrorBudget(AtomicUsize);

impl ErrorBudget {
    /// Counts one error; returns whether it is to be kept.
    pub fn add(&self) -> bool {
        self.0.fetch_add(1, Relaxed) < ERRORS
    }

    /// Whether there are more than are kept.
    pub fn too_many(&self) -> bool {
        self.0.load(Relaxed) > ERRORS
    }
}

/// The size of a source while it is listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct TreeSize {
    entries: usize,
    bytes: u64,
}

impl TreeSize {
    /// Counts a file or folder by its path below the root.
    pub fn add(&mut self, path: &[u8]) -> Result<(), String> {
        self.entries += 1;
        if self.entries > ENTRIES {
            return Err(format!("more than {ENTRIES} files and folders"));
        }
        let depth = memchr::memchr_iter(b'/', path).count();
        if depth > DEPTH {
            return Err(format!("folders are nested more than {DEPTH} deep"));
        }
        Ok(())
    }

    /// Counts the bytes of a manifest.
    pub fn add_bytes(&mut self, bytes: u64) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES {
            let most = BYTES >> 20;
            return Err(format!("the manifests are larger than {most} MiB"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named() {
        let mut extent = TreeSize::default();
        assert_eq!(extent.add(&b"a/".repeat(DEPTH)), Ok(()));
        let deep = extent.add(&b"a/".repeat(DEPTH + 1)).expect_err("deep");
        assert!(deep.contains("64 deep"), "{deep}");
        let many = (0..=ENTRIES).find_map(|_| extent.add(b"a").err());
        assert!(many.is_some_and(|many| many.contains("500000")));
        assert_eq!(extent.add_bytes(BYTES), Ok(()));
        let large = extent.add_bytes(1).expect_err("large");
        assert!(large.contains("1024 MiB"), "{large}");
    }
}
