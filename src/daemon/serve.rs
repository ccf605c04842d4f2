//! The process of the daemon: `serve` opens the database, starts the HTTP server and one worker per
//! source, and ends them in order. On SIGHUP the workers stop, the configuration is read again, and
//! new workers start; the server and the database connection stay. If the new configuration is
//! invalid, the old one goes on.

use super::api;
use super::counters::ReplicaCounters;
use super::handle::{DaemonHandle, DaemonParts};
use super::idle_policies::IdlePolicyWatch;
use super::login_guard::LoginGuard;
use super::outbox::NoticeOutbox;
use super::page;
use super::pass::PassRunner;
use super::pass_turns::PassTurns;
use super::push::{ImportReplies, PushOriginals};
use super::readiness::{ReadinessProbe, UnwritableSources};
use super::setup::{CurrentSetup, DaemonSetup};
use super::signals::{ControlSignal, SignalListener};
use super::source_waits::SourceWaits;
use super::systemd;
use super::view::StatusBoard;
use super::watcher;
use super::worker;
use crate::config::{Config, ConfigError, ServeConfig};
use crate::diagnostic::chain;
use crate::http::access::AccessError;
use crate::http::rate::RateLimiter;
use crate::http::{self, HttpServer, RequestGate, RouteAddress, ServerError};
use crate::reconcile::{self, PassError};
use crate::store::{Store, StoreError};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long a running pass may take to end when the process is asked to stop.
const GRACE: Duration = Duration::from_mins(1);
/// The pause between attempts to open the database, and before failed workers are restarted.
const OPEN_RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// What can keep the daemon from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server cannot be opened.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The tokens cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A notice has no valid target.
    #[error("{0}")]
    Notices(String),
    /// The database is not one that this release and configuration can write to.
    #[error(transparent)]
    Database(#[from] PassError),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Runs until the process is asked to stop. `load` reads the configuration, again on SIGHUP.
pub async fn serve(load: impl Fn() -> Result<Config, ConfigError>) -> Result<(), ServeError> {
    // First, because the default action of SIGHUP and SIGTERM would kill the process while it waits
    // for the database.
    let mut signals = SignalListener::new()?;
    let config = load()?;
    let Some(store) = open(&config, &mut signals).await? else {
        return Ok(());
    };
    let setup = DaemonSetup::new(config).map_err(ServeError::Notices)?;
    let (runner, parts) = assemble(store, setup);
    let server = start_http_server(parts)?;
    // Only now can requests be answered. Systemd starts the units that depend on this one.
    systemd::ready();
    let watchdog = systemd::watchdog(Arc::clone(&runner.current), server.serving.abort_handle());
    let watchdog = tokio::spawn(watchdog);
    loop {
        // Every source is checked after a start or a reload: its rules may be new, and what
        // happened while nobody ran is unknown. Requested before the workers begin, because one
        // whose first pass is under way by its own timer would make a second.
        runner.current.request_all_passes("start");
        let mut team = WorkerTasks::spawn(&runner);
        let mut asked = tokio::select! {
            asked = signals.next() => asked,
            // A panic in a worker restarts all of them from a fresh configuration; the state is in
            // the database.
            () = team.wait_for_failure() => ControlSignal::Reload,
        };
        systemd::notify_signal(asked);
        let mut dismissed = std::pin::pin!(team.shut_down());
        while asked == ControlSignal::Reload {
            tokio::select! {
                () = &mut dismissed => break,
                // A reload may wait a minute for a pass. A stop that comes meanwhile must win.
                then = signals.next() => {
                    asked = then;
                    systemd::notify_signal(asked);
                }
            }
        }
        if asked == ControlSignal::End {
            dismissed.await;
            break;
        }
        reload(&runner.current, &load);
        systemd::ready();
    }
    watchdog.abort();
    // The server ends after the workers, so that status and `/readyz` answer while the last pass
    // ends, and before the database, which its requests use.
    server.close().await;
    runner.store.close().await;
    Ok(())
}

/// Builds what passes and what requests need. Both share most parts.
fn assemble(store: Store, setup: DaemonSetup) -> (Arc<PassRunner>, DaemonParts) {
    let replica: Arc<str> = replica().into();
    let current = Arc::new(CurrentSetup::new(setup));
    let counters = ReplicaCounters::default();
    let unwritable = Arc::new(UnwritableSources::default());
    let turns = Arc::new(PassTurns::default());
    let replies = Arc::new(ImportReplies::default());
    let originals = Arc::new(PushOriginals::default());
    let parts = DaemonParts {
        board: StatusBoard {
            replica: Arc::clone(&replica),
            store: store.clone(),
            current: Arc::clone(&current),
            idle_policies: IdlePolicyWatch::default(),
        },
        current: Arc::clone(&current),
        counters: counters.clone(),
        turns: Arc::clone(&turns),
        replies: Arc::clone(&replies),
        originals: Arc::clone(&originals),
        readiness: ReadinessProbe::new(store.clone(), Arc::clone(&unwritable)),
        seen_deliveries: Mutex::default(),
        wrong_links: RateLimiter::for_wrong_secrets(),
        logins: LoginGuard::default(),
        store: store.clone(),
    };
    let runner = PassRunner {
        outbox: Arc::new(NoticeOutbox::new(store.clone())),
        store,
        replica,
        current,
        counters,
        unwritable,
        waits: SourceWaits::default(),
        turns,
        replies,
        originals,
    };
    (Arc::new(runner), parts)
}

/// The running HTTP server.
struct HttpServerTask {
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServerError>>,
}

impl HttpServerTask {
    async fn close(self) {
        self.stop.cancel();
        match self.serving.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("{}", chain(&error)),
            Err(error) => tracing::error!("the server stopped: {error}"),
        }
    }
}

