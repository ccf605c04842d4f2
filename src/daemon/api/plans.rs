//! Remote plans: a CI job sends a tree or names a commit, and gets the plan. It needs a planner's
//! token and no password of the database. The handler takes its turn between passes and has a
//! deadline. Start at `RemotePlanner`.

use super::server_paths::ServerPaths;
use super::{require_max_length, require_visible_source};
use crate::config::{Config, SourceLocation};
use crate::daemon::handle::DaemonHandle;
use crate::daemon::pass_turns::PassTurns;
use crate::diagnostic::{chain, write_each, write_grouped};
use crate::document::{
    self, MAX_REVISION_LENGTH, OutputFormat, RemotePlanDetail, RemotePlanReply, RemotePlanRequest,
    StoredPlanDocument, UploadContent,
};
use crate::git::{self, GitError};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, JsonBody, Permission, Route};
use crate::manifest::{SentFile, Tree};
use crate::plan::render::{NextStep, PersonalData, PlanDetail, PseudonymKey, RenderOptions};
use crate::plan::{Plan, PlanPreview};
use crate::reconcile::{
    self, CompareError, Pass, PassError, PassRequest, PlanBaseRevision, PlanReader, SourceReading,
};
use crate::stop_flag::StopFlag;
use crate::store::Store;
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::post("/api/v1/plan", "plan", Permission::Plan, plan)
            .with_docs(
                "Plan a tree or a commit",
                "Returns the plan for this content of the source. Nothing is written, and no password is read.",
            )
            .problems(&[problem::INVALID, problem::NOT_FOUND])
            .with_tree_limit()
            .without_timeout()
            .answers_are_personal()
            .filters_by_source(),
    ]
}

async fn plan(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    JsonBody(wanted): JsonBody<RemotePlanRequest>,
) -> Result<Json<RemotePlanReply>, HttpProblem> {
    let source = select_source(&handle.setup()?.config, &caller, wanted.source.as_deref())?;
    let reader = plan_reader(&caller);
    let reads = reader.reads;
    let planned = handle
        .query(move |daemon| async move {
            let setup = daemon.current.get();
            let config = &setup.config;
            let planner = RemotePlanner {
                store: &daemon.store,
                turns: &daemon.turns,
                config,
                deadline: PlanDeadline::new(config.serve.limits.plan),
            };
            let made = planner.make_plan(&source, wanted, &reader).await;
            made.map_err(|problem| {
                if reads {
                    problem
                } else {
                    conceal_paths(config, problem)
                }
            })
        })
        .await?;
    Ok(Json(planned))
}

/// The rights of a caller to what a plan shows.
pub(super) fn plan_reader(caller: &Caller) -> PlanReader {
    PlanReader {
        reads: caller.may(Permission::Read),
        sources: caller.sources.clone(),
    }
}

/// Removes paths of this machine from a problem, for callers who may not read. The log keeps them.
fn conceal_paths(config: &Config, mut problem: HttpProblem) -> HttpProblem {
    let detail = ServerPaths::from_config(config).conceal(&problem.detail);
    if detail != problem.detail {
        tracing::warn!("{}", problem.detail);
        problem.detail = detail;
    }
    problem
}

/// The source that is meant, which need not be named if the caller sees only one.
fn select_source(
    config: &Config,
    caller: &Caller,
    named: Option<&str>,
) -> Result<String, HttpProblem> {
    if let Some(name) = named {
        require_visible_source(config, caller, name)?;
        return Ok(name.to_owned());
    }
    let mut seen = config
        .sources
        .iter()
        .filter(|source| caller.may_access_source(&source.name));
    match (seen.next(), seen.next()) {
        (Some(one), None) => Ok(one.name.to_string()),
        _ => Err(HttpProblem::new(
            problem::INVALID,
            "`source` is missing; name the source",
        )),
    }
}

/// Plans files or a commit against the database.
struct RemotePlanner<'a> {
    store: &'a Store,
    turns: &'a PassTurns,
    config: &'a Config,
    deadline: PlanDeadline,
}

