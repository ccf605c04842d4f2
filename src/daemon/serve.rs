//! The process: opens the database, employs a worker a source, and ends in order.

use super::api;
use super::counters::ReplicaCounters;
use super::handle::{DaemonHandle, DaemonParts};
use super::outbox::Notifier;
use super::page;
use super::pass::PassRunner;
use super::pass_turns::PassTurns;
use super::push::ImportReplies;
use super::readiness::{ReadinessProbe, UnwritableSources};
use super::setup::{CurrentSetup, DaemonSetup};
use super::signals::{ControlSignal, SignalListener};
use super::source_waits::SourceWaits;
use super::systemd;
use super::view::StatusBoard;
use super::watcher;
use super::worker;
use crate::config::{Config, ConfigError};
use crate::diagnostic::chain;
use crate::http::access::AccessError;
use crate::http::{self, HttpServer, RequestGate, ServerError};
use crate::reconcile::{self, PassError};
use crate::store::{Store, StoreError};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long a pass under way may take to end once the process is asked to.
const GRACE: Duration = Duration::from_mins(1);
/// How long between two tries to open the database, or to begin again.
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
    /// Nobody knows who may.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Nobody can be told.
    #[error("{0}")]
    Notices(String),
    /// The database is not one that this release and configuration can write to.
    #[error(transparent)]
    Database(#[from] PassError),
    /// Something of the system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Runs until the process is asked to end. `load` reads the configuration, again on SIGHUP.
pub async fn serve(load: impl Fn() -> Result<Config, ConfigError>) -> Result<(), ServeError> {
    let mut signals = SignalListener::new()?;
    let config = load()?;
    let Some(store) = open(&config, &mut signals).await? else {
        return Ok(());
    };
    let setup = DaemonSetup::new(config).map_err(ServeError::Notices)?;
    let (runner, parts) = assemble(store, setup);
    let server = start_http_server(parts)?;
    systemd::ready();
    let watchdog = systemd::watchdog(Arc::clone(&runner.current), server.serving.abort_handle());
    let watchdog = tokio::spawn(watchdog);
    loop {
        let mut team = WorkerTasks::spawn(&runner);
        runner.current.request_all_passes("start");
        let mut asked = tokio::select! {
            asked = signals.next() => asked,
            () = team.wait_for_failure() => ControlSignal::Reload,
        };
        systemd::notify_signal(asked);
        let mut dismissed = std::pin::pin!(team.shut_down());
        while asked == ControlSignal::Reload {
            tokio::select! {
                () = &mut dismissed => break,
                // Whoever has to wait for a reload may still want the end.
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
    server.close().await;
    runner.store.close().await;
    Ok(())
}

/// What makes the passes, and what requests use; they share the parts that both need.
fn assemble(store: Store, setup: DaemonSetup) -> (Arc<PassRunner>, DaemonParts) {
    let replica: Arc<str> = replica().into();
    let current = Arc::new(CurrentSetup::new(setup));
    let counters = ReplicaCounters::default();
    let unwritable = Arc::new(UnwritableSources::default());
    let turns = Arc::new(PassTurns::default());
    let replies = Arc::new(ImportReplies::default());
    let parts = DaemonParts {
        board: StatusBoard {
            replica: Arc::clone(&replica),
            store: store.clone(),
            current: Arc::clone(&current),
        },
        current: Arc::clone(&current),
        counters: counters.clone(),
        turns: Arc::clone(&turns),
        replies: Arc::clone(&replies),
        readiness: ReadinessProbe::new(store.clone(), Arc::clone(&unwritable)),
        seen_deliveries: Mutex::default(),
        store: store.clone(),
    };
    let runner = PassRunner {
        notifier: Arc::new(Notifier::new(store.clone())),
        store,
        replica,
        current,
        counters,
        unwritable,
        waits: SourceWaits::default(),
        turns,
        replies,
    };
    (Arc::new(runner), parts)
}

/// The HTTP server at work.
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
    let gate = RequestGate::new(&setup.config.serve)?;
    let gate = gate.with_observer(move |answered| counted.count_request(answered));
    let gate = Arc::new(gate.with_page(page::problem));
    let server = HttpServer::bind(&setup.config.serve)?;
    let scheme = if setup.config.serve.tls.is_some() {
        "https"
    } else {
        "http"
    };
    tracing::info!("listening at {scheme}://{}", server.address());
    let mut routes = api::routes();
    routes.extend(page::routes(&gate));
    let app = http::app(routes, &gate, DaemonHandle::new(parts));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.run(app, stop.clone()));
    Ok(HttpServerTask { stop, serving })
}

/// Opens the database, and goes on trying while it cannot be reached; `None` when asked to end.
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
                systemd::starting();
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(OPEN_RETRY_INTERVAL) => {}
            asked = signals.next() => if asked == ControlSignal::End { return Ok(None) },
        }
    }
}

/// Whether a later try may find the database.
fn is_unreachable(error: &StoreError) -> bool {
    matches!(error, StoreError::Open { .. } | StoreError::Sql { .. })
}

fn reload(current: &CurrentSetup, load: &impl Fn() -> Result<Config, ConfigError>) {
    let read = load().map_err(ServeError::from);
    let read = read.and_then(|config| DaemonSetup::new(config).map_err(ServeError::Notices));
    match read {
        Ok(setup) => {
            if setup.config.database != current.get().config.database {
                tracing::warn!(
                    "the database changed in the configuration; restart the daemon to use it"
                );
            }
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

/// What was asked for and not begun yet is asked for again.
fn hand_over_triggers(before: &DaemonSetup, after: &DaemonSetup) {
    for (source, worker) in &before.workers {
        let Some(next) = after.workers.get(source) else {
            continue;
        };
        let knocks = worker.take_triggers();
        knocks.iter().for_each(|trigger| next.request_pass(trigger));
    }
}

/// The workers at work under one configuration.
struct WorkerTasks {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl WorkerTasks {
    fn spawn(runner: &Arc<PassRunner>) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let setup = runner.current.get();
        for worker in setup.workers.values() {
            let at_work = worker::run_worker(
                Arc::clone(runner),
                Arc::clone(&setup),
                Arc::clone(worker),
                stop.clone(),
            );
            tasks.spawn(at_work);
        }
        let notifier = Arc::clone(&runner.notifier);
        let (targets, ended) = (Arc::clone(&setup.targets), stop.clone());
        tasks.spawn(async move { notifier.deliver(&targets, &ended).await });
        tasks.spawn(watcher::watch(setup, stop.clone()));
        Self { stop, tasks }
    }

    /// Waits until one of them comes to an end that nobody asked for.
    async fn wait_for_failure(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!("a worker failed, restarting all workers: {error}");
                tokio::time::sleep(OPEN_RETRY_INTERVAL).await;
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Lets passes under way come to their end, or rolls them back.
    async fn shut_down(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("a pass did not end in time and is rolled back");
            self.tasks.shutdown().await;
        }
    }
}

/// Host and process, as status shows a replica.
fn replica() -> String {
    let holder = reconcile::this_process();
    format!("{}:{}", holder.host, holder.pid)
}
