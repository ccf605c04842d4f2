//! PostgreSQL on one of several hosts. sqlx connects to a single host, so this finds the server
//! that can be used, for a writer the primary, and looks again after a failover. Start at
//! `PostgresServers::begin`.

use super::access::{StoreAccess, redacted};
use super::error::{SqlFault, StoreError};
use super::two_tier_pool::{BegunTransaction, TwoTierPool};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, Postgres};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a writer waits for a connection to the only server.
const BUSY: Duration = Duration::from_secs(10);
/// How long one of several servers may take to answer before the next one is tried.
const ANSWER: Duration = Duration::from_secs(3);
/// How long the only server may take to accept a connection before it is asked why it does not.
const PROMPT: Duration = Duration::from_millis(300);
/// The pause before a server that is still starting is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// The servers in a URL, and connections to the one in use.
#[derive(Clone, Debug)]
pub(super) struct PostgresServers {
    url: String,
    access: StoreAccess,
    all: Arc<Vec<PgConnectOptions>>,
    pool: Arc<RwLock<TwoTierPool<Postgres>>>,
}

impl PostgresServers {
    /// Connects to the first usable server.
    pub(super) async fn open(url: &str, access: StoreAccess) -> Result<Self, StoreError> {
        let urls = each_host(url).into_iter();
        let all: Result<Vec<_>, _> = urls.map(|url| options(&url, access)).collect();
        let all = all.map_err(|source| StoreError::Open {
            url: redacted(url),
            source: SqlFault(source).into(),
        })?;
        let pool = connect(&all, access).await;
        let pool = pool.map_err(|unreached| StoreError::Open {
            url: unreached.login.clone(),
            source: unreached.into(),
        })?;
        Ok(Self {
            url: redacted(url),
            access,
            all: Arc::new(all),
            pool: Arc::new(RwLock::new(pool)),
        })
    }

    /// Begins a transaction on the current server, or on the one that has replaced it.
    pub(super) async fn begin(
        &self,
        begin: &'static str,
    ) -> Result<BegunTransaction<Postgres>, sqlx::Error> {
        match self.try_begin(begin).await {
            Err(error) if self.all.len() > 1 && is_connection_lost(&error) => {
                tracing::info!("{}: {error}; trying another server", self.url);
                self.switch_server().await?;
                self.try_begin(begin).await
            }
            // The pool reports only a timeout; the server says why.
            Err(sqlx::Error::PoolTimedOut) => {
                match find_usable_server(&self.all, self.access).await {
                    Ok(_) => Err(sqlx::Error::PoolTimedOut),
                    Err(why) => Err(why.into()),
                }
            }
            other => other,
        }
    }

    async fn try_begin(
        &self,
        begin: &'static str,
    ) -> Result<BegunTransaction<Postgres>, sqlx::Error> {
        let (mut tx, first) = self.pool().begin_promptly(begin).await?;
        // After a switchover the old primary accepts connections as a replica. Writing would fail
        // in the middle of an apply.
        if self.all.len() > 1 && self.access == StoreAccess::Write && replica(&mut tx).await? {
            // Treated like a lost connection by the caller, which then looks for the primary.
            return Err(sqlx::Error::PoolClosed);
        }
        Ok((tx, first))
    }

    /// Finds the usable server and replaces the pool.
    async fn switch_server(&self) -> Result<(), sqlx::Error> {
        let found = find_usable_server(&self.all, self.access).await?;
        let new = pool(&self.all, self.access, found);
        let mut current = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        *current = new;
        Ok(())
    }

    fn pool(&self) -> TwoTierPool<Postgres> {
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        pool.clone()
    }

    pub(super) async fn close(&self) {
        self.pool().close().await;
    }
}

fn options(url: &str, access: StoreAccess) -> Result<PgConnectOptions, sqlx::Error> {
    let only = if access == StoreAccess::Read {
        "on"
    } else {
        "off"
    };
    Ok(PgConnectOptions::from_str(url)?
        .application_name("roster")
        // Row-level security hides rows silently, and a hidden row looks deleted. With this setting
        // the query fails instead.
        .options([
            ("default_transaction_read_only", only),
            ("row_security", "off"),
        ]))
}

fn pool(
    all: &[PgConnectOptions],
    access: StoreAccess,
    server: PgConnectOptions,
) -> TwoTierPool<Postgres> {
    let wait = answer_timeout(all);
    // A daemon serves readers beside its passes.
    let connections = if access == StoreAccess::Write { 8 } else { 4 };
    let options = || PgPoolOptions::new().acquire_timeout(wait);
    TwoTierPool::new(options, connections, server)
}