fn start_http_server(parts: DaemonParts) -> Result<HttpServerTask, ServeError> {
    let setup = parts.current.get();
    let counted = parts.counters.clone();
    let gate = |serve: &ServeConfig| -> Result<_, ServeError> {
        let (gate, counted) = (RequestGate::new(serve)?, counted.clone());
        let gate = gate.with_observer(move |answered| counted.count_request(answered));
        Ok(Arc::new(gate.with_page(page::problem)))
    };
    let (serve, stop) = (&setup.config.serve, CancellationToken::new());
    let scheme = if serve.tls.is_some() { "https" } else { "http" };
    let handle = DaemonHandle::new(parts);
    let routes = |gate: &Arc<RequestGate>| {
        let mut routes = api::routes();
        routes.extend(page::routes(gate));
        routes
    };
    let own = gate(serve)?;
    // After the gate: a server without valid tokens must not listen at all.
    let server = HttpServer::bind(serve)?;
    let address = server.address();
    let Some(customers) = serve.for_customers() else {
        tracing::info!("listening at {scheme}://{address}");
        let app = http::app(routes(&own), &own, handle);
        let serving = tokio::spawn(server.run(app, stop.clone()));
        return Ok(HttpServerTask { stop, serving });
    };
    // Limits and host names of its own: what customers do must not use up what operators have.
    let theirs = gate(&customers)?;
    let customer_server = HttpServer::bind(&customers)?;
    let customer_address = customer_server.address();
    tracing::info!("customers reach it at {scheme}://{customer_address}");
    tracing::info!("listening at {scheme}://{address}");
    let app_at =
        |place, gate: &Arc<RequestGate>| http::app_at(place, routes(gate), gate, handle.clone());
    let running = server.run(app_at(RouteAddress::Operators, &own), stop.clone());
    let customer_app = app_at(RouteAddress::Customers, &theirs);
    let customers_running = customer_server.run(customer_app, stop.clone());
    let both = async { tokio::try_join!(running, customers_running).map(|_| ()) };
    let serving = tokio::spawn(both);
    Ok(HttpServerTask { stop, serving })
}

