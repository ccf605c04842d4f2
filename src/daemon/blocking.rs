//! Work that reads, computes and writes, on a thread of its own.

use tokio::runtime::Handle;

/// Runs something that reads, computes and writes on a thread of its own, so that nothing else waits
/// for it. A panic ends it alone.
pub(super) async fn run_blocking<T, F>(
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || runtime.block_on(work())).await;
    done.map_err(|error| format!("internal error: {error}"))
}
