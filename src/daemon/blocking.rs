//! Runs work that reads files, computes or talks to the database off the async threads, so that
//! requests and timers are not delayed by it.

use tokio::runtime::Handle;

/// Runs `work` on a blocking thread, where it may compute for as long as it needs. If it panics,
/// only this call fails, with an internal error.
pub(super) async fn run_blocking<T, F>(
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    // The work is async because the database is, yet it also reads large trees and compares them
    // without ever yielding. On a worker thread of the runtime that would stall every request.
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || runtime.block_on(work())).await;
    done.map_err(|error| format!("internal error: {error}"))
}