impl RemotePlanner<'_> {
    async fn make_plan(
        &self,
        source: &str,
        wanted: RemotePlanRequest,
        reader: &PlanReader,
    ) -> Result<RemotePlanReply, HttpProblem> {
        let config = self.config;
        let at = config
            .sources
            .iter()
            .position(|known| *known.name == *source);
        let at = at.ok_or_else(|| HttpProblem::not_found(""))?;
        let shape = ReplyShape {
            format: wanted.format,
            outputs: wanted.outputs,
            detail: wanted.detail,
            max_bytes: wanted.max_bytes,
            show_personal: wanted.show_personal,
            pseudonyms: self.pseudonyms(reader).await?,
        };
        let (plan, reading) = match (wanted.files, wanted.revision) {
            (Some(files), None) => self.plan_files(at, files).await?,
            (None, Some(revision)) => self.plan_revision(at, revision).await?,
            _ => {
                let message = "send either `files` or `revision`";
                return Err(HttpProblem::new(problem::INVALID, message));
            }
        };
        // A planner sees its own proposal, but stored personal data and paths of this machine only
        // with the right to read.
        let seen = reader.view(plan, self.store).await;
        let plan = seen.map_err(|error| self.deadline.pass_problem(error.into()))?;
        let mut plan = plan;
        let sees_all = reader.reads && reader.sources.is_none();
        let stored = sees_all.then_some(self.store);
        let found = reconcile::find_plan_accounts(&mut plan, &reading.as_read, stored).await;
        found.map_err(|error| self.deadline.pass_problem(error.into()))?;
        let plan = if reader.reads {
            plan
        } else {
            let places = ServerPaths::from_config(config);
            plan.with_messages(|text| places.conceal(text))
        };
        render_reply(&plan, &reading, &shape)
    }

    /// Returns the key of pseudonyms for who may see everything anyway. Anybody else could send values
    /// until the answer has a pseudonym that they saw in a comment.
    async fn pseudonyms(&self, reader: &PlanReader) -> Result<Option<PseudonymKey>, HttpProblem> {
        if !reader.reads || reader.sources.is_some() {
            return Ok(None);
        }
        let key = self.store.pseudonym_key().await;
        key.map_err(HttpProblem::internal)
    }

    async fn plan_files(
        &self,
        at: usize,
        files: BTreeMap<String, UploadContent>,
    ) -> Result<(Plan, SourceReading), HttpProblem> {
        let mut read = Vec::with_capacity(files.len());
        for (path, content) in files {
            // Paths come from outside and must stay below the root, although nothing is written to
            // disk.
            let odd = path.split('/').any(|part| matches!(part, "" | "." | ".."));
            if odd || path.contains(['\\', '\0']) {
                let message = format!(
                    "`{path}` is not a relative path below the root; separate folders with `/`"
                );
                return Err(HttpProblem::new(problem::INVALID, message));
            }
            let sent = match content {
                UploadContent::Text(text) => SentFile::Bytes(text.into_bytes()),
                UploadContent::Bytes { base64 } => {
                    let bytes = STANDARD.decode(base64);
                    SentFile::Bytes(bytes.map_err(|error| {
                        HttpProblem::new(problem::INVALID, format!("{path}: {error}"))
                    })?)
                }
                UploadContent::Link { link } => SentFile::Link(link),
                UploadContent::Unreadable {
                    unreadable: why,
                    folder,
                } => SentFile::Unreadable { why, folder },
            };
            read.push((path, sent));
        }
        // The tree is built before the turn, so that decoding a large upload delays no pass.
        let tree = Tree::of_sent(read);
        let _turn = self.deadline.acquire_turn(self.turns).await?;
        let stop = self.deadline.stop.clone();
        let planned = reconcile::plan_submitted_tree(self.config, at, tree, stop, self.store).await;
        let (mut plan, reading) = planned.map_err(|error| self.deadline.pass_problem(error))?;
        plan.preview = Some(PlanPreview::SentFiles);
        self.mark_base(at, &mut plan).await?;
        Ok((plan, reading))
    }

    /// Marks what the source as it is now would do already.
    async fn mark_base(&self, at: usize, plan: &mut Plan) -> Result<(), HttpProblem> {
        let request = PassRequest {
            source: Some(self.config.sources[at].name.to_string()),
            ignores_passwords: true,
            stop: self.deadline.stop.clone(),
            ..PassRequest::default()
        };
        let (base, plans) = (PlanBaseRevision::Configured, std::slice::from_mut(plan));
        let marked = reconcile::mark_base(self.config, &request, base, self.store, plans).await;
        marked.map_err(|error| match error {
            CompareError::Pass(error) => self.deadline.pass_problem(error),
            error => HttpProblem::internal(error),
        })
    }

    async fn plan_revision(
        &self,
        at: usize,
        revision: String,
    ) -> Result<(Plan, SourceReading), HttpProblem> {
        require_max_length(MAX_REVISION_LENGTH, "revision", &revision)?;
        // The name is passed to git.
        if revision.is_empty() || revision.contains(char::is_control) {
            let message = "`revision` is not the name of a branch, tag or commit";
            return Err(HttpProblem::new(problem::INVALID, message));
        }
        let source = &self.config.sources[at];
        let SourceLocation::Git(place) = &source.place else {
            return Err(HttpProblem::new(
                problem::INVALID,
                "the source is not a git repository",
            ));
        };
        // Before the turn: a remote that does not answer, or a huge commit, delays no pass.
        let place = place.at(&revision);
        let fetched =
            git::fetch(&place, &self.config.cache).map_err(|error| fetch_problem(&error))?;
        let _turn = self.deadline.acquire_turn(self.turns).await?;
        let request = PassRequest {
            source: Some(source.name.to_string()),
            at_revision: Some((source.name.to_string(), fetched.revision)),
            // Password files belong to the daemon; a proposal must not be able to use them.
            ignores_passwords: true,
            stop: self.deadline.stop.clone(),
            ..PassRequest::default()
        };
        let refused = |error| self.deadline.pass_problem(error);
        // Read in full, because what was remembered of the source belongs to another commit.
        let mut pass = Pass::read_in_full(self.config, request).map_err(refused)?;
        let mut plan = pass.plan(at, self.store, &[]).await.map_err(refused)?;
        plan.preview = Some(PlanPreview::Revision);
        self.mark_base(at, &mut plan).await?;
        Ok((plan, pass.readings.swap_remove(at)))
    }
}

