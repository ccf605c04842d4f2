//! How much memory an input may take.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// What any input may take: the aliases of a document may come to 100,000 nodes.
const ANY: usize = 64 << 20;
/// What each byte of it may take on top.
const BYTE: usize = 16 << 10;

/// Runs a check, and panics when it took memory out of proportion to the input.
pub fn within(bytes: &[u8], check: fn(&[u8])) {
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    check(bytes);
    let taken = ALLOCATED.peak_usage().saturating_sub(before);
    let limit = ANY + BYTE * bytes.len();
    assert!(
        taken <= limit,
        "{} bytes took {taken}, more than {limit}",
        bytes.len()
    );
}
