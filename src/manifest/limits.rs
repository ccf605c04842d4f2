//! Upper bounds for a source: entries, depth, bytes and errors. They are above any real directory,
//! also one in which a million accounts have a folder each. A source beyond them is an attack or a
//! wrong path.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// The most files and folders of a source.
const ENTRIES: usize = 2_500_000;
/// The deepest nesting of folders.
pub const DEPTH: usize = 64;
/// The most bytes of all manifests of a commit.
const BYTES: u64 = 1 << 30;
/// The most errors of a source. Beyond it nothing of the source is used.
pub const ERRORS: usize = 100_000;
/// The most warnings and notes of one code that are kept per file.
pub const CALM: usize = 10_000;

/// Counts the errors of one source across the threads that read its files.
#[derive(Debug, Default)]
pub struct ErrorBudget(AtomicUsize);

impl ErrorBudget {
    /// Counts one error and returns whether to keep it.
    pub fn add(&self) -> bool {
        // Only the total matters and no other memory depends on it, so `Relaxed` is enough.
        self.0.fetch_add(1, Relaxed) < ERRORS
    }

    /// Whether the source has more errors than are kept.
    pub fn too_many(&self) -> bool {
        self.0.load(Relaxed) > ERRORS
    }
}

/// The running totals while a source is listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct TreeSize {
    entries: usize,
    bytes: u64,
}

impl TreeSize {
    /// Counts one file or folder, by its path below the root.
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

    /// Counts the bytes of one manifest.
    pub fn add_bytes(&mut self, bytes: u64) -> Result<(), String> {
        // Sizes come from the repository and may be absurd; an overflow must not wrap below the
        // limit.
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
        extent.entries = ENTRIES - 1;
        assert_eq!(extent.add(b"a"), Ok(()));
        let many = extent.add(b"a").expect_err("many");
        assert!(many.contains("2500000"), "{many}");
        assert_eq!(extent.add_bytes(BYTES), Ok(()));
        let large = extent.add_bytes(1).expect_err("large");
        assert!(large.contains("1024 MiB"), "{large}");
    }
}
