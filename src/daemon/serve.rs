//! The process: opens the database, employs a worker a source, and ends in order.

use super::api::{self, DaemonHandle};
use super::metrics::ReplicaCounters;
use super::outbox;
use super::page;
use super::readiness::UnwritableSources;
use super::source_waits::SourceWaits;
use super::stable_read::ReadingsCache;
use super::systemd;
use super::watcher;
use super::webhook::{SeenDeliveries, WebhookPush};
use super::worker::{self, SourceWorker};
use crate::config::{Config, ConfigError, NoticeTarget};
use crate::diagnostic::chain;
use crate::http::access::AccessError;
use crate::http::tally::LogTallies;
use crate::http::{self, HttpServer, RequestGate, ServerError};
use crate::reconcile::{self, PassError};
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, Semaphore, watch};
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

/// The daemon as its workers and doors see it.
pub struct Daemon {
    /// The database.
    pub store: Store,
    /// Which replica this is: host and process.
    pub replica: String,
    setup: watch::Sender<Arc<DaemonSetup>>,
    /// What this replica counts.
    pub counters: ReplicaCounters,
    /// The deliveries of webhooks that were seen.
    seen_deliveries: Mutex<SeenDeliveries>,
    /// The sources whose last pass could not write.
    pub(super) unwritable: UnwritableSources,
    pub(super) tallies: LogTallies,
    /// Which sources wait for which.
    pub(super) waits: SourceWaits,
    /// Rings when a notice is put out.
    pub(super) notice_enqueued: Notify,
    /// One pass at a time: each may use the whole machine.
    pub(super) pass_permit: Semaphore,
    /// How many passes wait for their turn.
    pub(super) waiting_passes: AtomicUsize,
    /// Changes when something that was sent is answered.
    pub(super) answers: watch::Sender<u64>,
    /// Why the last reload of the configuration failed, if it did.
    last_reload_error: Mutex<Option<String>>,
}

/// The configuration as it holds now, and a worker a source.
pub struct DaemonSetup {
    /// The configuration.
    pub config: Config,
    /// Who is told what.
    pub targets: Vec<NoticeTarget>,
    /// By name.
    pub workers: BTreeMap<String, Arc<SourceWorker>>,
    /// What the last pass has read.
    pub(super) readings_cache: ReadingsCache,
}

impl Daemon {
    /// What holds now.
    pub fn setup(&self) -> Arc<DaemonSetup> {
        Arc::clone(&self.setup.borrow())
    }

    /// Why the configuration was not read again when it should have been; the one before is used.
    pub fn reload_error(&self) -> Option<String> {
        let refused = self.last_reload_error.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_reload_error(&self, why: Option<String>) {
        let refused = self.last_reload_error.lock();
        *refused.unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// The worker of a source.
    pub fn worker(&self, source: &str) -> Option<Arc<SourceWorker>> {
        self.setup().workers.get(source).cloned()
    }

    /// Whether a delivery of a webhook was not seen before.
    pub fn remember_delivery(&self, source: &str, push: &WebhookPush) -> bool {
        let mut seen = self
            .seen_deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seen.insert_push(source, push)
    }

    /// Says that something that was sent is answered.
    pub(super) fn announce_answer(&self) {
        self.answers.send_modify(|count| *count += 1);
    }

    /// Knocks at every source.
    pub fn request_all_passes(&self, trigger: &str) {
        let setup = self.setup();
        setup
            .workers
            .values()
            .for_each(|worker| worker.request_pass(trigger));
    }
}

impl DaemonSetup {
    fn new(config: Config) -> Result<Self, ServeError> {
        let targets = config.notices.resolve().map_err(ServeError::Notices)?;
        let sources = config.sources.iter();
        let workers = sources
            .map(|source| {
                (
                    source.name.to_string(),
                    Arc::new(SourceWorker::new(&source.name)),
                )
            })
            .collect();
        Ok(Self {
            config,
            targets,
            workers,
            readings_cache: ReadingsCache::default(),
        })
    }
}

/// Runs until the process is asked to end. `load` reads the configuration, again on SIGHUP.
pub async fn serve(load: impl Fn() -> Result<Config, ConfigError>) -> Result<(), ServeError> {
    let mut signals = SignalListener::new()?;
    let config = load()?;
    let Some(store) = open(&config, &mut signals).await? else {
        return Ok(());
    };
    let daemon = Arc::new(Daemon {
        store,
        replica: replica(),
        setup: watch::Sender::new(Arc::new(DaemonSetup::new(config)?)),
        counters: ReplicaCounters::default(),
        seen_deliveries: Mutex::default(),
        unwritable: UnwritableSources::default(),
        tallies: LogTallies::default(),
        waits: SourceWaits::default(),
        notice_enqueued: Notify::new(),
        pass_permit: Semaphore::new(1),
        waiting_passes: AtomicUsize::new(0),
        answers: watch::Sender::new(0),
        last_reload_error: Mutex::default(),
    });
    let server = start_http_server(&daemon)?;
    systemd::ready();
    let watchdog = systemd::watchdog(Arc::clone(&daemon), server.serving.abort_handle());
    let watchdog = tokio::spawn(watchdog);
    loop {
        let mut team = WorkerTasks::spawn(&daemon);
        daemon.request_all_passes("start");
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
        reload(&daemon, &load);
        systemd::ready();
    }
    watchdog.abort();
    server.close().await;
    daemon.store.close().await;
    Ok(())
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

fn start_http_server(daemon: &Arc<Daemon>) -> Result<HttpServerTask, ServeError> {
    let setup = daemon.setup();
    let counted = daemon.counters.clone();
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
    let app = http::app(routes, &gate, DaemonHandle::for_daemon(daemon));
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

fn reload(daemon: &Daemon, load: &impl Fn() -> Result<Config, ConfigError>) {
    let read = load().map_err(ServeError::from).and_then(DaemonSetup::new);
    match read {
        Ok(setup) => {
            if setup.config.database != daemon.setup().config.database {
                tracing::warn!(
                    "the database changed in the configuration; restart the daemon to use it"
                );
            }
            let before = daemon.setup.send_replace(Arc::new(setup));
            hand_over_triggers(&before, &daemon.setup());
            daemon.set_reload_error(None);
            tracing::info!("configuration reloaded");
        }
        Err(error) => {
            let why = chain(&error);
            tracing::error!(
                "the configuration could not be reloaded; the previous one is in use: {why}"
            );
            daemon.set_reload_error(Some(why));
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
    fn spawn(daemon: &Arc<Daemon>) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let setup = daemon.setup();
        for worker in setup.workers.values() {
            let at_work = worker::run_worker(
                Arc::clone(daemon),
                Arc::clone(&setup),
                Arc::clone(worker),
                stop.clone(),
            );
            tasks.spawn(at_work);
        }
        tasks.spawn(outbox::deliver(
            Arc::clone(daemon),
            Arc::clone(&setup),
            stop.clone(),
        ));
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

/// What the process is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ControlSignal {
    /// To end in order.
    End,
    /// To read its configuration again.
    Reload,
}

/// The signals that ask for something.
struct SignalListener {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl SignalListener {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> ControlSignal {
        tokio::select! {
            _ = self.terminate.recv() => ControlSignal::End,
            _ = self.interrupt.recv() => ControlSignal::End,
            _ = self.hangup.recv() => ControlSignal::Reload,
        }
    }
}

/// Host and process, as status shows a replica.
fn replica() -> String {
    let holder = reconcile::this_process();
    format!("{}:{}", holder.host, holder.pid)
}