/// The deadline of a plan, which includes the wait for its turn.
pub(super) struct PlanDeadline {
    limit: Duration,
    until: Instant,
    pub stop: StopFlag,
    timer: JoinHandle<()>,
}

impl PlanDeadline {
    pub fn new(limit: Duration) -> Self {
        let (until, stop) = (Instant::now() + limit, StopFlag::default());
        let ending = stop.clone();
        // Planning computes without a pause, so a dropped future would not end it. The flag is
        // checked inside.
        let timer = tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            ending.set();
        });
        Self {
            limit,
            until,
            stop,
            timer,
        }
    }

    /// Waits for a turn. A large tree takes the whole machine, so no other plan or pass runs beside
    /// it.
    pub async fn acquire_turn<'d>(
        &self,
        turns: &'d PassTurns,
    ) -> Result<SemaphorePermit<'d>, HttpProblem> {
        match tokio::time::timeout_at(self.until, turns.acquire()).await {
            Ok(turn) => turn.map_err(HttpProblem::internal),
            Err(_) => Err(self.ended("waited")),
        }
    }

    pub fn pass_problem(&self, error: PassError) -> HttpProblem {
        match error {
            PassError::Usage(message) => HttpProblem::new(problem::INVALID, message),
            PassError::Stopped => self.ended("took"),
            error => HttpProblem::new(problem::UNAVAILABLE, chain(&error)),
        }
    }

    fn ended(&self, did: &str) -> HttpProblem {
        let seconds = self.limit.as_secs();
        let detail = format!(
            "the plan {did} longer than the {seconds} s of `serve.limits.plan` and was stopped; \
             try again, send fewer files, or raise the limit"
        );
        HttpProblem::new(problem::TIMEOUT, detail)
    }
}