/// Opens the database and retries while it is unreachable. `None` if the process is asked to stop.
async fn open(config: &Config, signals: &mut SignalListener) -> Result<Option<Store>, ServeError> {
    loop {
        let opened = tokio::select! {
            opened = reconcile::writer_or_new(config) => opened,
            asked = signals.next() => match asked {
                ControlSignal::End => return Ok(None),
                ControlSignal::Reload => continue,
            },
        };
        match opened {
            Ok(opened) => {
                if let Some(absent) = &opened.absent {
                    tracing::info!("{absent}; creating it");
                }
                return Ok(Some(opened.store));
            }
            Err(PassError::Store(error)) if is_unreachable(&error) => {
                tracing::warn!("{}; retrying", chain(&error));
                // Waiting is not hanging. Without this, systemd would end the start after its
                // timeout.
                systemd::starting();
            }
            // Other errors, such as a schema of a newer release, do not pass by waiting.
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(OPEN_RETRY_INTERVAL) => {}
            asked = signals.next() => if asked == ControlSignal::End { return Ok(None) },
        }
    }
}

/// Whether a later attempt may find the database.
fn is_unreachable(error: &StoreError) -> bool {
    matches!(error, StoreError::Open { .. } | StoreError::Sql { .. })
}

fn reload(current: &CurrentSetup, load: &impl Fn() -> Result<Config, ConfigError>) {
    let read = load().map_err(ServeError::from);
    let read = read.and_then(|config| DaemonSetup::new(config).map_err(ServeError::Notices));
    match read {
        Ok(setup) => {
            // The store is shared with the server and with notices, so it is not replaced while the
            // process runs.
            if setup.config.database != current.get().config.database {
                tracing::warn!(
                    "the database changed in the configuration; restart the daemon to use it"
                );
            }
            // Replaced before the triggers move: a request in between reaches the new worker, and
            // none can be left behind in the old one afterwards.
            let before = current.replace(setup);
            hand_over_triggers(&before, &current.get());
            current.set_reload_error(None);
            tracing::info!("configuration reloaded");
        }
        Err(error) => {
            let why = chain(&error);
            tracing::error!(
                "the configuration could not be reloaded; the previous one is in use: {why}"
            );
            current.set_reload_error(Some(why));
        }
    }
}

/// Requests from the new workers the passes that were requested but not begun.
fn hand_over_triggers(before: &DaemonSetup, after: &DaemonSetup) {
    for (source, worker) in &before.workers {
        let Some(next) = after.workers.get(source) else {
            continue;
        };
        let triggers = worker.take_triggers();
        triggers
            .iter()
            .for_each(|trigger| next.request_pass(trigger));
    }
}

/// The workers under one configuration.
struct WorkerTasks {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl WorkerTasks {
    fn spawn(runner: &Arc<PassRunner>) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let setup = runner.current.get();
        for worker in setup.workers.values() {
            // Each gets the setup it was started with. A reload in the middle of a pass must not
            // change its rules.
            let at_work = worker::run_worker(
                Arc::clone(runner),
                Arc::clone(&setup),
                Arc::clone(worker),
                stop.clone(),
            );
            tasks.spawn(at_work);
        }
        let outbox = Arc::clone(&runner.outbox);
        let (delivering, ended) = (Arc::clone(&setup), stop.clone());
        tasks.spawn(async move { outbox.deliver(&delivering, &ended).await });
        tasks.spawn(watcher::watch(setup, stop.clone()));
        Self { stop, tasks }
    }

    /// Waits until a worker ends by a panic.
    async fn wait_for_failure(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!("a worker failed, restarting all workers: {error}");
                // A worker that fails at once would otherwise restart without pause.
                tokio::time::sleep(OPEN_RETRY_INTERVAL).await;
                return;
            }
        }
        // All tasks may end by themselves, as without sources or notices. That is no failure.
        std::future::pending::<()>().await;
    }

    /// Lets running passes end, or rolls them back after a minute.
    async fn shut_down(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("a pass did not end in time and is rolled back");
            self.tasks.shutdown().await;
        }
    }
}

/// The host and process id, which identify this replica.
fn replica() -> String {
    let holder = reconcile::this_process();
    format!("{}:{}", holder.host, holder.pid)
}
