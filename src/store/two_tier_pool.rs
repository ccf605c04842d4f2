//! A pool that uses its first connection again. sqlx takes a connection back in the background, and
//! whoever needs one in that moment is given a new one: SQLite has to read the whole schema for it,
//! and PostgreSQL has to start a process. A command runs a dozen transactions one after the other, so
//! here the first connection is waited for, and others are opened only beside one that is in use.
//! Start at [`TwoTierPool::begin`].

use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{Connection, Database, Pool, Transaction};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection that is being taken back is waited for.
const TAKING_BACK: Duration = Duration::from_millis(200);

pub(super) struct TwoTierPool<DB: Database> {
    /// A single connection.
    first: Pool<DB>,
    /// Those that are opened while the first is in use.
    others: Pool<DB>,
    is_first_used: Arc<AtomicBool>,
}

/// The use of the first connection; dropped after what it is used for.
pub(super) struct FirstConnectionUse(Arc<AtomicBool>);

/// A transaction, and whether it uses the first connection.
pub(super) type BegunTransaction<DB> = (Transaction<'static, DB>, Option<FirstConnectionUse>);
type ConnectOptions<DB> = <<DB as Database>::Connection as Connection>::Options;

impl<DB: Database> TwoTierPool<DB> {
    /// A pool of up to `connections`; none is opened yet.
    pub(super) fn new(
        pool_options: impl Fn() -> PoolOptions<DB>,
        connections: u32,
        options: ConnectOptions<DB>,
    ) -> Self {
        let pool = |connections| pool_options().max_connections(connections);
        Self {
            first: pool(1).connect_lazy_with(options.clone()),
            others: pool(connections - 1).connect_lazy_with(options),
            is_first_used: Arc::default(),
        }
    }

    /// Opens the first connection now, which shows whether the database can be used.
    pub(super) async fn connect(&self) -> Result<PoolConnection<DB>, sqlx::Error> {
        self.first.acquire().await
    }

    pub(super) async fn begin(
        &self,
        begin: &'static str,
    ) -> Result<BegunTransaction<DB>, sqlx::Error> {
        let (pool, first) = self.free();
        Ok((pool.begin_with(begin).await?, first))
    }

    /// Begins a transaction whose `begin` waits for no lock. The first connection may still be busy
    /// with a query that nobody waits for any more; then another one is used.
    pub(super) async fn begin_promptly(
        &self,
        begin: &'static str,
    ) -> Result<BegunTransaction<DB>, sqlx::Error> {
        let (pool, first) = self.free();
        let is_taken_back = first.is_some() && pool.size() > 0 && pool.num_idle() == 0;
        if !is_taken_back {
            return Ok((pool.begin_with(begin).await?, first));
        }
        match timeout(TAKING_BACK, pool.begin_with(begin)).await {
            Ok(begun) => Ok((begun?, first)),
            Err(_) => Ok((self.others.begin_with(begin).await?, None)),
        }
    }

    /// The pool to take a connection from, which is the first one until the second value is
    /// dropped.
    pub(super) fn free(&self) -> (&Pool<DB>, Option<FirstConnectionUse>) {
        if self.is_first_used.swap(true, Ordering::AcqRel) {
            return (&self.others, None);
        }
        let first = FirstConnectionUse(Arc::clone(&self.is_first_used));
        (&self.first, Some(first))
    }

    pub(super) fn options(&self) -> ConnectOptions<DB> {
        (*self.first.connect_options()).clone()
    }

    pub(super) async fn close(&self) {
        // SQLite folds the log into the file with the last connection.
        self.others.close().await;
        self.first.close().await;
    }
}

// Derived, it would ask the same of the engine.
impl<DB: Database> Clone for TwoTierPool<DB> {
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            others: self.others.clone(),
            is_first_used: Arc::clone(&self.is_first_used),
        }
    }
}

impl<DB: Database> fmt::Debug for TwoTierPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoTierPool")
            .field("first", &self.first)
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}

impl Drop for FirstConnectionUse {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