impl Drop for PlanDeadline {
    fn drop(&mut self) {
        // Otherwise each request would leave a timer for as long as its limit.
        self.timer.abort();
    }
}

/// Tells a wrong request from a remote that does not work.
fn fetch_problem(error: &GitError) -> HttpProblem {
    let kind = match error {
        GitError::Reference { .. } => problem::NOT_FOUND,
        GitError::Empty { .. }
        | GitError::Path { .. }
        | GitError::Limit { .. }
        | GitError::Failed { .. } => problem::INVALID,
        _ => problem::UNAVAILABLE,
    };
    HttpProblem::new(kind, error.to_string())
}

/// How the sender wants to see the plan.
struct ReplyShape {
    format: OutputFormat,
    outputs: Vec<OutputFormat>,
    detail: RemotePlanDetail,
    max_bytes: Option<usize>,
    show_personal: bool,
    pseudonyms: Option<PseudonymKey>,
}

impl ReplyShape {
    fn options(&self, format: OutputFormat, reading: &SourceReading) -> RenderOptions {
        RenderOptions {
            detail: match self.detail {
                RemotePlanDetail::Summary => PlanDetail::Summary,
                RemotePlanDetail::Changes => PlanDetail::Changes,
                RemotePlanDetail::Full => PlanDetail::Full,
            },
            max_bytes: self.max_bytes,
            root: reading
                .source
                .git()
                .map(|place| place.path.clone())
                .unwrap_or_default(),
            personal: if format.is_published() && !self.show_personal {
                PersonalData::Masked(self.pseudonyms.clone())
            } else {
                PersonalData::Shown
            },
            // Whoever asks has no database to apply it to.
            next: NextStep::Merge,
            ..RenderOptions::default()
        }
    }
}

/// Writes what the plan has found, which the text of a plan only counts. Without lines of files: those
/// of a revision may have more than the caller wrote.
fn write_diagnostics(plan: &Plan, detail: PlanDetail, out: &mut dyn Write) -> io::Result<()> {
    let no_text = |_: &str| None;
    match detail {
        PlanDetail::Full => write_each(&plan.diagnostics, no_text, false, out),
        _ => write_grouped(&plan.diagnostics, no_text, false, out),
    }
}

fn render_reply(
    plan: &Plan,
    reading: &SourceReading,
    shape: &ReplyShape,
) -> Result<RemotePlanReply, HttpProblem> {
    let written = |format| -> Result<Vec<u8>, HttpProblem> {
        let mut written = Vec::new();
        let options = shape.options(format, reading);
        if format == OutputFormat::Text {
            write_diagnostics(plan, options.detail, &mut written).map_err(HttpProblem::internal)?;
        }
        document::render(plan, format, &options, &mut written).map_err(HttpProblem::internal)?;
        Ok(written)
    };
    let text = |format| -> Result<String, HttpProblem> {
        Ok(String::from_utf8_lossy(&written(format)?).into_owned())
    };
    let outputs = shape.outputs.iter();
    let outputs = outputs.map(|format| Ok((*format, text(*format)?)));
    let outputs = outputs.collect::<Result<_, HttpProblem>>()?;
    let (document, text) = if shape.format == OutputFormat::Json {
        let plan = StoredPlanDocument::parse(written(OutputFormat::Json)?);
        (Some(plan.map_err(HttpProblem::internal)?), None)
    } else {
        (None, Some(text(shape.format)?))
    };
    Ok(RemotePlanReply {
        exit_code: plan.exit_code(false),
        steps: !plan.steps.iter().all(|step| step.is_on_base),
        plan: document,
        text,
        outputs,
    })
}
