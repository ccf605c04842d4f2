//! Leases: who reconciles which source. A lease is a row with an expiry and a token that only
//! grows. Expiry lets another replica take over; the token fences off a holder that was paused and
//! does not know it lost the lease. Start at `Store::acquire`; `Lease::ensure_held` is the check
//! inside an apply.

use super::connection::SqlTransaction;
use super::error::{ApplyError, StoreError};
use super::sql_value::{SqlType, SqlValue, iso};
use super::{Store, migrate};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rand::Rng;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a lease lasts without being renewed.
pub const TTL: Duration = Duration::from_secs(15);

/// The holder of a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseHolder {
    /// The actor or the daemon, for people to read.
    pub name: String,
    /// The host: only on the same host can a process tell whether another one is alive.
    pub host: String,
    /// The process on that host.
    pub pid: i64,
}

/// A lease that this process holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// What it covers: `source:NAME`.
    pub scope: String,
    /// Grows with every holder; an apply with an older one is refused.
    pub token: i64,
}

/// A lease as the database shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldLease {
    pub scope: String,
    pub holder: LeaseHolder,
    /// When it was acquired, in milliseconds since 1970.
    pub acquired_at: i64,
    /// When it expires unless it is renewed, in milliseconds since 1970.
    pub expires_at: i64,
}

impl fmt::Display for HeldLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is held by {} on {} (process {}) since {}; it expires at {} unless renewed",
            self.scope,
            self.holder.name,
            self.holder.host,
            self.holder.pid,
            iso(self.acquired_at),
            iso(self.expires_at)
        )
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it.
    #[error("{0}")]
    Timeout(Box<HeldLease>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const COLUMNS: &str = "scope, holder, host, pid, acquired_at, expires_at";
const TYPES: [SqlType; 6] = [
    SqlType::Id,
    SqlType::Text,
    SqlType::Text,
    SqlType::Int,
    SqlType::Int,
    SqlType::Int,
];

impl Store {
    /// Acquires a lease, waiting at most `timeout` for its holder. If the holder is a process of
    /// this host that no longer exists, its lease is taken over at once.
    pub async fn acquire(
        &self,
        scope: &str,
        holder: &LeaseHolder,
        timeout: Duration,
    ) -> Result<Lease, LeaseError> {
        let start = Instant::now();
        loop {
            let held = match self.try_acquire(scope, holder).await {
                Ok(Ok(lease)) => return Ok(lease),
                Ok(Err(held)) => Some(held),
                Err(error) if error.transient() => None,
                // The holder is inside an apply, which locks the lease row, or was paused there.
                Err(error) if error.is_lock_timeout() => self.current_holder(scope).await?,
                Err(error) => return Err(error.into()),
            };
            if let Some(held) = held.filter(|_| start.elapsed() >= timeout) {
                return Err(LeaseError::Timeout(Box::new(held)));
            }
            // A random pause keeps the waiting replicas from trying at the same moment again.
            let pause = Duration::from_millis(rand::rng().random_range(40..120));
            tokio::time::sleep(pause.min(timeout)).await;
        }
    }

    async fn try_acquire(
        &self,
        scope: &str,
        holder: &LeaseHolder,
    ) -> Result<Result<Lease, HeldLease>, StoreError> {
        let mut tx = self.begin_write("obtain the lease").await?;
        migrate::require_current(&mut tx).await?;
        let dialect = tx.dialect();
        // An apply keeps the row locked until it commits, which may take minutes. Waiting that long
        // without a word would hang the command.
        tx.script(dialect.set_lock_timeout).await?;
        // The clock of the database, because the clocks of two replicas may differ by more than a
        // lease lasts.
        let clock = tx.dialect().clock;
        // After `kill -9` nobody should have to wait for the expiry.
        let dead = self.dead_holder_pid(&mut tx, scope, holder).await?;
        // An expiry later than now + TTL was written before the clock was set back. Left as it is,
        // the lease would be held for that long.
        let sane = format!(
            "UPDATE leases SET expires_at = {clock} + ? WHERE scope = ? AND expires_at > {clock} + ?"
        );
        tx.run(&sane, &[ttl().into(), scope.into(), ttl().into()])
            .await?;
        let sql = format!(
            "INSERT INTO leases AS l (scope, holder, host, pid, token, acquired_at, expires_at) \
             VALUES (?, ?, ?, ?, 1, {clock}, {clock} + ?) \
             ON CONFLICT (scope) DO UPDATE SET holder = excluded.holder, host = excluded.host, \
             pid = excluded.pid, token = l.token + 1, acquired_at = excluded.acquired_at, \
             expires_at = excluded.expires_at \
             WHERE l.holder IS NULL OR l.expires_at < {clock} OR (l.host = ? AND l.pid = ?) \
             RETURNING token"
        );
        let params = [
            // The old pid is part of the condition: the row may have got a new holder since it was
            // read.
            scope.into(),
            holder.name.as_str().into(),
            holder.host.as_str().into(),
            holder.pid.into(),
            ttl().into(),
            holder.host.as_str().into(),
            dead.unwrap_or(-1).into(),
        ];
        let lease = match tx.first(&sql, &params, &[SqlType::Int]).await? {
            Some(cells) => Ok(Lease {
                scope: scope.to_owned(),
                token: cells[0].int(),
            }),
            None => Err(find_held_lease(&mut tx, scope)
                .await?
                .ok_or_else(|| tx.corrupt("a lease vanished"))?),
        };
        tx.commit().await?;
        Ok(lease)
    }

    /// Returns the holder of a lease without waiting for a lock.
    async fn current_holder(&self, scope: &str) -> Result<Option<HeldLease>, StoreError> {
        match self.begin_schema_read("read the lease").await? {
            Some(mut tx) => find_held_lease(&mut tx, scope).await,
            None => Ok(None),
        }
    }

    /// Returns the pid of the current holder if it ran on this host and no longer exists.
    async fn dead_holder_pid(
        &self,
        tx: &mut SqlTransaction,
        scope: &str,
        holder: &LeaseHolder,
    ) -> Result<Option<i64>, StoreError> {
        let present = find_held_lease(tx, scope).await?;
        let local = present.filter(|held| held.holder.host == holder.host);
        Ok(local
            .map(|held| held.holder.pid)
            .filter(|pid| is_process_gone(*pid)))
    }

    /// Renews a lease for another [`TTL`]; `false` if it was lost.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        let mut tx = self.begin_write("renew the lease").await?;
        let clock = tx.dialect().clock;
        let sql = format!(
            "UPDATE leases SET expires_at = {clock} + ? \
             WHERE scope = ? AND token = ? AND holder IS NOT NULL"
        );
        let params = [
            ttl().into(),
            lease.scope.as_str().into(),
            lease.token.into(),
        ];
        let renewed = tx.run(&sql, &params).await?;
        tx.commit().await?;
        Ok(renewed == 1)
    }

    /// Releases a lease.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.begin_write("give up the lease").await?;
        // The row stays: deleting it would start the token at 1 again, and an old holder might pass
        // the check.
        let sql = "UPDATE leases SET holder = NULL, expires_at = 0 WHERE scope = ? AND token = ?";
        tx.run(sql, &[lease.scope.as_str().into(), lease.token.into()])
            .await?;
        tx.commit().await
    }

    /// Takes a lease away from its holder, whose next apply is refused. `false` if nobody held it.
    pub async fn break_lease(&self, scope: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin_write("break the lease").await?;
        let sql = "UPDATE leases SET holder = NULL, expires_at = 0, token = token + 1 \
                   WHERE scope = ? AND holder IS NOT NULL";
        let broken = tx.run(sql, &[scope.into()]).await?;
        tx.commit().await?;
        Ok(broken > 0)
    }

    /// Returns every lease that is held, sorted by scope.
    pub async fn leases(&self) -> Result<Vec<HeldLease>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the leases").await? else {
            return Ok(Vec::new());
        };
        let sql = format!("SELECT {COLUMNS} FROM leases WHERE holder IS NOT NULL ORDER BY scope");
        let found = tx.fetch(&sql, &[], &TYPES).await?;
        Ok(found.into_iter().map(held_lease_from_row).collect())
    }
}

