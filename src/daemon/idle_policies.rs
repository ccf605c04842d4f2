//! The policies that nobody can act on, for the home page. Of a few policies, every request looks for
//! them. Of many, that would take longer than the whole page, so the page shows what was found a
//! short time ago, and they are looked for again in the background.

use super::blocking::run_blocking;
use crate::document::DiagnosticState;
use crate::store::{Store, StoreError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The number of policies named that nobody can act on.
const MAX_NAMED: u32 = 20;
/// Up to how many policies every request looks for them.
const FEW: u32 = 500;
/// How old what is shown of many may be when it is looked for again.
const MAX_AGE: Duration = Duration::from_secs(20);

/// What is known of the policies that nobody can act on.
#[derive(Debug, Default)]
pub struct IdlePolicyWatch(Arc<Mutex<LastLook>>);

#[derive(Debug, Default)]
struct LastLook {
    found: Vec<DiagnosticState>,
    ended: Option<Instant>,
    under_way: bool,
}

impl IdlePolicyWatch {
    /// The policies as diagnostics. Of many, none before the first look has ended.
    pub(super) async fn diagnostics(
        &self,
        store: &Store,
    ) -> Result<Vec<DiagnosticState>, StoreError> {
        if !store.has_more_policies_than(FEW).await? {
            return look(store).await;
        }
        let mut last = lock(&self.0);
        let is_old = last.ended.is_none_or(|ended| ended.elapsed() > MAX_AGE);
        if is_old && !last.under_way {
            last.under_way = true;
            tokio::spawn(look_again(Arc::clone(&self.0), store.clone()));
        }
        Ok(last.found.clone())
    }
}

async fn look_again(last: Arc<Mutex<LastLook>>, store: Store) {
    let found = run_blocking(move || async move { look(&store).await }).await;
    let mut last = lock(&last);
    last.under_way = false;
    last.ended = Some(Instant::now());
    match found {
        Ok(Ok(found)) => last.found = found,
        Ok(Err(error)) => tracing::warn!("the policies cannot be read: {error}"),
        Err(error) => tracing::warn!("the policies cannot be read: {error}"),
    }
}

fn lock(last: &Mutex<LastLook>) -> MutexGuard<'_, LastLook> {
    // What a panicking holder left is still what was found.
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look(store: &Store) -> Result<Vec<DiagnosticState>, StoreError> {
    let (count, idle) = store.idle_policies(None, MAX_NAMED).await?;
    let mut found: Vec<DiagnosticState> = idle.iter().map(DiagnosticState::from).collect();
    let more = count.saturating_sub(u64::from(MAX_NAMED));
    if let (1.., Some(last)) = (more, found.last_mut()) {
        last.message = format!("{}; the same applies to {more} more", last.message);
    }
    Ok(found)
}