/// A pool of connections to the first usable server. A pool keeps retrying a refused connection and
/// then reports only that it timed out, so servers are probed. The only server is probed if it does
/// not answer at once: each connection costs it a process.
async fn connect(
    all: &[PgConnectOptions],
    access: StoreAccess,
) -> Result<TwoTierPool<Postgres>, UnreachableServers> {
    if let [only] = all {
        let pool = pool(all, access, only.clone());
        let usable = timeout(PROMPT, async {
            let mut connection = pool.connect().await?;
            is_usable(&mut connection, access).await
        });
        if let Ok(Ok(true)) = usable.await {
            return Ok(pool);
        }
    }
    let found = find_usable_server(all, access).await?;
    Ok(pool(all, access, found))
}

/// How long a server may take to answer.
fn answer_timeout(all: &[PgConnectOptions]) -> Duration {
    if all.len() > 1 { ANSWER } else { BUSY }
}

/// Why no server could be used, with each server's answer.
#[derive(Debug)]
struct UnreachableServers {
    /// The database and the user, without the password.
    login: String,
    /// Every server that was tried, with its answer.
    attempts: Vec<String>,
}

impl fmt::Display for UnreachableServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempts.join("; "))
    }
}

impl std::error::Error for UnreachableServers {}

impl From<UnreachableServers> for sqlx::Error {
    fn from(why: UnreachableServers) -> Self {
        Self::Io(std::io::Error::other(why))
    }
}

impl UnreachableServers {
    fn of(all: &[PgConnectOptions]) -> Self {
        let login = all.first().map(|options| {
            let user = options.get_username();
            let database = options.get_database().unwrap_or(user);
            format!("{database} as user {user}")
        });
        Self {
            login: login.unwrap_or_default(),
            attempts: Vec::new(),
        }
    }

    fn add(&mut self, options: &PgConnectOptions, why: &dyn fmt::Display) {
        let host = match options.get_socket() {
            Some(socket) => format!("socket {}", socket.display()),
            None => format!("host {}", options.get_host()),
        };
        let port = options.get_port();
        self.attempts.push(format!("{host}, port {port}: {why}"));
    }
}

/// Returns the first server that answers and, for a writer, is not a replica.
async fn find_usable_server(
    all: &[PgConnectOptions],
    access: StoreAccess,
) -> Result<PgConnectOptions, UnreachableServers> {
    let wait = answer_timeout(all);
    let mut unreached = UnreachableServers::of(all);
    for options in all {
        match probe_until(options, access, wait).await {
            Some(Ok(true)) => return Ok(options.clone()),
            Some(Ok(false)) => unreached.add(options, &"a read-only replica"),
            Some(Err(error)) => unreached.add(options, &SqlFault(error)),
            None => {
                let why = format!("no answer within {} s", wait.as_secs());
                unreached.add(options, &why);
            }
        }
    }
    Err(unreached)
}

/// Asks a server until a deadline; one that is starting or has no free connection is asked again.
async fn probe_until(
    options: &PgConnectOptions,
    access: StoreAccess,
    wait: Duration,
) -> Option<Result<bool, sqlx::Error>> {
    let until = Instant::now() + wait;
    loop {
        let asked = timeout_at(until, probe(options, access)).await.ok()?;
        let busy = matches!(&asked, Err(error) if is_starting(error));
        if !busy || Instant::now() + AGAIN > until {
            return Some(asked);
        }
        sleep(AGAIN).await;
    }
}

/// Whether the server is there but does not accept connections yet.
fn is_starting(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    // Too many connections, or still starting up.
    code.is_some_and(|code| code == "53300" || code == "57P03")
}

async fn probe(options: &PgConnectOptions, access: StoreAccess) -> Result<bool, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let fits = is_usable(&mut connection, access).await?;
    // Whether or not the goodbye arrives, the server drops the connection.
    let _ = connection.close().await;
    Ok(fits)
}

async fn is_usable(
    connection: &mut PgConnection,
    access: StoreAccess,
) -> Result<bool, sqlx::Error> {
    Ok(access == StoreAccess::Read || !replica(connection).await?)
}

/// Whether a server is a read-only replica.
async fn replica(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(connection)
        .await
}

/// Whether the server is gone, shutting down, or no longer the primary.
fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // Read-only transaction: it became a replica. The classes are connection failures,
            // shutdowns and exhausted resources.
            code == "25006"
                || ["08", "57P", "53"]
                    .iter()
                    .any(|class| code.starts_with(class))
        }
        _ => false,
    }
}

/// One URL per host of `postgres://login@a:5432,b:5433/name?…`.
fn each_host(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.to_owned()];
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(end);
    let (login, hosts) = match place.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), place),
    };
    let each = hosts.split(',');
    each.map(|host| format!("{scheme}://{login}{host}{path}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_a_url_of_its_own() {
        assert_eq!(
            each_host("postgres://eva:p%2Cw@a,b:5433,[::1]:5434/shop?sslmode=require"),
            [
                "postgres://eva:p%2Cw@a/shop?sslmode=require",
                "postgres://eva:p%2Cw@b:5433/shop?sslmode=require",
                "postgres://eva:p%2Cw@[::1]:5434/shop?sslmode=require",
            ]
        );
        assert_eq!(each_host("postgres:///shop"), ["postgres:///shop"]);
    }
}