impl Lease {
    /// Checks, under the lock of an apply, that nobody has taken over the lease since.
    pub(super) async fn ensure_held(&self, tx: &mut SqlTransaction) -> Result<(), ApplyError> {
        // The expiry is not checked: as long as nobody took over, an expired lease still excludes
        // everybody else, and this row lock keeps it so until the commit.
        let sql = format!(
            "SELECT token FROM leases WHERE scope = ? AND token = ? AND holder IS NOT NULL{}",
            tx.dialect().for_update
        );
        let params = [self.scope.as_str().into(), self.token.into()];
        if tx.has_rows(&sql, &params).await? {
            return Ok(());
        }
        Err(ApplyError::Fenced {
            scope: self.scope.clone(),
        })
    }
}

fn ttl() -> i64 {
    i64::try_from(TTL.as_millis()).unwrap_or(i64::MAX)
}

async fn find_held_lease(
    tx: &mut SqlTransaction,
    scope: &str,
) -> Result<Option<HeldLease>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM leases WHERE scope = ?");
    let found = tx.first(&sql, &[scope.into()], &TYPES).await?;
    Ok(found.map(held_lease_from_row))
}

fn held_lease_from_row(mut cells: Vec<SqlValue>) -> HeldLease {
    HeldLease {
        scope: cells[0].take_text().into(),
        holder: LeaseHolder {
            name: cells[1].take_text().into(),
            host: cells[2].take_text().into(),
            pid: cells[3].int(),
        },
        acquired_at: cells[4].int(),
        expires_at: cells[5].int(),
    }
}

/// Whether a process of this host no longer exists. If that cannot be told, or another process has
/// the number by now, it counts as alive and its lease expires.
fn is_process_gone(pid: i64) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}
