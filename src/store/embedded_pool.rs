//! The connections to a SQLite file. sqlx takes one back in the background, and whoever needs one
//! in that moment is given a new one, which has to read the whole schema. A command runs a dozen
//! transactions one after the other, so here the first connection is waited for, and others are
//! opened only beside one that is in use. Start at `EmbeddedPool::begin`.

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Sqlite, SqlitePool, Transaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a connection keeps of the file, in KiB. The system keeps it too, and a daemon has several
/// connections; a large apply takes more while it writes.
const CACHE: &str = "-8192";

#[derive(Clone, Debug)]
pub(super) struct EmbeddedPool {
    /// A single connection.
    first: SqlitePool,
    /// Those that are opened while the first is in use.
    others: SqlitePool,
    is_first_used: Arc<AtomicBool>,
}

/// The use of the first connection; dropped after what it is used for.
pub(super) struct FirstConnectionUse(Arc<AtomicBool>);

impl EmbeddedPool {
    /// Opens the first connection.
    pub(super) async fn connect(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let options = options.pragma("cache_size", CACHE);
        Ok(Self {
            first: pool_of(1).connect_with(options.clone()).await?,
            others: pool_of(3).connect_lazy_with(options),
            is_first_used: Arc::default(),
        })
    }

    pub(super) async fn begin(
        &self,
        begin: &'static str,
    ) -> Result<(Transaction<'static, Sqlite>, Option<FirstConnectionUse>), sqlx::Error> {
        let (pool, first) = self.free();
        Ok((pool.begin_with(begin).await?, first))
    }

    /// The pool to take a connection from, which is the first one until the second value is
    /// dropped.
    pub(super) fn free(&self) -> (&SqlitePool, Option<FirstConnectionUse>) {
        if self.is_first_used.swap(true, Ordering::AcqRel) {
            return (&self.others, None);
        }
        let first = FirstConnectionUse(Arc::clone(&self.is_first_used));
        (&self.first, Some(first))
    }

    pub(super) fn options(&self) -> SqliteConnectOptions {
        (*self.first.connect_options()).clone()
    }

    pub(super) async fn close(&self) {
        // SQLite folds the log into the file with the last connection.
        self.others.close().await;
        self.first.close().await;
    }
}

impl Drop for FirstConnectionUse {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn pool_of(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .after_release(|connection, _| {
            Box::pin(async move {
                // SQLite ends a transaction on its own when the disk is full or with `OR ROLLBACK`,
                // but sqlx then believes it is still open. Such a connection must not be used
                // again. What an apply took of the cache is given back.
                let cache = format!("PRAGMA cache_size = {CACHE}");
                connection.execute(AssertSqlSafe(cache)).await?;
                Ok(!connection.is_in_transaction())
            })
        })
}
